//! The guide's Genesys envelope, the product's default webhook format.
//!
//! ```json
//! {"subscription_id": "…", "event_type": "analytics:events:publish", "timestamp": "2024-05-15T14:32:10.451Z",
//!  "data": {"event_id": "evt_…", "interaction_id": "int_…", "type": "telephony:call:ended", "state": "completed",
//!           "queue_id": "…", "disposition": "…", "metrics": {"talk_time_ms": 45200},
//!           "participants": [{"id": "agent_555", "type": "agent", "timezone": "America/New_York"}]}}
//! ```
//!
//! Needed: `timestamp`, `data.interaction_id`, `data.state`, and `data.event_id` or, in its place, `data.type` (an id is then
//! made from interaction, type, state, instant and agent). The `metrics` are cumulative statements about the interaction, so the
//! fact has no leg. `data.updated_at` is the revision stamp. The id of a participant of type `customer` is personal data: it is given out
//! beside the fact, for its keyed hash and nothing else.
//!
//! Known variants of names and types are in the tables of `guide_shape`; what is in no table is skipped (the raw bytes
//! keep it), what has a type that no table allows is an [`ItemError`] with its path. An envelope inside `eventBody` (a topic
//! frame) or `detail.eventBody` (an event bus) is the same event. A frame whose topic is about a user is read by
//! [`genesys_user_topics`], one whose topic is about a conversation by [`genesys_topics`]. Other topics of the platform are ignored under
//! their names, with `{id}` in the place of ids.

use crate::error::ItemError;
use crate::genesys_topics;
use crate::genesys_user_topics::{self, Topic};
use crate::guide_shape::{self, Data, Envelope, METRICS, Part, People};
use crate::identity::CustomerIdentity;
use crate::map::{Mapped, Outcome, Stated};
use crate::scalar::{DURATION, Scalar, storable};
use crate::{instant, json};
use compact_str::CompactString;
use schema::{
    AgentId, AgentRef, EventId, Fact, FactKey, InteractionId, QueueId, SourceRank, State,
    Statement, UtcMicros,
};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The event type under which the guide's events travel.
const EVENT_TYPE: &str = "analytics:events:publish";

/// Members of the envelope that are content. All others (delivery ids, attempt counters, send stamps) are of one delivery and
/// change when the same event is sent again.
const CONTENT: [&[u8]; 6] = [
    b"event_type",
    b"eventType",
    b"timestamp",
    b"Timestamp",
    b"data",
    b"Data",
];

/// Reads one event of the guide's: the fast path without a content digest. `None` is an event that is none of them, of which
/// [`map()`](crate::map()) says what it is.
pub fn decode(line: &[u8]) -> Result<Option<(InteractionId, Fact)>, ItemError> {
    let mut fact = None;
    read(line, &mut |found| {
        if let Found::Event { stated, .. } = found {
            fact = Some(stated);
        }
    })?;
    Ok(fact)
}

/// Reads one event with all that the log needs. `kept`: the attributes of conversations that are kept.
pub(crate) fn map(line: &[u8], kept: &BTreeSet<String>) -> Result<Outcome, ItemError> {
    let mut outcome = None;
    let kind = read(line, &mut |found| {
        outcome = Some(match found {
            Found::Event {
                envelope,
                stated: (interaction, fact),
                customer,
            } => Ok(Outcome::Mapped(event(
                envelope,
                interaction,
                fact,
                customer,
            ))),
            Found::AgentState { topic, body, sent } => genesys_user_topics::map(topic, body, sent),
            Found::Conversation { topic, body, sent } => {
                genesys_topics::map(topic, body, sent, kept)
            }
        });
    })?;
    outcome.unwrap_or(Ok(Outcome::Ignored { kind }))
}

fn event(
    envelope: &[u8],
    interaction: InteractionId,
    fact: Fact,
    customer: Option<&Scalar<'_>>,
) -> Mapped {
    let key = fact.key.as_str();
    Mapped {
        event_id: EventId::new(key.strip_prefix("e:").unwrap_or(key)),
        at: fact.at,
        digest: json::digest_of(envelope, |name| CONTENT.contains(&name)),
        stated: Stated::Interaction {
            interaction,
            terminal: fact
                .statement
                .state
                .as_ref()
                .is_some_and(State::is_terminal),
            facts: vec![fact],
            customer: customer
                .and_then(|id| id.name().ok().flatten())
                .map(CustomerIdentity::new),
        },
    }
}

/// What an envelope turned out to be.
#[allow(clippy::large_enum_variant)] // one at a time, on the stack
enum Found<'f> {
    /// The guide's event.
    Event {
        /// The bytes of the envelope itself.
        envelope: &'f [u8],
        stated: (InteractionId, Fact),
        /// The customer's id, where there is a customer.
        customer: Option<&'f Scalar<'f>>,
    },
    /// An event about a user.
    AgentState {
        topic: Topic<'f>,
        body: &'f [u8],
        /// The instant of the frame.
        sent: &'f Scalar<'f>,
    },
    /// An event about a conversation.
    Conversation {
        topic: genesys_topics::Topic<'f>,
        body: &'f [u8],
        /// The instant of the frame.
        sent: &'f Scalar<'f>,
    },
}

/// Takes what was found.
type Sink<'s> = &'s mut dyn FnMut(Found<'_>);

/// Reads an event into the sink, or returns the kind of event that nobody asked for.
fn read(line: &[u8], sink: Sink<'_>) -> Result<String, ItemError> {
    let text =
        std::str::from_utf8(line).map_err(|_| ItemError::item(line, "a JSON object in UTF-8"))?;
    match guide_shape::read(text) {
        Ok(part) => unwrap(line, &part, &Around::NOTHING, sink),
        Err(error) => {
            // Slow path: half a surrogate pair is no reason to refuse an event.
            let refused = || ItemError::not_json(line, &error);
            let Cow::Owned(mended) = json::mend(line) else {
                return Err(refused());
            };
            let text = std::str::from_utf8(&mended).map_err(|_| refused())?;
            let part = guide_shape::read(text).map_err(|_| refused())?;
            unwrap(text.as_bytes(), &part, &Around::NOTHING, sink)
        }
    }
}

/// What lies around an envelope.
struct Around<'f> {
    depth: u8,
    /// The topic that it names for what is in it.
    topic: Option<&'f str>,
}

impl Around<'_> {
    const NOTHING: Self = Self {
        depth: 0,
        topic: None,
    };
}

fn unwrap(
    line: &[u8],
    part: &Part<'_, Envelope<'_>>,
    around: &Around<'_>,
    sink: Sink<'_>,
) -> Result<String, ItemError> {
    if !part.is_object {
        let kind = around.topic.and_then(genesys_topics::template);
        return kind.ok_or_else(|| ItemError::item(line, "a JSON object"));
    }
    let envelope = &part.value;
    if envelope.data.is_nothing() {
        let topic = envelope.topic.text().map(AsRef::as_ref).or(around.topic);
        let inner = envelope.body.or(envelope.detail);
        if let Some(inner) = inner.filter(|_| around.depth < 2) {
            return open(line, envelope, topic, inner.get(), around.depth, sink);
        }
        // The members of a body stand beside the name of its topic.
        if let Some(found) = topic.and_then(genesys_topics::Topic::named) {
            sink(Found::Conversation {
                topic: found,
                body: line,
                sent: &envelope.timestamp,
            });
            return Ok(String::new());
        }
        if let Some(kind) = topic.and_then(genesys_topics::template) {
            return Ok(kind);
        }
    } else if !envelope.data.is_object {
        // Whatever it is, it is not the guide's: `group` and `data` are those of aggregates and observations.
        let kind = around.topic.and_then(genesys_topics::template);
        let grouped = || envelope.grouped.then(|| "aggregates".to_owned());
        if let Some(kind) = kind.or_else(grouped) {
            return Ok(kind);
        }
    }
    if !envelope.data.is_object {
        return Err(not_an_object("data", &envelope.data.other));
    }
    match statement(envelope, &envelope.data.value)? {
        Ok(stated) => {
            sink(Found::Event {
                envelope: line,
                stated,
                customer: envelope.data.value.participants.customer.as_ref(),
            });
            Ok(String::new())
        }
        Err(kind) => Ok(kind),
    }
}

/// Reads what an envelope holds: the body of a topic, or another envelope.
fn open(
    line: &[u8],
    envelope: &Envelope<'_>,
    topic: Option<&str>,
    inner: &str,
    depth: u8,
    sink: Sink<'_>,
) -> Result<String, ItemError> {
    if let Some(topic) = topic {
        // A frame of the channel itself (heartbeat, closing notice) is about no interaction.
        if topic == "channel.metadata" || topic.starts_with("v2.system.") {
            return Ok(topic.to_owned());
        }
        let (body, sent) = (inner.as_bytes(), &envelope.timestamp);
        if let Some(topic) = Topic::named(topic) {
            sink(Found::AgentState { topic, body, sent });
            return Ok(String::new());
        }
        if let Some(topic) = genesys_topics::Topic::named(topic) {
            sink(Found::Conversation { topic, body, sent });
            return Ok(String::new());
        }
    }
    let part = guide_shape::read(inner).map_err(|error| ItemError::not_json(line, &error))?;
    // Of what an event bus calls its detail, the bus names the topic, too.
    let around = Around {
        depth: depth + 1,
        topic: topic.or_else(|| envelope.detail_type.text().map(AsRef::as_ref)),
    };
    unwrap(inner.as_bytes(), &part, &around, sink)
}

fn not_an_object(field: &str, found: &Scalar<'_>) -> ItemError {
    ItemError::new(field, &found.shown(), "an object")
}

/// The event, or the kind of an event that is about no interaction.
fn statement(
    envelope: &Envelope<'_>,
    data: &Data<'_>,
) -> Result<Result<(InteractionId, Fact), String>, ItemError> {
    let Some(interaction) = name("data.interaction_id", &data.interaction_id)? else {
        return match envelope.event_type.text() {
            Some(kind) if kind != EVENT_TYPE => Ok(Err(kind.to_string())),
            _ => Err(ItemError::missing(
                "data.interaction_id",
                "the interaction's id",
            )),
        };
    };
    let at = match (&envelope.timestamp, &data.timestamp) {
        (Scalar::Nothing, Scalar::Nothing) => {
            return Err(ItemError::missing("timestamp", instant::EXPECTED));
        }
        (Scalar::Nothing, inner) => time("data.timestamp", inner)?,
        (stated, _) => time("timestamp", stated)?,
    };
    let state = match &data.state {
        Scalar::Text(state) if !state.is_empty() => state_named(state),
        Scalar::Nothing => return Err(ItemError::missing("data.state", "the name of a state")),
        found => {
            return Err(ItemError::new(
                "data.state",
                &found.shown(),
                "the name of a state",
            ));
        }
    };
    let agent = agent(&data.participants)?;
    let key = match name("data.event_id", &data.event_id)? {
        Some(id) => FactKey::event(&id),
        None => derived(&interaction, data, &state, at, agent.as_ref())?,
    };
    let revision = match &data.updated_at {
        Scalar::Nothing => None,
        stated => Some(time("data.updated_at", stated)?),
    };
    let mut statement = Statement {
        state: Some(state),
        agent,
        queue: name("data.queue_id", &data.queue_id)?.map(QueueId::new),
        disposition: disposition(&data.disposition)?,
        ..Statement::default()
    };
    let metrics = &data.metrics;
    if metrics.is_object {
        if let Some((index, value)) = &metrics.value.bad {
            let field = format!("data.metrics.{}", METRICS[*index].0);
            return Err(ItemError::new(field, &value.shown(), DURATION));
        }
        statement.durations = metrics.value.durations;
    } else if !metrics.is_nothing() {
        return Err(not_an_object("data.metrics", &metrics.other));
    }
    let fact = Fact {
        key,
        at,
        revision,
        rank: SourceRank::Event,
        statement,
    };
    Ok(Ok((InteractionId::new(interaction), fact)))
}

/// The state with this name; platforms that write in capitals or camel case mean the same states.
fn state_named(name: &str) -> State {
    match State::from_name(&storable(name)) {
        State::Other(other) => {
            match State::from_name(&other.to_ascii_lowercase().replace([' ', '-'], "_")) {
                State::Other(_) => State::Other(other),
                known => known,
            }
        }
        known => known,
    }
}

/// An event without an id gets one from what identifies it: the same event, sent again, gets the same.
fn derived(
    interaction: &str,
    data: &Data<'_>,
    state: &State,
    at: UtcMicros,
    agent: Option<&AgentRef>,
) -> Result<FactKey, ItemError> {
    let Some(kind) = name("data.type", &data.kind)? else {
        return Err(ItemError::missing(
            "data.event_id",
            "the event's id (or data.type, to make one from)",
        ));
    };
    let agent = agent.map_or("", |agent| agent.id.as_str());
    let at = at.0.to_string();
    let id = crate::derived_id(&[interaction, &kind, state.name(), &at, agent]);
    Ok(FactKey::event(&id))
}

fn agent(participants: &People<'_>) -> Result<Option<AgentRef>, ItemError> {
    if let Some((index, found)) = &participants.bad {
        let field = match index {
            Some(index) => format!("data.participants[{index}]"),
            None => "data.participants".to_owned(),
        };
        let expected = match index {
            Some(_) => "an object",
            None => "a list of participants",
        };
        return Err(ItemError::new(field, &found.shown(), expected));
    }
    let Some((index, participant)) = &participants.agent else {
        return Ok(None);
    };
    // Paths are put together only where there is an error to report.
    let path = |field: &str| format!("data.participants[{index}].{field}");
    let id = match participant.id.name() {
        Ok(Some(id)) => AgentId::new(id),
        Ok(None) => return Err(ItemError::missing(path("id"), "the agent's id")),
        Err(()) => {
            return Err(ItemError::new(
                path("id"),
                &participant.id.shown(),
                "the agent's id",
            ));
        }
    };
    let zone = match &participant.timezone {
        Scalar::Nothing => None,
        Scalar::Text(zone) if zone.is_empty() => None,
        Scalar::Text(zone) => Some(CompactString::new(storable(zone))),
        found => {
            return Err(ItemError::new(
                path("timezone"),
                &found.shown(),
                "the name of a time zone",
            ));
        }
    };
    Ok(Some(AgentRef { id, zone }))
}

fn name<'s>(field: &str, value: &'s Scalar<'_>) -> Result<Option<Cow<'s, str>>, ItemError> {
    value
        .name()
        .map_err(|()| ItemError::new(field, &value.shown(), "text"))
}

/// An empty disposition is a statement too: the one before it no longer holds.
fn disposition(value: &Scalar<'_>) -> Result<Option<CompactString>, ItemError> {
    match value {
        Scalar::Text(text) => Ok(Some(CompactString::new(storable(text)))),
        other => Ok(name("data.disposition", other)?.map(CompactString::new)),
    }
}

fn time(field: &str, value: &Scalar<'_>) -> Result<UtcMicros, ItemError> {
    value
        .text()
        .and_then(|text| instant::parse(text))
        .ok_or_else(|| ItemError::new(field, &value.shown(), instant::EXPECTED))
}
