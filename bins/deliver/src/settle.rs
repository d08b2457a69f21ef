//! Writing down: what was sent, and what became of it.

use crate::batch::{self, Candidate, GivenUp, Prepared};
use crate::fate::Settlement;
use crate::send::Exchange;
use runtime::{Backoff, chain};
use std::time::{Duration, Instant};
use store::sync::{self, Due, Fate, LogEntry, LogFate, MetricKey, Outcome, Settled};
use store::{Store, StoreError, Transaction};
use target::{Adapter, Held};
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

    /// Notes one fate for a whole request whose rows stay leased, because they go again at once, or were not sent at all.
    pub async fn passed(
        &self,
        request: Uuid,
        rows: &[Prepared],
        exchange: Option<&Exchange>,
        why: &str,
    ) -> Result<(), StoreError> {
        let status = exchange.and_then(|exchange| exchange.status.map(i32::from));
        let entries: Vec<_> = rows
            .iter()
            .map(|row| entry(row, request, LogFate::Snoozed, status, Some(why)))
            .collect();
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        sync::log(&tx, &self.target, &entries).await?;
        self.note(&tx, request, rows, exchange).await?;
        tx.commit().await
    }

    /// Notes the fate of every row of a request and moves the rows on. Tried until it works or the lease is over: then another
    /// claim will find `sent` without a fate.
    pub async fn settle(
        &self,
        (lease, lease_ends): (Uuid, Instant),
        request: Uuid,
        rows: &[Prepared],
        exchange: Option<&Exchange>,
        settlements: &[Settlement],
    ) -> Result<Outcome, StoreError> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        loop {
            match self
                .settle_once(lease, request, rows, exchange, settlements)
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
        exchange: Option<&Exchange>,
        settlements: &[Settlement],
    ) -> Result<Outcome, StoreError> {
        let status = exchange.and_then(|exchange| exchange.status.map(i32::from));
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
                together: None,
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
        let outcome = sync::settle(&tx, &self.target, &settled).await?;
        sync::log(&tx, &self.target, &entries).await?;
        self.note(&tx, request, rows, exchange).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// A row for the request itself, where it was sent.
    async fn note(
        &self,
        tx: &Transaction<'_>,
        request: Uuid,
        rows: &[Prepared],
        exchange: Option<&Exchange>,
    ) -> Result<(), StoreError> {
        let Some(exchange) = exchange else {
            return Ok(());
        };
        let noted = sync::Request {
            id: request,
            sent_at: exchange.sent_at,
            took: exchange.took,
            attempt: rows.iter().map(|row| row.due.attempt).max().unwrap_or(0),
            rows: rows.len(),
            bytes: exchange.bytes,
            status: exchange.status.map(i32::from),
            outcome: exchange.outcome,
            correlation: exchange.correlation.as_deref(),
            answer: exchange.answer.as_deref(),
        };
        sync::note_request(tx, &self.target, &noted).await
    }

    /// Gives rows back that were not sent: due at once, no attempt spent, nothing logged. `together` is with how many each may share a
    /// request from now on, where larger ones were refused.
    pub async fn release<'a>(
        &self,
        lease: Uuid,
        rows: impl Iterator<Item = &'a Due>,
        together: Option<usize>,
    ) -> Result<(), StoreError> {
        self.move_on(lease, rows, Fate::Snooze, together, None)
            .await
    }

    /// After trouble with the store: gives everything back that is still held under the lease, as soon as the store answers again.
    /// The attempt stays counted, so that the next claim looks for pushes whose fate got lost. At the end of the lease the
    /// rows are due anyway.
    pub async fn abandon(&self, lease: Uuid, lease_ends: Instant, rows: &[(i64, &MetricKey)]) {
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

    async fn abandon_once(
        &self,
        lease: Uuid,
        rows: &[(i64, &MetricKey)],
    ) -> Result<(), StoreError> {
        let settled: Vec<_> = rows
            .iter()
            .map(|(row, key)| Settled {
                row: *row,
                key,
                lease,
                revision: i64::MAX,
                fate: Fate::Retry,
                retry_in: Duration::ZERO,
                together: None,
                status: None,
                message: None,
            })
            .collect();
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        sync::settle(&tx, &self.target, &settled).await?;
        tx.commit().await
    }

    /// What the platform has of these rows, as far as the log says; nothing of those that need not be asked for. What an operator asked for goes
    /// as if nobody knew.
    pub async fn held(
        &self,
        rows: &[Candidate],
        adapter: &Adapter,
    ) -> Result<Vec<Held>, StoreError> {
        let forced = |row: &Candidate| {
            if row.due.again {
                Held::Unknown
            } else {
                Held::Nothing
            }
        };
        let mut held: Vec<Held> = rows.iter().map(forced).collect();
        let (asked, keys): (Vec<usize>, Vec<&MetricKey>) = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| !row.due.again && row.asks_for_held(adapter))
            .map(|(index, row)| (index, &row.due.key))
            .unzip();
        if keys.is_empty() {
            return Ok(held);
        }
        let client = self.store.client().await?;
        let versions = batch::versions(adapter);
        let last = sync::last_pushed(&client, &self.target, &keys, versions).await?;
        for (index, last) in asked.into_iter().zip(last) {
            held[index] = batch::held(last);
        }
        Ok(held)
    }

    /// Takes rows off the queue of which there is nothing to send.
    pub async fn done(&self, lease: Uuid, rows: &[Due]) -> Result<(), StoreError> {
        self.move_on(lease, rows.iter(), Fate::Accepted, None, None)
            .await
    }

    /// Writes down rows that are not sent and never will be as they are.
    pub async fn give_up(&self, lease: Uuid, rows: &[GivenUp]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let request = Uuid::now_v7();
        let settled: Vec<_> = rows
            .iter()
            .map(|row| Settled {
                row: row.due.row,
                key: &row.due.key,
                lease,
                revision: row.due.revision,
                fate: row.fate,
                retry_in: Duration::ZERO,
                together: None,
                status: None,
                message: Some(&row.why),
            })
            .collect();
        let entries: Vec<_> = rows
            .iter()
            .map(|row| LogEntry {
                key: &row.due.key,
                revision: row.due.revision,
                attempt: row.due.attempt,
                pushed: None,
                fate: row.fate.into(),
                request_id: request,
                idempotency_key: &row.idempotency_key,
                status: None,
                message: Some(&row.why),
            })
            .collect();
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        sync::settle(&tx, &self.target, &settled).await?;
        sync::log(&tx, &self.target, &entries).await?;
        tx.commit().await
    }

    async fn move_on<'a>(
        &self,
        lease: Uuid,
        rows: impl Iterator<Item = &'a Due>,
        fate: Fate,
        together: Option<usize>,
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
                together,
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
        pushed: row.pushed,
        fate,
        request_id,
        idempotency_key: &row.idempotency_key,
        status,
        message,
    }
}
