//! Genesys look-ups: the records of conversations that are named by id, some in one request.

use super::{Ask, Fault, Page, Step};
use crate::platforms::Kind;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use schema::BodyFormat;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeSet;

const PATH: &str = "/api/v2/analytics/conversations";
const MANY: &str = "details-multi-get";
const ONE: &str = "details-get";

/// How far a chunk is. `ids` and `unknown` are read by others too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// Which conversations; none: those that the job names.
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<Vec<String>>,
    /// Those that the platform does not have.
    unknown: Vec<String>,
    /// How many of them are behind us.
    asked: usize,
    /// So many are asked for one by one: the platform does not have all of them, and does not say which.
    single: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer<'a> {
    #[serde(borrow)]
    conversations: Option<Vec<&'a RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Record {
    conversation_id: Option<String>,
}

/// One step.
pub(super) async fn step(ask: &Ask<'_>, cursor: Option<&str>) -> Result<Step, Fault> {
    let mut cursor: Cursor = super::read(cursor)?;
    let ids = match cursor.ids.clone() {
        Some(ids) => ids,
        None => super::parameter(ask.job, "ids")?.unwrap_or_default(),
    };
    cursor.ids.get_or_insert_with(|| ids.clone());
    let rest = ids.get(cursor.asked..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(Step::Done {
            expected: i64::try_from(ids.len() - cursor.unknown.len()).ok(),
        });
    }
    let at_once = match &ask.platform.kind {
        _ if cursor.single > 0 => 1,
        Kind::Genesys(settings) => settings.lookup_ids.max(1) as usize,
        Kind::Cxone(_) => 1,
    };
    let wanted: Vec<String> = rest.iter().take(at_once).cloned().collect();
    let answer = match wanted.as_slice() {
        [one] => {
            let path = format!("{PATH}/{}/details", escaped(one));
            ask.get(ONE, &path).await
        }
        many => {
            let list: Vec<String> = many.iter().map(|id| escaped(id)).collect();
            let path = format!("{PATH}/details?id={}", list.join(","));
            ask.get(MANY, &path).await
        }
    };
    let body = match answer {
        Ok(answer) => answer.body,
        Err(Fault::Gone { .. }) if wanted.len() == 1 => {
            cursor.behind(1);
            cursor.unknown.extend(wanted);
            return Ok(Step::Moved(super::kept(&cursor)?));
        }
        // One of them is not there, or one is no id at all.
        Err(Fault::Gone { .. } | Fault::Unfit { .. }) if wanted.len() > 1 => {
            cursor.single = wanted.len();
            return Ok(Step::Moved(super::kept(&cursor)?));
        }
        Err(Fault::Unfit { .. }) => {
            cursor.behind(1);
            cursor.unknown.extend(wanted);
            return Ok(Step::Moved(super::kept(&cursor)?));
        }
        Err(fault) => return Err(fault),
    };
    cursor.behind(wanted.len());
    let found = found(&body, wanted.len() == 1)?;
    let missing = wanted.into_iter().filter(|id| !found.contains(id));
    cursor.unknown.extend(missing);
    let kept = super::kept(&cursor)?;
    if found.is_empty() {
        return Ok(Step::Moved(kept));
    }
    Ok(Step::Page(Page {
        format: BodyFormat::GenesysDetails,
        body,
        cursor: kept,
    }))
}

impl Cursor {
    fn behind(&mut self, count: usize) {
        self.asked += count;
        self.single = self.single.saturating_sub(count);
    }
}

/// The ids of the records in an answer: a page, or the record itself.
fn found(body: &[u8], one: bool) -> Result<BTreeSet<String>, Fault> {
    let unreadable =
        |error: serde_json::Error| Fault::failed(format!("the records cannot be read: {error}"));
    if body.trim_ascii().is_empty() {
        return Ok(BTreeSet::new());
    }
    if one {
        let record: Record = serde_json::from_slice(body).map_err(unreadable)?;
        if record.conversation_id.is_some() {
            return Ok(record.conversation_id.into_iter().collect());
        }
    }
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(unreadable)?;
    let records = answer.conversations.unwrap_or_default();
    Ok(records
        .into_iter()
        .filter_map(|raw| serde_json::from_str::<Record>(raw.get()).ok()?.conversation_id)
        .collect())
}

fn escaped(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_names_ids_is_a_beginning() {
        let cursor: Cursor = serde_json::from_str(r#"{"ids":["a","b"]}"#).unwrap();
        assert_eq!(cursor.ids.as_deref().map(<[_]>::len), Some(2));
        assert_eq!(cursor.asked, 0);
    }

    #[test]
    fn the_records_of_both_shapes_are_known() {
        let page = br#"{"conversations":[{"conversationId":"a"},{"conversationId":"b"}]}"#;
        assert_eq!(found(page, false).unwrap().len(), 2);
        assert_eq!(
            found(br#"{"conversationId":"a"}"#, true).unwrap(),
            BTreeSet::from(["a".to_owned()])
        );
        assert!(found(b"{}", true).unwrap().is_empty());
        assert!(found(b"", false).unwrap().is_empty());
    }
}
