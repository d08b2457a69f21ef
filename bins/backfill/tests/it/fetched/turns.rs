//! Who goes first and who waits: for a place at the platform, for the line, for others with the same credential.

use crate::bench::{Bench, days, past, unlimited};
use crate::world::LONG;
use broker::{Outgoing, Queue};
use bytes::Bytes;
use double::Config;
use double::config::{Client, Limit, RetryAfter};
use schema::{JobId, RawMessage};
use serde_json::json;
use std::time::Duration;
use store::chunks::{Chunk, State};
use store::jobs::{self, Lane};
use testkit::eventually;

/// Chunks that have a job are begun; the others are as they were planned.
#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_is_begun_only_with_a_place_for_its_job() {
    let mut history = past(3, 300);
    history.jobs.queued_ms = 300;
    history.jobs.pending_ms = 300;
    let bench = Bench::new(unlimited(history), "[platform.genesys]\njobs_at_once = 1\n").await;
    let job = bench.conversations(3).await;
    let worker = bench.worker(&["--lanes", "2"]);
    let waiting = eventually(LONG, "a chunk waits for a place", async || {
        let chunks = bench.chunks(job).await;
        let waits = |chunk: &Chunk| chunk.waiting_for.as_deref() == Some("jobs");
        chunks.into_iter().find(waits)
    })
    .await;
    assert_eq!((waiting.started_at, waiting.cursor_json), (None, None));
    bench.fetched(job).await;
    drop(worker);
    bench.took_all().await;
    bench.all_is_well();
}

/// Workers of two releases are there while one takes the other's place.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_release_has_begun_is_left_to_its_workers() {
    let bench = Bench::new(unlimited(past(1, 200)), "").await;
    let newer = bench.job("genesys-tomorrow", &days(1)).await;
    let job = bench.conversations(1).await;
    let mut worker = bench.worker(&["--lanes", "1"]);
    bench.fetched(job).await;
    // Nothing else is there to do for it by now.
    assert!(worker.term(LONG).await.success(), "{}", worker.stderr());
    let store = bench.world.db.store().await;
    let client = store.client().await.unwrap();
    let found = jobs::get(&client, newer).await.unwrap().unwrap();
    assert_eq!(
        (found.state, found.paused_for),
        (jobs::State::Pending, None)
    );
    let chunk = &bench.chunks(newer).await[0];
    assert_eq!((chunk.attempt, &chunk.last_error), (0, &None));
}

/// Pitfall 14: one call of an organisation at a time, and a link that does not live long.
#[tokio::test(flavor = "multi_thread")]
async fn extractions_take_turns() {
    let mut history = past(2, 100);
    history.extraction.between_ms = 200;
    history.extraction.run_ms = 500;
    history.extraction.link_ms = 2000;
    let bench = Bench::new(unlimited(history), "").await;
    let params = json!({"entity": "recording-interaction-metadata", "version": "1", "mapping": "extraction"});
    let job = bench.job_with("cxone-extraction", &params, &days(2)).await;
    let mapping = bench.folder.path().join("extraction.toml");
    std::fs::copy(
        testkit::workspace_root().join("deploy/mappings/calls-export.toml"),
        &mapping,
    )
    .ok();
    let workers = [bench.worker(&[]), bench.worker(&[])];
    bench.fetched(job).await;
    drop(workers);
    bench.all_is_well();
}

/// Live work never waits for history: while the line is full, only what is followed goes on.
#[tokio::test(flavor = "multi_thread")]
async fn history_waits_for_the_line_and_what_is_followed_does_not() {
    let bench = Bench::new(unlimited(past(1, 100)), "").await;
    let broker = bench.world.broker.connect("test-fill").await;
    let publisher = broker.publisher().await.unwrap();
    for _ in 0..3 {
        let message = Outgoing {
            queue: Queue::RawHistory,
            body: Bytes::from_static(b"x"),
            message_id: JobId::generate().0,
            correlation: "test".to_owned(),
        };
        publisher.publish(message).await.unwrap();
    }
    let history = bench.job("cxone-contacts", &days(1)).await;
    let followed = bench
        .job_on(Lane::Live, "cxone-contacts", &json!({}), &days(1))
        .await;
    let worker = bench.worker_with_room(&[], "2");
    bench.fetched(followed).await;
    let waiting = bench.chunks(history).await;
    assert_eq!((waiting[0].state, waiting[0].records), (State::Open, 0));
    let live = bench.world.drain(Queue::Raw).await;
    let live: Vec<RawMessage> = live
        .iter()
        .map(|body| RawMessage::decode(body).unwrap())
        .collect();
    assert!(!live.is_empty());
    assert!(
        live.iter()
            .all(|message| message.deliveries[0].job.is_none())
    );
    bench.world.drain(Queue::RawHistory).await;
    bench.fetched(history).await;
    drop(worker);
    assert!(!bench.world.deliveries().await.is_empty());
}

/// Pitfall 113: three processes on one credential stay within its limit, and use it.
#[tokio::test(flavor = "multi_thread")]
async fn processes_share_the_limit_of_their_credential() {
    let config = Config {
        limit: Some(Limit {
            retry_after: RetryAfter::Seconds,
            ..Limit::of(50, Duration::from_secs(2))
        }),
        clients: vec![Client::default()],
        ..unlimited(past(4, 1600))
    };
    let bench = Bench::new(config, "[platform.genesys]\npage_size = 10\n").await;
    let job = bench.conversations(4).await;
    let workers = [bench.worker(&[]), bench.worker(&[]), bench.worker(&[])];
    bench.fetched(job).await;
    drop(workers);
    bench.took_all().await;
    let account = bench.account();
    let client = account.client().unwrap();
    assert!(client.busiest <= 50, "{} in a window of 50", client.busiest);
    assert_eq!(
        client.routes["details-job-results"].statuses.get(&429),
        None
    );
    println!(
        "fetched in {} ms, {} at least: {:?}",
        client.elapsed_ms, client.minimum_ms, client.ratio
    );
    assert_eq!(account.pages.repeated, Vec::new());
    bench.all_is_well();
}
