//! Why a request had no good answer, and what there is to do about it.

use crate::breaker::Signal;
use crate::budget::{BudgetError, Hold};
use crate::client::{CallError, Method};
use crate::limit::LimitError;
use crate::token::TokenError;
use std::time::Duration;

/// An API that cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No HTTP client.
    #[error(transparent)]
    Client(#[from] CallError),
    /// The quota cannot be kept.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

/// A request had no good answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No answer at all.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Nothing was sent: it would have taken longer than the caller's patience.
    #[error("nothing was sent, and nothing may be for another {wait:?}: {why}")]
    Later {
        /// How long not to ask again.
        wait: Duration,
        /// What for.
        hold: Hold,
        /// In words.
        why: String,
    },
    /// 401, with a fresh token too.
    #[error("the platform does not know the token: {why}")]
    Unauthorised {
        /// The platform's words.
        why: String,
    },
    /// 403: a permission is missing.
    #[error("the platform does not permit it: {why}")]
    Forbidden {
        /// The platform's words.
        why: String,
    },
    /// 404.
    #[error("the platform does not have {path}: {why}")]
    NotFound {
        /// What was asked for.
        path: String,
        /// The platform's words.
        why: String,
    },
    /// 429: the quota is used up, by whomever. The budget knows it already.
    #[error("the platform wants nothing for another {wait:?}: {why}")]
    Throttled {
        /// For how long.
        wait: Duration,
        /// The platform's words.
        why: String,
    },
    /// The platform is in trouble.
    #[error("the platform failed: {why}")]
    Failed {
        /// How long it asked to wait.
        hint: Option<Duration>,
        /// The platform's words.
        why: String,
    },
    /// The platform refuses the request.
    #[error("the platform refuses {path}: {why}")]
    Refused {
        /// What was asked for.
        path: String,
        /// The status.
        status: u16,
        /// The platform's words.
        why: String,
    },
    /// The answer is not what this API answers.
    #[error("the answer of {path} {problem}")]
    Answer {
        /// What was asked for.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// What there is to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Come again after so long: nothing is wrong with what was asked, and no attempt is spent.
    Wait(Duration),
    /// Come again by the schedule, not before the hint: the attempt counts.
    Again(Option<Duration>),
    /// Somebody has to look at the credential or its roles.
    Credential,
    /// The same request will be refused again.
    Never,
}

impl ApiError {
    /// What it says about the platform's health. What is about our request, our pace or our credential says nothing, and nor does what
    /// was never sent.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        match self {
            Self::Failed { .. } => Signal::Failure,
            Self::Call(error) if error.is_trouble() => Signal::Failure,
            _ => Signal::Neutral,
        }
    }

    /// Whether somebody has to look at the credential or its roles; waiting does not help.
    #[must_use]
    pub const fn is_refused_credential(&self) -> bool {
        matches!(
            self,
            Self::Token(TokenError::Refused { .. })
                | Self::Unauthorised { .. }
                | Self::Forbidden { .. }
        )
    }

    /// What there is to do about it.
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::Later { wait, .. } | Self::Throttled { wait, .. } => Remedy::Wait(*wait),
            Self::Token(TokenError::Later { wait, .. } | TokenError::Call { wait, .. }) => {
                Remedy::Wait(*wait)
            }
            Self::Token(TokenError::Refused { .. })
            | Self::Unauthorised { .. }
            | Self::Forbidden { .. } => Remedy::Credential,
            Self::Failed { hint, .. } => Remedy::Again(*hint),
            Self::Call(error) if error.is_trouble() => Remedy::Again(None),
            // Half an answer, or one that is not what it should be, comes from something between us and the platform as a rule.
            Self::Call(CallError::Packed { .. }) | Self::Answer { .. } => Remedy::Again(None),
            Self::Call(_) | Self::NotFound { .. } | Self::Refused { .. } => Remedy::Never,
        }
    }

    /// Whether another request like it may be sent: nothing can have happened, or nothing could be changed by it.
    pub(super) fn again(&self, method: Method, patience: Duration) -> bool {
        match self {
            Self::Throttled { wait, .. } => *wait <= patience,
            Self::Call(error) => method == Method::Get || error.nothing_happened(),
            Self::Failed { .. } => method == Method::Get,
            _ => false,
        }
    }
}

impl From<BudgetError> for ApiError {
    fn from(error: BudgetError) -> Self {
        Self::Later {
            wait: error.wait,
            hold: error.hold,
            why: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_done_is_not_sent_again() {
        let failed = ApiError::Failed {
            hint: None,
            why: String::new(),
        };
        let again = |error: &ApiError, method| error.again(method, Duration::from_secs(60));
        assert!(again(&failed, Method::Get) && !again(&failed, Method::Post));
        let throttled = |seconds| ApiError::Throttled {
            wait: Duration::from_secs(seconds),
            why: String::new(),
        };
        assert!(again(&throttled(5), Method::Post) && !again(&throttled(600), Method::Get));
    }
}
