//! Genesys' external metrics: definitions, a day's sum and count, failures inside a 200, days that are too old or gone.

use super::{SOON, cell, day, days, fates, today, words, world};
use crate::world::TENANT;
use double::config::{Admin, Fault, ItemFault, Phase, Receivers, Script};
use double::{Config, Key};
use schema::{LocalDay, MetricVersion, UtcMicros};
use serde_json::json;
use store::partitions::{Partitions, Table};
use store::sync::ChangedDay;
use store::window_metrics::{self, WindowRow};
use testkit::eventually;

const KIND: &str = "genesys-external-metrics";
const EXTRA: &str = r#"
[target.definitions.handle_time]
name = "Handle time"
unit = "Seconds"
precision = 1
[target.definitions.talk_time]
unit = "Seconds"
"#;

fn config() -> Config {
    Config {
        shuffle_answers: true,
        receivers: Receivers {
            reach: true,
            ..Receivers::default()
        },
        ..Config::default()
    }
}

/// The id that the platform gave a definition.
fn id(world: &crate::world::World, name: &str) -> String {
    let definitions = world.double.admin().external_metrics;
    let of_name = |definition: &&serde_json::Value| definition["name"] == name;
    let found = definitions.iter().find(of_name).unwrap();
    found["id"].as_str().unwrap().to_owned()
}

fn key(metric: &str, agent: &str, day: LocalDay) -> Key {
    Key {
        scope: day.to_string(),
        ..Key::of(agent, metric)
    }
}

#[tokio::test]
async fn a_day_is_there_as_its_sum_and_its_count_and_is_corrected_and_deleted() {
    let world = world(KIND, config(), EXTRA).await;
    // Two at once: neither creates what the other has created.
    let processes = [world.deliver().await, world.deliver().await];
    let agents: Vec<String> = (0..150).map(|n| format!("agent_{n:03}")).collect();
    let all: Vec<ChangedDay> = agents
        .iter()
        .flat_map(|agent| {
            [
                day(agent, today(), 1_234_567, 4),
                day(agent, today().plus(-6), 50, 1),
            ]
        })
        .collect();
    assert_eq!(days(&world, &all).await, 300);
    world.drained(SOON).await;
    let metric = id(&world, "Handle time");
    for agent in &agents {
        let found = cell(&world, &key(&metric, agent, today())).unwrap();
        assert_eq!((found.value, found.count), (Some(1234.6), Some(4)));
        let found = cell(&world, &key(&metric, agent, today().plus(-6))).unwrap();
        assert_eq!((found.value, found.count), (Some(0.1), Some(1)));
    }
    assert_eq!(world.double.table().len(), 300);

    // A correction overwrites; what differs by less than is shown is not sent; what nothing is in any more is deleted.
    let pushes = world.pushes().len();
    days(&world, &[day("agent_000", today(), 1_234_560, 4)]).await;
    world.drained(SOON).await;
    assert_eq!(world.pushes().len(), pushes);
    let gone = ChangedDay {
        figures: None,
        value: None,
        ..day("agent_001", today(), 0, 0)
    };
    days(&world, &[day("agent_000", today(), 2_000_000, 5), gone]).await;
    world.drained(SOON).await;
    let corrected = cell(&world, &key(&metric, "agent_000", today())).unwrap();
    assert_eq!((corrected.value, corrected.count), (Some(2000.0), Some(5)));
    let deleted = cell(&world, &key(&metric, "agent_001", today())).unwrap();
    assert_eq!(deleted.value, None);
    let fates = fates(&world).await;
    assert_eq!(fates.iter().filter(|fate| *fate == "retracted").count(), 1);
    world.no_violations();
    drop(processes);
}

#[tokio::test]
async fn each_failure_inside_a_200_is_that_of_one_row() {
    let world = world(
        KIND,
        Config {
            receivers: Receivers {
                unknown_users: vec!["gone".to_owned()],
                ..Receivers::default()
            },
            faults: Script::of([Phase::requests(
                1,
                Fault::Partial {
                    items: vec![
                        ItemFault {
                            index: 3,
                            status: Some(429),
                        },
                        ItemFault {
                            index: 5,
                            status: None,
                        },
                    ],
                },
            )]),
            ..config()
        },
        EXTRA,
    )
    .await;
    let process = world.deliver().await;
    let mut all: Vec<ChangedDay> = (0..8)
        .map(|n| day(&format!("agent_{n}"), today(), 1000, 1))
        .collect();
    all.push(day("gone", today(), 1000, 1));
    days(&world, &all).await;
    world.drained(SOON).await;
    let metric = id(&world, "Handle time");
    for n in 0..8 {
        let found = cell(&world, &key(&metric, &format!("agent_{n}"), today())).unwrap();
        assert_eq!(found.value, Some(1.0), "{n}");
    }
    assert_eq!(
        words(&world).await,
        ["user.not.found: there is no such user"]
    );
    let fates = fates(&world).await;
    let count = |fate: &str| fates.iter().filter(|found| *found == fate).count();
    assert_eq!(
        (count("accepted"), count("snoozed"), count("unknown")),
        (8, 1, 1),
        "{fates:?}"
    );
    world.no_violations();
    drop(process);
}

#[tokio::test]
async fn a_day_that_is_too_old_is_given_up_and_not_sent() {
    let world = world(KIND, config(), EXTRA).await;
    let process = world.deliver().await;
    days(
        &world,
        &[
            day("a", today().plus(-8), 1000, 1),
            day("a", today().plus(-7), 1000, 1),
        ],
    )
    .await;
    world.drained(SOON).await;
    assert_eq!(world.double.table().len(), 1);
    let mut fates = fates(&world).await;
    fates.sort();
    assert_eq!(fates, ["accepted", "expired"]);
    assert_eq!(
        world.query_count("SELECT count(*) FROM sync_queue").await,
        0
    );
    world.no_violations();
    drop(process);
}

#[tokio::test]
async fn a_definition_of_another_unit_stops_the_target_and_blames_no_row() {
    let admin = Admin {
        external_metrics: vec![
            json!({ "id": "m1", "name": "Handle time", "unit": "Percent", "precision": 1, "defaultObjectiveType": "LowerIsBetter", "enabled": true }),
        ],
        ..Admin::default()
    };
    let world = world(KIND, Config { admin, ..config() }, EXTRA).await;
    let process = world.deliver().await;
    days(&world, &[day("a", today(), 1000, 1)]).await;
    eventually(SOON, "somebody is told", async || {
        process
            .stderr()
            .contains("in Percent and is configured in Seconds")
    })
    .await;
    assert_eq!(world.pushes().len(), 0);
    let counts = world.counts().await;
    assert_eq!((counts.pending, counts.rejected), (1, 0));
    drop(process);
}

/// A window of an agent's day, in UTC.
fn window<'a>(agent: &'a str, group_key: &'a str, day: LocalDay, millis: i64) -> WindowRow<'a> {
    let from = UtcMicros(i64::from(day.0) * 86_400_000_000);
    WindowRow {
        metric_type: "handle_time",
        metric_version: MetricVersion::FIRST,
        group_by: "agent",
        size: "day",
        group_key,
        window_start: from,
        window_end: UtcMicros(from.0 + 86_400_000_000),
        zone: "UTC",
        zone_source: "agent",
        tzdb: "2026a",
        queue_id: None,
        media: None,
        direction: None,
        agent_id: Some(agent),
        team: None,
        platform: None,
        attributes_json: None,
        items: 2,
        numerator: millis,
        denominator: 2,
        scale: 1000,
        minimum: None,
        maximum: None,
        percentiles_json: None,
        value: Some(1.0),
        unit: "seconds",
        settles_at: from,
    }
}

/// What the platform took of each day, rounded as it is sent, beside what the windows have now.
#[tokio::test]
async fn days_are_reconciled_too() {
    let world = world(KIND, config(), EXTRA).await;
    let mut process = world.deliver().await;
    let write = async |rows: &[WindowRow<'_>]| {
        let partitions = Partitions::new(world.store.clone());
        let starts = rows.iter().map(|row| row.window_start);
        partitions
            .ensure(Table::WindowMetrics, starts)
            .await
            .unwrap();
        let mut client = world.store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        window_metrics::write(&tx, TENANT, rows, &[]).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (ada, bob) = (r#"["ada"]"#, r#"["bob"]"#);
    let yesterday = today().plus(-1);
    write(&[
        window("ada", ada, yesterday, 61_240),
        window("bob", bob, yesterday, 3_000),
    ])
    .await;
    let reconcile = async || {
        let (_, stdout, stderr) = world.run(&["reconcile", "--target", "main"]).await;
        let found: serde_json::Value = serde_json::from_str(&stdout).unwrap_or_default();
        assert!(found.is_object(), "{stdout} {stderr}");
        found
    };
    let found = reconcile().await;
    assert_eq!(found["by_reason"], json!({"missing": 2}));
    world.ask(&["resync", "--target", "main"]).await;
    world.drained(SOON).await;
    let found = reconcile().await;
    assert_eq!(
        (&found["compared"], &found["differing"]),
        (&json!(2), &json!(0))
    );
    // Nobody pushes any more, and one day has changed; as much as is not seen at one decimal place is no change.
    process.kill9();
    write(&[
        window("ada", ada, yesterday, 61_249),
        window("bob", bob, yesterday, 4_000),
    ])
    .await;
    let found = reconcile().await;
    let difference = &found["differences"][0];
    assert_eq!(found["differing"], 1);
    assert_eq!(
        (
            &difference["agent"],
            &difference["value"],
            &difference["platform"],
            &difference["reason"]
        ),
        (&json!("bob"), &json!(4.0), &json!(3.0), &json!("outdated"))
    );
}
