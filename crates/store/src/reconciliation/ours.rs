//! What we have of the days that a platform reports: windows of a day, by agent and by queue, each by its own clock.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{MetricVersion, UtcMicros};

/// By whom windows are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// By agent.
    Agent,
    /// By queue.
    Queue,
}

impl By {
    const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Queue => "queue",
        }
    }
}

/// One KPI of one subject's day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayRow {
    /// The KPI's name.
    pub metric_type: String,
    /// The agent or the queue.
    pub subject: String,
    /// The day's first instant.
    pub from: UtcMicros,
    /// Its end, exclusive.
    pub to: UtcMicros,
    /// Whose clock it goes by.
    pub zone: String,
    /// How many values it is made of.
    pub items: i64,
    /// The sum of the values, times the scale.
    pub numerator: i64,
    /// The sum of the weights.
    pub denominator: i64,
    /// What the values were multiplied by.
    pub scale: i64,
    /// Whether nothing more is expected.
    pub settled: bool,
}

pub(super) static DAYS: Sql = Sql {
    step: "read the days of agents or queues",
    text: "SELECT w.metric_type, coalesce(w.agent_id, w.queue_id), w.window_start, w.window_end, w.zone, w.items, w.numerator, \
                  w.denominator, w.scale, w.state = 'settled' \
           FROM unnest($2::text[], $3::integer[]) AS k (metric_type, metric_version) \
           CROSS JOIN LATERAL (SELECT * FROM window_metrics_all a \
                               WHERE a.tenant = $1 AND a.metric_type = k.metric_type AND a.metric_version = k.metric_version \
                                 AND a.group_by = $4 AND a.size = 'day' AND a.window_start >= $5 AND a.window_start < $6) w \
           WHERE coalesce(w.agent_id, w.queue_id) IS NOT NULL \
           ORDER BY 1, 2, 3",
};

pub(super) static CUTS: Sql = Sql {
    step: "read whose clocks days go by",
    text: "SELECT DISTINCT group_by, coalesce(agent_id, queue_id), zone FROM window_metrics \
           WHERE tenant = $1 AND group_by IN ('agent', 'queue') AND size = 'day' AND window_start >= $2 AND window_start < $3 \
             AND coalesce(agent_id, queue_id) IS NOT NULL ORDER BY 1, 2, 3",
};

pub(super) static STATED: Sql = Sql {
    step: "read the zones stated for agents",
    text: "SELECT agent_id, zone FROM agent_zones WHERE tenant = $1 ORDER BY agent_id",
};

/// The days that begin in `[from, to)` of these KPIs, by KPI, subject and day. What belongs to no agent or queue is left out.
pub async fn days(
    conn: &impl Connection,
    tenant: &str,
    by: By,
    metrics: &[(String, MetricVersion)],
    from: UtcMicros,
    to: UtcMicros,
) -> Result<Vec<DayRow>, StoreError> {
    no_nul("tenant", tenant)?;
    for (name, _) in metrics {
        no_nul("metric_type", name)?;
    }
    let names: Vec<&str> = metrics.iter().map(|(name, _)| name.as_str()).collect();
    let versions: Vec<i32> = metrics.iter().map(|(_, of)| i32::from(of.0)).collect();
    let sql = &DAYS;
    let params: sql::Params<'_> = &[
        &tenant,
        &names,
        &versions,
        &by.name(),
        &Instant(from),
        &Instant(to),
    ];
    sql::query(conn, sql, params)
        .await?
        .iter()
        .map(|row| {
            Ok(DayRow {
                metric_type: sql::get(row, sql, 0)?,
                subject: sql::get(row, sql, 1)?,
                from: sql::get::<Instant>(row, sql, 2)?.0,
                to: sql::get::<Instant>(row, sql, 3)?.0,
                zone: sql::get(row, sql, 4)?,
                items: sql::get(row, sql, 5)?,
                numerator: sql::get(row, sql, 6)?,
                denominator: sql::get(row, sql, 7)?,
                scale: sql::get(row, sql, 8)?,
                settled: sql::get(row, sql, 9)?,
            })
        })
        .collect()
}

/// Whose clock days of agents and queues go by that begin in `[from, to)`: by whom, who, and the zone's name.
pub async fn cuts(
    conn: &impl Connection,
    tenant: &str,
    from: UtcMicros,
    to: UtcMicros,
) -> Result<Vec<(By, String, String)>, StoreError> {
    no_nul("tenant", tenant)?;
    let sql = &CUTS;
    let params: sql::Params<'_> = &[&tenant, &Instant(from), &Instant(to)];
    let rows = sql::query(conn, sql, params).await?;
    rows.iter()
        .map(|row| {
            let by: &str = sql::get(row, sql, 0)?;
            let by = if by == By::Agent.name() {
                By::Agent
            } else {
                By::Queue
            };
            Ok((by, sql::get(row, sql, 1)?, sql::get(row, sql, 2)?))
        })
        .collect()
}

/// The zone that events stated last for each agent, as it was written: (agent, zone), by agent.
pub async fn stated(
    conn: &impl Connection,
    tenant: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    no_nul("tenant", tenant)?;
    let sql = &STATED;
    sql::query(conn, sql, &[&tenant])
        .await?
        .iter()
        .map(|row| Ok((sql::get(row, sql, 0)?, sql::get(row, sql, 1)?)))
        .collect()
}
