//! Operator jobs: created by a command, worked on under a lease, visible until they end.
//!
//! A job is worked on by one command in the foreground, with its lease and cursor in its own row ([`create()`], [`lease_one`]), or by any number
//! of workers that share its [`chunks`](crate::chunks) ([`create_chunked`]). When all its chunks have ended, one worker takes the job itself
//! and does what follows from them ([`to_settle`]), with the same lease as a foreground job.
//!
//! Every write of a worker names the lease's owner and says whether it still is: a worker that was taken over must stop.

mod create;
mod row;

pub use create::create_chunked;
pub(crate) use row::word;
pub use row::{Created, Finish, Job, Lane, NewChunkedJob, NewJob, Promote, Purpose, State};

use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::{Instant, Json};
use schema::JobId;
use std::time::Duration;

/// What [`Job`] is read from, of `backfill_jobs j`.
macro_rules! job {
    () => {
        "j.job_id, j.kind, j.tenant, j.metric_version, j.params, j.state, j.lease_owner, j.cursor, j.done, j.total, j.report, j.error, \
         j.created_at, j.started_at, j.finished_at, j.platform, j.from_at, j.to_at, j.kpis, j.purpose, j.lane, j.promote, j.chunked, \
         j.standing, j.request_id, j.paused_for, j.updated_at"
    };
}
pub(crate) use job;

static CREATE: Sql = Sql {
    step: "create a backfill job",
    text: "INSERT INTO backfill_jobs (job_id, kind, tenant, metric_version, params, total, from_at, to_at, promote) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
};

// Runs out like any lease: a job whose worker died may be taken over.
static LEASE: Sql = Sql {
    step: "lease a backfill job",
    text: concat!(
        "UPDATE backfill_jobs j SET state = 'running', lease_owner = $1, lease_until = clock_timestamp() + $2 * interval '1 second', \
                started_at = coalesce(started_at, now()), updated_at = now() \
         WHERE job_id = $3 AND NOT chunked AND (state = 'pending' OR state = 'running' AND lease_until <= clock_timestamp()) \
         RETURNING ",
        job!()
    ),
};

static HEARTBEAT: Sql = Sql {
    step: "extend a backfill job's lease",
    text: "UPDATE backfill_jobs SET lease_until = clock_timestamp() + $3 * interval '1 second', updated_at = now() \
           WHERE job_id = $1 AND lease_owner = $2 AND state IN ('running', 'settling')",
};

static PROGRESS: Sql = Sql {
    step: "write a backfill job's progress",
    text: "UPDATE backfill_jobs SET done = $3, total = coalesce($4, total), cursor = coalesce($5, cursor), \
                  lease_until = clock_timestamp() + $6 * interval '1 second', updated_at = now() \
           WHERE job_id = $1 AND lease_owner = $2 AND state IN ('running', 'settling')",
};

// One that settles later goes on settling; when, its lease says.
static FINISH: Sql = Sql {
    step: "finish a backfill job",
    text: "UPDATE backfill_jobs SET state = CASE WHEN $3 = 'pending' AND chunked THEN state ELSE $3 END, \
                  report = coalesce($4, report), error = $5, lease_owner = NULL, lease_until = NULL, \
                  finished_at = CASE WHEN $3 IN ('done', 'failed') THEN now() END, updated_at = now() \
           WHERE job_id = $1 AND lease_owner = $2 AND state IN ('running', 'settling')",
};

static CANCEL: Sql = Sql {
    step: "cancel a backfill job",
    text: "UPDATE backfill_jobs SET state = 'cancelled', finished_at = now(), updated_at = now() \
           WHERE job_id = $1 AND state IN ('pending', 'running', 'paused', 'settling')",
};

static PAUSE: Sql = Sql {
    step: "pause a backfill job",
    text: "UPDATE backfill_jobs SET state = 'paused', paused_for = $2, lease_owner = NULL, lease_until = NULL, updated_at = now() \
           WHERE job_id = $1 AND state IN ('pending', 'running', 'settling')",
};

// One of the foreground that has a report had published everything, and its cursor says how far it had settled.
static RESUME: Sql = Sql {
    step: "resume a backfill job",
    text: "UPDATE backfill_jobs SET state = CASE WHEN NOT chunked AND report IS NOT NULL THEN 'settling' ELSE 'pending' END, \
                  paused_for = NULL, updated_at = now() WHERE job_id = $1 AND state = 'paused'",
};

// The oldest first. Chunks that are not over are at most a few probes of two indexes away; a standing job never settles.
static TO_SETTLE: Sql = Sql {
    step: "take a backfill job to settle",
    text: concat!(
        "WITH ready AS ( \
             SELECT j.job_id FROM backfill_jobs j \
             WHERE j.chunked AND NOT j.standing AND j.state IN ('pending', 'running', 'settling') \
               AND (j.lease_until IS NULL OR j.lease_until <= statement_timestamp()) \
               AND NOT EXISTS (SELECT FROM backfill_chunks c \
                               WHERE c.job_id = j.job_id AND c.state IN ('open', 'fetched') AND c.started_at IS NOT NULL) \
               AND NOT EXISTS (SELECT FROM backfill_chunks c \
                               WHERE c.job_id = j.job_id AND c.state IN ('open', 'fetched') AND c.started_at IS NULL) \
             ORDER BY j.created_at, j.job_id LIMIT 1 FOR NO KEY UPDATE OF j SKIP LOCKED \
         ) \
         UPDATE backfill_jobs j SET state = 'settling', lease_owner = $1, lease_until = clock_timestamp() + $2 * interval '1 second', \
                started_at = coalesce(j.started_at, now()), updated_at = now() \
         FROM ready WHERE j.job_id = ready.job_id \
         RETURNING ",
        job!()
    ),
};

static SETTLE_ONE: Sql = Sql {
    step: "take a backfill job of the foreground to settle",
    text: concat!(
        "UPDATE backfill_jobs j SET lease_owner = $1, lease_until = clock_timestamp() + $2 * interval '1 second', updated_at = now() \
         WHERE job_id = $3 AND NOT chunked AND state = 'settling' AND (lease_until IS NULL OR lease_until <= clock_timestamp()) \
         RETURNING ",
        job!()
    ),
};

static SETTLE_LATER: Sql = Sql {
    step: "put off settling a backfill job",
    text: "UPDATE backfill_jobs SET lease_owner = NULL, lease_until = clock_timestamp() + $3 * interval '1 second', \
                  cursor = coalesce($4, cursor), updated_at = now() \
           WHERE job_id = $1 AND lease_owner = $2 AND state = 'settling'",
};

static GET: Sql = Sql {
    step: "read a backfill job",
    text: concat!(
        "SELECT ",
        job!(),
        " FROM backfill_jobs j WHERE j.job_id = $1"
    ),
};

static LIST: Sql = Sql {
    step: "list backfill jobs",
    text: concat!(
        "SELECT ",
        job!(),
        " FROM backfill_jobs j ORDER BY j.created_at DESC, j.job_id DESC LIMIT $1"
    ),
};

static OPEN: Sql = Sql {
    step: "list open backfill jobs",
    text: concat!(
        "SELECT ",
        job!(),
        " FROM backfill_jobs j WHERE j.state NOT IN ('done', 'failed', 'cancelled') AND NOT j.standing \
         ORDER BY j.created_at DESC, j.job_id DESC LIMIT $1"
    ),
};

static STANDING: Sql = Sql {
    step: "list standing backfill jobs",
    text: concat!(
        "SELECT ",
        job!(),
        " FROM backfill_jobs j WHERE j.standing AND j.state IN ('pending', 'running', 'paused') ORDER BY j.created_at, j.job_id"
    ),
};

static BY_REQUEST: Sql = Sql {
    step: "look for the backfill job of a request",
    text: concat!(
        "SELECT ",
        job!(),
        " FROM backfill_jobs j WHERE j.request_id = $1"
    ),
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &CREATE,
    &LEASE,
    &HEARTBEAT,
    &PROGRESS,
    &FINISH,
    &CANCEL,
    &PAUSE,
    &RESUME,
    &TO_SETTLE,
    &SETTLE_ONE,
    &SETTLE_LATER,
    &GET,
    &LIST,
    &OPEN,
    &STANDING,
    &BY_REQUEST,
    &create::CHUNKED,
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
            &job.stretch.map(|(from, _)| Instant(from)),
            &job.stretch.map(|(_, to)| Instant(to)),
            &job.promote.as_str(),
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

/// Pauses a job that has not ended, and says why. `false`: it had ended, or was paused already.
///
/// Its workers learn of it at their next write and stop; chunks stay where they are.
pub async fn pause(conn: &impl Connection, job: JobId, reason: &str) -> Result<bool, StoreError> {
    let reason = crate::json::printable(reason);
    Ok(sql::execute(conn, &PAUSE, &[&job.0, &reason]).await? == 1)
}

/// Lets a paused job go on from where it is. `false`: it was not paused.
pub async fn resume(conn: &impl Connection, job: JobId) -> Result<bool, StoreError> {
    Ok(sql::execute(conn, &RESUME, &[&job.0]).await? == 1)
}

/// Takes the oldest job whose chunks have all ended, to do what follows from them. It is `settling` from then on.
///
/// Keep it with [`heartbeat`] or [`progress`], end it with [`finish`], put it off with [`settle_later`].
pub async fn to_settle(
    conn: &impl Connection,
    owner: &str,
    length: Duration,
) -> Result<Option<Job>, StoreError> {
    let rows = sql::query(conn, &TO_SETTLE, &[&owner, &length.as_secs_f64()]).await?;
    rows.first()
        .map(|row| Job::read(row, &TO_SETTLE))
        .transpose()
}

/// Takes this job of the foreground, if it settles and nobody is at it. Keep and end it as one of [`to_settle`], which never finds it.
pub async fn settle_one(
    conn: &impl Connection,
    owner: &str,
    job: JobId,
    length: Duration,
) -> Result<Option<Job>, StoreError> {
    let rows = sql::query(conn, &SETTLE_ONE, &[&owner, &length.as_secs_f64(), &job.0]).await?;
    rows.first()
        .map(|row| Job::read(row, &SETTLE_ONE))
        .transpose()
}

/// Gives a settling job back, for [`to_settle`] or [`settle_one`] to find after `wait`. `false`: it was no longer ours.
///
/// The cursor is kept as it was where none is given.
pub async fn settle_later(
    conn: &impl Connection,
    job: JobId,
    owner: &str,
    wait: Duration,
    cursor_json: Option<&str>,
) -> Result<bool, StoreError> {
    let cursor = cursor_json.map(Json::new);
    let params: sql::Params<'_> = &[&job.0, &owner, &wait.as_secs_f64(), &cursor];
    Ok(sql::execute(conn, &SETTLE_LATER, params).await? == 1)
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

/// The newest jobs that have not ended, without standing ones.
pub async fn open(conn: &impl Connection, limit: u32) -> Result<Vec<Job>, StoreError> {
    let rows = sql::query(conn, &OPEN, &[&i64::from(limit)]).await?;
    rows.iter().map(|row| Job::read(row, &OPEN)).collect()
}

/// Standing jobs that were not cancelled, paused ones included, oldest first.
pub async fn standing(conn: &impl Connection) -> Result<Vec<Job>, StoreError> {
    let rows = sql::query(conn, &STANDING, &[]).await?;
    rows.iter().map(|row| Job::read(row, &STANDING)).collect()
}

/// The job that a request made, if it made one.
pub async fn of_request(
    conn: &impl Connection,
    request_id: &str,
) -> Result<Option<Job>, StoreError> {
    crate::columns::no_nul("request_id", request_id)?;
    let rows = sql::query(conn, &BY_REQUEST, &[&request_id]).await?;
    rows.first()
        .map(|row| Job::read(row, &BY_REQUEST))
        .transpose()
}
