//! Killed in the middle: the receiver ends with every interval, and never with two contents of one revision.

use super::given::{Feeds, SOON};
use double::depot::Turn;
use std::time::Duration;
use testkit::eventually;

/// Between the receiver's taking of the file and its being written down.
#[tokio::test]
async fn killed_between_sending_and_writing_down_the_same_file_comes_again() {
    let feeds = Feeds::new(1, "").await;
    feeds.write(-1, &[("sales", 3_000)]).await;
    // The file is kept, the answer comes too late for the process.
    feeds.depot.turns([Turn::Stall(Duration::from_millis(700))]);
    let mut process = feeds.deliver().await;
    let sending = "SELECT count(*) FROM feed_deliveries WHERE state = 'sending'";
    eventually(SOON, "it is written down", async || {
        feeds.world.query_count(sending).await == 1
    })
    .await;
    process.kill9();
    feeds.kept(1).await;
    let process = feeds.deliver().await;
    feeds.settled(1).await;
    let arrivals = feeds.depot.arrivals();
    assert_eq!(arrivals.len(), 2);
    assert_eq!(arrivals[0].body, arrivals[1].body);
    assert_eq!(arrivals[0].path, arrivals[1].path);
    assert_eq!(
        arrivals[0].headers["idempotency-key"],
        arrivals[1].headers["idempotency-key"]
    );
    drop(process);
}

/// The same, and the figures changed before the next process looked: what was sent keeps its number, and is corrected.
#[tokio::test]
async fn a_file_of_unknown_fate_is_corrected_and_not_replaced() {
    let feeds = Feeds::new(1, "").await;
    feeds.write(-1, &[("sales", 3_000)]).await;
    feeds.depot.turns([Turn::Stall(Duration::from_millis(700))]);
    let mut process = feeds.deliver().await;
    let sending = "SELECT count(*) FROM feed_deliveries WHERE state = 'sending'";
    eventually(SOON, "it is written down", async || {
        feeds.world.query_count(sending).await == 1
    })
    .await;
    process.kill9();
    feeds.kept(1).await;
    feeds.write(-1, &[("sales", 5_000)]).await;
    let process = feeds.deliver().await;
    feeds.settled(1).await;
    let held = feeds.held();
    let (revision, body) = &held[&feeds.half(-1).to_string()];
    assert_eq!(*revision, 2);
    assert!(body.contains("sales,2.5,2,1"), "{body}");
    let states = "SELECT count(*) FROM feed_deliveries WHERE (revision, state) IN ((1, 'unknown'), (2, 'sent'))";
    assert_eq!(feeds.world.query_count(states).await, 2);
    drop(process);
}

#[tokio::test]
async fn killed_again_and_again_every_interval_arrives() {
    let feeds = Feeds::new(30, "").await;
    for n in -30..0 {
        feeds.write(n, &[("sales", 2_000 - n)]).await;
    }
    for round in 0..5_u64 {
        let mut process = feeds.deliver().await;
        // Moments that differ from round to round.
        tokio::time::sleep(Duration::from_millis(20 + 37 * round)).await;
        process.kill9();
        let n = -30 + i64::try_from(round).unwrap();
        feeds.write(n, &[("sales", 9_000)]).await;
    }
    let one = feeds.deliver().await;
    let other = feeds.deliver().await;
    feeds.settled(30).await;
    let held = feeds.held();
    assert_eq!(held.len(), 30);
    for n in -30..0 {
        let (_, body) = &held[&feeds.half(n).to_string()];
        let talk = if n < -25 { "4.5" } else { "1.0" };
        assert!(body.contains(&format!("sales,{talk}")), "{n}: {body}");
    }
    drop((one, other));
}

/// Asked to stop with a file under way: it is finished and written down, and what is left is free at once.
#[tokio::test]
async fn asked_to_stop_it_finishes_the_file_it_began() {
    let feeds = Feeds::new(4, "").await;
    feeds.depot.turns([Turn::Stall(Duration::from_millis(500))]);
    let mut process = feeds.deliver().await;
    let sending = "SELECT count(*) FROM feed_deliveries WHERE state = 'sending'";
    eventually(SOON, "it is under way", async || {
        feeds.world.query_count(sending).await == 1
    })
    .await;
    let status = process.term(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{}", process.stderr());
    let leased = "SELECT count(*) FROM feed_intervals WHERE state = 'leased'";
    assert_eq!(feeds.world.query_count(leased).await, 0);
    assert_eq!(feeds.world.query_count(sending).await, 0);
    let process = feeds.deliver().await;
    feeds.settled(4).await;
    assert_eq!(feeds.depot.arrivals().len(), 4);
    drop(process);
}
