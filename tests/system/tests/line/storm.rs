//! Pitfall 45, and the day after: everything once more, several times, mixed anew, with fresh events among it.

use crate::harness::{Line, truth};
use bytes::Bytes;
use double::truth::Truth;
use double::workload::Workload;
use testkit::http;

/// How often everything comes again.
const TIMES: usize = 5;

/// The number of the interaction that an event of the workload is about.
fn number_of(event: &Bytes) -> u32 {
    let text = std::str::from_utf8(event).unwrap();
    let (_, rest) = text.split_once("\"int_").unwrap();
    rest.split('"').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_redeliveries_changes_no_row_spares_the_database_and_lets_fresh_events_through()
{
    let (old, fresh): (Vec<Bytes>, Vec<Bytes>) = Workload::new(360, 5)
        .events
        .into_iter()
        .partition(|event| number_of(event) < 300);
    let line = Line::start(|setup| setup).await;
    let look = line.look().await;
    let mut options = line.sender();
    options.per_post = 100;
    line.send(&options, old.clone()).await;
    look.wait_for(&truth(&old)).await;
    line.settle(&look, old.len() as u64).await;
    let before = look.rows(1).await;

    // Again in the same bodies: suspects.
    line.send(&options, old.clone()).await;
    // Again in other bodies and orders, with the fresh ones among them.
    let mut storm: Vec<Bytes> = Vec::new();
    for _ in 1..TIMES {
        storm.extend(old.iter().cloned());
    }
    let every = storm.len() / fresh.len();
    for (number, event) in fresh.iter().enumerate().rev() {
        storm.insert(number * every, event.clone());
    }
    options.shuffle_seed = Some(9);
    line.send(&options, storm).await;
    let all: Vec<Bytes> = old.iter().chain(&fresh).cloned().collect();
    look.wait_for(&truth(&all)).await;
    let received = old.len() * (1 + TIMES) + fresh.len();
    let counts = line.settle(&look, received as u64).await;
    let statements = Truth::of(all.iter().map(AsRef::as_ref)).statements;
    assert_eq!(counts.logged, i64::try_from(statements).unwrap());
    assert_eq!(
        counts.duplicates,
        i64::try_from(received - statements).unwrap()
    );

    let mut after = look.rows(1).await;
    after.retain(|key, _| before.contains_key(key));
    let changed = after
        .iter()
        .filter(|(key, row)| before.get(*key) != Some(row));
    assert_eq!(changed.count(), 0, "rows of before were written again");
    assert_eq!(after.len(), before.len());
    let seen = "SELECT sum(duplicates)::bigint FROM redeliveries WHERE subscription = 'main' AND tenant = 'acme'";
    assert_eq!(look.number(seen).await, counts.duplicates);
    let ops = line.ingest.ready.ops_address();
    let spared = http::metric(ops, "kpiline_ingest_duplicates_spared_total")
        .await
        .unwrap() as usize;
    assert!(
        spared >= old.len() * TIMES - old.len() / 10,
        "{spared} copies cost the database nothing"
    );
    let suspects = http::metric(ops, "kpiline_ingest_suspects_total")
        .await
        .unwrap() as usize;
    assert_eq!(
        suspects,
        old.len().div_ceil(100),
        "the bodies that came again as they were"
    );
}
