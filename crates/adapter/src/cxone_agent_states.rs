//! CXone agent state history as JSON: rows of `agents/state-history` and `agents/{id}/state-history`.
//!
//! A body is an answer of one of these calls (`agentStateHistory`; in the oldest versions a list `entries` inside of it, and every value
//! text), a list of rows, one row, or one of them a line. One row is one item: an agent was in one state for a while. What the states are
//! here is in a table of its own, which the report of agent states shares (`cxone_state`). What each member is:
//!
//! | member | here |
//! | --- | --- |
//! | `agentId` | the agent |
//! | `startDate` | from when on |
//! | `duration` | how long: seconds, as number or text, or ISO 8601. Absent: it is still so |
//! | `agentStateName` | the state. Without it a row with an out-state is unavailable, and one with a contact is working |
//! | `outStateDescription` (`outStateId`) | the reason of being unavailable; `isACW`: it is after-contact work |
//! | `teamId` | the team |
//! | `agentSessionId`, `stateIndex` | which row it is |
//!
//! The numbers of states differ by business unit, so `agentStateId` alone says nothing. A row without length states nothing; a copy read
//! later, with a greater length, holds. A negative length, or one beyond 400 days, is refused. Stations, skills and the addresses of contacts are not read.

use crate::agent_time::{Stretch, agent};
use crate::cxone_row::{self, Row};
use crate::cxone_state::State;
use crate::error::ItemError;
use crate::map::{Mapped, Outcome, Stated};
use crate::node::tree;
use crate::page::Shape;
use crate::{derived_id, instant, json};
use schema::{EventId, Millis, SourceRank};
use serde_json::Value;

/// How answers are made.
pub(crate) const PAGE: Shape = Shape {
    record: &["stateIndex", "agentStateId", "agentStateName"],
    lists: &["agentStateHistory", "entries"],
    wrappers: &["resultSet", "agentStateHistory"],
    page: cxone_row::PAGE,
};

/// Maps one row.
pub(crate) fn map(raw: &[u8]) -> Result<Outcome, ItemError> {
    let value = tree(raw)?;
    let Value::Object(members) = &value else {
        return Err(ItemError::item(raw, "a row of the agent state history"));
    };
    let row = Row(members);
    let id = row
        .id("agentId")?
        .ok_or_else(|| ItemError::missing("agentId", "the agent's id"))?;
    let at = row
        .instant(&["startDate", "startTime"])?
        .ok_or_else(|| ItemError::missing("startDate", instant::EXPECTED))?;
    let reason = match row.text(&["outStateDescription"])? {
        Some(reason) => Some(reason),
        None => row.id("outStateId")?,
    };
    let is_wrapping = row.flag("isACW") == Some(true);
    let state = state(&row, reason.as_deref())?.because(reason.as_deref(), is_wrapping);
    let lasted = row.lasted("duration")?;
    if state != State::LoggedOut && lasted == Some(Millis::ZERO) {
        return Ok(Outcome::Ignored {
            kind: "an agent state without length".to_owned(),
        });
    }
    let team = row.id("teamId")?;
    let stretch = Stretch {
        at,
        until: lasted.map(|lasted| at.plus(lasted)),
        rank: SourceRank::SettledRecord,
    };
    let event_id = match (row.id("agentSessionId")?, row.text(&["stateIndex"])?) {
        (Some(session), Some(index)) => format!("{session}:{index}"),
        _ => derived_id(&[&id, &at.0.to_string()]),
    };
    Ok(Outcome::Mapped(Mapped {
        event_id: EventId::new(event_id),
        at,
        digest: json::digest(raw),
        stated: Stated::Agent {
            agent: agent(&id),
            facts: state
                .facts(stretch, reason.as_deref(), team.as_deref())
                .into(),
        },
    }))
}

fn state(row: &Row<'_>, reason: Option<&str>) -> Result<State, ItemError> {
    match row.text(&["agentStateName", "agentState"])? {
        Some(name) => Ok(State::named(&name)),
        None if reason.is_some() => Ok(State::Unavailable),
        None if row.id("contactId")?.is_some() => Ok(State::Working),
        None => Err(ItemError::missing(
            "agentStateName",
            "the state's name, because its number differs by business unit",
        )),
    }
}
