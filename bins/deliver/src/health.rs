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
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{Store, StoreError, breakers};

/// How much longer than a request a try is given, for waiting for its turn.
const TRY_MARGIN: Duration = Duration::from_secs(5);

/// An open breaker is looked at again after so long.
pub const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The breaker, as one target sees it.
#[derive(Debug)]
pub struct Health {
    breaker: Shared<StoreBreaker>,
    store: Store,
    name: String,
    target: String,
    meters: Meters,
    state: Mutex<State>,
}

impl Health {
    /// Of a target's credential and route, opening by this target's words.
    #[must_use]
    pub fn new(target: &Target, store: Store, meters: Meters) -> Self {
        meters.breaker(State::Closed);
        let name = target.breaker_name();
        let keeper = StoreBreaker::new(store.clone(), name.clone(), target.breaker);
        Self {
            store,
            name,
            breaker: Shared::new(keeper, target.timeouts.total + TRY_MARGIN),
            target: target.name.clone(),
            meters,
            state: Mutex::new(State::Closed),
        }
    }

    /// Asks for leave to send one request. Leave is to be given to [`Self::record`] or [`Self::unused`].
    pub async fn permit(&self) -> Result<Permission, StoreError> {
        let permission = self.breaker.permit().await?;
        match &permission {
            Permission::Granted(leave) if leave.is_try() => self.know(State::HalfOpen, ""),
            Permission::Granted(_) => self.know(State::Closed, ""),
            Permission::Wait { reason, .. } => self.know(State::Open, reason),
        }
        Ok(permission)
    }

    /// For how long nothing is to be asked; asking takes no try. Longer than [`LOOK_AGAIN`] is not said: an operator may close it.
    pub async fn left(&self) -> Result<Duration, StoreError> {
        let client = self.store.client().await?;
        let Some((left, reason)) = breakers::left(&client, &self.name).await? else {
            return Ok(Duration::ZERO);
        };
        self.know(State::Open, &reason);
        Ok(left.min(LOOK_AGAIN))
    }

    /// Records what a permitted request said. Where that cannot be written down the next one will say it again.
    pub async fn record(&self, leave: Leave, signal: Signal, why: &str) {
        match self.breaker.record(leave, signal, why).await {
            Ok(Some(stands)) => self.know(stands.state, why),
            Ok(None) => {}
            Err(error) => tracing::warn!(
                target_name = self.target, error = %chain(&error),
                "what a request said about the platform's health could not be written down"
            ),
        }
    }

    /// Nothing was sent: a try is given back, for another to take.
    pub async fn unused(&self, leave: Leave) {
        self.record(leave, Signal::Neutral, "").await;
    }

    /// Whether it is open, as far as this process knows.
    pub fn is_open(&self) -> bool {
        *self.known() == State::Open
    }

    // A panic while holding it cannot leave it half-written: one word.
    fn known(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn know(&self, state: State, reason: &str) {
        let before = std::mem::replace(&mut *self.known(), state);
        if state == before {
            return;
        }
        match state {
            State::Open => tracing::error!(
                target_name = self.target,
                reason,
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
        self.meters.breaker(state);
    }
}
