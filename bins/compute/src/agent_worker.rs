//! The time of agents: statements and legs → intervals, what these add to windows, and how each agent stands now.
//!
//! The fold marks the stretches of whose time changed, in its own transaction. A round takes agents that are marked, or due because time
//! alone moves them on, locks their rows in `agents`, reads what was stated of the UTC days concerned, folds it anew and writes what differs. Marks
//! are deleted with it, so a crash anywhere repeats work and changes nothing. A day is always computed whole: where it is cut changes
//! nothing ([`mod@agent`]).
//!
//! Any number of workers: an agent whose row is locked is another's. Each batch goes by the server's clock as it was read for it, and an agent is
//! never computed to an earlier instant than it was: else a worker that read the clock earlier would remove what another has just added.
//!
//! # Who is due
//!
//! An agent who is logged in, or scheduled, every [`AgentTimeConfig::tick`], so that running windows move; whoever has a change ahead that was
//! told already (a stated end, a cap, tomorrow's plan), then; who signed out, once more at the end of the UTC day. A day of which
//! nothing is known, or only that the agent was signed out, has no rows and adds nothing.
//!
//! # Definitions
//!
//! What is switched on is evaluated, once for each state and not for each interval. What an agent's time adds by other definitions stays as it is;
//! a job that wants one that is switched off computed says so with [`store::agents::ask`]. A definition that is new reaches the past
//! by a replay, which marks whatever it goes through.

mod count;
mod days;
mod difference;
mod round;
mod stands;
mod time;

use crate::apply::Applier;
use crate::catalogue::Watch;
use crate::recess::Recess;
use crate::storm::Storm;
use runtime::chain;
use runtime::metrics::CounterHandle;
use schema::{Millis, UtcMicros};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use store::marks::{self, Kind, Order};
use store::partitions::Partitions;
use store::{Class, Store, StoreError, agents};
use tokio_util::sync::CancellationToken;

/// Agents in one transaction.
const BATCH: u32 = 100;
/// So many are looked for: some may be another worker's.
const LOOK: u32 = 400;

/// How agents' time is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentTimeConfig {
    /// How long a state is believed that nobody ended; afterwards it is unknown.
    pub open_cap: Duration,
    /// How often the time of agents who are there is computed further.
    pub tick: Duration,
    /// How long to wait where there was nothing to do.
    pub every: Duration,
}

impl Default for AgentTimeConfig {
    fn default() -> Self {
        Self {
            open_cap: Duration::from_secs(12 * 3600),
            tick: Duration::from_secs(60),
            every: Duration::from_millis(200),
        }
    }
}

/// Keeps the time of agents. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AgentWorker {
    store: Store,
    partitions: Partitions,
    catalogue: Watch,
    storm: Storm,
    config: AgentTimeConfig,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Agents looked at.
    pub agents: u64,
    /// Days of agents computed.
    pub days: u64,
    /// Intervals written or removed because they really changed.
    pub intervals: u64,
    /// Items of windows written or removed.
    pub items: u64,
    /// Quarter hours of windows marked.
    pub cells: u64,
    /// Agents left for another time because something of theirs is refused.
    pub refused: u64,
}

/// How this is seen from outside.
#[derive(Debug, Clone)]
pub struct AgentMeters {
    /// Days of agents computed.
    pub days: CounterHandle,
    /// Intervals written or removed.
    pub intervals: CounterHandle,
}

impl Drained {
    fn add(&mut self, other: Self) {
        self.agents += other.agents;
        self.days += other.days;
        self.intervals += other.intervals;
        self.items += other.items;
        self.cells += other.cells;
        self.refused += other.refused;
    }

    /// Whether there was nothing to do.
    const fn is_nothing(&self) -> bool {
        self.agents == 0 && self.refused == 0
    }
}

impl AgentMeters {
    fn raise(&self, done: &Drained) {
        self.days.inc_by(done.days);
        self.intervals.inc_by(done.intervals);
        tracing::debug!(
            agents = done.agents,
            days = done.days,
            intervals = done.intervals,
            items = done.items,
            cells = done.cells,
            "the time of agents was computed"
        );
    }
}

/// Tenant and agent.
type Key = (String, String);

/// What a batch leaves to the next.
#[derive(Debug)]
struct Turn {
    order: Order,
    /// Whose time was refused: passed over for a while.
    refused: BTreeSet<Key>,
    recess: Recess,
}

impl Turn {
    fn first() -> Self {
        Self {
            order: Order::Newest,
            refused: BTreeSet::new(),
            recess: Recess::default(),
        }
    }

    /// Lets those whose time was refused have their turn again, once it is time.
    fn forget(&mut self) {
        if self.recess.is_over(!self.refused.is_empty()) {
            *self = Self::first();
        }
    }

    /// In turns: who is marked, today first, and who is due, then those whose past changed. So none waits for ever.
    const fn over(&mut self) {
        self.order = match self.order {
            Order::Newest => Order::Oldest,
            Order::Oldest => Order::Newest,
        };
    }
}

/// Keeps the time of agents until told to stop.
pub async fn run(
    worker: AgentWorker,
    meters: AgentMeters,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut turn = Turn::first();
    while !stop.is_cancelled() {
        let began = Instant::now();
        if let Err(error) = worker.drain_now(&meters, &mut turn, &stop).await {
            worker.mend(&error);
            tracing::warn!(error = %chain(&error), "computing the time of agents failed; trying again");
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(worker.pause_after(began.elapsed())) => {}
        }
    }
    Ok(())
}

impl AgentWorker {
    /// A worker beside this applier: on its store, by its catalogue.
    pub fn new(applier: &Applier, config: AgentTimeConfig) -> Self {
        Self {
            store: applier.store().clone(),
            partitions: applier.partitions().clone(),
            catalogue: applier.catalogue().clone(),
            storm: applier.storm().clone(),
            config,
        }
    }

    /// Does all that waits. The clock is the server's, read for each batch: a backfill that goes on marking agents would stop it for those
    /// who are due.
    async fn drain_now(
        &self,
        meters: &AgentMeters,
        turn: &mut Turn,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        while !stop.is_cancelled() {
            turn.forget();
            let now = store::sweep::now(&self.store.client().await?).await?;
            let done = self.pass(now, turn).await?;
            if done.is_nothing() {
                break;
            }
            meters.raise(&done);
            // What goes first in a storm does not wait for all of it.
            if self.storm.is_on() {
                break;
            }
        }
        Ok(())
    }

    fn pause_after(&self, worked: Duration) -> Duration {
        let known = self.catalogue.known();
        let critical = known.is_some_and(|active| active.has_critical_agent_time());
        self.storm.pause_after(worked, self.config.every, critical)
    }

    /// Does all that waits: everything marked, and every agent who is due as of this instant. What another worker has at hand is its.
    /// Whose time is computed to a later instant already stays there.
    pub async fn drain(&self, as_of: UtcMicros) -> Result<Drained, StoreError> {
        let mut drained = Drained::default();
        let mut turn = Turn::first();
        loop {
            let done = self.pass(as_of, &mut turn).await?;
            if done.is_nothing() {
                return Ok(drained);
            }
            drained.add(done);
        }
    }

    /// One batch of what waits.
    async fn pass(&self, as_of: UtcMicros, turn: &mut Turn) -> Result<Drained, StoreError> {
        let look = LOOK.saturating_add(u32::try_from(turn.refused.len()).unwrap_or(u32::MAX));
        let mut waiting = self.waiting(as_of, turn.order, look).await?;
        waiting.retain(|key| !turn.refused.contains(key));
        let done = self.batch(waiting, as_of, &mut turn.refused).await?;
        turn.over();
        Ok(done)
    }

    /// Who is marked, and who is due: the most urgent first, each once.
    async fn waiting(
        &self,
        as_of: UtcMicros,
        order: Order,
        limit: u32,
    ) -> Result<Vec<Key>, StoreError> {
        let client = self.store.client().await?;
        let due = agents::due(&client, as_of, limit).await?;
        let marked = marks::pending(&client, Kind::Agent, None, order, limit).await?;
        let marked = marked.into_iter().map(|mark| (mark.tenant, mark.subject));
        let mut waiting: Vec<Key> = match order {
            Order::Newest => marked.chain(due).collect(),
            Order::Oldest => due.into_iter().chain(marked).collect(),
        };
        let mut seen = BTreeSet::new();
        waiting.retain(|key| seen.insert(key.clone()));
        Ok(waiting)
    }

    /// One round; halved while it is refused, until the agent whose time is refused stands alone and is passed over.
    async fn batch(
        &self,
        waiting: Vec<Key>,
        as_of: UtcMicros,
        refused: &mut BTreeSet<Key>,
    ) -> Result<Drained, StoreError> {
        let mut drained = Drained::default();
        let mut todo = vec![waiting];
        while let Some(mut agents) = todo.pop() {
            if agents.is_empty() {
                continue;
            }
            let error = match self.round(&agents, as_of).await {
                Ok(done) => {
                    drained.add(done);
                    continue;
                }
                Err(error) if error.class() == Class::Rejected => error,
                Err(error) => return Err(error),
            };
            self.mend(&error);
            if let [alone] = &agents[..] {
                tracing::warn!(
                    tenant = alone.0,
                    agent = alone.1,
                    error = %chain(&error),
                    "the time of an agent cannot be computed"
                );
                refused.insert(alone.clone());
                drained.refused += 1;
                continue;
            }
            let second = agents.split_off(agents.len() / 2);
            todo.extend([second, agents]);
        }
        Ok(drained)
    }

    /// A month that retention dropped is made anew by the next round.
    fn mend(&self, error: &StoreError) {
        if error.is_missing_partition() {
            self.partitions.forget();
        }
    }

    fn open_cap(&self) -> Millis {
        millis(self.config.open_cap)
    }
}

fn millis(duration: Duration) -> Millis {
    Millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
