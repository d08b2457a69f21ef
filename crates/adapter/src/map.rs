//! Mapping: one item in, its facts out.

use crate::error::ItemError;
use crate::guide;
use crate::mapping::Mappings;
use schema::{BodyFormat, EventId, Fact, InteractionId, UtcMicros};

/// What an item states.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The platform's id of the event, or a deterministic one.
    pub event_id: EventId,
    /// The event's own instant: with the id and the digest it makes the log key.
    pub at: UtcMicros,
    /// The digest of the content, the same for every copy (see [`crate::digest()`]).
    pub digest: [u8; 16],
    /// The interaction it is about.
    pub interaction: InteractionId,
    /// What it states; at least one fact.
    pub facts: Vec<Fact>,
    /// Whether one of the facts is a terminal state of the interaction.
    pub terminal: bool,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It states something.
    Mapped(Mapped),
    /// It is well formed, but of a kind that nobody asked for (a heartbeat, an event about no interaction).
    Ignored {
        /// The kind, as the platform names it.
        kind: String,
    },
}

/// Maps one item of [`crate::split()`]. Pure: the same bytes give the same outcome on every lane and in every replay.
pub fn map(format: &BodyFormat, raw: &[u8], mappings: &Mappings) -> Result<Outcome, ItemError> {
    match format {
        BodyFormat::GenesysWebhook => guide::map(raw),
        BodyFormat::GenesysDetails => crate::genesys_details::map(raw),
        BodyFormat::CxoneCallDetail { zone } => crate::cxone_call_detail::map(raw, zone),
        BodyFormat::CxoneContacts => crate::cxone_contacts::map(raw),
        BodyFormat::Mapped { mapping } => mappings.get(mapping)?.map(raw),
    }
}
