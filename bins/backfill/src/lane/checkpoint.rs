//! What a lane writes about its chunk, and what becomes of a chunk about which nothing can be written.
//!
//! A page is published before its cursor is written. Where the cursor cannot be written, the same page would be fetched and published each time
//! the chunk's lease runs out, and nobody would see more than requests that bring nothing new: so the job rests until somebody has looked, and
//! where not even that can be written, the process ends.

use super::{ARRIVES_IN, Hand};
use runtime::{Backoff, chain};
use std::time::Duration;
use store::chunks::{self, Hold, Progress, Why};
use store::{Class, StoreError};

/// What a lane writes about its chunk.
#[derive(Debug, Clone, Copy)]
pub(super) enum Write<'a> {
    Progress(Progress<'a>),
    Calls(i64),
    Fetched(Option<i64>),
    Release {
        due_in: Duration,
        why: Why<'a>,
        calls: i64,
    },
    /// And its job is paused.
    Refused {
        why: &'a str,
        calls: i64,
    },
    Failed(&'a str),
}

/// Neither how far a chunk is nor that this cannot be written could be written: the process must not go on.
#[derive(Debug, thiserror::Error)]
#[error(
    "the checkpoint of a chunk could not be saved, and its job could not be paused for it either"
)]
pub(super) struct Unsaved(#[source] StoreError);

impl Hand<'_> {
    /// Writes, again and again while time may heal what is in the way. What can never be written pauses the job, and the chunk is no longer
    /// ours.
    pub(super) async fn written(&self, write: Write<'_>) -> anyhow::Result<Hold> {
        let error = match self.persisted(write).await {
            Ok(hold) => return Ok(hold),
            Err(error) => error,
        };
        if may_heal(&error) {
            // The process stops meanwhile.
            return Err(error.into());
        }
        let why = format!("the checkpoint could not be saved: {}", chain(&error));
        let paused = self.persisted(Write::Refused {
            why: &why,
            calls: 0,
        });
        match paused.await {
            Ok(hold) => {
                self.unsaved("paused");
                tracing::error!(job = %self.job.id, chunk = self.chunk.number, why,
                                "the job is paused; `backfill resume` lets it go on once this is mended");
                Ok(hold)
            }
            Err(also) => {
                self.unsaved("ended");
                tracing::error!(job = %self.job.id, chunk = self.chunk.number, why, error = %chain(&also),
                                "the job could not be paused either, and this process ends");
                Err(Unsaved(error).into())
            }
        }
    }

    async fn persisted(&self, write: Write<'_>) -> Result<Hold, StoreError> {
        let mut backoff = Backoff::for_connections();
        loop {
            let error = match self.write(write).await {
                Ok(hold) => return Ok(hold),
                Err(error) => error,
            };
            if !may_heal(&error) {
                return Err(error);
            }
            self.unsaved("retried");
            tracing::warn!(error = %chain(&error), "the chunk cannot be written now, trying again");
            if !backoff.pause(&self.shared.stop).await {
                return Err(error);
            }
        }
    }

    fn unsaved(&self, outcome: &'static str) {
        self.shared
            .meters
            .checkpoint_unsaved(&self.job.kind, outcome);
    }

    async fn write(&self, write: Write<'_>) -> Result<Hold, StoreError> {
        let client = self.shared.store.client().await?;
        let (job, number, owner) = (self.job.id, self.chunk.number, self.owner);
        let length = self.shared.lease;
        let ours = match write {
            Write::Progress(progress) => {
                return chunks::progress(&client, job, number, owner, &progress, length).await;
            }
            Write::Calls(calls) => {
                return chunks::heartbeat(&client, job, number, owner, calls, length).await;
            }
            Write::Fetched(expected) => {
                chunks::fetched(&client, job, number, owner, expected, ARRIVES_IN).await?
            }
            Write::Release { due_in, why, calls } => {
                chunks::release(&client, job, number, owner, due_in, why, calls).await?
            }
            Write::Refused { why, calls } => {
                chunks::refused(&client, job, number, owner, why, calls).await?
            }
            Write::Failed(why) => chunks::failed(&client, job, number, owner, why).await?,
        };
        Ok(if ours { Hold::Stopped } else { Hold::Lost })
    }
}

fn may_heal(error: &StoreError) -> bool {
    matches!(error.class(), Class::Transient | Class::Saturated)
}
