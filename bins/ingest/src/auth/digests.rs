//! Several secrets, any of which may be shown.

use sha2::{Digest as _, Sha256};
use std::fmt;
use subtle::{Choice, ConstantTimeEq as _};

/// The SHA-256 digests of secrets. Digests of both sides are compared, all of them and to their ends, so that neither the length of
/// a secret nor which one matched shows in the time it takes.
#[derive(Clone)]
pub struct Digests(Vec<[u8; 32]>);

impl Digests {
    /// `None` when there is no secret or an empty one, because such a check would accept everybody.
    pub fn of<S: AsRef<[u8]>>(secrets: &[S]) -> Option<Self> {
        if secrets.is_empty() || secrets.iter().any(|secret| secret.as_ref().is_empty()) {
            return None;
        }
        let digest = |secret: &S| Sha256::digest(secret.as_ref()).into();
        Some(Self(secrets.iter().map(digest).collect()))
    }

    /// Whether the value is one of the secrets.
    pub fn contain(&self, value: &[u8]) -> Choice {
        let stated: [u8; 32] = Sha256::digest(value).into();
        self.0.iter().fold(Choice::from(0), |found, digest| {
            found | stated.as_slice().ct_eq(digest.as_slice())
        })
    }

    /// Whether any of the values is, at most `max` of them; `None` when there is none.
    pub fn contain_any<'v>(
        &self,
        values: impl Iterator<Item = &'v [u8]>,
        max: usize,
    ) -> Option<bool> {
        values
            .take(max)
            .map(|value| self.contain(value))
            .reduce(|found, more| found | more)
            .map(bool::from)
    }
}

// By hand: the digest of a short secret is as good as the secret.
impl fmt::Debug for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digests({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_several_matches_and_nothing_like_them() {
        let digests = Digests::of(&["first key", "second"]).unwrap();
        assert!(bool::from(digests.contain(b"first key")));
        assert!(bool::from(digests.contain(b"second")));
        for other in [&b""[..], b"first", b"first key ", b"Second", b"secon"] {
            assert!(!bool::from(digests.contain(other)), "{other:?}");
        }
        assert_eq!(digests.contain_any([].into_iter(), 9), None);
        let late = [&b"x"[..], b"second"];
        assert_eq!(digests.contain_any(late.into_iter(), 9), Some(true));
        assert_eq!(digests.contain_any(late.into_iter(), 1), Some(false));
    }

    #[test]
    fn no_secret_makes_no_check() {
        for none in [&[][..], &[""], &["good", ""]] {
            assert!(Digests::of(none).is_none(), "{none:?}");
        }
    }
}
