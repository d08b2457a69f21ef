//! Whole months that are old enough to go, what is still needed of them, and the proof of what went.
//!
//! The checks are the database's (`drop_month`), in the transaction that drops. What that waits for is a lock on the month's table and, for
//! a moment, on its parent: set a short `lock_timeout` and try again, so that no writer waits behind it for long.

use crate::error::StoreError;
use crate::partitions::Table;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::time::Duration;

/// A month of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its own table.
    pub name: String,
    /// Its first instant.
    pub from: UtcMicros,
    /// The first instant after it.
    pub to: UtcMicros,
    /// About how many rows it has, by the server's statistics.
    pub rows: i64,
    /// What it takes on the disk, indexes included.
    pub bytes: i64,
}

/// Why a month must not go yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUse {
    /// In one word.
    pub reason: String,
    /// For a person.
    pub detail: String,
}

static PARTS: Sql = Sql {
    step: "list months",
    text: "SELECT part, begins, ends, estimate, bytes FROM months_of($1) WHERE ends <= $2 ORDER BY begins",
};

static IN_USE: Sql = Sql {
    step: "look for what needs a month",
    text: "SELECT reason, detail FROM month_in_use($1, $2, $3) ORDER BY reason, detail",
};

static DROP: Sql = Sql {
    step: "drop a month",
    text: "SELECT drop_month($1, $2)",
};

static PATIENCE: Sql = Sql {
    step: "set how long to wait for a lock",
    text: "SELECT set_config('lock_timeout', $1, true)",
};

static DELETED: Sql = Sql {
    step: "note what retention deleted",
    text: "INSERT INTO retention_log (parent, to_at, rows) VALUES ($1, $2, $3)",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&PARTS, &IN_USE, &DROP, &PATIENCE, &DELETED];

/// The months of a table that had ended by this instant, the oldest first.
pub async fn parts_before(
    conn: &impl Connection,
    table: Table,
    before: UtcMicros,
) -> Result<Vec<Part>, StoreError> {
    let params: sql::Params<'_> = &[&table.name(), &Instant(before)];
    sql::query(conn, &PARTS, params)
        .await?
        .iter()
        .map(|row| {
            Ok(Part {
                name: sql::get(row, &PARTS, 0)?,
                from: sql::get::<Instant>(row, &PARTS, 1)?.0,
                to: sql::get::<Instant>(row, &PARTS, 2)?.0,
                rows: sql::get(row, &PARTS, 3)?,
                bytes: sql::get(row, &PARTS, 4)?,
            })
        })
        .collect()
}

/// What still needs a month; nothing: it may go.
pub async fn in_use(
    conn: &impl Connection,
    table: Table,
    part: &Part,
) -> Result<Vec<InUse>, StoreError> {
    let params: sql::Params<'_> = &[&table.name(), &Instant(part.from), &Instant(part.to)];
    sql::query(conn, &IN_USE, params)
        .await?
        .iter()
        .map(|row| {
            Ok(InUse {
                reason: sql::get(row, &IN_USE, 0)?,
                detail: sql::get(row, &IN_USE, 1)?,
            })
        })
        .collect()
}

/// Drops a month and notes that it was, waiting so long for locks. False: it was gone already. End the transaction at once: until then
/// nobody gets at the table.
///
/// Where somebody is in the way for longer, the error is [`is_busy`]; where it is needed after all, [`is_needed`].
pub async fn drop_part(
    tx: &Transaction<'_>,
    table: Table,
    part: &Part,
    lock_timeout: Duration,
) -> Result<bool, StoreError> {
    let limit = lock_timeout.as_millis().max(1).to_string();
    sql::execute(tx, &PATIENCE, &[&limit]).await?;
    let row = sql::query_one(tx, &DROP, &[&table.name(), &part.name]).await?;
    sql::get(&row, &DROP, 0)
}

/// Whether somebody held a lock for too long: try again.
#[must_use]
pub fn is_busy(error: &StoreError) -> bool {
    matches!(error.sqlstate(), Some("55P03" | "40P01"))
}

/// Whether the month came to be needed since it was looked at.
#[must_use]
pub fn is_needed(error: &StoreError) -> bool {
    error.sqlstate() == Some("55006")
}

/// Notes that rows of a table without months were deleted, from before this instant.
pub async fn note_deleted(
    conn: &impl Connection,
    table: &str,
    before: UtcMicros,
    rows: u64,
) -> Result<(), StoreError> {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    sql::execute(conn, &DELETED, &[&table, &Instant(before), &rows])
        .await
        .map(drop)
}
