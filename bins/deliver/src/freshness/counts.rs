//! What the platform counts of an interval beside what is here, of the same meaning.
//!
//! Genesys counts conversations by when they began, ended or not: beside it stands how many interactions began. CXone counts contacts, which are
//! legs, once they have ended: beside it stands how many records of contacts that began then are logged and folded.

use super::file::Watched;
use freshness::Counted;
use schema::UtcMicros;
use std::time::Duration;
use store::arrivals;
use store::freshness::evidence;
use store::platform_counts::{self, Stretch};
use store::{Client, StoreError};

const CONVERSATIONS: &str = "conversations";
const CONTACTS: &str = "contacts";

/// Compares what has to be and gives the newest intervals; none: the platform counted nothing lately.
pub(super) async fn of(
    client: &Client,
    watched: &Watched,
    now: UtcMicros,
) -> Result<Vec<Counted>, StoreError> {
    let since = UtcMicros(now.0.saturating_sub(micros(watched.within)));
    let tenant = watched.tenant.as_str();
    let measures = [CONVERSATIONS, CONTACTS];
    let rows = platform_counts::newest(client, tenant, watched.entry(), &measures, since).await?;
    // Of earlier ones that were short too few may have been here then and not now: a backfill takes longer than `within`.
    let filled = platform_counts::short(client, tenant, watched.entry(), &measures, since).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows.into_iter().chain(filled) {
        let theirs = whole(row.value);
        let known = row.ours.filter(|ours| {
            // Complete, and it was compared with this very count.
            row.compared_at >= Some(row.fetched_at)
                && !watched.tolerance.is_short(theirs, unsigned(*ours))
        });
        let ours = match known {
            Some(ours) => ours,
            None => ours(client, watched, &row).await?,
        };
        // What was counted a moment ago may still be on its way here.
        let settled = now.0 >= row.fetched_at.0.saturating_add(micros(watched.grace));
        let short = settled && watched.tolerance.is_short(theirs, unsigned(ours));
        let told = row.ours == Some(ours)
            && row.short == short
            && row.compared_at >= Some(row.fetched_at)
            && row.to >= since;
        if !told {
            let of = Stretch {
                tenant,
                platform: &row.platform,
                measure: &row.measure,
                from: row.from,
                to: row.to,
            };
            platform_counts::compared(client, &of, ours, short).await?;
        }
        // What the state goes by is the newest time.
        if row.to < since {
            continue;
        }
        all.push(Counted {
            from: row.from,
            to: row.to,
            theirs,
            ours: unsigned(ours),
            short,
        });
    }
    Ok(all)
}

async fn ours(
    client: &Client,
    watched: &Watched,
    row: &platform_counts::Counted,
) -> Result<i64, StoreError> {
    if row.measure == CONTACTS {
        let format = arrivals::Counted::CxoneContacts;
        let usual = format!("backfill-{}", row.platform);
        let records = watched.records.as_deref().unwrap_or(&usual);
        let (from, to) = (row.from, row.to);
        return arrivals::records(client, &watched.tenant, records, format, from, to).await;
    }
    let begun = evidence::begun(client, &watched.tenant, &[(row.from, row.to)]).await?;
    Ok(begun.first().copied().unwrap_or(0))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts of interactions are far below 2^53
fn whole(count: f64) -> u64 {
    count.max(0.0).round() as u64
}
