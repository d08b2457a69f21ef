//! What one subscription may take of the whole, so that a noisy one leaves the others theirs.
//!
//! Three bounds: requests a second, requests at once, and a share of the memory for bodies; and of the turns in which bodies are
//! decompressed one of several subscriptions has half. Whoever is over one is answered 429 with
//! the time to wait, before its body is read where that is known by then. Only genuine deliveries use up the rate: a stranger who
//! knows the path cannot spend it.

use super::Limits;
use super::budget::Budget;
use super::inflate;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Of the whole, what one of several subscriptions may have where nothing is configured.
const SHARE_PERCENT_DEFAULT: usize = 50;

/// The bounds of one subscription as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Requests a second, and how many may come at once after a pause.
    pub rate: Option<Rate>,
    /// Requests between their head and their answer.
    pub at_once: Option<usize>,
    /// Percent of the memory for bodies.
    pub memory_percent: Option<usize>,
}

/// Requests over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// A second, sustained.
    pub per_second: NonZeroU32,
    /// At once after a pause.
    pub burst: NonZeroU32,
}

/// Why a subscription has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// It sends more often than it may.
    Rate {
        /// Whole seconds after which it may send again.
        seconds: u64,
    },
    /// It has as many open requests as it may.
    AtOnce,
    /// Its bodies take as much memory as they may.
    Memory,
}

/// The bounds in force, and what is used of them.
#[derive(Debug)]
pub struct Gate {
    made: (Bounds, bool),
    rate: Option<DefaultDirectRateLimiter>,
    since: Instant,
    /// Microseconds after `since` until which the rate is known to be used up.
    closed_until: AtomicU64,
    open: AtomicUsize,
    at_once: usize,
    memory: Budget,
    inflating: Arc<Semaphore>,
}

/// One open request; its place is free again when this is dropped. It goes with the delivery, not with the sender: one who does not wait
/// for his answer leaves a delivery behind that takes its place as before.
#[derive(Debug)]
pub struct Seat(Arc<Gate>);

/// Percent of the whole where nothing is configured.
fn share(alone: bool) -> usize {
    if alone { 100 } else { SHARE_PERCENT_DEFAULT }
}

/// So many percent of it, at least one.
fn percent(whole: usize, percent: usize) -> usize {
    (whole.saturating_mul(percent) / 100).clamp(1, whole.max(1))
}

/// The bytes of bodies that a subscription of these bounds may have in memory.
pub fn memory_share(bounds: Bounds, limits: &Limits, alone: bool) -> usize {
    let stated = bounds.memory_percent;
    percent(limits.memory_max, stated.unwrap_or_else(|| share(alone)))
}

impl Gate {
    /// A gate of these bounds. Where one is absent, a subscription that is `alone` has everything, one of several half.
    pub fn new(bounds: Bounds, limits: &Limits, alone: bool) -> Self {
        let share = share(alone);
        Self {
            made: (bounds, alone),
            rate: bounds.rate.map(|rate| {
                RateLimiter::direct(Quota::per_second(rate.per_second).allow_burst(rate.burst))
            }),
            since: Instant::now(),
            closed_until: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            at_once: bounds
                .at_once
                .unwrap_or_else(|| percent(limits.inbox_max, share)),
            memory: Budget::new(memory_share(bounds, limits, alone)),
            inflating: Arc::new(Semaphore::new(percent(inflate::turns_max(), share))),
        }
    }

    /// Whether another would let in the same.
    pub fn is_as(&self, other: &Self) -> bool {
        self.made == other.made
    }

    /// The share of the memory for bodies.
    pub fn memory(&self) -> &Budget {
        &self.memory
    }

    /// The turns in which its bodies are decompressed.
    pub fn inflating(&self) -> &Arc<Semaphore> {
        &self.inflating
    }

    /// Lets a request in, whose head is there and whose body is not, unless there are too many or the rate is used up for now.
    pub fn enter(self: &Arc<Self>, now: Instant) -> Result<Seat, Limited> {
        if self.rate.is_some() {
            let closed = self.closed_until.load(Ordering::Relaxed);
            let wait = Duration::from_micros(closed.saturating_sub(self.micros(now)));
            if !wait.is_zero() {
                return Err(limited(wait));
            }
        }
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.at_once {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return Err(Limited::AtOnce);
        }
        Ok(Seat(Arc::clone(self)))
    }

    /// Takes one genuine delivery from the rate.
    pub fn spend(&self, now: Instant) -> Result<(), Limited> {
        let Some(rate) = &self.rate else {
            return Ok(());
        };
        rate.check().map_err(|denied| {
            let wait = denied.wait_time_from(DefaultClock::default().now());
            let wait_micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
            let until = self.micros(now).saturating_add(wait_micros);
            self.closed_until.fetch_max(until, Ordering::Relaxed);
            limited(wait)
        })
    }

    fn micros(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.since);
        u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn limited(wait: Duration) -> Limited {
    let started = u64::from(wait.subsec_nanos() > 0);
    let seconds = wait.as_secs().saturating_add(started).max(1);
    Limited::Rate { seconds }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::replay::Memory;

    pub(crate) fn limits() -> Limits {
        Limits {
            connections_max: 10,
            header_timeout: Duration::from_secs(1),
            body_timeout: Duration::from_secs(1),
            answer_timeout: Duration::from_secs(1),
            memory_max: 10_000,
            inbox_max: 100,
            batch_max: 10,
            batch_bytes_max: 1000,
            in_flight_max: 1,
            seen: Memory {
                entries_max: 100,
                horizon: Duration::from_secs(60),
            },
        }
    }

    fn rate(per_second: u32, burst: u32) -> Bounds {
        Bounds {
            rate: Some(Rate {
                per_second: NonZeroU32::new(per_second).unwrap(),
                burst: NonZeroU32::new(burst).unwrap(),
            }),
            ..Bounds::default()
        }
    }

    #[test]
    fn the_rate_is_spent_by_deliveries_and_then_refuses_heads() {
        let gate = Arc::new(Gate::new(rate(1, 2), &limits(), true));
        let now = Instant::now();
        for _ in 0..100 {
            assert!(gate.enter(now).is_ok(), "heads alone cost nothing");
        }
        assert_eq!(gate.spend(now), Ok(()));
        assert_eq!(gate.spend(now), Ok(()));
        let seconds = 1;
        assert_eq!(gate.spend(now), Err(Limited::Rate { seconds }));
        assert_eq!(gate.enter(now).err(), Some(Limited::Rate { seconds }));
        assert!(gate.enter(now + Duration::from_millis(1100)).is_ok());
    }

    #[test]
    fn places_are_free_again_when_requests_end() {
        let bounds = Bounds {
            at_once: Some(2),
            ..Bounds::default()
        };
        let gate = Arc::new(Gate::new(bounds, &limits(), true));
        let now = Instant::now();
        let first = gate.enter(now).unwrap();
        let second = gate.enter(now).unwrap();
        assert_eq!(gate.enter(now).err(), Some(Limited::AtOnce));
        drop(first);
        let third = gate.enter(now).unwrap();
        assert_eq!(gate.enter(now).err(), Some(Limited::AtOnce));
        drop((second, third));
    }

    #[test]
    fn one_of_several_has_half_unless_it_says_otherwise() {
        let memory = |bounds, alone| {
            let gate = Gate::new(bounds, &limits(), alone);
            let mut hold = gate.memory().hold();
            (1..=200).take_while(|_| hold.extend(100).is_ok()).count() * 100
        };
        assert_eq!(memory(Bounds::default(), true), 10_000);
        assert_eq!(memory(Bounds::default(), false), 5_000);
        let bounds = Bounds {
            memory_percent: Some(20),
            ..Bounds::default()
        };
        assert_eq!(memory(bounds, false), 2_000);
        let at_once = |inbox_max| {
            let few = Limits {
                inbox_max,
                ..limits()
            };
            Gate::new(Bounds::default(), &few, false).at_once
        };
        assert_eq!([1, 10, 99, 150].map(at_once), [1, 5, 49, 75]);
        let turns = |alone| {
            let gate = Gate::new(Bounds::default(), &limits(), alone);
            gate.inflating().available_permits()
        };
        assert_eq!(turns(true), inflate::turns_max());
        assert!(turns(false) >= 1 && turns(false) * 2 <= inflate::turns_max());
    }
}
