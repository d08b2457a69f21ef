//! Adapters: bytes of a platform in, facts out. Pure: no clock, no store, no logging; the same bytes always give the same facts.
//!
//! [`split`] cuts a body into items with their exact bytes, [`map()`] reads one item. An item that cannot be read is an
//! [`ItemError`] with field, value and what is allowed there; its neighbours are not affected. [`log_key`] and [`digest`] make
//! the identity under which the event log keeps an item once.
//!
//! One module a format: [`guide`] (the default webhook), [`genesys_details`] (conversation detail records),
//! [`cxone_call_detail`] (report 524), [`mapping`] (any JSON, by a mapping file). Start with [`guide`].
//!
//! No customer identity leaves an adapter: a fact's customer key is a keyed hash, and there is no key here.

pub mod cxone_call_detail;
mod error;
pub mod genesys_details;
pub mod guide;
mod guide_shape;
pub mod instant;
mod json;
mod map;
pub mod mapping;
mod node;
mod scalar;
mod split;

pub use error::{BodyError, ItemError};
pub use json::digest;
pub use map::{Mapped, Outcome, map};
pub use mapping::{Mapping, Mappings};
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
    let mut hash = Sha256::new();
    framed(&mut hash, subscription.as_str());
    framed(&mut hash, event_id.as_str());
    hash.update(at.0.to_be_bytes());
    hash.update(digest);
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    Uuid::from_bytes(half)
}

/// An id made from identifying fields, in this order: the same fields give the same id.
fn derived_id(fields: &[&str]) -> String {
    let mut hash = Sha256::new();
    for field in fields {
        framed(&mut hash, field);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    format!("made-{}", Uuid::from_bytes(half).simple())
}

/// Length first, so that no two lists of texts run together to the same bytes.
fn framed(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
}
