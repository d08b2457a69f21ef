//! Raw bytes at rest, sealed: nobody reads them who has the database and not the key file.
//!
//! A row says which key its bytes are sealed under (`raw_key`). The sealed bytes, the *envelope*, are
//!
//! ```text
//! kind (1 byte) · salt (16) · number (4, big-endian) · ciphertext · tag (16)
//! ```
//!
//! sealed with AES-256-GCM under a key of their own: HKDF-SHA256 of the file's key and the salt, which is drawn anew for every batch. The
//! nonce is the number within the batch. So no nonce has to be drawn at random under one key for years, which 96 bits do not bear at
//! billions of events. What is authenticated besides is where the bytes belong ([`RawPlace`]) and the key's id: bytes moved to another
//! delivery, subscription or organisation do not open.
//!
//! What is sealed cannot be compressed any more, which PostgreSQL would do with rows of more than 2 kB. So whatever is longer is packed
//! before (LZ4, kind 2); webhook events, which PostgreSQL leaves as they are, are not (kind 1) and grow by the envelope's 37 bytes. Measured on
//! records of 2 to 36 kB as PostgreSQL keeps them with LZ4: 18 to 47 % of their length, which they would else lose by being sealed.

mod keys;
mod keys_file;

pub use keys::{OpenError, SealError, SealKeys, Sealer};
pub use keys_file::{NewKeyError, generated, rotated};

/// Where raw bytes belong. The log and the quarantine state the same of an item, so that what the log refuses moves as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawPlace<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// Where it came in.
    pub subscription: &'a str,
    /// The delivery that brought it: the bytes of its UUID.
    pub delivery: [u8; 16],
}
