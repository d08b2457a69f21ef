//! The whole way: from items to cells to windows, against looking at every item for every window.

use crate::{zone, zone_and_instant};
use proptest::collection::vec;
use proptest::prelude::*;
use schema::UtcMicros;
use std::collections::BTreeMap;
use timezone::Schedule;
use window::{
    Aggregate, CELL_MICROS, Cell, DayCells, Measure, Size, Totals, Wants, Window, cover, split,
    windows,
};

const ALL: Wants = Wants {
    extremes: true,
    percentiles: true,
};

/// Cells by UTC day, packed.
type Days = BTreeMap<i32, (Vec<u8>, Vec<u8>)>;

fn packed(items: impl IntoIterator<Item = (Cell, Measure)>) -> Days {
    let mut cells = BTreeMap::<Cell, Totals>::new();
    for (cell, measure) in items {
        cells.entry(cell).or_default().add(1, measure, ALL);
    }
    let mut days = BTreeMap::<i32, DayCells>::new();
    for (cell, totals) in cells {
        let day = days.entry(cell.day().0).or_default();
        day.replace(cell.quarter(), totals.into_entries());
    }
    let pack = |day: DayCells| (day.encode(), day.total().encode());
    days.into_iter()
        .map(|(number, day)| (number, pack(day)))
        .collect()
}

/// What a window comes to, out of the cells.
fn merged(days: &Days, window: &Window) -> Aggregate {
    let cover = cover(window);
    let mut totals = Totals::default();
    for (_, (_, total)) in days.range(cover.days) {
        totals.merge_encoded(total).unwrap();
    }
    for cell in cover.quarters {
        if let Some((quarters, _)) = days.get(&cell.day().0) {
            totals.merge_entries(DayCells::decode(quarters).unwrap().get(cell.quarter()));
        }
    }
    totals.get(1).cloned().unwrap_or_default()
}

fn size() -> impl Strategy<Value = Size> {
    prop::sample::select(&Size::ALL[..])
}

/// A place that never closes, in shifts.
fn shifts() -> Schedule {
    let text = "schedule = \"shifts\"\nversion = 1\n[weekly]\neveryday = [\"05:45-14:00\", \"14:00-22:30\", \"22:30-05:45\"]";
    Schedule::read(text).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn windows_add_up_to_the_total_and_hold_what_lies_in_them(
        (zone, around) in zone_and_instant(),
        size in size(),
        items in vec((-500..500_i64, 0..CELL_MICROS, -1_000..5_000_000_i64), 1..60),
    ) {
        let at = |(cells, micros, _): &(i64, i64, i64)| around.0 + cells * CELL_MICROS + micros;
        let measure = |item: &(i64, i64, i64)| Measure { sum: item.2, weight: 1 };
        let days = packed(items.iter().map(|item| (Cell::of(UtcMicros(at(item))), measure(item))));
        let (first, last) = (items.iter().map(at).min().unwrap(), items.iter().map(at).max().unwrap());
        let found = windows(size, zone, Some(&shifts()), UtcMicros(first), UtcMicros(last + 1));
        let mut total = Aggregate::default();
        for window in &found {
            let naive = items.iter().filter(|item| (window.start.0..window.end.0).contains(&at(item)));
            let mut expected = Aggregate::default();
            for item in naive {
                expected.add(measure(item), ALL);
            }
            let merged = merged(&days, window);
            prop_assert_eq!(&merged, &expected, "{} {:?}", size.name(), window);
            total.merge(&merged);
        }
        let mut expected = Aggregate::default();
        for item in &items {
            expected.add(measure(item), ALL);
        }
        prop_assert_eq!(total, expected);
    }

    #[test]
    fn time_split_over_windows_adds_up_to_the_time(
        (zone, around) in zone_and_instant(),
        size in size(),
        intervals in vec((-300 * CELL_MICROS..300 * CELL_MICROS, 0..100 * CELL_MICROS), 1..12),
    ) {
        let intervals: Vec<_> = intervals.into_iter().map(|(from, length)| {
            let from = around.0 + from;
            (UtcMicros(from), UtcMicros(from + length))
        }).collect();
        let parts = intervals.iter().flat_map(|(from, to)| split(*from, *to));
        let days = packed(parts.map(|(cell, from, to)| (cell, Measure { sum: to.0 - from.0, weight: 0 })));
        let from = intervals.iter().map(|(from, _)| *from).min().unwrap();
        let to = intervals.iter().map(|(_, to)| *to).max().unwrap();
        let mut total = 0;
        for window in windows(size, zone, Some(&shifts()), from, to) {
            let within = intervals.iter().map(|(from, to)| {
                ((*to).min(window.end).0 - (*from).max(window.start).0).max(0)
            });
            let merged = merged(&days, &window).sum();
            prop_assert_eq!(merged, i128::from(within.sum::<i64>()));
            total += merged;
        }
        let whole: i64 = intervals.iter().map(|(from, to)| to.0 - from.0).sum();
        prop_assert_eq!(total, i128::from(whole));
    }
}

#[test]
fn a_ratio_of_a_day_is_that_of_its_sums() {
    // Two calls of 60 and 120 s in one quarter, one of 600 s in another: a mean of means would say 345 s.
    let at = |text| Cell::of(crate::utc(text));
    let value = |sum| Measure { sum, weight: 1 };
    let days = packed([
        (at("2025-03-09T12:00"), value(60_000)),
        (at("2025-03-09T12:00"), value(120_000)),
        (at("2025-03-09T20:00"), value(600_000)),
    ]);
    let (from, to) = (
        crate::utc("2025-03-09T12:00"),
        crate::utc("2025-03-09T13:00"),
    );
    let day = windows(Size::Day, zone("America/New_York"), None, from, to)[0];
    let day = merged(&days, &day);
    assert_eq!(
        (day.sum(), day.weight(), day.sum() / day.weight()),
        (780_000, 3, 260_000)
    );
}
