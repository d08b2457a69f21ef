//! What a storm leaves to be evaluated, noted with the facts, and evaluating it afterwards.
//!
//! A debt is to an interaction, by definitions. It is paid with the facts as they are then: the fold gives the same session whatever came in
//! which order, so the rows are those that would have been written at once, and of those in between only the last.

use super::choice::{Choices, Extent};
use super::rows::{Before, Rows, ToEvaluate};
use super::{Applied, Applier, ApplyError, beside, read_session};
use crate::plan::PlannedSession;
use runtime::chain;
use std::collections::BTreeSet;
use std::time::Duration;
use store::deferred::{self, Deferred, Done, NewDeferred};
use store::interactions::{self, EvaluatedInteraction};
use store::partitions::Table;
use store::{Class, StoreError, Transaction, metrics};

/// What this release cannot do is tried again after so long: another release may be there by then.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

/// Notes what is owed, and tells to how many interactions.
pub(super) async fn note(
    tx: &Transaction<'_>,
    rows: &Rows<'_>,
    extent: Extent,
) -> Result<u64, StoreError> {
    if extent == Extent::Everything {
        return Ok(0);
    }
    let active = rows.choices.active();
    let generation = active.unreadable.is_empty().then_some(active.generation);
    // Of what goes on nothing can be said yet by any definition: nothing is owed before it ends.
    let owed: Vec<NewDeferred<'_>> = rows
        .interactions
        .iter()
        .filter(|it| it.news && it.owed)
        .map(|it| {
            let (tenant, interaction_id) = it.key();
            NewDeferred {
                tenant,
                interaction_id,
                definitions: &it.choice.owed,
                generation,
                from: it.beside.started_at.unwrap_or(it.partition_at),
            }
        })
        .collect();
    // What jobs asked for was evaluated besides, and that counts.
    let noted: Vec<EvaluatedInteraction<'_>> = rows
        .interactions
        .iter()
        .filter(|it| it.news && !it.planned.job_versions.is_empty())
        .map(|it| {
            let (tenant, interaction_id) = it.key();
            EvaluatedInteraction {
                tenant,
                interaction_id,
                metric_versions: &[],
                also: &it.choice.activations,
            }
        })
        .collect();
    interactions::note_evaluated(tx, &noted).await?;
    deferred::put(tx, &owed).await
}

/// What was caught up in one transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaughtUp {
    /// Interactions that something was owed to and that were looked at.
    pub taken: u64,
    /// Of these, those to which something is owed still.
    pub left: u64,
    /// What came of it.
    pub applied: Applied,
}

/// What is owed could not be evaluated. Nothing of it was committed.
#[derive(Debug, thiserror::Error)]
#[error("what was deferred of {} interactions could not be evaluated", tried.len())]
pub struct CatchUpError {
    /// Which: organisation and interaction. Empty where it did not come to that.
    pub tried: Vec<(String, String)>,
    /// Why.
    #[source]
    pub source: ApplyError,
}

impl CatchUpError {
    /// What to do about it.
    pub fn class(&self) -> Class {
        self.source.class()
    }

    fn untried(source: impl Into<ApplyError>) -> Self {
        Self {
            tried: Vec::new(),
            source: source.into(),
        }
    }
}

impl Applier {
    /// Evaluates what is owed to at most so many interactions, those first that have waited longest, in one transaction. What another
    /// replica has at hand is its.
    pub async fn catch_up(&self, most: u32) -> Result<CaughtUp, CatchUpError> {
        let mut client = self.store.client().await.map_err(CatchUpError::untried)?;
        let began = client.transaction().await;
        let transaction = began.map_err(CatchUpError::untried)?;
        // The locks of the fold, in its order: the catalogue, the interactions, what belongs to them.
        let active = self.catalogue.active(&transaction).await;
        let active = active.map_err(CatchUpError::untried)?;
        let taken = deferred::take(&transaction, most).await;
        let taken = taken.map_err(CatchUpError::untried)?;
        let evaluated = self
            .pay(
                transaction,
                &taken,
                Choices::new(&active, Extent::Everything),
            )
            .await;
        evaluated.map_err(|source| CatchUpError {
            tried: taken
                .iter()
                .map(|it| {
                    let key = &it.interaction;
                    (key.tenant.clone(), key.interaction_id.clone())
                })
                .collect(),
            source,
        })
    }

    async fn pay(
        &self,
        transaction: Transaction<'_>,
        taken: &[Deferred],
        choices: Choices<'_>,
    ) -> Result<CaughtUp, ApplyError> {
        if taken.is_empty() {
            return Ok(CaughtUp::default());
        }
        self.partitions
            .ensure(
                Table::ComputedMetrics,
                taken.iter().map(|it| it.interaction.partition_at),
            )
            .await?;
        let planned: Vec<PlannedSession> = taken
            .iter()
            .map(|it| PlannedSession {
                tenant: it.interaction.tenant.as_str().into(),
                interaction: it.interaction.interaction_id.as_str().into(),
                facts: Vec::new(),
                job_versions: BTreeSet::new(),
            })
            .collect();
        let mut rows = Rows::new(choices);
        let mut paid = Vec::with_capacity(taken.len());
        for (debt, planned) in taken.iter().zip(&planned) {
            let stored = &debt.interaction;
            let choice = match read_session(stored) {
                Ok(session) => {
                    let choice = rows.choices.of_debt(&debt.definitions);
                    let of = ToEvaluate {
                        planned,
                        partition_at: stored.partition_at,
                        session: &session,
                        swept: stored.swept,
                        news: false,
                        before: Some(Before::of(stored, &session)),
                    };
                    rows.evaluate_by(of, choice.clone());
                    Some(choice)
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "what was deferred waits for a release that can read it");
                    None
                }
            };
            paid.push((debt, choice));
        }
        let upserted = metrics::upsert(&transaction, &rows.as_rows()).await?;
        let noted = beside::write(&transaction, &rows, &[], &self.zones).await?;
        let found = self.findings.record(&transaction, rows.evaluated()).await?;
        let done: Vec<Done<'_>> = paid
            .iter()
            .map(|(debt, choice)| {
                let (activations, left) = match choice {
                    Some(choice) => (&choice.activations[..], &choice.owed[..]),
                    None => (&[][..], &debt.definitions[..]),
                };
                Done {
                    tenant: &debt.interaction.tenant,
                    interaction_id: &debt.interaction.interaction_id,
                    activations,
                    completes: debt.completes.filter(|_| left.is_empty()),
                    left,
                }
            })
            .collect();
        deferred::done(&transaction, &done, AGAIN_AFTER).await?;
        let left = done.iter().filter(|done| !done.left.is_empty()).count();
        transaction.commit().await?;
        self.findings.keep(found);
        self.zones.keep(noted);
        Ok(CaughtUp {
            taken: taken.len() as u64,
            left: left as u64,
            applied: Applied {
                sessions: taken.len() as u64,
                evaluated: rows.len() as u64,
                written: upserted.written,
                queued: upserted.queued,
                deferred: 0,
            },
        })
    }
}
