//! CXone report 524 (Call Detail).

use crate::error::{BodyError, ItemError};
use crate::map::Outcome;

pub(crate) fn split(_body: &[u8]) -> Result<Vec<Vec<u8>>, BodyError> {
    Err(BodyError::Empty)
}

pub(crate) fn map(raw: &[u8], _zone: &str) -> Result<Outcome, ItemError> {
    Err(ItemError::item(raw, "a row of report 524"))
}
