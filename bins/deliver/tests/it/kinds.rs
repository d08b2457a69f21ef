//! Every kind of target against the platforms' stand-in: in the end it has what the store has, and nothing was done that it forbids.

use crate::world::{QUICK, TENANT, World};
use double::{Cell, Config, Key};
use schema::{LocalDay, MetricVersion, UtcMicros};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::interactions::{self, NewInteraction, Status};
use store::metrics::{MetricRow, upsert};
use store::partitions::{Partitions, Table};
use store::sync::{self, ChangedDay, DayFigures};

mod business_data;
mod external_metrics;
mod filter;
mod http;
mod properties;
mod settled;

const SOON: Duration = Duration::from_secs(20);
/// All rows are of one month.
const PARTITION_AT: UtcMicros = UtcMicros::from_millis(1_795_000_000_000);

/// A value of an interaction, or of a leg of it.
#[derive(Debug, Clone, Copy)]
struct Written<'a> {
    interaction: &'a str,
    leg: &'a str,
    metric: &'a str,
    queue: Option<&'a str>,
    value: Option<f64>,
}

const VALUE: Written<'static> = Written {
    interaction: "int_1",
    leg: "",
    metric: "handle_time",
    queue: Some("sales"),
    value: Some(1.0),
};

/// Writes them as compute does.
async fn write(world: &World, values: &[Written<'_>]) {
    let rows: Vec<_> = values
        .iter()
        .map(|value| MetricRow {
            tenant: TENANT,
            interaction_id: value.interaction,
            metric_type: value.metric,
            metric_version: MetricVersion::FIRST,
            leg_scope: value.leg,
            partition_at: PARTITION_AT,
            timestamp_utc: PARTITION_AT,
            agent_id: Some("agent_1"),
            queue_id: value.queue,
            metric_value: value.value,
            metadata_json: "{}",
            provenance_json: "{}",
        })
        .collect();
    let partitions = Partitions::new(world.store.clone());
    partitions
        .ensure(Table::ComputedMetrics, [PARTITION_AT])
        .await
        .unwrap();
    let mut client = world.store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    upsert(&tx, &rows).await.unwrap();
    tx.commit().await.unwrap();
}

/// Writes an interaction that has ended, with this session.
async fn interaction(world: &World, id: &str, state_json: &str) {
    let row = NewInteraction {
        tenant: TENANT,
        interaction_id: id,
        partition_at: PARTITION_AT,
        started_at: Some(PARTITION_AT),
        ended_at: Some(PARTITION_AT),
        status: Status::Terminal,
        customer_key: None,
        state_json,
        facts: 0,
        metric_versions: &[],
    };
    let mut client = world.store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    interactions::insert_new(&tx, &[row], &interactions::Evaluated::NEVER)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Queues agents' days as compute does.
async fn days(world: &World, days: &[ChangedDay]) -> u64 {
    let mut client = world.store.client().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let queued = sync::queue_days(&tx, TENANT, days).await.unwrap();
    tx.commit().await.unwrap();
    queued
}

/// Today, in UTC.
fn today() -> LocalDay {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    LocalDay(i32::try_from(since.as_secs() / 86_400).unwrap())
}

/// A day of so many milliseconds in so many contacts.
fn day(agent: &str, day: LocalDay, millis: i64, contacts: i64) -> ChangedDay {
    let from = UtcMicros(i64::from(day.0) * 86_400_000_000);
    ChangedDay {
        agent_id: agent.to_owned(),
        day,
        metric_type: "handle_time".to_owned(),
        metric_version: MetricVersion::FIRST,
        figures: Some(DayFigures {
            zone: "UTC".to_owned(),
            from,
            to: UtcMicros(from.0 + 86_400_000_000),
            settles_at: from,
            items: contacts,
            numerator: millis,
            denominator: contacts,
            scale: 1000,
            unit: "seconds".to_owned(),
        }),
        value: Some(1.0),
    }
}

/// What the platform has.
fn cell(world: &World, key: &Key) -> Option<Cell> {
    world.double.table().get(key).cloned()
}

/// A row's fates in the log, oldest first.
async fn fates(world: &World) -> Vec<String> {
    let client = world.db.client().await;
    let rows = client
        .query(
            "SELECT fate FROM metric_sync_log WHERE fate <> 'sent' ORDER BY log_id",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// What was written down of the rows that rest.
async fn words(world: &World) -> Vec<String> {
    let client = world.db.client().await;
    let sql = "SELECT last_message FROM sync_queue WHERE state = 'rejected' ORDER BY row_id";
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// A world of this kind, whose target is registered: values are queued for it from here on.
async fn world(platform: &str, config: Config, extra: &str) -> World {
    let world = World::of(platform, config, &format!("{QUICK}\n{extra}")).await;
    world.deliver().await.kill9();
    world
}
