//! Media of CXone, by name and by number, and what the legs of a contact are called.
//!
//! A voice contact has one leg, under the contact's own id: another agent on the line is another contact there. A *written* contact (chat,
//! e-mail, SMS, social, digital) stays one contact through the hands of several agents, and comes from two sources: as a record, and as
//! digital events about its case. So that both speak of the same legs, its wait is the leg of the contact's id, and each of its agents has
//! a leg of that id and the agent's.

use compact_str::CompactString;
use schema::LegId;

/// The words that Genesys and the rules use.
pub(crate) fn named(name: &str) -> CompactString {
    match name.to_ascii_lowercase().as_str() {
        "phone call" | "call" | "phone" => CompactString::const_new("voice"),
        "e-mail" => CompactString::const_new("email"),
        other => CompactString::new(other),
    }
}

/// The medium with this number; 2 was never seen.
pub(crate) fn numbered(number: &str) -> Option<CompactString> {
    let name = match number {
        "1" => "email",
        "3" => "chat",
        "4" => "voice",
        "5" => "voicemail",
        "6" => "workitem",
        "7" => "sms",
        "8" => "social",
        "9" => "digital",
        _ => return None,
    };
    Some(CompactString::const_new(name))
}

/// Whether a contact of this medium can pass through several agents' hands.
pub(crate) fn is_written(media: Option<&str>) -> bool {
    matches!(media, Some("email" | "chat" | "sms" | "social" | "digital"))
}

/// The leg of an agent in a written contact.
pub(crate) fn agent_leg(contact: &str, agent: &str) -> LegId {
    LegId::new(format!("{contact}:{agent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_the_words_of_the_rules() {
        for (name, expected) in [
            ("Phone Call", "voice"),
            ("Call", "voice"),
            ("E-Mail", "email"),
            ("Chat", "chat"),
            ("Voice Mail", "voice mail"),
        ] {
            assert_eq!(named(name), expected);
        }
        assert_eq!(numbered("9").as_deref(), Some("digital"));
        assert_eq!(numbered("2"), None);
        for (media, written) in [
            ("chat", true),
            ("digital", true),
            ("email", true),
            ("voice", false),
            ("voice mail", false),
            ("workitem", false),
        ] {
            assert_eq!(is_written(Some(media)), written, "{media}");
        }
        assert!(!is_written(None));
    }
}
