//! The event log holds every event once, whoever brings it how often.

use crate::rows::{JUNE, MAY, db, log_row, number, until_someone_waits};
use schema::{DeliveryId, UtcMicros};
use std::sync::Arc;
use store::event_log::{self, Appended, LogRow};
use store::raw::Raw;
use store::{Class, StoreError};
use tokio::sync::Barrier;
use uuid::Uuid;

fn delivery(number: u128) -> DeliveryId {
    DeliveryId(Uuid::from_u128(number))
}

#[tokio::test]
async fn each_row_is_told_who_brought_it_first() {
    let (_db, store) = db().await;
    let first = [
        log_row(1),
        LogRow {
            delivery_id: delivery(2),
            ..log_row(2)
        },
    ];
    assert_eq!(
        committed!(store, |tx| event_log::append(&tx, &first)),
        [Appended::New, Appended::New]
    );
    let second = [
        LogRow {
            delivery_id: delivery(9),
            ..log_row(2)
        },
        LogRow {
            delivery_id: delivery(9),
            ..log_row(3)
        },
        LogRow {
            delivery_id: delivery(9),
            ..log_row(1)
        },
        LogRow {
            delivery_id: delivery(10),
            ..log_row(3)
        },
        // The same key at another instant is another event.
        LogRow {
            occurred_at: JUNE,
            delivery_id: delivery(9),
            ..log_row(1)
        },
    ];
    assert_eq!(
        committed!(store, |tx| event_log::append(&tx, &second)),
        [
            Appended::Duplicate {
                delivery_id: delivery(2),
                erased: false,
            },
            Appended::New,
            Appended::Duplicate {
                delivery_id: delivery(1),
                erased: false,
            },
            Appended::Duplicate {
                delivery_id: delivery(9),
                erased: false,
            },
            Appended::New,
        ]
    );
    assert_eq!(committed!(store, |tx| event_log::append(&tx, &[])), []);
    let client = store.client().await.unwrap();
    let key = |number| (log_row(number).occurred_at, log_row(number).log_key);
    let elsewhere = (UtcMicros(JUNE.0 + 1), key(1).1);
    let asked = [key(3), key(7), key(1), key(1), elsewhere];
    let logged = event_log::logged(&client, &asked).await.unwrap();
    assert_eq!(logged, [key(1), key(3)].into());
    assert!(event_log::logged(&client, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_copy_that_arrives_together_with_the_original_is_told_the_truth() {
    let (db, store) = db().await;
    let mut first = store.client().await.unwrap();
    let tx = first.transaction().await.unwrap();
    event_log::append(&tx, &[log_row(1)]).await.unwrap();
    let other = store.clone();
    let second = tokio::spawn(async move {
        let rows = [LogRow {
            delivery_id: delivery(2),
            ..log_row(1)
        }];
        committed!(other, |tx| event_log::append(&tx, &rows))
    });
    until_someone_waits(&db).await;
    tx.commit().await.unwrap();
    assert_eq!(
        second.await.unwrap(),
        [Appended::Duplicate {
            delivery_id: delivery(1),
            erased: false,
        }]
    );
}

#[tokio::test]
async fn a_copy_takes_over_when_the_original_is_rolled_back() {
    let (db, store) = db().await;
    let mut first = store.client().await.unwrap();
    let tx = first.transaction().await.unwrap();
    event_log::append(&tx, &[log_row(1)]).await.unwrap();
    let other = store.clone();
    let second = tokio::spawn(async move {
        let rows = [LogRow {
            delivery_id: delivery(2),
            ..log_row(1)
        }];
        committed!(other, |tx| event_log::append(&tx, &rows))
    });
    until_someone_waits(&db).await;
    tx.rollback().await.unwrap();
    assert_eq!(second.await.unwrap(), [Appended::New]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_copies_in_the_same_moment_exactly_one_is_new() {
    const WRITERS: u128 = 6;
    const ROUNDS: u128 = 40;
    const ROWS: u128 = 25;
    let (db, store) = db().await;
    let barrier = Arc::new(Barrier::new(usize::try_from(WRITERS).unwrap()));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (store, barrier) = (store.clone(), Arc::clone(&barrier));
        writers.spawn(async move {
            let mut new = 0;
            for round in 0..ROUNDS {
                // Every other writer brings them in the opposite order.
                let mut rows: Vec<LogRow<'_>> = (0..ROWS)
                    .map(|row| LogRow {
                        delivery_id: delivery(writer),
                        ..log_row(round * ROWS + row)
                    })
                    .collect();
                if writer % 2 == 1 {
                    rows.reverse();
                }
                barrier.wait().await;
                let appended = committed!(store, |tx| event_log::append(&tx, &rows));
                new += appended.iter().filter(|row| **row == Appended::New).count();
            }
            new
        });
    }
    let new: usize = writers.join_all().await.into_iter().sum();
    assert_eq!(u128::try_from(new).unwrap(), ROUNDS * ROWS);
    assert_eq!(
        number(&db, "SELECT count(*) FROM event_log").await,
        i64::try_from(ROUNDS * ROWS).unwrap()
    );
}

#[tokio::test]
async fn raw_bytes_come_back_as_they_came_page_by_page() {
    let (_db, store) = db().await;
    let raw: &[u8] = b"\xff\0{\"a\":\"\\u0000\", \"a\": 1.0}\r\n";
    let rows: Vec<LogRow<'_>> = (1..=7)
        .map(|key| LogRow {
            raw,
            // Three share an instant, so a page ends between equal instants.
            occurred_at: UtcMicros(MAY.0 + i64::try_from(key).unwrap() / 3),
            tenant: if key == 4 { "other" } else { "acme" },
            ..log_row(key)
        })
        .collect();
    committed!(store, |tx| event_log::append(&tx, &rows));
    let client = store.client().await.unwrap();
    let (from, to) = (MAY, UtcMicros(MAY.0 + 100));
    let mut keys = Vec::new();
    let mut after = None;
    loop {
        let page = event_log::scan(&client, from, to, after, None, 2)
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.occurred_at, last.log_key));
        assert!(
            page.iter()
                .all(|event| event.raw == Raw::Plain(raw.to_vec())
                    && event.delivery_id == delivery(1))
        );
        keys.extend(page.iter().map(|event| event.log_key.as_u128()));
    }
    assert_eq!(keys, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(event_log::count(&client, from, to, None).await.unwrap(), 7);
    assert_eq!(
        event_log::count(&client, from, to, Some("acme"))
            .await
            .unwrap(),
        6
    );
    assert_eq!(
        event_log::scan(&client, from, to, None, Some("other"), 9)
            .await
            .unwrap()
            .len(),
        1
    );
    // Half-open: what is at the end is not in it.
    let end = UtcMicros(MAY.0 + 2);
    assert_eq!(event_log::count(&client, from, end, None).await.unwrap(), 5);
    assert_eq!(
        event_log::scan(&client, from, end, None, None, 9)
            .await
            .unwrap()
            .len(),
        5
    );
}

#[tokio::test]
async fn u0000_in_a_key_is_refused_and_the_transaction_goes_on() {
    let (db, store) = db().await;
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let error = event_log::append(
        &tx,
        &[LogRow {
            event_id: "a\0b",
            ..log_row(1)
        }],
    )
    .await
    .unwrap_err();
    assert!(
        matches!(error, StoreError::Nul { column: "event_id" }),
        "{error:?}"
    );
    assert_eq!(error.class(), Class::Rejected);
    event_log::append(&tx, &[log_row(2)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM event_log").await, 1);
}

#[tokio::test]
async fn the_formats_of_a_stretch_are_counted_whatever_is_looked_through_at_once() {
    let (_db, store) = db().await;
    let rows: Vec<LogRow<'_>> = (1..=9)
        .map(|key| LogRow {
            // Three share an instant, so a part ends between equal instants.
            occurred_at: UtcMicros(MAY.0 + i64::try_from(key).unwrap() / 3),
            tenant: if key == 4 { "other" } else { "acme" },
            format: if key % 4 == 0 { "seldom" } else { "often" },
            ..log_row(key)
        })
        .collect();
    committed!(store, |tx| event_log::append(&tx, &rows));
    let client = store.client().await.unwrap();
    let (from, to) = (MAY, UtcMicros(MAY.0 + 100));
    for at_once in [1, 2, 3, 9, 10] {
        let formats = async |to, after, tenant| {
            event_log::formats(&client, from, to, after, tenant, at_once)
                .await
                .unwrap()
                .into_iter()
                .collect::<Vec<_>>()
        };
        let counted =
            |often, seldom| vec![("often".to_owned(), often), ("seldom".to_owned(), seldom)];
        assert_eq!(formats(to, None, None).await, counted(7, 2));
        assert_eq!(formats(to, None, Some("acme")).await, counted(7, 1));
        assert_eq!(formats(from, None, None).await, []);
        // Half-open, and behind the last one read.
        let end = UtcMicros(MAY.0 + 2);
        let fifth = (rows[4].occurred_at, rows[4].log_key);
        assert_eq!(formats(end, Some(fifth), None).await, []);
        assert_eq!(formats(to, Some(fifth), None).await, counted(3, 1));
    }
}
