//! The breaker of a platform, kept in PostgreSQL ([`store::breakers`]) and asked as [`platform::breaker::shared`] asks its keeper.

use platform::breaker::State;
use platform::breaker::shared::{Entry, Keeper, Stands, Try};
use platform::budget::BoxFuture;
use std::time::Duration;
use store::breakers::{self, Policy};
use store::{Store, StoreError};

/// Keeps one breaker for all processes: a row once something has failed.
#[derive(Debug)]
pub struct StoreBreaker {
    store: Store,
    name: String,
    policy: Policy,
}

impl StoreBreaker {
    /// The breaker of this name: the credential's, or of one thing that is asked with it. It opens by this process's policy.
    #[must_use]
    pub fn new(store: Store, name: String, policy: platform::breaker::Policy) -> Self {
        Self {
            store,
            name,
            policy: Policy {
                failures: i32::try_from(policy.failures).unwrap_or(i32::MAX),
                pause: policy.cool_down,
                longest: policy.longest,
            },
        }
    }
}

impl Keeper for StoreBreaker {
    type Error = StoreError;

    fn enter(&self, length: Duration) -> BoxFuture<'_, Result<Entry, StoreError>> {
        Box::pin(async move {
            let client = self.store.client().await?;
            let entry = breakers::enter(&client, &self.name, length).await?;
            Ok(match entry {
                breakers::Entry::Closed => Entry::Closed,
                breakers::Entry::Probe(number) => Entry::Try(Try(number)),
                breakers::Entry::Open { retry_in, reason } => Entry::Open { retry_in, reason },
            })
        })
    }

    fn failed<'a>(
        &'a self,
        tried: Option<Try>,
        why: &'a str,
    ) -> BoxFuture<'a, Result<Stands, StoreError>> {
        Box::pin(async move {
            let client = self.store.client().await?;
            let tried = tried.map(|number| number.0);
            let breaker = breakers::failed(&client, &self.name, tried, why, &self.policy).await?;
            Ok(Stands {
                state: state(breaker.state),
                failures: u32::try_from(breaker.failures).unwrap_or(0),
                left: breaker.left,
            })
        })
    }

    fn succeeded(&self, tried: Option<Try>) -> BoxFuture<'_, Result<State, StoreError>> {
        Box::pin(async move {
            let client = self.store.client().await?;
            let tried = tried.map(|number| number.0);
            let success = breakers::succeeded(&client, &self.name, tried).await?;
            Ok(state(success.state))
        })
    }

    fn released(&self, tried: Try) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let client = self.store.client().await?;
            breakers::released(&client, &self.name, tried.0).await
        })
    }
}

const fn state(state: breakers::State) -> State {
    match state {
        breakers::State::Closed => State::Closed,
        breakers::State::Open => State::Open,
        breakers::State::HalfOpen => State::HalfOpen,
    }
}
