//! How far numbers are to be trusted: what is written of it, what is read, and what a look goes by.

use crate::rows::{db, interaction, now, number, seen};
use schema::{PlatformState, UtcMicros};
use std::time::Duration;
use store::freshness::evidence::{self, Followed};
use store::freshness::{self, Look, Wanted};
use store::interactions::{self, Evaluated, NewInteraction};
use store::platform_counts::{self, Count, Stretch};
use store::platform_health::{self, Answer};
use store::subscriptions::{self, News};
use store::{Client, Store};
use testkit::TestDb;

const SECOND: i64 = 1_000_000;
const QUARTER: i64 = 900 * SECOND;

fn look(state: PlatformState, at: UtcMicros) -> Look<'static> {
    Look {
        tenant: "acme",
        platform: "main",
        at,
        state,
        since: at,
        before: None,
        code: "",
        reason: "",
        doubtful_from: None,
        lag_seconds: 1.5,
        count_gap: 0,
        causes_json: "[]",
        memory_json: "{\"a\": 1}",
    }
}

fn syncing(at: UtcMicros, from: UtcMicros) -> Look<'static> {
    Look {
        before: Some(PlatformState::Live),
        code: "silence",
        reason: "nothing was received",
        doubtful_from: Some(from),
        ..look(PlatformState::Syncing, at)
    }
}

async fn put(store: &Store, look: &Look<'_>) -> bool {
    committed!(store, |tx| freshness::put(&tx, look))
}

async fn state(client: &Client) -> freshness::Platform {
    let mut states = freshness::states(client, Some("acme")).await.unwrap();
    assert_eq!(states.len(), 1);
    states.remove(0)
}

fn of(platform: &str, from: UtcMicros, to: UtcMicros) -> Stretch<'_> {
    Stretch {
        tenant: "acme",
        platform,
        measure: "conversations",
        from,
        to,
    }
}

#[tokio::test]
async fn a_look_goes_over_an_older_one_and_a_change_is_kept_with_it() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let begin = now().0;
    let at = |second: i64| UtcMicros(begin + second * SECOND);
    assert!(freshness::states(&client, None).await.unwrap().is_empty());
    let none = committed!(store, |tx| freshness::lock(&tx, "acme", "main"));
    assert_eq!(none, None);
    assert!(put(&store, &look(PlatformState::Live, at(0))).await);
    let kept = committed!(store, |tx| freshness::lock(&tx, "acme", "main"));
    assert_eq!(kept.as_deref(), Some("{\"a\": 1}"));
    assert!(put(&store, &syncing(at(5), at(-60))).await);
    // Of two who look at once the later look holds, and the other one changes nothing.
    let late = Look {
        before: Some(PlatformState::Syncing),
        ..look(PlatformState::Live, at(4))
    };
    assert!(!put(&store, &late).await);
    let wanted = Wanted {
        tenant: "acme",
        platform: None,
        from: at(-1000),
        to: at(1000),
        before: None,
        limit: 10,
    };
    let changes = freshness::changes(&client, &wanted).await.unwrap();
    assert_eq!(changes.len(), 1);
    let first = &changes[0];
    assert_eq!(
        (first.before, first.state, first.at, first.code.as_str()),
        (
            PlatformState::Live,
            PlatformState::Syncing,
            at(5),
            "silence"
        )
    );
    assert_eq!(first.doubtful_from, Some(at(-60)));
    let other = Wanted {
        platform: Some("other"),
        ..wanted
    };
    assert!(
        freshness::changes(&client, &other)
            .await
            .unwrap()
            .is_empty()
    );
    let before = Wanted {
        before: Some(first.id),
        ..wanted
    };
    assert!(
        freshness::changes(&client, &before)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(freshness::prune(&client, at(6)).await.unwrap(), 1);
}

#[tokio::test]
async fn what_nobody_looks_at_is_stale_whatever_was_written_last() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    put(&store, &look(PlatformState::Live, now())).await;
    let live = state(&client).await;
    assert_eq!(
        (live.state, live.alerts_inhibited, live.code.as_str()),
        (PlatformState::Live, false, "")
    );
    assert!((live.lag_seconds - 1.5).abs() < 1e-9);
    assert_eq!(live.causes_json, "[]");
    db.client()
        .await
        .batch_execute("UPDATE platform_states SET looked_at = now() - interval '121 seconds'")
        .await
        .unwrap();
    let away = state(&client).await;
    assert_eq!(
        (away.state, away.alerts_inhibited, away.code.as_str()),
        (PlatformState::Stale, true, "unwatched")
    );
    assert_eq!(away.doubtful_from, Some(away.looked_at));
    assert_eq!(
        seen(
            &db,
            "SELECT measure, scope FROM pipeline_health WHERE measure LIKE 'platform%' ORDER BY 1"
        )
        .await,
        ["platform_lag_seconds|acme/main", "platform_stale|acme/main"]
    );
    let none = freshness::forget_others(&client, &[("acme", "main")], Duration::ZERO);
    assert_eq!(none.await.unwrap(), 0);
    let minutes = Duration::from_secs(600);
    let watched = [("acme", "other")];
    assert_eq!(
        freshness::forget_others(&client, &watched, minutes)
            .await
            .unwrap(),
        0
    );
    let minute = Duration::from_secs(60);
    assert_eq!(
        freshness::forget_others(&client, &watched, minute)
            .await
            .unwrap(),
        1
    );
}

/// The quarter hours of the trust view that are not trusted, as numbers before the one under way, with their states.
async fn untrusted(db: &TestDb) -> Vec<String> {
    seen(
        db,
        "SELECT (extract(epoch FROM (SELECT max(from_at) FROM metrics_trust) - from_at) / 900)::int, state, code FROM metrics_trust \
         WHERE tenant = 'acme' AND NOT trusted ORDER BY from_at DESC",
    )
    .await
}

#[tokio::test]
async fn a_dashboard_is_told_which_quarter_hours_are_doubtful() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let this = UtcMicros(now().0 / QUARTER * QUARTER);
    let quarters = |before: i64| UtcMicros(this.0 - before * QUARTER);
    put(&store, &look(PlatformState::Live, now())).await;
    assert!(untrusted(&db).await.is_empty());
    let all =
        "SELECT count(*) FROM metrics_trust WHERE tenant = 'acme' AND trusted AND state = 'live'";
    assert_eq!(number(&db, all).await, 192);

    // Since 20 minutes before the quarter hour under way: it and the two before it.
    let from = UtcMicros(this.0 - 1200 * SECOND);
    put(&store, &syncing(UtcMicros(now().0 + SECOND), from)).await;
    assert_eq!(
        untrusted(&db).await,
        [
            "0|syncing|silence",
            "1|syncing|silence",
            "2|syncing|silence"
        ]
    );
    // An interval that is short, and a gap that nobody fetched. What only touches a quarter hour is not in it.
    let of = of("main", quarters(10), quarters(8));
    let count = Count {
        scope: String::new(),
        value: 100.0,
    };
    platform_counts::put(&client, &of, &[count]).await.unwrap();
    assert!(
        platform_counts::compared(&client, &of, 40, true)
            .await
            .unwrap()
    );
    db.client()
        .await
        .batch_execute(&format!(
            "INSERT INTO subscription_gaps (subscription, tenant, from_at, to_at) VALUES ('calls', 'acme', '{}', '{}')",
            quarters(20),
            UtcMicros(quarters(20).0 + SECOND)
        ))
        .await
        .unwrap();
    let marked = untrusted(&db).await;
    assert_eq!(
        marked[3..],
        ["9|syncing|counts", "10|syncing|counts", "20|syncing|gap"]
    );

    let stretches = freshness::stretches(&client, "acme", quarters(100), now())
        .await
        .unwrap();
    let shown: Vec<_> = stretches
        .iter()
        .map(|one| (one.code.as_str(), one.platform.as_str(), one.from, one.to))
        .collect();
    assert_eq!(
        shown,
        [
            (
                "gap",
                "",
                quarters(20),
                Some(UtcMicros(quarters(20).0 + SECOND))
            ),
            ("counts", "main", quarters(10), Some(quarters(8))),
            ("silence", "main", from, None),
        ]
    );
    assert_eq!(
        stretches[1].reason,
        "the platform counts 100, and 40 are here"
    );
    // Those that a window overlaps.
    let within = freshness::stretches(&client, "acme", quarters(8), quarters(5)).await;
    assert!(within.unwrap().is_empty());
    // Caught up.
    assert!(
        platform_counts::compared(&client, &of, 100, false)
            .await
            .unwrap()
    );
    db.client()
        .await
        .batch_execute("UPDATE subscription_gaps SET settled_at = now()")
        .await
        .unwrap();
    put(
        &store,
        &look(PlatformState::Live, UtcMicros(now().0 + 2 * SECOND)),
    )
    .await;
    assert!(untrusted(&db).await.is_empty());
}

#[tokio::test]
async fn counts_are_listed_with_what_was_found_beside_them() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let this = now().0 / QUARTER * QUARTER;
    let at = |quarter: i64| UtcMicros(this + quarter * QUARTER);
    let value = |value: f64| Count {
        scope: String::new(),
        value,
    };
    let by_queue = Count {
        scope: "q1".to_owned(),
        value: 3.0,
    };
    for (of, count) in [
        (of("main", at(-3), at(-2)), value(5.0)),
        (of("main", at(-2), at(-1)), value(7.0)),
        (of("main", at(-2), at(-1)), by_queue),
        // A day, for a job; another platform; too long ago.
        (of("main", at(-96), at(0)), value(900.0)),
        (of("other", at(-2), at(-1)), value(1.0)),
        (of("main", at(-50), at(-49)), value(2.0)),
    ] {
        platform_counts::put(&client, &of, &[count]).await.unwrap();
    }
    let newest = async |platform: Option<&str>| {
        let found = platform_counts::newest(&client, "acme", platform, &["conversations"], at(-10));
        found.await.unwrap()
    };
    let found = newest(Some("main")).await;
    let shown: Vec<_> = found
        .iter()
        .map(|one| (one.from, one.value, one.ours, one.compared_at, one.short))
        .collect();
    assert_eq!(
        shown,
        [
            (at(-3), 5.0, None, None, false),
            (at(-2), 7.0, None, None, false)
        ]
    );
    let of = of("main", at(-2), at(-1));
    assert!(
        platform_counts::compared(&client, &of, 6, true)
            .await
            .unwrap()
    );
    let again = newest(Some("main")).await;
    assert_eq!((again[1].ours, again[1].short), (Some(6), true));
    assert!(again[1].compared_at >= Some(again[1].fetched_at));
    let unknown = Stretch {
        measure: "contacts",
        ..of
    };
    assert!(
        !platform_counts::compared(&client, &unknown, 1, false)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_platforms_last_word_stays_when_it_does_not_answer() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let get = async || platform_health::get(&client, "acme", "main").await.unwrap();
    let put = async |answer: Answer<'static>| {
        platform_health::put(&client, "acme", "main", answer)
            .await
            .unwrap();
    };
    assert_eq!(get().await, None);
    put(Answer::Failed("HTTP 500")).await;
    let first = get().await.unwrap();
    assert_eq!(
        (first.word, first.answered_at, first.failure.as_str()),
        (None, None, "HTTP 500")
    );
    let said = Answer::Said {
        word: "maintenance",
        text: "Upgrade",
    };
    put(said).await;
    let second = get().await.unwrap();
    assert_eq!(
        (
            second.word.as_deref(),
            second.said.as_str(),
            second.failure.as_str()
        ),
        (Some("maintenance"), "Upgrade", "")
    );
    assert_eq!(second.answered_at, Some(second.asked_at));
    put(Answer::Failed("no answer")).await;
    let third = get().await.unwrap();
    assert_eq!(
        (third.word, third.said, third.answered_at),
        (second.word, second.said, second.answered_at)
    );
    assert!(third.asked_at > second.asked_at && third.failure == "no answer");
}

#[tokio::test]
async fn news_are_never_taken_back_and_only_of_who_is_watched() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let at = |second: i64| UtcMicros(1_700_000_000 * SECOND + second * SECOND);
    subscriptions::watch(&client, &[("calls", "acme"), ("chats", "beta")], at(0))
        .await
        .unwrap();
    let news = |subscription, event: i64, received: i64| News {
        subscription,
        tenant: "acme",
        event: at(event),
        received: at(received),
    };
    subscriptions::note_news(&client, &[]).await.unwrap();
    let first = [
        news("calls", 10, 12),
        news("calls", 11, 11),
        news("unknown", 50, 50),
    ];
    subscriptions::note_news(&client, &first).await.unwrap();
    // Another replica, with less.
    subscriptions::note_news(&client, &[news("calls", 3, 20)])
        .await
        .unwrap();
    let feeds = evidence::feeds(&client, "acme").await.unwrap();
    let [calls] = feeds.as_slice() else {
        panic!("{feeds:?}")
    };
    assert_eq!(
        (calls.newest_event_at, calls.news_at, calls.last_received_at),
        (Some(at(11)), Some(at(20)), None)
    );
    assert_eq!(calls.state, subscriptions::State::Unknown);
}

#[tokio::test]
async fn what_windows_wait_for_what_is_owed_and_what_began_is_read_for_one_organisation() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let this = now().0 / QUARTER * QUARTER;
    let at = |quarter: i64| UtcMicros(this + quarter * QUARTER);
    assert_eq!(
        evidence::waiting(&client, "acme", at(-96)).await.unwrap(),
        None
    );
    assert_eq!(evidence::owed(&client, "acme").await.unwrap(), None);
    let mark = |kind: &str, tenant: &str, subject: &str, quarter: i64, ago: i64| {
        format!(
            "INSERT INTO dirty_marks (kind, tenant, subject, from_at, to_at, queued_at) \
             VALUES ('{kind}', '{tenant}', '{subject}', '{}', '{}', now() - interval '{ago} seconds');",
            at(quarter),
            at(quarter + 1)
        )
    };
    let marks = [
        mark("cell", "acme", "", -3, 50),
        mark("cell", "acme", "", -1, 70),
        // A backfill's, a group's, another one's.
        mark("cell", "acme", "", -500, 900),
        mark("group", "acme", "g", -1, 900),
        mark("cell", "beta", "", -1, 900),
    ];
    db.client()
        .await
        .batch_execute(&marks.concat())
        .await
        .unwrap();
    let waiting = evidence::waiting(&client, "acme", at(-96))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((waiting.marks, waiting.from), (2, at(-3)));
    let waited = (store::sweep::now(&client).await.unwrap().0 - waiting.since.0) / SECOND;
    assert!((70..80).contains(&waited), "{waited}");

    for (id, quarter) in [("a", -4), ("b", -4), ("c", -3)] {
        let new = NewInteraction {
            started_at: Some(at(quarter)),
            ..interaction(id)
        };
        committed!(store, |tx| interactions::insert_new(
            &tx,
            &[new],
            &Evaluated::NEVER
        ));
    }
    let stretches = [
        (at(-3), at(-2)),
        (at(-4), at(-3)),
        (at(-10), at(-5)),
        (at(-4), at(-2)),
    ];
    assert_eq!(
        evidence::begun(&client, "acme", &stretches).await.unwrap(),
        [1, 2, 0, 3]
    );
    assert!(
        evidence::begun(&client, "acme", &[])
            .await
            .unwrap()
            .is_empty()
    );

    let owe = format!(
        "INSERT INTO deferred_evaluations (tenant, interaction_id, definitions, revision, from_at, refusals) VALUES \
         ('acme', 'a', '{{1}}', 1, '{}', 0), ('acme', 'b', '{{1}}', 1, '{}', 0), ('acme', 'c', '{{1}}', 1, '{}', 3)",
        at(-4),
        at(-2),
        at(-9)
    );
    db.client().await.batch_execute(&owe).await.unwrap();
    let owed = evidence::owed(&client, "acme").await.unwrap().unwrap();
    assert_eq!(
        (owed.interactions, owed.from),
        (2, at(-4)),
        "one is written off"
    );
}

#[tokio::test]
async fn how_far_a_source_is_followed_is_kept_by_platform() {
    let (_db, store) = db().await;
    let client = store.client().await.unwrap();
    let followed = |source: &str, until: i64| Followed {
        source: source.to_owned(),
        until: UtcMicros(until),
        usual: Duration::from_secs(960),
    };
    for (platform, one) in [
        ("main", followed("b", 1)),
        ("main", followed("a", 2)),
        ("other", followed("a", 3)),
        ("main", followed("b", 4)),
    ] {
        evidence::note_followed(&client, "acme", platform, &one)
            .await
            .unwrap();
    }
    let read = async |platform| evidence::followed(&client, "acme", platform).await.unwrap();
    assert_eq!(
        read(Some("main")).await,
        [followed("a", 2), followed("b", 4)]
    );
    assert!(
        evidence::followed(&client, "beta", None)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        evidence::forget_followed(&client, "main", &["b"])
            .await
            .unwrap(),
        1
    );
    assert_eq!(read(Some("main")).await, [followed("b", 4)]);
    assert_eq!(read(Some("other")).await, [followed("a", 3)]);
    assert_eq!(read(None).await, [followed("b", 4), followed("a", 3)]);
}
