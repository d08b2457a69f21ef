//! The bytes of a logged event, opened where they are sealed.

use runtime::seal::{OpenError, RawPlace, SealKeys};
use std::borrow::Cow;
use store::event_log::StoredEvent;
use store::raw::{Gone, Raw};

/// How many events of the log have no bytes any more. They stay as they were computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WithoutBytes {
    /// Their retention was over.
    pub expired: u64,
    /// Somebody asked for it.
    pub erased: u64,
}

impl WithoutBytes {
    pub(super) fn add(&mut self, gone: Gone) {
        match gone {
            Gone::Expired => self.expired += 1,
            Gone::Erased => self.erased += 1,
        }
    }
}

/// Bytes that cannot be opened: with the right key file the job goes on.
#[derive(Debug, thiserror::Error)]
#[error(
    "the bytes of event {event} of {subscription} cannot be read; give the key file that `ingest normalise` has"
)]
pub struct SealedError {
    event: String,
    subscription: String,
    source: OpenError,
}

/// The bytes as they came, or why there are none.
pub(super) fn opened<'r>(
    row: &'r StoredEvent,
    keys: Option<&SealKeys>,
) -> Result<Result<Cow<'r, [u8]>, Gone>, SealedError> {
    let (key, sealed) = match &row.raw {
        Raw::Plain(bytes) => return Ok(Ok(Cow::Borrowed(bytes))),
        Raw::Gone(gone) => return Ok(Err(*gone)),
        Raw::Sealed { key, bytes } => (key, bytes),
    };
    let place = RawPlace {
        tenant: &row.tenant,
        subscription: &row.subscription,
        delivery: row.delivery_id.0.into_bytes(),
    };
    let bytes = match keys {
        Some(keys) => keys.open(key, &place, sealed),
        None => Err(OpenError::no_file(key)),
    };
    let bytes = bytes.map_err(|source| SealedError {
        event: row.event_id.clone(),
        subscription: row.subscription.clone(),
        source,
    })?;
    Ok(Ok(Cow::Owned(bytes)))
}
