//! Jobs that are asked for by messages.

use crate::platform::Past;
use crate::world::{LONG, World};
use backfill::platforms::{self, Platforms};
use backfill::requests;
use broker::{BrokerConfig, Outgoing, Queue};
use schema::{JobId, MessageId};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::chunks::State;
use store::quarantine::{self, Filter, Status};
use store::raw::Raw;
use store::{Store, StoreConfig, definitions};
use testkit::eventually;
use tokio_util::sync::CancellationToken;

/// Serves requests until dropped.
struct Served {
    stop: CancellationToken,
}

impl Served {
    async fn new(world: &World, platforms: Platforms) -> Self {
        Self::with(world, platforms, world.db.store().await)
    }

    fn with(world: &World, platforms: Platforms, store: Store) -> Self {
        let stop = CancellationToken::new();
        let config = BrokerConfig::new(world.broker.url(), world.broker.prefix(), "requests");
        let stopped = stop.clone();
        tokio::spawn(
            async move { requests::serve(store, config, Arc::new(platforms), stopped).await },
        );
        Self { stop }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn request(world: &World, arguments: &[&str]) {
    let (status, stdout, stderr) = world.run(&[&["request"], arguments].concat()).await;
    assert!(status.success(), "{stderr}");
    let said: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(said["queue"], "backfill.jobs");
}

#[tokio::test]
async fn a_request_becomes_one_job_however_often_it_is_made_and_a_bad_one_stands_in_nobodys_way() {
    let past = Past::new(None).await;
    let world = &past.world;
    let usual = [
        "genesys-conversations",
        "--platform",
        "g",
        "--from",
        "2025-01-06T00:00:00Z",
        "--to",
        "2025-01-08T00:00:00Z",
        "--metric-version",
        "2",
        "--request-id",
    ];
    request(world, &[&usual[..], &["nightly"]].concat()).await;
    // No message of ours, a platform that is not there, a version that computes nothing: all before the next good one.
    let broker = world.broker.connect("bad").await;
    let publisher = broker.publisher().await.unwrap();
    let bad = Outgoing {
        queue: Queue::BackfillJobs,
        body: "not a request".into(),
        message_id: MessageId::generate().0,
        correlation: String::new(),
    };
    publisher.publish(bad).await.unwrap();
    broker.close().await.unwrap();
    request(
        world,
        &[
            "cxone-contacts",
            "--platform",
            "nowhere",
            "--last",
            "1day",
            "--metric-version",
            "2",
        ],
    )
    .await;
    request(
        world,
        &["replay", "--last", "1day", "--metric-version", "77"],
    )
    .await;
    request(world, &[&usual[..], &["nightly"]].concat()).await;
    world.log_events(5, "acme").await;
    request(
        world,
        &[
            "replay",
            "--tenant",
            "acme",
            "--from",
            "2024-05-15T00:00:00Z",
            "--to",
            "2024-05-16T00:00:00Z",
            "--metric-version",
            "2",
        ],
    )
    .await;

    let file = platforms::load(Path::new(&past.file())).unwrap();
    let _served = Served::new(world, file).await;
    eventually(LONG, "the replay is a job", async || {
        world.jobs().await.iter().any(|job| job["kind"] == "replay")
    })
    .await;

    let jobs = world.jobs().await;
    assert_eq!(jobs.len(), 2, "{jobs:#?}");
    let nightly = jobs
        .iter()
        .find(|job| job["request_id"] == "nightly")
        .unwrap();
    assert_eq!(nightly["totals"]["chunks"], 2);
    assert_eq!(nightly["tenant"], "acme");
    let client = world.db.store().await.client().await.unwrap();
    let held = quarantine::list(&client, &Filter::default(), 10)
        .await
        .unwrap();
    let mut reasons: Vec<_> = held.iter().map(|held| held.reason.clone()).collect();
    reasons.sort();
    assert_eq!(held.len(), 3, "{reasons:#?}");
    assert!(held.iter().all(|held| held.stage == "backfill"));
    assert!(
        reasons[0].starts_with("--metric-version 77: no activated definition"),
        "{reasons:#?}"
    );
    assert!(
        reasons[1].starts_with("the message is no envelope"),
        "{reasons:#?}"
    );
    assert!(
        reasons[2].starts_with("the platform `nowhere` is not known"),
        "{reasons:#?}"
    );
    eventually(LONG, "the queue is empty", async || {
        let broker = world.broker.connect("depth").await;
        let depth = broker.depth(Queue::BackfillJobs).await.unwrap();
        broker.close().await.unwrap();
        depth == 0
    })
    .await;
}

/// A grant that is missing while a migration is under way is nothing that is wrong with a request.
#[tokio::test]
async fn a_request_waits_for_a_database_that_refuses_it_for_now() {
    let past = Past::new(None).await;
    let world = &past.world;
    let database = world.db.client().await;
    // What a sequence gave is not taken back with the transaction.
    let refuse = "CREATE SEQUENCE tried; \
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
            PERFORM nextval('tried'); RAISE EXCEPTION 'permission denied' USING ERRCODE = '42501'; END $$; \
        CREATE TRIGGER refuse BEFORE INSERT ON backfill_jobs FOR EACH ROW EXECUTE FUNCTION refuse()";
    database.batch_execute(refuse).await.unwrap();
    request(
        world,
        &[
            "cxone-contacts",
            "--platform",
            "c",
            "--from",
            "2025-01-06T00:00:00Z",
            "--to",
            "2025-01-07T00:00:00Z",
            "--metric-version",
            "2",
        ],
    )
    .await;
    let file = platforms::load(Path::new(&past.file())).unwrap();
    let _served = Served::new(world, file).await;
    eventually(LONG, "the request is tried twice", async || {
        let row = database
            .query_one("SELECT last_value FROM tried", &[])
            .await
            .unwrap();
        row.get::<_, i64>(0) >= 2
    })
    .await;
    database
        .batch_execute("DROP TRIGGER refuse ON backfill_jobs")
        .await
        .unwrap();
    eventually(LONG, "the request is a job", async || {
        world.jobs().await.len() == 1
    })
    .await;
    let client = world.db.store().await.client().await.unwrap();
    let held = quarantine::list(&client, &Filter::default(), 10)
        .await
        .unwrap();
    assert!(held.is_empty(), "{held:#?}");
}

#[tokio::test]
async fn a_request_that_takes_the_database_too_long_each_time_stands_in_nobodys_way() {
    let past = Past::new(None).await;
    let world = &past.world;
    let database = world.db.client().await;
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(20); RETURN NEW; END $$; \
        CREATE TRIGGER slow BEFORE INSERT ON backfill_jobs FOR EACH ROW WHEN (NEW.kind = 'cxone-contacts') EXECUTE FUNCTION slow()";
    database.batch_execute(slow).await.unwrap();
    for (source, platform) in [("cxone-contacts", "c"), ("genesys-conversations", "g")] {
        let stretch = [
            "--from",
            "2025-01-06T00:00:00Z",
            "--to",
            "2025-01-07T00:00:00Z",
        ];
        let asked = [source, "--platform", platform, "--metric-version", "2"];
        request(world, &[&asked[..], &stretch].concat()).await;
    }
    let config = StoreConfig {
        statement_timeout: Duration::from_millis(500),
        ..StoreConfig::new(world.db.url(), "requests")
    };
    let store = Store::connect(config).await.unwrap();
    let file = platforms::load(Path::new(&past.file())).unwrap();
    let _served = Served::with(world, file, store);
    eventually(LONG, "the other request is a job", async || {
        world.jobs().await.len() == 1
    })
    .await;
    let client = world.db.store().await.client().await.unwrap();
    let held = eventually(LONG, "the slow one is put away", async || {
        quarantine::list(&client, &Filter::default(), 10)
            .await
            .unwrap()
            .pop()
    })
    .await;
    assert!(
        held.reason.starts_with("it takes too long"),
        "{}",
        held.reason
    );
}

/// How much of the log a replay is about is looked at by the worker that takes it, and not while its request waits to be acknowledged.
#[tokio::test]
async fn a_replay_of_a_stretch_that_takes_long_to_look_through_keeps_no_request_waiting() {
    let past = Past::new(None).await;
    let world = &past.world;
    world.log_events(50, "acme").await;
    let mut database = world.db.client().await;
    let busy = database.transaction().await.unwrap();
    busy.batch_execute("LOCK TABLE event_log IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let stretch = [
        "--from",
        "2024-05-15T00:00:00Z",
        "--to",
        "2024-05-16T00:00:00Z",
        "--metric-version",
        "2",
    ];
    request(world, &[&["replay"], &stretch[..]].concat()).await;
    let contacts = ["cxone-contacts", "--platform", "c"];
    request(world, &[&contacts[..], &stretch].concat()).await;
    let file = platforms::load(Path::new(&past.file())).unwrap();
    let served = Served::new(world, file).await;
    eventually(LONG, "both are jobs", async || {
        world.jobs().await.len() == 2
    })
    .await;
    drop(served);
    busy.rollback().await.unwrap();

    let jobs = world.jobs().await;
    let replay = jobs.iter().find(|job| job["kind"] == "replay").unwrap();
    let replay = JobId(replay["job"].as_str().unwrap().parse().unwrap());
    let mut worker = world.paging("1");
    eventually(LONG, "the replay is fetched", async || {
        let chunks = world.chunks(replay).await;
        chunks.iter().all(|chunk| chunk.state == State::Done)
    })
    .await;
    assert!(worker.term(LONG).await.success(), "{}", worker.stderr());
    let chunks = world.chunks(replay).await;
    let records: i64 = chunks.iter().map(|chunk| chunk.records).sum();
    assert_eq!(records, 50);
    let messages = world.events().await;
    let facts: usize = messages.iter().map(|message| message.events.len()).sum();
    assert_eq!(facts, 50);
}

/// As `ingest quarantine release` does it.
async fn release(world: &World, number: i64) {
    let store = world.db.store().await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let one = Filter {
        numbers: Some(vec![number]),
        ..Filter::default()
    };
    let held = quarantine::release_next(&tx, &one, 1, u64::MAX)
        .await
        .unwrap()
        .remove(0);
    let Raw::Plain(body) = held.raw else {
        panic!("{:?}", held.raw);
    };
    let again = Outgoing {
        queue: Queue::BackfillJobs,
        body: body.into(),
        message_id: held.delivery_id.0,
        correlation: held.correlation,
    };
    world.broker.publish(again).await;
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_released_becomes_a_job_or_is_held_again_under_its_number() {
    let past = Past::new(None).await;
    let world = &past.world;
    let stretch = [
        "--from",
        "2024-05-15T00:00:00Z",
        "--to",
        "2024-05-16T00:00:00Z",
    ];
    let wanted = ["replay", "--metric-version", "77"];
    request(world, &[&wanted[..], &stretch].concat()).await;
    let file = platforms::load(Path::new(&past.file())).unwrap();
    let _served = Served::new(world, file).await;
    let client = world.db.store().await.client().await.unwrap();
    let held = async || {
        let held = quarantine::list(&client, &Filter::default(), 10).await;
        held.unwrap()
    };
    eventually(LONG, "it is refused", async || held().await.len() == 1).await;
    let number = held().await[0].id;
    release(world, number).await;
    eventually(LONG, "it is refused again", async || {
        let held = held().await;
        held.len() == 1 && held[0].status == Status::Held
    })
    .await;
    assert_eq!(held().await[0].id, number);

    world
        .define("talk_time", 77, definitions::Status::Candidate)
        .await;
    release(world, number).await;
    eventually(LONG, "it is a job", async || world.jobs().await.len() == 1).await;
    let settled = quarantine::find(&client, number).await.unwrap().unwrap();
    assert_eq!(settled.status, Status::Released);
}
