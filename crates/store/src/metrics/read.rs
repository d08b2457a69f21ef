//! Reading metrics back.

use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::{Instant, JsonText};
use schema::{MetricVersion, UtcMicros};

/// A metric as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredMetric {
    /// The metric's name.
    pub metric_type: String,
    /// The version of its definition.
    pub metric_version: MetricVersion,
    /// Empty for the interaction as a whole, else the leg.
    pub leg_scope: String,
    /// What the value is dated by.
    pub timestamp_utc: UtcMicros,
    /// The agent it is attributed to.
    pub agent_id: Option<String>,
    /// The queue it is attributed to.
    pub queue_id: Option<String>,
    /// The value; absent with a reason in the metadata.
    pub metric_value: Option<f64>,
    /// A JSON object.
    pub metadata_json: String,
    /// A JSON object.
    pub provenance_json: String,
    /// Rises by one with each real change.
    pub revision: i64,
    /// When it last changed.
    pub updated_at: UtcMicros,
}

// Through the interaction, which knows the month: one partition is read, not all.
pub(super) static OF_INTERACTION: Sql = Sql {
    step: "read an interaction's metrics",
    text: "SELECT m.metric_type, m.metric_version, m.leg_scope, m.timestamp_utc, m.agent_id, m.queue_id, m.metric_value, \
                  m.metadata, m.provenance, m.revision, m.updated_at \
           FROM interactions i \
           CROSS JOIN LATERAL (SELECT metric_type, metric_version, leg_scope, timestamp_utc, agent_id, queue_id, metric_value, \
                                      metadata, provenance, revision, updated_at \
                               FROM computed_metrics m \
                               WHERE m.tenant = i.tenant AND m.interaction_id = i.interaction_id \
                                 AND m.partition_at = i.partition_at OFFSET 0) m \
           WHERE i.tenant = $1 AND i.interaction_id = $2 \
           ORDER BY m.metric_type, m.metric_version, m.leg_scope",
};

/// All metrics of one interaction, all versions, sorted by name, version and leg.
pub async fn of_interaction(
    conn: &impl Connection,
    tenant: &str,
    interaction_id: &str,
) -> Result<Vec<StoredMetric>, StoreError> {
    let sql = &OF_INTERACTION;
    sql::query(conn, sql, &[&tenant, &interaction_id])
        .await?
        .iter()
        .map(|row| {
            Ok(StoredMetric {
                metric_type: sql::get(row, sql, 0)?,
                metric_version: version(sql::get(row, sql, 1)?)?,
                leg_scope: sql::get(row, sql, 2)?,
                timestamp_utc: sql::get::<Instant>(row, sql, 3)?.0,
                agent_id: sql::get(row, sql, 4)?,
                queue_id: sql::get(row, sql, 5)?,
                metric_value: sql::get(row, sql, 6)?,
                metadata_json: sql::get::<JsonText>(row, sql, 7)?.0,
                provenance_json: sql::get::<JsonText>(row, sql, 8)?.0,
                revision: sql::get(row, sql, 9)?,
                updated_at: sql::get::<Instant>(row, sql, 10)?.0,
            })
        })
        .collect()
}

/// A stored version number as the word for it.
pub(crate) fn version(stored: i32) -> Result<MetricVersion, StoreError> {
    u16::try_from(stored)
        .map(MetricVersion)
        .map_err(|_| StoreError::Unreadable {
            column: "metric_version",
            value: stored.to_string(),
        })
}
