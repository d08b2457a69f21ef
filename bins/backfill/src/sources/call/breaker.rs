//! The breaker of a credential, shared by all processes through the store. While everything is well it costs nothing.

use crate::sources::outcome::Fault;
use platform::api::ApiError;
use platform::breaker::Policy;
use platform::history::HistoryError;
use runtime::chain;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::breakers::{self, Entry};
use store::{Store, StoreError};

/// How long a request that tries whether the platform is back has before another may.
const PROBE: Duration = Duration::from_secs(30);

/// Whether a platform is asked.
#[derive(Debug)]
pub(crate) struct Shared {
    store: Store,
    credential: String,
    policy: Policy,
    /// Whether anything failed lately, here or in another process: only then is the store asked before a request.
    trouble: AtomicBool,
}

impl Shared {
    pub(crate) const fn new(store: Store, credential: String, policy: Policy) -> Self {
        Self {
            store,
            credential,
            policy,
            trouble: AtomicBool::new(false),
        }
    }

    pub(crate) fn credential(&self) -> &str {
        &self.credential
    }

    /// The breaker does not stand closed, or there were failures: some process said so.
    pub(crate) fn is_in_trouble(&self) {
        self.trouble.store(true, Ordering::Relaxed);
    }

    /// Leave to send one request.
    pub(super) async fn enter(&self) -> Result<Entered, Fault> {
        if !self.trouble.load(Ordering::Relaxed) {
            return Ok(Entered::Freely);
        }
        let entry = async {
            let client = self.store.client().await?;
            breakers::enter(&client, &self.credential, PROBE).await
        };
        match entry.await.map_err(Fault::store)? {
            Entry::Closed => Ok(Entered::Freely),
            Entry::Probe => Ok(Entered::ToTry),
            Entry::Open { retry_in, .. } => Err(Fault::Later {
                wait: retry_in,
                reason: "breaker",
            }),
        }
    }

    /// How the request went.
    pub(super) async fn heard(&self, entered: Entered, error: Option<&HistoryError>) {
        let noted = match (Signal::of(error), error) {
            (Signal::Success, _) => self.succeeded().await,
            (Signal::Failure, Some(error)) => self.failed(error).await,
            _ if entered == Entered::ToTry => self.released().await,
            _ => return,
        };
        if let Err(error) = noted {
            tracing::debug!(error = %chain(&error), "the platform's breaker could not be written");
        }
    }

    /// Another may try at once: this one has told nothing.
    async fn released(&self) -> Result<(), StoreError> {
        let client = self.store.client().await?;
        breakers::released(&client, &self.credential).await
    }

    async fn failed(&self, error: &HistoryError) -> Result<(), StoreError> {
        self.trouble.store(true, Ordering::Relaxed);
        let policy = breakers::Policy {
            failures: i32::try_from(self.policy.failures).unwrap_or(i32::MAX),
            pause: self.policy.cool_down,
            longest: self.policy.longest,
        };
        let client = self.store.client().await?;
        let why = chain(error);
        let breaker = breakers::failed(&client, &self.credential, &why, &policy).await?;
        if breaker.state == breakers::State::Open {
            tracing::warn!(credential = self.credential, failures = breaker.failures, left = ?breaker.left, why,
                           "the platform failed again and again and is left alone for a while");
        }
        Ok(())
    }

    async fn succeeded(&self) -> Result<(), StoreError> {
        if !self.trouble.load(Ordering::Relaxed) {
            return Ok(());
        }
        let client = self.store.client().await?;
        if breakers::succeeded(&client, &self.credential).await? {
            tracing::info!(credential = self.credential, "the platform answers again");
        }
        self.trouble.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// How a request came to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entered {
    /// The breaker is closed.
    Freely,
    /// To try whether the platform is back, while all others wait for it.
    ToTry,
}

/// What a request says about the platform's health. What is about our request, our pace or our credential says nothing (pitfall 103).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Success,
    Failure,
    Nothing,
}

impl Signal {
    fn of(error: Option<&HistoryError>) -> Self {
        match error {
            // An answer that cannot be read is one.
            None | Some(HistoryError::Shape { .. }) => Self::Success,
            Some(HistoryError::Api(ApiError::Failed { .. })) => Self::Failure,
            Some(HistoryError::Api(ApiError::Call(error))) if error.is_trouble() => Self::Failure,
            Some(_) => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pitfall 103: a 429 to the one that tries neither closes the breaker nor keeps the next one from trying.
    #[tokio::test]
    async fn pitfall_103_a_try_that_tells_nothing_is_given_back() {
        let database = testkit::TestDb::new().await;
        let store = database.store().await;
        let policy = Policy {
            failures: 1,
            cool_down: Duration::ZERO,
            longest: Duration::ZERO,
        };
        let breaker = Shared::new(store.clone(), "c".to_owned(), policy);
        let failed = HistoryError::Api(ApiError::Failed {
            hint: None,
            why: "HTTP 503".to_owned(),
        });
        let throttled = HistoryError::Api(ApiError::Throttled {
            wait: Duration::from_secs(1),
            why: "HTTP 429".to_owned(),
        });
        assert_eq!(breaker.enter().await, Ok(Entered::Freely));
        breaker.heard(Entered::Freely, Some(&failed)).await;
        assert_eq!(breaker.enter().await, Ok(Entered::ToTry));
        assert!(breaker.enter().await.is_err(), "one at a time");
        breaker.heard(Entered::ToTry, Some(&throttled)).await;
        assert_eq!(breaker.enter().await, Ok(Entered::ToTry), "given back");
        breaker.heard(Entered::ToTry, None).await;
        assert_eq!(breaker.enter().await, Ok(Entered::Freely));
    }
}
