//! The rows of agents' time as they are given and read.

use schema::{AgentFact, UtcMicros};

/// A statement about an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentFactRow<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The agent.
    pub agent_id: &'a str,
    /// The statement.
    pub fact: &'a AgentFact,
}

/// An agent's leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivityRow<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The interaction.
    pub interaction_id: &'a str,
    /// The leg.
    pub leg_id: &'a str,
    /// The agent.
    pub agent_id: &'a str,
    /// From when on the agent was busy.
    pub from: UtcMicros,
    /// Until when with the contact; absent while it goes on.
    pub to: Option<UtcMicros>,
    /// Until when with the work after it, where that is stated.
    pub wrap_until: Option<UtcMicros>,
}

/// When an agent was busy with one leg, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// From when on.
    pub from: UtcMicros,
    /// Until when with the contact; absent while it goes on.
    pub to: Option<UtcMicros>,
    /// Until when with the work after it, where that is stated.
    pub wrap_until: Option<UtcMicros>,
}

/// A stretch of an agent's time that may have changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Changed {
    /// The organisation.
    pub tenant: String,
    /// The agent.
    pub agent_id: String,
    /// From when on.
    pub from: UtcMicros,
    /// Until when, as far as it can have been computed.
    pub to: UtcMicros,
}

/// A mark of an agent, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentMark {
    /// Names it.
    pub mark_id: i64,
    /// Start of the stretch that changed.
    pub from: UtcMicros,
    /// Its end.
    pub to: UtcMicros,
}

/// A stretch of an agent's time to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The agent.
    pub agent_id: &'a str,
    /// From when on.
    pub from: UtcMicros,
    /// Until when.
    pub to: UtcMicros,
}

/// An interval of an agent's time. It lies within one UTC day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntervalRow {
    /// From when on.
    pub from: UtcMicros,
    /// Until when.
    pub to: UtcMicros,
    /// The presence; absent where it is unknown.
    pub presence: Option<String>,
    /// The routing status; absent where it is unknown.
    pub routing: Option<String>,
    /// The organisation's own name of the presence.
    pub reason: Option<String>,
    /// The scheduled activity; absent where nothing is scheduled.
    pub scheduled: Option<String>,
    /// The team.
    pub team: Option<String>,
    /// Whether the agent had a contact.
    pub interacting: bool,
    /// Whether the agent did after-call work.
    pub wrapping: bool,
    /// Whether the agent was logged in.
    pub logged_in: bool,
    /// Whether the agent took contacts from queues.
    pub on_queue: bool,
    /// Whether it is unknown because the last statement was without news for too long.
    pub capped: bool,
    /// Whether it goes on.
    pub open: bool,
}

/// How an agent stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentRow {
    /// The organisation.
    pub tenant: String,
    /// The agent.
    pub agent_id: String,
    /// The team.
    pub team: Option<String>,
    /// The presence; absent where it is unknown.
    pub presence: Option<String>,
    /// The routing status; absent where it is unknown.
    pub routing: Option<String>,
    /// The organisation's own name of the presence.
    pub reason: Option<String>,
    /// The scheduled activity; absent where nothing is scheduled.
    pub scheduled: Option<String>,
    /// Whether the agent has a contact.
    pub interacting: bool,
    /// Whether the agent does after-call work.
    pub wrapping: bool,
    /// Whether it is unknown because the last statement was without news for too long.
    pub capped: bool,
    /// Since when presence, routing and legs are as they are.
    pub since: Option<UtcMicros>,
    /// When the state changes if nothing more is heard.
    pub open_until: Option<UtcMicros>,
    /// How far its time is computed.
    pub computed_to: Option<UtcMicros>,
    /// When its time is computed further, with or without news.
    pub due_at: Option<UtcMicros>,
    /// Definitions that are switched off and that a job asked for. [`super::note`] clears them.
    pub asked: Vec<i32>,
}

impl Changed {
    /// Sorted; those that touch or overlap are one.
    pub(super) fn united(mut stretches: Vec<Self>) -> Vec<Self> {
        stretches.sort_unstable();
        stretches.dedup_by(|later, kept| {
            let together = (&later.tenant, &later.agent_id) == (&kept.tenant, &kept.agent_id)
                && later.from <= kept.to;
            if together {
                kept.to = kept.to.max(later.to);
            }
            together
        });
        stretches
    }
}
