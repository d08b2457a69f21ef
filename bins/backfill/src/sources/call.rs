//! One request to a platform, within its credential's budget and with regard to its breaker, and what an answer that is none comes to.

mod breaker;

pub(crate) use breaker::Shared as Breaker;

use super::outcome::Fault;
use crate::platforms::{Base, Kind, Platform};
use platform::api::{Access, AccessError, Api, ApiError, Call, HISTORY_MAX, Remedy};
use platform::budget::Budget;
use platform::client::CallError;
use platform::history::cxone::{Discovery, DiscoveryError, discover};
use platform::outcome::Answer;
use platform::watch::Watch;
use serde::Deserialize;
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

#[derive(Deserialize)]
struct Discovered {
    api_endpoint: String,
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

    /// Reads.
    pub(crate) async fn get(&self, route: &'static str, path: &str) -> Result<Answer, Fault> {
        self.send(Call::get(route, path).of_history()).await
    }

    /// Asks with a body.
    pub(crate) async fn post(
        &self,
        route: &'static str,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<Answer, Fault> {
        self.send(Call::post(route, path, body).of_history()).await
    }

    /// Gets a file that a link leads to which carries its own permission. It costs nothing of the budget.
    pub(crate) async fn link(&self, link: &str) -> Result<Answer, Fault> {
        let link = Url::parse(link)
            .map_err(|error| Fault::refused(format!("the platform's link is none: {error}")))?;
        let api = self.api().await?;
        api.fetch_link(&link, HISTORY_MAX)
            .await
            .map_err(|error| match error {
                // A link that has died is asked for again.
                ApiError::Forbidden { why } => Fault::Gone { why },
                other => fault(&other),
            })
    }

    async fn send(&self, call: Call<'_>) -> Result<Answer, Fault> {
        let api = self.api().await?;
        self.breaker.enter().await?;
        let outcome = api.fetch(call).await;
        self.breaker.heard(outcome.as_ref().err()).await;
        if let Err(error) = &outcome
            && self.base != Base::Stated
            && may_have_moved(error)
        {
            // The organisation may live elsewhere by now: it is found out anew the next time.
            *self.api.lock().await = None;
        }
        outcome.map_err(|error| fault(&error))
    }

    async fn api(&self) -> Result<Arc<Api>, Fault> {
        let mut known = self.api.lock().await;
        if let Some(known) = known.as_ref()
            && known.until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(known.api.clone());
        }
        let until = (self.base != Base::Stated).then(|| Instant::now() + BASE_FOR);
        // One that was found out before keeps its token, if it is the same.
        let before = known.as_ref().map(|known| known.api.clone());
        let base = match &self.base {
            Base::Stated => self.access.base.clone(),
            Base::Discovery(document) => self.discovered(before.as_deref(), document).await?,
            Base::Token => self.told_with_the_token().await?,
        };
        let api = match before {
            Some(api) if *api.base() == base => api,
            _ => Arc::new(self.built(base).map_err(|error| Fault::refused(error.to_string()))?),
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

    async fn discovered(&self, api: Option<&Api>, document: &Url) -> Result<Url, Fault> {
        let fresh;
        let api = if let Some(api) = api {
            api
        } else {
            fresh = self
                .built(document.clone())
                .map_err(|error| Fault::refused(error.to_string()))?;
            &fresh
        };
        let answer = api
            .fetch_link(document, HISTORY_MAX)
            .await
            .map_err(|error| fault(&error))?;
        let found: Discovered = serde_json::from_slice(&answer.body)
            .map_err(|error| Fault::failed(format!("the discovery document: {error}")))?;
        base_url(&found.api_endpoint)
    }

    async fn told_with_the_token(&self) -> Result<Url, Fault> {
        discover(
            &Discovery::Token,
            &self.access.grant,
            self.access.timeouts,
        )
        .await
        .map_err(|error| match error {
            DiscoveryError::Token(error) => fault(&ApiError::Token(error)),
            DiscoveryError::Call(error) => fault(&ApiError::Call(error)),
            error @ DiscoveryError::Unsaid { .. } => {
                Fault::refused(format!("{error}: give base_url or discovery_url"))
            }
        })
    }
}

fn base_url(text: &str) -> Result<Url, Fault> {
    Url::parse(text).map_err(|error| {
        Fault::refused(format!("the platform states {text:?} as its base URL: {error}"))
    })
}

fn may_have_moved(error: &ApiError) -> bool {
    matches!(
        error,
        ApiError::NotFound { .. } | ApiError::Call(CallError::Connect { .. })
    )
}

/// What an error comes to for a chunk.
fn fault(error: &ApiError) -> Fault {
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
        (_, Remedy::Credential) => Fault::Refused { why },
        (ApiError::NotFound { .. }, Remedy::Never) => Fault::Gone { why },
        (
            ApiError::Refused {
                status: 400 | 413 | 422,
                ..
            },
            Remedy::Never,
        ) => Fault::Unfit { why },
        (ApiError::Call(CallError::TooLong { .. }), Remedy::Never) => Fault::Unfit {
            why: format!("too much at once: {why}"),
        },
        (_, Remedy::Never) => Fault::Refused { why },
    }
}
