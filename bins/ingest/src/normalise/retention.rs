//! Raw bytes expire: the log is walked in key order, a small transaction a page, beside the batches; then the quarantine.
//!
//! An event's bytes go when both the event and its reception are older than the retention, so that history imported yesterday can be
//! replayed as long as what was received yesterday. What was logged behind the walk's place (imports, late copies) is found
//! when the walk begins again, a week after it began last. The rows stay: a copy is a copy as before.

use crate::clock::now;
use schema::UtcMicros;
use std::time::Duration;
use store::event_log::{self, Place};
use store::raw::Gone;
use store::raw_retention::{self, Walk};
use store::{Store, StoreError, quarantine};
use tokio_util::sync::CancellationToken;

/// Rows looked through in one transaction: some ten milliseconds.
const PAGE: u32 = 5_000;
/// Between two pages, so that a walk takes a share of the server and not all of it.
const BREATH: Duration = Duration::from_millis(20);
/// A walk that is at its end begins again this long after it began.
const AGAIN: Duration = Duration::from_secs(7 * 86_400);

/// What a round let go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Events of the log.
    pub events: u64,
    /// Items of the quarantine.
    pub quarantined: u64,
}

/// Lets go what is older than the retention, until nothing is left, somebody else does it, or the stop.
pub async fn expire(
    store: &Store,
    retention: Duration,
    stop: &CancellationToken,
) -> Result<Expired, StoreError> {
    let before = earlier(now(), retention);
    let mut expired = Expired::default();
    let mut walking = true;
    let mut settled = true;
    while walking || settled {
        if walking {
            match walk_on(store, before).await? {
                Step::Page(events) => expired.events += events,
                Step::Done => walking = false,
                // Another process has the walk, and with it the quarantine.
                Step::Elsewhere => return Ok(expired),
            }
        } else {
            let mut client = store.client().await?;
            let tx = client.transaction().await?;
            let items = quarantine::expire(&tx, before, PAGE).await?;
            tx.commit().await?;
            expired.quarantined += items;
            settled = items > 0;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(BREATH) => {}
        }
    }
    Ok(expired)
}

enum Step {
    Page(u64),
    Done,
    Elsewhere,
}

/// One page, in one transaction.
async fn walk_on(store: &Store, before: UtcMicros) -> Result<Step, StoreError> {
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    if !raw_retention::try_lease(&tx).await? {
        return Ok(Step::Elsewhere);
    }
    let found = raw_retention::get(&tx).await?;
    let mut walk = match found {
        Some(walk) if walk.began_at > earlier(now(), AGAIN) => walk,
        _ => Walk {
            began_at: now(),
            after: Place::START,
        },
    };
    let page = event_log::find_old(&tx, before, walk.after, PAGE).await?;
    let Some(last) = page.last else {
        // A walk that found an empty log has begun too, so that it ends.
        raw_retention::set(&tx, &walk).await?;
        tx.commit().await?;
        return Ok(Step::Done);
    };
    let events = event_log::clear(&tx, &page.places, Gone::Expired).await?;
    walk.after = last;
    raw_retention::set(&tx, &walk).await?;
    tx.commit().await?;
    Ok(Step::Page(events))
}

fn earlier(at: UtcMicros, by: Duration) -> UtcMicros {
    let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    UtcMicros(at.0.saturating_sub(by))
}
