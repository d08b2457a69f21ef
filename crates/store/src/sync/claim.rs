//! Taking rows that are due.

use super::MetricKey;
use crate::error::StoreError;
use crate::metrics::version;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::{Instant, JsonText};
use schema::UtcMicros;
use std::time::Duration;
use tokio_postgres::Row;
use uuid::Uuid;

/// A row to push, with the value it has now.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Which metric.
    pub key: MetricKey,
    /// The revision of this value. Give it back when settling.
    pub revision: i64,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// The value; absent with a reason in the metadata.
    pub metric_value: Option<f64>,
    /// A JSON object.
    pub metadata_json: String,
    /// What the value is dated by.
    pub timestamp_utc: UtcMicros,
    /// The agent it is attributed to.
    pub agent_id: Option<String>,
    /// The queue it is attributed to.
    pub queue_id: Option<String>,
}

/// Rows held under one lease.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The lease. Give it back when settling.
    pub lease: Uuid,
    /// The rows, longest due first.
    pub rows: Vec<Due>,
}

// statement_timestamp(): one end for the whole lease, and, being stable, a bound for the scan of sync_queue_due.
// One statement, so one snapshot: value and revision belong together. The revision handed out is the value's own and not the queue's,
// which may have been raised after the snapshot was taken.
pub(super) static CLAIM: Sql = Sql {
    step: "claim delivery rows",
    text: "WITH due AS MATERIALIZED ( \
               SELECT target, tenant, interaction_id, metric_type, metric_version, leg_scope, due_at FROM sync_queue \
               WHERE target = $1 AND state <> 'rejected' AND due_at <= statement_timestamp() \
               ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED \
           ), leased AS ( \
               UPDATE sync_queue q \
               SET state = 'leased', lease_id = $3, due_at = statement_timestamp() + $4 * interval '1 second', attempt = q.attempt + 1 \
               FROM due d \
               WHERE q.target = d.target AND q.tenant = d.tenant AND q.interaction_id = d.interaction_id \
                 AND q.metric_type = d.metric_type AND q.metric_version = d.metric_version AND q.leg_scope = d.leg_scope \
               RETURNING q.tenant, q.interaction_id, q.metric_type, q.metric_version, q.leg_scope, q.partition_at, q.attempt, \
                         d.due_at AS was_due_at \
           ) \
           SELECT l.tenant, l.interaction_id, l.metric_type, l.metric_version, l.leg_scope, l.attempt, m.revision, \
                  m.metric_value, m.metadata, m.timestamp_utc, m.agent_id, m.queue_id \
           FROM leased l \
           LEFT JOIN LATERAL (SELECT revision, metric_value, metadata, timestamp_utc, agent_id, queue_id \
                              FROM computed_metrics m \
                              WHERE m.tenant = l.tenant AND m.interaction_id = l.interaction_id AND m.metric_type = l.metric_type \
                                AND m.metric_version = l.metric_version AND m.leg_scope = l.leg_scope \
                                AND m.partition_at = l.partition_at OFFSET 0) m ON true \
           ORDER BY l.was_due_at, l.tenant, l.interaction_id, l.metric_type, l.metric_version, l.leg_scope",
};

// Retention dropped the month of a row that was still waiting.
pub(super) static DROP_ORPHANS: Sql = Sql {
    step: "drop delivery rows without a metric",
    text: "DELETE FROM sync_queue q \
           USING unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::text[]) \
                 AS k (tenant, interaction_id, metric_type, metric_version, leg_scope) \
           WHERE q.target = $1 AND q.lease_id = $7 AND q.tenant = k.tenant AND q.interaction_id = k.interaction_id \
             AND q.metric_type = k.metric_type AND q.metric_version = k.metric_version AND q.leg_scope = k.leg_scope",
};

/// Takes up to `limit` rows of the target that are due, for the length of the lease, counting the attempt.
///
/// Rows another replica holds are passed over; rows whose lease ran out are due like any other. All clocks are the server's.
pub async fn claim(
    conn: &impl Connection,
    target: &str,
    limit: u32,
    lease: Duration,
) -> Result<Claimed, StoreError> {
    let id = Uuid::now_v7();
    let rows = sql::query(
        conn,
        &CLAIM,
        &[&target, &i64::from(limit), &id, &lease.as_secs_f64()],
    )
    .await?;
    let mut claimed = Claimed {
        lease: id,
        rows: Vec::with_capacity(rows.len()),
    };
    let mut orphans = Vec::new();
    for row in &rows {
        let key = key(row)?;
        match sql::get::<Option<i64>>(row, &CLAIM, 6)? {
            Some(revision) => claimed.rows.push(due(row, key, revision)?),
            None => orphans.push(key),
        }
    }
    if !orphans.is_empty() {
        drop_orphans(conn, target, id, &orphans).await?;
    }
    Ok(claimed)
}

fn key(row: &Row) -> Result<MetricKey, StoreError> {
    Ok(MetricKey {
        tenant: sql::get(row, &CLAIM, 0)?,
        interaction_id: sql::get(row, &CLAIM, 1)?,
        metric_type: sql::get(row, &CLAIM, 2)?,
        metric_version: version(sql::get(row, &CLAIM, 3)?)?,
        leg_scope: sql::get(row, &CLAIM, 4)?,
    })
}

fn due(row: &Row, key: MetricKey, revision: i64) -> Result<Due, StoreError> {
    Ok(Due {
        key,
        revision,
        attempt: sql::get(row, &CLAIM, 5)?,
        metric_value: sql::get(row, &CLAIM, 7)?,
        metadata_json: sql::get::<JsonText>(row, &CLAIM, 8)?.0,
        timestamp_utc: sql::get::<Instant>(row, &CLAIM, 9)?.0,
        agent_id: sql::get(row, &CLAIM, 10)?,
        queue_id: sql::get(row, &CLAIM, 11)?,
    })
}

async fn drop_orphans(
    conn: &impl Connection,
    target: &str,
    lease: Uuid,
    keys: &[MetricKey],
) -> Result<(), StoreError> {
    let columns = super::settle::KeyColumns::of(keys);
    sql::execute(
        conn,
        &DROP_ORPHANS,
        &[
            &target,
            &columns.tenant,
            &columns.interaction_id,
            &columns.metric_type,
            &columns.metric_version,
            &columns.leg_scope,
            &lease,
        ],
    )
    .await?;
    Ok(())
}
