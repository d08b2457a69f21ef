//! Where open interactions are now. Gauges of the moment: never a metric.

use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::Transaction;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// Where an open interaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveRow<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The interaction.
    pub interaction_id: &'a str,
    /// `waiting`, `alerting`, `in_progress`, `held` or `other`.
    pub phase: &'a str,
    /// Since when.
    pub since: UtcMicros,
    /// The queue it waits in or came from last.
    pub queue_id: Option<&'a str>,
    /// The agent it is with or offered to.
    pub agent_id: Option<&'a str>,
    /// The media.
    pub media: Option<&'a str>,
    /// `inbound` or `outbound`.
    pub direction: Option<&'a str>,
}

static PUT: Sql = Sql {
    step: "write live_interactions",
    text: "INSERT INTO live_interactions AS l (tenant, interaction_id, phase, since, queue_id, agent_id, media, direction) \
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[]) \
           ON CONFLICT (tenant, interaction_id) DO UPDATE SET \
                  phase = EXCLUDED.phase, since = EXCLUDED.since, queue_id = EXCLUDED.queue_id, agent_id = EXCLUDED.agent_id, \
                  media = EXCLUDED.media, direction = EXCLUDED.direction \
           WHERE (l.phase, l.since, l.queue_id, l.agent_id, l.media, l.direction) \
                 IS DISTINCT FROM (EXCLUDED.phase, EXCLUDED.since, EXCLUDED.queue_id, EXCLUDED.agent_id, EXCLUDED.media, EXCLUDED.direction)",
};

static REMOVE: Sql = Sql {
    step: "delete from live_interactions",
    text: "DELETE FROM live_interactions l USING unnest($1::text[], $2::text[]) AS k (tenant, interaction_id) \
           WHERE l.tenant = k.tenant AND l.interaction_id = k.interaction_id",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&PUT, &REMOVE];

/// Writes where these interactions are, and nothing where that is known already; returns how many rows were written. The transaction
/// holds the interactions' locks. Of several rows with one key the last holds.
pub async fn put(tx: &Transaction<'_>, rows: &[LiveRow<'_>]) -> Result<u64, StoreError> {
    for row in rows {
        no_nul("tenant", row.tenant)?;
        no_nul("interaction_id", row.interaction_id)?;
        no_nul("phase", row.phase)?;
        for text in [row.queue_id, row.agent_id, row.media, row.direction] {
            no_nul("live_interactions", text.unwrap_or_default())?;
        }
    }
    let sorted = last_per_key(rows, |row| (row.tenant, row.interaction_id));
    if sorted.is_empty() {
        return Ok(0);
    }
    let tenant = column(&sorted, |row| row.tenant);
    let interaction_id = column(&sorted, |row| row.interaction_id);
    let phase = column(&sorted, |row| row.phase);
    let since = column(&sorted, |row| Instant(row.since));
    let queue_id = column(&sorted, |row| row.queue_id);
    let agent_id = column(&sorted, |row| row.agent_id);
    let media = column(&sorted, |row| row.media);
    let direction = column(&sorted, |row| row.direction);
    let params: sql::Params<'_> = &[
        &tenant,
        &interaction_id,
        &phase,
        &since,
        &queue_id,
        &agent_id,
        &media,
        &direction,
    ];
    sql::execute(tx, &PUT, params).await
}

/// Takes out interactions that ended or were given up; those that are not there are no error. Returns how many were there.
pub async fn remove(tx: &Transaction<'_>, keys: &[(&str, &str)]) -> Result<u64, StoreError> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    for (tenant, id) in &sorted {
        no_nul("tenant", tenant)?;
        no_nul("interaction_id", id)?;
    }
    if sorted.is_empty() {
        return Ok(0);
    }
    let (tenants, ids): (Vec<&str>, Vec<&str>) = sorted.into_iter().unzip();
    sql::execute(tx, &REMOVE, &[&tenants, &ids]).await
}
