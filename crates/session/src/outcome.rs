//! What became of an interaction, from the history of its legs or of its states.

use crate::timeline::Timeline;
use schema::{AgentRef, Millis, QueueId, State, UtcMicros};

/// What became of an interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// An agent answered.
    Answered,
    /// The customer left while waiting in a queue or while it rang at an agent.
    AbandonedInQueue,
    /// The customer left before any queue.
    AbandonedInIvr,
    /// It rang, or waited for a callback, and nobody answered.
    Missed,
    /// The queue passed it on to another flow, and no agent answered.
    FlowedOut,
    /// Completed without an agent: served by the flow.
    SelfService,
    /// Anything else.
    Other,
}

impl Outcome {
    /// The name, in lower case with underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::AbandonedInQueue => "abandoned_in_queue",
            Self::AbandonedInIvr => "abandoned_in_ivr",
            Self::Missed => "missed",
            Self::FlowedOut => "flowed_out",
            Self::SelfService => "self_service",
            Self::Other => "other",
        }
    }

    /// Whether the customer left before being served.
    #[must_use]
    pub const fn is_abandoned(self) -> bool {
        matches!(self, Self::AbandonedInQueue | Self::AbandonedInIvr)
    }
}

/// How often the contact was passed on by an agent, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Transfers {
    /// Without speaking to the next one first.
    pub blind: u32,
    /// After speaking to the next one.
    pub consult: u32,
    /// Where the source does not say which.
    pub unspecified: u32,
}

impl Transfers {
    /// All of them.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.blind
            .saturating_add(self.consult)
            .saturating_add(self.unspecified)
    }
}

impl<'a> Timeline<'a> {
    /// What became of the interaction; `None` while it is open.
    pub fn outcome(&self) -> Option<Outcome> {
        None
    }

    /// How often it was passed on by an agent.
    pub fn transfers(&self) -> Transfers {
        Transfers::default()
    }

    /// How often the customer was put on hold; `None` where nothing is known of holds.
    pub fn holds(&self) -> Option<u32> {
        None
    }

    /// The longest of the holds.
    pub fn longest_hold(&self) -> Option<Millis> {
        None
    }

    /// How often it rang at an agent who did not answer.
    pub fn missed_alerts(&self) -> u32 {
        0
    }

    /// The agents who took part, each once, in the order of their first statement.
    pub fn agents(&self) -> Vec<&'a AgentRef> {
        Vec::new()
    }

    /// How many agents took part.
    pub fn agent_count(&self) -> u32 {
        0
    }

    /// The last agent on the timeline who took part.
    pub fn last_agent(&self) -> Option<&'a AgentRef> {
        None
    }

    /// The queues, each once, in the order of their first statement.
    pub fn queues(&self) -> Vec<&'a QueueId> {
        Vec::new()
    }

    /// How many queues.
    pub fn queue_count(&self) -> u32 {
        0
    }

    /// The dispositions that are not empty, each once, in the order of their first statement.
    pub fn dispositions(&self) -> Vec<&'a str> {
        Vec::new()
    }

    /// When an agent first answered.
    pub fn answered_at(&self) -> Option<UtcMicros> {
        None
    }

    /// How long the customer waited in the queue or the IVR until leaving; only of an abandoned interaction.
    pub fn abandoned_after(&self) -> Option<Millis> {
        None
    }

    /// Whether more than two parties were on the line at once.
    pub fn conference(&self) -> bool {
        false
    }

    /// Whether a callback was part of it.
    pub fn callback(&self) -> bool {
        false
    }

    /// How long the interaction was in this state, by the instants of its events: from each statement of the state to the next
    /// statement of another one. A state still open at the end lasts until the interaction's end.
    pub fn state_time(&self, state: &State) -> Millis {
        let _ = state;
        Millis::ZERO
    }
}
