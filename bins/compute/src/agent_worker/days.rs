//! Which UTC days of an agent's time are to be computed.

use schema::UtcMicros;
use std::collections::BTreeSet;
use store::agents::AgentMark;
use window::Day;

/// 2000-01-01: what is dated earlier has no place in the store.
const FIRST: Day = Day(10_957);

/// The days that are marked, those since it was last computed, and today.
pub(super) fn to_compute(
    marks: &[AgentMark],
    computed_to: Option<UtcMicros>,
    as_of: UtcMicros,
) -> BTreeSet<Day> {
    let today = Day::of(as_of);
    let mut days = BTreeSet::from([today]);
    let mut add = |from: UtcMicros, to: UtcMicros| {
        let first = Day::of(from).max(FIRST);
        // Half-open; the marked instant's own day in any case.
        let last = Day::of(UtcMicros(to.0.saturating_sub(1)))
            .max(Day::of(from))
            .min(today);
        days.extend((first.0..=last.0).map(Day));
    };
    for mark in marks {
        add(mark.from, mark.to);
    }
    // Of whom nothing was computed yet, the time goes on where the last stretch ends.
    let since = computed_to.or_else(|| marks.iter().map(|mark| mark.to).max());
    if let Some(since) = since
        && since < as_of
    {
        add(since, as_of);
    }
    days
}

/// Days that follow one another, as half-open stretches.
pub(super) fn runs(days: &BTreeSet<Day>) -> Vec<(Day, Day)> {
    let mut runs: Vec<(Day, Day)> = Vec::new();
    for day in days {
        match runs.last_mut() {
            Some((_, end)) if *end == *day => *end = Day(day.0.saturating_add(1)),
            _ => runs.push((*day, Day(day.0.saturating_add(1)))),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 43_200_000_000;

    fn at(day: i32, micros: i64) -> UtcMicros {
        UtcMicros(Day(day).start().0 + micros)
    }

    fn mark(from: UtcMicros, to: UtcMicros) -> AgentMark {
        AgentMark {
            mark_id: 1,
            from,
            to,
        }
    }

    fn computed(marks: &[AgentMark], computed_to: Option<UtcMicros>, as_of: UtcMicros) -> Vec<i32> {
        let days = to_compute(marks, computed_to, as_of);
        days.into_iter().map(|day| day.0).collect()
    }

    #[test]
    fn what_is_marked_and_what_time_has_added_is_computed() {
        let today = at(20_010, NOON);
        let marked = [mark(at(20_000, NOON), at(20_002, 0))];
        assert_eq!(
            computed(&marked, Some(at(20_009, NOON)), today),
            [20_000, 20_001, 20_009, 20_010]
        );
        assert_eq!(computed(&[], Some(at(20_010, 5)), today), [20_010]);
    }

    #[test]
    fn the_time_of_whom_nothing_was_computed_goes_on_where_the_last_stretch_ends() {
        let marked = [
            mark(at(20_000, 0), at(20_000, NOON)),
            mark(at(20_005, 0), at(20_005, 9)),
        ];
        assert_eq!(
            computed(&marked, None, at(20_007, 1)),
            [20_000, 20_005, 20_006, 20_007]
        );
    }

    #[test]
    fn nothing_ahead_is_computed_and_nothing_of_another_century() {
        let marked = [
            mark(at(20_020, 0), at(20_030, 0)),
            mark(at(-5, 0), at(10_958, 0)),
        ];
        assert_eq!(
            computed(&marked, Some(at(20_010, 0)), at(20_010, NOON)),
            [10_957, 20_010]
        );
    }

    #[test]
    fn days_that_follow_one_another_are_one_run() {
        let days = BTreeSet::from([Day(1), Day(2), Day(4)]);
        assert_eq!(runs(&days), [(Day(1), Day(3)), (Day(4), Day(5))]);
    }
}
