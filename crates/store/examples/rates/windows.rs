//! What windows cost the store: items and marks beside each interaction, and what the worker reads and writes.

use crate::{Bench, MAY, Watch, scatter};
use schema::{MetricVersion, UtcMicros};
use store::StoreError;
use store::marks::{self, Kind, Mark, Order};
use store::window_cells::{self, CellRow};
use store::window_items::{self, Item, Source};
use store::window_metrics::{self, Covered, WindowRow};

const QUARTER: i64 = 900_000_000;
/// Quarter hours that the items are spread over: a week.
const QUARTERS: usize = 672;
/// Definitions an item.
const MEASURES: i32 = 12;

pub(crate) async fn run(bench: &Bench, rows: usize) -> Result<(), StoreError> {
    bench.items("window items, new", rows, 1).await?;
    bench.items("window items, unchanged", rows, 1).await?;
    bench.items("window items, changed", rows, 2).await?;
    bench.marks(rows).await?;
    bench.cells_read(rows).await?;
    bench.cells("window cells, new", rows / 10, 1).await?;
    bench.cells("window cells, changed", rows / 10, 2).await?;
    bench.totals(rows / 10).await?;
    bench.metrics("window metrics, new", rows, 1).await?;
    bench.metrics("window metrics, unchanged", rows, 1).await?;
    bench.metrics("window metrics, changed", rows, 2).await
}

fn cell(number: usize) -> UtcMicros {
    let quarter = i64::try_from(number % QUARTERS).unwrap_or_default();
    UtcMicros(MAY - MAY.rem_euclid(96 * QUARTER) + quarter * QUARTER)
}

impl Bench {
    async fn items(&self, what: &str, rows: usize, sum: i64) -> Result<(), StoreError> {
        // Those of one transaction are of a few neighbouring cells, as they come.
        let items: Vec<Item> = (0..rows)
            .map(|row| Item {
                subject: format!("int_{:016x}", scatter(row)),
                cell: cell(row * QUARTERS / rows + row % 2),
                ordinal: 0,
                agent_id: Some(format!("agent_{}", scatter(row) % 2000)),
                queue_id: Some(format!("queue_{}", scatter(row) % 40)),
                media: Some("voice".into()),
                direction: Some("inbound".into()),
                team: None,
                attributes: None,
                measures: (1..=MEASURES).map(|id| (id, sum * 300_000, 1)).collect(),
            })
            .collect();
        let mut client = self.store.client().await?;
        let watch = Watch::start(&self.db).await;
        for items in items.chunks(self.batch) {
            let put: Vec<(&str, &Item)> = items.iter().map(|item| ("acme", item)).collect();
            let tx = client.transaction().await?;
            window_items::write(&tx, Source::Interaction, &put, &[]).await?;
            tx.commit().await?;
        }
        watch.report(what, rows).await;
        Ok(())
    }

    async fn marks(&self, rows: usize) -> Result<(), StoreError> {
        let mut client = self.store.client().await?;
        let subjects: Vec<String> = (0..rows)
            .map(|row| format!("key_{:016x}", scatter(row % (rows / 3 + 1))))
            .collect();
        let watch = Watch::start(&self.db).await;
        for (number, subjects) in subjects.chunks(self.batch).enumerate() {
            let marks: Vec<Mark<'_>> = subjects
                .iter()
                .zip(number * self.batch..)
                .map(|(subject, row)| Mark {
                    kind: Kind::Journey,
                    tenant: "acme",
                    subject,
                    from: cell(row * QUARTERS / rows),
                    to: cell(row * QUARTERS / rows),
                })
                .collect();
            let tx = client.transaction().await?;
            marks::append(&tx, &marks).await?;
            tx.commit().await?;
        }
        watch.report("marks, appended", rows).await;
        let watch = Watch::start(&self.db).await;
        let mut done = 0;
        loop {
            let tx = client.transaction().await?;
            let pending =
                marks::pending(&tx, Kind::Journey, Some("acme"), Order::Newest, 500).await?;
            let ids: Vec<i64> = pending.into_iter().flat_map(|found| found.marks).collect();
            if ids.is_empty() {
                break;
            }
            done += ids.len();
            marks::finish(&tx, &ids, &[]).await?;
            tx.commit().await?;
        }
        watch.report("marks, read by 500 and removed", done).await;
        Ok(())
    }

    async fn cells_read(&self, rows: usize) -> Result<(), StoreError> {
        let client = self.store.client().await?;
        let starts: Vec<UtcMicros> = (0..QUARTERS).map(cell).collect();
        for what in [
            "window items, read by day, cold",
            "window items, read by day, warm",
        ] {
            let watch = Watch::start(&self.db).await;
            let (mut read, mut sum) = (0, 0_i64);
            for starts in starts.chunks(96) {
                window_items::for_each_of_cells(&client, "acme", starts, |item| {
                    read += 1;
                    sum += item.measures.iter().map(|measure| measure.1).sum::<i64>();
                })
                .await?;
            }
            watch.report(what, read).await;
            assert_eq!((read, sum > 0), (rows, true));
        }
        Ok(())
    }

    /// A hundred groups a transaction, three kilobytes each.
    async fn cells(&self, what: &str, rows: usize, byte: u8) -> Result<(), StoreError> {
        let cells: Vec<CellRow> = (0..rows)
            .map(|row| CellRow {
                day: 19_858 + i32::try_from(row % 31).unwrap_or_default(),
                group_by: "agent".into(),
                group_key: format!("[\"agent_{}\"]", row / 31),
                filled: [255; 12],
                quarters: (0..375)
                    .flat_map(|n| scatter(n + usize::from(byte)).to_be_bytes())
                    .collect(),
                total: vec![byte; 120],
            })
            .collect();
        let mut client = self.store.client().await?;
        let watch = Watch::start(&self.db).await;
        for cells in cells.chunks(100) {
            let tx = client.transaction().await?;
            window_cells::write(&tx, "acme", cells, &[]).await?;
            tx.commit().await?;
        }
        watch.report(what, rows).await;
        Ok(())
    }

    async fn totals(&self, rows: usize) -> Result<(), StoreError> {
        let client = self.store.client().await?;
        let keys: Vec<String> = (0..rows / 31)
            .map(|agent| format!("[\"agent_{agent}\"]"))
            .collect();
        let watch = Watch::start(&self.db).await;
        let mut read = 0;
        for keys in keys.chunks(200) {
            let groups: Vec<(&str, &str, i32, i32)> = keys
                .iter()
                .map(|key| ("agent", key.as_str(), 19_858, 19_889))
                .collect();
            read += window_cells::totals(&client, "acme", &groups).await?.len();
        }
        watch.report("window cells, totals of 31 days", read).await;
        Ok(())
    }

    async fn metrics(&self, what: &str, rows: usize, sum: i64) -> Result<(), StoreError> {
        let keys: Vec<String> = (0..=rows / 100)
            .map(|agent| format!("[\"agent_{agent}\"]"))
            .collect();
        let mut client = self.store.client().await?;
        let watch = Watch::start(&self.db).await;
        for first in (0..rows).step_by(self.batch) {
            let rows: Vec<WindowRow<'_>> = (first..rows.min(first + self.batch))
                .map(|row| WindowRow {
                    metric_type: METRICS[row % METRICS.len()],
                    metric_version: MetricVersion::FIRST,
                    group_by: "agent",
                    size: "60m",
                    group_key: &keys[row / 100],
                    window_start: cell(4 * (row % 100 / METRICS.len())),
                    window_end: UtcMicros(cell(4 * (row % 100 / METRICS.len())).0 + 4 * QUARTER),
                    zone: "Europe/Berlin",
                    zone_source: "agent",
                    tzdb: "2026a",
                    queue_id: None,
                    media: None,
                    direction: None,
                    agent_id: Some(&keys[row / 100]),
                    team: None,
                    platform: None,
                    attributes_json: None,
                    items: 3,
                    numerator: sum,
                    denominator: 3,
                    scale: 1000,
                    minimum: None,
                    maximum: None,
                    percentiles_json: Some(r#"{"p50":12.5,"p90":90.25}"#),
                    value: Some(1.5),
                    unit: "seconds",
                    settles_at: cell(192),
                })
                .collect();
            let covered: Vec<Covered<'_>> = rows
                .iter()
                .map(|row| Covered {
                    metric_type: row.metric_type,
                    metric_version: row.metric_version,
                    group_by: row.group_by,
                    group_key: row.group_key,
                    size: row.size,
                    from: row.window_start,
                    to: row.window_end,
                })
                .collect();
            let tx = client.transaction().await?;
            window_metrics::write(&tx, "acme", &rows, &covered).await?;
            tx.commit().await?;
        }
        watch.report(what, rows).await;
        Ok(())
    }
}

const METRICS: [&str; 5] = ["aht", "handle_time", "hold_time", "talk_time", "wrap_time"];
