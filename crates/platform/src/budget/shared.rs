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
/// The shortest lapse. Half of it is for the keeper's answer, and no database answers within less at all times.
const LAPSE_MIN: Duration = Duration::from_millis(10);
/// How often the wait for a keeper is doubled at most, whose slots are void when they arrive.
const LATE_MAX: u32 = 6;

/// A question to the keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'a> {
    /// What is to be asked of the platform.
    pub route: &'a str,
    /// The steady time between two requests, as this process has it configured. The longest of all processes holds.
    pub refill: Duration,
    /// Whether it is configured. A mere default holds only where nobody states anything.
    pub stated: bool,
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
        /// The earliest instant that "now" can be: when the keeper was asked, with a connection in hand.
        since: Instant,
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
    stated: bool,
    lapse: Duration,
    // Held across the question: of those who wait here one asks, for all. What came of it is known before it is let go.
    asking: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

/// What this process knows.
#[derive(Debug, Default)]
struct Known {
    /// In hand, by route.
    slots: HashMap<String, Slots>,
    paces: HashMap<String, Pace<Instant>>,
    refusals: Refusals,
    /// Until when the keeper has nothing for anybody here, and why.
    nothing_until: Option<(Instant, Hold)>,
    /// How many answers in a row came so late that their slots were void.
    late: u32,
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
        if limit.lapse < LAPSE_MIN {
            return Err(LimitError::ShortLapse {
                lapse: limit.lapse,
                least: LAPSE_MIN,
            });
        }
        Ok(Self {
            keeper,
            credential: credential.into(),
            refill: limit.refill()?,
            stated: true,
            lapse: limit.lapse,
            asking: tokio::sync::Mutex::default(),
            known: Mutex::default(),
        })
    }

    /// The same where nobody configured the limit: what others state holds.
    #[must_use]
    pub fn unstated(self) -> Self {
        Self {
            stated: false,
            ..self
        }
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
        if let Some(found) = self.known().at_hand(route, self.refill) {
            return found;
        }
        let _alone = self.asking.lock().await;
        // Whoever asked meanwhile may have the answer for this one too.
        if let Some(found) = self.known().at_hand(route, self.refill) {
            return found;
        }
        let most = AHEAD.as_micros() / self.refill.as_micros().max(1) + 1;
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let ask = Ask {
            route,
            refill: self.refill,
            stated: self.stated,
            want: self.known().slots(route).want(most),
            horizon: AHEAD,
        };
        let reply = self.keeper.reserve(ask).await;
        let answered = Instant::now();
        match self.heard(reply, answered)? {
            Reply::Granted {
                since,
                first_in,
                count,
                spacing,
            } => {
                self.compare(spacing);
                let given = Given {
                    asked: since,
                    answered,
                    first_in,
                    count,
                    spacing,
                    lapse: self.lapse,
                };
                self.given(route, given)
            }
            Reply::Wait { retry_in, hold } => {
                let mut known = self.known();
                if hold == Hold::Paused {
                    let pace = known.paces.entry(route.to_owned()).or_default();
                    pace.pause(answered, retry_in);
                } else {
                    known.nothing_until = Some((answered + retry_in, hold));
                }
                Err((retry_in, hold))
            }
        }
    }

    /// Takes what the keeper gave, and the first of it.
    fn given(&self, route: &str, given: Given) -> Result<slots::Slot, (Duration, Hold)> {
        let now = given.answered;
        let mut known = self.known();
        if given.answered.saturating_duration_since(given.asked) > self.lapse / 2 {
            // None can be used, and each was taken from somebody else. The others get them while this one keeps away.
            let times = 1 << known.late.min(LATE_MAX);
            known.late = known.late.saturating_add(1);
            let wait = given.spacing.max(AGAIN).saturating_mul(times);
            let wait = wait.min(UNREACHABLE.max(given.spacing));
            known.nothing_until = Some((now + wait, Hold::Unreachable));
            if known.late == 2 {
                tracing::warn!(
                    credential = self.credential,
                    lapse_seconds = self.lapse.as_secs_f64(),
                    "the budget answers later than half a lapse: nothing is sent"
                );
            }
            return Err((wait, Hold::Unreachable));
        }
        known.late = 0;
        // The platform may have said "not now" while the keeper was asked.
        if let Some(wait) = known.held_back(route, now, self.refill) {
            return Err(wait);
        }
        known.slots(route).add(given);
        known
            .at_hand(route, self.refill)
            .unwrap_or(Err((AGAIN, Hold::Busy)))
    }

    /// What the keeper said. That it cannot be reached is said once, and once that it can.
    fn heard(
        &self,
        reply: Result<Reply, KeeperError>,
        now: Instant,
    ) -> Result<Reply, (Duration, Hold)> {
        let mut known = self.known();
        let before = std::mem::replace(&mut known.unreachable, reply.is_err());
        known.nothing_until = reply
            .is_err()
            .then_some((now + UNREACHABLE, Hold::Unreachable));
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
        let slower = self.stated && spacing > self.refill;
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
        // Known here first, then by all: neither waits for a question that is under way.
        let scope = self.known().throttled(now, &throttle);
        let route = (scope == Scope::Route).then_some(throttle.route);
        let noted = self.keeper.pause(route, throttle.wait, throttle.why).await;
        if let Err(error) = noted {
            tracing::warn!(
                credential = self.credential, route = throttle.route, error = %chain(error.as_ref()),
                "the other processes could not be told of a pause"
            );
        }
    }

    /// The platform asked for a wait on this route without saying that the pace is too high (503 with `Retry-After`): nobody sends anything
    /// there meanwhile, and the full pace holds after it.
    pub async fn pause(&self, route: &str, wait: Duration, why: &str) {
        self.known().pause(Instant::now(), route, wait);
        if let Err(error) = self.keeper.pause(Some(route), wait, why).await {
            tracing::warn!(
                credential = self.credential, route, error = %chain(error.as_ref()),
                "the other processes could not be told of a pause"
            );
        }
    }

    // A panic while holding it cannot leave it half-written: plain values.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn slots(&mut self, route: &str) -> &mut Slots {
        self.slots.entry(route.to_owned()).or_default()
    }

    /// What there is to say without asking the keeper; `None`: nothing.
    fn at_hand(
        &mut self,
        route: &str,
        refill: Duration,
    ) -> Option<Result<slots::Slot, (Duration, Hold)>> {
        let now = Instant::now();
        if let Some(wait) = self.held_back(route, now, refill) {
            return Some(Err(wait));
        }
        if let Some(slot) = self.slots(route).take(now) {
            for route in [ALL_ROUTES, route] {
                if let Some(pace) = self.paces.get_mut(route) {
                    pace.granted(now);
                }
            }
            return Some(Ok(slot));
        }
        let (until, hold) = self.nothing_until?;
        let left = until.saturating_duration_since(now);
        (!left.is_zero()).then_some(Err((left, hold)))
    }

    /// What holds a request back that is known here: a pause, or half the pace after one.
    fn held_back(&self, route: &str, now: Instant, refill: Duration) -> Option<(Duration, Hold)> {
        [ALL_ROUTES, route]
            .iter()
            .filter_map(|route| self.paces.get(*route)?.wait(now, refill))
            .max_by_key(|(wait, _)| *wait)
    }

    /// Gives up what is in hand for the route, and gets nothing more before the wait is over.
    fn pause(&mut self, now: Instant, route: &str, wait: Duration) {
        self.slots.remove(route);
        let pace = self.paces.entry(route.to_owned()).or_default();
        pace.pause(now, wait);
    }

    /// The platform said 429. Gives up what is in hand and says what it stops.
    fn throttled(&mut self, now: Instant, throttle: &Throttle<'_>) -> Scope {
        let scope = self.refusals.scope(now, throttle);
        let stopped = match scope {
            Scope::Route => {
                self.slots.remove(throttle.route);
                throttle.route
            }
            Scope::Credential => {
                self.slots.clear();
                ALL_ROUTES
            }
        };
        let pace = self.paces.entry(stopped.to_owned()).or_default();
        pace.throttled(now, throttle.wait);
        scope
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
