//! `--wait` ends well when the store shows what was published, and not when a queue is empty: a worker may hold messages.

use crate::world::{LONG, World};
use adapter::{Mappings, Outcome};
use broker::Queue;
use schema::{BodyFormat, DeliveryId, SubscriptionName, UtcMicros};
use serde_json::Value;
use std::io::Write as _;
use store::counts::CountRow;
use store::event_log::LogRow;
use store::interactions::{NewInteraction, Status};
use store::partitions::{Partitions, Table};
use store::{counts, event_log, interactions};
use tempfile::NamedTempFile;
use testkit::{Proc, eventually};

const VERSION: i16 = 5;

fn event(id: &str, interaction: &str, at: &str) -> String {
    format!(
        "{{\"timestamp\":\"{at}\",\"data\":{{\"event_id\":\"{id}\",\"interaction_id\":\"{interaction}\",\"state\":\"queued\"}}}}"
    )
}

/// Two events of one interaction, one of another, one of a time that is refused.
fn events() -> Vec<String> {
    vec![
        event("e1", "i1", "2024-05-15T14:00:00Z"),
        event("e2", "i2", "2024-05-15T14:00:01Z"),
        event("e3", "i1", "2024-05-15T14:00:02Z"),
        event("e4", "old", "2031-05-15T14:00:02Z"),
    ]
}

fn file() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(events().join("\n").as_bytes()).unwrap();
    file.flush().unwrap();
    file
}

impl World {
    fn import(&self, file: &NamedTempFile, patience: &str) -> Proc {
        self.spawn(&[
            "import",
            file.path().to_str().unwrap(),
            "--format",
            "genesys-webhook",
            "--metric-version",
            "5",
            "--output",
            "json",
            "--wait",
            "--wait-timeout",
            patience,
        ])
    }

    /// Takes what the import published, as a worker does that holds it.
    async fn taken(&self) {
        let mut found = 0;
        eventually(LONG, "the import publishes", async || {
            found += self.drain(Queue::RawHistory).await.len();
            found > 0
        })
        .await;
    }

    /// What normalise does with so many records of the import: all that are accepted are logged.
    async fn normalise(&self, received: i64) {
        let store = self.db.store().await;
        let format = BodyFormat::GenesysWebhook;
        let source = SubscriptionName::new("import");
        let raws = events();
        let mapped: Vec<_> = raws[..3]
            .iter()
            .map(
                |raw| match adapter::map(&format, raw.as_bytes(), &Mappings::none()).unwrap() {
                    Outcome::Mapped(mapped) => mapped,
                    Outcome::Ignored { kind } => panic!("{kind}"),
                },
            )
            .collect();
        Partitions::new(store.clone())
            .ensure(Table::EventLog, mapped.iter().map(|mapped| mapped.at))
            .await
            .unwrap();
        let rows: Vec<LogRow<'_>> = mapped
            .iter()
            .zip(&raws)
            .map(|(mapped, raw)| LogRow {
                log_key: adapter::log_key(&source, &mapped.event_id, mapped.at, &mapped.digest),
                occurred_at: mapped.at,
                tenant: "default",
                subscription: "import",
                event_id: mapped.event_id.as_str(),
                interaction_id: mapped.stated.interaction().unwrap().as_str(),
                format: "\"genesys_webhook\"",
                delivery_id: DeliveryId::generate(),
                received_at: mapped.at,
                digest: mapped.digest,
                raw: raw.as_bytes(),
                raw_key: None,
            })
            .collect();
        let mut client = store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        event_log::append(&tx, &rows).await.unwrap();
        let row = CountRow {
            subscription: "import",
            tenant: "default",
            hour: UtcMicros(0),
            received,
            logged: received,
            revisions: 0,
            duplicates: 0,
            quarantined: 0,
            ignored: 0,
        };
        counts::add(&tx, &[row]).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// What compute leaves of an interaction.
    async fn compute(&self, interaction: &str, facts: i32) {
        let store = self.db.store().await;
        let mut client = store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let row = NewInteraction {
            tenant: "default",
            interaction_id: interaction,
            partition_at: UtcMicros(0),
            started_at: None,
            ended_at: None,
            status: Status::Open,
            customer_key: None,
            state_json: "{}",
            facts,
            metric_versions: &[VERSION],
        };
        interactions::insert_new(&tx, &[row], &interactions::Evaluated::NEVER)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn records_that_are_not_counted_are_waited_for_though_the_queue_is_empty() {
    let world = World::new().await;
    let file = file();
    let mut process = world.import(&file, "3s");
    world.taken().await;
    world.normalise(3).await;
    assert!(!process.wait(LONG).await.success());
    let said = process.stderr();
    assert!(said.contains("3 of 4 records are counted"), "{said}");
}

#[tokio::test]
async fn interactions_that_are_not_computed_are_waited_for_though_the_queues_are_empty() {
    let world = World::new().await;
    let file = file();
    let mut process = world.import(&file, "4s");
    world.taken().await;
    world.normalise(4).await;
    world.compute("i2", 1).await;
    // The version is there, one of the two facts is not.
    world.compute("i1", 1).await;
    assert!(!process.wait(LONG).await.success());
    let said = process.stderr();
    assert!(said.contains("1 interactions are not computed"), "{said}");
    let summary: Value = serde_json::from_str(&process.stdout()).unwrap();
    assert_eq!(
        (&summary["state"], &summary["received"]),
        (&"done".into(), &4.into()),
        "the job itself is done"
    );
}

#[tokio::test]
async fn an_import_is_waited_for_until_all_of_it_is_computed_but_for_what_was_refused() {
    let world = World::new().await;
    let file = file();
    let mut process = world.import(&file, "30s");
    world.taken().await;
    world.normalise(4).await;
    world.compute("i1", 2).await;
    world.compute("i2", 1).await;
    assert!(process.wait(LONG).await.success(), "{}", process.stderr());
    let summary: Value = serde_json::from_str(&process.stdout()).unwrap();
    assert_eq!(summary["untraceable"], 0);
    // Once more: nothing of it can be seen in the store, and that is said.
    let mut process = world.import(&file, "30s");
    world.taken().await;
    world.normalise(4).await;
    assert!(process.wait(LONG).await.success(), "{}", process.stderr());
    let summary: Value = serde_json::from_str(&process.stdout()).unwrap();
    assert_eq!(summary["untraceable"], 2);
}
