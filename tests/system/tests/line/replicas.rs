//! Two, then four replicas of ingest and of compute on the same queues, killed at random: the end state is that of one of each.

use crate::harness::{Look, Setup, send, sender, truth};
use crate::servers::{Part, free_port, size};
use double::truth::Truth;
use double::workload::Workload;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::time::Duration;
use testkit::{TestBroker, TestDb};

/// One replica each of ingest and of compute, and where the first takes deliveries.
struct Pair {
    ingest: Part,
    compute: Part,
    listen: String,
}

impl Pair {
    fn start(setup: &Setup) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        Self {
            ingest: Part::start(setup, "ingest", &["serve", "--http-listen", &listen]),
            compute: Part::start(setup, "compute", &["serve"]),
            listen,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_come_go_and_are_killed_leave_the_end_state_of_one() {
    let kills = size("KPILINE_SOAK_KILLS", 12);
    let seed = u64::try_from(size("KPILINE_SOAK_SEED", 11)).unwrap();
    let mut rng = StdRng::seed_from_u64(seed);
    let events = Workload::new(size("KPILINE_SOAK_INTERACTIONS", 800), seed).events;
    let expected = truth(&events);
    let statements = Truth::of(events.iter().map(AsRef::as_ref)).statements;
    let db = TestDb::new().await;
    let broker = TestBroker::new();
    let setup = Setup::new(db.url(), broker.url(), broker.prefix());
    let mut pairs = vec![Pair::start(&setup), Pair::start(&setup)];

    // Everything twice: each half of the senders sends all events, in its own order, to its own replica.
    let mut sending = Vec::new();
    for (number, pair) in pairs.iter().enumerate() {
        let mut options = sender(pair.listen.parse().unwrap());
        options.shuffle_seed = Some(seed + number as u64);
        options.rate = Some(120.0);
        let events = events.clone();
        sending.push(tokio::spawn(async move { send(&options, events).await }));
    }
    let mut killed = 0;
    while killed < kills || sending.iter().any(|sender| !sender.is_finished()) {
        // The random moment itself: time passing is the point, nothing is waited for.
        tokio::time::sleep(Duration::from_millis(rng.random_range(150..900))).await;
        if killed == kills / 2 && pairs.len() == 2 {
            pairs.push(Pair::start(&setup));
            pairs.push(Pair::start(&setup));
        }
        if killed < kills {
            let number = rng.random_range(0..pairs.len());
            let pair = &mut pairs[number];
            if rng.random_range(0..2) == 0 {
                pair.ingest.kill_and_restart(&setup);
            } else {
                pair.compute.kill_and_restart(&setup);
            }
            killed += 1;
        }
    }
    let mut sent = 0;
    for sender in sending {
        sent += sender.await.unwrap().accepted_events;
    }
    let look = Look(db.client().await);
    look.wait_for(&expected).await;
    // From four to one, while what is left is worked off.
    for mut pair in pairs.drain(1..) {
        assert!(
            pair.ingest
                .process
                .term(Duration::from_secs(30))
                .await
                .success()
        );
        assert!(
            pair.compute
                .process
                .term(Duration::from_secs(30))
                .await
                .success()
        );
    }
    let sent = i64::try_from(sent).unwrap();
    let counts = testkit::eventually(crate::harness::PATIENCE, "all is decided", async || {
        let counts = look.counts().await;
        if counts.received >= sent {
            Ok(counts)
        } else {
            Err(counts)
        }
    })
    .await;
    assert_eq!(counts.logged, i64::try_from(statements).unwrap());
    assert_eq!(
        (counts.quarantined, counts.received),
        (0, counts.logged + counts.duplicates + counts.ignored)
    );
    assert_eq!(
        look.number("SELECT count(*) FROM event_log").await,
        counts.logged
    );
    look.wait_for(&expected).await;
    eprintln!(
        "replicas: {killed} kills, seed {seed}; {sent} events accepted, {} rows as the truth has them",
        expected.len()
    );
}
