//! CXone look-ups: the records of interactions that are named by id, contact by contact.
//!
//! An interaction has the id of its first contact; transfers and consults made the others, which the platform names. So an interaction takes two
//! requests, and one more for each further contact. What goes on has no record yet.

use super::cxone_rows::settings;
use super::{Ask, Fault, Page, Step};
use platform::history;
use platform::history::cxone::{Contact, Cxone};
use schema::BodyFormat;
use serde::{Deserialize, Serialize};

/// More contacts of one interaction are not asked for: no call is passed on so often.
const CONTACTS_MAX: usize = 100;

/// How far a chunk is. `ids` and `unknown` are read by others too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// Which interactions; none: those that the job names.
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<Vec<String>>,
    /// Those that the platform does not have.
    unknown: Vec<String>,
    /// How many of them are behind us.
    asked: usize,
    /// Further contacts of the last of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<String>,
}

/// One step.
pub(super) async fn step(ask: &Ask<'_>, cursor: Option<&str>) -> Result<Step, Fault> {
    let mut cursor: Cursor = super::read(cursor)?;
    let ids = match cursor.ids.clone() {
        Some(ids) => ids,
        None => super::parameter(ask.job, "ids")?.unwrap_or_default(),
    };
    cursor.ids.get_or_insert_with(|| ids.clone());
    let cxone = ask.cxone(settings(ask)?).await?;
    if let Some(other) = cursor.others.pop() {
        let found = contact(ask, &cxone, &other).await?;
        return stepped(&cursor, found);
    }
    let Some(id) = ids.get(cursor.asked) else {
        return Ok(Step::Done {
            expected: i64::try_from(ids.len() - cursor.unknown.len()).ok(),
        });
    };
    let found = contact(ask, &cxone, id).await?;
    match &found {
        Contact::Unknown => cursor.unknown.push(id.clone()),
        Contact::GoesOn => {}
        Contact::Ended(_) => {
            let others = ask.answer(cxone.contacts_made_of(id)).await?;
            cursor.others = others.into_iter().take(CONTACTS_MAX).collect();
        }
    }
    cursor.asked += 1;
    stepped(&cursor, found)
}

/// One contact. What is no contact's id at all is unknown, too.
async fn contact(ask: &Ask<'_>, cxone: &Cxone, id: &str) -> Result<Contact, Fault> {
    match ask.answer(cxone.contact(id)).await {
        Err(Fault::Unfit { .. }) => Ok(Contact::Unknown),
        other => other,
    }
}

fn stepped(cursor: &Cursor, found: Contact) -> Result<Step, Fault> {
    let kept = super::kept(cursor)?;
    Ok(match found {
        Contact::Ended(history::Page { body, .. }) => Step::Page(Page {
            format: BodyFormat::CxoneContacts,
            body,
            cursor: kept,
        }),
        Contact::GoesOn | Contact::Unknown => Step::Moved(kept),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_names_ids_is_a_beginning() {
        let cursor: Cursor = serde_json::from_str(r#"{"ids":["1","2"]}"#).unwrap();
        assert_eq!(cursor.ids.as_deref().map(<[_]>::len), Some(2));
        assert_eq!((cursor.asked, cursor.others), (0, Vec::new()));
    }
}
