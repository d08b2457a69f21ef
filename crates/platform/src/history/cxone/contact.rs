//! One contact, and those that came of it.

use super::Cxone;
use crate::api::{ApiError, Call};
use crate::history::genesys::escaped;
use crate::history::outline::without_mark;
use crate::history::{HistoryError, Kind, Page, routes};
use crate::outcome::Answer;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// How many objects may be around a contact.
const DEPTH_MAX: u8 = 2;

/// What the platform says of one contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contact {
    /// It has ended: its record, with nothing around it.
    Ended(Page),
    /// It goes on, or its record is not whole yet.
    GoesOn,
    /// The platform does not have it.
    Unknown,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hierarchy<'a> {
    #[serde(borrow, default)]
    child_contacts: Option<Vec<Child<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Child<'a> {
    #[serde(borrow)]
    contact_id: &'a RawValue,
}

impl Cxone {
    /// One contact. `GET contacts/{id}` [notes 2: for re-reading one leg].
    ///
    /// The published specification [notes 16: api-ts] has two answers under one path, both with the contact in an object named `contactId`: a
    /// contact that has ended has what `contacts/completed` says of it, with `isActive` and `isWarehoused`; one that goes on has neither
    /// times nor these, and would be taken for one that ended within no time. The oldest versions have it in `resultSet` (samples), and what
    /// is around it may be missing.
    pub async fn contact(&self, id: &str) -> Result<Contact, HistoryError> {
        let path = self.path(&format!("contacts/{}", escaped(id)));
        match self.api.fetch(Call::get(routes::CONTACTS_GET, &path)).await {
            Ok(answer) => read(&answer),
            Err(ApiError::NotFound { .. }) => Ok(Contact::Unknown),
            Err(error) => Err(error.into()),
        }
    }

    /// The contacts that transfers and consults made of one, by their ids; none where the platform does not have it.
    /// `GET contacts/{id}/hierarchy` → `{masterContactId, childContacts[{contactId, startTime, endTime}]}` [notes 2, samples].
    pub async fn contacts_made_of(&self, id: &str) -> Result<Vec<String>, HistoryError> {
        let path = self.path(&format!("contacts/{}/hierarchy", escaped(id)));
        let call = Call::get(routes::CONTACTS_HIERARCHY, &path);
        match self.api.fetch(call).await {
            Ok(answer) => children(&answer, id),
            Err(ApiError::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_nothing(answer: &Answer) -> bool {
    answer.status == 204 || answer.body.trim_ascii().is_empty()
}

fn read(answer: &Answer) -> Result<Contact, HistoryError> {
    const WHAT: &str = "a contact";
    if is_nothing(answer) {
        return Ok(Contact::Unknown);
    }
    let unread = |problem| HistoryError::unread(WHAT, &problem);
    let body: &RawValue = serde_json::from_slice(without_mark(&answer.body)).map_err(unread)?;
    let Some((raw, members)) = found(body, DEPTH_MAX).map_err(unread)? else {
        return Ok(Contact::Unknown);
    };
    if !has_ended(&members) {
        return Ok(Contact::GoesOn);
    }
    let record = Answer {
        status: answer.status,
        headers: Vec::new(),
        body: raw.get().as_bytes().to_vec(),
        platform_now: None,
    };
    Page::of_one(record, Kind::Contacts, WHAT).map(Contact::Ended)
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The object that is the contact, with its members, whose names are in lower case: versions spell them differently.
fn found(raw: &RawValue, depth: u8) -> Result<Option<(&RawValue, Members<'_>)>, serde_json::Error> {
    let inner = match raw.get().as_bytes().first() {
        Some(b'{') => {
            let members: Members<'_> = serde_json::from_str(raw.get())?;
            let members: Members<'_> = members
                .into_iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
                .collect();
            let id = members.get("contactid");
            if id.is_some_and(|id| text(id).is_some()) {
                return Ok(Some((raw, members)));
            }
            let around = ["contactid", "resultset", "contacts", "completedcontacts"];
            around.iter().find_map(|name| members.get(*name).copied())
        }
        // A list of one.
        Some(b'[') => {
            let rows: Vec<&RawValue> = serde_json::from_str(raw.get())?;
            rows.first().copied()
        }
        _ => None,
    };
    match inner.zip(depth.checked_sub(1)) {
        Some((inner, depth)) => found(inner, depth),
        None => Ok(None),
    }
}

/// `False` and `false` are one.
fn flag(members: &Members<'_>, name: &str) -> Option<bool> {
    let raw = members.get(name)?.get().trim_matches('"');
    if raw.eq_ignore_ascii_case("true") {
        Some(true)
    } else if raw.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn has_ended(members: &Members<'_>) -> bool {
    if flag(members, "iswarehoused") == Some(false) {
        return false;
    }
    let lasted = || {
        members
            .get("totaldurationseconds")
            .is_some_and(|raw| raw.get() != "null")
    };
    flag(members, "isactive").map_or_else(lasted, |active| !active)
}

/// An id, as a number or as text; beyond 2^53 it is none that a float could hold.
fn text(raw: &RawValue) -> Option<String> {
    let text = match raw.get().as_bytes().first()? {
        b'"' => serde_json::from_str(raw.get()).ok()?,
        b'0'..=b'9' => raw.get().to_owned(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

fn children(answer: &Answer, id: &str) -> Result<Vec<String>, HistoryError> {
    if is_nothing(answer) {
        return Ok(Vec::new());
    }
    let found: Hierarchy<'_> = serde_json::from_slice(without_mark(&answer.body))
        .map_err(|problem| HistoryError::unread("a contact's hierarchy", &problem))?;
    let ids = found.child_contacts.unwrap_or_default().into_iter();
    let ids = ids.filter_map(|child| text(child.contact_id));
    Ok(ids.filter(|child| child != id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Answer {
        Answer {
            status: 200,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
            platform_now: None,
        }
    }

    #[test]
    fn a_contact_that_has_ended_comes_without_what_is_around_it() {
        let record = r#"{"contactId":7,"isActive":false,"totalDurationSeconds":3.5}"#;
        for body in [
            record.to_owned(),
            format!("\u{feff}{record}"),
            format!(
                r#"{{"businessUnitId":1,"lastPollTime":"2024-05-15T14:32:10Z","contactId":{record}}}"#
            ),
            format!(r#"{{"resultSet":{record}}}"#),
            format!(r#"{{"totalRecords":1,"contacts":[{record}]}}"#),
        ] {
            let found = read(&answer(&body)).unwrap();
            let Contact::Ended(page) = found else {
                panic!("{body}: {found:?}");
            };
            assert_eq!(
                (page.body.as_slice(), page.heads[0].id.as_str()),
                (record.as_bytes(), "7"),
                "{body}"
            );
        }
    }

    /// What the specification has for a contact that goes on has no `isActive`.
    #[test]
    fn a_contact_that_goes_on_is_no_record() {
        for record in [
            r#"{"contactId":7,"contactStateCategory":"Active","stateName":"InQueue","agentStartDate":null}"#,
            r#"{"contactId":"7","isActive":"True","totalDurationSeconds":"0"}"#,
            r#"{"contactId":7,"totalDurationSeconds":null}"#,
            r#"{"ContactId":7,"IsActive":false,"IsWarehoused":false,"totalDurationSeconds":3}"#,
        ] {
            for body in [record.to_owned(), format!(r#"{{"contactId":{record}}}"#)] {
                assert_eq!(read(&answer(&body)).unwrap(), Contact::GoesOn, "{body}");
            }
        }
        let completed = r#"{"contactId":"7","totalDurationSeconds":"295"}"#;
        assert!(
            matches!(read(&answer(completed)), Ok(Contact::Ended(_))),
            "as in contacts/completed"
        );
    }

    #[test]
    fn an_answer_about_nothing_is_none() {
        for body in [
            "",
            " ",
            "null",
            "{}",
            r#"{"contactId":{}}"#,
            r#"{"contactId":""}"#,
            r#"{"contacts":[]}"#,
            "[]",
        ] {
            assert_eq!(read(&answer(body)).unwrap(), Contact::Unknown, "{body}");
        }
        assert!(matches!(
            read(&answer("<html>")),
            Err(HistoryError::Shape { .. })
        ));
        assert!(matches!(
            read(&answer(r#"{"contactId":{"#)),
            Err(HistoryError::Shape { .. })
        ));
    }

    #[test]
    fn the_others_are_named_beyond_what_a_float_holds() {
        let of = |body: &str| children(&answer(body), "7").unwrap();
        assert_eq!(
            of(
                r#"{"masterContactId":7,"childContacts":[{"contactId":900719925474010003,"startTime":"x"},{"contactId":"8"},{"contactId":7}]}"#
            ),
            ["900719925474010003", "8"]
        );
        for nothing in ["", r#"{"masterContactId":7}"#, r#"{"childContacts":null}"#] {
            assert!(of(nothing).is_empty(), "{nothing}");
        }
    }
}
