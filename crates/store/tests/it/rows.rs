//! Rows of no importance, to be varied by the test at hand.

use schema::{DeliveryId, MetricVersion, UtcMicros};
use std::time::{SystemTime, UNIX_EPOCH};
use store::Store;
use store::event_log::LogRow;
use store::interactions::{NewInteraction, Status};
use store::metrics::MetricRow;
use store::partitions::{Partitions, Table};
use testkit::TestDb;
use tokio_postgres::SimpleQueryMessage;
use uuid::Uuid;

/// 2024-05-15T14:32:10.451Z
pub(crate) const MAY: UtcMicros = UtcMicros(1_715_783_530_451_000);
/// 2024-06-01T00:00:00Z
pub(crate) const JUNE: UtcMicros = UtcMicros(1_717_200_000_000_000);

pub(crate) fn now() -> UtcMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UtcMicros(i64::try_from(since.as_micros()).unwrap())
}

/// A database whose tables have the months of `MAY` and `JUNE`.
pub(crate) async fn db() -> (TestDb, Store) {
    let db = TestDb::new().await;
    let store = db.store_with(10).await;
    let partitions = Partitions::new(store.clone());
    for table in Table::ALL {
        partitions.ensure(table, [MAY, JUNE]).await.unwrap();
    }
    (db, store)
}

pub(crate) fn log_row(key: u128) -> LogRow<'static> {
    LogRow {
        log_key: Uuid::from_u128(key),
        occurred_at: MAY,
        tenant: "acme",
        subscription: "hook",
        event_id: "evt",
        interaction_id: "int",
        format: "\"genesys_webhook\"",
        delivery_id: DeliveryId(Uuid::from_u128(1)),
        received_at: MAY,
        digest: [7; 16],
        raw: b"{\"a\": 1.0}",
        raw_key: None,
    }
}

pub(crate) fn interaction(id: &str) -> NewInteraction<'_> {
    NewInteraction {
        tenant: "acme",
        interaction_id: id,
        partition_at: MAY,
        started_at: Some(MAY),
        ended_at: None,
        status: Status::Open,
        customer_key: None,
        state_json: r#"{"v":1,"f":[]}"#,
        facts: 0,
        metric_versions: &[],
    }
}

pub(crate) fn metric(id: &str, value: f64) -> MetricRow<'_> {
    MetricRow {
        tenant: "acme",
        interaction_id: id,
        metric_type: "talk_time",
        metric_version: MetricVersion::FIRST,
        leg_scope: "",
        partition_at: MAY,
        timestamp_utc: MAY,
        agent_id: Some("agent_1"),
        queue_id: None,
        metric_value: Some(value),
        metadata_json: r#"{"zone":"Europe/Berlin"}"#,
        provenance_json: r#"{"tzdb":"2026a"}"#,
    }
}

/// Does something in a transaction that is committed.
macro_rules! committed {
    ($store:expr, |$tx:ident| $work:expr) => {{
        let mut client = $store.client().await.unwrap();
        let $tx = client.transaction().await.unwrap();
        let done = $work.await.unwrap();
        $tx.commit().await.unwrap();
        done
    }};
}

/// Waits until another session of the test waits for a lock: the interleaving under test has been reached.
pub(crate) async fn until_someone_waits(db: &TestDb) {
    let client = db.client().await;
    testkit::eventually(std::time::Duration::from_secs(10), "a session waits for a lock", || async {
        let waiting: i64 = client
            .query_one(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
                &[],
            )
            .await
            .unwrap()
            .get(0);
        waiting > 0
    })
    .await;
}

/// The rows of a query as text, columns joined by a bar: what an outsider sees.
pub(crate) async fn seen(db: &TestDb, sql: &str) -> Vec<String> {
    let mut seen = Vec::new();
    for message in db.client().await.simple_query(sql).await.unwrap() {
        if let SimpleQueryMessage::Row(row) = message {
            let columns: Vec<&str> = (0..row.len())
                .map(|column| row.get(column).unwrap_or(""))
                .collect();
            seen.push(columns.join("|"));
        }
    }
    seen
}

/// One number.
pub(crate) async fn number(db: &TestDb, sql: &str) -> i64 {
    db.client().await.query_one(sql, &[]).await.unwrap().get(0)
}
