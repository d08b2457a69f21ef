//! A header that carries the secret itself: an API key, as an event bus's connection can send it. Only over TLS.

use super::digests::Digests;
use super::reason::Reason;
use hyper::HeaderMap;
use hyper::header::HeaderName;

/// More values than this in one request are ignored.
const VALUES_MAX: usize = 16;

/// A header whose value must be one of the secrets.
#[derive(Debug, Clone)]
pub struct ConstantHeader {
    header: HeaderName,
    prefix: Option<String>,
    secrets: Digests,
}

impl ConstantHeader {
    /// The value of this header, without the prefix, is one of the secrets.
    pub fn new(header: HeaderName, prefix: Option<String>, secrets: Digests) -> Self {
        Self {
            header,
            prefix,
            secrets,
        }
    }

    /// Looks at every line of that header.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Reason> {
        let mut values = headers
            .get_all(&self.header)
            .iter()
            .map(|value| value.as_bytes().trim_ascii())
            .filter(|value| !value.is_empty())
            .peekable();
        if values.peek().is_none() {
            return Err(Reason::Unsigned);
        }
        let stated = values.filter_map(|value| match &self.prefix {
            Some(prefix) => value.strip_prefix(prefix.as_bytes()),
            None => Some(value),
        });
        match self.secrets.contain_any(stated, VALUES_MAX) {
            Some(true) => Ok(()),
            Some(false) | None => Err(Reason::Forged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(prefix: Option<&str>, values: &[&str]) -> Result<(), Reason> {
        let way = ConstantHeader::new(
            HeaderName::from_static("x-api-key"),
            prefix.map(str::to_owned),
            Digests::of(&["first key", "second"]).unwrap(),
        );
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("x-api-key", value.parse().unwrap());
        }
        way.check(&headers)
    }

    #[test]
    fn the_value_must_equal_one_of_the_secrets() {
        assert_eq!(check(None, &["first key"]), Ok(()));
        assert_eq!(check(None, &[" second "]), Ok(()));
        assert_eq!(check(None, &["old", "second"]), Ok(()), "two lines");
        for wrong in ["first", "second!", "Second", "first key, second"] {
            assert_eq!(check(None, &[wrong]), Err(Reason::Forged), "{wrong}");
        }
        assert_eq!(check(None, &[]), Err(Reason::Unsigned));
        assert_eq!(check(None, &["", " "]), Err(Reason::Unsigned));
    }

    #[test]
    fn a_prefix_is_required_once_configured() {
        assert_eq!(check(Some("Key "), &["Key second"]), Ok(()));
        for wrong in ["second", "Key", "Key  second", "key second"] {
            assert_eq!(
                check(Some("Key "), &[wrong]),
                Err(Reason::Forged),
                "{wrong}"
            );
        }
    }
}
