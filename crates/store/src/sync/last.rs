//! What the platform has, by our log.

use super::key::KeyColumns;
use super::{MetricKey, Pushed};
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};

/// How versions of a KPI are kept apart on the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// Each has a place of its own.
    Apart,
    /// All have one place: whatever was pushed last is there.
    Together,
}

/// What the platform has of a value, as far as the log says.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Last {
    /// Nothing: it never took any, or took it back.
    #[default]
    Nothing,
    /// What it took last. Absent: an earlier release pushed it and did not write down what.
    Has(Option<Pushed>),
    /// The last push has an unknown fate: it may have that value, or the one before, or none.
    Unknown,
}

// What was sent and refused, or not looked at, changed nothing; pushes without an answer are `unknown` by now, see log_lost.
pub(super) static LAST: Sql = Sql {
    step: "look for what the platform has",
    text: "SELECT k.n, l.fate, l.value, l.points \
           FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::date[], $7::text[], $8::integer[]) WITH ORDINALITY \
                AS k (tenant, interaction_id, leg_scope, agent_id, workday, metric_type, metric_version, n) \
           CROSS JOIN LATERAL (SELECT fate, value, points \
                               FROM (SELECT log_id, fate, value, points FROM metric_sync_log l \
                                     WHERE k.workday IS NULL AND l.tenant = k.tenant AND l.interaction_id = k.interaction_id \
                                       AND l.metric_type = k.metric_type AND (l.metric_version = k.metric_version OR $9) \
                                       AND l.leg_scope = k.leg_scope AND l.target = $1 AND l.fate IN ('accepted', 'unknown', 'retracted') \
                                     UNION ALL \
                                     SELECT log_id, fate, value, points FROM metric_sync_log l \
                                     WHERE l.tenant = k.tenant AND l.agent_id = k.agent_id AND l.workday = k.workday \
                                       AND l.metric_type = k.metric_type AND (l.metric_version = k.metric_version OR $9) AND l.target = $1 \
                                       AND l.fate IN ('accepted', 'unknown', 'retracted') OFFSET 0) l \
                               ORDER BY log_id DESC LIMIT 1) l",
};

/// For each key what the platform has of it. Call [`super::log_lost`] before, where a row was claimed before.
pub async fn last_pushed(
    conn: &impl Connection,
    target: &str,
    keys: &[&MetricKey],
    versions: Versions,
) -> Result<Vec<Last>, StoreError> {
    let mut last = vec![Last::Nothing; keys.len()];
    if keys.is_empty() {
        return Ok(last);
    }
    let columns = KeyColumns::of(keys.iter().copied());
    let rows = sql::query(
        conn,
        &LAST,
        &[
            &target,
            &columns.tenant,
            &columns.interaction_id,
            &columns.leg_scope,
            &columns.agent_id,
            &columns.workday,
            &columns.metric_type,
            &columns.metric_version,
            &(versions == Versions::Together),
        ],
    )
    .await?;
    for row in &rows {
        let ordinal: i64 = sql::get(row, &LAST, 0)?;
        let fate: &str = sql::get(row, &LAST, 1)?;
        let value: Option<f64> = sql::get(row, &LAST, 2)?;
        let points = sql::get(row, &LAST, 3)?;
        let index = usize::try_from(ordinal - 1).ok();
        if let Some(slot) = index.and_then(|index| last.get_mut(index)) {
            *slot = match fate {
                "accepted" => Last::Has(value.map(|value| Pushed { value, points })),
                "retracted" => Last::Nothing,
                _ => Last::Unknown,
            };
        }
    }
    Ok(last)
}
