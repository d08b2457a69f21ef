//! What an evaluation gives: a value or the reason why there is none, with the facts that explain it.
//!
//! [`Metadata`] and [`Provenance`] are typed here and JSON objects in the store: `to_string()` gives the JSON text.

use compact_str::CompactString;
use schema::{AgentId, LegId, MetricVersion, QueueId, UtcMicros};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::fmt;

/// A metric's value for one interaction or leg.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricValue {
    /// The metric's name.
    pub metric: &'static str,
    /// The version that was asked for (the rules may be those of an earlier one).
    pub version: MetricVersion,
    /// What the value is about.
    pub scope: Scope,
    /// Seconds; `None` where there is no value, and then the metadata have the reason. Always finite, never negative.
    pub value: Option<f64>,
    /// When the interaction began.
    pub timestamp: UtcMicros,
    /// The first agent on the timeline.
    pub agent: Option<AgentId>,
    /// The queue that the customer was offered to first.
    pub queue: Option<QueueId>,
    /// What explains the value. A change of it is a change of the metric.
    pub metadata: Metadata,
    /// What produced the value. A change of it alone is no change of the metric.
    pub provenance: Provenance,
}

/// What a metric is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The interaction as a whole.
    Interaction,
    /// One leg of it.
    Leg(LegId),
}

impl Scope {
    /// The text stored: empty for the interaction, else the leg's id.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Interaction => "",
            Self::Leg(leg) => leg.as_str(),
        }
    }
}

/// Why a value is absent, or zero by a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No source stated what the value is made of. Absent.
    NotStated,
    /// No agent took part, so there is no handling to measure. Absent.
    NoAgent,
    /// A stated duration is negative or beyond 400 days. Absent.
    ImplausibleDuration,
    /// The session held more facts than it may. Absent.
    OverfullSession,
    /// The interaction had ended, and a revision took the end back. Absent.
    Reopened,
    /// The disposition is excluded by the rules. Zero.
    ExcludedDisposition,
    /// The interaction began outside the business hours of the rules. Zero.
    OutsideBusinessHours,
}

impl Reason {
    /// The name that metadata carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotStated => "not_stated",
            Self::NoAgent => "no_agent",
            Self::ImplausibleDuration => "implausible_duration",
            Self::OverfullSession => "overfull_session",
            Self::Reopened => "reopened",
            Self::ExcludedDisposition => "excluded_disposition",
            Self::OutsideBusinessHours => "outside_business_hours",
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Where the zone used for local time came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ZoneSource {
    /// Stated for the first agent.
    Agent,
    /// The rules' default zone, because none was stated for the first agent (or there is no agent).
    Rules,
    /// None was stated and the rules have no default: counted in UTC.
    None,
    /// The one stated for the first agent is unknown; counted in the rules' default zone, else in UTC.
    Unknown,
}

/// What explains a value; members that do not apply are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// Why the value is absent, or zero by a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// How the interaction ended: `completed`, `abandoned` or `missed`; left out of an overfull session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    /// The zone used for local time, by its name in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<&'static str>,
    /// Where that zone came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_source: Option<ZoneSource>,
    /// The unknown zone that was stated in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_stated: Option<CompactString>,
    /// The disposition that the rules exclude.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<CompactString>,
    /// Parts of the value that no source stated (yet); they count as nothing.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub not_stated: Vec<&'static str>,
    /// The implausible statement, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated_ms: Option<i64>,
    /// The same measure as the platform itself states it, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_ms: Option<i64>,
    /// The unit of the value.
    pub unit: Unit,
}

/// The unit of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
pub enum Unit {
    /// Seconds.
    #[default]
    #[serde(rename = "s")]
    Seconds,
}

/// What produced a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Provenance {
    /// The version of the rules used, which may be below the version asked for.
    pub rules: u16,
    /// The version of the zone data, where local time was resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tzdb: Option<&'static str>,
}

macro_rules! json_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            /// The JSON text of the object.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
            }
        }

        impl From<&$name> for Value {
            fn from(object: &$name) -> Self {
                serde_json::to_value(object).unwrap_or_default()
            }
        }
    };
}

json_text!(Metadata);
json_text!(Provenance);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_an_object_without_what_does_not_apply() {
        assert_eq!(Metadata::default().to_string(), r#"{"unit":"s"}"#);
        let metadata = Metadata {
            reason: Some(Reason::ExcludedDisposition),
            outcome: Some("completed"),
            zone_source: Some(ZoneSource::None),
            not_stated: vec!["wrap"],
            ..Metadata::default()
        };
        assert_eq!(
            metadata.to_string(),
            r#"{"reason":"excluded_disposition","outcome":"completed","zone_source":"none","not_stated":["wrap"],"unit":"s"}"#
        );
        assert_eq!(Value::from(&metadata)["zone_source"], "none");
    }
}
