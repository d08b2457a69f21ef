//! Fills a migrated database with made-up calls, to try previews on: `cargo run -p testkit --example fill -- URL [CALLS] [METRIC@VERSION …]`.

#![allow(clippy::expect_used)] // a tool for people who work on this

use schema::MetricVersion;
use std::time::Instant;
use store::{Store, StoreConfig};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("the database's URL comes first");
    let calls: usize = arguments
        .next()
        .map_or(100_000, |text| text.parse().expect("CALLS is a number"));
    let metrics: Vec<String> = arguments.collect();
    let metrics: Vec<(&str, MetricVersion)> = metrics
        .iter()
        .map(|metric| {
            let (name, version) = metric.split_once('@').expect("METRIC@VERSION");
            let version = version.parse().expect("VERSION is a number");
            (name, MetricVersion(version))
        })
        .collect();
    let store = Store::connect(StoreConfig::new(url, "kpiline fill"))
        .await
        .expect("the URL is valid");
    let started = Instant::now();
    testkit::history::fill(&store, calls, &metrics).await;
    println!("{calls} calls in {:.1} s", started.elapsed().as_secs_f64());
}
