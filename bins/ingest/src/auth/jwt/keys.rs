//! The keys that tokens are verified with: secrets, or the public keys of a key set (JWKS, RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// The least bytes of a secret for HS256 (RFC 7518, section 3.2): a shorter one can be guessed from one token.
pub const HS256_BYTES_MIN: usize = 32;
/// The most keys of a set: a token that names none is tried with each.
const KEYS_MAX: usize = 64;
/// The least bytes of an RSA modulus: 2048 bits (RFC 7518, section 3.3).
const RSA_BYTES_MIN: usize = 256;
/// Bytes of a coordinate on P-256.
const P256_BYTES: usize = 32;

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The text is no key set. What is wrong is not repeated: it may hold a private key.
    #[error("is no JSON object with a list `keys`")]
    NoSet,
    /// There is none to verify with.
    #[error(
        "holds no key that can be used: RSA of 2048 bits or more for RS256, or EC on P-256 for ES256"
    )]
    NoKey,
    /// There are too many.
    #[error("holds more than {KEYS_MAX} keys")]
    TooMany,
    /// A secret is too short.
    #[error("a secret for HS256 has at least {HS256_BYTES_MIN} bytes")]
    Short,
}

/// One key, for one algorithm.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

impl Key {
    /// What it verifies.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Itself. Its `Debug` shows nothing.
    pub(super) fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

/// Some keys.
#[derive(Debug, Clone)]
pub struct KeySet(Arc<[Key]>);

/// A key as a set states it. Everything is optional: what is not ours is passed over.
#[derive(Deserialize)]
struct Stated {
    kty: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// No key at all.
    pub(super) fn empty() -> Self {
        Self(Arc::new([]))
    }

    /// Secrets for HS256.
    pub fn secrets(secrets: &[Vec<u8>]) -> Result<Self, KeysError> {
        if secrets.is_empty() {
            return Err(KeysError::NoKey);
        }
        if secrets.iter().any(|secret| secret.len() < HS256_BYTES_MIN) {
            return Err(KeysError::Short);
        }
        let key = |secret: &Vec<u8>| Key {
            id: None,
            algorithm: Algorithm::HS256,
            decoding: DecodingKey::from_secret(secret),
        };
        Ok(Self(secrets.iter().map(key).collect()))
    }

    /// The public keys of a key set. Keys for other purposes, algorithms or curves are passed over, and so are symmetric ones: a
    /// published secret is none.
    pub fn public(json: &[u8]) -> Result<Self, KeysError> {
        let root: Value = serde_json::from_slice(json).map_err(|_| KeysError::NoSet)?;
        let stated = root
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(KeysError::NoSet)?;
        if stated.len() > KEYS_MAX {
            return Err(KeysError::TooMany);
        }
        let keys: Arc<[Key]> = stated
            .iter()
            .filter_map(|key| Stated::deserialize(key).ok())
            .filter_map(public)
            .collect();
        if keys.is_empty() {
            return Err(KeysError::NoKey);
        }
        Ok(Self(keys))
    }

    /// Whether one of the keys has this very name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(name))
    }

    /// The keys that a token with this header may have been signed with. Its algorithm must be the key's, and where both name a
    /// key, they must name the same.
    pub(super) fn matching(&self, header: &Header) -> impl Iterator<Item = &Key> {
        let (algorithm, named) = (header.alg, header.kid.clone());
        self.0.iter().filter(move |key| {
            let same = match (&key.id, &named) {
                (Some(id), Some(named)) => id == named,
                (None, _) | (_, None) => true,
            };
            key.algorithm == algorithm && same
        })
    }
}

fn public(stated: Stated) -> Option<Key> {
    if stated.purpose.is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let (algorithm, name, decoding) = match stated.kty?.as_str() {
        "RSA" => {
            let n = decode(&stated.n?)?;
            let e = decode(&stated.e?)?;
            // Some issuers write the sign byte of an ASN.1 integer as well.
            let n = n.strip_prefix(&[0]).unwrap_or(&n);
            if n.len() < RSA_BYTES_MIN {
                return None;
            }
            let key = DecodingKey::from_rsa_raw_components(n, &e);
            (Algorithm::RS256, "RS256", key)
        }
        "EC" if stated.crv.as_deref() == Some("P-256") => {
            let (x, y) = (stated.x?, stated.y?);
            if decode(&x)?.len() != P256_BYTES || decode(&y)?.len() != P256_BYTES {
                return None;
            }
            let key =
                DecodingKey::from_ec_components(x.trim_end_matches('='), y.trim_end_matches('='));
            (Algorithm::ES256, "ES256", key.ok()?)
        }
        _ => return None,
    };
    if stated.alg.is_some_and(|stated| stated != name) {
        return None;
    }
    Some(Key {
        id: stated.kid,
        algorithm,
        decoding,
    })
}

fn decode(text: &str) -> Option<Vec<u8>> {
    [URL_SAFE_NO_PAD, URL_SAFE]
        .iter()
        .find_map(|engine| engine.decode(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rsa(bytes: usize) -> Value {
        json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(vec![0xff; bytes]), "e": "AQAB"})
    }

    fn ec(coordinate: usize) -> Value {
        let x = URL_SAFE_NO_PAD.encode(vec![1; coordinate]);
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": x})
    }

    fn with(mut key: Value, name: &str, value: &str) -> Value {
        key[name] = value.into();
        key
    }

    fn usable(keys: &[Value]) -> Result<usize, String> {
        let set = json!({ "keys": keys }).to_string();
        KeySet::public(set.as_bytes())
            .map(|keys| keys.0.len())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn only_keys_that_verify_are_used() {
        let good = [
            rsa(256),
            with(rsa(512), "alg", "RS256"),
            with(rsa(256), "use", "sig"),
            ec(32),
            with(ec(32), "alg", "ES256"),
        ];
        let other = [
            rsa(128),
            with(rsa(256), "use", "enc"),
            with(rsa(256), "alg", "RSA-OAEP"),
            with(rsa(256), "alg", "HS256"),
            with(rsa(256), "n", "***"),
            ec(31),
            with(ec(32), "crv", "P-384"),
            json!({"kty": "oct", "k": "c2VjcmV0"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AA"}),
            json!({"kty": 7}),
            json!("text"),
        ];
        assert_eq!(usable(&[&good[..], &other[..]].concat()), Ok(5));
        for key in other {
            assert!(
                usable(std::slice::from_ref(&key))
                    .unwrap_err()
                    .contains("no key"),
                "{key}"
            );
        }
    }

    #[test]
    fn what_is_no_set_is_said_without_repeating_it() {
        for text in ["", "{", "[]", "{\"keys\":7}", "hunter2"] {
            let error = KeySet::public(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("no JSON object"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(usable(&vec![ec(32); 65]).unwrap_err().contains("64"));
    }

    #[test]
    fn short_secrets_are_none() {
        assert!(KeySet::secrets(&[]).is_err());
        assert!(KeySet::secrets(&[vec![b'x'; 32], vec![b'x'; 31]]).is_err());
        assert!(KeySet::secrets(&[vec![b'x'; 32]]).is_ok());
    }
}
