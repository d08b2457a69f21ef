//! The facts in the order of the platform's clock, with the questions that metrics ask of them.
//!
//! "First" and "last" mean by `(at, key)`, never by arrival: two facts of one instant are in the order of their keys. So it is for what
//! is stated: start, first agent, dispositions, durations, queues. What became of the interaction does not depend on ids, which are
//! chance: there facts of one instant are in the order in which states follow each other (`course::in_order`).

use crate::course::{self, Course, Says};
use crate::end::Inferred;
use crate::fold::Session;
use crate::legs::{self, LegView};
use crate::parts;
use crate::totals::{self, DurationFact, LegFacts, Totals, Weighed};
use crate::withdrawn::Withdrawn;
use schema::{
    AgentId, AgentRef, CustomerKey, Direction, DurationKind, Fact, FactKey, LegKind, LegOutcome,
    QueueId, SourceRank, State, UtcMicros,
};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// How far an interaction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// No terminal state was stated.
    Open,
    /// Ended after it was served.
    Completed,
    /// The customer left.
    Abandoned,
    /// Nobody answered.
    Missed,
    /// More facts than a session holds.
    Overfull,
}

impl Status {
    /// The name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completed => "completed",
            Self::Abandoned => "abandoned",
            Self::Missed => "missed",
            Self::Overfull => "overfull",
        }
    }
}

/// A session's facts, ascending by `(at, key)`.
#[derive(Debug, Clone)]
pub struct Timeline<'a> {
    facts: Vec<&'a Fact>,
    earliest: Option<UtcMicros>,
    ended: bool,
    overfull: bool,
    has_legs: bool,
    /// Whether events tell of legs: the end is then inferred where nobody states it.
    by_parts: bool,
    /// What events told of legs and a record speaks for; not among the facts.
    spoken_for: Vec<&'a Fact>,
    withdrawn: &'a Withdrawn,
    /// Made when first asked for, as all below: several questions rest on them.
    legs: OnceLock<Vec<LegView<'a>>>,
    in_order: OnceLock<Vec<&'a Fact>>,
    course: OnceLock<Course<'a>>,
    took_part: OnceLock<Vec<TookPart<'a>>>,
    inferred: OnceLock<Option<Inferred>>,
}

/// An agent who took part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TookPart<'a> {
    /// As first stated, whatever the statement.
    pub(crate) agent: &'a AgentRef,
    /// When that was.
    pub(crate) stated_at: UtcMicros,
    /// The place in the course of the last statement that shows it.
    last: usize,
}

impl<'a> Timeline<'a> {
    pub(crate) fn of(session: &'a Session) -> Self {
        let facts: Vec<&Fact> = session.facts().iter().collect();
        let has_legs = facts.iter().any(|fact| fact.statement.leg().is_some());
        // Ascending by key, and no other kind of key is greater.
        let by_parts = facts.last().is_some_and(|fact| fact.key.is_part());
        let (mut facts, spoken_for) = if by_parts {
            parts::sift(facts)
        } else {
            (facts, Vec::new())
        };
        // Stable and the facts are ascending by key, so equal instants stay in the order of their keys.
        facts.sort_by_key(|fact| fact.at);
        Self {
            has_legs,
            by_parts,
            spoken_for,
            withdrawn: &session.withdrawn,
            legs: OnceLock::new(),
            in_order: OnceLock::new(),
            course: OnceLock::new(),
            took_part: OnceLock::new(),
            inferred: OnceLock::new(),
            facts,
            earliest: session.earliest,
            ended: session.ended,
            overfull: session.is_overfull(),
        }
    }

    /// The same, where it is known that the interaction had ended before: an inferred end is stated by no fact, so that whoever emitted
    /// something by it has to say so.
    #[must_use]
    pub const fn having_ended(mut self, ended: bool) -> Self {
        self.ended |= ended;
        self
    }

    /// The facts from first to last; without those that a record speaks for.
    pub fn facts(&self) -> impl DoubleEndedIterator<Item = &'a Fact> + '_ {
        self.facts.iter().copied()
    }

    /// Whether there were more facts than a session holds. Then nothing else is known but the start.
    pub const fn is_overfull(&self) -> bool {
        self.overfull
    }

    /// Whether an end was stated once and a revision took it back: what was emitted then does not hold any more.
    pub fn is_reopened(&self) -> bool {
        self.ended && self.status() == Status::Open
    }

    /// When the interaction began: the first instant on the timeline. Of an overfull session, the earliest ever stated.
    pub fn start(&self) -> Option<UtcMicros> {
        if self.overfull {
            self.earliest
        } else {
            self.facts.first().map(|fact| fact.at)
        }
    }

    /// The first agent on the timeline who took part, as first stated, and when that was. One at whom it only rang took none.
    ///
    /// The zone is the one of that very statement: an agent who is first named without a zone has none, whatever later statements
    /// say of it, and the platforms' rules read it so.
    pub fn first_agent(&self) -> Option<(&'a AgentRef, UtcMicros)> {
        self.took_part()
            .first()
            .map(|took| (took.agent, took.stated_at))
    }

    /// The disposition stated last. Where events tell of legs, that of the last leg that has one, as in a record, whose agent wrote it when.
    pub fn disposition(&self) -> Option<&'a str> {
        if self.by_parts
            && let Some(of_leg) = self
                .stated_legs()
                .iter()
                .rev()
                .find_map(|leg| leg.disposition)
        {
            return Some(of_leg);
        }
        self.facts()
            .rev()
            .find_map(|fact| fact.statement.disposition.as_deref())
    }

    /// The first queue stated: the one the customer was offered to.
    pub fn queue(&self) -> Option<&'a QueueId> {
        self.facts().find_map(|fact| fact.statement.queue.as_ref())
    }

    /// The first medium stated.
    pub fn media(&self) -> Option<&'a str> {
        self.details(|details| details.media.as_deref())
    }

    /// The first direction stated.
    pub fn direction(&self) -> Option<Direction> {
        self.details(|details| details.direction)
    }

    /// The first customer key stated.
    pub fn customer_key(&self) -> Option<&'a CustomerKey> {
        self.details(|details| details.customer_key.as_ref())
    }

    /// The attributes kept of the interaction, each as stated last.
    pub fn attributes(&self) -> BTreeMap<&'a str, &'a str> {
        let mut stating: Vec<&Fact> = self
            .facts()
            .filter(|fact| {
                let details = fact.statement.details.as_deref();
                details.is_some_and(|details| !details.attributes.is_empty())
            })
            .collect();
        if self.by_parts {
            // A record is dated by the start, and says what held at the last instant that it speaks of.
            stating.sort_by_key(|fact| match fact.rank {
                SourceRank::SettledRecord => {
                    fact.revision.map_or(fact.at, |until| until.max(fact.at))
                }
                _ => fact.at,
            });
        }
        stating
            .into_iter()
            .filter_map(|fact| fact.statement.details.as_deref())
            .flat_map(|details| &details.attributes)
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    /// The terminal state that the interaction ended in, or `None` while it is open.
    ///
    /// The interaction's own record decides when it states a terminal state. Otherwise any terminal statement makes the interaction
    /// terminal, and so does its record's end; how it ended then comes from the history of the legs (someone answered: completed;
    /// else the customer left: abandoned; else someone let it ring: missed), and without legs that say so from the terminal state
    /// stated last. An interaction that its record calls ended and of which nothing else is known was completed. Where nobody states an end
    /// and events tell of the legs, it is inferred from them ([`Timeline::is_end_inferred`]).
    pub fn terminal(&self) -> Option<State> {
        let record = self.record();
        if let Some(state) = record.and_then(terminal_state) {
            return Some(state.clone());
        }
        let last = self.course().rev().find_map(terminal_state);
        let ended = record.is_some_and(|record| record_end(record).is_some());
        if last.is_none() && !ended {
            return self.inferred().map(|end| end.state.clone());
        }
        self.outcome_of_legs()
            .or_else(|| last.cloned())
            .or(Some(State::Completed))
    }

    /// Whether it has ended, and nobody states that: provisional until a record does. Every part that began has ended then, and so has the
    /// customer's line; a part that turns up later opens the interaction again.
    pub fn is_end_inferred(&self) -> bool {
        let states_end = |fact: &Fact| terminal_state(fact).is_some();
        self.inferred().is_some()
            && !self.facts().any(states_end)
            && self
                .record()
                .is_none_or(|record| record_end(record).is_none())
    }

    /// Whether events tell of legs.
    pub(crate) const fn is_by_parts(&self) -> bool {
        self.by_parts
    }

    fn inferred(&self) -> Option<&Inferred> {
        let found = self
            .inferred
            .get_or_init(|| self.by_parts.then(|| Inferred::of(self)).flatten());
        found.as_ref()
    }

    /// How far the interaction has come.
    pub fn status(&self) -> Status {
        if self.overfull {
            return Status::Overfull;
        }
        match self.terminal() {
            Some(State::Abandoned) => Status::Abandoned,
            Some(State::Missed) => Status::Missed,
            Some(_) => Status::Completed,
            None => Status::Open,
        }
    }

    /// When the interaction ended: as its own record states, else the latest end that another source states of it, else the instant
    /// of the first terminal statement behind the last one of its life (a wait, an alert, a connection, a hold): what was missed
    /// by one agent and then taken by another had not ended, and a second copy of the end does not move it. Where nobody states an end,
    /// the inferred one.
    pub fn ended_at(&self) -> Option<UtcMicros> {
        self.record()
            .and_then(record_end)
            .or_else(|| self.facts().filter_map(record_end).max())
            .or_else(|| {
                let mut ended = None;
                for fact in self.course().rev() {
                    if terminal_state(fact).is_some() {
                        ended = Some(fact.at);
                    } else if ended.is_some() && lives(fact) {
                        break;
                    }
                }
                ended
            })
            .or_else(|| self.inferred().map(|end| end.at))
    }

    /// The duration of this kind for the interaction; `None` when nobody stated it.
    ///
    /// Where legs state it, legs add up (of several statements about one leg, the weightiest source's last). Otherwise the last
    /// cumulative statement of the weightiest source holds, also downward. A statement that counts and is implausible makes the
    /// whole implausible: a later, plausible one repairs it.
    pub fn duration(&self, kind: DurationKind) -> Option<DurationFact> {
        self.durations().get(kind)
    }

    /// The durations of all kinds at once; each is what [`Timeline::duration`] says.
    pub fn durations(&self) -> Totals {
        let mut cumulative = Weighed::default();
        for fact in self.facts() {
            if fact.statement.leg().is_none() {
                cumulative.take(fact);
            }
        }
        if self.has_legs {
            totals::of_interaction(&cumulative, &self.leg_facts())
        } else {
            cumulative.totals()
        }
    }

    /// Whether any fact is about a leg.
    pub(crate) const fn has_legs(&self) -> bool {
        self.has_legs
    }

    /// The facts about legs, by leg id and, of one leg, in the order of the timeline.
    pub(crate) fn leg_facts(&self) -> LegFacts<'a> {
        let mut found: LegFacts<'a> = self
            .facts()
            .filter_map(|fact| Some((fact.statement.leg()?, fact)))
            .collect();
        // Stable: the facts of one leg stay in the order of the timeline.
        found.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
        found
    }

    /// The states of the interaction's life, as events told them. Records state the end at the start's instant, so none of them.
    pub(crate) fn history(&self) -> impl DoubleEndedIterator<Item = (&'a Fact, &'a State)> + '_ {
        self.course()
            .filter(|fact| fact.key.is_event())
            .filter_map(|fact| Some((fact, fact.statement.state.as_ref()?)))
    }

    /// The facts in the order of the course, which knows no ids.
    pub(crate) fn course(&self) -> impl DoubleEndedIterator<Item = &'a Fact> + '_ {
        self.in_order
            .get_or_init(|| course::in_order(&self.facts))
            .iter()
            .copied()
    }

    /// Everybody's part, by the statements that are about no leg.
    pub(crate) fn parts(&self) -> &Course<'a> {
        self.course.get_or_init(|| Course::of(self))
    }

    /// The agents who took part, in the order of the first statement that shows it.
    pub(crate) fn took_part(&self) -> &[TookPart<'a>] {
        self.took_part.get_or_init(|| self.who_took_part())
    }

    fn who_took_part(&self) -> Vec<TookPart<'a>> {
        let legs: BTreeMap<&str, bool> = if self.has_legs {
            self.all_legs()
                .iter()
                .map(|leg| (leg.id.as_ref(), leg.took_part()))
                .collect()
        } else {
            BTreeMap::new()
        };
        let shows = |fact: &Fact, agent: &AgentRef| match fact.statement.leg() {
            Some(leg) => legs.get(leg.id.as_str()).is_some_and(|took| *took),
            None => self.parts().part(&agent.id).is_some_and(|part| {
                let rang = Says::of_fact(fact) == Says::Rang;
                part.took_part() && !(rang && part.present)
            }),
        };
        let mut found: Vec<TookPart<'a>> = Vec::new();
        let mut places: BTreeMap<&AgentId, usize> = BTreeMap::new();
        let mut named: BTreeMap<&AgentId, (&'a AgentRef, UtcMicros)> = BTreeMap::new();
        for fact in self.facts() {
            let Some(agent) = &fact.statement.agent else {
                continue;
            };
            let (first, stated_at) = *named.entry(&agent.id).or_insert((agent, fact.at));
            if !places.contains_key(&agent.id) && shows(fact, agent) {
                places.insert(&agent.id, found.len());
                found.push(TookPart {
                    agent: first,
                    stated_at,
                    last: 0,
                });
            }
        }
        for (place, fact) in self.course().enumerate() {
            if let Some(agent) = &fact.statement.agent
                && let Some(took) = places.get(&agent.id).map(|index| &mut found[*index])
                && shows(fact, agent)
            {
                took.last = place;
            }
        }
        found
    }

    /// The agent who took part last.
    pub(crate) fn last_part(&self) -> Option<&'a AgentRef> {
        let last = self.took_part().iter().max_by_key(|took| took.last);
        last.map(|took| took.agent)
    }

    /// The legs, in no copy.
    pub(crate) fn all_legs(&self) -> &[LegView<'a>] {
        self.legs.get_or_init(|| legs::of(self))
    }

    /// The legs that are stated, in no copy; none of events that know no legs.
    pub(crate) fn stated_legs(&self) -> &[LegView<'a>] {
        if self.has_legs { self.all_legs() } else { &[] }
    }

    /// All facts, those that a record speaks for included, in no order.
    pub(crate) fn ever_told(&self) -> impl Iterator<Item = &'a Fact> + '_ {
        self.facts().chain(self.spoken_for.iter().copied())
    }

    pub(crate) fn withdrawn(&self) -> &'a Withdrawn {
        self.withdrawn
    }

    fn details<T>(&self, pick: impl Fn(&'a schema::Details) -> Option<T>) -> Option<T> {
        self.facts()
            .filter_map(|fact| fact.statement.details.as_deref())
            .find_map(pick)
    }

    /// The record of the interaction as a whole, where a source gave one.
    fn record(&self) -> Option<&'a Fact> {
        let key = FactKey::interaction();
        self.facts().find(|fact| fact.key == key)
    }

    fn outcome_of_legs(&self) -> Option<State> {
        let outcomes = || {
            self.facts()
                .filter_map(|fact| fact.statement.leg())
                .filter_map(|leg| leg.outcome.map(|outcome| (leg.kind, outcome)))
        };
        let any = |wanted: LegOutcome| outcomes().any(|(_, outcome)| outcome == wanted);
        let served = |(kind, outcome)| {
            kind == LegKind::Agent
                && matches!(outcome, LegOutcome::Answered | LegOutcome::Transferred)
        };
        if outcomes().any(served) {
            Some(State::Completed)
        } else if outcomes().any(|(kind, outcome)| {
            // Who hangs up in the flow was never offered to anybody: that is told apart by `Timeline::outcome`.
            kind != LegKind::Ivr && outcome == LegOutcome::Abandoned
        }) {
            Some(State::Abandoned)
        } else if any(LegOutcome::NotResponding) {
            Some(State::Missed)
        } else {
            None
        }
    }
}

/// Whether this fact alone makes an interaction terminal.
pub(crate) fn ends(fact: &Fact) -> bool {
    terminal_state(fact).is_some()
        || (record_end(fact).is_some() && fact.key == FactKey::interaction())
}

fn terminal_state(fact: &Fact) -> Option<&State> {
    fact.statement
        .state
        .as_ref()
        .filter(|state| state.is_terminal())
}

/// Whether the state is one of an interaction that has not ended.
fn lives(fact: &Fact) -> bool {
    matches!(
        fact.statement.state,
        Some(State::Queued | State::Alerting | State::Connected | State::Held)
    )
}

fn record_end(fact: &Fact) -> Option<UtcMicros> {
    fact.statement
        .details
        .as_ref()
        .and_then(|details| details.ended_at)
}
