//! Envoy's `x-forwarded-client-cert`: elements separated by commas, one a proxy in the order of the way; within one, `Key=value` pairs
//! separated by semicolons; values in double quotes where they hold such characters, with quotes inside escaped by a backslash.

use super::fingerprint_bytes;

/// What is said of a certificate.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Asserted {
    pub(super) fingerprint: Option<Vec<u8>>,
    pub(super) subject: Option<Vec<u8>>,
    pub(super) uris: Vec<Vec<u8>>,
}

/// The element so many from the end. `None` when there is none, or the text is none of these.
pub(super) fn element(text: &[u8], from_end: usize) -> Option<Asserted> {
    let elements = split(text, b',')?;
    let at = elements.len().checked_sub(from_end)?;
    let mut asserted = Asserted::default();
    for pair in split(elements.get(at)?, b';')? {
        let Some(equals) = pair.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let (key, value) = (pair[..equals].trim_ascii(), unquote(&pair[equals + 1..]));
        if value.is_empty() {
            continue;
        }
        // Of two hashes or subjects in one element, nobody could say which is meant.
        if key.eq_ignore_ascii_case(b"hash") {
            if asserted.fingerprint.is_some() {
                return None;
            }
            asserted.fingerprint = Some(fingerprint_bytes(&value)?);
        } else if key.eq_ignore_ascii_case(b"subject") {
            if asserted.subject.is_some() {
                return None;
            }
            asserted.subject = Some(value);
        } else if key.eq_ignore_ascii_case(b"uri") {
            asserted.uris.push(value);
        }
    }
    Some(asserted)
}

/// Splits outside of quotes. `None` where a quote is not closed.
fn split(text: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    let (mut begin, mut quoted, mut escaped) = (0, false, false);
    for (at, byte) in text.iter().enumerate() {
        if escaped {
            escaped = false;
        } else if quoted && *byte == b'\\' {
            escaped = true;
        } else if *byte == b'"' {
            quoted = !quoted;
        } else if *byte == separator && !quoted {
            parts.push(&text[begin..at]);
            begin = at + 1;
        }
    }
    parts.push(&text[begin..]);
    (!quoted).then_some(parts)
}

/// A value without its quotes.
fn unquote(value: &[u8]) -> Vec<u8> {
    let value = value.trim_ascii();
    let Some(inner) = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
    else {
        return value.to_vec();
    };
    let mut text = Vec::with_capacity(inner.len());
    let mut escaped = false;
    for byte in inner {
        if *byte == b'\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            text.push(*byte);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";

    #[test]
    fn an_element_is_read_from_the_end() {
        let text = format!(
            r#"By=spiffe://a;Hash={HASH};URI=spiffe://b, By=x;Subject="CN=\"q\", O=x;y,C=DE";URI=spiffe://c;URI=spiffe://d;DNS=e"#
        );
        let last = element(text.as_bytes(), 1).unwrap();
        assert_eq!(last.fingerprint, None);
        assert_eq!(last.subject.as_deref(), Some(&br#"CN="q", O=x;y,C=DE"#[..]));
        assert_eq!(last.uris, [b"spiffe://c".to_vec(), b"spiffe://d".to_vec()]);
        let first = element(text.as_bytes(), 2).unwrap();
        assert_eq!(first.fingerprint, hex::decode(HASH).ok());
        assert_eq!(element(text.as_bytes(), 3), None);
    }

    #[test]
    fn what_is_ambiguous_or_broken_is_nothing() {
        for text in [
            "Subject=\"CN=a",
            "Hash=zz",
            &format!("Hash={HASH};Hash={HASH}"),
            "Subject=a;Subject=b",
        ] {
            assert_eq!(element(text.as_bytes(), 1), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[ -~]{0,80}", from_end in 1_usize..4) {
            element(text.as_bytes(), from_end);
        }
    }
}
