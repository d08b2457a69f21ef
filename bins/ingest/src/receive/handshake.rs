//! Validation handshakes: how platforms ask whether an endpoint is there and wanted, before they send deliveries to it. Pure.
//!
//! Each is off unless `[subscription.handshake]` says otherwise, because an answer tells a stranger that there is something:
//!
//! - `get`: GET and HEAD of the path are answered 200 or 204, for platforms that look whether the address answers.
//! - `query`: a GET with a challenge in its query (`?hub.challenge=…&hub.verify_token=…`, as WebSub and its kin send it) is answered
//!   with that challenge as plain text, where the token, if one is configured, is right.
//! - `body`: a POST of `{"type":"url_verification","challenge":"…"}` is answered with the challenge, once it has proved to be genuine
//!   like any delivery. Nothing of it is stored.
//! - `origin`: OPTIONS with `WebHook-Request-Origin` (CloudEvents, HTTP 1.1 Web Hooks, section 4) is answered with
//!   `WebHook-Allowed-Origin` for the origins listed. A `WebHook-Request-Callback` is never called: it would let strangers make this
//!   process send requests. The sender gets its permission in the answer.
//!
//! OPTIONS without any of this says which methods there are, everything else is 405.

use super::content::fields;
use super::decision::Refusal;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::num::NonZeroU32;
use subtle::{Choice, ConstantTimeEq as _};

/// The longest challenge that is sent back.
const CHALLENGE_BYTES_MAX: usize = 1024;
/// A larger body is no challenge.
const BODY_BYTES_MAX: usize = 8 * 1024;
const REQUEST_ORIGIN: &str = "webhook-request-origin";
const REQUEST_RATE: &str = "webhook-request-rate";

/// The methods of a path.
pub const ALLOW_POST: &str = "POST, OPTIONS";
/// The methods of a path that is looked at with GET as well.
pub const ALLOW_GET: &str = "GET, HEAD, POST, OPTIONS";

/// Which handshakes a subscription answers.
#[derive(Debug, Clone, Default)]
pub struct Handshake {
    /// How GET and HEAD are answered.
    pub get: Option<Presence>,
    /// A challenge in the query.
    pub query: Option<QueryChallenge>,
    /// A challenge in a body.
    pub body: Option<BodyChallenge>,
    /// Permission for an origin.
    pub origin: Option<Origins>,
}

/// How a mere look is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// 200 with an empty body.
    Ok,
    /// 204.
    NoContent,
}

/// A challenge in the query of a GET.
#[derive(Debug, Clone)]
pub struct QueryChallenge {
    /// The parameter that is sent back.
    pub challenge: String,
    /// The parameter that must carry one of these tokens, where one is asked for.
    pub token: Option<(String, Tokens)>,
}

/// Tokens that are accepted, as digests: what is compared has one length, and no token reaches a log line.
#[derive(Clone)]
pub struct Tokens(Vec<[u8; 32]>);

/// A challenge in the body of a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyChallenge {
    /// The member that says what the body is.
    pub member: String,
    /// What that member says of a challenge.
    pub value: String,
    /// The member that is sent back.
    pub challenge: String,
    /// Whether it is sent back as JSON, under the same name, or as plain text.
    pub echo: Echo,
}

/// How a challenge is sent back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Echo {
    /// `{"challenge":"…"}`.
    #[default]
    Json,
    /// The text alone.
    Text,
}

/// Origins that may deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    /// DNS names, in lower case; `*` stands for any.
    pub allowed: Vec<String>,
    /// Deliveries a second that are granted, where there is a limit.
    pub per_second: Option<NonZeroU32>,
}

/// The answer to a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// 200 or 204 and nothing else.
    Here(Presence),
    /// The methods of the path.
    Methods(&'static str),
    /// A challenge as plain text.
    Text(String),
    /// A JSON document.
    Json(String),
    /// Permission to deliver.
    Origin {
        /// The origin that asked.
        origin: String,
        /// Deliveries a minute that are granted; `*` without a limit. Only where a rate was asked for.
        rate: Option<String>,
        /// The methods of the path.
        allow: &'static str,
    },
}

impl Handshake {
    /// The methods of the path, for the header `Allow`.
    pub fn allow(&self) -> &'static str {
        if self.get.is_some() || self.query.is_some() {
            ALLOW_GET
        } else {
            ALLOW_POST
        }
    }

    /// Answers a request that is no POST.
    pub fn greet(&self, head: &Parts) -> Result<Greeting, Refusal> {
        match head.method {
            Method::GET | Method::HEAD => self.look(head),
            Method::OPTIONS => self.permit(&head.headers),
            _ => Err(self.no_such_method()),
        }
    }

    /// What a method without a meaning here is answered.
    pub fn no_such_method(&self) -> Refusal {
        Refusal::Method {
            allow: self.allow(),
        }
    }

    fn look(&self, head: &Parts) -> Result<Greeting, Refusal> {
        let query = head.uri.query().unwrap_or_default().as_bytes();
        if let Some(expected) = &self.query {
            let only = |name: &str| {
                let mut values = fields(query, name);
                values.next().filter(|_| values.next().is_none())
            };
            if let Some(challenge) = only(&expected.challenge) {
                let known = expected.token.as_ref().is_none_or(|(name, tokens)| {
                    only(name).is_some_and(|token| tokens.contain(&token))
                });
                let challenge = known.then_some(challenge).and_then(presentable);
                return challenge.map(Greeting::Text).ok_or(Refusal::Handshake);
            }
        }
        match (self.get, &self.query) {
            (Some(presence), _) => Ok(Greeting::Here(presence)),
            (None, Some(_)) => Err(Refusal::Handshake),
            (None, None) => Err(self.no_such_method()),
        }
    }

    fn permit(&self, headers: &HeaderMap) -> Result<Greeting, Refusal> {
        let allow = self.allow();
        let (Some(origins), Some(origin)) = (&self.origin, headers.get(REQUEST_ORIGIN)) else {
            return Ok(Greeting::Methods(allow));
        };
        let origin = origin.to_str().map_err(|_| Refusal::Handshake)?.trim();
        let known = origins
            .allowed
            .iter()
            .any(|known| known == "*" || known.eq_ignore_ascii_case(origin));
        if !known || origin.is_empty() {
            return Err(Refusal::Handshake);
        }
        let granted = || match origins.per_second {
            Some(rate) => (u64::from(rate.get()) * 60).to_string(),
            None => "*".to_owned(),
        };
        Ok(Greeting::Origin {
            origin: origin.to_owned(),
            rate: headers.contains_key(REQUEST_RATE).then(granted),
            allow,
        })
    }

    /// The answer to a genuine body, where it is a challenge.
    pub fn challenge(&self, body: &[u8]) -> Option<Greeting> {
        let expected = self.body.as_ref()?;
        if body.len() > BODY_BYTES_MAX {
            return None;
        }
        let json: serde_json::Value = serde_json::from_slice(body).ok()?;
        let text = |member: &str| json.get(member).and_then(serde_json::Value::as_str);
        if text(&expected.member) != Some(&expected.value) {
            return None;
        }
        let challenge = presentable(Cow::Borrowed(text(&expected.challenge)?.as_bytes()))?;
        Some(match expected.echo {
            Echo::Text => Greeting::Text(challenge),
            Echo::Json => {
                let mut answer = serde_json::Map::new();
                answer.insert(expected.challenge.clone(), challenge.into());
                Greeting::Json(serde_json::Value::Object(answer).to_string())
            }
        })
    }
}

impl Tokens {
    /// Accepts these.
    pub fn new(tokens: &[Vec<u8>]) -> Self {
        Self(
            tokens
                .iter()
                .map(|token| Sha256::digest(token).into())
                .collect(),
        )
    }

    fn contain(&self, stated: &[u8]) -> bool {
        let stated: [u8; 32] = Sha256::digest(stated).into();
        let found = self.0.iter().fold(Choice::from(0), |found, known| {
            found | known.as_slice().ct_eq(stated.as_slice())
        });
        found.into()
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tokens").field(&self.0.len()).finish()
    }
}

/// A challenge that may be sent back: short, and text without control characters. What a stranger writes is never markup here; the answer
/// says plain text and forbids guessing.
fn presentable(challenge: Cow<'_, [u8]>) -> Option<String> {
    if challenge.is_empty() || challenge.len() > CHALLENGE_BYTES_MAX {
        return None;
    }
    String::from_utf8(challenge.into_owned())
        .ok()
        .filter(|text| !text.contains(char::is_control))
}

#[cfg(test)]
mod tests;
