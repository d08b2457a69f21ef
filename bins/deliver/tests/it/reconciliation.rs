//! `deliver reconciliation`: what was fetched, beside windows as compute writes them.

use schema::{MetricVersion, UtcMicros};
use serde_json::{Value, json};
use std::time::Duration;
use store::Store;
use store::definitions::{self, NewDefinition, Status};
use store::partitions::{Partitions, Table};
use store::reconciliation::Of;
use store::reconciliation::figures::{self, FigureRow};
use store::reconciliation::native_zones::{self, NativeZone, Stater};
use store::window_metrics::{self, WindowRow};
use testkit::{Proc, TestDb};

const DAY: i64 = 86_400_000_000;
/// 2024-05-13T00:00:00Z, a Monday.
const MONDAY: i64 = 1_715_558_400_000_000;
const OF: Of<'_> = Of {
    tenant: "acme",
    platform: "main",
};

struct World {
    db: TestDb,
    store: Store,
}

impl World {
    /// With `leg_handle_time` switched on.
    async fn new() -> Self {
        let db = TestDb::new().await;
        let store = db.store().await;
        let partitions = Partitions::new(store.clone());
        partitions
            .ensure(Table::WindowMetrics, [UtcMicros(MONDAY)])
            .await
            .unwrap();
        let mut client = store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        definitions::change(&tx).await.unwrap();
        let (name, version) = ("leg_handle_time", MetricVersion(3));
        let definition = NewDefinition {
            name,
            version,
            unit: "seconds",
            text: "value = …",
            digest: &[0; 32],
        };
        definitions::insert(&tx, &definition).await.unwrap();
        definitions::set_status(&tx, name, version, Status::Candidate)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        drop(client);
        Self { db, store }
    }

    /// Our day of an agent: two legs that took so many seconds.
    async fn ours(&self, agent: &str, nth: i64, seconds: i64) {
        let key = json!([agent]).to_string();
        let row = WindowRow {
            metric_type: "leg_handle_time",
            metric_version: MetricVersion(3),
            group_by: "agent",
            size: "day",
            group_key: &key,
            window_start: UtcMicros(MONDAY + nth * DAY),
            window_end: UtcMicros(MONDAY + (nth + 1) * DAY),
            zone: "UTC",
            zone_source: "agent",
            tzdb: "2025b",
            queue_id: None,
            media: None,
            direction: None,
            agent_id: Some(agent),
            team: None,
            platform: None,
            attributes_json: None,
            items: 2,
            numerator: seconds * 1_000,
            denominator: 2,
            scale: 1_000,
            minimum: None,
            maximum: None,
            percentiles_json: None,
            #[allow(clippy::cast_precision_loss)] // a few hundred
            value: Some(seconds as f64 / 2.0),
            unit: "seconds",
            settles_at: UtcMicros(MONDAY + (nth + 3) * DAY),
        };
        let mut client = self.store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        window_metrics::write(&tx, "acme", &[row], &[])
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    async fn native(&self, measure: &str, agent: &str, nth: i64, value: i64) {
        let row = FigureRow {
            measure: measure.to_owned(),
            agent_id: agent.to_owned(),
            queue_id: String::new(),
            from: UtcMicros(MONDAY + nth * DAY),
            to: UtcMicros(MONDAY + (nth + 1) * DAY),
            zone: "UTC".to_owned(),
            value,
            items: Some(2),
            grain_ms: 1,
        };
        let client = self.store.client().await.unwrap();
        figures::put(&client, OF, &[row]).await.unwrap();
    }

    async fn zone(&self, agent: &str, stated: &str) {
        let row = NativeZone {
            agent_id: agent.to_owned(),
            source: Stater::BusinessUnit,
            stated: stated.to_owned(),
            from: UtcMicros(MONDAY),
            to: UtcMicros(MONDAY + 7 * DAY),
        };
        let client = self.store.client().await.unwrap();
        native_zones::put(&client, OF, &[row]).await.unwrap();
    }

    async fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let env = [("KPILINE_DATABASE_URL", self.db.url())];
        let arguments = [&["reconciliation"], arguments].concat();
        let (status, stdout, stderr) =
            Proc::run("deliver", &arguments, &env, Duration::from_secs(60)).await;
        (status.code(), stdout, stderr)
    }
}

const WEEK: [&str; 5] = [
    "run",
    "--from",
    "2024-05-13T00:00:00Z",
    "--to",
    "2024-05-20T00:00:00Z",
];

#[tokio::test]
async fn a_cell_has_its_verdict_and_a_cause_that_is_stated_is_no_gap() {
    let world = World::new().await;
    // Pitfall 22: the platform's 87 s have 7 s of dialling, which ours leaves out.
    world.ours("a", 0, 80).await;
    world.native("handle", "a", 0, 87_000).await;
    world.native("dial", "a", 0, 7_000).await;
    world.native("handled", "a", 0, 2).await;
    world.ours("b", 1, 100).await;
    world.native("handle", "b", 1, 90_000).await;
    world.native("talk", "b", 1, 90_000).await;
    let json = ["--format", "json", "--left-out", "handle=dial,contact"];
    let (code, stdout, stderr) = world.run(&[&WEEK[..], &json].concat()).await;
    assert_eq!(code, Some(0), "{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        report["totals"]["figures"],
        json!({"equal": 1, "left_out": 1, "differs": 1})
    );
    let lines = report["lines"].as_array().unwrap();
    assert_eq!(lines[0]["verdict"], "left_out");
    assert_eq!(lines[0]["detail"], "7000 ms dial, which ours leaves out");
    assert_eq!(
        (&lines[1]["agent"], &lines[1]["difference"]),
        (&json!("b"), &json!(10_000))
    );
    assert_eq!(
        report["not_compared"],
        json!(["talk of agents: leg_talk_time is not switched on"])
    );
    // Without the list it is a gap like any other; and who asks for it gets a failure.
    let strict = ["--dry-run", "--fail-on-findings"];
    let (code, stdout, stderr) = world.run(&[&WEEK[..], &strict].concat()).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("2 findings"), "{stderr}");
    assert!(stdout.contains("| to look at | 2 |"), "{stdout}");
    // What was kept is the run before, and it can be shown again in every form.
    let (_, csv, _) = world.run(&["show", "--format", "csv"]).await;
    assert_eq!(csv.lines().count(), 3, "{csv}");
    let (_, listed, _) = world.run(&["list", "--output", "json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let run = listed["runs"][0].clone();
    assert_eq!(
        (listed["runs"].as_array().unwrap().len(), &run["findings"]),
        (1, &json!(1))
    );
    let (_, again, _) = world
        .run(&["show", run["run"].as_str().unwrap(), "--format", "json"])
        .await;
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), report);
}

#[tokio::test]
async fn a_clock_that_is_not_the_platforms_is_noted_and_forgotten_again() {
    let world = World::new().await;
    world.ours("a", 0, 80).await;
    world.zone("a", "Asia/Kolkata").await;
    world.zone("b", "Mars/Base").await;
    let (code, stdout, stderr) = world.run(&WEEK).await;
    assert_eq!(code, Some(0), "{stderr}");
    for words in [
        "our clock is 5 h 30 min behind the platform's throughout",
        "no zone has this name",
    ] {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
    let client = world.db.client().await;
    let noted = "SELECT string_agg(agent_id || ' ' || kind || ' ' || coalesce(ahead_seconds::text, '-'), ', ' ORDER BY agent_id) FROM zone_findings";
    let found: Option<String> = client.query_one(noted, &[]).await.unwrap().get(0);
    assert_eq!(
        found.unwrap(),
        "a constant_difference -19800, b unknown_zone -"
    );
    client
        .batch_execute("UPDATE native_zones SET stated = 'Etc/UTC'")
        .await
        .unwrap();
    world.run(&WEEK).await;
    let found: Option<String> = client.query_one(noted, &[]).await.unwrap().get(0);
    assert_eq!(found, None);
}

#[tokio::test]
async fn what_cannot_be_compared_is_said() {
    let world = World::new().await;
    let (code, _, stderr) = world.run(&WEEK).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("nothing was fetched yet"), "{stderr}");
    world.native("handle", "a", 0, 1).await;
    let (code, _, stderr) = world.run(&[&WEEK[..], &["--hours", "late"]].concat()).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("there is no schedule late"), "{stderr}");
    let (code, _, stderr) = world.run(&["show"]).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("no such comparison"), "{stderr}");
    let wrong = ["--metric", "ringing=x"];
    let (code, _, stderr) = world.run(&[&WEEK[..], &wrong].concat()).await;
    assert_eq!(code, Some(2));
    assert!(stderr.contains("is no measure"), "{stderr}");
}
