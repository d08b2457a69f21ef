//! From due rows to requests that wait for their turn.

use super::line::Line;
use super::{Job, Lease};
use crate::batch::{candidates, plan};
use crate::facets::{self, FacetsOf};
use crate::send;
use runtime::chain;
use std::time::Instant;
use store::StoreError;
use store::sync::{self, Claimed, Due, Wanted};
use target::{Adapter, Filter};
use uuid::Uuid;

/// What a claim came to.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Rows that were claimed, those that cannot be sent included.
    pub(super) rows: usize,
    /// Rows that were due and are out of the way now, because they have not settled: there may be others behind them.
    pub(super) put_back: u64,
    /// The requests they make.
    pub(super) jobs: Vec<Job>,
}

impl Line {
    /// Takes due rows under a lease and plans their requests.
    pub(super) async fn claim(&self) -> Result<Found, StoreError> {
        let left = self.health.left().await?;
        if !left.is_zero() {
            self.rest().wait(Instant::now(), left);
            return Ok(Found::default());
        }
        let Some(adapter) = self.adapter().await else {
            return Ok(Found::default());
        };
        let begun = Instant::now();
        let claimed = self.due().await?;
        let lease = Lease {
            id: claimed.lease,
            ends: begun + self.lease,
        };
        let rows = claimed.rows;
        let found = rows.len();
        let held: Vec<_> = rows.iter().map(|row| (row.row, row.key.clone())).collect();
        match self.prepare(lease, rows, adapter).await {
            Ok(jobs) => Ok(Found {
                rows: found,
                put_back: claimed.put_back,
                jobs,
            }),
            Err(error) => {
                let held: Vec<_> = held.iter().map(|(row, key)| (*row, key)).collect();
                self.books.abandon(lease.id, lease.ends, &held).await;
                Err(error)
            }
        }
    }

    /// The lane whose turn it is, and what it does not fill from the other one.
    async fn due(&self) -> Result<Claimed, StoreError> {
        let client = self.store.client().await?;
        let lane = self.next_lane();
        let lease = Uuid::now_v7();
        let mut claimed = Claimed {
            lease,
            rows: Vec::new(),
            put_back: 0,
        };
        for lane in [lane, lane.other()] {
            let rows = u32::try_from(claimed.rows.len()).unwrap_or(u32::MAX);
            let wanted = Wanted {
                target: &self.target.name,
                lane,
                limit: self.claim_rows.saturating_sub(rows),
                not_before: self.target.not_before,
            };
            if wanted.limit > 0 {
                match sync::claim(&client, &wanted, lease, self.lease).await {
                    Ok(more) => {
                        claimed.rows.extend(more.rows);
                        claimed.put_back += more.put_back;
                    }
                    // What the first lane gave is under a lease already and goes; the trouble comes again with the next claim.
                    Err(error) if !claimed.rows.is_empty() => {
                        tracing::warn!(target_name = self.target.name, error = %chain(&error), "rows of one lane could not be claimed");
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(claimed)
    }

    async fn prepare(
        &self,
        lease: Lease,
        due: Vec<Due>,
        adapter: &Adapter,
    ) -> Result<Vec<Job>, StoreError> {
        let lost = self.books.lost(&due).await?;
        if lost > 0 {
            tracing::warn!(
                target_name = self.target.name,
                rows = lost,
                "rows are pushed again whose push nobody knows the fate of"
            );
        }
        let filter = self.target.filter.as_ref();
        let facets = if filter.is_some_and(Filter::needs_facets) {
            facets::of(&self.store, &due).await?
        } else {
            FacetsOf::new()
        };
        let rows = candidates(due, filter, &facets);
        let held = self.books.held(&rows, adapter).await?;
        let rows = rows.into_iter().zip(held).collect();
        let plan = plan(rows, adapter, self.bounds, send::now());
        self.books.done(lease.id, &plan.done).await?;
        self.books.give_up(lease.id, &plan.given_up).await?;
        for row in &plan.given_up {
            tracing::warn!(
                target_name = self.target.name,
                why = row.why,
                "a row is not sent"
            );
        }
        let jobs = plan.requests.into_iter().map(|rows| Job {
            lease,
            rows,
            together: None,
            renewed: false,
            noted: None,
        });
        Ok(jobs.collect())
    }
}
