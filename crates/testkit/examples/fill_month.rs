//! Fills a migrated database with what a month of a large centre adds to windows: `cargo run -p testkit --example fill_month -- URL
//! [CALLS] [AGENTS]`. `deploy/local/bench.sh month` measures how long it takes to compute all of them.

#![allow(clippy::expect_used)] // a tool for people who work on this

use std::time::Instant;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("the database's URL comes first");
    let mut number = |default: usize| -> usize {
        let text = arguments.next();
        text.map_or(default, |text| text.parse().expect("numbers follow"))
    };
    let (calls, agents) = (number(1_000_000), number(2_000));
    let started = Instant::now();
    let filled = testkit::month::fill(&url, calls, agents).await;
    println!(
        "{calls} calls and {agents} agents: {} items, {} values in {:.1} s",
        filled.items,
        filled.values,
        started.elapsed().as_secs_f64()
    );
}
