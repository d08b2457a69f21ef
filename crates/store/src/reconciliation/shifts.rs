//! Shifts as workforce management published them last.

use super::Of;
use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::Transaction;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// A shift.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShiftRow {
    /// Whose.
    pub agent_id: String,
    /// When it begins.
    pub from: UtcMicros,
    /// When it ends.
    pub to: UtcMicros,
    /// Its id at the platform; empty where it has none.
    pub shift_id: String,
}

pub(super) static CLEAR: Sql = Sql {
    step: "delete wfm_shifts that were planned anew",
    text: "DELETE FROM wfm_shifts WHERE tenant = $1 AND platform = $2 AND from_at >= $3 AND from_at < $4 \
           AND ($5::text[] IS NULL OR agent_id = ANY($5))",
};

pub(super) static PUT: Sql = Sql {
    step: "write wfm_shifts",
    text: "INSERT INTO wfm_shifts (tenant, platform, agent_id, from_at, to_at, shift_id) \
           SELECT $1, $2, * FROM unnest($3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[]) \
           ON CONFLICT (tenant, platform, agent_id, from_at) DO UPDATE \
           SET to_at = EXCLUDED.to_at, shift_id = EXCLUDED.shift_id, fetched_at = now()",
};

pub(super) static READ: Sql = Sql {
    step: "read wfm_shifts",
    text: "SELECT agent_id, from_at, to_at, shift_id FROM wfm_shifts \
           WHERE tenant = $1 AND platform = $2 AND from_at >= $3 AND from_at < $4 ORDER BY agent_id, from_at",
};

/// Puts these shifts in the place of all that begin in `[from, to)` and are of these agents; `None`: of any.
pub async fn replace(
    tx: &Transaction<'_>,
    of: Of<'_>,
    (from, to): (UtcMicros, UtcMicros),
    agents: Option<&[String]>,
    rows: &[ShiftRow],
) -> Result<(), StoreError> {
    of.check()?;
    for agent in agents.unwrap_or_default() {
        no_nul("agent_id", agent)?;
    }
    for row in rows {
        no_nul("agent_id", &row.agent_id)?;
        no_nul("shift_id", &row.shift_id)?;
    }
    let params: sql::Params<'_> = &[
        &of.tenant,
        &of.platform,
        &Instant(from),
        &Instant(to),
        &agents,
    ];
    sql::execute(tx, &CLEAR, params).await?;
    let sorted = last_per_key(rows, |row| (&row.agent_id, row.from));
    if sorted.is_empty() {
        return Ok(());
    }
    let agent_id = column(&sorted, |row| row.agent_id.as_str());
    let begins = column(&sorted, |row| Instant(row.from));
    let ends = column(&sorted, |row| Instant(row.to));
    let shift_id = column(&sorted, |row| row.shift_id.as_str());
    let params: sql::Params<'_> = &[
        &of.tenant,
        &of.platform,
        &agent_id,
        &begins,
        &ends,
        &shift_id,
    ];
    sql::execute(tx, &PUT, params).await.map(drop)
}

/// The shifts that begin in `[from, to)`, by agent and beginning.
pub async fn read(
    conn: &impl crate::pool::Connection,
    of: Of<'_>,
    from: UtcMicros,
    to: UtcMicros,
) -> Result<Vec<ShiftRow>, StoreError> {
    of.check()?;
    let sql = &READ;
    let params: sql::Params<'_> = &[&of.tenant, &of.platform, &Instant(from), &Instant(to)];
    sql::query(conn, sql, params)
        .await?
        .iter()
        .map(|row| {
            Ok(ShiftRow {
                agent_id: sql::get(row, sql, 0)?,
                from: sql::get::<Instant>(row, sql, 1)?.0,
                to: sql::get::<Instant>(row, sql, 2)?.0,
                shift_id: sql::get(row, sql, 3)?,
            })
        })
        .collect()
}
