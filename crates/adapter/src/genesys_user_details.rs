//! Genesys user details: what `/analytics/users/details` and its jobs give about the time of agents.
//!
//! A body is one user's record, an array of them, or a page with `userDetails` (a page without that key is an empty one). One user is
//! one item and states, for each stretch that is listed:
//!
//! | member | here |
//! | --- | --- |
//! | `primaryPresence[].systemPresence` | presence, by its name in lower case |
//! | `primaryPresence[].organizationPresenceId` | the reason: which of the organisation's own presences it was |
//! | `routingStatus[].routingStatus` | routing |
//! | `startTime`, `endTime` | from when to when. Without an end it is still so |
//!
//! The facts have the keys of the events that tell the same ([`FactKey::agent_state`](schema::FactKey::agent_state)), and as settled
//! records they win over them. A copy fetched later knows the end of what was still so: between two copies the one with the later end holds.
//! A stretch without length states nothing. Stretches may stick out of the interval that was asked for; they are kept whole.

use crate::agent_time::{PRESENCE, ROUTING, Stretch, agent, named_state};
use crate::error::ItemError;
use crate::map::{Mapped, Outcome, Stated};
use crate::node::{Node, tree};
use crate::page::Shape;
use crate::{instant, json};
use compact_str::CompactString;
use schema::{AgentFact, EventId, Presence, Routing, SourceRank};

/// How pages are made.
pub(crate) const PAGE: Shape = Shape {
    record: &["userId"],
    lists: &["userDetails"],
    wrappers: &[],
    page: &[
        "totalHits",
        "dataAvailabilityDate",
        "cursor",
        "aggregations",
    ],
};

/// Maps one user's record.
pub(crate) fn map(raw: &[u8]) -> Result<Outcome, ItemError> {
    let value = tree(raw)?;
    let user = Node::root(&value);
    if !user.is_object() {
        return Err(ItemError::item(raw, "a user details record"));
    }
    let id = user
        .name("userId")?
        .ok_or_else(|| ItemError::missing("userId", "the user's id"))?;
    let mut facts = Vec::new();
    for stretch in user.list("primaryPresence")? {
        facts.extend(presence(&stretch)?);
    }
    for stretch in user.list("routingStatus")? {
        facts.extend(routing(&stretch)?);
    }
    let Some(at) = facts.iter().map(|fact| fact.at).min() else {
        return Ok(Outcome::Ignored {
            kind: "a user without states".to_owned(),
        });
    };
    Ok(Outcome::Mapped(Mapped {
        event_id: EventId::new(&id),
        at,
        digest: json::digest(raw),
        stated: Stated::Agent {
            agent: agent(&id),
            facts,
        },
    }))
}

fn presence(node: &Node<'_>) -> Result<Option<AgentFact>, ItemError> {
    let Some(stretch) = stretch(node)? else {
        return Ok(None);
    };
    let name = named_state(node, "systemPresence", PRESENCE)?;
    let reason = node
        .name("organizationPresenceId")?
        .map(CompactString::from);
    let presence = Presence::from_name(&name);
    Ok(Some(stretch.presence(presence, reason, None)))
}

fn routing(node: &Node<'_>) -> Result<Option<AgentFact>, ItemError> {
    let Some(stretch) = stretch(node)? else {
        return Ok(None);
    };
    let name = named_state(node, "routingStatus", ROUTING)?;
    Ok(Some(stretch.routing(Routing::from_name(&name))))
}

/// The stretch of an entry; `None` when it has no length.
fn stretch(node: &Node<'_>) -> Result<Option<Stretch>, ItemError> {
    let at = node
        .instant("startTime")?
        .ok_or_else(|| ItemError::missing(node.at("startTime"), instant::EXPECTED))?;
    let until = node.instant("endTime")?;
    Ok(until.is_none_or(|until| until > at).then_some(Stretch {
        at,
        until,
        rank: SourceRank::SettledRecord,
    }))
}
