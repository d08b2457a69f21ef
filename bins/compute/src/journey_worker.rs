//! Journeys: what a contact means among the other contacts of its customer.
//!
//! The fold marks the customer whose contact changed, in its own transaction. A round takes customers that are marked, or of whom time alone
//! has made a verdict final, locks their rows in `journeys`, reads their contacts near what changed, evaluates the definitions of
//! journeys for those that can be concerned and writes what differs: rows beside the contact's own, and what they add to windows. Marks are
//! deleted with it, so a crash anywhere repeats work and changes nothing.
//!
//! Any number of workers: a customer whose row is locked is another's.
//!
//! # What a mark has to say
//!
//! Subject: [`store::journeys::subject`] of the key; with a version where a job asks for it and no fact is new. Stretch: from the earlier of the
//! starts to the later of the ends of the contact before and after the change (of one without an end, its latest fact). A
//! contact whose key changes needs marks for both keys, and [`store::journeys::left`] for the old one.
//!
//! # Many contacts
//!
//! More than [`JourneyConfig::contacts_max`] contacts that follow one another within a definition's `within` are no person but a number that many
//! share. Their rows are absent with the reason `too_many_contacts`, and one contact more costs the reading of so many columns, not
//! their evaluation.

mod ask;
mod evaluate;
mod matter;
mod reach;
mod round;
mod sessions;

use crate::apply::Applier;
use crate::catalogue::Watch;
use crate::findings::Findings;
use crate::wake::Waker;
use runtime::chain;
use runtime::metrics::CounterHandle;
use schema::UtcMicros;
use std::time::Duration;
use store::journeys::{self, Due};
use store::marks::{self, Kind, Order};
use store::partitions::Partitions;
use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

/// Customers in one transaction.
const BATCH: u32 = 200;
/// Transactions over marks before what is due is looked after again.
const ROUNDS: u32 = 50;

/// How journeys are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JourneyConfig {
    /// How long to wait where there was nothing to do.
    pub every: Duration,
    /// So many contacts that follow one another are evaluated together; of more, none is.
    pub contacts_max: usize,
}

impl Default for JourneyConfig {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            contacts_max: 500,
        }
    }
}

/// Evaluates journeys. Cheap to clone.
#[derive(Debug, Clone)]
pub struct JourneyWorker {
    store: Store,
    partitions: Partitions,
    catalogue: Watch,
    findings: Findings,
    config: JourneyConfig,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Customers looked at.
    pub customers: u64,
    /// Metric rows evaluated.
    pub evaluated: u64,
    /// Metric rows written because they really changed.
    pub written: u64,
    /// Rows queued for delivery.
    pub queued: u64,
    /// Quarter hours of windows marked.
    pub cells: u64,
    /// Customers left for another time because a contact of theirs cannot be read.
    pub unreadable: u64,
}

/// How this is seen from outside.
#[derive(Debug, Clone)]
pub struct JourneyMeters {
    /// Customers looked at.
    pub customers: CounterHandle,
    /// Metric rows written.
    pub written: CounterHandle,
}

impl Drained {
    fn add(&mut self, other: Self) {
        self.customers += other.customers;
        self.evaluated += other.evaluated;
        self.written += other.written;
        self.queued += other.queued;
        self.cells += other.cells;
        self.unreadable = other.unreadable;
    }
}

/// Keeps journeys until told to stop.
pub async fn run(
    worker: JourneyWorker,
    waker: Waker,
    meters: JourneyMeters,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        let more = match worker.drain_now(&stop).await {
            Ok((drained, more)) => {
                if drained.queued > 0 {
                    waker.wake(drained.queued);
                }
                if drained.customers > 0 {
                    meters.customers.inc_by(drained.customers);
                    meters.written.inc_by(drained.written);
                    tracing::debug!(
                        customers = drained.customers,
                        written = drained.written,
                        cells = drained.cells,
                        "journeys were evaluated"
                    );
                }
                more
            }
            Err(error) => {
                if error.is_missing_partition() {
                    // Retention dropped a month that this process knows: the next round makes it anew.
                    worker.partitions.forget();
                }
                tracing::warn!(error = %chain(&error), "evaluating journeys failed; trying again");
                false
            }
        };
        if !more {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(worker.config.every) => {}
            }
        }
    }
    Ok(())
}

impl JourneyWorker {
    /// A worker beside this applier: on its store, by its catalogue.
    pub fn new(applier: &Applier, config: JourneyConfig) -> Self {
        Self {
            store: applier.store().clone(),
            partitions: applier.partitions().clone(),
            catalogue: applier.catalogue().clone(),
            findings: Findings::default(),
            config,
        }
    }

    /// Does what waits, by the server's clock, and tells whether more does.
    async fn drain_now(&self, stop: &CancellationToken) -> Result<(Drained, bool), StoreError> {
        let now = store::sweep::now(&self.store.client().await?).await?;
        let mut drained = self.all_due(now, stop).await?;
        let more = self.all_marked(now, stop, &mut drained).await?;
        Ok((drained, more))
    }

    /// Does all that waits: every verdict that is final as of this instant, and everything marked. What another worker has at hand is its.
    pub async fn drain(&self, as_of: UtcMicros) -> Result<Drained, StoreError> {
        let stop = CancellationToken::new();
        // First, because what is too much for one round is marked.
        let mut drained = self.all_due(as_of, &stop).await?;
        while self.all_marked(as_of, &stop, &mut drained).await? {}
        Ok(drained)
    }

    async fn all_due(
        &self,
        as_of: UtcMicros,
        stop: &CancellationToken,
    ) -> Result<Drained, StoreError> {
        let mut drained = Drained::default();
        let mut last: Option<Due> = None;
        while !stop.is_cancelled() {
            let page = {
                let client = self.store.client().await?;
                journeys::due(&client, as_of, last.as_ref(), BATCH).await?
            };
            let Some(latest) = page.last() else { break };
            last = Some(latest.clone());
            drained.add(self.due(&page, as_of).await?);
        }
        Ok(drained)
    }

    /// Works marks off, and tells whether there are more.
    async fn all_marked(
        &self,
        as_of: UtcMicros,
        stop: &CancellationToken,
        drained: &mut Drained,
    ) -> Result<bool, StoreError> {
        for round in 0..ROUNDS {
            if stop.is_cancelled() {
                break;
            }
            // In turns: what is going on now is not kept waiting by a history, and the history comes to its end.
            let order = if round % 2 == 0 {
                Order::Newest
            } else {
                Order::Oldest
            };
            let done = self.marked(as_of, order).await?;
            drained.add(done);
            if done.customers == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn marked(&self, as_of: UtcMicros, order: Order) -> Result<Drained, StoreError> {
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let active = self.catalogue.active(&tx).await?;
        // Read before any journey is locked: whatever is marked later is for the next round.
        let pending = marks::pending(&tx, Kind::Journey, None, order, BATCH).await?;
        let tasks = ask::of_marks(pending);
        self.round(tx, &active, tasks, as_of).await
    }

    async fn due(&self, page: &[Due], as_of: UtcMicros) -> Result<Drained, StoreError> {
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let active = self.catalogue.active(&tx).await?;
        self.round(tx, &active, ask::of_due(page), as_of).await
    }
}
