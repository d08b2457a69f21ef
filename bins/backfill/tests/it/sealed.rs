//! A replay over bytes that are sealed, have expired or were erased.

use crate::world::{START, World};
use broker::Queue;
use runtime::seal::{RawPlace, SealKeys, generated};
use schema::{DeliveryId, UtcMicros};
use store::event_log::{self, LogRow, Place};
use store::partitions::{Partitions, Table};
use store::raw::Gone;
use uuid::Uuid;

const STRETCH: [&str; 7] = [
    "replay",
    "--from",
    "2024-05-15T00:00:00Z",
    "--to",
    "2024-05-16T00:00:00Z",
    "--metric-version",
    "2",
];

/// Logs ten sealed events.
async fn log_sealed(world: &World, keys: &SealKeys) {
    let store = world.db.store().await;
    let mut sealer = keys.sealer().unwrap();
    let delivery = DeliveryId::generate();
    let place = RawPlace {
        tenant: "acme",
        subscription: "hook",
        delivery: delivery.0.into_bytes(),
    };
    let sealed: Vec<(UtcMicros, Vec<u8>)> = (0..10)
        .map(|n| {
            let at = UtcMicros(START + n * 1_000_000);
            let raw = format!(
                "{{\"timestamp\":\"{at}\",\"data\":{{\"event_id\":\"s{n}\",\"interaction_id\":\"i{n}\",\"state\":\"queued\"}}}}"
            );
            (at, sealer.seal(&place, raw.as_bytes()).unwrap())
        })
        .collect();
    Partitions::new(store.clone())
        .ensure(Table::EventLog, sealed.iter().map(|(at, _)| *at))
        .await
        .unwrap();
    let rows: Vec<LogRow<'_>> = sealed
        .iter()
        .map(|(at, raw)| LogRow {
            log_key: Uuid::new_v4(),
            occurred_at: *at,
            tenant: "acme",
            subscription: "hook",
            event_id: "e",
            interaction_id: "i",
            format: "\"genesys_webhook\"",
            delivery_id: delivery,
            received_at: *at,
            digest: [0; 16],
            raw,
            raw_key: Some("k1"),
        })
        .collect();
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    event_log::append(&tx, &rows).await.unwrap();
    tx.commit().await.unwrap();
}

/// Lets the bytes of the next so many events go.
async fn let_go(world: &World, after: Place, count: u32, gone: Gone) -> Place {
    let store = world.db.store().await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let before = UtcMicros(START + 86_400_000_000);
    let page = event_log::find_old(&tx, before, after, count)
        .await
        .unwrap();
    event_log::clear(&tx, &page.places, gone).await.unwrap();
    tx.commit().await.unwrap();
    page.last.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_events_are_replayed_with_the_key_file_and_wait_for_it_without() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("raw-keys.toml");
    std::fs::write(&file, generated("k1").unwrap().expose()).unwrap();
    let keys = SealKeys::parse("f", &std::fs::read_to_string(&file).unwrap()).unwrap();
    // Rows of before a key was given lie beside them.
    world.log_events(5, "other").await;
    log_sealed(&world, &keys).await;
    let (status, _, stderr) = world.run(&STRETCH).await;
    assert!(!status.success());
    assert!(
        stderr.contains("the key k1") && stderr.contains("--resume"),
        "{stderr}"
    );
    let job = world.jobs().await[0]["job"].as_str().unwrap().to_owned();
    let path = file.display().to_string();
    let arguments = ["replay", "--resume", &job, "--output", "json"];
    // The lease of the first attempt was given back with its error.
    let (status, stdout, stderr) = world
        .run_with(&arguments, ("KPILINE_RAW_KEYS_FILE", &path))
        .await;
    assert!(status.success(), "{stderr}");
    let summary: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&summary["events"], &summary["facts"]),
        (&15.into(), &15.into())
    );
    let told: usize = world
        .events()
        .await
        .iter()
        .map(|told| told.events.len())
        .sum();
    assert_eq!(told, 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_without_bytes_are_counted_and_named_and_stop_nothing() {
    let world = World::new().await;
    world.log_events(10, "acme").await;
    let place = let_go(&world, Place::START, 3, Gone::Expired).await;
    let_go(&world, place, 2, Gone::Erased).await;
    let arguments = [&STRETCH[..], &["--output", "json"]].concat();
    let (status, stdout, stderr) = world.run(&arguments).await;
    assert!(status.success(), "{stderr}");
    let summary: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let counts = ["events", "facts", "expired", "erased", "unmapped"];
    let counts = counts.map(|name| summary[name].as_u64().unwrap());
    assert_eq!(counts, [10, 5, 3, 2, 0]);
    let said = summary["warning"].as_str().unwrap();
    assert!(said.contains("5 events could not be replayed"), "{said}");
    assert!(
        stderr.contains("5 events could not be replayed"),
        "{stderr}"
    );
    assert_eq!(world.drain(Queue::EventsHistory).await.len(), 1);
}
