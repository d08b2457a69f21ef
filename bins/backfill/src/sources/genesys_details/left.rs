//! What a chunk leaves at the platform when nobody goes on with it.

use super::{At, CONVERSATIONS, Cursor, Details, USERS, job};
use crate::source::Source;
use store::chunks::Chunk;

/// A details job that the platform keeps, and the place it has among those that may be open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    /// The platform's id of it.
    pub(crate) job: String,
    /// The named lease of the place.
    pub(crate) place: String,
    /// Who has that lease.
    pub(crate) holder: String,
}

/// What a chunk of this source left with a credential, if anything, as its cursor says.
pub(crate) fn left_by(source: Source, credential: &str, chunk: &Chunk) -> Option<Left> {
    let details: &Details = match source {
        Source::GenesysConversations => &CONVERSATIONS,
        Source::GenesysUsers => &USERS,
        _ => return None,
    };
    let cursor: Cursor = serde_json::from_str(chunk.cursor_json.as_deref()?).ok()?;
    match cursor.at {
        At::Submitted { job, slot, .. } | At::Reading { job, slot, .. } => Some(Left {
            job,
            place: job::slot_name(details, credential, slot),
            holder: job::holder(chunk),
        }),
        At::Begin | At::Querying(_) => None,
    }
}
