//! A row of the windows, as a feed reads it.

use schema::MetricVersion;
use std::collections::BTreeMap;
use window::{GroupKey, Window};

/// One KPI of one group over one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Which of the feed's KPIs: its place in [`Definition::kpis`](crate::Definition::kpis).
    pub kpi: usize,
    /// The version of the definition it was computed by.
    pub version: MetricVersion,
    /// The values of the feed's dimensions.
    pub group: GroupKey,
    /// The window, within an interval of the feed.
    pub window: Window,
    /// How many values it is made of.
    pub items: i64,
    /// The sum of the values, times the scale.
    pub numerator: i64,
    /// How many values there are; of a share of time its milliseconds.
    pub denominator: i64,
    /// What values were multiplied by to be whole numbers; more than 0.
    pub scale: i64,
    /// The least value, in the unit.
    pub minimum: Option<f64>,
    /// The greatest value, in the unit.
    pub maximum: Option<f64>,
    /// By name (`p90`), in the unit.
    pub percentiles: BTreeMap<String, f64>,
    /// The KPI; absent where there is nothing to divide by.
    pub value: Option<f64>,
    /// `seconds`, `count`, `share` or `number`.
    pub unit: String,
}
