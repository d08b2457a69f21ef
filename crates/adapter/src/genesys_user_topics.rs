//! Genesys events about an agent's state, as they come beside those about conversations.
//!
//! | topic | says |
//! | --- | --- |
//! | `v2.users.{id}.presence` | `presenceDefinition` (`systemPresence`, and as the reason its `id`) since `modifiedDate` |
//! | `v2.users.{id}.routingStatus` | `routingStatus.status` since `routingStatus.startTime` |
//! | `v2.users.{id}.activity` | both, in `presence` and `routingStatus`, one of them mostly known already |
//! | `v2.audits.entitytype.UserPresence.entityid.{id}` | an entry of the audit: the new value of `PRESENCE` since `eventTime` |
//!
//! They come in a frame of the notification channel (`topicName`, `eventBody`) or in the envelope of an event bus, which has such a frame
//! as its `detail`. The user is the one in the topic's name; a topic that still has its `{id}` is completed from the body. Without an
//! instant of its own, the frame's is taken.
//!
//! Only the primary presence counts: an agent who is seen through several systems has one each, and states of those are ignored. So are
//! the other topics about users. Messages and names are not read.
//!
//! The key of a fact is its track and instant ([`FactKey::agent_state`](schema::FactKey::agent_state)), so the same change, told by two
//! topics and by the record of the day after, is one statement.

use crate::agent_time::{PRESENCE, ROUTING, Stretch, agent, named_state, state_name};
use crate::derived_id;
use crate::error::ItemError;
use crate::map::{Mapped, Outcome, Stated};
use crate::node::{Node, tree};
use crate::scalar::Scalar;
use crate::{instant, json};
use compact_str::CompactString;
use schema::{AgentFact, EventId, Presence, Routing, SourceRank, UtcMicros};

/// A topic about a user, read from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Topic<'t> {
    kind: Kind,
    /// The user's id, or `{id}`.
    user: &'t str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Presence,
    Routing,
    Activity,
    Audit,
    /// About something else than a state.
    Other,
}

impl<'t> Topic<'t> {
    /// The topic with this name; `None` when it is about no user.
    pub(crate) fn named(name: &'t str) -> Option<Self> {
        if let Some(rest) = name.strip_prefix("v2.users.") {
            let (user, what) = rest.split_once('.')?;
            let kind = match what {
                _ if what.eq_ignore_ascii_case("presence") => Kind::Presence,
                _ if what.eq_ignore_ascii_case("routingStatus") => Kind::Routing,
                _ if what.eq_ignore_ascii_case("activity") => Kind::Activity,
                _ => Kind::Other,
            };
            return Some(Self { kind, user });
        }
        let (entity, user) = name
            .strip_prefix("v2.audits.entitytype.")?
            .split_once(".entityid.")?;
        let kind = match entity {
            _ if entity.eq_ignore_ascii_case("UserPresence") => Kind::Audit,
            _ => Kind::Other,
        };
        Some(Self { kind, user })
    }

    /// The kind of event, without anybody's id in it.
    const fn template(self) -> &'static str {
        match self.kind {
            Kind::Presence => "v2.users.{id}.presence",
            Kind::Routing => "v2.users.{id}.routingStatus",
            Kind::Activity => "v2.users.{id}.activity",
            Kind::Audit => "v2.audits.entitytype.UserPresence",
            Kind::Other => "a topic about users, but not their states",
        }
    }
}

/// Maps the body of a frame. `sent`: the frame's own instant.
pub(crate) fn map(topic: Topic<'_>, raw: &[u8], sent: &Scalar<'_>) -> Result<Outcome, ItemError> {
    let ignored = || {
        Ok(Outcome::Ignored {
            kind: topic.template().to_owned(),
        })
    };
    if topic.kind == Kind::Other {
        return ignored();
    }
    let value = tree(raw)?;
    let body = Node::at_path(&value, "eventBody");
    if !body.is_object() {
        return Err(ItemError::item(raw, "the object of an event"));
    }
    let facts = match topic.kind {
        Kind::Presence if is_secondary(&body) => Vec::new(),
        Kind::Presence => presence(&body, sent)?.into_iter().collect(),
        Kind::Routing => routing(&body, sent)?.into_iter().collect(),
        Kind::Activity => activity(&body, sent)?,
        Kind::Audit => audit(&body, sent)?.into_iter().collect(),
        Kind::Other => return ignored(),
    };
    let Some(at) = facts.iter().map(|fact| fact.at).max() else {
        return ignored();
    };
    let user = user(topic, &body)?;
    let instant = at.0.to_string();
    Ok(Outcome::Mapped(Mapped {
        event_id: EventId::new(derived_id(&[&user, topic.template(), &instant])),
        at,
        digest: json::digest(raw),
        stated: Stated::Agent {
            agent: agent(&user),
            facts,
        },
    }))
}

/// Whose state it is.
fn user(topic: Topic<'_>, body: &Node<'_>) -> Result<String, ItemError> {
    if !topic.user.is_empty() && !topic.user.contains('{') {
        return Ok(topic.user.replace('\0', "\u{fffd}"));
    }
    let id = match topic.kind {
        // The id of the body is the entry's there, and its user is whoever changed the state.
        Kind::Audit => match body.object("entity")? {
            Some(entity) => entity.name("id")?,
            None => None,
        },
        _ => match body.name("userId")? {
            Some(id) => Some(id),
            None => body.name("id")?,
        },
    };
    id.ok_or_else(|| ItemError::missing("topicName", "a topic with the user's id"))
}

fn is_secondary(body: &Node<'_>) -> bool {
    matches!(body.get("primary"), Scalar::Bool(false))
}

fn presence(node: &Node<'_>, sent: &Scalar<'_>) -> Result<Option<AgentFact>, ItemError> {
    let Some(definition) = node.object("presenceDefinition")? else {
        return Ok(None);
    };
    let name = named_state(&definition, "systemPresence", PRESENCE)?;
    let reason = definition.name("id")?.map(CompactString::from);
    let stretch = since(node, "modifiedDate", sent)?;
    let presence = Presence::from_name(&name);
    Ok(Some(stretch.presence(presence, reason, None)))
}

fn routing(node: &Node<'_>, sent: &Scalar<'_>) -> Result<Option<AgentFact>, ItemError> {
    let Some(status) = node.object("routingStatus")? else {
        return Ok(None);
    };
    let name = named_state(&status, "status", ROUTING)?;
    let stretch = since(&status, "startTime", sent)?;
    Ok(Some(stretch.routing(Routing::from_name(&name))))
}

fn activity(body: &Node<'_>, sent: &Scalar<'_>) -> Result<Vec<AgentFact>, ItemError> {
    let mut facts = Vec::new();
    if let Some(part) = body.object("presence")? {
        facts.extend(presence(&part, sent)?);
    }
    facts.extend(routing(body, sent)?);
    Ok(facts)
}

fn audit(body: &Node<'_>, sent: &Scalar<'_>) -> Result<Option<AgentFact>, ItemError> {
    for change in body.list("propertyChanges")? {
        let is_presence = change
            .get("property")
            .text()
            .is_some_and(|property| property.eq_ignore_ascii_case("PRESENCE"));
        if !is_presence {
            continue;
        }
        let Some(name) = change.first_text("newValues")? else {
            continue;
        };
        let stretch = since(body, "eventTime", sent)?;
        let presence = Presence::from_name(&state_name(&name));
        return Ok(Some(stretch.presence(presence, None, None)));
    }
    Ok(None)
}

/// From the instant on that the member states, else from the frame's.
fn since(node: &Node<'_>, member: &str, sent: &Scalar<'_>) -> Result<Stretch, ItemError> {
    let stated: Option<UtcMicros> = node.instant(member)?;
    let at = stated
        .or_else(|| sent.text().and_then(|text| instant::parse(text)))
        .ok_or_else(|| ItemError::missing(node.at(member), instant::EXPECTED))?;
    Ok(Stretch {
        at,
        until: None,
        rank: SourceRank::Event,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_known_by_its_name() {
        let kind = |name| Topic::named(name).map(|topic| (topic.kind, topic.user));
        assert_eq!(kind("v2.users.u1.presence"), Some((Kind::Presence, "u1")));
        assert_eq!(
            kind("v2.users.{id}.routingstatus"),
            Some((Kind::Routing, "{id}"))
        );
        assert_eq!(kind("v2.users.u1.activity"), Some((Kind::Activity, "u1")));
        assert_eq!(
            kind("v2.users.u1.conversations.calls"),
            Some((Kind::Other, "u1"))
        );
        assert_eq!(
            kind("v2.audits.entitytype.UserPresence.entityid.u1"),
            Some((Kind::Audit, "u1"))
        );
        assert_eq!(
            kind("v2.audits.entitytype.Queue.entityid.q"),
            Some((Kind::Other, "q"))
        );
        for name in [
            "",
            "v2.users",
            "v2.users.u1",
            "v2.routing.queues.q.users",
            "v2.audits.entitytype.UserPresence",
        ] {
            assert_eq!(kind(name), None, "{name}");
        }
    }
}
