//! Requests per period of one credential: never more than the limit in any rolling window, seen on arrival at the platform.
//!
//! A token bucket lets `burst + period / refill` requests through in one window, so the refill is chosen such that this sum is
//! the limit, not the limit plus a burst. A grant may arrive up to [`LAPSE`] after it was given (an older one is void), so the
//! window is reckoned that much longer. A limiter starts empty: a process that is restarted again and again gets nothing extra.

use governor::clock::{Clock, DefaultClock, Reference};
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

/// A grant that was not used within this time is void and must be asked for again.
pub const LAPSE: Duration = Duration::from_secs(1);

/// How often the pace is halved at most when a platform keeps saying 429.
const SLOWEST: u32 = 5;
/// So many requests without a 429 undo one halving.
const RECOVERY: u32 = 20;

/// What a platform allows one credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Requests per period.
    pub requests: u32,
    /// The period, any rolling one.
    pub period: Duration,
    /// How many may go at once after a pause. Part of `requests`, not beside them.
    pub burst: u32,
}

/// A limit that cannot be kept.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LimitError {
    /// No requests at all are allowed.
    #[error("a limit of 0 requests lets nothing through")]
    NoRequests,
    /// The period is empty.
    #[error("a period of 0 is no limit")]
    NoPeriod,
    /// Nothing may ever go.
    #[error("a burst of 0 lets nothing through: at least 1")]
    NoBurst,
    /// The burst alone is beyond the limit.
    #[error("a burst of {burst} is more than the {requests} requests allowed in a whole period")]
    BurstOverLimit {
        /// The burst asked for.
        burst: u32,
        /// The requests allowed.
        requests: u32,
    },
}

/// What else slows a limiter down besides its quota.
#[derive(Debug)]
struct Pace<I> {
    paused: Option<(I, Duration)>,
    last: Option<I>,
    halvings: u32,
    calm: u32,
}

impl<I: Reference> Pace<I> {
    /// What is left of the pause.
    fn left(&self, now: I) -> Duration {
        self.paused.map_or(Duration::ZERO, |(since, wait)| {
            let passed: Duration = now.duration_since(since).into();
            wait.saturating_sub(passed)
        })
    }
}

/// The quota of one credential within this process.
#[derive(Debug)]
pub struct Limiter<C: Clock = DefaultClock> {
    bucket:
        RateLimiter<NotKeyed, InMemoryState, C, governor::middleware::NoOpMiddleware<C::Instant>>,
    clock: C,
    refill: Duration,
    pace: Mutex<Pace<C::Instant>>,
}

impl Limiter<DefaultClock> {
    /// An empty bucket on the machine's monotonic clock.
    pub fn new(limit: Limit) -> Result<Self, LimitError> {
        Self::with_clock(limit, DefaultClock::default())
    }

    /// Waits until one request may be sent. Use the grant within [`LAPSE`].
    pub async fn granted(&self) {
        while let Err(wait) = self.try_grant() {
            tokio::time::sleep(wait).await;
        }
    }
}

impl<C: Clock + Clone> Limiter<C> {
    /// An empty bucket on a given clock.
    pub fn with_clock(limit: Limit, clock: C) -> Result<Self, LimitError> {
        let refill = refill(limit)?;
        let burst = NonZeroU32::new(limit.burst).ok_or(LimitError::NoBurst)?;
        let quota = Quota::with_period(refill)
            .ok_or(LimitError::NoPeriod)?
            .allow_burst(burst);
        let bucket = RateLimiter::direct_with_clock(quota, clock.clone());
        // Starts empty: the predecessor of this process may have used the burst a moment ago.
        let emptied = bucket.check_n(burst);
        debug_assert!(
            matches!(emptied, Ok(Ok(()))),
            "a new bucket holds its burst"
        );
        Ok(Self {
            bucket,
            clock,
            refill,
            pace: Mutex::new(Pace {
                paused: None,
                last: None,
                halvings: 0,
                calm: 0,
            }),
        })
    }

    /// Takes one request from the quota, or says how long to wait before asking again.
    pub fn try_grant(&self) -> Result<(), Duration> {
        let now = self.clock.now();
        let mut pace = self.pace();
        let left = pace.left(now);
        if !left.is_zero() {
            return Err(left);
        }
        pace.paused = None;
        if let Some(last) = pace.last {
            let gap = self.refill.saturating_mul((1 << pace.halvings) - 1);
            let passed: Duration = now.duration_since(last).into();
            if passed < gap {
                return Err(gap.saturating_sub(passed));
            }
        }
        match self.bucket.check() {
            Ok(()) => {
                pace.last = Some(now);
                Ok(())
            }
            Err(not_until) => Err(not_until
                .wait_time_from(self.clock.now())
                .max(Duration::from_millis(1))),
        }
    }

    /// The platform said 429: nothing for so long (never shorter than a pause that is already running), and half the pace after.
    pub fn throttled(&self, wait: Duration) {
        let mut pace = self.pace();
        pace.halvings = (pace.halvings + 1).min(SLOWEST);
        pace.calm = 0;
        drop(pace);
        self.pause(wait);
    }

    /// Nothing for so long, never shorter than a pause that is already running.
    pub fn pause(&self, wait: Duration) {
        let now = self.clock.now();
        let mut pace = self.pace();
        if wait > pace.left(now) {
            pace.paused = Some((now, wait));
        }
    }

    /// The platform took a request without complaint: after some of those the pace doubles again, up to the quota.
    pub fn calm(&self) {
        let mut pace = self.pace();
        pace.calm += 1;
        if pace.calm >= RECOVERY {
            pace.calm = 0;
            pace.halvings = pace.halvings.saturating_sub(1);
        }
    }

    /// How much longer the platform wants nothing.
    pub fn paused(&self) -> Duration {
        let now = self.clock.now();
        self.pace().left(now)
    }

    /// Empties the bucket: another process may have used the quota up to this moment.
    pub fn empty(&self) {
        while self.bucket.check().is_ok() {}
        // What is left is a fraction of a grant; wait as long as a whole one takes.
        self.pause(self.refill);
    }

    /// The steady time between two requests at full pace.
    pub fn refill(&self) -> Duration {
        self.refill
    }

    fn pace(&self) -> std::sync::MutexGuard<'_, Pace<C::Instant>> {
        // A panic while holding it cannot leave it half-written: plain numbers.
        self.pace
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The refill interval with which `burst + window / refill` never exceeds the limit, for a window longer by [`LAPSE`].
fn refill(limit: Limit) -> Result<Duration, LimitError> {
    if limit.requests == 0 {
        return Err(LimitError::NoRequests);
    }
    if limit.period.is_zero() {
        return Err(LimitError::NoPeriod);
    }
    if limit.burst == 0 {
        return Err(LimitError::NoBurst);
    }
    if limit.burst > limit.requests {
        return Err(LimitError::BurstOverLimit {
            burst: limit.burst,
            requests: limit.requests,
        });
    }
    // burst + floor(window / refill) <= requests holds as soon as refill > window / (requests - burst + 1).
    let window = limit.period.saturating_add(LAPSE);
    let shares = limit.requests - limit.burst + 1;
    Ok(window / shares + Duration::from_micros(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;
    use proptest::prelude::*;

    /// The most grants in any window of `period`, both ends included.
    fn most_in_any_window(grants: &[u128], period: Duration) -> usize {
        let mut most = 0;
        let mut first = 0;
        for (last, at) in grants.iter().enumerate() {
            while at - grants[first] > period.as_nanos() {
                first += 1;
            }
            most = most.max(last - first + 1);
        }
        most
    }

    fn genesys(burst: u32) -> Limit {
        Limit {
            requests: 300,
            period: Duration::from_secs(60),
            burst,
        }
    }

    #[test]
    fn a_saturated_limiter_uses_nearly_all_and_never_more() {
        for burst in [1, 5, 50] {
            let clock = FakeRelativeClock::default();
            let limiter = Limiter::with_clock(genesys(burst), clock.clone()).unwrap();
            let mut now = Duration::ZERO;
            let mut grants = Vec::new();
            while now < Duration::from_secs(180) {
                match limiter.try_grant() {
                    Ok(()) => grants.push(now.as_nanos()),
                    Err(wait) => {
                        clock.advance(wait);
                        now += wait;
                    }
                }
            }
            let most = most_in_any_window(&grants, Duration::from_secs(61));
            assert!(most <= 300, "{most} with a burst of {burst}");
            assert!(most >= 240, "{most} with a burst of {burst}");
        }
    }

    #[test]
    fn a_crash_loop_gets_nothing_extra() {
        let clock = FakeRelativeClock::default();
        let mut now = Duration::ZERO;
        let mut grants = Vec::new();
        for _ in 0..12 {
            let limiter = Limiter::with_clock(genesys(20), clock.clone()).unwrap();
            assert!(limiter.try_grant().is_err(), "starts empty");
            let born = now;
            while now < born + Duration::from_secs(20) {
                match limiter.try_grant() {
                    Ok(()) => grants.push(now.as_nanos()),
                    Err(wait) => {
                        clock.advance(wait);
                        now += wait;
                    }
                }
            }
        }
        assert!(most_in_any_window(&grants, Duration::from_secs(60)) <= 300);
    }

    /// Two processes, one bucket each, of which one at a time may use it: the one that takes over empties its own first.
    #[test]
    fn taking_over_gets_nothing_extra() {
        let clock = FakeRelativeClock::default();
        let both = [
            Limiter::with_clock(genesys(20), clock.clone()).unwrap(),
            Limiter::with_clock(genesys(20), clock.clone()).unwrap(),
        ];
        let mut now = Duration::ZERO;
        let mut grants = Vec::new();
        for turn in 0..40 {
            let limiter = &both[turn % 2];
            limiter.empty();
            let until = now + Duration::from_millis(1000 + 700 * turn as u64);
            while now < until {
                match limiter.try_grant() {
                    Ok(()) => grants.push(now.as_nanos()),
                    Err(wait) => {
                        clock.advance(wait);
                        now += wait;
                    }
                }
            }
        }
        assert!(most_in_any_window(&grants, Duration::from_secs(60)) <= 300);
    }

    #[test]
    fn a_pause_stops_everything_and_the_pace_comes_back_slowly() {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::with_clock(genesys(1), clock.clone()).unwrap();
        clock.advance(Duration::from_secs(1));
        limiter.throttled(Duration::from_secs(10));
        limiter.throttled(Duration::from_secs(2));
        assert_eq!(limiter.try_grant(), Err(Duration::from_secs(10)));
        clock.advance(Duration::from_secs(10));
        assert_eq!(limiter.try_grant(), Ok(()));
        clock.advance(limiter.refill() * 2);
        assert!(
            limiter.try_grant().is_err(),
            "a quarter of the pace after two 429"
        );
        for _ in 0..2 * RECOVERY {
            limiter.calm();
        }
        assert_eq!(limiter.try_grant(), Ok(()));
    }

    #[test]
    fn limits_that_cannot_be_kept_are_refused() {
        let limit = |requests, seconds, burst| Limit {
            requests,
            period: Duration::from_secs(seconds),
            burst,
        };
        let refused = |limit| Limiter::new(limit).err();
        assert_eq!(refused(limit(0, 60, 1)), Some(LimitError::NoRequests));
        assert_eq!(refused(limit(300, 0, 1)), Some(LimitError::NoPeriod));
        assert_eq!(refused(limit(300, 60, 0)), Some(LimitError::NoBurst));
        assert_eq!(
            refused(limit(10, 60, 11)),
            Some(LimitError::BurstOverLimit {
                burst: 11,
                requests: 10
            })
        );
        assert_eq!(refused(limit(1, 60, 1)), None);
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit_in_any_rolling_window(
            requests in 1u32..40,
            burst in 1u32..40,
            period in 1u64..20,
            steps in proptest::collection::vec((0u64..3000, 0u64..1000, any::<bool>()), 1..300),
        ) {
            let burst = burst.min(requests);
            let limit = Limit { requests, period: Duration::from_secs(period), burst };
            let clock = FakeRelativeClock::default();
            let limiter = Limiter::with_clock(limit, clock.clone()).unwrap();
            let mut now = Duration::ZERO;
            let mut arrivals = Vec::new();
            for (pause, travel, refused) in steps {
                clock.advance(Duration::from_millis(pause));
                now += Duration::from_millis(pause);
                while limiter.try_grant().is_ok() {
                    // The request arrives up to the lapse after the grant.
                    arrivals.push((now + Duration::from_millis(travel)).as_nanos());
                    if refused { limiter.throttled(Duration::from_millis(pause)); }
                }
            }
            arrivals.sort_unstable();
            prop_assert!(most_in_any_window(&arrivals, limit.period) <= requests as usize);
        }
    }
}
