//! A target that waits for what has settled gets the last value, once, when it has.

use crate::rows::{MAY, db, interaction, metric, number, seen, until_someone_waits};
use schema::{Grain, LocalDay, MetricVersion, UtcMicros};
use std::time::Duration;
use store::interactions::{self, NewInteraction, Status};
use store::marks::{self, Kind, Mark};
use store::metrics::{self, MetricRow};
use store::sync::{self, ChangedDay, Claimed, DayFigures};
use store::targets::{self, NotBefore, Target};
use store::{Store, sweep};
use testkit::TestDb;

const LEASE: Duration = Duration::from_secs(60);
/// Later than any clock.
const ALWAYS: UtcMicros = UtcMicros(4_102_444_800_000_000);

fn target(not_before: NotBefore) -> Target {
    Target {
        name: "main".into(),
        tenant: "acme".into(),
        platform: "genesys".into(),
        metrics: vec!["talk_time".into()],
        versions: vec![],
        grains: Grain::ALL.to_vec(),
        not_before,
        enabled: true,
    }
}

/// A store with one interaction that has ended.
async fn ended() -> (TestDb, Store) {
    let (db, store) = db().await;
    targets::register(&store, &target(NotBefore::Settled))
        .await
        .unwrap();
    let row = NewInteraction {
        status: Status::Terminal,
        ended_at: Some(MAY),
        ..interaction("int_1")
    };
    committed!(store, |tx| interactions::insert_new(
        &tx,
        &[row],
        &interactions::Evaluated::NEVER
    ));
    (db, store)
}

async fn write(store: &Store, rows: &[MetricRow<'_>]) {
    committed!(store, |tx| metrics::upsert(&tx, rows));
}

async fn claim(store: &Store) -> Claimed {
    let client = store.client().await.unwrap();
    sync::claim(&client, "main", 100, LEASE, NotBefore::Settled)
        .await
        .unwrap()
}

async fn rest(store: &Store) -> u64 {
    let client = store.client().await.unwrap();
    let rested = sweep::settle(&client, ALWAYS, ALWAYS, None, 100).await;
    rested.unwrap().settled
}

async fn unsettle(db: &TestDb) {
    let client = db.client().await;
    client
        .batch_execute("UPDATE interactions SET settled_at = NULL")
        .await
        .unwrap();
}

/// Whatever it waits for, it is looked at now.
async fn due_now(db: &TestDb) {
    let client = db.client().await;
    client
        .batch_execute("UPDATE sync_queue SET due_at = now()")
        .await
        .unwrap();
}

const STATE: &str = "SELECT state || ' ' || (due_at <= now()) FROM sync_queue ORDER BY row_id";

#[tokio::test]
async fn a_value_waits_until_its_interaction_has_settled() {
    let (db, store) = ended().await;
    write(&store, &[metric("int_1", 1.0)]).await;
    assert_eq!(seen(&db, STATE).await, ["held false"]);
    assert_eq!(claim(&store).await.rows, []);
    write(&store, &[metric("int_1", 2.0)]).await;
    assert_eq!(rest(&store).await, 1);
    assert_eq!(seen(&db, STATE).await, ["pending true"]);
    let claimed = claim(&store).await;
    let values: Vec<_> = claimed.rows.iter().map(|due| due.metric_value).collect();
    assert_eq!(values, [Some(2.0)], "the last value, once");
}

#[tokio::test]
async fn what_is_computed_after_its_interaction_settled_is_due_at_once() {
    let (db, store) = ended().await;
    assert_eq!(rest(&store).await, 1);
    write(&store, &[metric("int_1", 1.0)]).await;
    assert_eq!(seen(&db, STATE).await, ["pending true"]);
    assert_eq!(claim(&store).await.rows.len(), 1);
}

#[tokio::test]
async fn what_goes_on_before_it_was_pushed_waits_once_more() {
    let (db, store) = ended().await;
    write(&store, &[metric("int_1", 1.0)]).await;
    rest(&store).await;
    // No metric changes with it, so nothing is queued anew.
    unsettle(&db).await;
    let claimed = claim(&store).await;
    assert_eq!((claimed.rows.len(), claimed.put_back), (0, 1));
    assert_eq!(seen(&db, STATE).await, ["held false"]);
    rest(&store).await;
    assert_eq!(claim(&store).await.rows.len(), 1);
}

#[tokio::test]
async fn a_new_value_of_what_goes_on_is_held() {
    let (db, store) = ended().await;
    write(&store, &[metric("int_1", 1.0)]).await;
    rest(&store).await;
    unsettle(&db).await;
    write(&store, &[metric("int_1", 2.0)]).await;
    assert_eq!(seen(&db, STATE).await, ["held false"]);
}

/// The claim does not see that it settles, and puts it back; what settles it waits for that, and makes it due.
#[tokio::test]
async fn what_settles_while_it_is_put_back_is_due() {
    let (db, store) = ended().await;
    write(&store, &[metric("int_1", 1.0)]).await;
    due_now(&db).await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let claimed = sync::claim(&tx, "main", 100, LEASE, NotBefore::Settled)
        .await
        .unwrap();
    assert_eq!(claimed.put_back, 1);
    let settling = {
        let store = store.clone();
        tokio::spawn(async move { rest(&store).await })
    };
    until_someone_waits(&db).await;
    tx.commit().await.unwrap();
    assert_eq!(settling.await.unwrap(), 1);
    assert_eq!(seen(&db, STATE).await, ["pending true"]);
}

#[tokio::test]
async fn a_target_that_waits_no_longer_gets_what_it_held_back() {
    let (db, store) = ended().await;
    write(&store, &[metric("int_1", 1.0)]).await;
    targets::register(&store, &target(NotBefore::AtOnce))
        .await
        .unwrap();
    assert_eq!(seen(&db, STATE).await, ["pending true"]);
    let listed = targets::list(&store.client().await.unwrap()).await.unwrap();
    assert_eq!(listed, [target(NotBefore::AtOnce)]);
}

#[tokio::test]
async fn what_is_held_counts_apart() {
    let (_db, store) = ended().await;
    write(&store, &[metric("int_1", 1.0)]).await;
    let client = store.client().await.unwrap();
    let counts = sync::pending_counts(&client, "main").await.unwrap();
    assert_eq!(
        (counts.held, counts.pending, counts.oldest),
        (1, 0, None),
        "it is nobody's fault that it waits"
    );
}

fn day(settles_at: UtcMicros) -> ChangedDay {
    ChangedDay {
        agent_id: "ada".into(),
        day: LocalDay(19_858),
        metric_type: "talk_time".into(),
        metric_version: MetricVersion::FIRST,
        figures: Some(DayFigures {
            zone: "Europe/Berlin".into(),
            from: MAY,
            to: UtcMicros(MAY.0 + 86_400_000_000),
            settles_at,
            items: 1,
            numerator: 1,
            denominator: 1,
            scale: 1,
            unit: "seconds".into(),
        }),
        value: Some(1.0),
    }
}

async fn change(store: &Store, day: ChangedDay) {
    committed!(store, |tx| sync::queue_days(
        &tx,
        "acme",
        std::slice::from_ref(&day)
    ));
}

#[tokio::test]
async fn an_agents_day_is_due_when_its_window_settles() {
    let (db, store) = ended().await;
    change(&store, day(ALWAYS)).await;
    assert_eq!(
        seen(
            &db,
            "SELECT state || ' ' || (due_at = settles_at) FROM sync_queue"
        )
        .await,
        ["held true"]
    );
    due_now(&db).await;
    assert_eq!(claim(&store).await.put_back, 1, "not by the clock alone");
    change(&store, day(MAY)).await;
    assert_eq!(seen(&db, STATE).await, ["pending true"]);
    assert_eq!(claim(&store).await.rows.len(), 1);
}

#[tokio::test]
async fn an_agents_day_waits_while_something_of_it_is_to_be_computed() {
    let (db, store) = ended().await;
    change(&store, day(MAY)).await;
    let before = UtcMicros(MAY.0 - 86_400_000_000);
    for (kind, subject, from, waits) in [
        (Kind::Cell, "", before, false),
        (Kind::Cell, "", MAY, true),
        (Kind::Agent, "bob", before, true),
        (Kind::Group, "group", ALWAYS, false),
    ] {
        let client = db.client().await;
        client
            .batch_execute(
                "DELETE FROM dirty_marks; UPDATE sync_queue SET due_at = now(), state = 'pending'",
            )
            .await
            .unwrap();
        let mark = Mark {
            kind,
            tenant: "acme",
            subject,
            from,
            to: from,
        };
        committed!(store, |tx| marks::append(&tx, &[mark]));
        let claimed = claim(&store).await;
        assert_eq!(claimed.put_back == 1, waits, "{kind:?} {from}");
        assert_eq!(claimed.rows.len() == 1, !waits, "{kind:?} {from}");
    }
}

/// What was pushed and never answered stays what it is.
#[tokio::test]
async fn a_push_of_unknown_fate_stays_one_while_it_waits() {
    let (db, store) = ended().await;
    write(&store, &[metric("int_1", 1.0)]).await;
    let client = db.client().await;
    client
        .batch_execute("UPDATE sync_queue SET state = 'unknown', due_at = now(), attempt = 1")
        .await
        .unwrap();
    assert_eq!(claim(&store).await.put_back, 1);
    assert_eq!(seen(&db, STATE).await, ["unknown false"]);
    let soon = "SELECT count(*) FROM sync_queue WHERE due_at < now() + interval '2 minutes'";
    assert_eq!(number(&db, soon).await, 1);
}
