//! Where local time is resolved, and the only place: zones by name, instants to wall clocks, wall clocks to instants, opening hours, and
//! whose zone counts.
//!
//! - Instant to local time is exact and always has one answer.
//! - Local time to instant has none in the gap of a spring night and two in the overlap of an autumn one. [`Zone::resolve`] gives
//!   the end of the gap, and the side that the caller names in the overlap; nothing here panics for any time of any zone.
//! - A local day is the half-open stretch between the first instants of two dates, 23 to 25 hours long, or empty ([`Zone::day`]).
//! - A [`Schedule`] says when a place is open, by the wall clock of whatever zone it is asked for, and for how long within an interval.
//! - [`Places`] know the zones of organisations, queues and agents, and find the one that counts.
//!
//! Both are read from TOML documents; [`Schedule`] and [`Places`] tell their members and what they mean. Instants are microseconds since
//! 1970-01-01T00:00:00Z. The zone data are compiled in; [`TZDB_VERSION`] goes into provenance.

mod alias;
mod document;
mod labels;
mod names;
mod places;
mod schedule;
mod transition;
mod windows;
mod zone;

pub use chrono::{Datelike, Days, Months, NaiveDate, NaiveTime};
pub use document::DocumentProblem;
pub use names::all_names;
pub use places::{Asked, Places, Resolved, ZoneSource};
pub use schedule::{OffQuarter, Schedule};
pub use transition::Transition;
pub use zone::{Local, Side, UnknownZone, Zone};

/// The version of the zone data compiled in, such as `2025b`.
pub const TZDB_VERSION: &str = chrono_tz::IANA_TZDB_VERSION;
