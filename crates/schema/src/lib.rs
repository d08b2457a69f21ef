//! The words of kpiline: ids, instants, durations, facts and the messages between stages.
//!
//! Nothing here decides anything and nothing here does I/O. Read in this order: [`id`] (who is who), [`time`] (units),
//! [`fact`] (one statement about an interaction), [`agent_state`] (one about an agent's time), [`message`] (what travels through the broker),
//! [`backfill`] (what is asked of and said about its jobs), [`grain`] (what a value is of that is pushed), [`platform_state`] (how far a
//! platform's numbers are to be trusted).
//!
//! The vocabulary is the field's own: *interaction* (what the customer had with the centre), *leg* (one participant's part of
//! it), *fact* (one statement about an interaction at an instant), *delivery* (one HTTP body or one history page).

pub mod agent_state;
pub mod backfill;
pub mod fact;
pub mod grain;
pub mod id;
pub mod message;
pub mod platform_state;
pub mod time;

pub use agent_state::{AgentEvent, AgentFact, AgentStatement, Presence, Routing, Track};
pub use fact::{
    AgentRef, Details, Direction, DurationKind, Durations, Event, Fact, FactKey, Leg, LegKind,
    LegOutcome, PART_ID_BYTES_MAX, SourceRank, State, Statement, Transfer,
};
pub use grain::Grain;
pub use id::{
    AgentId, CorrelationId, CustomerKey, DeliveryId, EventId, InteractionId, JobId, LegId,
    MessageId, MetricVersion, QueueId, SubscriptionName, TenantId,
};
pub use message::{
    BodyFormat, DecodeError, ENVELOPE_VERSION, EventsMessage, JobRef, MessageError, RawDelivery,
    RawMessage, WakeMessage,
};
pub use platform_state::PlatformState;
pub use time::{LocalDay, Millis, UtcMicros};
