//! What a request's head alone decides. Pure: no body, no I/O.

use super::route::{Route, Routes};
use crate::auth::Reason;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};
use std::sync::Arc;

/// Why a delivery is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No subscription has this path.
    NotFound,
    /// The method is not POST.
    Method,
    /// The content type is none of those that are read.
    ContentType,
    /// The body is compressed.
    ContentEncoding,
    /// The body is larger than the subscription allows.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The sender has not proved who he is.
    Unauthenticated(Reason),
    /// The head or the body did not arrive in time.
    TooSlow,
    /// The body broke off or was not framed as announced.
    Broken,
    /// Not stored, for no fault of the sender; it should try again.
    Unavailable(Unavailable),
}

/// Why a good delivery could not be stored just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// There is no connection to the broker.
    BrokerGone,
    /// The broker has stopped taking messages because of an alarm.
    BrokerBlocked,
    /// The broker refused the message: its queue is full, or absent.
    BrokerRefused,
    /// The broker did not confirm in time.
    NotConfirmed,
    /// The keys that the sender's token is verified with cannot be had.
    KeysUnavailable,
    /// Too many deliveries or bytes are waiting here already.
    Overloaded,
    /// This process is stopping.
    Stopping,
}

impl Refusal {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType | Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The word for it: the `error` member of the answer.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Method => "method_not_allowed",
            Self::ContentType => "unsupported_content_type",
            Self::ContentEncoding => "unsupported_content_encoding",
            Self::TooLarge { .. } => "too_large",
            Self::Unauthenticated(reason) => reason.word(),
            Self::TooSlow => "too_slow",
            Self::Broken => "broken_body",
            Self::Unavailable(reason) => match reason {
                Unavailable::BrokerGone => "broker_gone",
                Unavailable::BrokerBlocked => "broker_blocked",
                Unavailable::BrokerRefused => "broker_refused",
                Unavailable::NotConfirmed => "not_confirmed",
                Unavailable::KeysUnavailable => Reason::KeysUnavailable.word(),
                Unavailable::Overloaded => "overloaded",
                Unavailable::Stopping => "stopping",
            },
        }
    }

    /// The label of the metric: mostly the same word. What is not for the sender to know is.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unauthenticated(reason) => reason.label(),
            other => other.word(),
        }
    }

    /// A sentence for whoever operates the sender.
    pub fn detail(&self) -> String {
        match self {
            Self::NotFound => "no subscription has this path".to_owned(),
            Self::Method => "deliveries are sent with POST".to_owned(),
            Self::ContentType => {
                "the content type must be application/json or application/x-ndjson, in UTF-8"
                    .to_owned()
            }
            Self::ContentEncoding => "send the body uncompressed".to_owned(),
            Self::TooLarge { limit } => format!("the body may have at most {limit} bytes"),
            Self::Unauthenticated(reason) => reason.detail().to_owned(),
            Self::TooSlow => "the request did not arrive completely in time".to_owned(),
            Self::Broken => "the body ended early or was not framed as announced".to_owned(),
            Self::Unavailable(_) => "nothing was stored; send the same delivery again".to_owned(),
        }
    }

    /// Every refusal, for tests and for the metrics that exist from the start.
    pub fn all() -> Vec<Self> {
        let mut all = vec![
            Self::NotFound,
            Self::Method,
            Self::ContentType,
            Self::ContentEncoding,
            Self::TooLarge { limit: 0 },
            Self::TooSlow,
            Self::Broken,
            Self::Unavailable(Unavailable::BrokerGone),
            Self::Unavailable(Unavailable::BrokerBlocked),
            Self::Unavailable(Unavailable::BrokerRefused),
            Self::Unavailable(Unavailable::NotConfirmed),
            Self::Unavailable(Unavailable::Overloaded),
            Self::Unavailable(Unavailable::Stopping),
        ];
        all.extend(Reason::ALL.map(Self::from));
        all
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        match reason {
            // Temporary, and ours: the sender should try again.
            Reason::KeysUnavailable => Self::Unavailable(Unavailable::KeysUnavailable),
            reason => Self::Unauthenticated(reason),
        }
    }
}

/// Decides on a request's head: the subscription it is for, or the first reason against it. Who sent it is looked at next.
pub fn admit<'r>(head: &Parts, routes: &'r Routes) -> Result<&'r Arc<Route>, Refusal> {
    let route = routes.get(head.uri.path()).ok_or(Refusal::NotFound)?;
    if head.method != Method::POST {
        return Err(Refusal::Method);
    }
    if !is_json(&head.headers) {
        return Err(Refusal::ContentType);
    }
    if !is_plain(&head.headers) {
        return Err(Refusal::ContentEncoding);
    }
    let limit = route.max_body_bytes;
    if announced(&head.headers).is_some_and(|bytes| bytes > limit as u64) {
        return Err(Refusal::TooLarge { limit });
    }
    Ok(route)
}

/// The announced length, where there is one that can be read.
pub fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(text) = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()) else {
        return false;
    };
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let known = ["application/json", "application/x-ndjson"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known));
    known
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                let value = value.trim().trim_matches('"');
                ["utf-8", "utf8", "us-ascii"]
                    .iter()
                    .any(|known| value.eq_ignore_ascii_case(known))
            }
            _ => true,
        })
}

fn is_plain(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().all(|value| {
        let value = value.as_bytes().trim_ascii();
        value.is_empty() || value.eq_ignore_ascii_case(b"identity")
    })
}

#[cfg(test)]
mod tests;
