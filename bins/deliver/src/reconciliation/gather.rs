//! Reads what both sides have of the days in question.

use super::Asked;
use super::pairs::{Pair, pairs, versions};
use schema::{MetricVersion, UtcMicros};
use std::collections::BTreeMap;
use store::definitions;
use store::reconciliation::Of;
use store::reconciliation::figures::{self, FigureRow};
use store::reconciliation::native_zones::{self, NativeZone};
use store::reconciliation::ours::{self, By, DayRow};
use store::reconciliation::shifts::{self, ShiftRow};
use store::{Connection, StoreError};

/// A day by another clock may begin so much earlier or later, and is the same date all the same.
const AROUND_MICROS: i64 = 36 * 3_600_000_000;

/// Everything that is looked at.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// What the platform reports.
    pub figures: Vec<FigureRow>,
    /// Whose clock it goes by.
    pub zones: Vec<NativeZone>,
    /// What was planned.
    pub shifts: Vec<ShiftRow>,
    /// Our days of agents.
    pub agents: Vec<DayRow>,
    /// Our days of queues.
    pub queues: Vec<DayRow>,
    /// The zones that events stated last for agents.
    pub stated: Vec<(String, String)>,
    /// Which KPI is laid beside which measure.
    pub pairs: Vec<Pair>,
    /// The version of each that was looked at; those that nobody switched on are missing.
    pub versions: BTreeMap<String, MetricVersion>,
}

/// Reads it.
pub async fn gather(conn: &impl Connection, asked: &Asked) -> Result<Gathered, StoreError> {
    let of = Of {
        tenant: &asked.tenant,
        platform: &asked.platform,
    };
    let pairs = pairs(&asked.metrics);
    let versions = versions(&pairs, &definitions::list(conn).await?);
    let metrics = |by: By| -> Vec<(String, MetricVersion)> {
        let mut names: Vec<&str> = pairs
            .iter()
            .filter(|pair| pair.by == by)
            .map(|pair| pair.metric.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), *versions.get(name)?)))
            .collect()
    };
    let around = (
        UtcMicros(asked.from.0.saturating_sub(AROUND_MICROS)),
        UtcMicros(asked.to.0.saturating_add(AROUND_MICROS)),
    );
    let tenant = asked.tenant.as_str();
    let days = async |by| ours::days(conn, tenant, by, &metrics(by), around.0, around.1).await;
    Ok(Gathered {
        figures: figures::read(conn, of, asked.from, asked.to).await?,
        zones: native_zones::read(conn, of, asked.from, asked.to).await?,
        shifts: shifts::read(conn, of, asked.from, asked.to).await?,
        agents: days(By::Agent).await?,
        queues: days(By::Queue).await?,
        stated: ours::stated(conn, tenant).await?,
        versions,
        pairs,
    })
}
