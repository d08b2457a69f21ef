//! What was pushed before: pushes whose answer got lost, values the platform already has, and pushing everything once more.

use super::MetricKey;
use super::settle::KeyColumns;
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};

// Key by key through the index on (tenant, interaction_id, metric_type): OFFSET 0 keeps the planner from joining the whole log
// when it believes that the log is small.
pub(super) static LOG_LOST: Sql = Sql {
    step: "log pushes whose answer got lost",
    text: "INSERT INTO metric_sync_log (target, tenant, interaction_id, metric_type, metric_version, leg_scope, revision, attempt, \
                                        fate, request_id, idempotency_key, message) \
           SELECT $1, k.tenant, k.interaction_id, k.metric_type, k.metric_version, k.leg_scope, s.revision, s.attempt, \
                  'unknown', s.request_id, s.idempotency_key, 'the process that sent it ended before the answer was written down' \
           FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::text[]) \
                AS k (tenant, interaction_id, metric_type, metric_version, leg_scope) \
           CROSS JOIN LATERAL (SELECT l.request_id, min(l.revision) AS revision, min(l.attempt) AS attempt, \
                                      min(l.idempotency_key) AS idempotency_key \
                               FROM metric_sync_log l \
                               WHERE l.tenant = k.tenant AND l.interaction_id = k.interaction_id AND l.metric_type = k.metric_type \
                                 AND l.metric_version = k.metric_version AND l.leg_scope = k.leg_scope AND l.target = $1 \
                               GROUP BY l.request_id HAVING bool_and(l.fate = 'sent') OFFSET 0) s",
};

pub(super) static HELD: Sql = Sql {
    step: "look for values the platform has",
    text: "SELECT k.n FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::text[]) WITH ORDINALITY \
                AS k (tenant, interaction_id, metric_type, metric_version, leg_scope, n) \
           CROSS JOIN LATERAL (SELECT 1 FROM metric_sync_log l \
                               WHERE l.tenant = k.tenant AND l.interaction_id = k.interaction_id AND l.metric_type = k.metric_type \
                                 AND l.metric_version = k.metric_version AND l.leg_scope = k.leg_scope AND l.target = $1 \
                                 AND l.fate IN ('accepted', 'unknown') LIMIT 1) l",
};

pub(super) static REQUEUE: Sql = Sql {
    step: "queue all current values again",
    text: "INSERT INTO sync_queue AS q (target, tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at, revision) \
           SELECT t.target, m.tenant, m.interaction_id, m.metric_type, m.metric_version, m.leg_scope, m.partition_at, m.revision \
           FROM sync_targets t JOIN computed_metrics m ON m.tenant = t.tenant AND m.metric_type = ANY (t.metrics) \
            AND CASE WHEN t.versions = '{}' \
                     THEN m.metric_version = (SELECT k.version FROM kpi_definitions k WHERE k.name = m.metric_type AND k.status = 'current') \
                     ELSE m.metric_version = ANY (t.versions) END \
           WHERE t.target = $1 AND t.enabled AND m.metric_value IS NOT NULL \
           ORDER BY m.tenant, m.interaction_id, m.metric_type, m.metric_version, m.leg_scope \
           ON CONFLICT (target, tenant, interaction_id, metric_type, metric_version, leg_scope) DO UPDATE SET \
               revision = greatest(q.revision, EXCLUDED.revision), \
               state = CASE q.state WHEN 'rejected' THEN 'pending' ELSE q.state END, \
               due_at = CASE q.state WHEN 'rejected' THEN now() ELSE q.due_at END, \
               attempt = CASE q.state WHEN 'rejected' THEN 0 ELSE q.attempt END",
};

/// Notes `unknown` for every request of these rows that was logged as sent and never had a fate: its process died. Call it before the
/// rows are sent again. Returns how many.
pub async fn log_lost(
    tx: &Transaction<'_>,
    target: &str,
    keys: &[&MetricKey],
) -> Result<u64, StoreError> {
    if keys.is_empty() {
        return Ok(0);
    }
    let columns = KeyColumns::of(keys.iter().copied());
    sql::execute(
        tx,
        &LOG_LOST,
        &[
            &target,
            &columns.tenant,
            &columns.interaction_id,
            &columns.metric_type,
            &columns.metric_version,
            &columns.leg_scope,
        ],
    )
    .await
}

/// For each key whether the platform has, or may have, some value of it.
pub async fn held_by_platform(
    conn: &impl Connection,
    target: &str,
    keys: &[&MetricKey],
) -> Result<Vec<bool>, StoreError> {
    let mut held = vec![false; keys.len()];
    if keys.is_empty() {
        return Ok(held);
    }
    let columns = KeyColumns::of(keys.iter().copied());
    let rows = sql::query(
        conn,
        &HELD,
        &[
            &target,
            &columns.tenant,
            &columns.interaction_id,
            &columns.metric_type,
            &columns.metric_version,
            &columns.leg_scope,
        ],
    )
    .await?;
    for row in &rows {
        let ordinal: i64 = sql::get(row, &HELD, 0)?;
        if let Some(slot) = usize::try_from(ordinal - 1)
            .ok()
            .and_then(|index| held.get_mut(index))
        {
            *slot = true;
        }
    }
    Ok(held)
}

/// Queues every value of the target's tenant that the target wants and that is stated, pushed before or not. Returns how many rows wait because of it.
pub async fn requeue(conn: &impl Connection, target: &str) -> Result<u64, StoreError> {
    sql::execute(conn, &REQUEUE, &[&target]).await
}
