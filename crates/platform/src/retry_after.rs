//! What a platform asked for when it said "later". Pure.
//!
//! Both forms of `Retry-After` (seconds, HTTP date), the junk that is met in the wild, and the places where Genesys says it
//! instead: the words of the 429 body and the `inin-ratelimit-reset` header.

use crate::instant::http_date;
use schema::UtcMicros;
use std::time::Duration;

/// The longest wait that is honoured. A platform that asks for a decade has a broken clock, and somebody should look.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The hint in the values of all `Retry-After` headers of one answer.
///
/// An HTTP date is measured against the platform's own clock, its `Date` header, so that its skew does not matter; without one,
/// against `now`. `platform_now` is what that clock shows as far as more than whole seconds are known ([`crate::platform_clock`]). A past date and 0 are hints of zero (the schedule's own minimum still holds). Seconds with a fraction are
/// rounded up. Signs, units, trailing junk and empty values are no hint. Of several headers the longest counts.
#[must_use]
pub fn hint<'a>(
    values: impl IntoIterator<Item = &'a str>,
    platform_date: Option<&str>,
    platform_now: Option<UtcMicros>,
    now: UtcMicros,
) -> Option<Duration> {
    let platform_now = match platform_date.and_then(|date| http_date(date, now)) {
        Some(date) => platform_now
            .unwrap_or(date)
            .clamp(date, UtcMicros(date.0.saturating_add(SECOND))),
        None => now,
    };
    values
        .into_iter()
        .filter_map(|value| one(value.trim(), platform_now, now))
        .max()
}

/// In microseconds.
const SECOND: i64 = 1_000_000;

fn one(value: &str, platform_now: UtcMicros, now: UtcMicros) -> Option<Duration> {
    if let Some(wait) = seconds(value) {
        return Some(wait);
    }
    let until = http_date(value, now)?;
    let wait = until.0.saturating_sub(platform_now.0).max(0).unsigned_abs();
    Some(Duration::from_micros(wait).min(LONGEST))
}

/// Whole or fractional seconds, digits only, rounded up and capped at [`LONGEST`].
#[must_use]
pub fn seconds(value: &str) -> Option<Duration> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    // Too many digits for a number is a wait beyond the cap, not junk.
    let whole: u64 = whole.parse().unwrap_or(u64::MAX);
    let up = u64::from(fraction.bytes().any(|b| b != b'0'));
    Some(Duration::from_secs(whole.saturating_add(up)).min(LONGEST))
}

/// The seconds in the words of a Genesys 429 body, "… Retry the request in `[42]` seconds".
#[must_use]
pub fn in_message(message: &str) -> Option<Duration> {
    let (_, rest) = message.split_once("in [")?;
    let (number, rest) = rest.split_once(']')?;
    if !rest.trim_start().starts_with("second") {
        return None;
    }
    seconds(number.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-27T12:00:00Z.
    const NOW: UtcMicros = UtcMicros::from_millis(1_795_780_800_000);

    fn check(values: &[&str], date: Option<&str>, expected: Option<u64>) {
        assert_eq!(
            hint(values.iter().copied(), date, None, NOW),
            expected.map(Duration::from_secs),
            "{values:?} at {date:?}"
        );
    }

    #[test]
    fn seconds_are_honoured_up_to_a_day() {
        check(&["120"], None, Some(120));
        check(&[" 120 "], None, Some(120));
        check(&["86400"], None, Some(86_400));
        check(&["99999999999999999999999"], None, Some(86_400));
        check(&["0"], None, Some(0));
    }

    #[test]
    fn a_fraction_is_rounded_up() {
        check(&["1.5"], None, Some(2));
        check(&["2.000"], None, Some(2));
    }

    #[test]
    fn the_three_date_forms_are_honoured() {
        check(&["Fri, 27 Nov 2026 12:02:00 GMT"], None, Some(120));
        check(&["Friday, 27-Nov-26 12:02:00 GMT"], None, Some(120));
        check(&["Fri Nov 27 12:02:00 2026"], None, Some(120));
    }

    #[test]
    fn a_past_date_is_a_wait_of_nothing_and_a_far_one_of_a_day() {
        check(&["Fri, 27 Nov 2026 11:00:00 GMT"], None, Some(0));
        check(&["Wed, 27 Nov 2086 11:00:00 GMT"], None, Some(86_400));
    }

    #[test]
    fn the_platforms_own_clock_decides() {
        let skewed = Some("Fri, 27 Nov 2026 10:00:00 GMT");
        check(&["Fri, 27 Nov 2026 10:00:30 GMT"], skewed, Some(30));
        // A Date header that is no date does not help, and does not hurt.
        check(
            &["Fri, 27 Nov 2026 12:00:30 GMT"],
            Some("yesterday"),
            Some(30),
        );
    }

    #[test]
    fn what_is_known_of_its_clock_counts_within_the_second_that_it_names() {
        let until = "Fri, 27 Nov 2026 12:00:02 GMT";
        let date = Some("Fri, 27 Nov 2026 12:00:00 GMT");
        let wait = |known: Option<i64>| {
            let known = known.map(|millis| UtcMicros(NOW.0 + millis * 1_000));
            hint([until], date, known, NOW).unwrap().as_millis()
        };
        assert_eq!(wait(None), 2_000);
        assert_eq!(wait(Some(400)), 1_600);
        assert_eq!(wait(Some(-700)), 2_000);
        assert_eq!(wait(Some(9_000)), 1_000);
    }

    #[test]
    fn junk_is_no_hint() {
        for junk in [
            "", " ", "-5", "+5", "120junk", "1e3", "0x10", "1.", ".5", "1.5.2", "two", "120, 60",
            "NaN", "inf", "٣",
        ] {
            check(&[junk], None, None);
        }
    }

    #[test]
    fn of_two_headers_the_longer_wait_counts() {
        check(&["5", "60"], None, Some(60));
        check(&["junk", "7"], None, Some(7));
    }

    #[test]
    fn genesys_says_it_in_words() {
        assert_eq!(
            in_message("Rate limit exceeded. Retry the request in [42] seconds"),
            Some(Duration::from_secs(42))
        );
        assert_eq!(in_message("Retry the request in [-1] seconds"), None);
        assert_eq!(in_message("in [42] years"), None);
        assert_eq!(in_message("later"), None);
    }
}
