//! A month of a large centre as what it adds to windows: to see how long it takes to compute all of them again.
//!
//! The calls and the agents' days are made up from their number alone. Beside the items that compute would have written, every value lies in
//! a plain table, for another program to add up: `month_values`.

use crate::history::{Draws, TENANT};
use schema::UtcMicros;
use std::collections::BTreeMap;
use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::window_items::{self, Item, Source};
use store::{Store, StoreConfig};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls};

/// The month's first instant: the first of May 2024 in New York, whose clock does not change in it.
pub const START: UtcMicros = UtcMicros(1_714_536_000_000_000);
/// How many days it has.
pub const DAYS: i64 = 31;
/// The KPIs that calls have values of.
pub const OF_CALLS: [&str; 14] = [
    "offered",
    "service_level_offered",
    "speed_of_answer",
    "abandonment_rate",
    "handled",
    "abandoned",
    "queue_wait",
    "longest_wait",
    "handle_time",
    "aht",
    "talk_time",
    "hold_time",
    "wrap_time",
    "transferred",
];
/// The KPIs that agents' time has values of.
pub const OF_AGENTS: [&str; 4] = [
    "occupancy",
    "utilisation",
    "logged_in_time",
    "on_queue_time",
];

const CELL_MILLIS: i64 = 900_000;
const DAY_MILLIS: i64 = 86_400_000;
const QUEUES: u64 = 40;
/// Calls, or agents' days, a transaction.
const BATCH: usize = 4_000;
/// A whole.
const ALL: i64 = 1_000_000;

/// How much there is of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filled {
    /// Rows of `window_items`.
    pub items: usize,
    /// Rows of `month_values`.
    pub values: usize,
}

/// A value of a KPI at an instant, as sum and weight.
struct Value {
    kpi: &'static str,
    at_millis: i64,
    sum: i64,
    weight: i64,
}

/// What one call, or one agent's day, adds.
struct Added {
    source: Source,
    subject: String,
    agent: Option<String>,
    queue: Option<String>,
    values: Vec<Value>,
}

fn call(number: usize, agents: u64) -> Added {
    let mut draws = Draws(u64::try_from(number).unwrap_or_default());
    let offered = START.0 / 1_000 + draws.below(u64::try_from(DAYS * DAY_MILLIS).unwrap_or(1));
    let wait = draws.below(60_000) * draws.below(2) + draws.below(15_000);
    let answered = number % 12 != 7;
    let (talk, hold) = (5_000 + draws.below(600_000), draws.below(60_000));
    let wrap = draws.below(90_000);
    let share = |holds: bool| if holds { ALL } else { 0 };
    let mut values = Vec::with_capacity(OF_CALLS.len());
    let mut add = |kpi, at_millis, sum| {
        values.push(Value {
            kpi,
            at_millis,
            sum,
            weight: 1,
        });
    };
    let left = offered + wait;
    add("offered", offered, 1);
    add(
        "service_level_offered",
        offered,
        share(answered && wait <= 20_000),
    );
    let ended = if answered { left + talk + hold } else { left };
    if answered {
        add("speed_of_answer", left, wait);
        add("handle_time", ended, talk + hold + wrap);
        add("aht", ended, talk + hold + wrap);
        add("talk_time", ended, talk);
        add("hold_time", ended, hold);
        add("wrap_time", ended, wrap);
        add("transferred", ended, share(number % 7 == 3));
    }
    add("abandonment_rate", ended, share(!answered));
    add("abandoned", ended, share(!answered));
    // Counted when it is answered, else when it ends, which is the same instant of an abandoned one.
    add("handled", left, i64::from(answered));
    add("queue_wait", ended, wait);
    add("longest_wait", ended, wait);
    Added {
        source: Source::Interaction,
        subject: format!("month_{number:08}"),
        agent: answered.then(|| format!("agent_{:05}", draws.below(agents))),
        queue: Some(format!("queue_{:02}", draws.below(QUEUES))),
        values,
    }
}

/// Eight hours of one agent, in every cell of which something is counted.
fn shift(agent: u64, day: i64) -> Added {
    let mut draws = Draws(agent << 8 | u64::try_from(day).unwrap_or_default());
    let begins = START.0 / 1_000 + day * DAY_MILLIS + 4 * draws.below(16) * CELL_MILLIS;
    let mut values = Vec::with_capacity(4 * 32);
    for cell in 0..32 {
        let at_millis = begins + cell * CELL_MILLIS;
        let busy = draws.below(500_000);
        let waiting = draws.below(300_000);
        let mut add = |kpi, sum, weight| {
            values.push(Value {
                kpi,
                at_millis,
                sum,
                weight,
            });
        };
        add("occupancy", busy, busy + waiting);
        add("utilisation", busy + waiting, CELL_MILLIS);
        add("logged_in_time", CELL_MILLIS, 0);
        add("on_queue_time", busy + waiting, 0);
    }
    Added {
        source: Source::Agent,
        subject: format!("agent_{agent:05}"),
        agent: Some(format!("agent_{agent:05}")),
        queue: None,
        values,
    }
}

impl Added {
    /// As they are stored: one row a cell.
    fn items(&self, ids: &BTreeMap<String, i32>) -> Vec<Item> {
        let mut cells: BTreeMap<i64, Vec<(i32, i64, i64)>> = BTreeMap::new();
        for value in &self.values {
            let cell = value.at_millis.div_euclid(CELL_MILLIS);
            let measure = (id(ids, value.kpi), value.sum, value.weight);
            cells.entry(cell).or_default().push(measure);
        }
        let media = (self.source == Source::Interaction).then(|| "voice".to_owned());
        cells
            .into_iter()
            .map(|(cell, mut measures)| {
                measures.sort_unstable();
                Item {
                    subject: self.subject.clone(),
                    cell: UtcMicros::from_millis(cell * CELL_MILLIS),
                    ordinal: 0,
                    agent_id: self.agent.clone(),
                    queue_id: self.queue.clone(),
                    media: media.clone(),
                    direction: media.as_ref().map(|_| "inbound".to_owned()),
                    team: None,
                    attributes: None,
                    measures,
                }
            })
            .collect()
    }
}

fn id(ids: &BTreeMap<String, i32>, kpi: &str) -> i32 {
    let found = ids.get(kpi);
    *found.unwrap_or_else(|| panic!("the KPI {kpi} is not in use"))
}

/// Fills a migrated database in which those KPIs are in use with a month of so many calls and agents.
pub async fn fill(url: &str, calls: usize, agents: usize) -> Filled {
    let store = Store::connect(StoreConfig::new(url, "kpiline month"))
        .await
        .expect("the URL is valid");
    let definitions = store::definitions::list(&store.client().await.expect("a connection"))
        .await
        .expect("the definitions can be read");
    let ids: BTreeMap<String, i32> = definitions
        .into_iter()
        .filter(|stored| stored.status.is_switched_on())
        .map(|stored| (stored.name, stored.definition_id))
        .collect();
    let (plain, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the database answers");
    tokio::spawn(connection);
    plain
        .batch_execute(
            "CREATE TABLE month_values (definition_id integer, at timestamptz, queue_id text COLLATE \"C\", agent_id text COLLATE \"C\", \
                                        sum bigint, weight bigint)",
        )
        .await
        .expect("the plain table is new");

    let mut filled = Filled::default();
    let agents = u64::try_from(agents).unwrap_or(1);
    let mut write = async |batch: Vec<Added>| {
        let more = put(&store, &plain, &ids, &batch).await;
        filled.items += more.items;
        filled.values += more.values;
    };
    for first in (0..calls).step_by(BATCH) {
        let numbers = first..calls.min(first + BATCH);
        write(numbers.map(|number| call(number, agents)).collect()).await;
    }
    for day in 0..DAYS {
        // Two days of each week are free.
        let working = (0..agents).filter(|agent| !matches!((day + agent.cast_signed()) % 7, 5 | 6));
        write(working.map(|agent| shift(agent, day)).collect()).await;
    }
    plain
        .batch_execute("ANALYZE month_values; ANALYZE window_items")
        .await
        .expect("statistics are taken");
    filled
}

async fn put(
    store: &Store,
    plain: &Client,
    ids: &BTreeMap<String, i32>,
    batch: &[Added],
) -> Filled {
    let Some(first) = batch.first() else {
        return Filled::default();
    };
    let items: Vec<Item> = batch.iter().flat_map(|added| added.items(ids)).collect();
    let rows: Vec<(&str, &Item)> = items.iter().map(|item| (TENANT, item)).collect();
    let mut client = store.client().await.expect("a connection");
    let tx = client.transaction().await.expect("a transaction");
    window_items::write(&tx, first.source, &rows, &[])
        .await
        .expect("items are written");
    tx.commit().await.expect("the batch is committed");

    let sink = plain
        .copy_in("COPY month_values FROM STDIN BINARY")
        .await
        .expect("values can be copied");
    let types = [
        Type::INT4,
        Type::TIMESTAMPTZ,
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::INT8,
    ];
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    let mut values = 0;
    for added in batch {
        for value in &added.values {
            let at = instant(value.at_millis);
            writer
                .as_mut()
                .write(&[
                    &id(ids, value.kpi),
                    &at,
                    &added.queue,
                    &added.agent,
                    &value.sum,
                    &value.weight,
                ])
                .await
                .expect("a value is copied");
            values += 1;
        }
    }
    writer.finish().await.expect("the values are copied");
    Filled {
        items: items.len(),
        values,
    }
}

fn instant(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_the_same_each_time_and_its_values_lie_in_its_cells() {
        let ids: BTreeMap<String, i32> = OF_CALLS
            .into_iter()
            .zip(1..)
            .map(|(kpi, id)| (kpi.to_owned(), id))
            .collect();
        for number in 0..200 {
            let (once, again) = (call(number, 50), call(number, 50));
            assert_eq!(once.items(&ids), again.items(&ids));
            let measures: usize = once
                .items(&ids)
                .iter()
                .map(|item| item.measures.len())
                .sum();
            assert_eq!(measures, once.values.len());
            assert_eq!(once.agent.is_some(), once.values.len() == OF_CALLS.len());
        }
    }

    #[test]
    fn an_agent_works_eight_hours_and_never_more_than_there_are() {
        let day = shift(7, 3);
        assert_eq!(day.values.len(), 32 * OF_AGENTS.len());
        let fits = |value: &Value| value.sum <= CELL_MILLIS && value.weight <= CELL_MILLIS;
        assert!(day.values.iter().all(fits));
    }
}
