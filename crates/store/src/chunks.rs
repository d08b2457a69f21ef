//! The chunks of jobs: stretches that any number of workers share.
//!
//! A worker takes one with [`lease()`], writes each confirmed page with [`progress`], and gives it back with [`release`] whenever it must wait,
//! or with [`fetched`] after the last page. Whoever takes a fetched one compares what arrived with what the platform counts, and says [`done`]
//! or [`reopen`]. One that is too large to be planned when its job is written is made several by [`cut()`]. A lease that ran out may be taken
//! over, at the cursor, and what the old owner writes then no longer counts: each owner needs a name that nobody else ever has.

mod abandoned;
mod cut;
mod lease;
mod live;
mod own;
mod row;

pub use abandoned::{abandoned, let_go};
pub use cut::cut;
pub use lease::{Filter, lease};
pub use live::{LiveWork, live};
pub use own::{
    Hold, Progress, Reopen, Why, done, failed, fetched, heartbeat, progress, refused, release,
    reopen,
};
pub(crate) use row::ChunkColumns;
pub use row::{Chunk, NewChunk, State, Totals};

use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{JobId, UtcMicros};

/// What [`Chunk`] is read from, of `backfill_chunks c`.
macro_rules! chunk {
    () => {
        "c.job_id, c.chunk, c.from_at, c.to_at, c.state, c.due_at, c.lease_owner, c.lease_until, c.cursor, c.attempt, c.pages, c.records, \
         c.bytes, c.calls, c.expected, c.arrived, c.reopened, c.waiting_for, c.last_error, c.started_at, c.updated_at, c.fetched_at, \
         c.finished_at"
    };
}
pub(crate) use chunk;

// The count in the job's row is looked at anew when two add at once and one waits for the other: one of them adds nothing.
static ADD: Sql = Sql {
    step: "add chunks to a backfill job",
    text: "WITH job AS ( \
               UPDATE backfill_jobs SET total = $2::bigint + cardinality($3::timestamptz[]), updated_at = now() \
               WHERE job_id = $1 AND coalesce(total, 0) = $2::bigint AND chunked AND state IN ('pending', 'running', 'paused') \
               RETURNING job_id \
           ) \
           INSERT INTO backfill_chunks (job_id, chunk, from_at, to_at, due_at, cursor) \
           SELECT job.job_id, ($2::bigint + c.number - 1)::integer, c.from_at, c.to_at, clock_timestamp() + c.due_in * interval '1 second', \
                  c.cursor \
           FROM job, unnest($3::timestamptz[], $4::timestamptz[], $5::float8[], $6::jsonb[]) \
                     WITH ORDINALITY AS c (from_at, to_at, due_in, cursor, number)",
};

static OF_JOB: Sql = Sql {
    step: "read the chunks of a backfill job",
    text: concat!(
        "SELECT ",
        chunk!(),
        " FROM backfill_chunks c WHERE c.job_id = $1 ORDER BY c.chunk"
    ),
};

static PAGE: Sql = Sql {
    step: "read some chunks of a backfill job",
    text: concat!(
        "SELECT ",
        chunk!(),
        " FROM backfill_chunks c WHERE c.job_id = $1 AND c.chunk >= $2 AND ($3::text IS NULL OR c.state = $3) ORDER BY c.chunk LIMIT $4"
    ),
};

static TOTALS: Sql = Sql {
    step: "sum the chunks of backfill jobs",
    text: "SELECT c.job_id, count(*), count(*) FILTER (WHERE c.state = 'open'), count(*) FILTER (WHERE c.state = 'fetched'), \
                  count(*) FILTER (WHERE c.state = 'done'), count(*) FILTER (WHERE c.state = 'failed'), \
                  count(*) FILTER (WHERE c.lease_owner IS NOT NULL AND c.lease_until > now()), \
                  count(*) FILTER (WHERE c.waiting_for IS NOT NULL AND c.state IN ('open', 'fetched')), \
                  sum(c.pages)::bigint, sum(c.records)::bigint, sum(c.bytes)::bigint, sum(c.calls)::bigint, sum(c.expected)::bigint, \
                  sum(c.arrived)::bigint, sum(c.reopened)::bigint, \
                  (array_agg(c.last_error ORDER BY c.updated_at DESC) FILTER (WHERE c.last_error IS NOT NULL))[1], \
                  min(c.from_at) FILTER (WHERE c.state <> 'done'), max(c.to_at) FILTER (WHERE c.state = 'done'), max(c.updated_at), \
                  count(*) FILTER (WHERE c.state = 'done' AND c.arrived < c.expected) \
           FROM backfill_chunks c WHERE c.job_id = ANY ($1) GROUP BY c.job_id ORDER BY c.job_id",
};

// Chunks before their job, as every other that writes both. The job's state is looked at anew once its row is locked: one that began to
// settle meanwhile goes on with the chunk instead.
static RETRY_FAILED: Sql = Sql {
    step: "open failed chunks again",
    text: "WITH which AS ( \
               SELECT c.chunk, c.state FROM backfill_chunks c JOIN backfill_jobs j ON j.job_id = c.job_id \
               WHERE c.job_id = $1 \
                 AND (c.state = 'failed' AND j.state IN ('pending', 'running', 'paused', 'failed') \
                      OR c.state = 'done' AND c.arrived < c.expected AND j.state = 'failed') \
               FOR NO KEY UPDATE OF c \
           ), c AS ( \
               UPDATE backfill_chunks c \
               SET state = 'open', attempt = 0, due_at = now(), finished_at = NULL, updated_at = now(), \
                   cursor = CASE w.state WHEN 'failed' THEN c.cursor END, \
                   fetched_at = CASE w.state WHEN 'failed' THEN c.fetched_at END, \
                   reopened = CASE w.state WHEN 'failed' THEN c.reopened ELSE 0 END \
               FROM which w WHERE c.job_id = $1 AND c.chunk = w.chunk \
               RETURNING w.state AS was \
           ), j AS ( \
               UPDATE backfill_jobs j \
               SET state = CASE WHEN j.state IN ('failed', 'settling') THEN 'pending' ELSE j.state END, \
                   error = CASE WHEN j.state IN ('failed', 'settling') THEN NULL ELSE j.error END, \
                   cursor = CASE WHEN j.state IN ('failed', 'settling') THEN NULL ELSE j.cursor END, \
                   done = j.done - (SELECT count(*) FROM c WHERE was = 'done'), finished_at = NULL, updated_at = now() \
               WHERE j.job_id = $1 AND EXISTS (SELECT FROM c) \
           ) SELECT count(*) FROM c",
};

static PRUNE: Sql = Sql {
    step: "delete old chunks of standing backfill jobs",
    text: "DELETE FROM backfill_chunks c USING ( \
               SELECT d.job_id, d.chunk FROM backfill_jobs j JOIN backfill_chunks d ON d.job_id = j.job_id \
               WHERE j.standing AND d.state = 'done' AND d.finished_at < $1 AND d.chunk < j.total - 1 \
               ORDER BY d.job_id, d.chunk LIMIT $2 FOR UPDATE OF d SKIP LOCKED \
           ) old WHERE c.job_id = old.job_id AND c.chunk = old.chunk",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &ADD,
    &OF_JOB,
    &PAGE,
    &TOTALS,
    &RETRY_FAILED,
    &PRUNE,
    &abandoned::ABANDONED,
    &abandoned::LET_GO,
    &cut::CUT,
    &lease::LEASE,
    &live::LIVE,
    &own::PROGRESS,
    &own::HEARTBEAT,
    &own::RELEASE,
    &own::REFUSED,
    &own::FETCHED,
    &own::DONE,
    &own::REOPEN,
    &own::FAILED,
];

/// Gives a job further chunks, numbered from `from_number`. `false`: it has another number of chunks by now, or has ended, and nothing was
/// written.
///
/// The number to go on from is [`Job::total`](crate::jobs::Job::total). Of two that add at once one adds nothing and looks again.
pub async fn add(
    conn: &impl Connection,
    job: JobId,
    from_number: i64,
    chunks: &[NewChunk],
) -> Result<bool, StoreError> {
    if chunks.is_empty() {
        return Ok(true);
    }
    let columns = ChunkColumns::of(chunks);
    let params: sql::Params<'_> = &[
        &job.0,
        &from_number,
        &columns.from,
        &columns.to,
        &columns.due_in,
        &columns.cursor,
    ];
    Ok(sql::execute(conn, &ADD, params).await? > 0)
}

/// All chunks of a job, by number.
pub async fn of_job(conn: &impl Connection, job: JobId) -> Result<Vec<Chunk>, StoreError> {
    let rows = sql::query(conn, &OF_JOB, &[&job.0]).await?;
    rows.iter()
        .map(|row| Chunk::read(row, &OF_JOB, 0))
        .collect()
}

/// Some chunks of a job from a number on, of one state or of any.
pub async fn page(
    conn: &impl Connection,
    job: JobId,
    from_number: i32,
    state: Option<State>,
    limit: u32,
) -> Result<Vec<Chunk>, StoreError> {
    let state = state.map(State::as_str);
    let params: sql::Params<'_> = &[&job.0, &from_number, &state, &i64::from(limit)];
    let rows = sql::query(conn, &PAGE, params).await?;
    rows.iter().map(|row| Chunk::read(row, &PAGE, 0)).collect()
}

/// The chunks of a job in sum.
pub async fn totals(conn: &impl Connection, job: JobId) -> Result<Totals, StoreError> {
    let mut found = totals_of(conn, &[job]).await?;
    Ok(found
        .pop()
        .map_or_else(Totals::default, |(_, totals)| totals))
}

/// The chunks of several jobs in sum, by job; jobs without chunks are left out.
pub async fn totals_of(
    conn: &impl Connection,
    jobs: &[JobId],
) -> Result<Vec<(JobId, Totals)>, StoreError> {
    let ids: Vec<uuid::Uuid> = jobs.iter().map(|job| job.0).collect();
    let rows = sql::query(conn, &TOTALS, &[&ids]).await?;
    rows.iter()
        .map(|row| {
            Ok((
                JobId(sql::get(row, &TOTALS, 0)?),
                Totals::read(row, &TOTALS)?,
            ))
        })
        .collect()
}

/// Opens the failed chunks of a job again, at their cursors, and with them a job that failed for them; not one that was cancelled or is
/// settling. Of a job that failed because less arrived than the platform counts, those that came up short begin anew. Returns how many
/// there were.
pub async fn retry_failed(conn: &impl Connection, job: JobId) -> Result<u64, StoreError> {
    let row = sql::query_one(conn, &RETRY_FAILED, &[&job.0]).await?;
    let opened: i64 = sql::get(&row, &RETRY_FAILED, 0)?;
    Ok(opened.unsigned_abs())
}

/// Deletes chunks of standing jobs that were done before an instant, some at a time; the newest of each job stays. Returns how many went.
pub async fn prune(
    conn: &impl Connection,
    before: UtcMicros,
    limit: u32,
) -> Result<u64, StoreError> {
    sql::execute(conn, &PRUNE, &[&Instant(before), &i64::from(limit)]).await
}
