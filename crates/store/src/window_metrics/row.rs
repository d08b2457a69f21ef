//! The rows of `window_metrics` as they are given.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::types::Instant;
use schema::{MetricVersion, UtcMicros};

/// A KPI over one window for one group. Dimensions that are not of the group are none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowRow<'a> {
    /// The KPI's name.
    pub metric_type: &'a str,
    /// The version of its definition.
    pub metric_version: MetricVersion,
    /// The dimensions, sorted, with commas; empty for the whole organisation.
    pub group_by: &'a str,
    /// `15m`, `30m`, `60m`, `day`, `week`, `month` or `shift`.
    pub size: &'a str,
    /// The values of the dimensions as a JSON array.
    pub group_key: &'a str,
    /// Its first instant.
    pub window_start: UtcMicros,
    /// The first instant after it.
    pub window_end: UtcMicros,
    /// Whose clock it goes by.
    pub zone: &'a str,
    /// Who named the zone.
    pub zone_source: &'a str,
    /// The version of the zone data. A change of it alone is no change.
    pub tzdb: &'a str,
    /// The queue of the group.
    pub queue_id: Option<&'a str>,
    /// The media of the group.
    pub media: Option<&'a str>,
    /// The direction of the group.
    pub direction: Option<&'a str>,
    /// The agent of the group.
    pub agent_id: Option<&'a str>,
    /// The team of the group.
    pub team: Option<&'a str>,
    /// The platform of the group.
    pub platform: Option<&'a str>,
    /// The attributes of the group, a JSON object.
    pub attributes_json: Option<&'a str>,
    /// How many values it is made of.
    pub items: i64,
    /// The sum of the values, times the scale.
    pub numerator: i64,
    /// The sum of the weights: how many values, or milliseconds.
    pub denominator: i64,
    /// What the values were multiplied by; more than 0.
    pub scale: i64,
    /// The least value, in the unit.
    pub minimum: Option<f64>,
    /// The greatest value, in the unit.
    pub maximum: Option<f64>,
    /// A JSON object: percentiles by name, in the unit.
    pub percentiles_json: Option<&'a str>,
    /// The KPI; absent where there is nothing to divide by.
    pub value: Option<f64>,
    /// The unit of the value.
    pub unit: &'a str,
    /// When changes are no longer expected.
    pub settles_at: UtcMicros,
}

/// A stretch that was computed again: rows that reach into it and were not written have nothing in them any more, or go by another clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Covered<'a> {
    /// The KPI's name.
    pub metric_type: &'a str,
    /// The version of its definition.
    pub metric_version: MetricVersion,
    /// The dimensions.
    pub group_by: &'a str,
    /// Their values.
    pub group_key: &'a str,
    /// The size of the windows.
    pub size: &'a str,
    /// The first instant that is covered.
    pub from: UtcMicros,
    /// The first instant after.
    pub to: UtcMicros,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Rows inserted or changed.
    pub written: u64,
    /// Rows deleted.
    pub removed: u64,
}

/// A row that a write changed.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are of the large variant, and boxes would cost an allocation each"
)]
#[derive(Debug, Clone, PartialEq)]
pub enum Change<'a> {
    /// It was inserted, or differs from what was stored.
    Written(WindowRow<'a>),
    /// It was deleted.
    Removed {
        /// The KPI's name.
        metric_type: &'a str,
        /// The version of its definition.
        metric_version: MetricVersion,
        /// The values of the dimensions as a JSON array.
        group_key: &'a str,
        /// Its first instant.
        window_start: UtcMicros,
        /// Whose clock it went by.
        zone: String,
    },
}

/// In the order of the primary key, after the tenant.
pub(super) type Key<'a> = (&'a str, MetricVersion, &'a str, &'a str, &'a str, UtcMicros);

/// Keys as columns.
pub(super) struct KeyColumns<'a> {
    pub(super) metric_type: Vec<&'a str>,
    pub(super) metric_version: Vec<i32>,
    pub(super) group_by: Vec<&'a str>,
    pub(super) size: Vec<&'a str>,
    pub(super) group_key: Vec<&'a str>,
    pub(super) window_start: Vec<Instant>,
}

impl<'a> KeyColumns<'a> {
    pub(super) fn of(keys: &[Key<'a>]) -> Self {
        Self {
            metric_type: keys.iter().map(|key| key.0).collect(),
            metric_version: keys.iter().map(|key| i32::from(key.1.0)).collect(),
            group_by: keys.iter().map(|key| key.2).collect(),
            size: keys.iter().map(|key| key.3).collect(),
            group_key: keys.iter().map(|key| key.4).collect(),
            window_start: keys.iter().map(|key| Instant(key.5)).collect(),
        }
    }
}

impl<'a> WindowRow<'a> {
    pub(super) fn key(&self) -> Key<'a> {
        (
            self.metric_type,
            self.metric_version,
            self.group_by,
            self.size,
            self.group_key,
            self.window_start,
        )
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        let texts = [
            ("metric_type", self.metric_type),
            ("group_by", self.group_by),
            ("size", self.size),
            ("group_key", self.group_key),
            ("zone", self.zone),
            ("zone_source", self.zone_source),
            ("tzdb", self.tzdb),
            ("queue_id", self.queue_id.unwrap_or_default()),
            ("media", self.media.unwrap_or_default()),
            ("direction", self.direction.unwrap_or_default()),
            ("agent_id", self.agent_id.unwrap_or_default()),
            ("team", self.team.unwrap_or_default()),
            ("platform", self.platform.unwrap_or_default()),
            ("unit", self.unit),
        ];
        for (column, text) in texts {
            no_nul(column, text)?;
        }
        let numbers = [self.value, self.minimum, self.maximum];
        if numbers
            .into_iter()
            .flatten()
            .any(|value| !value.is_finite())
        {
            return Err(StoreError::WindowNotFinite {
                metric: self.metric_type.to_owned(),
                group_by: self.group_by.to_owned(),
                group_key: self.group_key.to_owned(),
            });
        }
        Ok(())
    }
}

impl<'a> Covered<'a> {
    /// The key of the window of this stretch that starts then.
    pub(super) fn key(&self, window_start: UtcMicros) -> Key<'a> {
        (
            self.metric_type,
            self.metric_version,
            self.group_by,
            self.size,
            self.group_key,
            window_start,
        )
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        no_nul("metric_type", self.metric_type)?;
        no_nul("group_by", self.group_by)?;
        no_nul("group_key", self.group_key)?;
        no_nul("size", self.size)
    }
}
