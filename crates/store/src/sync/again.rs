//! What was pushed before: pushes whose answer got lost, and pushing everything once more.

use super::MetricKey;
use super::key::KeyColumns;
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

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

/// Values of interactions and legs that a target wants and that are stated, of those that are asked for. Dated within a stretch: rows are
/// kept by another instant of their interaction, which differs by as much as its first event was late.
macro_rules! wanted {
    ($columns:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM sync_targets t JOIN computed_metrics m ON m.tenant = t.tenant AND m.metric_type = ANY (t.metrics) \
              AND CASE WHEN t.versions = '{}' \
                       THEN m.metric_version = (SELECT k.version FROM kpi_definitions k WHERE k.name = m.metric_type AND k.status = 'current') \
                       ELSE m.metric_version = ANY (t.versions) END \
             WHERE t.target = $1 AND t.enabled AND m.metric_value IS NOT NULL \
               AND CASE WHEN m.leg_scope = '' THEN 'interaction' ELSE 'leg' END = ANY (t.grains) \
               AND ($2::text[] = '{}' OR m.metric_type = ANY ($2)) AND ($3::text IS NULL OR m.interaction_id = $3) \
               AND m.timestamp_utc >= $4 AND m.timestamp_utc < $5 \
               AND m.partition_at >= $4 - interval '31 days' AND m.partition_at < $5 + interval '31 days'"
        )
    };
}

pub(super) static COUNT: Sql = Sql {
    step: "count the values that a target wants",
    text: wanted!("count(*)"),
};

pub(super) static REQUEUE: Sql = Sql {
    step: "queue current values again",
    text: concat!(
        "INSERT INTO sync_queue AS q (target, tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at, revision, lane) ",
        wanted!(
            "t.target, m.tenant, m.interaction_id, m.metric_type, m.metric_version, m.leg_scope, m.partition_at, m.revision, 'history'"
        ),
        " ORDER BY m.tenant, m.interaction_id, m.metric_type, m.metric_version, m.leg_scope \
           ON CONFLICT (target, tenant, interaction_id, metric_type, metric_version, leg_scope) DO UPDATE SET \
               revision = greatest(q.revision, EXCLUDED.revision), \
               state = CASE q.state WHEN 'rejected' THEN 'pending' ELSE q.state END, \
               due_at = CASE q.state WHEN 'rejected' THEN now() ELSE q.due_at END, \
               queued_at = CASE q.state WHEN 'rejected' THEN now() ELSE q.queued_at END, \
               attempt = CASE q.state WHEN 'rejected' THEN 0 ELSE q.attempt END"
    ),
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

/// Which values of a target are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Values<'a> {
    /// The target.
    pub target: &'a str,
    /// Of these metrics; empty: of all that it wants.
    pub metrics: &'a [String],
    /// Of this interaction and its legs.
    pub interaction: Option<&'a str>,
    /// Dated at this instant or later.
    pub from: UtcMicros,
    /// Dated before this instant.
    pub to: UtcMicros,
}

impl Values<'_> {
    /// A stretch that has everything in it.
    pub const ALWAYS: (UtcMicros, UtcMicros) = (
        // 1970 and 2100: what lies beyond is refused before it is stored.
        UtcMicros(0),
        UtcMicros(4_102_444_800_000_000),
    );
}

/// Queues the values of interactions and legs that the target wants and that are stated, pushed before or not. Returns how many rows wait because
/// of it. What has not settled is put back by the claim where the target waits for that. Of agents' days see [`super::stored_days`].
pub async fn requeue(conn: &impl Connection, values: &Values<'_>) -> Result<u64, StoreError> {
    let (from, to) = (Instant(values.from), Instant(values.to));
    let params: sql::Params<'_> = &[
        &values.target,
        &values.metrics,
        &values.interaction,
        &from,
        &to,
    ];
    sql::execute(conn, &REQUEUE, params).await
}

/// How many values [`requeue`] would queue.
pub async fn count_values(conn: &impl Connection, values: &Values<'_>) -> Result<u64, StoreError> {
    let (from, to) = (Instant(values.from), Instant(values.to));
    let params: sql::Params<'_> = &[
        &values.target,
        &values.metrics,
        &values.interaction,
        &from,
        &to,
    ];
    let row = sql::query_one(conn, &COUNT, params).await?;
    sql::get::<i64>(&row, &COUNT, 0).map(i64::unsigned_abs)
}
