//! Nanoseconds an event for decoding and mapping the lines of a file: `cargo run --release -p adapter --example speed -- FILE`.

use schema::BodyFormat;
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: speed FILE")?;
    let body = std::fs::read(path)?;
    let lines: Vec<&[u8]> = body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .collect();
    let mappings = adapter::Mappings::none();
    for round in 0..3 {
        let start = Instant::now();
        for line in &lines {
            black_box(adapter::guide::decode(line)?);
        }
        let decoded = start.elapsed().as_nanos() / lines.len() as u128;
        let start = Instant::now();
        for line in &lines {
            black_box(adapter::map(&BodyFormat::GenesysWebhook, line, &mappings)?);
        }
        let mapped = start.elapsed().as_nanos() / lines.len() as u128;
        println!(
            "round {round}: {} events, decode {decoded} ns, map with digest {mapped} ns",
            lines.len()
        );
    }
    Ok(())
}
