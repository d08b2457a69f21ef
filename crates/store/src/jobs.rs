//! Operator jobs: created by a command, worked on under a lease, visible until they end.
//!
//! Every write of a worker names the lease's owner and says whether it still is: a worker that was taken over must stop.

mod row;

pub use row::{Finish, Job, NewJob, State};

use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Json;
use schema::JobId;
use std::time::Duration;

macro_rules! job {
    () => {
        "job_id, kind, tenant, metric_version, params, state, lease_owner, cursor, done, total, report, error, created_at, \
         started_at, finished_at"
    };
}

static CREATE: Sql = Sql {
    step: "create a backfill job",
    text: "INSERT INTO backfill_jobs (job_id, kind, tenant, metric_version, params, total) VALUES ($1, $2, $3, $4, $5, $6)",
};

// Runs out like any lease: a job whose worker died may be taken over.
static LEASE: Sql = Sql {
    step: "lease a backfill job",
    text: concat!(
        "UPDATE backfill_jobs SET state = 'running', lease_owner = $1, lease_until = clock_timestamp() + $2 * interval '1 second', \
                started_at = coalesce(started_at, now()), updated_at = now() \
         WHERE job_id = $3 AND (state = 'pending' OR state = 'running' AND lease_until <= clock_timestamp()) \
         RETURNING ",
        job!()
    ),
};

static HEARTBEAT: Sql = Sql {
    step: "extend a backfill job's lease",
    text: "UPDATE backfill_jobs SET lease_until = clock_timestamp() + $3 * interval '1 second', updated_at = now() \
           WHERE job_id = $1 AND lease_owner = $2 AND state = 'running'",
};

static PROGRESS: Sql = Sql {
    step: "write a backfill job's progress",
    text: "UPDATE backfill_jobs SET done = $3, total = coalesce($4, total), cursor = coalesce($5, cursor), \
                  lease_until = clock_timestamp() + $6 * interval '1 second', updated_at = now() \
           WHERE job_id = $1 AND lease_owner = $2 AND state = 'running'",
};

static FINISH: Sql = Sql {
    step: "finish a backfill job",
    text: "UPDATE backfill_jobs SET state = $3, report = coalesce($4, report), error = $5, lease_owner = NULL, lease_until = NULL, \
                  finished_at = CASE WHEN $3 IN ('done', 'failed') THEN now() END, updated_at = now() \
           WHERE job_id = $1 AND lease_owner = $2 AND state = 'running'",
};

static CANCEL: Sql = Sql {
    step: "cancel a backfill job",
    text: "UPDATE backfill_jobs SET state = 'cancelled', finished_at = now(), updated_at = now() \
           WHERE job_id = $1 AND state IN ('pending', 'running')",
};

static GET: Sql = Sql {
    step: "read a backfill job",
    text: concat!("SELECT ", job!(), " FROM backfill_jobs WHERE job_id = $1"),
};

static LIST: Sql = Sql {
    step: "list backfill jobs",
    text: concat!(
        "SELECT ",
        job!(),
        " FROM backfill_jobs ORDER BY created_at DESC, job_id DESC LIMIT $1"
    ),
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &CREATE, &LEASE, &HEARTBEAT, &PROGRESS, &FINISH, &CANCEL, &GET, &LIST,
];

/// Creates a job that waits for a worker.
pub async fn create(conn: &impl Connection, job: &NewJob<'_>) -> Result<JobId, StoreError> {
    let id = JobId::generate();
    let version = i32::from(job.metric_version.0);
    sql::execute(
        conn,
        &CREATE,
        &[
            &id.0,
            &job.kind,
            &job.tenant,
            &version,
            &Json::new(job.params_json),
            &job.total,
        ],
    )
    .await?;
    Ok(id)
}

/// Takes this job, if it waits or its lease ran out.
pub async fn lease_one(
    conn: &impl Connection,
    owner: &str,
    job: JobId,
    length: Duration,
) -> Result<Option<Job>, StoreError> {
    let rows = sql::query(conn, &LEASE, &[&owner, &length.as_secs_f64(), &job.0]).await?;
    rows.first().map(|row| Job::read(row, &LEASE)).transpose()
}

/// Extends the lease. `false`: it is no longer ours, or the job was cancelled; stop.
pub async fn heartbeat(
    conn: &impl Connection,
    job: JobId,
    owner: &str,
    length: Duration,
) -> Result<bool, StoreError> {
    Ok(sql::execute(conn, &HEARTBEAT, &[&job.0, &owner, &length.as_secs_f64()]).await? == 1)
}

/// Writes how far the work is and extends the lease. `false`: it is no longer ours, or the job was cancelled; stop.
///
/// `total` and `cursor_json` are kept as they were where none is given.
pub async fn progress(
    conn: &impl Connection,
    job: JobId,
    owner: &str,
    done: i64,
    total: Option<i64>,
    cursor_json: Option<&str>,
    length: Duration,
) -> Result<bool, StoreError> {
    let cursor = cursor_json.map(Json::new);
    let params: sql::Params<'_> = &[
        &job.0,
        &owner,
        &done,
        &total,
        &cursor,
        &length.as_secs_f64(),
    ];
    Ok(sql::execute(conn, &PROGRESS, params).await? == 1)
}

/// Ends our work on a job. `false`: it was no longer ours.
pub async fn finish(
    conn: &impl Connection,
    job: JobId,
    owner: &str,
    finish: Finish<'_>,
) -> Result<bool, StoreError> {
    let (state, report, error) = finish.parts();
    let report = report.map(Json::new);
    let error = error.map(crate::json::printable);
    let params: sql::Params<'_> = &[&job.0, &owner, &state.as_str(), &report, &error.as_deref()];
    Ok(sql::execute(conn, &FINISH, params).await? == 1)
}

/// Cancels a job that has not ended; its worker learns of it at its next write. `false`: it had ended.
pub async fn cancel(conn: &impl Connection, job: JobId) -> Result<bool, StoreError> {
    Ok(sql::execute(conn, &CANCEL, &[&job.0]).await? == 1)
}

/// Reads one job.
pub async fn get(conn: &impl Connection, job: JobId) -> Result<Option<Job>, StoreError> {
    let rows = sql::query(conn, &GET, &[&job.0]).await?;
    rows.first().map(|row| Job::read(row, &GET)).transpose()
}

/// The newest jobs.
pub async fn list(conn: &impl Connection, limit: u32) -> Result<Vec<Job>, StoreError> {
    let rows = sql::query(conn, &LIST, &[&i64::from(limit)]).await?;
    rows.iter().map(|row| Job::read(row, &LIST)).collect()
}
