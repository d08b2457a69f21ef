//! Two workers with the same rows in opposite order wait for each other in one direction only.

use crate::rows::{MAY, db, log_row, number};
use schema::{DeliveryId, MessageId};
use std::time::Duration;
use store::event_log::{self, LogRow};
use store::quarantine::{self, QuarantineRow};
use store::{Store, StoreError, Transaction, raw_messages};
use testkit::TestDb;
use uuid::Uuid;

const ROWS: u128 = 200;

/// A table that normalise writes. The counters are none of them: each session has its own.
#[derive(Debug, Clone, Copy)]
enum Part {
    Claims,
    Log,
    Quarantine,
}

fn held(number: u128) -> QuarantineRow<'static> {
    QuarantineRow {
        tenant: "acme",
        subscription: "hook",
        delivery_id: DeliveryId(Uuid::from_u128(number)),
        item_index: 0,
        stage: "map",
        format: "\"genesys_webhook\"",
        reason: "no instant",
        field: None,
        value: None,
        expected: None,
        raw: b"{}",
        raw_key: None,
        received_at: MAY,
        correlation: "c",
        job: None,
    }
}

/// Writes the rows of these numbers, told in this order.
async fn write(tx: &Transaction<'_>, part: Part, numbers: &[u128]) -> Result<(), StoreError> {
    match part {
        Part::Claims => {
            let ids: Vec<MessageId> = numbers
                .iter()
                .map(|number| MessageId(Uuid::from_u128(*number)))
                .collect();
            raw_messages::claim(tx, &ids).await?;
        }
        Part::Log => {
            let rows: Vec<LogRow<'_>> = numbers.iter().map(|number| log_row(*number)).collect();
            event_log::append(tx, &rows).await?;
        }
        Part::Quarantine => {
            let rows: Vec<QuarantineRow<'_>> = numbers.iter().map(|number| held(*number)).collect();
            quarantine::insert(tx, &rows).await?;
        }
    }
    Ok(())
}

async fn batch(store: Store, part: Part, numbers: Vec<u128>) -> Result<(), StoreError> {
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    write(&tx, part, &numbers).await?;
    tx.commit().await
}

async fn until_two_wait(db: &TestDb) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    testkit::eventually(Duration::from_secs(10), "two sessions wait", async || {
        number(db, sql).await == 2
    })
    .await;
}

/// Somebody else has the row in the middle, so that two who came from opposite ends would each have half of the rows when it is free.
#[tokio::test]
async fn pitfall_69_batches_in_opposite_order_never_deadlock() {
    let (db, store) = db().await;
    for (part, table) in [
        (Part::Claims, "raw_messages"),
        (Part::Log, "event_log"),
        (Part::Quarantine, "quarantine"),
    ] {
        let mut client = store.client().await.unwrap();
        let middle = client.transaction().await.unwrap();
        write(&middle, part, &[ROWS / 2]).await.unwrap();
        let numbers: Vec<u128> = (0..ROWS).collect();
        let reversed = numbers.iter().rev().copied().collect();
        let one = tokio::spawn(batch(store.clone(), part, numbers));
        let other = tokio::spawn(batch(store.clone(), part, reversed));
        until_two_wait(&db).await;
        middle.rollback().await.unwrap();
        for written in [one.await.unwrap(), other.await.unwrap()] {
            assert!(written.is_ok(), "{part:?}: {written:?}");
        }
        let sql = format!("SELECT count(*) FROM {table}");
        let rows = number(&db, &sql).await;
        assert_eq!(u128::try_from(rows).unwrap(), ROWS, "{table}");
    }
}
