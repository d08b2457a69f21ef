//! What became of an interaction, from the history of its legs or of its states.

use crate::history;
use crate::timeline::{Status, Timeline};
use crate::totals::DurationFact;
use schema::{
    AgentRef, DurationKind, Fact, LegKind, LegOutcome, Millis, QueueId, State, Transfer, UtcMicros,
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
    pub(crate) fn count(&mut self, transfer: Transfer) {
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

/// What the legs and the facts show of how an interaction went, gathered once.
#[derive(Debug, Clone, Copy, Default)]
struct Evidence {
    /// An agent's leg was answered, not counting consultations.
    answered_leg: bool,
    /// Somebody left a queue, or an agent whom it rang at.
    abandoned_leg: bool,
    abandoned_flow: bool,
    /// A flow says that it served the customer.
    served_by_flow: bool,
    flowed_out: bool,
    rang: bool,
    queue_leg: bool,
    agent_leg: bool,
    /// A state says that it was connected to an agent.
    connected: bool,
    /// A queue was named.
    queue: bool,
    /// A state says that it waited, or rang.
    queued: bool,
    agent: bool,
}

impl Evidence {
    fn of(timeline: &Timeline<'_>) -> Self {
        let mut seen = Self::default();
        for leg in timeline.stated_legs() {
            let is_agent = leg.kind == LegKind::Agent;
            let is_flow = leg.kind == LegKind::Ivr;
            seen.queue_leg |= leg.kind == LegKind::Queue;
            seen.agent_leg |= is_agent;
            match leg.outcome {
                Some(LegOutcome::Answered | LegOutcome::Transferred) => {
                    seen.answered_leg |= is_agent && !leg.consult;
                    seen.served_by_flow |= is_flow && leg.outcome == Some(LegOutcome::Answered);
                }
                Some(LegOutcome::Abandoned) if is_flow => seen.abandoned_flow = true,
                Some(LegOutcome::Abandoned) => seen.abandoned_leg = true,
                Some(LegOutcome::FlowedOut) => seen.flowed_out |= leg.kind == LegKind::Queue,
                Some(LegOutcome::NotResponding) => seen.rang = true,
                None => {}
            }
        }
        for fact in timeline.facts() {
            let statement = &fact.statement;
            seen.queue |= statement.queue.is_some();
            seen.agent |= statement.agent.is_some();
            match &statement.state {
                Some(State::Connected | State::Held) => seen.connected = true,
                Some(State::Queued | State::Alerting) => seen.queued = true,
                _ => {}
            }
        }
        seen
    }
}

impl<'a> Timeline<'a> {
    /// What became of the interaction; `None` while it is open or overfull.
    ///
    /// The history decides, not the last word. In this order: an agent's leg was answered (a consultation alone is none); the
    /// customer left a queue; a queue passed it on to another flow; the customer left the flow; it rang in vain. Where no leg says
    /// any of that, what is told of no leg does: an agent answered, or talk was stated, whatever the end is called; `abandoned` is in
    /// a queue when a queue, a wait, an alert or an agent was stated, else in the flow; `missed` is missed. What was `completed` is
    /// self-service where a flow's leg says that it served, or where there are no legs; but never where it waited for agents, or one
    /// was named: nobody says who served it then, nor of a flow whose end nobody states.
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
        } else if seen.connected || self.parts().answered {
            Outcome::Answered
        } else {
            let waited = seen.queued || seen.queue_leg || self.waited();
            match status {
                Status::Abandoned if waited || seen.queue || seen.agent => {
                    Outcome::AbandonedInQueue
                }
                Status::Abandoned => Outcome::AbandonedInIvr,
                Status::Missed => Outcome::Missed,
                _ if seen.agent || seen.agent_leg || waited => Outcome::Other,
                _ if seen.served_by_flow || !self.has_legs() => Outcome::SelfService,
                _ => Outcome::Other,
            }
        })
    }

    /// Whether it was offered to agents: a queue was named or has a leg, a state says that it waited or rang, or a wait was stated.
    pub fn queued(&self) -> bool {
        let seen = Evidence::of(self);
        seen.queue || seen.queued || seen.queue_leg || self.waited()
    }

    /// Whether a wait in a queue was stated that is one.
    fn waited(&self) -> bool {
        self.duration(DurationKind::QueueWait)
            .is_some_and(|wait| wait != DurationFact::Stated(Millis::ZERO))
    }

    /// How often it was passed on by an agent: what the legs state, else the states that say so of an agent, or after one was
    /// connected. What a flow passes on is no agent's transfer.
    pub fn transfers(&self) -> Transfers {
        let mut transfers = Transfers::default();
        for transfer in self.stated_legs().iter().filter_map(|leg| leg.transfer) {
            transfers.count(transfer);
        }
        if transfers.total() > 0 {
            return transfers;
        }
        history::transfers(self.history())
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

    /// The longest of the holds. Of a single one the hold time as stated; of several, the instants of the events tell, unless they
    /// contradict the hold time stated for all of them: then nobody knows.
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
        self.holds_told()
            .longest_of(self.duration(DurationKind::Hold))
    }

    fn holds_told(&self) -> history::Holds {
        let states = self.history().map(|(fact, state)| (fact.at, state));
        history::holds(states, self.ended_at())
    }

    /// How often it rang at an agent who did not answer. When the customer left while it rang, nobody missed anything.
    pub fn missed_alerts(&self) -> u32 {
        if self.has_legs() {
            let missed = self
                .stated_legs()
                .iter()
                .filter(|leg| leg.outcome == Some(LegOutcome::NotResponding))
                .count();
            return u32::try_from(missed).unwrap_or(u32::MAX);
        }
        self.parts().missed
    }

    /// The agents who took part, each once, in the order of their first part. One at whom it only rang took none.
    pub fn agents(&self) -> Vec<&'a AgentRef> {
        self.took_part().iter().map(|took| took.agent).collect()
    }

    /// How many agents took part.
    pub fn agent_count(&self) -> u32 {
        u32::try_from(self.took_part().len()).unwrap_or(u32::MAX)
    }

    /// The agent who took part last.
    pub fn last_agent(&self) -> Option<&'a AgentRef> {
        self.last_part()
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

    /// When it was offered to agents: the start of the first wait in a queue that a leg states, else the first `offered` or `queued` told,
    /// else the start of the interaction. `None` only where nothing is known at all.
    pub fn offered_at(&self) -> Option<UtcMicros> {
        let queues = self.stated_legs().iter();
        let queues = queues.filter(|leg| leg.kind == LegKind::Queue);
        queues
            .map(|leg| leg.started_at)
            .min()
            .or_else(|| self.first_state(&[State::Offered, State::Queued]))
            .or_else(|| self.start())
    }

    /// When an agent first answered: the earliest that the agents' legs state, else a queue's leg, else the first `connected`.
    pub fn answered_at(&self) -> Option<UtcMicros> {
        let earliest = |kind: LegKind| {
            self.stated_legs()
                .iter()
                .filter(|leg| leg.kind == kind && !leg.consult)
                .filter(|leg| kind != LegKind::Agent || leg.took_part())
                .filter_map(|leg| leg.answered_at)
                .min()
        };
        earliest(LegKind::Agent)
            .or_else(|| earliest(LegKind::Queue))
            .or_else(|| self.first_state(&[State::Connected]))
    }

    /// How long the customer waited in queues until an agent first answered; only of an answered interaction, and `None` where
    /// nothing tells. The clock goes on from queue to queue, and what was waited for later agents, or for consulted ones, is not in it.
    ///
    /// By legs: the waits of those that began before the answer. Without legs: the queue wait as stated at or before the first
    /// `connected`, else as first stated behind it, unless it waited again in between. Where nobody says when it was answered, the
    /// queue wait as stated. Instants alone tell no wait: whether a platform counts the ringing is not in them.
    pub fn answered_after(&self) -> Option<DurationFact> {
        if self.outcome() != Some(Outcome::Answered) {
            return None;
        }
        let answered = self.answered_at().or_else(|| {
            let agents = self.stated_legs().iter();
            agents
                .filter(|leg| leg.kind == LegKind::Agent && leg.took_part() && !leg.consult)
                .map(|leg| leg.started_at)
                .min()
        });
        if let Some(waited) = self.waited_on_legs(answered) {
            return Some(waited);
        }
        let Some(answered) = answered else {
            return self.duration(DurationKind::QueueWait);
        };
        let stated = |fact: &Fact| fact.statement.durations.get(DurationKind::QueueWait);
        let cumulative = || {
            self.facts()
                .filter(|fact| fact.statement.leg().is_none() && stated(fact).is_some())
        };
        // As everywhere, what the weightiest source states counts.
        let rank = cumulative().map(|fact| fact.rank).max();
        let weightiest = || cumulative().filter(|fact| Some(fact.rank) == rank);
        let by_then = weightiest().rfind(|fact| fact.at <= answered).map(|fact| {
            let so_far = fact.at < answered && stated(fact) == Some(Millis::ZERO);
            (fact, so_far)
        });
        // A zero from before the answer is how long it was by then.
        if let Some((fact, false)) = by_then {
            return stated(fact).map(DurationFact::judge);
        }
        let behind = weightiest().find(|fact| {
            fact.at > answered && {
                // What was stated after it waited again is no longer this wait alone.
                !self.history().any(|(again, state)| {
                    let passed_on = history::transfer(state).is_some() && again.at < fact.at;
                    let waits = matches!(state, State::Queued | State::Alerting);
                    (waits || passed_on) && answered < again.at && again.at <= fact.at
                })
            }
        });
        behind
            .or(by_then.map(|(fact, _)| fact))
            .and_then(stated)
            .map(DurationFact::judge)
    }

    /// How long the customer waited until leaving; only of an abandoned interaction, and `None` where nothing tells.
    ///
    /// In queues, by the same clock as [`Timeline::answered_after`]: the waits of all legs together, as stated or by their instants.
    /// Without legs the queue wait as stated, else from the first `queued` (or `alerting`, or `offered`) to the end. In the flow: from
    /// the interaction's start to its end.
    pub fn abandoned_after(&self) -> Option<DurationFact> {
        let outcome = self.outcome()?;
        if !outcome.is_abandoned() {
            return None;
        }
        let span = |from: UtcMicros, until: UtcMicros| DurationFact::judge(until.since(from));
        if outcome == Outcome::AbandonedInIvr {
            return Some(span(self.start()?, self.ended_at()?));
        }
        if let Some(waited) = self.waited_on_legs(None) {
            return Some(waited);
        }
        let left = self
            .stated_legs()
            .iter()
            .rfind(|leg| leg.outcome == Some(LegOutcome::Abandoned) && leg.kind != LegKind::Ivr);
        if let Some(left) = left {
            return Some(span(left.started_at, left.ended_at?));
        }
        if let Some(stated) = self.duration(DurationKind::QueueWait) {
            return Some(stated);
        }
        let from = self
            .first_state(&[State::Queued])
            .or_else(|| self.first_state(&[State::Alerting]))
            .or_else(|| self.first_state(&[State::Offered]))?;
        Some(span(from, self.ended_at()?))
    }

    /// What the legs that began by then waited in queues, all together; `None` where none says so.
    fn waited_on_legs(&self, until: Option<UtcMicros>) -> Option<DurationFact> {
        self.stated_legs()
            .iter()
            .filter(|leg| !leg.consult && until.is_none_or(|until| leg.started_at <= until))
            .filter_map(|leg| {
                leg.duration(DurationKind::QueueWait).or_else(|| {
                    let ended = leg.ended_at.filter(|_| leg.kind == LegKind::Queue)?;
                    Some(DurationFact::judge(ended.since(leg.started_at)))
                })
            })
            .reduce(DurationFact::plus)
    }

    /// When one of these states was first told.
    fn first_state(&self, wanted: &[State]) -> Option<UtcMicros> {
        self.history()
            .find(|(_, state)| wanted.contains(state))
            .map(|(fact, _)| fact.at)
    }

    /// When the customer was gone: the end of the customer's own line, where one is stated, else the interaction's end, which can
    /// be that of a wrap-up. Of several lines it is the first in the direction of the interaction: others are those of parties whom
    /// an agent called, and a platform may leave such a one open for weeks.
    pub fn customer_left_at(&self) -> Option<UtcMicros> {
        let direction = self.direction();
        let lines = || {
            self.stated_legs()
                .iter()
                .filter(|leg| leg.kind == LegKind::Customer)
        };
        lines()
            .find(|leg| {
                leg.direction.is_none() || direction.is_none() || leg.direction == direction
            })
            .or_else(|| lines().next())
            .and_then(|leg| leg.ended_at)
            .or_else(|| self.ended_at())
    }

    /// When the customer was gone and the agents were done, wrap-up included: never later than the end. A platform may keep an
    /// interaction open for weeks with nothing in it but a line that an agent called besides.
    pub fn over_at(&self) -> Option<UtcMicros> {
        let ended_at = self.ended_at()?;
        let agents = self.stated_legs().iter();
        let done = agents
            .filter(|leg| leg.kind == LegKind::Agent)
            .map(|leg| leg.ended_at.unwrap_or(ended_at));
        let last = done.chain(self.customer_left_at()).max();
        last.map(|last| last.min(ended_at)).or(Some(ended_at))
    }

    /// When the contact ended for the customer, who may come back from then on: with the customer's line. Of one with a callback, which the
    /// customer waits for without a line, when it was over.
    pub fn contact_ended_at(&self) -> Option<UtcMicros> {
        if self.callback() {
            self.over_at()
        } else {
            self.customer_left_at()
        }
    }

    /// Whether more than two parties were on the line at once.
    pub fn conference(&self) -> bool {
        self.facts().any(|fact| {
            fact.statement.leg().is_some_and(|leg| leg.conference)
                || fact
                    .statement
                    .state
                    .as_ref()
                    .is_some_and(history::is_conference)
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
