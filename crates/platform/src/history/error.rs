//! Why a page of history could not be had.

use crate::api::{ApiError, Remedy};
use crate::client::CallError;
use crate::retry_after;
use std::time::Duration;

/// A call for history had no good answer.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// As with any other call.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// There is more in this stretch of time than the platform lets one page through.
    #[error("more than can be paged through: {why}")]
    TooMany {
        /// The platform's words.
        why: String,
    },
    /// The stretch of time is longer than the platform looks at in one call.
    #[error("the stretch of time is too long: {why}")]
    TooLong {
        /// The platform's words.
        why: String,
    },
    /// The platform does not have the job (or its result) any more: submit it again.
    #[error("the platform has {what} no more: {why}")]
    Gone {
        /// What.
        what: &'static str,
        /// The platform's words.
        why: String,
    },
    /// Asked again sooner than the platform allows.
    #[error("asked again too soon, not before {wait:?} from now: {why}")]
    TooSoon {
        /// How long to wait.
        wait: Duration,
        /// The platform's words.
        why: String,
    },
    /// The answer is not what this call answers.
    #[error("the answer to {what} is not what it should be: {problem}")]
    Shape {
        /// What was asked.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl HistoryError {
    /// Whether a shorter stretch of time (or a smaller page) would be answered.
    #[must_use]
    pub const fn splits(&self) -> bool {
        matches!(
            self,
            Self::TooMany { .. }
                | Self::TooLong { .. }
                | Self::Api(ApiError::Call(CallError::TooLong { .. }))
        )
    }

    /// What there is to do about it.
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::Api(error) => error.remedy(),
            Self::TooSoon { wait, .. } => Remedy::Wait(*wait),
            // Cut short on the way, or a new edition of the API: the schedule's patience tells them apart.
            Self::Shape { .. } => Remedy::Again(None),
            Self::TooMany { .. } | Self::TooLong { .. } | Self::Gone { .. } => Remedy::Never,
        }
    }

    pub(crate) fn shape(what: &'static str, problem: impl Into<String>) -> Self {
        Self::Shape {
            what,
            problem: problem.into(),
        }
    }

    /// For what cannot be read.
    pub(crate) fn unread(what: &'static str, problem: &impl ToString) -> Self {
        Self::shape(what, problem.to_string())
    }

    /// A platform's refusal of a stretch of time, told apart from every other.
    pub(crate) fn of_stretch(error: ApiError) -> Self {
        let (status, why) = match &error {
            ApiError::Refused {
                status: status @ (400 | 413 | 422),
                why,
                ..
            } => (*status, why),
            _ => return Self::Api(error),
        };
        // A 400 that asks to be repeated (too many jobs at once) is a 429 by another name.
        if let Some(wait) = retry_after::in_message(why) {
            return Self::TooSoon {
                wait,
                why: why.clone(),
            };
        }
        let words = why.to_ascii_lowercase();
        let any = |these: &[&str]| these.iter().any(|word| words.contains(word));
        // What is too many of something else (jobs, requests) is no matter of the stretch.
        if any(&["too many"]) && any(&["job", "request", "concurrent"]) {
            return Self::Api(error);
        }
        let too = any(&[
            "exceed",
            "too ",
            "maximum",
            "greater",
            "longer",
            "limited to",
        ]);
        // "The interval may not exceed 7 days."
        if any(&["interval", "range", "duration"]) && (too || any(&["day"])) {
            return Self::TooLong { why: why.clone() };
        }
        // "Pagination may not exceed 100000 results."
        let much = any(&["exceed", "too many", "too much", "too large", "too long"]);
        if much || status == 413 {
            return Self::TooMany { why: why.clone() };
        }
        Self::Api(error)
    }

    /// A link that carries its own permission: where it has died, some stores say 403.
    pub(crate) fn of_link(error: ApiError, what: &'static str) -> Self {
        match error {
            ApiError::Forbidden { why } => Self::Gone { what, why },
            error => Self::of_job(error, what),
        }
    }

    /// A job or a result that is not there.
    pub(crate) fn of_job(error: ApiError, what: &'static str) -> Self {
        match error {
            ApiError::NotFound { why, .. }
            | ApiError::Refused {
                status: 410, why, ..
            } => Self::Gone { what, why },
            error => Self::Api(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, why: &str) -> HistoryError {
        HistoryError::of_stretch(ApiError::Refused {
            path: "/x".to_owned(),
            status,
            why: why.to_owned(),
        })
    }

    #[test]
    fn a_stretch_that_is_too_much_is_told_from_a_wrong_request() {
        assert!(matches!(
            refused(400, "HTTP 400: Pagination may not exceed 100000 results."),
            HistoryError::TooMany { .. }
        ));
        assert!(matches!(
            refused(
                400,
                "HTTP 400: bad.request: The query interval may not exceed 7 days"
            ),
            HistoryError::TooLong { .. }
        ));
        for (status, why) in [
            (400, "HTTP 400: The range may not exceed 30 days."),
            (400, "HTTP 400: The result set is too large"),
            (413, "HTTP 413"),
        ] {
            assert!(refused(status, why).splits(), "{why}");
        }
        for why in [
            "HTTP 400: Too many jobs are running",
            "HTTP 400: unknown dimension",
            "HTTP 400: interval is missing",
        ] {
            assert!(!refused(400, why).splits(), "{why}");
        }
        let busy = "HTTP 400: Too many jobs are running. Retry the request in [7] seconds";
        assert_eq!(
            refused(400, busy).remedy(),
            Remedy::Wait(Duration::from_secs(7))
        );
        let wrong = refused(400, "HTTP 400: invalid.value: Value [] is not valid");
        assert!(!wrong.splits());
        assert_eq!(wrong.remedy(), Remedy::Never);
        assert!(!refused(409, "the interval exceeds").splits());
        let long = CallError::TooLong {
            host: "h".to_owned(),
            longest: 1,
        };
        assert!(HistoryError::Api(long.into()).splits());
    }
}
