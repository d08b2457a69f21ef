//! What became of a request: pure. Status, headers and body in; one [`Verdict`] out.
//!
//! The outer status is not the whole answer: a 200 may refuse items, a 400 may be the fault of one row in a hundred, a 401 is the
//! fault of none. What is said of items whoever knows the target reads; what it means for the request is decided here.

use crate::breaker::Signal;
use crate::redact;
use crate::retry_after;
use schema::UtcMicros;
use serde_json::Value;
use std::time::Duration;

/// The longest text of a platform that is kept with a row.
const WORDS_MAX: usize = 500;

/// Bytes of an answer that only says something short.
pub(crate) const SHORT_ANSWER: usize = 64 << 10;

/// The wait after a 429 that names none (Genesys before 2021): the length of its window.
pub const UNNAMED_WAIT: Duration = Duration::from_secs(60);

/// One answer, free of any HTTP library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header names in lower case, and values, in the order they came; a name may repeat.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
    /// What the platform's clock showed when it came, at least; `None`: it did not say.
    pub platform_now: Option<UtcMicros>,
}

impl Answer {
    fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The platform's own id of this exchange, which its support asks for.
    #[must_use]
    pub fn correlation(&self) -> Option<&str> {
        self.header("inin-correlation-id")
            .chain(self.header("x-request-id"))
            .next()
    }

    /// Whether the headers of a refusal say that the credential's whole quota is used up (Genesys: `inin-ratelimit-count` has reached
    /// `inin-ratelimit-allowed`); else a limit of the route's own was met.
    #[must_use]
    pub fn is_quota_used_up(&self) -> bool {
        let number = |name| {
            self.header(name)
                .find_map(|text| text.trim().parse::<u64>().ok())
        };
        match (
            number("inin-ratelimit-count"),
            number("inin-ratelimit-allowed"),
        ) {
            (Some(count), Some(allowed)) => count >= allowed,
            _ => false,
        }
    }

    /// What the platform asked for, in whichever way it says it.
    pub(crate) fn hint(&self, body: Option<&Value>, now: UtcMicros) -> Option<Duration> {
        let date = self.header("date").next();
        retry_after::hint(self.header("retry-after"), date, self.platform_now, now)
            .or_else(|| {
                body.and_then(|body| body.get("message"))
                    .and_then(Value::as_str)
                    .and_then(retry_after::in_message)
            })
            .or_else(|| {
                self.header("inin-ratelimit-reset")
                    .find_map(retry_after::seconds)
            })
    }

    /// The platform's words: the members that say something, else the header CXone uses, else the start of the body.
    pub(crate) fn words(&self, body: Option<&Value>) -> String {
        let member = |name: &str| body.and_then(|body| body.get(name)).and_then(Value::as_str);
        let code = member("code").or_else(|| member("error"));
        let message = member("message")
            .or_else(|| member("error_description"))
            .or_else(|| self.header("icstatusdescription").next());
        let text = match (code, message) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(one), None) | (None, Some(one)) => one.to_owned(),
            (None, None) => String::from_utf8_lossy(&self.body).trim().to_owned(),
        };
        let text = shorten(&text);
        if text.is_empty() {
            format!("HTTP {}", self.status)
        } else {
            format!("HTTP {}: {text}", self.status)
        }
    }
}

/// At most [`WORDS_MAX`] characters without secrets and personal data, control characters as blanks.
pub(crate) fn shorten(text: &str) -> String {
    // Cut before it is looked through, so that a long text costs no more than a short one; and after, for what was put in.
    let start: String = text
        .chars()
        .take(WORDS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    redact::text(&start).chars().take(WORDS_MAX).collect()
}

/// What an answer says, for whoever can read what it says of items.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The status code.
    pub status: u16,
    /// The body, where it is JSON.
    pub body: Option<&'a Value>,
    /// The platform's words about the request.
    pub words: &'a str,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<F> {
    /// Each row has its own fate, in the order the rows were sent.
    Rows(Vec<F>),
    /// Too many requests: the credential slows down, no row's attempt is spent.
    Slow {
        /// How long to wait.
        wait: Duration,
        /// The platform's words.
        why: String,
    },
    /// One row or several are at fault and the answer does not say which: halve. With one row left, that row is rejected.
    Halve {
        /// The platform's words.
        why: String,
    },
    /// The token was refused: fetch a new one and try once more, then pause.
    Unauthorised {
        /// The platform's words.
        why: String,
    },
    /// The target as a whole refuses (path, method, format): no row is blamed, somebody must look.
    Pause {
        /// The platform's words.
        why: String,
    },
    /// The platform is in trouble and says that it did nothing.
    Broken {
        /// How long it asked to wait.
        hint: Option<Duration>,
        /// The platform's words.
        why: String,
    },
    /// Whether the platform took the rows is not known (a server or gateway failed, a connection broke, a time-out).
    Unknown {
        /// How long it asked to wait.
        hint: Option<Duration>,
        /// What happened.
        why: String,
    },
}

impl<F> Verdict<F> {
    /// All names that there are.
    pub const NAMES: [&'static str; 7] = [
        "answered",
        "throttled",
        "refused",
        "unauthorised",
        "paused",
        "failed",
        "unknown",
    ];

    /// One word for it, for logs and labels.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Rows(_) => "answered",
            Self::Slow { .. } => "throttled",
            Self::Halve { .. } => "refused",
            Self::Unauthorised { .. } => "unauthorised",
            Self::Pause { .. } => "paused",
            Self::Broken { .. } => "failed",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Whether the platform took the request at its pace, whatever it thinks of what is in it.
    #[must_use]
    pub const fn is_calm(&self) -> bool {
        !matches!(
            self,
            Self::Slow { .. } | Self::Broken { .. } | Self::Unknown { .. }
        )
    }

    /// What this says about the platform's health.
    #[must_use]
    pub const fn signal(&self) -> Signal {
        match self {
            Self::Rows(_) => Signal::Success,
            Self::Slow { .. }
            | Self::Halve { .. }
            | Self::Unauthorised { .. }
            | Self::Pause { .. } => Signal::Neutral,
            Self::Broken { .. } | Self::Unknown { .. } => Signal::Failure,
        }
    }
}

/// Reads an answer. `items` says what it says of the rows, in their order, or nothing; of a 2xx it says something. It is asked where rows
/// can be at fault, and not where the pace, the credential or the platform is. `now` is only used where a `Retry-After` date comes without a
/// `Date` header.
#[must_use]
pub fn read<F>(
    answer: &Answer,
    now: UtcMicros,
    items: impl FnOnce(Said<'_>) -> Option<Vec<F>>,
) -> Verdict<F> {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let body = body.as_ref();
    let why = answer.words(body);
    let said = Said {
        status: answer.status,
        body,
        words: &why,
    };
    match answer.status {
        200..=299 => success(answer, said, items),
        // CXone says 403 of an expired token now and then; where it means a missing permission, a new token does not help either.
        401 | 403 => Verdict::Unauthorised { why },
        // 3xx: a push is not sent elsewhere on a platform's word. 405, 406, 407, 415: method or format, so the target's.
        300..=399 | 405 | 406 | 407 | 415 => Verdict::Pause { why },
        // The path, so the target's, unless it names what the rows are of.
        404 | 410 => items(said).map_or(Verdict::Pause { why: why.clone() }, Verdict::Rows),
        429 => Verdict::Slow {
            wait: answer.hint(body, now).unwrap_or(UNNAMED_WAIT),
            why,
        },
        // Too early, or out of service: not looked at.
        425 | 503 => Verdict::Broken {
            hint: answer.hint(body, now),
            why,
        },
        // Somebody between us and the platform may have given up after the request had gone through.
        408 => Verdict::Unknown {
            hint: answer.hint(body, now),
            why,
        },
        400..=499 => items(said).map_or(Verdict::Halve { why: why.clone() }, Verdict::Rows),
        // A server that fails may have stored the rows before it did, and a gateway knows nothing of what happened behind it.
        _ => Verdict::Unknown {
            hint: answer.hint(body, now),
            why,
        },
    }
}

fn success<F>(
    answer: &Answer,
    said: Said<'_>,
    items: impl FnOnce(Said<'_>) -> Option<Vec<F>>,
) -> Verdict<F> {
    let text = String::from_utf8_lossy(&answer.body);
    // Cut JSON or a proxy's page is no confirmation; a bare "OK" or nothing at all is.
    if said.body.is_none() && text.trim_start().starts_with(['{', '[', '<']) {
        return Verdict::Unknown {
            hint: None,
            why: format!(
                "HTTP {} with a body that cannot be read: {}",
                answer.status,
                shorten(text.trim())
            ),
        };
    }
    items(said).map_or_else(
        || Verdict::Unknown {
            hint: None,
            why: format!("HTTP {} that says nothing of the rows", answer.status),
        },
        Verdict::Rows,
    )
}

#[cfg(test)]
mod tests;
