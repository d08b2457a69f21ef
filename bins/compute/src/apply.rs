//! One plan, one transaction: lock the sessions, fold the facts in, write what really changed.
//!
//! The order of statements is what the guarantees rest on: new interactions are inserted first and existing ones locked
//! second, both in ascending key order, so two workers never wait for each other in a circle; sessions are read only under their
//! lock, so no fact is missed; metrics and what is due for delivery commit together with the session that gave them.

use crate::derive::{self, Columns};
use crate::plan::{Plan, PlannedSession};
use kpi::{MetricValue, RuleBook};
use schema::{InteractionId, MetricVersion, TenantId, UtcMicros};
use session::{Session, SessionError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::interactions::{self, ChangedInteraction, NewInteraction};
use store::metrics::{self, MetricRow};
use store::partitions::{Partitions, Table};
use store::{Class, Store, StoreError};

/// Folds plans into the store. Cheap to clone; one per process.
#[derive(Debug, Clone)]
pub struct Applier {
    store: Store,
    partitions: Arc<Partitions>,
    rules: Arc<RuleBook>,
    /// Versions that every interaction is evaluated for.
    switched_on: BTreeSet<MetricVersion>,
}

/// What one transaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Sessions folded.
    pub sessions: u64,
    /// Metric rows evaluated.
    pub evaluated: u64,
    /// Metric rows written because they really changed.
    pub written: u64,
    /// Rows queued for delivery.
    pub queued: u64,
}

/// A plan could not be applied. Nothing of it was committed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// PostgreSQL.
    #[error("the store did not take the batch")]
    Store(#[from] StoreError),
    /// A stored session cannot be read: someone else wrote it, or a later release did.
    #[error("the stored session of {tenant}/{interaction} cannot be read")]
    Session {
        /// The organisation.
        tenant: String,
        /// The interaction.
        interaction: String,
        /// What is wrong with it.
        source: SessionError,
    },
}

impl ApplyError {
    /// What to do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Store(error) => error.class(),
            // Its neighbours must not wait for it, and its facts stay in quarantine until this release can read the state.
            Self::Session { .. } => Class::Rejected,
        }
    }
}

impl Applied {
    /// Adds what another transaction did.
    pub fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.evaluated += other.evaluated;
        self.written += other.written;
        self.queued += other.queued;
    }
}

impl Applier {
    /// An applier that evaluates `switched_on` versions everywhere.
    pub fn new(store: Store, rules: RuleBook, switched_on: BTreeSet<MetricVersion>) -> Self {
        let partitions = Arc::new(Partitions::new(store.clone()));
        Self {
            store,
            partitions,
            rules: Arc::new(rules),
            switched_on,
        }
    }

    /// The months of partitions.
    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    /// The store.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Applies a plan in one transaction.
    pub async fn apply(&self, plan: &Plan) -> Result<Applied, ApplyError> {
        let deltas: Vec<Delta<'_>> = plan.sessions.iter().filter_map(Delta::of).collect();
        // Months are made beside the transaction: DDL inside it would hold its locks until the commit.
        self.partitions
            .ensure(
                Table::ComputedMetrics,
                deltas.iter().map(|delta| delta.first_seen),
            )
            .await?;
        let mut client = self.store.client().await?;
        let transaction = client.transaction().await?;

        let new: Vec<NewInteraction<'_>> = deltas.iter().map(Delta::as_new).collect();
        let inserted: BTreeSet<_> = interactions::insert_new(&transaction, &new)
            .await?
            .into_iter()
            .collect();
        let mut rows = Rows::default();
        let mut known = Vec::new();
        for delta in &deltas {
            if inserted.contains(&delta.key()) {
                let versions = self.versions(delta.planned, &[]);
                rows.add(
                    &delta.planned.tenant,
                    &delta.planned.interaction,
                    delta.first_seen,
                    derive::metrics(&delta.session, &self.rules, &versions),
                );
            } else {
                known.push(delta);
            }
        }
        if !known.is_empty() {
            self.fold_into_known(&transaction, &known, &mut rows)
                .await?;
        }
        let upserted = metrics::upsert(&transaction, &rows.as_rows()).await?;
        transaction.commit().await?;
        Ok(Applied {
            sessions: deltas.len() as u64,
            evaluated: rows.0.len() as u64,
            written: upserted.written,
            queued: upserted.queued,
        })
    }
}
/// One planned session, folded from its own facts alone.
struct Delta<'a> {
    planned: &'a PlannedSession,
    session: Session,
    /// Where its rows go if this is the first that is heard of it.
    first_seen: UtcMicros,
    columns: Columns,
    state: String,
    job_versions: Vec<i16>,
}

impl Delta<'_> {
    fn key(&self) -> (String, String) {
        (
            self.planned.tenant.as_str().to_owned(),
            self.planned.interaction.as_str().to_owned(),
        )
    }

    fn as_new(&self) -> NewInteraction<'_> {
        NewInteraction {
            tenant: self.planned.tenant.as_str(),
            interaction_id: self.planned.interaction.as_str(),
            partition_at: self.first_seen,
            started_at: self.columns.started_at,
            ended_at: self.columns.ended_at,
            status: self.columns.status,
            customer_key: self
                .columns
                .customer_key
                .as_ref()
                .map(schema::CustomerKey::as_str),
            state_json: &self.state,
            facts: count(&self.session),
            metric_versions: &self.job_versions,
        }
    }
}

impl<'a> Delta<'a> {
    /// `None` for a planned session without facts, which says nothing.
    fn of(planned: &'a PlannedSession) -> Option<Self> {
        let mut session = Session::default();
        for fact in &planned.facts {
            session.insert(fact.clone());
        }
        let first_seen = planned.facts.iter().map(|fact| fact.at).min()?;
        let columns = derive::columns(&session);
        let state = session.to_json();
        let job_versions = stored_versions(&planned.job_versions);
        Some(Self {
            planned,
            session,
            first_seen,
            columns,
            state,
            job_versions,
        })
    }
}

impl Applier {
    /// The switched-on versions, those the session was ever evaluated for, and those a job asks for now.
    fn versions(&self, planned: &PlannedSession, stored: &[i16]) -> BTreeSet<MetricVersion> {
        let stored = stored
            .iter()
            .filter_map(|version| u16::try_from(*version).ok())
            .map(MetricVersion);
        self.switched_on
            .iter()
            .copied()
            .chain(stored)
            .chain(planned.job_versions.iter().copied())
            .collect()
    }

    async fn fold_into_known<'a>(
        &self,
        transaction: &store::Transaction<'_>,
        deltas: &[&Delta<'a>],
        rows: &mut Rows<'a>,
    ) -> Result<(), ApplyError> {
        let keys: Vec<_> = deltas
            .iter()
            .map(|d| (d.planned.tenant.as_str(), d.planned.interaction.as_str()))
            .collect();
        let locked = interactions::lock(transaction, &keys).await?;
        // Known already, but for a month that retention dropped meanwhile.
        self.partitions
            .ensure(
                Table::ComputedMetrics,
                locked.iter().map(|stored| stored.partition_at),
            )
            .await?;
        let by_key: BTreeMap<_, _> = deltas
            .iter()
            .map(|d| {
                (
                    (d.planned.tenant.as_str(), d.planned.interaction.as_str()),
                    *d,
                )
            })
            .collect();
        let mut changed = Vec::new();
        for stored in &locked {
            let Some(delta) = by_key.get(&(stored.tenant.as_str(), stored.interaction_id.as_str()))
            else {
                continue;
            };
            let planned = delta.planned;
            let mut session =
                Session::from_json(&stored.state_json).map_err(|source| ApplyError::Session {
                    tenant: stored.tenant.clone(),
                    interaction: stored.interaction_id.clone(),
                    source,
                })?;
            let news = session.join(delta.session.clone());
            // A job evaluates again although no fact is new: the rules of its version may have changed since.
            if !news && planned.job_versions.is_empty() {
                continue;
            }
            let versions = self.versions(planned, &stored.metric_versions);
            rows.add(
                &planned.tenant,
                &planned.interaction,
                stored.partition_at,
                derive::metrics(&session, &self.rules, &versions),
            );
            let kept = stored
                .metric_versions
                .iter()
                .copied()
                .chain(delta.job_versions.iter().copied());
            let metric_versions: Vec<i16> = kept.collect::<BTreeSet<_>>().into_iter().collect();
            if news || metric_versions != stored.metric_versions {
                let columns = derive::columns(&session);
                let (state, facts) = (session.to_json(), count(&session));
                changed.push(Folded {
                    planned,
                    columns,
                    state,
                    facts,
                    metric_versions,
                });
            }
        }
        let updates: Vec<_> = changed.iter().map(Folded::as_update).collect();
        interactions::update(transaction, &updates).await?;
        Ok(())
    }
}

/// A stored session with news folded in.
struct Folded<'a> {
    planned: &'a PlannedSession,
    columns: Columns,
    state: String,
    facts: i32,
    metric_versions: Vec<i16>,
}

impl Folded<'_> {
    fn as_update(&self) -> ChangedInteraction<'_> {
        ChangedInteraction {
            tenant: self.planned.tenant.as_str(),
            interaction_id: self.planned.interaction.as_str(),
            started_at: self.columns.started_at,
            ended_at: self.columns.ended_at,
            status: self.columns.status,
            customer_key: self
                .columns
                .customer_key
                .as_ref()
                .map(schema::CustomerKey::as_str),
            state_json: &self.state,
            facts: self.facts,
            metric_versions: &self.metric_versions,
        }
    }
}

/// Metric rows in the making: what the store borrows its columns from.
#[derive(Default)]
struct Rows<'a>(Vec<OwnedRow<'a>>);

struct OwnedRow<'a> {
    tenant: &'a TenantId,
    interaction: &'a InteractionId,
    partition_at: UtcMicros,
    metric: MetricValue,
    metadata: String,
    provenance: String,
}

impl<'a> Rows<'a> {
    fn add(
        &mut self,
        tenant: &'a TenantId,
        interaction: &'a InteractionId,
        partition_at: UtcMicros,
        metrics: Vec<MetricValue>,
    ) {
        self.0.extend(metrics.into_iter().map(|metric| OwnedRow {
            tenant,
            interaction,
            partition_at,
            metadata: metric.metadata.to_string(),
            provenance: metric.provenance.to_string(),
            metric,
        }));
    }

    fn as_rows(&self) -> Vec<MetricRow<'_>> {
        self.0
            .iter()
            .map(|row| MetricRow {
                tenant: row.tenant.as_str(),
                interaction_id: row.interaction.as_str(),
                metric_type: row.metric.metric,
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

fn count(session: &Session) -> i32 {
    i32::try_from(session.len()).unwrap_or(i32::MAX)
}

/// As PostgreSQL's smallint holds them. A version beyond it was refused where the job was started.
fn stored_versions(versions: &BTreeSet<MetricVersion>) -> Vec<i16> {
    versions
        .iter()
        .filter_map(|version| i16::try_from(version.0).ok())
        .collect()
}
