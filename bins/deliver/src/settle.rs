//! Writing down: what was sent, and what became of it.

use crate::batch::Prepared;
use crate::fate::Settlement;
use runtime::{Backoff, chain};
use std::time::{Duration, Instant};
use store::sync::{self, Due, Fate, Last, LogEntry, LogFate, MetricKey, Settled};
use store::{Store, StoreError};
use uuid::Uuid;

/// The books of one target.
#[derive(Debug, Clone)]
pub struct Books {
    store: Store,
    target: String,
}

impl Books {
    /// Of this target.
    pub fn new(store: Store, target: String) -> Self {
        Self { store, target }
    }

    /// Notes `unknown` for earlier requests of these rows that never had a fate: their process died.
    pub async fn lost(&self, rows: &[Due]) -> Result<u64, StoreError> {
        let keys: Vec<&MetricKey> = rows
            .iter()
            .filter(|row| row.attempt > 1)
            .map(|row| &row.key)
            .collect();
        if keys.is_empty() {
            return Ok(0);
        }
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let lost = sync::log_lost(&tx, &self.target, &keys).await?;
        tx.commit().await?;
        Ok(lost)
    }

    /// Notes that a request is about to be sent. Committed before it is: a push that nobody knows of does not exist.
    pub async fn sent(&self, request: Uuid, rows: &[Prepared]) -> Result<(), StoreError> {
        let entries: Vec<_> = rows
            .iter()
            .map(|row| entry(row, request, LogFate::Sent, None, None))
            .collect();
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        sync::log(&tx, &self.target, &entries).await?;
        tx.commit().await
    }

    /// Notes one fate for a whole request whose rows stay leased, because they go again at once.
    pub async fn passed(
        &self,
        request: Uuid,
        rows: &[Prepared],
        status: Option<u16>,
        why: &str,
    ) -> Result<(), StoreError> {
        let status = status.map(i32::from);
        let entries: Vec<_> = rows
            .iter()
            .map(|row| entry(row, request, LogFate::Snoozed, status, Some(why)))
            .collect();
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        sync::log(&tx, &self.target, &entries).await?;
        tx.commit().await
    }

    /// Notes the fate of every row of a request and moves the rows on. Tried until it works or the lease is over: then another
    /// claim will find `sent` without a fate.
    pub async fn settle(
        &self,
        lease: Uuid,
        lease_ends: Instant,
        request: Uuid,
        rows: &[Prepared],
        status: Option<u16>,
        settlements: &[Settlement],
    ) -> Result<(), StoreError> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        loop {
            match self
                .settle_once(lease, request, rows, status, settlements)
                .await
            {
                Err(error) if Instant::now() + Duration::from_secs(2) < lease_ends => {
                    tracing::warn!(target_name = self.target, error = %chain(&error), "a fate could not be written down yet");
                    tokio::time::sleep(backoff.next_delay()).await;
                }
                result => return result,
            }
        }
    }

    async fn settle_once(
        &self,
        lease: Uuid,
        request: Uuid,
        rows: &[Prepared],
        status: Option<u16>,
        settlements: &[Settlement],
    ) -> Result<(), StoreError> {
        let status = status.map(i32::from);
        let settled: Vec<_> = rows
            .iter()
            .zip(settlements)
            .map(|(row, settlement)| Settled {
                row: row.due.row,
                key: &row.due.key,
                lease,
                revision: row.due.revision,
                fate: settlement.fate,
                retry_in: settlement.retry_in,
                status,
                message: settlement.message.as_deref(),
            })
            .collect();
        let entries: Vec<_> = rows
            .iter()
            .zip(settlements)
            .map(|(row, settlement)| {
                let message = settlement.message.as_deref();
                entry(row, request, settlement.fate.into(), status, message)
            })
            .collect();
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        sync::settle(&tx, &self.target, &settled).await?;
        sync::log(&tx, &self.target, &entries).await?;
        tx.commit().await
    }

    /// Gives rows back that were not sent: due at once, no attempt spent, nothing logged.
    pub async fn release<'a>(
        &self,
        lease: Uuid,
        rows: impl Iterator<Item = &'a Due>,
    ) -> Result<(), StoreError> {
        self.move_on(lease, rows, Fate::Snooze, None).await
    }

    /// After trouble with the store: gives everything back that is still held under the lease, as soon as the store answers again.
    /// The attempt stays counted, so that the next claim looks for pushes whose fate got lost. At the end of the lease the
    /// rows are due anyway.
    pub async fn abandon(&self, lease: Uuid, lease_ends: Instant, rows: &[(i64, MetricKey)]) {
        let mut backoff = Backoff::for_connections();
        while Instant::now() < lease_ends {
            match self.abandon_once(lease, rows).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(target_name = self.target, error = %chain(&error), "rows could not be given back yet");
                    tokio::time::sleep(backoff.next_delay()).await;
                }
            }
        }
    }

    async fn abandon_once(&self, lease: Uuid, rows: &[(i64, MetricKey)]) -> Result<(), StoreError> {
        let settled: Vec<_> = rows
            .iter()
            .map(|(row, key)| Settled {
                row: *row,
                key,
                lease,
                revision: i64::MAX,
                fate: Fate::Retry,
                retry_in: Duration::ZERO,
                status: None,
                message: None,
            })
            .collect();
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        sync::settle(&tx, &self.target, &settled).await?;
        tx.commit().await
    }

    /// Takes rows without a value off the queue. Where the platform may have an earlier value, the row is parked instead, so that
    /// somebody sees that the two differ.
    pub async fn withhold(&self, lease: Uuid, rows: &[Due]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let keys: Vec<&MetricKey> = rows.iter().map(|row| &row.key).collect();
        let held = {
            let client = self.store.client().await?;
            sync::last_pushed(&client, &self.target, &keys).await?
        };
        let (stale, fresh): (Vec<_>, Vec<_>) = rows
            .iter()
            .zip(held)
            .partition(|(_, last)| *last != Last::Nothing);
        self.move_on(
            lease,
            fresh.into_iter().map(|(row, _)| row),
            Fate::Accepted,
            None,
        )
        .await?;
        self.move_on(
            lease,
            stale.into_iter().map(|(row, _)| row),
            Fate::Rejected,
            Some("the value is absent now; the platform keeps the one it has, for this API cannot take one back"),
        )
        .await
    }

    async fn move_on<'a>(
        &self,
        lease: Uuid,
        rows: impl Iterator<Item = &'a Due>,
        fate: Fate,
        message: Option<&str>,
    ) -> Result<(), StoreError> {
        let settled: Vec<_> = rows
            .map(|row| Settled {
                row: row.row,
                key: &row.key,
                lease,
                revision: row.revision,
                fate,
                retry_in: Duration::ZERO,
                status: None,
                message,
            })
            .collect();
        if settled.is_empty() {
            return Ok(());
        }
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        sync::settle(&tx, &self.target, &settled).await?;
        tx.commit().await
    }
}

fn entry<'a>(
    row: &'a Prepared,
    request_id: Uuid,
    fate: LogFate,
    status: Option<i32>,
    message: Option<&'a str>,
) -> LogEntry<'a> {
    LogEntry {
        key: &row.due.key,
        revision: row.due.revision,
        attempt: row.due.attempt,
        pushed: Some(row.pushed),
        fate,
        request_id,
        idempotency_key: &row.idempotency_key,
        status,
        message,
    }
}
