//! Windows, groups and aggregates as others see them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's own table is in order, or the test fails"
)]

mod aggregates;
mod calendar;
mod cells;
mod groups;
mod packing;
mod shifts;
mod sums;
mod tiling;

use proptest::prelude::*;
use schema::UtcMicros;
use timezone::{NaiveDate, NaiveTime, Side, Zone};
use window::{CELL_MICROS, Measure, Wants, Window};

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

/// The instant of a text such as `2025-03-09T05:00`, in UTC.
fn utc(text: &str) -> UtcMicros {
    let (date, time) = text.split_once('T').unwrap();
    let date: NaiveDate = date.parse().unwrap();
    let time = NaiveTime::parse_from_str(time, "%H:%M").unwrap();
    UtcMicros(Zone::UTC.resolve(date, time, Side::Earliest))
}

/// `2025-03-09T05:00 60` for each window: when it begins, and its minutes.
fn shown(windows: &[Window]) -> Vec<String> {
    let show = |window: &Window| {
        let minutes = (window.end.0 - window.start.0) / 60_000_000;
        format!("{:.16} {minutes}", window.start.to_string())
    };
    windows.iter().map(show).collect()
}

/// Any zone, and an instant from 1973 to 2037, half of the time near a change of its clock.
fn zone_and_instant() -> impl Strategy<Value = (Zone, UtcMicros)> {
    let names: Vec<_> = timezone::all_names()
        .chain(["+05:45", "-03:00", "+05:07", "-00:01"])
        .collect();
    let instant = 94_694_400_000_000..2_145_916_800_000_000_i64;
    let near = -3 * CELL_MICROS..3 * CELL_MICROS;
    (prop::sample::select(names), instant, prop::option::of(near)).prop_map(
        |(name, instant, near)| {
            let zone = zone(name);
            let change = zone.transitions(instant, 2_145_916_800_000_000);
            match (change.first(), near) {
                (Some(change), Some(near)) => (zone, UtcMicros(change.at_micros + near)),
                _ => (zone, UtcMicros(instant)),
            }
        },
    )
}

fn wants() -> impl Strategy<Value = Wants> {
    any::<(bool, bool)>().prop_map(|(extremes, percentiles)| Wants {
        extremes,
        percentiles,
    })
}

/// Counts, times and anything.
fn measure() -> impl Strategy<Value = Measure> {
    let sum = prop_oneof![0..2_i64, 0..7_200_000_i64, -500..500_i64, any::<i64>()];
    let weight = prop_oneof![3 => Just(1_i64), 1 => 0..900_000_i64, 1 => any::<i64>()];
    (sum, weight).prop_map(|(sum, weight)| Measure { sum, weight })
}
