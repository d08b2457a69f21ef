//! Genesys' own events about conversations: the topics `v2.detail.events.conversation.{id}.*`, `v2.detail.events.agent.{id}.state` and
//! `v2.analytics.conversation.{id}.metrics`. They come by the default webhook, in any of these forms, one, an array, or one a line:
//!
//! - the envelope of an event bus, whose `detail` is a frame; or the `detail` alone;
//! - a frame of the notification channel: `topicName`, `eventBody`, and around it what does not matter;
//! - flat, as a workflow of Process Automation posts them. Only the primitives of an event's top level reach a workflow, and it does not
//!   tell its topic, so its HTTP action posts them as they are, beside the topic it was triggered by:
//!   `{"topicName": "v2.detail.events.conversation.{id}.customer.end", "conversationId": "…", "sessionId": "…", "eventTime": 1708107225250, …}`.
//!   Numbers may be texts there;
//! - the bare body as the `detail` of an event bus, whose `detail-type` then names the topic.
//!
//! A topic that still has its `{id}` is completed from the body. Members are found whatever their case (`conversationId`,
//! `conversation_id`, `ConversationId`), and so are words (`CONSULT_TRANSFER`, `consultTransfer`): the platform spells them in three ways.
//!
//! | topic | states of its session |
//! | --- | --- |
//! | `customer.start`, `.end` | the customer's line; who the customer is |
//! | `flow.start`, `.end`, `.outcome` | a passage through a flow. One that plays while the customer waits is the queue's, not a passage |
//! | `acd.start`, `.end` | a wait in a queue, and by `acdOutcome` what became of it |
//! | `user.start`, `.end` | an agent's part, with talk, hold, alert, dialling and contacting |
//! | `acw`, `wrapup` | the agent's work after it and the code. Both tell the same: each is one fact a session and code, and the time counts once |
//! | `voicemail.start`, `.end` | a part of no kind of its own |
//! | `agent.{id}.state` | what the agent's part was doing from an instant on |
//! | `metrics` | one metric of the platform's own; those that say nothing that a leg has are ignored |
//!
//! `attributes` (those that the installation keeps), `contact` (who the customer is) and `outbound` are about the conversation.
//!
//! A session is a leg of the id that conversation detail records have it under, and an event's fact is one of a kind and leg
//! ([`FactKey::part`](schema::FactKey::part)): sent again under a new id it is a copy, and the record, once it is there, decides leg by leg. Ends are dated by when
//! their part began (`eventTime` less the durations stated): a start that was lost is missed by nobody. The revision stamp is the frame's
//! `timestamp`, when it was published: what is sent again with newer content holds. Without one it is the event's instant.
//!
//! The id under which an event is logged is made of topic, conversation, participant, session, instant and what else tells two apart. The `id` of
//! an event bus' envelope is not in it, nor the envelope in the digest: whoever delivers again may renew both, and it is a copy. The frame's
//! `timestamp` is in the digest, because it is the revision stamp: were a publication of the same content dropped, what was published before
//! it would hold or not by which of them came first. So what is *published* again is logged again, and states the same fact: nothing that is
//! made of it changes. A metric record has an id of its own. Durations are kept as they are, also absurd ones: metrics of them are withheld,
//! with the reason.
//!
//! There is no event for the end of a conversation: see `session` for how it is inferred.

mod body;
mod conversation;
mod leg;
mod metric;

use crate::derived_id;
use crate::error::ItemError;
use crate::identity::CustomerIdentity;
use crate::map::{Mapped, Outcome, Stated};
use crate::node::tree;
use crate::scalar::Scalar;
use crate::{instant, json};
use body::Body;
use schema::{
    Details, EventId, Fact, FactKey, InteractionId, Leg, LegId, LegKind, SourceRank, Statement,
    UtcMicros,
};
use std::collections::BTreeSet;

/// A topic about a conversation, read from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Topic<'t> {
    kind: Kind,
    /// The conversation's id, or `{id}`; of [`Kind::AgentState`] the agent's.
    id: &'t str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    CustomerStart,
    CustomerEnd,
    FlowStart,
    FlowEnd,
    FlowOutcome,
    AcdStart,
    AcdEnd,
    UserStart,
    UserEnd,
    Acw,
    Wrapup,
    VoicemailStart,
    VoicemailEnd,
    AgentState,
    Metric,
    Attributes,
    Contact,
    Outbound,
}

/// The topics of detail events, by what stands behind the conversation's id.
const DETAIL_EVENTS: [(&str, Kind); 16] = [
    ("customer.start", Kind::CustomerStart),
    ("customer.end", Kind::CustomerEnd),
    ("flow.start", Kind::FlowStart),
    ("flow.end", Kind::FlowEnd),
    ("flow.outcome", Kind::FlowOutcome),
    ("acd.start", Kind::AcdStart),
    ("acd.end", Kind::AcdEnd),
    ("user.start", Kind::UserStart),
    ("user.end", Kind::UserEnd),
    ("acw", Kind::Acw),
    ("wrapup", Kind::Wrapup),
    ("voicemail.start", Kind::VoicemailStart),
    ("voicemail.end", Kind::VoicemailEnd),
    ("attributes", Kind::Attributes),
    ("contact", Kind::Contact),
    ("outbound", Kind::Outbound),
];

impl Kind {
    /// What stands in the topic's name behind the id.
    fn name(self) -> &'static str {
        match self {
            Self::AgentState => "state",
            Self::Metric => "metrics",
            _ => DETAIL_EVENTS
                .iter()
                .find(|(_, kind)| *kind == self)
                .map_or("", |(name, _)| name),
        }
    }

    /// The topic's name, without anybody's id in it.
    fn template(self) -> String {
        let family = match self {
            Self::AgentState => "v2.detail.events.agent.{id}",
            Self::Metric => "v2.analytics.conversation.{id}",
            _ => "v2.detail.events.conversation.{id}",
        };
        format!("{family}.{}", self.name())
    }
}

impl<'t> Topic<'t> {
    /// The topic with this name; `None` when it is another one.
    pub(crate) fn named(name: &'t str) -> Option<Self> {
        let parted = |family| name.strip_prefix(family)?.split_once('.');
        if let Some((id, what)) = parted("v2.detail.events.conversation.") {
            let (_, kind) = DETAIL_EVENTS
                .iter()
                .find(|(known, _)| what.eq_ignore_ascii_case(known))?;
            return Some(Self { kind: *kind, id });
        }
        let (id, kind) = match parted("v2.detail.events.agent.") {
            Some((id, what)) if what.eq_ignore_ascii_case("state") => (id, Kind::AgentState),
            Some(_) => return None,
            None => match parted("v2.analytics.conversation.")? {
                (id, what) if what.eq_ignore_ascii_case("metrics") => (id, Kind::Metric),
                _ => return None,
            },
        };
        Some(Self { kind, id })
    }
}

/// The name of any topic of the platform's without the ids in it; `None` of a name that is no topic's. What looks like an id is one: a
/// uuid, or what has an `@`.
pub(crate) fn template(name: &str) -> Option<String> {
    let rest = name.strip_prefix("v2.")?;
    // An address has dots of its own.
    if rest.contains('@') {
        let family = rest.split('.').take(1);
        return Some(
            std::iter::once("v2")
                .chain(family)
                .collect::<Vec<_>>()
                .join("."),
        );
    }
    let is_id = |part: &str| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        part.len() >= 32 && digits > 3
    };
    let parts = name
        .split('.')
        .map(|part| if is_id(part) { "{id}" } else { part });
    Some(parts.collect::<Vec<_>>().join("."))
}

/// An event: its topic and body, and what identifies it.
struct Event<'b> {
    kind: Kind,
    body: Body<'b>,
    at: UtcMicros,
    /// When it was published, where its frame says.
    published: Option<UtcMicros>,
}

impl Event<'_> {
    /// The session's id; an error where there is none.
    fn session(&self) -> Result<String, ItemError> {
        self.body
            .name("sessionId")?
            .ok_or_else(|| ItemError::missing(Body::at("sessionId"), "the session's id"))
    }

    /// When it was published, else its own instant: of two with other contents the one published later is the newer.
    fn stamp(&self) -> UtcMicros {
        self.published.unwrap_or(self.at)
    }

    /// The fact that states this of a leg. `began` is what it is dated by.
    fn of_leg(&self, began: UtcMicros, what: &str, leg: Leg, statement: Statement) -> Fact {
        Fact {
            key: FactKey::part(leg.id.as_str(), what),
            at: began,
            revision: Some(self.stamp()),
            rank: SourceRank::Event,
            statement: Statement {
                details: Some(Box::new(Details {
                    leg: Some(leg),
                    ..self.about()
                })),
                ..statement
            },
        }
    }

    /// The fact that states this of the conversation.
    fn of_whole(&self, what: &str, details: Details) -> Fact {
        Fact {
            key: FactKey::part("", what),
            at: self.at,
            revision: Some(self.stamp()),
            rank: SourceRank::Event,
            statement: Statement {
                details: Some(Box::new(details)),
                ..Statement::default()
            },
        }
    }

    /// A leg of which no more is known than whose it is.
    fn leg(&self, kind: LegKind) -> Result<Leg, ItemError> {
        Ok(Leg::new(LegId::new(self.session()?), kind))
    }

    /// What every body says.
    fn about(&self) -> Details {
        Details {
            media: self.body.media(),
            direction: self.body.direction("direction"),
            ..Details::default()
        }
    }
}

/// What an event turned out to state.
struct Read {
    /// None of them: nothing that anybody asked for.
    facts: Vec<Fact>,
    /// What tells it from other events of its topic, session and instant.
    detail: String,
}

impl From<Fact> for Read {
    fn from(fact: Fact) -> Self {
        Self {
            facts: vec![fact],
            detail: String::new(),
        }
    }
}

/// Maps the body of a topic, or what holds it flat. `sent`: the frame's own instant, of an event without one.
pub(crate) fn map(
    topic: Topic<'_>,
    raw: &[u8],
    sent: &Scalar<'_>,
    kept: &BTreeSet<String>,
) -> Result<Outcome, ItemError> {
    let value = tree(raw)?;
    let body = Body::of(&value).ok_or_else(|| ItemError::item(raw, "the object of an event"))?;
    let Some(conversation) = conversation(topic, &body)? else {
        return Ok(Outcome::Ignored {
            kind: topic.kind.template(),
        });
    };
    let dated = match topic.kind {
        Kind::Metric => "metricDate",
        _ => "eventTime",
    };
    let sent = sent.text().and_then(|text| instant::parse(text));
    let at = body
        .instant(dated)?
        .or(sent)
        .ok_or_else(|| ItemError::missing(Body::at(dated), body::INSTANT))?;
    let event = Event {
        kind: topic.kind,
        body,
        at,
        published: sent,
    };
    let read = match topic.kind {
        Kind::Metric => metric::read(&event)?,
        Kind::Attributes => conversation::attributes(&event, kept),
        Kind::Contact => conversation::contact(&event),
        Kind::Outbound => conversation::outbound(&event),
        _ => leg::read(&event)?,
    };
    if read.facts.is_empty() {
        let kind = format!("{} {}", topic.kind.template(), read.detail);
        return Ok(Outcome::Ignored {
            kind: kind.trim_end().to_owned(),
        });
    }
    Ok(Outcome::Mapped(Mapped {
        event_id: EventId::new(event.id(&conversation, &read.detail)?),
        at: event.at,
        digest: event.digest(raw),
        stated: Stated::Interaction {
            interaction: InteractionId::new(conversation),
            terminal: event.may_be_the_last(),
            customer: event.customer(),
            facts: read.facts,
        },
    }))
}

/// The conversation that an event is about, `None` where an agent's state is about none.
fn conversation(topic: Topic<'_>, body: &Body<'_>) -> Result<Option<String>, ItemError> {
    if let Some(stated) = body.name("conversationId")? {
        return Ok(Some(stated));
    }
    match topic.kind {
        Kind::AgentState => Ok(None),
        _ if !topic.id.is_empty() && !topic.id.contains('{') => {
            Ok(Some(topic.id.replace('\0', "\u{fffd}")))
        }
        _ => Err(ItemError::missing(
            Body::at("conversationId"),
            "the conversation's id",
        )),
    }
}

impl Event<'_> {
    /// The id it is logged under. A metric record has one; others get one of what identifies them.
    fn id(&self, conversation: &str, detail: &str) -> Result<String, ItemError> {
        if self.kind == Kind::Metric
            && let Some(id) = self.body.name("recordId")?
        {
            return Ok(id);
        }
        let part = |name| self.body.text(name).unwrap_or_default();
        Ok(derived_id(&[
            &self.kind.template(),
            conversation,
            &part("participantId"),
            &part("sessionId"),
            &self.at.0.to_string(),
            detail,
        ]))
    }

    /// Of the body's members, the topic and the revision stamp; not of what else is of one publication or delivery.
    fn digest(&self, raw: &[u8]) -> [u8; 16] {
        const AROUND: [&[u8]; 5] = [
            b"topicName",
            b"topic_name",
            b"version",
            b"metadata",
            b"timestamp",
        ];
        let body = json::digest_of(raw, |name| !AROUND.contains(&name));
        let template = self.kind.template();
        let stamp = self.published.map(|at| at.0.to_be_bytes());
        let stamp = stamp.as_ref().map_or(&[][..], |stamp| &stamp[..]);
        json::hash(&[template.as_bytes(), &body, stamp].concat())
    }

    /// Who the customer is, as a record would say it: the contact that the platform knows, else the address of the customer's line.
    fn customer(&self) -> Option<CustomerIdentity> {
        let contact = self.body.text("externalContactId");
        let found = match self.kind {
            Kind::CustomerStart | Kind::CustomerEnd => contact.or_else(|| {
                let names = match self.body.direction("direction") {
                    Some(schema::Direction::Outbound) => ["dnis", "addressTo"],
                    _ => ["ani", "addressFrom"],
                };
                names.iter().find_map(|name| self.body.text(name))
            }),
            Kind::Contact => contact.or_else(|| self.body.first("conversationExternalContactIds")),
            _ => None,
        };
        found.map(CustomerIdentity::new)
    }

    /// Whether the conversation may have ended with it: where there is much to do, such events go first.
    fn may_be_the_last(&self) -> bool {
        match self.kind {
            Kind::Acw | Kind::Wrapup => true,
            Kind::CustomerEnd | Kind::FlowEnd | Kind::AcdEnd | Kind::UserEnd => self
                .body
                .word("disconnectType")
                .is_none_or(|how| !how.contains("TRANSFER")),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_known_by_its_name() {
        let kind = |name: &str| {
            let topic = Topic::named(name)?;
            Some((topic.kind, topic.id.to_owned()))
        };
        let some = |kind, id: &str| Some((kind, id.to_owned()));
        let detail = "v2.detail.events.conversation.c1";
        for (what, known) in DETAIL_EVENTS {
            assert_eq!(kind(&format!("{detail}.{what}")), some(known, "c1"));
            assert_eq!(
                kind(&format!("{detail}.{}", what.to_uppercase())),
                some(known, "c1")
            );
            assert_eq!(
                known.template(),
                format!("v2.detail.events.conversation.{{id}}.{what}")
            );
        }
        assert_eq!(
            kind("v2.detail.events.agent.a1.state"),
            some(Kind::AgentState, "a1")
        );
        assert_eq!(
            kind("v2.analytics.conversation.{id}.metrics"),
            some(Kind::Metric, "{id}")
        );
        for name in [
            "",
            "v2.detail.events.conversation.c1",
            "v2.detail.events.conversation.c1.customer",
            "v2.detail.events.conversation.c1.customer.start.again",
            "v2.detail.events.agent.a1.other",
            "v2.analytics.conversation.c1.other",
            "v2.analytics.queues.q.observations",
        ] {
            assert_eq!(kind(name), None, "{name}");
        }
    }

    #[test]
    fn a_template_has_nobodys_id_in_it() {
        let uuid = "c00c61eb-0ff4-48e8-832c-30d457d67da9";
        let named = |name: &str| template(name).unwrap_or_default();
        assert_eq!(
            named(&format!("v2.analytics.queues.{uuid}.observations")),
            "v2.analytics.queues.{id}.observations"
        );
        assert_eq!(
            named("v2.analytics.conversations.details.jobs.availability"),
            "v2.analytics.conversations.details.jobs.availability"
        );
        assert_eq!(
            named("v2.detail.events.conversation.{id}.new"),
            "v2.detail.events.conversation.{id}.new"
        );
        assert_eq!(named("v2.mail.anna@example.org.x"), "v2.mail");
        assert_eq!(template("analytics.events"), None);
    }
}
