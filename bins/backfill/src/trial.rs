//! For tests: a store, a broker, platforms, and rows as the line would leave them.

#![allow(clippy::unwrap_used, clippy::panic)] // a test that cannot be set up has failed

use crate::finish::{Finishing, Policy, Settings};
use crate::outlet::Outlet;
use crate::platforms::{self, Platforms};
use double::config::{History, Jobs};
use double::{Config, Double};
use runtime::Metrics;
use schema::{JobId, MetricVersion, UtcMicros};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::chunks::{self, Chunk, Filter, NewChunk};
use store::definitions::{self, NewDefinition, Status};
use store::jobs::{self, Job, Lane, NewChunkedJob, Promote, Purpose};
use store::partitions::{Partitions, Table};
use testkit::{TestBroker, TestDb};
use tokio_util::sync::CancellationToken;

pub(crate) const LONG: Duration = Duration::from_secs(60);
const OWNER: &str = "lane";
const MICROS: i64 = 1_000_000;

pub(crate) struct Trial {
    pub(crate) db: TestDb,
    pub(crate) broker: TestBroker,
    pub(crate) store: Store,
}

impl Trial {
    /// Two platforms of two organisations.
    pub(crate) const PLATFORMS: &str = r#"
version = 1
[[platform]]
name = "main"
tenant = "acme"
platform = "genesys"
base_url = "https://api.example.com"
[platform.credentials]
token_url = "https://login.example.com/oauth/token"
client_id = "id"
client_secret = { env = "SECRET" }
[platform.follow]
sources = ["genesys-conversations"]
every = "1m"
settle = "2m"
overlap = "30s"
reread = ["5m", "30m"]
longest = "1h"
since = "10m"
[platform.settlement]
days = [1, 4]
at = "00:00"
zone = "Europe/Berlin"
lookup_settle = "15m"
gap_margin = "5m"

[[platform]]
name = "other"
tenant = "beta"
platform = "cxone"
base_url = "https://cxone.example.com"
[platform.credentials]
token_url = "https://cxone.example.com/authentication/v1/token/access-key"
client_id = "id2"
client_secret = { env = "SECRET" }
[platform.settlement]
days = [1]
"#;

    pub(crate) async fn new() -> Self {
        let db = TestDb::new().await;
        let store = db.store().await;
        Self {
            db,
            broker: TestBroker::declared().await,
            store,
        }
    }

    pub(crate) fn platforms() -> Platforms {
        Self::parsed(Self::PLATFORMS)
    }

    pub(crate) fn parsed(text: &str) -> Platforms {
        platforms::parse("p.toml", text, Path::new("."), &|_| Some("hush".to_owned())).unwrap()
    }

    /// One process, that waits for nothing but the line.
    pub(crate) fn process(&self, settings: Settings) -> Finishing {
        Finishing::new(
            self.store.clone(),
            self.broker.config("backfill test"),
            Metrics::new("backfill", "0"),
            Arc::new(Self::platforms()),
            settings,
            Duration::from_secs(30),
            CancellationToken::new(),
        )
    }

    pub(crate) fn quick() -> Settings {
        Settings {
            arrival: Policy {
                quiet: Duration::ZERO,
                patience: Duration::ZERO,
                history_patience: Duration::ZERO,
                reopen_max: 1,
                reopen_pause: Duration::ZERO,
            },
            look_every: Duration::from_millis(20),
            quiet: Duration::ZERO,
            patience: Duration::ZERO,
            promote_for: Duration::ZERO,
            ..Settings::default()
        }
    }

    pub(crate) fn outlet(finishing: &Finishing) -> Outlet {
        Outlet::new(finishing.broker.clone(), finishing.stop.clone())
    }

    /// Noon of two days ago, UTC.
    pub(crate) async fn noon(&self) -> UtcMicros {
        let client = self.store.client().await.unwrap();
        let now = store::sweep::now(&client).await.unwrap();
        UtcMicros((now.0.div_euclid(86_400 * MICROS) - 2) * 86_400 * MICROS + 43_200 * MICROS)
    }

    /// A job of the hour from noon on, for version 2, with one chunk.
    pub(crate) async fn job(&self, promote: Promote) -> JobId {
        let from = self.noon().await;
        let to = UtcMicros(from.0 + 3600 * MICROS);
        let chunk = NewChunk {
            from,
            to,
            due_in: Duration::ZERO,
            cursor_json: None,
        };
        let client = self.store.client().await.unwrap();
        let new = NewChunkedJob {
            kind: "genesys-conversations",
            tenant: Some("acme"),
            platform: Some("main"),
            metric_version: MetricVersion(2),
            params_json: "{}",
            from: Some(from),
            to: Some(to),
            kpis: &[],
            purpose: Purpose::Job,
            lane: Lane::History,
            promote,
            standing: false,
            request_id: None,
            chunks: &[chunk],
        };
        jobs::create_chunked(&client, &new).await.unwrap().id()
    }

    /// Takes a chunk that is due, as a lane does.
    pub(crate) async fn leased(&self) -> (Job, Chunk) {
        let client = self.store.client().await.unwrap();
        let length = Duration::from_secs(30);
        chunks::lease(&client, OWNER, length, &Filter::default())
            .await
            .unwrap()
            .unwrap()
    }

    /// Takes a chunk and says that it is fetched, then takes it to be looked at.
    pub(crate) async fn fetched(&self, expected: Option<i64>) -> (Job, Chunk) {
        let (job, chunk) = self.leased().await;
        let client = self.store.client().await.unwrap();
        let fetched = chunks::fetched(
            &client,
            job.id,
            chunk.number,
            OWNER,
            expected,
            Duration::ZERO,
        );
        assert!(fetched.await.unwrap());
        drop(client);
        self.leased().await
    }

    pub(crate) async fn check(
        &self,
        finishing: &Finishing,
        (job, chunk): &(Job, Chunk),
    ) -> crate::finish::Checked {
        let mut outlet = Self::outlet(finishing);
        let checked = crate::finish::check_chunk(finishing, &mut outlet, job, chunk, OWNER);
        let checked = checked.await.unwrap();
        outlet.close().await;
        checked
    }

    /// A record that was logged under the platform's name and folded: a conversation that ended at noon plus so many seconds.
    pub(crate) async fn record(&self, id: &str, second: i32) {
        let at = UtcMicros(self.noon().await.0 + i64::from(second) * MICROS);
        for table in [Table::EventLog, Table::ComputedMetrics] {
            Partitions::new(self.store.clone())
                .ensure(table, [at])
                .await
                .unwrap();
        }
        let client = self.db.client().await;
        let seconds = f64::from(second);
        let noon = "(date_trunc('day', now() AT TIME ZONE 'UTC') - interval '2 days' + interval '12 hours') AT TIME ZONE 'UTC'";
        client
            .execute(
                &format!(
                    "INSERT INTO event_log (occurred_at, log_key, tenant, subscription, event_id, interaction_id, format, delivery_id, \
                                            received_at, digest, raw) \
                     VALUES ({noon} + $2 * interval '1 second', gen_random_uuid(), 'acme', 'backfill-main', $1, $1, '\"genesys_details\"', \
                             gen_random_uuid(), now(), '\\x00', '\\x00')"
                ),
                &[&id, &seconds],
            )
            .await
            .unwrap();
        client
            .execute(
                &format!(
                    "INSERT INTO interactions (tenant, interaction_id, partition_at, started_at, ended_at, status, state, facts, evaluated_generation) \
                     VALUES ('acme', $1, {noon}, {noon} + $2 * interval '1 second', now(), 'terminal', '{{}}', 1, 1000000)"
                ),
                &[&id, &seconds],
            )
            .await
            .unwrap();
    }

    /// A definition that is switched on.
    pub(crate) async fn candidate(&self, name: &str, version: u16) {
        let mut client = self.store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let version = MetricVersion(version);
        let definition = NewDefinition {
            name,
            version,
            unit: "seconds",
            text: "value = …",
            digest: &[0; 32],
        };
        definitions::change(&tx).await.unwrap();
        definitions::insert(&tx, &definition).await.unwrap();
        definitions::set_status(&tx, name, version, Status::Candidate)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn status(&self, name: &str, version: u16) -> Status {
        let client = self.store.client().await.unwrap();
        let all = definitions::list(&client).await.unwrap();
        all.iter()
            .find(|row| row.name == name && row.version.0 == version)
            .unwrap()
            .status
    }

    pub(crate) async fn read(&self, job: JobId) -> Job {
        let client = self.store.client().await.unwrap();
        jobs::get(&client, job).await.unwrap().unwrap()
    }

    /// One number that a query gives.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let client = self.db.client().await;
        client.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.db.client().await.batch_execute(sql).await.unwrap();
    }
}

/// A platform whose details jobs are never ready, of which one may be open at a time: `main` of the platforms.
pub(crate) async fn never_ready() -> (Double, Platforms) {
    runtime::install_crypto();
    let jobs = Jobs {
        queued_ms: 3_600_000,
        at_once: Some(1),
        too_many_status: 400,
        ..Jobs::default()
    };
    let history = History {
        days: 1,
        conversations: 10,
        jobs,
        ..History::default()
    };
    let config = Config {
        history: Some(history),
        ..Config::default()
    };
    let double = Double::start(config).await.unwrap();
    let url = double.url();
    let platforms = Trial::parsed(&format!(
        r#"
version = 1
[[platform]]
name = "main"
tenant = "acme"
platform = "genesys"
base_url = "{url}"
credentials = {{ token_url = "{url}/oauth/token", client_id = "double-client", client_secret = "double-secret" }}
rate = {{ requests = 6000, period = "1m" }}
"#
    ));
    (double, platforms)
}
