//! What an error may repeat of what it found: never what may be somebody's name, number, address or words.
//!
//! An error travels further than the bytes: into columns for people, onto screens. What it may show is what helps to mend a sender and
//! tells of nobody: a duration, an instant, a single word. The item itself stays whole in quarantine, for those who may see it.

use std::borrow::Cow;

/// A longer word is a text.
const WORD_CHARS_MAX: usize = 64;

/// What a field's name holds where its value is about a person, in lower case: not a whole name, so that `customerName`, `wrap_up_note`
/// and `toAddr` are found.
const PERSONAL: [&str; 22] = [
    "name",
    "phone",
    "mail",
    "addr",
    "note",
    "comment",
    "remark",
    "subject",
    "message",
    "body",
    "text",
    "transcript",
    "customer",
    "caller",
    "calling",
    "called",
    "dialed",
    "dialled",
    "number",
    "identity",
    "contactpoint",
    "uri",
];

/// The same for names that are parts of too many other words.
const PERSONAL_WHOLE: [&str; 6] = ["ani", "dnis", "from", "to", "sip", "tel"];

/// What is ours in the place of a value.
const OURS: [&str; 5] = ["nothing", "a list", "an object", "true", "false"];

/// The value, where it may be repeated; else what kind of value it is.
pub(crate) fn repeatable<'v>(field: &str, value: &'v str) -> Cow<'v, str> {
    if OURS.contains(&value) {
        return Cow::Borrowed(value);
    }
    let bare = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value);
    if !is_personal(field)
        && (is_instant(bare) || is_quantity(bare) || is_word(bare) || is_marks(bare))
    {
        return Cow::Borrowed(value);
    }
    Cow::Owned(match bare.chars().count() {
        0 => "an empty text".to_owned(),
        1 => "a text of 1 character".to_owned(),
        many => format!("a text of {many} characters"),
    })
}

/// Whether the last member that the path names is about a person.
fn is_personal(field: &str) -> bool {
    let indexed = |part: &&str| !part.is_empty() && !part.bytes().all(|byte| byte.is_ascii_digit());
    let last = field.split(['.', '[', ']']).rfind(indexed);
    let last = last.unwrap_or_default().to_ascii_lowercase();
    PERSONAL.iter().any(|part| last.contains(part)) || PERSONAL_WHOLE.contains(&last.as_str())
}

/// Digits and what stands between them in an instant, a year or a day in front.
fn is_instant(text: &str) -> bool {
    let marks = |c: char| c.is_ascii_digit() || "-:./+,TZ ".contains(c);
    let lead = text.bytes().take_while(u8::is_ascii_digit).count();
    let then = text.as_bytes().get(lead).copied();
    text.len() <= 40
        && text.chars().all(marks)
        && matches!((lead, then), (4, Some(b'-')) | (1..=2, Some(b'/' | b':')))
}

/// A number of fewer digits than a telephone's, or a fraction.
fn is_quantity(text: &str) -> bool {
    let whole = text.split(['.', 'e', 'E']).next().unwrap_or_default();
    let digits = whole.bytes().filter(u8::is_ascii_digit).count();
    // Milliseconds since 1970 of these decades; no telephone number has 13 digits with a 1 in front.
    let epoch = digits == 13 && text.len() == 13 && text.starts_with('1');
    epoch || (text.parse::<f64>().is_ok() && !text.starts_with('+') && digits < 7)
}

/// One word, which is no address and not mostly digits.
fn is_word(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (1..=WORD_CHARS_MAX).contains(&text.len())
        && digits < 7
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
}

/// Nothing but marks: `{}`, `--`.
fn is_marks(text: &str) -> bool {
    (1..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_punctuation())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_and_tells_of_nobody_is_repeated() {
        for value in [
            "nothing",
            "a list",
            "\"2024-05-15T14:32:10.451\"",
            "2024-13-45 25:00:00",
            "05/35/2024",
            "14:61:00",
            "2026-05-04T15:00:02.250+0,0:00",
            "\"FROBNICATED\"",
            "-1.5e300",
            "12.5",
            "1715783530451",
            "\"{}\"",
            "-17",
            "abc",
            "Europe/Berlinn",
        ] {
            assert_eq!(repeatable("data.metrics.talk_time_ms", value), value);
        }
    }

    #[test]
    fn what_may_be_personal_is_not() {
        for value in [
            "\"+15550100123\"",
            "15550100123",
            "\"tel:+1 555 010 0123\"",
            "(555) 010-0123",
            "555-010-0123",
            "555.010.0123",
            "\"ann@example.com\"",
            "\"Ann Smith\"",
            "\"she asked to be called back\"",
            "\"Jos\u{e9}\"",
            "\"\"",
        ] {
            let shown = repeatable("timestamp", value);
            assert!(
                shown == "an empty text" || shown.starts_with("a text of "),
                "{value}: {shown}"
            );
        }
    }

    #[test]
    fn nothing_is_repeated_of_a_field_about_a_person() {
        for field in [
            "participants[0].sessions[1].ani",
            "data.customer.id",
            "customerName",
            "FROM",
            "wrap_up_note",
            "toAddr",
            "call.callingNumber",
            "participants[2].participantName",
            "emails[0]",
        ] {
            // The last member counts: an id of a customer's record is found by its value.
            let personal = is_personal(field);
            assert_eq!(personal, field != "data.customer.id", "{field}");
        }
        assert_eq!(repeatable("ani", "\"Ann\""), "a text of 3 characters");
        assert_eq!(repeatable("data.state", "\"Ann\""), "\"Ann\"");
    }
}
