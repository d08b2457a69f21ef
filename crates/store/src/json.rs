//! What JSONB cannot hold, replaced before it is sent.

use std::borrow::Cow;

const MARK: &str = "\\ufffd";

/// The JSON text with escaped U+0000 and escaped surrogates without a partner replaced by U+FFFD.
///
/// Works on escapes only, so a string that literally spells backslash-u0000 (written with two backslashes) is left alone. A raw U+0000
/// outside an escape is no valid JSON and is left for the server to refuse.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let mut clean: Option<String> = None;
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        let start = at + found;
        let (length, bad) = escape(text, start);
        if bad {
            let out = clean.get_or_insert_with(|| String::with_capacity(text.len()));
            out.push_str(text.get(copied..start).unwrap_or_default());
            out.push_str(MARK);
            copied = start + length;
        }
        at = start + length;
    }
    match clean {
        None => Cow::Borrowed(text),
        Some(mut out) => {
            out.push_str(text.get(copied..).unwrap_or_default());
            Cow::Owned(out)
        }
    }
}

/// The length of the escape at `start` (a valid surrogate pair counts as one), and whether JSONB refuses it.
fn escape(text: &str, start: usize) -> (usize, bool) {
    let Some(unit) = unit(text, start) else {
        // A short escape: the backslash and one character of any width.
        let width = text
            .get(start + 1..)
            .and_then(|rest| rest.chars().next())
            .map_or(0, char::len_utf8);
        return (1 + width, false);
    };
    match unit {
        0 | 0xDC00..=0xDFFF => (6, true),
        0xD800..=0xDBFF => match self::unit(text, start + 6) {
            Some(0xDC00..=0xDFFF) => (12, false),
            _ => (6, true),
        },
        _ => (6, false),
    }
}

/// The UTF-16 unit that a `\uXXXX` at `start` spells.
fn unit(text: &str, start: usize) -> Option<u32> {
    let digits = text.get(start..start + 6)?.strip_prefix("\\u")?;
    u32::from_str_radix(digits, 16).ok()
}

/// Text for people with U+0000 replaced.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::storable;

    #[test]
    fn only_what_jsonb_refuses_is_replaced() {
        let cases = [
            (r#"{"a":"x"}"#, r#"{"a":"x"}"#),
            (r#"{"a\u0000":"\u0000b"}"#, r#"{"a\ufffd":"\ufffdb"}"#),
            (r#""literal \\u0000 stays""#, r#""literal \\u0000 stays""#),
            (r#""three \\\u0000""#, r#""three \\\ufffd""#),
            (r#""pair \ud83d\ude00""#, r#""pair \ud83d\ude00""#),
            (r#""high \ud83d alone""#, r#""high \ufffd alone""#),
            (r#""high \ud83d\u0041""#, r#""high \ufffd\u0041""#),
            (r#""low \ude00""#, r#""low \ufffd""#),
            (r#""short \n\"\u00e9 é""#, r#""short \n\"\u00e9 é""#),
            (r#""cut \u00"#, r#""cut \u00"#),
            (r#""\é\u0000"#, r#""\é\ufffd"#),
            ("\\u", "\\u"),
        ];
        for (given, wanted) in cases {
            assert_eq!(storable(given), wanted);
        }
    }
}
