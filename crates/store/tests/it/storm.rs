//! The state of a storm is written by one holder at a time, and a person's order stands beside it.

use crate::rows::{db, seen};
use std::time::Duration;
use store::deferred::Backlog;
use store::storm::{self, Mode, Observed};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn one_holder_writes_until_its_lease_is_over() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let calm = storm::read(&client).await.unwrap();
    assert_eq!(
        (calm.mode, calm.observed_at, calm.order),
        (Mode::Calm, None, None)
    );
    assert!(storm::lead(&client, "a", LONG).await.unwrap());
    assert!(storm::lead(&client, "a", LONG).await.unwrap(), "keeps it");
    assert!(!storm::lead(&client, "b", LONG).await.unwrap());
    let observed = Observed {
        mode: Mode::Storm,
        since: calm.now,
        turning_since: Some(calm.now),
        at: calm.now,
        waiting_messages: 3,
        waiting_facts: 30,
        oldest_seconds: Some(1.5),
        reason: "much waits",
    };
    assert!(!storm::observe(&client, "b", &observed).await.unwrap());
    assert!(storm::observe(&client, "a", &observed).await.unwrap());
    let owed = Backlog {
        interactions: 4,
        since: Some(calm.now),
    };
    storm::counted(&client, "a", owed).await.unwrap();
    let state = storm::read(&client).await.unwrap();
    assert_eq!(
        (state.mode, state.since, state.turning_since),
        (Mode::Storm, calm.now, Some(calm.now))
    );
    assert_eq!(
        (
            state.waiting_messages,
            state.waiting_facts,
            state.oldest_seconds
        ),
        (3, 30, Some(1.5))
    );
    assert_eq!(
        (state.reason.as_str(), state.deferred),
        ("much waits", owed)
    );

    storm::release(&client, "b").await.unwrap();
    assert!(
        !storm::lead(&client, "b", LONG).await.unwrap(),
        "it was not b's to release"
    );
    db.client()
        .await
        .batch_execute("UPDATE storm_state SET lease_until = now() - interval '1 second'")
        .await
        .unwrap();
    assert!(storm::lead(&client, "b", LONG).await.unwrap(), "a has died");
    assert!(!storm::observe(&client, "a", &observed).await.unwrap());
    storm::release(&client, "b").await.unwrap();
    assert!(storm::lead(&client, "a", LONG).await.unwrap());
}

#[tokio::test]
async fn an_order_is_kept_apart_and_taken_back_whole() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    storm::order(&client, Some(Mode::Storm), Some(LONG))
        .await
        .unwrap();
    let state = storm::read(&client).await.unwrap();
    let order = state.order.unwrap();
    assert_eq!((state.mode, order.mode), (Mode::Calm, Mode::Storm));
    assert_eq!(order.until.unwrap().0 - order.at.0, 60_000_000);
    storm::order(&client, Some(Mode::Calm), None).await.unwrap();
    let order = storm::read(&client).await.unwrap().order.unwrap();
    assert_eq!((order.mode, order.until), (Mode::Calm, None));
    storm::order(&client, None, Some(LONG)).await.unwrap();
    assert_eq!(storm::read(&client).await.unwrap().order, None);
    let row = "SELECT ordered_mode, ordered_at, ordered_until FROM storm_state";
    assert_eq!(seen(&db, row).await, ["||"]);
}
