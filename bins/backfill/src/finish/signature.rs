//! How a notice that is posted proves who sent it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use runtime::Secret;
use sha2::Sha256;

/// The header that says when it was signed, in seconds since 1970.
pub(crate) const TIMESTAMP: &str = "x-kpiline-timestamp";
/// The header with the signature.
pub(crate) const SIGNATURE: &str = "x-kpiline-signature";

/// `sha256=` and the HMAC-SHA256 of `<timestamp>.<body>` in hexadecimal.
pub(crate) fn signature(secret: &Secret, timestamp: i64, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(format!(
        "sha256={}",
        hex::encode(mac.finalize().into_bytes())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_time_and_body() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac secret
        let signed = |at, body: &[u8]| signature(&Secret::new("secret"), at, body).unwrap();
        assert_eq!(
            signed(1_700_000_000, b"{}"),
            "sha256=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"
        );
        assert_ne!(signed(1_700_000_000, b"{}"), signed(1_700_000_001, b"{}"));
        assert_ne!(signed(1_700_000_000, b"{}"), signed(1_700_000_000, b"{ }"));
    }
}
