//! CXone contact state history as JSON: rows of `contacts/state-history` and `contacts/{id}/state-history`.
//!
//! A body is an answer of one of these calls (`contactStateHistory`, with or without the older `resultSet` around it), a list of rows, one
//! row, or one of them a line. One row is one item: a contact (a **leg**) was in one state for a while.
//!
//! The history is told *beside* the contact's record and never in its place: it says when the contact waited, was connected and was
//! on hold, and which agents had it one after the other. How long all of it took, and that it ended, the record states; so a row
//! states no durations and no terminal state, and nothing counts twice, whichever comes first, or alone. It speaks of the leg that the
//! record has (the contact's own id), as an event does: what the record states of the leg has more weight.
//!
//! | member | here |
//! | --- | --- |
//! | `contactId`, `stateIndex` | leg, and which row it is: a row read again while its state lasted is a copy |
//! | `masterContactId` | the interaction. The platform's rows do not have it: a poller that knows the record adds it; without it the contact is its own, so rows of contacts that a transfer created belong nowhere until it is added |
//! | `startDate` | when the state began |
//! | `contactStateName` (`stateName`) | the state, see below. `contactStateId` differs by business unit (`GET contact-state-descriptions`); only 18, the end, is known by number |
//! | `agentId`, `skillId` | agent (0: none), queue |
//! | `duration` | seconds, or ISO 8601: of a hold, which the longest is. Of all others it is not needed: the next state begins where one ends |
//! | `digitalContactStateName` | kept in the raw bytes only: what becomes of a case is told by digital events |
//!
//! | the platform's state | here |
//! | --- | --- |
//! | `PreQueue`, `Spawned` | offered |
//! | `InQueue`, `InQueuePreview`, `Routing`, `CallbackPending` | queued; the queue's leg |
//! | `Answered`, `Inbound`, `Outbound`, `OutboundAnswered`, `PauseDetection`, with an agent | connected |
//! | `Hold`, `OnHold`, `Held` | held |
//! | `Transfer`, of an agent | transferred |
//! | `Abandoned`, `PrequeueAbandoned`, `EndContact`, `Released` and the others that end it | the leg's end |
//! | any other | its name |

use crate::agent_time::state_name;
use crate::cxone_row::{self, Row};
use crate::duration;
use crate::error::ItemError;
use crate::map::{Mapped, Outcome, Stated};
use crate::node::tree;
use crate::page::Shape;
use crate::{instant, json};
use schema::{
    AgentId, AgentRef, Details, EventId, Fact, FactKey, InteractionId, Leg, LegId, LegKind, Millis,
    QueueId, SourceRank, State, Statement, UtcMicros,
};
use serde_json::Value;

/// How answers are made.
pub(crate) const PAGE: Shape = Shape {
    record: &["stateIndex", "contactStateId", "contactStateName"],
    lists: &["contactStateHistory"],
    wrappers: &["resultSet"],
    page: cxone_row::PAGE,
};

/// What a state is here.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Offered,
    Queued,
    /// With an agent.
    Talks,
    Held,
    Transfer,
    Ends,
    Other(String),
}

impl Meaning {
    fn of(name: &str) -> Self {
        let name = state_name(name);
        match name.replace('_', "").as_str() {
            "prequeue" | "spawned" => Self::Offered,
            "inqueue" | "inqueuepreview" | "routing" | "callbackpending" => Self::Queued,
            "answered" | "inbound" | "outbound" | "outboundanswered" | "pausedetection"
            | "active" => Self::Talks,
            "hold" | "onhold" | "held" | "holding" => Self::Held,
            "transfer" | "emailtransfer" => Self::Transfer,
            "abandoned"
            | "prequeueabandoned"
            | "outboundabandon"
            | "endcontact"
            | "released"
            | "outboundcalledpartyhangup"
            | "emaildiscard"
            | "emailforward"
            | "emailreply" => Self::Ends,
            _ => Self::Other(name),
        }
    }
}

/// Maps one row.
pub(crate) fn map(raw: &[u8]) -> Result<Outcome, ItemError> {
    let value = tree(raw)?;
    let Value::Object(members) = &value else {
        return Err(ItemError::item(raw, "a row of the contact state history"));
    };
    let row = Row(members);
    let contact = row
        .id("contactId")?
        .ok_or_else(|| ItemError::missing("contactId", "the contact's id"))?;
    let master = row
        .id("masterContactId")?
        .unwrap_or_else(|| contact.clone());
    let at = row
        .instant(&["startDate", "startTime"])?
        .ok_or_else(|| ItemError::missing("startDate", instant::EXPECTED))?;
    let meaning = meaning(&row)?;
    let lasted = row.seconds(&["duration"])?;
    let agent = row.id("agentId")?;
    let index = row.text(&["stateIndex"])?;
    // Two states can begin at one instant, so a row without a place is told apart by its state too.
    let row_id = index.unwrap_or_else(|| format!("{}:{}", at.0, stated_name(&row)));
    let event_id = format!("{contact}:state:{row_id}");

    let statement = |state: Option<State>, leg: Leg| {
        Ok::<_, ItemError>(Statement {
            state,
            agent: agent.as_deref().map(|id| AgentRef {
                id: AgentId::new(id),
                zone: None,
            }),
            queue: row.id("skillId")?.map(QueueId::new),
            details: Some(Box::new(Details {
                leg: Some(leg),
                ..Details::default()
            })),
            ..Statement::default()
        })
    };
    // Whose part the leg is, the record says; of one that waited it is a queue's until then.
    let kind = match meaning {
        Meaning::Queued if agent.is_none() => LegKind::Queue,
        _ => LegKind::Other,
    };
    let leg = Leg {
        ended_at: (meaning == Meaning::Ends).then_some(at),
        ..Leg::new(LegId::new(&contact), kind)
    };
    let mut facts = vec![Fact {
        key: FactKey::event(&event_id),
        at,
        // Copies differ in how long the state had lasted, which is not stated.
        revision: None,
        rank: SourceRank::Event,
        statement: statement(state(&meaning, agent.is_some()), leg)?,
    }];
    if meaning == Meaning::Held
        && let Some(held) = lasted.filter(|held| duration::is_plausible(*held))
    {
        facts.push(longest_hold(&contact, at, held));
    }
    Ok(Outcome::Mapped(Mapped {
        event_id: EventId::new(event_id),
        at,
        digest: json::digest(raw),
        stated: Stated::Interaction {
            interaction: InteractionId::new(&master),
            facts,
            terminal: false,
            customer: None,
        },
    }))
}

fn stated_name(row: &Row<'_>) -> String {
    row.word(&["contactStateName", "stateName", "state"])
        .unwrap_or_default()
}

fn meaning(row: &Row<'_>) -> Result<Meaning, ItemError> {
    if let Some(name) = row.text(&["contactStateName", "stateName", "state"])? {
        return Ok(Meaning::of(&name));
    }
    match row.id("contactStateId")?.as_deref() {
        Some("18") => Ok(Meaning::Ends),
        _ => Err(ItemError::missing(
            "contactStateName",
            "the state's name, because its number differs by business unit",
        )),
    }
}

/// The state of the interaction's life. The end is no state here: the record tells how it ended.
fn state(meaning: &Meaning, has_agent: bool) -> Option<State> {
    match meaning {
        Meaning::Offered => Some(State::Offered),
        Meaning::Queued => Some(State::Queued),
        Meaning::Talks if has_agent => Some(State::Connected),
        Meaning::Held => Some(State::Held),
        Meaning::Transfer if has_agent => Some(State::Transferred),
        Meaning::Talks | Meaning::Transfer | Meaning::Ends => None,
        Meaning::Other(name) => Some(State::from_name(&format!("contact_{name}"))),
    }
}

/// The longest hold of a contact: of all its holds the longest is the one that holds, so the length is the stamp.
fn longest_hold(contact: &str, at: UtcMicros, held: Millis) -> Fact {
    let leg = Leg {
        longest_hold: Some(held),
        ..Leg::new(LegId::new(contact), LegKind::Other)
    };
    Fact {
        key: FactKey::leg(&format!("{contact}:longest_hold")),
        at,
        revision: Some(UtcMicros(held.0)),
        rank: SourceRank::Event,
        statement: Statement {
            details: Some(Box::new(Details {
                leg: Some(leg),
                ..Details::default()
            })),
            ..Statement::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_known_however_they_are_spelled() {
        for (name, meaning) in [
            ("PreQueue", Meaning::Offered),
            ("Pre Queue", Meaning::Offered),
            ("InQueue", Meaning::Queued),
            ("In Queue", Meaning::Queued),
            ("Routing", Meaning::Queued),
            ("Inbound", Meaning::Talks),
            ("On Hold", Meaning::Held),
            ("Transfer", Meaning::Transfer),
            ("EndContact", Meaning::Ends),
            ("End Contact", Meaning::Ends),
            ("PrequeueAbandoned", Meaning::Ends),
            ("Parked", Meaning::Other("parked".to_owned())),
        ] {
            assert_eq!(Meaning::of(name), meaning, "{name}");
        }
    }
}
