//! Live gauges: one row an open interaction, and views over it and over agents.

use crate::rows::{MAY, number, seen};
use schema::UtcMicros;
use store::live::{self, LiveRow};
use store::{Class, StoreError};
use testkit::TestDb;

fn row<'a>(interaction_id: &'a str, phase: &'a str) -> LiveRow<'a> {
    LiveRow {
        tenant: "acme",
        interaction_id,
        phase,
        since: MAY,
        queue_id: Some("support"),
        agent_id: None,
        media: Some("voice"),
        direction: Some("inbound"),
    }
}

#[tokio::test]
async fn an_interaction_has_one_row_while_it_is_open() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let waiting = row("int_1", "waiting");
    let talking = LiveRow {
        agent_id: Some("anna"),
        ..row("int_1", "in_progress")
    };
    assert_eq!(committed!(store, |tx| live::put(&tx, &[waiting])), 1);
    assert_eq!(committed!(store, |tx| live::put(&tx, &[waiting])), 0);
    assert_eq!(
        committed!(store, |tx| live::put(&tx, &[waiting, talking])),
        1
    );
    assert_eq!(
        seen(&db, "SELECT phase, agent_id FROM live_interactions").await,
        ["in_progress|anna"]
    );
    let keys = [("acme", "int_1"), ("acme", "int_1"), ("acme", "int_2")];
    assert_eq!(committed!(store, |tx| live::remove(&tx, &keys)), 1);
    assert_eq!(committed!(store, |tx| live::remove(&tx, &[])), 0);
    assert_eq!(
        number(&db, "SELECT count(*) FROM live_interactions").await,
        0
    );
}

#[tokio::test]
async fn a_phase_that_nobody_knows_is_refused() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let error = live::put(&tx, &[row("int_1", "pondering")])
        .await
        .unwrap_err();
    assert_eq!(error.class(), Class::Rejected);
    tx.rollback().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let error = live::put(&tx, &[row("int\0", "waiting")])
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Nul { .. }), "{error:?}");
}

#[tokio::test]
async fn queues_show_who_waits_and_how_long() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let now = crate::rows::now();
    let since = |seconds: i64| UtcMicros(now.0 - seconds * 1_000_000);
    let rows = [
        LiveRow {
            since: since(30),
            ..row("int_1", "waiting")
        },
        LiveRow {
            since: since(90),
            ..row("int_2", "alerting")
        },
        row("int_3", "in_progress"),
        LiveRow {
            queue_id: None,
            ..row("int_4", "other")
        },
    ];
    committed!(store, |tx| live::put(&tx, &rows));
    assert_eq!(
        seen(
            &db,
            "SELECT queue_id, media, waiting, longest_wait_seconds BETWEEN 89 AND 300, alerting, in_progress, other \
             FROM live_queues ORDER BY 1"
        )
        .await,
        ["support|voice|1|t|1|1|0", "|voice|0||0|0|1"]
    );
    assert_eq!(
        seen(&db, "SELECT gauge, queue_id, state, value FROM live_gauges WHERE gauge = 'interactions' ORDER BY 2, 3").await,
        [
            "interactions|support|alerting|1",
            "interactions|support|in_progress|1",
            "interactions|support|waiting|1",
            "interactions||other|1"
        ]
    );
    assert_eq!(
        number(
            &db,
            "SELECT count(*) FROM live_gauges WHERE gauge = 'longest_wait_seconds'"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn agents_are_shown_by_team_and_the_silent_ones_as_unknown() {
    let db = TestDb::new().await;
    db.client()
        .await
        .batch_execute(
            "INSERT INTO agents (tenant, agent_id, team, presence, routing, interacting, wrapping, capped, since, open_until) VALUES \
             ('acme', 'a', 'sales', 'on_queue', 'idle', false, false, false, now() - interval '1 minute', NULL), \
             ('acme', 'b', 'sales', 'on_queue', 'interacting', false, true, false, now(), now() + interval '1 hour'), \
             ('acme', 'c', 'sales', 'available', NULL, true, false, false, now(), NULL), \
             ('acme', 'd', 'sales', 'break', 'off_queue', false, false, false, now(), NULL), \
             ('acme', 'e', 'sales', NULL, NULL, false, false, true, NULL, NULL), \
             ('acme', 'f', NULL, 'available', NULL, false, false, false, now(), now() - interval '1 hour'), \
             ('acme', 'g', NULL, 'offline', NULL, false, false, false, now(), NULL), \
             ('acme', 'h', NULL, NULL, 'idle', false, false, false, now(), NULL), \
             ('acme', 'i', NULL, 'on_queue', 'not_responding', false, false, false, now(), NULL)",
        )
        .await
        .unwrap();
    assert_eq!(
        seen(&db, "SELECT agent_id, state FROM live_agents ORDER BY 1").await,
        [
            "a|on_queue",
            "b|wrapping",
            "c|interacting",
            "d|break",
            "e|unknown",
            "f|unknown",
            "g|offline",
            "h|on_queue",
            "i|not_responding"
        ]
    );
    assert_eq!(
        seen(
            &db,
            "SELECT team, state, agents FROM live_teams WHERE team = 'sales' ORDER BY 2"
        )
        .await,
        [
            "sales|break|1",
            "sales|interacting|1",
            "sales|on_queue|1",
            "sales|unknown|1",
            "sales|wrapping|1"
        ]
    );
    assert_eq!(
        number(
            &db,
            "SELECT sum(value)::bigint FROM live_gauges WHERE gauge = 'agents'"
        )
        .await,
        9
    );
}
