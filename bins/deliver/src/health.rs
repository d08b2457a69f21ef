//! Whether a platform is pushed to at all: one breaker for all processes, in PostgreSQL.
//!
//! It is of the credential and what is asked there: that the platform's history is in trouble is no reason to keep metrics from it, nor
//! the other way round.

use crate::meters::Meters;
use crate::targets::Target;
use platform::breaker::{Permit, Signal};
use runtime::chain;
use std::time::Duration;
use store::breakers::{self, Entry, Policy, State};
use store::{Store, StoreError};

/// How much longer than a request a probe is given, for waiting for its turn.
const PROBE_MARGIN: Duration = Duration::from_secs(5);

/// The breaker, as one target sees it.
#[derive(Debug)]
pub struct Health {
    store: Store,
    name: String,
    target: String,
    policy: Policy,
    probe: Duration,
    meters: Meters,
    state: State,
}

impl Health {
    /// Of a target's credential and route, opening by this target's words.
    #[must_use]
    pub fn new(target: &Target, store: Store, meters: Meters) -> Self {
        meters.breaker(State::Closed);
        Self {
            name: format!("{}/{}", target.credential(), target.adapter.name()),
            target: target.name.clone(),
            policy: Policy {
                failures: i32::try_from(target.breaker.failures).unwrap_or(i32::MAX),
                pause: target.breaker.cool_down,
                longest: target.breaker.longest,
            },
            probe: target.timeouts.total + PROBE_MARGIN,
            store,
            meters,
            state: State::Closed,
        }
    }

    /// Asks for leave to send one request. A [`Permit::Probe`] must be answered by [`Self::record`] or [`Self::unused`].
    pub async fn permit(&mut self) -> Result<Permit, StoreError> {
        let client = self.store.client().await?;
        let (permit, state) = match breakers::enter(&client, &self.name, self.probe).await? {
            Entry::Closed => (Permit::Go, State::Closed),
            Entry::Probe => (Permit::Probe, State::HalfOpen),
            Entry::Open { retry_in, .. } => (Permit::Wait(retry_in), State::Open),
        };
        self.know(state);
        Ok(permit)
    }

    /// Records what a permitted request said. Where that cannot be written down the next one will say it again.
    pub async fn record(&mut self, permit: Permit, signal: Signal, why: &str) {
        if let Err(error) = self.write(permit, signal, why).await {
            tracing::warn!(
                target_name = self.target, error = %chain(&error),
                "what a request said about the platform's health could not be written down"
            );
        }
    }

    async fn write(&mut self, permit: Permit, signal: Signal, why: &str) -> Result<(), StoreError> {
        let client = self.store.client().await?;
        match signal {
            Signal::Success => {
                breakers::succeeded(&client, &self.name).await?;
                self.know(State::Closed);
            }
            Signal::Failure => {
                let breaker = breakers::failed(&client, &self.name, why, &self.policy).await?;
                self.know(breaker.state);
            }
            Signal::Neutral if permit == Permit::Probe => {
                breakers::released(&client, &self.name).await?;
            }
            Signal::Neutral => {}
        }
        Ok(())
    }

    /// Nothing was sent: a probe is given back, for another to take.
    pub async fn unused(&mut self, permit: Permit) {
        self.record(permit, Signal::Neutral, "").await;
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
