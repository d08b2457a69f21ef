//! Instants as HTTP and JSON write them: HTTP dates in, RFC 3339 out. Integer arithmetic only, no zone, no clock.

use schema::UtcMicros;

const DAY_SECONDS: i64 = 86_400;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (months from 1).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// An instant as `2026-05-15T14:32:10.451Z`: UTC, milliseconds, a literal `Z` (CXone refuses `+00:00`).
#[must_use]
pub fn rfc3339_millis(at: UtcMicros) -> String {
    let seconds = at.seconds();
    let millis = at.millis().rem_euclid(1000);
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY_SECONDS));
    let of_day = seconds.rem_euclid(DAY_SECONDS);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// A run of one to `max` ASCII digits as a number; nothing else is one (no sign, no blank).
fn digits(text: &str, max: usize) -> Option<i64> {
    if text.is_empty() || text.len() > max || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// `14:32:10` as seconds of the day.
fn time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let mut next = |limit: i64| {
        parts
            .next()
            .filter(|part| part.len() == 2)
            .and_then(|part| digits(part, 2))
            .filter(|value| *value < limit)
    };
    // 60 is a leap second, which HTTP allows to be written.
    let (hours, minutes, seconds) = (next(24)?, next(60)?, next(61)?);
    parts
        .next()
        .is_none()
        .then_some(hours * 3600 + minutes * 60 + seconds)
}

fn month_number(name: &str) -> Option<i64> {
    MONTHS
        .iter()
        .zip(1..)
        .find_map(|(month, number)| (*month == name).then_some(number))
}

fn instant(year: i64, month: i64, day: i64, of_day: i64) -> Option<UtcMicros> {
    let days = days_from_civil(year, month, day);
    // A date that does not exist (31 February) would come back as another one.
    (civil_from_days(days) == (year, month, day))
        .then(|| UtcMicros::from_millis((days * DAY_SECONDS + of_day) * 1000))
}

/// An HTTP date in its three forms: `Sun, 06 Nov 1994 08:49:37 GMT`, and the two old ones, `Sunday, 06-Nov-94 08:49:37 GMT` and
/// `Sun Nov  6 08:49:37 1994`. `now` decides the century of the two-digit year (never more than 50 years ahead).
///
/// Returns `None` for everything else; a lone number is no date.
#[must_use]
pub fn http_date(text: &str, now: UtcMicros) -> Option<UtcMicros> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    match words.as_slice() {
        [weekday, day, month, year, time, "GMT"] if weekday.ends_with(',') && year.len() == 4 => {
            instant(
                digits(year, 4)?,
                month_number(month)?,
                digits(day, 2)?,
                time_of_day(time)?,
            )
        }
        [weekday, date, time, "GMT"] if weekday.ends_with(',') => {
            let mut parts = date.split('-');
            let day = digits(parts.next()?, 2)?;
            let month = month_number(parts.next()?)?;
            let short = parts.next().filter(|year| year.len() == 2)?;
            let short = digits(short, 2)?;
            if parts.next().is_some() {
                return None;
            }
            let (this_year, _, _) = civil_from_days(now.seconds().div_euclid(DAY_SECONDS));
            let mut year = this_year.div_euclid(100) * 100 + short;
            if year > this_year + 50 {
                year -= 100;
            }
            instant(year, month, day, time_of_day(time)?)
        }
        [weekday, month, day, time, year] if weekday.len() == 3 && year.len() == 4 => instant(
            digits(year, 4)?,
            month_number(month)?,
            digits(day, 2)?,
            time_of_day(time)?,
        ),
        _ => None,
    }
}

/// An instant as platforms write it in JSON: any number of fraction digits or none (beyond microseconds they are cut off), `Z` or an
/// offset. Without either it is no instant: whose clock it was would be a guess.
#[must_use]
pub fn parse(text: &str) -> Option<UtcMicros> {
    let text = text.trim();
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let mut parts = date.split('-');
    let year = parts.next().filter(|year| year.len() == 4)?;
    let (month, day) = (parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = rest.split_at(at);
    let (time, fraction) = time.split_once(['.', ',']).unwrap_or((time, "0"));
    let midnight = instant(digits(year, 4)?, digits(month, 2)?, digits(day, 2)?, 0)?;
    let seconds = time_of_day(time)? - offset(zone)?;
    Some(UtcMicros(
        midnight.0 + seconds * 1_000_000 + micros(fraction)?,
    ))
}

/// Digits after the point as microseconds.
fn micros(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let kept = fraction.get(..6).unwrap_or(fraction);
    digits(&format!("{kept:0<6}"), 6)
}

/// `Z`, `+02`, `+0200` or `+02:00` as seconds.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let rest: String = zone.get(1..)?.split(':').collect();
    let (hours, minutes) = match rest.len() {
        2 => (digits(&rest, 2)?, 0),
        4 => (digits(rest.get(..2)?, 2)?, digits(rest.get(2..)?, 2)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A half-open stretch of time as Genesys wants it, `from/to`. A fraction of a millisecond makes it longer, never shorter.
#[must_use]
pub fn interval(from: UtcMicros, to: UtcMicros) -> String {
    format!("{}/{}", rfc3339_millis(from), rfc3339_millis(up(to)))
}

/// The next whole millisecond.
pub(crate) const fn up(at: UtcMicros) -> UtcMicros {
    UtcMicros::from_millis(UtcMicros(at.0.saturating_add(999)).millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: UtcMicros = UtcMicros::from_millis(1_795_000_000_000); // November 2026

    #[test]
    fn the_three_forms_of_an_http_date_are_one_instant() {
        let expected = Some(UtcMicros::from_millis(784_111_777_000));
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT", NOW), expected);
        assert_eq!(http_date("Sunday, 06-Nov-94 08:49:37 GMT", NOW), expected);
        assert_eq!(http_date("Sun Nov  6 08:49:37 1994", NOW), expected);
    }

    #[test]
    fn what_is_no_date_is_no_date() {
        for text in [
            "",
            "120",
            "2026",
            "-5",
            "Sun, 31 Feb 2026 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 +0100",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94-1 08:49:37 GMT",
        ] {
            assert_eq!(http_date(text, NOW), None, "{text:?}");
        }
    }

    #[test]
    fn a_two_digit_year_is_near_the_present() {
        let year_2027 = http_date("Friday, 01-Jan-27 00:00:00 GMT", NOW).unwrap();
        assert_eq!(rfc3339_millis(year_2027), "2027-01-01T00:00:00.000Z");
    }

    #[test]
    fn instants_before_the_epoch_and_on_leap_days_are_written_right() {
        assert_eq!(rfc3339_millis(UtcMicros(-1)), "1969-12-31T23:59:59.999Z");
        assert_eq!(
            rfc3339_millis(UtcMicros::from_millis(1_709_164_800_451)),
            "2024-02-29T00:00:00.451Z"
        );
    }

    /// Pitfall 8: the platform trims fractions, and writes its own.
    #[test]
    fn pitfall_8_every_way_of_writing_an_instant_is_read() {
        let base = 1_715_783_530_000_000;
        for (text, micros) in [
            ("2024-05-15T14:32:10Z", base),
            ("2024-05-15T14:32:10.4Z", base + 400_000),
            ("2024-05-15T14:32:10.451Z", base + 451_000),
            ("2024-05-15T14:32:10.451123456Z", base + 451_123),
            ("2024-05-15T16:32:10+02:00", base),
            ("2024-05-15T09:02:10-0530", base),
            ("2024-05-15 16:32:10+02", base),
        ] {
            assert_eq!(parse(text), Some(UtcMicros(micros)), "{text}");
        }
    }

    /// Pitfall 7: what has no zone is no instant, and what goes out has one.
    #[test]
    fn pitfall_7_no_instant_without_a_zone() {
        for text in [
            "2024-05-15T14:32:10",
            "2024-05-15",
            "2024-05-15T14:32:10.Z",
            "2024-05-15T14:32:10+25:00",
            "2024-02-30T14:32:10Z",
            "",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        let stretch = interval(
            UtcMicros(1_715_783_530_000_900),
            UtcMicros(1_715_783_590_000_001),
        );
        assert_eq!(
            stretch, "2024-05-15T14:32:10.000Z/2024-05-15T14:33:10.001Z",
            "and it covers at least what was asked for"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(millis in -62_000_000_000_000_i64..250_000_000_000_000) {
            let at = UtcMicros::from_millis(millis);
            prop_assert_eq!(parse(&rfc3339_millis(at)), Some(at));
        }

        #[test]
        fn reading_an_instant_never_panics(text in "\\PC*") {
            prop_assert!(parse(&text).is_none() || text.contains(':'));
        }

        #[test]
        fn days_and_dates_are_two_ways_of_writing_one_thing(days in -1_000_000i64..4_000_000) {
            let (year, month, day) = civil_from_days(days);
            prop_assert_eq!(days_from_civil(year, month, day), days);
            prop_assert!((1..=12).contains(&month) && (1..=31).contains(&day));
        }

        #[test]
        fn reading_a_date_never_panics(text in "\\PC*") {
            let read = http_date(&text, NOW);
            prop_assert!(read.is_none() || text.contains(':'));
        }
    }
}
