//! What travels through the broker: versioned envelopes that carry many items, encoded as MessagePack maps.
//!
//! Maps and defaults, not tuples: the previous release reads what the next one writes (unknown members are skipped) and the
//! next one reads what the previous one wrote (new members have a default). A member is never renamed or given a new meaning.

use crate::agent_state::AgentEvent;
use crate::fact::Event;
use crate::id::{
    CorrelationId, DeliveryId, JobId, MessageId, MetricVersion, SubscriptionName, TenantId,
};
use crate::time::UtcMicros;
use bytes::Bytes;
use compact_str::CompactString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The envelope version this release writes.
pub const ENVELOPE_VERSION: u16 = 1;

/// A broker message could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The bytes are not an envelope.
    #[error("the message is no envelope of this product")]
    Decode(#[source] DecodeError),
    /// The envelope could not be written.
    #[error("the envelope could not be encoded")]
    Encode(#[source] rmp_serde::encode::Error),
    /// The envelope is of a version this release does not know.
    #[error(
        "envelope version {found} is newer than {ENVELOPE_VERSION}, the newest this release reads"
    )]
    Version {
        /// The version found.
        found: u16,
    },
}

/// Where decoding broke. Nothing of what stands there: a foreign message may hold anything, and this is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It ends too early.
    #[error("it ends too early")]
    Cut,
    /// It is no MessagePack.
    #[error("it is no MessagePack")]
    Foreign,
    /// A member is missing, or of another type than this release knows.
    #[error("a member is missing or of another type")]
    Shape,
}

impl DecodeError {
    fn of(error: &rmp_serde::decode::Error) -> Self {
        use rmp_serde::decode::Error;
        match error {
            Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) => Self::Cut,
            Error::Utf8Error(_) | Error::DepthLimitExceeded => Self::Foreign,
            Error::TypeMismatch(_)
            | Error::OutOfRange
            | Error::LengthMismatch(_)
            | Error::Uncategorized(_)
            | Error::Syntax(_) => Self::Shape,
        }
    }
}

/// How the body of a delivery is to be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyFormat {
    /// The guide's Genesys envelope: one JSON object, an array of them, or one a line.
    GenesysWebhook,
    /// Genesys conversation details: a record, an array, or a page with `conversations`.
    GenesysDetails,
    /// CXone data-download report 524 (Call Detail), CSV with a header line. Its times are business-unit local.
    CxoneCallDetail {
        /// The business unit's IANA zone.
        zone: CompactString,
    },
    /// CXone contact records as JSON: an answer of `contacts/completed` or `contacts`, a list of its rows, or one row.
    CxoneContacts,
    /// Genesys user details: when an agent's presence and routing status were what. A user's record, an array, or a page with `userDetails`.
    GenesysUserDetails,
    /// Genesys workforce management: the published schedules of agents, an answer of `agentschedules/search`.
    GenesysSchedules,
    /// CXone agent state history as JSON: an answer of `agents/state-history`, a list of its rows, or one row.
    CxoneAgentStates,
    /// CXone data-download report 544 (Agent State Log), CSV with a header line. Its times are business-unit local.
    CxoneAgentStateLog {
        /// The business unit's IANA zone.
        zone: CompactString,
    },
    /// CXone contact state history as JSON: an answer of `contacts/state-history`, a list of its rows, or one row.
    CxoneContactStates,
    /// CXone digital (DFO) events about cases: one JSON object, an array of them, or one a line.
    CxoneDigital,
    /// JSON read through the mapping file of this name.
    Mapped {
        /// The mapping's name.
        mapping: CompactString,
    },
}

/// What `raw` and `raw.history` carry: deliveries that arrived together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RawMessage {
    /// The envelope version.
    pub v: u16,
    /// The message's id; a broker redelivery repeats it.
    pub id: MessageId,
    /// The deliveries.
    pub deliveries: Vec<RawDelivery>,
}

/// One HTTP body or history page, untouched.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct RawDelivery {
    /// The delivery's id.
    pub id: DeliveryId,
    /// Where it came in.
    pub subscription: SubscriptionName,
    /// Whose it is.
    pub tenant: TenantId,
    /// How the body is to be read.
    pub format: BodyFormat,
    /// Ties the log lines of all stages together.
    pub correlation: CorrelationId,
    /// When it was received. For the log only; the fold never sees it.
    pub received_at: UtcMicros,
    /// The backfill job that fetched it, and the version that job is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobRef>,
    /// The body, byte for byte as it came.
    pub body: Bytes,
}

/// Without the body, which is personal data.
impl fmt::Debug for RawDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawDelivery")
            .field("id", &self.id)
            .field("subscription", &self.subscription)
            .field("tenant", &self.tenant)
            .field("format", &self.format)
            .field("correlation", &self.correlation)
            .field("received_at", &self.received_at)
            .field("job", &self.job)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// A backfill job as its messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRef {
    /// The job.
    pub id: JobId,
    /// The metric version to evaluate besides the switched-on ones.
    pub version: MetricVersion,
}

/// What `events.*` carry: facts, ready to fold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventsMessage {
    /// The envelope version.
    pub v: u16,
    /// The message's id.
    pub id: MessageId,
    /// Of the first delivery in it.
    pub correlation: CorrelationId,
    /// The backfill job these events belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobRef>,
    /// The facts about interactions, in no order that matters.
    pub events: Vec<Event>,
    /// The facts about agents, in no order that matters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentEvent>,
}

/// What `deliver.wake` carries: rows are due, look now. The rows are the truth, this is a hint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WakeMessage {
    /// How many rows were queued.
    #[serde(default)]
    pub queued: u64,
}

/// Encodes an envelope.
pub(crate) fn encode(message: &impl Serialize) -> Result<Bytes, MessageError> {
    rmp_serde::to_vec_named(message)
        .map(Bytes::from)
        .map_err(MessageError::Encode)
}

/// Decodes an envelope of this or an earlier version.
pub(crate) fn decode<M: DeserializeOwned>(
    bytes: &[u8],
    version: impl Fn(&M) -> u16,
) -> Result<M, MessageError> {
    /// The one member that every version has.
    #[derive(Deserialize)]
    struct Versioned {
        v: u16,
    }
    match rmp_serde::from_slice::<M>(bytes) {
        Ok(message) if version(&message) <= ENVELOPE_VERSION => Ok(message),
        Ok(message) => Err(MessageError::Version {
            found: version(&message),
        }),
        // A later version may not even have this shape: say so instead of a shape error.
        Err(error) => match rmp_serde::from_slice::<Versioned>(bytes) {
            Ok(Versioned { v }) if v > ENVELOPE_VERSION => Err(MessageError::Version { found: v }),
            _ => Err(MessageError::Decode(DecodeError::of(&error))),
        },
    }
}

macro_rules! envelope {
    ($name:ident) => {
        impl $name {
            /// Encodes the envelope.
            pub fn encode(&self) -> Result<Bytes, MessageError> {
                encode(self)
            }

            /// Decodes an envelope of this or an earlier version.
            pub fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
                decode(bytes, |message: &Self| message.v)
            }
        }
    };
}

envelope!(RawMessage);
envelope!(EventsMessage);

impl WakeMessage {
    /// Encodes the hint.
    pub fn encode(&self) -> Result<Bytes, MessageError> {
        encode(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AgentFact, AgentId, AgentStatement, DurationKind, Presence, Routing, Track};
    use crate::{
        AgentRef, Durations, Fact, FactKey, InteractionId, Millis, SourceRank, State, Statement,
    };

    fn events() -> EventsMessage {
        EventsMessage {
            v: ENVELOPE_VERSION,
            id: MessageId::generate(),
            correlation: "c-1".into(),
            job: Some(JobRef {
                id: JobId::generate(),
                version: MetricVersion(2),
            }),
            events: vec![Event {
                tenant: TenantId::new("acme"),
                interaction: InteractionId::new("int_1"),
                fact: Fact {
                    key: FactKey::event("evt_1"),
                    at: UtcMicros::from_millis(1_715_783_530_451),
                    revision: Some(UtcMicros(7)),
                    rank: SourceRank::SettledRecord,
                    statement: Statement {
                        state: Some(State::Other("parked".into())),
                        agent: Some(AgentRef {
                            id: AgentId::new("a"),
                            zone: Some("Europe/Berlin".into()),
                        }),
                        durations: Durations::default().with(DurationKind::Talk, Millis(-5)),
                        ..Statement::default()
                    },
                },
            }],
            agents: vec![AgentEvent {
                tenant: TenantId::new("acme"),
                agent: AgentRef {
                    id: AgentId::new("a"),
                    zone: None,
                },
                fact: AgentFact {
                    key: FactKey::agent_state(Track::Presence, UtcMicros(8)),
                    at: UtcMicros(8),
                    until: None,
                    revision: None,
                    rank: SourceRank::Event,
                    statement: AgentStatement {
                        presence: Some(Presence::Other("on a boat".into())),
                        routing: Some(Routing::NotResponding),
                        ..AgentStatement::default()
                    },
                },
            }],
        }
    }

    #[test]
    fn an_events_message_survives_the_broker() {
        let message = events();
        assert_eq!(
            EventsMessage::decode(&message.encode().unwrap()).unwrap(),
            message
        );
    }

    #[test]
    fn a_raw_body_comes_out_byte_for_byte() {
        let message = RawMessage {
            v: ENVELOPE_VERSION,
            id: MessageId::generate(),
            deliveries: vec![RawDelivery {
                id: DeliveryId::generate(),
                subscription: "hook".into(),
                tenant: "acme".into(),
                format: BodyFormat::CxoneCallDetail {
                    zone: "America/Denver".into(),
                },
                correlation: "c-2".into(),
                received_at: UtcMicros(1),
                job: None,
                body: Bytes::from_static(b"{\"a\": 1.0, \"a\":\xff\0 2}"),
            }],
        };
        assert_eq!(
            RawMessage::decode(&message.encode().unwrap()).unwrap(),
            message
        );
    }

    #[test]
    fn members_of_a_later_release_are_skipped() {
        #[derive(Serialize)]
        struct Later {
            v: u16,
            colour: &'static str,
            id: MessageId,
            correlation: &'static str,
            events: Vec<Event>,
        }
        let bytes = rmp_serde::to_vec_named(&Later {
            v: ENVELOPE_VERSION,
            colour: "green",
            id: MessageId::generate(),
            correlation: "c",
            events: vec![],
        })
        .unwrap();
        assert!(EventsMessage::decode(&bytes).unwrap().events.is_empty());
    }

    #[test]
    fn a_later_envelope_version_is_named() {
        #[derive(Serialize)]
        struct Next {
            v: u16,
            shape: u8,
        }
        let bytes = rmp_serde::to_vec_named(&Next { v: 9, shape: 0 }).unwrap();
        assert!(matches!(
            EventsMessage::decode(&bytes),
            Err(MessageError::Version { found: 9 })
        ));
        assert!(matches!(
            EventsMessage::decode(b"nonsense"),
            Err(MessageError::Decode(_))
        ));
    }

    #[test]
    fn what_stands_in_a_foreign_message_is_not_repeated() {
        #[derive(Serialize)]
        struct Foreign {
            v: &'static str,
        }
        let planted = "+15559870123";
        let bytes = rmp_serde::to_vec_named(&Foreign { v: planted }).unwrap();
        for bytes in [&bytes[..], planted.as_bytes(), b"", &bytes[..5]] {
            let error = RawMessage::decode(bytes).unwrap_err();
            assert!(!format!("{error:?}").contains("987"), "{error:?}");
        }
        let error = RawMessage::decode(&bytes).unwrap_err();
        assert!(matches!(error, MessageError::Decode(DecodeError::Shape)));
    }
}
