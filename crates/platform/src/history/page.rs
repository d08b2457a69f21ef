//! One page of history, looked over without taking it apart: rows are counted and passed over, a few members beside them are read.

use crate::instant;
use crate::outcome::Answer;
use schema::UtcMicros;
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

use super::HistoryError;

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

    /// The member that names a record, and the one that says when it began.
    pub(super) const fn identity(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Conversations => ("conversationId", &["conversationStart"]),
            Self::Users => ("userId", &[]),
            Self::Contacts => ("contactId", &["contactStartDate", "contactStart"]),
            Self::ContactStates => ("contactId", &["startDate"]),
            Self::AgentStates => ("agentId", &["startDate"]),
        }
    }
}

/// A page of history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The answer's body as it came; empty where the platform said that there is nothing (CXone's 204).
    pub body: Vec<u8>,
    /// How many records it has.
    pub records: usize,
    /// Where the next page is: a cursor (Genesys jobs) or a link (CXone). `None`: this was the last one.
    pub next: Option<String>,
    /// How many there are in all, as the platform has it (`totalHits`, `totalRecords`). Genesys calls its own approximate.
    pub total: Option<u64>,
    /// Genesys jobs: nothing later is in the platform's history yet.
    pub available_to: Option<UtcMicros>,
    /// CXone: what the platform wants to be asked from the next time (`lastPollTime`).
    pub polled_at: Option<UtcMicros>,
}

impl Page {
    /// Looks a page over. A list that is absent is empty, as both platforms have it.
    pub(crate) fn of(answer: Answer, kind: Kind, what: &'static str) -> Result<Self, HistoryError> {
        if answer.status == 204 || answer.body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let mut outline = Outline::default();
        let mut reader = serde_json::Deserializer::from_slice(without_mark(&answer.body));
        Within {
            members: kind.members(),
            outline: &mut outline,
        }
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|problem| HistoryError::unread(what, &problem))?;
        Ok(Self {
            body: answer.body,
            records: outline.records,
            next: outline
                .cursor
                .or(outline.link)
                .filter(|next| !next.is_empty()),
            total: outline.total,
            available_to: outline.available_to,
            polled_at: outline.polled_at,
        })
    }

    /// A page of which each body is one record.
    pub(crate) fn of_one(answer: Answer, what: &'static str) -> Result<Self, HistoryError> {
        if answer.status == 204 || answer.body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice::<IgnoredAny>(without_mark(&answer.body))
            .map_err(|problem| HistoryError::unread(what, &problem))?;
        Ok(Self {
            body: answer.body,
            records: 1,
            ..Self::default()
        })
    }

    /// The page after the one that `used` led to. A link that leads where one already is, is the end (pitfall 1).
    #[must_use]
    pub(crate) fn after(mut self, used: Option<&str>) -> Self {
        if self.next.is_some() && self.next.as_deref() == used {
            tracing::warn!("the platform gives the same cursor again: taken for the last page");
            self.next = None;
        }
        self
    }
}

/// Without the byte order mark that some writers put before JSON.
pub(super) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

#[derive(Debug, Default)]
struct Outline {
    records: usize,
    cursor: Option<String>,
    link: Option<String>,
    total: Option<u64>,
    available_to: Option<UtcMicros>,
    polled_at: Option<UtcMicros>,
}

/// The object around the rows.
struct Within<'a> {
    members: &'static [&'static str],
    outline: &'a mut Outline,
}

impl<'de> DeserializeSeed<'de> for Within<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Within<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {}", self.members.join(" or "))
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                name if self.members.contains(&name) => {
                    self.outline.records += map.next_value_seed(Rows)?;
                }
                // CXone before v18.
                "resultSet" => map.next_value_seed(Within {
                    members: self.members,
                    outline: self.outline,
                })?,
                "cursor" => self.outline.cursor = map.next_value()?,
                "_links" => {
                    self.outline.link = map
                        .next_value::<Option<Links>>()?
                        .and_then(|links| links.next);
                }
                "totalHits" | "totalRecords" => {
                    self.outline.total = map.next_value::<Option<Number>>()?.and_then(Number::get);
                }
                "dataAvailabilityDate" => self.outline.available_to = moment(&mut map)?,
                "lastPollTime" => self.outline.polled_at = moment(&mut map)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// An instant that is none is none: the page is good all the same.
fn moment<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<UtcMicros>, A::Error> {
    let text = map.next_value::<Option<String>>()?;
    Ok(text.as_deref().and_then(instant::parse))
}

#[derive(serde::Deserialize)]
struct Links {
    next: Option<String>,
}

/// A number, or a number in quotes (CXone before v21).
#[derive(serde::Deserialize)]
#[serde(untagged)]
pub(super) enum Number {
    Whole(u64),
    Text(String),
    Other(IgnoredAny),
}

impl Number {
    pub(super) fn get(self) -> Option<u64> {
        match self {
            Self::Whole(number) => Some(number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Other(_) => None,
        }
    }
}

/// Counts the elements of a list; of an object around the list (`entries`, CXone v3), those within.
struct Rows;

impl<'de> DeserializeSeed<'de> for Rows {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_unit<E>(self) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while rows.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while let Some(name) = map.next_key::<String>()? {
            if name == "entries" {
                count += map.next_value_seed(Rows)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(count)
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
        };
        Page::of(answer, kind, "a test").unwrap()
    }

    #[test]
    fn rows_are_counted_and_what_stands_beside_them_is_read() {
        let found = page(
            Kind::Conversations,
            r#"{"conversations":[{"a":[{"conversations":[1,2,3]}]},{}],"cursor":"c2","dataAvailabilityDate":"2024-05-15T14:32:10Z"}"#,
        );
        assert_eq!(found.records, 2);
        assert_eq!(found.next.as_deref(), Some("c2"));
        assert_eq!(
            found.available_to,
            Some(UtcMicros::from_millis(1_715_783_530_000))
        );
        let legacy = page(
            Kind::AgentStates,
            r#"{"resultSet":{"agentStateHistory":{"entries":[{},{},{}]},"totalRecords":"3"}}"#,
        );
        assert_eq!((legacy.records, legacy.total), (3, Some(3)));
    }

    #[test]
    fn an_absent_list_is_empty_and_an_answer_that_is_none_is_an_error() {
        assert_eq!(page(Kind::Conversations, r#"{"totalHits":0}"#).records, 0);
        assert_eq!(page(Kind::Contacts, r#"{"contacts":null}"#).records, 0);
        assert_eq!(page(Kind::Contacts, " ").records, 0);
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
            };
            let read = Page::of(answer, Kind::Conversations, "a test");
            assert!(matches!(read, Err(HistoryError::Shape { .. })), "{body}");
        }
    }

    /// Pitfall 1: a link that leads to the page one is on leads nowhere.
    #[test]
    fn pitfall_1_the_cursor_just_used_is_the_end() {
        let again = r#"{"conversations":[{}],"cursor":"c2"}"#;
        let found = page(Kind::Conversations, again).after(Some("c2"));
        assert_eq!((found.records, found.next), (1, None), "its rows count");
        let found = page(Kind::Conversations, again).after(Some("c1"));
        assert_eq!(found.next.as_deref(), Some("c2"));
    }
}
