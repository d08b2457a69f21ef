//! What keeps itself going: jobs that are given further chunks, what is asked for at due times, and what is old enough to go.
//!
//! Whoever decides locks the job's row first ([`lock`]), so that of several processes that decide at once one acts and the others see it.

mod going;

pub use going::{Going, going};

use crate::chunks::{self, NewChunk};
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::jobs::{State, word};
use crate::json::printable;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::{Instant, Json, JsonText};
use schema::{JobId, UtcMicros};
use std::time::Duration;

/// A standing job, locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands; paused or ended, nothing is added.
    pub state: State,
    /// How far chunks were added, as its kind of decision writes it.
    pub marks_json: Option<String>,
    /// Chunks that have not been fetched.
    pub open: i64,
    /// The number of the next chunk.
    pub next: i64,
}

/// How a standing job does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stands {
    /// Where it stands.
    pub state: State,
    /// How far chunks were added.
    pub marks_json: Option<String>,
    /// The beginning of the earliest chunk that was not fetched.
    pub earliest_open: Option<UtcMicros>,
}

// What was begun and what was not have an index each.
macro_rules! open {
    ($what:literal, $how:literal) => {
        concat!(
            "(SELECT ",
            $what,
            " FROM backfill_chunks b WHERE b.job_id = j.job_id AND b.state = 'open' AND b.started_at IS NOT NULL) ",
            $how,
            " (SELECT ",
            $what,
            " FROM backfill_chunks f WHERE f.job_id = j.job_id AND f.state = 'open' AND f.started_at IS NULL)"
        )
    };
}

static LOCK: Sql = Sql {
    step: "lock a standing job",
    text: concat!(
        "SELECT j.state, j.cursor, ",
        open!("count(*)", "+"),
        ", coalesce(j.total, 0) FROM backfill_jobs j WHERE j.job_id = $1 FOR UPDATE"
    ),
};

static MARK: Sql = Sql {
    step: "note how far a standing job was given chunks",
    text: "UPDATE backfill_jobs SET cursor = $2, updated_at = now() WHERE job_id = $1",
};

static STANDS: Sql = Sql {
    step: "read how a standing job does",
    text: concat!(
        "SELECT j.state, j.cursor, least(",
        open!("min(from_at)", ","),
        ") FROM backfill_jobs j WHERE j.job_id = $1"
    ),
};

static DESCRIBE: Sql = Sql {
    step: "say what a standing job is",
    text: "UPDATE backfill_jobs SET params = $2 WHERE job_id = $1",
};

static REQUESTED: Sql = Sql {
    step: "list what was asked for",
    text: "SELECT request_id, state FROM backfill_jobs WHERE request_id >= $1::text AND request_id < $1::text || U&'\\FFFD' \
           ORDER BY request_id DESC LIMIT 1000",
};

// What somebody cancelled that keeps going by itself, and what was done for a gap that is still open, is made once and not again: the job that
// says so stays.
static DROP_JOBS: Sql = Sql {
    step: "delete old backfill jobs",
    text: "DELETE FROM backfill_jobs WHERE job_id IN ( \
               SELECT j.job_id FROM backfill_jobs j WHERE j.state IN ('done', 'failed', 'cancelled') AND NOT j.standing \
                  AND coalesce(j.finished_at, j.updated_at) < now() - $1 * interval '1 second' \
                  AND NOT (j.purpose = 'gap' AND EXISTS (SELECT FROM subscription_gaps g \
                                                         WHERE g.settled_at IS NULL AND g.gap_id::text = split_part(j.request_id, '/', 2))) \
               ORDER BY j.created_at LIMIT $2 FOR UPDATE OF j SKIP LOCKED)",
};

static DROP_LOOKUPS: Sql = Sql {
    step: "delete old look-ups",
    text: "DELETE FROM backfill_jobs WHERE job_id IN ( \
               SELECT job_id FROM backfill_jobs \
               WHERE purpose = 'lookup' AND state IN ('done', 'failed', 'cancelled', 'paused') AND updated_at < now() - $1 * interval '1 second' \
               ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
};

// Skipped where compute is about to delete it, because the end came after all.
static DROP_REQUESTS: Sql = Sql {
    step: "delete look-ups that were given up",
    text: "DELETE FROM history_requests h USING ( \
               SELECT tenant, interaction_id FROM history_requests \
               WHERE due_at = 'infinity' AND requested_at < now() - $1 * interval '1 second' \
               ORDER BY requested_at LIMIT $2 FOR UPDATE SKIP LOCKED \
           ) old WHERE h.tenant = old.tenant AND h.interaction_id = old.interaction_id",
};

static REPORT: Sql = Sql {
    step: "write a backfill job's report",
    text: "UPDATE backfill_jobs SET report = $2 WHERE job_id = $1",
};

// What a record confirmed: whoever infers an end is not answered by it.
static CONFIRMED: Sql = Sql {
    step: "look which interactions have ended for certain",
    text: "SELECT interaction_id FROM interactions \
           WHERE tenant = $1 AND interaction_id = ANY ($2::text[]) AND status <> 'open' AND NOT end_inferred",
};

static POSTPONE: Sql = Sql {
    step: "put look-ups off",
    text: "UPDATE history_requests SET last_error = $3, \
                  due_at = now() + $4 * power(2, least(greatest(attempts - 1, 0), 6)) * interval '1 second' \
           WHERE tenant = $1 AND interaction_id = ANY ($2::text[])",
};

static BEGUN: Sql = Sql {
    step: "read when interactions were first seen",
    text: "SELECT i.interaction_id, coalesce(i.started_at, i.partition_at) FROM interactions i \
           WHERE i.tenant = $1 AND i.interaction_id = ANY ($2::text[])",
};

// What a job asks about that has not ended, because it is paused or its record is not yet whole, is not asked about by another one.
// The log is read where the interaction's first event lies: it is ordered by time, and by nothing else.
//
// What was asked for often enough is due no more, at its last answer: else all of it would be passed each time on the way to what is due.
static WAITING: Sql = Sql {
    step: "take look-ups that are due",
    text: "WITH spent AS (SELECT h.tenant, h.interaction_id FROM history_requests h \
                         WHERE h.tenant = $1 AND h.due_at <= now() AND h.attempts >= $3 ORDER BY h.due_at LIMIT 1000 FOR UPDATE OF h SKIP LOCKED), \
                rests AS (UPDATE history_requests r SET due_at = 'infinity' FROM spent o \
                          WHERE r.tenant = o.tenant AND r.interaction_id = o.interaction_id), \
                due AS (SELECT h.tenant, h.interaction_id FROM history_requests h \
                        WHERE h.tenant = $1 AND h.due_at <= now() AND h.requested_at <= now() - $2 * interval '1 second' AND h.attempts < $3 \
                          AND NOT EXISTS (SELECT FROM backfill_jobs j \
                                          WHERE j.purpose = 'lookup' AND j.tenant = h.tenant AND j.state NOT IN ('done', 'failed', 'cancelled') \
                                            AND j.params -> 'ids' ? h.interaction_id) \
                          AND ($6::text[] IS NULL OR EXISTS ( \
                                SELECT FROM interactions i \
                                CROSS JOIN LATERAL unnest(ARRAY[i.partition_at, i.started_at]) AS seen (at) \
                                JOIN event_log e ON e.occurred_at >= seen.at - interval '1 minute' AND e.occurred_at <= seen.at + interval '1 minute' \
                                WHERE i.tenant = h.tenant AND i.interaction_id = h.interaction_id \
                                  AND e.tenant = h.tenant AND e.interaction_id = h.interaction_id AND e.subscription = ANY ($6))) \
                        ORDER BY h.due_at LIMIT $4 FOR UPDATE OF h SKIP LOCKED) \
           UPDATE history_requests r SET due_at = now() + $5 * interval '1 second', attempts = r.attempts + 1 FROM due d \
           WHERE r.tenant = d.tenant AND r.interaction_id = d.interaction_id RETURNING r.interaction_id",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &LOCK,
    &MARK,
    &STANDS,
    &DESCRIBE,
    &going::GOING,
    &REQUESTED,
    &DROP_JOBS,
    &DROP_LOOKUPS,
    &DROP_REQUESTS,
    &REPORT,
    &CONFIRMED,
    &POSTPONE,
    &BEGUN,
    &WAITING,
];

fn state(text: String) -> Result<State, StoreError> {
    word("backfill_jobs.state", text, State::parse)
}

/// Locks a standing job until the transaction ends.
pub async fn lock(tx: &Transaction<'_>, job: JobId) -> Result<Option<Standing>, StoreError> {
    let rows = sql::query(tx, &LOCK, &[&job.0]).await?;
    rows.first()
        .map(|row| {
            Ok(Standing {
                state: state(sql::get(row, &LOCK, 0)?)?,
                marks_json: sql::get::<Option<JsonText>>(row, &LOCK, 1)?.map(|text| text.0),
                open: sql::get(row, &LOCK, 2)?,
                next: sql::get(row, &LOCK, 3)?,
            })
        })
        .transpose()
}

/// Adds chunks to a locked job and notes how far they reach, together or not at all.
pub async fn extend(
    tx: &Transaction<'_>,
    job: JobId,
    standing: &Standing,
    chunks: &[NewChunk],
    marks_json: &str,
) -> Result<(), StoreError> {
    if !chunks::add(tx, job, standing.next, chunks).await? {
        return Err(StoreError::Vanished {
            step: "add chunks to a standing job",
        });
    }
    sql::execute(tx, &MARK, &[&job.0, &Json::new(marks_json)])
        .await
        .map(drop)
}

/// How a standing job does, without locking it.
pub async fn stands(conn: &impl Connection, job: JobId) -> Result<Option<Stands>, StoreError> {
    let rows = sql::query(conn, &STANDS, &[&job.0]).await?;
    rows.first()
        .map(|row| {
            Ok(Stands {
                state: state(sql::get(row, &STANDS, 0)?)?,
                marks_json: sql::get::<Option<JsonText>>(row, &STANDS, 1)?.map(|text| text.0),
                earliest_open: sql::get::<Option<Instant>>(row, &STANDS, 2)?.map(|at| at.0),
            })
        })
        .transpose()
}

/// Writes what a standing job says of itself in its parameters, as JSON.
pub async fn describe(
    conn: &impl Connection,
    job: JobId,
    params_json: &str,
) -> Result<(), StoreError> {
    sql::execute(conn, &DESCRIBE, &[&job.0, &Json::new(params_json)])
        .await
        .map(drop)
}

/// Requests that begin with this text, and how their jobs stand; the last thousand by name.
pub async fn requested(
    conn: &impl Connection,
    prefix: &str,
) -> Result<Vec<(String, State)>, StoreError> {
    no_nul("request_id", prefix)?;
    let rows = sql::query(conn, &REQUESTED, &[&prefix]).await?;
    rows.iter()
        .map(|row| {
            Ok((
                sql::get(row, &REQUESTED, 0)?,
                state(sql::get(row, &REQUESTED, 1)?)?,
            ))
        })
        .collect()
}

/// Which look-ups are to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Take<'a> {
    /// Whose.
    pub tenant: &'a str,
    /// Only of interactions whose beginning was logged under one of these names; none: of all.
    pub subscriptions: Option<&'a [&'a str]>,
    /// How long ago they were asked for at least.
    pub settle: Duration,
    /// Those asked for so often rest.
    pub attempts: i32,
    /// How many at most.
    pub limit: u32,
    /// When they are due once more if whoever took them never answers.
    pub again: Duration,
}

/// Takes look-ups that are due and that no job asks about already. They count as asked for once more, whether or not anybody ever answers.
/// Those that are due and were asked for too often rest from then on.
pub async fn take_requests(
    tx: &Transaction<'_>,
    take: &Take<'_>,
) -> Result<Vec<String>, StoreError> {
    no_nul("tenant", take.tenant)?;
    for name in take.subscriptions.unwrap_or_default() {
        no_nul("subscription", name)?;
    }
    let params: sql::Params<'_> = &[
        &take.tenant,
        &take.settle.as_secs_f64(),
        &take.attempts,
        &i64::from(take.limit),
        &take.again.as_secs_f64(),
        &take.subscriptions,
    ];
    let rows = sql::query(tx, &WAITING, params).await?;
    rows.iter().map(|row| sql::get(row, &WAITING, 0)).collect()
}

/// When interactions began, as far as is known: where a platform is to be asked about a stretch and not about an id.
pub async fn begun(
    conn: &impl Connection,
    tenant: &str,
    ids: &[String],
) -> Result<Vec<(String, UtcMicros)>, StoreError> {
    no_nul("tenant", tenant)?;
    let rows = sql::query(conn, &BEGUN, &[&tenant, &ids]).await?;
    rows.iter()
        .map(|row| {
            Ok((
                sql::get(row, &BEGUN, 0)?,
                sql::get::<Instant>(row, &BEGUN, 1)?.0,
            ))
        })
        .collect()
}

/// Deletes up to `limit` jobs that ended so long ago, with their chunks and notices: but standing ones, and those for gaps that are open. Returns
/// how many.
pub async fn drop_jobs(
    conn: &impl Connection,
    older_than: Duration,
    limit: u32,
) -> Result<u64, StoreError> {
    sql::execute(
        conn,
        &DROP_JOBS,
        &[&older_than.as_secs_f64(), &i64::from(limit)],
    )
    .await
}

/// The same of jobs that asked about interactions: there may be one a minute. One that is paused goes, too; what it asked about is asked about
/// again.
pub async fn drop_lookups(
    conn: &impl Connection,
    older_than: Duration,
    limit: u32,
) -> Result<u64, StoreError> {
    let params: sql::Params<'_> = &[&older_than.as_secs_f64(), &i64::from(limit)];
    sql::execute(conn, &DROP_LOOKUPS, params).await
}

/// Deletes up to `limit` requests that were given up and were made so long ago: of their interactions nothing is asked any more. Returns how
/// many.
pub async fn drop_requests(
    conn: &impl Connection,
    older_than: Duration,
    limit: u32,
) -> Result<u64, StoreError> {
    let params: sql::Params<'_> = &[&older_than.as_secs_f64(), &i64::from(limit)];
    sql::execute(conn, &DROP_REQUESTS, params).await
}

/// Writes a report beside how the job ended.
pub async fn report(
    conn: &impl Connection,
    job: JobId,
    report_json: &str,
) -> Result<(), StoreError> {
    sql::execute(conn, &REPORT, &[&job.0, &Json::new(report_json)])
        .await
        .map(drop)
}

/// Those of these interactions that have ended, by a statement and not by inference.
pub async fn confirmed(
    conn: &impl Connection,
    tenant: &str,
    ids: &[String],
) -> Result<Vec<String>, StoreError> {
    no_nul("tenant", tenant)?;
    let rows = sql::query(conn, &CONFIRMED, &[&tenant, &ids]).await?;
    rows.iter()
        .map(|row| sql::get(row, &CONFIRMED, 0))
        .collect()
}

/// Notes that these were asked for in vain: they are due again after `first`, and after twice as long each further time they were taken.
pub async fn postpone<I: AsRef<str>>(
    conn: &impl Connection,
    tenant: &str,
    ids: &[I],
    why: &str,
    first: Duration,
) -> Result<(), StoreError> {
    no_nul("tenant", tenant)?;
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
    let params: sql::Params<'_> = &[&tenant, &ids, &printable(why), &first.as_secs_f64()];
    sql::execute(conn, &POSTPONE, params).await.map(drop)
}
