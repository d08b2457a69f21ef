//! The records of a page by name and beginning, for whoever counts them. The rest of each is passed over.

use super::page::{Kind, without_mark};
use crate::instant;
use schema::UtcMicros;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

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
    let body = without_mark(body);
    if body.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    within(kind, serde_json::from_slice(body)?, &mut found)?;
    Ok(found)
}

type Object<'a> = BTreeMap<String, &'a RawValue>;

fn within(kind: Kind, body: &RawValue, found: &mut Vec<Head>) -> Result<(), serde_json::Error> {
    let Ok(object) = serde_json::from_str::<Object<'_>>(body.get()) else {
        return Ok(());
    };
    if let Some(inner) = object.get("resultSet") {
        return within(kind, inner, found);
    }
    let mut listed = false;
    for member in kind.members() {
        let Some(rows) = object.get(*member) else {
            continue;
        };
        listed = true;
        let rows = entries(rows);
        for row in serde_json::from_str::<Option<Vec<&RawValue>>>(rows.get())?.unwrap_or_default() {
            if let Ok(row) = serde_json::from_str::<Object<'_>>(row.get()) {
                found.extend(head(kind, &row));
            }
        }
    }
    if !listed {
        found.extend(head(kind, &object));
    }
    Ok(())
}

fn entries(rows: &RawValue) -> &RawValue {
    #[derive(Deserialize)]
    struct Around<'a> {
        #[serde(borrow)]
        entries: &'a RawValue,
    }
    if !rows.get().starts_with('{') {
        return rows;
    }
    serde_json::from_str::<Around<'_>>(rows.get()).map_or(rows, |around| around.entries)
}

fn head(kind: Kind, row: &Object<'_>) -> Option<Head> {
    let (id, starts) = kind.identity();
    let text = |member: &str| {
        let raw = row.get(member)?.get();
        match raw.as_bytes().first()? {
            b'"' => serde_json::from_str::<String>(raw).ok(),
            // A number beyond 2^53 is taken as it is written.
            b'0'..=b'9' => Some(raw.to_owned()),
            _ => None,
        }
    };
    let id = text(id).filter(|id| !id.is_empty())?;
    let start = starts
        .iter()
        .find_map(|member| text(member))
        .and_then(|text| instant::parse(&text));
    Some(Head { id, start })
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
    }
}
