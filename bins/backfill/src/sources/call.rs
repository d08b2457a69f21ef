//! One request to a platform, within its credential's budget and with regard to its breaker, and what an answer that is none comes to.

mod breaker;
mod place;

pub(crate) use breaker::Shared as Breaker;

use super::outcome::Fault;
use crate::platforms::{Base, Kind, Platform};
use place::Place;
use platform::api::{Access, AccessError, Api, ApiError, Remedy};
use platform::budget::Budget;
use platform::history::HistoryError;
use platform::token::Tokens;
use platform::watch::Watch;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long a lane waits for its turn with a chunk in its hands.
const PATIENCE: Duration = Duration::from_secs(2);
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
    tokens: Arc<Tokens>,
    budget: Arc<dyn Budget>,
    watch: Arc<dyn Watch>,
    breaker: Breaker,
    place: Place,
}

impl Caller {
    /// Tokens, budget and breaker are the credential's: what else of this process has it uses the same.
    pub(crate) fn new(
        platform: &Platform,
        tokens: Arc<Tokens>,
        budget: Arc<dyn Budget>,
        watch: Arc<dyn Watch>,
        breaker: Breaker,
    ) -> Self {
        let access = platform.access.clone();
        let base = match &platform.kind {
            Kind::Genesys(_) => Base::Stated,
            Kind::Cxone(settings) => settings.base.clone(),
        };
        let place = Place::new(
            base,
            access.base.clone(),
            tokens.clone(),
            access.timeouts,
            access.schedule,
        );
        Self {
            access,
            tokens,
            budget,
            watch,
            breaker,
            place,
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
        if let Err(error) = &outcome {
            self.place.heard(error);
        }
        Ok(outcome)
    }

    /// The API, wherever it is.
    pub(super) async fn api(&self) -> Result<Arc<Api>, Fault> {
        let made = |base| {
            self.built(base)
                .map_err(|error| Fault::refused(error.to_string()))
        };
        self.place.api(&self.breaker, made).await
    }

    fn built(&self, base: Url) -> Result<Api, AccessError> {
        let access = Access {
            base,
            ..self.access.clone()
        };
        let api = Api::shared(access, self.tokens.clone(), self.budget.clone())?
            .watched(self.watch.clone())
            .with_breaker(NEVER)
            .with_patience(PATIENCE);
        Ok(api)
    }
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
        HistoryError::TooMany { .. } | HistoryError::TooLong { .. } => Fault::failed(why()),
        HistoryError::Shape { .. } => Fault::Unreadable { why: why() },
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
