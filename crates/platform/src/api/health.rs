//! The breaker as many tasks use it at once: one probe at a time, and never a lost one.

use crate::breaker::{Breaker, Permit, Policy, Signal, State};
use crate::watch::{Turned, Watch};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Health {
    breaker: Mutex<Breaker>,
}

impl Health {
    pub(super) const fn new(policy: Policy) -> Self {
        Self {
            breaker: Mutex::new(Breaker::new(policy)),
        }
    }

    pub(super) fn state(&self) -> State {
        self.breaker().state()
    }

    /// How long nothing is to be sent; takes no probe.
    pub(super) fn left(&self) -> Duration {
        self.breaker().left(Instant::now())
    }

    /// Leave to send one request, or how long not to ask again.
    pub(super) fn permit<'a>(&'a self, watch: &'a dyn Watch) -> Result<Permitted<'a>, Duration> {
        let mut breaker = self.breaker();
        let before = breaker.state();
        let permit = breaker.permit(Instant::now());
        let after = breaker.state();
        let failures = breaker.failures();
        drop(breaker);
        if before != after {
            tell(watch, after, failures, Duration::ZERO, "");
        }
        match permit {
            Permit::Go | Permit::Probe => Ok(Permitted {
                health: self,
                watch,
                recorded: false,
            }),
            Permit::Wait(left) => Err(left),
        }
    }

    fn record(&self, signal: Signal, watch: &dyn Watch, why: &str) {
        let now = Instant::now();
        let mut breaker = self.breaker();
        let before = breaker.state();
        breaker.record(signal, now);
        let after = breaker.state();
        let (failures, left) = (breaker.failures(), breaker.left(now));
        drop(breaker);
        if before != after {
            tell(watch, after, failures, left, why);
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        // A panic while holding it cannot leave it half-written: plain numbers.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(watch: &dyn Watch, state: State, failures: u32, wait: Duration, why: &str) {
    match state {
        State::Open => tracing::warn!(?wait, why, "the platform is in trouble: nothing is sent"),
        State::HalfOpen => tracing::info!("one request goes to see whether the platform is back"),
        State::Closed => tracing::info!("the platform is back"),
    }
    watch.breaker(&Turned {
        state,
        failures,
        wait,
        why,
    });
}

/// Leave to send one request. Dropped without a word (the caller was cancelled), it gives the probe back.
#[derive(Debug)]
pub(super) struct Permitted<'a> {
    health: &'a Health,
    watch: &'a dyn Watch,
    recorded: bool,
}

impl Permitted<'_> {
    pub(super) fn record(mut self, signal: Signal, why: &str) {
        self.recorded = true;
        self.health.record(signal, self.watch, why);
    }
}

impl Drop for Permitted<'_> {
    fn drop(&mut self) {
        if !self.recorded {
            self.health.record(Signal::Neutral, self.watch, "");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Unwatched;

    /// Pitfall 103: whoever is cancelled while it probes leaves the probe to the next.
    #[test]
    fn pitfall_103_a_dropped_probe_is_not_lost() {
        let health = Health::new(Policy {
            failures: 1,
            cool_down: Duration::ZERO,
            longest: Duration::ZERO,
        });
        health
            .permit(&Unwatched)
            .unwrap()
            .record(Signal::Failure, "down");
        let probe = health.permit(&Unwatched).unwrap();
        assert!(health.permit(&Unwatched).is_err(), "one at a time");
        drop(probe);
        let probe = health.permit(&Unwatched).unwrap();
        assert_eq!(health.state(), State::HalfOpen);
        probe.record(Signal::Success, "");
        assert_eq!(health.state(), State::Closed);
    }
}
