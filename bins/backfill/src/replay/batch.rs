//! A page of the log, read, mapped and encoded: what the command and the workers have in common.

use super::page::{Page, PageError, page};
use crate::ready::Unready;
use adapter::Mappings;
use broker::{Outgoing, Queue};
use runtime::Secret;
use runtime::seal::SealKeys;
use schema::{JobRef, UtcMicros};
use std::ops::Range;
use std::sync::Arc;
use store::event_log::{self, StoredEvent};
use store::raw::Raw;
use store::{Store, StoreError};
use uuid::Uuid;

/// The bytes of events that a page is to have: where records are large, a page has fewer of them.
const PAGE_BYTES: usize = 16 * 1024 * 1024;
/// Events of a page while it is not known yet how large they are.
const FIRST: u32 = 2000;

/// What the log is read with.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) mappings: Arc<Mappings>,
    /// What customers' identities are hashed under, if they are.
    pub(crate) customers: Option<Secret>,
    /// The keys that bytes may be sealed under.
    pub(crate) keys: Option<SealKeys>,
    /// The most events of a page.
    pub(crate) page_events: u32,
}

/// Which events: of `[from, to)`, of one organisation or of all.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) range: Range<UtcMicros>,
    pub(crate) tenant: Option<String>,
}

/// The last event that is done.
pub(super) type After = (UtcMicros, Uuid);

/// A page that is ready to be published.
#[derive(Debug)]
pub(super) struct Batch {
    /// Its last event.
    pub(super) after: After,
    /// How many events were read.
    pub(super) read: usize,
    pub(super) page: Page,
    pub(super) outgoing: Vec<Outgoing>,
    /// How many events to read next.
    pub(super) next: u32,
}

/// Reads at most so many events behind `after`; none at the end.
pub(super) async fn read(
    store: &Store,
    scope: &Scope,
    after: Option<After>,
    events: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    let client = store.client().await?;
    let (from, to) = (scope.range.start, scope.range.end);
    event_log::scan(&client, from, to, after, scope.tenant.as_deref(), events).await
}

/// How many events the first page has.
pub(super) fn first(reading: &Reading) -> u32 {
    reading.page_events.min(FIRST)
}

/// Maps and encodes what was read, on a thread that may take its time.
pub(super) async fn batch(
    rows: Vec<StoredEvent>,
    reading: &Arc<Reading>,
    job: JobRef,
) -> Result<Option<Batch>, Unready> {
    let reading = Arc::clone(reading);
    tokio::task::spawn_blocking(move || made(&rows, &reading, job))
        .await
        .map_err(Unready::refused)?
}

fn made(rows: &[StoredEvent], reading: &Reading, job: JobRef) -> Result<Option<Batch>, Unready> {
    let Some(last) = rows.last() else {
        return Ok(None);
    };
    let (customers, keys) = (reading.customers.as_ref(), reading.keys.as_ref());
    let page =
        page(rows, &reading.mappings, customers, keys, job).map_err(|error| match error {
            PageError::Format(error) => Unready::refused(error),
            PageError::Sealed(error) => Unready::refused(error),
        })?;
    Ok(Some(Batch {
        after: (last.occurred_at, last.log_key),
        read: rows.len(),
        outgoing: outgoing(&page).map_err(Unready::Refused)?,
        next: next(rows, reading.page_events),
        page,
    }))
}

/// How many events of this size make a page.
fn next(rows: &[StoredEvent], most: u32) -> u32 {
    let bytes: usize = rows.iter().map(|row| size(&row.raw)).sum();
    let fit = PAGE_BYTES.saturating_mul(rows.len()) / bytes.max(1);
    u32::try_from(fit).unwrap_or(u32::MAX).clamp(1, most)
}

fn size(raw: &Raw) -> usize {
    match raw {
        Raw::Plain(bytes) | Raw::Sealed { bytes, .. } => bytes.len(),
        Raw::Gone(_) => 0,
    }
}

fn outgoing(page: &Page) -> anyhow::Result<Vec<Outgoing>> {
    page.messages
        .iter()
        .map(|message| {
            Ok(Outgoing {
                queue: Queue::EventsHistory,
                body: message.encode()?,
                message_id: message.id.0,
                correlation: message.correlation.to_string(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::DeliveryId;

    fn rows(count: usize, bytes: usize) -> Vec<StoredEvent> {
        let row = StoredEvent {
            log_key: Uuid::nil(),
            occurred_at: UtcMicros(0),
            tenant: "acme".to_owned(),
            subscription: "hook".to_owned(),
            event_id: "e".to_owned(),
            interaction_id: "i".to_owned(),
            format: "\"genesys_webhook\"".to_owned(),
            delivery_id: DeliveryId(Uuid::nil()),
            received_at: UtcMicros(0),
            raw: Raw::Plain(vec![b'x'; bytes]),
        };
        vec![row; count]
    }

    #[test]
    fn a_page_of_large_records_has_fewer_of_them() {
        assert_eq!(next(&rows(100, 500), 20_000), 20_000);
        assert_eq!(next(&rows(3, 64 * 1024), 20_000), 256);
        assert_eq!(next(&rows(1, 32 * 1024 * 1024), 20_000), 1);
        assert_eq!(next(&rows(10, 0), 300), 300);
    }
}
