//! One chunk becomes several.

use super::add;
use super::row::NewChunk;
use crate::error::StoreError;
use crate::pool::Transaction;
use crate::sql::{self, Sql};
use crate::types::{Instant, Json};
use schema::JobId;

// It has no lease afterwards, so that any worker may take any of them.
pub(super) static CUT: Sql = Sql {
    step: "cut a chunk",
    text: "UPDATE backfill_chunks c \
           SET from_at = $4, to_at = $5, cursor = $6, due_at = clock_timestamp() + $7 * interval '1 second', lease_owner = NULL, \
               lease_until = NULL, attempt = 0, waiting_for = NULL, last_error = NULL, updated_at = now() \
           WHERE c.job_id = $1 AND c.chunk = $2 AND c.lease_owner = $3 AND c.state = 'open' \
           RETURNING (SELECT coalesce(j.total, 0) FROM backfill_jobs j WHERE j.job_id = c.job_id)",
};

/// Cuts a chunk of which nothing was fetched yet: it becomes the first of these and is free, the others are new chunks of its job. `false`: it
/// was no longer ours, or its job is over; roll back, nothing is to be cut.
pub async fn cut(
    tx: &Transaction<'_>,
    job: JobId,
    chunk: i32,
    owner: &str,
    into: &[NewChunk],
) -> Result<bool, StoreError> {
    let Some((first, others)) = into.split_first() else {
        return Ok(false);
    };
    let cursor = first.cursor_json.as_deref().map(Json::new);
    let params: sql::Params<'_> = &[
        &job.0,
        &chunk,
        &owner,
        &Instant(first.from),
        &Instant(first.to),
        &cursor,
        &first.due_in.as_secs_f64(),
    ];
    let rows = sql::query(tx, &CUT, params).await?;
    let Some(row) = rows.first() else {
        return Ok(false);
    };
    add(tx, job, sql::get(row, &CUT, 0)?, others).await
}
