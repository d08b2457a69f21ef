//! One plan, one transaction: lock the sessions, fold the facts in, write what really changed. What follows from it beside the metrics is
//! in `apply/beside.rs`.
//!
//! The order of statements is what the guarantees rest on: new interactions are inserted first and existing ones locked
//! second, both in ascending key order, so two workers never wait for each other in a circle; sessions are read only under their
//! lock, so no fact is missed; metrics and what is due for delivery commit together with the session that gave them.

mod beside;
mod choice;
mod debts;
mod erased;
mod rows;
mod zones;

pub use debts::{CatchUpError, CaughtUp};

use crate::catalogue::{Active, Watch};
use crate::derive::{self, Columns};
use crate::findings::Findings;
use crate::plan::{Plan, PlannedSession};
use crate::storm::Storm;
use choice::{Choices, Extent};
use rows::{Before, Rows, ToEvaluate, stored_versions};
use schema::UtcMicros;
use session::{Session, SessionError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::interactions::{
    self, ChangedInteraction, Evaluated, EvaluatedInteraction, Locked, NewInteraction,
};
use store::metrics;
use store::partitions::{Partitions, Table};
use store::sweep::{self, OpenInteraction};
use store::sync::Lane;
use store::{Class, Store, StoreError};

/// Folds plans into the store. Cheap to clone; one per process.
#[derive(Debug, Clone)]
pub struct Applier {
    store: Store,
    partitions: Arc<Partitions>,
    catalogue: Watch,
    findings: Findings,
    zones: zones::ZoneMemory,
    storm: Storm,
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
    /// Interactions that are still to be evaluated by definitions that are not critical.
    pub deferred: u64,
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
        self.deferred += other.deferred;
    }
}

impl Applier {
    /// An applier that evaluates what is switched on in the store.
    pub fn new(store: Store) -> Self {
        let partitions = Arc::new(Partitions::new(store.clone()));
        Self {
            store,
            partitions,
            catalogue: Watch::default(),
            findings: Findings::default(),
            zones: zones::ZoneMemory::default(),
            storm: Storm::default(),
        }
    }

    /// The same on other connections: whoever uses it does not wait for those of the workers, nor they for it.
    #[must_use]
    pub fn beside(&self, store: Store) -> Self {
        Self {
            store,
            ..self.clone()
        }
    }

    /// Whether there is a storm, as this process knows it.
    pub const fn storm(&self) -> &Storm {
        &self.storm
    }

    /// The catalogue as this process knows it.
    pub const fn catalogue(&self) -> &Watch {
        &self.catalogue
    }

    /// The months of partitions.
    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    /// The store.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Applies a plan in one transaction: what happens now.
    pub async fn apply(&self, plan: &Plan) -> Result<Applied, ApplyError> {
        self.apply_for(plan, Lane::Live).await
    }

    /// The same of a lane: deliver pushes first what history changes.
    pub async fn apply_for(&self, plan: &Plan, lane: Lane) -> Result<Applied, ApplyError> {
        let mut deltas: Vec<Delta<'_>> = plan.sessions.iter().filter_map(Delta::of).collect();
        // Months are made beside the transaction: DDL inside it would hold its locks until the commit.
        self.partitions
            .ensure(
                Table::ComputedMetrics,
                deltas.iter().map(|delta| delta.first_seen),
            )
            .await?;
        let mut client = self.store.client().await?;
        let transaction = client.transaction().await?;
        // First, so that whoever changes the catalogue waits for us and we for nobody who waits for our interactions.
        let (active, erasures) = self.catalogue.to_fold(&transaction).await?;
        if erasures {
            erased::forget_customers(&transaction, &mut deltas).await?;
        }

        let new: Vec<NewInteraction<'_>> = deltas.iter().map(Delta::as_new).collect();
        let extent = if self.storm.is_on() && active.can_defer() {
            Extent::Critical
        } else {
            Extent::Everything
        };
        let by = ByAll::of(&active, extent);
        let inserted: BTreeSet<_> = interactions::insert_new(&transaction, &new, &by.evaluated())
            .await?
            .into_iter()
            .collect();
        let mut rows = Rows::new(Choices::new(&active, extent));
        let mut known = Vec::new();
        for delta in &deltas {
            if inserted.contains(&delta.key()) {
                rows.evaluate(ToEvaluate {
                    planned: delta.planned,
                    partition_at: delta.first_seen,
                    session: &delta.session,
                    swept: false,
                    news: true,
                    before: None,
                });
            } else {
                known.push(delta);
            }
        }
        if !known.is_empty() {
            self.fold_into_known(&transaction, &known, &by, &mut rows)
                .await?;
        }
        let upserted = metrics::upsert_for(&transaction, &rows.as_rows(), lane).await?;
        let noted = beside::write(&transaction, &rows, &plan.agents, &self.zones).await?;
        let deferred = debts::note(&transaction, &rows, extent).await?;
        // After the journeys, as the worker of journeys has it: neither waits for the other in a circle.
        let found = self.findings.record(&transaction, rows.evaluated()).await?;
        transaction.commit().await?;
        self.findings.keep(found);
        self.zones.keep(noted);
        Ok(Applied {
            sessions: deltas.len() as u64,
            evaluated: rows.len() as u64,
            written: upserted.written,
            queued: upserted.queued,
            deferred,
        })
    }
}

impl Applier {
    /// Gives up open interactions in one transaction: marks them as swept and writes their metrics as absent. Those that had news
    /// since they were read are left alone. Gives how many were given up.
    pub async fn give_up(&self, silent: &[OpenInteraction]) -> Result<(u64, Applied), ApplyError> {
        let mut client = self.store.client().await?;
        let transaction = client.transaction().await?;
        let active = self.catalogue.active(&transaction).await?;
        let keys: Vec<_> = silent
            .iter()
            .map(|open| (open.tenant.as_str(), open.interaction_id.as_str()))
            .collect();
        let as_read: BTreeMap<_, _> = keys.iter().copied().zip(silent).collect();
        let locked: Vec<_> = interactions::lock(&transaction, &keys)
            .await?
            .into_iter()
            .filter(|stored| {
                let key = (stored.tenant.as_str(), stored.interaction_id.as_str());
                !stored.swept
                    && as_read
                        .get(&key)
                        .is_some_and(|read| read.revision == stored.revision)
            })
            .collect();
        self.partitions
            .ensure(
                Table::ComputedMetrics,
                locked.iter().map(|stored| stored.partition_at),
            )
            .await?;
        let planned: Vec<PlannedSession> = locked
            .iter()
            .map(|stored| PlannedSession {
                tenant: stored.tenant.as_str().into(),
                interaction: stored.interaction_id.as_str().into(),
                facts: Vec::new(),
                job_versions: BTreeSet::new(),
            })
            .collect();
        let mut rows = Rows::new(Choices::new(&active, Extent::Everything));
        for (stored, planned) in locked.iter().zip(&planned) {
            let session = read_session(stored)?;
            rows.evaluate(ToEvaluate {
                planned,
                partition_at: stored.partition_at,
                swept: true,
                news: true,
                before: Some(Before::of(stored, &session)),
                session: &session,
            });
        }
        let swept: Vec<_> = locked
            .iter()
            .map(|stored| (stored.tenant.as_str(), stored.interaction_id.as_str()))
            .collect();
        sweep::mark_swept(&transaction, &swept).await?;
        let also = active.all_activations();
        let noted: Vec<_> = swept
            .iter()
            .map(|(tenant, interaction_id)| EvaluatedInteraction {
                tenant,
                interaction_id,
                metric_versions: &[],
                also: &also,
            })
            .collect();
        interactions::note_evaluated(&transaction, &noted).await?;
        let upserted = metrics::upsert(&transaction, &rows.as_rows()).await?;
        let noted = beside::write(&transaction, &rows, &[], &self.zones).await?;
        transaction.commit().await?;
        self.zones.keep(noted);
        let applied = Applied {
            sessions: locked.len() as u64,
            evaluated: rows.len() as u64,
            written: upserted.written,
            queued: upserted.queued,
            deferred: 0,
        };
        Ok((applied.sessions, applied))
    }
}

fn read_session(stored: &Locked) -> Result<Session, ApplyError> {
    Session::from_json(&stored.state_json).map_err(|source| ApplyError::Session {
        tenant: stored.tenant.clone(),
        interaction: stored.interaction_id.clone(),
        source,
    })
}

/// What every interaction with news is evaluated by in one transaction, as it is noted with it.
struct ByAll {
    generation: Option<i64>,
    also: Vec<i64>,
}

impl ByAll {
    fn of(active: &Active, extent: Extent) -> Self {
        match extent {
            Extent::Everything if active.unreadable.is_empty() => Self {
                generation: Some(active.generation),
                also: Vec::new(),
            },
            // Not by everything: what this release cannot read must not seem computed.
            Extent::Everything => Self {
                generation: None,
                also: active.all_activations(),
            },
            // Nor what is owed.
            Extent::Critical => Self {
                generation: None,
                also: active.activations(&active.of_news_in_storm(&BTreeSet::new())),
            },
        }
    }

    fn evaluated(&self) -> Evaluated<'_> {
        Evaluated {
            generation: self.generation,
            also: &self.also,
        }
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
        Self::folded(planned, planned.facts.iter().cloned())
    }

    /// The same, of facts that take the place of the planned ones.
    fn folded(
        planned: &'a PlannedSession,
        facts: impl Iterator<Item = schema::Fact>,
    ) -> Option<Self> {
        let mut session = Session::default();
        for fact in facts {
            session.insert(fact);
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
    async fn fold_into_known<'a>(
        &self,
        transaction: &store::Transaction<'_>,
        deltas: &[&Delta<'a>],
        by: &ByAll,
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
        let (mut changed, mut noted, mut answered) = (Vec::new(), Vec::new(), Vec::new());
        for stored in &locked {
            let Some(delta) = by_key.get(&(stored.tenant.as_str(), stored.interaction_id.as_str()))
            else {
                continue;
            };
            let planned = delta.planned;
            let mut session = read_session(stored)?;
            let before = Before::of(stored, &session);
            let news = session.join(delta.session.clone());
            // A job evaluates again although no fact is new: its version may not have been computed here yet.
            if !news && planned.job_versions.is_empty() {
                continue;
            }
            rows.evaluate(ToEvaluate {
                planned,
                partition_at: stored.partition_at,
                session: &session,
                swept: stored.swept,
                news,
                before: Some(before),
            });
            if !news {
                let choice = rows.choices.of(false, &planned.job_versions);
                noted.push((planned, &delta.job_versions, choice));
                continue;
            }
            let kept = stored
                .metric_versions
                .iter()
                .copied()
                .chain(delta.job_versions.iter().copied());
            let metric_versions: Vec<i16> = kept.collect::<BTreeSet<_>>().into_iter().collect();
            let columns = derive::columns(&session);
            let ended_after_all = stored.swept && columns.status.has_ended();
            let confirmed =
                stored.confirmation_asked && columns.status != interactions::Status::Provisional;
            if ended_after_all || confirmed {
                answered.push((planned.tenant.as_str(), planned.interaction.as_str()));
            }
            let (state, facts) = (session.to_json(), count(&session));
            changed.push(Folded {
                planned,
                columns,
                state,
                facts,
                metric_versions,
            });
        }
        let updates: Vec<_> = changed.iter().map(Folded::as_update).collect();
        interactions::update(transaction, &updates, &by.evaluated()).await?;
        interactions::answered(transaction, &answered).await?;
        let noted: Vec<_> = noted
            .iter()
            .map(|(planned, versions, choice)| EvaluatedInteraction {
                tenant: planned.tenant.as_str(),
                interaction_id: planned.interaction.as_str(),
                metric_versions: versions,
                also: &choice.activations,
            })
            .collect();
        interactions::note_evaluated(transaction, &noted).await?;
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

fn count(session: &Session) -> i32 {
    i32::try_from(session.len()).unwrap_or(i32::MAX)
}
