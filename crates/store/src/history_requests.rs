//! Interactions to be asked for by id at the platform's history API: compute writes them ([`sweep`](crate::sweep)), backfill works them off
//! ([`standing`](crate::standing)).

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// What waits for one organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The organisation.
    pub tenant: String,
    /// How many are asked for, now or later.
    pub requests: i64,
    /// How many of them are due.
    pub due: i64,
    /// When the oldest of them was asked for.
    pub oldest: Option<UtcMicros>,
    /// How many more there are that the platform never answered, however often it was asked.
    pub given_up: i64,
}

// In the order of the keys: compute deletes some at the same time.
static ANSWERED: Sql = Sql {
    step: "delete history requests",
    text: "DELETE FROM history_requests h USING ( \
               SELECT interaction_id FROM history_requests WHERE tenant = $1 AND interaction_id = ANY ($2) \
               ORDER BY interaction_id FOR UPDATE \
           ) k WHERE h.tenant = $1 AND h.interaction_id = k.interaction_id",
};

static WAITING: Sql = Sql {
    step: "count history requests",
    text: "SELECT tenant, count(*) FILTER (WHERE due_at < 'infinity'), count(*) FILTER (WHERE due_at <= now()), \
                  min(requested_at) FILTER (WHERE due_at < 'infinity'), count(*) FILTER (WHERE due_at = 'infinity') \
           FROM history_requests GROUP BY tenant ORDER BY tenant",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&ANSWERED, &WAITING];

/// Deletes requests whose answer was handed on, or to which there will never be one. Returns how many there were.
pub async fn answered<I: AsRef<str>>(
    conn: &impl Connection,
    tenant: &str,
    interactions: &[I],
) -> Result<u64, StoreError> {
    let ids = ids(tenant, interactions)?;
    sql::execute(conn, &ANSWERED, &[&tenant, &ids]).await
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
                oldest: sql::get::<Option<Instant>>(row, &WAITING, 3)?.map(|at| at.0),
                given_up: sql::get(row, &WAITING, 4)?,
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
