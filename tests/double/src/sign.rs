//! Signatures as a webhook sender makes them: HMAC-SHA256 over the body's raw bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How the signature's bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Lower-case hexadecimal.
    #[default]
    Hex,
    /// Standard base64 with padding.
    Base64,
}

/// A secret, ready to sign many bodies.
#[derive(Clone)]
pub struct Signer {
    keyed: Hmac<Sha256>,
    encoding: Encoding,
    prefix: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("encoding", &self.encoding)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// A signer with this secret; `prefix` stands before the signature in the header (`sha256=`).
    #[allow(clippy::expect_used)] // HMAC takes keys of any length
    pub fn new(secret: &[u8], encoding: Encoding, prefix: impl Into<String>) -> Self {
        Self {
            keyed: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"),
            encoding,
            prefix: prefix.into(),
        }
    }

    /// The header's value for this body.
    pub fn sign(&self, body: &[u8]) -> String {
        let mut keyed = self.keyed.clone();
        keyed.update(body);
        let bytes = keyed.finalize().into_bytes();
        let mut text = String::with_capacity(self.prefix.len() + 64);
        text.push_str(&self.prefix);
        match self.encoding {
            Encoding::Hex => text.push_str(&hex::encode(bytes)),
            Encoding::Base64 => STANDARD.encode_string(bytes, &mut text),
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_signature_comes_out_in_both_encodings() {
        // RFC 4231, test case 2.
        let body = b"what do ya want for nothing?";
        let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(Signer::new(b"Jefe", Encoding::Hex, "").sign(body), hex);
        assert_eq!(
            Signer::new(b"Jefe", Encoding::Base64, "sha256=").sign(body),
            "sha256=W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
        );
    }
}
