//! Instants of the platforms: milliseconds since 1970, in their text form with `Z`.

use chrono::{DateTime, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Milliseconds of a day.
pub(crate) const DAY: i64 = 86_400_000;

/// An instant, milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub i64);

impl Moment {
    /// So many milliseconds later.
    #[must_use]
    pub const fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The instant that a text with `Z` or an offset names.
    pub fn parse(text: &str) -> Option<Self> {
        let instant = DateTime::parse_from_rfc3339(text.trim()).ok()?;
        Some(Self(instant.timestamp_millis()))
    }

    /// The instant that a text without zone names on the clocks of this zone: the earlier one where there are two, the end of the
    /// gap's hour where there is none.
    pub fn parse_local(text: &str, zone: &str) -> Option<Self> {
        let text = text.trim();
        let local = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .or_else(|| {
                let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
                day.and_hms_opt(0, 0, 0)
            })?;
        let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
        let instant = zone.from_local_datetime(&local).earliest().or_else(|| {
            let later = local + chrono::TimeDelta::hours(1);
            zone.from_local_datetime(&later).earliest()
        })?;
        Some(Self(instant.timestamp_millis()))
    }

    /// Writes it as `2025-01-06T14:32:10.451Z`; with `trims`, a second that is full has no fraction.
    pub(crate) fn write(self, to: &mut String, trims: bool) {
        let (day, in_day) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, date) = civil(day);
        digits(to, year, 4);
        to.push('-');
        digits(to, month, 2);
        to.push('-');
        digits(to, date, 2);
        to.push('T');
        digits(to, in_day / 3_600_000, 2);
        to.push(':');
        digits(to, in_day / 60_000 % 60, 2);
        to.push(':');
        digits(to, in_day / 1_000 % 60, 2);
        let millis = in_day % 1_000;
        if millis != 0 || !trims {
            to.push('.');
            digits(to, millis, 3);
        }
        to.push('Z');
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::with_capacity(24);
        self.write(&mut text, false);
        f.write_str(&text)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "{text:?} is no instant like 2025-01-06T00:00:00Z"
            ))
        })
    }
}

/// Year, month and date of a day counted from 1970, by Gregorian cycles of 400 years.
fn civil(day: i64) -> (i64, i64, i64) {
    // Counted from the first of March of year 0, so that the leap day is a year's last.
    let shifted = day + 719_468;
    let (cycle, in_cycle) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year =
        (in_cycle - in_cycle / 1_460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
    let in_year = in_cycle - (365 * year + year / 4 - year / 100);
    let from_march = (5 * in_year + 2) / 153;
    let date = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + 400 * cycle + i64::from(month <= 2), month, date)
}

/// Writes a number with leading zeros.
pub(crate) fn digits(to: &mut String, number: i64, width: u32) {
    let mut unit = 10_i64.pow(width.saturating_sub(1));
    while unit > 0 {
        let digit = u8::try_from((number / unit).rem_euclid(10)).unwrap_or(0);
        to.push(char::from(b'0' + digit));
        unit /= 10;
    }
}

/// Writes a whole number.
pub(crate) fn whole(to: &mut String, number: i64) {
    if number < 0 {
        to.push('-');
    }
    let mut rest = number.unsigned_abs();
    let mut reversed = [0_u8; 20];
    let mut length = 0;
    loop {
        reversed[length] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        length += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    for digit in reversed[..length].iter().rev() {
        to.push(char::from(*digit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_chrono_writes_them() {
        for millis in (-200_000_000_000..4_000_000_000_000).step_by(123_456_789_01) {
            let expected = DateTime::from_timestamp_millis(millis)
                .map(|at| at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
            assert_eq!(Some(Moment(millis).to_string()), expected);
            assert_eq!(
                Moment::parse(&Moment(millis).to_string()),
                Some(Moment(millis))
            );
        }
    }

    #[test]
    fn a_full_second_may_have_no_fraction() {
        let write = |millis| {
            let mut text = String::new();
            Moment(millis).write(&mut text, true);
            text
        };
        assert_eq!(write(1_736_121_600_000), "2025-01-06T00:00:00Z");
        assert_eq!(write(1_736_121_600_040), "2025-01-06T00:00:00.040Z");
    }

    #[test]
    fn an_instant_without_zone_is_read_on_the_zones_clocks() {
        let read = |text| Moment::parse_local(text, "America/New_York");
        assert_eq!(read("2025-01-06T00:00:00"), Moment::parse("2025-01-06T05:00:00Z"));
        assert_eq!(read("2025-01-06"), Moment::parse("2025-01-06T05:00:00Z"));
        assert_eq!(Moment::parse("2025-01-06T00:00:00"), None);
    }

    #[test]
    fn whole_numbers_are_written_as_usual() {
        for number in [0, 7, -7, 10, 1_234_567_890_123, i64::MIN, i64::MAX] {
            let mut text = String::new();
            whole(&mut text, number);
            assert_eq!(text, number.to_string());
        }
    }
}
