//! CXone rows: completed contacts, the states of contacts, the states of agents.
//!
//! Rows come by offset from a stretch that is closed, and in an order that stays; what a stretch has more of than one page is asked for in
//! smaller stretches where the platform says how many there are. Whether the end of a range belongs to it differs, which does not
//! matter: a row that comes twice is one.

use super::parts::{Part, after, until};
use super::walk::{After, Met, Walk};
use super::{Ask, Fault, Page, Step};
use crate::platforms::{CxoneSettings, Kind};
use adapter::instant;
use schema::BodyFormat;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What distinguishes one kind of rows from the others.
#[derive(Debug)]
pub(super) struct Rows {
    path: &'static str,
    route: &'static str,
    /// The names that the list of rows may have.
    lists: &'static [&'static str],
    /// What a row is known by, all of it together.
    key: &'static [&'static str],
    /// When what a row is about began; spelt differently by the versions.
    begun: &'static [&'static str],
    order: Option<&'static str>,
    /// Whether a row is a record that begins once, and so can be counted.
    counted: bool,
    format: BodyFormat,
}

/// Contacts that have ended.
pub(super) static CONTACTS: Rows = Rows {
    path: "contacts/completed",
    route: "contacts-completed",
    lists: &["completedContacts", "contacts"],
    key: &["contactId"],
    begun: &["contactStartDate", "contactStart"],
    order: Some("contactId"),
    counted: true,
    format: BodyFormat::CxoneContacts,
};

/// The states that contacts went through.
pub(super) static CONTACT_STATES: Rows = Rows {
    path: "contacts/state-history",
    route: "contacts-state-history",
    lists: &["contactStateHistory"],
    key: &["contactId", "stateIndex"],
    begun: &["startDate"],
    order: None,
    counted: false,
    format: BodyFormat::CxoneContactStates,
};

/// The states that agents went through.
pub(super) static AGENT_STATES: Rows = Rows {
    path: "agents/state-history",
    route: "agents-state-history",
    lists: &["agentStateHistory"],
    key: &["agentSessionId", "agentId", "stateIndex", "startDate"],
    begun: &["startDate"],
    order: None,
    counted: false,
    format: BodyFormat::CxoneAgentStates,
};

/// How far a chunk is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// What is left, the first under way; none: nothing was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<Part>>,
    walk: Walk,
    /// Records that began in the parts behind us.
    expected: i64,
}

impl Cursor {
    fn halve(&mut self) -> bool {
        let Some(parts) = &mut self.parts else {
            return false;
        };
        let Some(halves) = parts.first().and_then(|part| part.halves()) else {
            return false;
        };
        parts.splice(0..1, halves);
        self.walk = Walk::default();
        true
    }
}

/// One step.
pub(super) async fn step(
    rows: &'static Rows,
    ask: &Ask<'_>,
    cursor: Option<&str>,
) -> Result<Step, Fault> {
    let mut cursor: Cursor = super::read(cursor)?;
    let settings = settings(ask)?;
    let whole = Part {
        from: ask.chunk.from,
        to: ask.chunk.to,
    };
    if cursor.parts.is_none() {
        // The warehouse is behind, and what is read while it still fills shifts.
        if let Some(wait) = until(after(whole.to, settings.lag), ask.now) {
            return Ok(Step::Wait {
                cursor: None,
                wait,
                reason: "data",
            });
        }
        cursor.parts = Some(whole.pieces(settings.span));
    }
    let Some(part) = cursor.parts.as_ref().and_then(|parts| parts.first().copied()) else {
        return Ok(Step::Done {
            expected: rows.counted.then_some(cursor.expected),
        });
    };
    let path = path(rows, settings, part, cursor.walk.offset);
    let answer = match ask.get(rows.route, &path).await {
        Ok(answer) => answer,
        Err(Fault::Unfit { why }) => {
            if super::genesys_details::is_about_size(&why) && cursor.halve() {
                tracing::info!(why, "the platform refuses the stretch, halving it");
                return Ok(Step::Moved(super::kept(&cursor)?));
            }
            return Err(Fault::refused(why));
        }
        Err(fault) => return Err(fault),
    };
    let (met, total) = read(rows, &answer.body, part)?;
    // Pages of one request do not shift.
    if total.is_some_and(|total| total > u64::from(settings.page_size)) && cursor.halve() {
        return Ok(Step::Moved(super::kept(&cursor)?));
    }
    match cursor.walk.page(&met, total, settings.page_size) {
        After::More => {}
        After::Whole => {
            let outside = (cursor.walk.offset).saturating_sub(cursor.walk.begun);
            let begun = total.or(cursor.walk.total).map_or(cursor.walk.begun, |total| {
                // Rows at the very end, or from before, that the platform counts as well.
                total.saturating_sub(outside).max(cursor.walk.begun)
            });
            cursor.expected += i64::try_from(begun).unwrap_or(i64::MAX);
            cursor.walk = Walk::default();
            if let Some(parts) = &mut cursor.parts {
                parts.remove(0);
            }
        }
        After::Again => {
            tracing::info!(from = %part.from, to = %part.to, "the pages moved while they were read, reading them again");
            cursor.walk = cursor.walk.anew();
        }
    }
    let kept = super::kept(&cursor)?;
    if met.is_empty() {
        return Ok(Step::Moved(kept));
    }
    Ok(Step::Page(Page {
        format: rows.format.clone(),
        body: answer.body,
        cursor: kept,
    }))
}

pub(super) fn settings<'a>(ask: &Ask<'a>) -> Result<&'a CxoneSettings, Fault> {
    match &ask.platform.kind {
        Kind::Cxone(settings) => Ok(settings),
        Kind::Genesys(_) => Err(Fault::refused(format!(
            "{} is no CXone platform",
            ask.platform.name
        ))),
    }
}

/// The path of the reporting API in the version that is configured.
pub(super) fn services(settings: &CxoneSettings, path: &str) -> String {
    format!(
        "/incontactapi/services/v{}.0/{path}",
        settings.api_version
    )
}

fn path(rows: &Rows, settings: &CxoneSettings, part: Part, skip: u64) -> String {
    let path = services(settings, rows.path);
    let order = rows
        .order
        .map_or_else(String::new, |order| format!("&orderBy={order}"));
    format!(
        "{path}?startDate={}&endDate={}&skip={skip}&top={}{order}",
        part.from, part.to, settings.page_size
    )
}

/// What is on a page, and how many rows there are in all.
fn read(rows: &Rows, body: &[u8], part: Part) -> Result<(Vec<Met>, Option<u64>), Fault> {
    // 204: nothing was found.
    if body.trim_ascii().is_empty() {
        return Ok((Vec::new(), None));
    }
    let answer: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| Fault::failed(format!("the rows cannot be read: {error}")))?;
    // Early versions put all of it into one more object.
    let answer = match member(&answer, "resultSet") {
        Some(Value::Object(inner)) => inner,
        _ => &answer,
    };
    let total = member(answer, "totalRecords").and_then(number);
    let mut list = rows.lists.iter().find_map(|name| member(answer, name));
    if let Some(Value::Object(inner)) = list {
        list = member(inner, "entries");
    }
    let Some(Value::Array(list)) = list else {
        return Ok((Vec::new(), total));
    };
    let met = list.iter().map(|row| {
        let row = row.as_object();
        let text = |name: &&str| {
            row.and_then(|row| member(row, name))
                .map_or_else(String::new, Value::to_string)
        };
        let begun = rows.begun.iter().find_map(|name| {
            let start = member(row?, name)?.as_str()?;
            instant::parse(start)
        });
        let key: Vec<String> = rows.key.iter().map(text).collect();
        Met {
            id: key.join("|"),
            begun: begun.is_some_and(|begun| part.holds(begun)),
        }
    });
    Ok((met.collect(), total))
}

/// A member, whatever its case: the versions spell them differently.
fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object.get(name).or_else(|| {
        object
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

fn number(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::UtcMicros;

    const PART: Part = Part {
        from: UtcMicros(1_715_731_200_000_000),
        to: UtcMicros(1_715_817_600_000_000),
    };

    #[test]
    fn rows_of_old_and_new_versions_are_told_apart_and_counted() {
        let new = br#"{"totalRecords":2,"completedContacts":[
            {"contactId":900719925474010002,"contactStartDate":"2024-05-15T10:00:00.000Z"},
            {"contactId":900719925474010003,"contactStartDate":"2024-05-16T00:00:00.000Z"}]}"#;
        let (met, total) = read(&CONTACTS, new, PART).unwrap();
        assert_eq!(total, Some(2));
        assert_eq!(met[0].id, "900719925474010002");
        assert_eq!(met.iter().map(|met| met.begun).collect::<Vec<_>>(), [true, false]);
        let old = br#"{"resultSet":{"TotalRecords":"1","completedContacts":[{"ContactId":"7","contactStart":"2024-05-15T10:00:00Z"}]}}"#;
        let (met, total) = read(&CONTACTS, old, PART).unwrap();
        assert_eq!((met.len(), total), (1, Some(1)));
        let states = br#"{"agentStateHistory":{"entries":[{"agentId":"1","stateIndex":"0"},{"agentId":"1","stateIndex":"1"}]}}"#;
        let (met, _) = read(&AGENT_STATES, states, PART).unwrap();
        assert_ne!(met[0].id, met[1].id);
        assert_eq!(read(&CONTACTS, b"", PART).unwrap().0.len(), 0);
    }

    /// Pitfall 7: a time that is sent says its zone.
    #[test]
    fn times_are_sent_in_utc_with_z() {
        let path = path(&CONTACTS, &CxoneSettings::default(), PART, 10_000);
        assert_eq!(
            path,
            "/incontactapi/services/v27.0/contacts/completed?startDate=2024-05-15T00:00:00.000Z&endDate=2024-05-16T00:00:00.000Z\
             &skip=10000&top=10000&orderBy=contactId"
        );
    }
}
