//! Each way in which the broker or the database can be unable to take anything, while events arrive: nothing accepted is lost, nothing counts
//! twice, nobody is restarted, and the line catches up by itself.

use crate::harness::{Look, PATIENCE, Setup, Values, difference, sender, truth};
use crate::servers::{Part, Servers, free_port, size};
use bytes::Bytes;
use double::emit::{Options, Summary};
use double::truth::Truth;
use double::workload::Workload;
use std::time::{Duration, Instant};
use testkit::{eventually, http};

/// Events sent during each outage and after it.
const PARTS: usize = 6;

/// The line on servers that can be taken away.
struct Outages {
    servers: Servers,
    setup: Setup,
    parts: Vec<Part>,
    options: Options,
    database: String,
    look: Look,
    sent: u64,
    refused: u64,
    said: Vec<String>,
}

impl Outages {
    async fn start() -> Self {
        let servers = Servers::start("outages");
        let (database, amqp) = (
            servers.url("KPILINE_DATABASE_URL"),
            servers.url("KPILINE_AMQP_URL"),
        );
        let setup = Setup::new(&database, &amqp, "outages.")
            // So little that a stopped `normalise` fills it within a test.
            .with_env("KPILINE_RAW_QUEUE_MAX_BYTES", "60000");
        setup.run("compute", &["migrate"]).await;
        let listen = format!("127.0.0.1:{}", free_port());
        let parts = vec![
            Part::start(&setup, "ingest", &["receive", "--http-listen", &listen]),
            Part::start(&setup, "ingest", &["normalise"]),
            Part::start(&setup, "compute", &["serve"]),
        ];
        let mut options = sender(listen.parse().unwrap());
        options.connections = 4;
        let look = Look::connect(&database).await;
        Self {
            servers,
            setup,
            parts,
            options,
            database,
            look,
            sent: 0,
            refused: 0,
            said: Vec::new(),
        }
    }

    /// Sends while `broken` lasts and until everything is accepted; then waits until the line has decided everything.
    async fn through(
        &mut self,
        what: &str,
        events: &[Bytes],
        seconds: usize,
        begin: impl AsyncFnOnce(&Self),
        end: impl AsyncFnOnce(&Self),
    ) {
        begin(self).await;
        let began = Instant::now();
        let (mut options, events) = (self.options.clone(), events.to_vec());
        // All the time, and a little longer.
        options.rate = Some((events.len() as f64 / (seconds as f64 + 1.0)).max(100.0));
        let sending = tokio::spawn(async move { double::emit::run(&options, events).await });
        // The outage's length itself: nothing is waited for.
        tokio::time::sleep(Duration::from_secs(seconds as u64)).await;
        end(self).await;
        let back = Instant::now();
        // Ours ended with the database.
        self.look = Look::connect(&self.database).await;
        let summary: Summary = sending.await.unwrap().unwrap();
        assert!(summary.is_complete(), "{what}: {summary:?}");
        self.sent += summary.accepted_events;
        let refused = summary
            .by_status
            .iter()
            .filter(|(status, _)| status.as_str() != "202")
            .map(|(_, count)| *count)
            .sum::<u64>();
        self.refused += refused;
        let accepted_after = back.elapsed();
        let sent = i64::try_from(self.sent).unwrap();
        eventually(
            PATIENCE,
            &format!("{what}: everything is decided"),
            async || {
                let received = self.look.counts().await.received;
                // What was stored though its answer was lost is sent again.
                if received >= sent {
                    Ok(())
                } else {
                    Err((received, sent))
                }
            },
        )
        .await;
        for part in &mut self.parts {
            assert!(
                part.process.is_running(),
                "{what}: {} gave up: {}",
                part.binary,
                part.process.stderr()
            );
        }
        self.said.push(format!(
            "{what}: {:.0} s, {refused} answers were no 202; all accepted {:.1} s and all decided {:.1} s after its end",
            (back - began).as_secs_f64(),
            accepted_after.as_secs_f64(),
            back.elapsed().as_secs_f64(),
        ));
    }

    /// Whether receive says that it takes deliveries.
    async fn is_ready(&mut self, part: usize) -> bool {
        let ops = self.parts[part].process.wait_ready().await.ops_address();
        http::get(ops, "/readyz")
            .await
            .is_ok_and(|(status, _)| status == 200)
    }

    fn rabbitmqctl(&self, arguments: &[&str]) {
        let all: Vec<&str> = ["rabbitmqctl"].iter().chain(arguments).copied().collect();
        self.servers.script(&all);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outages_of_broker_and_database_lose_nothing_and_end_by_themselves() {
    let (broker_seconds, database_seconds) = (
        size("KPILINE_SOAK_BROKER_SECONDS", 4),
        size("KPILINE_SOAK_DATABASE_SECONDS", 8),
    );
    let events = Workload::new(size("KPILINE_SOAK_INTERACTIONS", 600), 31).events;
    let expected: Values = truth(&events);
    let statements = Truth::of(events.iter().map(AsRef::as_ref)).statements;
    let pieces: Vec<Vec<Bytes>> = events
        .chunks(events.len().div_ceil(PARTS))
        .map(<[Bytes]>::to_vec)
        .collect();
    let mut line = Outages::start().await;
    eventually(PATIENCE, "receive takes deliveries", async || {
        line.is_ready(0).await
    })
    .await;

    let nothing = async |_: &Outages| {};
    line.through("a quiet time", &pieces[0], 0, nothing, nothing)
        .await;
    line.through(
        "the broker stopped",
        &pieces[1],
        broker_seconds,
        async |line: &Outages| drop(line.servers.script(&["stop", "rabbitmq"])),
        async |line: &Outages| drop(line.servers.script(&["start", "rabbitmq"])),
    )
    .await;
    line.through(
        "the broker's memory alarm, which blocks connections",
        &pieces[2],
        broker_seconds,
        async |line: &Outages| line.rabbitmqctl(&["set_vm_memory_high_watermark", "0.00001"]),
        async |line: &Outages| line.rabbitmqctl(&["set_vm_memory_high_watermark", "0.6"]),
    )
    .await;
    line.through(
        "the broker's disk alarm",
        &pieces[3],
        broker_seconds,
        async |line: &Outages| line.rabbitmqctl(&["set_disk_free_limit", "999999GB"]),
        async |line: &Outages| line.rabbitmqctl(&["set_disk_free_limit", "1MB"]),
    )
    .await;
    let before = line.refused;
    line.through(
        "a full queue, nobody normalising",
        &pieces[4],
        broker_seconds,
        async |line: &Outages| line.parts[1].process.signal("STOP"),
        async |line: &Outages| line.parts[1].process.signal("CONT"),
    )
    .await;
    assert!(line.refused > before, "the queue was never full");
    line.through(
        "the database stopped",
        &pieces[5],
        database_seconds,
        async |line: &Outages| drop(line.servers.script(&["stop", "postgres"])),
        async |line: &Outages| {
            line.servers.script(&["start", "postgres"]);
        },
    )
    .await;

    eventually(PATIENCE, "the rows of the truth", async || {
        let found = line.look.values(1).await;
        if found == expected {
            Ok(())
        } else {
            Err(difference(&found, &expected))
        }
    })
    .await;
    let counts = line.look.counts().await;
    assert_eq!(counts.quarantined, 0);
    assert_eq!(counts.logged, i64::try_from(statements).unwrap());
    assert_eq!(
        counts.received,
        counts.logged + counts.duplicates + counts.ignored
    );
    drop(line.setup);
    for said in &line.said {
        eprintln!("outages: {said}");
    }
}
