//! A dump is taken while events arrive; later the database is lost. What was restored, the broker's queues as they are, and the platform's
//! history of the time in between make the line whole again: no value is missing, none counts twice, and the platform is sent nothing that
//! contradicts what it was sent before.

use crate::harness::{Look, METRICS, PATIENCE, Setup, sender, truth};
use crate::servers::{Part, free_port, postgres_program, size};
use broker::Queue;
use double::truth::Truth;
use double::workload::Workload;
use double::{Config, Double, Kind};
use std::path::Path;
use std::process::Command;
use testkit::{TestBroker, TestDb, eventually};
use tokio::task::block_in_place;

fn run(program: &str, arguments: &[&str]) {
    let output = block_in_place(|| {
        Command::new(postgres_program(program))
            .args(arguments)
            .output()
            .unwrap()
    });
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn setup(database: &str, broker: &TestBroker, double: &Double) -> Setup {
    Setup::new(database, broker.url(), broker.prefix())
        .with_target(
            double,
            "genesys-custom-report",
            &METRICS,
            "[target.rate]\nrequests = 3000\nperiod = \"1m\"\n\n[target.retry]\nfirst = \"100ms\"\nlongest = \"2s\"\n",
        )
        .with_env("KPILINE_DELIVER_LEASE_MARGIN", "1s")
}

/// Waits until so many events are logged.
async fn logged(look: &Look, events: i64) {
    eventually(PATIENCE, "events are logged", async || {
        let found = look.counts().await.received;
        (found >= events).then_some(()).ok_or((found, events))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restored_dump_the_queues_and_the_platforms_history_are_the_whole_again() {
    let interactions = size("KPILINE_SOAK_RESTORE_INTERACTIONS", 250);
    let events = Workload::new(interactions, 59).events;
    let all = i64::try_from(events.len()).unwrap();
    let expected = truth(&events);
    let statements = Truth::of(events.iter().map(AsRef::as_ref)).statements;
    let (lost, broker) = (TestDb::new().await, TestBroker::declared().await);
    let double = Double::start(Config::default()).await.unwrap();
    let first = setup(lost.url(), &broker, &double);
    let listen = format!("127.0.0.1:{}", free_port());
    let mut ingest = Part::start(&first, "ingest", &["serve", "--http-listen", &listen]);
    let mut compute = Part::start(&first, "compute", &["serve"]);
    let mut deliver = Part::start(&first, "deliver", &["serve"]);
    ingest.process.wait_ready().await;

    let mut options = sender(listen.parse().unwrap());
    options.rate = Some(200.0);
    let sending = {
        let (options, events) = (options.clone(), events.clone());
        tokio::spawn(async move { double::emit::run(&options, events).await })
    };
    let look = Look(lost.client().await);
    logged(&look, all / 3).await;
    let dump = first.folder.path().join("kpiline.dump");
    let dump = dump.to_str().unwrap();
    run("pg_dump", &["--format=custom", "--file", dump, lost.url()]);
    let at_dump = look.counts().await.received;
    // compute goes first, so that facts are left in the queues; the rest when everything is accepted.
    logged(&look, at_dump + (all - at_dump) / 2).await;
    compute.process.kill9();
    deliver.process.kill9();
    let summary = sending.await.unwrap().unwrap();
    assert!(summary.is_complete(), "{summary:?}");
    ingest.process.kill9();
    let at_loss = look.counts().await.received;
    drop(look);

    let restored = TestDb::empty().await;
    run(
        "pg_restore",
        &[
            "--no-owner",
            "--exit-on-error",
            "--dbname",
            restored.url(),
            dump,
        ],
    );
    let look = Look(restored.client().await);
    let in_dump = look.counts().await.received;
    assert!(
        at_loss > in_dump,
        "nothing came after the dump: {at_loss}, {in_dump}"
    );
    let waiting =
        broker.depth(Queue::EventsTerminal).await + broker.depth(Queue::EventsProgress).await;
    assert!(waiting > 0, "the queues are empty");
    drop(lost);
    look.0
        .batch_execute("SELECT after_restore(); ANALYZE")
        .await
        .unwrap();

    // Deliver comes last: until the line has caught up, values are older than what the platform has.
    let second = setup(restored.url(), &broker, &double);
    let ingest = Part::start(&second, "ingest", &["serve", "--http-listen", &listen]);
    let compute = Part::start(&second, "compute", &["serve"]);
    let history = second.folder.path().join("history.jsonl");
    write_lines(&history, &events);
    second
        .run(
            "backfill",
            &[
                "import",
                history.to_str().unwrap(),
                "--format",
                "genesys-webhook",
                "--tenant",
                "acme",
                "--subscription",
                "main",
            ],
        )
        .await;
    look.wait_for(&expected).await;
    eventually(PATIENCE, "everything is logged once", async || {
        let counts = look.counts().await;
        let once = counts.logged == i64::try_from(statements).unwrap()
            && counts.received == counts.logged + counts.duplicates
            && counts.quarantined + counts.ignored == 0;
        if once { Ok(()) } else { Err(counts) }
    })
    .await;
    assert_eq!(
        look.number("SELECT count(*) FROM event_log").await,
        i64::try_from(statements).unwrap()
    );

    let deliver = Part::start(&second, "deliver", &["serve"]);
    let pushed = look.wait_pushed(&double, &expected).await;
    for kind in [Kind::IdempotencyConflict, Kind::StaleRevision] {
        let found = double.violations_of(kind);
        assert!(found.is_empty(), "{found:?}");
    }
    drop((ingest, compute, deliver));
    eprintln!(
        "restore: {in_dump} events in the dump, {} more decided before the loss, {waiting} messages of facts in the queues; \
         {statements} logged and {} values as the truth has them",
        at_loss - in_dump,
        pushed
    );
}

fn write_lines(file: &Path, events: &[bytes::Bytes]) {
    let mut text = Vec::new();
    for event in events {
        text.extend_from_slice(event);
        text.push(b'\n');
    }
    std::fs::write(file, text).unwrap();
}
