//! Creating a job together with its chunks.

use super::row::{Created, NewChunkedJob};
use crate::chunks::ChunkColumns;
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::{Instant, Json};
use schema::JobId;

// Where the request was asked for before, nothing is made and the second branch finds it, unless it was made after this statement began.
pub(super) static CHUNKED: Sql = Sql {
    step: "create a backfill job with its chunks",
    text: "WITH made AS ( \
               INSERT INTO backfill_jobs (job_id, kind, tenant, platform, metric_version, params, from_at, to_at, kpis, purpose, lane, \
                                          promote, chunked, standing, request_id, total) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, true, $13, $14, cardinality($15::timestamptz[])) \
               ON CONFLICT (request_id) DO NOTHING RETURNING job_id \
           ), chunks AS ( \
               INSERT INTO backfill_chunks (job_id, chunk, from_at, to_at, due_at, cursor) \
               SELECT made.job_id, (c.number - 1)::integer, c.from_at, c.to_at, clock_timestamp() + c.due_in * interval '1 second', c.cursor \
               FROM made, unnest($15::timestamptz[], $16::timestamptz[], $17::float8[], $18::jsonb[]) \
                          WITH ORDINALITY AS c (from_at, to_at, due_in, cursor, number) \
           ) \
           SELECT job_id, true FROM made \
           UNION ALL SELECT job_id, false FROM backfill_jobs WHERE request_id = $14 AND NOT EXISTS (SELECT FROM made)",
};

/// Creates a job and its chunks at once, unless the request made one before.
pub async fn create_chunked(
    conn: &impl Connection,
    job: &NewChunkedJob<'_>,
) -> Result<Created, StoreError> {
    no_nul("kind", job.kind)?;
    no_nul("tenant", job.tenant.unwrap_or_default())?;
    no_nul("platform", job.platform.unwrap_or_default())?;
    no_nul("request_id", job.request_id.unwrap_or_default())?;
    for kpi in job.kpis {
        no_nul("kpis", kpi)?;
    }
    let id = JobId::generate();
    let version = i32::from(job.metric_version.0);
    let chunks = ChunkColumns::of(job.chunks);
    let params: sql::Params<'_> = &[
        &id.0,
        &job.kind,
        &job.tenant,
        &job.platform,
        &version,
        &Json::new(job.params_json),
        &job.from.map(Instant),
        &job.to.map(Instant),
        &job.kpis,
        &job.purpose.as_str(),
        &job.lane.as_str(),
        &job.promote.as_str(),
        &job.standing,
        &job.request_id,
        &chunks.from,
        &chunks.to,
        &chunks.due_in,
        &chunks.cursor,
    ];
    let mut rows = sql::query(conn, &CHUNKED, params).await?;
    if rows.is_empty() {
        // Another made it while this waited for it to commit; it is seen now.
        rows = sql::query(conn, &CHUNKED, params).await?;
    }
    let row = rows
        .first()
        .ok_or(StoreError::Vanished { step: CHUNKED.step })?;
    let id = JobId(sql::get(row, &CHUNKED, 0)?);
    Ok(if sql::get(row, &CHUNKED, 1)? {
        Created::New(id)
    } else {
        Created::Existing(id)
    })
}
