//! Signatures of requests to an S3-compatible store, version 4, in the query: computed anew and compared.

use super::Keys;
use chrono::NaiveDateTime;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// What was signed.
pub(super) struct Signed<'a> {
    /// The method.
    pub(super) method: &'a str,
    /// The path as it was written.
    pub(super) path: &'a str,
    /// The query as it was written.
    pub(super) query: &'a str,
    /// By name in lower case.
    pub(super) headers: &'a BTreeMap<String, String>,
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Something is not there.
    Missing(&'static str),
    /// Another key, region or service.
    Scope,
    /// Its time is over, or has not come.
    Expired,
    /// A header that must be signed is not.
    Unsigned(String),
    /// It is another signature.
    Forged,
}

impl Signed<'_> {
    /// Whether these keys signed it, and lately.
    pub(super) fn check(&self, keys: &Keys) -> Result<(), Refusal> {
        let date = self
            .parameter("X-Amz-Date")
            .ok_or(Refusal::Missing("date"))?;
        let expires = self
            .parameter("X-Amz-Expires")
            .ok_or(Refusal::Missing("expires"))?;
        let at =
            NaiveDateTime::parse_from_str(&date, "%Y%m%dT%H%M%SZ").map_err(|_| Refusal::Expired)?;
        let seconds: i64 = expires.parse().map_err(|_| Refusal::Expired)?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let age = i64::try_from(now).unwrap_or(i64::MAX) - at.and_utc().timestamp();
        if !(-900..=seconds).contains(&age) {
            return Err(Refusal::Expired);
        }
        self.check_at(keys, &date)
    }

    fn check_at(&self, keys: &Keys, date: &str) -> Result<(), Refusal> {
        let day = date.get(..8).ok_or(Refusal::Expired)?;
        let scope = format!("{day}/{}/s3/aws4_request", keys.region);
        let credential = self
            .parameter("X-Amz-Credential")
            .ok_or(Refusal::Missing("credential"))?;
        if credential != format!("{}/{scope}", keys.access) {
            return Err(Refusal::Scope);
        }
        let names = self
            .parameter("X-Amz-SignedHeaders")
            .ok_or(Refusal::Missing("signed headers"))?;
        let signed: Vec<&str> = names.split(';').collect();
        let must = |name: &&String| name.starts_with("x-amz-") || name.as_str() == "host";
        if let Some(name) = self
            .headers
            .keys()
            .filter(must)
            .find(|name| !signed.contains(&name.as_str()))
        {
            return Err(Refusal::Unsigned(name.clone()));
        }
        let mut headers = String::new();
        for name in &signed {
            let value = self
                .headers
                .get(*name)
                .ok_or(Refusal::Missing("a signed header"))?;
            headers.extend([name, ":", value.trim(), "\n"]);
        }
        let mut query: Vec<&str> = self
            .query
            .split('&')
            .filter(|pair| !pair.starts_with("X-Amz-Signature="))
            .collect();
        query.sort_unstable();
        let canonical = format!(
            "{}\n{}\n{}\n{headers}\n{names}\nUNSIGNED-PAYLOAD",
            self.method,
            self.path,
            query.join("&")
        );
        let digest = hex::encode(Sha256::digest(canonical));
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}");
        let mut key = keyed(format!("AWS4{}", keys.secret).as_bytes(), day);
        for part in [keys.region.as_str(), "s3", "aws4_request"] {
            key = keyed(&key, part);
        }
        let expected = hex::encode(keyed(&key, &text));
        let found = self
            .parameter("X-Amz-Signature")
            .ok_or(Refusal::Missing("signature"))?;
        if found == expected {
            Ok(())
        } else {
            Err(Refusal::Forged)
        }
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

#[allow(clippy::expect_used)] // HMAC takes keys of any length
fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut keyed = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    keyed.update(text.as_bytes());
    keyed.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the service's documentation works out.
    const QUERY: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
                         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
                         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

    fn keys() -> Keys {
        Keys {
            access: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            region: "us-east-1".to_owned(),
        }
    }

    fn check(query: &str, path: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let signed = Signed {
            method: "GET",
            path,
            query,
            headers: &headers,
        };
        signed.check_at(&keys(), "20130524T000000Z")
    }

    #[test]
    fn it_agrees_with_the_documentation_and_with_nothing_else() {
        let host = ("host", "examplebucket.s3.amazonaws.com");
        assert_eq!(check(QUERY, "/test.txt", &[host]), Ok(()));
        assert_eq!(check(QUERY, "/other.txt", &[host]), Err(Refusal::Forged));
        assert_eq!(
            check(QUERY, "/test.txt", &[("host", "elsewhere")]),
            Err(Refusal::Forged)
        );
        let sneaked = ("x-amz-meta-a", "b");
        assert_eq!(
            check(QUERY, "/test.txt", &[host, sneaked]),
            Err(Refusal::Unsigned("x-amz-meta-a".to_owned()))
        );
        let other = QUERY.replace("us-east-1", "eu-west-1");
        assert_eq!(check(&other, "/test.txt", &[host]), Err(Refusal::Scope));
        let signed = Signed {
            method: "GET",
            path: "/test.txt",
            query: QUERY,
            headers: &BTreeMap::new(),
        };
        assert_eq!(signed.check(&keys()), Err(Refusal::Expired), "in 2013");
    }
}
