//! What a platform says, fit to be kept in logs: without secrets, without personal data, and no longer than somebody reads. Pure.
//!
//! An answer may repeat what it was sent, and more: the address of an agent it does not know, the token it did not like. Structure tells
//! most (the members of JSON have names), patterns the rest. A name in the middle of a sentence is beyond both.

use serde_json::{Map, Value};

/// Characters of an answer's body that are kept.
pub const BODY_MAX: usize = 2_000;
/// Items of a list that are kept: of ten thousand results the first few and how many there were say enough.
const ITEMS_MAX: usize = 5;
/// Characters of one text inside a body that are kept.
const TEXT_MAX: usize = 300;
/// Digits behind a plus sign from which on they are taken for a telephone number.
const PHONE_DIGITS_MIN: usize = 7;

const SECRET: &str = "[secret]";
const PERSONAL: &str = "[personal]";

/// Parts of the names of members, in lower case, whose values are secrets.
const SECRET_NAMES: [&str; 8] = [
    "token",
    "secret",
    "password",
    "authorization",
    "api_key",
    "apikey",
    "signature",
    "cookie",
];
/// The same inside plain text, where a shorter name might be an ordinary word.
const SECRET_WORDS: [&str; 7] = [
    "access_token",
    "refresh_token",
    "client_secret",
    "password",
    "authorization",
    "api_key",
    "apikey",
];
/// Parts of the names of members, in lower case, whose texts say who somebody is or how to reach them.
const PERSONAL_PARTS: [&str; 10] = [
    "email",
    "e_mail",
    "phone",
    "address",
    "firstname",
    "first_name",
    "lastname",
    "last_name",
    "username",
    "user_name",
];
/// Whole names of such members.
const PERSONAL_NAMES: [&str; 10] = [
    "name",
    "displayname",
    "display_name",
    "ani",
    "dnis",
    "from",
    "to",
    "mail",
    "participantname",
    "customername",
];

/// A text without e-mail addresses, telephone numbers, addresses of lines and secrets.
#[must_use]
pub fn text(text: &str) -> String {
    let text = without_phones(text);
    let mut out = String::with_capacity(text.len());
    let mut after = After::Nothing;
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let separators = rest.find(|c| !is_separator(c)).unwrap_or(rest.len());
        let (between, tail) = rest.split_at(separators);
        out.push_str(between);
        let end = tail.find(is_separator).unwrap_or(tail.len());
        let (word, tail) = tail.split_at(end);
        if !word.is_empty() {
            let (shown, next) = shown(word, after);
            out.push_str(&shown);
            after = next;
        }
        rest = tail;
    }
    out
}

/// The body of an answer: members whose names say that they hold secrets or personal data without their values, long lists cut, and all
/// of it at most [`BODY_MAX`] characters.
#[must_use]
pub fn body(bytes: &[u8]) -> String {
    let shown = match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => redacted(value).to_string(),
        Err(_) => text(&printable(String::from_utf8_lossy(bytes).trim())),
    };
    cut(&shown, BODY_MAX)
}

/// What the word before says about the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Nothing,
    /// The name of a secret; it follows if a colon or an equals sign does.
    Name,
    /// The next word is a secret.
    Secret,
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || "\"'<>()[]{},;".contains(c)
}

fn shown(word: &str, after: After) -> (String, After) {
    let lower = word.to_ascii_lowercase();
    if matches!(lower.as_str(), "bearer" | "basic") && (after == After::Secret || lower == "bearer")
    {
        return (word.to_owned(), After::Secret);
    }
    if after == After::Secret {
        return (SECRET.to_owned(), After::Nothing);
    }
    if matches!(word, ":" | "=") && after == After::Name {
        return (word.to_owned(), After::Secret);
    }
    if let Some(at) = lower.find([':', '='])
        && SECRET_WORDS.iter().any(|name| lower[..at].contains(name))
    {
        // Lower case of ASCII letters changes no position.
        let (name, value) = word.split_at(at + 1);
        return match value {
            "" => (word.to_owned(), After::Secret),
            _ => (format!("{name}{SECRET}"), After::Nothing),
        };
    }
    if SECRET_WORDS.iter().any(|name| lower.contains(name)) {
        return (word.to_owned(), After::Name);
    }
    let shown = if is_mail(word) {
        "[e-mail]"
    } else if ["tel:", "sip:", "sips:"]
        .iter()
        .any(|scheme| lower.starts_with(scheme))
    {
        "[address]"
    } else if word.starts_with("eyJ") && word.len() >= 20 {
        SECRET
    } else {
        word
    };
    (shown.to_owned(), After::Nothing)
}

fn is_mail(word: &str) -> bool {
    word.split_once('@').is_some_and(|(who, host)| {
        !who.is_empty() && host.trim_end_matches(['.', ':', '!', '?']).contains('.')
    })
}

/// Telephone numbers as they are written internationally: a plus sign and at least seven digits, with what people write between them.
fn without_phones(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(plus) = rest.find('+') {
        let (before, tail) = rest.split_at(plus);
        out.push_str(before);
        let written = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')');
        let end = tail[1..]
            .find(|c| !written(c))
            .map_or(tail.len(), |end| end + 1);
        // Up to the last digit: the blank behind belongs to the sentence.
        let end = tail[..end].rfind(|c: char| c.is_ascii_digit());
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).count();
        match end {
            Some(last) if digits(&tail[..=last]) >= PHONE_DIGITS_MIN => {
                out.push_str("[phone]");
                rest = &tail[last + 1..];
            }
            _ => {
                out.push('+');
                rest = &tail[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn redacted(value: Value) -> Value {
    match value {
        Value::String(words) => Value::String(cut(&text(&printable(&words)), TEXT_MAX)),
        Value::Array(items) => {
            let more = items.len().saturating_sub(ITEMS_MAX);
            let mut kept: Vec<Value> = items.into_iter().take(ITEMS_MAX).map(redacted).collect();
            if more > 0 {
                kept.push(Value::String(format!("… and {more} more")));
            }
            Value::Array(kept)
        }
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| {
                    let value = member(&name, value);
                    (cut(&text(&printable(&name)), TEXT_MAX), value)
                })
                .collect::<Map<_, _>>(),
        ),
        plain => plain,
    }
}

fn member(name: &str, value: Value) -> Value {
    let name = name.to_ascii_lowercase();
    let is_plain = value.is_string() || value.is_number();
    if is_plain && SECRET_NAMES.iter().any(|part| name.contains(part)) {
        Value::String(SECRET.to_owned())
    } else if is_plain
        && (PERSONAL_NAMES.contains(&name.as_str())
            || PERSONAL_PARTS.iter().any(|part| name.contains(part)))
    {
        Value::String(PERSONAL.to_owned())
    } else {
        redacted(value)
    }
}

fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn addresses_numbers_and_secrets_are_taken_out_of_a_sentence() {
        for (said, kept) in [
            (
                "user jo.doe+x@example.com is unknown",
                "user [e-mail] is unknown",
            ),
            (
                "<jo@example.com>, <al@example.org>.",
                "<[e-mail]>, <[e-mail]>.",
            ),
            ("call +49 (30) 123-4567 now", "call [phone] now"),
            (
                "no line tel:4711 or sip:jo@pbx",
                "no line [address] or [address]",
            ),
            (
                "the header Authorization: Bearer abc.def is bad",
                "the header Authorization: Bearer [secret] is bad",
            ),
            (
                "{\"access_token\":\"abc\",\"x\":1",
                "{\"access_token\":\"[secret]\",\"x\":1",
            ),
            ("?client_secret=abc&x", "?client_secret=[secret]"),
            ("Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", "Bearer [secret]"),
            ("was eyJhbGciOiJIUzI1NiJ9.e30.x", "was [secret]"),
        ] {
            assert_eq!(text(said), kept);
        }
    }

    #[test]
    fn what_an_operator_needs_stays() {
        for said in [
            "HTTP 400: invalid.value: metric \"aht\" of 7f0c1b7e-aa11-4a31-8c2e-9d1e0c0f7a51 has no unit",
            "2024-05-15T14:32:10+02:00 is before the limit of +5 days",
            "Rate limit exceeded. Retry the request in [42] seconds",
            "invalid token, ask for another",
            "a+b @ 3",
            "",
        ] {
            assert_eq!(text(said), said);
        }
    }

    #[test]
    fn members_are_judged_by_their_names_and_lists_are_cut() {
        let items: Vec<_> = (0..100)
            .map(|n| json!({"userEmail": "a@b.c", "value": n}))
            .collect();
        let said = json!({
            "processedEntities": items, "access_token": "abc", "code": "bad.request", "user": {"displayName": "Jo Doe", "id": "u1"},
            "message": "no user a@b.c", "dnis": 4711, "metricName": "handle_time",
        });
        let kept: Value = serde_json::from_str(&body(said.to_string().as_bytes())).unwrap();
        assert_eq!(
            kept["processedEntities"],
            json!([
                {"userEmail": PERSONAL, "value": 0}, {"userEmail": PERSONAL, "value": 1}, {"userEmail": PERSONAL, "value": 2},
                {"userEmail": PERSONAL, "value": 3}, {"userEmail": PERSONAL, "value": 4}, "… and 95 more"
            ])
        );
        assert_eq!(kept["access_token"], SECRET);
        assert_eq!(kept["user"], json!({"displayName": PERSONAL, "id": "u1"}));
        assert_eq!(kept["message"], "no user [e-mail]");
        assert_eq!(kept["dnis"], PERSONAL);
        assert_eq!(kept["code"], "bad.request");
        assert_eq!(kept["metricName"], "handle_time");
    }

    #[test]
    fn a_page_of_a_proxy_is_cut() {
        let page = format!("<html>\n{}</html>", "x".repeat(10_000));
        let kept = body(page.as_bytes());
        assert!(kept.starts_with("<html> xx") && kept.ends_with('…'));
        assert_eq!(kept.chars().count(), BODY_MAX + 1);
    }

    proptest! {
        #[test]
        fn no_address_survives_wherever_it_stands(before in "[a-z \"<(:+0-9]{0,20}", after in "[a-z \">),.!]{0,20}") {
            let said = format!("{before} jo.doe@example.com {after}");
            prop_assert!(!text(&said).contains("example.com"), "{}", text(&said));
            let said = json!({"a": [{"b": said}]}).to_string();
            prop_assert!(!body(said.as_bytes()).contains("example.com"));
        }

        #[test]
        fn whatever_is_said_it_is_bounded_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3_000), words in "\\PC{0,200}") {
            prop_assert!(body(&bytes).chars().count() <= BODY_MAX + 1);
            drop(text(&words));
        }
    }
}
