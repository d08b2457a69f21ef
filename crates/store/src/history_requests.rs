//! Interactions to be asked for by id at the platform's history API: compute writes them ([`sweep`](crate::sweep)), backfill works them off.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::json::printable;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::time::Duration;
use tokio_postgres::Row;

/// An interaction to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The platform's id.
    pub interaction_id: String,
    /// Why: `never ended`, or `inferred_end`.
    pub reason: String,
    /// When it was asked for first.
    pub requested_at: UtcMicros,
    /// How long that is ago.
    pub age: Duration,
    /// How often the platform was asked in vain.
    pub attempts: i32,
    /// What it said last.
    pub last_error: Option<String>,
}

/// What waits for one organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The organisation.
    pub tenant: String,
    /// How many there are.
    pub requests: i64,
    /// How many of them are due.
    pub due: i64,
    /// When the oldest was asked for.
    pub oldest: UtcMicros,
}

macro_rules! request {
    () => {
        "h.interaction_id, h.reason, h.requested_at, extract(epoch FROM now() - h.requested_at)::float8, h.attempts, h.last_error"
    };
}

static DUE: Sql = Sql {
    step: "list history requests",
    text: concat!(
        "SELECT ",
        request!(),
        " FROM history_requests h WHERE h.tenant = $1 AND h.due_at <= now() ORDER BY h.due_at, h.interaction_id LIMIT $2"
    ),
};

static TAKE: Sql = Sql {
    step: "take history requests",
    text: concat!(
        "WITH due AS MATERIALIZED ( \
             SELECT tenant, interaction_id, due_at FROM history_requests \
             WHERE tenant = $1 AND due_at <= statement_timestamp() \
             ORDER BY due_at, interaction_id LIMIT $2 FOR UPDATE SKIP LOCKED \
         ), h AS ( \
             UPDATE history_requests r SET due_at = clock_timestamp() + $3 * interval '1 second' \
             FROM due WHERE r.tenant = due.tenant AND r.interaction_id = due.interaction_id \
             RETURNING r.interaction_id, r.reason, r.requested_at, r.attempts, r.last_error, due.due_at AS was_due_at \
         ) \
         SELECT ",
        request!(),
        " FROM h ORDER BY h.was_due_at, h.interaction_id"
    ),
};

// In the order of the keys: compute deletes some at the same time.
static ANSWERED: Sql = Sql {
    step: "delete history requests",
    text: "DELETE FROM history_requests h USING ( \
               SELECT interaction_id FROM history_requests WHERE tenant = $1 AND interaction_id = ANY ($2) \
               ORDER BY interaction_id FOR UPDATE \
           ) k WHERE h.tenant = $1 AND h.interaction_id = k.interaction_id",
};

static FAILED: Sql = Sql {
    step: "note that history requests failed",
    text: "UPDATE history_requests h \
           SET attempts = h.attempts + 1, last_error = $3, due_at = clock_timestamp() + $4 * interval '1 second' \
           FROM (SELECT interaction_id FROM history_requests WHERE tenant = $1 AND interaction_id = ANY ($2) \
                 ORDER BY interaction_id FOR UPDATE) k \
           WHERE h.tenant = $1 AND h.interaction_id = k.interaction_id",
};

static WAITING: Sql = Sql {
    step: "count history requests",
    text: "SELECT tenant, count(*), count(*) FILTER (WHERE due_at <= now()), min(requested_at) \
           FROM history_requests GROUP BY tenant ORDER BY tenant",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&DUE, &TAKE, &ANSWERED, &FAILED, &WAITING];

/// A page of the requests of one organisation that are due, those that are due longest first. Takes nothing.
pub async fn due(
    conn: &impl Connection,
    tenant: &str,
    limit: u32,
) -> Result<Vec<Request>, StoreError> {
    no_nul("tenant", tenant)?;
    let rows = sql::query(conn, &DUE, &[&tenant, &i64::from(limit)]).await?;
    rows.iter().map(|row| read(row, &DUE)).collect()
}

/// As [`due`], and nobody else gets them for as long as `hold`. Then those that are neither [`answered`] nor [`failed`] are due again.
pub async fn take(
    conn: &impl Connection,
    tenant: &str,
    limit: u32,
    hold: Duration,
) -> Result<Vec<Request>, StoreError> {
    no_nul("tenant", tenant)?;
    let params: sql::Params<'_> = &[&tenant, &i64::from(limit), &hold.as_secs_f64()];
    let rows = sql::query(conn, &TAKE, params).await?;
    rows.iter().map(|row| read(row, &TAKE)).collect()
}

/// Deletes requests whose answer was handed on, or to which there will never be one. Returns how many there were.
pub async fn answered<I: AsRef<str>>(
    conn: &impl Connection,
    tenant: &str,
    interactions: &[I],
) -> Result<u64, StoreError> {
    let ids = ids(tenant, interactions)?;
    sql::execute(conn, &ANSWERED, &[&tenant, &ids]).await
}

/// Notes that the platform was asked in vain, and when to ask it again. Returns how many there were.
pub async fn failed<I: AsRef<str>>(
    conn: &impl Connection,
    tenant: &str,
    interactions: &[I],
    error: &str,
    again_in: Duration,
) -> Result<u64, StoreError> {
    let ids = ids(tenant, interactions)?;
    let params: sql::Params<'_> = &[&tenant, &ids, &printable(error), &again_in.as_secs_f64()];
    sql::execute(conn, &FAILED, params).await
}

/// How many wait, by organisation; those without any are left out.
pub async fn waiting(conn: &impl Connection) -> Result<Vec<Waiting>, StoreError> {
    sql::query(conn, &WAITING, &[])
        .await?
        .iter()
        .map(|row| {
            Ok(Waiting {
                tenant: sql::get(row, &WAITING, 0)?,
                requests: sql::get(row, &WAITING, 1)?,
                due: sql::get(row, &WAITING, 2)?,
                oldest: sql::get::<Instant>(row, &WAITING, 3)?.0,
            })
        })
        .collect()
}

fn ids<'i, I: AsRef<str>>(tenant: &str, interactions: &'i [I]) -> Result<Vec<&'i str>, StoreError> {
    no_nul("tenant", tenant)?;
    let ids: Vec<&str> = interactions.iter().map(AsRef::as_ref).collect();
    for id in &ids {
        no_nul("interaction_id", id)?;
    }
    Ok(ids)
}

fn read(row: &Row, sql: &Sql) -> Result<Request, StoreError> {
    Ok(Request {
        interaction_id: sql::get(row, sql, 0)?,
        reason: sql::get(row, sql, 1)?,
        requested_at: sql::get::<Instant>(row, sql, 2)?.0,
        age: crate::budgets::pauses::seconds(sql::get(row, sql, 3)?),
        attempts: sql::get(row, sql, 4)?,
        last_error: sql::get(row, sql, 5)?,
    })
}
