//! Legs of events that know none: one for each agent named, with what can be told apart.

use super::LegView;
use crate::course::Part;
use crate::history;
use crate::timeline::{Status, Timeline};
use crate::totals::{DurationFact, Totals, Weighed};
use crate::withdrawn::AgentLeg;
use schema::{AgentId, DurationKind, Fact, LegKind, LegOutcome, State, UtcMicros};

/// One leg for each agent named.
pub(super) fn legs<'a>(timeline: &Timeline<'a>) -> Vec<LegView<'a>> {
    let agents = &timeline.parts().parts;
    // What is stated without naming an agent is the agent's where only one took part.
    let took = agents.iter().filter(|agent| agent.took_part()).count();
    let parts = (took != 1).then(|| Parts::of(timeline, agents));
    agents
        .iter()
        .enumerate()
        .map(|(index, agent)| {
            let whole = took == 1 && agent.took_part();
            let durations = match &parts {
                Some(parts) => parts.of_agent(index),
                None if whole => timeline.durations(),
                None => Totals::default(),
            };
            leg(timeline, agent, whole, durations)
        })
        .collect()
}

fn leg<'a>(
    timeline: &Timeline<'a>,
    part: &Part<'a>,
    whole: bool,
    durations: Totals,
) -> LegView<'a> {
    let id = &part.agent.id;
    let facts = || timeline.facts().filter(|fact| names(fact, id));
    let states = || timeline.history().filter(|(fact, _)| names(fact, id));
    let transfer = states()
        .rev()
        .find_map(|(_, state)| history::transfer(state));
    let (holds, longest_hold) = if whole {
        (timeline.holds(), timeline.longest_hold())
    } else {
        holds(timeline, id, durations.get(DurationKind::Hold))
    };
    LegView {
        id: AgentLeg::Derived(id).name(),
        kind: LegKind::Agent,
        agent: Some(part.agent),
        queue: facts().find_map(|fact| fact.statement.queue.as_ref()),
        media: timeline.media(),
        direction: timeline.direction(),
        started_at: facts().next().map_or(UtcMicros(0), |fact| fact.at),
        answered_at: states()
            .find(|(_, state)| **state == State::Connected)
            .map(|(fact, _)| fact.at),
        ended_at: ended_at(timeline, id),
        outcome: outcome(timeline, part, transfer.is_some()),
        disposition: if whole {
            timeline.disposition()
        } else {
            facts()
                .rev()
                .find_map(|fact| fact.statement.disposition.as_deref())
        },
        holds,
        longest_hold,
        transfer,
        consult: false,
        conference: states().any(|(_, state)| history::is_conference(state)),
        consulted: None,
        derived: true,
        durations,
        only_rang: !part.took_part(),
    }
}

fn outcome(timeline: &Timeline<'_>, part: &Part<'_>, transfers: bool) -> Option<LegOutcome> {
    if part.answered {
        return Some(if transfers {
            LegOutcome::Transferred
        } else {
            LegOutcome::Answered
        });
    }
    if part.missed > 0 {
        return Some(LegOutcome::NotResponding);
    }
    let left = !part.present && timeline.status() == Status::Abandoned;
    left.then_some(LegOutcome::Abandoned)
}

fn names(fact: &Fact, agent: &AgentId) -> bool {
    fact.statement
        .agent
        .as_ref()
        .is_some_and(|named| named.id == *agent)
}

/// The agent's last word, when it is one of those that end a part; else when another agent is named; else when the interaction ended.
fn ended_at(timeline: &Timeline<'_>, agent: &AgentId) -> Option<UtcMicros> {
    let mut ended = None;
    let mut open = false;
    for fact in timeline.course() {
        if names(fact, agent) {
            let ends = fact.statement.state.as_ref().is_some_and(|state| {
                state.is_terminal()
                    || *state == State::WrappedUp
                    || history::transfer(state).is_some()
            });
            open = !ends;
            ended = ends.then_some(fact.at);
        } else if open && fact.statement.agent.is_some() {
            open = false;
            ended = Some(fact.at);
        }
    }
    if open { timeline.ended_at() } else { ended }
}

/// The holds that name this agent, where every hold names one.
fn holds(
    timeline: &Timeline<'_>,
    agent: &AgentId,
    all: Option<DurationFact>,
) -> (Option<u32>, Option<DurationFact>) {
    let mut answered = false;
    let mut nameless = false;
    for (fact, state) in timeline.history() {
        answered |= *state == State::Connected && names(fact, agent);
        nameless |= *state == State::Held && fact.statement.agent.is_none();
    }
    if nameless {
        return (None, None);
    }
    let other = State::Offered;
    let states = timeline.history().map(|(fact, state)| {
        // A hold of somebody else ends this agent's, and is none.
        let theirs = *state == State::Held && !names(fact, agent);
        (fact.at, if theirs { &other } else { state })
    });
    let found = history::holds(states, timeline.ended_at());
    let known = answered || found.count > 0;
    (known.then_some(found.count), found.longest_of(all))
}

/// Who of several agents was told to have taken how much of each kind of duration.
struct Parts(Vec<Totals>);

impl Parts {
    fn of(timeline: &Timeline<'_>, agents: &[Part<'_>]) -> Self {
        let mut weighed = Weighed::default();
        for fact in timeline.facts() {
            weighed.take(fact);
        }
        let totals = weighed.totals();
        let mut parts = vec![Totals::default(); agents.len()];
        for kind in DurationKind::ALL {
            let Some(grown) = grown(timeline, agents, &weighed, kind) else {
                continue;
            };
            // Of statements of one instant, another may count for the whole.
            let all = grown.iter().flatten().sum();
            if totals.get(kind) != Some(DurationFact::Stated(schema::Millis(all))) {
                continue;
            }
            for (part, grown) in parts.iter_mut().zip(grown) {
                part.set(
                    kind,
                    grown.map(|millis| DurationFact::judge(schema::Millis(millis))),
                );
            }
        }
        Self(parts)
    }

    fn of_agent(&self, index: usize) -> Totals {
        self.0[index]
    }
}

/// What the statements of one kind grew by under each agent; `None` where that cannot be told.
fn grown(
    timeline: &Timeline<'_>,
    agents: &[Part<'_>],
    weighed: &Weighed,
    kind: DurationKind,
) -> Option<Vec<Option<i64>>> {
    let rank = weighed.rank(kind)?;
    let mut parts = vec![None; agents.len()];
    let mut before = 0;
    for fact in timeline.course().filter(|fact| fact.rank == rank) {
        let Some(stated) = fact.statement.durations.get(kind) else {
            continue;
        };
        let now = DurationFact::judge(stated).plausible()?.0;
        let more = now - before;
        before = now;
        let whose = fact
            .statement
            .agent
            .as_ref()
            .and_then(|agent| agents.iter().position(|part| part.agent.id == agent.id));
        match whose {
            _ if more < 0 => return None,
            Some(index) => parts[index] = Some(parts[index].unwrap_or(0) + more),
            // A repetition is nobody's part.
            None if more == 0 => {}
            None => return None,
        }
    }
    Some(parts)
}
