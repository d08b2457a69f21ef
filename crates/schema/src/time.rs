//! Instants, durations and days. Instants are UTC microseconds (what PostgreSQL stores), durations are whole milliseconds, days are those
//! of a calendar on some wall.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMicros(pub i64);

/// A duration in milliseconds. May be negative or absurd when a platform stated it so; rules withhold such values.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl UtcMicros {
    /// From milliseconds since the epoch; saturates at the ends of the range.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Whole milliseconds since the epoch, rounded towards minus infinity.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Whole seconds since the epoch, rounded towards minus infinity.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The time from `earlier` to `self` in whole milliseconds; negative when `self` is the earlier one. Saturates.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0).div_euclid(1000))
    }

    /// This instant plus a duration. Saturates.
    #[must_use]
    pub const fn plus(self, duration: Millis) -> Self {
        Self(self.0.saturating_add(duration.0.saturating_mul(1000)))
    }
}

impl fmt::Display for UtcMicros {
    /// RFC 3339 in UTC: `2024-05-15T14:32:10.451Z`, with six digits where the instant is finer than a millisecond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: i64 = 86_400_000_000;
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        let of_day = self.0.rem_euclid(DAY);
        let (seconds, micros) = (of_day / 1_000_000, of_day % 1_000_000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}."
        )?;
        if micros % 1000 == 0 {
            write!(f, "{:03}Z", micros / 1000)
        } else {
            write!(f, "{micros:06}Z")
        }
    }
}

/// A date on somebody's wall, whoever that is: days since 1970-01-01. Which instants it has depends on their zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LocalDay(pub i32);

impl LocalDay {
    /// So many days later; earlier where negative. Saturates.
    #[must_use]
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }
}

impl fmt::Display for LocalDay {
    /// `2024-05-15`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(i64::from(self.0));
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// Year, month and day of a number of days since 1970-01-01 in the Gregorian calendar.
const fn civil(days: i64) -> (i64, i64, i64) {
    // Count from 0000-03-01, so that a leap day is the last of its year, in cycles of 400 years.
    const CYCLE: i64 = 146_097;
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months from March on have 31, 30, 31, 30, 31, ... days: 153 in five of them.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + cycle * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

impl Millis {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum, or `None` when it does not fit.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// Seconds as a float: the only place where a duration becomes one.
    ///
    /// Exact to the millisecond up to 2^53 ms (285,000 years).
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_in_rfc_3339() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_715_783_530_451_000, "2024-05-15T14:32:10.451Z"),
            (1_709_208_000_000_000, "2024-02-29T12:00:00.000Z"),
            (1_709_251_200_000_000, "2024-03-01T00:00:00.000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399_999_999, "2100-02-28T23:59:59.999999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
            (1_735_689_599_999_000, "2024-12-31T23:59:59.999Z"),
        ];
        for (micros, expected) in cases {
            assert_eq!(UtcMicros(micros).to_string(), expected);
        }
    }

    #[test]
    fn a_day_is_shown_as_a_date() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (19_858, "2024-05-15"),
            (19_782, "2024-02-29"),
        ] {
            assert_eq!(LocalDay(days).to_string(), expected);
        }
        assert_eq!(LocalDay(19_782).plus(1).to_string(), "2024-03-01");
    }
}
