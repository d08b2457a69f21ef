//! Everything that must be in hand before a request goes: a place, the breaker's leave, a token, an entry in the log, a slot. In this
//! order, the slot last because it does not keep.

use super::Job;
use super::line::Line;
use crate::health::LOOK_AGAIN;
use platform::breaker::shared::{self, Permission};
use platform::budget::Hold;
use platform::slots::Slot;
use platform::token::{Bearer, TokenError};
use runtime::chain;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::StoreError;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// How long a slot is waited for at a time, at least.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a request goes with.
#[derive(Debug)]
pub(super) struct Clearance {
    pub(super) bearer: Bearer,
    pub(super) slot: Slot,
    pub(super) permit: shared::Leave,
    /// Given up when the request is settled.
    pub(super) place: OwnedSemaphorePermit,
}

/// Whether a request may go now.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are of the large variant, one a request, and moved once"
)]
#[derive(Debug)]
pub(super) enum Turn {
    /// It may, at once.
    Cleared(Job, Clearance),
    /// Not now: its rows were given back.
    Over,
}

impl Line {
    /// Waits for the turn of a request, for as long as its lease allows.
    pub(super) async fn turn(&self, mut job: Job) -> Result<Turn, StoreError> {
        let cleared = self.clear(&mut job).await;
        match self.or_abandon(&job, cleared).await? {
            Some(clearance) => Ok(Turn::Cleared(job, clearance)),
            None => self.give_back(job).await.map(|()| Turn::Over),
        }
    }

    async fn clear(&self, job: &mut Job) -> Result<Option<Clearance>, StoreError> {
        // The request must be over, and written down, before the lease is.
        let time = self.target.timeouts.total + self.lease_margin / 2;
        let Some(latest) = job.lease.ends.checked_sub(time) else {
            return Ok(None);
        };
        let place = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(None),
            () = tokio::time::sleep_until(latest.into()) => return Ok(None),
            place = Arc::clone(&self.places).acquire_owned() => place,
        };
        let Ok(place) = place else {
            return Ok(None);
        };
        let permit = match self.health.permit().await? {
            Permission::Granted(permit) => permit,
            Permission::Wait { wait, .. } => {
                self.rest().wait(Instant::now(), wait.min(LOOK_AGAIN));
                return Ok(None);
            }
        };
        match self.pass(job, latest).await {
            // It may have opened while this one waited for its slot.
            Ok(Some((bearer, slot))) if permit.is_try() || !self.health.is_open() => {
                Ok(Some(Clearance {
                    bearer,
                    slot,
                    permit,
                    place,
                }))
            }
            other => {
                self.health.unused(permit).await;
                other.map(|_| None)
            }
        }
    }

    /// Token, log, slot.
    async fn pass(
        &self,
        job: &mut Job,
        latest: Instant,
    ) -> Result<Option<(Bearer, Slot)>, StoreError> {
        let bearer = match self.credential.tokens.bearer().await {
            Ok(bearer) => bearer,
            Err(error) => {
                self.no_token(&error);
                return Ok(None);
            }
        };
        if self.is_over() {
            return Ok(None);
        }
        if job.noted.is_none() {
            let request = Uuid::now_v7();
            self.books.sent(request, &job.rows).await?;
            job.noted = Some(request);
        }
        loop {
            let Some(slot) = self.slot(latest).await else {
                return Ok(None);
            };
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep_until(slot.not_before().into()) => {}
            }
            if self.is_over() {
                return Ok(None);
            }
            // Else the platform asked for a short pause meanwhile, or the timer slept longer than the slot keeps.
            if self.paused().is_zero() && !slot.is_void(Instant::now()) {
                return Ok(Some((bearer, slot)));
            }
        }
    }

    /// A slot, for as long as others have them before; `None` where it is something else that it would wait for.
    async fn slot(&self, latest: Instant) -> Option<Slot> {
        let patience = (self.credential.quota.refill() * 2).max(PATIENCE);
        loop {
            let granted = tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep_until(latest.into()) => return None,
                granted = self.credential.quota.slot(self.route(), patience) => granted,
            };
            let later = match granted {
                Ok(slot) => return Some(slot),
                Err(later) => later,
            };
            let again = Instant::now() + later.wait;
            if later.hold != Hold::Busy || again > latest {
                // Nothing is claimed meanwhile: the rows would only be given back again.
                self.rest().wait(Instant::now(), later.wait);
                return None;
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep_until(again.into()) => {}
            }
            if self.is_over() {
                return None;
            }
        }
    }

    fn no_token(&self, error: &TokenError) {
        let now = Instant::now();
        self.meters.no_token(&chain(error));
        match error {
            TokenError::Refused { .. } => {
                self.rest().refused(now);
                tracing::error!(
                    target_name = self.target.name, error = %chain(error),
                    "paused: the credential is refused"
                );
            }
            TokenError::Later { .. } | TokenError::Call { .. } => {
                self.rest().wait(now, error.wait());
                tracing::warn!(target_name = self.target.name, error = %chain(error), "no token yet");
            }
        }
    }
}
