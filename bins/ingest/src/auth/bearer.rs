//! `Authorization: Bearer` with a constant token (RFC 6750, section 2.1). Only over TLS.

use super::authorization::{LINES_MAX, credentials};
use super::digests::Digests;
use super::reason::Reason;
use hyper::HeaderMap;

/// The tokens that are taken.
#[derive(Debug, Clone)]
pub struct Bearer {
    tokens: Digests,
}

impl Bearer {
    /// Any of these tokens.
    pub fn new(tokens: Digests) -> Self {
        Self { tokens }
    }

    /// Looks at the credentials of scheme Bearer.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Reason> {
        match self
            .tokens
            .contain_any(credentials(headers, "Bearer"), LINES_MAX)
        {
            Some(true) => Ok(()),
            Some(false) => Err(Reason::Forged),
            None => Err(Reason::Unsigned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_the_tokens_is_taken_and_nothing_else() {
        let way = Bearer::new(Digests::of(&["one", "two"]).unwrap());
        let check = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", value.parse().unwrap());
            way.check(&headers)
        };
        assert_eq!(check("Bearer one"), Ok(()));
        assert_eq!(check("bearer two"), Ok(()));
        for wrong in ["Bearer three", "Bearer one two", "Bearer One"] {
            assert_eq!(check(wrong), Err(Reason::Forged), "{wrong}");
        }
        for nothing in ["one", "Bearer", "Bearer ", "Basic one"] {
            assert_eq!(check(nothing), Err(Reason::Unsigned), "{nothing}");
        }
    }
}
