//! Chunks change hands when a worker dies, and no two workers ever have one.

use crate::rows::{MAY, db, number, seen, until_someone_waits};
use futures_util::future::join_all;
use schema::{JobId, MetricVersion, UtcMicros};
use std::collections::BTreeSet;
use std::time::Duration;
use store::chunks::{self, Chunk, Filter, Hold, NewChunk, Progress, Reopen, State, Why};
use store::jobs::{self, Created, Finish, Lane, NewChunkedJob, Promote, Purpose};
use store::{Client, Store};
use testkit::TestDb;

const LEASE: Duration = Duration::from_secs(60);
const NOW: Duration = Duration::ZERO;
const HOUR: i64 = 3_600_000_000;
const ANY: Filter<'static> = Filter {
    platforms: None,
    kinds: &[],
    lane: None,
    state: None,
};

fn hours(from: i64, count: i64) -> Vec<NewChunk> {
    (from..from + count)
        .map(|hour| NewChunk {
            from: UtcMicros(MAY.0 + hour * HOUR),
            to: UtcMicros(MAY.0 + (hour + 1) * HOUR),
            due_in: NOW,
            cursor_json: None,
        })
        .collect()
}

fn job(chunks: &[NewChunk]) -> NewChunkedJob<'_> {
    NewChunkedJob {
        kind: "genesys-conversations",
        tenant: Some("acme"),
        platform: Some("main"),
        metric_version: MetricVersion(2),
        params_json: r#"{"page_size":200}"#,
        from: Some(MAY),
        to: Some(UtcMicros(MAY.0 + 9 * HOUR)),
        kpis: &[],
        purpose: Purpose::Job,
        lane: Lane::History,
        promote: Promote::Offer,
        standing: false,
        request_id: None,
        chunks,
    }
}

async fn create(client: &Client, new: &NewChunkedJob<'_>) -> JobId {
    match jobs::create_chunked(client, new).await.unwrap() {
        Created::New(id) => id,
        Created::Existing(id) => panic!("{id:?} was there already"),
    }
}

async fn taken(client: &Client, owner: &str, length: Duration) -> (JobId, Chunk) {
    let (job, chunk) = chunks::lease(client, owner, length, &ANY)
        .await
        .unwrap()
        .expect("a chunk is due");
    assert_eq!(
        (job.id, job.state, job.chunked),
        (chunk.job, jobs::State::Running, true)
    );
    (job.id, chunk)
}

async fn one(client: &Client, job: JobId, chunk: i32) -> Chunk {
    chunks::page(client, job, chunk, None, 1)
        .await
        .unwrap()
        .remove(0)
}

const PAGE: Progress<'static> = Progress {
    cursor_json: Some(r#"{"page":2}"#),
    pages: 1,
    records: 200,
    bytes: 1000,
    calls: 3,
};

#[tokio::test]
async fn a_dead_workers_chunk_is_taken_over_at_its_cursor_and_the_dead_one_writes_nothing() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let chunks_given = hours(0, 1);
    let id = create(&client, &job(&chunks_given)).await;
    let (_, chunk) = taken(&client, "dead", LEASE).await;
    assert_eq!(
        (chunk.number, chunk.from, chunk.cursor_json),
        (0, MAY, None)
    );
    assert_eq!(chunk.lease_owner.as_deref(), Some("dead"));
    assert_eq!(
        chunks::lease(&client, "other", LEASE, &ANY).await.unwrap(),
        None
    );
    // Its last word; after that its lease is over.
    assert_eq!(
        chunks::progress(&client, id, 0, "dead", &PAGE, NOW)
            .await
            .unwrap(),
        Hold::Ours
    );
    let (_, chunk) = taken(&client, "alive", LEASE).await;
    assert_eq!(
        (chunk.cursor_json.as_deref(), chunk.pages, chunk.records),
        (Some(r#"{"page": 2}"#), 1, 200)
    );
    assert_eq!((chunk.bytes, chunk.calls, chunk.attempt), (1000, 3, 0));
    assert!(chunk.started_at.is_some());

    let before = one(&client, id, 0).await;
    assert_eq!(
        chunks::progress(&client, id, 0, "dead", &PAGE, LEASE)
            .await
            .unwrap(),
        Hold::Lost
    );
    assert_eq!(
        chunks::heartbeat(&client, id, 0, "dead", 1, LEASE)
            .await
            .unwrap(),
        Hold::Lost
    );
    let written = [
        chunks::release(&client, id, 0, "dead", NOW, Why::Failed("x"), 1).await,
        chunks::fetched(&client, id, 0, "dead", Some(1), NOW).await,
        chunks::done(&client, id, 0, "dead", None).await,
        chunks::reopen(
            &client,
            id,
            0,
            "dead",
            &Reopen {
                arrived: None,
                cursor_json: None,
                reason: "x",
                due_in: NOW,
            },
        )
        .await,
        chunks::failed(&client, id, 0, "dead", "x").await,
    ]
    .map(Result::unwrap);
    assert_eq!(written, [false; 5]);
    assert_eq!(one(&client, id, 0).await, before);
    assert_eq!(
        chunks::heartbeat(&client, id, 0, "alive", 2, LEASE)
            .await
            .unwrap(),
        Hold::Ours
    );
    assert_eq!(one(&client, id, 0).await.calls, 5);
}

#[tokio::test]
async fn many_workers_at_once_never_get_one_chunk_twice() {
    let (_db, store) = db().await;
    {
        let client = store.client().await.unwrap();
        create(&client, &job(&hours(0, 150))).await;
        create(&client, &job(&hours(0, 50))).await;
    }
    let worker = async |owner: String| -> Vec<(JobId, i32)> {
        let client = store.client().await.unwrap();
        let mut mine = Vec::new();
        while let Some((_, chunk)) = chunks::lease(&client, &owner, LEASE, &ANY).await.unwrap() {
            mine.push((chunk.job, chunk.number));
        }
        mine
    };
    let taken = join_all((0..8).map(|number| worker(format!("w{number}")))).await;
    let busy = taken.iter().filter(|mine| !mine.is_empty()).count();
    assert!(busy > 1, "{busy} of 8 workers had anything to do");
    let all: Vec<(JobId, i32)> = taken.into_iter().flatten().collect();
    let distinct: BTreeSet<String> = all.iter().map(|key| format!("{key:?}")).collect();
    assert_eq!((all.len(), distinct.len()), (200, 200));
}

#[tokio::test]
async fn a_chunk_waits_fails_is_fetched_compared_and_done() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let id = create(&client, &job(&hours(0, 1))).await;
    let later = Duration::from_secs(600);
    taken(&client, "w", LEASE).await;
    assert!(
        chunks::release(&client, id, 0, "w", NOW, Why::Failed("503"), 1)
            .await
            .unwrap()
    );
    taken(&client, "w", LEASE).await;
    assert!(
        chunks::release(&client, id, 0, "w", NOW, Why::Failed("504"), 1)
            .await
            .unwrap()
    );
    let chunk = one(&client, id, 0).await;
    assert_eq!(
        (chunk.attempt, chunk.last_error.as_deref(), chunk.calls),
        (2, Some("504"), 2)
    );
    // Refused a slot: neither better nor worse.
    taken(&client, "w", LEASE).await;
    assert!(
        chunks::release(&client, id, 0, "w", NOW, Why::Later, 0)
            .await
            .unwrap()
    );
    assert_eq!(one(&client, id, 0).await.attempt, 2);
    assert!(chunks::add(&client, id, 1, &hours(1, 1)).await.unwrap());
    // Waiting is no failure; it is not due before its time, and the other one goes on.
    taken(&client, "w", LEASE).await;
    assert!(
        chunks::release(&client, id, 0, "w", later, Why::Waiting("job 17"), 1)
            .await
            .unwrap()
    );
    let chunk = one(&client, id, 0).await;
    assert_eq!(
        (
            chunk.attempt,
            chunk.waiting_for.as_deref(),
            chunk.lease_owner
        ),
        (0, Some("job 17"), None)
    );
    let (_, chunk) = taken(&client, "w", LEASE).await;
    assert_eq!(chunk.number, 1);
    assert_eq!(
        chunks::lease(&client, "w2", LEASE, &ANY).await.unwrap(),
        None
    );

    assert!(
        chunks::fetched(&client, id, 1, "w", Some(40), NOW)
            .await
            .unwrap()
    );
    let (_, chunk) = taken(&client, "w", LEASE).await;
    assert_eq!(
        (chunk.number, chunk.state, chunk.expected),
        (1, State::Fetched, Some(40))
    );
    let missing = Reopen {
        arrived: Some(30),
        cursor_json: None,
        reason: "10 are missing",
        due_in: NOW,
    };
    assert!(chunks::reopen(&client, id, 1, "w", &missing).await.unwrap());
    let (_, chunk) = taken(&client, "w", LEASE).await;
    assert_eq!(
        (chunk.number, chunk.state, chunk.reopened, chunk.arrived),
        (1, State::Open, 1, Some(30))
    );
    assert!(
        chunks::fetched(&client, id, 1, "w", None, NOW)
            .await
            .unwrap()
    );
    taken(&client, "w", LEASE).await;
    assert!(chunks::done(&client, id, 1, "w", Some(40)).await.unwrap());
    let totals = chunks::totals(&client, id).await.unwrap();
    assert_eq!(
        (totals.chunks, totals.open, totals.fetched, totals.done),
        (2, 1, 0, 1)
    );
    assert_eq!(
        (totals.waiting, totals.leased, totals.calls, totals.reopened),
        (1, 0, 3, 1)
    );
    assert_eq!((totals.expected, totals.arrived), (Some(40), Some(40)));
    assert_eq!(totals.first_not_done, Some(MAY));
    let job = jobs::get(&client, id).await.unwrap().unwrap();
    assert_eq!((job.done, job.total), (1, Some(2)));
}

#[tokio::test]
async fn what_is_begun_and_what_is_live_goes_first_and_small_jobs_get_their_turn() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let big = create(&client, &job(&hours(0, 9))).await;
    let (_, first) = taken(&client, "w", LEASE).await;
    chunks::progress(&client, big, first.number, "w", &PAGE, LEASE)
        .await
        .unwrap();
    let (_, second) = taken(&client, "w2", LEASE).await;
    assert_eq!((first.number, second.number), (0, 1));
    // Nobody has a chunk of this one yet: its turn, although the other's have been due for longer.
    let small = create(&client, &job(&hours(0, 2))).await;
    assert_eq!(taken(&client, "w3", LEASE).await.0, small);
    // What was begun goes before both.
    chunks::release(&client, big, 0, "w", NOW, Why::Waiting("x"), 0)
        .await
        .unwrap();
    let live_chunks = hours(0, 1);
    let live = NewChunkedJob {
        lane: Lane::Live,
        ..job(&live_chunks)
    };
    let live = create(&client, &live).await;
    // And the live lane before everything.
    assert_eq!(taken(&client, "w4", LEASE).await.0, live);
    let (job, chunk) = taken(&client, "w", LEASE).await;
    assert_eq!((job, chunk.number), (big, 0));
}

#[tokio::test]
async fn a_worker_takes_what_it_is_there_for() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let chunks_given = hours(0, 1);
    create(&client, &job(&chunks_given)).await;
    let replay = NewChunkedJob {
        kind: "replay",
        platform: None,
        ..job(&chunks_given)
    };
    let replay = create(&client, &replay).await;
    let lease = async |filter: Filter<'_>| {
        let found = chunks::lease(&client, "w", LEASE, &filter).await.unwrap();
        found.map(|(job, _)| job.id)
    };
    let other = ["other".to_owned()];
    let none = Filter {
        kinds: &["files"],
        ..ANY
    };
    assert_eq!(lease(none).await, None);
    assert_eq!(
        lease(Filter {
            lane: Some(Lane::Live),
            ..ANY
        })
        .await,
        None
    );
    assert_eq!(
        lease(Filter {
            state: Some(State::Fetched),
            ..ANY
        })
        .await,
        None
    );
    // A job that asks no platform is for all.
    let of_other = Filter {
        platforms: Some(&other),
        ..ANY
    };
    assert_eq!(lease(of_other).await, Some(replay));
    assert_eq!(lease(of_other).await, None);
}

#[tokio::test]
async fn a_chunk_of_the_live_lane_waits_when_it_is_due_and_nobody_has_taken_it_for_a_while() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let seen = async |waited: Duration| {
        let found = chunks::live(&client, &ANY, waited).await.unwrap();
        (found.open, found.waiting)
    };
    // History is no live work, however much of it waits.
    let given = hours(0, 3);
    create(&client, &job(&given)).await;
    assert_eq!(seen(NOW).await, (false, 0));
    let live = NewChunkedJob {
        lane: Lane::Live,
        ..job(&given[..2])
    };
    let live = create(&client, &live).await;
    assert_eq!(seen(NOW).await, (true, 2));
    assert_eq!(seen(LEASE).await, (true, 0), "lanes may still be looking");
    let elsewhere = ["other".to_owned()];
    let other = Filter {
        platforms: Some(&elsewhere),
        ..ANY
    };
    let foreign = chunks::live(&client, &other, NOW).await.unwrap();
    assert!(!foreign.open, "it is for the workers of its platform");

    let old = "UPDATE backfill_chunks SET due_at = now() - interval '2 minutes' WHERE job_id IN \
               (SELECT job_id FROM backfill_jobs WHERE lane = 'live')";
    db.client().await.batch_execute(old).await.unwrap();
    assert_eq!(seen(LEASE).await, (true, 2));
    assert_eq!(taken(&client, "w", LEASE).await.0, live);
    assert_eq!(seen(LEASE).await, (true, 1), "one has a lane now");
    // Its worker dies: those who look for work see it from now on.
    let died = "UPDATE backfill_chunks SET lease_until = now() WHERE lease_owner = 'w'";
    db.client().await.batch_execute(died).await.unwrap();
    assert_eq!(seen(LEASE).await, (true, 1));
    assert_eq!(seen(NOW).await, (true, 2));
    assert!(jobs::pause(&client, live, "x").await.unwrap());
    assert_eq!(seen(NOW).await, (false, 0));
}

#[tokio::test]
async fn a_worker_learns_at_its_next_page_that_its_job_is_paused_or_over() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let id = create(&client, &job(&hours(0, 2))).await;
    taken(&client, "w", LEASE).await;
    assert!(
        jobs::pause(&client, id, "the platform said 403")
            .await
            .unwrap()
    );
    assert!(!jobs::pause(&client, id, "again").await.unwrap());
    let job_now = jobs::get(&client, id).await.unwrap().unwrap();
    assert_eq!(
        (job_now.state, job_now.paused_for.as_deref()),
        (jobs::State::Paused, Some("the platform said 403"))
    );
    assert_eq!(
        chunks::lease(&client, "w2", LEASE, &ANY).await.unwrap(),
        None,
        "nothing is taken of a paused job"
    );
    // The page was confirmed, so it counts; and the chunk is free.
    assert_eq!(
        chunks::progress(&client, id, 0, "w", &PAGE, LEASE)
            .await
            .unwrap(),
        Hold::Stopped
    );
    let chunk = one(&client, id, 0).await;
    assert_eq!((chunk.pages, chunk.lease_owner), (1, None));
    assert!(jobs::resume(&client, id).await.unwrap());
    assert!(!jobs::resume(&client, id).await.unwrap());
    let (_, chunk) = taken(&client, "w", LEASE).await;
    assert_eq!(
        (chunk.number, chunk.cursor_json.as_deref()),
        (0, Some(r#"{"page": 2}"#))
    );
    // Paused and resumed between two pages: nobody noticed.
    assert!(jobs::pause(&client, id, "x").await.unwrap());
    assert!(jobs::resume(&client, id).await.unwrap());
    assert_eq!(
        chunks::progress(&client, id, 0, "w", &PAGE, LEASE)
            .await
            .unwrap(),
        Hold::Ours
    );
    assert!(jobs::cancel(&client, id).await.unwrap());
    assert_eq!(
        chunks::heartbeat(&client, id, 0, "w", 0, LEASE)
            .await
            .unwrap(),
        Hold::Stopped
    );
    assert_eq!(
        chunks::lease(&client, "w", LEASE, &ANY).await.unwrap(),
        None
    );
    assert!(!jobs::resume(&client, id).await.unwrap());
}

/// A worker that has lost its chunk says nothing about the job any more.
#[tokio::test]
async fn a_job_is_paused_only_by_who_has_one_of_its_chunks() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let id = create(&client, &job(&hours(0, 1))).await;
    taken(&client, "late", NOW).await;
    taken(&client, "w", LEASE).await;
    let refused = async |owner: &'static str| {
        chunks::refused(&client, id, 0, owner, "the platform said 403", 2)
            .await
            .unwrap()
    };
    assert!(!refused("late").await);
    let found = jobs::get(&client, id).await.unwrap().unwrap();
    assert_eq!(
        (found.state, found.paused_for),
        (jobs::State::Running, None)
    );
    assert_eq!(
        one(&client, id, 0).await.lease_owner.as_deref(),
        Some("w"),
        "the other one still has it"
    );
    assert!(refused("w").await);
    let found = jobs::get(&client, id).await.unwrap().unwrap();
    assert_eq!(
        (found.state, found.paused_for.as_deref()),
        (jobs::State::Paused, Some("the platform said 403"))
    );
    let chunk = one(&client, id, 0).await;
    assert_eq!(
        (
            chunk.lease_owner,
            chunk.attempt,
            chunk.calls,
            chunk.last_error.as_deref()
        ),
        (None, 1, 2, Some("the platform said 403"))
    );
}

#[tokio::test]
async fn a_request_that_comes_twice_is_one_job() {
    let (db, store) = db().await;
    let given = hours(0, 3);
    let asked = NewChunkedJob {
        request_id: Some("evt-1"),
        ..job(&given)
    };
    let ask = async || {
        let client = store.client().await.unwrap();
        jobs::create_chunked(&client, &asked).await.unwrap()
    };
    let created = join_all((0..8).map(|_| ask())).await;
    let new = created
        .iter()
        .filter(|it| matches!(it, Created::New(_)))
        .count();
    assert_eq!(new, 1);
    assert!(created.iter().all(|it| it.id() == created[0].id()));
    let client = store.client().await.unwrap();
    let found = jobs::of_request(&client, "evt-1").await.unwrap().unwrap();
    assert_eq!(
        (found.id, found.platform.as_deref(), found.total),
        (created[0].id(), Some("main"), Some(3))
    );
    assert_eq!(
        (found.purpose, found.lane, found.promote, found.from),
        (Purpose::Job, Lane::History, Promote::Offer, Some(MAY))
    );
    // One that waits for the other's transaction finds its job all the same.
    let mut other = store.client().await.unwrap();
    let tx = other.transaction().await.unwrap();
    let late = NewChunkedJob {
        request_id: Some("evt-2"),
        ..job(&given)
    };
    let first = jobs::create_chunked(&tx, &late).await.unwrap();
    let (second, ()) = tokio::join!(jobs::create_chunked(&client, &late), async {
        crate::rows::until_someone_waits(&db).await;
        tx.commit().await.unwrap();
    });
    assert_eq!(second.unwrap(), Created::Existing(first.id()));
    assert_eq!(number(&db, "SELECT count(*) FROM backfill_chunks").await, 6);
}

#[tokio::test]
async fn of_two_that_add_chunks_at_once_one_adds_none() {
    let (db, store) = db().await;
    let mut client = store.client().await.unwrap();
    let standing = NewChunkedJob {
        standing: true,
        purpose: Purpose::Follow,
        ..job(&[])
    };
    let id = create(&client, &standing).await;
    let (mine, theirs) = (hours(0, 2), hours(0, 3));
    let other = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    assert!(chunks::add(&tx, id, 0, &mine).await.unwrap());
    let (added, ()) = tokio::join!(chunks::add(&other, id, 0, &theirs), async {
        crate::rows::until_someone_waits(&db).await;
        tx.commit().await.unwrap();
    });
    assert!(!added.unwrap());
    assert!(!chunks::add(&other, id, 1, &theirs).await.unwrap());
    assert!(chunks::add(&other, id, 2, &hours(2, 1)).await.unwrap());
    let numbers: Vec<(i32, i64)> = chunks::of_job(&other, id)
        .await
        .unwrap()
        .iter()
        .map(|chunk| (chunk.number, (chunk.from.0 - MAY.0) / HOUR))
        .collect();
    assert_eq!(numbers, [(0, 0), (1, 1), (2, 2)]);

    // What is long done goes, but the newest; the numbers go on.
    for number in 0..3 {
        taken(&other, "w", LEASE).await;
        assert!(chunks::done(&other, id, number, "w", None).await.unwrap());
    }
    let long_ago = crate::rows::now();
    assert_eq!(chunks::prune(&other, MAY, 10).await.unwrap(), 0);
    let soon = UtcMicros(long_ago.0 + HOUR);
    assert_eq!(chunks::prune(&other, soon, 10).await.unwrap(), 2);
    assert!(chunks::add(&other, id, 3, &hours(3, 1)).await.unwrap());
    assert_eq!(
        jobs::to_settle(&other, "s", LEASE).await.unwrap(),
        None,
        "a standing job never settles"
    );
    assert_eq!(jobs::standing(&other).await.unwrap()[0].id, id);
    assert!(jobs::cancel(&other, id).await.unwrap());
    assert!(!chunks::add(&other, id, 4, &hours(4, 1)).await.unwrap());
}

#[tokio::test]
async fn a_chunk_is_cut_by_its_owner_alone_and_its_parts_are_free() {
    let (_db, store) = db().await;
    let mut client = store.client().await.unwrap();
    let whole = NewChunk {
        to: UtcMicros(MAY.0 + 3 * HOUR),
        cursor_json: Some(r#"{"way":"uncut"}"#.to_owned()),
        ..hours(0, 1).remove(0)
    };
    let id = create(&client, &job(&[whole])).await;
    taken(&client, "w", LEASE).await;
    for (owner, expected) in [("other", false), ("w", true), ("w", false)] {
        let tx = client.transaction().await.unwrap();
        let cut = chunks::cut(&tx, id, 0, owner, &hours(0, 3)).await.unwrap();
        assert_eq!(cut, expected, "{owner}");
        if cut {
            tx.commit().await.unwrap();
        }
    }
    let all = chunks::of_job(&client, id).await.unwrap();
    let stretches: Vec<_> = all.iter().map(|chunk| (chunk.from, chunk.to)).collect();
    let expected: Vec<_> = hours(0, 3).iter().map(|new| (new.from, new.to)).collect();
    assert_eq!(stretches, expected);
    assert!(all.iter().all(|chunk| chunk.cursor_json.is_none()
        && chunk.lease_owner.is_none()
        && chunk.started_at.is_none()));
    assert_eq!(
        jobs::get(&client, id).await.unwrap().unwrap().total,
        Some(3)
    );
    // Of a job that is over nothing is cut, and nothing is left half cut.
    taken(&client, "w", LEASE).await;
    assert!(jobs::cancel(&client, id).await.unwrap());
    let tx = client.transaction().await.unwrap();
    assert!(!chunks::cut(&tx, id, 0, "w", &hours(0, 2)).await.unwrap());
    tx.rollback().await.unwrap();
    assert_eq!(chunks::of_job(&client, id).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_job_settles_once_when_its_last_chunk_has_ended() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let id = create(&client, &job(&hours(0, 2))).await;
    let settle = async |owner: &str, length| {
        let found = jobs::to_settle(&client, owner, length).await.unwrap();
        found.map(|job| (job.id, job.state))
    };
    taken(&client, "w", LEASE).await;
    chunks::done(&client, id, 0, "w", None).await.unwrap();
    assert_eq!(settle("s", LEASE).await, None);
    taken(&client, "w", LEASE).await;
    chunks::failed(&client, id, 1, "w", "410 gone")
        .await
        .unwrap();
    // Somebody wants it tried again.
    assert_eq!(chunks::retry_failed(&client, id).await.unwrap(), 1);
    let (_, chunk) = taken(&client, "w", LEASE).await;
    assert_eq!(
        (chunk.number, chunk.attempt, chunk.last_error.as_deref()),
        (1, 0, Some("410 gone"))
    );
    chunks::failed(&client, id, 1, "w", "410 gone")
        .await
        .unwrap();
    let (a, b) = tokio::join!(settle("a", NOW), settle("a", NOW));
    let settling = (id, jobs::State::Settling);
    assert!([a, b].contains(&Some(settling)));
    assert_eq!(chunks::retry_failed(&client, id).await.unwrap(), 0);
    // It died; another goes on and puts it off.
    assert_eq!(settle("b", LEASE).await, Some(settling));
    assert_eq!(settle("c", LEASE).await, None);
    assert!(!jobs::heartbeat(&client, id, "a", LEASE).await.unwrap());
    assert!(jobs::heartbeat(&client, id, "b", LEASE).await.unwrap());
    assert!(
        jobs::settle_later(&client, id, "b", LEASE, Some(r#"{"waits":1}"#))
            .await
            .unwrap()
    );
    assert_eq!(settle("c", LEASE).await, None, "it is put off");
    let job = jobs::get(&client, id).await.unwrap().unwrap();
    assert_eq!(
        (job.state, job.cursor_json.as_deref()),
        (jobs::State::Settling, Some(r#"{"waits": 1}"#))
    );
    // A foreground command does not take it.
    assert_eq!(
        jobs::lease_one(&client, "x", id, LEASE).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_failed_job_is_taken_up_again_with_what_came_up_short() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let id = create(&client, &job(&hours(0, 2))).await;
    for (chunk, arrived) in [(0, 10), (1, 7)] {
        taken(&client, "w", LEASE).await;
        chunks::fetched(&client, id, chunk, "w", Some(10), Duration::ZERO)
            .await
            .unwrap();
        taken(&client, "w", LEASE).await;
        chunks::done(&client, id, chunk, "w", Some(arrived))
            .await
            .unwrap();
    }
    assert_eq!(chunks::retry_failed(&client, id).await.unwrap(), 0);
    jobs::to_settle(&client, "s", LEASE).await.unwrap().unwrap();
    let short = Finish::Failed { error: "short" };
    assert!(jobs::finish(&client, id, "s", short).await.unwrap());
    assert_eq!(chunks::retry_failed(&client, id).await.unwrap(), 1);
    let again = jobs::get(&client, id).await.unwrap().unwrap();
    assert_eq!(
        (again.state, again.done, again.error.as_deref()),
        (jobs::State::Pending, 1, None)
    );
    let (_, chunk) = taken(&client, "w", LEASE).await;
    assert_eq!(
        (chunk.number, chunk.state, chunk.cursor_json),
        (1, chunks::State::Open, None)
    );
}

#[tokio::test]
async fn a_job_that_began_to_settle_while_a_chunk_was_opened_again_does_not_end_without_it() {
    let (db_of_test, store) = db().await;
    let (mut client, other) = (store.client().await.unwrap(), store.client().await.unwrap());
    let id = create(&client, &job(&hours(0, 1))).await;
    taken(&client, "w", LEASE).await;
    chunks::failed(&client, id, 0, "w", "410 gone")
        .await
        .unwrap();
    // What the settling one has written is seen by nobody yet.
    let tx = client.transaction().await.unwrap();
    let settling = jobs::to_settle(&tx, "s", LEASE).await.unwrap().unwrap();
    assert_eq!(settling.id, id);
    let retry = chunks::retry_failed(&other, id);
    let end = async {
        until_someone_waits(&db_of_test).await;
        tx.commit().await.unwrap();
    };
    let (opened, ()) = tokio::join!(retry, end);
    assert_eq!(opened.unwrap(), 1);
    let done = Finish::Done { report_json: None };
    assert!(!jobs::finish(&other, id, "s", done).await.unwrap());
    assert_eq!(
        jobs::get(&other, id).await.unwrap().unwrap().state,
        jobs::State::Pending
    );
    assert_eq!(taken(&other, "w", LEASE).await.1.number, 0);
}

#[tokio::test]
async fn a_job_of_nothing_is_finished_by_who_settles_it() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let id = create(&client, &job(&[])).await;
    let found = jobs::to_settle(&client, "s", LEASE).await.unwrap().unwrap();
    assert_eq!(found.id, id);
    let done = Finish::Done {
        report_json: Some(r#"{"missing":0}"#),
    };
    assert!(!jobs::finish(&client, id, "other", done).await.unwrap());
    assert!(jobs::finish(&client, id, "s", done).await.unwrap());
    let job = jobs::get(&client, id).await.unwrap().unwrap();
    assert_eq!((job.state, job.total), (jobs::State::Done, Some(0)));
    assert!(job.finished_at.is_some());
    assert_eq!(jobs::to_settle(&client, "s", LEASE).await.unwrap(), None);
    assert!(!jobs::cancel(&client, id).await.unwrap());
}

/// A hundred jobs that ended with a thousand chunks each, half of them still open as they were when they were cancelled.
async fn ended_jobs(db: &TestDb) {
    db.client()
        .await
        .batch_execute(
            "INSERT INTO backfill_jobs (job_id, kind, metric_version, chunked, state, total) \
             SELECT md5('j' || n)::uuid, 'old', 1, true, CASE WHEN n <= 50 THEN 'cancelled' ELSE 'done' END, 1000 \
             FROM generate_series(1, 100) n; \
             INSERT INTO backfill_chunks (job_id, chunk, from_at, to_at, state, started_at) \
             SELECT md5('j' || n)::uuid, c, now(), now(), CASE WHEN n <= 50 THEN 'open' ELSE 'done' END, CASE WHEN c % 7 = 0 THEN now() END \
             FROM generate_series(1, 100) n, generate_series(0, 999) c; \
             ANALYZE backfill_jobs; ANALYZE backfill_chunks",
        )
        .await
        .unwrap();
}

/// How many pages the statement of this step reads, and its plan.
async fn cost(store: &Store, db: &TestDb, step: &str, types: &str, values: &str) -> (i64, String) {
    drop(store.client().await.unwrap());
    let text = store::statements::all()
        .find(|sql| sql.step == step)
        .unwrap()
        .text;
    let all = format!(
        "SET enable_seqscan = off; PREPARE p ({types}) AS {text}; \
         EXPLAIN (ANALYZE, BUFFERS, TIMING off, COSTS off) EXECUTE p ({values})"
    );
    let plan = seen(db, &all).await;
    let hits = |line: &String| -> Option<i64> {
        let at = line.trim().strip_prefix("Buffers: shared ")?;
        let words = at.split_whitespace();
        let counts =
            words.filter_map(|word| word.strip_prefix("hit=").or(word.strip_prefix("read=")));
        Some(counts.filter_map(|count| count.parse::<i64>().ok()).sum())
    };
    (plan.iter().find_map(hits).unwrap(), plan.join("\n"))
}

#[tokio::test]
async fn chunks_of_jobs_that_ended_cost_nothing() {
    let (db, store) = db().await;
    ended_jobs(&db).await;
    let client = store.client().await.unwrap();
    create(&client, &job(&hours(0, 5))).await;
    for (step, types, values) in [
        (
            "lease a chunk",
            "text, float8, text[], text[], text, text",
            "'w', 60, NULL, NULL, NULL, NULL",
        ),
        ("take a backfill job to settle", "text, float8", "'w', 60"),
    ] {
        let (pages, plan) = cost(&store, &db, step, types, values).await;
        assert!(pages < 150, "{step} reads {pages} pages:\n{plan}");
        assert!(!plan.contains("Seq Scan on backfill_chunks"), "{plan}");
    }
}

#[tokio::test]
async fn health_says_what_waits_what_failed_and_what_rests() {
    let (db, store) = db().await;
    ended_jobs(&db).await;
    let client = store.client().await.unwrap();
    let id = create(&client, &job(&hours(0, 3))).await;
    taken(&client, "w", LEASE).await;
    chunks::failed(&client, id, 0, "w", "410").await.unwrap();
    taken(&client, "w", LEASE).await;
    let health = async || {
        seen(
            &db,
            "SELECT measure, scope, value FROM pipeline_health WHERE measure LIKE 'backfill%' ORDER BY 1, 2",
        )
        .await
    };
    let kind = "genesys-conversations";
    let chunks_of = [
        format!("backfill_chunks_failed|{kind}|1"),
        format!("backfill_chunks_waiting|{kind}|1"),
    ];
    let open = [&chunks_of[..], &[format!("backfill_open|{kind}|1")]].concat();
    assert_eq!(health().await, open);
    jobs::pause(&client, id, "x").await.unwrap();
    let paused = [&chunks_of[..], &[format!("backfill_paused|{kind}|1")]].concat();
    assert_eq!(health().await, paused);
    jobs::cancel(&client, id).await.unwrap();
    assert!(health().await.is_empty());
    store::budgets::pause(&client, "c", Some("r"), LEASE, "429")
        .await
        .unwrap();
    let paused = "SELECT scope || ' ' || (value > 50)::text FROM pipeline_health WHERE measure = 'rate_paused_seconds'";
    assert_eq!(seen(&db, paused).await, ["c/r true"]);
}
