//! The breaker of a credential, shared by all processes through the store. While everything is well it costs nothing.

use crate::sources::outcome::Fault;
use platform::api::ApiError;
use platform::breaker::Policy;
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
    pub(super) async fn enter(&self) -> Result<(), Fault> {
        if !self.trouble.load(Ordering::Relaxed) {
            return Ok(());
        }
        let entry = async {
            let client = self.store.client().await?;
            breakers::enter(&client, &self.credential, PROBE).await
        };
        match entry.await.map_err(Fault::store)? {
            Entry::Closed | Entry::Probe => Ok(()),
            Entry::Open { retry_in, .. } => Err(Fault::Later {
                wait: retry_in,
                reason: "breaker",
            }),
        }
    }

    /// How a request went.
    pub(super) async fn heard(&self, error: Option<&ApiError>) {
        let noted = match error {
            Some(error) if is_trouble(error) => self.failed(error).await,
            // Nothing was sent, or it says nothing about the platform's health: a probe is free again when its time is over.
            Some(
                ApiError::Later { .. }
                | ApiError::Token(_)
                | ApiError::Throttled { .. }
                | ApiError::Call(_),
            ) => return,
            _ => self.succeeded().await,
        };
        if let Err(error) = noted {
            tracing::debug!(error = %chain(&error), "the platform's breaker could not be written");
        }
    }

    async fn failed(&self, error: &ApiError) -> Result<(), StoreError> {
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

/// Whether it speaks against the platform as a whole: no answer, or one that says that it failed.
fn is_trouble(error: &ApiError) -> bool {
    match error {
        ApiError::Failed { .. } => true,
        ApiError::Call(error) => error.is_trouble(),
        _ => false,
    }
}
