//! A limit as one process keeps to it.
//!
//! A limiter starts empty: a process that is restarted again and again gets nothing extra.

use super::pace::Pace;
use super::{Limit, LimitError};
use crate::budget::{ALL_ROUTES, Hold};
use governor::clock::{Clock, DefaultClock};
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

#[derive(Debug)]
struct Paces<I> {
    whole: Pace<I>,
    /// Of routes that were refused; their names are few and chosen by us.
    routes: HashMap<String, Pace<I>>,
}

/// The quota of one credential within this process.
#[derive(Debug)]
pub struct Limiter<C: Clock = DefaultClock> {
    bucket:
        RateLimiter<NotKeyed, InMemoryState, C, governor::middleware::NoOpMiddleware<C::Instant>>,
    clock: C,
    refill: Duration,
    lapse: Duration,
    paces: Mutex<Paces<C::Instant>>,
}

impl Limiter<DefaultClock> {
    /// An empty bucket on the machine's monotonic clock.
    pub fn new(limit: Limit) -> Result<Self, LimitError> {
        Self::with_clock(limit, DefaultClock::default())
    }
}

impl<C: Clock + Clone> Limiter<C> {
    /// An empty bucket on a given clock.
    pub fn with_clock(limit: Limit, clock: C) -> Result<Self, LimitError> {
        let refill = limit.refill()?;
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
            lapse: limit.lapse,
            paces: Mutex::new(Paces {
                whole: Pace::default(),
                routes: HashMap::new(),
            }),
        })
    }

    /// Takes one request of a route from the quota, or says how long to wait before asking again, and what for.
    pub fn try_grant_on(&self, route: &str) -> Result<(), (Duration, Hold)> {
        let now = self.clock.now();
        let mut paces = self.paces();
        let own = paces
            .routes
            .get(route)
            .and_then(|pace| pace.wait(now, self.refill));
        let whole = paces.whole.wait(now, self.refill);
        if let Some(found) = whole.into_iter().chain(own).max_by_key(|(wait, _)| *wait) {
            return Err(found);
        }
        match self.bucket.check() {
            Ok(()) => {
                paces.whole.granted(now);
                if let Some(pace) = paces.routes.get_mut(route) {
                    pace.granted(now);
                }
                Ok(())
            }
            Err(not_until) => {
                let wait = not_until.wait_time_from(self.clock.now());
                Err((wait.max(Duration::from_millis(1)), Hold::Busy))
            }
        }
    }

    /// The platform said 429 on this route: nothing for so long (never shorter than a pause that is already running), and half the pace after
    /// it where this was said at once after another pause. The other routes go on unless the answer says that it is about the whole
    /// credential, or another route is waiting already.
    pub fn throttled_on(&self, route: &str, wait: Duration, whole: bool) {
        let now = self.clock.now();
        let mut paces = self.paces();
        let elsewhere = paces
            .routes
            .iter()
            .any(|(other, pace)| other != route && !pace.left(now).is_zero());
        if whole || elsewhere || route == ALL_ROUTES {
            paces.whole.throttled(now, wait);
        } else {
            paces
                .routes
                .entry(route.to_owned())
                .or_default()
                .throttled(now, wait);
        }
    }

    /// The platform took a request of this route without complaint: after some of those the pace doubles again, up to the quota.
    pub fn calm_on(&self, route: &str) {
        let mut paces = self.paces();
        paces.whole.calm();
        if let Some(pace) = paces.routes.get_mut(route) {
            pace.calm();
        }
    }

    /// How long a grant keeps.
    pub fn lapse(&self) -> Duration {
        self.lapse
    }

    fn paces(&self) -> std::sync::MutexGuard<'_, Paces<C::Instant>> {
        // A panic while holding it cannot leave it half-written: plain numbers.
        self.paces
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::pace::RECOVERY;
    use governor::clock::FakeRelativeClock;
    use proptest::prelude::*;

    impl<C: Clock + Clone> Limiter<C> {
        fn try_grant(&self) -> Result<(), Duration> {
            self.try_grant_on(ALL_ROUTES).map_err(|(wait, _)| wait)
        }

        fn throttled(&self, wait: Duration) {
            self.throttled_on(ALL_ROUTES, wait, true);
        }

        fn paused(&self) -> Duration {
            self.paces().whole.left(self.clock.now())
        }
    }

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
        Limit::new(300, Duration::from_secs(60), burst)
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

    /// Pitfall 13: after a pause the full pace holds. Who is refused at once again goes at half of it until all is calm.
    #[test]
    fn a_pause_stops_everything_and_only_a_second_one_at_once_slows_down() {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::with_clock(genesys(1), clock.clone()).unwrap();
        clock.advance(Duration::from_secs(1));
        limiter.throttled(Duration::from_secs(10));
        limiter.throttled(Duration::from_secs(2));
        assert_eq!(limiter.try_grant(), Err(Duration::from_secs(10)));
        clock.advance(Duration::from_secs(10));
        assert_eq!(limiter.try_grant(), Ok(()));
        clock.advance(limiter.refill);
        assert_eq!(limiter.try_grant(), Ok(()), "the full pace");
        // That one was refused, straight after the pause.
        limiter.throttled(Duration::from_secs(5));
        clock.advance(Duration::from_secs(5));
        assert_eq!(limiter.try_grant(), Ok(()));
        clock.advance(limiter.refill);
        assert_eq!(limiter.try_grant(), Err(limiter.refill), "half of it");
        limiter.throttled(Duration::from_secs(5));
        clock.advance(Duration::from_secs(5));
        assert_eq!(limiter.try_grant(), Ok(()));
        clock.advance(limiter.refill * 3);
        assert!(
            limiter.try_grant().is_err(),
            "a quarter of the pace after the third"
        );
        for _ in 0..2 * RECOVERY {
            limiter.calm_on(ALL_ROUTES);
        }
        assert_eq!(limiter.try_grant(), Ok(()));
    }

    /// Pitfall 13: a 429 of one route is no reason to stop the others.
    #[test]
    fn pitfall_13_the_other_routes_go_on() {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::with_clock(genesys(1), clock.clone()).unwrap();
        clock.advance(Duration::from_secs(1));
        limiter.throttled_on("jobs", Duration::from_secs(12), false);
        assert_eq!(
            limiter.try_grant_on("jobs"),
            Err((Duration::from_secs(12), Hold::Paused))
        );
        assert_eq!(limiter.try_grant_on("query"), Ok(()));
        assert!(limiter.paused().is_zero());
        // A second route that is refused meanwhile: it is the quota after all.
        limiter.throttled_on("query", Duration::from_secs(5), false);
        assert_eq!(
            limiter.try_grant_on("users"),
            Err((Duration::from_secs(5), Hold::Paused))
        );
        clock.advance(Duration::from_secs(5));
        assert_eq!(limiter.try_grant_on("users"), Ok(()));
        assert_eq!(
            limiter.try_grant_on("jobs"),
            Err((Duration::from_secs(7), Hold::Paused))
        );
        clock.advance(Duration::from_secs(7));
        assert_eq!(limiter.try_grant_on("jobs"), Ok(()));
    }

    #[test]
    fn the_whole_credential_waits_where_the_headers_say_so() {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::with_clock(genesys(1), clock.clone()).unwrap();
        clock.advance(Duration::from_secs(1));
        limiter.throttled_on("jobs", Duration::from_secs(12), true);
        assert!(limiter.try_grant_on("query").is_err());
        assert_eq!(limiter.paused(), Duration::from_secs(12));
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit_in_any_rolling_window(
            requests in 1u32..40,
            burst in 1u32..40,
            period in 1u64..20,
            steps in proptest::collection::vec((0u64..3000, 0u32..1000, any::<bool>()), 1..300),
        ) {
            let burst = burst.min(requests);
            let limit = Limit::new(requests, Duration::from_secs(period), burst);
            let clock = FakeRelativeClock::default();
            let limiter = Limiter::with_clock(limit, clock.clone()).unwrap();
            let mut now = Duration::ZERO;
            let mut arrivals = Vec::new();
            for (pause, travel, refused) in steps {
                clock.advance(Duration::from_millis(pause));
                now += Duration::from_millis(pause);
                while limiter.try_grant().is_ok() {
                    // The request arrives up to the lapse after the grant.
                    let travel = limit.lapse * travel / 1000;
                    arrivals.push((now + travel).as_nanos());
                    if refused { limiter.throttled(Duration::from_millis(pause)); }
                }
            }
            arrivals.sort_unstable();
            prop_assert!(most_in_any_window(&arrivals, limit.period) <= requests as usize);
        }
    }
}
