//! A budget that is kept elsewhere, for all processes that use the credential.
//!
//! The [`Keeper`] gives evenly spaced slots to whoever asks, one after the other; this takes them in small batches and hands them out
//! here. What is in hand when a process dies lapses, and one that is started again and again gets nothing extra. Nothing is sent that
//! the keeper was not asked for: when it cannot be reached, nothing is.

use super::{ALL_ROUTES, BoxFuture, Budget, BudgetError, Hold, Refusals, Scope, Slot, Throttle};
use crate::limit::{Limit, LimitError, Pace};
use crate::slots::{self, Given, Slots};
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How far ahead slots are taken, and so how many in one round trip. Short: what is in hand when another process is told to pause
/// still goes, and a platform expects to have been heard within a fraction of a second.
const AHEAD: Duration = Duration::from_millis(100);
/// The shortest wait before the keeper is asked again.
const AGAIN: Duration = Duration::from_millis(1);
/// How long a keeper that cannot be reached is left alone.
const UNREACHABLE: Duration = Duration::from_secs(1);

/// A question to the keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// What is to be asked of the platform.
    pub route: &'a str,
    /// The steady time between two requests, as this process has it configured. The longest of all processes holds.
    pub refill: Duration,
    /// How many slots.
    pub want: u32,
    /// How far ahead the last one may be.
    pub horizon: Duration,
}

/// What the keeper says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// Slots: the first so long after the keeper's "now", the others at this distance. The distance is the one that holds.
    Granted {
        /// To the first.
        first_in: Duration,
        /// How many.
        count: u32,
        /// From one to the next.
        spacing: Duration,
    },
    /// None now.
    Wait {
        /// When to ask again.
        retry_in: Duration,
        /// What for.
        hold: Hold,
    },
}

/// The keeper could not be asked.
pub type KeeperError = Box<dyn Error + Send + Sync>;

/// Keeps the budget of one credential for all processes.
pub trait Keeper: Send + Sync + fmt::Debug {
    /// Gives slots, or says when to ask again.
    fn reserve<'a>(&'a self, ask: Ask<'a>) -> BoxFuture<'a, Result<Reply, KeeperError>>;

    /// Gives no slots for a route (`None`: for any) for so long; never shortens a pause.
    fn pause<'a>(
        &'a self,
        route: Option<&'a str>,
        wait: Duration,
        why: &'a str,
    ) -> BoxFuture<'a, Result<(), KeeperError>>;
}

/// One credential's requests in this process, within what the keeper gives.
#[derive(Debug)]
pub struct Shared<K> {
    keeper: K,
    credential: String,
    refill: Duration,
    lapse: Duration,
    // Held across the question: of those who wait here one asks, for all.
    slots: tokio::sync::Mutex<HashMap<String, Slots>>,
    known: Mutex<Known>,
}

/// What this process knows.
#[derive(Debug, Default)]
struct Known {
    paces: HashMap<String, Pace<Instant>>,
    refusals: Refusals,
    /// Has been told that another process states a lower limit.
    slower: bool,
    /// The keeper could not be reached last time.
    unreachable: bool,
}

impl<K: Keeper> Shared<K> {
    /// The budget of `credential`, whose limit is `limit` as far as this process's configuration knows. There is no burst: all
    /// processes together go evenly.
    pub fn new(keeper: K, credential: impl Into<String>, limit: Limit) -> Result<Self, LimitError> {
        let limit = Limit { burst: 1, ..limit };
        Ok(Self {
            keeper,
            credential: credential.into(),
            refill: limit.refill()?,
            lapse: limit.lapse,
            slots: tokio::sync::Mutex::default(),
            known: Mutex::default(),
        })
    }

    /// The steady time between two requests, as this process has it configured.
    #[must_use]
    pub const fn refill(&self) -> Duration {
        self.refill
    }

    /// How much longer the platform wants nothing on this route, as far as this process knows.
    #[must_use]
    pub fn paused(&self, route: &str) -> Duration {
        let known = self.known();
        let now = Instant::now();
        [ALL_ROUTES, route]
            .iter()
            .filter_map(|route| known.paces.get(*route))
            .map(|pace| pace.left(now))
            .max()
            .unwrap_or_default()
    }

    /// Waits for a slot that comes soon, or says at once that it would take longer than `patience`. For whoever has something to do
    /// until the slot's own instant.
    pub async fn slot(&self, route: &str, patience: Duration) -> Result<slots::Slot, BudgetError> {
        let asked = Instant::now();
        loop {
            let (wait, hold) = match self.take(route).await {
                Ok(slot) => return Ok(slot),
                Err(wait) => wait,
            };
            if asked.elapsed().saturating_add(wait) > patience {
                return Err(BudgetError { wait, hold });
            }
            tokio::time::sleep(wait.max(AGAIN)).await;
        }
    }

    async fn take(&self, route: &str) -> Result<slots::Slot, (Duration, Hold)> {
        let mut all = self.slots.lock().await;
        let now = Instant::now();
        if let Some(wait) = self.held_back(route, now) {
            return Err(wait);
        }
        let slots = all.entry(route.to_owned()).or_default();
        if let Some(slot) = slots.take(now) {
            self.granted(route, now);
            return Ok(slot);
        }
        let most = AHEAD.as_micros() / self.refill.as_micros().max(1) + 1;
        let ask = Ask {
            route,
            refill: self.refill,
            want: slots.want(u32::try_from(most).unwrap_or(u32::MAX)),
            horizon: AHEAD,
        };
        let reply = self.keeper.reserve(ask).await;
        let answered = Instant::now();
        match self.heard(reply)? {
            Reply::Granted {
                first_in,
                count,
                spacing,
            } => {
                self.compare(spacing);
                slots.add(Given {
                    asked: now,
                    answered,
                    first_in,
                    count,
                    spacing,
                    lapse: self.lapse,
                });
                let slot = slots.take(answered).ok_or((AGAIN, Hold::Busy))?;
                self.granted(route, answered);
                Ok(slot)
            }
            Reply::Wait { retry_in, hold } => {
                if hold == Hold::Paused {
                    let mut known = self.known();
                    let pace = known.paces.entry(route.to_owned()).or_default();
                    pace.pause(answered, retry_in);
                }
                Err((retry_in, hold))
            }
        }
    }

    /// What holds a request back that is known here: a pause, or half the pace after one.
    fn held_back(&self, route: &str, now: Instant) -> Option<(Duration, Hold)> {
        let known = self.known();
        [ALL_ROUTES, route]
            .iter()
            .filter_map(|route| known.paces.get(*route)?.wait(now, self.refill))
            .max_by_key(|(wait, _)| *wait)
    }

    fn granted(&self, route: &str, now: Instant) {
        let mut known = self.known();
        for route in [ALL_ROUTES, route] {
            if let Some(pace) = known.paces.get_mut(route) {
                pace.granted(now);
            }
        }
    }

    /// What the keeper said. That it cannot be reached is said once, and once that it can.
    fn heard(&self, reply: Result<Reply, KeeperError>) -> Result<Reply, (Duration, Hold)> {
        let mut known = self.known();
        let before = std::mem::replace(&mut known.unreachable, reply.is_err());
        drop(known);
        match reply {
            Ok(reply) => {
                if before {
                    tracing::info!(
                        credential = self.credential,
                        "the budget can be asked again"
                    );
                }
                Ok(reply)
            }
            Err(error) => {
                if !before {
                    tracing::warn!(
                        credential = self.credential, error = %chain(error.as_ref()),
                        "the budget cannot be asked: nothing is sent"
                    );
                }
                Err((UNREACHABLE, Hold::Unreachable))
            }
        }
    }

    /// The lowest limit that is configured for a credential holds. Whoever is held up by it says so, once.
    fn compare(&self, spacing: Duration) {
        let slower = spacing > self.refill;
        let before = std::mem::replace(&mut self.known().slower, slower);
        if slower && !before {
            tracing::warn!(
                credential = self.credential,
                ours_seconds = self.refill.as_secs_f64(),
                theirs_seconds = spacing.as_secs_f64(),
                "another process has a lower limit configured for this credential: the lower one holds"
            );
        }
    }

    async fn stop(&self, throttle: Throttle<'_>) {
        let now = Instant::now();
        let scope = {
            let mut known = self.known();
            let scope = known.refusals.scope(now, &throttle);
            let stopped = match scope {
                Scope::Route => throttle.route,
                Scope::Credential => ALL_ROUTES,
            };
            let pace = known.paces.entry(stopped.to_owned()).or_default();
            pace.throttled(now, throttle.wait);
            scope
        };
        {
            let mut slots = self.slots.lock().await;
            match scope {
                Scope::Route => drop(slots.remove(throttle.route)),
                Scope::Credential => slots.clear(),
            }
        }
        let route = (scope == Scope::Route).then_some(throttle.route);
        let noted = self.keeper.pause(route, throttle.wait, throttle.why).await;
        if let Err(error) = noted {
            tracing::warn!(
                credential = self.credential, route = throttle.route, error = %chain(error.as_ref()),
                "the other processes could not be told of a pause"
            );
        }
    }

    // A panic while holding it cannot leave it half-written: plain values.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Keeper> Budget for Shared<K> {
    fn reserve<'a>(
        &'a self,
        route: &'a str,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Slot, BudgetError>> {
        Box::pin(async move {
            let until = Instant::now() + patience;
            loop {
                let left = until.saturating_duration_since(Instant::now());
                let slot = self.slot(route, left).await?;
                tokio::time::sleep_until(slot.not_before().into()).await;
                // The timer may have slept longer than the slot keeps, and another request may have been refused meanwhile.
                if !slot.is_void(Instant::now()) && self.paused(route).is_zero() {
                    return Ok(Slot {
                        void_after: slot.void_after(),
                    });
                }
            }
        })
    }

    fn throttled<'a>(&'a self, throttle: Throttle<'a>) -> BoxFuture<'a, ()> {
        Box::pin(self.stop(throttle))
    }

    fn calm(&self, route: &str) {
        let mut known = self.known();
        for route in [ALL_ROUTES, route] {
            if let Some(pace) = known.paces.get_mut(route) {
                pace.calm();
            }
        }
    }
}

/// An error with everything behind it.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
