//! What a backfill caused goes first, and nobody starves.

use crate::world::World;
use double::Config;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// Small requests, one after the other, so that the log has their order.
const IN_ORDER: &str = r#"
batch_max = 10
concurrency = 1
rate = { requests = 2000, period = "10s" }
timeouts = { connect = "2s", read = "2s", total = "2s" }
"#;

/// Of the first rows that were sent, how many are of interactions from `first` on.
async fn sent_from(world: &World, first: &str, of: usize) -> i64 {
    let sql = format!(
        "SELECT count(*) FILTER (WHERE interaction_id >= '{first}') \
         FROM (SELECT interaction_id FROM metric_sync_log WHERE fate = 'sent' ORDER BY log_id LIMIT {of}) s"
    );
    world.query_count(&sql).await
}

/// Backfill's results go first, four of five requests of them while both wait; the normal cycle has the fifth, and everything in the end.
#[tokio::test]
async fn what_a_backfill_caused_goes_first_and_the_rest_keeps_its_share() {
    let mut world = World::genesys(Config::default(), IN_ORDER).await;
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 1000, 0.0).await;
    world.write_past(5000, 1000).await;
    let process = world.deliver().await;
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    let past = sent_from(&world, "int_05000", 500).await;
    assert!((380..=420).contains(&past), "four of five: {past} of 500");
    drop(process);
}

/// The other way round, where the file says so; a lane without work leaves its share to the other.
#[tokio::test]
async fn the_order_and_the_share_are_the_files() {
    let mut world = World::genesys(Config::default(), IN_ORDER).await;
    world.append_targets("[delivery]\nfirst = \"live\"\nshare = 0.9\n");
    world.deliver().await.kill9(); // registers the target
    world.write_past(5000, 1000).await;
    world.write_many(0, 450, 0.0).await;
    let process = world.deliver().await;
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    let past = sent_from(&world, "int_05000", 500).await;
    assert!((40..=60).contains(&past), "one of ten: {past} of 500");
    let pushes = world.pushes();
    assert_eq!(pushes.len(), 145, "requests are filled from the other lane");
    drop(process);
}

/// However much history keeps coming, what happens now is delivered in its share of the requests.
#[tokio::test]
async fn a_flood_of_history_does_not_keep_what_happens_now_waiting() {
    let mut world = World::genesys(Config::default(), IN_ORDER).await;
    world.deliver().await.kill9(); // registers the target
    world.write_past(5000, 4000).await;
    let process = world.deliver().await;
    testkit::eventually(SOON, "history is under way", async || {
        world.pushes().len() > 10
    })
    .await;
    world.write_many(0, 50, 0.0).await;
    world.wake().await;
    let now = "SELECT count(*) FROM sync_queue WHERE interaction_id < 'int_05000'";
    testkit::eventually(SOON, "what happens now is delivered", async || {
        world.query_count(now).await == 0
    })
    .await;
    assert!(world.waiting().await > 2000, "history is not done yet");
    drop(process);
}
