//! Windows of local time, kept as the marks ask for it: items → quarter hours → windows.
//!
//! Whoever changes an item appends a mark for its cell in the same transaction. A round takes the marks of one organisation, computes
//! the cells they name from the items, merges what changed upward into every window it is part of, and deletes exactly the marks it has
//! read: one transaction, so that a reader never sees a day that is not the sum of its hours, but where the day is left, as follows, and
//! says that it is settling. Nothing is ever incremented, so late facts, corrections and backfills of any age are the same as fresh news, and a process that is killed leaves nothing half done.
//!
//! While many cells wait, as after a backfill, days and longer windows are left until the last of their cells is computed, or they would be
//! computed for each of these: a mark of the group says so, in the same transaction. If it takes long, what was left longest is computed
//! now and then as it stands.
//!
//! One round at a time works for an organisation, under a lease that ends with its transaction; any number of processes may ask. The
//! newest cells go first, but for one round in some, and many marks of one cell are one computation. A cell or a group that cannot be
//! computed is passed over for a while, alone: the others are not kept waiting for it.

mod cells;
mod changed;
mod days;
mod fold;
mod merge;
mod pace;
mod round;
mod rules;
mod tiles;

pub use pace::WindowConfig;

use crate::apply::Applier;
use crate::catalogue::{Active, Watch};
use crate::pressure::Pressure;
use crate::storm::Storm;
use pace::Pace;
use round::Tenant;
use rules::Rules;
use runtime::chain;
use runtime::metrics::{CounterHandle, HistogramHandle};
use rustc_hash::FxHashMap;
use schema::{Millis, UtcMicros};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use store::marks::{self, Kind, Order, Pending};
use store::partitions::{Partitions, Table};
use store::{Class, Store, StoreError, Transaction};
use tokio_util::sync::CancellationToken;
use window::{Cell, Day, DecodeError};

/// Cells that are looked at in a round: what is beyond is not even known to wait.
const LOOK_MAX: u32 = 20_000;
/// A window begins at most so far before one of its cells: a month, and the hours by which a zone is off. Every month in between has one of
/// these.
const REACH: [Millis; 3] = [
    Millis(-33 * 86_400_000),
    Millis(-16 * 86_400_000),
    Millis::ZERO,
];

/// Keeps the windows. Cheap to clone; one per process.
#[derive(Debug, Clone)]
pub struct WindowWorker {
    store: Store,
    partitions: Partitions,
    catalogue: Watch,
    storm: Storm,
    /// The rules of the state of the catalogue that was seen last.
    rules: Arc<Mutex<Option<RulesOf>>>,
}

/// The rules of a generation of the catalogue.
type RulesOf = (i64, Arc<Rules>);

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Cells computed.
    pub cells: u64,
    /// Groups computed whose windows were left or asked for.
    pub groups: u64,
    /// Items read for it.
    pub items: u64,
    /// Rows of windows written.
    pub written: u64,
    /// Rows of windows deleted.
    pub removed: u64,
    /// Whether marks were left for another round.
    pub more: bool,
}

impl Round {
    fn add(&mut self, other: Self) {
        self.cells += other.cells;
        self.groups += other.groups;
        self.items += other.items;
        self.written += other.written;
        self.removed += other.removed;
        self.more |= other.more;
    }

    const fn is_idle(&self) -> bool {
        self.cells + self.groups == 0
    }
}

/// Windows could not be computed. Nothing of the round was committed.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// PostgreSQL.
    #[error("the store did not do its part for the windows")]
    Store(#[from] StoreError),
    /// A later release wrote the cells, or somebody else did.
    #[error("the cells of {group} on {} cannot be read", day.start())]
    Cells {
        /// The day.
        day: Day,
        /// What the group is by, and its key.
        group: String,
        /// What is wrong with them.
        source: DecodeError,
    },
}

/// How this is seen from outside.
#[derive(Debug, Clone)]
pub struct WindowMeters {
    /// Cells computed.
    pub cells: CounterHandle,
    /// Rows of windows written or deleted.
    pub written: CounterHandle,
    /// How long a round took.
    pub seconds: HistogramHandle,
}

impl WindowWorker {
    /// A worker beside this applier: on its store, by its catalogue.
    pub fn new(applier: &Applier) -> Self {
        Self {
            store: applier.store().clone(),
            partitions: applier.partitions().clone(),
            catalogue: applier.catalogue().clone(),
            storm: applier.storm().clone(),
            rules: Arc::default(),
        }
    }

    /// Computes all that is marked now, of all organisations. For tests and one-off commands. What cannot be computed is an error once all
    /// else is.
    pub async fn drain(&self) -> Result<Round, WindowError> {
        let mut sum = Round::default();
        let mut paces: FxHashMap<String, Pace> = FxHashMap::default();
        let mut refused = None;
        loop {
            let mut idle = true;
            for tenant in self.tenants().await? {
                let pace = paces.entry(tenant.clone()).or_default();
                match self.round(&tenant, pace).await {
                    Ok(Some(round)) => {
                        idle &= !round.more && round.is_idle();
                        sum.add(round);
                    }
                    Ok(None) => {}
                    Err(error) if error.class() == Class::Rejected => {
                        idle = false;
                        refused = Some(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            if idle {
                sum.more = false;
                return refused.map_or(Ok(sum), Err);
            }
        }
    }

    async fn tenants(&self) -> Result<Vec<String>, WindowError> {
        let client = self.store.client().await?;
        let mut tenants = marks::tenants(&client, Kind::Cell).await?;
        tenants.extend(marks::tenants(&client, Kind::Group).await?);
        tenants.sort_unstable();
        tenants.dedup();
        Ok(tenants)
    }

    /// One round for one organisation; `None` where another process is at it.
    async fn round(&self, tenant: &str, pace: &mut Pace) -> Result<Option<Round>, WindowError> {
        let mut round = match self.cells(tenant, pace).await {
            Ok(Some(done)) => done,
            Ok(None) => return Ok(None),
            Err(error) => {
                pace.cells.failed();
                return Err(error);
            }
        };
        if pace.left_are_due(round.more) {
            match self.groups(tenant, pace).await {
                Ok(done) => round.add(done),
                Err(error) => {
                    pace.groups.failed();
                    return Err(error);
                }
            }
        }
        Ok(Some(round))
    }

    /// Computes cells and the windows they are in, but for long ones in which others wait. `None` where another process is at it.
    async fn cells(&self, tenant: &str, pace: &mut Pace) -> Result<Option<Round>, WindowError> {
        let known = {
            let client = self.store.client().await?;
            pending(&client, tenant).await?
        };
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let active = self.catalogue.active(&tx).await?;
        if !marks::try_lease(&tx, Kind::Cell, tenant, "").await? {
            return Ok(None);
        }
        // Again, under the lease: the one before may have been computed meanwhile.
        let mut waiting = pending(&tx, tenant).await?;
        waiting.retain(|cell, _| known.contains_key(cell));
        // Looking at what waits costs the same however much is taken of it.
        let began = Instant::now();
        let taken = take(&mut waiting, pace);
        pace.cells.tries(taken.keys().copied());
        // Months are made beside the transaction, which has not touched that table yet.
        let reach = taken
            .keys()
            .flat_map(|cell| REACH.map(|reach| cell.start().plus(reach)));
        self.partitions.ensure(Table::WindowMetrics, reach).await?;
        let tenant = self.tenant(&tx, tenant, &active);
        let waiting: BTreeSet<Cell> = waiting.into_keys().collect();
        let mut round = tenant.cells(&taken, &waiting).await?;
        tx.commit().await?;
        round.more = !waiting.is_empty();
        pace.cells.took(began.elapsed(), round.more);
        Ok(Some(round))
    }

    /// Computes windows that were left, and all windows of groups that somebody asked for.
    async fn groups(&self, tenant: &str, pace: &mut Pace) -> Result<Round, WindowError> {
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let active = self.catalogue.active(&tx).await?;
        if !marks::try_lease(&tx, Kind::Cell, tenant, "").await? {
            return Ok(Round::default());
        }
        let most = pace.groups.size() + pace.groups.passed_over();
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let mut marked = marks::longest_waiting_groups(&tx, tenant, most).await?;
        let began = Instant::now();
        let mut more = marked.len() >= most as usize;
        if let Some(again) = pace.groups.again() {
            marked.retain(|mark| mark.subject == again);
        } else {
            marked.retain(|mark| !pace.groups.passes_over(&mark.subject));
            if let Some(half) = pace.groups.half() {
                more = true;
                marked.retain(|mark| half.contains(&mark.subject));
            }
            marked.truncate(pace.groups.size());
        }
        pace.groups
            .tries(marked.iter().map(|mark| mark.subject.clone()));
        if marked.is_empty() {
            return Ok(Round {
                more,
                ..Round::default()
            });
        }
        // Cells of these months were computed once, but retention may have dropped the windows.
        let reach = marked.iter().flat_map(|mark| {
            let half = -REACH[1].0 * 1000;
            let starts = (mark.from.0..=mark.to.0).step_by(usize::try_from(half).unwrap_or(1));
            let starts = starts.chain([mark.to.0]).map(UtcMicros);
            starts.flat_map(|at| REACH.map(|reach| at.plus(reach)))
        });
        self.partitions.ensure(Table::WindowMetrics, reach).await?;
        let tenant = self.tenant(&tx, tenant, &active);
        let mut round = tenant.marked_groups(&marked).await?;
        tx.commit().await?;
        round.more |= more;
        pace.groups.took(began.elapsed(), round.more);
        Ok(round)
    }

    fn tenant<'a>(&self, tx: &'a Transaction<'a>, name: &'a str, active: &'a Active) -> Tenant<'a> {
        Tenant {
            tx,
            name,
            rules: self.rules_of(active),
            places: active.catalogue.library().places(),
            not_read: &active.unreadable,
        }
    }

    fn rules_of(&self, active: &Active) -> Arc<Rules> {
        let mut known = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((generation, rules)) if *generation == active.generation => Arc::clone(rules),
            _ => {
                let rules = Arc::new(Rules::of(active));
                *known = Some((active.generation, Arc::clone(&rules)));
                rules
            }
        }
    }
}

/// Takes out what a round computes: what was passed over and is tried again, alone; else a half of what failed; else the newest cells, or
/// now and then the oldest. What is passed over is taken out too.
fn take(waiting: &mut BTreeMap<Cell, Pending>, pace: &mut Pace) -> BTreeMap<Cell, Pending> {
    let again = pace.cells.again();
    let again = again.and_then(|cell| waiting.remove_entry(&cell));
    waiting.retain(|cell, _| !pace.cells.passes_over(cell));
    if let Some(alone) = again {
        return BTreeMap::from([alone]);
    }
    while let Some(half) = pace.cells.half() {
        let half = half
            .iter()
            .filter_map(|cell| waiting.remove_entry(cell))
            .collect::<BTreeMap<Cell, Pending>>();
        if !half.is_empty() {
            return half;
        }
    }
    let oldest_first = pace.oldest_first();
    let mut taken = BTreeMap::new();
    while taken.len() < pace.cells.size() {
        let next = if oldest_first {
            waiting.pop_first()
        } else {
            waiting.pop_last()
        };
        let Some((cell, mark)) = next else { break };
        taken.insert(cell, mark);
    }
    taken
}

/// The cells that are marked, with their marks.
async fn pending(
    conn: &impl store::Connection,
    tenant: &str,
) -> Result<BTreeMap<Cell, Pending>, StoreError> {
    let pending = marks::pending(conn, Kind::Cell, Some(tenant), Order::Newest, LOOK_MAX).await?;
    Ok(pending
        .into_iter()
        .map(|mark| (Cell::of(mark.from), mark))
        .collect())
}

/// The subject of the mark, of kind group, that an agent's windows go by another clock now.
pub(crate) fn moved(agent: &str) -> String {
    merge::moved(agent)
}

/// Keeps windows until told to stop.
pub async fn run(
    worker: WindowWorker,
    config: WindowConfig,
    pressure: Pressure,
    meters: WindowMeters,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut paces: FxHashMap<String, Pace> = FxHashMap::default();
    while !stop.is_cancelled() {
        let began = Instant::now();
        let mut more = false;
        match worker.tenants().await {
            Ok(tenants) => {
                paces.retain(|tenant, _| tenants.contains(tenant));
                for tenant in tenants {
                    if stop.is_cancelled() {
                        break;
                    }
                    let pace = paces.entry(tenant.clone()).or_default();
                    let began = Instant::now();
                    match worker.round(&tenant, pace).await {
                        Ok(Some(round)) if !round.is_idle() => {
                            more |= round.more;
                            meters.cells.inc_by(round.cells);
                            meters.written.inc_by(round.written + round.removed);
                            meters.seconds.observe(began.elapsed().as_secs_f64());
                            tracing::debug!(
                                tenant,
                                cells = round.cells,
                                groups = round.groups,
                                items = round.items,
                                written = round.written,
                                removed = round.removed,
                                duration_ms =
                                    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                                "windows computed"
                            );
                        }
                        Ok(_) => {}
                        Err(error) => {
                            worker.mend(&error);
                            tracing::warn!(tenant, error = %chain(&error), "windows could not be computed; trying again");
                        }
                    }
                }
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the marks of windows could not be read");
            }
        }
        // What is deferred adds nothing yet: in a storm these are the windows of what is critical, and have their share.
        let pressed = pressure.is_on() || worker.storm.is_on();
        let pause = config.pause_after(began.elapsed(), more, pressed);
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    Ok(())
}

impl WindowWorker {
    /// A month that retention dropped is made anew by the next round.
    fn mend(&self, error: &WindowError) {
        if let WindowError::Store(error) = error
            && error.is_missing_partition()
        {
            self.partitions.forget();
        }
    }
}

impl WindowError {
    /// What to do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Store(error) => error.class(),
            Self::Cells { .. } => Class::Rejected,
        }
    }
}
