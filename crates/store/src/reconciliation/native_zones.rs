//! Whose clock the platform keeps an agent's days and plan by.

use super::Of;
use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::collections::BTreeMap;
use std::fmt;

/// Who states a zone; the first that does counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stater {
    /// The management unit that the agent belongs to, or the scheduling unit.
    ManagementUnit,
    /// The business unit.
    BusinessUnit,
    /// The agent's own record.
    Agent,
}

impl Stater {
    /// All, in the order in which they count.
    pub const ALL: [Self; 3] = [Self::ManagementUnit, Self::BusinessUnit, Self::Agent];

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ManagementUnit => "management_unit",
            Self::BusinessUnit => "business_unit",
            Self::Agent => "agent",
        }
    }
}

impl fmt::Display for Stater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A zone that the platform states for an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeZone {
    /// The agent.
    pub agent_id: String,
    /// Who states it.
    pub source: Stater,
    /// The zone, as it is written there.
    pub stated: String,
    /// The first instant it is stated for.
    pub from: UtcMicros,
    /// The end of that, exclusive.
    pub to: UtcMicros,
}

pub(super) static PUT: Sql = Sql {
    step: "write native_zones",
    text: "INSERT INTO native_zones AS z (tenant, platform, agent_id, source, stated, from_at, to_at) \
           SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[]) \
           ON CONFLICT (tenant, platform, agent_id, source, stated) DO UPDATE \
           SET from_at = least(z.from_at, EXCLUDED.from_at), to_at = greatest(z.to_at, EXCLUDED.to_at), fetched_at = now()",
};

pub(super) static READ: Sql = Sql {
    step: "read native_zones",
    text: "SELECT agent_id, source, stated, from_at, to_at FROM native_zones \
           WHERE tenant = $1 AND platform = $2 AND from_at < $4 AND to_at > $3 ORDER BY agent_id, source, from_at, stated",
};

/// Writes what is stated; one that was stated before reaches over both stretches, and what lies between.
pub async fn put(
    conn: &impl Connection,
    of: Of<'_>,
    rows: &[NativeZone],
) -> Result<u64, StoreError> {
    of.check()?;
    for row in rows {
        no_nul("agent_id", &row.agent_id)?;
        no_nul("stated", &row.stated)?;
    }
    let sorted = last_per_key(rows, |row| (&row.agent_id, row.source, &row.stated));
    if sorted.is_empty() {
        return Ok(0);
    }
    let agent_id = column(&sorted, |row| row.agent_id.as_str());
    let source = column(&sorted, |row| row.source.name());
    let stated = column(&sorted, |row| row.stated.as_str());
    let from = column(&sorted, |row| Instant(row.from));
    let to = column(&sorted, |row| Instant(row.to));
    let params: sql::Params<'_> = &[
        &of.tenant,
        &of.platform,
        &agent_id,
        &source,
        &stated,
        &from,
        &to,
    ];
    sql::execute(conn, &PUT, params).await
}

/// What is stated for any part of a stretch, by agent; of an agent only what the first in [`Stater::ALL`] says that says anything.
pub async fn read(
    conn: &impl Connection,
    of: Of<'_>,
    from: UtcMicros,
    to: UtcMicros,
) -> Result<Vec<NativeZone>, StoreError> {
    of.check()?;
    let sql = &READ;
    let params: sql::Params<'_> = &[&of.tenant, &of.platform, &Instant(from), &Instant(to)];
    let mut zones = Vec::new();
    for row in sql::query(conn, sql, params).await? {
        let source: String = sql::get(&row, sql, 1)?;
        let Some(source) = Stater::ALL.into_iter().find(|one| one.name() == source) else {
            continue; // of a later release
        };
        zones.push(NativeZone {
            agent_id: sql::get(&row, sql, 0)?,
            source,
            stated: sql::get(&row, sql, 2)?,
            from: sql::get::<Instant>(&row, sql, 3)?.0,
            to: sql::get::<Instant>(&row, sql, 4)?.0,
        });
    }
    let mut best: BTreeMap<String, Stater> = BTreeMap::new();
    for zone in &zones {
        let first = best.entry(zone.agent_id.clone()).or_insert(zone.source);
        *first = (*first).min(zone.source);
    }
    zones.retain(|zone| best.get(&zone.agent_id) == Some(&zone.source));
    Ok(zones)
}
