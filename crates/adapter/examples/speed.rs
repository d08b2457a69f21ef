//! How fast a file of guide events is read: `cargo run --release -p adapter --example speed -- FILE decode|map ROUNDS`.
//!
//! Prints nanoseconds an event by the wall clock; on a busy machine divide the process's user time instead.

use schema::BodyFormat;
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    const USAGE: &str = "usage: speed FILE decode|map ROUNDS";
    let mut arguments = std::env::args().skip(1);
    let body = std::fs::read(arguments.next().ok_or(USAGE)?)?;
    let decode = match arguments.next().ok_or(USAGE)?.as_str() {
        "decode" => true,
        "map" => false,
        _ => return Err(USAGE.into()),
    };
    let rounds: usize = arguments.next().ok_or(USAGE)?.parse()?;
    let lines: Vec<&[u8]> = body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .collect();
    let mappings = adapter::Mappings::none();
    let start = Instant::now();
    for _ in 0..rounds {
        for line in &lines {
            if decode {
                black_box(adapter::guide::decode(line)?);
            } else {
                black_box(adapter::map(&BodyFormat::GenesysWebhook, line, &mappings)?);
            }
        }
    }
    let events = (lines.len() * rounds).max(1);
    println!(
        "{events} events, {} ns each",
        start.elapsed().as_nanos() / events as u128
    );
    Ok(())
}
