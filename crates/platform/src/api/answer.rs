//! What an answer comes to, by its status and its words. Pure.

use super::ApiError;
use crate::breaker::Signal;
use crate::outcome::Answer;
use schema::UtcMicros;
use serde_json::Value;

/// The JSON of a good answer; null where there is no body.
pub(super) fn json(answer: &Answer, path: &str) -> Result<Value, ApiError> {
    if answer.body.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer.body).map_err(|_| ApiError::Answer {
        path: path.to_owned(),
        problem: "is no JSON",
    })
}

/// The answer of a link that carries its own permission. The link itself is a secret while it lives, so it is in no words.
pub(super) fn of_link(answer: Answer, now: UtcMicros) -> Result<Answer, ApiError> {
    let why = || answer.words(None);
    let path = || "the link".to_owned();
    match answer.status {
        200..300 => Ok(answer),
        403 => Err(ApiError::Forbidden { why: why() }),
        404 | 410 => Err(ApiError::NotFound {
            path: path(),
            why: why(),
        }),
        408 | 425 | 429 | 500.. => Err(ApiError::Failed {
            hint: answer.hint(None, now),
            why: why(),
        }),
        status => Err(ApiError::Refused {
            path: path(),
            status,
            why: why(),
        }),
    }
}

/// What a status says about the platform's health: 5xx and the time-outs count, what is about our request, our pace or our credential
/// does not.
pub(super) const fn health_of(status: u16) -> Signal {
    match status {
        200..400 => Signal::Success,
        408 | 500.. => Signal::Failure,
        _ => Signal::Neutral,
    }
}

/// One word for a status, for counters.
pub(super) const fn outcome_of(status: u16) -> &'static str {
    match status {
        200..300 => "ok",
        401 => "unauthorised",
        403 => "forbidden",
        429 => "throttled",
        408 | 425 | 500.. => "failed",
        _ => "refused",
    }
}

/// Whether a 403 says that a permission is missing, so that no token helps (Genesys: `missing.permissions`, `missing.any.permissions`,
/// `missing.division.permission`).
pub(super) fn names_a_permission(answer: &Answer) -> bool {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let words = answer.words(body.as_ref()).to_ascii_lowercase();
    words.contains("permission") && !words.contains("expired")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pitfall 103: three kinds of answers, not two.
    #[test]
    fn pitfall_103_what_counts_for_the_breaker() {
        for (status, signal) in [
            (200, Signal::Success),
            (204, Signal::Success),
            (400, Signal::Neutral),
            (401, Signal::Neutral),
            (403, Signal::Neutral),
            (404, Signal::Neutral),
            (422, Signal::Neutral),
            (429, Signal::Neutral),
            (408, Signal::Failure),
            (500, Signal::Failure),
            (504, Signal::Failure),
        ] {
            assert_eq!(health_of(status), signal, "{status}");
        }
    }
}
