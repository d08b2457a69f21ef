//! Windows computed again although no item changed: by the zones of another document of places, say, or because an operator asks.
//!
//! A mark of a group whose subject ends in [`ALL`] has all its windows of a stretch computed, and one that ends in [`MOVED`] is about an agent in whatever groups: who computes windows finds them, see [`mark_agent`].

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::{Date, Instant, Quarters};
use schema::UtcMicros;

/// What stands between the parts of a group's subject: what it is by, its key, and [`ALL`]. None of them has a control character.
pub const SEPARATOR: char = '\u{1f}';
/// The last part of the subject of a group all of whose windows are to be computed.
pub const ALL: &str = "all";

/// The last part of the subject of an agent all of whose groups are to be computed.
pub const MOVED: &str = "moved";

/// Which groups.
#[derive(Debug, Clone, Copy, Default)]
pub struct Groups<'a> {
    /// Of this organisation; else of all.
    pub tenant: Option<&'a str>,
    /// From this instant on.
    pub from: Option<UtcMicros>,
    /// Before this instant.
    pub to: Option<UtcMicros>,
}

// Months apart, so that no mark is about more than can be computed in one transaction. The key is a JSON array of texts and nulls.
static MARK_GROUPS: Sql = Sql {
    step: "mark the groups of window_cells",
    text: "INSERT INTO dirty_marks (kind, tenant, subject, from_at, to_at) \
           SELECT 'group', tenant, group_by || chr(31) || group_key || chr(31) || 'all', \
                  min(day)::timestamp AT TIME ZONE 'UTC', (max(day) + 1)::timestamp AT TIME ZONE 'UTC' \
           FROM window_cells \
           WHERE ($1::text IS NULL OR tenant = $1) \
             AND ($2::timestamptz IS NULL OR day >= ($2 AT TIME ZONE 'UTC')::date) \
             AND ($3::timestamptz IS NULL OR day <= ($3 AT TIME ZONE 'UTC')::date) \
           GROUP BY tenant, group_by, group_key, date_trunc('month', day::timestamp) \
           ORDER BY tenant, group_by, group_key",
};

// The agent stands first in the key, and the conditions on the groups are the index's, see the migration.
static MARK_AGENT: Sql = Sql {
    step: "mark the groups of an agent",
    text: "INSERT INTO dirty_marks (kind, tenant, subject, from_at, to_at) \
           SELECT 'group', $1, group_by || chr(31) || group_key || chr(31) || 'all', \
                  min(day)::timestamp AT TIME ZONE 'UTC', (max(day) + 1)::timestamp AT TIME ZONE 'UTC' \
           FROM window_cells \
           WHERE tenant = $1 AND group_key >= $2 AND group_key < $3 AND group_by >= 'agent' AND group_by < 'agent-' \
           GROUP BY group_by, group_key, date_trunc('month', day::timestamp) ORDER BY group_by, group_key",
};

static MARK_CELLS: Sql = Sql {
    step: "mark the cells of window_items",
    text: "INSERT INTO dirty_marks (kind, tenant, from_at, to_at) \
           SELECT 'cell', tenant, cell, cell + interval '15 minutes' FROM window_items \
           WHERE ($1::text IS NULL OR tenant = $1) AND ($2::timestamptz IS NULL OR cell >= $2) AND ($3::timestamptz IS NULL OR cell < $3) \
             AND ordinal >= 0 \
           GROUP BY tenant, cell ORDER BY tenant, cell",
};

static FILLED: Sql = Sql {
    step: "look for what groups have in window_cells",
    text: "SELECT c.day, c.filled \
           FROM generate_series(0, $5::date - $4::date - 1) AS n \
           CROSS JOIN LATERAL (SELECT day, filled FROM window_cells c \
                               WHERE c.tenant = $1 AND c.day = $4::date + n AND c.group_by = $2 AND c.group_key = $3 OFFSET 0) c",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&MARK_GROUPS, &MARK_AGENT, &MARK_CELLS, &FILLED];

/// Marks all windows of these groups, and returns how many marks that made. What has no cells has no windows.
pub async fn mark_groups(tx: &Transaction<'_>, groups: &Groups<'_>) -> Result<u64, StoreError> {
    no_nul("tenant", groups.tenant.unwrap_or_default())?;
    let params: sql::Params<'_> = &[
        &groups.tenant,
        &groups.from.map(Instant),
        &groups.to.map(Instant),
    ];
    sql::execute(tx, &MARK_GROUPS, params).await
}

/// Marks all windows of the groups that an agent is in, and returns how many marks that made. `alone`: the key of the group by nothing but
/// the agent, a JSON array of one text. Whoever calls holds the lease on the organisation's cells: those of a round under way are not seen.
pub async fn mark_agent(
    tx: &Transaction<'_>,
    tenant: &str,
    alone: &str,
) -> Result<u64, StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("group_key", alone)?;
    // After the agent the array ends with a bracket or goes on with a comma.
    let begins = alone.strip_suffix(']').unwrap_or(alone);
    let (from, to) = (format!("{begins},"), format!("{begins}^"));
    sql::execute(tx, &MARK_AGENT, &[&tenant, &from, &to]).await
}

/// Marks all cells that have items, of an organisation or of all, from an instant and before another; returns how many.
pub async fn mark_cells(
    tx: &Transaction<'_>,
    tenant: Option<&str>,
    from: Option<UtcMicros>,
    to: Option<UtcMicros>,
) -> Result<u64, StoreError> {
    no_nul("tenant", tenant.unwrap_or_default())?;
    let params: sql::Params<'_> = &[&tenant, &from.map(Instant), &to.map(Instant)];
    sql::execute(tx, &MARK_CELLS, params).await
}

/// The days from one to before another (numbers since 1970) on which a group has anything, ascending, and in which quarter hours: bit q
/// of byte q / 8.
pub async fn filled(
    conn: &impl Connection,
    tenant: &str,
    (group_by, group_key): (&str, &str),
    (from, to): (i32, i32),
) -> Result<Vec<(i32, [u8; 12])>, StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("group_by", group_by)?;
    no_nul("group_key", group_key)?;
    let sql = &FILLED;
    let params: sql::Params<'_> = &[&tenant, &group_by, &group_key, &Date(from), &Date(to)];
    let rows = sql::query(conn, sql, params).await?;
    let mut days: Vec<(i32, [u8; 12])> = rows
        .iter()
        .map(|row| {
            let day = sql::get::<Date>(row, sql, 0)?.0;
            Ok((day, sql::get::<Quarters>(row, sql, 1)?.0))
        })
        .collect::<Result<_, StoreError>>()?;
    days.sort_unstable();
    Ok(days)
}
