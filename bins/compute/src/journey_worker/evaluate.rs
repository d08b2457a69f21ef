//! Matters → rows, what they add to windows, and when the next verdict is final. Pure.

use super::sessions::{Read, Sessions};
use crate::attributes;
use crate::catalogue::Active;
use crate::items::{Adds, Contribution};
use kpi::{MetricValue, Reason, Subject};
use schema::{AgentId, Direction, InteractionId, MetricVersion, QueueId, TenantId, UtcMicros};
use session::Timeline;
use std::collections::{BTreeMap, BTreeSet};
use store::metrics::MetricRow;
use window::Cell;

/// Contacts that are evaluated together.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) tenant: &'a str,
    /// Whose contacts they are; of those that lost their customer nobody's.
    pub(super) customer_key: Option<&'a str>,
    /// The contacts, by id.
    pub(super) contacts: Vec<&'a str>,
    /// The places of those whose rows are wanted.
    pub(super) write: Vec<usize>,
    /// The definitions.
    pub(super) which: &'a [usize],
    /// Why none has a value.
    pub(super) withheld: Option<Reason>,
}

/// What a round came to.
#[derive(Debug)]
pub(super) struct Results<'c> {
    active: &'c Active,
    pub(super) rows: Vec<Row>,
    /// By organisation and interaction.
    contributions: BTreeMap<(String, String), Contact>,
}

/// What a contact adds to windows.
#[derive(Debug, Default)]
struct Contact {
    /// The numbers of the definitions that were evaluated.
    evaluated: BTreeSet<i32>,
    agent: Option<AgentId>,
    queue: Option<QueueId>,
    media: Option<String>,
    direction: Option<&'static str>,
    attributes: Option<String>,
    /// Cell and scaled value, by the number of the definition: each has one row a contact, however many stretches reached it.
    adds: BTreeMap<i32, (Cell, i64)>,
}

/// A row in the making: what the store borrows its columns from.
#[derive(Debug)]
pub(super) struct Row {
    tenant: TenantId,
    interaction: InteractionId,
    partition_at: UtcMicros,
    metric: MetricValue,
    metadata: String,
    provenance: String,
}

impl<'c> Results<'c> {
    pub(super) fn new(active: &'c Active) -> Self {
        Self {
            active,
            rows: Vec::new(),
            contributions: BTreeMap::new(),
        }
    }

    /// The definitions of journeys among these names and versions.
    pub(super) fn journeys(&self, named: &[(&str, MetricVersion)]) -> Vec<usize> {
        let definitions = self.active.catalogue.definitions().iter().enumerate();
        definitions
            .filter(|(_, definition)| definition.journey().is_some())
            .filter(|(_, definition)| named.contains(&(definition.name(), definition.version())))
            .map(|(place, _)| place)
            .collect()
    }

    /// Evaluates contacts whose facts were read. Returns when the first verdict that is not final yet will be. Contacts that are not the
    /// customer's any more are passed over: a mark of their own waits for it.
    pub(super) fn evaluate(
        &mut self,
        work: &Work<'_>,
        sessions: &Sessions,
        as_of: UtcMicros,
    ) -> Option<UtcMicros> {
        let read: Vec<Option<(&Read, Timeline<'_>)>> = work
            .contacts
            .iter()
            .map(|id| {
                let read = sessions.get(work.tenant, id)?;
                let ours = read.stored.customer_key.as_deref() == work.customer_key;
                let session = read.session.as_ref().filter(|_| ours)?;
                // What was said of a contact by an inferred end is taken back when it goes on.
                let timeline = session.timeline().having_ended(read.stored.had_ended);
                Some((read, timeline))
            })
            .collect();
        let mut subjects = Vec::with_capacity(read.len());
        let mut index_of = vec![None; read.len()];
        for (place, found) in read.iter().enumerate() {
            if let Some((read, timeline)) = found {
                index_of[place] = Some(subjects.len());
                subjects.push(Subject {
                    tenant: &read.stored.tenant,
                    interaction: &read.stored.interaction_id,
                    timeline,
                    swept: read.stored.swept,
                });
            }
        }
        let active = self.active;
        let journey = active.catalogue.journey(&subjects);
        let mut due = None;
        for place in &work.write {
            let (Some((read, timeline)), Some(index)) = (&read[*place], index_of[*place]) else {
                continue;
            };
            let mut metrics = Vec::new();
            match &work.withheld {
                Some(reason) => journey.withhold(work.which, index, reason, &mut metrics),
                None => journey.evaluate(work.which, index, as_of, &mut metrics),
            }
            if metrics.iter().any(is_not_final) {
                let at = journey.final_at(work.which, index);
                due = due.into_iter().chain(at).min();
            }
            self.keep(read, timeline, work.which, metrics);
        }
        due
    }

    fn keep(
        &mut self,
        read: &Read,
        timeline: &Timeline<'_>,
        which: &[usize],
        metrics: Vec<MetricValue>,
    ) {
        let stored = &read.stored;
        let key = (stored.tenant.clone(), stored.interaction_id.clone());
        let contact = self.contributions.entry(key).or_default();
        let numbers = which.iter();
        let numbers = numbers.filter_map(|place| self.active.definition_id(*place));
        contact.evaluated.extend(numbers);
        contact.media = timeline.media().map(str::to_owned);
        contact.direction = timeline.direction().map(Direction::name);
        contact.attributes = attributes::write(&timeline.attributes());
        for metric in metrics {
            if let (Some(definition), Some(counted_at), Some(sum)) = (
                self.active.definition_id_of(&metric),
                metric.counted_at,
                metric.scaled(),
            ) {
                contact.agent.clone_from(&metric.agent);
                contact.queue.clone_from(&metric.queue);
                let adds = (Cell::of(counted_at), sum);
                contact.adds.insert(definition, adds);
            }
            self.rows.push(Row {
                tenant: stored.tenant.as_str().into(),
                interaction: stored.interaction_id.as_str().into(),
                partition_at: stored.partition_at,
                metadata: metric.metadata.to_string(),
                provenance: metric.provenance.to_string(),
                metric,
            });
        }
    }

    /// What the contacts add to windows.
    pub(super) fn contributions(&self) -> Vec<Contribution<'_>> {
        let contacts = self.contributions.iter();
        contacts
            .map(|((tenant, interaction), contact)| Contribution {
                tenant,
                subject: interaction,
                known: true,
                evaluated: &contact.evaluated,
                adds: contact.adds(),
            })
            .collect()
    }

    /// As findings want them.
    pub(super) fn evaluated(
        &self,
    ) -> impl Iterator<Item = (&TenantId, &InteractionId, &MetricValue)> {
        self.rows
            .iter()
            .map(|row| (&row.tenant, &row.interaction, &row.metric))
    }

    /// The months that the rows live in.
    pub(super) fn months(&self) -> impl Iterator<Item = UtcMicros> {
        self.rows.iter().map(|row| row.partition_at)
    }

    pub(super) fn as_rows(&self) -> Vec<MetricRow<'_>> {
        self.rows
            .iter()
            .map(|row| MetricRow {
                tenant: row.tenant.as_str(),
                interaction_id: row.interaction.as_str(),
                metric_type: row.metric.metric.as_str(),
                metric_version: row.metric.version,
                leg_scope: row.metric.scope.as_str(),
                partition_at: row.partition_at,
                timestamp_utc: row.metric.timestamp,
                agent_id: row.metric.agent.as_ref().map(AgentId::as_str),
                queue_id: row.metric.queue.as_ref().map(QueueId::as_str),
                metric_value: row.metric.value,
                metadata_json: &row.metadata,
                provenance_json: &row.provenance,
            })
            .collect()
    }
}

impl Contact {
    fn adds(&self) -> Vec<Adds<'_>> {
        let adds = self.adds.iter();
        adds.map(|(definition, (cell, sum))| Adds {
            cell: *cell,
            agent: self.agent.as_ref().map(AgentId::as_str),
            queue: self.queue.as_ref().map(QueueId::as_str),
            media: self.media.as_deref(),
            direction: self.direction,
            team: None,
            attributes: self.attributes.as_deref(),
            definition: *definition,
            sum: *sum,
            weight: 1,
        })
        .collect()
    }
}

fn is_not_final(metric: &MetricValue) -> bool {
    metric.metadata.reason == Some(Reason::NOT_FINAL)
}
