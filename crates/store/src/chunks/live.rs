//! What of the live lane waits, for workers whose lanes are all taken by history.

use super::Filter;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use std::time::Duration;

/// Chunks of the live lane that wait are counted up to this number.
const WAITING_MAX: i64 = 64;

/// What there is of the live lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LiveWork {
    /// Whether a job of the live lane is open, so that a chunk of it may be due at any time.
    pub open: bool,
    /// How many chunks of such jobs nobody has taken for so long, 64 at most.
    pub waiting: u32,
}

// A lease that ran out sets the wait going anew: those who look for work have not seen the chunk before.
macro_rules! overdue {
    ($begun:literal) => {
        concat!(
            "(SELECT 1 FROM backfill_chunks c WHERE c.job_id = jobs.job_id AND c.state IN ('open', 'fetched') AND c.started_at ",
            $begun,
            " AND c.due_at <= statement_timestamp() - $3 * interval '1 second' \
              AND (c.lease_until IS NULL OR c.lease_until <= statement_timestamp() - $3 * interval '1 second') LIMIT $4)"
        )
    };
}

// As chunks are leased: from the open jobs to their chunks, by an index for those that were begun and one for those that were not.
pub(super) static LIVE: Sql = Sql {
    step: "look for chunks of the live lane",
    text: concat!(
        "WITH jobs AS MATERIALIZED ( \
             SELECT job_id FROM backfill_jobs \
             WHERE chunked AND state IN ('pending', 'running') AND lane = 'live' \
               AND ($1::text[] IS NULL OR platform IS NULL OR platform = ANY ($1)) AND ($2::text[] IS NULL OR kind = ANY ($2)) \
         ) \
         SELECT EXISTS (SELECT FROM jobs), (SELECT count(*) FROM ( \
             SELECT 1 FROM jobs CROSS JOIN LATERAL (",
        overdue!("IS NOT NULL"),
        " UNION ALL ",
        overdue!("IS NULL"),
        ") due LIMIT $4) waiting)"
    ),
};

/// Looks at the live lane's part of what the filter takes; the filter's own lane and state do not matter.
///
/// `waited`: since when a chunk must have been due and free to count as waiting. Lanes without work take what is due at once, so what waited
/// for longer than they take to look finds none.
pub async fn live(
    conn: &impl Connection,
    filter: &Filter<'_>,
    waited: Duration,
) -> Result<LiveWork, StoreError> {
    let kinds = (!filter.kinds.is_empty()).then_some(filter.kinds);
    let params: sql::Params<'_> = &[
        &filter.platforms,
        &kinds,
        &waited.as_secs_f64(),
        &WAITING_MAX,
    ];
    let row = sql::query_one(conn, &LIVE, params).await?;
    let waiting: i64 = sql::get(&row, &LIVE, 1)?;
    Ok(LiveWork {
        open: sql::get(&row, &LIVE, 0)?,
        waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
    })
}
