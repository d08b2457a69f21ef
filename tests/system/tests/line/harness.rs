//! Starts the line and looks at what it did.

use double::emit::{Options, Retry, Summary};
use double::truth::Truth;
use double::{Config as DoubleConfig, Double};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use testkit::{Proc, Ready, TestBroker, TestDb, eventually, http, workspace_root};
use tokio_postgres::Client;

/// The secret of the only subscription.
pub(crate) const SECRET: &str = "a secret between two";
/// How long the line may take to catch up with what it was sent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// The metrics of version 1.
pub(crate) const METRICS: [&str; 6] = [
    "adjusted_aht",
    "handle_time",
    "talk_time",
    "hold_time",
    "wrap_time",
    "queue_wait",
];

/// Configuration files and environment of one line; the processes are started from it, and started again.
pub(crate) struct Setup {
    pub(crate) folder: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Setup {
    /// For these servers.
    pub(crate) fn new(database_url: &str, amqp_url: &str, prefix: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let subscriptions = format!(
            "version = 1\n\n[[subscription]]\nname = \"main\"\npath = \"/hooks/main\"\ntenant = \"acme\"\n\
             format = \"genesys-webhook\"\n\n[subscription.signature]\nsecrets = [\"{SECRET}\"]\n"
        );
        let path = folder.path().join("subscriptions.toml");
        std::fs::write(&path, subscriptions).unwrap();
        let env = [
            ("KPILINE_DATABASE_URL", database_url),
            ("KPILINE_AMQP_URL", amqp_url),
            ("KPILINE_QUEUE_PREFIX", prefix),
            ("KPILINE_SUBSCRIPTIONS", path.to_str().unwrap()),
        ];
        let env = env
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self { folder, env }
    }

    /// Adds targets: the double, as the platform named.
    pub(crate) fn with_target(
        mut self,
        double: &Double,
        platform: &str,
        metrics: &[&str],
        rest: &str,
    ) -> Self {
        let metrics = metrics
            .iter()
            .map(|metric| format!("\"{metric}\""))
            .collect::<Vec<_>>()
            .join(", ");
        let token = if platform == "cxone-import" {
            "/authentication/v1/token/access-key"
        } else {
            "/oauth/token"
        };
        let path = if platform == "cxone-import" {
            format!("path = \"{}\"\n", DoubleConfig::default().cxone_import_path)
        } else {
            String::new()
        };
        let url = double.url();
        let targets = format!(
            "version = 1\n\n[[target]]\nname = \"platform\"\ntenant = \"acme\"\nplatform = \"{platform}\"\nbase_url = \"{url}\"\n{path}\
             metrics = [{metrics}]\nnot_before = \"at_once\"\n\n[target.credentials]\ntoken_url = \"{url}{token}\"\n\
             client_id = \"double-client\"\nclient_secret = {{ value = \"double-secret\" }}\n\n{rest}"
        );
        let file = self.folder.path().join("targets.toml");
        std::fs::write(&file, targets).unwrap();
        self.env.push((
            "KPILINE_TARGETS".to_owned(),
            file.to_str().unwrap().to_owned(),
        ));
        self
    }

    /// Sets a variable for all processes.
    pub(crate) fn with_env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn env(&self) -> Vec<(&str, &str)> {
        self.env
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    /// Starts a binary, without waiting for it.
    pub(crate) fn spawn(&self, binary: &str, arguments: &[&str]) -> Proc {
        Proc::spawn(binary, arguments, &self.env())
    }

    /// Starts a binary and waits until it is ready.
    pub(crate) async fn start(&self, binary: &str, arguments: &[&str]) -> Started {
        let mut process = self.spawn(binary, arguments);
        let ready = process.wait_ready().await;
        Started { process, ready }
    }

    /// Switches on the metrics of the truth as version 2 besides, by the same rules: what a replay can then compute.
    pub(crate) async fn activate_second_version(&self) {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = vec!["kpi".to_owned(), "activate".to_owned()];
        for metric in METRICS {
            let shipped = workspace_root().join(format!("crates/kpi/catalogue/{metric}.toml"));
            let text = std::fs::read_to_string(shipped).unwrap();
            let second = text.replacen("version = 1", "version = 2", 1);
            assert_ne!(text, second);
            let file = folder.path().join(format!("{metric}.v2.toml"));
            std::fs::write(&file, second).unwrap();
            arguments.push(file.to_str().unwrap().to_owned());
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.run("compute", &arguments).await;
    }

    /// Runs a subcommand to its end and gives its output. Panics when it fails.
    pub(crate) async fn run(&self, binary: &str, arguments: &[&str]) -> String {
        let (status, stdout, stderr) = Proc::run(binary, arguments, &self.env(), PATIENCE).await;
        assert!(
            status.success(),
            "{binary} {arguments:?}: {status}\n{stdout}\n{stderr}"
        );
        stdout
    }
}

/// A process that said it is ready, and where it listens.
pub(crate) struct Started {
    pub(crate) process: Proc,
    pub(crate) ready: Ready,
}

/// A running line with servers of the test's own.
pub(crate) struct Line {
    pub(crate) db: TestDb,
    /// Its queues are deleted with the value.
    _broker: TestBroker,
    pub(crate) setup: Setup,
    pub(crate) ingest: Started,
    pub(crate) compute: Started,
    pub(crate) http: SocketAddr,
}

impl Line {
    /// ingest (both roles) and compute. `prepare` adds targets and variables.
    pub(crate) async fn start(prepare: impl FnOnce(Setup) -> Setup) -> Self {
        let db = TestDb::new().await;
        let broker = TestBroker::new();
        let setup = prepare(Setup::new(db.url(), broker.url(), broker.prefix()));
        let ingest = setup
            .start("ingest", &["serve", "--http-listen", "127.0.0.1:0"])
            .await;
        let compute = setup.start("compute", &["serve"]).await;
        let http = ingest.ready.http_address();
        Self {
            db,
            _broker: broker,
            setup,
            ingest,
            compute,
            http,
        }
    }

    /// Where an honest sender posts, as stubborn as an event bus.
    pub(crate) fn sender(&self) -> Options {
        sender(self.http)
    }

    /// Sends events and asserts that all were accepted.
    pub(crate) async fn send(&self, options: &Options, events: Vec<bytes::Bytes>) -> Summary {
        send(options, events).await
    }

    /// Waits until so many events were decided and every one that was new has been folded: nothing more is to come.
    pub(crate) async fn settle(&self, look: &Look, received: u64) -> Counts {
        let counts = look.wait_received(received).await;
        let ops = self.compute.ready.ops_address();
        eventually(PATIENCE, "every new event is folded", async || {
            let folded = http::metric(ops, "kpiline_compute_events_total").await;
            folded.is_ok_and(|folded| folded as i64 >= counts.logged)
        })
        .await;
        counts
    }

    /// A look at the database.
    pub(crate) async fn look(&self) -> Look {
        Look(self.db.client().await)
    }
}

/// The beginning of a UTC day, so many days ago.
pub(crate) fn midnight(days_ago: u32) -> String {
    let told = std::process::Command::new("date")
        .args([
            "-u",
            "-d",
            &format!("-{days_ago} days"),
            "+%Y-%m-%dT00:00:00Z",
        ])
        .output()
        .unwrap();
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

/// Where an honest sender posts, as stubborn as an event bus.
pub(crate) fn sender(http: SocketAddr) -> Options {
    Options {
        retry: Some(Retry::default()),
        ..Options::to(format!("http://{http}/hooks/main"), SECRET)
    }
}

/// Sends events and asserts that all were accepted.
pub(crate) async fn send(options: &Options, events: Vec<bytes::Bytes>) -> Summary {
    let summary = double::emit::run(options, events).await.unwrap();
    assert!(summary.is_complete(), "not all was accepted: {summary:?}");
    summary
}

/// One signed delivery by hand; gives the whole answer.
pub(crate) async fn post(address: SocketAddr, correlation: &str, body: &[u8]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let signer = Options::to("", SECRET).signer().unwrap();
    let head = format!(
        "POST /hooks/main HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         x-correlation-id: {correlation}\r\nx-genesys-signature: {}\r\ncontent-length: {}\r\n\r\n",
        signer.sign(body),
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Metric rows as the tests compare them: value by interaction and metric.
pub(crate) type Values = BTreeMap<(String, String), Option<f64>>;

/// A metric row, all of it that may not change without a reason.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) value: Option<f64>,
    pub(crate) metadata: String,
    pub(crate) rest: String,
    pub(crate) updated_at: String,
}

/// Sums of `ingest_counts`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) received: i64,
    pub(crate) logged: i64,
    pub(crate) duplicates: i64,
    pub(crate) quarantined: i64,
    pub(crate) ignored: i64,
}

/// A connection of the tests' own, which shares nothing with the product's store.
pub(crate) struct Look(pub Client);

impl Look {
    pub(crate) async fn connect(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    pub(crate) async fn values(&self, version: i32) -> Values {
        let sql = "SELECT interaction_id, metric_type, metric_value FROM computed_metrics WHERE metric_version = $1";
        let rows = self.0.query(sql, &[&version]).await.unwrap();
        let mut values = Values::new();
        for row in rows {
            let old = values.insert((row.get(0), row.get(1)), row.get(2));
            assert!(old.is_none(), "two rows of one key");
        }
        values
    }

    /// Every row of a version, by interaction and metric.
    pub(crate) async fn rows(&self, version: i32) -> BTreeMap<(String, String), Row> {
        let sql = "SELECT interaction_id, metric_type, metric_value, metadata::text, \
                          concat_ws('|', tenant, leg_scope, agent_id, queue_id, timestamp_utc, revision, created_at), updated_at::text \
                   FROM computed_metrics WHERE metric_version = $1";
        let rows = self.0.query(sql, &[&version]).await.unwrap();
        rows.into_iter()
            .map(|row| {
                let value = Row {
                    value: row.get(2),
                    metadata: row.get(3),
                    rest: row.get(4),
                    updated_at: row.get(5),
                };
                ((row.get(0), row.get(1)), value)
            })
            .collect()
    }

    pub(crate) async fn counts(&self) -> Counts {
        let sql = "SELECT coalesce(sum(received), 0)::bigint, coalesce(sum(logged), 0)::bigint, coalesce(sum(duplicates), 0)::bigint, \
                          coalesce(sum(quarantined), 0)::bigint, coalesce(sum(ignored), 0)::bigint FROM ingest_counts";
        let row = self.0.query_one(sql, &[]).await.unwrap();
        Counts {
            received: row.get(0),
            logged: row.get(1),
            duplicates: row.get(2),
            quarantined: row.get(3),
            ignored: row.get(4),
        }
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.0.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn text(&self, sql: &str) -> String {
        self.0.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Waits until so many events were decided; with the broker's queues drained, that is all there is to come.
    pub(crate) async fn wait_received(&self, events: u64) -> Counts {
        let expected = i64::try_from(events).unwrap();
        eventually(PATIENCE, "every event is counted", async || {
            let counts = self.counts().await;
            if counts.received == expected {
                Ok(counts)
            } else {
                Err(counts)
            }
        })
        .await
    }

    /// Waits until the metrics of version 1 are exactly these.
    pub(crate) async fn wait_for(&self, expected: &Values) {
        let what = format!("the {} rows of the truth", expected.len());
        eventually(PATIENCE, &what, async || {
            let found = self.values(1).await;
            if &found == expected {
                Ok(())
            } else {
                Err(difference(&found, expected))
            }
        })
        .await;
    }

    /// Waits until the platform has exactly those of these that have a value, and nothing is left to push; how many they are.
    pub(crate) async fn wait_pushed(&self, double: &Double, expected: &Values) -> usize {
        // What is absent is not pushed: the platform never sees a null or a made-up zero.
        let pushed: Values = expected
            .iter()
            .filter(|(_, value)| value.is_some())
            .map(|(key, value)| (key.clone(), *value))
            .collect();
        eventually(PATIENCE, "the platform has every value", async || {
            let cells = double.table().into_iter();
            let found: Values = cells
                .map(|(key, cell)| ((key.interaction, key.metric), cell.value))
                .collect();
            let left = self.number("SELECT count(*) FROM sync_queue").await;
            if found == pushed && left == 0 {
                Ok(())
            } else {
                Err((left, difference(&found, &pushed)))
            }
        })
        .await;
        pushed.len()
    }
}

/// The first things that differ, for a person to read.
pub(crate) fn difference(found: &Values, expected: &Values) -> String {
    let mut lines = vec![format!("{} rows, expected {}", found.len(), expected.len())];
    for (key, value) in expected {
        match found.get(key) {
            Some(other) if other == value => {}
            other => lines.push(format!("{key:?}: {other:?}, expected {value:?}")),
        }
    }
    lines.extend(
        found
            .iter()
            .filter(|(key, _)| !expected.contains_key(*key))
            .map(|row| format!("{row:?}: not expected")),
    );
    lines.truncate(6);
    lines.join("; ")
}

/// What the double says must come of these events: six rows for each interaction that ended.
pub(crate) fn truth(events: &[bytes::Bytes]) -> Values {
    let truth = Truth::of(events.iter().map(AsRef::as_ref));
    let mut values = Values::new();
    for (interaction, outcome) in &truth.interactions {
        let seconds = |millis: Option<i64>| millis.map(double::truth::seconds);
        for (metric, value) in [
            (
                "adjusted_aht",
                Some(double::truth::seconds(outcome.adjusted_aht)),
            ),
            ("handle_time", seconds(outcome.handle)),
            ("talk_time", seconds(outcome.talk)),
            ("hold_time", seconds(outcome.hold)),
            ("wrap_time", seconds(outcome.wrap)),
            ("queue_wait", seconds(outcome.queue_wait)),
        ] {
            values.insert((interaction.clone(), metric.to_owned()), value);
        }
    }
    values
}

/// The folder of a file that the peers' material needs, or a loud word that the test was skipped.
pub(crate) fn peers() -> Option<PathBuf> {
    let folder = testkit::shared_dir()?.join("peers");
    let python = std::process::Command::new("python3")
        .args(["-c", "import pytz"])
        .output();
    if python.is_ok_and(|output| output.status.success()) {
        return Some(folder);
    }
    eprintln!("SKIPPED: python3 with pytz is absent, so the peers' reference rule cannot be run");
    None
}
