//! One request to a platform, within its credential's budget and with regard to its breaker, and what an answer that is none comes to.

mod breaker;

pub(crate) use breaker::Shared as Breaker;

use super::outcome::Fault;
use crate::platforms::{Base, Kind, Platform};
use platform::api::{Access, AccessError, Api, ApiError, Remedy};
use platform::budget::Budget;
use platform::client::CallError;
use platform::history::HistoryError;
use platform::history::cxone::{Discovery, DiscoveryError, discover};
use platform::watch::Watch;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use url::Url;

/// How long a lane waits for its turn with a chunk in its hands.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a base URL that was found out is used.
const BASE_FOR: Duration = Duration::from_secs(3600);
/// The breaker shared by all processes decides, not the one within the API.
const NEVER: platform::breaker::Policy = platform::breaker::Policy {
    failures: u32::MAX,
    cool_down: Duration::ZERO,
    longest: Duration::ZERO,
};

/// Asks one platform.
#[derive(Debug)]
pub(crate) struct Caller {
    access: Access,
    base: Base,
    budget: Arc<dyn Budget>,
    watch: Arc<dyn Watch>,
    breaker: Breaker,
    // Held while the base URL is asked for: whoever needs it meanwhile waits for the answer.
    api: Mutex<Option<Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    api: Arc<Api>,
    until: Option<Instant>,
}

impl Caller {
    pub(crate) fn new(
        platform: &Platform,
        budget: Arc<dyn Budget>,
        watch: Arc<dyn Watch>,
        breaker: Breaker,
    ) -> Self {
        let base = match &platform.kind {
            Kind::Genesys(_) => Base::Stated,
            Kind::Cxone(settings) => settings.base.clone(),
        };
        Self {
            access: platform.access.clone(),
            base,
            budget,
            watch,
            breaker,
            api: Mutex::new(None),
        }
    }

    /// The breaker of its credential.
    pub(crate) const fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Makes a call, if the breaker lets it.
    pub(super) async fn ask<T>(
        &self,
        call: impl Future<Output = Result<T, HistoryError>>,
    ) -> Result<Result<T, HistoryError>, Fault> {
        let entered = self.breaker.enter().await?;
        let outcome = call.await;
        self.breaker.heard(entered, outcome.as_ref().err()).await;
        if let Err(error) = &outcome
            && self.base != Base::Stated
            && may_have_moved(error)
        {
            // The organisation may live elsewhere by now: it is found out anew the next time.
            *self.api.lock().await = None;
        }
        Ok(outcome)
    }

    /// The API, wherever it is.
    pub(super) async fn api(&self) -> Result<Arc<Api>, Fault> {
        let mut known = self.api.lock().await;
        if let Some(known) = known.as_ref()
            && known.until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(known.api.clone());
        }
        let until = (self.base != Base::Stated).then(|| Instant::now() + BASE_FOR);
        // One that was found out before keeps its token, if it is the same.
        let before = known.as_ref().map(|known| known.api.clone());
        let base = match self.base.discovery() {
            None => self.access.base.clone(),
            Some(discovery) => self.discovered(&discovery).await?,
        };
        let api = match before {
            Some(api) if *api.base() == base => api,
            _ => Arc::new(
                self.built(base)
                    .map_err(|error| Fault::refused(error.to_string()))?,
            ),
        };
        *known = Some(Known {
            api: api.clone(),
            until,
        });
        Ok(api)
    }

    fn built(&self, base: Url) -> Result<Api, AccessError> {
        let access = Access {
            base,
            ..self.access.clone()
        };
        let api = Api::with_budget(access, self.budget.clone())?
            .watched(self.watch.clone())
            .with_breaker(NEVER)
            .with_patience(PATIENCE);
        Ok(api)
    }

    async fn discovered(&self, discovery: &Discovery) -> Result<Url, Fault> {
        discover(discovery, &self.access.grant, self.access.timeouts)
            .await
            .map_err(|error| match error {
                DiscoveryError::Token(error) => of_api(&ApiError::Token(error)),
                DiscoveryError::Call(error) => of_api(&ApiError::Call(error)),
                error @ DiscoveryError::Failed { .. } => Fault::failed(error.to_string()),
                error @ DiscoveryError::Unsaid { .. } => {
                    Fault::refused(format!("{error}: give base_url or discovery_url"))
                }
            })
    }
}

fn may_have_moved(error: &HistoryError) -> bool {
    matches!(
        error,
        HistoryError::Gone { .. }
            | HistoryError::Api(
                ApiError::NotFound { .. } | ApiError::Call(CallError::Connect { .. })
            )
    )
}

/// Whether a request went out.
pub(super) const fn was_sent(error: &HistoryError) -> bool {
    !matches!(
        error,
        HistoryError::Api(ApiError::Later { .. } | ApiError::Token(_))
    )
}

/// What an error comes to for a chunk.
pub(super) fn fault(error: &HistoryError) -> Fault {
    let why = || runtime::chain(error);
    match error {
        _ if error.splits() => Fault::TooMuch { why: why() },
        HistoryError::Api(error) => of_api(error),
        HistoryError::Gone { .. } => Fault::Gone { why: why() },
        HistoryError::TooSoon { wait, .. } => Fault::TooSoon {
            wait: *wait,
            why: why(),
        },
        HistoryError::TooMany { .. }
        | HistoryError::TooLong { .. }
        | HistoryError::Shape { .. } => Fault::failed(why()),
    }
}

fn of_api(error: &ApiError) -> Fault {
    let why = runtime::chain(error);
    match (error, error.remedy()) {
        (ApiError::Later { hold, .. }, Remedy::Wait(wait)) => Fault::Later {
            wait,
            reason: hold.name(),
        },
        (ApiError::Token(_), Remedy::Wait(wait)) => Fault::Later {
            wait,
            reason: "token",
        },
        (_, Remedy::Wait(wait)) => Fault::Later {
            wait,
            reason: "pause",
        },
        (_, Remedy::Again(hint)) => Fault::Failed { why, hint },
        (ApiError::NotFound { .. }, Remedy::Never) => Fault::Gone { why },
        (
            ApiError::Refused {
                status: 400 | 413 | 422,
                ..
            },
            Remedy::Never,
        ) => Fault::Unfit { why },
        (_, Remedy::Credential | Remedy::Never) => Fault::Refused { why },
    }
}
