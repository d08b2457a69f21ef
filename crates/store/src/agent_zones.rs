//! The zones that events state for agents: the one of the latest day holds, whatever the order in which statements come.

use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Date;

/// A zone as it was stated for an agent on a day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatedZone {
    /// The organisation.
    pub tenant: String,
    /// The agent.
    pub agent_id: String,
    /// Days since 1970, of UTC.
    pub day: i32,
    /// As it was written.
    pub zone: String,
}

// In the order of the keys: two workers never wait for each other in a circle.
static PUT: Sql = Sql {
    step: "write agent_zones",
    text: "INSERT INTO agent_zones AS z (tenant, agent_id, zone, stated_on) \
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::date[]) \
           ON CONFLICT (tenant, agent_id) DO UPDATE \
           SET zone = EXCLUDED.zone, stated_on = EXCLUDED.stated_on, moved = z.zone <> EXCLUDED.zone \
           WHERE (EXCLUDED.stated_on, EXCLUDED.zone) > (z.stated_on, z.zone) \
           RETURNING z.tenant, z.agent_id, z.moved",
};

static OF_AGENTS: Sql = Sql {
    step: "read agent_zones",
    text: "SELECT z.tenant, z.agent_id, z.stated_on, z.zone \
           FROM unnest($1::text[], $2::text[]) AS k (tenant, agent_id) \
           JOIN agent_zones z ON z.tenant = k.tenant AND z.agent_id = k.agent_id",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&PUT, &OF_AGENTS];

/// Writes what was stated on a later day than what is known; of one agent the latest of them. Returns the (tenant, agent) that have another
/// zone now, or one for the first time: their windows are others.
pub async fn put(
    tx: &Transaction<'_>,
    stated: &[StatedZone],
) -> Result<Vec<(String, String)>, StoreError> {
    for zone in stated {
        no_nul("tenant", &zone.tenant)?;
        no_nul("agent_id", &zone.agent_id)?;
        no_nul("zone", &zone.zone)?;
    }
    let mut ascending = stated.to_vec();
    ascending.sort_unstable();
    let latest = last_per_key(&ascending, |zone| {
        (zone.tenant.as_str(), zone.agent_id.as_str())
    });
    if latest.is_empty() {
        return Ok(Vec::new());
    }
    let tenant = column(&latest, |zone| zone.tenant.as_str());
    let agent_id = column(&latest, |zone| zone.agent_id.as_str());
    let zone = column(&latest, |zone| zone.zone.as_str());
    let day = column(&latest, |zone| Date(zone.day));
    let mut moved = Vec::new();
    for row in sql::query(tx, &PUT, &[&tenant, &agent_id, &zone, &day]).await? {
        if sql::get(&row, &PUT, 2)? {
            moved.push((sql::get(&row, &PUT, 0)?, sql::get(&row, &PUT, 1)?));
        }
    }
    Ok(moved)
}

/// The zones that are known of these (tenant, agent), in no order. Agents without one are left out.
pub async fn of_agents<T: AsRef<str>, A: AsRef<str>>(
    conn: &impl Connection,
    agents: &[(T, A)],
) -> Result<Vec<StatedZone>, StoreError> {
    let mut sorted: Vec<(&str, &str)> = agents
        .iter()
        .map(|(tenant, agent)| (tenant.as_ref(), agent.as_ref()))
        .collect();
    sorted.sort_unstable();
    sorted.dedup();
    for (tenant, agent) in &sorted {
        no_nul("tenant", tenant)?;
        no_nul("agent_id", agent)?;
    }
    if sorted.is_empty() {
        return Ok(Vec::new());
    }
    let (tenants, ids): (Vec<&str>, Vec<&str>) = sorted.into_iter().unzip();
    let sql = &OF_AGENTS;
    let rows = sql::query(conn, sql, &[&tenants, &ids]).await?;
    rows.iter()
        .map(|row| {
            Ok(StatedZone {
                tenant: sql::get(row, sql, 0)?,
                agent_id: sql::get(row, sql, 1)?,
                day: sql::get::<Date>(row, sql, 2)?.0,
                zone: sql::get(row, sql, 3)?,
            })
        })
        .collect()
}
