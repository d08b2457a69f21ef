//! A zone, and the two ways through it.

use crate::names;
use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset,
    TimeDelta, TimeZone, Timelike,
};
use chrono_tz::{GapInfo, Tz};
use std::fmt;

/// Instants are clamped to the years ±200,000, beyond which the calendar of the library ends. No platform's clock is there.
const INSTANT_MAX_MICROS: i64 = 200_000 * 365 * 86_400 * 1_000_000;

/// The text names no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown time zone {text:?}: an IANA name such as Europe/Berlin, a Windows name or an offset such as +05:30 is needed"
)]
pub struct UnknownZone {
    /// The text as it was given, cut after 100 characters.
    pub text: String,
}

/// A time zone of the IANA database, or an offset that never changes. Parse once, then copy.
///
/// Two zones are equal when they have one name: renamed and legacy names have become the name in use when a zone is parsed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(pub(crate) Kind);

/// UTC is always `Named`, every other constant offset always `Fixed`, so that equal clocks are equal zones.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A place of the database.
    Named(Tz),
    /// Minutes to add to UTC. At most [`names::FIXED_MAX_MINUTES`] either way, never 0.
    Fixed(i16),
}

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
    pub const UTC: Self = Self(Kind::Named(Tz::UTC));

    /// The zone that a text names. Case does not matter, nor do blanks around it.
    ///
    /// - An IANA name, `Europe/Berlin`. Renamed and legacy names and links lead to the name in use, `US/Eastern` to
    ///   `America/New_York`. `Etc/GMT-2` means what the database means by it: two hours *ahead* of UTC.
    /// - A Windows name, `W. Europe Standard Time`: the zone of the name's default territory, with its summer time.
    /// - What Windows shows for such a name, `(GMT-05:00) Eastern Time (US & Canada)`: the text says which, the offset before it counts
    ///   for nothing.
    /// - An offset that never changes, `+05:30`, `-0300`, `UTC+2`, `GMT-3`, `UTC+05:45`, `Z`: ahead of UTC is positive. Up to 14
    ///   hours.
    pub fn parse(text: &str) -> Result<Self, UnknownZone> {
        names::find(text.trim()).ok_or_else(|| UnknownZone {
            text: text.chars().take(100).collect(),
        })
    }

    /// The name in use; of a fixed offset `+05:30`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Named(tz) => tz.name(),
            Kind::Fixed(minutes) => names::of_fixed(minutes),
        }
    }

    /// Whether this is a fixed offset that is no place of the database. Its name means nothing to other copies of the database, or
    /// the opposite: PostgreSQL reads `+05:30` as POSIX does, west of UTC.
    pub const fn is_fixed(self) -> bool {
        matches!(self.0, Kind::Fixed(_))
    }

    /// Seconds to add to UTC at an instant.
    pub(crate) fn offset_at(self, utc: &NaiveDateTime) -> i32 {
        match self.0 {
            Kind::Named(tz) => tz.offset_from_utc_datetime(utc).fix().local_minus_utc(),
            Kind::Fixed(minutes) => i32::from(minutes) * 60,
        }
    }

    /// The wall clock at an instant. Exact for every instant (beyond the years ±200,000: at that end).
    pub fn local(self, utc_micros: i64) -> Local {
        let utc = naive_utc(utc_micros);
        let offset_seconds = self.offset_at(&utc);
        let local = utc + TimeDelta::seconds(i64::from(offset_seconds));
        Local {
            date: local.date(),
            hour: local.hour(),
            minute: local.minute(),
            second: local.second(),
            offset_seconds,
        }
    }

    /// The date that the wall clock shows at an instant, in days since 1970-01-01.
    pub fn epoch_day(self, utc_micros: i64) -> i32 {
        /// 1970-01-01, counted as chrono counts days.
        const EPOCH: i32 = 719_163;
        self.local(utc_micros).date.num_days_from_ce() - EPOCH
    }

    /// The instant at which the wall clock shows this date and time.
    ///
    /// A time that happens twice is the one on `side`. A time that does not happen is the end of its gap, whichever side was asked for.
    pub fn resolve(self, date: NaiveDate, time: NaiveTime, side: Side) -> i64 {
        let local = clamp(date.and_time(time));
        let tz = match self.0 {
            Kind::Named(tz) => tz,
            Kind::Fixed(minutes) => {
                let utc = local - TimeDelta::minutes(i64::from(minutes));
                return utc.and_utc().timestamp_micros();
            }
        };
        match tz.from_local_datetime(&local) {
            MappedLocalTime::Single(instant) => instant.timestamp_micros(),
            MappedLocalTime::Ambiguous(one, other) => {
                let (one, other) = (one.timestamp_micros(), other.timestamp_micros());
                match side {
                    Side::Earliest => one.min(other),
                    Side::Latest => one.max(other),
                }
            }
            MappedLocalTime::None => gap_end(tz, local),
        }
    }

    /// The local day as the half-open stretch `[first instant, first instant of the next date)`. Empty for a date that was skipped.
    pub fn day(self, date: NaiveDate) -> (i64, i64) {
        let next = date.checked_add_days(Days::new(1)).unwrap_or(date);
        let begin = |date| self.resolve(date, NaiveTime::MIN, Side::Earliest);
        (begin(date), begin(next))
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

/// The first instant after the gap that `local` is in.
fn gap_end(tz: Tz, local: NaiveDateTime) -> i64 {
    if let Some(end) = GapInfo::new(&local, &tz).and_then(|gap| gap.end) {
        return end.timestamp_micros();
    }
    // Where the library cannot name the end, find it: the first second at which the wall clock is past `local`.
    let centre = local.and_utc().timestamp();
    let (mut before, mut after) = (centre - 2 * 86_400, centre + 2 * 86_400);
    let shows = |seconds: i64| {
        let utc = naive_utc(seconds.saturating_mul(1_000_000));
        utc + TimeDelta::seconds(i64::from(Zone(Kind::Named(tz)).offset_at(&utc)))
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

pub(crate) fn naive_utc(micros: i64) -> NaiveDateTime {
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
