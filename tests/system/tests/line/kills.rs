//! `kill -9` of every process and of both servers, at seeded moments, while events arrive: the end state is that of a quiet day.
//!
//! The servers are private ones, started by the same script that the README names, so that they may be killed.

use crate::harness::{Look, METRICS, PATIENCE, Setup, difference, send, sender, truth};
use crate::servers::{Part, Servers, free_port, size};
use bytes::Bytes;
use double::emit::Options;
use double::truth::Truth;
use double::workload::Workload;
use double::{Config, Double};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testkit::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_random_moments_do_not_change_the_end_state() {
    let kills = size("KPILINE_SOAK_KILLS", 20);
    let interactions = size("KPILINE_SOAK_INTERACTIONS", 1000);
    let seed = u64::try_from(size("KPILINE_SOAK_SEED", 7)).unwrap();
    let mut rng = StdRng::seed_from_u64(seed);
    // A file of events instead of our own, such as the peers' generator writes.
    let events = match std::env::var_os("KPILINE_SOAK_EVENTS") {
        Some(file) => double::emit::lines(std::fs::read(file).unwrap()),
        None => Workload::new(interactions, seed).events,
    };
    let expected = truth(&events);
    let statements = Truth::of(events.iter().map(AsRef::as_ref)).statements;

    let servers = Servers::start("kills");
    let (database, amqp) = (
        servers.url("KPILINE_DATABASE_URL"),
        servers.url("KPILINE_AMQP_URL"),
    );
    let double = Double::start(Config::default()).await.unwrap();
    let setup = Setup::new(&database, &amqp, "kills.")
        .with_target(
            &double,
            "genesys-custom-report",
            &METRICS,
            "[target.rate]\nrequests = 3000\nperiod = \"1m\"\n\n[target.retry]\nfirst = \"100ms\"\nlongest = \"2s\"\n",
        )
        // A killed deliver's rows wait for their lease; a test need not wait as long.
        .with_env("KPILINE_DELIVER_LEASE_MARGIN", "1s");
    setup.run("compute", &["migrate"]).await;
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut parts = [
        Part::start(&setup, "ingest", &["serve", "--http-listen", &listen]),
        Part::start(&setup, "compute", &["serve"]),
        Part::start(&setup, "deliver", &["serve"]),
    ];

    let mut options = sender(([127, 0, 0, 1], port).into());
    options.rate = Some(100.0);
    options.duplicate_ratio = 0.1;
    options.late_ratio = 0.1;
    let over = Arc::new(AtomicBool::new(false));
    let sending = tokio::spawn(keep_sending(options, events, Arc::clone(&over)));

    let mut killed = std::collections::BTreeMap::<&str, usize>::new();
    for round in 0..kills {
        // The random moment itself: time passing is the point, nothing is waited for.
        tokio::time::sleep(Duration::from_millis(rng.random_range(200..2_500))).await;
        // Each kind at least three times, the rest drawn.
        let kinds = ["ingest", "compute", "deliver", "rabbitmq", "postgres"];
        let victim = if round < 15 {
            kinds[round % 5]
        } else {
            kinds.choose(&mut rng).unwrap()
        };
        *killed.entry(victim).or_default() += 1;
        match victim {
            "rabbitmq" | "postgres" => {
                servers.script(&["crash", victim]);
                servers.script(&["start", victim]);
            }
            binary => {
                let part = parts.iter_mut().find(|part| part.binary == binary).unwrap();
                part.kill_and_restart(&setup);
            }
        }
    }
    over.store(true, Ordering::Relaxed);
    let (sent, seconds) = sending.await.unwrap();
    for part in &mut parts {
        assert!(
            part.process.is_running(),
            "{} gave up: {}",
            part.binary,
            part.process.stderr()
        );
    }

    let look = Look::connect(&database).await;
    look.wait_for(&expected).await;
    setup.activate_second_version().await;
    replay_with_kills(&setup, &mut rng).await;
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
    look.wait_pushed(&double, &expected).await;
    let counts = look.counts().await;
    assert_eq!(
        counts.received,
        counts.logged + counts.duplicates + counts.quarantined + counts.ignored
    );
    assert_eq!(counts.quarantined, 0);
    assert_eq!(
        counts.logged,
        i64::try_from(statements).unwrap(),
        "each statement once in the log"
    );
    assert_eq!(
        look.number("SELECT count(*) FROM event_log").await,
        counts.logged
    );
    // A delivery whose answer was lost is sent again, so at least what was accepted was decided.
    assert!(counts.received >= i64::try_from(sent).unwrap());
    eprintln!(
        "kills: {killed:?} and 3 of backfill, seed {seed}; {sent} events accepted over {seconds:.0} s, {} decided; {} rows as the truth has them",
        counts.received,
        expected.len()
    );
}

/// Sends the events in parts as long as the kills go on, again from the start when they run out, and the last part when the kills
/// are over: whatever the machine's speed, events arrive at every kill. Gives how many were accepted and for how long.
async fn keep_sending(options: Options, events: Vec<Bytes>, over: Arc<AtomicBool>) -> (u64, f64) {
    let began = Instant::now();
    let parts: Vec<Vec<Bytes>> = events
        .chunks(events.len().div_ceil(60))
        .map(<[Bytes]>::to_vec)
        .collect();
    let (last, before) = parts.split_last().unwrap();
    let (mut sent, mut part) = (0, 0);
    while !over.load(Ordering::Relaxed) || part < before.len() {
        sent += send(&options, before[part % before.len()].clone())
            .await
            .accepted_events;
        part += 1;
    }
    sent += send(&options, last.clone()).await.accepted_events;
    (sent, began.elapsed().as_secs_f64())
}

/// A replay that is killed three times and resumed each time.
async fn replay_with_kills(setup: &Setup, rng: &mut StdRng) {
    let range = [
        "replay",
        "--from",
        "2000-01-01T00:00:00Z",
        "--to",
        "2026-11-01T00:00:00Z",
        "--metric-version",
        "2",
    ];
    for _ in 0..3 {
        let mut backfill = setup.spawn("backfill", &range);
        tokio::time::sleep(Duration::from_millis(rng.random_range(5..120))).await;
        backfill.kill9();
    }
    setup.run("backfill", &range).await;
}
