//! Marks, items, cells and window metrics together: writers and a worker at once, and what is left when they have ended.

use crate::rows::{MAY, db, interaction, number, seen};
use schema::{MetricVersion, UtcMicros};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::interactions::{self, Evaluated};
use store::marks::{self, Kind, Mark, Order};
use store::window_cells::{self, CellRow};
use store::window_items::{self, Item, Source};
use store::window_metrics::{self, Covered, WindowRow};
use store::{Store, StoreError};

const WRITERS: usize = 4;
const TRANSACTIONS: usize = 25;
const SUBJECTS: usize = 40;
const QUARTER: i64 = 900_000_000;
const DAY: i32 = 19_858;

fn cell(quarter: usize) -> UtcMicros {
    UtcMicros(i64::from(DAY) * 96 * QUARTER + i64::try_from(quarter).unwrap() * QUARTER)
}

fn item(subject: usize, quarter: usize, sum: i64) -> Item {
    Item {
        subject: format!("int_{subject:02}"),
        cell: cell(quarter),
        ordinal: 0,
        agent_id: None,
        queue_id: Some("support".into()),
        media: None,
        direction: None,
        team: None,
        attributes: None,
        measures: vec![(1, sum, 1)],
    }
}

/// Every transaction moves the items of many interactions, which the other writers move as well, to another cell.
async fn writes(store: Store, writer: usize) -> Result<(), StoreError> {
    for turn in 0..TRANSACTIONS {
        let ids: Vec<String> = (0..SUBJECTS)
            .filter(|subject| !(subject + writer + turn).is_multiple_of(3))
            .map(|subject| format!("int_{subject:02}"))
            .collect();
        // As a batch comes: in an order of its own.
        let mut keys: Vec<(&str, &str)> = ids.iter().map(|id| ("acme", id.as_str())).collect();
        keys.rotate_left((7 * writer + turn) % ids.len());
        let mut client = store.client().await?;
        let tx = client.transaction().await?;
        let locked = interactions::lock(&tx, &keys).await?;
        assert_eq!(locked.len(), ids.len());
        let stored = window_items::of_subjects(&tx, Source::Interaction, &keys).await?;
        let items: Vec<Item> = keys
            .iter()
            .map(|(_, id)| {
                let subject = id[4..].parse().unwrap();
                item(
                    subject,
                    (subject + 5 * turn + writer) % 96,
                    i64::try_from(turn).unwrap(),
                )
            })
            .collect();
        let put: Vec<(&str, &Item)> = items.iter().map(|item| ("acme", item)).collect();
        let gone: Vec<(&str, &str, UtcMicros, i16)> = stored
            .iter()
            .filter(|(_, old)| {
                !items
                    .iter()
                    .any(|new| new.subject == old.subject && new.cell == old.cell)
            })
            .map(|(tenant, old)| (tenant.as_str(), old.subject.as_str(), old.cell, old.ordinal))
            .collect();
        window_items::write(&tx, Source::Interaction, &put, &gone).await?;
        let touched = items.iter().chain(stored.iter().map(|(_, item)| item));
        let touched: Vec<Mark<'_>> = touched
            .map(|item| Mark {
                kind: Kind::Cell,
                tenant: "acme",
                subject: "",
                from: item.cell,
                to: UtcMicros(item.cell.0 + QUARTER),
            })
            .collect();
        marks::append(&tx, &touched).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn row(day_sum: i64, items: i64) -> WindowRow<'static> {
    WindowRow {
        metric_type: "talk_time",
        metric_version: MetricVersion::FIRST,
        group_by: "queue",
        size: "day",
        group_key: "[\"support\"]",
        window_start: cell(0),
        window_end: cell(96),
        zone: "UTC",
        zone_source: "organisation",
        tzdb: "2026a",
        queue_id: Some("support"),
        media: None,
        direction: None,
        agent_id: None,
        team: None,
        platform: None,
        attributes_json: None,
        items,
        numerator: day_sum,
        denominator: items,
        scale: 1,
        minimum: None,
        maximum: None,
        percentiles_json: None,
        value: None,
        unit: "count",
        settles_at: cell(96),
    }
}

/// One round; `false` where nothing was marked or another worker has the lease. The "packed" cells are 16 bytes a quarter hour.
async fn round(store: &Store) -> Result<bool, StoreError> {
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    if !marks::try_lease(&tx, Kind::Cell, "acme", "").await? {
        return Ok(false);
    }
    let pending = marks::pending(&tx, Kind::Cell, Some("acme"), Order::Newest, 7).await?;
    if pending.is_empty() {
        return Ok(false);
    }
    let starts: Vec<UtcMicros> = pending.iter().map(|cell| cell.from).collect();
    let mut sums: BTreeMap<usize, (i64, i64)> = BTreeMap::new();
    window_items::for_each_of_cells(&tx, "acme", &starts, |item| {
        let quarter = usize::try_from((item.cell.0 - cell(0).0) / QUARTER).unwrap();
        let of_cell = sums.entry(quarter).or_default();
        for (_, sum, weight) in item.measures {
            of_cell.0 += sum;
            of_cell.1 += weight;
        }
    })
    .await?;
    let key = (DAY, "queue", "[\"support\"]");
    let stored = window_cells::read(&tx, "acme", &[key]).await?;
    let mut quarters = stored
        .first()
        .map_or(vec![0; 96 * 16], |row| row.quarters.clone());
    for start in &starts {
        let quarter = usize::try_from((start.0 - cell(0).0) / QUARTER).unwrap();
        let (sum, count) = sums.get(&quarter).copied().unwrap_or_default();
        quarters[16 * quarter..16 * quarter + 8].copy_from_slice(&sum.to_be_bytes());
        quarters[16 * quarter + 8..16 * quarter + 16].copy_from_slice(&count.to_be_bytes());
    }
    let mut day = (0, 0);
    for quarter in quarters.chunks(16) {
        day.0 += i64::from_be_bytes(quarter[..8].try_into().unwrap());
        day.1 += i64::from_be_bytes(quarter[8..].try_into().unwrap());
    }
    let cells = CellRow {
        day: DAY,
        group_by: key.1.into(),
        group_key: key.2.into(),
        filled: [255; 12],
        quarters,
        total: vec![],
    };
    window_cells::write(&tx, "acme", &[cells], &[]).await?;
    let covered = Covered {
        metric_type: "talk_time",
        metric_version: MetricVersion::FIRST,
        group_by: key.1,
        group_key: key.2,
        size: "day",
        from: cell(0),
        to: cell(96),
    };
    window_metrics::write(&tx, "acme", &[row(day.0, day.1)], &[covered]).await?;
    let ids: Vec<i64> = pending.into_iter().flat_map(|cell| cell.marks).collect();
    marks::finish(&tx, &ids, &[]).await?;
    tx.commit().await?;
    Ok(true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_and_workers_at_once_leave_the_sum_of_the_items_and_no_deadlock() {
    assert_eq!(MAY.0 / (96 * QUARTER), i64::from(DAY));
    let (db, store) = db().await;
    let ids: Vec<String> = (0..SUBJECTS).map(|id| format!("int_{id:02}")).collect();
    let new: Vec<_> = ids.iter().map(|id| interaction(id)).collect();
    let evaluated = Evaluated {
        generation: Some(1),
        also: &[],
    };
    committed!(store, |tx| interactions::insert_new(&tx, &new, &evaluated));

    let writing = Arc::new(AtomicUsize::new(WRITERS));
    let writers = (0..WRITERS).map(|writer| {
        let (store, writing) = (store.clone(), Arc::clone(&writing));
        tokio::spawn(async move {
            let done = writes(store, writer).await;
            writing.fetch_sub(1, Ordering::SeqCst);
            done
        })
    });
    let workers = (0..2).map(|_| {
        let (store, writing) = (store.clone(), Arc::clone(&writing));
        tokio::spawn(async move {
            loop {
                // Looked at first: a round after the last writer has ended sees all that was written.
                let last = writing.load(Ordering::SeqCst) == 0;
                let worked = round(&store).await?;
                if last && !worked {
                    return Ok::<(), StoreError>(());
                }
                tokio::task::yield_now().await;
            }
        })
    });
    let all: Vec<_> = writers.chain(workers).collect();
    for task in all {
        task.await.unwrap().unwrap();
    }
    // A worker that found the lease taken may have left the last marks to the other one, which has ended too by now.
    while round(&store).await.unwrap() {}

    assert_eq!(number(&db, "SELECT count(*) FROM dirty_marks").await, 0);
    let client = store.client().await.unwrap();
    let mut items = (0, 0);
    let cells: Vec<UtcMicros> = (0..96).map(cell).collect();
    window_items::for_each_of_cells(&client, "acme", &cells, |item| {
        items.0 += item.measures[0].1;
        items.1 += item.measures[0].2;
    })
    .await
    .unwrap();
    assert_eq!(items.1, i64::try_from(SUBJECTS).unwrap());
    assert_eq!(
        seen(&db, "SELECT numerator, items FROM window_metrics").await,
        [format!("{}|{}", items.0, items.1)]
    );
}
