//! Who may send the next request of a credential. A limit belongs to the credential, not to a process: what keeps it may live in this
//! process ([`Limiter`]) or be shared by all that use the credential. [`crate::api::Api`] only knows this trait.

pub mod shared;

use crate::limit::Limiter;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// A future of a trait that is used as an object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The route that stands for all of them.
pub const ALL_ROUTES: &str = "";

/// Leave to send one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// A slot that was not used by then is void: ask again. A request sent later might share a window with too many others.
    pub void_after: Instant,
}

/// What there is to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    /// The quota is used up by those who asked before.
    Busy,
    /// The platform asked for a pause.
    Paused,
    /// Somebody goes first who must not wait.
    Yields,
    /// The breaker is open: the platform is in trouble.
    Breaker,
    /// The token endpoint wants to be left alone, or cannot be reached.
    Token,
    /// What keeps the budget cannot be reached.
    Unreachable,
}

impl Hold {
    /// One word, for logs, counters and `waiting_for`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "quota",
            Self::Paused => "pause",
            Self::Yields => "yields",
            Self::Breaker => "breaker",
            Self::Token => "token",
            Self::Unreachable => "budget",
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// It would take longer than the asker's patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing may be sent for another {wait:?} ({hold})")]
pub struct BudgetError {
    /// How long not to ask again.
    pub wait: Duration,
    /// What for.
    pub hold: Hold,
}

/// The platform said 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle<'a> {
    /// The route that was asked.
    pub route: &'a str,
    /// How long it wants nothing.
    pub wait: Duration,
    /// The answer's headers say that the whole credential's quota is used up, not that of the route.
    pub whole: bool,
    /// The platform's words.
    pub why: &'a str,
}

/// The requests of one credential.
pub trait Budget: Send + Sync + fmt::Debug {
    /// Waits for leave to send one request on this route, or says at once that it would take longer than `patience`.
    fn reserve<'a>(
        &'a self,
        route: &'a str,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Slot, BudgetError>>;

    /// A request of this credential was refused with 429.
    fn throttled<'a>(&'a self, throttle: Throttle<'a>) -> BoxFuture<'a, ()>;

    /// A request was taken without complaint.
    fn calm(&self, route: &str);
}

/// What a 429 stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The route that was asked; the others go on.
    Route,
    /// Everything the credential does.
    Credential,
}

/// Tells a limit of one route from a quota that is used up: the headers may say so, and a second route that is refused while the
/// first one waits says so too. For budgets that are shared; [`Limiter`] does it itself.
#[derive(Debug, Default)]
pub struct Refusals {
    paused: HashMap<String, Instant>,
}

impl Refusals {
    /// What this refusal stops.
    pub fn scope(&mut self, now: Instant, throttle: &Throttle<'_>) -> Scope {
        self.paused.retain(|_, until| *until > now);
        let elsewhere = self.paused.keys().any(|route| route != throttle.route);
        let until = now + throttle.wait;
        let known = self
            .paused
            .entry(throttle.route.to_owned())
            .or_insert(until);
        *known = (*known).max(until);
        if throttle.whole || elsewhere || throttle.route == ALL_ROUTES {
            Scope::Credential
        } else {
            Scope::Route
        }
    }
}

impl Budget for Limiter {
    fn reserve<'a>(
        &'a self,
        route: &'a str,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Slot, BudgetError>> {
        Box::pin(async move {
            let asked = Instant::now();
            loop {
                let Err((wait, hold)) = self.try_grant_on(route) else {
                    return Ok(Slot {
                        void_after: Instant::now() + self.lapse(),
                    });
                };
                if asked.elapsed().saturating_add(wait) > patience {
                    return Err(BudgetError { wait, hold });
                }
                tokio::time::sleep(wait).await;
            }
        })
    }

    fn throttled<'a>(&'a self, throttle: Throttle<'a>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.throttled_on(throttle.route, throttle.wait, throttle.whole);
        })
    }

    fn calm(&self, route: &str) {
        self.calm_on(route);
    }
}

#[cfg(test)]
mod tests;
