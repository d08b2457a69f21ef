//! Whose rows go first, what a request and a minute came to, and what operators do with rows.

use crate::rows::{db, metric, number, seen};
use schema::{Grain, UtcMicros};
use std::time::Duration;
use store::metrics::{self, MetricRow};
use store::sync::{
    self, Claimed, Differing, Fate, Figures, Finding, Lane, LogEntry, LogFate, Pushed, Request,
    Rows, Settled, State, Values, Wanted,
};
use store::targets::{self, NotBefore, Target};
use store::{Client, Store};
use testkit::TestDb;
use uuid::Uuid;

const LEASE: Duration = Duration::from_secs(60);
const NOW: Duration = Duration::ZERO;

async fn queue() -> (TestDb, Store) {
    let (db, store) = db().await;
    let target = Target {
        name: "main".into(),
        tenant: "acme".into(),
        platform: "genesys".into(),
        metrics: vec!["talk_time".into()],
        versions: vec![],
        grains: vec![Grain::Interaction],
        not_before: NotBefore::AtOnce,
        enabled: true,
    };
    targets::register(&store, &target).await.unwrap();
    (db, store)
}

async fn write(store: &Store, lane: Lane, rows: &[MetricRow<'_>]) {
    committed!(store, |tx| metrics::upsert_for(&tx, rows, lane));
}

async fn claim(client: &Client, lane: Lane) -> Claimed {
    let wanted = Wanted {
        target: "main",
        lane,
        limit: 100,
        not_before: NotBefore::AtOnce,
    };
    sync::claim(client, &wanted, Uuid::now_v7(), LEASE)
        .await
        .unwrap()
}

fn ids(claimed: &Claimed) -> Vec<&str> {
    let ids = claimed.rows.iter().map(|due| due.key.subject.interaction());
    ids.map(Option::unwrap).collect()
}

async fn settle(
    store: &Store,
    claimed: &Claimed,
    fate: Fate,
    together: Option<usize>,
) -> Vec<Duration> {
    let rows: Vec<Settled<'_>> = claimed
        .rows
        .iter()
        .map(|due| Settled {
            row: due.row,
            key: &due.key,
            lease: claimed.lease,
            revision: due.revision,
            fate,
            retry_in: NOW,
            together,
            status: Some(200),
            message: Some("words"),
        })
        .collect();
    let entries: Vec<LogEntry<'_>> = claimed
        .rows
        .iter()
        .map(|due| LogEntry {
            key: &due.key,
            revision: due.revision,
            attempt: due.attempt,
            pushed: due.metric_value.map(|value| Pushed {
                value,
                points: None,
            }),
            fate: fate.into(),
            request_id: Uuid::now_v7(),
            idempotency_key: "key",
            status: Some(200),
            message: Some("words"),
        })
        .collect();
    let outcome = committed!(store, |tx| async {
        sync::log(&tx, "main", &entries).await?;
        sync::settle(&tx, "main", &rows).await
    });
    outcome.waited
}

fn rows(states: &[State]) -> Rows<'static> {
    Rows {
        target: "main",
        states: states.to_vec(),
        metrics: &[],
        interaction: None,
        agent: None,
        from: None,
        to: None,
    }
}

fn values() -> Values<'static> {
    let (from, to) = Values::ALWAYS;
    Values {
        target: "main",
        metrics: &[],
        interaction: None,
        from,
        to,
    }
}

async fn differing(client: &Client) -> Vec<Differing> {
    let mut found = Vec::new();
    sync::differing(client, &values(), |differing| found.push(differing))
        .await
        .unwrap();
    found
}

/// What history changed is in a lane of its own, and stays there when it changes again.
#[tokio::test]
async fn a_row_is_in_the_lane_of_what_caused_it() {
    let (_db, store) = queue().await;
    write(
        &store,
        Lane::Live,
        &[metric("int_live", 1.0), metric("int_both", 1.0)],
    )
    .await;
    write(
        &store,
        Lane::History,
        &[metric("int_past", 1.0), metric("int_both", 2.0)],
    )
    .await;
    write(&store, Lane::Live, &[metric("int_past", 2.0)]).await;
    let client = store.client().await.unwrap();
    let counts = sync::pending_counts(&client, "main").await.unwrap();
    assert_eq!((counts.pending, counts.history), (3, 2));
    let mut past = claim(&client, Lane::History).await;
    past.rows.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(ids(&past), ["int_both", "int_past"]);
    assert_eq!(ids(&claim(&client, Lane::Live).await), ["int_live"]);
}

/// A search for the row that spoils its request goes on where it was; a new value is another row.
#[tokio::test]
async fn with_how_many_a_row_may_share_a_request_is_kept_until_its_value_changes() {
    let (_db, store) = queue().await;
    let client = store.client().await.unwrap();
    write(&store, Lane::Live, &[metric("int_1", 1.0)]).await;
    for (told, known) in [
        (None, None),
        (Some(50), None),
        (None, Some(50)),
        (Some(25), Some(50)),
    ] {
        let claimed = claim(&client, Lane::Live).await;
        assert_eq!(claimed.rows[0].together, known);
        settle(&store, &claimed, Fate::Snooze, told).await;
    }
    write(&store, Lane::Live, &[metric("int_1", 2.0)]).await;
    assert_eq!(claim(&client, Lane::Live).await.rows[0].together, None);
}

/// From the change to the acceptance; what changed while an older value was on its way has waited since then only.
#[tokio::test]
async fn an_accepted_value_says_how_long_it_had_waited() {
    let (db, store) = queue().await;
    let client = store.client().await.unwrap();
    write(&store, Lane::Live, &[metric("int_1", 1.0)]).await;
    let age = "UPDATE sync_queue SET queued_at = queued_at - interval '1 hour'";
    db.client().await.batch_execute(age).await.unwrap();
    let first = claim(&client, Lane::Live).await;
    write(&store, Lane::Live, &[metric("int_1", 2.0)]).await;
    let superseded = settle(&store, &first, Fate::Accepted, None).await;
    assert!(superseded.is_empty(), "there is a newer one");
    let second = claim(&client, Lane::Live).await;
    let waited = settle(&store, &second, Fate::Accepted, None).await;
    assert!(
        waited.len() == 1 && waited[0] < Duration::from_secs(60),
        "{waited:?}"
    );

    write(&store, Lane::Live, &[metric("int_1", 3.0)]).await;
    db.client().await.batch_execute(age).await.unwrap();
    let third = claim(&client, Lane::Live).await;
    let waited = settle(&store, &third, Fate::Accepted, None).await;
    let hour = Duration::from_secs(3600);
    assert!(waited.len() == 1 && waited[0] >= hour, "{waited:?}");
}

#[tokio::test]
async fn a_request_is_one_row_however_often_it_is_noted() {
    let (db, store) = queue().await;
    let request = Request {
        id: Uuid::from_u128(7),
        sent_at: UtcMicros::from_millis(1_715_783_530_451),
        took: Duration::from_millis(120),
        attempt: 2,
        rows: 100,
        bytes: 20_000,
        status: Some(200),
        outcome: "answered",
        correlation: Some("abc"),
        answer: Some("{\"a\0\": 1}"),
    };
    for _ in 0..2 {
        committed!(store, |tx| sync::note_request(&tx, "main", &request));
    }
    let noted = "SELECT count(*) FROM metric_sync_requests WHERE duration_us = 120000 AND attempt = 2 AND rows = 100 AND bytes = 20000 \
                 AND status = 200 AND outcome = 'answered' AND correlation = 'abc' AND answer LIKE '%1}'";
    assert_eq!(number(&db, noted).await, 1);
    let client = store.client().await.unwrap();
    let now = crate::rows::now();
    assert_eq!(sync::prune_requests(&client, now, 10).await.unwrap(), 1);
}

#[tokio::test]
async fn the_figures_of_all_processes_add_up() {
    let (_db, store) = queue().await;
    let client = store.client().await.unwrap();
    let mut figures = Figures {
        requests: 2,
        failed_requests: 1,
        accepted: 100,
        rejected: 3,
        unknown: 4,
        retried: 5,
        snoozed: 6,
        ..Figures::default()
    };
    figures.latency.add(Duration::from_millis(700));
    figures.latency.add(Duration::from_secs(40));
    let hour = Duration::from_secs(3600);
    let none = sync::figures(&client, "main", hour).await.unwrap();
    assert_eq!(none, Figures::default());
    for _ in 0..3 {
        sync::add_figures(&client, "main", &figures).await.unwrap();
    }
    let sum = sync::figures(&client, "main", hour).await.unwrap();
    assert_eq!((sum.requests, sum.accepted, sum.snoozed), (6, 300, 18));
    assert_eq!(
        (sum.latency.count(), sum.latency.longest()),
        (6, Some(40.0))
    );
    assert_eq!(sum.latency.quantile(0.5), Some(1.0));
    let other = sync::figures(&client, "other", hour).await.unwrap();
    assert_eq!(other, Figures::default());
}

#[tokio::test]
async fn that_deliveries_fail_is_news_once() {
    let (db, store) = queue().await;
    let client = store.client().await.unwrap();
    let finding = |failing, reason| Finding {
        target: "main",
        breaker: "client@login/push",
        failing,
        tried: 100,
        failed: 20,
        threshold: 0.1,
        window: Duration::from_secs(900),
        reason,
    };
    for (failing, news) in [(false, false), (true, true), (true, false), (false, true)] {
        let reason = failing.then_some("HTTP 500");
        let told = sync::note_health(&client, &finding(failing, reason))
            .await
            .unwrap();
        assert_eq!(told, news, "{failing}");
        assert_eq!(sync::was_failing(&client, "main").await.unwrap(), failing);
    }
    let health = sync::health(&client).await.unwrap().remove(0);
    assert_eq!((health.failed, health.reason.as_str()), (20, "HTTP 500"));
    let roles = "SELECT count(*) FROM sync_health WHERE window_seconds = 900";
    assert_eq!(number(&db, roles).await, 1);
}

/// Refused, unknown and waiting rows by what is known of them; what is being pushed is left alone.
#[tokio::test]
async fn an_operator_retries_and_skips_what_is_meant_and_nothing_else() {
    let (db, store) = queue().await;
    let client = store.client().await.unwrap();
    for (id, fate) in [
        ("int_rejected", Fate::Rejected),
        ("int_unknown", Fate::Unknown),
    ] {
        write(&store, Lane::Live, &[metric(id, 1.0)]).await;
        let claimed = claim(&client, Lane::Live).await;
        let rows: Vec<Settled<'_>> = claimed
            .rows
            .iter()
            .map(|due| Settled {
                row: due.row,
                key: &due.key,
                lease: claimed.lease,
                revision: due.revision,
                fate,
                retry_in: LEASE,
                together: None,
                status: None,
                message: None,
            })
            .collect();
        committed!(store, |tx| sync::settle(&tx, "main", &rows));
    }
    write(&store, Lane::Live, &[metric("int_leased", 1.0)]).await;
    assert_eq!(ids(&claim(&client, Lane::Live).await), ["int_leased"]);
    write(&store, Lane::Live, &[metric("int_pending", 1.0)]).await;

    let both = rows(&[State::Rejected, State::Unknown]);
    assert_eq!(sync::count(&client, &both).await.unwrap(), 2);
    let one = Rows {
        interaction: Some("int_unknown"),
        ..both.clone()
    };
    assert_eq!(sync::retry(&client, &one).await.unwrap(), 1);
    let later = Rows {
        from: Some(UtcMicros(crate::rows::now().0 + 60_000_000)),
        ..both.clone()
    };
    assert_eq!(sync::retry(&client, &later).await.unwrap(), 0);
    let other = ["handle_time".to_owned()];
    let of_other = Rows {
        metrics: &other,
        ..both.clone()
    };
    assert_eq!(sync::count(&client, &of_other).await.unwrap(), 0);
    let states = "SELECT interaction_id || ' ' || state || ' ' || (due_at <= now()) AS s FROM sync_queue ORDER BY interaction_id";
    assert_eq!(
        seen(&db, states).await,
        [
            "int_leased leased false",
            "int_pending pending true",
            "int_rejected rejected true",
            "int_unknown unknown true"
        ]
    );

    let all = rows(&[State::Rejected, State::Unknown, State::Pending]);
    let skipped = sync::skip(&client, &all, "the platform is retired")
        .await
        .unwrap();
    assert_eq!(skipped, 3);
    assert_eq!(seen(&db, states).await, ["int_leased leased false"]);
    let logged = "SELECT count(*) FROM metric_sync_log WHERE fate = 'skipped' AND message = 'the platform is retired'";
    assert_eq!(number(&db, logged).await, 3);
    // A new value is another one.
    write(&store, Lane::Live, &[metric("int_rejected", 2.0)]).await;
    assert_eq!(ids(&claim(&client, Lane::Live).await), ["int_rejected"]);
}

/// Of each value it is said what the platform has of it, and why that is not the same.
#[tokio::test]
async fn what_differs_from_what_was_pushed_is_told() {
    let (_db, store) = queue().await;
    let client = store.client().await.unwrap();
    let push = async |id: &str, fate| {
        write(&store, Lane::Live, &[metric(id, 1.0)]).await;
        let claimed = claim(&client, Lane::Live).await;
        assert_eq!(ids(&claimed), [id]);
        settle(&store, &claimed, fate, None).await;
    };
    push("int_same", Fate::Accepted).await;
    push("int_refused", Fate::Rejected).await;
    push("int_newer", Fate::Accepted).await;
    push("int_gone", Fate::Accepted).await;
    push("int_skipped", Fate::Rejected).await;
    let skipped = Rows {
        interaction: Some("int_skipped"),
        ..rows(&[State::Rejected])
    };
    sync::skip(&client, &skipped, "not worth it").await.unwrap();
    // Changed and changed back is the same; absent now is not.
    for value in [5.0, 1.0] {
        write(&store, Lane::Live, &[metric("int_same", value)]).await;
    }
    assert_eq!(ids(&claim(&client, Lane::Live).await), ["int_same"]);
    write(&store, Lane::Live, &[metric("int_newer", 2.0)]).await;
    let gone = MetricRow {
        metric_value: None,
        ..metric("int_gone", 1.0)
    };
    write(&store, Lane::Live, &[gone]).await;

    let found = differing(&client).await;
    let told: Vec<_> = found
        .iter()
        .map(|it| {
            let state = it.queued.as_ref().map(|(state, _)| state.as_str());
            let given_up = it.given_up.as_ref().map(|(fate, _)| fate.as_str());
            let last = it.last.and_then(|last| last.value);
            (
                it.key.subject.interaction().unwrap(),
                it.value,
                last,
                state,
                given_up,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("int_gone", None, Some(1.0), Some("pending"), None),
            ("int_newer", Some(2.0), Some(1.0), Some("pending"), None),
            (
                "int_refused",
                Some(1.0),
                None,
                Some("rejected"),
                Some("rejected")
            ),
            ("int_skipped", Some(1.0), None, None, Some("skipped")),
        ]
    );
    assert_eq!(sync::count_values(&client, &values()).await.unwrap(), 4);
    assert_eq!(LogFate::Skipped.as_str(), "skipped");
}
