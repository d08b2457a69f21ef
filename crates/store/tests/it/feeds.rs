//! Interval feeds: every interval is planned once and held by one process, a revision is one content, what changes late is found.

use crate::rows::{MAY, db, now, number, seen};
use schema::{MetricVersion, UtcMicros};
use std::time::Duration;
use store::feeds::{
    Ask, Due, File, Known, LastState, Lease, Registered, Wanted, claim, deliveries, failed,
    figures, give_back, list, nothing, plan, planned, prepare, register, replay, sent, stamps,
    touched, waiting,
};
use store::window_metrics::{self, Covered, WindowRow};
use store::{Store, StoreError};
use uuid::Uuid;

const FEED: &str = "wfm";
const HALF: i64 = 1_800_000_000;
const LONG: Duration = Duration::from_secs(600);

/// The n-th half hour from one in May on.
fn half(n: i64) -> (UtcMicros, UtcMicros) {
    let start = MAY.0 - MAY.0 % HALF + n * HALF;
    (UtcMicros(start), UtcMicros(start + HALF))
}

fn registered(layout: u16, text: &str) -> Registered<'_> {
    Registered {
        feed: FEED,
        tenant: "acme",
        size: "30m",
        zone: "Europe/Berlin",
        layout,
        layout_text: text,
        from: Some(half(0).0),
    }
}

/// A feed with so many intervals to send.
async fn planned_feed(store: &Store, intervals: i64) {
    assert_eq!(
        register(store, &registered(1, "a")).await.unwrap(),
        Known::Yes
    );
    let halves: Vec<_> = (0..intervals).map(half).collect();
    let client = store.client().await.unwrap();
    let added = plan(&client, FEED, half(0).0, &halves).await.unwrap();
    assert_eq!(added, u64::try_from(intervals).unwrap());
}

fn window(n: i64, queue: &'static str, numerator: i64) -> WindowRow<'static> {
    let (window_start, window_end) = half(n);
    WindowRow {
        metric_type: "talk_time",
        metric_version: MetricVersion::FIRST,
        group_by: "queue",
        size: "30m",
        group_key: queue,
        window_start,
        window_end,
        zone: "Europe/Berlin",
        zone_source: "queue",
        tzdb: "2026a",
        queue_id: None,
        media: None,
        direction: None,
        agent_id: None,
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
        settles_at: window_end,
    }
}

async fn write(store: &Store, rows: &[WindowRow<'_>], stretches: &[Covered<'_>]) {
    committed!(store, |tx| window_metrics::write(
        &tx, "acme", rows, stretches
    ));
}

fn kpis() -> Vec<(String, Option<MetricVersion>)> {
    vec![
        ("offered".to_owned(), None),
        ("talk_time".to_owned(), Some(MetricVersion::FIRST)),
    ]
}

fn ask(kpis: &[(String, Option<MetricVersion>)]) -> Ask<'_> {
    Ask {
        tenant: "acme",
        group_by: "queue",
        size: "30m",
        kpis,
    }
}

async fn take(store: &Store, most: u32, lease: u128, length: Duration) -> Vec<Due> {
    let client = store.client().await.unwrap();
    claim(&client, FEED, most, Uuid::from_u128(lease), length)
        .await
        .unwrap()
}

fn lease(id: u128, n: i64) -> Lease<'static> {
    Lease {
        id: Uuid::from_u128(id),
        feed: FEED,
        start: half(n).0,
        wanted: Wanted::First,
    }
}

fn file(revision: u32, content: &[u8; 32]) -> File<'_> {
    File {
        revision,
        layout: 1,
        digest: content,
        is_correction: revision > 1,
        name: "a.csv",
        rows: 1,
        bytes: 10,
    }
}

const FILES: &str = "SELECT revision, state, doubtful, attempts, encode(substring(digest, 1, 1), 'hex') FROM feed_deliveries ORDER BY 1";

#[tokio::test]
async fn an_interval_is_planned_once_whoever_plans_it() {
    let (db, store) = db().await;
    planned_feed(&store, 2).await;
    let client = store.client().await.unwrap();
    // Another process, which read how far it was planned before.
    let late = [half(0), half(1)];
    assert_eq!(plan(&client, FEED, half(0).0, &late).await.unwrap(), 0);
    let until = planned(&client, FEED).await.unwrap().until;
    assert_eq!(until, half(1).1);
    assert_eq!(plan(&client, FEED, until, &[]).await.unwrap(), 0);
    assert_eq!(plan(&client, FEED, until, &[half(2)]).await.unwrap(), 1);
    assert_eq!(number(&db, "SELECT count(*) FROM feed_intervals").await, 3);
}

#[tokio::test]
async fn a_layout_never_changes_under_its_number_and_a_feed_keeps_its_organisation() {
    let (_db, store) = db().await;
    assert_eq!(
        register(&store, &registered(1, "a")).await.unwrap(),
        Known::Yes
    );
    assert_eq!(
        register(&store, &registered(1, "a")).await.unwrap(),
        Known::Yes
    );
    let other = register(&store, &registered(1, "b")).await.unwrap();
    assert_eq!(other, Known::AsOther("a".to_owned()));
    assert_eq!(
        register(&store, &registered(2, "b")).await.unwrap(),
        Known::Yes
    );
    let stolen = Registered {
        tenant: "globex",
        ..registered(2, "b")
    };
    let error = register(&store, &stolen).await.unwrap_err();
    assert!(matches!(error, StoreError::OtherTenant { .. }), "{error:?}");
    let client = store.client().await.unwrap();
    let found = list(&client).await.unwrap();
    assert_eq!(
        (found.len(), found[0].layout, found[0].tenant.as_str()),
        (1, 2, "acme")
    );
    // Where it began stays.
    assert_eq!(found[0].planned_until, half(0).0);
}

#[tokio::test]
async fn an_interval_is_held_by_one_and_a_dead_holders_is_free_again() {
    let (_db, store) = db().await;
    planned_feed(&store, 3).await;
    let first = take(&store, 2, 1, LONG).await;
    let starts: Vec<_> = first.iter().map(|due| due.start).collect();
    assert_eq!(starts, [half(0).0, half(1).0], "the earliest first");
    assert_eq!(
        (first[0].wanted, first[0].last.as_ref()),
        (Wanted::First, None)
    );
    let second = take(&store, 9, 2, Duration::from_millis(1)).await;
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].start, half(2).0);
    tokio::time::sleep(Duration::from_millis(20)).await; // its lease is over
    assert_eq!(take(&store, 9, 3, LONG).await.len(), 1);
    // The second holder may not send any more.
    let digest = [1; 32];
    assert!(
        !prepare(&store, lease(2, 2), &file(1, &digest))
            .await
            .unwrap()
    );
    assert!(
        prepare(&store, lease(3, 2), &file(1, &digest))
            .await
            .unwrap()
    );
    assert!(!sent(&store, lease(2, 2), 1, "s").await.unwrap());
    let client = store.client().await.unwrap();
    assert_eq!(
        give_back(&client, FEED, Uuid::from_u128(1), Duration::ZERO)
            .await
            .unwrap(),
        2
    );
    assert_eq!(take(&store, 9, 4, LONG).await.len(), 2);
}

/// Written down before it is sent: whatever is killed, the next holder knows what may be out there.
#[tokio::test]
async fn a_revision_that_may_have_arrived_is_doubtful_for_ever() {
    let (db, store) = db().await;
    planned_feed(&store, 1).await;
    let (one, two) = ([1; 32], [2; 32]);
    take(&store, 1, 1, LONG).await;
    assert!(prepare(&store, lease(1, 0), &file(1, &one)).await.unwrap());
    failed(
        &store,
        lease(1, 0),
        Some((1, true)),
        1,
        Duration::ZERO,
        "no connection\0",
    )
    .await
    .unwrap();
    assert_eq!(seen(&db, FILES).await, ["1|failed|f|1|01"]);
    // Nobody saw it: another content may take its place.
    let due = take(&store, 1, 2, LONG).await;
    let last = due[0].last.as_ref().unwrap();
    assert_eq!(
        (last.state, last.is_doubtful, due[0].attempt),
        (LastState::Failed, false, 1)
    );
    assert!(prepare(&store, lease(2, 0), &file(1, &two)).await.unwrap());
    failed(
        &store,
        lease(2, 0),
        Some((1, false)),
        2,
        Duration::ZERO,
        "no answer",
    )
    .await
    .unwrap();
    assert_eq!(seen(&db, FILES).await, ["1|sending|f|2|02"]);
    // Nobody knows: certain failures later change nothing.
    take(&store, 1, 3, LONG).await;
    assert!(prepare(&store, lease(3, 0), &file(1, &two)).await.unwrap());
    failed(
        &store,
        lease(3, 0),
        Some((1, true)),
        3,
        Duration::ZERO,
        "no connection",
    )
    .await
    .unwrap();
    assert_eq!(seen(&db, FILES).await, ["1|sending|t|3|02"]);
    // Another content is another revision, and that one's fate stays unknown.
    take(&store, 1, 4, LONG).await;
    assert!(prepare(&store, lease(4, 0), &file(2, &one)).await.unwrap());
    assert!(sent(&store, lease(4, 0), 2, "s").await.unwrap());
    assert_eq!(
        seen(&db, FILES).await,
        ["1|unknown|t|3|02", "2|sent|f|1|01"]
    );
    let client = store.client().await.unwrap();
    let shown = deliveries(&client, FEED, half(0).0, half(1).0, 10)
        .await
        .unwrap();
    let files: Vec<_> = shown
        .iter()
        .filter_map(|d| d.file.as_ref())
        .map(|f| (f.revision, f.is_correction))
        .collect();
    assert_eq!(files, [(2, true), (1, false)]);
    assert_eq!(
        (
            shown[0].interval_state.as_str(),
            shown[0].interval_error.as_deref()
        ),
        ("sent", None)
    );
}

#[tokio::test]
async fn an_interval_is_made_of_the_windows_within_it_in_the_versions_that_count() {
    let (_db, store) = db().await;
    let early = WindowRow {
        window_start: UtcMicros(half(0).0.0 - HALF / 2),
        window_end: UtcMicros(half(0).1.0 - HALF / 2),
        ..window(0, "[\"astride\"]", 9)
    };
    let second = WindowRow {
        metric_version: MetricVersion(2),
        ..window(0, "[\"a\"]", 7)
    };
    let other = WindowRow {
        group_by: "media",
        ..window(0, "[\"a\"]", 7)
    };
    let rows = [
        window(-1, "[\"a\"]", 1),
        window(0, "[\"a\"]", 2),
        window(0, "[\"b\"]", 3),
        window(2, "[\"a\"]", 4),
        early,
        second,
        other,
    ];
    write(&store, &rows, &[]).await;
    let kpis = kpis();
    let client = store.client().await.unwrap();
    let intervals = [half(2), half(0), half(1)];
    let found = figures(&client, &ask(&kpis), &intervals).await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|row| (row.interval, row.kpi, row.group_key.as_str(), row.numerator))
        .collect();
    // One that reaches over an edge is told, for whoever makes the interval up to refuse it.
    assert_eq!(
        found,
        [
            (0, 1, "[\"a\"]", 4),
            (1, 1, "[\"a\"]", 2),
            (1, 1, "[\"astride\"]", 9),
            (1, 1, "[\"b\"]", 3)
        ]
    );
    let current = [("talk_time".to_owned(), None)];
    assert!(
        figures(&client, &ask(&current), &intervals)
            .await
            .unwrap()
            .len()
            >= 4,
        "version 1 is current after the migrations"
    );
    assert!(figures(&client, &ask(&kpis), &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_changes_late_is_found_and_nothing_else_is() {
    let (db, store) = db().await;
    planned_feed(&store, 3).await;
    write(
        &store,
        &[window(0, "[\"a\"]", 1), window(1, "[\"a\"]", 2)],
        &[],
    )
    .await;
    let kpis = kpis();
    let client = store.client().await.unwrap();
    let halves = [half(0), half(1), half(2)];
    let digest = [1; 32];
    let at_first = stamps(&client, &ask(&kpis), &halves).await.unwrap();
    take(&store, 3, 1, LONG).await;
    for (n, stamp) in (0..2).zip(&at_first) {
        assert!(
            prepare(&store, lease(1, n), &file(1, &digest))
                .await
                .unwrap()
        );
        assert!(sent(&store, lease(1, n), 1, stamp).await.unwrap());
    }
    nothing(&client, lease(1, 2), true, &at_first[2])
        .await
        .unwrap();
    let look = async |from: i64, to: i64| {
        touched(&client, FEED, &ask(&kpis), half(from).0, half(to).0)
            .await
            .unwrap()
    };
    let pending = "SELECT interval_start = (SELECT min(interval_start) FROM feed_intervals), wanted FROM feed_intervals \
                   WHERE state = 'pending' ORDER BY interval_start";
    assert_eq!(look(0, 3).await, 0);
    // Changed, come, and gone.
    write(
        &store,
        &[window(0, "[\"a\"]", 5), window(2, "[\"b\"]", 1)],
        &[],
    )
    .await;
    let gone = Covered {
        metric_type: "talk_time",
        metric_version: MetricVersion::FIRST,
        group_by: "queue",
        group_key: "[\"a\"]",
        size: "30m",
        from: half(1).0,
        to: half(1).1,
    };
    write(&store, &[], &[gone]).await;
    assert_eq!(look(3, 9).await, 0, "too late");
    assert_eq!(look(1, 2).await, 1);
    assert_eq!(look(0, 1).await, 1);
    assert_eq!(look(1, 3).await, 1);
    assert_eq!(
        seen(&db, pending).await,
        ["t|correction", "f|correction", "f|correction"]
    );
    assert_eq!(look(0, 3).await, 0, "they wait already");
    // What went and came again is what it was.
    write(
        &store,
        &[window(0, "[\"a\"]", 1), window(1, "[\"a\"]", 2)],
        &[],
    )
    .await;
    assert_eq!(
        stamps(&client, &ask(&kpis), &halves[..2]).await.unwrap(),
        at_first[..2]
    );
}

#[tokio::test]
async fn any_interval_is_sent_again_when_it_is_asked_for() {
    let (db, store) = db().await;
    planned_feed(&store, 2).await;
    let digest = [1; 32];
    take(&store, 1, 1, LONG).await;
    assert!(
        prepare(&store, lease(1, 0), &file(1, &digest))
            .await
            .unwrap()
    );
    assert!(sent(&store, lease(1, 0), 1, "s").await.unwrap());
    // The second is being sent; the third is from before the feed was.
    take(&store, 1, 2, LONG).await;
    let client = store.client().await.unwrap();
    let asked = [half(-5), half(0), half(1)];
    assert_eq!(replay(&client, FEED, &asked).await.unwrap(), 3);
    let due = take(&store, 9, 3, LONG).await;
    assert_eq!(due.len(), 2);
    assert!(due.iter().all(|due| due.wanted == Wanted::Replay));
    assert_eq!(due[0].last, None);
    assert!(
        due[1]
            .last
            .as_ref()
            .is_some_and(|last| last.state == LastState::Sent)
    );
    // Sent again it is the same revision.
    assert!(
        prepare(&store, lease(3, 0), &file(1, &digest))
            .await
            .unwrap()
    );
    let again = Lease {
        wanted: Wanted::Replay,
        ..lease(3, 0)
    };
    assert!(sent(&store, again, 1, "s").await.unwrap());
    assert_eq!(seen(&db, FILES).await, ["1|sent|t|2|01"]);
    assert!(take(&store, 9, 4, LONG).await.is_empty());
}

#[tokio::test]
async fn a_replay_that_is_asked_for_while_an_interval_is_held_comes_after() {
    let (db, store) = db().await;
    planned_feed(&store, 2).await;
    let client = store.client().await.unwrap();
    take(&store, 1, 1, LONG).await;
    take(&store, 1, 2, Duration::from_millis(1)).await;
    let asked = [half(0), half(1)];
    assert_eq!(replay(&client, FEED, &asked).await.unwrap(), 2);
    tokio::time::sleep(Duration::from_millis(20)).await; // the second's lease is over
    // Of the dead holder the next one takes it over; the first stays its holder's.
    let due = take(&store, 9, 3, LONG).await;
    let taken: Vec<_> = due.iter().map(|due| (due.start, due.wanted)).collect();
    assert_eq!(taken, [(half(1).0, Wanted::Replay)]);
    // There was nothing to send to whoever did not know that it is to be sent in any case.
    nothing(&client, lease(1, 0), false, "s").await.unwrap();
    let due = take(&store, 9, 4, LONG).await;
    let taken: Vec<_> = due.iter().map(|due| (due.start, due.wanted)).collect();
    assert_eq!(taken, [(half(0).0, Wanted::Replay)]);
    for (id, n) in [(4, 0), (3, 1)] {
        let held = Lease {
            wanted: Wanted::Replay,
            ..lease(id, n)
        };
        nothing(&client, held, false, "s").await.unwrap();
    }
    assert!(take(&store, 9, 5, LONG).await.is_empty());
    let settled = "SELECT count(*) FROM feed_intervals WHERE state = 'sent' AND stamp = 's'";
    assert_eq!(number(&db, settled).await, 2);
}

#[tokio::test]
async fn the_list_says_how_a_feed_goes() {
    let (_db, store) = db().await;
    planned_feed(&store, 3).await;
    take(&store, 1, 1, LONG).await;
    failed(&store, lease(1, 0), None, 1, LONG, "no such unit")
        .await
        .unwrap();
    let client = store.client().await.unwrap();
    let found = list(&client).await.unwrap();
    let feed = &found[0];
    assert_eq!(
        (feed.waiting, feed.failing, feed.error.as_deref()),
        (3, 1, Some("no such unit"))
    );
    assert!(feed.oldest.is_some_and(|oldest| oldest <= now()));
    assert_eq!(feed.sent_at, None);
    let counted = waiting(&client, FEED).await.unwrap();
    assert_eq!((counted.intervals, counted.oldest), (3, feed.oldest));
    let counted = waiting(&client, "elsewhere").await.unwrap();
    assert_eq!((counted.intervals, counted.oldest), (0, None));
    // It is put off, the others are not.
    assert_eq!(take(&store, 9, 2, LONG).await.len(), 2);
}

/// What was sent after the backup is not known: whatever it was, what goes now is told from it.
#[tokio::test]
async fn after_a_restore_a_file_goes_as_a_correction_with_a_number_above_all_before() {
    let (db, store) = db().await;
    planned_feed(&store, 2).await;
    let content = [1; 32];
    take(&store, 1, 1, LONG).await;
    assert!(
        prepare(&store, lease(1, 0), &file(1, &content))
            .await
            .unwrap()
    );
    assert!(sent(&store, lease(1, 0), 1, "s").await.unwrap());
    let above = number(&db, "SELECT after_restore()").await;
    assert!(above > 100_000_000, "{above}");
    // One that was there, one that was planned, and one that deliver has planned and sent since the backup.
    let client = store.client().await.unwrap();
    replay(&client, FEED, &[half(0)]).await.unwrap();
    plan(&client, FEED, half(2).0, &[half(2)]).await.unwrap();
    let due = take(&store, 10, 2, LONG).await;
    let starts: Vec<_> = due.iter().map(|due| due.start).collect();
    assert_eq!(starts, [half(0).0, half(1).0, half(2).0]);
    for due in due {
        let last = due.last.unwrap();
        assert_eq!(i64::from(last.revision), above);
        assert!(last.is_doubtful, "the receiver may have something");
    }
}
