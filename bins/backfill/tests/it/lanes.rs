//! A worker's lanes: what is live never waits until history has ended, and no page is fetched twice for it.

use crate::world::{LONG, START, World};
use schema::{JobId, MetricVersion, UtcMicros};
use std::collections::BTreeSet;
use std::time::Duration;
use store::chunks::{self, Chunk, NewChunk, State};
use store::jobs::{self, Lane, NewChunkedJob, Promote, Purpose};
use testkit::{Proc, eventually};

/// Enough that a chunk of them, an event a page, takes a lane many times as long as live work may wait.
const EVENTS: usize = 5000;
const SECOND: i64 = 1_000_000;

impl World {
    /// A worker that reads an event a page, with so many lanes.
    pub(crate) fn paging(&self, lanes: &str) -> Proc {
        self.spawn(&[
            "worker",
            "--lanes",
            lanes,
            "--page-events",
            "1",
            "--events-depth-max",
            "1000000",
            "--ops-listen",
            "127.0.0.1:0",
        ])
    }

    /// Writes a replay of these seconds of the log, one chunk each. On the live lane it is a job that has no end, like those that follow.
    pub(crate) async fn replay(&self, lane: Lane, seconds: &[(i64, i64)]) -> JobId {
        let at = |second: i64| UtcMicros(START + second * SECOND);
        let chunks: Vec<NewChunk> = seconds
            .iter()
            .map(|(from, to)| NewChunk {
                from: at(*from),
                to: at(*to),
                due_in: Duration::ZERO,
                cursor_json: None,
            })
            .collect();
        let live = lane == Lane::Live;
        let new = NewChunkedJob {
            kind: "replay",
            tenant: None,
            platform: None,
            metric_version: MetricVersion(2),
            params_json: "{}",
            from: chunks.first().map(|chunk| chunk.from),
            to: chunks.last().map(|chunk| chunk.to),
            kpis: &[],
            purpose: if live { Purpose::Follow } else { Purpose::Job },
            lane,
            promote: Promote::Never,
            standing: live,
            request_id: None,
            chunks: &chunks,
        };
        let client = self.db.store().await.client().await.unwrap();
        jobs::create_chunked(&client, &new).await.unwrap().id()
    }

    pub(crate) async fn chunks(&self, job: JobId) -> Vec<Chunk> {
        let client = self.db.store().await.client().await.unwrap();
        chunks::of_job(&client, job).await.unwrap()
    }

    /// Waits until the first chunk of a job has so many pages.
    async fn pages(&self, job: JobId, pages: i64) {
        eventually(LONG, "history is fetched", async || {
            let chunk = self.chunks(job).await.remove(0);
            if chunk.pages >= pages {
                Ok(())
            } else {
                Err(chunk.pages)
            }
        })
        .await;
    }
}

#[tokio::test]
async fn the_only_lane_leaves_history_for_live_work_that_is_due_and_fetches_nothing_twice() {
    let world = World::new().await;
    world.log_events(EVENTS, "acme").await;
    let history = world.replay(Lane::History, &[(0, 10_000)]).await;
    let mut worker = world.paging("1");
    world.pages(history, 3).await;

    let live = world.replay(Lane::Live, &[(20_000, 20_010)]).await;
    eventually(LONG, "live work is done", async || {
        world.chunks(live).await[0].state == State::Done
    })
    .await;
    let chunk = world.chunks(history).await.remove(0);
    assert_eq!(chunk.state, State::Open, "{} pages", chunk.pages);
    assert_eq!(chunk.attempt, 0, "nothing went wrong with it");
    // And then goes on where it was.
    world.pages(history, chunk.pages + 3).await;
    assert!(worker.term(LONG).await.success(), "{}", worker.stderr());

    let chunk = world.chunks(history).await.remove(0);
    let messages = world.events().await;
    let events = messages.iter().flat_map(|message| &message.events);
    let keys: Vec<_> = events.map(|event| event.fact.key.as_str()).collect();
    let different: BTreeSet<_> = keys.iter().collect();
    assert_eq!(keys.len(), different.len());
    assert_eq!(i64::try_from(keys.len()).unwrap(), chunk.pages);
}

#[tokio::test]
async fn one_of_several_lanes_takes_no_history_while_something_is_followed() {
    let world = World::new().await;
    world.log_events(EVENTS, "acme").await;
    let halves = [(0, 2500), (2500, 10_000)];
    let history = world.replay(Lane::History, &halves).await;
    let live = world.replay(Lane::Live, &[]).await;
    let mut worker = world.paging("2");
    world.pages(history, 300).await;
    let other = world.chunks(history).await.remove(1);
    assert_eq!(
        (other.pages, other.lease_owner),
        (0, None),
        "a lane is free for what may be due at any moment"
    );

    // When nothing is followed any more, it works on history like the others.
    let client = world.db.store().await.client().await.unwrap();
    assert!(jobs::cancel(&client, live).await.unwrap());
    drop(client);
    eventually(LONG, "both lanes work on history", async || {
        world.chunks(history).await[1].pages > 0
    })
    .await;
    assert_eq!(world.chunks(history).await[0].state, State::Open);
    assert!(worker.term(LONG).await.success(), "{}", worker.stderr());
}
