//! A details query: pages by number, over a stretch that is closed.

use super::{Answer, At, Cursor, Details, Record, interval};
use crate::platforms::GenesysSettings;
use crate::sources::parts::{Part, after, until};
use crate::sources::walk::{After, Met, RECORDS_MAX, Walk};
use crate::sources::{Ask, Fault, Page, Step};
use serde_json::json;

/// Fetches the next page of the first piece.
pub(super) async fn page(
    details: &'static Details,
    ask: &Ask<'_>,
    settings: &GenesysSettings,
    mut cursor: Cursor,
    part: Part,
) -> Result<Step, Fault> {
    // What still changes shifts from page to page while it is read.
    if let Some(wait) = until(after(part.to, settings.query_lag), ask.now) {
        return Ok(Step::Wait {
            cursor: None,
            wait,
            reason: "data",
        });
    }
    let mut walk = match &cursor.at {
        At::Querying(walk) => walk.clone(),
        _ => Walk::default(),
    };
    let size = settings.query_page_size;
    let mut body = json!({
        "interval": interval(part),
        "paging": { "pageSize": size, "pageNumber": walk.pages + 1 },
    });
    if details.ordered {
        body["order"] = json!("asc");
        body["orderBy"] = json!("conversationStart");
    }
    let answer = ask
        .post(details.query, details.query_path, &body)
        .await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(fault) => return cursor.refused(fault),
    };
    let read = Answer::read(details, &answer.body)?;
    // Every page of so much would have to be remembered; smaller stretches are also further from what the platform refuses.
    if read
        .total_hits
        .is_some_and(|total| total > RECORDS_MAX as u64)
        && cursor.halve()
    {
        return Ok(Step::Moved(cursor.kept()?));
    }
    let met: Vec<Met> = read
        .records()
        .iter()
        .map(|raw| {
            let record = Record::read(raw);
            let begun = record.begins_in(part);
            let id = record.conversation_id.or(record.user_id);
            Met {
                id: id.unwrap_or_else(|| raw.get().to_owned()),
                begun,
            }
        })
        .collect();
    match walk.page(&met, read.total_hits, size) {
        After::More => cursor.at = At::Querying(walk),
        After::Whole => cursor.next(),
        After::Again => {
            tracing::info!(from = %part.from, to = %part.to, "the pages moved while they were read, reading them again");
            cursor.at = At::Querying(walk.anew());
        }
    }
    let kept = cursor.kept()?;
    if met.is_empty() {
        return Ok(Step::Moved(kept));
    }
    Ok(Step::Page(Page {
        format: details.format.clone(),
        body: answer.body,
        cursor: kept,
    }))
}
