//! Journeys: what a contact means among the other contacts of its customer.
//!
//! The fold marks the customer whose contact changed, in its own transaction. A round takes customers that are marked, or of whom time alone
//! has made a verdict final, locks their rows in `journeys`, reads their contacts near what changed, evaluates the definitions of
//! journeys for those that can be concerned and writes what differs: rows beside the contact's own, and what they add to windows. Marks are
//! deleted with it, so a crash anywhere repeats work and changes nothing.
//!
//! Any number of workers: a customer whose row is locked is another's. One of whose contacts cannot be read, as after a rollback to an earlier
//! release, keeps its marks and is passed over for a while.
//!
//! # What a mark has to say
//!
//! Subject: [`store::journeys::subject`] of the key; with a version where a job asks for it and no fact is new. Stretch: from the earlier of the
//! starts to the later of the ends of the contact before and after the change (of one without an end, its latest fact). A
//! contact whose key changes needs marks for both keys, and [`store::journeys::left`] for the old one. Of a contact that left and is nobody's
//! the old customer's round withholds the rows; it holds the contact meanwhile, so that it becomes nobody else's.
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
use crate::recess::Recess;
use crate::storm::Storm;
use crate::wake::Waker;
use runtime::chain;
use runtime::metrics::CounterHandle;
use schema::UtcMicros;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use store::journeys::{self, Due};
use store::marks::{self, Kind, Order, Pending};
use store::partitions::Partitions;
use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

/// Customers in one transaction.
const BATCH: u32 = 200;
/// Transactions over marks before what is due is looked after again.
const ROUNDS: u32 = 50;
/// A look for subjects reads so many marks for each that it may find, at most.
const MARKS_PER_SUBJECT: usize = 16;

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
    storm: Storm,
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

/// Organisation and customer key, or the subject of a mark.
type Key = (String, String);

/// Of whom a contact cannot be read: passed over for a while.
#[derive(Debug, Default)]
struct Refused {
    customers: BTreeSet<Key>,
    /// The subjects of their marks, which stay.
    subjects: BTreeSet<Key>,
    /// How many marks these have.
    marks: usize,
    recess: Recess,
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
        self.unreadable += other.unreadable;
    }
}

impl Refused {
    /// Lets them have their turn again, once it is time.
    fn forget(&mut self) {
        if self.recess.is_over(!self.customers.is_empty()) {
            *self = Self::default();
        }
    }

    /// How many subjects to look for, so that those refused hide no others.
    fn look(&self) -> u32 {
        let hidden = self.subjects.len() + self.marks / MARKS_PER_SUBJECT;
        BATCH.saturating_add(u32::try_from(hidden).unwrap_or(u32::MAX))
    }

    fn has(&self, pending: &Pending) -> bool {
        let subject = (pending.tenant.clone(), pending.subject.clone());
        self.subjects.contains(&subject)
    }

    /// Notes whom a round could not read of what it was asked. Returns how many customers of these are new.
    fn add(&mut self, tasks: &ask::Tasks, unreadable: Vec<Key>) -> u64 {
        let mut new = 0;
        for key in unreadable {
            if let Some(task) = tasks.get(&key) {
                self.marks += task.marks.len();
                let subjects = task.subjects(&key.1);
                let subjects = subjects.map(|subject| (key.0.clone(), subject));
                self.subjects.extend(subjects);
            }
            new += u64::from(self.customers.insert(key));
        }
        new
    }
}

/// Keeps journeys until told to stop.
pub async fn run(
    worker: JourneyWorker,
    waker: Waker,
    meters: JourneyMeters,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut refused = Refused::default();
    while !stop.is_cancelled() {
        refused.forget();
        let began = Instant::now();
        let more = match worker.drain_now(&mut refused, &stop).await {
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
        if !more || worker.storm.is_on() {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(worker.pause_after(began.elapsed())) => {}
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
            storm: applier.storm().clone(),
            config,
        }
    }

    fn pause_after(&self, worked: Duration) -> Duration {
        let known = self.catalogue.known();
        let critical = known.is_some_and(|active| active.has_critical_journeys());
        self.storm.pause_after(worked, self.config.every, critical)
    }

    /// Does what waits, by the server's clock, and tells whether more does.
    async fn drain_now(
        &self,
        refused: &mut Refused,
        stop: &CancellationToken,
    ) -> Result<(Drained, bool), StoreError> {
        let now = store::sweep::now(&self.store.client().await?).await?;
        let mut drained = self.all_due(now, refused, stop).await?;
        let more = self.all_marked(now, refused, stop, &mut drained).await?;
        Ok((drained, more))
    }

    /// Does all that waits: every verdict that is final as of this instant, and everything marked. What another worker has at hand is its.
    pub async fn drain(&self, as_of: UtcMicros) -> Result<Drained, StoreError> {
        let stop = CancellationToken::new();
        let mut refused = Refused::default();
        // First, because what is too much for one round is marked.
        let mut drained = self.all_due(as_of, &mut refused, &stop).await?;
        while self
            .all_marked(as_of, &mut refused, &stop, &mut drained)
            .await?
        {}
        Ok(drained)
    }

    async fn all_due(
        &self,
        as_of: UtcMicros,
        refused: &mut Refused,
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
            drained.add(self.due(&page, as_of, refused).await?);
            // What goes first in a storm does not wait for all of it.
            if self.storm.is_on() {
                break;
            }
        }
        Ok(drained)
    }

    /// Works marks off, and tells whether there are more.
    async fn all_marked(
        &self,
        as_of: UtcMicros,
        refused: &mut Refused,
        stop: &CancellationToken,
        drained: &mut Drained,
    ) -> Result<bool, StoreError> {
        let mut idle = 0;
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
            let known = refused.subjects.len();
            let done = self.marked(as_of, order, refused).await?;
            drained.add(done);
            // Who is refused makes room for others. What is first in one order may be another worker's: so both have to find nothing.
            let idles = done.customers == 0 && refused.subjects.len() == known;
            idle = if idles { idle + 1 } else { 0 };
            if idle == 2 {
                return Ok(false);
            }
            // One from each end, then what goes first has its turn.
            if self.storm.is_on() && round == 1 {
                break;
            }
        }
        Ok(true)
    }

    async fn marked(
        &self,
        as_of: UtcMicros,
        order: Order,
        refused: &mut Refused,
    ) -> Result<Drained, StoreError> {
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let active = self.catalogue.active(&tx).await?;
        // Read before any journey is locked: whatever is marked later is for the next round.
        let look = refused.look();
        let mut pending = marks::pending(&tx, Kind::Journey, None, order, look).await?;
        pending.retain(|pending| !refused.has(pending));
        pending.truncate(BATCH as usize);
        let tasks = ask::of_marks(pending);
        let (mut done, unreadable) = self.round(tx, &active, &tasks, as_of).await?;
        done.unreadable = refused.add(&tasks, unreadable);
        Ok(done)
    }

    async fn due(
        &self,
        page: &[Due],
        as_of: UtcMicros,
        refused: &mut Refused,
    ) -> Result<Drained, StoreError> {
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let active = self.catalogue.active(&tx).await?;
        let tasks = ask::of_due(page);
        let (mut done, unreadable) = self.round(tx, &active, &tasks, as_of).await?;
        done.unreadable = refused.add(&tasks, unreadable);
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(subject: &str, marks: i64) -> Pending {
        let at = UtcMicros(0);
        Pending {
            tenant: "acme".to_owned(),
            subject: subject.to_owned(),
            from: at,
            to: at,
            stretches: vec![(at, at)],
            marks: (0..marks).collect(),
            oldest: at,
        }
    }

    #[test]
    fn who_is_refused_leaves_room_for_a_batch_of_others() {
        let mut refused = Refused::default();
        assert_eq!(refused.look(), BATCH);
        let tasks = ask::of_marks(vec![pending("k", 1), pending("k@2", 32), pending("m", 1)]);
        let k = ("acme".to_owned(), "k".to_owned());
        assert_eq!(refused.add(&tasks, vec![k.clone()]), 1);
        let has = ["k", "k@2", "k@3", "m"].map(|subject| refused.has(&pending(subject, 1)));
        assert_eq!(has, [true, true, false, false]);
        // Two subjects, and two times as many marks as are read for one.
        assert_eq!(refused.look(), BATCH + 4);
        // What is due has no marks, and who was refused already is not counted again.
        assert_eq!(refused.add(&ask::Tasks::new(), vec![k]), 0);
        assert_eq!(refused.look(), BATCH + 4);
    }
}
