//! A store, a broker and the binary.

use broker::{Broker, Queue};
use bytes::Bytes;
use schema::{
    BodyFormat, DeliveryId, EventsMessage, MetricVersion, RawMessage, SubscriptionName, UtcMicros,
};
use serde_json::Value;
use std::process::ExitStatus;
use std::time::Duration;
use store::definitions::{self, NewDefinition, Status};
use store::event_log::LogRow;
use store::partitions::{Partitions, Table};
use testkit::{Proc, TestBroker, TestDb};

pub(crate) const LONG: Duration = Duration::from_secs(60);
/// 2024-05-15T14:00:00Z.
pub(crate) const START: i64 = 1_715_781_600_000_000;

pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) broker: TestBroker,
}

impl World {
    /// Besides the seeded version 1 of six KPIs, the versions that the tests' jobs are for are activated.
    pub(crate) async fn new() -> Self {
        let world = Self {
            db: TestDb::new().await,
            broker: TestBroker::declared().await,
        };
        for version in 2..=5 {
            world.define("talk_time", version, Status::Candidate).await;
        }
        world
    }

    /// Stores a definition with this status.
    pub(crate) async fn define(&self, name: &str, version: u16, status: Status) {
        let store = self.db.store().await;
        let mut client = store.client().await.unwrap();
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
        // Only what was switched on once can be retired and still mean something.
        if status == Status::Retired {
            let candidate = Status::Candidate;
            definitions::set_status(&tx, name, version, candidate)
                .await
                .unwrap();
        }
        definitions::set_status(&tx, name, version, status)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) fn env(&self) -> Vec<(&str, &str)> {
        vec![
            ("KPILINE_DATABASE_URL", self.db.url()),
            ("KPILINE_AMQP_URL", self.broker.url()),
            ("KPILINE_QUEUE_PREFIX", self.broker.prefix()),
        ]
    }

    /// Runs a command with one more setting.
    pub(crate) async fn run_with(
        &self,
        arguments: &[&str],
        setting: (&str, &str),
    ) -> (ExitStatus, String, String) {
        let env = [self.env(), vec![setting]].concat();
        Proc::run("backfill", arguments, &env, LONG).await
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Proc {
        Proc::spawn("backfill", arguments, &self.env())
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> (ExitStatus, String, String) {
        Proc::run("backfill", arguments, &self.env(), LONG).await
    }

    /// Runs a command that must end well, and gives its JSON summary.
    pub(crate) async fn summary(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--output", "json"]].concat();
        let (status, stdout, stderr) = self.run(&arguments).await;
        assert!(status.success(), "{stderr}");
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
    }

    pub(crate) async fn jobs(&self) -> Vec<Value> {
        let (status, stdout, stderr) = self.run(&["list"]).await;
        assert!(status.success(), "{stderr}");
        stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Logs one guide event a second from [`START`] on, `per_interaction` of one interaction.
    pub(crate) async fn log_events(&self, count: usize, tenant: &str) {
        let store = self.db.store().await;
        let raws: Vec<String> = (0..count)
            .map(|n| {
                let at = UtcMicros(START + i64::try_from(n).unwrap() * 1_000_000);
                format!("{{\"timestamp\":\"{at}\",\"data\":{{\"event_id\":\"{tenant}-{n}\",\"interaction_id\":\"i{}\",\"state\":\"queued\"}}}}", n / 5)
            })
            .collect();
        self.log_raw(&store, tenant, &raws).await;
    }

    pub(crate) async fn log_raw(&self, store: &store::Store, tenant: &str, raws: &[String]) {
        let subscription = SubscriptionName::new("hook");
        let format = serde_json::to_string(&BodyFormat::GenesysWebhook).unwrap();
        let mapped: Vec<_> = raws
            .iter()
            .enumerate()
            .map(|(n, raw)| {
                let at = UtcMicros(START + i64::try_from(n).unwrap() * 1_000_000);
                let event_id = format!("{tenant}-{n}");
                let digest = adapter::digest(raw.as_bytes());
                let key = adapter::log_key(&subscription, &event_id.as_str().into(), at, &digest);
                (at, event_id, digest, key, raw)
            })
            .collect();
        let instants = mapped.iter().map(|row| row.0);
        Partitions::new(store.clone())
            .ensure(Table::EventLog, instants)
            .await
            .unwrap();
        let rows: Vec<LogRow<'_>> = mapped
            .iter()
            .map(|(at, event_id, digest, key, raw)| LogRow {
                log_key: *key,
                occurred_at: *at,
                tenant,
                subscription: "hook",
                event_id,
                interaction_id: "i",
                format: &format,
                delivery_id: DeliveryId::generate(),
                received_at: *at,
                digest: *digest,
                raw: raw.as_bytes(),
                raw_key: None,
            })
            .collect();
        let mut client = store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        store::event_log::append(&tx, &rows).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Takes everything that is in a queue now.
    pub(crate) async fn drain(&self, queue: Queue) -> Vec<Bytes> {
        let broker: Broker = self.broker.connect("test-drain").await;
        let mut left = broker.depth(queue).await.unwrap();
        let mut consumer = broker.consumer(&[queue], 100).await.unwrap();
        let mut found = Vec::new();
        while left > 0 {
            let delivery = tokio::time::timeout(LONG, consumer.next())
                .await
                .expect("a message in time")
                .unwrap();
            consumer.ack_through(delivery.tag).await.unwrap();
            found.push(delivery.body);
            left -= 1;
        }
        consumer.close().await.unwrap();
        broker.close().await.unwrap();
        found
    }

    pub(crate) async fn events(&self) -> Vec<EventsMessage> {
        let bodies = self.drain(Queue::EventsHistory).await;
        bodies
            .iter()
            .map(|body| EventsMessage::decode(body).unwrap())
            .collect()
    }

    pub(crate) async fn deliveries(&self) -> Vec<RawMessage> {
        let bodies = self.drain(Queue::RawHistory).await;
        bodies
            .iter()
            .map(|body| RawMessage::decode(body).unwrap())
            .collect()
    }
}
