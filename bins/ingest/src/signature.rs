//! Is a delivery genuine? Decided over the raw bytes, in constant time, before anything reads them.
//!
//! No platform documents one signing header for all of its webhooks, and relays re-sign; so the header, the encoding, a prefix
//! and the secrets are configuration. While a secret is rotated several are valid, and a header may carry several signatures.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// More signatures than this in one request are ignored: rotation needs two or three.
const SIGNATURES_MAX: usize = 16;
/// Bytes of an HMAC-SHA256.
const MAC_BYTES: usize = 32;

/// How the sender proves that a delivery is his.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// HMAC-SHA256 over the raw body.
    #[default]
    HmacSha256,
    /// The header carries the secret itself (what an event bus's API destination can send). Only over TLS.
    StaticHeader,
}

/// How the bytes of a signature are written in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Hexadecimal, either case.
    #[default]
    Hex,
    /// Base64, standard or URL-safe, padded or not.
    Base64,
}

/// The finding about one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// At least one signature matches one of the secrets.
    Genuine,
    /// The header is absent or empty.
    Unsigned,
    /// There are signatures, and none matches.
    Forged,
}

/// Checks signatures for one subscription. Keys are prepared once, not per request.
#[derive(Clone)]
pub struct Verifier {
    header: HeaderName,
    encoding: Encoding,
    prefix: Option<String>,
    keys: Keys,
}

#[derive(Clone)]
enum Keys {
    Hmac(Vec<Hmac<Sha256>>),
    Static(Vec<[u8; MAC_BYTES]>),
}

// By hand: keys must never reach a log line.
impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("header", &self.header)
            .field("encoding", &self.encoding)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Verifier {
    /// A verifier; `None` when there is no secret or an empty one, because such a check would accept everybody.
    pub fn new(
        header: HeaderName,
        scheme: Scheme,
        encoding: Encoding,
        prefix: Option<String>,
        secrets: &[Vec<u8>],
    ) -> Option<Self> {
        if secrets.is_empty() || secrets.iter().any(Vec::is_empty) {
            return None;
        }
        let keys = match scheme {
            Scheme::HmacSha256 => Keys::Hmac(
                secrets
                    .iter()
                    .map(|secret| Hmac::new_from_slice(secret).ok())
                    .collect::<Option<_>>()?,
            ),
            Scheme::StaticHeader => Keys::Static(
                secrets
                    .iter()
                    .map(|secret| Sha256::digest(secret).into())
                    .collect(),
            ),
        };
        Some(Self {
            header,
            encoding,
            prefix,
            keys,
        })
    }

    /// The header that carries the signature.
    pub fn header(&self) -> &HeaderName {
        &self.header
    }

    /// Whether the request carries anything to check. A request without need not be read any further.
    pub fn is_signed(&self, headers: &HeaderMap) -> bool {
        headers
            .get_all(&self.header)
            .iter()
            .any(|value| !value.as_bytes().trim_ascii().is_empty())
    }

    /// Checks the raw body against every signature in the header and every valid secret, without stopping at the first match.
    pub fn check(&self, headers: &HeaderMap, body: &[u8]) -> Finding {
        if !self.is_signed(headers) {
            return Finding::Unsigned;
        }
        let values = headers
            .get_all(&self.header)
            .iter()
            .map(HeaderValue::as_bytes);
        let matched = match &self.keys {
            Keys::Hmac(keys) => self.matches_hmac(keys, values, body),
            Keys::Static(digests) => self.matches_static(digests, values),
        };
        if bool::from(matched) {
            Finding::Genuine
        } else {
            Finding::Forged
        }
    }

    fn matches_hmac<'a>(
        &self,
        keys: &[Hmac<Sha256>],
        values: impl Iterator<Item = &'a [u8]>,
        body: &[u8],
    ) -> Choice {
        let candidates: Vec<[u8; MAC_BYTES]> = values
            .flat_map(|value| {
                value
                    .split(|byte| matches!(byte, b' ' | b',' | b'\t'))
                    .filter(|token| !token.is_empty())
            })
            .take(SIGNATURES_MAX)
            .filter_map(|token| self.decode(token))
            .collect();
        if candidates.is_empty() {
            return Choice::from(0);
        }
        keys.iter().fold(Choice::from(0), |found, key| {
            let mut mac = key.clone();
            mac.update(body);
            let expected = mac.finalize().into_bytes();
            candidates.iter().fold(found, |found, candidate| {
                found | candidate.as_slice().ct_eq(expected.as_slice())
            })
        })
    }

    /// Digests of both sides are compared, so that not even the secret's length shows.
    fn matches_static<'a>(
        &self,
        digests: &[[u8; MAC_BYTES]],
        values: impl Iterator<Item = &'a [u8]>,
    ) -> Choice {
        values
            .take(SIGNATURES_MAX)
            .filter_map(|value| self.strip(value.trim_ascii()))
            .fold(Choice::from(0), |found, value| {
                let stated: [u8; MAC_BYTES] = Sha256::digest(value).into();
                digests.iter().fold(found, |found, digest| {
                    found | stated.as_slice().ct_eq(digest.as_slice())
                })
            })
    }

    fn strip<'t>(&self, token: &'t [u8]) -> Option<&'t [u8]> {
        match &self.prefix {
            Some(prefix) => token.strip_prefix(prefix.as_bytes()),
            None => Some(token),
        }
    }

    /// The signature's bytes, or `None` for a version or encoding that is not ours: such tokens are ignored.
    fn decode(&self, token: &[u8]) -> Option<[u8; MAC_BYTES]> {
        let token = self.strip(token)?;
        let mut mac = [0; MAC_BYTES];
        match self.encoding {
            Encoding::Hex => hex::decode_to_slice(token, &mut mac).ok()?,
            Encoding::Base64 => {
                let bytes = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
                    .iter()
                    .find_map(|engine| engine.decode(token).ok())?;
                mac = bytes.try_into().ok()?;
            }
        }
        Some(mac)
    }
}

#[cfg(test)]
mod tests;
