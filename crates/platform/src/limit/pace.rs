//! How a platform's 429s slow down whoever asks it.
//!
//! A 429 stops the route that met it, or everything where there is a sign that the whole quota is used up. After the pause the full
//! pace holds; only who is refused again at once goes on at half of it.

use crate::budget::Hold;
use governor::clock::Reference;
use std::time::Duration;

/// How often the pace is halved at most when a platform keeps saying 429.
const SLOWEST: u32 = 5;
/// So many requests without a 429 undo one halving.
pub(super) const RECOVERY: u32 = 20;
/// A 429 within so many requests after a pause means that the pace is too high, not that it was met once.
const AT_ONCE: u32 = 2;

/// What else slows a limiter down besides its quota: for the credential, or for one route of it.
#[derive(Debug)]
pub(crate) struct Pace<I> {
    paused: Option<(I, Duration)>,
    last: Option<I>,
    halvings: u32,
    calm: u32,
    /// Requests since a pause was asked for; `None` where there was none lately.
    since_pause: Option<u32>,
}

impl<I> Default for Pace<I> {
    fn default() -> Self {
        Self {
            paused: None,
            last: None,
            halvings: 0,
            calm: 0,
            since_pause: None,
        }
    }
}

impl<I: Reference> Pace<I> {
    /// What is left of the pause.
    pub(crate) fn left(&self, now: I) -> Duration {
        self.paused.map_or(Duration::ZERO, |(since, wait)| {
            let passed: Duration = now.duration_since(since).into();
            wait.saturating_sub(passed)
        })
    }

    /// How long nothing may go, and what for.
    pub(crate) fn wait(&self, now: I, refill: Duration) -> Option<(Duration, Hold)> {
        let left = self.left(now);
        if !left.is_zero() {
            return Some((left, Hold::Paused));
        }
        if self.halvings == 0 {
            return None;
        }
        let gap = refill.saturating_mul(1 << self.halvings);
        let passed: Duration = now.duration_since(self.last?).into();
        (passed < gap).then(|| (gap.saturating_sub(passed), Hold::Busy))
    }

    pub(crate) fn granted(&mut self, now: I) {
        self.last = Some(now);
        if !self.left(now).is_zero() {
            // Given before the pause was known; it is not over for that.
            return;
        }
        self.paused = None;
        self.since_pause = match self.since_pause {
            Some(count) if count < AT_ONCE => Some(count + 1),
            _ => None,
        };
    }

    pub(crate) fn throttled(&mut self, now: I, wait: Duration) {
        // What comes back during a pause was on its way before it and says nothing new.
        if self.left(now).is_zero() {
            if self.since_pause.is_some_and(|count| count > 0) {
                self.halvings = (self.halvings + 1).min(SLOWEST);
            }
            self.since_pause = Some(0);
        }
        self.calm = 0;
        self.pause(now, wait);
    }

    pub(crate) fn pause(&mut self, now: I, wait: Duration) {
        if wait > self.left(now) {
            self.paused = Some((now, wait));
        }
    }

    #[cfg(test)]
    pub(crate) const fn halvings(&self) -> u32 {
        self.halvings
    }

    pub(crate) fn calm(&mut self) {
        self.calm += 1;
        if self.calm >= RECOVERY {
            self.calm = 0;
            self.halvings = self.halvings.saturating_sub(1);
        }
    }
}
