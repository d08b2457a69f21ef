//! Sizes and rates: what the platform counts on its side.

use crate::world::{QUICK, World, faulty, limited};
use double::config::{Config, Fault, ItemFault, Phase, Script};
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(2);
const LIMIT: usize = 20;

/// The pace our side keeps: the same limit over the same window.
const PACED: &str = r#"
rate = { requests = 20, period = "2s", lapse = "200ms" }
timeouts = { connect = "1s", read = "1s", total = "1s" }
retry = { first = "50ms", longest = "500ms", breaker_failures = 3, breaker_cool_down = "200ms" }
"#;

fn status(status: u16, retry_after: Option<u64>, as_date: bool, store: bool) -> Fault {
    Fault::Status {
        status,
        retry_after,
        as_date,
        store,
    }
}

/// "Must show" 7, Genesys: 429 in both forms, 500, a time-out after the rows were stored, a gateway's 504 and a reset after they
/// were stored, failures inside a success; values that change meanwhile.
#[tokio::test]
async fn genesys_gets_each_last_value_once_through_every_fault_and_within_its_limits() {
    let partial = Fault::Partial {
        items: vec![
            ItemFault {
                index: 3,
                status: Some(429),
            },
            ItemFault {
                index: 7,
                status: None,
            },
            ItemFault {
                index: 50,
                status: Some(503),
            },
        ],
    };
    let config = Config {
        faults: Script::of([
            Phase::requests(2, Fault::None),
            Phase::requests(1, status(429, Some(1), false, false)),
            Phase::requests(1, status(429, Some(1), true, false)),
            Phase::requests(4, status(500, None, false, false)),
            Phase::requests(1, partial),
            Phase::requests(
                1,
                Fault::Stall {
                    millis: 3000,
                    store: true,
                },
            ),
            Phase::requests(1, status(504, None, false, true)),
            Phase::requests(1, Fault::Reset { store: true }),
            Phase::requests(1, status(503, Some(1), true, false)),
        ]),
        ..limited(LIMIT, WINDOW)
    };
    let mut world = World::genesys(config, PACED).await;
    let process = world.deliver().await;
    world.write_many(0, 4000, 0.0).await;
    world.wake().await;
    // Values that change while they wait, are on their way, or have been delivered.
    for round in 1..=4 {
        tokio::time::sleep(Duration::from_millis(700)).await; // spreads the changes over the faults
        world.write_many(1000 * (round - 1), 500, 1000.0).await;
    }
    world.drained(Duration::from_secs(60)).await;

    world.platform_has_everything_but(&[]);
    world.no_violations();
    world.every_push_has_a_fate().await;
    let snapshot = world.double.snapshot();
    assert!(snapshot.rows_max <= 100, "{snapshot:?}");
    assert!(
        world.double.max_requests_in_any_window(WINDOW) <= LIMIT,
        "{snapshot:?}"
    );
    for answer in ["429", "500", "503", "504", "reset"] {
        assert!(
            snapshot.pushes.contains_key(answer),
            "{answer} was met: {snapshot:?}"
        );
    }
    let rejected = world.counts().await.rejected;
    assert_eq!(rejected, 0, "trouble is no reason to refuse a row");
    drop(process);
}

/// "Must show" 7, CXone: 10,000 rows a request, through 429 and 500.
#[tokio::test]
async fn cxone_gets_ten_thousand_rows_a_request_and_no_more() {
    let config = faulty([
        Phase::requests(1, status(429, Some(1), true, false)),
        Phase::requests(1, status(500, None, false, false)),
        Phase::requests(
            1,
            Fault::Partial {
                items: vec![
                    ItemFault {
                        index: 11,
                        status: Some(429),
                    },
                    ItemFault {
                        index: 9999,
                        status: None,
                    },
                ],
            },
        ),
    ]);
    let extra = r#"
rate = { requests = 100, period = "10s" }
timeouts = { total = "20s" }
retry = { first = "50ms", longest = "500ms" }
"#;
    let mut world = World::cxone(config, extra).await;
    world.deliver().await.kill9(); // registers the target, so that what is written is queued
    world.write_many(0, 25_000, 0.0).await;
    let process = world.deliver().await;
    world.drained(Duration::from_secs(60)).await;

    world.platform_has_everything_but(&[]);
    world.no_violations();
    world.every_push_has_a_fate().await;
    let sizes: Vec<usize> = world.pushes().iter().map(|push| push.rows).collect();
    assert!(sizes.iter().all(|rows| *rows <= 10_000), "{sizes:?}");
    assert_eq!(sizes[0], 10_000, "batches are filled: {sizes:?}");
    drop(process);
}

/// Two replicas, one credential: the sum stays within the limit, no row is held by both, and when one is killed the other goes on.
#[tokio::test]
async fn two_replicas_share_one_limit_and_never_a_row() {
    let mut world = World::genesys(limited(LIMIT, WINDOW), PACED)
        .await
        .with_lease_margin("5s");
    let mut first = world.deliver().await;
    let second = world.deliver().await;
    world.write_many(0, 6000, 0.0).await;
    testkit::eventually(
        Duration::from_secs(20),
        "a third is delivered",
        async || world.pushes().len() >= 20,
    )
    .await;
    first.kill9();
    world.drained(Duration::from_secs(60)).await;

    for (key, cell) in world.double.table() {
        assert!(cell.value.is_some(), "{key:?}");
        assert!(cell.stored <= 2, "{key:?}: {cell:?}");
    }
    let twice = world
        .double
        .table()
        .values()
        .filter(|cell| cell.stored > 1)
        .count();
    assert!(
        twice <= 400,
        "only what the killed one had under way goes again, four requests at most: {twice}"
    );
    world.no_violations();
    world.every_push_has_a_fate().await;
    assert!(world.double.max_requests_in_any_window(WINDOW) <= LIMIT);
    drop(second);
}

/// Rows wait for nobody's poll when a hint comes.
#[tokio::test]
async fn a_row_is_pushed_soon_after_it_was_queued() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    let process = world.deliver().await;
    world.write_many(0, 1, 0.0).await;
    world.wake().await;
    world.drained(Duration::from_secs(5)).await;
    world.platform_has_everything_but(&[]);
    drop(process);
}
