//! What a subscription usually delivers at an hour of the week. Pure.
//!
//! A centre that is closed at night says nothing at night; a silence is worth a word when events would have come in it.

use schema::UtcMicros;
use std::collections::BTreeMap;

const HOUR: i64 = 3_600_000_000;
const WEEK: i64 = 7 * 24 * HOUR;
/// Weeks that are looked back on.
pub const WEEKS: i64 = 4;
/// A silence longer than this is one whatever is usual.
const LONGEST: i64 = 3 * 24 * HOUR;
/// A rate is of no shorter time: a first event is no rate.
const LEAST_WATCHED: i64 = 10_000_000;
/// So many events that were to be expected make a silence worth a word.
pub const EXPECTED_MIN: f64 = 3.0;

/// Events by hour of reception.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usual(BTreeMap<i64, i64>);

impl Usual {
    /// From the events of each of the past hours; hours without any may be absent.
    pub fn new(hours: &[(UtcMicros, i64)]) -> Self {
        Self(
            hours
                .iter()
                .map(|(hour, events)| (hour.0.div_euclid(HOUR), (*events).max(0)))
                .collect(),
        )
    }

    /// How many events would have come in a stretch that begins with the last one that did, at the rate of that hour and the one before it:
    /// for whoever knows no week yet. `since` is when watching began.
    pub fn recently(&self, since: UtcMicros, last: UtcMicros, to: UtcMicros) -> f64 {
        let hour = last.0.div_euclid(HOUR);
        let events: i64 = [hour - 1, hour]
            .iter()
            .filter_map(|hour| self.0.get(hour))
            .sum();
        let began = ((hour - 1) * HOUR).max(since.0);
        let watched = last.0.saturating_sub(began).max(LEAST_WATCHED);
        to_f64(events) * to_f64(to.0.saturating_sub(last.0).max(0)) / to_f64(watched)
    }

    /// How many events would have come in a stretch, as the weeks before had them at the same hours; `None` where less than a week is known.
    ///
    /// Hours are UTC's, and a centre lives by its wall clock: in the weeks after a change of the clocks everything comes an hour earlier or
    /// later, from some hour of the stretch on. It is the least of the three.
    pub fn expected(&self, from: UtcMicros, to: UtcMicros) -> Option<f64> {
        let oldest = *self.0.keys().next()?;
        let (first, last) = (from.0.div_euclid(HOUR), to.0.div_euclid(HOUR));
        let week = WEEK / HOUR;
        if first - week < oldest {
            return None;
        }
        let usually = |hour: i64| {
            let known: Vec<i64> = (1..=WEEKS)
                .map(|weeks| hour - weeks * week)
                .filter(|hour| *hour >= oldest)
                .map(|hour| self.0.get(&hour).copied().unwrap_or(0))
                .collect();
            let sum: i64 = known.iter().sum();
            to_f64(sum) / to_f64(i64::try_from(known.len().max(1)).unwrap_or(1))
        };
        let (mut same, mut earlier, mut later) = (0.0_f64, 0.0_f64, 0.0_f64);
        // Bounded, whatever the stretch is.
        for hour in first..=last.min(first + LONGEST / HOUR) {
            let begins = from.0.max(hour * HOUR);
            let ends = to.0.min((hour + 1) * HOUR);
            let share = to_f64(ends.saturating_sub(begins).max(0)) / to_f64(HOUR);
            // The clocks may have been changed before any of the hours, once.
            later = later.min(same) + share * usually(hour - 1);
            earlier = earlier.min(same) + share * usually(hour + 1);
            same += share * usually(hour);
        }
        Some(same.min(earlier).min(later))
    }
}

/// Whether a silence is worth a word.
pub fn is_unusual(usual: &Usual, from: UtcMicros, to: UtcMicros) -> bool {
    to.0.saturating_sub(from.0) >= LONGEST
        || usual
            .expected(from, to)
            .is_none_or(|expected| expected >= EXPECTED_MIN)
}

#[allow(clippy::cast_precision_loss)] // counts of events and parts of an hour: far below 2^53
fn to_f64(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: i64 = 1_714_348_800_000_000; // 2024-04-29T00:00:00Z

    /// 60 events in each hour from 8 to 18 on weekdays, for two weeks from the Monday.
    fn office() -> Usual {
        let mut hours = Vec::new();
        for day in (0..14).filter(|day| day % 7 < 5) {
            for hour in 8..18 {
                hours.push((UtcMicros(MONDAY + (day * 24 + hour) * HOUR), 60));
            }
        }
        Usual::new(&hours)
    }

    fn at(day: i64, hour: i64, minutes: i64) -> UtcMicros {
        UtcMicros(MONDAY + (day * 24 + hour) * HOUR + minutes * HOUR / 60)
    }

    #[test]
    fn a_night_is_no_silence_and_a_morning_is() {
        let usual = office();
        // The third week: Monday evening to Tuesday morning.
        assert!(!is_unusual(&usual, at(14, 17, 59), at(15, 8, 1)));
        assert!(is_unusual(&usual, at(14, 17, 59), at(15, 9, 4)));
        // Friday evening to Sunday evening.
        assert!(!is_unusual(&usual, at(18, 18, 0), at(20, 20, 0)));
        let expected = usual.expected(at(15, 9, 0), at(15, 9, 30)).unwrap();
        assert!((expected - 30.0).abs() < 1e-9, "{expected}");
    }

    #[test]
    fn what_comes_an_hour_later_or_earlier_by_utc_since_the_clocks_were_changed_is_usual() {
        let usual = office();
        // The clocks were put back on Sunday: what began at eight begins at nine.
        assert!(!is_unusual(&usual, at(18, 17, 59), at(21, 9, 1)));
        assert!(is_unusual(&usual, at(18, 17, 59), at(21, 9, 4)));
        // They were put forward: what ended at six ends at five.
        assert!(!is_unusual(&usual, at(21, 16, 59), at(21, 18, 30)));
        // In the middle of the day it makes no difference.
        assert!(is_unusual(&usual, at(21, 11, 0), at(21, 11, 6)));
    }

    #[test]
    fn whoever_knows_no_week_goes_by_the_last_hours_before_the_silence() {
        let usual = Usual::new(&[(at(0, 9, 0), 300), (at(0, 10, 0), 300)]);
        let (watched, last) = (at(-3, 0, 0), at(0, 10, 30));
        // 600 in an hour and a half.
        for (minutes, wanted) in [(30, 0.0), (33, 20.0), (60, 200.0)] {
            let expected = usual.recently(watched, last, at(0, 10, minutes));
            assert!((expected - wanted).abs() < 1e-9, "{minutes}: {expected}");
        }
        // However long the silence lasts: it is the rate before it.
        let later = usual.recently(watched, last, at(1, 10, 30));
        assert!((later - 9_600.0).abs() < 1e-6, "{later}");
        // Watched for ten minutes only.
        let usual = Usual::new(&[(at(0, 10, 0), 100)]);
        let expected = usual.recently(at(0, 10, 20), last, at(0, 10, 40));
        assert!((expected - 100.0).abs() < 1e-9, "{expected}");
        assert!(Usual::default().recently(last, last, at(0, 12, 0)) < f64::EPSILON);
    }

    #[test]
    fn three_days_are_a_silence_in_any_case_and_so_is_all_while_nothing_is_usual_yet() {
        assert!(is_unusual(&office(), at(18, 18, 0), at(21, 18, 0)));
        assert!(is_unusual(&Usual::default(), at(0, 3, 0), at(0, 4, 0)));
        // In the first week nobody knows what the hour is like.
        assert!(is_unusual(&office(), at(1, 3, 0), at(1, 4, 0)));
    }
}
