//! `Authorization: Basic`: user and secret (RFC 7617). Only over TLS.

use super::authorization::{LINES_MAX, credentials};
use super::digests::Digests;
use super::reason::Reason;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hyper::HeaderMap;

/// The users who may post.
#[derive(Debug, Clone)]
pub struct Basic {
    /// Of `user:secret` each. A user has no colon, so two pairs never run together to one text.
    users: Digests,
}

impl Basic {
    /// Pairs of user and secret. `None` when there is none, a user has a colon or a secret is empty.
    pub fn new(users: &[(String, Vec<u8>)]) -> Option<Self> {
        let fits = |(user, secret): &(String, Vec<u8>)| !user.contains(':') && !secret.is_empty();
        if !users.iter().all(fits) {
            return None;
        }
        let pairs: Vec<_> = users
            .iter()
            .map(|(user, secret)| [user.as_bytes(), b":", secret].concat())
            .collect();
        Some(Self {
            users: Digests::of(&pairs)?,
        })
    }

    /// Looks at the credentials of scheme Basic.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Reason> {
        let mut stated = credentials(headers, "Basic").peekable();
        if stated.peek().is_none() {
            return Err(Reason::Unsigned);
        }
        let pairs: Vec<_> = stated
            .filter_map(|text| {
                let engines = [STANDARD, STANDARD_NO_PAD];
                engines.iter().find_map(|engine| engine.decode(text).ok())
            })
            .collect();
        match self
            .users
            .contain_any(pairs.iter().map(Vec::as_slice), LINES_MAX)
        {
            Some(true) => Ok(()),
            Some(false) | None => Err(Reason::Forged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way() -> Basic {
        Basic::new(&[
            ("Aladdin".into(), b"open sesame".to_vec()),
            ("bridge".into(), b"old:with:colons".to_vec()),
            ("bridge".into(), b"new".to_vec()),
        ])
        .unwrap()
    }

    fn check(value: &str) -> Result<(), Reason> {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", value.parse().unwrap());
        way().check(&headers)
    }

    /// The standard's own example (RFC 7617, section 2): the code agrees with the world, not only with itself.
    #[test]
    fn the_published_credentials_are_right() {
        assert_eq!(check("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Ok(()));
        assert_eq!(check("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ"), Ok(()));
    }

    #[test]
    fn each_user_has_his_secrets_and_no_others() {
        let basic = |pair: &str| check(&format!("Basic {}", STANDARD.encode(pair)));
        assert_eq!(basic("bridge:old:with:colons"), Ok(()));
        assert_eq!(basic("bridge:new"), Ok(()));
        for wrong in [
            "bridge:open sesame",
            "Aladdin:new",
            "bridge:",
            ":new",
            "bridge",
            "Bridge:new",
        ] {
            assert_eq!(basic(wrong), Err(Reason::Forged), "{wrong}");
        }
        assert_eq!(check("Basic ***"), Err(Reason::Forged));
        assert_eq!(check("Bearer new"), Err(Reason::Unsigned));
        assert_eq!(way().check(&HeaderMap::new()), Err(Reason::Unsigned));
    }

    #[test]
    fn a_user_with_a_colon_or_no_secret_makes_no_check() {
        for users in [
            vec![],
            vec![("a:b".to_owned(), b"c".to_vec())],
            vec![("a".to_owned(), Vec::new())],
        ] {
            assert!(Basic::new(&users).is_none(), "{users:?}");
        }
    }
}
