//! What normalise writes beside the log, and what components say about themselves.

use crate::rows::{MAY, db, number};
use schema::{DeliveryId, MessageId, UtcMicros};
use store::counts::{self, CountRow};
use store::quarantine::{self, QuarantineRow};
use store::{Class, raw_messages, status};
use uuid::Uuid;

fn row() -> CountRow<'static> {
    CountRow {
        subscription: "hook",
        tenant: "acme",
        hour: MAY,
        received: 10,
        logged: 6,
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

fn held(index: i32) -> QuarantineRow<'static> {
    QuarantineRow {
        tenant: "acme",
        subscription: "hook",
        delivery_id: DeliveryId(Uuid::from_u128(1)),
        item_index: index,
        stage: "normalise",
        format: "\"genesys_webhook\"",
        reason: "no instant",
        field: Some("timestamp"),
        value: Some("a\0b"),
        expected: None,
        raw: b"\0\xff",
        received_at: MAY,
        correlation: "c-1",
        job: None,
    }
}

#[tokio::test]
async fn quarantine_holds_an_item_once_until_it_is_settled() {
    let (_db, store) = db().await;
    assert_eq!(
        committed!(store, |tx| quarantine::insert(
            &tx,
            &[held(2), held(1), held(2)]
        )),
        2
    );
    assert_eq!(
        committed!(store, |tx| quarantine::insert(&tx, &[held(2), held(3)])),
        1
    );
    let mut client = store.client().await.unwrap();
    let items = quarantine::list(&client, 0, Some("acme"), 10)
        .await
        .unwrap();
    let ids: Vec<i64> = items.iter().map(|item| item.id).collect();
    assert_eq!(
        items.iter().map(|item| item.item_index).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    let item = items.first().unwrap();
    assert_eq!(
        (item.raw.as_slice(), item.value.as_deref()),
        (&b"\0\xff"[..], Some("a\u{fffd}b"))
    );
    assert_eq!(
        quarantine::list(&client, 0, Some("other"), 10)
            .await
            .unwrap()
            .len(),
        0
    );
    assert_eq!(
        quarantine::list(&client, ids[0], None, 1).await.unwrap()[0].id,
        ids[1]
    );
    let tx = client.transaction().await.unwrap();
    assert_eq!(quarantine::release(&tx, &ids[..1]).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    assert_eq!(quarantine::discard(&client, &ids).await.unwrap(), 2);
    assert_eq!(quarantine::held(&client).await.unwrap(), 0);
    // What was refused once is known when it is settled too.
    let (known, other) = (held(1).delivery_id, DeliveryId(Uuid::from_u128(2)));
    let refused = async |stage: &'static str| {
        let found = quarantine::refused(&client, &[other, known], stage).await;
        found.unwrap().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(refused("normalise").await, [known]);
    assert_eq!(refused("compute").await, []);
}

#[tokio::test]
async fn an_item_refused_again_after_it_was_settled_is_held_again() {
    let (_db, store) = db().await;
    let rows = [held(1), held(2), held(3)];
    committed!(store, |tx| quarantine::insert(&tx, &rows));
    let mut client = store.client().await.unwrap();
    let items = quarantine::list(&client, 0, None, 10).await.unwrap();
    let tx = client.transaction().await.unwrap();
    quarantine::release(&tx, &[items[0].id]).await.unwrap();
    tx.commit().await.unwrap();
    quarantine::discard(&client, &[items[1].id]).await.unwrap();

    let again = [1, 2, 3].map(|index| QuarantineRow {
        reason: "still no instant",
        ..held(index)
    });
    assert_eq!(
        committed!(store, |tx| quarantine::insert(&tx, &again)),
        2,
        "the third is held as it was"
    );
    let found = quarantine::list(&client, 0, None, 10).await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|item| (item.id, item.reason.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (items[0].id, "still no instant"),
            (items[1].id, "still no instant"),
            (items[2].id, "no instant"),
        ]
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
