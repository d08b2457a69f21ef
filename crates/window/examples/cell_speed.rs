//! What cells cost: `cargo run --release -p window --example cell_speed`.
//!
//! Prints, for days of one group that are like those of a quiet agent, a busy queue and a whole organisation, the bytes of a packed day
//! and the time to fill, pack, unpack and merge it; then what it takes to list windows and to name groups. The allocator is
//! compute's, as there.

// A measurement that cannot be made has failed.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

use schema::UtcMicros;
use std::hint::black_box;
use std::time::Instant;
use timezone::Zone;
use window::{
    CELL_MICROS, DayCells, Dimension, Dimensions, GroupBy, Measure, Size, Totals, Wants, windows,
};

/// As in compute.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SUMS: Wants = Wants {
    extremes: false,
    percentiles: false,
};
const ALL: Wants = Wants {
    extremes: true,
    percentiles: true,
};

/// Nanoseconds a round, of the best of eight parts: others may want the processor too.
fn time<T>(rounds: u32, mut what: impl FnMut() -> T) -> f64 {
    let rounds = (rounds / 8).max(1);
    let part = |_| {
        let begun = Instant::now();
        for _ in 0..rounds {
            black_box(what());
        }
        begun.elapsed().as_secs_f64() * 1e9 / f64::from(rounds)
    };
    (0..8).map(part).fold(f64::INFINITY, f64::min)
}

/// The same numbers every time, from 0 up to and without 1.
fn random(state: &mut u64) -> f64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

/// Sixteen definitions as a catalogue has them: eight counts and shares, four times, four times with percentiles.
fn fill(quarters: u8, items: u32) -> Vec<(u8, Totals)> {
    let mut state = 7;
    let quarter = |quarter| {
        let mut totals = Totals::default();
        for _ in 0..items {
            for definition in 1..=16 {
                #[allow(clippy::cast_possible_truncation)]
                let seconds = (-180.0 * (1.0 - random(&mut state)).ln() * 1000.0) as i64;
                let (sum, wants) = match definition {
                    1..=8 => (i64::from(seconds > 60_000), SUMS),
                    9..=12 => (seconds, SUMS),
                    _ => (seconds, ALL),
                };
                totals.add(definition, Measure { sum, weight: 1 }, wants);
            }
        }
        (quarter, totals)
    };
    (0..quarters).map(quarter).collect()
}

fn day(name: &str, quarters: u8, items: u32, rounds: u32) {
    let filled = fill(quarters, items);
    let cells = |filled: &[(u8, Totals)]| {
        let mut cells = DayCells::default();
        for (quarter, totals) in filled {
            cells.replace(*quarter, totals.entries().to_vec());
        }
        cells
    };
    let day = cells(&filled);
    let (packed, total) = (day.encode(), day.total().encode());
    assert_eq!(DayCells::decode(&packed).as_ref(), Ok(&day));
    let entries = f64::from(quarters) * 16.0;
    let added = entries * f64::from(items);
    println!(
        "{name}: {quarters} quarters × {items} items × 16 definitions; {} bytes a day ({:.1} an entry), {} its total",
        packed.len(),
        packed.len() as f64 / entries,
        total.len()
    );
    let line = |what: &str, nanos: f64, of: f64, unit: &str| {
        println!(
            "  {what:<28} {:>9.1} µs a day {:>8.1} ns {unit}",
            nanos / 1000.0,
            nanos / of
        );
    };
    line(
        "add every item",
        time(rounds / 8, || fill(quarters, items)),
        added,
        "an item",
    );
    line(
        "replace every quarter",
        time(rounds, || cells(&filled)),
        entries,
        "an entry",
    );
    line("encode", time(rounds, || day.encode()), entries, "an entry");
    line(
        "decode",
        time(rounds, || DayCells::decode(&packed)),
        entries,
        "an entry",
    );
    line(
        "total of the quarters",
        time(rounds, || day.total()),
        entries,
        "an entry",
    );
    let month = |totals: &mut Totals| {
        for _ in 0..31 {
            totals.merge_encoded(&total).unwrap();
        }
    };
    line(
        "merge a month's packed totals",
        time(rounds, || {
            let mut totals = Totals::default();
            month(&mut totals);
            totals
        }) / 31.0,
        16.0,
        "an entry",
    );
}

fn main() {
    println!("an aggregate is {} bytes", size_of::<window::Aggregate>());
    day("agent", 32, 1, 20_000);
    day("queue", 60, 20, 2_000);
    day("organisation", 96, 2_000, 16);

    let zone = Zone::parse("America/New_York").unwrap();
    let from = UtcMicros(1_741_500_000_000_000);
    for size in Size::ALL {
        let one = time(20_000, || {
            windows(size, zone, None, from, UtcMicros(from.0 + CELL_MICROS))
        });
        let month = windows(
            size,
            zone,
            None,
            from,
            UtcMicros(from.0 + 2_880 * CELL_MICROS),
        );
        println!(
            "window of a cell, {:<6} {one:>7.0} ns; {} in 30 days",
            size.name(),
            month.len()
        );
    }

    let by = GroupBy::new(vec![Dimension::Queue, Dimension::Media]);
    let of = Dimensions {
        queue: Some("3b1c4bd4-57b2-4f0a-9e8b-0d5f8a3f2c11"),
        media: Some("voice"),
        ..Dimensions::default()
    };
    let mut buffer = String::new();
    println!("a group's key: {:.0} ns", time(1_000_000, || by.key(&of)));
    println!(
        "  into a buffer: {:.0} ns",
        time(1_000_000, || {
            by.key_into(&of, &mut buffer);
            buffer.len()
        })
    );
}
