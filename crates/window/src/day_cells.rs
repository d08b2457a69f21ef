//! What one group has in the cells of one UTC day.

use crate::aggregate::Aggregate;
use crate::cell::QUARTERS;
use crate::codec::{DecodeError, Reader, put_unsigned};
use crate::totals::{Totals, put_entries, take_into};
use std::ops::Range;

/// The format that is written.
const VERSION: u8 = 1;
const PLACES: usize = QUARTERS as usize;

/// What one group has in the cells of one UTC day: by quarter, by definition.
///
/// Packed it is a format version, the bits of [`filled`](Self::filled), the number of all entries, and those quarters' entries; one content
/// has one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayCells {
    /// Those of all quarters, one after the other.
    entries: Vec<(i32, Aggregate)>,
    /// Where those of each quarter end.
    ends: [u32; PLACES],
}

impl Default for DayCells {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            ends: [0; PLACES],
        }
    }
}

impl DayCells {
    /// What a quarter (0 to 95) has, ascending by definition; nothing for any other number.
    pub fn get(&self, quarter: u8) -> &[(i32, Aggregate)] {
        self.entries.get(self.of(quarter)).unwrap_or_default()
    }

    /// Whether no quarter has anything.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts entries in the place of what a quarter (0 to 95; nothing happens for any other number) has; none empty it. They may come in
    /// any order; those of one definition are merged, those without an item left out.
    pub fn replace(&mut self, quarter: u8, entries: Vec<(i32, Aggregate)>) {
        if quarter >= QUARTERS {
            return;
        }
        let entries = Totals::from_iter(entries).into_entries();
        let old = self.of(quarter);
        let (before, now) = (old.len(), entries.len());
        self.entries.splice(old, entries);
        for end in self.ends.iter_mut().skip(quarter.into()) {
            let moved = usize::try_from(*end).unwrap_or_default() + now - before;
            *end = place(moved);
        }
    }

    /// Which quarters have something: bit `q % 8` of byte `q / 8`.
    pub fn filled(&self) -> [u8; PLACES / 8] {
        let mut filled = [0; PLACES / 8];
        for quarter in 0..QUARTERS {
            if !self.of(quarter).is_empty() {
                filled[usize::from(quarter / 8)] |= 1 << (quarter % 8);
            }
        }
        filled
    }

    /// What the whole day comes to.
    pub fn total(&self) -> Totals {
        self.merge_range(0..QUARTERS)
    }

    /// What some quarters come to.
    pub fn merge_range(&self, quarters: Range<u8>) -> Totals {
        let mut totals = Totals::default();
        for quarter in quarters {
            totals.merge_entries(self.get(quarter));
        }
        totals
    }

    /// Packs them.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + PLACES / 8 + 8 * self.entries.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.filled());
        put_unsigned(&mut bytes, self.entries.len() as u64);
        for quarter in 0..QUARTERS {
            let entries = self.get(quarter);
            if !entries.is_empty() {
                put_entries(&mut bytes, entries);
            }
        }
        bytes
    }

    /// From [`encode`](Self::encode). Every byte is looked at: what packing never writes is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::of(bytes, VERSION)?;
        let filled: [u8; PLACES / 8] = reader.array()?;
        let entries = reader.length()?;
        let mut cells = Self {
            entries: Vec::with_capacity(entries),
            ..Self::default()
        };
        for quarter in 0..QUARTERS {
            let before = cells.entries.len();
            if filled[usize::from(quarter / 8)] >> (quarter % 8) & 1 == 1 {
                take_into(&mut reader, &mut cells.entries)?;
                if cells.entries.len() == before {
                    return Err(DecodeError::Content("a filled quarter without entries"));
                }
            }
            cells.ends[usize::from(quarter)] = place(cells.entries.len());
        }
        if cells.entries.len() != entries {
            return Err(DecodeError::Content(
                "another number of entries than it says",
            ));
        }
        reader.finish()?;
        Ok(cells)
    }

    fn of(&self, quarter: u8) -> Range<usize> {
        let end = |quarter: usize| self.ends.get(quarter).copied();
        let quarter = usize::from(quarter);
        let begin = quarter.checked_sub(1).and_then(end).unwrap_or_default();
        let end = end(quarter).unwrap_or(begin);
        let index = |place| usize::try_from(place).unwrap_or_default();
        index(begin)..index(end)
    }
}

/// A day has far fewer entries than that.
fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
