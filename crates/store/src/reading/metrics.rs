//! Metrics of single interactions and legs.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::{Instant, JsonText};
use schema::{MetricVersion, UtcMicros};

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The KPI.
    pub metric_type: &'a str,
    /// The version of its definition.
    pub metric_version: MetricVersion,
    /// Only those of this agent.
    pub agent_id: Option<&'a str>,
    /// Only those of this queue.
    pub queue_id: Option<&'a str>,
    /// The first instant.
    pub from: UtcMicros,
    /// The end, which does not belong to it.
    pub to: UtcMicros,
}

/// The row behind which a page begins: rows come by instant, interaction and leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// Its instant.
    pub timestamp_utc: UtcMicros,
    /// Its interaction.
    pub interaction_id: String,
    /// Its leg; empty for the interaction as a whole.
    pub leg_scope: String,
}

/// A metric as readers see it.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSeen {
    /// The interaction.
    pub interaction_id: String,
    /// Empty for the interaction as a whole, else the leg.
    pub leg_scope: String,
    /// What the value is dated by.
    pub timestamp_utc: UtcMicros,
    /// The agent it is attributed to.
    pub agent_id: Option<String>,
    /// The queue it is attributed to.
    pub queue_id: Option<String>,
    /// The value; absent with a reason.
    pub metric_value: Option<f64>,
    /// A JSON object: the zone, the reason of an absence, what was not stated.
    pub metadata_json: String,
    /// The interaction ended, its wrap-up grace is over, and nothing was heard of it since.
    pub settled: bool,
    /// Rises by one with each real change.
    pub revision: i64,
    /// When it last changed.
    pub updated_at: UtcMicros,
}

// Along (metric_type, timestamp_utc) of every month, merged: a month that has nothing in the stretch costs one look at its index. Which months
// a stretch is in cannot be told from it, because a row stays in the month in which its interaction was first seen. The first instant is
// moved up to that of the row behind which the page begins.
pub(super) static PAGE: Sql = Sql {
    step: "read a page of metrics",
    text: "SELECT m.interaction_id, m.leg_scope, m.timestamp_utc, m.agent_id, m.queue_id, m.metric_value, m.metadata, \
                  i.settled_at IS NOT NULL, m.revision, m.updated_at \
           FROM (SELECT tenant, interaction_id, leg_scope, timestamp_utc, agent_id, queue_id, metric_value, metadata, revision, updated_at \
                 FROM computed_metrics \
                 WHERE metric_type = $2 AND timestamp_utc >= greatest($4, $8::timestamptz) AND timestamp_utc < $5 \
                   AND tenant = $1 AND metric_version = $3 \
                   AND ($6::text IS NULL OR agent_id = $6) AND ($7::text IS NULL OR queue_id = $7) \
                   AND ($8 IS NULL OR (timestamp_utc, interaction_id, leg_scope) > ($8, $9::text, $10::text)) \
                 ORDER BY timestamp_utc, interaction_id, leg_scope LIMIT $11) m \
           LEFT JOIN interactions i ON i.tenant = m.tenant AND i.interaction_id = m.interaction_id \
           ORDER BY m.timestamp_utc, m.interaction_id, m.leg_scope",
};

/// At most `limit` rows behind `after`, by instant, interaction and leg.
pub async fn page(
    conn: &impl Connection,
    filter: &Filter<'_>,
    after: Option<&After>,
    limit: u32,
) -> Result<Vec<MetricSeen>, StoreError> {
    no_nul("tenant", filter.tenant)?;
    no_nul("metric_type", filter.metric_type)?;
    no_nul("agent_id", filter.agent_id.unwrap_or_default())?;
    no_nul("queue_id", filter.queue_id.unwrap_or_default())?;
    let version = i32::from(filter.metric_version.0);
    let at = after.map(|after| Instant(after.timestamp_utc));
    let interaction = after.map(|after| after.interaction_id.as_str());
    let leg = after.map(|after| after.leg_scope.as_str());
    let params: sql::Params<'_> = &[
        &filter.tenant,
        &filter.metric_type,
        &version,
        &Instant(filter.from),
        &Instant(filter.to),
        &filter.agent_id,
        &filter.queue_id,
        &at,
        &interaction,
        &leg,
        &i64::from(limit),
    ];
    sql::query(conn, &PAGE, params)
        .await?
        .iter()
        .map(|row| {
            Ok(MetricSeen {
                interaction_id: sql::get(row, &PAGE, 0)?,
                leg_scope: sql::get(row, &PAGE, 1)?,
                timestamp_utc: sql::get::<Instant>(row, &PAGE, 2)?.0,
                agent_id: sql::get(row, &PAGE, 3)?,
                queue_id: sql::get(row, &PAGE, 4)?,
                metric_value: sql::get(row, &PAGE, 5)?,
                metadata_json: sql::get::<JsonText>(row, &PAGE, 6)?.0,
                settled: sql::get(row, &PAGE, 7)?,
                revision: sql::get(row, &PAGE, 8)?,
                updated_at: sql::get::<Instant>(row, &PAGE, 9)?.0,
            })
        })
        .collect()
}
