//! What an evaluation gives: a value or the reason why there is none, with the facts that explain it.
//!
//! [`Metadata`] and [`Provenance`] are typed here and JSON objects in the store: `to_string()` gives the JSON text.

use crate::definition::Definition;
use compact_str::CompactString;
use schema::{AgentId, LegId, MetricVersion, QueueId, UtcMicros};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use timezone::ZoneSource;
use window::Counted;

/// A KPI's value for one interaction, leg or journey.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricValue {
    /// The KPI's name.
    pub metric: CompactString,
    /// The version of its definition.
    pub version: MetricVersion,
    /// What the value is about.
    pub scope: Scope,
    /// In the definition's unit: seconds, a count, a share of 1, a number; `None` where there is no value, and then the metadata have
    /// the reason. Always finite.
    pub value: Option<f64>,
    /// When the interaction, or the leg, began.
    pub timestamp: UtcMicros,
    /// The instant that puts the value into a window: there exactly where the definition has windows and there is a value.
    pub counted_at: Option<UtcMicros>,
    /// The first agent on the timeline; of a leg, its agent.
    pub agent: Option<AgentId>,
    /// The queue that the customer was offered to first; of a leg, its queue, else that of the latest wait before it.
    pub queue: Option<QueueId>,
    /// What explains the value. A change of it is a change of the metric.
    pub metadata: Metadata,
    /// What produced the value. A change of it alone is no change of the metric.
    pub provenance: Provenance,
}

impl MetricValue {
    /// The value in whole parts of its unit ([`Unit::scale`]), rounded half away from zero. `None` where there is no value, or none that
    /// 63 bits hold.
    pub fn scaled(&self) -> Option<i64> {
        #[expect(clippy::cast_precision_loss, reason = "small powers of ten")]
        let parts = (self.value? * self.metadata.unit.scale() as f64).round();
        #[expect(clippy::cast_possible_truncation, reason = "checked against the range")]
        (parts.abs() < 9.2e18).then_some(parts as i64)
    }

    /// Notes the instant that puts the value into a window.
    pub(crate) fn note_window(
        &mut self,
        definition: &Definition,
        counted_at: impl FnOnce(Counted) -> UtcMicros,
    ) {
        if self.value.is_some() {
            let rule = definition.windows.as_ref();
            self.counted_at = rule.map(|rule| counted_at(rule.counted));
        }
    }
}

/// What a metric is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The interaction as a whole.
    Interaction,
    /// One leg of it.
    Leg(LegId),
    /// The interaction among the others of its customer.
    Journey,
}

impl Scope {
    /// The text stored: the leg's id, else empty.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Interaction | Self::Journey => "",
            Self::Leg(leg) => leg.as_str(),
        }
    }
}

/// Why a value is absent, or zero by a rule: a built-in reason, or the one that a definition's exclusion names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Reason(CompactString);

impl Reason {
    /// No source stated what the value is made of.
    pub const NOT_STATED: Self = Self::built_in("not_stated");
    /// The definition's filter does not hold: the KPI does not apply here.
    pub const FILTERED: Self = Self::built_in("filtered");
    /// A stated duration is negative or beyond 400 days.
    pub const IMPLAUSIBLE_DURATION: Self = Self::built_in("implausible_duration");
    /// The session held more facts than it may.
    pub const OVERFULL_SESSION: Self = Self::built_in("overfull_session");
    /// The interaction had ended, and a revision took the end back.
    pub const REOPENED: Self = Self::built_in("reopened");
    /// No end was ever stated, and the interaction was given up.
    pub const INCOMPLETE: Self = Self::built_in("incomplete");
    /// The leg was an agent's, and a revision took that back.
    pub const WITHDRAWN: Self = Self::built_in("withdrawn");
    /// A denominator is zero.
    pub const DIVISION_BY_ZERO: Self = Self::built_in("division_by_zero");
    /// A result is beyond what a number can hold.
    pub const NOT_FINITE: Self = Self::built_in("not_finite");
    /// The value of a share is not within 0 and 1; the metadata say what it is.
    pub const NOT_A_SHARE: Self = Self::built_in("not_a_share");
    /// The smallest, largest or first of nothing was asked for.
    pub const EMPTY: Self = Self::built_in("empty");
    /// The evaluation took more steps than it may.
    pub const TOO_MUCH_WORK: Self = Self::built_in("too_much_work");
    /// Contacts still to come may change the verdict.
    pub const NOT_FINAL: Self = Self::built_in("not_final");
    /// The customer has more contacts than are looked at: one number that many share, say.
    pub const TOO_MANY_CONTACTS: Self = Self::built_in("too_many_contacts");
    /// The interaction had a customer, and a revision took that back: it is among no contacts.
    pub const NO_CUSTOMER: Self = Self::built_in("no_customer");
    /// A function could not answer; the metadata say which.
    pub const EVALUATION_ERROR: Self = Self::built_in("evaluation_error");

    const fn built_in(name: &'static str) -> Self {
        Self(CompactString::const_new(name))
    }

    /// The reason that a definition names.
    pub(crate) fn named(name: &str) -> Self {
        Self(CompactString::new(name))
    }

    /// The name that metadata carry.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What explains a value; members that do not apply are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// Why the value is absent, or zero by a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// How the interaction ended: `completed`, `abandoned` or `missed`; left out where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    /// The zone used for local time, by its name in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<&'static str>,
    /// Where that zone came from: `agent`, `schedule`, `queue`, `organisation`, `default`; `none` for UTC for want of any, and `unknown`
    /// for UTC because what was stated is no zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_source: Option<&'static str>,
    /// The unknown zone that was stated in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_stated: Option<CompactString>,
    /// Whose zone that was.
    #[serde(skip)]
    pub zone_stated_of: Option<ZoneSource>,
    /// The disposition that an exclusion looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<CompactString>,
    /// What no source stated (yet) and the rules would have needed. Parts of the value: without a reason they count as nothing, with
    /// `not_stated` they are why there is no value (left out where the value is that one field). With `filtered`, what the filter lacked to
    /// be decided. In any case what an exclusion lacked: undecided, it excludes nothing.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub not_stated: Vec<&'static str>,
    /// The implausible statement, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated_ms: Option<i64>,
    /// The same measure as the platform itself states it, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_ms: Option<i64>,
    /// What failed and where: the rule, line and column within its expression, and what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<CompactString>,
    /// The unit of the value.
    pub unit: Unit,
}

impl Metadata {
    /// The zone that was stated and that nobody knows: whose it was (`agent`, `queue` …) and what was stated.
    pub fn unknown_zone(&self) -> Option<(&'static str, &str)> {
        Some((self.zone_stated_of?.as_str(), self.zone_stated.as_deref()?))
    }
}

/// The unit of a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Seconds, from a duration.
    #[default]
    Seconds,
    /// A whole number of things.
    Count,
    /// A share of 1: 1 or 0 for one interaction, or a fraction.
    Share,
    /// Any other number.
    Number,
}

impl Unit {
    /// As definitions and the store name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Count => "count",
            Self::Share => "share",
            Self::Number => "number",
        }
    }

    /// How many parts of the unit a value is counted in where values are added up, for sums of whole numbers do not depend on the order:
    /// milliseconds, whole things, millionths.
    #[must_use]
    pub const fn scale(self) -> i64 {
        match self {
            Self::Seconds => 1000,
            Self::Count => 1,
            Self::Share | Self::Number => 1_000_000,
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Seconds, Self::Count, Self::Share, Self::Number]
            .into_iter()
            .find(|unit| unit.name() == name)
    }
}

impl Serialize for Unit {
    /// As metadata have it: seconds by their symbol, the others by name.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Seconds => "s",
            other => other.name(),
        })
    }
}

/// What produced a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// The first bytes of the definition's digest.
    pub definition: DigestPrefix,
    /// The version of the zone data, where local time was resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tzdb: Option<&'static str>,
    /// The schedules that the definition refers to, as `name@version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedules: Option<Arc<[CompactString]>>,
    /// The version of the places document, where local time was resolved and there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub places: Option<u16>,
}

/// The first eight bytes of a digest: enough to tell texts apart, written as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct DigestPrefix(pub [u8; 8]);

impl fmt::Display for DigestPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for DigestPrefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
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
            reason: Some(Reason::named("excluded_disposition")),
            outcome: Some("completed"),
            zone_source: Some("none"),
            not_stated: vec!["wrap"],
            ..Metadata::default()
        };
        assert_eq!(
            metadata.to_string(),
            r#"{"reason":"excluded_disposition","outcome":"completed","zone_source":"none","not_stated":["wrap"],"unit":"s"}"#
        );
        assert_eq!(Value::from(&metadata)["zone_source"], "none");
    }

    #[test]
    fn provenance_names_the_definition_by_its_digest() {
        let provenance = Provenance {
            definition: DigestPrefix([0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff]),
            tzdb: None,
            schedules: Some(Arc::from(["night@3".into()])),
            places: Some(7),
        };
        assert_eq!(
            provenance.to_string(),
            r#"{"definition":"00010203fcfdfeff","schedules":["night@3"],"places":7}"#
        );
    }
}
