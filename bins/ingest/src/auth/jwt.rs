//! `Authorization: Bearer` with a token that an issuer has signed: what OAuth client credentials get (RFC 7519, RFC 9068).
//!
//! Which algorithm a token is verified with is a property of our key, never of the token: a token that says `none`, or that takes
//! a public key for an HMAC's secret, finds no key. Keys in the token's own header are not looked at.

mod backend;
mod keys;
mod misses;
mod remote;

pub use keys::{HS256_BYTES_MIN, KeySet, KeysError};
pub use remote::{Pace, RemoteKeys, keep};

use super::authorization::credentials;
use super::reason::Reason;
use hyper::HeaderMap;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use misses::Sight;
use serde_json::{Map, Value};
use std::time::Duration;

/// Where the keys are.
#[derive(Debug, Clone)]
pub enum Keys {
    /// Here: secrets of HS256, or public keys out of a file.
    Known(KeySet),
    /// At the issuer, fetched and kept fresh.
    Remote(RemoteKeys),
}

/// What a token must say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Any of these issuers.
    pub issuers: Vec<String>,
    /// Any of these audiences. Empty only where the issuer's tokens have none and `claims` say whom they are for.
    pub audiences: Vec<String>,
    /// Each of these claims, with one of these values.
    pub claims: Vec<(String, Vec<String>)>,
    /// All of these scopes.
    pub scopes: Vec<String>,
    /// How far the clocks may be apart.
    pub leeway: Duration,
}

/// Checks the tokens of one subscription.
#[derive(Debug, Clone)]
pub struct Jwt {
    keys: Keys,
    expected: Expected,
}

impl Jwt {
    /// `None` when tokens for anybody, or of any issuer, would be taken.
    pub fn new(keys: Keys, expected: Expected) -> Option<Self> {
        backend::install();
        let anybody = expected.audiences.is_empty() && expected.claims.is_empty();
        (!expected.issuers.is_empty() && !anybody).then_some(Self { keys, expected })
    }

    /// Has the issuer's keys fetched if one of his tokens may be of a key that is not known. Waits at most so long, and at most some
    /// seconds.
    pub(super) async fn look_again(&self, headers: &HeaderMap, patience: Duration) {
        if let Keys::Remote(remote) = &self.keys
            && self.check(headers) == Err(Reason::KeysUnavailable)
        {
            remote.look_again(patience).await;
        }
    }

    /// Looks at the credentials of scheme Bearer.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Reason> {
        let mut worst = Reason::Unsigned;
        for token in credentials(headers, "Bearer") {
            match self.token(token) {
                Ok(()) => return Ok(()),
                Err(reason) => worst = worst.max(reason),
            }
        }
        Err(worst)
    }

    fn token(&self, token: &[u8]) -> Result<(), Reason> {
        let header = decode_header(token).map_err(|_| Reason::Forged)?;
        if header.crit.is_some() {
            return Err(Reason::Forged); // an extension that must be understood, and none is
        }
        let keys = match &self.keys {
            Keys::Known(keys) => keys.clone(),
            Keys::Remote(remote) => remote.current(),
        };
        for key in keys.matching(&header) {
            let validation = self.validation(key.algorithm());
            match decode::<Map<String, Value>>(token, key.decoding(), &validation) {
                Ok(found) => return self.permit(&found.claims),
                Err(error) => match error.kind() {
                    ErrorKind::ExpiredSignature | ErrorKind::ImmatureSignature => {
                        return Err(Reason::Expired);
                    }
                    ErrorKind::InvalidIssuer
                    | ErrorKind::InvalidAudience
                    | ErrorKind::MissingRequiredClaim(_)
                    | ErrorKind::InvalidClaimFormat(_) => return Err(Reason::NotPermitted),
                    // Another key may fit.
                    _ => {}
                },
            }
        }
        match &self.keys {
            Keys::Remote(remote)
                if is_published(header.alg)
                    && self.is_claimed(token)
                    && remote.may_be_new(sight(&keys, &header, token)) =>
            {
                Err(Reason::KeysUnavailable)
            }
            _ => Err(Reason::Forged),
        }
    }

    /// Whether the token says that it is of an issuer of ours. Nothing proves it: it only spares the issuer questions about the
    /// tokens of others.
    fn is_claimed(&self, token: &[u8]) -> bool {
        let claims: Result<Map<String, Value>, _> = insecure_decode_claims(token);
        let Ok(claims) = claims else {
            return false;
        };
        let stated = claims.get("iss").map(texts).unwrap_or_default();
        stated
            .iter()
            .any(|issuer| self.expected.issuers.contains(issuer))
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.expected.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&self.expected.issuers);
        let mut required = vec!["exp", "iss"];
        if self.expected.audiences.is_empty() {
            validation.validate_aud = false;
        } else {
            validation.set_audience(&self.expected.audiences);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        validation
    }

    /// Whether a genuine token is for us.
    fn permit(&self, claims: &Map<String, Value>) -> Result<(), Reason> {
        let claims_fit = self.expected.claims.iter().all(|(name, allowed)| {
            let stated = claims.get(name).into_iter().flat_map(texts);
            stated.into_iter().any(|value| allowed.contains(&value))
        });
        // Standard is `scope`, separated by blanks; some issuers write `scp`, or a list.
        let scopes: Vec<String> = ["scope", "scp"]
            .iter()
            .filter_map(|name| claims.get(*name))
            .flat_map(texts)
            .flat_map(|text| {
                text.split_ascii_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect();
        let scopes_fit = self
            .expected
            .scopes
            .iter()
            .all(|scope| scopes.contains(scope));
        if claims_fit && scopes_fit {
            Ok(())
        } else {
            Err(Reason::NotPermitted)
        }
    }
}

/// Whether an issuer's keys may ever verify it.
fn is_published(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::RS256 | Algorithm::ES256)
}

/// What has to be looked for again: the key by its name, which a stranger cannot use up for the one that is published tomorrow. Where no
/// name says which key it is, or one that is known did not verify it, this token.
fn sight(keys: &KeySet, header: &Header, token: &[u8]) -> Sight {
    match &header.kid {
        Some(kid) if !keys.has(kid) => Sight::of(kid.as_bytes()),
        _ => Sight::of(token),
    }
}

/// The texts of a claim that is one or a list; numbers and booleans as they are written.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(text).collect(),
        other => text(other).into_iter().collect(),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
