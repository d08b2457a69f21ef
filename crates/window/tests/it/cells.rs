//! Quarter hours of UTC, and windows and stretches taken apart into them.

use crate::utc;
use proptest::prelude::*;
use schema::UtcMicros;
use window::{CELL_MICROS, Cell, Day, Window, cover, split};

#[test]
fn a_cell_is_a_quarter_hour() {
    let cell = Cell::of(utc("2025-03-09T05:29"));
    assert_eq!(cell.start(), utc("2025-03-09T05:15"));
    assert_eq!(cell.end(), utc("2025-03-09T05:30"));
    assert_eq!(Cell::of(cell.end()), Cell(cell.0 + 1), "half-open");
    assert_eq!(cell.quarter(), 21);
    assert_eq!(cell.day(), Day::of(cell.start()));
    assert_eq!(cell.day().start(), utc("2025-03-09T00:00"));
    assert_eq!(cell.day().end(), utc("2025-03-10T00:00"));
    assert_eq!(cell.day().cell(21), cell);
    assert_eq!(Cell(-1).quarter(), 95);
    assert_eq!(Cell(-1).day(), Day(-1));
    assert_eq!(
        Day(0).cells().map(|cell| cell.0).collect::<Vec<_>>(),
        (0..96).collect::<Vec<_>>()
    );
}

#[test]
fn a_range_has_the_cells_that_it_touches() {
    let range = |from: i64, to: i64| -> Vec<i32> {
        Cell::range(UtcMicros(from), UtcMicros(to))
            .map(|cell| cell.0)
            .collect()
    };
    assert_eq!(range(0, CELL_MICROS), [0]);
    assert_eq!(range(0, CELL_MICROS + 1), [0, 1]);
    assert_eq!(range(-1, 1), [-1, 0]);
    assert_eq!(range(5, 5), [0; 0]);
    assert_eq!(range(5, 4), [0; 0]);
}

#[test]
fn a_window_is_covered_by_whole_days_and_what_is_left() {
    let of = |from, to| {
        cover(&Window {
            start: utc(from),
            end: utc(to),
        })
    };
    let day = Day::of(utc("2025-03-10T00:00")).0;
    let month = of("2025-02-28T23:00", "2025-03-31T22:00");
    assert_eq!(month.days, day - 9..day + 21);
    assert_eq!(month.quarters.len(), 4 + 22 * 4);
    assert_eq!(month.quarters[0].start(), utc("2025-02-28T23:00"));
    assert_eq!(month.quarters[4].start(), utc("2025-03-31T00:00"));
    let whole = of("2025-03-10T00:00", "2025-03-11T00:00");
    assert_eq!((whole.days, whole.quarters.len()), (day..day + 1, 0));
    let none = of("2025-03-10T00:15", "2025-03-11T23:45");
    assert!(none.days.is_empty() && none.quarters.len() == 190);
    assert!(none.quarters.is_sorted());
    let over = of("2025-03-10T23:45", "2025-03-11T00:15");
    assert!(over.days.is_empty() && over.quarters.len() == 2);
}

proptest! {
    #[test]
    fn the_parts_of_a_stretch_add_up_to_it(from in any::<i64>(), length in 0..3_000 * CELL_MICROS) {
        // The whole range of instants that PostgreSQL stores.
        let from = from / 4;
        let (from, to) = (UtcMicros(from), UtcMicros(from + length));
        let (mut at, mut parts) = (from, 0);
        for (cell, begin, end) in split(from, to) {
            prop_assert_eq!(begin, at, "no gap, no overlap");
            prop_assert!(begin < end);
            if cell.0 > i32::MIN && cell.0 < i32::MAX - 1 {
                prop_assert!(cell.start() <= begin && end <= cell.end());
            }
            (at, parts) = (end, parts + 1);
        }
        prop_assert_eq!(at, to);
        prop_assert_eq!(parts, Cell::range(from, to).len());
    }

    #[test]
    fn a_cover_has_the_cells_of_the_window_each_once(from in -100_000..100_000_i32, length in 1..4_000_i32) {
        let window = Window { start: Cell(from).start(), end: Cell(from + length).start() };
        let cover = cover(&window);
        let days = cover.days.clone().flat_map(|day| Day(day).cells());
        let mut cells: Vec<_> = days.chain(cover.quarters.iter().copied()).collect();
        cells.sort_unstable();
        prop_assert_eq!(cells, Cell::range(window.start, window.end).collect::<Vec<_>>());
        prop_assert!(cover.quarters.len() <= 190, "the least number of parts");
        prop_assert!(!cover.days.is_empty() || length < 191);
        prop_assert!(cover.quarters.is_sorted());
    }
}

#[test]
fn no_instant_is_too_far() {
    for at in [i64::MIN, i64::MAX] {
        let at = UtcMicros(at);
        let (cell, day) = (Cell::of(at), Day::of(at));
        let _ = (cell.start(), cell.end(), cell.day().start(), cell.quarter());
        let _ = (day.start(), day.end(), day.cell(95), day.cells().count());
    }
    let far = UtcMicros(i64::MAX);
    let parts: Vec<_> = split(UtcMicros(i64::MAX - 9), far).collect();
    assert_eq!(parts, [(Cell::of(far), UtcMicros(i64::MAX - 9), far)]);
}
