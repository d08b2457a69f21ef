//! Counting: which intervals the platform is to be asked to count next. Pure.
//!
//! An interval is counted once it has settled, and again at stated ages, for what comes late is counted late. After a time in which nobody asked
//! only the newest intervals are made up for: counts say whether numbers are to be trusted now, not what they were.

use crate::platforms::Counts;
use crate::sources::counts::Intervals;
use schema::UtcMicros;
use std::collections::BTreeMap;
use std::time::Duration;

/// Intervals that ended longer ago than this before their last time are not made up for.
const MADE_UP: Duration = Duration::from_secs(2 * 3600);

/// The intervals of which a count is due, from the first to the last: those between that are not due cost nothing more where one request brings
/// all of them. `counted` has the instant at which each was counted last, by its beginning.
pub(super) fn due(
    counts: &Counts,
    counted: &BTreeMap<UtcMicros, UtcMicros>,
    now: UtcMicros,
) -> Vec<(UtcMicros, UtcMicros)> {
    let length = micros(counts.interval).max(1);
    let newest = UtcMicros(now.0.saturating_sub(micros(counts.settle)));
    let first = UtcMicros(since(counts, now).0.div_euclid(length) * length);
    let last = newest.0.div_euclid(length) * length;
    let mut due = Vec::new();
    let mut from = first.0;
    while from < last {
        let end = from + length;
        let counted = counted.get(&UtcMicros(from));
        if counted.is_none_or(|at| *at < wanted(counts, end, now)) {
            due.push((UtcMicros(from), UtcMicros(end)));
        }
        from = end;
    }
    due
}

/// Nothing that ended before this is due.
pub(super) fn since(counts: &Counts, now: UtcMicros) -> UtcMicros {
    let last = counts.again.last().copied().unwrap_or_default();
    let back = micros(counts.settle + last + MADE_UP);
    UtcMicros(now.0.saturating_sub(back))
}

/// The last instant from which on a count of an interval that ended then was wanted.
fn wanted(counts: &Counts, end: i64, now: UtcMicros) -> UtcMicros {
    let settled = end.saturating_add(micros(counts.settle));
    let ages = counts.again.iter().map(|age| settled + micros(*age));
    let passed = ages.filter(|at| *at <= now.0).max();
    UtcMicros(passed.unwrap_or(settled))
}

/// As one stretch, for a platform that counts all of it at once.
pub(super) fn together(due: &[(UtcMicros, UtcMicros)], length: Duration) -> Option<Intervals> {
    Some(Intervals {
        from: due.first()?.0,
        to: due.last()?.1,
        length: micros(length),
    })
}

/// What it costs, in words.
pub(super) fn words(name: &str, counts: &Counts) -> String {
    let intervals = 86_400_u64.div_ceil(counts.interval.as_secs().max(1));
    let times = 1 + u64::try_from(counts.again.len()).unwrap_or(0);
    let again: Vec<String> = counts
        .again
        .iter()
        .map(|age| format!("{} s", age.as_secs()))
        .collect();
    let again = if again.is_empty() {
        String::new()
    } else {
        format!(" and again {} later", again.join(", "))
    };
    format!(
        "{name} is asked how many interactions began in each {} s, {} s after they ended{again}: at most {} requests a day",
        counts.interval.as_secs(),
        counts.settle.as_secs(),
        intervals * times
    )
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000_000;

    fn counts() -> Counts {
        Counts {
            interval: Duration::from_secs(900),
            settle: Duration::from_secs(300),
            again: vec![Duration::from_secs(1800)],
        }
    }

    fn at(minute: i64) -> UtcMicros {
        UtcMicros(minute * MINUTE)
    }

    fn starts(due: &[(UtcMicros, UtcMicros)]) -> Vec<i64> {
        due.iter().map(|(from, _)| from.0 / MINUTE).collect()
    }

    #[test]
    fn an_interval_is_due_when_it_has_settled_and_once_more_later() {
        let mut known: BTreeMap<UtcMicros, UtcMicros> =
            (-40..200).map(|nth| (at(nth * 15), at(100_000))).collect();
        known.remove(&at(600));
        let due_at = |known: &BTreeMap<_, _>, minute| starts(&due(&counts(), known, at(minute)));
        assert!(due_at(&known, 619).is_empty(), "600 to 615 settles at 620");
        assert_eq!(due_at(&known, 620), [600]);
        known.insert(at(600), at(620));
        assert!(due_at(&known, 649).is_empty());
        assert_eq!(due_at(&known, 650), [600]);
        known.insert(at(600), at(650));
        assert!(due_at(&known, 700).is_empty());
    }

    #[test]
    fn what_was_missed_for_long_is_left_out() {
        let due = due(&counts(), &BTreeMap::new(), at(10_000));
        // 5 to settle, 30 until the last count, 120 that are made up for.
        assert_eq!(starts(&due).first(), Some(&9_840));
        assert_eq!(starts(&due).last(), Some(&9_975));
        let all = together(&due, counts().interval).unwrap();
        assert_eq!((all.from, all.to), (at(9_840), at(9_990)));
        assert_eq!(all.each().count(), due.len());
        assert_eq!(together(&[], counts().interval), None);
    }

    #[test]
    fn what_it_costs_is_said() {
        assert_eq!(
            words("main", &counts()),
            "main is asked how many interactions began in each 900 s, 300 s after they ended and again 1800 s later: \
             at most 192 requests a day"
        );
        let once = Counts {
            again: vec![],
            ..counts()
        };
        assert!(
            words("main", &once).ends_with("300 s after they ended: at most 96 requests a day")
        );
    }

    proptest! {
        /// Whenever it is looked: each interval is counted as often as is stated and no more, and none of the newest is left out.
        #[test]
        fn each_interval_as_often_as_stated(pauses in proptest::collection::vec(1_i64..20, 50..200)) {
            let (counts, mut now) = (counts(), 100_000);
            let mut known = BTreeMap::new();
            let mut times: BTreeMap<UtcMicros, usize> = BTreeMap::new();
            let begin = now;
            for pause in pauses {
                now += pause;
                for (from, to) in due(&counts, &known, at(now)) {
                    prop_assert!(to.0 + 5 * MINUTE <= at(now).0);
                    known.insert(from, at(now));
                    *times.entry(from).or_default() += 1;
                }
            }
            for (from, times) in times {
                prop_assert!(times <= 2, "{from}");
                // Of an interval that was watched from its end on, until long after.
                if from > at(begin) && from.0 + 80 * MINUTE < at(now).0 {
                    prop_assert_eq!(times, 2);
                }
            }
        }
    }
}
