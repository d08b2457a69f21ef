//! The platform's side of a subscription: what is set up there, with which credential it can be asked, what it should send, and how long it
//! may say nothing. Optional, and none of it is needed to receive.
//!
//! ```toml
//! [subscription.platform]
//! kind = "genesys-eventbridge"           # guide-webhook, genesys-process-automation, cxone-digital, none
//! region = "eu-central-1"                # or base_url and, in the credentials, token_url
//! delivery_url = "https://hooks.example.com/hooks/genesys"
//! topics = ["v2.detail.events.conversation.{id}.customer.end"]
//! quiet_after = "30m"
//! quiet_when = "unusual"                 # not while it is usually quiet, or "always"
//!
//! [subscription.platform.credentials]    # a client of its own; without it the platform is not asked
//! client_id = { env = "GENESYS_CLIENT_ID" }
//! client_secret = { file = "genesys-client-secret" }
//!
//! [subscription.platform.rate]           # all optional; what all that use this client may send together: without `requests` what
//! requests = 300                         # another file states of it holds
//! period = "1m"
//! lapse = "1s"                           # how late a request may arrive after its turn
//! ```

mod kinds;
mod read;
mod region;
mod secret;

pub use kinds::{EventBridge, Field, Fields, Kind, Registration, Trigger};
pub use secret::{Credentials, Proof, ProofEncoding, ProofScheme, SecretRef};

pub(super) use read::{platform, ways};

use ::platform::api::{Access, AccessError, Api};
use ::platform::budget::shared::Shared;
use ::platform::client::Timeouts;
use ::platform::limit::Limit;
use ::platform::retry::Schedule;
use access::StoreKeeper;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::budgets::Class;
use url::Url;

/// Shorter silences say nothing: deliveries are noted every few seconds, and the platforms batch.
pub const QUIET_AFTER_MIN: Duration = Duration::from_secs(60);

/// Which silences of a subscription count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QuietWhen {
    /// Those in which, by the weeks before, events were to be expected: not the nights of a centre that is closed at night.
    #[default]
    Unusual,
    /// All of them.
    Always,
}

/// What a platform has of a subscription.
#[derive(Debug, Clone)]
pub struct Platform {
    /// What it is there.
    pub kind: Kind,
    /// The API's base URL, where there is one.
    pub base_url: Option<Url>,
    /// Where the platform posts to: our endpoint as it is seen from outside.
    pub delivery_url: Option<Url>,
    /// What it should send.
    pub topics: Vec<String>,
    /// How long it may say nothing; `None`: as long as any.
    pub quiet_after: Option<Duration>,
    /// Which silences count.
    pub quiet_when: QuietWhen,
    /// Who asks. Without it nobody does.
    pub credentials: Option<Credentials>,
    /// What the credential may use, by whomever.
    pub limit: Limit,
    /// Whether the file says so; otherwise what other processes state holds.
    pub limit_is_stated: bool,
    /// How a probe proves that it is genuine.
    pub proof: Option<Proof>,
}

/// A platform cannot be asked as configured.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A secret cannot be had.
    #[error("{0}")]
    Secret(String),
    /// The API cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl Platform {
    /// Whether it can be asked at all.
    pub fn can_be_asked(&self) -> bool {
        self.kind.has_api() && self.credentials.is_some() && self.base_url.is_some()
    }

    /// What token and quota belong to: API, token endpoint and client. `None` where nobody can be asked.
    pub fn credential(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<String>, String> {
        let (true, Some(credentials), Some(base)) =
            (self.kind.has_api(), &self.credentials, &self.base_url)
        else {
            return Ok(None);
        };
        let id = credentials.client_id.fetch(variable)?;
        Ok(Some(format!(
            "{}@{} {base}",
            id.expose(),
            credentials.token_url
        )))
    }

    /// The API, or `None` where there is none or nobody to ask it. Secrets are read here and not before. Where there is a store, the
    /// quota is the one that all processes share.
    pub fn open(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
        store: Option<&Store>,
    ) -> Result<Option<Api>, OpenError> {
        let (true, Some(credentials), Some(base)) =
            (self.kind.has_api(), &self.credentials, &self.base_url)
        else {
            return Ok(None);
        };
        let grant = credentials.grant(variable).map_err(OpenError::Secret)?;
        let name = grant.credential_name();
        let mut access = Access {
            base: base.clone(),
            grant,
            limit: self.limit,
            timeouts: Timeouts::default(),
            schedule: Schedule::default(),
        };
        let api = if let Some(store) = store {
            let keeper = StoreKeeper::new(store.clone(), name.clone(), Class::Deliver);
            let mut budget = Shared::new(keeper, name, self.limit).map_err(AccessError::Limit)?;
            if !self.limit_is_stated {
                budget = budget.unstated();
            }
            Api::with_budget(access, Arc::new(budget))?
        } else {
            access.limit = self.limit.alone();
            tracing::info!(
                credential = name,
                requests = access.limit.requests,
                period_seconds = self.limit.period.as_secs_f64(),
                "without --database-url it is not known what other processes send with this credential: \
                 a fifth of [subscription.platform.rate] is used"
            );
            Api::new(access)?
        };
        Ok(Some(api))
    }
}

#[cfg(test)]
mod tests;
