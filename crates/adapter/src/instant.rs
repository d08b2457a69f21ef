//! Instants as platforms write them: ISO 8601 with a zone, leniently in form, strictly in meaning.
//!
//! Accepted: any number of fraction digits (beyond microseconds they are cut off, which is what PostgreSQL can hold), `Z` or an
//! offset with or without a colon or with hours only, `T` or a blank, one-digit months, days and hours (seen in real records).
//! Not accepted: an instant without a zone. It would have to be guessed, and a guess is hours wrong.

use schema::UtcMicros;

/// What is said where an instant cannot be read.
pub(crate) const EXPECTED: &str =
    "an instant like 2024-05-15T14:32:10.451Z or with an offset like +02:00";

const DAY: i64 = 86_400;

/// Reads an instant; `None` when it is none or has no zone.
pub fn parse(text: &str) -> Option<UtcMicros> {
    let mut rest = Cursor(text.trim_ascii().as_bytes());
    let year = rest.number(4, 4)?;
    rest.byte(b"-")?;
    let month = rest.number(1, 2)?;
    rest.byte(b"-")?;
    let day = rest.number(1, 2)?;
    rest.byte(b"Tt ")?;
    let hour = rest.number(1, 2)?;
    rest.byte(b":")?;
    let minute = rest.number(2, 2)?;
    let second = match rest.byte(b":") {
        Some(_) => rest.number(2, 2)?,
        None => 0,
    };
    let micros = match rest.byte(b".,") {
        Some(_) => rest.fraction()?,
        None => 0,
    };
    let offset = rest.offset()?;
    // A leap second (60) runs into the next minute, as in every clock that counts seconds since 1970.
    if !rest.0.is_empty() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day)? * DAY + hour * 3600 + minute * 60 + second - offset;
    Some(UtcMicros(seconds * 1_000_000 + micros))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar; `None` when there is no such date.
pub(crate) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    // Years counted from March, so that the leap day is the last of its year.
    let shifted = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let before =
        shifted * 365 + shifted.div_euclid(4) - shifted.div_euclid(100) + shifted.div_euclid(400);
    Some(before + day_of_year - 719_468)
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// A number of between `min` and `max` digits.
    fn number(&mut self, min: usize, max: usize) -> Option<i64> {
        let mut value = 0;
        let mut length = 0;
        while length < max {
            let Some(digit @ b'0'..=b'9') = self.0.get(length) else {
                break;
            };
            value = value * 10 + i64::from(digit - b'0');
            length += 1;
        }
        if length < min {
            return None;
        }
        self.0 = &self.0[length..];
        Some(value)
    }

    fn byte(&mut self, any: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        any.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    /// Microseconds from the digits after the point; at least one digit.
    fn fraction(&mut self) -> Option<i64> {
        let mut micros = 0;
        let mut scale = 100_000;
        let mut length = 0;
        while let Some(digit @ b'0'..=b'9') = self.0.get(length) {
            micros += i64::from(digit - b'0') * scale;
            scale /= 10;
            length += 1;
        }
        self.0 = &self.0[length..];
        (length > 0).then_some(micros)
    }

    /// Seconds east of Greenwich.
    fn offset(&mut self) -> Option<i64> {
        if self.byte(b"Zz").is_some() {
            return Some(0);
        }
        let sign = match self.byte(b"+-")? {
            b'-' => -1,
            _ => 1,
        };
        let hours = self.number(2, 2)?;
        let minutes = if self.byte(b":").is_some() {
            self.number(2, 2)?
        } else {
            self.number(2, 2).unwrap_or(0)
        };
        (hours <= 18 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-05-15T14:32:10Z.
    const BASE: i64 = 1_715_783_530_000_000;

    #[test]
    fn every_form_a_platform_sends_is_the_right_instant() {
        for (text, micros) in [
            ("2024-05-15T14:32:10Z", BASE),
            ("2024-05-15T14:32:10.4Z", BASE + 400_000),
            ("2024-05-15T14:32:10.451Z", BASE + 451_000),
            ("2024-05-15T14:32:10.451123456Z", BASE + 451_123),
            ("2024-05-15T14:32:10.9999999Z", BASE + 999_999),
            ("2024-05-15T14:32:10+02:00", BASE - 7_200_000_000),
            (
                "2024-05-15T14:32:10.922+0200",
                BASE - 7_200_000_000 + 922_000,
            ),
            ("2024-05-15T14:32:10-0330", BASE + 12_600_000_000),
            ("2024-05-15T14:32:10+05", BASE - 18_000_000_000),
            ("2024-05-15 14:32:10z", BASE),
            (" 2024-5-15T14:32:10Z ", BASE),
            ("2024-05-15T14:32Z", BASE - 10_000_000),
            // CXone's records of 2015 and its tenants', its digital envelopes, Genesys' irregular days.
            ("2024-05-15T14:32:10.21Z", BASE + 210_000),
            ("2024-05-15T14:32:10.140+00:00", BASE + 140_000),
            ("2024-05-15T15:32:10+01:00", BASE),
            ("2024-05-15T15:32:10.458+01:00", BASE + 458_000),
            ("2024-05-15T15:32:10+0100", BASE),
            ("2024-05-15T15:32:10.458+0100", BASE + 458_000),
            ("2024-5-15T9:32:10.577-05:00", BASE + 577_000),
            ("2024-05-15t14:32:10,5z", BASE + 500_000),
            ("3000-01-01T00:00:00.000+00:00", 32_503_680_000_000_000),
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999Z", -1000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
        ] {
            assert_eq!(parse(text), Some(UtcMicros(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused_and_not_guessed() {
        for text in [
            "",
            "2024-05-15",
            "2024-05-15T14:32:10",
            "2024-05-15T14:32:10.Z",
            "2024-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-05-15T24:00:00Z",
            "2024-05-15T14:60:00Z",
            "2024-05-15T14:32:10+25:00",
            "2024-05-15T14:32:10+0,0:00",
            "2024-05-15T14:32:10.451+0,0:00",
            "2024-05-15T14:32:10 +01:00",
            "2024-05-15T14:32:10-0",
            "2024-05-15T00:00:00.000Z/2024-05-16T00:00:00.000Z",
            "05/15/2024 14:32:10",
            "5/15/2024 2:32:10 PM",
            "/Date(1715783530451)/",
            "2024-05-15T14:32:10ZZ",
            "24-05-15T14:32:10Z",
            "12024-05-15T14:32:10Z",
            "1715783530451",
            "2024-05-15T14:32:10Ü",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_calendar_is_the_calendar() {
        // Counted by hand from the length of every month over four centuries.
        let mut expected = days(1800, 1, 1).unwrap();
        for year in 1800..2200 {
            for month in 1..=12 {
                let mut day = 1;
                while let Some(found) = days(year, month, day) {
                    assert_eq!(found, expected, "{year}-{month}-{day}");
                    expected += 1;
                    day += 1;
                }
                assert!(day >= 29, "{year}-{month}");
            }
        }
        assert_eq!(days(1970, 1, 1), Some(0));
        assert_eq!(days(2200, 1, 1), Some(expected));
    }
}
