//! What became of an interaction, from the history of its legs or of its states.

use crate::history;
use crate::timeline::{Status, Timeline};
use crate::totals::DurationFact;
use schema::{
    AgentRef, DurationKind, Fact, LegKind, LegOutcome, QueueId, State, Transfer, UtcMicros,
};
use std::collections::BTreeSet;

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
    fn count(&mut self, transfer: Transfer) {
        let count = match transfer {
            Transfer::Blind => &mut self.blind,
            Transfer::Consult => &mut self.consult,
            Transfer::Unspecified => &mut self.unspecified,
        };
        *count = count.saturating_add(1);
    }

    /// All of them.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.blind
            .saturating_add(self.consult)
            .saturating_add(self.unspecified)
    }
}

/// What the facts show of how an interaction went, gathered in one pass.
#[derive(Debug, Clone, Copy, Default)]
struct Evidence {
    /// An agent's leg was answered, not counting consultations.
    answered_leg: bool,
    /// Somebody left a queue, or an agent whom it rang at.
    abandoned_leg: bool,
    abandoned_flow: bool,
    flowed_out: bool,
    rang: bool,
    queue_leg: bool,
    /// A state says that it was connected to an agent.
    connected: bool,
    /// A queue was stated, by name or by state.
    queued: bool,
    agent: bool,
    agent_took_part: bool,
    talk: bool,
}

impl Evidence {
    fn of(timeline: &Timeline<'_>) -> Self {
        let mut seen = Self::default();
        for fact in timeline.facts() {
            let statement = &fact.statement;
            if let Some(leg) = statement.leg() {
                let is_agent = leg.kind == LegKind::Agent;
                seen.queue_leg |= leg.kind == LegKind::Queue;
                match leg.outcome {
                    Some(LegOutcome::Answered | LegOutcome::Transferred) => {
                        seen.answered_leg |= is_agent && !leg.consult;
                    }
                    Some(LegOutcome::Abandoned) if leg.kind == LegKind::Ivr => {
                        seen.abandoned_flow = true;
                    }
                    Some(LegOutcome::Abandoned) => seen.abandoned_leg = true,
                    Some(LegOutcome::FlowedOut) => seen.flowed_out |= leg.kind == LegKind::Queue,
                    Some(LegOutcome::NotResponding) => seen.rang = true,
                    None => {}
                }
            }
            seen.queued |= statement.queue.is_some();
            match &statement.state {
                Some(State::Connected | State::Held) => seen.connected = true,
                Some(State::Queued | State::Alerting) => seen.queued = true,
                _ => {}
            }
            let consulted = statement.leg().is_some_and(|leg| leg.consult);
            seen.agent |= statement.agent.is_some();
            seen.agent_took_part |= took_part(fact) && !consulted;
            seen.talk |= statement
                .durations
                .get(DurationKind::Talk)
                .is_some_and(|talk| talk.0 > 0);
        }
        seen
    }
}

/// Whether the fact names an agent who took part: not one at whom it only rang.
pub(crate) fn took_part(fact: &Fact) -> bool {
    let rang = fact
        .statement
        .leg()
        .is_some_and(|leg| leg.outcome == Some(LegOutcome::NotResponding))
        || matches!(
            fact.statement.state,
            Some(State::Alerting | State::Missed | State::Abandoned)
        );
    fact.statement.agent.is_some() && !rang
}

impl<'a> Timeline<'a> {
    /// What became of the interaction; `None` while it is open or overfull.
    ///
    /// The history decides, not the last word. In this order: an agent's leg was answered (a consultation alone is none); the
    /// customer left a queue; a queue passed it on to another flow; the customer left the flow; it rang in vain. Where no leg says
    /// any of that, the states do: `connected` or `held` is answered whatever came after; `abandoned` is in a queue when a queue, an
    /// alert or an agent was stated before, else in the flow; `completed` is answered when an agent took part or talk was stated,
    /// else self-service, unless a queue's leg shows that it was not the flow that served.
    pub fn outcome(&self) -> Option<Outcome> {
        let status = self.status();
        if matches!(status, Status::Open | Status::Overfull) {
            return None;
        }
        let seen = Evidence::of(self);
        Some(if seen.answered_leg {
            Outcome::Answered
        } else if seen.abandoned_leg {
            Outcome::AbandonedInQueue
        } else if seen.flowed_out {
            Outcome::FlowedOut
        } else if seen.abandoned_flow {
            Outcome::AbandonedInIvr
        } else if seen.rang {
            Outcome::Missed
        } else if seen.connected {
            Outcome::Answered
        } else {
            match status {
                Status::Abandoned if seen.queued || seen.queue_leg || seen.agent => {
                    Outcome::AbandonedInQueue
                }
                Status::Abandoned => Outcome::AbandonedInIvr,
                Status::Missed => Outcome::Missed,
                _ if seen.agent_took_part || seen.talk => Outcome::Answered,
                _ if seen.agent || seen.queue_leg => Outcome::Other,
                _ => Outcome::SelfService,
            }
        })
    }

    /// How often it was passed on by an agent: what the legs state, else the states that say so.
    pub fn transfers(&self) -> Transfers {
        let mut transfers = Transfers::default();
        if self.has_legs() {
            for transfer in self.all_legs().iter().filter_map(|leg| leg.transfer) {
                transfers.count(transfer);
            }
            if transfers.total() > 0 {
                return transfers;
            }
        }
        for transfer in self
            .history()
            .filter_map(|(_, state)| history::transfer(state))
        {
            transfers.count(transfer);
        }
        transfers
    }

    /// How often the customer was put on hold; `None` where nothing is known of holds.
    ///
    /// What the agents' legs state adds up. Without legs, the `held` states count; when there is none, that is no hold only where the
    /// history is told at all (`connected` was) and no hold time was stated.
    pub fn holds(&self) -> Option<u32> {
        if self.has_legs() {
            return self
                .all_legs()
                .iter()
                .filter(|leg| leg.kind == LegKind::Agent)
                .filter_map(|leg| leg.holds)
                .reduce(u32::saturating_add);
        }
        let found = self.holds_told();
        let unseen = || {
            self.history().any(|(_, state)| *state == State::Connected)
                && !self
                    .facts()
                    .filter_map(|fact| fact.statement.durations.get(DurationKind::Hold))
                    .any(|hold| hold.0 != 0)
        };
        (found.count > 0 || unseen()).then_some(found.count)
    }

    /// The longest of the holds. Of a single one the hold time as stated; of several, the instants of the events tell, and never
    /// more than the hold time stated for all of them.
    pub fn longest_hold(&self) -> Option<DurationFact> {
        if self.has_legs() {
            // Of two, the longer; one that is implausible is as long as it says, so that it shows.
            return self
                .all_legs()
                .iter()
                .filter(|leg| leg.kind == LegKind::Agent)
                .filter_map(|leg| leg.longest_hold)
                .max_by_key(|hold| match hold {
                    DurationFact::Stated(millis) => (false, *millis),
                    DurationFact::Implausible(millis) => (true, *millis),
                });
        }
        let found = self.holds_told();
        let all = self.duration(DurationKind::Hold);
        match (found.count, all) {
            (0, _) => None,
            (1, Some(stated)) => Some(stated),
            (_, Some(DurationFact::Stated(all))) => found
                .longest
                .map(|longest| DurationFact::judge(longest.min(all))),
            _ => found.longest.map(DurationFact::judge),
        }
    }

    fn holds_told(&self) -> history::Holds {
        let states = self.history().map(|(fact, state)| (fact.at, state));
        history::holds(states, self.ended_at())
    }

    /// How often it rang at an agent who did not answer.
    pub fn missed_alerts(&self) -> u32 {
        if self.has_legs() {
            let missed = self
                .all_legs()
                .iter()
                .filter(|leg| leg.outcome == Some(LegOutcome::NotResponding))
                .count();
            return u32::try_from(missed).unwrap_or(u32::MAX);
        }
        history::missed_alerts(self.history().map(|(_, state)| state))
    }

    /// The agents who took part, each once, in the order of their first part. One at whom it only rang took none.
    pub fn agents(&self) -> Vec<&'a AgentRef> {
        let took = self.facts().filter(|fact| took_part(fact));
        distinct(
            took.filter_map(|fact| fact.statement.agent.as_ref()),
            |agent| agent.id.as_str(),
        )
    }

    /// How many agents took part.
    pub fn agent_count(&self) -> u32 {
        u32::try_from(self.agents().len()).unwrap_or(u32::MAX)
    }

    /// The last agent on the timeline who took part.
    pub fn last_agent(&self) -> Option<&'a AgentRef> {
        self.facts()
            .rev()
            .filter(|fact| took_part(fact))
            .find_map(|fact| fact.statement.agent.as_ref())
    }

    /// The queues, each once, in the order of their first statement.
    pub fn queues(&self) -> Vec<&'a QueueId> {
        distinct(
            self.facts()
                .filter_map(|fact| fact.statement.queue.as_ref()),
            |queue| queue.as_str(),
        )
    }

    /// How many queues.
    pub fn queue_count(&self) -> u32 {
        u32::try_from(self.queues().len()).unwrap_or(u32::MAX)
    }

    /// The dispositions that are not empty, each once, in the order of their first statement.
    pub fn dispositions(&self) -> Vec<&'a str> {
        distinct(
            self.facts()
                .filter_map(|fact| fact.statement.disposition.as_deref())
                .filter(|disposition| !disposition.is_empty()),
            |disposition| *disposition,
        )
    }

    /// When an agent first answered: the earliest that the agents' legs state, else a queue's leg, else the first `connected`.
    pub fn answered_at(&self) -> Option<UtcMicros> {
        let earliest = |kind: LegKind| {
            self.facts()
                .filter_map(|fact| fact.statement.leg())
                .filter(|leg| leg.kind == kind && !leg.consult)
                .filter_map(|leg| leg.answered_at)
                .min()
        };
        if self.has_legs()
            && let Some(at) = earliest(LegKind::Agent).or_else(|| earliest(LegKind::Queue))
        {
            return Some(at);
        }
        self.history()
            .find(|(_, state)| **state == State::Connected)
            .map(|(fact, _)| fact.at)
    }

    /// Whether it was offered to agents: a queue, a wait or an alert was stated.
    pub fn queued(&self) -> bool {
        Evidence::of(self).queued
    }

    /// How long the customer waited until an agent first answered; `None` where nobody did or nothing tells.
    pub fn answered_after(&self) -> Option<DurationFact> {
        self.duration(DurationKind::QueueWait)
    }

    /// When the customer left: the end of the customer's own line, where one is stated, else the interaction's.
    pub fn customer_left_at(&self) -> Option<UtcMicros> {
        self.ended_at()
    }

    /// How long the customer waited until leaving; only of an abandoned interaction, and `None` where nothing tells.
    ///
    /// In a queue: the wait of the leg that was left, as stated or by its instants. Without legs the queue wait as stated, else from
    /// the first `queued` (or `alerting`, or `offered`) to the end. In the flow: from the interaction's start to its end.
    pub fn abandoned_after(&self) -> Option<DurationFact> {
        let outcome = self.outcome()?;
        if !outcome.is_abandoned() {
            return None;
        }
        let span = |from: UtcMicros, until: UtcMicros| DurationFact::judge(until.since(from));
        if outcome == Outcome::AbandonedInIvr {
            return Some(span(self.start()?, self.ended_at()?));
        }
        if self.has_legs() {
            let legs = self.all_legs();
            let left = legs
                .iter()
                .rfind(|leg| leg.outcome == Some(LegOutcome::Abandoned) && leg.kind != LegKind::Ivr)
                .or_else(|| legs.iter().rfind(|leg| leg.kind == LegKind::Queue));
            if let Some(left) = left {
                return left
                    .duration(DurationKind::QueueWait)
                    .or_else(|| Some(span(left.started_at, left.ended_at?)));
            }
        }
        if let Some(stated) = self.duration(DurationKind::QueueWait) {
            return Some(stated);
        }
        let first = |wanted: &[State]| {
            self.history()
                .find(|(_, state)| wanted.contains(state))
                .map(|(fact, _)| fact.at)
        };
        let from = first(&[State::Queued])
            .or_else(|| first(&[State::Alerting]))
            .or_else(|| first(&[State::Offered]))?;
        Some(span(from, self.ended_at()?))
    }

    /// Whether more than two parties were on the line at once.
    pub fn conference(&self) -> bool {
        self.facts().any(|fact| {
            fact.statement.leg().is_some_and(|leg| leg.conference)
                || matches!(&fact.statement.state, Some(State::Other(name)) if matches!(name.as_str(), "conference" | "conferenced"))
        })
    }

    /// Whether a callback was part of it: a part of that medium, or a state of that name.
    pub fn callback(&self) -> bool {
        self.facts().any(|fact| {
            let details = fact.statement.details.as_deref();
            details.is_some_and(|details| details.media.as_deref() == Some("callback"))
                || matches!(&fact.statement.state, Some(State::Other(name)) if name.starts_with("callback"))
        })
    }

    /// How long the interaction was in this state, by the instants of its events: from each statement of it to the next statement of
    /// another one. A state still open at the end lasts until the interaction's end, one that is the end lasts until the next.
    pub fn state_time(&self, state: &State) -> DurationFact {
        let states = self.history().map(|(fact, state)| (fact.at, state));
        DurationFact::judge(history::time_in(state, states, self.ended_at()))
    }
}

/// Each once, by its name, in the order given.
fn distinct<'n, T: Copy + 'n>(
    items: impl Iterator<Item = T>,
    name: impl Fn(&T) -> &'n str,
) -> Vec<T> {
    /// From here on a set is faster than looking through the list.
    const MANY: usize = 16;
    let mut found: Vec<T> = Vec::new();
    let mut names = BTreeSet::new();
    for item in items {
        let text = name(&item);
        let is_new = if found.len() < MANY {
            !found.iter().any(|held| name(held) == text)
        } else {
            if names.is_empty() {
                names.extend(found.iter().map(&name));
            }
            names.insert(text)
        };
        if is_new {
            found.push(item);
        }
    }
    found
}
