//! A zone by name, and the two ways through it.

use crate::alias::renamed;
use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset,
    TimeDelta, TimeZone, Timelike,
};
use chrono_tz::{GapInfo, Tz};
use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

/// Instants are clamped to the years ±200,000, beyond which the calendar of the library ends. No platform's clock is there.
const INSTANT_MAX_MICROS: i64 = 200_000 * 365 * 86_400 * 1_000_000;

/// The text names no zone of the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone {text:?}: an IANA name such as Europe/Berlin is needed")]
pub struct UnknownZone {
    /// The text as it was given, cut after 100 characters.
    pub text: String,
}

/// A time zone of the IANA database. Parse once, then copy.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// A wall clock's view of an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Local {
    /// The calendar date.
    pub date: NaiveDate,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// Seconds to add to UTC to get this wall clock; negative in the west.
    pub offset_seconds: i32,
}

impl Local {
    /// Whole minutes since the wall clock showed 00:00, 0 to 1439. Not the time passed since the day began.
    #[must_use]
    pub const fn minute_of_day(&self) -> u32 {
        self.hour * 60 + self.minute
    }
}

/// Which of two instants is meant by a local time that happens twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Side {
    /// The earlier: for what begins then, such as a day or a shift.
    #[default]
    Earliest,
    /// The later: for what ends then, so that it is not cut short.
    Latest,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone with this IANA name. Case and surrounding blanks do not matter; renamed and legacy names lead to the name in use.
    pub fn parse(text: &str) -> Result<Self, UnknownZone> {
        let name = text.trim();
        if let Some(zone) = by_name(name) {
            return Ok(zone);
        }
        // The table has lower-case names; anything much longer than the longest of them is not worth folding.
        let lower = (name.len() <= 64).then(|| name.to_ascii_lowercase());
        lower
            .and_then(|lower| by_name(&lower))
            .ok_or_else(|| UnknownZone {
                text: text.chars().take(100).collect(),
            })
    }

    /// The name in use.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The wall clock at an instant. Exact for every instant (beyond the years ±200,000: at that end).
    pub fn local(self, utc_micros: i64) -> Local {
        let utc = naive_utc(utc_micros);
        let offset = self.0.offset_from_utc_datetime(&utc).fix();
        let local = utc + TimeDelta::seconds(i64::from(offset.local_minus_utc()));
        Local {
            date: local.date(),
            hour: local.hour(),
            minute: local.minute(),
            second: local.second(),
            offset_seconds: offset.local_minus_utc(),
        }
    }

    /// The instant at which the wall clock shows this date and time.
    ///
    /// A time that happens twice is the one on `side`. A time that does not happen is the end of its gap, whichever side was asked for.
    pub fn resolve(self, date: NaiveDate, time: NaiveTime, side: Side) -> i64 {
        let local = clamp(date.and_time(time));
        match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(instant) => instant.timestamp_micros(),
            MappedLocalTime::Ambiguous(one, other) => {
                let (one, other) = (one.timestamp_micros(), other.timestamp_micros());
                match side {
                    Side::Earliest => one.min(other),
                    Side::Latest => one.max(other),
                }
            }
            MappedLocalTime::None => self.gap_end(local),
        }
    }

    /// The local day as the half-open stretch `[first instant, first instant of the next date)`. Empty for a date that was skipped.
    pub fn day(self, date: NaiveDate) -> (i64, i64) {
        let next = date.checked_add_days(Days::new(1)).unwrap_or(date);
        let begin = |date| self.resolve(date, NaiveTime::MIN, Side::Earliest);
        (begin(date), begin(next))
    }

    /// The first instant after the gap that `local` is in.
    fn gap_end(self, local: NaiveDateTime) -> i64 {
        if let Some(end) = GapInfo::new(&local, &self.0).and_then(|gap| gap.end) {
            return end.timestamp_micros();
        }
        // Where the library cannot name the end, find it: the first second at which the wall clock is past `local`.
        let centre = local.and_utc().timestamp();
        let (mut before, mut after) = (centre - 2 * 86_400, centre + 2 * 86_400);
        let shows = |seconds: i64| {
            let utc = naive_utc(seconds.saturating_mul(1_000_000));
            let offset = self.0.offset_from_utc_datetime(&utc).fix();
            utc + TimeDelta::seconds(i64::from(offset.local_minus_utc()))
        };
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if shows(middle) >= local {
                after = middle;
            } else {
                before = middle;
            }
        }
        after.saturating_mul(1_000_000)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Every name of the database, as it is written and in lower case, with the zone in use for it. Built once, only looked up.
fn by_name(name: &str) -> Option<Zone> {
    static NAMES: OnceLock<HashMap<String, Zone>> = OnceLock::new();
    NAMES
        .get_or_init(|| {
            let mut names = HashMap::with_capacity(2 * chrono_tz::TZ_VARIANTS.len());
            for tz in chrono_tz::TZ_VARIANTS {
                let lower = tz.name().to_ascii_lowercase();
                let in_use = renamed(&lower).and_then(|name| name.parse().ok());
                let zone = Zone(in_use.unwrap_or(tz));
                names.insert(tz.name().to_owned(), zone);
                names.insert(lower, zone);
            }
            names
        })
        .get(name)
        .copied()
}

fn naive_utc(micros: i64) -> NaiveDateTime {
    let micros = micros.clamp(-INSTANT_MAX_MICROS, INSTANT_MAX_MICROS);
    DateTime::from_timestamp_micros(micros)
        .unwrap_or_default()
        .naive_utc()
}

/// Dates beyond the clamped instants are moved to their ends, so that no offset can carry one out of the calendar.
fn clamp(local: NaiveDateTime) -> NaiveDateTime {
    if local.year().abs() < 199_000 {
        local
    } else {
        let end = INSTANT_MAX_MICROS / 2 * i64::from(local.year().signum());
        naive_utc(end)
    }
}
