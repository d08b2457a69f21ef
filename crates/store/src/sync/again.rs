//! What was pushed before: pushes whose answer got lost, and pushing everything once more.

use super::MetricKey;
use super::key::KeyColumns;
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};

// Key by key through the index on (tenant, interaction_id, metric_type), or that on days: OFFSET 0 keeps the planner from joining the whole
// log when it believes that the log is small.
pub(super) static LOG_LOST: Sql = Sql {
    step: "log pushes whose answer got lost",
    text: "INSERT INTO metric_sync_log (target, tenant, interaction_id, leg_scope, agent_id, workday, metric_type, metric_version, \
                                        revision, attempt, fate, request_id, idempotency_key, message, value, points) \
           SELECT $1, k.tenant, k.interaction_id, k.leg_scope, k.agent_id, k.workday, k.metric_type, k.metric_version, s.revision, s.attempt, \
                  'unknown', s.request_id, s.idempotency_key, 'the process that sent it ended before the answer was written down', \
                  s.value, s.points \
           FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::date[], $7::text[], $8::integer[]) \
                AS k (tenant, interaction_id, leg_scope, agent_id, workday, metric_type, metric_version) \
           CROSS JOIN LATERAL (SELECT l.request_id, min(l.revision) AS revision, min(l.attempt) AS attempt, \
                                      min(l.idempotency_key) AS idempotency_key, min(l.value) AS value, min(l.points) AS points \
                               FROM (SELECT request_id, revision, attempt, idempotency_key, value, points, fate FROM metric_sync_log l \
                                     WHERE k.workday IS NULL AND l.tenant = k.tenant AND l.interaction_id = k.interaction_id \
                                       AND l.metric_type = k.metric_type AND l.metric_version = k.metric_version \
                                       AND l.leg_scope = k.leg_scope AND l.target = $1 \
                                     UNION ALL \
                                     SELECT request_id, revision, attempt, idempotency_key, value, points, fate FROM metric_sync_log l \
                                     WHERE l.tenant = k.tenant AND l.agent_id = k.agent_id AND l.workday = k.workday \
                                       AND l.metric_type = k.metric_type AND l.metric_version = k.metric_version AND l.target = $1) l \
                               GROUP BY l.request_id HAVING bool_and(l.fate = 'sent') OFFSET 0) s",
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
             AND CASE WHEN m.leg_scope = '' THEN 'interaction' ELSE 'leg' END = ANY (t.grains) \
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
            &columns.leg_scope,
            &columns.agent_id,
            &columns.workday,
            &columns.metric_type,
            &columns.metric_version,
        ],
    )
    .await
}

/// Queues every value of interactions and legs of the target's tenant that the target wants and that is stated, pushed before or not. Returns
/// how many rows wait because of it. What has not settled is put back by the claim where the target waits for that. Of agents' days see
/// [`super::stored_days`].
pub async fn requeue(conn: &impl Connection, target: &str) -> Result<u64, StoreError> {
    sql::execute(conn, &REQUEUE, &[&target]).await
}
