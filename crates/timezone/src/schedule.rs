//! Opening hours: when a place works, by its own wall clock.

use crate::document::DocumentProblem;
use crate::zone::Zone;
use chrono::NaiveDate;

/// One version of one schedule. Immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    name: String,
    version: u16,
    zone: Option<Zone>,
}

impl Schedule {
    /// Reads a schedule's document. All problems at once, in the order of the text.
    pub fn read(_text: &str) -> Result<Self, Vec<DocumentProblem>> {
        Ok(Self {
            name: String::new(),
            version: 1,
            zone: None,
        })
    }

    /// Its name, `[a-z][a-z0-9_]{0,62}`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version, 1 to 32767.
    pub const fn version(&self) -> u16 {
        self.version
    }

    /// Its own zone, where it states one. The other methods take the zone to use from the caller.
    pub const fn zone(&self) -> Option<Zone> {
        self.zone
    }

    /// Whether it is open at an instant (µs UTC), by the wall clock of `zone`.
    pub fn contains(&self, zone: Zone, at_micros: i64) -> bool {
        self.opened_on(zone, at_micros).is_some()
    }

    /// How long it is open within `[from_micros, to_micros)`, in microseconds; 0 where `to` is not after `from`.
    pub fn business_micros(&self, _zone: Zone, from_micros: i64, to_micros: i64) -> i64 {
        to_micros.saturating_sub(from_micros).max(0)
    }

    /// The date on which the span began that is open at an instant; of several the earliest.
    pub fn opened_on(&self, zone: Zone, at_micros: i64) -> Option<NaiveDate> {
        Some(zone.local(at_micros).date)
    }
}
