//! The records of a page by name and beginning, for whoever counts them. The rest of each is passed over.

use super::outline;
use super::page::Kind;
use schema::UtcMicros;

/// A record of a page.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Head {
    /// The platform's id of it.
    pub id: String,
    /// When it began, where it says so.
    pub start: Option<UtcMicros>,
}

/// The records of a page (as [`super::Page::body`] has it), or of a bare record. What has no id is left out.
pub fn heads(kind: Kind, body: &[u8]) -> Result<Vec<Head>, serde_json::Error> {
    if body.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    Ok(outline::of(kind, body, true)?.heads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_named_whatever_is_around_them() {
        let ids = |kind, body: &str| {
            heads(kind, body.as_bytes())
                .unwrap()
                .into_iter()
                .map(|head| head.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            ids(
                Kind::Contacts,
                r#"{"resultSet":{"completedContacts":[{"contactId":"1"},{"contactId":900719925474010002},{}]}}"#
            ),
            ["1", "900719925474010002"]
        );
        assert_eq!(
            ids(
                Kind::Conversations,
                r#"{"conversationId":"a","participants":[]}"#
            ),
            ["a"]
        );
        assert_eq!(
            ids(
                Kind::AgentStates,
                r#"{"agentStateHistory":{"entries":[{"agentId":"7"}]}}"#
            ),
            ["7"]
        );
        assert_eq!(
            ids(
                Kind::Conversations,
                r#"{"conversations":[1,"x",null,true,-2,0.5,[{"conversationId":"no"}],{"conversationId":""},{"conversationId":"yes"}]}"#
            ),
            ["yes"]
        );
        assert_eq!(ids(Kind::Conversations, "{}"), Vec::<String>::new());
        assert_eq!(ids(Kind::Conversations, ""), Vec::<String>::new());
    }

    #[test]
    fn a_record_says_when_it_began() {
        let body = r#"{"conversations":[{"conversationId":"a","conversationStart":"2024-05-15T14:32:10Z"},{"conversationId":"b"}]}"#;
        let found = heads(Kind::Conversations, body.as_bytes()).unwrap();
        assert_eq!(
            found[0].start,
            Some(UtcMicros::from_millis(1_715_783_530_000))
        );
        assert_eq!(found[1].start, None);
        // Of two members that may say it the newer one does, whichever comes first.
        let both = br#"{"contacts":[{"contactStart":"2024-05-15T14:32:11Z","contactId":7,"contactStartDate":"2024-05-15T14:32:10Z"}]}"#;
        let both = heads(Kind::Contacts, both).unwrap();
        assert_eq!(both[0].start, found[0].start);
    }
}
