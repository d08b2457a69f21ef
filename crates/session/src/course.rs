//! The course of an interaction as events tell it that know no legs: who took part, who answered, and at whom it rang in vain.
//!
//! This is the one place where that is decided; outcome, derived legs, first agent and missed alerts all ask here.
//!
//! - An agent **answered** whom a state names that only follows an answer (`connected`, `held`, any transfer, `completed`,
//!   `wrapped_up`, a conference). Sources leave states out, so three more did: one at whom it rang when the next `connected`, or
//!   `held`, named nobody; one at whom it rang when the end came, where talk was stated beyond what others had; and one who is the
//!   only agent named, where talk or an answer was stated. Where it was completed and none of these is known, who took part did.
//! - An agent **took part** who answered, or whom something else names than an alert, a missed or an abandoned end.
//! - An alert was **in vain** when another alert, a return to the queue, somebody else's answer or a missed end followed, and so
//!   is a missed end without an alert. When the customer left while it rang, nobody missed anything.
//! - A repetition of a state with the same agent and no other state in between is the same statement under another id.

use crate::history;
use crate::timeline::{Status, Timeline};
use crate::totals::Weighed;
use schema::{AgentId, AgentRef, DurationKind, Fact, State};
use std::collections::BTreeMap;

/// What a state says of the agent whom it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// Only somebody who answered is named so.
    Answered,
    /// It rang at the agent; no more than that.
    Rang,
    /// The agent had to do with it.
    Present,
}

impl Says {
    /// What a statement says of its agent. A record states the end at the start's instant: its state is no part of the course.
    pub(crate) fn of_fact(fact: &Fact) -> Self {
        Self::of(state(fact))
    }

    pub(crate) fn of(state: Option<&State>) -> Self {
        let Some(state) = state else {
            return Self::Present;
        };
        match state {
            State::Connected | State::Held | State::WrappedUp | State::Completed => Self::Answered,
            State::Alerting | State::Missed | State::Abandoned => Self::Rang,
            _ if history::transfer(state).is_some() || history::is_conference(state) => {
                Self::Answered
            }
            State::Offered | State::Queued | State::Transferred | State::Other(_) => Self::Present,
        }
    }
}

fn state(fact: &Fact) -> Option<&State> {
    fact.statement
        .state
        .as_ref()
        .filter(|_| fact.key.is_event())
}

/// One agent's part.
#[derive(Debug, Clone)]
pub(crate) struct Part<'a> {
    /// As first stated.
    pub(crate) agent: &'a AgentRef,
    pub(crate) answered: bool,
    /// Whether a statement names the agent that does more than say that it rang.
    pub(crate) present: bool,
    /// How often it rang at the agent in vain.
    pub(crate) missed: u32,
}

impl Part<'_> {
    pub(crate) const fn took_part(&self) -> bool {
        self.answered || self.present
    }
}

/// Everybody's part, by the statements that are about no leg.
#[derive(Debug, Clone, Default)]
pub(crate) struct Course<'a> {
    /// In the order of the timeline.
    pub(crate) parts: Vec<Part<'a>>,
    /// The place of each agent among the parts.
    places: BTreeMap<&'a AgentId, usize>,
    /// How often it rang in vain, also at agents whom nobody named.
    pub(crate) missed: u32,
    /// Whether anybody answered, also somebody whom nobody named.
    pub(crate) answered: bool,
}

/// An alert that nothing followed yet.
#[derive(Clone, Copy)]
struct Ringing {
    at: Option<usize>,
    /// Whether an agent was on the line already: then more talk does not show that this alert was answered.
    on_line: bool,
    /// The talk stated before.
    talk: i64,
}

impl<'a> Course<'a> {
    pub(crate) fn of(timeline: &Timeline<'a>) -> Self {
        let mut course = Self::default();
        let mut cumulative = Weighed::default();
        for fact in timeline
            .facts()
            .filter(|fact| fact.statement.leg().is_none())
        {
            cumulative.take(fact);
            if let Some(agent) = &fact.statement.agent
                && !course.places.contains_key(&agent.id)
            {
                course.places.insert(&agent.id, course.parts.len());
                course.parts.push(Part {
                    agent,
                    answered: false,
                    present: false,
                    missed: 0,
                });
            }
        }
        let talk = cumulative
            .totals()
            .get(DurationKind::Talk)
            .and_then(crate::DurationFact::plausible)
            .map_or(0, |talk| talk.0);
        course.follow(timeline, talk);
        course.conclude(timeline.status(), talk);
        course
    }

    /// The part of this agent.
    pub(crate) fn part(&self, agent: &AgentId) -> Option<&Part<'a>> {
        self.parts.get(*self.places.get(agent)?)
    }

    /// Goes through the statements in the order of the course; `talk` is what is known of it in the end.
    fn follow(&mut self, timeline: &Timeline<'a>, talk: i64) {
        let mut ringing: Option<Ringing> = None;
        let mut previous: Option<(&State, Option<usize>)> = None;
        let mut on_line = false;
        let mut talk_before = 0;
        for fact in timeline
            .course()
            .filter(|fact| fact.statement.leg().is_none())
        {
            let who = self.place(fact);
            let state = state(fact);
            let answered_before = who.is_some_and(|who| self.parts[who].answered);
            if let Some(who) = who {
                let part = &mut self.parts[who];
                match Says::of(state) {
                    Says::Answered => (part.answered, part.present) = (true, true),
                    Says::Present => part.present = true,
                    Says::Rang => {}
                }
            }
            if let Some(state) = state {
                let again = previous.is_some_and(|(before, whom)| {
                    // A missed end that names nobody sums up the one before.
                    before == state
                        && (whom == who
                            || (*state == State::Missed && who.is_none() && ringing.is_none()))
                });
                previous = Some((state, who));
                match state {
                    State::Alerting if !again => {
                        self.in_vain(ringing);
                        ringing = Some(Ringing {
                            at: who,
                            on_line,
                            talk: talk_before,
                        });
                    }
                    State::Queued => self.in_vain(ringing.take()),
                    State::Connected | State::Held => {
                        ringing = self.answer(ringing, who, answered_before, *state == State::Held);
                        on_line = true;
                    }
                    State::Completed | State::Abandoned | State::Missed => {
                        let rang = ringing.take();
                        let by_talk = rang.is_some_and(|ringing| {
                            !ringing.on_line && talk > ringing.talk && {
                                who.is_none() || who == ringing.at
                            }
                        });
                        if let (true, Some(Ringing { at: Some(at), .. })) = (by_talk, rang) {
                            self.parts[at].answered = true;
                        } else if *state == State::Missed && !again {
                            self.miss(who.or(rang.and_then(|ringing| ringing.at)));
                        }
                        on_line = false;
                    }
                    _ => {
                        if Says::of(Some(state)) == Says::Answered {
                            ringing = ringing.filter(|ringing| who.is_none() || ringing.at != who);
                        }
                        if history::transfer(state).is_some() {
                            on_line = false;
                        }
                    }
                }
            }
            if let Some(stated) = fact.statement.durations.get(DurationKind::Talk) {
                talk_before = stated.0;
            }
        }
    }

    /// What is left of an alert when somebody is connected, or holds the customer.
    fn answer(
        &mut self,
        ringing: Option<Ringing>,
        who: Option<usize>,
        answered_before: bool,
        holds: bool,
    ) -> Option<Ringing> {
        let before = self.answered;
        self.answered = true;
        let ringing = ringing?;
        match who {
            // Of two on the line, the one who holds is the one who was there.
            None if holds && before => return Some(ringing),
            None => {
                if let Some(at) = ringing.at {
                    self.parts[at].answered = true;
                }
            }
            Some(_) if ringing.at.is_none() || ringing.at == who => {}
            // Somebody who was on the line already.
            Some(_) if answered_before => return Some(ringing),
            Some(_) => self.miss(ringing.at),
        }
        None
    }

    fn in_vain(&mut self, ringing: Option<Ringing>) {
        if let Some(ringing) = ringing {
            self.miss(ringing.at);
        }
    }

    fn miss(&mut self, at: Option<usize>) {
        self.missed = self.missed.saturating_add(1);
        if let Some(at) = at {
            let part = &mut self.parts[at];
            part.missed = part.missed.saturating_add(1);
        }
    }

    /// What the whole tells that no state does.
    fn conclude(&mut self, status: Status, talk: i64) {
        let anybody = |parts: &[Part<'_>]| parts.iter().any(|part| part.answered);
        if !anybody(&self.parts) {
            let connected = self.answered;
            match &mut self.parts[..] {
                [only] if talk > 0 || (connected && only.missed == 0) => only.answered = true,
                parts if !connected && status == Status::Completed => {
                    for part in parts {
                        part.answered = part.present;
                    }
                }
                _ => {}
            }
        }
        self.answered |= talk > 0 || anybody(&self.parts);
    }

    fn place(&self, fact: &Fact) -> Option<usize> {
        let agent = fact.statement.agent.as_ref()?;
        self.places.get(&agent.id).copied()
    }
}

/// The facts in the order of their course. Instants decide; what is of one instant is ordered by what states follow each other, and
/// never by ids, which are chance: offered, queued, alerting, connected, held, others, transferred, ended, wrapped up. The transfer,
/// or the missed alert, of an agent who was there before that instant comes before what others begin in it.
pub(crate) fn in_order<'a>(facts: &[&'a Fact]) -> Vec<&'a Fact> {
    let mut ordered = facts.to_vec();
    let mut connected = false;
    for instant in ordered.chunk_by_mut(|one, next| one.at == next.at) {
        if instant.len() > 1 {
            let mut here: Vec<&AgentId> = instant
                .iter()
                .filter(|fact| {
                    matches!(
                        fact.statement.state,
                        Some(State::Alerting | State::Connected | State::Held)
                    )
                })
                .filter_map(|fact| Some(&fact.statement.agent.as_ref()?.id))
                .collect();
            here.sort_unstable();
            instant.sort_by_cached_key(|fact| {
                let fact: &'a Fact = fact;
                let began_before = match &fact.statement.agent {
                    Some(agent) => here.binary_search(&&agent.id).is_err(),
                    None => connected && fact.statement.state != Some(State::Missed),
                };
                let place = place(fact.statement.state.as_ref(), began_before);
                (place, &fact.statement, &fact.key)
            });
        }
        connected |= instant
            .iter()
            .any(|fact| matches!(fact.statement.state, Some(State::Connected | State::Held)));
    }
    ordered
}

/// The place of a state among those of one instant.
fn place(state: Option<&State>, began_before: bool) -> u8 {
    const OTHERS: u8 = 6;
    let Some(state) = state else {
        return OTHERS;
    };
    match state {
        State::Offered => 0,
        State::Missed if began_before => 1,
        State::Queued => 2,
        State::Alerting => 3,
        State::Connected => 4,
        State::Held => 5,
        State::Completed | State::Abandoned | State::Missed => 8,
        State::WrappedUp => 9,
        State::Transferred | State::Other(_) => match history::transfer(state) {
            Some(_) if began_before => 1,
            Some(_) => 7,
            None => OTHERS,
        },
    }
}
