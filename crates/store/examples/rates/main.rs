//! Rows a second of the heaviest statements, one connection: `cargo run --release -p store --example rates -- [ROWS] [BATCH]`.
//!
//! Uses a database of its own on the server named by `KPILINE_TEST_DATABASE_URL`. Where that runs on this machine, the processor time of
//! its backends is shown too: the figure to compare when others use the machine meanwhile.

use schema::{DeliveryId, Grain, MetricVersion, UtcMicros};
use std::time::{Duration, Instant};
use store::event_log::{self, LogRow};
use store::metrics::{self, MetricRow};
use store::partitions::{Partitions, Table};
use store::sync::{self, Fate, Settled};
use store::targets::{self, NotBefore, Target};
use store::{Store, StoreError};
use testkit::TestDb;
use uuid::Uuid;

mod windows;

/// 2024-05-15T14:32:10.451Z
const MAY: i64 = 1_715_783_530_451_000;
const METRICS: [&str; 6] = [
    "adjusted_aht",
    "handle_time",
    "hold_time",
    "queue_wait",
    "talk_time",
    "wrap_time",
];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), StoreError> {
    let number = |position, default| {
        std::env::args()
            .nth(position)
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (rows, batch): (usize, usize) = (number(1, 300_000), number(2, 2_000));
    let db = TestDb::new().await;
    let bench = Bench {
        store: db.store().await,
        db,
        batch,
    };
    let partitions = Partitions::new(bench.store.clone());
    for table in Table::ALL {
        partitions.ensure(table, [UtcMicros(MAY)]).await?;
    }
    bench.log("event log, new", rows, 1).await?;
    bench.log("event log, duplicates", rows, 2).await?;
    let ids: Vec<String> = (0..rows / METRICS.len())
        .map(|id| format!("int_{:016x}", scatter(id)))
        .collect();
    bench.values("metrics, new", &ids, 1.0).await?;
    bench.values("metrics, unchanged", &ids, 1.0).await?;
    bench.values("metrics, changed", &ids, 2.0).await?;
    let target = Target {
        name: "genesys".into(),
        tenant: "acme".into(),
        platform: "genesys".into(),
        metrics: METRICS.map(str::to_owned).to_vec(),
        versions: vec![],
        grains: vec![Grain::Interaction],
        not_before: NotBefore::AtOnce,
        enabled: true,
    };
    targets::register(&bench.store, &target).await?;
    bench
        .values("metrics, changed and queued", &ids, 3.0)
        .await?;
    bench
        .values("metrics, unchanged with a target", &ids, 3.0)
        .await?;
    bench
        .deliver("claimed and settled by 100", rows / 10, 100)
        .await?;
    bench
        .deliver("claimed and settled by 10,000", rows, 10_000)
        .await?;
    windows::run(&bench, rows).await
}

struct Bench {
    db: TestDb,
    store: Store,
    batch: usize,
}

impl Bench {
    async fn log(&self, what: &str, rows: usize, delivery: u128) -> Result<(), StoreError> {
        let ids: Vec<String> = (0..rows)
            .map(|row| format!("evt_{:016x}", scatter(row)))
            .collect();
        let mut client = self.store.client().await?;
        let watch = Watch::start(&self.db).await;
        for (number, ids) in ids.chunks(self.batch).enumerate() {
            let rows: Vec<LogRow<'_>> = ids
                .iter()
                .zip(number * self.batch..)
                .map(|(id, row)| LogRow {
                    log_key: Uuid::from_u64_pair(scatter(row), scatter(row + 1)),
                    occurred_at: UtcMicros(
                        MAY + i64::try_from(scatter(row) % 3_600_000_000).unwrap_or_default(),
                    ),
                    tenant: "acme",
                    subscription: "hook",
                    event_id: id,
                    interaction_id: id,
                    format: "\"genesys_webhook\"",
                    delivery_id: DeliveryId(Uuid::from_u128(delivery)),
                    received_at: UtcMicros(MAY),
                    digest: [7; 16],
                    raw: RAW.as_bytes(),
                    raw_key: None,
                })
                .collect();
            let tx = client.transaction().await?;
            event_log::append(&tx, &rows).await?;
            tx.commit().await?;
        }
        watch.report(what, rows).await;
        Ok(())
    }

    async fn deliver(&self, what: &str, rows: usize, limit: u32) -> Result<(), StoreError> {
        let mut client = self.store.client().await?;
        let watch = Watch::start(&self.db).await;
        let mut done = 0;
        while done < rows {
            let lease = Duration::from_secs(60);
            let claimed = sync::claim(&client, "genesys", limit, lease, NotBefore::AtOnce).await?;
            let settled: Vec<Settled<'_>> = claimed
                .rows
                .iter()
                .map(|due| Settled {
                    row: due.row,
                    key: &due.key,
                    lease: claimed.lease,
                    revision: due.revision,
                    fate: Fate::Accepted,
                    retry_in: Duration::ZERO,
                    status: Some(200),
                    message: None,
                })
                .collect();
            let tx = client.transaction().await?;
            sync::settle(&tx, "genesys", &settled).await?;
            tx.commit().await?;
            done += claimed.rows.len();
            if claimed.rows.is_empty() {
                break;
            }
        }
        watch.report(what, done).await;
        Ok(())
    }

    async fn values(&self, what: &str, ids: &[String], value: f64) -> Result<(), StoreError> {
        let mut client = self.store.client().await?;
        let watch = Watch::start(&self.db).await;
        for ids in ids.chunks((self.batch / METRICS.len()).max(1)) {
            let rows: Vec<MetricRow<'_>> = ids
                .iter()
                .flat_map(|id| METRICS.map(|metric| (id, metric)))
                .map(|(id, metric_type)| MetricRow {
                    tenant: "acme",
                    interaction_id: id,
                    metric_type,
                    metric_version: MetricVersion::FIRST,
                    leg_scope: "",
                    partition_at: UtcMicros(MAY),
                    timestamp_utc: UtcMicros(MAY),
                    agent_id: Some("agent_555"),
                    queue_id: None,
                    metric_value: Some(value),
                    metadata_json: r#"{"zone":"America/New_York","zone_source":"agent"}"#,
                    provenance_json: r#"{"tzdb":"2026a"}"#,
                })
                .collect();
            let tx = client.transaction().await?;
            metrics::upsert(&tx, &rows).await?;
            tx.commit().await?;
        }
        watch.report(what, ids.len() * METRICS.len()).await;
        Ok(())
    }
}

/// An event of the usual size.
const RAW: &str = r#"{"subscription_id":"00000000-0000-0000-0000-000000000000","event_type":"analytics:events:publish","timestamp":"2024-05-15T14:32:10.451Z","data":{"event_id":"evt_0000000000000000","interaction_id":"int_0000000000000000","type":"telephony:call:ended","state":"completed","metrics":{"talk_time_ms":45200,"hold_time_ms":12000,"wrap_time_ms":8500,"queue_wait_ms":3200},"participants":[{"id":"agent_1","type":"agent","timezone":"America/New_York"}]}}"#;

/// Ids in no order, as platforms make them.
fn scatter(number: usize) -> u64 {
    u64::try_from(number)
        .unwrap_or_default()
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Wall time, and processor time of the database's backends.
struct Watch<'a> {
    db: &'a TestDb,
    started: Instant,
    busy: Option<f64>,
}

impl<'a> Watch<'a> {
    async fn start(db: &'a TestDb) -> Self {
        let busy = busy_seconds(db).await;
        Self {
            db,
            started: Instant::now(),
            busy,
        }
    }

    #[allow(clippy::cast_precision_loss)]
    async fn report(self, what: &str, rows: usize) {
        let (rows, seconds) = (rows as f64, self.started.elapsed().as_secs_f64());
        let server = match (self.busy, busy_seconds(self.db).await) {
            (Some(before), Some(after)) => format!(
                "{:>5.1} µs/row on the server",
                (after - before) * 1e6 / rows
            ),
            _ => String::new(),
        };
        println!(
            "{what:<32} {rows:>8} rows in {seconds:>6.2} s: {:>7.0} rows/s {server}",
            rows / seconds
        );
    }
}

/// Processor time of the store's backends so far, in seconds; none where their processes are not ours to see.
async fn busy_seconds(db: &TestDb) -> Option<f64> {
    let pids = db
        .client()
        .await
        .query("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'kpiline test'", &[])
        .await
        .ok()?;
    let mut ticks = 0.0;
    for row in &pids {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", row.get::<_, i32>(0))).ok()?;
        // The name in parentheses may hold blanks; user and system time are the 12th and 13th field after it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        ticks += fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    }
    Some(ticks / 100.0)
}
