//! One number of one subject's day, on either side.

use crate::Measure;
use schema::{AgentId, QueueId, UtcMicros};
use std::fmt;
use timezone::{NaiveDate, Zone};

/// Whose number it is. At least one of the two is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Subject {
    /// The agent; `None`: of all agents.
    pub agent: Option<AgentId>,
    /// The queue or skill; `None`: of all queues.
    pub queue: Option<QueueId>,
}

impl Subject {
    /// An agent, over all queues.
    #[must_use]
    pub fn agent(id: &str) -> Self {
        Self {
            agent: Some(AgentId::from(id)),
            queue: None,
        }
    }

    /// A queue, over all agents.
    #[must_use]
    pub fn queue(id: &str) -> Self {
        Self {
            agent: None,
            queue: Some(QueueId::from(id)),
        }
    }

    /// What kind of subject it is: those of one kind are asked for together.
    pub(crate) const fn kind(&self) -> (bool, bool) {
        (self.agent.is_some(), self.queue.is_some())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.agent, &self.queue) {
            (Some(agent), Some(queue)) => write!(f, "agent {agent} in queue {queue}"),
            (Some(agent), None) => write!(f, "agent {agent}"),
            (None, Some(queue)) => write!(f, "queue {queue}"),
            (None, None) => f.write_str("all"),
        }
    }
}

/// What the platform says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Native {
    /// Of whom.
    pub subject: Subject,
    /// Of what.
    pub measure: Measure,
    /// The day's first instant, as the platform cut it.
    pub from: UtcMicros,
    /// The day's end, exclusive.
    pub to: UtcMicros,
    /// The zone that the platform was asked to cut by.
    pub zone: Zone,
    /// A count, or milliseconds.
    pub value: i64,
    /// How many contacts a time is the sum of, where the platform says so.
    pub items: Option<i64>,
}

/// What we say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ours {
    /// Of whom.
    pub subject: Subject,
    /// Of what.
    pub measure: Measure,
    /// The window's first instant.
    pub from: UtcMicros,
    /// The window's end, exclusive.
    pub to: UtcMicros,
    /// Whose clock the window went by.
    pub zone: Zone,
    /// A count, or milliseconds.
    pub value: i64,
    /// How many values it is made of.
    pub items: i64,
    /// Whether changes are no longer expected.
    pub settled: bool,
}

/// The date that a day has by the clock that cut it.
pub(crate) fn date(from: UtcMicros, zone: Zone) -> NaiveDate {
    zone.local(from.0).date
}
