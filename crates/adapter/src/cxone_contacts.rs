//! CXone contact records as JSON.

use crate::error::ItemError;
use crate::map::Outcome;

/// Maps one record.
pub(crate) fn map(raw: &[u8]) -> Result<Outcome, ItemError> {
    Err(ItemError::item(raw, "a contact record"))
}
