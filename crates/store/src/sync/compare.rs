//! What a target has, by our log, beside what it should have.

use super::key::KeyColumns;
use super::{MetricKey, Subject, Values};
use crate::error::StoreError;
use crate::metrics::version;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use tokio_postgres::Row;

/// A value that the platform does not have as kpiline has it, as far as the log says.
#[derive(Debug, Clone, PartialEq)]
pub struct Differing {
    /// Which metric of what.
    pub key: MetricKey,
    /// What kpiline has; absent: no value.
    pub value: Option<f64>,
    /// Which value that is.
    pub revision: i64,
    /// What the value is dated by.
    pub timestamp_utc: UtcMicros,
    /// The agent it is attributed to.
    pub agent_id: Option<String>,
    /// The queue it is attributed to.
    pub queue_id: Option<String>,
    /// What the platform took last, or may have taken.
    pub last: Option<LastPush>,
    /// The row that waits, and the platform's last words about it.
    pub queued: Option<(String, Option<String>)>,
    /// This very value was refused, had become too old, or was given up; which of these, and why.
    pub given_up: Option<(String, Option<String>)>,
}

/// The last push that changed what the platform has, or may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastPush {
    /// Whether it is known to have it.
    pub known: bool,
    /// Which value it was.
    pub revision: i64,
    /// The value as the target has it; absent where an earlier release pushed it.
    pub value: Option<f64>,
}

// Key by key through the indexes: OFFSET 0 keeps the planner from joining the whole log when it believes that the log is small. A value that
// was changed and changed back is the same.
pub(super) static DIFFERING: Sql = Sql {
    step: "compare values with what was pushed",
    text: "SELECT m.tenant, m.interaction_id, m.leg_scope, m.metric_type, m.metric_version, m.metric_value, m.revision, \
                  l.fate, l.revision, l.value, q.state, q.last_message, e.fate, e.message, m.timestamp_utc, m.agent_id, m.queue_id \
           FROM sync_targets t JOIN computed_metrics m ON m.tenant = t.tenant AND m.metric_type = ANY (t.metrics) \
            AND CASE WHEN t.versions = '{}' \
                     THEN m.metric_version = (SELECT k.version FROM kpi_definitions k WHERE k.name = m.metric_type AND k.status = 'current') \
                     ELSE m.metric_version = ANY (t.versions) END \
           LEFT JOIN LATERAL (SELECT o.fate, o.revision, o.value FROM ( \
                                  SELECT log_id, fate, revision, value FROM metric_sync_log l \
                                  WHERE l.tenant = m.tenant AND l.interaction_id = m.interaction_id AND l.metric_type = m.metric_type \
                                    AND l.metric_version = m.metric_version AND l.leg_scope = m.leg_scope AND l.target = t.target \
                                    AND l.fate IN ('accepted', 'unknown', 'retracted') OFFSET 0) o \
                              ORDER BY o.log_id DESC LIMIT 1) l ON true \
           LEFT JOIN LATERAL (SELECT o.fate, o.message FROM ( \
                                  SELECT log_id, fate, message FROM metric_sync_log l \
                                  WHERE l.tenant = m.tenant AND l.interaction_id = m.interaction_id AND l.metric_type = m.metric_type \
                                    AND l.metric_version = m.metric_version AND l.leg_scope = m.leg_scope AND l.target = t.target \
                                    AND l.revision = m.revision AND l.fate IN ('rejected', 'expired', 'skipped') OFFSET 0) o \
                              ORDER BY o.log_id DESC LIMIT 1) e ON true \
           LEFT JOIN sync_queue q ON q.target = t.target AND q.tenant = m.tenant AND q.interaction_id = m.interaction_id \
            AND q.metric_type = m.metric_type AND q.metric_version = m.metric_version AND q.leg_scope = m.leg_scope \
           WHERE t.target = $1 AND CASE WHEN m.leg_scope = '' THEN 'interaction' ELSE 'leg' END = ANY (t.grains) \
             AND ($2::text[] = '{}' OR m.metric_type = ANY ($2)) AND ($3::text IS NULL OR m.interaction_id = $3) \
             AND m.timestamp_utc >= $4 AND m.timestamp_utc < $5 \
             AND m.partition_at >= $4 - interval '31 days' AND m.partition_at < $5 + interval '31 days' \
             AND CASE WHEN m.metric_value IS NULL THEN coalesce(l.fate IN ('accepted', 'unknown'), false) \
                      ELSE l.fate IS DISTINCT FROM 'accepted' \
                           OR l.revision < m.revision AND l.value IS DISTINCT FROM m.metric_value END \
           ORDER BY m.interaction_id, m.metric_type, m.metric_version, m.leg_scope",
};

pub(super) static WAITING: Sql = Sql {
    step: "look for agents' days in the queue",
    text: "SELECT k.n, q.state, q.last_message \
           FROM unnest($2::text[], $3::text[], $4::date[], $5::text[], $6::integer[]) WITH ORDINALITY \
                AS k (tenant, agent_id, workday, metric_type, metric_version, n) \
           JOIN sync_queue q ON q.target = $1 AND q.tenant = k.tenant AND q.agent_id = k.agent_id AND q.workday = k.workday \
            AND q.metric_type = k.metric_type AND q.metric_version = k.metric_version AND q.workday IS NOT NULL",
};

/// For each key, which is of an agent's day, the state of the row that waits for the target, and the platform's last words about it; `None`:
/// none waits.
pub async fn waiting_days(
    conn: &impl Connection,
    target: &str,
    keys: &[&MetricKey],
) -> Result<Vec<Option<(String, Option<String>)>>, StoreError> {
    let mut waiting = vec![None; keys.len()];
    if keys.is_empty() {
        return Ok(waiting);
    }
    let columns = KeyColumns::of(keys.iter().copied());
    let params: sql::Params<'_> = &[
        &target,
        &columns.tenant,
        &columns.agent_id,
        &columns.workday,
        &columns.metric_type,
        &columns.metric_version,
    ];
    for row in &sql::query(conn, &WAITING, params).await? {
        let ordinal: i64 = sql::get(row, &WAITING, 0)?;
        let index = usize::try_from(ordinal - 1).ok();
        if let Some(slot) = index.and_then(|index| waiting.get_mut(index)) {
            *slot = Some((sql::get(row, &WAITING, 1)?, sql::get(row, &WAITING, 2)?));
        }
    }
    Ok(waiting)
}

/// Tells of each value of interactions and legs that the platform does not have as kpiline has it, in the order of their keys.
pub async fn differing(
    conn: &impl Connection,
    values: &Values<'_>,
    mut each: impl FnMut(Differing) + Send,
) -> Result<(), StoreError> {
    let (from, to) = (Instant(values.from), Instant(values.to));
    let params: sql::Params<'_> = &[
        &values.target,
        &values.metrics,
        &values.interaction,
        &from,
        &to,
    ];
    sql::for_each(conn, &DIFFERING, params, |row| {
        each(read(row)?);
        Ok(())
    })
    .await
}

fn read(row: &Row) -> Result<Differing, StoreError> {
    let text = |column| sql::get::<Option<String>>(row, &DIFFERING, column);
    let last = match text(7)?.as_deref() {
        Some(fate @ ("accepted" | "unknown")) => Some(LastPush {
            known: fate == "accepted",
            revision: sql::get(row, &DIFFERING, 8)?,
            value: sql::get(row, &DIFFERING, 9)?,
        }),
        // Taken back: it has none.
        _ => None,
    };
    let said = |word: Option<String>, why| word.map(|word| (word, why));
    Ok(Differing {
        key: MetricKey {
            tenant: sql::get(row, &DIFFERING, 0)?,
            subject: Subject::of_interaction(
                sql::get::<String>(row, &DIFFERING, 1)?,
                sql::get::<String>(row, &DIFFERING, 2)?,
            ),
            metric_type: sql::get(row, &DIFFERING, 3)?,
            metric_version: version(sql::get(row, &DIFFERING, 4)?)?,
        },
        value: sql::get(row, &DIFFERING, 5)?,
        revision: sql::get(row, &DIFFERING, 6)?,
        timestamp_utc: sql::get::<Instant>(row, &DIFFERING, 14)?.0,
        agent_id: text(15)?,
        queue_id: text(16)?,
        last,
        queued: said(text(10)?, text(11)?),
        given_up: said(text(12)?, text(13)?),
    })
}
