//! Which value a row of queue and log is about.

use crate::types::Date;
use schema::{Grain, LocalDay, MetricVersion};
use std::cmp::Ordering;

/// What a value is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An interaction as a whole.
    Interaction {
        /// The interaction.
        interaction: String,
    },
    /// One leg of an interaction.
    Leg {
        /// The interaction.
        interaction: String,
        /// The leg; not empty.
        leg: String,
    },
    /// What an agent did on one of the agent's own days.
    AgentDay {
        /// The agent.
        agent: String,
        /// The day, by the agent's clock.
        day: LocalDay,
    },
}

/// Which metric of which subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MetricKey {
    /// The organisation.
    pub tenant: String,
    /// What the value is of.
    pub subject: Subject,
    /// The metric's name.
    pub metric_type: String,
    /// The version of its definition.
    pub metric_version: MetricVersion,
}

impl Subject {
    /// Of an interaction, or of a leg of it where `leg_scope` is not empty.
    #[must_use]
    pub fn of_interaction(interaction: impl Into<String>, leg_scope: impl Into<String>) -> Self {
        let (interaction, leg) = (interaction.into(), leg_scope.into());
        if leg.is_empty() {
            Self::Interaction { interaction }
        } else {
            Self::Leg { interaction, leg }
        }
    }

    /// What kind of subject it is.
    #[must_use]
    pub const fn grain(&self) -> Grain {
        match self {
            Self::Interaction { .. } => Grain::Interaction,
            Self::Leg { .. } => Grain::Leg,
            Self::AgentDay { .. } => Grain::AgentDay,
        }
    }

    /// The interaction, where it is one or part of one.
    #[must_use]
    pub fn interaction(&self) -> Option<&str> {
        match self {
            Self::Interaction { interaction } | Self::Leg { interaction, .. } => Some(interaction),
            Self::AgentDay { .. } => None,
        }
    }

    /// Empty for an interaction as a whole, else the leg; absent of anything else.
    #[must_use]
    pub fn leg_scope(&self) -> Option<&str> {
        match self {
            Self::Interaction { .. } => Some(""),
            Self::Leg { leg, .. } => Some(leg),
            Self::AgentDay { .. } => None,
        }
    }

    /// Agent and day, where it is one.
    #[must_use]
    pub fn agent_day(&self) -> Option<(&str, LocalDay)> {
        match self {
            Self::AgentDay { agent, day } => Some((agent, *day)),
            Self::Interaction { .. } | Self::Leg { .. } => None,
        }
    }
}

impl MetricKey {
    /// In the order in which those who queue lock: so settling and queueing never wait for each other in a circle.
    fn order(&self) -> impl Ord {
        (
            self.tenant.as_str(),
            self.subject.interaction(),
            self.subject.agent_day(),
            self.metric_type.as_str(),
            self.metric_version,
            self.subject.leg_scope(),
        )
    }
}

impl Ord for MetricKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for MetricKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The columns of keys, one array each.
#[derive(Debug, Default)]
pub(super) struct KeyColumns<'a> {
    pub(super) tenant: Vec<&'a str>,
    pub(super) interaction_id: Vec<Option<&'a str>>,
    pub(super) leg_scope: Vec<Option<&'a str>>,
    pub(super) agent_id: Vec<Option<&'a str>>,
    pub(super) workday: Vec<Option<Date>>,
    pub(super) metric_type: Vec<&'a str>,
    pub(super) metric_version: Vec<i32>,
}

impl<'a> KeyColumns<'a> {
    pub(super) fn of(keys: impl IntoIterator<Item = &'a MetricKey>) -> Self {
        let mut columns = Self::default();
        for key in keys {
            columns.tenant.push(&key.tenant);
            columns.interaction_id.push(key.subject.interaction());
            columns.leg_scope.push(key.subject.leg_scope());
            let (agent, day) = key.subject.agent_day().unzip();
            columns.agent_id.push(agent);
            columns.workday.push(day.map(|day| Date(day.0)));
            columns.metric_type.push(&key.metric_type);
            columns.metric_version.push(i32::from(key.metric_version.0));
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(subject: Subject, metric: &str) -> MetricKey {
        MetricKey {
            tenant: "acme".to_owned(),
            subject,
            metric_type: metric.to_owned(),
            metric_version: MetricVersion::FIRST,
        }
    }

    /// As `ORDER BY interaction_id, metric_type, metric_version, leg_scope` and `ORDER BY agent_id, workday, metric_type` have it.
    #[test]
    fn keys_are_sorted_as_those_who_queue_lock_them() {
        let day = |agent: &str, day| Subject::AgentDay {
            agent: agent.to_owned(),
            day: LocalDay(day),
        };
        let sorted = [
            key(day("a", 2), "y"),
            key(day("b", 1), "x"),
            key(day("b", 1), "y"),
            key(Subject::of_interaction("i", ""), "x"),
            key(Subject::of_interaction("i", "leg"), "x"),
            key(Subject::of_interaction("i", ""), "y"),
            key(Subject::of_interaction("j", ""), "x"),
        ];
        let mut shuffled = sorted.to_vec();
        shuffled.reverse();
        shuffled.sort();
        assert_eq!(shuffled, sorted);
    }
}
