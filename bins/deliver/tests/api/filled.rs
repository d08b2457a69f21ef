//! Rows to read: metrics, windows, jobs, what is held and what was found.

use crate::server::Api;
use schema::{MetricVersion, UtcMicros};
use store::metrics::{MetricRow, upsert};
use store::partitions::{Partitions, Table};
use store::window_metrics::{WindowRow, write};

/// 2024-05-15T00:00:00Z, a Wednesday.
pub(crate) const DAY: UtcMicros = UtcMicros(1_715_731_200_000_000);
pub(crate) const MINUTE: i64 = 60_000_000;

/// So many minutes after [`DAY`].
pub(crate) fn at(minutes: i64) -> UtcMicros {
    UtcMicros(DAY.0 + minutes * MINUTE)
}

/// A metric that is written.
pub(crate) struct Written<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) interaction: String,
    pub(crate) metric: &'a str,
    pub(crate) version: u16,
    pub(crate) leg: &'a str,
    pub(crate) minutes: i64,
    pub(crate) agent: Option<&'a str>,
    pub(crate) queue: Option<&'a str>,
    pub(crate) value: Option<f64>,
}

/// The n-th value of acme, two a minute.
pub(crate) fn metric(n: i64) -> Written<'static> {
    Written {
        tenant: "acme",
        interaction: format!("int_{n:04}"),
        metric: "talk_time",
        version: 1,
        leg: "",
        minutes: n / 2,
        agent: Some(["anna", "ben", "cho"][usize::try_from(n % 3).unwrap()]),
        queue: Some(["sales", "support"][usize::try_from(n % 2).unwrap()]),
        value: (n % 7 != 0).then_some(100.0 + f64::from(i32::try_from(n).unwrap())),
    }
}

impl Api {
    /// Makes sure of the months that the rows are in.
    pub(crate) async fn months(&self) {
        let partitions = Partitions::new(self.store.clone());
        for table in Table::ALL {
            partitions
                .ensure(table, [DAY, at(60 * 24 * 60)])
                .await
                .unwrap();
        }
    }

    /// Writes metrics as compute does.
    pub(crate) async fn write_metrics(&self, metrics: &[Written<'_>]) {
        let rows: Vec<_> = metrics
            .iter()
            .map(|metric| MetricRow {
                tenant: metric.tenant,
                interaction_id: &metric.interaction,
                metric_type: metric.metric,
                metric_version: MetricVersion(metric.version),
                leg_scope: metric.leg,
                partition_at: DAY,
                timestamp_utc: at(metric.minutes),
                agent_id: metric.agent,
                queue_id: metric.queue,
                metric_value: metric.value,
                metadata_json: r#"{"zone":"Europe/Berlin"}"#,
                provenance_json: "{}",
            })
            .collect();
        let mut client = self.store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        upsert(&tx, &rows).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Writes windows as compute does.
    pub(crate) async fn write_windows(&self, tenant: &str, rows: &[WindowRow<'_>]) {
        let mut client = self.store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        write(&tx, tenant, rows, &[]).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Runs what no program of ours does.
    pub(crate) async fn sql(&self, sql: &str) {
        self.db.client().await.batch_execute(sql).await.unwrap();
    }

    /// Version 2 of a KPI that ships, computed beside the first.
    pub(crate) async fn candidate(&self, name: &str) {
        let shipped = kpi::shipped_definitions();
        let shipped = shipped.iter().find(|shipped| shipped.name == name).unwrap();
        let text = shipped.text.replacen("version = 1", "version = 2", 1);
        self.sql(&format!(
            "INSERT INTO kpi_definitions (name, version, unit, text, status) VALUES ('{name}', 2, 'seconds', $text${text}$text$, 'candidate'); \
             UPDATE catalogue_generation SET generation = generation + 1"
        ))
        .await;
    }
}

/// A window of a queue of half an hour, the n-th of the day.
pub(crate) fn half_hour(queue: &'static str, n: i64) -> WindowRow<'static> {
    let (key, start) = match queue {
        "sales" => (r#"["sales"]"#, at(n * 30)),
        _ => (r#"["support"]"#, at(n * 30)),
    };
    WindowRow {
        metric_type: "talk_time",
        metric_version: MetricVersion::FIRST,
        group_by: "queue",
        size: "30m",
        group_key: key,
        window_start: start,
        window_end: UtcMicros(start.0 + 30 * MINUTE),
        zone: "Europe/Berlin",
        zone_source: "queue",
        tzdb: "2026a",
        queue_id: Some(queue),
        media: None,
        direction: None,
        agent_id: None,
        team: None,
        platform: None,
        attributes_json: None,
        items: 2,
        numerator: 301_000,
        denominator: 2,
        scale: 1000,
        minimum: Some(10.0),
        maximum: None,
        percentiles_json: Some(r#"{"p90":12.5}"#),
        value: Some(150.5),
        unit: "seconds",
        settles_at: UtcMicros(start.0 + 96 * 30 * MINUTE),
    }
}
