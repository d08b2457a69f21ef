//! Where an open interaction is now: what live gauges count.

use crate::history;
use crate::legs::LegView;
use crate::timeline::{Status, Timeline};
use schema::{AgentId, LegKind, QueueId, State, UtcMicros};

/// What an open interaction is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// The customer waits in a queue.
    Waiting,
    /// It rings at an agent; the customer still waits.
    Alerting,
    /// An agent has it.
    InProgress,
    /// An agent has it, and the customer is on hold.
    Held,
    /// Neither: in no queue yet, in a flow, or in a state of the platform's own.
    Other,
}

impl Phase {
    /// The name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Alerting => "alerting",
            Self::InProgress => "in_progress",
            Self::Held => "held",
            Self::Other => "other",
        }
    }

    const fn waits(self) -> bool {
        matches!(self, Self::Waiting | Self::Alerting)
    }

    const fn talks(self) -> bool {
        matches!(self, Self::InProgress | Self::Held)
    }
}

/// Where an open interaction is, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now<'a> {
    /// What it is doing.
    pub phase: Phase,
    /// Since when. Of a customer who waits: since the wait began, ringing included. Of one who was answered: since the answer, holds
    /// included.
    pub since: UtcMicros,
    /// The queue it is in, or came from.
    pub queue: Option<&'a QueueId>,
    /// The agent who has it, or at whom it rings.
    pub agent: Option<&'a AgentId>,
}

impl<'a> Timeline<'a> {
    /// Where the interaction is; `None` where it has ended, or where nothing is known.
    ///
    /// By the states that events told, in the order of the course; of a record with legs and no events, by the legs that are open.
    pub fn now(&self) -> Option<Now<'a>> {
        if self.status() != Status::Open {
            return None;
        }
        let start = self.start()?;
        self.by_states().or_else(|| self.by_legs()).or(Some(Now {
            phase: Phase::Other,
            since: start,
            queue: self.queue(),
            agent: None,
        }))
    }

    fn by_states(&self) -> Option<Now<'a>> {
        let mut now: Option<Now<'a>> = None;
        let mut queue = None;
        for (fact, state) in self.history() {
            queue = fact.statement.queue.as_ref().or(queue);
            let phase = match state {
                State::Queued => Phase::Waiting,
                State::Alerting => Phase::Alerting,
                State::Connected => Phase::InProgress,
                State::Held => Phase::Held,
                // Whoever passes it on lets the customer wait for the next one.
                _ if history::transfer(state).is_some() => Phase::Waiting,
                // A terminal state among them is not the end: another statement took it back.
                _ => Phase::Other,
            };
            let same_stretch = now.is_some_and(|before| {
                (before.phase.waits() && phase.waits())
                    || (before.phase.talks() && phase.talks())
                    || before.phase == phase
            });
            let named = fact.statement.agent.as_ref().map(|agent| &agent.id);
            let before = now.filter(|_| same_stretch && phase.talks());
            now = Some(Now {
                phase,
                since: now
                    .filter(|_| same_stretch)
                    .map_or(fact.at, |now| now.since),
                queue,
                agent: named
                    .filter(|_| phase != Phase::Waiting)
                    .or_else(|| before.and_then(|before| before.agent)),
            });
        }
        now
    }

    fn by_legs(&self) -> Option<Now<'a>> {
        let open = self
            .stated_legs()
            .iter()
            .filter(|leg| leg.ended_at.is_none());
        let (mut waiting, mut rings) = (None, None);
        for leg in open {
            match leg.kind {
                LegKind::Agent => {
                    if let Some(since) = leg.answered_at.or_else(|| self.taken_at(leg)) {
                        return Some(at_agent(Phase::InProgress, since, leg));
                    }
                    if self.is_by_parts() {
                        rings = rings.or(Some(leg));
                    }
                }
                LegKind::Queue => {
                    waiting = Some(Now {
                        phase: Phase::Waiting,
                        since: leg.started_at,
                        queue: leg.queue,
                        agent: None,
                    });
                }
                _ => {}
            }
        }
        let Some(rings) = rings else { return waiting };
        // The wait goes on while it rings.
        let since = waiting.map_or(rings.started_at, |waiting| waiting.since);
        Some(at_agent(Phase::Alerting, since, rings))
    }

    /// When a queue was left for an answer while this agent's part was there: events tell of the answer itself when the part has ended.
    fn taken_at(&self, leg: &LegView<'_>) -> Option<UtcMicros> {
        self.stated_legs()
            .iter()
            .filter(|queue| queue.kind == LegKind::Queue && self.is_by_parts())
            .filter_map(|queue| queue.answered_at)
            .find(|answered| *answered >= leg.started_at)
    }
}

fn at_agent<'a>(phase: Phase, since: UtcMicros, leg: &LegView<'a>) -> Now<'a> {
    Now {
        phase,
        since,
        queue: leg.queue,
        agent: leg.agent.map(|agent| &agent.id),
    }
}
