//! Stretches of a job, each pulled on its own under a lease.

use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::{Instant, Json, JsonText};
use schema::{JobId, UtcMicros};
use std::time::Duration;

/// A stretch to work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its number in the job, from 0.
    pub chunk: i32,
    /// From this instant.
    pub from: UtcMicros,
    /// To before this instant.
    pub to: UtcMicros,
    /// How far it is, as JSON.
    pub cursor_json: Option<String>,
    /// Items done.
    pub done: i64,
    /// Which attempt this is, from 1.
    pub attempt: i32,
}

/// How many chunks of a job are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Waiting or under way.
    pub open: i64,
    /// Done.
    pub done: i64,
    /// Failed.
    pub failed: i64,
    /// Items done in all of them.
    pub items: i64,
}

pub(super) static CREATE: Sql = Sql {
    step: "create backfill chunks",
    text: "INSERT INTO backfill_chunks (job_id, chunk, from_at, to_at) \
           SELECT $1, u.* FROM unnest($2::integer[], $3::timestamptz[], $4::timestamptz[]) AS u ON CONFLICT DO NOTHING",
};

pub(super) static LEASE: Sql = Sql {
    step: "lease a backfill chunk",
    text: "UPDATE backfill_chunks SET state = 'running', lease_owner = $2, attempt = attempt + 1, updated_at = now(), \
                  lease_until = clock_timestamp() + $3 * interval '1 second' \
           WHERE job_id = $1 AND chunk = (SELECT chunk FROM backfill_chunks \
                                          WHERE job_id = $1 AND (state = 'pending' OR state = 'running' AND lease_until <= clock_timestamp()) \
                                          ORDER BY chunk LIMIT 1 FOR UPDATE SKIP LOCKED) \
           RETURNING chunk, from_at, to_at, cursor, done, attempt",
};

pub(super) static PROGRESS: Sql = Sql {
    step: "write a backfill chunk's progress",
    text: "UPDATE backfill_chunks SET done = $4, cursor = coalesce($5, cursor), updated_at = now(), \
                  lease_until = clock_timestamp() + $6 * interval '1 second' \
           WHERE job_id = $1 AND chunk = $2 AND lease_owner = $3 AND state = 'running'",
};

pub(super) static FINISH: Sql = Sql {
    step: "finish a backfill chunk",
    text: "UPDATE backfill_chunks SET state = CASE WHEN $4::text IS NULL THEN 'done' ELSE 'failed' END, error = $4, \
                  lease_owner = NULL, lease_until = NULL, updated_at = now() \
           WHERE job_id = $1 AND chunk = $2 AND lease_owner = $3 AND state = 'running'",
};

pub(super) static COUNT: Sql = Sql {
    step: "count backfill chunks",
    text: "SELECT count(*) FILTER (WHERE state IN ('pending', 'running')), count(*) FILTER (WHERE state = 'done'), \
                  count(*) FILTER (WHERE state = 'failed'), coalesce(sum(done), 0)::bigint \
           FROM backfill_chunks WHERE job_id = $1",
};

/// Creates the chunks of a job, numbered from 0 in the order given. Half-open stretches; those that exist are left alone.
pub async fn create(
    tx: &Transaction<'_>,
    job: JobId,
    stretches: &[(UtcMicros, UtcMicros)],
) -> Result<(), StoreError> {
    let numbers: Vec<i32> = (0..).take(stretches.len()).collect();
    let from: Vec<Instant> = stretches.iter().map(|stretch| Instant(stretch.0)).collect();
    let to: Vec<Instant> = stretches.iter().map(|stretch| Instant(stretch.1)).collect();
    sql::execute(tx, &CREATE, &[&job.0, &numbers, &from, &to])
        .await
        .map(drop)
}

/// Takes the first chunk that waits or whose lease ran out.
pub async fn lease(
    conn: &impl Connection,
    job: JobId,
    owner: &str,
    length: Duration,
) -> Result<Option<Chunk>, StoreError> {
    let rows = sql::query(conn, &LEASE, &[&job.0, &owner, &length.as_secs_f64()]).await?;
    rows.first()
        .map(|row| {
            Ok(Chunk {
                chunk: sql::get(row, &LEASE, 0)?,
                from: sql::get::<Instant>(row, &LEASE, 1)?.0,
                to: sql::get::<Instant>(row, &LEASE, 2)?.0,
                cursor_json: sql::get::<Option<JsonText>>(row, &LEASE, 3)?.map(|text| text.0),
                done: sql::get(row, &LEASE, 4)?,
                attempt: sql::get(row, &LEASE, 5)?,
            })
        })
        .transpose()
}

/// Writes how far a chunk is and extends its lease. `false`: it is no longer ours; stop.
pub async fn progress(
    conn: &impl Connection,
    job: JobId,
    chunk: i32,
    owner: &str,
    done: i64,
    cursor_json: Option<&str>,
    length: Duration,
) -> Result<bool, StoreError> {
    let cursor = cursor_json.map(Json::new);
    let params: sql::Params<'_> = &[
        &job.0,
        &chunk,
        &owner,
        &done,
        &cursor,
        &length.as_secs_f64(),
    ];
    Ok(sql::execute(conn, &PROGRESS, params).await? == 1)
}

/// Ends a chunk, well or with an error. `false`: it was no longer ours.
pub async fn finish(
    conn: &impl Connection,
    job: JobId,
    chunk: i32,
    owner: &str,
    error: Option<&str>,
) -> Result<bool, StoreError> {
    let error = error.map(crate::json::printable);
    let params: sql::Params<'_> = &[&job.0, &chunk, &owner, &error.as_deref()];
    Ok(sql::execute(conn, &FINISH, params).await? == 1)
}

/// How a job's chunks are doing.
pub async fn counts(conn: &impl Connection, job: JobId) -> Result<Counts, StoreError> {
    let row = sql::query_one(conn, &COUNT, &[&job.0]).await?;
    Ok(Counts {
        open: sql::get(&row, &COUNT, 0)?,
        done: sql::get(&row, &COUNT, 1)?,
        failed: sql::get(&row, &COUNT, 2)?,
        items: sql::get(&row, &COUNT, 3)?,
    })
}
