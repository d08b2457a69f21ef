//! Whether a platform is pushed to at all: one breaker for all processes, in PostgreSQL.
//!
//! It is of the credential and what is asked there: that the platform's history is in trouble is no reason to keep metrics from it, nor
//! the other way round.

use crate::meters::Meters;
use crate::targets::Target;
use access::StoreBreaker;
use platform::breaker::shared::{Leave, Permission, Shared};
use platform::breaker::{Signal, State};
use runtime::chain;
use std::time::Duration;
use store::{Store, StoreError};

/// How much longer than a request a try is given, for waiting for its turn.
const TRY_MARGIN: Duration = Duration::from_secs(5);

/// The breaker, as one target sees it.
#[derive(Debug)]
pub struct Health {
    breaker: Shared<StoreBreaker>,
    target: String,
    meters: Meters,
    state: State,
}

impl Health {
    /// Of a target's credential and route, opening by this target's words.
    #[must_use]
    pub fn new(target: &Target, store: Store, meters: Meters) -> Self {
        meters.breaker(State::Closed);
        let name = format!("{}/{}", target.credential(), target.adapter.name());
        let keeper = StoreBreaker::new(store, name, target.breaker);
        Self {
            breaker: Shared::new(keeper, target.timeouts.total + TRY_MARGIN),
            target: target.name.clone(),
            meters,
            state: State::Closed,
        }
    }

    /// Asks for leave to send one request. Leave is to be given to [`Self::record`] or [`Self::unused`].
    pub async fn permit(&mut self) -> Result<Permission, StoreError> {
        let permission = self.breaker.permit().await?;
        self.know(match permission {
            Permission::Granted(leave) if leave.is_try() => State::HalfOpen,
            Permission::Granted(_) => State::Closed,
            Permission::Wait { .. } => State::Open,
        });
        Ok(permission)
    }

    /// Records what a permitted request said. Where that cannot be written down the next one will say it again.
    pub async fn record(&mut self, leave: Leave, signal: Signal, why: &str) {
        match self.breaker.record(leave, signal, why).await {
            Ok(Some(stands)) => self.know(stands.state),
            Ok(None) => {}
            Err(error) => tracing::warn!(
                target_name = self.target, error = %chain(&error),
                "what a request said about the platform's health could not be written down"
            ),
        }
    }

    /// Nothing was sent: a try is given back, for another to take.
    pub async fn unused(&mut self, leave: Leave) {
        self.record(leave, Signal::Neutral, "").await;
    }

    fn know(&mut self, state: State) {
        if state == self.state {
            return;
        }
        match state {
            State::Open => tracing::error!(
                target_name = self.target,
                "the breaker is open: the platform is in trouble"
            ),
            State::Closed => {
                tracing::info!(
                    target_name = self.target,
                    "the breaker is closed: the platform is back"
                );
            }
            State::HalfOpen => {}
        }
        self.state = state;
        self.meters.breaker(state);
    }
}
