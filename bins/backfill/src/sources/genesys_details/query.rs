//! A details query: pages by number, over a stretch that is closed.

use super::{At, Cursor, Details};
use crate::platforms::GenesysSettings;
use crate::sources::parts::{Part, after, until};
use crate::sources::walk::{After, RECORDS_MAX, Walk};
use crate::sources::{Ask, Fault, Page, Step};
use platform::history::genesys::Query;

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
    let genesys = ask.genesys().await?;
    let query = Query {
        from: part.from,
        to: part.to,
        page: walk.pages + 1,
        page_size: size,
        filters: None,
    };
    let page = match ask.answer(genesys.query(details.subject, query)).await {
        Ok(page) => page,
        Err(fault) => return cursor.refused(fault),
    };
    // Every page of so much would have to be remembered; smaller stretches are also further from what the platform refuses.
    if page.total.is_some_and(|total| total > RECORDS_MAX as u64) && cursor.halve(page.total) {
        return Ok(Step::Moved(cursor.kept()?));
    }
    match walk.page(part, &page.heads, page.total, size) {
        After::More => cursor.at = At::Querying(walk),
        After::Whole => cursor.next(),
        After::Again => {
            tracing::info!(from = %part.from, to = %part.to, "the pages moved while they were read, reading them again");
            cursor.at = At::Querying(walk.anew());
        }
    }
    let kept = cursor.kept()?;
    if page.heads.is_empty() {
        return Ok(Step::Moved(kept));
    }
    Ok(Step::Page(Page {
        format: details.format.clone(),
        body: page.body,
        cursor: kept,
    }))
}
