//! A details query: pages by number, over a stretch that is closed.

use super::{At, Cursor, Details};
use crate::platforms::GenesysSettings;
use crate::sources::parts::{Part, after, until};
use crate::sources::walk::{After, Met, RECORDS_MAX, Walk};
use crate::sources::{Ask, Fault, Page, Step};
use platform::history::genesys::{Query, Subject};
use schema::UtcMicros;

/// What a query lists: whole days.
const DAY: i64 = 86_400_000_000;
/// A stretch this short is not halved because a whole day has many records.
const SHORT: i64 = 3_600_000_000;

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
    let ordered = details.subject == Subject::Conversations;
    let mut walk = match &cursor.at {
        At::Querying(walk) => walk.clone(),
        _ => Walk::new(ordered && is_nearer_to_the_end(part, ask.now)),
    };
    let size = settings.query_page_size;
    let genesys = ask.genesys().await?;
    let query = Query {
        from: part.from,
        to: part.to,
        page: walk.next_page(size),
        page_size: size,
    };
    let page = if walk.backwards {
        ask.answer(genesys.query_backwards(details.subject, query))
            .await
    } else {
        ask.answer(genesys.query(details.subject, query)).await
    };
    let page = match page {
        Ok(page) => page,
        Err(fault) => return cursor.refused(fault),
    };
    // Every page of so much would have to be remembered; smaller stretches are also further from what the platform refuses.
    let many = page.total.is_some_and(|total| total > RECORDS_MAX as u64);
    if many && part.to.0 - part.from.0 > SHORT && cursor.halve(page.total) {
        return Ok(Step::Moved(cursor.kept()?));
    }
    let met = Met {
        part,
        heads: &page.heads,
        total: page.total,
        full: size as usize,
        ordered,
    };
    match walk.page(met) {
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

/// Whether fewer records began behind a stretch than before it, as far as time tells: the platform lists those of whole UTC days, up to now.
fn is_nearer_to_the_end(part: Part, now: UtcMicros) -> bool {
    let before = part.from.0.rem_euclid(DAY);
    let end = part.to.0 + (-part.to.0).rem_euclid(DAY);
    end.min(now.0) - part.to.0 < before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_read_from_the_end_of_its_day_that_is_nearer() {
        const HOUR: i64 = DAY / 24;
        let nearer = |from: i64, to: i64, now: i64| {
            let part = Part {
                from: UtcMicros(from * HOUR),
                to: UtcMicros(to * HOUR),
            };
            is_nearer_to_the_end(part, UtcMicros(now * HOUR))
        };
        assert!(nearer(20, 21, 22), "what was a moment ago");
        assert!(nearer(20, 21, 90));
        assert!(!nearer(3, 4, 90));
        assert!(nearer(3, 4, 5), "the day is not over");
        assert!(!nearer(0, 24, 90), "a whole day");
        assert!(!nearer(23, 25, 90) && nearer(23, 25, 26));
    }
}
