//! Servers that go and do not come back at once: each node of a broker cluster in turn, and the primary of a database with a standby. Nothing
//! that was accepted is lost, nothing counts twice, nobody is restarted, and how long the line stood still is said.
//!
//! The servers are private ones, started by the script that `deploy/README.md` names.

use crate::harness::{Look, METRICS, PATIENCE, Setup, Values, sender, truth};
use crate::servers::{Part, free_port, size};
use bytes::Bytes;
use double::emit::Options;
use double::truth::Truth;
use double::workload::Workload;
use double::{Config, Double};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use store::{Store, StoreConfig};
use testkit::{TestBroker, TestDb, eventually, http, workspace_root};
use tokio::task::{JoinHandle, block_in_place};

/// The line may stand still for so long at most after the loss of a server: far above what is measured, far below what an operator
/// would wait for.
const STANDSTILL_MAX: Duration = Duration::from_secs(30);
/// Between two looks at how far the line is.
const LOOK: Duration = Duration::from_millis(25);

/// Three nodes, or a primary and its standby; ended with the value.
struct Cluster {
    folder: PathBuf,
}

impl Cluster {
    fn start(name: &str, kind: &str) -> Self {
        let local = std::env::var_os("KPILINE_LOCAL_DIR")
            .map_or_else(|| workspace_root().join(".local"), PathBuf::from);
        let cluster = Self {
            folder: local.join(format!("{name}-{}", std::process::id())),
        };
        cluster.script(&["start", kind]);
        cluster
    }

    fn command(&self, arguments: &[&str]) -> std::process::Output {
        block_in_place(|| {
            Command::new("bash")
                .arg(workspace_root().join("deploy/local/cluster.sh"))
                .args(arguments)
                .env("KPILINE_LOCAL_DIR", &self.folder)
                .output()
                .unwrap()
        })
    }

    fn script(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments);
        assert!(
            output.status.success(),
            "cluster.sh {arguments:?}: {}: {}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn url(&self, variable: &str) -> String {
        let env = self.script(&["env"]);
        let line = env
            .lines()
            .find_map(|line| line.strip_prefix(&format!("export {variable}=")))
            .unwrap();
        line.trim_matches('\'').to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let script = workspace_root().join("deploy/local/cluster.sh");
        let ended = Command::new("bash")
            .arg(script)
            .arg("destroy")
            .env("KPILINE_LOCAL_DIR", &self.folder)
            .output();
        if !ended.is_ok_and(|output| output.status.success()) {
            eprintln!(
                "the servers under {} were not removed",
                self.folder.display()
            );
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// How far the line is, step by step.
const STEPS: [&str; 3] = ["accepted", "logged", "computed"];

/// Looks all the time at how far the line is.
struct Watch {
    over: Arc<AtomicBool>,
    looking: JoinHandle<[Vec<Instant>; 3]>,
}

impl Watch {
    fn begin(ops: [SocketAddr; 3]) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let looking = tokio::spawn(async move {
            let mut before = [0.0; 3];
            let mut rises: [Vec<Instant>; 3] = std::array::from_fn(|_| vec![Instant::now()]);
            while !until.load(Ordering::Relaxed) {
                for (step, now) in progress(ops).await.into_iter().enumerate() {
                    if now > before[step] {
                        before[step] = now;
                        rises[step].push(Instant::now());
                    }
                }
                tokio::time::sleep(LOOK).await;
            }
            rises
        });
        Self { over, looking }
    }

    /// For how long each step stood still at most, where the standstill ended after this instant.
    async fn standstills(self, after: Instant) -> [Duration; 3] {
        self.over.store(true, Ordering::Relaxed);
        self.looking.await.unwrap().map(|rises| {
            let pairs = rises.windows(2).filter(|pair| pair[1] > after);
            pairs
                .map(|pair| pair[1] - pair[0])
                .max()
                .unwrap_or_default()
        })
    }
}

async fn progress([receive, normalise, compute]: [SocketAddr; 3]) -> [f64; 3] {
    let of = async |ops, series: &str| http::metric(ops, series).await.unwrap_or_default();
    [
        of(
            receive,
            "kpiline_ingest_deliveries_total{outcome=\"accepted\"}",
        )
        .await,
        of(normalise, "kpiline_ingest_events_total{result=\"logged\"}").await,
        of(compute, "kpiline_compute_events_total").await,
    ]
}

/// The line, with everything it was sent so far.
struct Loaded {
    setup: Setup,
    parts: Vec<Part>,
    ops: [SocketAddr; 3],
    options: Options,
    events: Vec<Bytes>,
    taken: usize,
    accepted: i64,
    seconds: usize,
    said: Vec<String>,
}

impl Loaded {
    /// `faults`: how many pieces of the events will be sent.
    async fn start(setup: Setup, faults: usize) -> Self {
        let seconds = size("KPILINE_SOAK_FAILOVER_SECONDS", 6);
        let rate = size("KPILINE_SOAK_FAILOVER_RATE", 100);
        let wanted = faults * seconds * rate;
        let mut events = Workload::new(wanted / 4, 83).events;
        assert!(events.len() >= wanted, "{} of {wanted}", events.len());
        events.truncate(wanted);
        let listen = format!("127.0.0.1:{}", free_port());
        let mut parts = vec![
            Part::start(&setup, "ingest", &["receive", "--http-listen", &listen]),
            Part::start(&setup, "ingest", &["normalise"]),
            Part::start(&setup, "compute", &["serve"]),
        ];
        let mut ops = Vec::new();
        for part in &mut parts {
            ops.push(part.process.wait_ready().await.ops_address());
        }
        let mut options = sender(listen.parse().unwrap());
        options.rate = Some(rate as f64);
        Self {
            setup,
            parts,
            ops: ops.try_into().unwrap(),
            options,
            events,
            taken: 0,
            accepted: 0,
            seconds,
            said: Vec::new(),
        }
    }

    /// Sends a piece of the events and has the fault happen meanwhile; waits until all of it is accepted, and says how long the line stood
    /// still. The fault gives the instant of the loss.
    async fn through(&mut self, what: &str, fault: impl AsyncFnOnce() -> Instant) {
        let piece = self.seconds * self.options.rate.unwrap() as usize;
        let events: Vec<Bytes> = self.events[self.taken..self.taken + piece].to_vec();
        self.taken += piece;
        let watch = Watch::begin(self.ops);
        let options = self.options.clone();
        let sending = tokio::spawn(async move { double::emit::run(&options, events).await });
        // So that the line is in the middle of it: time passing is the point.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let lost = fault().await;
        let summary = sending.await.unwrap().unwrap();
        assert!(summary.is_complete(), "{what}: {summary:?}");
        self.accepted += i64::try_from(summary.accepted_events).unwrap();
        let folded = self.settled(what).await;
        let stood = watch.standstills(lost).await;
        for part in &mut self.parts {
            assert!(
                part.process.is_running(),
                "{what}: {} gave up: {}",
                part.binary,
                part.process.stderr()
            );
        }
        let refused = summary.attempts - summary.accepted_posts;
        let times: Vec<String> = STEPS
            .iter()
            .zip(stood)
            .map(|(step, stood)| format!("nothing {step} for {:.1} s", stood.as_secs_f64()))
            .collect();
        self.said.push(format!(
            "{what}: {}; {refused} of {} attempts were not answered 202 and sent again; {folded} facts computed",
            times.join(", "),
            summary.attempts
        ));
        for (step, stood) in STEPS.iter().zip(stood) {
            assert!(
                stood < STANDSTILL_MAX,
                "{what}: nothing {step} for {stood:?}"
            );
        }
    }

    /// Waits until everything that was accepted is logged, and what is logged is computed.
    async fn settled(&self, what: &str) -> f64 {
        let of = |result: &str| format!("kpiline_ingest_events_total{{result=\"{result}\"}}");
        eventually(PATIENCE, &format!("{what}: all is decided"), async || {
            let [_, logged, _] = progress(self.ops).await;
            let copies = http::metric(self.ops[1], &of("duplicate")).await;
            let decided = logged + copies.unwrap_or_default();
            (decided >= self.accepted as f64)
                .then_some(())
                .ok_or((decided, self.accepted))
        })
        .await;
        eventually(PATIENCE, &format!("{what}: all is computed"), async || {
            let [_, logged, folded] = progress(self.ops).await;
            (folded >= logged).then_some(folded).ok_or((folded, logged))
        })
        .await
    }

    /// The end state is that of a quiet day.
    async fn proved(&self, look: &Look) -> Values {
        let expected = truth(&self.events);
        look.wait_for(&expected).await;
        let statements = Truth::of(self.events.iter().map(AsRef::as_ref)).statements;
        let counts = look.counts().await;
        assert_eq!(counts.quarantined, 0);
        assert_eq!(counts.logged, i64::try_from(statements).unwrap());
        assert_eq!(
            counts.received,
            counts.logged + counts.duplicates + counts.ignored
        );
        assert_eq!(
            look.number("SELECT count(*) FROM event_log").await,
            counts.logged
        );
        for said in &self.said {
            eprintln!("failover: {said}");
        }
        expected
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_node_of_the_broker_is_lost_in_turn_and_nothing_accepted_is() {
    let rounds = size("KPILINE_SOAK_FAILOVER_ROUNDS", 1);
    let cluster = Cluster::start("nodes", "rabbitmq");
    let db = TestDb::new().await;
    let setup = Setup::new(db.url(), &cluster.url("KPILINE_AMQP_URL"), "failover.");
    let mut line = Loaded::start(setup, 3 * rounds).await;
    for round in 0..rounds {
        for node in ["1", "2", "3"] {
            // One in three leaves in order, the others as machines that are gone; in later rounds others.
            let order = (round + node.parse::<usize>().unwrap()) % 3 == 0;
            let how = if order { "stop" } else { "kill" };
            let what = format!("node {node}, {how}");
            line.through(&what, async || {
                let lost = Instant::now();
                cluster.script(&["rabbitmq", how, node]);
                lost
            })
            .await;
            cluster.script(&["rabbitmq", "start", node]);
        }
    }
    let look = Look(db.client().await);
    line.proved(&look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_standby_takes_over_from_a_killed_primary_and_nothing_accepted_is_lost() {
    let rounds = size("KPILINE_SOAK_FAILOVER_ROUNDS", 1);
    let cluster = Cluster::start("standby", "postgres");
    let broker = TestBroker::new();
    let database = cluster.url("KPILINE_DATABASE_URL");
    let double = Double::start(Config::default()).await.unwrap();
    let setup = Setup::new(&database, broker.url(), broker.prefix()).with_target(
        &double,
        "genesys-custom-report",
        &METRICS,
        "[target.rate]\nrequests = 3000\nperiod = \"1m\"\n\n[target.retry]\nfirst = \"100ms\"\nlongest = \"2s\"\n",
    )
    // Rows that were leased in the moment of the loss wait for their lease; a test need not wait as long.
    .with_env("KPILINE_DELIVER_LEASE_MARGIN", "1s");
    setup.run("compute", &["migrate"]).await;
    let mut line = Loaded::start(setup, rounds).await;
    line.parts
        .push(Part::start(&line.setup, "deliver", &["serve"]));
    for round in 0..rounds {
        let what = format!("failover {}, promoted at once", round + 1);
        line.through(&what, async || {
            let lost = Instant::now();
            cluster.script(&["postgres", "kill"]);
            cluster.script(&["postgres", "promote"]);
            lost
        })
        .await;
        cluster.script(&["postgres", "rejoin"]);
        // Who starts now meets the standby first and looks further.
        line.setup.run("compute", &["kpi", "list"]).await;
        // So does who only reads.
        let config = StoreConfig {
            read_only: true,
            ..StoreConfig::new(&database, "who only reads")
        };
        let store = Store::connect(config).await.unwrap();
        let client = store.client().await.unwrap();
        let there =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'who only reads%'";
        let look = Look::connect(&database).await;
        assert_eq!(look.number(there).await, 1, "at the primary");
        drop(client);
    }
    let look = Look::connect(&database).await;
    let expected = line.proved(&look).await;
    look.wait_pushed(&double, &expected).await;
}
