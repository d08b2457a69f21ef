//! The breaker of a credential, shared by all processes through the store. While everything is well it costs nothing.

use crate::sources::outcome::Fault;
use access::StoreBreaker;
use platform::breaker::shared::{self, Leave, Permission};
use platform::breaker::{Policy, Signal, State};
use platform::history::HistoryError;
use runtime::chain;
use std::time::Duration;
use store::Store;

/// How long a request that tries whether the platform is back has before another may.
const TRY: Duration = Duration::from_secs(30);

/// Whether a platform is asked.
#[derive(Debug)]
pub(crate) struct Shared {
    breaker: shared::Shared<StoreBreaker>,
    credential: String,
}

/// What a request says about the platform's health.
fn signal(error: Option<&HistoryError>) -> Signal {
    match error {
        None => Signal::Success,
        Some(HistoryError::Api(error)) => error.signal(),
        Some(_) => Signal::Neutral,
    }
}

impl Shared {
    pub(crate) fn new(store: Store, credential: String, policy: Policy) -> Self {
        let keeper = StoreBreaker::new(store, credential.clone(), policy);
        Self {
            breaker: shared::Shared::new(keeper, TRY).lazy(),
            credential,
        }
    }

    pub(crate) fn credential(&self) -> &str {
        &self.credential
    }

    /// The breaker does not stand closed, or there were failures: some process said so.
    pub(crate) fn is_in_trouble(&self) {
        self.breaker.is_in_trouble();
    }

    /// Leave to send one request. How it went is to be told with [`Self::heard`].
    pub(super) async fn enter(&self) -> Result<Leave, Fault> {
        match self.breaker.permit().await.map_err(Fault::store)? {
            Permission::Granted(leave) => Ok(leave),
            Permission::Wait { wait, .. } => Err(Fault::Later {
                wait,
                reason: "breaker",
            }),
        }
    }

    /// Nothing was sent, or nothing that says how the platform is.
    pub(super) async fn unused(&self, leave: Leave) {
        if let Err(error) = self.breaker.record(leave, Signal::Neutral, "").await {
            tracing::debug!(error = %chain(&error), "the platform's breaker could not be written");
        }
    }

    /// How the request went, if it was sent at all.
    pub(super) async fn heard(&self, leave: Leave, error: Option<&HistoryError>) {
        let signal = signal(error);
        let why = error.map_or_else(String::new, |error| chain(error));
        match self.breaker.record(leave, signal, &why).await {
            Ok(Some(stands)) if stands.state == State::Open && signal == Signal::Failure => {
                tracing::warn!(credential = self.credential, failures = stands.failures, left = ?stands.left, why,
                               "the platform failed again and again and is left alone for a while");
            }
            Ok(Some(stands)) if stands.state == State::Closed && signal == Signal::Success => {
                tracing::info!(credential = self.credential, "the platform answers again");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(error = %chain(&error), "the platform's breaker could not be written");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::api::ApiError;

    /// Pitfall 103: an answer that is about the request, the pace or the credential neither closes the breaker nor keeps the next one
    /// from trying, and a failure that comes late opens nothing again.
    #[tokio::test]
    async fn pitfall_103_a_try_that_says_nothing_is_given_back() {
        let database = testkit::TestDb::new().await;
        let policy = Policy {
            failures: 1,
            cool_down: Duration::ZERO,
            longest: Duration::ZERO,
        };
        let breaker = Shared::new(database.store().await, "c".to_owned(), policy);
        let failed = HistoryError::Api(ApiError::Failed {
            hint: None,
            why: "HTTP 503".to_owned(),
        });
        let why = || "no".to_owned();
        let path = || "/x".to_owned();
        let neutral = [
            ApiError::Throttled {
                wait: Duration::from_secs(1),
                why: why(),
            },
            ApiError::Forbidden { why: why() },
            ApiError::Unauthorised { why: why() },
            ApiError::NotFound {
                path: path(),
                why: why(),
            },
            ApiError::Refused {
                path: path(),
                status: 422,
                why: why(),
            },
            ApiError::Later {
                wait: Duration::from_secs(1),
                hold: platform::budget::Hold::Busy,
                why: why(),
            },
        ]
        .map(HistoryError::Api);
        let first = breaker.enter().await.unwrap();
        assert!(!first.is_try());
        breaker.heard(first, Some(&failed)).await;
        for error in &neutral {
            let tries = breaker.enter().await.unwrap();
            assert!(
                tries.is_try(),
                "it is not closed by what came before {error}"
            );
            assert!(breaker.enter().await.is_err(), "one at a time");
            // What was sent before it opened has no say any more.
            breaker.heard(first, Some(&failed)).await;
            breaker.heard(first, None).await;
            assert!(breaker.enter().await.is_err(), "still the same one");
            breaker.heard(tries, Some(error)).await;
        }
        let tries = breaker.enter().await.unwrap();
        breaker.heard(tries, None).await;
        assert!(!breaker.enter().await.unwrap().is_try());
    }
}
