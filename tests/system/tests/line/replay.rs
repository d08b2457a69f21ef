//! History recomputed under a new version, beside the one in use.

use crate::harness::{Line, PATIENCE, difference, truth};
use double::workload::Workload;
use testkit::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_puts_version_two_beside_version_one_which_does_not_change_by_a_bit() {
    let workload = Workload::new(200, 8);
    let expected = truth(&workload.events);
    let line = Line::start(|setup| setup).await;
    let look = line.look().await;
    let sent = line.send(&line.sender(), workload.events.clone()).await;
    line.settle(&look, sent.events).await;
    look.wait_for(&expected).await;
    let before = look.rows(1).await;

    line.setup.activate_second_version().await;
    // The generated days are DST changes of many years.
    let arguments = [
        "replay",
        "--from",
        "2000-01-01T00:00:00Z",
        "--to",
        "2026-11-01T00:00:00Z",
        "--metric-version",
        "2",
    ];
    line.setup.run("backfill", &arguments).await;
    eventually(
        PATIENCE,
        "version 2 has the rows of the truth",
        async || {
            let found = look.values(2).await;
            if found == expected {
                Ok(())
            } else {
                Err(difference(&found, &expected))
            }
        },
    )
    .await;
    assert_eq!(look.rows(1).await, before);
    let promoted = "SELECT count(*) FROM metrics_current WHERE metric_version <> 1";
    assert_eq!(
        look.number(promoted).await,
        0,
        "dashboards see version 1 until someone promotes another"
    );
    let counts = look.counts().await;
    assert_eq!(
        counts.received,
        counts.logged + counts.duplicates,
        "a replay receives nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_without_a_zone_is_refused() {
    let line = Line::start(|setup| setup).await;
    let arguments = [
        "replay",
        "--from",
        "2024-01-01T00:00:00",
        "--to",
        "2026-11-01T00:00:00Z",
        "--metric-version",
        "2",
    ];
    let mut backfill = line.setup.spawn("backfill", &arguments);
    assert!(!backfill.wait(PATIENCE).await.success());
    assert!(
        backfill.stderr().contains("--from"),
        "{}",
        backfill.stderr()
    );
}
