//! Windows cover the time line: no gap, no overlap, the same whatever is asked for.

use crate::{zone, zone_and_instant};
use proptest::prelude::*;
use schema::UtcMicros;
use timezone::Zone;
use window::{CELL_MICROS, Size, Window, windows};

const SIZES: [Size; 6] = [
    Size::Quarter,
    Size::Half,
    Size::Hour,
    Size::Day,
    Size::Week,
    Size::Month,
];

fn check(size: Size, zone: Zone, from: UtcMicros, to: UtcMicros) -> Vec<Window> {
    let found = windows(size, zone, None, from, to);
    let told = format!("{} {zone} {from} {to}: {found:?}", size.name());
    let (first, last) = (found.first().unwrap(), found.last().unwrap());
    assert!(first.start <= from && from < first.end, "{told}");
    assert!(last.start < to && to <= last.end, "{told}");
    for pair in found.windows(2) {
        assert_eq!(pair[0].end, pair[1].start, "{told}");
    }
    for window in &found {
        assert!(window.start < window.end, "{told}");
        assert_eq!(window.start.0.rem_euclid(CELL_MICROS), 0, "{told}");
        assert_eq!(window.end.0.rem_euclid(CELL_MICROS), 0, "{told}");
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn windows_cover_the_time_line_whatever_is_asked_for(
        (zone, around) in zone_and_instant(),
        size in prop::sample::select(&SIZES[..]),
        before in 0..400 * CELL_MICROS,
        after in 1..400 * CELL_MICROS,
        cut in any::<prop::sample::Index>(),
        length in 1..3 * CELL_MICROS,
    ) {
        let (from, to) = (UtcMicros(around.0 - before), UtcMicros(around.0 + after));
        let found = check(size, zone, from, to);
        // A part of the stretch has those windows of the whole that overlap it.
        let cut = from.0 + i64::try_from(cut.index(usize::try_from(to.0 - from.0).unwrap())).unwrap();
        let (cut, end) = (UtcMicros(cut), UtcMicros((cut + length).min(to.0)));
        let overlap = found.iter().filter(|window| window.start < end && window.end > cut);
        prop_assert_eq!(windows(size, zone, None, cut, end), overlap.copied().collect::<Vec<_>>());
    }

    #[test]
    fn a_window_of_the_clock_shows_one_stretch_of_it((zone, at) in zone_and_instant()) {
        for (size, minutes) in [(Size::Quarter, 15), (Size::Half, 30), (Size::Hour, 60)] {
            let window = check(size, zone, at, UtcMicros(at.0 + 1))[0];
            let (first, last) = (zone.local(window.start.0), zone.local(window.end.0 - 1));
            let exact = first.offset_seconds % 900 == 0 && first.offset_seconds == last.offset_seconds;
            let moved = zone.transitions(window.start.0, window.end.0 + 1).iter().any(|c| c.at_micros % CELL_MICROS != 0);
            if exact && !moved {
                prop_assert_eq!(first.minute_of_day() / minutes, last.minute_of_day() / minutes);
                prop_assert_eq!(first.date, last.date);
                let long = i64::from(minutes) * 60_000_000;
                if window.end.0 - window.start.0 < long {
                    // Cut by a change at one of its ends.
                    let changes = zone.transitions(window.start.0, window.end.0 + 1);
                    prop_assert!(!changes.is_empty());
                }
            } else {
                let changes = zone.transitions(window.start.0, window.end.0 + 1);
                prop_assert!(first.offset_seconds % 900 != 0 || changes.iter().any(|c| c.at_micros % CELL_MICROS != 0));
            }
        }
    }
}

#[test]
fn every_zone_is_covered_around_its_changes() {
    let (begin, end) = (94_694_400_000_000, 2_145_916_800_000_000);
    for name in timezone::all_names() {
        let zone = zone(name);
        let changes = zone.transitions(begin, end);
        let some = changes.iter().step_by(changes.len() / 12 + 1);
        for change in some.map(|change| change.at_micros).chain([begin, end]) {
            for size in SIZES {
                let reach = if size < Size::Day { 8 } else { 200 } * CELL_MICROS;
                check(
                    size,
                    zone,
                    UtcMicros(change - reach),
                    UtcMicros(change + reach),
                );
            }
        }
    }
}

#[test]
fn the_years_from_1973_to_2037_are_covered_by_days_weeks_and_months() {
    let (begin, end) = (
        UtcMicros(94_694_400_000_000),
        UtcMicros(2_145_916_800_000_000),
    );
    for name in [
        "Europe/Berlin",
        "America/St_Johns",
        "Pacific/Apia",
        "Africa/Casablanca",
        "Asia/Gaza",
    ] {
        let days = check(Size::Day, zone(name), begin, end);
        let weeks = check(Size::Week, zone(name), begin, end);
        let months = check(Size::Month, zone(name), begin, end);
        for larger in weeks.iter().chain(&months) {
            // The first and the last reach beyond the days that were asked for.
            if larger.start < days[0].start || larger.end > days[days.len() - 1].end {
                continue;
            }
            let first = days.partition_point(|day| day.start < larger.start);
            let after = days.partition_point(|day| day.start < larger.end);
            assert_eq!(days[first].start, larger.start, "{name}");
            assert_eq!(days[after - 1].end, larger.end, "{name}");
            assert!((6..=31).contains(&(after - first)), "{name} {larger:?}");
        }
        assert!(
            (65 * 12..=65 * 12 + 2).contains(&months.len()),
            "{name} {}",
            months.len()
        );
    }
}

#[test]
fn nothing_is_asked_for_and_nothing_found() {
    let at = UtcMicros(1_741_500_000_000_000);
    for size in Size::ALL {
        assert!(windows(size, Zone::UTC, None, at, at).is_empty());
        assert!(windows(size, Zone::UTC, None, at, UtcMicros(at.0 - 1)).is_empty());
    }
}

#[test]
fn no_instant_is_too_far() {
    for zone in ["Europe/Berlin", "+05:07", "UTC"].map(zone) {
        for size in SIZES {
            for at in [i64::MIN, i64::MAX - 1, 8_000_000_000_000_000_000] {
                windows(size, zone, None, UtcMicros(at), UtcMicros(at + 1));
            }
        }
    }
}
