//! Platforms' own figures, plans and zones, and what came of comparing them: the newest holds, and nothing is there twice.

use crate::rows::{MAY, db, now, number, seen};
use schema::{MetricVersion, UtcMicros};
use store::reconciliation::figures::{self, FigureRow};
use store::reconciliation::native_zones::{self, NativeZone, Stater};
use store::reconciliation::ours::{self, By};
use store::reconciliation::runs::{self, FindingRow, NewRun};
use store::reconciliation::shifts::{self, ShiftRow};
use store::reconciliation::{self, Of};
use store::window_metrics::{self, WindowRow};
use store::zones::{self, Finding};
use uuid::Uuid;

const OF: Of<'_> = Of {
    tenant: "acme",
    platform: "main",
};
const DAY: i64 = 86_400_000_000;

fn day(nth: i64) -> UtcMicros {
    UtcMicros(MAY.0.div_euclid(DAY) * DAY + nth * DAY)
}

fn figure(agent: &str, nth: i64, value: i64) -> FigureRow {
    FigureRow {
        measure: "handle".to_owned(),
        agent_id: agent.to_owned(),
        queue_id: String::new(),
        from: day(nth),
        to: day(nth + 1),
        zone: "UTC".to_owned(),
        value,
        items: Some(2),
        grain_ms: 1,
    }
}

#[tokio::test]
async fn a_day_fetched_again_takes_the_place_of_what_was_there() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let rows = [figure("b", 0, 1), figure("a", 0, 2), figure("b", 0, 3)];
    figures::put(&client, OF, &rows).await.unwrap();
    figures::put(&client, OF, &[figure("a", 0, 7), figure("a", 1, 9)])
        .await
        .unwrap();
    figures::put(&client, OF, &[]).await.unwrap();
    let found = figures::read(&client, OF, day(0), day(1)).await.unwrap();
    assert_eq!(found, [figure("a", 0, 7), figure("b", 0, 3)]);
    assert_eq!(number(&db, "SELECT count(*) FROM native_figures").await, 3);
    let platforms = reconciliation::platforms(&client).await.unwrap();
    assert_eq!(platforms, [("acme".to_owned(), "main".to_owned())]);
    // By when it was fetched, and not by what it is about: these days are of a year long gone.
    assert_eq!(reconciliation::prune(&client, day(2)).await.unwrap(), 0);
    let ahead = UtcMicros(now().0 + DAY);
    assert_eq!(reconciliation::prune(&client, ahead).await.unwrap(), 3);
}

#[tokio::test]
async fn the_management_units_zone_goes_before_the_business_units() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let zone = |agent: &str, source, stated: &str, nth| NativeZone {
        agent_id: agent.to_owned(),
        source,
        stated: stated.to_owned(),
        from: day(nth),
        to: day(nth + 1),
    };
    let rows = [
        zone("a", Stater::BusinessUnit, "America/New_York", 0),
        zone("a", Stater::ManagementUnit, "Europe/Berlin", 0),
        zone("b", Stater::BusinessUnit, "America/New_York", 0),
    ];
    native_zones::put(&client, OF, &rows).await.unwrap();
    let later = [zone("a", Stater::ManagementUnit, "Europe/Berlin", 3)];
    native_zones::put(&client, OF, &later).await.unwrap();
    let found = native_zones::read(&client, OF, day(0), day(9))
        .await
        .unwrap();
    let words: Vec<_> = found
        .iter()
        .map(|zone| (zone.agent_id.as_str(), zone.stated.as_str(), zone.to))
        .collect();
    // What lies between two statements of the same is as they say.
    assert_eq!(
        words,
        [
            ("a", "Europe/Berlin", day(4)),
            ("b", "America/New_York", day(1))
        ]
    );
}

#[tokio::test]
async fn a_plan_takes_the_place_of_the_one_of_the_same_people_and_time() {
    let (_db, store) = db().await;
    let shift = |agent: &str, nth: i64, hour: i64| ShiftRow {
        agent_id: agent.to_owned(),
        from: UtcMicros(day(nth).0 + hour * 3_600_000_000),
        to: UtcMicros(day(nth).0 + (hour + 8) * 3_600_000_000),
        shift_id: String::new(),
    };
    let first = [shift("a", 0, 8), shift("a", 1, 8), shift("b", 0, 8)];
    committed!(store, |tx| shifts::replace(
        &tx,
        OF,
        (day(0), day(2)),
        None,
        &first
    ));
    // a's shift of the second day is gone, that of the first begins later; b was not asked about.
    let people = ["a".to_owned()];
    let second = [shift("a", 0, 9)];
    committed!(store, |tx| shifts::replace(
        &tx,
        OF,
        (day(0), day(2)),
        Some(&people),
        &second
    ));
    let client = store.client().await.unwrap();
    let found = shifts::read(&client, OF, day(0), day(2)).await.unwrap();
    assert_eq!(found, [shift("a", 0, 9), shift("b", 0, 8)]);
}

fn line(agent: &str, zone: &str, verdict: &str) -> FindingRow {
    FindingRow {
        kind: "zone".to_owned(),
        verdict: verdict.to_owned(),
        finding: true,
        agent_id: Some(agent.to_owned()),
        our_zone: Some(zone.to_owned()),
        native_zone: Some("Europe/Berlin".to_owned()),
        difference: Some(-21_600),
        from: Some(MAY),
        confidence: Some("certain".to_owned()),
        detail: "six hours\0".to_owned(),
        ..FindingRow::default()
    }
}

async fn run(store: &store::Store, id: u128, lines: &[FindingRow]) {
    let run = NewRun {
        of: OF,
        from: day(0),
        to: day(7),
        run_id: Uuid::from_u128(id),
        tzdb: "2026a",
        findings: i64::try_from(lines.len()).unwrap(),
        report_json: r#"{"totals":{}}"#,
    };
    committed!(store, |tx| runs::put(&tx, &run, lines));
    committed!(store, |tx| runs::note_zones(&tx, OF, lines));
}

#[tokio::test]
async fn a_comparison_of_the_same_stretch_takes_the_place_of_the_earlier() {
    let (db, store) = db().await;
    let unknown = Finding {
        tenant: "acme",
        stated: "Mars/Base",
        source: "agent",
        interaction_id: "int_1",
    };
    committed!(store, |tx| zones::record(&tx, &[unknown]));
    let both = [
        line("a", "America/New_York", "constant_difference"),
        line("b", "America/New_York", "appears_at_change"),
    ];
    run(&store, 1, &both).await;
    let first_seen = "SELECT first_seen::text FROM zone_findings WHERE agent_id = 'b'";
    let seen_at = seen(&db, first_seen).await;
    run(&store, 2, &both[1..]).await;
    let client = store.client().await.unwrap();
    let found = runs::list(&client, None, None, 10).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].run_id, found[0].findings),
        (Uuid::from_u128(2), 1)
    );
    assert_eq!(found[0].report_json, r#"{"totals": {}}"#);
    let lines = runs::lines(&client, found[0].run_id).await.unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].detail, "six hours\u{fffd}");
    assert_eq!(
        FindingRow {
            detail: both[1].detail.clone(),
            ..lines[0].clone()
        },
        both[1]
    );
    assert!(
        runs::lines(&client, Uuid::from_u128(1))
            .await
            .unwrap()
            .is_empty()
    );
    // Who goes by the platform's clock now is forgotten; who does not was first seen then. Unknown names are another matter.
    assert_eq!(
        seen(&db, "SELECT agent_id, kind FROM zone_findings ORDER BY 1").await,
        ["b|appears_at_change", "|unknown_zone"]
    );
    assert_eq!(seen(&db, first_seen).await, seen_at);
    let names = zones::list(&client).await.unwrap();
    assert_eq!(names.len(), 1);
    assert_eq!(names[0].stated, "Mars/Base");
    let health = "SELECT measure, scope, value FROM pipeline_health WHERE measure LIKE 'zones_%' OR measure LIKE 'reconciliation%' ORDER BY 1";
    assert_eq!(
        seen(&db, health).await,
        [
            "reconciliation_findings|acme/main|1",
            "zones_differ|acme/main|1",
            "zones_unknown|acme|1"
        ]
    );
}

#[tokio::test]
async fn our_days_come_with_their_clocks_and_whether_they_are_settled() {
    let (_db, store) = db().await;
    let row = |agent: &'static str, key: &'static str, nth: i64| WindowRow {
        metric_type: "leg_handle_time",
        metric_version: MetricVersion(2),
        group_by: "agent",
        size: "day",
        group_key: key,
        window_start: day(nth),
        window_end: day(nth + 1),
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
        items: 3,
        numerator: 90_000,
        denominator: 3,
        scale: 1_000,
        minimum: None,
        maximum: None,
        percentiles_json: None,
        value: Some(30.0),
        unit: "seconds",
        settles_at: day(nth + 3),
    };
    let rows = [row("a", r#"["a"]"#, 0), row("b", r#"["b"]"#, 1)];
    committed!(store, |tx| window_metrics::write(&tx, "acme", &rows, &[]));
    let client = store.client().await.unwrap();
    let days = async |version| {
        let metrics = [("leg_handle_time".to_owned(), MetricVersion(version))];
        ours::days(&client, "acme", By::Agent, &metrics, day(0), day(1))
            .await
            .unwrap()
    };
    let found = days(2).await;
    assert_eq!(found.len(), 1);
    assert_eq!(
        (
            found[0].subject.as_str(),
            found[0].numerator,
            found[0].settled
        ),
        ("a", 90_000, true)
    );
    assert!(days(1).await.is_empty());
    let cuts = ours::cuts(&client, "acme", day(0), day(9)).await.unwrap();
    assert_eq!(cuts.len(), 2);
    assert_eq!(cuts[0].2, "UTC");
}
