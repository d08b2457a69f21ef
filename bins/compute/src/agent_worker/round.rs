//! One round: lock, read, fold, write, forget the marks; one transaction.

use super::count::{Definitions, Sums};
use super::days::{runs, to_compute};
use super::difference::difference;
use super::stands::Now;
use super::time::{Team, Told, row};
use super::{AgentWorker, BATCH, Drained, Key, millis};
use agent::{Interval, Rules};
use schema::{AgentFact, Millis, UtcMicros};
use std::collections::{BTreeMap, BTreeSet};
use store::agents::{self, Activity, AgentMark, AgentRow, IntervalRow, Run};
use store::marks::{self, Kind, Mark};
use store::partitions::Table;
use store::window_items::{self, Item, Source};
use store::{StoreError, Transaction};
use timezone::Places;
use window::{Cell, Day};

/// So many days of agents are computed in one round; the agents that are left wait for the next.
const DAYS: usize = 1_000;

/// One agent in a round.
struct Task {
    stored: AgentRow,
    marks: Vec<AgentMark>,
    /// As of when its time is computed: never earlier than it was before.
    as_of: UtcMicros,
    runs: Vec<(Day, Day)>,
}

/// A run of days of one agent.
struct Stretch {
    /// The place of the agent among the tasks.
    task: usize,
    days: (Day, Day),
    facts: Vec<AgentFact>,
    activity: Vec<Activity>,
    intervals: Vec<Interval>,
    rows: Vec<IntervalRow>,
}

impl AgentWorker {
    /// Computes the time of these agents, as far as no other worker has it at hand, and commits. Whose time is computed to a later instant
    /// already stays there.
    pub(super) async fn round(
        &self,
        agents: &[Key],
        as_of: UtcMicros,
    ) -> Result<Drained, StoreError> {
        let mut client = self.store.client().await?;
        let tx = client.transaction().await?;
        let active = self.catalogue.active(&tx).await?;
        let tasks = tasks(&tx, agents, as_of).await?;
        if tasks.is_empty() {
            return Ok(Drained::default());
        }
        let places = active.catalogue.library().places();
        let mut stretches = read(&tx, &tasks, self.open_cap()).await?;
        let noted = self.fold(&tx, &tasks, &mut stretches, places).await?;
        // Beside the transaction, which has not touched that table yet.
        let rows = stretches.iter().flat_map(|stretch| &stretch.rows);
        let instants: Vec<UtcMicros> = rows.map(|row| row.from).collect();
        self.partitions
            .ensure(Table::IntervalStates, instants)
            .await?;
        let intervals = write_intervals(&tx, &tasks, &stretches).await?;
        let definitions = Definitions::of(&active);
        let (items, cells) = write_items(&tx, &tasks, &stretches, &definitions).await?;
        agents::note(&tx, &noted).await?;
        let done: Vec<i64> = tasks
            .iter()
            .flat_map(|task| task.marks.iter().map(|mark| mark.mark_id))
            .collect();
        marks::finish(&tx, &done, &active.unreadable).await?;
        marks::miss(&tx, &unmarked(&tasks), &active.unreadable).await?;
        tx.commit().await?;
        let days = stretches
            .iter()
            .map(|stretch| u64::from((stretch.days.1.0 - stretch.days.0.0).unsigned_abs()));
        Ok(Drained {
            agents: tasks.len() as u64,
            days: days.sum(),
            intervals,
            items,
            cells,
            refused: 0,
        })
    }

    /// Folds what was read, and tells how the agents stand.
    async fn fold(
        &self,
        tx: &Transaction<'_>,
        tasks: &[Task],
        stretches: &mut [Stretch],
        places: &Places,
    ) -> Result<Vec<AgentRow>, StoreError> {
        let rules = Rules {
            open_cap: self.open_cap(),
        };
        let ahead: Vec<(&str, &str, UtcMicros)> = tasks
            .iter()
            .map(|task| {
                let (tenant, agent_id) = task.key();
                (tenant, agent_id, task.as_of)
            })
            .collect();
        let next = agents::next_statements(tx, &ahead).await?;
        let mut noted: Vec<AgentRow> = Vec::with_capacity(tasks.len());
        for stretch in stretches {
            let Some(task) = tasks.get(stretch.task) else {
                continue;
            };
            let as_of = task.as_of;
            let team = Team {
                places,
                tenant: &task.stored.tenant,
                agent_id: &task.stored.agent_id,
            };
            let mut told = Told {
                facts: std::mem::take(&mut stretch.facts),
                busy: Vec::with_capacity(stretch.activity.len()),
            };
            for activity in &stretch.activity {
                told.add(activity);
            }
            stretch.intervals = told.intervals(stretch.days, as_of, rules, &team);
            stretch.rows = stretch.intervals.iter().map(row).collect();
            // The last run of an agent has today in it.
            if stretch.days.1 <= Day::of(as_of) {
                continue;
            }
            let today = Day::of(as_of).start();
            let now = Now {
                as_of,
                rules,
                tick: millis(self.config.tick),
                next: next.get(stretch.task).copied().flatten(),
                today_tells: stretch.rows.last().is_some_and(|row| row.from >= today),
            };
            noted.push(now.row(&task.stored, &told, &team));
        }
        Ok(noted)
    }
}

impl Task {
    fn key(&self) -> (&str, &str) {
        (&self.stored.tenant, &self.stored.agent_id)
    }
}

/// The days that are computed of agents of whom nothing is marked, because they are due, as marks.
fn unmarked(tasks: &[Task]) -> Vec<Mark<'_>> {
    let due = tasks.iter().filter(|task| task.marks.is_empty());
    let marks = due.flat_map(|task| {
        let (tenant, subject) = task.key();
        task.runs.iter().map(move |(first, end)| Mark {
            kind: Kind::Agent,
            tenant,
            subject,
            from: first.start(),
            to: end.start(),
        })
    });
    marks.collect()
}

/// Locks agents and tells which days of theirs are to be computed; no more than fit into a round.
async fn tasks(
    tx: &Transaction<'_>,
    agents: &[Key],
    as_of: UtcMicros,
) -> Result<Vec<Task>, StoreError> {
    let locked = agents::lock(tx, agents, BATCH).await?;
    let keys: Vec<(&str, &str)> = locked
        .iter()
        .map(|row| (row.tenant.as_str(), row.agent_id.as_str()))
        .collect();
    let marks = agents::marks(tx, &keys).await?;
    let mut tasks: Vec<Task> = Vec::new();
    let mut sum = 0;
    for (stored, marks) in locked.into_iter().zip(marks) {
        // Read under the lock: who read the clock before another worker did takes nothing back of what that one computed.
        let as_of = stored.computed_to.map_or(as_of, |to| to.max(as_of));
        let days = to_compute(&marks, stored.computed_to, as_of);
        sum += days.len();
        if sum > DAYS && !tasks.is_empty() {
            break;
        }
        tasks.push(Task {
            stored,
            marks,
            as_of,
            runs: runs(&days),
        });
    }
    Ok(tasks)
}

/// What was stated of the runs.
async fn read(
    tx: &Transaction<'_>,
    tasks: &[Task],
    open_cap: Millis,
) -> Result<Vec<Stretch>, StoreError> {
    let days: Vec<(usize, (Day, Day))> = tasks
        .iter()
        .enumerate()
        .flat_map(|(place, task)| task.runs.iter().map(move |run| (place, *run)))
        .collect();
    let runs: Vec<Run<'_>> = days
        .iter()
        .filter_map(|(task, days)| Some(run(tasks.get(*task)?, *days)))
        .collect();
    let facts = agents::facts(tx, &runs, open_cap).await?;
    let activity = agents::activity(tx, &runs, open_cap).await?;
    let told = facts.into_iter().zip(activity);
    Ok(days
        .into_iter()
        .zip(told)
        .map(|((task, days), (facts, activity))| Stretch {
            task,
            days,
            facts,
            activity,
            intervals: Vec::new(),
            rows: Vec::new(),
        })
        .collect())
}

fn run(task: &Task, (first, end): (Day, Day)) -> Run<'_> {
    Run {
        tenant: &task.stored.tenant,
        agent_id: &task.stored.agent_id,
        from: first.start(),
        to: end.start(),
    }
}

/// Writes the intervals that differ. Returns how many were written or removed.
async fn write_intervals(
    tx: &Transaction<'_>,
    tasks: &[Task],
    stretches: &[Stretch],
) -> Result<u64, StoreError> {
    let runs: Vec<Run<'_>> = stretches
        .iter()
        .filter_map(|stretch| Some(run(tasks.get(stretch.task)?, stretch.days)))
        .collect();
    let stored = agents::intervals(tx, &runs).await?;
    let (mut put, mut gone) = (Vec::new(), Vec::new());
    for ((run, stretch), stored) in runs.iter().zip(stretches).zip(&stored) {
        let differs = difference(stored, &stretch.rows, |row| row.from);
        let put_here = differs.put.into_iter();
        put.extend(put_here.map(|row| (run.tenant, run.agent_id, row)));
        let gone_here = differs.gone.into_iter();
        gone.extend(gone_here.map(|row| (run.tenant, run.agent_id, row.from)));
    }
    agents::put_intervals(tx, &put, &gone).await?;
    Ok((put.len() + gone.len()) as u64)
}

/// Writes what differs in what the agents add to windows, and marks the quarter hours. Returns how many items were written or removed, and
/// how many quarter hours are marked.
async fn write_items(
    tx: &Transaction<'_>,
    tasks: &[Task],
    stretches: &[Stretch],
    definitions: &Definitions<'_>,
) -> Result<(u64, u64), StoreError> {
    let mut stored = stored_items(tx, tasks, stretches).await?;
    let mut computed: Vec<(usize, Vec<Item>, Vec<Item>)> = Vec::with_capacity(stretches.len());
    for (place, stretch) in stretches.iter().enumerate() {
        let Some(task) = tasks.get(stretch.task) else {
            continue;
        };
        let mut counter = definitions.counter(&task.stored.agent_id, &task.stored.asked);
        let mut sums: Sums = counter.count(&stretch.intervals);
        let before = stored.remove(&place).unwrap_or_default();
        sums.keep(&before, &counter.definitions());
        computed.push((stretch.task, before, sums.into_items(&task.stored.agent_id)));
    }
    let (mut put, mut gone, mut cells) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (task, before, after) in &computed {
        let Some((tenant, agent_id)) = tasks.get(*task).map(Task::key) else {
            continue;
        };
        let differs = difference(before, after, |item| (item.cell, item.ordinal));
        let changed = differs.put.iter().chain(&differs.gone);
        cells.extend(changed.map(|item| (tenant, Cell::of(item.cell))));
        put.extend(differs.put.into_iter().map(|item| (tenant, item)));
        let gone_here = differs.gone.into_iter();
        gone.extend(gone_here.map(|item| (tenant, agent_id, item.cell, item.ordinal)));
    }
    window_items::write(tx, Source::Agent, &put, &gone).await?;
    let marks: Vec<Mark<'_>> = cells
        .iter()
        .map(|(tenant, cell)| Mark {
            kind: Kind::Cell,
            tenant,
            subject: "",
            from: cell.start(),
            to: cell.end(),
        })
        .collect();
    marks::append(tx, &marks).await?;
    Ok(((put.len() + gone.len()) as u64, marks.len() as u64))
}

/// The items that are stored, by the place of their stretch. Agents whose days are the same are read together.
async fn stored_items(
    tx: &Transaction<'_>,
    tasks: &[Task],
    stretches: &[Stretch],
) -> Result<BTreeMap<usize, Vec<Item>>, StoreError> {
    let mut together: BTreeMap<(&str, Day, Day), BTreeMap<&str, usize>> = BTreeMap::new();
    for (place, stretch) in stretches.iter().enumerate() {
        if let Some((tenant, agent_id)) = tasks.get(stretch.task).map(Task::key) {
            let (first, end) = stretch.days;
            let agents = together.entry((tenant, first, end)).or_default();
            agents.insert(agent_id, place);
        }
    }
    let mut stored: BTreeMap<usize, Vec<Item>> = BTreeMap::new();
    for ((tenant, first, end), agents) in together {
        let ids: Vec<&str> = agents.keys().copied().collect();
        let (from, to) = (first.start(), end.start());
        for item in window_items::of_agent_cells(tx, tenant, &ids, from, to).await? {
            if let Some(place) = agents.get(item.subject.as_str()) {
                stored.entry(*place).or_default().push(item);
            }
        }
    }
    for items in stored.values_mut() {
        items.sort_unstable_by_key(|item| (item.cell, item.ordinal));
    }
    Ok(stored)
}
