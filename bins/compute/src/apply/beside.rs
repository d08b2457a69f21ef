//! What a transaction writes beside sessions and metrics: what interactions add to windows, when agents were busy and what was said of them,
//! whose journeys changed, and where interactions are now. Marks say what has to be computed from it.

use super::rows::{Evaluated, Rows};
use super::zones::{Noted, ZoneMemory};
use crate::clock;
use crate::derive::Beside;
use crate::items::{self, Adds, Cells, Contribution};
use crate::plan::PlannedAgent;
use kpi::MetricValue;
use schema::{CustomerKey, Millis, UtcMicros};
use std::collections::BTreeSet;
use store::agents::{self, ActivityRow, AgentFactRow, Changed};
use store::journeys::{self, Left};
use store::live::{self, LiveRow};
use store::marks::{self, Kind, Mark};
use store::partitions;
use store::window_items::Source;
use store::{StoreError, Transaction};
use window::Cell;

/// For so long after a statement about an agent its time is computed again where a job asks for it and no later statement ends it.
const ASKED_REACH: Millis = Millis(86_400_000);

/// An open interaction of which nothing was heard for longer does not become live; one that is already stays so until it ends or is given up.
const LIVE_AGE: Millis = Millis(86_400_000);

/// Writes all of it. Gives the zones that were noted, to be remembered once this is committed.
pub(super) async fn write(
    tx: &Transaction<'_>,
    rows: &Rows<'_>,
    planned: &[PlannedAgent],
    memory: &ZoneMemory,
) -> Result<Noted, StoreError> {
    let mut cells = Cells::new();
    items(tx, rows, &mut cells).await?;
    let noted = memory.note(tx, &rows.interactions, planned).await?;
    let mut asked = Asked::default();
    let mut changed = activity(tx, &rows.interactions, &mut asked).await?;
    changed.extend(agent_facts(tx, rows, planned, &mut asked).await?);
    asked.write(tx).await?;
    let journeys = journeys(tx, &rows.interactions).await?;
    live_now(tx, &rows.interactions).await?;
    let cells = cells
        .iter()
        .map(|(tenant, cell)| items::of_cell(tenant, *cell));
    let marks: Vec<Mark<'_>> = cells
        .chain(changed.iter().map(Changed::mark))
        .chain(journeys.iter().map(Touched::mark))
        .collect();
    marks::append(tx, &marks).await?;
    Ok(noted)
}

/// What interactions and legs add to windows.
async fn items(tx: &Transaction<'_>, rows: &Rows<'_>, cells: &mut Cells) -> Result<(), StoreError> {
    let with_windows = rows
        .interactions
        .iter()
        .filter(|evaluated| !evaluated.choice.windows.is_empty());
    let contributions: Vec<Contribution<'_>> = with_windows
        .map(|evaluated| Contribution {
            tenant: evaluated.planned.tenant.as_str(),
            subject: evaluated.planned.interaction.as_str(),
            known: evaluated.before.is_some(),
            evaluated: &evaluated.choice.windows,
            adds: rows
                .of(evaluated)
                .filter_map(|row| adds(rows, &evaluated.beside, row))
                .collect(),
        })
        .collect();
    items::write(tx, Source::Interaction, &contributions, cells).await
}

/// `None` of a row without a value, or whose definition has no windows, or that would count at an instant for which there can be none.
fn adds<'r>(rows: &Rows<'_>, beside: &'r Beside, row: &'r MetricValue) -> Option<Adds<'r>> {
    let counted_at = row.counted_at.filter(|at| partitions::is_plausible(*at))?;
    Some(Adds {
        cell: Cell::of(counted_at),
        agent: row.agent.as_ref().map(schema::AgentId::as_str),
        queue: row.queue.as_ref().map(schema::QueueId::as_str),
        media: beside.media.as_deref(),
        direction: beside.direction,
        team: None,
        attributes: beside.attributes.as_deref(),
        definition: rows.choices.active().definition_id_of(row)?,
        sum: row.scaled()?,
        weight: 1,
    })
}

/// When agents were busy, where a definition asks for it.
async fn activity(
    tx: &Transaction<'_>,
    interactions: &[Evaluated<'_>],
    retired: &mut Asked,
) -> Result<Vec<Changed>, StoreError> {
    let asked = || interactions.iter().filter(|it| it.choice.agent_time);
    let keys: Vec<(&str, &str)> = asked().map(Evaluated::key).collect();
    let mut rows = Vec::new();
    for evaluated in asked() {
        let (tenant, interaction_id) = evaluated.key();
        rows.extend(evaluated.beside.busy.iter().map(|leg| ActivityRow {
            tenant,
            interaction_id,
            leg_id: &leg.leg,
            agent_id: &leg.agent,
            from: leg.busy.from,
            to: leg.busy.until,
            wrap_until: leg.busy.wrapped_at,
        }));
    }
    let mut changed = agents::put_activity(tx, &keys, &rows).await?;
    // A job has the time computed again, whether anything changed or not.
    for evaluated in asked().filter(|it| !it.planned.job_versions.is_empty()) {
        changed.extend(evaluated.beside.busy.iter().map(|leg| {
            let until = leg.busy.wrapped_at.or(leg.busy.until);
            Changed {
                tenant: evaluated.planned.tenant.as_str().to_owned(),
                agent_id: leg.agent.clone(),
                from: leg.busy.from,
                to: until.unwrap_or_else(|| leg.busy.from.plus(ASKED_REACH)),
            }
        }));
        let agents = evaluated.beside.busy.iter().map(|leg| leg.agent.as_str());
        let tenant = evaluated.planned.tenant.as_str();
        retired.add(tenant, agents, &evaluated.choice.asked_of_agents);
    }
    Ok(changed)
}

/// Definitions about agents' time that are switched off and that jobs ask for, and of whom. In one statement, which locks the agents in the
/// order of their keys.
#[derive(Default)]
struct Asked {
    agents: BTreeSet<(String, String)>,
    definitions: BTreeSet<i32>,
}

impl Asked {
    fn add<'a>(
        &mut self,
        tenant: &str,
        agents: impl Iterator<Item = &'a str>,
        definitions: &[i32],
    ) {
        if !definitions.is_empty() {
            self.definitions.extend(definitions);
            self.agents
                .extend(agents.map(|agent| (tenant.to_owned(), agent.to_owned())));
        }
    }

    async fn write(self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        let agents: Vec<_> = self.agents.into_iter().collect();
        let definitions: Vec<i32> = self.definitions.into_iter().collect();
        agents::ask(tx, &agents, &definitions).await
    }
}

/// What was said of agents.
async fn agent_facts(
    tx: &Transaction<'_>,
    rows: &Rows<'_>,
    planned: &[PlannedAgent],
    retired: &mut Asked,
) -> Result<Vec<Changed>, StoreError> {
    let facts: Vec<AgentFactRow<'_>> = planned
        .iter()
        .flat_map(|agent| &agent.events)
        .map(|event| AgentFactRow {
            tenant: event.tenant.as_str(),
            agent_id: event.agent.id.as_str(),
            fact: &event.fact,
        })
        .collect();
    let mut changed = agents::put_facts(tx, &facts).await?;
    for agent in planned
        .iter()
        .filter(|agent| !agent.job_versions.is_empty())
    {
        let (tenant, id) = (agent.tenant.as_str(), agent.agent.as_str());
        changed.extend(agent.events.iter().map(|event| {
            let until = event.fact.until;
            Changed {
                tenant: tenant.to_owned(),
                agent_id: id.to_owned(),
                from: event.fact.at,
                to: until.unwrap_or_else(|| event.fact.at.plus(ASKED_REACH)),
            }
        }));
        let definitions = rows
            .choices
            .active()
            .retired_agent_time(&agent.job_versions);
        retired.add(tenant, [id].into_iter(), &definitions);
    }
    Ok(changed)
}

/// A customer whose journey is to be looked at again.
struct Touched {
    tenant: String,
    subject: String,
    from: UtcMicros,
    to: UtcMicros,
}

impl Touched {
    fn mark(&self) -> Mark<'_> {
        Mark {
            kind: Kind::Journey,
            tenant: &self.tenant,
            subject: &self.subject,
            from: self.from,
            to: self.to,
        }
    }
}

/// Whose journeys changed: of a contact that has become another customer's, both.
async fn journeys(
    tx: &Transaction<'_>,
    interactions: &[Evaluated<'_>],
) -> Result<Vec<Touched>, StoreError> {
    let (mut touched, mut left) = (Vec::new(), Vec::new());
    for evaluated in interactions.iter().filter(|it| it.choice.journeys) {
        let beside = &evaluated.beside;
        let before = evaluated.before.as_ref();
        let key = beside.customer_key.as_ref().map(CustomerKey::as_str);
        let old = before.and_then(|before| before.customer_key.as_deref());
        let known = |of: fn(&super::rows::Before) -> Option<UtcMicros>| before.and_then(of);
        let starts = beside
            .started_at
            .into_iter()
            .chain(known(|it| it.started_at));
        let ends = beside.last_at.into_iter().chain(known(|it| it.last_at));
        let (Some(from), Some(to)) = (starts.min(), ends.max()) else {
            continue;
        };
        let mut touch = |subject: String| {
            touched.push(Touched {
                tenant: evaluated.planned.tenant.as_str().to_owned(),
                subject,
                from,
                to: to.max(from),
            });
        };
        // What jobs ask for may be switched off, so that news alone does not have it computed.
        for version in &evaluated.planned.job_versions {
            if let Some(key) = key {
                touch(journeys::subject(key, Some(*version)));
            }
        }
        if !evaluated.news {
            continue;
        }
        for subject in key.into_iter().chain(old).collect::<BTreeSet<_>>() {
            touch(journeys::subject(subject, None));
        }
        if let Some(customer_key) = old.filter(|old| key != Some(*old)) {
            left.push(Left {
                tenant: evaluated.planned.tenant.as_str(),
                customer_key,
                interaction_id: evaluated.planned.interaction.as_str(),
            });
        }
    }
    journeys::left(tx, &left).await?;
    Ok(touched)
}

/// Where interactions are now. What began and ended in one transaction is never there.
async fn live_now(tx: &Transaction<'_>, interactions: &[Evaluated<'_>]) -> Result<(), StoreError> {
    let (mut put, mut gone) = (Vec::new(), Vec::new());
    let fresh_since = clock::now().plus(Millis(-LIVE_AGE.0));
    for evaluated in interactions.iter().filter(|evaluated| evaluated.news) {
        let (tenant, interaction_id) = evaluated.key();
        let beside = &evaluated.beside;
        if let Some(now) = &beside.live {
            // History that never ended is not what is going on now.
            if beside.last_at.is_none_or(|at| at < fresh_since) {
                continue;
            }
            put.push(LiveRow {
                tenant,
                interaction_id,
                phase: now.phase.name(),
                since: now.since,
                queue_id: now.queue.as_deref(),
                agent_id: now.agent.as_deref(),
                media: beside.media.as_deref(),
                direction: beside.direction,
            });
        } else if evaluated.before.as_ref().is_some_and(|before| before.open) {
            gone.push((tenant, interaction_id));
        }
    }
    live::put(tx, &put).await?;
    live::remove(tx, &gone).await?;
    Ok(())
}
