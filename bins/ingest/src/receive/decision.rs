//! What a request's head alone decides. Pure: no body, no I/O.
//!
//! # What every case is answered, and what senders make of it
//!
//! A sender that is answered 2xx forgets the delivery; 429 and 5xx make every sender known to us try again, other 4xx hardly any. So 2xx
//! means stored, whatever passes by itself is 429 or 503 with `Retry-After`, and a 4xx is left for what would be the same next time. A body
//! that cannot be read is no such case: nobody looks into it here, it is stored, and rests in the quarantine.
//!
//! | case | answer | `Retry-After` | sent again |
//! | --- | --- | --- | --- |
//! | stored: the broker has confirmed it | 202 `accepted` | | no |
//! | nothing in it: empty, blanks, `[]`, `{}` (genuine); of a report: empty | 202 `nothing`, counted, not stored | | no |
//! | no JSON, a form without its field or with nothing in it but elsewhere, an event without an id | 202: stored, quarantined by normalise | | no |
//! | a handshake that is configured | 200 or 204 | | no |
//! | no subscription has the path | 404 | | no |
//! | another method | 405 with `Allow` | | no |
//! | a content type that is not read | 415 | | no |
//! | a content coding that is not undone | 415 with `Accept-Encoding` | | no |
//! | more bytes than allowed, as sent or inflated | 413 | | no |
//! | a body that cannot be inflated | 400 | | no |
//! | a body that broke off or was framed wrongly | 400 | | as a lost connection: yes |
//! | a head or body that did not arrive in time | 408 | | as a timeout: its own came first |
//! | no or no good credentials | 401 | | by EventBridge, it is said; else no |
//! | a handshake with a wrong token or origin | 403 | | no |
//! | the subscription's own limit is reached | 429 | until it may again | yes |
//! | too much waits here, this process stops | 503 | 1 s | yes |
//! | the broker is gone, or did not confirm in time | 503 | 5 s | yes |
//! | the broker has an alarm, its queue is full or absent | 503 | 10 s | yes |
//!
//! EventBridge waits 5 s for an answer and tries for up to 24 hours (185 times); Genesys Open Messaging waits 10 s and tries five times, 5 s
//! apart; of CXone's digital events nothing is promised. An answer comes within `--http-answer-timeout` of the body's last byte.

use super::budget::Full;
use super::coding::Codings;
use super::content::Content;
use super::gate::Limited;
use super::handshake::{ALLOW_POST, Greeting};
use super::route::{Route, Routes};
use crate::auth::Reason;
use hyper::header::CONTENT_LENGTH;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode};
use std::sync::Arc;

/// Why a delivery is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No subscription has this path.
    NotFound,
    /// The method has no meaning here.
    Method {
        /// Those that have one.
        allow: &'static str,
    },
    /// The content type is none of those that are read.
    ContentType,
    /// The body is compressed in a way that is not undone, or in too many.
    ContentEncoding,
    /// The body is larger than the subscription allows.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body inflates to more than the subscription allows.
    Inflates {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is not whole, or not compressed as announced.
    Garbled,
    /// The token, the origin or the challenge of a handshake is not right.
    Handshake,
    /// The sender has not proved who he is.
    Unauthenticated(Reason),
    /// The head or the body did not arrive in time.
    TooSlow,
    /// The body broke off or was not framed as announced.
    Broken,
    /// Over a limit of the subscription's own; it should try again.
    Limited(Limited),
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
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType | Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge { .. } | Self::Inflates { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Handshake => StatusCode::FORBIDDEN,
            Self::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken | Self::Garbled => StatusCode::BAD_REQUEST,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Whether it is a fault of ours, which says nothing about the sender. That keys cannot be had anybody can bring about.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Unavailable(reason) if *reason != Unavailable::KeysUnavailable)
    }

    /// The word for it: the `error` member of the answer.
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Method { .. } => "method_not_allowed",
            Self::ContentType => "unsupported_content_type",
            Self::ContentEncoding => "unsupported_content_encoding",
            Self::TooLarge { .. } => "too_large",
            Self::Inflates { .. } => "inflates_too_large",
            Self::Garbled => "garbled_body",
            Self::Handshake => "handshake_refused",
            Self::Limited(Limited::Rate { .. }) => "rate_limited",
            Self::Limited(Limited::AtOnce) => "too_many_at_once",
            Self::Limited(Limited::Memory) => "memory_share_used",
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
            Self::Method { allow } => {
                format!("deliveries are sent with POST; the methods here are {allow}")
            }
            Self::ContentType => {
                "the content type must be application/json, application/…+json, application/x-ndjson or application/x-www-form-urlencoded, of reports also text/csv, text/plain or application/octet-stream, in UTF-8"
                    .to_owned()
            }
            Self::ContentEncoding => {
                "the body may be compressed with gzip, deflate or br, up to three times".to_owned()
            }
            Self::TooLarge { limit } => format!("the body may have at most {limit} bytes"),
            Self::Inflates { limit } => {
                format!("the body may have at most {limit} bytes when it is decompressed")
            }
            Self::Garbled => "the body is not whole, or not compressed as announced".to_owned(),
            Self::Handshake => "the token, origin or challenge is not right".to_owned(),
            Self::Limited(limited) => match limited {
                Limited::Rate { .. } => "more requests a second than this subscription may send",
                Limited::AtOnce => "more requests at once than this subscription may send",
                Limited::Memory => "more bytes at once than this subscription may send",
            }
            .to_owned(),
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
            Self::Method { allow: ALLOW_POST },
            Self::ContentType,
            Self::ContentEncoding,
            Self::TooLarge { limit: 0 },
            Self::Inflates { limit: 0 },
            Self::Garbled,
            Self::Handshake,
            Self::Limited(Limited::Rate { seconds: 1 }),
            Self::Limited(Limited::AtOnce),
            Self::Limited(Limited::Memory),
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

/// What a request's head asks for.
#[derive(Debug)]
pub enum Admitted<'r> {
    /// To take a delivery.
    Post(Post<'r>),
    /// To answer a handshake.
    Greeting(Greeting),
}

/// A delivery whose body may be read.
#[derive(Debug)]
pub struct Post<'r> {
    /// The subscription it is for.
    pub route: &'r Arc<Route>,
    /// How the body is compressed.
    pub codings: Codings,
    /// What kind of body it is.
    pub content: Content,
}

/// Decides on a request's head: the subscription it is for, or the first reason against it. Who sent it is looked at next. `bodiless` says
/// that no body follows, whether a length was announced or not.
pub fn admit<'r>(
    head: &Parts,
    bodiless: bool,
    routes: &'r Routes,
) -> Result<Admitted<'r>, Refusal> {
    let route = routes.get(head.uri.path()).ok_or(Refusal::NotFound)?;
    if head.method != Method::POST {
        return route
            .transport
            .handshake
            .greet(head)
            .map(Admitted::Greeting);
    }
    let announced = announced(&head.headers);
    let content = match Content::of(&head.headers, &route.format) {
        Some(content) => content,
        // A try of the connection has no body, and so nothing to say about it.
        None if bodiless || announced == Some(0) => Content::Json,
        None => return Err(Refusal::ContentType),
    };
    let codings = Codings::of(&head.headers)?;
    let limit = route.max_body_bytes;
    if announced.is_some_and(|bytes| bytes > limit as u64) {
        return Err(Refusal::TooLarge { limit });
    }
    Ok(Admitted::Post(Post {
        route,
        codings,
        content,
    }))
}

/// The announced length, where there is one that can be read.
pub fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        match full {
            Full::All => Self::Unavailable(Unavailable::Overloaded),
            Full::Share => Self::Limited(Limited::Memory),
        }
    }
}

impl From<Limited> for Refusal {
    fn from(limited: Limited) -> Self {
        Self::Limited(limited)
    }
}

#[cfg(test)]
mod tests;
