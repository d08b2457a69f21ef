//! A keyed hash over the body, or over a text that the body is part of.
//!
//! Verified over the bytes as they came: JSON that was read and written again is other bytes, and its signature another. Which
//! bytes, the compressed ones or those within, is the sender's choice and so configuration ([`Over`]). A header may carry several
//! signatures, of several versions and keys: one that is right suffices, and those of unknown versions are ignored.

mod template;
mod timestamp;

pub use template::{Template, TemplateError};
pub use timestamp::{FUTURE_DEFAULT, Timestamp, Unit};

use super::reason::Reason;
use super::{Bodies, Request};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use ring::hmac::{self, Context, Key};
use subtle::{Choice, ConstantTimeEq as _};

/// More signatures than this in one request are ignored: rotation needs two or three.
const SIGNATURES_MAX: usize = 16;

/// The hash under the keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
    /// SHA-1, for senders that know nothing else. Its collisions do not break a keyed hash, but nobody should choose it.
    Sha1,
}

impl Algorithm {
    fn ring(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        }
    }
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

/// Which bytes of a compressed body are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Over {
    /// Those that came over the wire.
    #[default]
    Wire,
    /// Those within.
    Plain,
}

/// How a sender signs.
#[derive(Debug, Clone)]
pub struct Scheme {
    /// Where the signatures are.
    pub header: HeaderName,
    /// The hash.
    pub algorithm: Algorithm,
    /// How signatures are written.
    pub encoding: Encoding,
    /// What stands before a signature: `sha256=`, `v1=`, `v1,`. Signatures without are ignored.
    pub prefix: Option<String>,
    /// The bytes that are signed.
    pub signed: Template,
    /// Which body they hold.
    pub over: Over,
    /// Where the timestamp is, and how old it may be. The template says whether it is signed.
    pub timestamp: Option<Timestamp>,
}

impl Scheme {
    /// SHA-256 of the body as it came, in hexadecimal.
    pub fn plain(header: HeaderName) -> Self {
        Self {
            header,
            algorithm: Algorithm::default(),
            encoding: Encoding::default(),
            prefix: None,
            signed: Template::body(),
            over: Over::default(),
            timestamp: None,
        }
    }
}

/// Checks the signatures of one subscription. Keys are prepared once, not per request; ring's do not print themselves.
#[derive(Debug, Clone)]
pub struct Hmac {
    scheme: Scheme,
    keys: Vec<Key>,
}

impl Hmac {
    /// `None` when there is no secret or an empty one, because such a check would accept everybody, and when the signed text wants a
    /// timestamp that is nowhere.
    pub fn new(scheme: Scheme, secrets: &[Vec<u8>]) -> Option<Self> {
        let unsafe_secrets = secrets.is_empty() || secrets.iter().any(Vec::is_empty);
        if unsafe_secrets || (scheme.signed.has_timestamp() && scheme.timestamp.is_none()) {
            return None;
        }
        let algorithm = scheme.algorithm.ring();
        let keys = secrets
            .iter()
            .map(|secret| Key::new(algorithm, secret))
            .collect();
        Some(Self { scheme, keys })
    }

    /// Which body is signed.
    pub fn over(&self) -> Over {
        self.scheme.over
    }

    /// Whether the head carries what a check needs. A request without need not be read any further.
    pub(super) fn present(&self, headers: &HeaderMap) -> Result<(), Reason> {
        self.candidates(headers)?;
        self.stamp(headers)?;
        self.scheme.signed.present(headers)
    }

    /// Checks the body against every signature in the header and every secret, without stopping at the first match. The age of the
    /// timestamp matters only where the signature is right: before, anybody may have written it.
    pub(super) fn check(&self, request: &Request<'_>, bodies: Bodies<'_>) -> Result<(), Reason> {
        let candidates = self.candidates(request.headers)?;
        let stamp = self.stamp(request.headers)?;
        let body = match self.scheme.over {
            Over::Wire => bodies.wire,
            Over::Plain => bodies.plain,
        };
        let mut found = Choice::from(0);
        for key in &self.keys {
            let mut context = Context::with_key(key);
            self.scheme
                .signed
                .write(request.headers, stamp, body, |part| context.update(part))?;
            let expected = context.sign();
            for candidate in &candidates {
                found |= candidate.as_slice().ct_eq(expected.as_ref());
            }
        }
        if !bool::from(found) {
            return Err(Reason::Forged);
        }
        match (&self.scheme.timestamp, stamp) {
            (Some(timestamp), Some(stamp)) if !timestamp.is_fresh(stamp, request.now) => {
                Err(Reason::Stale)
            }
            _ => Ok(()),
        }
    }

    fn stamp<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h [u8]>, Reason> {
        match &self.scheme.timestamp {
            Some(timestamp) => timestamp.find(headers).map(Some),
            None => Ok(None),
        }
    }

    /// The signatures that could be ours.
    fn candidates(&self, headers: &HeaderMap) -> Result<Vec<Vec<u8>>, Reason> {
        let values = headers
            .get_all(&self.scheme.header)
            .iter()
            .map(HeaderValue::as_bytes);
        let mut tokens = values.flat_map(|value| self.split(value)).peekable();
        if tokens.peek().is_none() {
            return Err(Reason::Unsigned);
        }
        let found: Vec<_> = tokens
            .filter_map(|token| self.decode(token))
            .take(SIGNATURES_MAX)
            .collect();
        if found.is_empty() {
            return Err(Reason::Forged);
        }
        Ok(found)
    }

    /// Signatures are separated by blanks and commas; by blanks alone where a comma is part of what stands before each.
    fn split<'h>(&self, value: &'h [u8]) -> impl Iterator<Item = &'h [u8]> + use<'h> {
        let commas = !self
            .scheme
            .prefix
            .as_ref()
            .is_some_and(|prefix| prefix.contains(','));
        value
            .split(move |byte| matches!(byte, b' ' | b'\t') || (commas && *byte == b','))
            .filter(|token| !token.is_empty())
    }

    /// The signature's bytes, or `None` for a version or encoding that is not ours: such tokens are ignored.
    fn decode(&self, token: &[u8]) -> Option<Vec<u8>> {
        let token = match &self.scheme.prefix {
            Some(prefix) => token.strip_prefix(prefix.as_bytes())?,
            None => token,
        };
        let bytes = match self.scheme.encoding {
            Encoding::Hex => hex::decode(token).ok()?,
            Encoding::Base64 => [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
                .iter()
                .find_map(|engine| engine.decode(token).ok())?,
        };
        let length = self.scheme.algorithm.ring().digest_algorithm().output_len();
        (bytes.len() == length).then_some(bytes)
    }
}

#[cfg(test)]
mod tests;
