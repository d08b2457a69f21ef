//! What kind of body a request announces, and what the delivery in it is.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use percent_encoding::percent_decode;
use schema::BodyFormat;
use std::borrow::Cow;

/// A kind of body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// JSON, one document or one a line.
    Json,
    /// An HTML form, in one field of which the JSON is.
    Form,
    /// A report: lines of text, or bytes of which nobody has said what they are.
    Report,
}

/// Whether bodies of this format are files that a platform writes as CSV.
fn is_report(format: &BodyFormat) -> bool {
    matches!(
        format,
        BodyFormat::CxoneCallDetail { .. } | BodyFormat::CxoneAgentStateLog { .. }
    )
}

impl Content {
    /// The announced kind; `None` when it is none of those that are read in this format, or in a character set that is not.
    pub fn of(headers: &HeaderMap, format: &BodyFormat) -> Option<Self> {
        let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        let is = |known: &str| essence.eq_ignore_ascii_case(known);
        let content = if is("application/json") || is("application/x-ndjson") || is_json(essence) {
            Self::Json
        } else if is("application/x-www-form-urlencoded") {
            Self::Form
        } else if is_report(format)
            && ["text/csv", "text/plain", "application/octet-stream"]
                .into_iter()
                .any(is)
        {
            Self::Report
        } else {
            return None;
        };
        let readable = parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                let value = value.trim().trim_matches('"');
                ["utf-8", "utf8", "us-ascii"]
                    .iter()
                    .any(|known| value.eq_ignore_ascii_case(known))
            }
            _ => true,
        });
        readable.then_some(content)
    }
}

/// `application/cloudevents+json` and all the others that are JSON with a further meaning (RFC 6839).
fn is_json(essence: &str) -> bool {
    const PREFIX: &str = "application/";
    const SUFFIX: &str = "+json";
    essence.len() > PREFIX.len() + SUFFIX.len()
        && essence.is_char_boundary(PREFIX.len())
        && essence.is_char_boundary(essence.len() - SUFFIX.len())
        && essence[..PREFIX.len()].eq_ignore_ascii_case(PREFIX)
        && essence[essence.len() - SUFFIX.len()..].eq_ignore_ascii_case(SUFFIX)
}

/// The values of a field in `a=b&c=d`, byte for byte what was encoded: no character is judged here.
pub fn fields<'f>(form: &'f [u8], name: &str) -> impl Iterator<Item = Cow<'f, [u8]>> {
    form.split(|byte| *byte == b'&').filter_map(move |pair| {
        let (key, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &b""[..]),
        };
        (decode(key).as_ref() == name.as_bytes()).then(|| decode(value))
    })
}

fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'+') {
        return percent_decode(text).into();
    }
    let spaced: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let decoded = match Cow::from(percent_decode(&spaced)) {
        Cow::Owned(decoded) => Some(decoded),
        Cow::Borrowed(_) => None,
    };
    Cow::Owned(decoded.unwrap_or(spaced))
}

/// The JSON in a form's field. A form without that field, with two of it, or with an empty one beside another that says something, is a
/// delivery that nobody can read: it stays as it is, so that it is kept in the quarantine and not sent again for ever.
pub fn payload(form: &Bytes, field: &str) -> Bytes {
    let mut values = fields(form, field);
    match (values.next(), values.next()) {
        (Some(value), None) if value.trim_ascii().is_empty() && has_another(form, field) => {
            form.clone()
        }
        (Some(Cow::Borrowed(value)), None) => form.slice_ref(value),
        (Some(Cow::Owned(value)), None) => value.into(),
        _ => form.clone(),
    }
}

/// Whether a form says something outside of this field.
fn has_another(form: &[u8], field: &str) -> bool {
    form.split(|byte| *byte == b'&').any(|pair| {
        let (key, said) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, pair),
        };
        decode(key).as_ref() != field.as_bytes() && !decode(said).trim_ascii().is_empty()
    })
}

/// Whether a delivery says nothing: no byte but blanks, or an empty array or object. Senders try a connection with such bodies, and some
/// flush an empty batch. None can hold an event, in any format of JSON. Of a report, anything but no byte at all may be one that went
/// wrong.
pub fn is_nothing(body: &[u8], format: &BodyFormat) -> bool {
    if is_report(format) {
        return body.is_empty();
    }
    let inner = match body.trim_ascii() {
        [] => return true,
        [b'[', inner @ .., b']'] | [b'{', inner @ .., b'}'] => inner,
        _ => return false,
    };
    inner.trim_ascii().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Option<Content> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, text.parse().unwrap());
        Content::of(&headers, &BodyFormat::GenesysWebhook)
    }

    fn report() -> BodyFormat {
        BodyFormat::CxoneCallDetail { zone: "UTC".into() }
    }

    #[test]
    fn content_types_are_read_as_the_standard_says() {
        for good in [
            "application/json",
            "Application/JSON ;charset=\"utf-8\"",
            "application/x-ndjson",
            "application/json;profile=x",
            "application/cloudevents+json; charset=UTF-8",
            "application/CloudEvents-Batch+JSON",
        ] {
            assert_eq!(of(good), Some(Content::Json), "{good}");
        }
        assert_eq!(
            of("application/x-www-form-urlencoded; charset=utf-8"),
            Some(Content::Form)
        );
        for bad in [
            "text/plain",
            "application/jsonp",
            "application/+json",
            "application/xml",
            "application/json; charset=utf-16",
            "multipart/form-data; boundary=x",
            "",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(
            Content::of(&HeaderMap::new(), &BodyFormat::GenesysWebhook),
            None
        );
    }

    #[test]
    fn a_report_may_be_announced_as_what_it_is() {
        let of = |text: &str, format: &BodyFormat| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, text.parse().unwrap());
            Content::of(&headers, format)
        };
        let log = BodyFormat::CxoneAgentStateLog { zone: "UTC".into() };
        for format in [&report(), &log] {
            for text in [
                "text/csv; charset=utf-8; header=present",
                "Text/Plain",
                "application/octet-stream",
            ] {
                assert_eq!(of(text, format), Some(Content::Report), "{text}");
                assert_eq!(of(text, &BodyFormat::CxoneContacts), None, "{text}");
            }
            assert_eq!(of("text/csv; charset=utf-16", format), None);
            assert_eq!(of("text/html", format), None);
            assert_eq!(of("application/json", format), Some(Content::Json));
        }
    }

    #[test]
    fn a_forms_field_is_decoded_byte_for_byte() {
        let form = |text: &'static str| Bytes::from_static(text.as_bytes());
        let inner = payload(
            &form("a=1&payload=%7B%22a%22%3A+%22%C3%A9%2B%22%7D"),
            "payload",
        );
        assert_eq!(inner, "{\"a\": \"é+\"}".as_bytes());
        // What needs no decoding is not copied, and bytes that are no characters stay what they were.
        let plain = form("payload=[1]");
        let value = payload(&plain, "payload");
        assert_eq!(value.as_ptr(), plain[8..].as_ptr());
        assert_eq!(payload(&form("payload=%ff%zz"), "payload"), &b"\xff%zz"[..]);
        assert_eq!(payload(&form("pay%6Coad="), "payload"), "");
        for unreadable in [
            "",
            "other=1",
            "payload=1&payload=2",
            // The field is there and empty, and what was meant is somewhere else.
            "payload=&data=%7B%7D",
            "data=1&payload=+",
            "payload&data=1",
            "payload=&{}",
        ] {
            assert_eq!(payload(&form(unreadable), "payload"), unreadable);
        }
        for empty in ["payload=&data=", "a=+&payload=", "&payload=&"] {
            assert_eq!(payload(&form(empty), "payload"), "", "{empty}");
        }
    }

    /// Pitfall 46: an empty array is a delivery of nothing, not a mistake.
    #[test]
    fn bodies_that_say_nothing_are_told_from_those_that_do() {
        for nothing in ["", " \r\n", "[]", "{}", " [ ]\n", "{\t}"] {
            let json = BodyFormat::GenesysWebhook;
            assert!(is_nothing(nothing.as_bytes(), &json), "{nothing:?}");
            let empty = nothing.is_empty();
            assert_eq!(is_nothing(nothing.as_bytes(), &report()), empty);
        }
        for something in ["[{}]", "{\"a\":1}", "[", "}{", "[}", "null", "0", "\"\""] {
            let json = BodyFormat::GenesysWebhook;
            assert!(!is_nothing(something.as_bytes(), &json), "{something:?}");
        }
    }

    proptest! {
        #[test]
        fn a_payload_comes_back_however_it_is_encoded(inner in proptest::collection::vec(any::<u8>(), 0..200), spaces in any::<bool>()) {
            let mut form = b"x=%2&payload=".to_vec();
            for byte in &inner {
                match byte {
                    b' ' if spaces => form.push(b'+'),
                    byte if byte.is_ascii_alphanumeric() => form.push(*byte),
                    byte => form.extend(format!("%{byte:02x}").into_bytes()),
                }
            }
            // A blank one says nothing, and the other field something.
            let blank = inner.trim_ascii().is_empty();
            let expected = if blank { form.clone() } else { inner };
            prop_assert_eq!(payload(&form.into(), "payload"), expected);
        }
    }
}
