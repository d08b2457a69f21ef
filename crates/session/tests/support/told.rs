//! Facts in few words: `at(10).state("connected").agent("anna")`.

#![allow(
    dead_code,
    reason = "each file of tests uses its own part of the vocabulary"
)]

use schema::{
    AgentId, AgentRef, Direction, DurationKind, Fact, FactKey, Leg, LegId, LegKind, LegOutcome,
    Millis, QueueId, SourceRank, State, Statement, UtcMicros,
};
use session::Session;

/// A fact that is being told.
#[derive(Debug, Clone)]
pub(crate) struct Told(Fact);

/// An event so many seconds after the beginning of time.
pub(crate) fn at(second: i64) -> Told {
    Told(Fact {
        key: FactKey::event(""),
        at: UtcMicros(second * 1_000_000),
        revision: None,
        rank: SourceRank::Event,
        statement: Statement::default(),
    })
}

/// A settled record of a leg that began so many seconds after the beginning of time.
pub(crate) fn leg(id: &str, second: i64, kind: LegKind, outcome: Option<LegOutcome>) -> Told {
    let mut told = at(second).rank(SourceRank::SettledRecord);
    told.0.key = FactKey::leg(id);
    told.0.statement.details.get_or_insert_default().leg = Some(Leg {
        outcome,
        ..Leg::new(LegId::new(id), kind)
    });
    told
}

/// The record of the interaction as a whole.
pub(crate) fn whole(state: &str, until: i64) -> Told {
    let mut told = at(0).rank(SourceRank::SettledRecord).state(state);
    told.0.key = FactKey::interaction();
    told.0.statement.details.get_or_insert_default().ended_at = Some(UtcMicros(until * 1_000_000));
    told
}

/// All of them; an event without an id has its place for one.
pub(crate) fn session(facts: impl IntoIterator<Item = Told>) -> Session {
    let mut session = Session::default();
    for (place, told) in facts.into_iter().enumerate() {
        let mut fact = told.0;
        if fact.key == FactKey::event("") {
            fact.key = FactKey::event(&format!("{place:04}"));
        }
        session.insert(fact);
    }
    session
}

impl Told {
    pub(crate) fn fact(self) -> Fact {
        self.0
    }

    pub(crate) const fn fact_mut(&mut self) -> &mut Fact {
        &mut self.0
    }

    /// Another statement than the one that the leg or place makes it.
    pub(crate) fn key(mut self, id: &str) -> Self {
        self.0.key = FactKey::event(id);
        self
    }

    pub(crate) fn state(mut self, name: &str) -> Self {
        self.0.statement.state = Some(State::from_name(name));
        self
    }

    pub(crate) fn agent(mut self, id: &str) -> Self {
        self.0.statement.agent = Some(AgentRef {
            id: AgentId::new(id),
            zone: None,
        });
        self
    }

    pub(crate) fn queue(mut self, id: &str) -> Self {
        self.0.statement.queue = Some(QueueId::new(id));
        self
    }

    pub(crate) fn disposition(mut self, text: &str) -> Self {
        self.0.statement.disposition = Some(text.into());
        self
    }

    pub(crate) fn lasts(mut self, kind: DurationKind, millis: i64) -> Self {
        self.0.statement.durations.set(kind, Millis(millis));
        self
    }

    pub(crate) fn media(mut self, media: &str) -> Self {
        self.0.statement.details.get_or_insert_default().media = Some(media.into());
        self
    }

    pub(crate) fn direction(mut self, direction: Direction) -> Self {
        self.0.statement.details.get_or_insert_default().direction = Some(direction);
        self
    }

    /// So many milliseconds later.
    pub(crate) fn later(mut self, millis: i64) -> Self {
        self.0.at = self.0.at.plus(Millis(millis));
        self
    }

    pub(crate) fn rank(mut self, rank: SourceRank) -> Self {
        self.0.rank = rank;
        self
    }

    pub(crate) fn revision(mut self, revision: i64) -> Self {
        self.0.revision = Some(UtcMicros(revision));
        self
    }

    /// What else is stated of the leg.
    pub(crate) fn with(mut self, state: impl FnOnce(&mut Leg)) -> Self {
        let details = self.0.statement.details.get_or_insert_default();
        if let Some(leg) = &mut details.leg {
            state(leg);
        }
        self
    }
}
