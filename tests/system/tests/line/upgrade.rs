//! A release is replaced by the next one and that by the first again, replica by replica, while events arrive: both run side by side on one
//! database and one broker, no delivery is refused, and the end state is that of a quiet day.
//!
//! `deploy/local/soak.sh upgrade` builds the release before the newest migration and names it here. Without it both are this release, and the
//! schema goes on to one that there is not yet ([`NEXT`]): then what is shown is that this release runs on the schema of the one after it, and that
//! replicas come and go without a failed delivery.

use crate::balancer::Balancer;
use crate::harness::{Look, METRICS, PATIENCE, Setup, sender, truth};
use crate::servers::size;
use bytes::Bytes;
use double::emit::{Options, Summary};
use double::truth::Truth;
use double::workload::Workload;
use double::{Config, Double};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::migrate::{self, FILES, File};
use testkit::{Proc, TestBroker, TestDb, eventually, http};

const REPLICAS: usize = 2;
const BINARIES: [(&str, &[&str]); 3] = [
    ("ingest", &["serve", "--http-listen", "127.0.0.1:0"]),
    ("compute", &["serve"]),
    ("deliver", &["serve"]),
];

/// The next release's migration, as far as one may go (migrations/README.md, *Expand and contract*): tables that are written and read all the
/// time get columns and a check, and there is a new table.
const NEXT: &str = "
    ALTER TABLE event_log ADD COLUMN of_the_next text;
    ALTER TABLE interactions ADD COLUMN of_the_next bigint NOT NULL DEFAULT 7;
    ALTER TABLE interactions ADD CONSTRAINT of_the_next CHECK (facts >= 0) NOT VALID;
    ALTER TABLE computed_metrics ADD COLUMN of_the_next jsonb NOT NULL DEFAULT '{}';
    ALTER TABLE dirty_marks ADD COLUMN of_the_next text;
    ALTER TABLE sync_queue ADD COLUMN of_the_next timestamptz;
    ALTER TABLE sync_targets ADD COLUMN of_the_next boolean NOT NULL DEFAULT false;
    CREATE TABLE of_the_next (number bigint PRIMARY KEY);
";

/// Where the programs of a release are.
#[derive(Debug, Clone)]
enum Release {
    Built,
    In(PathBuf),
}

impl Release {
    fn spawn(&self, setup: &Setup, binary: &str, arguments: &[&str]) -> Proc {
        match self {
            Self::Built => setup.spawn(binary, arguments),
            Self::In(folder) => Proc::spawn_path(&folder.join(binary), arguments, &setup.env()),
        }
    }

    async fn migrate(&self, setup: &Setup) {
        let mut process = self.spawn(setup, "compute", &["migrate"]);
        let status = process.wait(PATIENCE).await;
        assert!(status.success(), "{}", process.stderr());
    }
}

/// Brings the schema to what comes after this release.
async fn migrate_to_the_next(url: &str) {
    let next = File {
        version: FILES.last().unwrap().version + 1,
        name: "of_the_next",
        text: NEXT,
    };
    let files: Vec<File> = FILES.iter().copied().chain([next]).collect();
    migrate::run_files(url, files.leak()).await.unwrap();
}

/// A replica that runs.
struct Replica {
    binary: &'static str,
    process: Proc,
    http: Option<SocketAddr>,
}

impl Replica {
    /// Starts one and waits until it is ready.
    async fn start(
        release: &Release,
        setup: &Setup,
        (binary, arguments): (&'static str, &[&str]),
    ) -> Self {
        let mut process = release.spawn(setup, binary, arguments);
        let ready = process.wait_ready().await;
        let ops = ready.ops_address();
        eventually(PATIENCE, "a replica is ready", async || {
            http::get(ops, "/readyz")
                .await
                .is_ok_and(|(status, _)| status == 200)
        })
        .await;
        let http = (binary == "ingest").then(|| ready.http_address());
        Self {
            binary,
            process,
            http,
        }
    }
}

/// The line under way.
struct Rolling {
    setup: Setup,
    balancer: Balancer,
    replicas: Vec<Replica>,
    look: Look,
    steps: usize,
}

impl Rolling {
    /// Every replica is replaced by one of this release, one after the other: the new one is there before the old one leaves.
    async fn roll(&mut self, release: &Release, what: &str) {
        for at in 0..self.replicas.len() {
            let flags = BINARIES
                .into_iter()
                .find(|(binary, _)| *binary == self.replicas[at].binary)
                .unwrap();
            let new = Replica::start(release, &self.setup, flags).await;
            if let Some(http) = new.http {
                self.balancer.add(http);
            }
            let mut old = std::mem::replace(&mut self.replicas[at], new);
            if let Some(http) = old.http {
                self.balancer.remove(http).await;
            }
            let status = old.process.term(PATIENCE).await;
            assert!(
                status.success(),
                "{what}: {}: {}",
                old.binary,
                old.process.stderr()
            );
            self.some_more(what).await;
        }
    }

    /// Waits until more events were decided, so that each mixture of releases has some.
    async fn some_more(&mut self, what: &str) {
        self.steps += 1;
        let before = self.look.counts().await.received;
        eventually(PATIENCE, &format!("{what}: events go on"), async || {
            let now = self.look.counts().await.received;
            (now >= before + 20).then_some(()).ok_or((before, now))
        })
        .await;
        for replica in &mut self.replicas {
            assert!(
                replica.process.is_running(),
                "{what}: {} gave up: {}",
                replica.binary,
                replica.process.stderr()
            );
        }
    }
}

/// Sends the events in parts, each body once, again from the start when they run out, until it is over; and the last part then.
async fn keep_sending(options: Options, events: Vec<Bytes>, over: Arc<AtomicBool>) -> Vec<Summary> {
    let parts: Vec<Vec<Bytes>> = events
        .chunks(events.len().div_ceil(40))
        .map(<[Bytes]>::to_vec)
        .collect();
    let (last, before) = parts.split_last().unwrap();
    let mut sent = Vec::new();
    while !over.load(Ordering::Relaxed) || sent.len() < before.len() {
        let part = before[sent.len() % before.len()].clone();
        sent.push(double::emit::run(&options, part).await.unwrap());
    }
    sent.push(double::emit::run(&options, last.clone()).await.unwrap());
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upgrade_and_the_way_back_under_load_fail_no_delivery_and_lose_nothing() {
    let interactions = size("KPILINE_SOAK_INTERACTIONS", 300);
    let old = std::env::var_os("KPILINE_SOAK_OLD_BINARIES")
        .map_or(Release::Built, |folder| Release::In(folder.into()));
    let events = Workload::new(interactions, 71).events;
    let expected = truth(&events);
    let statements = Truth::of(events.iter().map(AsRef::as_ref)).statements;
    let (db, broker) = (TestDb::empty().await, TestBroker::new());
    let double = Double::start(Config::default()).await.unwrap();
    let setup = Setup::new(db.url(), broker.url(), broker.prefix()).with_target(
        &double,
        "genesys-custom-report",
        &METRICS,
        "[target.rate]\nrequests = 3000\nperiod = \"1m\"\n",
    );
    old.migrate(&setup).await;
    let balancer = Balancer::start().await;
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        for flags in BINARIES {
            let replica = Replica::start(&old, &setup, flags).await;
            if let Some(http) = replica.http {
                balancer.add(http);
            }
            replicas.push(replica);
        }
    }
    let schema = "SELECT max(version)::bigint FROM schema_migrations";
    let look = Look(db.client().await);
    let before = look.number(schema).await;
    let mut line = Rolling {
        setup,
        balancer,
        replicas,
        look,
        steps: 0,
    };

    // Each body once: what is not answered 2xx at the first attempt has failed.
    let mut options = sender(line.balancer.address);
    options.retry = None;
    options.rate = Some(60.0);
    options.connections = 4;
    let over = Arc::new(AtomicBool::new(false));
    let sending = tokio::spawn(keep_sending(options, events, Arc::clone(&over)));

    line.some_more("before").await;
    match old {
        Release::Built => migrate_to_the_next(db.url()).await,
        Release::In(_) => Release::Built.migrate(&line.setup).await,
    }
    let after = line.look.number(schema).await;
    assert!(after > before, "the schema stays at {before}");
    line.some_more("the old release on the new schema").await;
    line.roll(&Release::Built, "to the new release").await;
    if let Release::In(_) = old {
        line.roll(&old, "back to the old release").await;
        line.roll(&Release::Built, "and to the new one again").await;
    }
    over.store(true, Ordering::Relaxed);
    let sent = sending.await.unwrap();
    let posts: u64 = sent.iter().map(|summary| summary.posts).sum();
    for summary in &sent {
        let only = summary.by_status.get("202").copied().unwrap_or_default();
        assert_eq!(only, summary.posts, "a delivery failed: {summary:?}");
    }

    line.look.wait_for(&expected).await;
    let accepted: u64 = sent.iter().map(|summary| summary.accepted_events).sum();
    let counts = line.look.wait_received(accepted).await;
    assert_eq!(counts.quarantined + counts.ignored, 0);
    assert_eq!(counts.logged, i64::try_from(statements).unwrap());
    assert_eq!(
        line.look.number("SELECT count(*) FROM event_log").await,
        counts.logged
    );
    line.look.wait_for(&expected).await;
    let pushed = line.look.wait_pushed(&double, &expected).await;
    assert!(double.violations().is_empty(), "{:?}", double.violations());
    for mut replica in line.replicas.drain(..) {
        assert!(
            replica
                .process
                .term(Duration::from_secs(30))
                .await
                .success()
        );
    }
    eprintln!(
        "upgrade: schema {before} to {after}, {} mixtures of releases ({old:?}); {posts} deliveries, all answered 202 at the first attempt; {} values \
         as the truth has them",
        line.steps, pushed
    );
}
