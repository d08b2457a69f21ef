//! CXone digital (DFO) events: chat, social and messaging, as their case lives.
//!
//! A body is one event, an array of them, or one a line. The envelope has `eventId`, `eventType`, `createdAt`,
//! `createdAtWithMilliseconds` and `data`; nearly every event about a case carries the whole case as it was then. So an event is read as
//! a *snapshot* and not as a step: each of the few facts of a case has a key of its own, and the newest snapshot holds, or, of what
//! happened for the first time, the earliest. Lost, repeated and overtaken events do no harm, and a case that lives for months has no
//! more facts than one of a minute.
//!
//! **What is the interaction.** `data.case.id`: a number as text, the contact number that `message.contactNumber` repeats and that the
//! contact records of the ACD have as `contactId` (seen: the ids of cases lie in the same growing range as those of report 524), so that a record
//! polled later speaks of the same interaction. The GUIDs `contactId` and `interactionId` are in no record and not in every event;
//! `customerContactId` and `threadId` outlive a case.
//!
//! | the event says | here |
//! | --- | --- |
//! | `case.createdAt`, `direction` | the customer's leg, `offered` unless it is outbound |
//! | in a routing queue, `new`, `open` or `escalated`, nobody assigned, not `NOT_ROUTABLE` | `queued`. The queue's leg begins with the first such event |
//! | `inboxAssigneeUser` (`inboxAssigneeLastAssignedAt`) | `connected`, and that agent's leg. The queue's leg ends with the first agent |
//! | `previousInboxAssignee`, `AgentContactEnded` | the end of that agent's leg; passed on, where `acceptRejectFlow.isTransfer` says so |
//! | `isBotUser`, `isSurveyUser` | a machine: no agent, no connection, no leg |
//! | status `resolved` (`statusUpdatedAt`) | the end, until a newer event has the case open again: cases reopen, also after months |
//! | status `closed`, `trashed` | the same; behind a resolution it does not move the end, because closing is what a timer does |
//! | `case.abandon` is true | the end is an abandonment, in the queue where it was in one |
//! | `routingQueue.skillId` | the queue: the ACD's skill, as in records. 0 or absent (older rows): the routing queue's own id |
//! | `channel.mediaType` | the medium, by the numbers of the ACD |
//! | `agentId`, else `incontactId`, else `id` of a user | the agent: the ACD's number, as in records; of older events the UUID; else `user-` and the number |
//!
//! An agent's leg is the *latest* stretch in which the case was assigned to that agent. A stretch of assignment is no talk time (an agent
//! has several at once), so no durations are stated: what a record says of `agentSeconds` counts where it comes. Of several waits in queues the first
//! is the wait for an agent. `sla.…exceeded`, `createdToReadSeconds` and the platform's own response times are kept in the raw bytes only.
//!
//! Ids are compared in lower case, because the same GUID comes in both. The instant is `createdAtWithMilliseconds`, where there is one:
//! `createdAt` has whole seconds. Offsets with and without a colon are read; a damaged one is refused. `brand.timezone` is the brand's and
//! says nothing about where an agent sits, so it is nobody's zone here; the organisation's zone is configuration.
//!
//! **Events of which the vocabulary has no part** are ignored by their kind: `MessageCreated`, `MessageAddedIntoCase` and
//! `MessageReadChanged` (one for every message; a status that a message changes comes as an event of its own), `CustomerContactCreated` and
//! `…Closed` (the customer's connection, not the case), `ContactPriorityChanged`, `SetPositionInQueue`, `Channel…`, `RoutingQueue…`, and
//! `UserStatusChanged` (what agents do comes from the ACD's state history, with its reasons).
//!
//! **`EventInS3`** stands for an event that was too large and lies behind a link signed for 900 seconds. Nothing is fetched here. It is
//! refused, whatever it stands for, so that it rests in quarantine with the name of what it stands for: whoever is in front
//! (a relay, an operator) fetches the event and posts it to the same path. The link itself is not repeated in the reason, as it is a key.
//!
//! Who the customer is: the address of `case.endUser`, else the end user's id, else the author's address. It is given out beside the
//! facts, for its keyed hash and nothing else. Names, texts and custom fields are not read.

mod case;
mod story;

use crate::error::ItemError;
use crate::identity::CustomerIdentity;
use crate::map::{Mapped, Outcome, Stated};
use crate::node::{Node, tree};
use crate::redact;
use crate::scalar::Scalar;
use crate::{derived_id, instant, json};
use case::{Case, User};
use schema::{EventId, InteractionId, State, UtcMicros};
use serde_json::Value;
use story::{AgentContact, Story};

/// Events that are read: all of them have the case, or the contact number and an agent's part.
const READ: [&str; 6] = [
    "CaseCreated",
    "CaseStatusChanged",
    "CaseToRoutingQueueAssignmentChanged",
    "CaseInboxAssigneeChanged",
    "AgentContactStarted",
    "AgentContactEnded",
];

/// The stand-in for an event that is too large.
const ELSEWHERE: &str = "EventInS3";

/// What renews when the same event is sent again.
const OF_ONE_DELIVERY: &[u8] = b"traceId";

/// Maps one event.
pub(crate) fn map(raw: &[u8]) -> Result<Outcome, ItemError> {
    let value = tree(raw)?;
    let event = Node::root(&value);
    if !event.is_object() {
        return Err(ItemError::item(raw, "a digital event"));
    }
    let kind = event
        .name("eventType")?
        .ok_or_else(|| ItemError::missing("eventType", "the kind of event"))?;
    if kind.eq_ignore_ascii_case(ELSEWHERE) {
        return Err(elsewhere(event.object("data").ok().flatten().as_ref()));
    }
    let Some(kind) = READ.iter().find(|read| read.eq_ignore_ascii_case(&kind)) else {
        return Ok(Outcome::Ignored { kind });
    };
    let at = instant_of(&event)?;
    let data = event
        .object("data")?
        .ok_or_else(|| ItemError::missing("data", "an object"))?;
    let case = data.object("case")?.map(|node| Case::read(&node, &data));
    let case = case.transpose()?;
    let contact = match &case {
        Some(case) => case.id.clone(),
        None => contact_number(&data)?,
    };
    let agent_contact = agent_contact(&data, kind, at)?;
    let story = Story {
        contact: &contact,
        at,
        queue: queue(&data, case.as_ref())?,
        media: media(&data)?,
        case: case.as_ref(),
        previous: User::of(&data, "previousInboxAssignee")?,
        passed_on: is_passed_on(&data)?,
        agent_contact,
    };
    let facts = story.facts();
    if facts.is_empty() {
        return Ok(Outcome::Ignored {
            kind: match story.agent_contact {
                Some(_) => format!("{kind} of a machine"),
                None => format!("{kind} of which nothing is said"),
            },
        });
    }
    let event_id = match event.name("eventId")? {
        Some(id) => id.to_ascii_lowercase(),
        None => derived_id(&[kind, &contact, &at.0.to_string()]),
    };
    Ok(Outcome::Mapped(Mapped {
        event_id: EventId::new(event_id),
        at,
        digest: json::digest_of(raw, |name| name != OF_ONE_DELIVERY),
        stated: Stated::Interaction {
            interaction: InteractionId::new(&contact),
            terminal: facts.iter().any(|fact| {
                fact.statement
                    .state
                    .as_ref()
                    .is_some_and(State::is_terminal)
            }),
            facts,
            customer: case
                .and_then(|case| case.customer)
                .map(CustomerIdentity::new),
        },
    }))
}

/// Why an event that lies elsewhere is refused. The link is a key to somebody's messages: it is not shown.
fn elsewhere(data: Option<&Node<'_>>) -> ItemError {
    let origin = data.and_then(|data| data.object("originEvent").ok().flatten());
    let kind = origin.and_then(|origin| origin.name("eventType").ok().flatten());
    let kind = kind.unwrap_or_else(|| "an unnamed kind".to_owned());
    let kind = redact::repeatable("eventType", &kind);
    ItemError::described(
        "data.s3Object",
        format!("a link to an event of {kind} that was too large to send"),
        "the event itself: fetch it from the link (it lives 900 s) and post it here again",
    )
}

/// The event's own instant, as exactly as it is stated.
fn instant_of(event: &Node<'_>) -> Result<UtcMicros, ItemError> {
    match event.instant("createdAtWithMilliseconds")? {
        Some(at) => Ok(at),
        None => event
            .instant("createdAt")?
            .ok_or_else(|| ItemError::missing("createdAt", instant::EXPECTED)),
    }
}

/// The case's id where an event has the contact's number alone.
fn contact_number(data: &Node<'_>) -> Result<String, ItemError> {
    for part in ["agentContact", "message", "contact"] {
        if let Some(part) = data.object(part)?
            && let Some(number) = part.name("contactNumber")?
        {
            return Ok(number);
        }
    }
    Err(ItemError::missing("data.case.id", "the case's id"))
}

/// The agent's own part of the case, of the events about it.
fn agent_contact(
    data: &Node<'_>,
    kind: &str,
    at: UtcMicros,
) -> Result<Option<AgentContact>, ItemError> {
    if !kind.starts_with("AgentContact") {
        return Ok(None);
    }
    let part = data
        .object("agentContact")?
        .ok_or_else(|| ItemError::missing("data.agentContact", "the agent's part of the case"))?;
    let user =
        User::of(&part, "user")?.ok_or_else(|| ItemError::missing(part.at("user"), "the agent"))?;
    let closed_at = part.instant("closedAt")?;
    Ok(Some(AgentContact {
        user,
        from: part.instant("createdAt")?,
        until: closed_at.or((kind == "AgentContactEnded").then_some(at)),
        at,
    }))
}

/// The skill that the routing queue stands for, else the routing queue.
fn queue(data: &Node<'_>, case: Option<&Case>) -> Result<Option<String>, ItemError> {
    if let Some(queue) = data.object("routingQueue")? {
        let skill = queue.name("skillId")?.filter(|skill| skill != "0");
        let id = match skill {
            Some(skill) => Some(skill),
            None => queue.name("id")?.map(|id| id.to_ascii_lowercase()),
        };
        if id.is_some() {
            return Ok(id);
        }
    }
    Ok(case.and_then(|case| case.routing_queue.clone()))
}

fn media(data: &Node<'_>) -> Result<Option<compact_str::CompactString>, ItemError> {
    let Some(channel) = data.object("channel")? else {
        return Ok(None);
    };
    if let Some(number) = channel.name("mediaType")?
        && let Some(media) = crate::cxone_media::numbered(&number)
    {
        return Ok(Some(media));
    }
    let name = channel.name("realExternalPlatformId")?;
    Ok(name.map(|name| crate::cxone_media::named(&name)))
}

fn is_passed_on(data: &Node<'_>) -> Result<bool, ItemError> {
    let flow = data.object("acceptRejectFlow")?;
    Ok(flow.is_some_and(|flow| is_true(&flow.get("isTransfer"))))
}

/// A flag; what is none is not set.
fn is_true(flag: &Scalar<'_>) -> bool {
    match flag {
        Scalar::Bool(flag) => *flag,
        Scalar::Int(number) => *number == 1,
        Scalar::Text(text) => text.eq_ignore_ascii_case("true") || text == "1",
        _ => false,
    }
}

/// An address of an end user, as the platform beyond knows it.
fn address(user: &Value) -> Option<String> {
    let text = |value: &Value| {
        let text = value.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    user.get("idOnExternalPlatform").and_then(text)
}
