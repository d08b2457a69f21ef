//! The customer's identity as a keyed hash: all that anybody downstream ever sees of it.
//!
//! The same person writes one number in many ways, so an identity is brought into one form first: [`customer_key`] gives
//! `tel:+1 (555) 010-0123` and `sip:+15550100123@host` one key. What only says that nobody is known (`anonymous`, an empty text, an
//! extension of three digits) has none: all such contacts would else be one customer's.
//!
//! A national number stays apart from the international one, because which country is meant is not written in it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use schema::CustomerKey;
use sha2::Sha256;
use std::borrow::Cow;

/// Bytes of the hash that are kept: two customers in 2^64 are needed for a chance of one mistake.
const KEPT: usize = 16;
/// A number of fewer digits is an extension or a service, not a person.
const DIGITS_MIN: usize = 4;

/// What platforms write where the caller is withheld or unknown, in lower case.
const NOBODY: [&str; 16] = [
    "anonymous",
    "unknown",
    "restricted",
    "private",
    "blocked",
    "withheld",
    "unavailable",
    "not available",
    "undefined",
    "null",
    "nil",
    "none",
    "n/a",
    "guest",
    "invalid",
    "id unavailable",
];

/// Words that follow such a name and add nothing to it.
const AFTER_NOBODY: [&str; 6] = [" caller", " number", " name", " user", " party", " id"];

/// Prefixes that say how to reach an address; the address alone is the identity.
const SCHEMES: [&str; 7] = [
    "tel:",
    "sip:",
    "sips:",
    "mailto:",
    "sms:",
    "callto:",
    "whatsapp:",
];

/// What stands between an international number and the extension behind it, or what is dialled once somebody answers.
const EXTENSIONS: [&str; 6] = ["ext", "x", "#", ",", "p", "w"];

/// The key of a customer: HMAC-SHA256 of the organisation and the identity under this secret, its first 16 bytes as 22 characters of
/// base64url. `None` where the identity names nobody.
///
/// One person has another key in every organisation and under every secret, so keys of two installations cannot be joined.
pub fn customer_key(secret: &[u8], tenant: &str, identity: &str) -> Option<CustomerKey> {
    let identity = canonical(identity)?;
    // HMAC takes a key of any length; how long it must be is for the configuration to say.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    // Length first, so that no two pairs run together to the same bytes.
    mac.update(&(tenant.len() as u64).to_be_bytes());
    mac.update(tenant.as_bytes());
    mac.update(identity.as_bytes());
    let hash = mac.finalize().into_bytes();
    let mut text = [0; 24];
    let length = URL_SAFE_NO_PAD
        .encode_slice(&hash[..KEPT], &mut text)
        .ok()?;
    std::str::from_utf8(&text[..length])
        .ok()
        .map(CustomerKey::new)
}

/// The one form of an identity: a number as `+` and digits, an address in lower case, anything else (an account, a contact's id) as it
/// is. `None` where it names nobody.
fn canonical(identity: &str) -> Option<Cow<'_, str>> {
    let mut rest = identity.trim();
    // `"Ann" <sip:ann@host>`: the name before an address is no part of it.
    if let Some((_, address)) = rest.strip_suffix('>').and_then(|it| it.rsplit_once('<')) {
        rest = address.trim();
    }
    let mut address = false;
    while let Some(scheme) = SCHEMES.iter().find(|scheme| starts_with(rest, scheme)) {
        rest = rest[scheme.len()..].trim_start();
        // What follows says where to route it or what to open it with.
        rest = rest.split([';', '?']).next().unwrap_or_default().trim_end();
        address = true;
    }
    if is_nobody(rest) {
        return None;
    }
    if let Some(number) = number(rest) {
        return plausible(number);
    }
    let Some((user, host)) = rest.rsplit_once('@') else {
        return Some(if address {
            Cow::Owned(rest.to_lowercase())
        } else {
            Cow::Borrowed(rest)
        });
    };
    if is_nobody(user) || user.is_empty() || host.is_empty() {
        return None;
    }
    // A number at a gateway is that number, whichever gateway it came through; an e-mail address of digits is an address all the same.
    if (address || user.starts_with('+'))
        && let Some(number) = number(user)
    {
        return plausible(number);
    }
    Some(Cow::Owned(rest.to_lowercase()))
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

fn is_nobody(text: &str) -> bool {
    let text = text.trim_matches(|c: char| c.is_whitespace() || "+\"'()[]".contains(c));
    if text.is_empty() {
        return true;
    }
    // Longer than any of them: nothing to fold the case of.
    if text.len() > 32 {
        return false;
    }
    let text = text.to_ascii_lowercase();
    let bare = AFTER_NOBODY
        .iter()
        .find_map(|word| text.strip_suffix(word))
        .unwrap_or(&text);
    NOBODY.contains(&bare) || NOBODY.contains(&text.as_str())
}

/// A telephone number with nothing but its digits and the plus in front; `None` for what is no number.
fn number(text: &str) -> Option<String> {
    let text = match text.get(..3) {
        // A plus as addresses in a URL have to write it.
        Some(head) if head.eq_ignore_ascii_case("%2b") => Cow::Owned(format!("+{}", &text[3..])),
        _ => Cow::Borrowed(text),
    };
    let text = without_extension(&text);
    let mut digits = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '+' if digits.is_empty() => digits.push(c),
            // Marks of direction come along when a number is copied from a page.
            '-'
            | '.'
            | '('
            | ')'
            | '/'
            | '\u{2010}'..='\u{2015}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' => {}
            _ if c.is_whitespace() => {}
            _ => return None,
        }
    }
    digits
        .contains(|c: char| c.is_ascii_digit())
        .then_some(digits)
}

/// The number that is reached, whoever answers there: of an international one only, because an account may look like the rest.
fn without_extension(text: &str) -> &str {
    if !text.trim_start().starts_with('+') {
        return text;
    }
    let end = EXTENSIONS
        .iter()
        .filter_map(|mark| {
            text.char_indices()
                .find(|(at, _)| starts_with(&text[*at..], mark))
                .map(|(at, _)| at)
        })
        .min();
    text.get(..end.unwrap_or(text.len())).unwrap_or(text)
}

fn plausible(number: String) -> Option<Cow<'static, str>> {
    let digits = number.trim_start_matches('+');
    // Nothing but zeros stands for a number that was not sent.
    let placeholder = digits.bytes().all(|digit| digit == b'0');
    (digits.len() >= DIGITS_MIN && !placeholder).then_some(Cow::Owned(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &[u8] = b"a secret of sixteen bytes or more";

    fn key(identity: &str) -> Option<CustomerKey> {
        customer_key(SECRET, "acme", identity)
    }

    #[test]
    fn one_number_has_one_key_however_it_is_written() {
        let expected = key("+15550100123").unwrap();
        for text in [
            "tel:+1 (555) 010-0123",
            "TEL:+15550100123;ext=7",
            " +1.555.010.0123 ",
            "sip:+15550100123@gateway.example;transport=tcp",
            "\"Ann\" <sip:+15550100123@other.example>",
            "sip:%2B15550100123@gateway.example",
            "+1\u{a0}555\u{2011}010\u{2011}0123",
            "\u{202a}+1 555 010 0123\u{202c}",
            "+15550100123@gateway.example",
            "sms:+15550100123?body=hello",
            "whatsapp:+15550100123",
            "callto:+1-555-010-0123",
            "+1 555 010 0123 ext. 7",
            "+1 (555) 010-0123 x7",
            "+15550100123#7",
            "+15550100123,,7",
            "sips:+15550100123@gateway.example:5061;user=phone",
        ] {
            assert_eq!(key(text).as_ref(), Some(&expected), "{text}");
        }
        for other in ["+15550100124", "15550100123", "5550100123", "0015550100123"] {
            assert_ne!(key(other).as_ref(), Some(&expected), "{other}");
        }
    }

    #[test]
    fn an_address_is_read_without_case_and_an_account_with_it() {
        assert_eq!(
            key("Ann@Example.com"),
            key("mailto:ann@example.COM?subject=x")
        );
        assert_eq!(key("Ann B <ann@example.com>"), key("ann@example.com"));
        assert_ne!(key("12345@example.com"), key("12345"));
        assert_ne!(key("Account-a"), key("account-a"));
        assert_eq!(key(" Account-a\n"), key("Account-a"));
    }

    #[test]
    fn nobody_has_no_key() {
        for text in [
            "",
            " \t",
            "+",
            "()",
            "tel:",
            "sip:",
            "anonymous",
            "Anonymous",
            "ANONYMOUS caller",
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>",
            "sip:unknown@unknown.invalid",
            "tel:anonymous",
            "Unknown",
            "unknown number",
            "Restricted",
            "Private Number",
            "blocked",
            "Unavailable",
            "Not Available",
            "withheld",
            "null",
            "none",
            "N/A",
            "ID unavailable",
            "tel:+0000000000",
            "0000",
            "123",
            "tel:+911",
            "+1-2",
            "@example.com",
            "ann@",
        ] {
            assert_eq!(key(text), None, "{text:?}");
        }
        for text in [
            "1234",
            "a1",
            "nobody-7",
            "private.person@example.com",
            "unknown-7f",
        ] {
            assert!(key(text).is_some(), "{text:?}");
        }
    }

    #[test]
    fn a_key_is_of_one_secret_and_one_organisation() {
        let ours = key("+15550100123").unwrap();
        assert_ne!(
            customer_key(b"another secret", "acme", "+15550100123"),
            Some(ours.clone())
        );
        assert_ne!(
            customer_key(SECRET, "other", "+15550100123"),
            Some(ours.clone())
        );
        // The border between organisation and identity is part of it.
        assert_ne!(
            customer_key(SECRET, "acme+1", "5550100123"),
            Some(ours.clone())
        );
        assert_eq!(ours.as_str().len(), 22);
        assert!(
            ours.as_str()
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        );
    }

    #[test]
    fn the_key_is_the_first_half_of_the_hmac() {
        // Computed with another implementation (Python's hmac over the same bytes).
        assert_eq!(
            customer_key(b"0123456789abcdef", "acme", "tel:+1 (555) 010-0123")
                .unwrap()
                .as_str(),
            "eIAIztD0Ro4ta78Cc0QAIQ"
        );
    }

    proptest! {
        #[test]
        fn any_text_has_a_key_or_none_and_its_own_form_has_the_same(text in ".{0,60}") {
            if let Some(form) = canonical(&text) {
                prop_assert_eq!(key(&form), key(&text));
            }
        }

        #[test]
        fn separators_in_a_number_change_nothing(
            digits in "[1-9][0-9]{4,14}",
            at in 1_usize..5,
            separator in "[ ()./-]{1,3}",
        ) {
            let (head, tail) = digits.split_at(at);
            let spaced = format!("+{head}{separator}{tail}");
            prop_assert_eq!(key(&spaced), key(&format!("+{digits}")));
        }
    }
}
