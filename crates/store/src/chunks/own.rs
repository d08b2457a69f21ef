//! What the owner of a chunk writes.

use crate::error::StoreError;
use crate::json::printable;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Json;
use schema::JobId;
use std::time::Duration;

/// What a page added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Where the next page begins, as JSON; none: as it was.
    pub cursor_json: Option<&'a str>,
    /// Pages that were confirmed since the last time.
    pub pages: i64,
    /// Records in them.
    pub records: i64,
    /// Bytes of them.
    pub bytes: i64,
    /// Requests to the platform since the last time.
    pub calls: i64,
}

/// Whether the owner of a chunk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It was written, and the chunk is ours.
    Ours,
    /// It was written, and the chunk was given back, because the job is paused or over.
    Stopped,
    /// Nothing was written: another one took the chunk over, or it has ended.
    Lost,
}

impl Hold {
    /// Whether to go on.
    pub const fn goes_on(self) -> bool {
        matches!(self, Self::Ours)
    }
}

/// Why a chunk is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why<'a> {
    /// It waits for something; failures are counted from nought again.
    Waiting(&'a str),
    /// Something went wrong; one failure more.
    Failed(&'a str),
    /// Neither: its worker stops, or was refused a slot. Nothing else changes.
    Later,
}

// Of a job that is paused or over the page counts all the same, and the chunk is free at once.
pub(super) static PROGRESS: Sql = Sql {
    step: "write the progress of a chunk",
    text: "UPDATE backfill_chunks c \
           SET cursor = coalesce($4, c.cursor), pages = c.pages + $5, records = c.records + $6, bytes = c.bytes + $7, calls = c.calls + $8, \
               attempt = 0, waiting_for = NULL, last_error = NULL, started_at = coalesce(c.started_at, now()), updated_at = now(), \
               lease_owner = CASE WHEN j.state IN ('pending', 'running') THEN c.lease_owner END, \
               lease_until = CASE WHEN j.state IN ('pending', 'running') THEN clock_timestamp() + $9 * interval '1 second' END \
           FROM backfill_jobs j \
           WHERE c.job_id = $1 AND c.chunk = $2 AND c.lease_owner = $3 AND c.state IN ('open', 'fetched') AND j.job_id = c.job_id \
           RETURNING j.state IN ('pending', 'running')",
};

pub(super) static HEARTBEAT: Sql = Sql {
    step: "extend a chunk's lease",
    text: "UPDATE backfill_chunks c \
           SET calls = c.calls + $4, updated_at = now(), \
               lease_owner = CASE WHEN j.state IN ('pending', 'running') THEN c.lease_owner END, \
               lease_until = CASE WHEN j.state IN ('pending', 'running') THEN clock_timestamp() + $5 * interval '1 second' END \
           FROM backfill_jobs j \
           WHERE c.job_id = $1 AND c.chunk = $2 AND c.lease_owner = $3 AND c.state IN ('open', 'fetched') AND j.job_id = c.job_id \
           RETURNING j.state IN ('pending', 'running')",
};

pub(super) static RELEASE: Sql = Sql {
    step: "give a chunk back",
    text: "UPDATE backfill_chunks \
           SET lease_owner = NULL, lease_until = NULL, due_at = clock_timestamp() + $4 * interval '1 second', calls = calls + $5, \
               attempt = CASE WHEN $7::text IS NOT NULL THEN attempt + 1 WHEN $6::text IS NOT NULL THEN 0 ELSE attempt END, \
               waiting_for = CASE WHEN $7::text IS NULL THEN coalesce($6, waiting_for) END, last_error = coalesce($7, last_error), \
               updated_at = now() \
           WHERE job_id = $1 AND chunk = $2 AND lease_owner = $3 AND state IN ('open', 'fetched')",
};

pub(super) static FETCHED: Sql = Sql {
    step: "note that a chunk is fetched",
    text: "UPDATE backfill_chunks \
           SET state = 'fetched', expected = coalesce($4, expected), due_at = clock_timestamp() + $5 * interval '1 second', \
               lease_owner = NULL, lease_until = NULL, attempt = 0, waiting_for = NULL, last_error = NULL, \
               started_at = coalesce(started_at, now()), fetched_at = now(), updated_at = now() \
           WHERE job_id = $1 AND chunk = $2 AND lease_owner = $3 AND state IN ('open', 'fetched')",
};

// A chunk before its job, as every other that writes both.
pub(super) static DONE: Sql = Sql {
    step: "note that a chunk is done",
    text: "WITH c AS ( \
               UPDATE backfill_chunks \
               SET state = 'done', arrived = coalesce($4, arrived), lease_owner = NULL, lease_until = NULL, attempt = 0, waiting_for = NULL, \
                   last_error = NULL, finished_at = now(), updated_at = now() \
               WHERE job_id = $1 AND chunk = $2 AND lease_owner = $3 AND state IN ('open', 'fetched') RETURNING job_id \
           ) \
           UPDATE backfill_jobs j SET done = j.done + 1, updated_at = now() FROM c WHERE j.job_id = c.job_id",
};

pub(super) static REOPEN: Sql = Sql {
    step: "open a chunk again",
    text: "UPDATE backfill_chunks \
           SET state = 'open', arrived = coalesce($4, arrived), cursor = $5, waiting_for = $6, reopened = reopened + 1, \
               due_at = clock_timestamp() + $7 * interval '1 second', lease_owner = NULL, lease_until = NULL, attempt = 0, \
               fetched_at = NULL, updated_at = now() \
           WHERE job_id = $1 AND chunk = $2 AND lease_owner = $3 AND state IN ('open', 'fetched')",
};

pub(super) static FAILED: Sql = Sql {
    step: "give a chunk up",
    text: "UPDATE backfill_chunks \
           SET state = 'failed', last_error = $4, lease_owner = NULL, lease_until = NULL, waiting_for = NULL, attempt = attempt + 1, \
               finished_at = now(), updated_at = now() \
           WHERE job_id = $1 AND chunk = $2 AND lease_owner = $3 AND state IN ('open', 'fetched')",
};

// A chunk before its job, as every other that writes both.
pub(super) static REFUSED: Sql = Sql {
    step: "give a chunk back and pause its job",
    text: "WITH c AS ( \
               UPDATE backfill_chunks \
               SET lease_owner = NULL, lease_until = NULL, due_at = clock_timestamp(), calls = calls + $5, attempt = attempt + 1, \
                   waiting_for = NULL, last_error = $4, updated_at = now() \
               WHERE job_id = $1 AND chunk = $2 AND lease_owner = $3 AND state IN ('open', 'fetched') RETURNING job_id \
           ), paused AS ( \
               UPDATE backfill_jobs j \
               SET state = 'paused', paused_for = $4, lease_owner = NULL, lease_until = NULL, updated_at = now() \
               FROM c WHERE j.job_id = c.job_id AND j.state IN ('pending', 'running') \
           ) \
           SELECT FROM c",
};

async fn held(
    conn: &impl Connection,
    sql: &Sql,
    params: sql::Params<'_>,
) -> Result<Hold, StoreError> {
    let rows = sql::query(conn, sql, params).await?;
    Ok(match rows.first() {
        None => Hold::Lost,
        Some(row) if sql::get(row, sql, 0)? => Hold::Ours,
        Some(_) => Hold::Stopped,
    })
}

/// Writes what was done since the last time, and extends the lease. What failed or was waited for before is over with it.
///
/// Unless it says [`Hold::Ours`] the chunk is no longer ours: take another.
pub async fn progress(
    conn: &impl Connection,
    job: JobId,
    chunk: i32,
    owner: &str,
    progress: &Progress<'_>,
    length: Duration,
) -> Result<Hold, StoreError> {
    let cursor = progress.cursor_json.map(Json::new);
    let params: sql::Params<'_> = &[
        &job.0,
        &chunk,
        &owner,
        &cursor,
        &progress.pages,
        &progress.records,
        &progress.bytes,
        &progress.calls,
        &length.as_secs_f64(),
    ];
    held(conn, &PROGRESS, params).await
}

/// Extends the lease and adds requests that brought nothing yet. As with [`progress`], only [`Hold::Ours`] goes on.
pub async fn heartbeat(
    conn: &impl Connection,
    job: JobId,
    chunk: i32,
    owner: &str,
    calls: i64,
    length: Duration,
) -> Result<Hold, StoreError> {
    let params: sql::Params<'_> = &[&job.0, &chunk, &owner, &calls, &length.as_secs_f64()];
    held(conn, &HEARTBEAT, params).await
}

/// Gives the chunk back; it may be taken again after `due_in`. `false`: it was no longer ours.
///
/// `calls` are requests to the platform that are not written yet.
pub async fn release(
    conn: &impl Connection,
    job: JobId,
    chunk: i32,
    owner: &str,
    due_in: Duration,
    why: Why<'_>,
    calls: i64,
) -> Result<bool, StoreError> {
    let (waiting, error) = match why {
        Why::Waiting(what) => (Some(printable(what)), None),
        Why::Failed(error) => (None, Some(printable(error))),
        Why::Later => (None, None),
    };
    let params: sql::Params<'_> = &[
        &job.0,
        &chunk,
        &owner,
        &due_in.as_secs_f64(),
        &calls,
        &waiting.as_deref(),
        &error.as_deref(),
    ];
    Ok(sql::execute(conn, &RELEASE, params).await? == 1)
}

/// Gives the chunk back as one that failed and pauses its job for the same reason: somebody has to look. `false`: it was no longer ours, and
/// the job goes on.
///
/// `calls` are requests to the platform that are not written yet.
pub async fn refused(
    conn: &impl Connection,
    job: JobId,
    chunk: i32,
    owner: &str,
    why: &str,
    calls: i64,
) -> Result<bool, StoreError> {
    let params: sql::Params<'_> = &[&job.0, &chunk, &owner, &printable(why), &calls];
    let rows = sql::query(conn, &REFUSED, params).await?;
    Ok(!rows.is_empty())
}

/// Every page was confirmed. It may be compared after `due_in`; `expected` is what the platform counts, if it says. `false`: it was no longer
/// ours.
pub async fn fetched(
    conn: &impl Connection,
    job: JobId,
    chunk: i32,
    owner: &str,
    expected: Option<i64>,
    due_in: Duration,
) -> Result<bool, StoreError> {
    let params: sql::Params<'_> = &[&job.0, &chunk, &owner, &expected, &due_in.as_secs_f64()];
    Ok(sql::execute(conn, &FETCHED, params).await? == 1)
}

/// Everything arrived, or there was nothing to compare. `false`: it was no longer ours.
pub async fn done(
    conn: &impl Connection,
    job: JobId,
    chunk: i32,
    owner: &str,
    arrived: Option<i64>,
) -> Result<bool, StoreError> {
    let params: sql::Params<'_> = &[&job.0, &chunk, &owner, &arrived];
    Ok(sql::execute(conn, &DONE, params).await? == 1)
}

/// What a chunk is fetched anew for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reopen<'a> {
    /// How many arrived so far.
    pub arrived: Option<i64>,
    /// Where to begin, as JSON; none: at the beginning.
    pub cursor_json: Option<&'a str>,
    /// What is missing.
    pub reason: &'a str,
    /// How long from now it may not be taken.
    pub due_in: Duration,
}

/// Some are missing: it is fetched anew. `false`: it was no longer ours.
pub async fn reopen(
    conn: &impl Connection,
    job: JobId,
    chunk: i32,
    owner: &str,
    reopen: &Reopen<'_>,
) -> Result<bool, StoreError> {
    let cursor = reopen.cursor_json.map(Json::new);
    let params: sql::Params<'_> = &[
        &job.0,
        &chunk,
        &owner,
        &reopen.arrived,
        &cursor,
        &printable(reopen.reason),
        &reopen.due_in.as_secs_f64(),
    ];
    Ok(sql::execute(conn, &REOPEN, params).await? == 1)
}

/// Gives the chunk up, and says why. Its cursor stays for [`retry_failed`](super::retry_failed). `false`: it was no longer ours.
pub async fn failed(
    conn: &impl Connection,
    job: JobId,
    chunk: i32,
    owner: &str,
    error: &str,
) -> Result<bool, StoreError> {
    let params: sql::Params<'_> = &[&job.0, &chunk, &owner, &printable(error)];
    Ok(sql::execute(conn, &FAILED, params).await? == 1)
}
