//! Which codings a body is wrapped in (RFC 9110, 8.4): gzip, deflate, br, and several of them one in another.

use super::decision::Refusal;
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, HeaderValue};

/// More layers than this are refused: no sender compresses three times, and each layer costs a decoder.
const LAYERS_MAX: usize = 3;
/// What is taken, for the answer to anything else.
pub const ACCEPTED: HeaderValue = HeaderValue::from_static("gzip, deflate, br, identity");

/// One way of compressing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952, one member or several.
    Gzip,
    /// zlib (RFC 1950), as the standard says; or deflate alone (RFC 1951), as some senders understood it.
    Deflate,
    /// RFC 7932.
    Brotli,
}

/// The codings of one body in the order in which the sender applied them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Codings([Option<Coding>; LAYERS_MAX]);

/// A class of bodies in a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Not compressed.
    Identity,
    /// gzip alone.
    Gzip,
    /// deflate alone.
    Deflate,
    /// br alone.
    Brotli,
    /// More than one.
    Several,
}

impl Class {
    /// Every class, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Identity,
        Self::Gzip,
        Self::Deflate,
        Self::Brotli,
        Self::Several,
    ];

    /// The label of the metric.
    pub fn word(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Several => "several",
        }
    }
}

impl Codings {
    /// Reads the headers; an unknown coding, or too many, cannot be undone.
    pub fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut found = Self::default();
        if !headers.contains_key(CONTENT_ENCODING) {
            return Ok(found);
        }
        let mut free = found.0.iter_mut();
        for value in headers.get_all(CONTENT_ENCODING) {
            for token in value.as_bytes().split(|byte| *byte == b',') {
                let token = token.trim_ascii();
                if token.is_empty() || token.eq_ignore_ascii_case(b"identity") {
                    continue;
                }
                let coding = Coding::named(token).ok_or(Refusal::ContentEncoding)?;
                *free.next().ok_or(Refusal::ContentEncoding)? = Some(coding);
            }
        }
        Ok(found)
    }

    /// The layers, innermost first: as they were applied.
    pub fn layers(&self) -> impl DoubleEndedIterator<Item = Coding> {
        self.0.iter().flatten().copied()
    }

    /// Its class in a metric.
    pub fn class(&self) -> Class {
        match self.0 {
            [None, ..] => Class::Identity,
            [Some(_), Some(_), ..] => Class::Several,
            [Some(Coding::Gzip), ..] => Class::Gzip,
            [Some(Coding::Deflate), ..] => Class::Deflate,
            [Some(Coding::Brotli), ..] => Class::Brotli,
        }
    }
}

impl Coding {
    fn named(token: &[u8]) -> Option<Self> {
        [
            (&b"gzip"[..], Self::Gzip),
            (b"x-gzip", Self::Gzip), // RFC 9110: the same
            (b"deflate", Self::Deflate),
            (b"br", Self::Brotli),
        ]
        .into_iter()
        .find_map(|(name, coding)| token.eq_ignore_ascii_case(name).then_some(coding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Result<Vec<Coding>, Refusal> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, value.parse().unwrap());
        }
        Ok(Codings::of(&headers)?.layers().collect())
    }

    #[test]
    fn the_order_is_that_of_the_headers_and_identity_is_nothing() {
        assert_eq!(of(&[]), Ok(vec![]));
        assert_eq!(of(&["", " identity ,", "Identity"]), Ok(vec![]));
        assert_eq!(of(&["GZip"]), Ok(vec![Coding::Gzip]));
        assert_eq!(
            of(&["deflate, identity", "br,x-gzip"]),
            Ok(vec![Coding::Deflate, Coding::Brotli, Coding::Gzip])
        );
    }

    #[test]
    fn what_cannot_be_undone_is_refused() {
        for bad in ["zstd", "gzip, zstd", "compress", "gzip;q=1", "br br"] {
            assert_eq!(of(&[bad]), Err(Refusal::ContentEncoding), "{bad}");
        }
        assert!(of(&["gzip,gzip,gzip"]).is_ok());
        assert_eq!(of(&["gzip,gzip,gzip,gzip"]), Err(Refusal::ContentEncoding));
    }
}
