//! The instants at which a zone's wall clock is put forward or back.

use crate::zone::Zone;

/// One change of a zone's offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transition {
    /// The first instant (µs UTC) with the new offset.
    pub at_micros: i64,
    /// Seconds to add to UTC just before.
    pub offset_before: i32,
    /// Seconds to add to UTC from then on.
    pub offset_after: i32,
}

impl Zone {
    /// All changes of the offset at instants in `[from_micros, to_micros)`, ascending.
    pub fn transitions(self, _from_micros: i64, _to_micros: i64) -> Vec<Transition> {
        Vec::new()
    }
}
