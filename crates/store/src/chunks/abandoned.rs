//! What cancelled jobs left at their platforms.

use super::chunk;
use super::row::Chunk;
use crate::error::StoreError;
use crate::jobs::{Job, job};
use crate::pool::Connection;
use crate::sql::{self, Sql};
use schema::JobId;

// What was cancelled longer ago than this a platform has let go by itself.
pub(super) static ABANDONED: Sql = Sql {
    step: "list begun chunks of cancelled jobs",
    text: concat!(
        "SELECT ",
        job!(),
        ", ",
        chunk!(),
        " FROM backfill_jobs j JOIN backfill_chunks c ON c.job_id = j.job_id \
         WHERE j.chunked AND j.state = 'cancelled' AND j.platform = $1 AND j.kind = ANY ($2) AND j.finished_at > now() - interval '1 day' \
           AND c.state IN ('open', 'fetched') AND c.started_at IS NOT NULL AND c.cursor IS NOT NULL \
           AND (c.lease_until IS NULL OR c.lease_until <= statement_timestamp()) \
         ORDER BY c.job_id, c.chunk LIMIT $3"
    ),
};

pub(super) static LET_GO: Sql = Sql {
    step: "note that nothing of a chunk is left at its platform",
    text: "UPDATE backfill_chunks c SET cursor = NULL, updated_at = now() FROM backfill_jobs j \
           WHERE c.job_id = $1 AND c.chunk = $2 AND j.job_id = c.job_id AND j.state = 'cancelled'",
};

/// Chunks of a platform's jobs of these kinds that were cancelled within the last day, that nobody works on any more and whose cursors may
/// name something that the platform still keeps for them.
pub async fn abandoned(
    conn: &impl Connection,
    platform: &str,
    kinds: &[&str],
    limit: u32,
) -> Result<Vec<(Job, Chunk)>, StoreError> {
    let params: sql::Params<'_> = &[&platform, &kinds, &i64::from(limit)];
    let rows = sql::query(conn, &ABANDONED, params).await?;
    rows.iter()
        .map(|row| {
            let chunk = Chunk::read(row, &ABANDONED, Job::COLUMNS)?;
            Ok((Job::read(row, &ABANDONED)?, chunk))
        })
        .collect()
}

/// Forgets the cursor of a cancelled job's chunk: nothing that it named is left.
pub async fn let_go(conn: &impl Connection, job: JobId, chunk: i32) -> Result<(), StoreError> {
    sql::execute(conn, &LET_GO, &[&job.0, &chunk])
        .await
        .map(drop)
}
