//! Months of partitions: on demand, with UTC bounds, never for nonsense.

use crate::rows::{JUNE, MAY, log_row, metric, now, number, seen};
use schema::UtcMicros;
use store::event_log::{self, LogRow};
use store::metrics;
use store::partitions::{Partitions, Table};
use store::{Class, StoreError};
use testkit::TestDb;

#[tokio::test]
async fn a_missing_month_is_made_on_demand_in_utc() {
    let db = TestDb::new().await;
    // An operator's zone must not move the bounds.
    let client = db.client().await;
    client.batch_execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''Pacific/Auckland''', current_database()); END $$").await.unwrap();
    let store = db.store().await;
    let partitions = Partitions::new(store.clone());
    partitions
        .ensure(Table::EventLog, [UtcMicros(JUNE.0 - 1), JUNE, MAY])
        .await
        .unwrap();
    let rows = [
        LogRow {
            occurred_at: UtcMicros(JUNE.0 - 1),
            ..log_row(1)
        },
        LogRow {
            occurred_at: JUNE,
            ..log_row(2)
        },
    ];
    committed!(store, |tx| event_log::append(&tx, &rows));
    assert_eq!(
        number(&db, "SELECT count(*) FROM event_log_y2024m05").await,
        1
    );
    assert_eq!(
        number(&db, "SELECT count(*) FROM event_log_y2024m06").await,
        1
    );
}

#[tokio::test]
async fn instants_of_1970_and_2099_are_refused_before_anything_is_made() {
    let db = TestDb::new().await;
    let partitions = Partitions::new(db.store().await);
    let before = number(&db, "SELECT count(*) FROM pg_inherits").await;
    let year_2099 = UtcMicros(4_070_908_800_000_000);
    for instant in [
        UtcMicros(0),
        year_2099,
        UtcMicros(i64::MIN),
        UtcMicros(i64::MAX),
    ] {
        let error = partitions
            .ensure(Table::EventLog, [MAY, instant])
            .await
            .unwrap_err();
        assert!(
            matches!(error, StoreError::Implausible { instant: refused } if refused == instant),
            "{error:?}"
        );
        assert_eq!(error.class(), Class::Rejected);
        assert!(!store::partitions::is_plausible(instant));
    }
    assert!(store::partitions::is_plausible(now()));
    assert_eq!(
        number(&db, "SELECT count(*) FROM pg_inherits").await,
        before
    );
}

#[tokio::test]
async fn windows_reach_a_month_farther_than_what_is_in_them() {
    let db = TestDb::new().await;
    let partitions = Partitions::new(db.store().await);
    let reach = 33 * 86_400_000_000;
    let first = UtcMicros(946_684_800_000_000); // 2000-01-01T00:00:00Z
    let last = UtcMicros(now().0 + 30 * 86_400_000_000);
    for instant in [UtcMicros(first.0 - reach), UtcMicros(last.0 + reach)] {
        partitions
            .ensure(Table::WindowMetrics, [instant])
            .await
            .unwrap();
        for table in [
            Table::EventLog,
            Table::ComputedMetrics,
            Table::IntervalStates,
        ] {
            let error = partitions.ensure(table, [instant]).await.unwrap_err();
            assert!(matches!(error, StoreError::Implausible { .. }), "{error:?}");
        }
    }
    let error = partitions
        .ensure(Table::WindowMetrics, [UtcMicros(first.0 - 2 * reach)])
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Implausible { .. }), "{error:?}");
}

#[tokio::test]
async fn many_replicas_make_one_month_beside_an_open_batch() {
    let db = TestDb::new().await;
    let store = db.store_with(2).await;
    Partitions::new(store.clone())
        .ensure(Table::EventLog, [MAY])
        .await
        .unwrap();
    let mut client = store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    event_log::append(&tx, &[log_row(1)]).await.unwrap();
    // The open transaction writes to the same parent; nobody waits for it.
    let replicas: Vec<Partitions> = (0..6).map(|_| Partitions::new(store.clone())).collect();
    let made = futures_util::future::join_all(
        replicas
            .iter()
            .map(|replica| replica.ensure(Table::EventLog, [JUNE])),
    )
    .await;
    assert!(made.into_iter().all(|made| made.is_ok()));
    tx.commit().await.unwrap();
    let rows = [LogRow {
        occurred_at: JUNE,
        ..log_row(2)
    }];
    committed!(store, |tx| event_log::append(&tx, &rows));
}

#[tokio::test]
async fn a_month_that_retention_dropped_is_made_again() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let partitions = Partitions::new(store.clone());
    partitions
        .ensure(Table::ComputedMetrics, [MAY])
        .await
        .unwrap();
    assert_eq!(
        seen(
            &db,
            "SELECT drop_months_before('computed_metrics', '2024-06-01') AS t"
        )
        .await,
        ["computed_metrics_y2024m05"]
    );
    let mut client = store.client().await.unwrap();
    partitions
        .ensure(Table::ComputedMetrics, [MAY])
        .await
        .unwrap();
    let tx = client.transaction().await.unwrap();
    let error = metrics::upsert(&tx, &[metric("int_1", 1.0)])
        .await
        .unwrap_err();
    assert!(error.is_missing_partition(), "{error:?}");
    assert_eq!(error.class(), Class::Transient);
    tx.rollback().await.unwrap();
    partitions.forget();
    partitions
        .ensure(Table::ComputedMetrics, [MAY])
        .await
        .unwrap();
    committed!(store, |tx| metrics::upsert(&tx, &[metric("int_1", 1.0)]));
}

#[tokio::test]
async fn months_exist_ahead() {
    let db = TestDb::new().await;
    let partitions = Partitions::new(db.store().await);
    partitions.ensure_ahead(5).await.unwrap();
    assert_eq!(partitions.ensure_ahead(5).await.unwrap(), 0);
    assert!(
        number(
            &db,
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'event_log'::regclass"
        )
        .await
            >= 6
    );
}
