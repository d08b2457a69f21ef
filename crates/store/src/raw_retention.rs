//! How far the retention of raw bytes has come on its walk through the log.

use crate::error::StoreError;
use crate::event_log::Place;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use uuid::Uuid;

/// A walk through the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// When it began.
    pub began_at: UtcMicros,
    /// What is done.
    pub after: Place,
}

static GET: Sql = Sql {
    step: "read raw_retention",
    text: "SELECT began_at, after_at, after_key FROM raw_retention",
};

static SET: Sql = Sql {
    step: "note how far raw_retention is",
    text: "INSERT INTO raw_retention (began_at, after_at, after_key) VALUES ($1, $2, $3) \
           ON CONFLICT (one) DO UPDATE SET began_at = EXCLUDED.began_at, after_at = EXCLUDED.after_at, after_key = EXCLUDED.after_key",
};

// The lock goes with the transaction: of several processes one walks.
static LEASE: Sql = Sql {
    step: "lease the walk of raw_retention",
    text: "SELECT pg_try_advisory_xact_lock(hashtextextended('kpiline.raw_retention', 0))",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&GET, &SET, &LEASE];

/// Whether this transaction may go on with the walk; until it ends nobody else may.
pub async fn try_lease(tx: &Transaction<'_>) -> Result<bool, StoreError> {
    sql::get(&sql::query_one(tx, &LEASE, &[]).await?, &LEASE, 0)
}

/// The walk under way, or the last one; none before the first.
pub async fn get(conn: &impl Connection) -> Result<Option<Walk>, StoreError> {
    let rows = sql::query(conn, &GET, &[]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let at: Option<Instant> = sql::get(row, &GET, 1)?;
    let key: Option<Uuid> = sql::get(row, &GET, 2)?;
    Ok(Some(Walk {
        began_at: sql::get::<Instant>(row, &GET, 0)?.0,
        after: at
            .zip(key)
            .map_or(Place::START, |(at, key)| Place { at: at.0, key }),
    }))
}

/// Notes how far the walk is.
pub async fn set(tx: &Transaction<'_>, walk: &Walk) -> Result<(), StoreError> {
    let params: sql::Params<'_> = &[
        &Instant(walk.began_at),
        &Instant(walk.after.at),
        &walk.after.key,
    ];
    sql::execute(tx, &SET, params).await?;
    Ok(())
}
