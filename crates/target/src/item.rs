//! What is to be pushed.

use schema::{
    AgentId, Grain, InteractionId, LegId, LocalDay, MetricVersion, QueueId, TenantId, UtcMicros,
};
use std::fmt;

/// A number that can be written as JSON. NaN and the infinities are not values of a metric.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Finite(f64);

impl Finite {
    /// The number, unless it is NaN or infinite.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(value))
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// What a value is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An interaction as a whole.
    Interaction {
        /// The interaction.
        interaction: InteractionId,
    },
    /// One leg of an interaction.
    Leg {
        /// The interaction.
        interaction: InteractionId,
        /// The leg.
        leg: LegId,
    },
    /// What an agent did on one of the agent's own days.
    AgentDay {
        /// The agent.
        agent: AgentId,
        /// The day, by the agent's clock.
        day: LocalDay,
        /// What the value is made of; absent where nothing is in the day any more.
        figures: Option<Figures>,
    },
}

/// What the value of an agent's day is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Whose clock the day goes by: an IANA name or a fixed offset.
    pub zone: String,
    /// The day's first instant.
    pub from: UtcMicros,
    /// The first instant after it.
    pub to: UtcMicros,
    /// How many values there are.
    pub items: i64,
    /// The sum of the values, times the scale.
    pub numerator: i64,
    /// The sum of the weights: how many values, or milliseconds of a share of time; 0 of a time.
    pub denominator: i64,
    /// What the values were multiplied by; more than 0.
    pub scale: i64,
    /// The unit of the definition: seconds, count, share, number.
    pub unit: String,
}

/// What an interaction's facts say beside its metrics; only a [`crate::Filter`] may need it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facets {
    /// Such as `voice`.
    pub media: Option<String>,
    /// `inbound` or `outbound`.
    pub direction: Option<String>,
}

/// One metric's value for one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Whose it is.
    pub tenant: TenantId,
    /// What it is of.
    pub subject: Subject,
    /// The metric's name.
    pub metric: String,
    /// The version of its definition.
    pub version: MetricVersion,
    /// Which value this is; a later one supersedes it.
    pub revision: i64,
    /// The value, in the metric's unit; absent where it cannot be known, or is not wanted any more.
    pub value: Option<Finite>,
    /// The instant the metric belongs to.
    pub timestamp: UtcMicros,
    /// The agent it is attributed to.
    pub agent: Option<AgentId>,
    /// The queue it is attributed to.
    pub queue: Option<QueueId>,
}

impl Subject {
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
    pub const fn interaction(&self) -> Option<&InteractionId> {
        match self {
            Self::Interaction { interaction } | Self::Leg { interaction, .. } => Some(interaction),
            Self::AgentDay { .. } => None,
        }
    }

    /// The leg, where it is one.
    #[must_use]
    pub const fn leg(&self) -> Option<&LegId> {
        match self {
            Self::Leg { leg, .. } => Some(leg),
            Self::Interaction { .. } | Self::AgentDay { .. } => None,
        }
    }
}

impl Item {
    /// The same for every attempt at this value, other for every other value: tenant, subject, metric, version, revision.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let tenant = Escaped(self.tenant.as_str());
        let (metric, version) = (Escaped(&self.metric), self.version);
        let revision = self.revision;
        match &self.subject {
            Subject::AgentDay { agent, day, .. } => {
                let agent = Escaped(agent.as_str());
                format!("{tenant}/day/{agent}/{day}/{metric}/v{version}/r{revision}")
            }
            Subject::Interaction { interaction } | Subject::Leg { interaction, .. } => {
                let interaction = Escaped(interaction.as_str());
                let leg = Escaped(self.subject.leg().map_or("", LegId::as_str));
                format!("{tenant}/{interaction}/{metric}/v{version}/{leg}/r{revision}")
            }
        }
    }
}

/// Text with the separator escaped, so that no two keys can read the same.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '/' => f.write_str("%2F")?,
                '%' => f.write_str("%25")?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn of_interaction(interaction: &str, value: f64) -> Item {
        Item {
            tenant: "acme".into(),
            subject: Subject::Interaction {
                interaction: interaction.into(),
            },
            metric: "handle_time".to_owned(),
            version: MetricVersion(1),
            revision: 3,
            value: Finite::new(value),
            timestamp: UtcMicros::from_millis(1_715_783_530_451),
            agent: Some("agent_555".into()),
            queue: None,
        }
    }

    pub(crate) fn of_leg(interaction: &str, leg: &str, value: f64) -> Item {
        Item {
            subject: Subject::Leg {
                interaction: interaction.into(),
                leg: leg.into(),
            },
            ..of_interaction(interaction, value)
        }
    }

    #[test]
    fn no_value_that_is_not_a_number_is_one() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Finite::new(value), None);
        }
    }

    #[test]
    fn keys_of_different_items_never_read_the_same() {
        let day = |agent: &str| Item {
            tenant: "a".into(),
            subject: Subject::AgentDay {
                agent: agent.into(),
                day: LocalDay(0),
                figures: None,
            },
            ..of_interaction("", 0.0)
        };
        let items = [
            Item {
                tenant: "a/b".into(),
                ..of_interaction("c", 0.0)
            },
            Item {
                tenant: "a".into(),
                ..of_interaction("b/c", 0.0)
            },
            Item {
                tenant: "a%2Fb".into(),
                ..of_interaction("c", 0.0)
            },
            of_leg("c", "x", 0.0),
            of_leg("c", "x/y", 0.0),
            of_interaction("day", 0.0),
            day("x"),
            day("x/1970-01-01"),
        ];
        let keys: std::collections::BTreeSet<String> =
            items.iter().map(Item::idempotency_key).collect();
        assert_eq!(keys.len(), items.len(), "{keys:?}");
        assert_eq!(
            of_interaction("int_1", 1.0).idempotency_key(),
            "acme/int_1/handle_time/v1//r3"
        );
    }
}
