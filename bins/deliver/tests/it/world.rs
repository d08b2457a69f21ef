//! What every test here starts with: a database, queues, a platform, a targets file.

use double::config::{Limit, Phase, Script};
use double::{Config, Double, Key};
use schema::{MetricVersion, UtcMicros, WakeMessage};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::metrics::{MetricRow, Upserted, upsert_for};
use store::partitions::{Partitions, Table};
use store::sync::Lane;
use store::{Store, sync};
use tempfile::TempDir;
use testkit::{Proc, TestBroker, TestDb, eventually};

/// The tenant of all rows, unless said otherwise, and of the target.
pub(crate) const TENANT: &str = "acme";
/// The target's name.
pub(crate) const TARGET: &str = "main";

/// Everything around the process under test.
pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) broker: TestBroker,
    pub(crate) double: Double,
    pub(crate) store: Store,
    folder: TempDir,
    lease_margin: &'static str,
    rows: BTreeMap<(String, String), f64>,
}

/// What a target looks like unless a test says otherwise: fast enough not to wait for.
pub(crate) const QUICK: &str = r#"
rate = { requests = 2000, period = "10s" }
timeouts = { connect = "2s", read = "2s", total = "2s" }
retry = { first = "50ms", longest = "500ms", breaker_cool_down = "200ms" }
"#;

impl World {
    /// A Genesys platform that behaves as `config` says.
    pub(crate) async fn genesys(config: Config, extra: &str) -> Self {
        Self::new("genesys-custom-report", "/oauth/token", config, extra).await
    }

    /// A CXone platform.
    pub(crate) async fn cxone(config: Config, extra: &str) -> Self {
        let token = "/authentication/v1/token/access-key";
        Self::new("cxone-import", token, config, extra).await
    }

    /// A platform for a target of this kind.
    pub(crate) async fn of(platform: &str, config: Config, extra: &str) -> Self {
        let token = if platform.starts_with("cxone") {
            "/authentication/v1/token/access-key"
        } else {
            "/oauth/token"
        };
        Self::new(platform, token, config, extra).await
    }

    async fn new(platform: &str, token_path: &str, config: Config, extra: &str) -> Self {
        let db = TestDb::new().await;
        let broker = TestBroker::new();
        let double = Double::start(config).await.unwrap();
        let folder = TempDir::new().unwrap();
        let url = double.url();
        let text = format!(
            r#"version = 1
[[target]]
name = "{TARGET}"
tenant = "{TENANT}"
platform = "{platform}"
base_url = "{url}"
metrics = ["handle_time", "talk_time"]
credentials = {{ token_url = "{url}{token_path}", client_id = "double-client", client_secret = {{ file = "secret" }} }}
{extra}
"#
        );
        std::fs::write(folder.path().join("targets.toml"), text).unwrap();
        std::fs::write(folder.path().join("secret"), "double-secret\n").unwrap();
        let store = db.store().await;
        Self {
            db,
            broker,
            double,
            store,
            folder,
            lease_margin: "30s",
            rows: BTreeMap::new(),
        }
    }

    /// Leases that end soon, for tests in which holders die. Elsewhere a slow machine would let them end in the middle.
    pub(crate) fn with_lease_margin(self, lease_margin: &'static str) -> Self {
        Self {
            lease_margin,
            ..self
        }
    }

    /// Writes another secret into the file the target reads at its start.
    pub(crate) fn set_secret(&self, secret: &str) {
        std::fs::write(self.folder.path().join("secret"), secret).unwrap();
    }

    /// Replaces a part of the targets file.
    pub(crate) fn edit_targets(&self, from: &str, to: &str) {
        let file = self.targets_file();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
    }

    /// Starts deliver and waits until it serves.
    pub(crate) async fn deliver(&self) -> Proc {
        self.deliver_at(self.db.url()).await
    }

    /// Starts deliver on another way to the database.
    pub(crate) async fn deliver_at(&self, database: &str) -> Proc {
        let mut process = self.spawn(&[], database);
        process.wait_ready().await;
        process
    }

    /// Starts deliver with these arguments.
    pub(crate) fn spawn(&self, arguments: &[&str], database: &str) -> Proc {
        self.spawn_with(arguments, database, &[])
    }

    /// The same with more in the environment.
    pub(crate) fn spawn_with(
        &self,
        arguments: &[&str],
        database: &str,
        more: &[(&str, &str)],
    ) -> Proc {
        let targets = self.targets_file();
        let usual = [
            ("KPILINE_DATABASE_URL", database),
            ("KPILINE_AMQP_URL", self.broker.url()),
            ("KPILINE_QUEUE_PREFIX", self.broker.prefix()),
            ("KPILINE_TARGETS", &targets),
            ("KPILINE_DELIVER_POLL", "100ms"),
            ("KPILINE_DELIVER_LEASE_MARGIN", self.lease_margin),
        ];
        let variables: Vec<_> = usual.into_iter().chain(more.iter().copied()).collect();
        Proc::spawn("deliver", arguments, &variables)
    }

    /// Runs a subcommand that succeeds, and gives the object it prints.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> serde_json::Value {
        let (code, stdout, stderr) = self.run(arguments).await;
        assert_eq!(code, Some(0), "{arguments:?}: {stdout} {stderr}");
        serde_json::from_str(&stdout).unwrap()
    }

    /// Adds tables to the end of the targets file.
    pub(crate) fn append_targets(&self, text: &str) {
        let file = self.targets_file();
        let before = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{before}\n{text}")).unwrap();
    }

    /// Runs a subcommand to its end: exit code, stdout, stderr.
    pub(crate) async fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut process = self.spawn(arguments, self.db.url());
        let status = process.wait(Duration::from_secs(20)).await;
        (status.code(), process.stdout(), process.stderr())
    }

    fn targets_file(&self) -> String {
        let path = self.folder.path().join("targets.toml");
        path.to_str().unwrap().to_owned()
    }

    /// Writes values as compute does; the number of rows queued.
    pub(crate) async fn write<'a>(
        &mut self,
        metric: &str,
        values: impl IntoIterator<Item = (&'a str, Option<f64>)>,
    ) -> Upserted {
        let values: Vec<_> = values.into_iter().collect();
        let upserted = self.write_as(TENANT, metric, &values).await;
        for (interaction, value) in values {
            let key = (interaction.to_owned(), metric.to_owned());
            match value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
        upserted
    }

    /// The same for another tenant; the platform's table is not compared with these.
    pub(crate) async fn write_as(
        &self,
        tenant: &str,
        metric: &str,
        values: &[(&str, Option<f64>)],
    ) -> Upserted {
        self.write_for(tenant, metric, values, Lane::Live).await
    }

    async fn write_for(
        &self,
        tenant: &str,
        metric: &str,
        values: &[(&str, Option<f64>)],
        lane: Lane,
    ) -> Upserted {
        let at = now();
        let rows: Vec<_> = values
            .iter()
            .map(|(interaction, value)| MetricRow {
                tenant,
                interaction_id: interaction,
                metric_type: metric,
                metric_version: MetricVersion::FIRST,
                leg_scope: "",
                partition_at: PARTITION_AT,
                timestamp_utc: PARTITION_AT,
                agent_id: Some("agent_1"),
                queue_id: None,
                metric_value: *value,
                metadata_json: "{}",
                provenance_json: "{}",
            })
            .collect();
        let partitions = Partitions::new(self.store.clone());
        partitions
            .ensure(Table::ComputedMetrics, [PARTITION_AT, at])
            .await
            .unwrap();
        let mut client = self.store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let upserted = upsert_for(&tx, &rows, lane).await.unwrap();
        tx.commit().await.unwrap();
        upserted
    }

    /// `count` interactions from `first` on, each with a value of its own.
    pub(crate) async fn write_many(&mut self, first: usize, count: usize, plus: f64) -> Upserted {
        let names: Vec<String> = (first..first + count).map(interaction).collect();
        let values = names
            .iter()
            .zip(first..)
            .map(|(name, n)| (name.as_str(), Some(value(n) + plus)));
        self.write("handle_time", values).await
    }

    /// The same, as a backfill job does.
    pub(crate) async fn write_past(&mut self, first: usize, count: usize) -> Upserted {
        let names: Vec<String> = (first..first + count).map(interaction).collect();
        let values: Vec<_> = names
            .iter()
            .zip(first..)
            .map(|(name, n)| (name.as_str(), Some(value(n))))
            .collect();
        let upserted = self
            .write_for(TENANT, "handle_time", &values, Lane::History)
            .await;
        for (name, n) in names.iter().zip(first..) {
            let key = (name.clone(), "handle_time".to_owned());
            self.rows.insert(key, value(n));
        }
        upserted
    }

    /// Tells deliver that rows are due.
    pub(crate) async fn wake(&self) {
        let outgoing = broker::Outgoing {
            queue: broker::Queue::DeliverWake,
            body: WakeMessage { queued: 1 }.encode().unwrap(),
            message_id: uuid::Uuid::now_v7(),
            correlation: String::new(),
        };
        self.broker.publish(outgoing).await;
    }

    /// What waits, whatever its state but rejected.
    pub(crate) async fn waiting(&self) -> i64 {
        let counts = self.counts().await;
        counts.pending + counts.leased + counts.unknown
    }

    /// Rows by state.
    pub(crate) async fn counts(&self) -> sync::Pending {
        let client = self.store.client().await.unwrap();
        sync::pending_counts(&client, TARGET).await.unwrap()
    }

    /// Waits until nothing waits.
    pub(crate) async fn drained(&self, within: Duration) {
        eventually(within, "the delivery queue is empty", async || {
            match self.waiting().await {
                0 => Ok(()),
                n => Err((n, self.double.snapshot().pushes)),
            }
        })
        .await;
    }

    /// The platform holds exactly the last value of every row that was written, except those.
    pub(crate) fn platform_has_everything_but(&self, missing: &[&str]) {
        let table = self.double.table();
        for ((interaction, metric), value) in &self.rows {
            let found = table.get(&key(interaction, metric));
            if missing.contains(&interaction.as_str()) {
                assert_eq!(found, None, "{interaction}");
                continue;
            }
            let cell = found.unwrap_or_else(|| panic!("{interaction} {metric} is not there"));
            assert_eq!(cell.value, Some(*value), "{interaction} {metric}");
            assert!(cell.acknowledged > 0, "{interaction} {metric}: {cell:?}");
            assert_eq!(
                cell.acknowledged_since_change, 1,
                "{interaction} {metric}: {cell:?}"
            );
        }
        assert_eq!(table.len(), self.rows.len() - missing.len());
    }

    /// Nothing was done that the platform forbids.
    pub(crate) fn no_violations(&self) {
        let violations = self.double.violations();
        assert!(violations.is_empty(), "{violations:#?}");
    }

    /// Every request that was logged as sent has a fate in the log.
    pub(crate) async fn every_push_has_a_fate(&self) {
        let open: i64 = self
            .query_count(
                "SELECT count(*) FROM metric_sync_log s WHERE fate = 'sent' AND NOT EXISTS ( \
                     SELECT FROM metric_sync_log f WHERE f.request_id = s.request_id AND f.fate <> 'sent' \
                       AND (f.tenant, f.interaction_id, f.metric_type) = (s.tenant, s.interaction_id, s.metric_type))",
            )
            .await;
        assert_eq!(open, 0, "pushes without a fate");
    }

    /// One number from the database.
    pub(crate) async fn query_count(&self, sql: &str) -> i64 {
        let client = self.db.client().await;
        client.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Push requests that arrived so far.
    pub(crate) fn pushes(&self) -> Vec<double::Request> {
        let mut requests = self.double.requests();
        requests.retain(|request| request.place == double::config::Place::Push);
        requests
    }
}

/// All rows are of one month.
const PARTITION_AT: UtcMicros = UtcMicros::from_millis(1_795_000_000_000);

/// The n-th interaction.
pub(crate) fn interaction(n: usize) -> String {
    format!("int_{n:05}")
}

/// The value written first for the n-th interaction.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn value(n: usize) -> f64 {
    n as f64 / 8.0 + 1.0
}

/// The key under which the platform keeps a row.
pub(crate) fn key(interaction: &str, metric: &str) -> Key {
    Key {
        tenant: TENANT.to_owned(),
        ..Key::of(interaction, metric)
    }
}

/// A platform with these faults and no limit.
pub(crate) fn faulty(phases: impl IntoIterator<Item = Phase>) -> Config {
    Config {
        faults: Script::of(phases),
        shuffle_answers: true,
        ..Config::default()
    }
}

/// A platform with this limit.
pub(crate) fn limited(requests: usize, window: Duration) -> Config {
    Config {
        limit: Some(Limit::of(requests, window)),
        shuffle_answers: true,
        ..Config::default()
    }
}

fn now() -> UtcMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UtcMicros(i64::try_from(since.as_micros()).unwrap())
}
