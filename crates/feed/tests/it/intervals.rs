//! The receiver's intervals, on the days on which clocks are changed above all.

use crate::given::{at, zone};
use feed::{due, whole};
use proptest::prelude::*;
use schema::{Millis, UtcMicros};
use timezone::Zone;
use window::{Size, Window};

const HOUR: i64 = 3_600_000_000;

/// The intervals of one local day, which is given by two instants in UTC.
fn day(size: Size, name: &str, from: &str, to: &str) -> Vec<Window> {
    let day = whole(size, zone(name), at(from), at(to));
    for pair in day.windows(2) {
        assert_eq!(pair[0].end, pair[1].start, "no gap and no overlap");
    }
    assert_eq!(day.first().map(|window| window.start), Some(at(from)));
    assert_eq!(day.last().map(|window| window.end), Some(at(to)));
    day
}

#[test]
fn days_of_23_and_25_hours_have_46_and_50_half_hours() {
    let berlin = "Europe/Berlin";
    let spring = ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
    let autumn = ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
    for ((from, to), hours) in [(spring, 23), (autumn, 25)] {
        assert_eq!(day(Size::Quarter, berlin, from, to).len(), hours * 4);
        assert_eq!(day(Size::Half, berlin, from, to).len(), hours * 2);
        assert_eq!(day(Size::Hour, berlin, from, to).len(), hours);
        assert_eq!(day(Size::Day, berlin, from, to).len(), 1);
    }
}

/// Its clock is put back by half an hour: one hour is cut, and no half hour is missing.
#[test]
fn lord_howe_has_a_day_of_24_and_a_half_hours() {
    let name = "Australia/Lord_Howe";
    let (from, to) = ("2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z");
    assert_eq!(day(Size::Half, name, from, to).len(), 49);
    let hours = day(Size::Hour, name, from, to);
    let cut: Vec<i64> = hours
        .iter()
        .map(|window| window.end.0 - window.start.0)
        .filter(|micros| *micros != HOUR)
        .collect();
    assert_eq!(cut.iter().sum::<i64>() % HOUR, HOUR / 2, "{cut:?}");
    let (from, to) = ("2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z");
    assert_eq!(day(Size::Half, name, from, to).len(), 47);
}

#[test]
fn kathmandus_hours_begin_at_a_quarter_past() {
    let (from, to) = ("2026-06-01T18:15:00Z", "2026-06-02T18:15:00Z");
    let hours = day(Size::Hour, "Asia/Kathmandu", from, to);
    assert_eq!(hours.len(), 24);
    assert!(hours.iter().all(|hour| hour.start.0 % HOUR == HOUR / 4));
    let halves = day(
        Size::Half,
        "Asia/Kolkata",
        "2026-06-01T18:30:00Z",
        "2026-06-02T18:30:00Z",
    );
    assert_eq!(halves.len(), 48);
}

#[test]
fn an_interval_is_due_when_it_has_ended_long_enough_ago() {
    let berlin = zone("Europe/Berlin");
    let settle = Millis(20 * 60_000);
    let from = at("2026-10-25T00:00:00Z");
    let starts = |now: &str, most: usize| -> Vec<String> {
        due(Size::Half, berlin, from, at(now), settle, most)
            .iter()
            .map(|window| window.start.to_string())
            .collect()
    };
    assert!(starts("2026-10-25T00:49:59.999Z", 9).is_empty());
    assert_eq!(
        starts("2026-10-25T00:50:00Z", 9),
        ["2026-10-25T00:00:00.000Z"]
    );
    assert_eq!(
        starts("2026-10-25T03:00:00Z", 9).len(),
        5,
        "the second 02:00 and 02:30 are there"
    );
    assert_eq!(
        starts("2026-10-30T00:00:00Z", 2).len(),
        2,
        "the earliest first"
    );
    let amid = due(
        Size::Day,
        berlin,
        from,
        at("2026-10-27T00:00:00Z"),
        settle,
        9,
    );
    assert_eq!(
        amid.len(),
        1,
        "the day that had begun is not whole: {amid:?}"
    );
}

fn any_zone() -> impl Strategy<Value = Zone> {
    let names: Vec<&'static str> = timezone::all_names().collect();
    prop::sample::select(names).prop_map(zone)
}

proptest! {
    /// Whoever asks again and again from where it stopped gets every interval once, however it is cut.
    #[test]
    fn asking_again_from_where_it_stopped_gives_every_interval_once(
        zone in any_zone(), size in prop::sample::select(vec![Size::Quarter, Size::Half, Size::Hour, Size::Day]),
        begin in 0_i64..1_600_000_000, steps in prop::collection::vec((1_i64..400_000, 1_usize..50), 1..12),
    ) {
        let begin = UtcMicros(begin * 1_000_000);
        let (mut from, mut now) = (begin, begin);
        let mut found: Vec<Window> = Vec::new();
        for (seconds, most) in steps {
            now = UtcMicros(now.0 + seconds * 1_000_000);
            let some = due(size, zone, from, now, Millis(60_000), most);
            prop_assert!(some.len() <= most);
            if let Some(last) = some.last() {
                from = last.end;
            }
            found.extend(some);
        }
        found.extend(due(size, zone, from, now, Millis(60_000), usize::MAX));
        let at_once = due(size, zone, begin, now, Millis(60_000), usize::MAX);
        prop_assert_eq!(&found, &at_once);
        for pair in at_once.windows(2) {
            prop_assert_eq!(pair[0].end, pair[1].start);
        }
    }
}
