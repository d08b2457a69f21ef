//! What sealing costs: `cargo run --release -p runtime --example seal_speed`.

#![allow(clippy::unwrap_used, clippy::cast_precision_loss)] // a measurement that cannot be made has failed

use runtime::seal::{RawPlace, SealKeys, generated};
use std::hint::black_box;
use std::time::Instant;

const EVENTS: usize = 200_000;
/// Events sealed under one salt, as in one batch of `ingest normalise`.
const BATCH: usize = 256;

fn main() {
    let keys = SealKeys::parse("example", generated("k").unwrap().expose()).unwrap();
    let place = RawPlace {
        tenant: "acme",
        subscription: "hook",
        delivery: [7; 16],
    };
    for bytes in [500, 5_000, 50_000] {
        let event = vec![b'x'; bytes];
        let rounds = EVENTS * 500 / bytes;
        let begun = Instant::now();
        let mut last = Vec::new();
        for _ in 0..rounds / BATCH {
            let mut sealer = keys.sealer().unwrap();
            for _ in 0..BATCH {
                last = sealer.seal(black_box(&place), black_box(&event)).unwrap();
            }
        }
        let sealed = begun.elapsed().as_nanos() as f64 / (rounds / BATCH * BATCH) as f64;
        let begun = Instant::now();
        for _ in 0..rounds {
            black_box(keys.open("k", &place, black_box(&last)).unwrap());
        }
        let opened = begun.elapsed().as_nanos() as f64 / rounds as f64;
        println!("{bytes} bytes: {sealed:.0} ns to seal, {opened:.0} ns to open");
    }
}
