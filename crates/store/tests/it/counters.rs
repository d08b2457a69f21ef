//! What normalise writes beside the log, and what components say about themselves.

use crate::rows::{MAY, db, number};
use schema::{MessageId, UtcMicros};
use store::counts::{self, CountRow};
use store::{Class, raw_messages, status};
use uuid::Uuid;

fn row() -> CountRow<'static> {
    CountRow {
        subscription: "hook",
        tenant: "acme",
        hour: MAY,
        received: 10,
        logged: 6,
        revisions: 0,
        duplicates: 2,
        quarantined: 1,
        ignored: 1,
    }
}

#[tokio::test]
async fn counters_add_up_over_batches_and_connections() {
    let (db, store) = db().await;
    let next_hour = CountRow {
        hour: UtcMicros(MAY.0 + 3_600_000_000),
        ..row()
    };
    let rows = [
        row(),
        next_hour,
        row(),
        CountRow {
            subscription: "other",
            ..row()
        },
    ];
    committed!(store, |tx| counts::add(&tx, &rows));
    let _busy = store.client().await.unwrap();
    committed!(store, |tx| counts::add(&tx, &rows));
    let totals = counts::totals(&store.client().await.unwrap())
        .await
        .unwrap();
    let sums: Vec<_> = totals
        .iter()
        .map(|sum| {
            (
                sum.subscription.as_str(),
                sum.received,
                sum.logged,
                sum.duplicates,
                sum.quarantined,
                sum.ignored,
            )
        })
        .collect();
    assert_eq!(
        sums,
        [("hook", 60, 36, 12, 6, 6), ("other", 20, 12, 4, 2, 2)]
    );
    assert_eq!(
        number(
            &db,
            "SELECT count(DISTINCT hour) FROM ingest_counts WHERE subscription = 'hook'"
        )
        .await,
        2
    );
    assert_eq!(
        number(
            &db,
            "SELECT extract(minute FROM min(hour))::bigint FROM ingest_counts"
        )
        .await,
        0
    );
}

#[tokio::test]
async fn counters_that_do_not_add_up_are_refused() {
    let (_db, store) = db().await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let error = counts::add(
        &tx,
        &[CountRow {
            received: 11,
            ..row()
        }],
    )
    .await
    .unwrap_err();
    assert_eq!(error.class(), Class::Rejected);
}

#[tokio::test]
async fn a_message_is_counted_once() {
    let (_db, store) = db().await;
    let [a, b, c] = [1, 2, 3].map(|number| MessageId(Uuid::from_u128(number)));
    assert_eq!(
        committed!(store, |tx| raw_messages::claim(&tx, &[b, a, b])),
        [true, true, false]
    );
    assert_eq!(
        committed!(store, |tx| raw_messages::claim(&tx, &[a, c])),
        [false, true]
    );
    assert_eq!(
        committed!(store, |tx| raw_messages::claim(&tx, &[])),
        [] as [bool; 0]
    );
    let client = store.client().await.unwrap();
    let d = MessageId(Uuid::from_u128(4));
    let claimed = raw_messages::claimed(&client, &[d, c, a]).await.unwrap();
    assert_eq!(claimed.into_iter().collect::<Vec<_>>(), [a, c]);
    assert_eq!(raw_messages::prune(&client, MAY).await.unwrap(), 0);
    assert_eq!(
        raw_messages::prune(&client, crate::rows::now())
            .await
            .unwrap(),
        3
    );
}

#[tokio::test]
async fn components_say_how_they_are() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    status::put(&client, "compute", "a", r#"{"lag":1}"#)
        .await
        .unwrap();
    status::put(&client, "compute", "a", r#"{"lag":2}"#)
        .await
        .unwrap();
    let said = status::list(&client).await.unwrap();
    assert_eq!(
        said.iter()
            .map(|said| said.status_json.as_str())
            .collect::<Vec<_>>(),
        [r#"{"lag": 2}"#]
    );
    assert_eq!(
        number(
            &db,
            "SELECT count(*) FROM pipeline_health WHERE scope = 'compute/a'"
        )
        .await,
        1
    );
    status::put(&client, "deliver", "b", "{}").await.unwrap();
    let hour = std::time::Duration::from_secs(3600);
    assert_eq!(status::forget(&client, "compute", hour).await.unwrap(), 0);
    db.client()
        .await
        .batch_execute("UPDATE pipeline_status SET updated_at = now() - interval '2 hours'")
        .await
        .unwrap();
    assert_eq!(status::forget(&client, "compute", hour).await.unwrap(), 1);
    let said = status::list(&client).await.unwrap();
    assert_eq!(said.len(), 1, "deliver's is deliver's");
    status::remove(&client, "deliver", "b").await.unwrap();
    assert!(status::list(&client).await.unwrap().is_empty());
}
