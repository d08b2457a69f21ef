//! Refresh notices on their way out: written in the transaction that ends a job, sent by whoever takes them.

use crate::error::StoreError;
use crate::json::printable;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::{Instant, Json, JsonText};
use schema::{JobId, UtcMicros};
use std::time::Duration;
use tokio_postgres::Row;
use uuid::Uuid;

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its number.
    pub id: i64,
    /// The job it speaks of.
    pub job: JobId,
    /// What it says, as a JSON object.
    pub body_json: String,
    /// When it was written.
    pub created_at: UtcMicros,
    /// When the broker confirmed it.
    pub queued_at: Option<UtcMicros>,
    /// When the webhook took it, or nobody wanted it there.
    pub posted_at: Option<UtcMicros>,
    /// When it was given up.
    pub given_up_at: Option<UtcMicros>,
    /// How often it was taken to be sent, this time included.
    pub attempts: i32,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// The addresses that took it, as digests.
    pub posted_to: Vec<Uuid>,
}

macro_rules! notice {
    () => {
        "n.notice_id, n.job_id, n.body, n.created_at, n.queued_at, n.posted_at, n.given_up_at, n.attempts, n.last_error, n.posted_to"
    };
}

static PUT: Sql = Sql {
    step: "write a refresh notice",
    text: "INSERT INTO backfill_notices (job_id, body) VALUES ($1, $2) RETURNING notice_id",
};

static TAKE: Sql = Sql {
    step: "take refresh notices",
    text: concat!(
        "WITH due AS MATERIALIZED ( \
             SELECT notice_id FROM backfill_notices \
             WHERE (queued_at IS NULL OR posted_at IS NULL) AND given_up_at IS NULL AND due_at <= statement_timestamp() \
               AND (queued_at IS NULL OR $3 OR last_error IS NULL AND created_at < now() - interval '1 hour') \
             ORDER BY due_at, notice_id LIMIT $1 FOR UPDATE SKIP LOCKED \
         ), n AS ( \
             UPDATE backfill_notices b SET due_at = clock_timestamp() + $2 * interval '1 second', attempts = b.attempts + 1 \
             FROM due WHERE b.notice_id = due.notice_id \
             RETURNING b.notice_id, b.job_id, b.body, b.created_at, b.queued_at, b.posted_at, b.given_up_at, b.attempts, b.last_error, b.posted_to \
         ) \
         SELECT ",
        notice!(),
        " FROM n ORDER BY n.notice_id"
    ),
};

static QUEUED: Sql = Sql {
    step: "note that a refresh notice is queued",
    text: "UPDATE backfill_notices SET queued_at = coalesce(queued_at, now()) WHERE notice_id = $1",
};

static LEAVE: Sql = Sql {
    step: "leave a refresh notice to others",
    text: "UPDATE backfill_notices SET due_at = clock_timestamp(), attempts = attempts - 1 WHERE notice_id = $1",
};

static POSTED_TO: Sql = Sql {
    step: "note where a refresh notice was posted",
    text: "UPDATE backfill_notices SET posted_to = posted_to || $2 WHERE notice_id = $1",
};

static POSTED: Sql = Sql {
    step: "note that a refresh notice was posted",
    text: "UPDATE backfill_notices SET posted_at = coalesce(posted_at, now()) WHERE notice_id = $1",
};

static FAILED: Sql = Sql {
    step: "note that a refresh notice failed",
    text: "UPDATE backfill_notices SET last_error = $2, due_at = clock_timestamp() + $3 * interval '1 second' WHERE notice_id = $1",
};

static GIVE_UP: Sql = Sql {
    step: "give a refresh notice up",
    text: "UPDATE backfill_notices SET last_error = $2, given_up_at = now() WHERE notice_id = $1",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &PUT, &TAKE, &QUEUED, &LEAVE, &POSTED_TO, &POSTED, &FAILED, &GIVE_UP,
];

/// Writes a notice, in the transaction that ends the job. Returns its number.
pub async fn put(conn: &impl Connection, job: JobId, body_json: &str) -> Result<i64, StoreError> {
    let row = sql::query_one(conn, &PUT, &[&job.0, &Json::new(body_json)]).await?;
    sql::get(&row, &PUT, 0)
}

/// Takes notices that are not queued or not posted yet, oldest due first. Nobody else gets them for as long as `hold`; after that they are due
/// again, so one may go out twice and none is lost.
///
/// Whoever posts nowhere (`posts`: false) leaves those that are queued to others, unless nobody tried for an hour: then nobody wants them.
pub async fn take(
    conn: &impl Connection,
    limit: u32,
    hold: Duration,
    posts: bool,
) -> Result<Vec<Notice>, StoreError> {
    let rows = sql::query(
        conn,
        &TAKE,
        &[&i64::from(limit), &hold.as_secs_f64(), &posts],
    )
    .await?;
    rows.iter().map(|row| read(row, &TAKE)).collect()
}

/// The broker confirmed it.
pub async fn queued(conn: &impl Connection, notice: i64) -> Result<(), StoreError> {
    sql::execute(conn, &QUEUED, &[&notice]).await.map(drop)
}

/// It is due at once for whoever posts it; this time does not count.
pub async fn leave(conn: &impl Connection, notice: i64) -> Result<(), StoreError> {
    sql::execute(conn, &LEAVE, &[&notice]).await.map(drop)
}

/// These addresses took it, others have not yet.
pub async fn posted_to(
    conn: &impl Connection,
    notice: i64,
    addresses: &[Uuid],
) -> Result<(), StoreError> {
    sql::execute(conn, &POSTED_TO, &[&notice, &addresses])
        .await
        .map(drop)
}

/// The webhook took it, or nobody wants it there.
pub async fn posted(conn: &impl Connection, notice: i64) -> Result<(), StoreError> {
    sql::execute(conn, &POSTED, &[&notice]).await.map(drop)
}

/// It did not go out; it is due again after `again_in`.
pub async fn failed(
    conn: &impl Connection,
    notice: i64,
    error: &str,
    again_in: Duration,
) -> Result<(), StoreError> {
    let params: sql::Params<'_> = &[&notice, &printable(error), &again_in.as_secs_f64()];
    sql::execute(conn, &FAILED, params).await.map(drop)
}

/// It will not go out; why is shown with it.
pub async fn give_up(conn: &impl Connection, notice: i64, error: &str) -> Result<(), StoreError> {
    sql::execute(conn, &GIVE_UP, &[&notice, &printable(error)])
        .await
        .map(drop)
}

fn read(row: &Row, sql: &Sql) -> Result<Notice, StoreError> {
    let instant = |column| -> Result<Option<UtcMicros>, StoreError> {
        Ok(sql::get::<Option<Instant>>(row, sql, column)?.map(|at| at.0))
    };
    Ok(Notice {
        id: sql::get(row, sql, 0)?,
        job: JobId(sql::get(row, sql, 1)?),
        body_json: sql::get::<JsonText>(row, sql, 2)?.0,
        created_at: sql::get::<Instant>(row, sql, 3)?.0,
        queued_at: instant(4)?,
        posted_at: instant(5)?,
        given_up_at: instant(6)?,
        attempts: sql::get(row, sql, 7)?,
        last_error: sql::get(row, sql, 8)?,
        posted_to: sql::get(row, sql, 9)?,
    })
}
