//! One page of history, looked over without taking it apart: its rows are named and passed over, a few members beside them are read.

use super::HistoryError;
use super::outline::{self, Outline};
use crate::aside::aside;
use crate::outcome::Answer;
use schema::UtcMicros;

/// What a page consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Genesys: conversations in detail.
    Conversations,
    /// Genesys: users' presence and routing status.
    Users,
    /// CXone: contacts.
    Contacts,
    /// CXone: what contacts went through.
    ContactStates,
    /// CXone: what agents went through.
    AgentStates,
}

impl Kind {
    /// The members that hold the rows. CXone's `contacts` is the same list under the name of another call.
    #[must_use]
    pub const fn members(self) -> &'static [&'static str] {
        match self {
            Self::Conversations => &["conversations"],
            Self::Users => &["userDetails"],
            Self::Contacts => &["completedContacts", "contacts"],
            Self::ContactStates => &["contactStateHistory"],
            Self::AgentStates => &["agentStateHistory"],
        }
    }

    /// The members that name a record, all of them together, and those of which one says when it began.
    pub(super) const fn identity(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Conversations => (&["conversationId"], &["conversationStart"]),
            Self::Users => (&["userId"], &[]),
            Self::Contacts => (&["contactId"], &["contactStartDate", "contactStart"]),
            Self::ContactStates => (&["contactId", "stateIndex"], &["startDate"]),
            Self::AgentStates => (
                &["agentSessionId", "agentId", "stateIndex", "startDate"],
                &["startDate"],
            ),
        }
    }
}

/// A record of a page, by name and beginning.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Head {
    /// What the platform knows it by; of a state all members that tell it from its neighbours, in one text. Empty where it has none.
    pub id: String,
    /// When it began, where it says so.
    pub start: Option<UtcMicros>,
}

/// A page of history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The answer's body as it came; empty where the platform said that there is nothing (CXone's 204).
    pub body: Vec<u8>,
    /// Its records, in their order.
    pub heads: Vec<Head>,
    /// Genesys jobs: the cursor of the next page. `None`: this was the last one.
    pub next: Option<String>,
    /// How many there are in all, as the platform has it (`totalHits`, `totalRecords`). Genesys calls its own approximate.
    pub total: Option<u64>,
    /// Whether it led to where one already is: the end as a rule (pitfall 1), or a cursor that is not what it should be.
    pub stuck: bool,
    /// Genesys jobs: nothing later is in the platform's history yet.
    pub available_to: Option<UtcMicros>,
}

impl Page {
    /// Looks a page over, aside where it is long. A list that is absent is empty, as both platforms have it.
    pub(crate) async fn read(
        answer: Answer,
        kind: Kind,
        what: &'static str,
    ) -> Result<Self, HistoryError> {
        aside(answer.body.len(), move || Self::of(answer, kind, what)).await
    }

    /// The same of what is asked for one record: it alone, or a page of it.
    pub(crate) async fn read_one(
        answer: Answer,
        kind: Kind,
        what: &'static str,
    ) -> Result<Self, HistoryError> {
        aside(answer.body.len(), move || Self::of_one(answer, kind, what)).await
    }

    /// A page as it is looked over.
    pub(crate) fn of(answer: Answer, kind: Kind, what: &'static str) -> Result<Self, HistoryError> {
        if answer.status == 204 || answer.body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let outline = outline::of(kind, &answer.body, false)
            .map_err(|problem| HistoryError::unread(what, &problem))?;
        Ok(Self::outlined(answer.body, outline))
    }

    /// One record, or a page of it.
    pub(crate) fn of_one(
        answer: Answer,
        kind: Kind,
        what: &'static str,
    ) -> Result<Self, HistoryError> {
        if answer.status == 204 || answer.body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let outline = outline::of(kind, &answer.body, true)
            .map_err(|problem| HistoryError::unread(what, &problem))?;
        Ok(Self::outlined(answer.body, outline))
    }

    fn outlined(body: Vec<u8>, outline: Outline) -> Self {
        Self {
            body,
            heads: outline.heads,
            next: outline.cursor.filter(|next| !next.is_empty()),
            stuck: false,
            total: outline.total,
            available_to: outline.available_to,
        }
    }

    /// How many records it has.
    #[must_use]
    pub const fn records(&self) -> usize {
        self.heads.len()
    }

    /// The page that the cursor `used` led to. A cursor that leads where one already is, is the end (pitfall 1).
    #[must_use]
    pub(crate) fn after(mut self, used: Option<&str>) -> Self {
        if self.next.is_some() && self.next.as_deref() == used {
            tracing::warn!("the platform gives the same cursor again: taken for the last page");
            self.next = None;
            self.stuck = true;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(kind: Kind, body: &str) -> Page {
        let answer = Answer {
            status: 200,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
            platform_now: None,
        };
        Page::of(answer, kind, "a test").unwrap()
    }

    #[test]
    fn rows_are_counted_and_what_stands_beside_them_is_read() {
        let found = page(
            Kind::Conversations,
            r#"{"conversations":[{"a":[{"conversations":[1,2,3]}]},{}],"cursor":"c2","dataAvailabilityDate":"2024-05-15T14:32:10Z"}"#,
        );
        assert_eq!(found.records(), 2);
        assert_eq!(found.next.as_deref(), Some("c2"));
        assert_eq!(
            found.available_to,
            Some(UtcMicros::from_millis(1_715_783_530_000))
        );
        let legacy = page(
            Kind::AgentStates,
            r#"{"resultSet":{"agentStateHistory":{"entries":[{},{},{}]},"totalRecords":"3"}}"#,
        );
        assert_eq!((legacy.records(), legacy.total), (3, Some(3)));
    }

    #[test]
    fn an_absent_list_is_empty_and_an_answer_that_is_none_is_an_error() {
        assert_eq!(page(Kind::Conversations, r#"{"totalHits":0}"#).records(), 0);
        assert_eq!(page(Kind::Contacts, r#"{"contacts":null}"#).records(), 0);
        assert_eq!(page(Kind::Contacts, " ").records(), 0);
        for body in [
            "{\"conversations\":[{}",
            "[]",
            "<html>",
            "{\"conversations\":7}",
        ] {
            let answer = Answer {
                status: 200,
                headers: Vec::new(),
                body: body.as_bytes().to_vec(),
                platform_now: None,
            };
            let read = Page::of(answer, Kind::Conversations, "a test");
            assert!(matches!(read, Err(HistoryError::Shape { .. })), "{body}");
        }
    }

    /// Pitfall 1: a cursor that leads to the page one is on leads nowhere.
    #[test]
    fn pitfall_1_the_cursor_just_used_is_the_end() {
        let again = r#"{"conversations":[{}],"cursor":"c2"}"#;
        let found = page(Kind::Conversations, again).after(Some("c2"));
        assert!(found.stuck);
        assert_eq!((found.records(), found.next), (1, None), "its rows count");
        let found = page(Kind::Conversations, again).after(Some("c1"));
        assert_eq!(found.next.as_deref(), Some("c2"));
    }

    #[test]
    fn records_are_named_whatever_is_around_them() {
        let ids = |kind, body: &str| {
            let heads = page(kind, body).heads.into_iter();
            heads.map(|head| head.id).collect::<Vec<_>>()
        };
        assert_eq!(
            ids(
                Kind::Contacts,
                r#"{"resultSet":{"completedContacts":[{"contactId":"1"},{"contactId":900719925474010002},{}]}}"#
            ),
            ["1", "900719925474010002", ""]
        );
        assert_eq!(
            ids(
                Kind::Contacts,
                r#"{"resultSet":{"TotalRecords":"1","completedContacts":[{"ContactId":"7"}]}}"#
            ),
            ["7"],
            "an old version's spelling"
        );
        assert_eq!(
            ids(
                Kind::AgentStates,
                r#"{"agentStateHistory":{"entries":[{"agentId":"7","stateIndex":"0"},{"agentId":7,"stateIndex":1}]}}"#
            ),
            ["|7|0|", "|7|1|"]
        );
        assert_eq!(
            ids(
                Kind::Conversations,
                r#"{"conversations":[1,"x",null,true,-2,0.5,[{"conversationId":"no"}],{"conversationId":""},{"conversationId":"yes"}]}"#
            ),
            ["", "", "", "", "", "", "", "", "yes"]
        );
        assert_eq!(ids(Kind::Conversations, "{}"), Vec::<String>::new());
        assert_eq!(ids(Kind::Conversations, ""), Vec::<String>::new());
    }

    #[test]
    fn a_record_says_when_it_began() {
        let body = r#"{"conversations":[{"conversationId":"a","conversationStart":"2024-05-15T14:32:10Z"},{"conversationId":"b"}]}"#;
        let found = page(Kind::Conversations, body).heads;
        assert_eq!(
            found[0].start,
            Some(UtcMicros::from_millis(1_715_783_530_000))
        );
        assert_eq!(found[1].start, None);
        // Of two members that may say it the newer one does, whichever comes first.
        let both = r#"{"contacts":[{"contactStart":"2024-05-15T14:32:11Z","contactId":7,"contactStartDate":"2024-05-15T14:32:10Z"}]}"#;
        let both = page(Kind::Contacts, both).heads;
        assert_eq!(both[0].start, found[0].start);
    }

    #[test]
    fn one_record_comes_alone_or_in_a_list() {
        let one = |body: &str| {
            let answer = Answer {
                status: 200,
                headers: Vec::new(),
                body: body.as_bytes().to_vec(),
                platform_now: None,
            };
            let page = Page::of_one(answer, Kind::Conversations, "a test").unwrap();
            page.heads
                .into_iter()
                .map(|head| head.id)
                .collect::<Vec<_>>()
        };
        assert_eq!(one(r#"{"conversationId":"a","participants":[]}"#), ["a"]);
        assert_eq!(one(r#"{"conversations":[{"conversationId":"a"}]}"#), ["a"]);
        assert!(one("{}").is_empty() && one("").is_empty());
    }
}
