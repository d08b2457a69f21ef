//! A circuit breaker with three answers where two are not enough. Pure: the caller brings the time.
//!
//! Server errors, time-outs and connection failures count against the platform. An answer that only says something about our
//! rows or our pace (400, 422, 429) is neutral: it neither closes nor opens, and it gives the probe back. Refused credentials
//! (401, 403) are not the breaker's business at all: they pause the target, with an alarm of their own.

pub mod shared;

use std::time::{Duration, Instant};

/// How long to wait for somebody else's probe before asking again.
const PROBED_FOR: Duration = Duration::from_millis(100);

/// What one request said about the platform's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The platform did what it was asked.
    Success,
    /// The platform is in trouble.
    Failure,
    /// Nothing either way.
    Neutral,
}

/// May a request be sent?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Yes.
    Go,
    /// Yes, one, to see whether the platform is back.
    Probe,
    /// Not for so long.
    Wait(Duration),
}

/// The state, for logs and gauges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Requests flow.
    Closed,
    /// No requests.
    Open,
    /// One request at a time.
    HalfOpen,
}

impl State {
    /// Its name, as it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// When to open and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// This many failures in a row open it. At least 1.
    pub failures: u32,
    /// How long it stays open the first time; doubled each time a probe fails.
    pub cool_down: Duration,
    /// The bound on that.
    pub longest: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            failures: 5,
            cool_down: Duration::from_secs(5),
            longest: Duration::from_secs(60),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Inner {
    Closed { failures: u32 },
    Open { until: Instant, cool_down: Duration },
    HalfOpen { probing: bool, cool_down: Duration },
}

/// The breaker of one target.
#[derive(Debug)]
pub struct Breaker {
    policy: Policy,
    inner: Inner,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub const fn new(policy: Policy) -> Self {
        Self {
            policy,
            inner: Inner::Closed { failures: 0 },
        }
    }

    /// The state as last recorded.
    #[must_use]
    pub const fn state(&self) -> State {
        match self.inner {
            Inner::Closed { .. } => State::Closed,
            Inner::Open { .. } => State::Open,
            Inner::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// How long nothing is to be sent; asking takes no probe.
    #[must_use]
    pub fn left(&self, now: Instant) -> Duration {
        match self.inner {
            Inner::Open { until, .. } => until.saturating_duration_since(now),
            Inner::HalfOpen { probing: true, .. } => PROBED_FOR,
            Inner::Closed { .. } | Inner::HalfOpen { probing: false, .. } => Duration::ZERO,
        }
    }

    /// Failures in a row, as far as they are counted: until it opens.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        match self.inner {
            Inner::Closed { failures } => failures,
            Inner::Open { .. } | Inner::HalfOpen { .. } => self.policy.failures,
        }
    }

    /// Asks for leave to send one request. A [`Permit::Probe`] must be answered by [`Breaker::record`].
    pub fn permit(&mut self, now: Instant) -> Permit {
        match self.inner {
            Inner::Closed { .. } => Permit::Go,
            Inner::Open { until, cool_down } => {
                let left = until.saturating_duration_since(now);
                if left.is_zero() {
                    self.inner = Inner::HalfOpen {
                        probing: true,
                        cool_down,
                    };
                    Permit::Probe
                } else {
                    Permit::Wait(left)
                }
            }
            Inner::HalfOpen { probing: true, .. } => Permit::Wait(PROBED_FOR),
            Inner::HalfOpen {
                probing: false,
                cool_down,
            } => {
                self.inner = Inner::HalfOpen {
                    probing: true,
                    cool_down,
                };
                Permit::Probe
            }
        }
    }

    /// Records what a permitted request said.
    pub fn record(&mut self, signal: Signal, now: Instant) {
        self.inner = match (self.inner, signal) {
            (Inner::Closed { .. } | Inner::HalfOpen { .. }, Signal::Success) => {
                Inner::Closed { failures: 0 }
            }
            (Inner::Closed { failures }, Signal::Failure) => {
                let failures = failures.saturating_add(1);
                if failures >= self.policy.failures.max(1) {
                    self.open(now, self.policy.cool_down)
                } else {
                    Inner::Closed { failures }
                }
            }
            (Inner::HalfOpen { cool_down, .. }, Signal::Failure) => {
                self.open(now, cool_down.saturating_mul(2).min(self.policy.longest))
            }
            (Inner::HalfOpen { cool_down, .. }, Signal::Neutral) => Inner::HalfOpen {
                probing: false,
                cool_down,
            },
            // A request sent before it opened may answer late; it changes nothing.
            (same @ (Inner::Open { .. } | Inner::Closed { .. }), _) => same,
        };
    }

    fn open(&self, now: Instant, cool_down: Duration) -> Inner {
        let cool_down = cool_down.min(self.policy.longest);
        Inner::Open {
            until: now + cool_down,
            cool_down,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Signal::{Failure, Neutral, Success};

    fn breaker() -> (Breaker, Instant) {
        (Breaker::new(Policy::default()), Instant::now())
    }

    fn fail(breaker: &mut Breaker, times: u32, now: Instant) {
        for _ in 0..times {
            breaker.record(Failure, now);
        }
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_probe_closes_it() {
        let (mut breaker, now) = breaker();
        fail(&mut breaker, 4, now);
        assert_eq!(breaker.permit(now), Permit::Go);
        fail(&mut breaker, 1, now);
        assert_eq!(breaker.permit(now), Permit::Wait(Duration::from_secs(5)));
        let later = now + Duration::from_secs(5);
        assert_eq!(breaker.permit(later), Permit::Probe);
        assert!(
            matches!(breaker.permit(later), Permit::Wait(_)),
            "one probe at a time"
        );
        breaker.record(Success, later);
        assert_eq!(breaker.permit(later), Permit::Go);
    }

    #[test]
    fn refused_rows_and_throttling_neither_open_nor_close_it() {
        let (mut breaker, now) = breaker();
        for _ in 0..100 {
            breaker.record(Neutral, now);
        }
        assert_eq!(breaker.state(), State::Closed);
        // Neutral between failures does not hide that the platform is down.
        for _ in 0..5 {
            breaker.record(Neutral, now);
            breaker.record(Failure, now);
        }
        assert_eq!(breaker.state(), State::Open);
        breaker.record(Neutral, now);
        assert_eq!(breaker.state(), State::Open);
    }

    #[test]
    fn a_neutral_answer_to_the_probe_gives_the_probe_back() {
        let (mut breaker, now) = breaker();
        fail(&mut breaker, 5, now);
        let later = now + Duration::from_secs(6);
        assert_eq!(breaker.permit(later), Permit::Probe);
        breaker.record(Neutral, later);
        assert_eq!(breaker.state(), State::HalfOpen);
        assert_eq!(breaker.permit(later), Permit::Probe);
        breaker.record(Success, later);
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn each_failed_probe_doubles_the_wait_up_to_the_bound() {
        let (mut breaker, mut now) = breaker();
        fail(&mut breaker, 5, now);
        let mut waits = Vec::new();
        for _ in 0..6 {
            let Permit::Wait(wait) = breaker.permit(now) else {
                panic!("open")
            };
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(breaker.permit(now), Permit::Probe);
            breaker.record(Failure, now);
        }
        assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn a_success_starts_the_count_again() {
        let (mut breaker, now) = breaker();
        fail(&mut breaker, 4, now);
        breaker.record(Success, now);
        fail(&mut breaker, 4, now);
        assert_eq!(breaker.state(), State::Closed);
    }
}
