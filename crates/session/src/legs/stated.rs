//! A leg that the platform names: of each thing what the weightiest source stated last.

use super::LegView;
use crate::course::{self, Says};
use crate::history;
use crate::totals::{DurationFact, of_leg};
use schema::{
    DurationKind, Fact, Leg, LegId, LegKind, LegOutcome, Millis, SourceRank, State, Transfer,
    UtcMicros,
};
use std::borrow::Cow;

type Facts<'s, 'a> = &'s [(&'a Leg, &'a Fact)];

/// The leg, from the facts about it in the order of the timeline.
pub(super) fn leg<'a>(id: &'a LegId, facts: Facts<'_, 'a>) -> LegView<'a> {
    // A record of one metric says nothing of when its leg began and of what else it was.
    let ranks = || facts.iter().map(|(_, fact)| fact.rank);
    let rank = ranks()
        .filter(|rank| *rank != SourceRank::MetricRecord)
        .max()
        .or_else(|| ranks().max());
    let weightiest = || facts.iter().filter(|(_, fact)| Some(fact.rank) == rank);
    let kind = last(facts, |leg, _| {
        (leg.kind != LegKind::Other).then_some(leg.kind)
    })
    .unwrap_or(LegKind::Other);
    let durations = of_leg(facts);
    let answered_at = last(facts, |leg, _| leg.answered_at);
    let transfer = last(facts, |leg, _| leg.transfer);
    // Somebody talked, or it was answered, though no outcome says so.
    let worked = kind == LegKind::Agent
        && (answered_at.is_some()
            || durations
                .get(DurationKind::Talk)
                .and_then(DurationFact::plausible)
                .is_some_and(|talk| talk > Millis::ZERO));
    // An outcome of no kind of leg is what a flow achieved, which may play in a queue's leg: only of a passage it says how it ended.
    let counts = |leg: &Leg| leg.kind != LegKind::Other || kind == LegKind::Ivr;
    let mut stated = last(facts, |leg, _| leg.outcome.filter(|_| counts(leg)));
    // A flow that served the customer did so, however they left it then.
    let served = |outcome: Option<LegOutcome>| outcome == Some(LegOutcome::Answered);
    if kind == LegKind::Ivr && stated.is_some() && weightiest().any(|(leg, _)| served(leg.outcome))
    {
        stated = Some(LegOutcome::Answered);
    }
    // Where events are all there is, their states say what a record would have said.
    let by_events = rank == Some(SourceRank::Event);
    let told = if by_events || (kind == LegKind::Agent && stated.is_none()) {
        Told::of(facts, kind)
    } else {
        Told::default()
    };
    let outcome = stated.or(told.outcome).or(worked.then_some(match transfer {
        Some(_) => LegOutcome::Transferred,
        None => LegOutcome::Answered,
    }));
    let only_rang = told.rang || durations.get(DurationKind::Alert).is_some();
    let told = if by_events { told } else { Told::default() };
    let statement = |fact: &'a Fact| &fact.statement;
    let taken_at = taken_at(facts);
    let is_former = |leg: &Leg, fact: &Fact| {
        let is_before =
            |taken: UtcMicros| fact.at < taken && leg.ended_at.is_some_and(|ended| ended < taken);
        is_told(fact) && taken_at.is_some_and(is_before)
    };
    LegView {
        id: Cow::Borrowed(id.as_str()),
        kind,
        agent: last(facts, |_, fact| statement(fact).agent.as_ref()),
        queue: last(facts, |_, fact| statement(fact).queue.as_ref()),
        media: last(facts, |_, fact| {
            fact.statement.details.as_deref()?.media.as_deref()
        }),
        direction: last(facts, |_, fact| {
            fact.statement.details.as_deref()?.direction
        }),
        started_at: weightiest()
            .filter(|(leg, fact)| !is_former(leg, fact))
            .map(|(_, fact)| fact.at)
            .min()
            .unwrap_or(UtcMicros(0)),
        answered_at: answered_at.or(told.answered_at),
        ended_at: last(facts, |leg, fact| {
            leg.ended_at.filter(|_| !is_former(leg, fact))
        })
        .or(told.ended_at),
        outcome,
        disposition: last(facts, |_, fact| fact.statement.disposition.as_deref()),
        holds: last(facts, |leg, _| leg.holds).or(told.holds),
        longest_hold: last(facts, |leg, _| leg.longest_hold)
            .map(DurationFact::judge)
            .or(told.longest_hold),
        transfer: transfer.or(told.transfer),
        consult: weightiest().any(|(leg, _)| leg.consult),
        conference: weightiest().any(|(leg, _)| leg.conference),
        consulted: last(facts, |leg, _| leg.consulted).map(DurationFact::judge),
        derived: false,
        durations,
        only_rang,
    }
}

/// When its agent got the contact last, as events tell. Who gave it up and got it back has one leg of it, and that is what began then: an
/// end before it is the former part's. A record tells of all of it, and its end stays; and parts that a platform names are taken once.
fn taken_at(facts: Facts<'_, '_>) -> Option<UtcMicros> {
    let takes = |leg: &Leg, fact: &Fact| {
        let connects = fact.statement.state == Some(State::Connected);
        is_told(fact) && leg.kind == LegKind::Agent && connects
    };
    let taken = facts.iter().filter(|(leg, fact)| takes(leg, fact));
    taken.map(|(_, fact)| fact.at).max()
}

/// Whether an event tells it that has an id of its own.
fn is_told(fact: &Fact) -> bool {
    fact.rank == SourceRank::Event && fact.key.is_event()
}

/// What the weightiest of those sources that state it at all stated last.
fn last<'a, T>(facts: Facts<'_, 'a>, pick: impl Fn(&'a Leg, &'a Fact) -> Option<T>) -> Option<T> {
    let mut held: Option<(SourceRank, T)> = None;
    for (leg, fact) in facts {
        if held.as_ref().is_none_or(|(rank, _)| *rank <= fact.rank)
            && let Some(stated) = pick(leg, fact)
        {
            held = Some((fact.rank, stated));
        }
    }
    held.map(|(_, stated)| stated)
}

/// What the states of a leg's events say of it.
#[derive(Default)]
struct Told {
    answered_at: Option<UtcMicros>,
    ended_at: Option<UtcMicros>,
    outcome: Option<LegOutcome>,
    holds: Option<u32>,
    longest_hold: Option<DurationFact>,
    transfer: Option<Transfer>,
    /// Whether no state says more than that it rang.
    rang: bool,
}

impl Told {
    fn of(facts: Facts<'_, '_>, kind: LegKind) -> Self {
        let facts: Vec<&Fact> = facts.iter().map(|(_, fact)| *fact).collect();
        let facts = course::in_order(&facts);
        let states = || {
            facts
                .iter()
                .filter_map(|fact| Some((fact.at, fact.statement.state.as_ref()?)))
        };
        let answered_at = states()
            .find(|(_, state)| **state == State::Connected)
            .map(|(at, _)| at);
        let ended_at = states()
            .rev()
            .find(|(_, state)| {
                state.is_terminal()
                    || **state == State::WrappedUp
                    || history::transfer(state).is_some()
            })
            .map(|(at, _)| at);
        let holds = history::holds(states(), ended_at);
        let transfer = states()
            .rev()
            .find_map(|(_, state)| history::transfer(state));
        let has = |wanted: State| states().any(|(_, state)| *state == wanted);
        let says = |wanted: Says| states().any(|(_, state)| Says::of(Some(state)) == wanted);
        // Of an agent the same rule as where no leg is stated; of others only a connection tells.
        let answered = answered_at.is_some()
            || holds.count > 0
            || (kind == LegKind::Agent && says(Says::Answered));
        let outcome = if answered {
            Some(if transfer.is_some() {
                LegOutcome::Transferred
            } else {
                LegOutcome::Answered
            })
        } else if has(State::Abandoned) {
            Some(LegOutcome::Abandoned)
        } else if has(State::Missed) {
            Some(LegOutcome::NotResponding)
        } else {
            None
        };
        let known = answered_at.is_some() || holds.count > 0;
        Self {
            answered_at,
            ended_at,
            outcome,
            holds: known.then_some(holds.count),
            longest_hold: holds.longest.map(DurationFact::judge),
            transfer,
            rang: says(Says::Rang) && !says(Says::Present),
        }
    }
}
