//! What a look finds in a real store.

#![allow(clippy::unwrap_used)] // a test that cannot be set up has failed

use super::counts;
use super::feeds::Feeds;
use super::file::{SilentWhen, Watch, Watched, parse};
use freshness::Feed;
use schema::UtcMicros;
use std::time::Duration;
use store::counts::CountRow;
use store::freshness::evidence::{self, Followed};
use store::interactions::{Evaluated, NewInteraction, Status};
use store::platform_counts::{Count, Stretch};
use store::subscriptions::{Heard, News};
use store::{Store, interactions, platform_counts, subscriptions, sweep};
use testkit::TestDb;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;

fn watched(more: &str) -> Watched {
    let text = format!("version = 1\n[[platform]]\nname = \"main\"\ntenant = \"acme\"\n{more}");
    let Watch { platforms, .. } = parse("f.toml", &text).unwrap();
    platforms.into_iter().next().unwrap()
}

async fn now(store: &Store) -> UtcMicros {
    sweep::now(&store.client().await.unwrap()).await.unwrap()
}

/// So many events of a subscription in the hour of an instant.
async fn received(store: &Store, subscription: &str, hour: UtcMicros, events: i64) {
    let row = CountRow {
        subscription,
        tenant: "acme",
        hour,
        received: events,
        logged: events,
        revisions: 0,
        duplicates: 0,
        quarantined: 0,
        ignored: 0,
    };
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    store::counts::add(&tx, &[row]).await.unwrap();
    tx.commit().await.unwrap();
}

/// A subscription that is watched, delivers, and was last heard of at an instant.
async fn heard(store: &Store, subscription: &str, at: UtcMicros) {
    let mut client = store.client().await.unwrap();
    let since = UtcMicros(at.0 - 100 * HOUR);
    let key = [(subscription, "acme")];
    subscriptions::watch(&client, &key, since).await.unwrap();
    let row = Heard {
        subscription,
        tenant: "acme",
        first: at,
        last: at,
    };
    subscriptions::heard(&client, &[row]).await.unwrap();
    let news = News {
        subscription,
        tenant: "acme",
        event: UtcMicros(at.0 - SECOND),
        received: at,
    };
    subscriptions::note_news(&client, &[news]).await.unwrap();
    let all = subscriptions::list(&client).await.unwrap();
    let seen = all.iter().find(|row| row.subscription == subscription);
    let tx = client.transaction().await.unwrap();
    let change = subscriptions::Change {
        seen: seen.unwrap(),
        state: subscriptions::State::Ok,
        since,
        reason: "",
        silent_from: None,
        resumed_at: None,
        gap: None,
    };
    assert!(subscriptions::change(&tx, &change).await.unwrap());
    tx.commit().await.unwrap();
}

async fn expected(store: &Store, watched: &Watched, silence: i64) -> Vec<(String, Option<f64>)> {
    let now = now(store).await;
    let client = store.client().await.unwrap();
    let feeds = Feeds::default()
        .of(&client, watched, Some(now), now)
        .await
        .unwrap();
    let pushed = feeds.into_iter().filter_map(|feed| match feed {
        Feed::Pushed {
            name,
            heard,
            expected,
            ..
        } => {
            let silent = (now.0 - heard?.0) / SECOND;
            assert!((silence..silence + 30).contains(&silent), "{silent}");
            Some((name, expected))
        }
        Feed::Followed { .. } => None,
    });
    pushed.collect()
}

#[tokio::test]
async fn what_is_expected_is_what_was_usual_or_the_rate_before_the_silence() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let last = UtcMicros(now(&store).await.0 - 120 * SECOND);
    heard(&store, "calls", last).await;
    // The weeks before: 3,600 in each hour around this one. A change of the clocks makes no difference, for all are alike.
    for week in 1..=4 {
        for hour in -2..=2 {
            let at = UtcMicros(last.0 - week * 7 * 24 * HOUR + hour * HOUR);
            received(&store, "calls", at, 3600).await;
        }
    }
    // Newly there: the rate of its last hours.
    heard(&store, "chats", last).await;
    received(&store, "chats", UtcMicros(last.0 - HOUR), 600).await;
    received(&store, "chats", last, 600).await;
    // Watched no longer.
    heard(&store, "gone", last).await;
    db.client()
        .await
        .batch_execute(
            "UPDATE subscription_status SET state = 'unknown' WHERE subscription = 'gone'",
        )
        .await
        .unwrap();
    let all = watched("");
    let found = expected(&store, &all, 120).await;
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["calls", "chats"]);
    let calls = found[0].1.unwrap();
    assert!((119.0..151.0).contains(&calls), "one a second: {calls}");
    // 1,200 in one to two hours.
    let chats = found[1].1.unwrap();
    assert!((19.0..51.0).contains(&chats), "{chats}");

    let named = watched("subscriptions = ['chats']\nsilent_when = 'always'\n");
    assert_eq!(named.silent_when, SilentWhen::Always);
    assert_eq!(
        expected(&store, &named, 120).await,
        [("chats".to_owned(), None)]
    );
    let never = watched("silent_when = 'never'\n");
    assert_eq!(expected(&store, &never, 120).await[0].1, Some(0.0));
    // Too short to matter: nothing is looked up.
    let long = watched("[platform.thresholds]\nsilence = '1h'\n");
    assert_eq!(expected(&store, &long, 120).await[0].1, Some(0.0));
}

#[tokio::test]
async fn what_is_followed_is_of_its_platform_or_of_all() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let client = store.client().await.unwrap();
    let now = now(&store).await;
    for platform in ["main", "other"] {
        let followed = Followed {
            source: format!("of-{platform}"),
            until: now,
            usual: Duration::from_secs(60),
        };
        evidence::note_followed(&client, "acme", platform, &followed)
            .await
            .unwrap();
    }
    let names = async |watched: &Watched| {
        let feeds = Feeds::default().of(&client, watched, None, now).await;
        let feeds = feeds.unwrap().into_iter();
        let followed = feeds.filter_map(|feed| match feed {
            Feed::Followed { name, .. } => Some(name),
            Feed::Pushed { .. } => None,
        });
        followed.collect::<Vec<_>>()
    };
    let mut all = watched("");
    assert_eq!(names(&all).await, ["of-main"]);
    all.name = "all".to_owned();
    assert_eq!(names(&all).await, ["of-main", "of-other"]);
}

/// An interaction that began then.
async fn begun(store: &Store, id: &str, at: UtcMicros) {
    let new = NewInteraction {
        tenant: "acme",
        interaction_id: id,
        partition_at: at,
        started_at: Some(at),
        ended_at: None,
        status: Status::Open,
        customer_key: None,
        state_json: "{}",
        facts: 0,
        metric_versions: &[],
    };
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    interactions::insert_new(&tx, &[new], &Evaluated::NEVER)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_interval_is_short_once_its_count_has_had_its_time_and_no_longer_when_the_rest_has_come()
{
    let db = TestDb::new().await;
    let store = db.store().await;
    let client = store.client().await.unwrap();
    let now = now(&store).await;
    let from = UtcMicros((now.0 / HOUR - 1) * HOUR);
    let to = UtcMicros(from.0 + HOUR / 2);
    let of = Stretch {
        tenant: "acme",
        platform: "main",
        measure: "conversations",
        from,
        to,
    };
    let count = Count {
        scope: String::new(),
        value: 10.0,
    };
    let patient = watched("");
    assert!(counts::of(&client, &patient, now).await.unwrap().is_empty());
    platform_counts::put(&client, &of, &[count]).await.unwrap();
    for id in ["a", "b", "c"] {
        begun(&store, id, from).await;
    }
    // The end belongs to the next one.
    begun(&store, "d", to).await;
    let look = async |watched: &Watched| {
        let found = counts::of(&client, watched, sweep::now(&client).await.unwrap()).await;
        let found = found.unwrap();
        assert_eq!(found.len(), 1);
        (found[0].theirs, found[0].ours, found[0].short)
    };
    assert_eq!(look(&patient).await, (10, 3, false), "it may be on its way");
    let hasty = watched("[platform.thresholds]\ngrace = '1ms'\n");
    assert_eq!(look(&hasty).await, (10, 3, true));
    let stored = platform_counts::newest(&client, "acme", None, &["conversations"], from).await;
    let stored = stored.unwrap();
    assert_eq!((stored[0].ours, stored[0].short), (Some(3), true));
    begun(&store, "e", from).await;
    assert_eq!(look(&hasty).await, (10, 4, true));
    // Within what may be missing.
    begun(&store, "f", from).await;
    assert_eq!(look(&hasty).await, (10, 5, false));
    let stored = platform_counts::newest(&client, "acme", None, &["conversations"], from).await;
    assert!(!stored.unwrap()[0].short);
    // What ended too long ago does not matter to the state.
    let brief = watched("[platform.thresholds]\nwithin = '1s'\ngrace = '1ms'\n");
    assert!(counts::of(&client, &brief, now).await.unwrap().is_empty());
    // But that it was short does not stay when its history has come.
    let aged = "UPDATE platform_counts SET short = true, ours = 3, compared_at = compared_at - interval '5 minutes'";
    db.client().await.batch_execute(aged).await.unwrap();
    assert!(counts::of(&client, &brief, now).await.unwrap().is_empty());
    let stored = platform_counts::newest(&client, "acme", None, &["conversations"], from).await;
    let stored = stored.unwrap();
    assert_eq!((stored[0].ours, stored[0].short), (Some(5), false));
}
