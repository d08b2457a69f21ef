//! Agents' days are queued with the change of their windows, carry the newest value, and remember what was pushed.

use crate::rows::{MAY, db, number, seen};
use schema::{Grain, LocalDay, MetricVersion, UtcMicros};
use std::time::Duration;
use store::Store;
use store::sync::{
    self, ChangedDay, Claimed, DayFigures, Fate, Lane, Last, LogEntry, LogFate, Pushed, Settled,
    Subject, Wanted,
};
use store::targets::{self, NotBefore, Target};
use store::window_metrics::{self, Change, Covered, WindowRow};
use testkit::TestDb;
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(60);
const DAY: LocalDay = LocalDay(19_858);

fn target(name: &str) -> Target {
    Target {
        name: name.into(),
        tenant: "acme".into(),
        platform: "genesys-external-metrics".into(),
        metrics: vec!["talk_time".into()],
        versions: vec![],
        grains: vec![Grain::AgentDay],
        not_before: NotBefore::AtOnce,
        enabled: true,
    }
}

async fn queue() -> (TestDb, Store) {
    let (db, store) = db().await;
    targets::register(&store, &target("days")).await.unwrap();
    (db, store)
}

fn day(agent: &str, numerator: i64) -> ChangedDay {
    ChangedDay {
        agent_id: agent.into(),
        day: DAY,
        metric_type: "talk_time".into(),
        metric_version: MetricVersion::FIRST,
        figures: Some(DayFigures {
            zone: "Europe/Berlin".into(),
            from: MAY,
            to: UtcMicros(MAY.0 + 86_400_000_000),
            settles_at: UtcMicros(MAY.0 + 3 * 86_400_000_000),
            items: 2,
            numerator,
            denominator: 2,
            scale: 1000,
            unit: "seconds".into(),
        }),
        value: Some(1.5),
    }
}

fn gone(agent: &str) -> ChangedDay {
    ChangedDay {
        figures: None,
        value: None,
        ..day(agent, 0)
    }
}

async fn change(store: &Store, days: &[ChangedDay]) -> u64 {
    committed!(store, |tx| sync::queue_days(&tx, "acme", days))
}

async fn claim(store: &Store, target: &str) -> Claimed {
    let client = store.client().await.unwrap();
    let wanted = Wanted {
        target,
        lane: Lane::Live,
        limit: 100,
        not_before: NotBefore::AtOnce,
    };
    sync::claim(&client, &wanted, Uuid::now_v7(), LEASE)
        .await
        .unwrap()
}

async fn settle(store: &Store, claimed: &Claimed, fate: Fate) {
    let rows: Vec<Settled<'_>> = claimed
        .rows
        .iter()
        .map(|due| Settled {
            row: due.row,
            key: &due.key,
            lease: claimed.lease,
            revision: due.revision,
            fate,
            retry_in: Duration::ZERO,
            together: None,
            status: Some(200),
            message: None,
        })
        .collect();
    committed!(store, |tx| sync::settle(&tx, "days", &rows));
}

#[tokio::test]
async fn a_day_is_claimed_with_what_it_is_made_of() {
    let (db, store) = queue().await;
    assert_eq!(change(&store, &[day("ada", 3000)]).await, 1);
    let claimed = claim(&store, "days").await;
    let [due] = claimed.rows.as_slice() else {
        panic!("{claimed:?}")
    };
    assert_eq!(
        due.key.subject,
        Subject::AgentDay {
            agent: "ada".into(),
            day: DAY
        }
    );
    assert_eq!(due.day, day("ada", 3000).figures);
    assert_eq!(
        (due.metric_value, due.agent_id.as_deref(), due.timestamp_utc),
        (Some(1.5), Some("ada"), MAY)
    );
    settle(&store, &claimed, Fate::Accepted).await;
    assert_eq!(number(&db, "SELECT count(*) FROM sync_queue").await, 0);
}

#[tokio::test]
async fn only_who_wants_days_of_this_metric_gets_them() {
    let (db, store) = queue().await;
    for other in [
        Target {
            grains: vec![Grain::Interaction, Grain::Leg],
            ..target("interactions")
        },
        Target {
            metrics: vec!["hold_time".into()],
            ..target("hold")
        },
        Target {
            enabled: false,
            ..target("off")
        },
        Target {
            tenant: "other".into(),
            ..target("others")
        },
        Target {
            versions: vec![MetricVersion(2)],
            ..target("two")
        },
    ] {
        targets::register(&store, &other).await.unwrap();
    }
    let of_two = ChangedDay {
        metric_version: MetricVersion(2),
        ..day("ada", 1)
    };
    assert_eq!(change(&store, &[day("ada", 1), of_two]).await, 2);
    let queued = "SELECT target || metric_version FROM sync_queue ORDER BY 1";
    assert_eq!(seen(&db, queued).await, ["days1", "two2"]);
    let wanted = committed!(store, |tx| sync::wants_days(&tx, "acme"));
    assert_eq!(
        wanted.into_iter().collect::<Vec<_>>(),
        ["hold_time", "talk_time"]
    );
    let nobody = committed!(store, |tx| sync::wants_days(&tx, "third"));
    assert!(nobody.is_empty());
}

#[tokio::test]
async fn a_value_superseded_while_waiting_is_never_claimed() {
    let (db, store) = queue().await;
    change(&store, &[day("ada", 1)]).await;
    change(&store, &[day("ada", 2)]).await;
    let claimed = claim(&store, "days").await;
    assert_eq!(
        claimed.rows[0].day.as_ref().map(|day| day.numerator),
        Some(2)
    );
    // What comes while it is pushed is due when that is over.
    change(&store, &[day("ada", 3)]).await;
    settle(&store, &claimed, Fate::Accepted).await;
    let next = claim(&store, "days").await;
    assert_eq!(next.rows[0].day.as_ref().map(|day| day.numerator), Some(3));
    assert!(next.rows[0].revision > claimed.rows[0].revision);
    settle(&store, &next, Fate::Accepted).await;
    assert_eq!(number(&db, "SELECT count(*) FROM sync_queue").await, 0);
}

#[tokio::test]
async fn a_day_that_nothing_is_in_any_more_is_claimed_without_a_value() {
    let (_db, store) = queue().await;
    change(&store, &[day("ada", 1)]).await;
    change(&store, &[gone("ada")]).await;
    let claimed = claim(&store, "days").await;
    assert_eq!(
        (&claimed.rows[0].day, claimed.rows[0].metric_value),
        (&None, None)
    );
}

/// Whose clock changes has one window of a date less and one more.
#[tokio::test]
async fn of_a_day_that_goes_and_comes_at_once_what_came_is_left() {
    let (_db, store) = queue().await;
    for days in [[day("ada", 7), gone("ada")], [gone("ada"), day("ada", 7)]] {
        assert_eq!(change(&store, &days).await, 1);
        let claimed = claim(&store, "days").await;
        assert_eq!(
            claimed.rows[0].day.as_ref().map(|day| day.numerator),
            Some(7)
        );
        settle(&store, &claimed, Fate::Accepted).await;
    }
}

#[tokio::test]
async fn a_rejected_day_gets_another_chance_with_a_new_value() {
    let (db, store) = queue().await;
    change(&store, &[day("ada", 1)]).await;
    let claimed = claim(&store, "days").await;
    settle(&store, &claimed, Fate::Rejected).await;
    let state = "SELECT state || ' ' || attempt || ' ' || grain FROM sync_queue";
    assert_eq!(seen(&db, state).await, ["rejected 1 agent_day"]);
    change(&store, &[day("ada", 2)]).await;
    assert_eq!(seen(&db, state).await, ["pending 0 agent_day"]);
}

#[tokio::test]
async fn a_day_too_old_for_the_platform_leaves_the_queue() {
    let (db, store) = queue().await;
    change(&store, &[day("ada", 1)]).await;
    let claimed = claim(&store, "days").await;
    settle(&store, &claimed, Fate::Expired).await;
    assert_eq!(number(&db, "SELECT count(*) FROM sync_queue").await, 0);
}

async fn log(store: &Store, claimed: &Claimed, request: u128, fate: LogFate, value: Option<f64>) {
    let entries: Vec<LogEntry<'_>> = claimed
        .rows
        .iter()
        .map(|due| LogEntry {
            key: &due.key,
            revision: due.revision,
            attempt: due.attempt,
            pushed: value.map(|value| Pushed {
                value,
                points: Some(2),
            }),
            fate,
            request_id: Uuid::from_u128(request),
            idempotency_key: "key",
            status: None,
            message: None,
        })
        .collect();
    committed!(store, |tx| sync::log(&tx, "days", &entries));
}

#[tokio::test]
async fn the_log_knows_what_the_platform_has() {
    let (db, store) = queue().await;
    change(&store, &[day("ada", 1), day("bob", 1)]).await;
    let mut claimed = claim(&store, "days").await;
    let bob = claimed.rows.pop().unwrap();
    let client = store.client().await.unwrap();
    let last = async || {
        let keys = [&claimed.rows[0].key, &bob.key];
        let last = sync::last_pushed(&client, "days", &keys, sync::Versions::Apart)
            .await
            .unwrap();
        assert_eq!(last[1], Last::Nothing);
        last[0]
    };
    assert_eq!(last().await, Last::Nothing);
    let has = |value| {
        Last::Has(Some(Pushed {
            value,
            points: Some(2),
        }))
    };
    for (request, fate, value, expected) in [
        (1, LogFate::Rejected, Some(1.0), Last::Nothing),
        (2, LogFate::Accepted, Some(2.0), has(2.0)),
        (3, LogFate::Retry, Some(3.0), has(2.0)),
        (4, LogFate::Unknown, Some(4.0), Last::Unknown),
        (5, LogFate::Accepted, Some(5.0), has(5.0)),
        (6, LogFate::Retracted, None, Last::Nothing),
    ] {
        log(&store, &claimed, request, LogFate::Sent, value).await;
        log(&store, &claimed, request, fate, value).await;
        assert_eq!(last().await, expected, "{fate:?}");
    }
    // A push whose process died: unknown, once somebody asks.
    log(&store, &claimed, 7, LogFate::Sent, Some(7.0)).await;
    let keys = [&claimed.rows[0].key];
    assert_eq!(
        committed!(store, |tx| sync::log_lost(&tx, "days", &keys)),
        1
    );
    assert_eq!(last().await, Last::Unknown);
    let lost = "SELECT count(*) FROM metric_sync_log WHERE fate = 'unknown' AND value = 7 AND points = 2 AND workday = '2024-05-15'";
    assert_eq!(number(&db, lost).await, 1);
}

fn window(agent: Option<&'static str>, start: UtcMicros, numerator: i64) -> WindowRow<'static> {
    let group_key = agent.map_or("[null]", |agent| match agent {
        "ada" => r#"["ada"]"#,
        _ => r#"["bob"]"#,
    });
    WindowRow {
        metric_type: "talk_time",
        metric_version: MetricVersion::FIRST,
        group_by: "agent",
        size: "day",
        group_key,
        window_start: start,
        window_end: UtcMicros(start.0 + 86_400_000_000),
        zone: "Europe/Berlin",
        zone_source: "agent",
        tzdb: "2026a",
        queue_id: None,
        media: None,
        direction: None,
        agent_id: agent,
        team: None,
        platform: None,
        attributes_json: None,
        items: 2,
        numerator,
        denominator: 2,
        scale: 1000,
        minimum: None,
        maximum: None,
        percentiles_json: None,
        value: Some(1.5),
        unit: "seconds",
        settles_at: start,
    }
}

fn covered<'a>(row: &WindowRow<'a>) -> Covered<'a> {
    Covered {
        metric_type: row.metric_type,
        metric_version: row.metric_version,
        group_by: row.group_by,
        group_key: row.group_key,
        size: row.size,
        from: row.window_start,
        to: row.window_end,
    }
}

#[tokio::test]
async fn a_write_of_windows_tells_which_days_changed_and_no_others() {
    let (_db, store) = db().await;
    let followed = ["talk_time".to_owned()].into();
    let first = window(Some("ada"), MAY, 1);
    let hour = WindowRow {
        size: "60m",
        ..first
    };
    let of_queue = WindowRow {
        group_by: "queue",
        ..first
    };
    let other = WindowRow {
        metric_type: "hold_time",
        ..first
    };
    let rows = [first, hour, of_queue, other];
    let write = async |rows: &[WindowRow<'static>], stretches: &[Covered<'static>]| {
        let (_, changes) = committed!(store, |tx| window_metrics::write_telling(
            &tx, "acme", rows, stretches, &followed
        ));
        changes
    };
    // Not looked for, and so upserted; then looked for.
    assert_eq!(write(&rows, &[]).await, [Change::Written(first)]);
    assert_eq!(write(&rows, &[]).await, []);
    assert_eq!(write(&rows, &[covered(&first)]).await, []);
    let changed = window(Some("ada"), MAY, 2);
    assert_eq!(
        write(&[changed], &[covered(&first)]).await,
        [Change::Written(changed)]
    );
    // New where it was looked for, and so copied.
    let new = window(Some("bob"), MAY, 1);
    assert_eq!(
        write(&[new], &[covered(&new)]).await,
        [Change::Written(new)]
    );
    let removed = Change::Removed {
        metric_type: "talk_time",
        metric_version: MetricVersion::FIRST,
        group_key: r#"["ada"]"#,
        window_start: MAY,
        zone: "Europe/Berlin".into(),
    };
    assert_eq!(write(&[], &[covered(&first)]).await, [removed]);
}

#[tokio::test]
async fn all_days_can_be_queued_again() {
    let (db, store) = queue().await;
    let rows = [
        window(Some("ada"), MAY, 1),
        window(Some("bob"), MAY, 2),
        window(None, MAY, 3),
    ];
    committed!(store, |tx| window_metrics::write(&tx, "acme", &rows, &[]));
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    targets::hold_changes(&tx).await.unwrap();
    let stretch = (MAY, UtcMicros(MAY.0 + 1));
    let stored = sync::stored_days(&tx, "days", stretch).await.unwrap();
    let days: Vec<ChangedDay> = stored
        .into_iter()
        .map(|stored| ChangedDay {
            agent_id: stored.agent_id,
            day: DAY,
            metric_type: stored.metric_type,
            metric_version: stored.metric_version,
            figures: Some(stored.figures),
            value: Some(stored.value),
        })
        .collect();
    let queued = sync::requeue_days(&tx, "acme", "days", &days).await;
    assert_eq!(queued.unwrap(), 2);
    tx.commit().await.unwrap();
    let queued = "SELECT agent_id || numerator FROM sync_queue ORDER BY 1";
    assert_eq!(seen(&db, queued).await, ["ada1", "bob2"]);
}
