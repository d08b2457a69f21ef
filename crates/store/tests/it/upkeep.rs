//! What calls for somebody, and how large the database is.

use crate::rows::db;
use store::partitions::Partitions;
use store::upkeep::{self, Measure};
use testkit::TestDb;

fn of<'m>(measures: &'m [Measure], measure: &str) -> Vec<(&'m str, f64)> {
    let found = measures.iter().filter(|one| one.measure == measure);
    found.map(|one| (one.scope.as_str(), one.value)).collect()
}

#[tokio::test]
async fn what_calls_for_somebody_is_counted_and_what_only_goes_on_is_not() {
    let (db, store) = db().await;
    let client = store.client().await.unwrap();
    let quiet = upkeep::measures(&client).await.unwrap();
    assert!(quiet.iter().all(|one| one.value == 0.0), "{quiet:?}");
    db.client()
        .await
        .batch_execute(
            "INSERT INTO backfill_jobs (job_id, kind, metric_version, state, chunked, created_at) VALUES \
                 ('00000000-0000-7000-8000-000000000001', 'late', 1, 'running', true, now()), \
                 ('00000000-0000-7000-8000-000000000002', 'early', 1, 'running', true, now()), \
                 ('00000000-0000-7000-8000-000000000003', 'at_work', 1, 'running', true, now()), \
                 ('00000000-0000-7000-8000-000000000004', 'resting', 1, 'paused', true, now()); \
             INSERT INTO backfill_chunks (job_id, chunk, from_at, to_at, due_at, lease_owner, lease_until) \
             SELECT job_id, n, now(), now(), now() + CASE kind WHEN 'early' THEN 1 ELSE -n END * interval '1 hour', \
                    CASE kind WHEN 'at_work' THEN 'somebody' END, CASE kind WHEN 'at_work' THEN now() + interval '1 minute' END \
             FROM backfill_jobs, generate_series(1, 3) n; \
             INSERT INTO erasures (erasure_id, tenant, subject, subject_digest, customer_key, requested_by, requested_at) \
             VALUES ('00000000-0000-7000-8000-000000000005', 'acme', 'customer', '', 'k', 'test', now() - interval '2 days')",
        )
        .await
        .unwrap();
    let measures = upkeep::measures(&client).await.unwrap();
    let overdue = of(&measures, "backfill_overdue_seconds");
    assert!(
        matches!(overdue[..], [("late", seconds)] if (10_800.0..10_860.0).contains(&seconds)),
        "{overdue:?}"
    );
    assert_eq!(of(&measures, "backfill_paused"), [("resting", 1.0)]);
    assert_eq!(of(&measures, "erasures_open"), [("acme", 1.0)]);
    let waits = of(&measures, "erasures_oldest_seconds");
    assert!(
        matches!(waits[..], [("acme", seconds)] if (172_800.0..172_860.0).contains(&seconds)),
        "{waits:?}"
    );
}

#[tokio::test]
async fn a_month_that_is_missing_ends_what_is_there_ahead() {
    let db = TestDb::new().await;
    let store = db.store().await;
    Partitions::new(store.clone())
        .ensure_ahead(3)
        .await
        .unwrap();
    let client = store.client().await.unwrap();
    let months = upkeep::months(&client).await.unwrap();
    let tables: Vec<_> = months.iter().map(|one| one.table.as_str()).collect();
    let all = [
        "computed_metrics",
        "event_log",
        "interval_states",
        "window_metrics",
    ];
    assert_eq!(tables, all);
    assert!(
        months.iter().all(|one| one.ahead >= 3 && one.kept >= 1),
        "{months:?}"
    );
    let drop = "DO $$ BEGIN EXECUTE format('DROP TABLE event_log_y%s', \
                to_char(now() AT TIME ZONE 'UTC' + interval '2 months', 'YYYY\"m\"MM')); END $$";
    // The last of January and two months make a day that there is not; the first of the month has none of that.
    let drop = drop.replace(
        "now() AT TIME ZONE 'UTC'",
        "date_trunc('month', now() AT TIME ZONE 'UTC')",
    );
    db.client().await.batch_execute(&drop).await.unwrap();
    let after = upkeep::months(&client).await.unwrap();
    let log = after.iter().find(|one| one.table == "event_log").unwrap();
    assert_eq!(log.ahead, 1);
}

#[tokio::test]
async fn the_database_says_its_size_and_who_is_connected() {
    let db = TestDb::new().await;
    let store = db.store().await;
    let size = upkeep::size(&store.client().await.unwrap()).await.unwrap();
    assert!(size.bytes > 1_000_000, "{size:?}");
    assert!(
        size.connections >= 1 && size.connections <= size.connections_max,
        "{size:?}"
    );
}
