//! Statements about an agent in a few words. Instants are milliseconds after an arbitrary one.

use agent::{Busy, BusyKind, Rules};
use schema::{
    AgentFact, AgentStatement, FactKey, Millis, Presence, Routing, SourceRank, Track, UtcMicros,
};

/// Ten seconds, so that tests can live with small numbers.
pub(crate) const RULES: Rules = Rules {
    open_cap: Millis(10_000),
};

/// An instant.
pub(crate) fn at(millis: i64) -> UtcMicros {
    UtcMicros(1_700_000_000_000_000 + millis * 1000)
}

fn fact(track: Track, millis: i64, statement: AgentStatement) -> AgentFact {
    AgentFact {
        key: FactKey::agent_state(track, at(millis)),
        at: at(millis),
        until: None,
        revision: None,
        rank: SourceRank::Event,
        statement,
    }
}

/// From then on the agent is so.
pub(crate) fn presence(millis: i64, presence: Presence) -> AgentFact {
    let statement = AgentStatement {
        presence: Some(presence),
        ..AgentStatement::default()
    };
    fact(Track::Presence, millis, statement)
}

/// From then on the router says so.
pub(crate) fn routing(millis: i64, routing: Routing) -> AgentFact {
    let statement = AgentStatement {
        routing: Some(routing),
        ..AgentStatement::default()
    };
    fact(Track::Routing, millis, statement)
}

/// From then on until then this is planned.
pub(crate) fn scheduled(millis: i64, until: i64, activity: &str) -> AgentFact {
    let statement = AgentStatement {
        scheduled: Some(activity.into()),
        ..AgentStatement::default()
    };
    AgentFact {
        until: Some(at(until)),
        ..fact(Track::Schedule, millis, statement)
    }
}

/// A time with a contact.
pub(crate) fn interacting(from: i64, to: Option<i64>) -> Busy {
    Busy {
        from: at(from),
        to: to.map(at),
        kind: BusyKind::Interacting,
    }
}

/// A time with the work after one.
pub(crate) fn wrapping(from: i64, to: i64) -> Busy {
    Busy {
        from: at(from),
        to: Some(at(to)),
        kind: BusyKind::Wrapping,
    }
}
