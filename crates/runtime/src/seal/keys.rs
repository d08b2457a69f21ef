//! The keys, and what is done with them.

use super::RawPlace;
use crate::Secret;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::fmt;
use std::sync::Arc;

/// The first byte of an envelope of bytes as they came.
const PLAIN: u8 = 1;
/// The first byte of an envelope of bytes packed by LZ4, their length before them.
const PACKED: u8 = 2;
/// PostgreSQL would not compress less.
const PACKED_FROM: usize = 2_000;
/// More is kept as it came, so that no envelope asks for more memory than this when it is opened.
const PACKED_MAX: usize = 64 << 20;
const SALT: usize = 16;
/// Version, salt and number.
const HEAD: usize = 1 + SALT + 4;
const TAG: usize = 16;
/// What the derived keys are for.
const PURPOSE: &[u8] = b"kpiline raw bytes v1";
/// So many envelopes share a salt at most; far below what one key of AES-GCM bears.
const PER_SALT: u32 = 1 << 20;

/// The keys of a file: one seals, each of them opens.
#[derive(Clone)]
pub struct SealKeys {
    /// The first one seals.
    keys: Arc<[Key]>,
}

/// A key of the file.
pub(super) struct Key {
    pub(super) id: String,
    /// 64 hexadecimal digits.
    pub(super) secret: Secret,
    pub(super) bytes: [u8; 32],
}

/// Bytes could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    Random,
    /// Too many of them.
    #[error("{bytes} bytes cannot be sealed at once")]
    TooMany {
        /// How many.
        bytes: usize,
    },
}

/// Sealed bytes could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The key file does not have the key; or none was given.
    #[error("sealed under the key {key}, which --raw-keys-file does not have")]
    NoKey {
        /// The key's id.
        key: String,
    },
    /// A later release sealed them.
    #[error(
        "sealed in an envelope of kind {found}, the newest that this release opens is {PACKED}"
    )]
    Kind {
        /// The kind found.
        found: u8,
    },
    /// They were changed, moved to where they do not belong, or sealed under another key of the same id.
    #[error(
        "sealed bytes do not open with the key {key}: they were changed or moved, or it is not the key that they were sealed under"
    )]
    Refused {
        /// The key's id.
        key: String,
    },
}

impl SealKeys {
    /// `active` seals; it must be among the keys.
    pub(super) fn new(active: &str, mut keys: Vec<Key>) -> Option<Self> {
        let at = keys.iter().position(|key| key.id == active)?;
        keys[..=at].rotate_right(1);
        Some(Self { keys: keys.into() })
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The ids of all keys; the one that seals stands first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// What a batch is sealed with.
    pub fn sealer(&self) -> Result<Sealer, SealError> {
        let [active, ..] = &*self.keys else {
            // `new` takes no empty list.
            return Err(SealError::Random);
        };
        Sealer::new(active)
    }

    /// Opens what was sealed under the key of this id, for this place.
    pub fn open(
        &self,
        key_id: &str,
        place: &RawPlace<'_>,
        sealed: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        let key = self.keys.iter().find(|key| key.id == key_id);
        let key = key.ok_or_else(|| no_key(key_id))?;
        let refused = || OpenError::Refused {
            key: key_id.to_owned(),
        };
        let (kind, rest) = sealed.split_first().ok_or_else(refused)?;
        if ![PLAIN, PACKED].contains(kind) {
            return Err(OpenError::Kind { found: *kind });
        }
        let (salt, rest) = rest.split_first_chunk::<SALT>().ok_or_else(refused)?;
        let (number, rest) = rest.split_first_chunk::<4>().ok_or_else(refused)?;
        let derived = derived(&key.bytes, salt).ok_or_else(refused)?;
        let mut bytes = rest.to_vec();
        let additional = Aad::from(additional(*kind, key_id, place));
        let length = derived
            .open_in_place(nonce(*number), additional, &mut bytes)
            .map_err(|_| refused())?
            .len();
        bytes.truncate(length);
        if *kind == PACKED {
            return unpacked(&bytes).ok_or_else(refused);
        }
        Ok(bytes)
    }
}

/// As if a key file without keys had been given: what has none opens nothing.
pub(super) fn no_key(key_id: &str) -> OpenError {
    OpenError::NoKey {
        key: key_id.to_owned(),
    }
}

impl OpenError {
    /// For those who were given no key file.
    #[must_use]
    pub fn no_file(key_id: &str) -> Self {
        no_key(key_id)
    }
}

/// The ids and nothing else.
impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// Seals the items of a batch, under one salt.
pub struct Sealer {
    file_key: [u8; 32],
    id: String,
    key: LessSafeKey,
    salt: [u8; SALT],
    number: u32,
}

impl Sealer {
    fn new(key: &Key) -> Result<Self, SealError> {
        let salt = random()?;
        Ok(Self {
            file_key: key.bytes,
            id: key.id.clone(),
            key: derived(&key.bytes, &salt).ok_or(SealError::Random)?,
            salt,
            number: 0,
        })
    }

    /// The id of the key.
    pub fn key_id(&self) -> &str {
        &self.id
    }

    /// The envelope of these bytes.
    pub fn seal(&mut self, place: &RawPlace<'_>, bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        if self.number >= PER_SALT {
            self.salt = random()?;
            self.key = derived(&self.file_key, &self.salt).ok_or(SealError::Random)?;
            self.number = 0;
        }
        let number = self.number.to_be_bytes();
        // Before the number is used: it never is a second time, whatever becomes of this.
        self.number += 1;
        let packed = packed(bytes);
        let (kind, content) = match &packed {
            Some(packed) => (PACKED, packed.as_slice()),
            None => (PLAIN, bytes),
        };
        let mut envelope = Vec::with_capacity(HEAD + content.len() + TAG);
        envelope.push(kind);
        envelope.extend_from_slice(&self.salt);
        envelope.extend_from_slice(&number);
        envelope.extend_from_slice(content);
        let additional = Aad::from(additional(kind, &self.id, place));
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(number), additional, &mut envelope[HEAD..])
            .map_err(|_| SealError::TooMany { bytes: bytes.len() })?;
        envelope.extend_from_slice(tag.as_ref());
        Ok(envelope)
    }
}

/// The key's id and nothing else.
impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("key", &self.id)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], SealError> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| SealError::Random)?;
    Ok(bytes)
}

/// The bytes packed, where that is worth it.
fn packed(bytes: &[u8]) -> Option<Vec<u8>> {
    if !(PACKED_FROM..=PACKED_MAX).contains(&bytes.len()) {
        return None;
    }
    let packed = lz4_flex::block::compress_prepend_size(bytes);
    (packed.len() < bytes.len() / 10 * 9).then_some(packed)
}

fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    let (length, content) = lz4_flex::block::uncompressed_size(packed).ok()?;
    if length > PACKED_MAX {
        return None;
    }
    lz4_flex::block::decompress(content, length).ok()
}

fn derived(key: &[u8; 32], salt: &[u8; SALT]) -> Option<LessSafeKey> {
    let secret = Salt::new(HKDF_SHA256, salt).extract(key);
    let key = secret.expand(&[PURPOSE], &AES_256_GCM).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(key)))
}

fn nonce(number: [u8; 4]) -> Nonce {
    let mut bytes = [0; 12];
    bytes[8..].copy_from_slice(&number);
    Nonce::assume_unique_for_key(bytes)
}

/// What is authenticated beside the bytes: the kind, and each other part with its length before it.
fn additional(kind: u8, key_id: &str, place: &RawPlace<'_>) -> Vec<u8> {
    let parts = [
        key_id.as_bytes(),
        place.tenant.as_bytes(),
        place.subscription.as_bytes(),
        &place.delivery,
    ];
    let mut bytes = Vec::with_capacity(1 + parts.iter().map(|part| 4 + part.len()).sum::<usize>());
    bytes.push(kind);
    for part in parts {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests;
