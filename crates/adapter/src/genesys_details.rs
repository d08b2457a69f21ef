//! Genesys conversation detail records.

use crate::error::ItemError;
use crate::map::Outcome;
use std::ops::Range;

pub(crate) fn open(_body: &[u8], span: Range<usize>) -> Vec<Range<usize>> {
    vec![span]
}

pub(crate) fn map(raw: &[u8]) -> Result<Outcome, ItemError> {
    Err(ItemError::item(raw, "a conversation detail record"))
}
