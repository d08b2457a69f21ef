//! A replay that workers share: chunks of the stretch, each with a cursor of its own.

use super::batch::{Reading, Scope, batch, first, read};
use super::{Counts, Cursor};
use crate::ready::{Ready, Unready};
use anyhow::Context as _;
use schema::{JobId, JobRef, MetricVersion, UtcMicros};
use serde::Deserialize;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::event_log;

/// Events of the log in one chunk: some minutes of one worker.
pub(crate) const SLICE_EVENTS: u32 = 200_000;

/// The cursor of a chunk that is to be cut first.
pub(crate) const UNCUT: &str = r#"{"way":"uncut"}"#;

/// Whether a cursor says so.
pub(crate) fn is_uncut(cursor_json: &str) -> bool {
    #[derive(Deserialize)]
    struct OfThePlan {
        way: String,
    }
    serde_json::from_str::<OfThePlan>(cursor_json).is_ok_and(|cursor| cursor.way == "uncut")
}

/// The next page of a chunk; none when all of it was read.
pub(crate) async fn chunk_page(
    store: &Store,
    reading: &Arc<Reading>,
    (job, version): (JobId, MetricVersion),
    tenant: Option<&str>,
    range: Range<UtcMicros>,
    cursor_json: Option<&str>,
) -> Result<Option<Ready>, Unready> {
    let mut cursor = match cursor_json {
        Some(text) => serde_json::from_str(text)
            .context("read the chunk's cursor")
            .map_err(Unready::Refused)?,
        None => Cursor::default(),
    };
    let scope = Scope {
        range,
        tenant: tenant.map(str::to_owned),
    };
    let events = cursor.events.unwrap_or(first(reading));
    let rows = read(store, &scope, cursor.after, events.min(reading.page_events)).await?;
    let job = JobRef { id: job, version };
    let Some(batch) = batch(rows, reading, job).await? else {
        return Ok(None);
    };
    cursor.after = Some(batch.after);
    cursor.events = Some(batch.next);
    cursor.counts.add(batch.read, batch.page);
    Ok(Some(Ready {
        messages: batch.outgoing,
        cursor_json: serde_json::to_string(&cursor).map_err(Unready::refused)?,
        records: batch.read as u64,
    }))
}

/// What the chunks of a job come to, of which each is read from its cursor; for the job's report.
pub(crate) fn totals<'c>(cursors: impl IntoIterator<Item = &'c str>) -> anyhow::Result<Totals> {
    let mut sum = Counts::default();
    for text in cursors {
        let cursor: Cursor = serde_json::from_str(text).context("read a chunk's cursor")?;
        sum.join(cursor.counts);
    }
    Ok(Totals(sum))
}

/// The counts of a whole job.
#[derive(Debug)]
pub(crate) struct Totals(Counts);

impl Totals {
    /// As members of the job's report.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}

/// A part of a stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) range: Range<UtcMicros>,
    /// How many events it holds.
    pub(crate) events: i64,
}

/// How long the database may look for the next [`Slice`]'s end.
const STEP_MAX: Duration = Duration::from_secs(600);

/// Cuts a stretch into parts of about so many events; together they are the stretch. What is logged of it later falls into one of them.
pub(crate) async fn slices(
    store: &Store,
    range: Range<UtcMicros>,
    tenant: Option<&str>,
    events: u32,
) -> Result<Vec<Slice>, store::StoreError> {
    let mut slices = Vec::new();
    let mut from = range.start;
    while from < range.end {
        // Given back between two steps: a long stretch takes minutes. One step does where the log holds little of the tenant among much.
        let client = store.patient(STEP_MAX).await?;
        let step = event_log::step(&client, from, range.end, tenant, events).await?;
        let to = step.to.unwrap_or(range.end);
        slices.push(Slice {
            range: from..to,
            events: step.events,
        });
        from = to;
    }
    Ok(slices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use adapter::Mappings;
    use schema::{DeliveryId, EventsMessage};
    use std::collections::BTreeMap;
    use store::event_log::LogRow;
    use store::partitions::{Partitions, Table};
    use testkit::TestDb;
    use uuid::Uuid;

    const START: i64 = 1_715_781_600_000_000;
    const JOB: (JobId, MetricVersion) = (JobId(Uuid::nil()), MetricVersion(2));

    /// Events of `count` instants, three of each; five calls are going on at any time.
    async fn log(store: &Store, count: usize) {
        let at = |n: usize| UtcMicros(START + i64::try_from(n / 3).unwrap() * 1_000_000);
        let raws: Vec<String> = (0..count * 3)
            .map(|n| {
                format!(
                    "{{\"timestamp\":\"{}\",\"data\":{{\"event_id\":\"e{n}\",\"interaction_id\":\"i{}\",\"state\":\"queued\"}}}}",
                    at(n),
                    n % 5 + n / 100 * 5
                )
            })
            .collect();
        let instants = (0..count * 3).map(at);
        Partitions::new(store.clone())
            .ensure(Table::EventLog, instants)
            .await
            .unwrap();
        let rows: Vec<LogRow<'_>> = raws
            .iter()
            .enumerate()
            .map(|(n, raw)| LogRow {
                log_key: adapter::stable_id(&[raw.as_bytes()]),
                occurred_at: at(n),
                tenant: if n % 2 == 0 { "acme" } else { "other" },
                subscription: "hook",
                event_id: "e",
                interaction_id: "i",
                format: "\"genesys_webhook\"",
                delivery_id: DeliveryId::generate(),
                received_at: at(n),
                digest: adapter::digest(raw.as_bytes()),
                raw: raw.as_bytes(),
                raw_key: None,
            })
            .collect();
        let mut client = store.client().await.unwrap();
        let tx = client.transaction().await.unwrap();
        event_log::append(&tx, &rows).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn reading(page_events: u32) -> Arc<Reading> {
        Arc::new(Reading {
            mappings: Arc::new(Mappings::none()),
            customers: None,
            keys: None,
            page_events,
        })
    }

    fn at(seconds: i64) -> UtcMicros {
        UtcMicros(START + seconds * 1_000_000)
    }

    #[test]
    fn a_cursor_says_whether_its_chunk_is_cut() {
        assert!(is_uncut(UNCUT));
        assert!(is_uncut("{\"way\": \"uncut\"}"), "as PostgreSQL writes it");
        let begun = serde_json::to_string(&Cursor::default()).unwrap();
        assert!(!is_uncut(&begun));
    }

    #[tokio::test]
    async fn slices_are_the_stretch_and_hold_about_as_many_events_each() {
        let db = TestDb::new().await;
        let store = db.store().await;
        log(&store, 200).await;
        let slices = |range, tenant, events| slices(&store, range, tenant, events);
        let found = slices(at(-5)..at(300), None, 100).await.unwrap();
        assert_eq!(found.first().unwrap().range.start, at(-5));
        assert_eq!(found.last().unwrap().range.end, at(300));
        let joined = found
            .windows(2)
            .all(|two| two[0].range.end == two[1].range.start);
        assert!(joined, "{found:?}");
        assert_eq!(found.iter().map(|slice| slice.events).sum::<i64>(), 600);
        let (last, others) = found.split_last().unwrap();
        assert!(
            others
                .iter()
                .all(|slice| (98..=102).contains(&slice.events)),
            "{found:?}"
        );
        assert!(last.events <= 102);
        // Those of one instant stay together, however many they are.
        let found = slices(at(0)..at(3), None, 1).await.unwrap();
        let counts: Vec<i64> = found.iter().map(|slice| slice.events).collect();
        assert!(
            counts.iter().all(|count| [0, 3].contains(count)) && counts.iter().sum::<i64>() == 9,
            "{found:?}"
        );
        let found = slices(at(0)..at(200), Some("acme"), 1000).await.unwrap();
        assert_eq!((found.len(), found[0].events), (1, 300));
        let found = slices(at(500)..at(600), None, 10).await.unwrap();
        assert_eq!(
            (found.len(), found[0].events),
            (1, 0),
            "what may come is somebody's"
        );
    }

    #[tokio::test]
    async fn every_event_of_a_chunk_comes_once_and_an_interaction_side_by_side() {
        let db = TestDb::new().await;
        let store = db.store().await;
        log(&store, 200).await;
        let mut facts: BTreeMap<String, usize> = BTreeMap::new();
        let mut cursors = Vec::new();
        for slice in slices(&store, at(0)..at(300), None, 250).await.unwrap() {
            let mut cursor: Option<String> = None;
            let reading = reading(100);
            let page = async |cursor: Option<&str>| {
                chunk_page(&store, &reading, JOB, None, slice.range.clone(), cursor)
                    .await
                    .unwrap()
            };
            while let Some(ready) = page(cursor.as_deref()).await {
                let again = page(cursor.as_deref()).await.unwrap();
                let ids = |ready: &Ready| -> Vec<Uuid> {
                    ready
                        .messages
                        .iter()
                        .map(|message| message.message_id)
                        .collect()
                };
                assert_eq!(
                    ids(&again),
                    ids(&ready),
                    "a page that is published twice is the same"
                );
                assert!(ready.records <= 100 && ready.bytes() > 0);
                for message in &ready.messages {
                    let message = EventsMessage::decode(&message.body).unwrap();
                    let mut seen: Vec<(&str, &str)> = message
                        .events
                        .iter()
                        .map(|event| (event.tenant.as_str(), event.interaction.as_str()))
                        .collect();
                    seen.dedup();
                    let groups = seen.len();
                    seen.sort_unstable();
                    seen.dedup();
                    assert_eq!(seen.len(), groups, "side by side");
                    for event in &message.events {
                        *facts.entry(event.fact.key.as_str().to_owned()).or_default() += 1;
                    }
                }
                cursor = Some(ready.cursor_json);
            }
            cursors.extend(cursor);
        }
        assert_eq!(facts.len(), 600);
        assert!(facts.values().all(|times| *times == 1));
        let totals = totals(cursors.iter().map(String::as_str)).unwrap();
        assert_eq!(totals.json()["read"], 600);
        assert_eq!(totals.json()["facts"], 600);
        assert_eq!(totals.json()["unmapped"], 0);
    }
}
