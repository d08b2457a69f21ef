//! Adapters: bytes of a platform in, facts out. Pure: no clock, no store, no logging; the same bytes always give the same facts.
//!
//! [`split_with()`] cuts a body into items with their exact bytes, [`map()`] reads one item. An item that cannot be read is an
//! [`ItemError`] with field, value and what is allowed there; its neighbours are not affected. [`log_key`] and [`digest()`] make
//! the identity under which the event log keeps an item once.
//!
//! One module a format: [`guide`] (the default webhook), [`genesys_topics`] (Genesys' own events about conversations, which come by it
//! too), [`genesys_details`] (conversation detail records),
//! [`cxone_call_detail`] (report 524), [`cxone_contacts`] (contact records as JSON), [`cxone_contact_states`] (their states, one after the
//! other), [`cxone_digital`] (events about cases), [`mapping`] (any JSON, by a mapping file); and about
//! the time of agents [`genesys_user_topics`] (events, which come by the default webhook too), [`genesys_user_details`],
//! [`genesys_schedules`], [`cxone_agent_states`] and [`cxone_agent_state_log`] (report 544). Start with [`guide`].
//!
//! A customer's identity is no part of a fact: it lies beside ([`CustomerIdentity`]) until whoever has the installation's secret makes
//! a key of it ([`customer_key`]); there is no secret here.

mod agent_time;
pub mod csv_rows;
mod customer;
pub mod cxone_agent_state_log;
pub mod cxone_agent_states;
pub mod cxone_call_detail;
pub mod cxone_contact_states;
pub mod cxone_contacts;
pub mod cxone_digital;
mod cxone_media;
pub mod cxone_report_file;
mod cxone_row;
mod cxone_state;
mod cxone_wait;
mod duration;
mod error;
pub mod genesys_details;
pub mod genesys_schedules;
pub mod genesys_topics;
pub mod genesys_user_details;
pub mod genesys_user_topics;
pub mod guide;
mod guide_shape;
mod identity;
pub mod instant;
mod json;
mod map;
pub mod mapping;
mod node;
mod page;
mod redact;
mod report;
mod scalar;
mod split;
mod unfold;

pub use customer::customer_key;
pub use error::{BodyError, ItemError};
pub use identity::CustomerIdentity;
pub use json::digest;
pub use map::{Mapped, Outcome, Stated, map};
pub use mapping::{Mapping, Mappings, split_with};
pub use split::{Item, Split, split};

use schema::{EventId, SubscriptionName, UtcMicros};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The key under which the event log keeps an event once: the same for every copy, other for other content.
pub fn log_key(
    subscription: &SubscriptionName,
    event_id: &EventId,
    at: UtcMicros,
    digest: &[u8; 16],
) -> Uuid {
    stable_id(&[
        subscription.as_str().as_bytes(),
        event_id.as_str().as_bytes(),
        &at.0.to_be_bytes(),
        digest,
    ])
}

/// An id made from these parts, in this order: the first half of their SHA-256. The same parts always give the same id.
pub fn stable_id(parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    for part in parts {
        // Length first, so that no two lists of parts run together to the same bytes.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    Uuid::from_bytes(half)
}

/// An id for an event that has none, made from its identifying fields.
fn derived_id(fields: &[&str]) -> String {
    let fields: Vec<&[u8]> = fields.iter().map(|field| field.as_bytes()).collect();
    format!("made-{}", stable_id(&fields).simple())
}
