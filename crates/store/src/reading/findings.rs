//! Zone names that could not be used, and agents whose clock here is not the platform's.

use super::Tenants;
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use crate::zones::StoredFinding;
use schema::UtcMicros;

// One row a name and source: few, whatever there is.
pub(super) static LIST: Sql = Sql {
    step: "read the newest unknown zones",
    text: "SELECT tenant, source, stated, interaction_id, first_seen, last_seen FROM zone_findings \
           WHERE platform IS NULL AND ($1::text[] IS NULL OR tenant = ANY($1)) ORDER BY last_seen DESC, tenant, source, stated LIMIT $2",
};

/// Those met last, at most `limit`.
pub async fn zones(
    conn: &impl Connection,
    tenants: Tenants<'_>,
    limit: u32,
) -> Result<Vec<StoredFinding>, StoreError> {
    let tenants = tenants.param();
    for tenant in tenants.unwrap_or_default() {
        no_nul("tenant", tenant)?;
    }
    sql::query(conn, &LIST, &[&tenants, &i64::from(limit)])
        .await?
        .iter()
        .map(|row| {
            Ok(StoredFinding {
                tenant: sql::get(row, &LIST, 0)?,
                source: sql::get(row, &LIST, 1)?,
                stated: sql::get(row, &LIST, 2)?,
                interaction_id: sql::get(row, &LIST, 3)?,
                first_seen: sql::get::<Instant>(row, &LIST, 4)?.0,
                last_seen: sql::get::<Instant>(row, &LIST, 5)?.0,
            })
        })
        .collect()
}

/// An agent whose clock here is not the platform's, as the last reconciliation found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockFinding {
    /// The organisation.
    pub tenant: String,
    /// The platform, by its entry in the platforms file.
    pub platform: String,
    /// How they differ: `declared_differs`, `constant_difference`, `appears_at_change`.
    pub kind: String,
    /// Whose clock it is.
    pub agent_id: Option<String>,
    /// The zone that is used here.
    pub stated: String,
    /// The zone that the platform states.
    pub platform_zone: Option<String>,
    /// By how much our clock is ahead.
    pub ahead_seconds: Option<i64>,
    /// The change of the clocks from which on they differ so.
    pub since: Option<UtcMicros>,
    /// In words.
    pub detail: Option<String>,
    /// When it was last found.
    pub last_seen: UtcMicros,
}

pub(super) static CLOCKS: Sql = Sql {
    step: "read agents whose clock is not the platform's",
    text: "SELECT tenant, platform, kind, agent_id, stated, platform_zone, ahead_seconds, since, detail, last_seen FROM zone_findings \
           WHERE platform IS NOT NULL AND ($1::text[] IS NULL OR tenant = ANY($1)) ORDER BY tenant, platform, agent_id, kind LIMIT $2",
};

/// Agents of these organisations in the order of their ids, at most `limit`.
pub async fn clocks(
    conn: &impl Connection,
    tenants: Tenants<'_>,
    limit: u32,
) -> Result<Vec<ClockFinding>, StoreError> {
    let tenants = tenants.param();
    for tenant in tenants.unwrap_or_default() {
        no_nul("tenant", tenant)?;
    }
    sql::query(conn, &CLOCKS, &[&tenants, &i64::from(limit)])
        .await?
        .iter()
        .map(|row| {
            Ok(ClockFinding {
                tenant: sql::get(row, &CLOCKS, 0)?,
                platform: sql::get(row, &CLOCKS, 1)?,
                kind: sql::get(row, &CLOCKS, 2)?,
                agent_id: sql::get(row, &CLOCKS, 3)?,
                stated: sql::get(row, &CLOCKS, 4)?,
                platform_zone: sql::get(row, &CLOCKS, 5)?,
                ahead_seconds: sql::get(row, &CLOCKS, 6)?,
                since: sql::get::<Option<Instant>>(row, &CLOCKS, 7)?.map(|at| at.0),
                detail: sql::get(row, &CLOCKS, 8)?,
                last_seen: sql::get::<Instant>(row, &CLOCKS, 9)?.0,
            })
        })
        .collect()
}
