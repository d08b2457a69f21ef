//! Genesys look-ups: the records of conversations that are named by id, some in one request.

use super::{Ask, Fault, Page, Step};
use crate::platforms::Kind;
use schema::BodyFormat;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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
    let genesys = ask.genesys().await?;
    let answer = match wanted.as_slice() {
        [one] => ask.answer(genesys.conversation(one)).await,
        many => {
            let many: Vec<&str> = many.iter().map(String::as_str).collect();
            ask.answer(genesys.conversations(&many)).await
        }
    };
    let page = match answer {
        Ok(Some(page)) => page,
        // One of them is not there, or is no id at all.
        Ok(None) | Err(Fault::Unfit { .. } | Fault::TooMuch { .. }) if wanted.len() > 1 => {
            cursor.single = wanted.len();
            return Ok(Step::Moved(super::kept(&cursor)?));
        }
        Ok(None) | Err(Fault::Unfit { .. }) => {
            cursor.behind(1);
            cursor.unknown.extend(wanted);
            return Ok(Step::Moved(super::kept(&cursor)?));
        }
        Err(fault) => return Err(fault),
    };
    cursor.behind(wanted.len());
    let found: BTreeSet<&str> = page.heads.iter().map(|head| head.id.as_str()).collect();
    let missing = (wanted.into_iter()).filter(|id| !found.contains(id.as_str()));
    cursor.unknown.extend(missing);
    let kept = super::kept(&cursor)?;
    if page.heads.is_empty() {
        return Ok(Step::Moved(kept));
    }
    Ok(Step::Page(Page {
        format: BodyFormat::GenesysDetails,
        body: page.body,
        cursor: kept,
    }))
}

impl Cursor {
    fn behind(&mut self, count: usize) {
        self.asked += count;
        self.single = self.single.saturating_sub(count);
    }
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
}
