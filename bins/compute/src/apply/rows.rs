//! What a transaction evaluates: metric rows in the making, and of each interaction what else follows from its facts.

use super::choice::{Choice, Choices};
use crate::derive::{self, Beside, Wanted};
use crate::plan::PlannedSession;
use kpi::{MetricValue, Subject};
use schema::{InteractionId, MetricVersion, TenantId, UtcMicros};
use session::Session;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use store::interactions::{Locked, Status};
use store::metrics::MetricRow;

/// The rows of all interactions of a transaction: what the store borrows its columns from.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    pub(super) choices: Choices<'a>,
    owned: Vec<OwnedRow<'a>>,
    pub(super) interactions: Vec<Evaluated<'a>>,
}

#[derive(Debug)]
struct OwnedRow<'a> {
    tenant: &'a TenantId,
    interaction: &'a InteractionId,
    partition_at: UtcMicros,
    metric: MetricValue,
    metadata: String,
    provenance: String,
}

/// An interaction that was evaluated.
#[derive(Debug)]
pub(super) struct Evaluated<'a> {
    pub(super) planned: &'a PlannedSession,
    pub(super) choice: Arc<Choice>,
    /// Whether it has facts that it did not have before, or was given up.
    pub(super) news: bool,
    /// What the store knew of it before; `None`: nothing.
    pub(super) before: Option<Before>,
    /// Whether something is owed to it: not everything was evaluated, and there is something to say of it, for it has ended, was given up, or
    /// had ended once.
    pub(super) owed: bool,
    /// Where its rows are.
    pub(super) partition_at: UtcMicros,
    /// What follows from its facts besides metrics.
    pub(super) beside: Beside,
    rows: Range<usize>,
}

impl Evaluated<'_> {
    /// Organisation and interaction.
    pub(super) fn key(&self) -> (&str, &str) {
        (
            self.planned.tenant.as_str(),
            self.planned.interaction.as_str(),
        )
    }
}

/// What was known of an interaction.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) open: bool,
    /// Whether it has ended, or had ended once: what was emitted then may have to be taken back.
    pub(super) had_ended: bool,
    pub(super) customer_key: Option<String>,
    pub(super) started_at: Option<UtcMicros>,
    /// When it ended, else when it was last heard of.
    pub(super) last_at: Option<UtcMicros>,
}

impl Before {
    /// By its row and the session in it.
    pub(super) fn of(stored: &Locked, session: &Session) -> Self {
        let last_fact = || session.facts().iter().map(|fact| fact.at).max();
        Self {
            open: stored.status == Status::Open,
            had_ended: stored.had_ended,
            customer_key: stored.customer_key.clone(),
            started_at: stored.started_at,
            last_at: stored.ended_at.or_else(last_fact),
        }
    }
}

/// An interaction to be evaluated.
#[derive(Debug)]
pub(super) struct ToEvaluate<'a, 's> {
    pub(super) planned: &'a PlannedSession,
    pub(super) partition_at: UtcMicros,
    pub(super) session: &'s Session,
    /// Whether it was given up.
    pub(super) swept: bool,
    pub(super) news: bool,
    pub(super) before: Option<Before>,
}

impl<'a> Rows<'a> {
    pub(super) const fn new(choices: Choices<'a>) -> Self {
        Self {
            choices,
            owned: Vec::new(),
            interactions: Vec::new(),
        }
    }

    /// Evaluates an interaction and keeps its rows.
    pub(super) fn evaluate(&mut self, of: ToEvaluate<'a, '_>) {
        let choice = self.choices.of(of.news, &of.planned.job_versions);
        self.evaluate_by(of, choice);
    }

    /// Evaluates an interaction by what was chosen for it.
    pub(super) fn evaluate_by(&mut self, of: ToEvaluate<'a, '_>, choice: Arc<Choice>) {
        let (tenant, interaction) = (&of.planned.tenant, &of.planned.interaction);
        // An inferred end that turns out to be none is in no fact: what was emitted by it is taken back by what is stored. That stays, so that
        // it is taken back also by what is evaluated later, and of legs that turn up later.
        let had_ended = of.before.as_ref().is_some_and(|before| before.had_ended);
        let timeline = of.session.timeline().having_ended(had_ended);
        let subject = Subject {
            tenant: tenant.as_str(),
            interaction: interaction.as_str(),
            timeline: &timeline,
            swept: of.swept,
        };
        let mut metrics = Vec::new();
        let catalogue = &self.choices.active().catalogue;
        catalogue.evaluate_some(&choice.which, &subject, &mut metrics);
        let wanted = Wanted {
            windows: !choice.windows.is_empty(),
            agent_time: choice.agent_time,
            live: of.news && !of.swept,
        };
        let owed = !choice.owed.is_empty()
            && (of.swept || timeline.status() != session::Status::Open || timeline.is_reopened());
        let from = self.owned.len();
        self.owned
            .extend(metrics.into_iter().map(|metric| OwnedRow {
                tenant,
                interaction,
                partition_at: of.partition_at,
                metadata: metric.metadata.to_string(),
                provenance: metric.provenance.to_string(),
                metric,
            }));
        self.interactions.push(Evaluated {
            planned: of.planned,
            choice,
            news: of.news,
            before: of.before,
            owed,
            partition_at: of.partition_at,
            beside: derive::beside(&timeline, wanted),
            rows: from..self.owned.len(),
        });
    }

    /// How many rows there are.
    pub(super) const fn len(&self) -> usize {
        self.owned.len()
    }

    /// All of them.
    pub(super) fn evaluated(
        &self,
    ) -> impl Iterator<Item = (&TenantId, &InteractionId, &MetricValue)> {
        self.owned
            .iter()
            .map(|row| (row.tenant, row.interaction, &row.metric))
    }

    /// Those of one interaction.
    pub(super) fn of(&self, evaluated: &Evaluated<'_>) -> impl Iterator<Item = &MetricValue> {
        let rows = self.owned.get(evaluated.rows.clone()).unwrap_or_default();
        rows.iter().map(|row| &row.metric)
    }

    pub(super) fn as_rows(&self) -> Vec<MetricRow<'_>> {
        self.owned
            .iter()
            .map(|row| MetricRow {
                tenant: row.tenant.as_str(),
                interaction_id: row.interaction.as_str(),
                metric_type: row.metric.metric.as_str(),
                metric_version: row.metric.version,
                leg_scope: row.metric.scope.as_str(),
                partition_at: row.partition_at,
                timestamp_utc: row.metric.timestamp,
                agent_id: row.metric.agent.as_ref().map(schema::AgentId::as_str),
                queue_id: row.metric.queue.as_ref().map(schema::QueueId::as_str),
                metric_value: row.metric.value,
                metadata_json: &row.metadata,
                provenance_json: &row.provenance,
            })
            .collect()
    }
}

/// As PostgreSQL's smallint holds them. A version beyond it was refused where the job was started.
pub(super) fn stored_versions(versions: &BTreeSet<MetricVersion>) -> Vec<i16> {
    versions
        .iter()
        .filter_map(|version| i16::try_from(version.0).ok())
        .collect()
}
