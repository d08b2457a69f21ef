//! Envoy's `x-forwarded-client-cert`: elements separated by commas, one a proxy in the order of the way; within one, `Key=value` pairs
//! separated by semicolons; values in double quotes where they hold such characters, with quotes inside escaped by a backslash.
//!
//! A client may have written what stands before the proxy's own element. So quotes are read strictly: one opens right after `=`, and
//! where it closes the value ends. Then a client that leaves a quote open has the proxy's first quote close it in the middle of
//! something, and not the proxy's element inside his own.

use super::fingerprint_bytes;
use std::borrow::Cow;

/// What is said of a certificate.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Asserted {
    pub(super) fingerprint: Option<Vec<u8>>,
    pub(super) subject: Option<Vec<u8>>,
    pub(super) uris: Vec<Vec<u8>>,
}

/// A key and its value.
type Pair<'t> = (&'t [u8], Cow<'t, [u8]>);

/// The element so many from the end. `None` when there is none, or the text is none of these.
pub(super) fn element(text: &[u8], from_end: usize) -> Option<Asserted> {
    let elements = elements(text)?;
    let at = elements.len().checked_sub(from_end)?;
    let mut asserted = Asserted::default();
    for (key, value) in elements.get(at)? {
        if value.is_empty() {
            continue;
        }
        // Of two hashes or subjects in one element, nobody could say which is meant.
        if key.eq_ignore_ascii_case(b"hash") {
            if asserted.fingerprint.is_some() {
                return None;
            }
            asserted.fingerprint = Some(fingerprint_bytes(value)?);
        } else if key.eq_ignore_ascii_case(b"subject") {
            if asserted.subject.is_some() {
                return None;
            }
            asserted.subject = Some(value.to_vec());
        } else if key.eq_ignore_ascii_case(b"uri") {
            asserted.uris.push(value.to_vec());
        }
    }
    Some(asserted)
}

/// All elements. `None` where a quote stands anywhere but around a whole value.
fn elements(text: &[u8]) -> Option<Vec<Vec<Pair<'_>>>> {
    let mut elements = vec![Vec::new()];
    let mut rest = text;
    loop {
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'=' | b';' | b',' | b'"'));
        let (key, found) = match end {
            Some(end) => (rest[..end].trim_ascii(), rest[end]),
            None => (rest.trim_ascii(), b';'),
        };
        rest = end.map_or(&[][..], |end| &rest[end..]);
        if found == b'"' {
            return None;
        }
        if found == b'=' {
            let (value, behind) = match &rest[1..] {
                [b'"', quoted @ ..] => unquote(quoted)?,
                plain => {
                    let end = plain.iter().position(|byte| matches!(byte, b';' | b','));
                    let (value, behind) = plain.split_at(end.unwrap_or(plain.len()));
                    if value.contains(&b'"') {
                        return None;
                    }
                    (Cow::Borrowed(value.trim_ascii()), behind)
                }
            };
            elements.last_mut()?.push((key, value));
            rest = behind;
        }
        match rest {
            [] => return Some(elements),
            [b',', behind @ ..] => {
                elements.push(Vec::new());
                rest = behind;
            }
            [b';', behind @ ..] => rest = behind,
            _ => return None, // something behind a closing quote
        }
    }
}

/// The value behind an opening quote, and what is behind the closing one.
fn unquote(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut value = Vec::new();
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((Cow::Owned(value), &text[at + 1..])),
            b'\\' => value.push(*bytes.next()?.1),
            byte => value.push(*byte),
        }
    }
    None
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

    /// A client wrote everything up to the comma, the proxy the rest.
    #[test]
    fn an_open_quote_of_the_client_does_not_take_the_proxys_element_in() {
        let proxys = format!(
            r#"By=spiffe://edge;Hash={};Subject="CN=\"q\"""#,
            "0".repeat(64)
        );
        for client in [
            format!("Hash={HASH};Subject=\""),
            format!("Hash={HASH};Subject=\"\\"),
            format!("Hash={HASH};Subject=x\""),
            format!("Hash={HASH};\""),
            format!("Hash={HASH};Subject= \""),
            format!("Hash={HASH};Subject=\"\" \""),
        ] {
            for proxys in [
                proxys.as_str(),
                "Subject=\"\";URI=a",
                "By=a;Cert=\"-----BEGIN%20\";Subject=\"CN=a\"",
                "By=a",
            ] {
                let text = format!("{client},{proxys}");
                assert_eq!(element(text.as_bytes(), 1), None, "{text}");
            }
        }
        // The same without an open quote: the last element is the proxy's.
        let text = format!("Hash={HASH};Subject=\"a,b\",{proxys}");
        let last = element(text.as_bytes(), 1).unwrap();
        assert_eq!(last.subject.as_deref(), Some(&br#"CN="q""#[..]));
        assert_ne!(last.fingerprint, hex::decode(HASH).ok());
    }

    proptest! {
        /// Whatever a client writes before it, the proxy's element is read as it is, or nothing is.
        #[test]
        fn what_stands_before_changes_nothing(client in r#"[=;,\\" a]{0,12}"#) {
            let proxys = br#"By=a;Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688;Subject="CN=\"q\",O=x";URI=u"#;
            let text = [client.as_bytes(), b",", proxys].concat();
            if let Some(found) = element(&text, 1) {
                prop_assert_eq!(Some(found), element(proxys, 1));
            }
        }

        #[test]
        fn no_text_panics(text in "[ -~]{0,80}", from_end in 1_usize..4) {
            element(text.as_bytes(), from_end);
        }
    }
}
