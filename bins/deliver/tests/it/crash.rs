//! Processes that die, and processes that are asked to stop.

use crate::world::{QUICK, World, faulty};
use double::config::{Config, Fault, Phase};
use std::time::Duration;
use testkit::{Proxy, eventually};

const SOON: Duration = Duration::from_secs(30);

/// A world in which the leases of the dead end soon.
async fn mortal(config: Config) -> World {
    World::genesys(config, QUICK).await.with_lease_margin("1s")
}

/// Pitfall 110: killed right after the 200 arrived, before anything could be written down. The lease runs out, the rows are pushed again
/// under the same keys, the log says what happened.
#[tokio::test]
async fn killed_right_after_the_answer() {
    let slow = Fault::Stall {
        millis: 1500, // long enough to stop the way to the database meanwhile
        store: true,
    };
    let mut world = mortal(faulty([Phase::requests(1, slow)])).await;
    world.deliver().await.kill9(); // registers the target
    world.write_many(0, 100, 0.0).await;
    let (proxy, through) = Proxy::before(world.db.url(), 5432).await;
    let mut process = world.deliver_at(&through).await;
    eventually(SOON, "the platform has the rows", async || {
        world.pushes().first().is_some_and(|push| push.stored)
    })
    .await;
    // From here on nothing reaches the database any more.
    proxy.stall();
    eventually(SOON, "the 200 is out", async || {
        world
            .pushes()
            .first()
            .is_some_and(|push| push.status == 200)
    })
    .await;
    process.kill9();
    assert_eq!(world.waiting().await, 100, "nothing was written down");

    let replicas = [world.deliver().await, world.deliver().await];
    world.drained(SOON).await;
    let pushes = world.pushes();
    // The replicas may have shared them.
    let rows: usize = pushes[1..].iter().map(|push| push.rows).sum();
    assert_eq!(rows, 100, "once before and once after: {pushes:?}");
    for cell in world.double.table().values() {
        assert_eq!((cell.stored, cell.revision), (2, Some(1)));
    }
    // The same key for the same value: the double would have noted a conflict.
    world.no_violations();
    world.every_push_has_a_fate().await;
    for (fate, count) in [("sent", 200), ("unknown", 100), ("accepted", 100)] {
        let sql = format!("SELECT count(*) FROM metric_sync_log WHERE fate = '{fate}'");
        assert_eq!(world.query_count(&sql).await, count, "{fate}");
    }
    let keys = world
        .query_count("SELECT count(DISTINCT idempotency_key) FROM metric_sync_log")
        .await;
    assert_eq!(keys, 100);
    drop(replicas);
}

/// SIGTERM with a request under way: it is finished and written down, leases are given back, the exit code is 0.
#[tokio::test]
async fn asked_to_stop_it_finishes_what_it_began() {
    let slow = Fault::Stall {
        millis: 700,
        store: false,
    };
    let mut world = mortal(faulty([Phase::requests(1000, slow)])).await;
    let mut process = world.deliver().await;
    world.write_many(0, 1000, 0.0).await;
    eventually(SOON, "a second request is under way", async || {
        world.pushes().len() >= 2
    })
    .await;
    let status = process.term(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{}", process.stderr());
    let counts = world.counts().await;
    assert_eq!((counts.leased, counts.unknown), (0, 0), "{counts:?}");
    world.every_push_has_a_fate().await;
    let acknowledged = world
        .double
        .table()
        .values()
        .filter(|cell| cell.acknowledged > 0)
        .count();
    assert_eq!(counts.pending, 1000 - i64::try_from(acknowledged).unwrap());
    // And the next one goes on where it stopped.
    world.double.set_faults(double::config::Script::default());
    let process = world.deliver().await;
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    drop(process);
}

/// The database goes away in the middle and comes back: nothing is lost, nothing is doubled.
#[tokio::test]
async fn a_database_that_comes_and_goes() {
    let mut world = mortal(Config::default()).await;
    let (proxy, through) = Proxy::before(world.db.url(), 5432).await;
    let process = world.deliver_at(&through).await;
    for round in 0..5 {
        world.write_many(round * 1000, 1000, 0.0).await;
        tokio::time::sleep(Duration::from_millis(60)).await; // somewhere in the middle
        proxy.refuse();
        tokio::time::sleep(Duration::from_millis(150)).await; // long enough for a try or two
        proxy.resume();
    }
    world.drained(SOON).await;
    let table = world.double.table();
    assert_eq!(table.len(), 5000);
    world.no_violations();
    world.every_push_has_a_fate().await;
    drop(process);
}

/// Killed again and again: in the end every value is there, and every push has a fate.
#[tokio::test]
async fn killed_again_and_again() {
    let mut world = mortal(Config::default()).await;
    let mut process = world.deliver().await;
    for round in 0..6_u64 {
        world
            .write_many(usize::try_from(round).unwrap() * 500, 500, 0.0)
            .await;
        // Moments that differ from round to round.
        tokio::time::sleep(Duration::from_millis(7 + 13 * round)).await;
        process.kill9();
        process = world.deliver().await;
    }
    world.drained(SOON).await;
    assert_eq!(world.double.table().len(), 3000);
    world.no_violations();
    world.every_push_has_a_fate().await;
    assert!(
        world
            .double
            .table()
            .values()
            .all(|cell| cell.acknowledged > 0)
    );
    drop(process);
}

/// A pause that the platform asked for outlives the process that was asked.
#[tokio::test]
async fn a_successor_keeps_to_the_pause_its_predecessor_was_told() {
    let later = Fault::Status {
        status: 429,
        retry_after: Some(4),
        as_date: true,
        store: false,
    };
    let mut world = mortal(faulty([Phase::requests(1, later)])).await;
    let mut process = world.deliver().await;
    world.write_many(0, 300, 0.0).await;
    process
        .wait_line("throttled and written down", SOON, |line| {
            line["message"] == "pushed" && line["status"] == 429
        })
        .await;
    process.kill9();
    let process = world.deliver().await;
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    // A request before its time would be one.
    world.no_violations();
    drop(process);
}

/// Neither does one that cannot read of it at first take that for leave to push.
#[tokio::test]
async fn a_successor_that_cannot_read_of_the_pause_waits_until_it_can() {
    let later = Fault::Status {
        status: 429,
        retry_after: Some(6),
        as_date: false,
        store: false,
    };
    let mut world = mortal(faulty([Phase::requests(1, later)])).await;
    let mut process = world.deliver().await;
    world.write_many(0, 300, 0.0).await;
    process
        .wait_line("throttled and written down", SOON, |line| {
            line["message"] == "pushed" && line["status"] == 429
        })
        .await;
    process.kill9();
    let client = world.db.client().await;
    client
        .batch_execute("BEGIN; LOCK TABLE rate_pauses IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let mut process = world.spawn(&["--database-statement-timeout", "200ms"], world.db.url());
    process
        .wait_line("the pause cannot be read", SOON, |line| {
            line["message"] == "the budget cannot be asked: nothing is sent"
        })
        .await;
    client.batch_execute("COMMIT").await.unwrap();
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    // A request before its time would be one.
    world.no_violations();
    drop(process);
}

/// Makes noting that a request is about to be sent take longer than a grant keeps.
async fn slow_to_note(world: &World) {
    let slow = "CREATE FUNCTION slow_to_note() RETURNS trigger LANGUAGE plpgsql AS $$ \
                BEGIN IF NEW.fate = 'sent' AND NEW.interaction_id = 'int_00000' THEN PERFORM pg_sleep(1.3); END IF; RETURN NEW; END $$; \
                CREATE TRIGGER slow_to_note BEFORE INSERT ON metric_sync_log FOR EACH ROW EXECUTE FUNCTION slow_to_note()";
    world.db.client().await.batch_execute(slow).await.unwrap();
}

/// A grant that lapsed while the request was written down is not used, and another one is waited for no longer than for the first:
/// asked to stop meanwhile it sends nothing more.
#[tokio::test]
async fn a_request_whose_grant_lapsed_heeds_the_stop() {
    let slowly = "rate = { requests = 3, period = \"10s\" }\ntimeouts = { connect = \"2s\", read = \"2s\", total = \"2s\" }";
    let mut world = World::genesys(Config::default(), slowly).await;
    slow_to_note(&world).await;
    let mut process = world.deliver().await;
    world.write_many(0, 100, 0.0).await;
    eventually(SOON, "the request is written down", async || {
        world
            .query_count("SELECT count(*) FROM metric_sync_log")
            .await
            == 100
    })
    .await;
    let status = process.term(Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{}", process.stderr());
    assert_eq!(world.pushes().len(), 0, "sent after it was told to stop");
    world.every_push_has_a_fate().await;
    let counts = world.counts().await;
    assert_eq!((counts.pending, counts.leased), (100, 0), "{counts:?}");
    let attempts = world
        .query_count("SELECT sum(attempt) FROM sync_queue")
        .await;
    assert_eq!(attempts, 0, "nothing was attempted");
}

/// However slow the log is, a request is written down once and then goes.
#[tokio::test]
async fn a_request_whose_grant_lapsed_goes_with_the_next_one() {
    let mut world = World::genesys(Config::default(), QUICK).await;
    slow_to_note(&world).await;
    let process = world.deliver().await;
    world.write_many(0, 100, 0.0).await;
    world.drained(SOON).await;
    world.platform_has_everything_but(&[]);
    for (fate, count) in [("sent", 100), ("accepted", 100), ("snoozed", 0)] {
        let sql = format!("SELECT count(*) FROM metric_sync_log WHERE fate = '{fate}'");
        assert_eq!(world.query_count(&sql).await, count, "{fate}");
    }
    drop(process);
}
