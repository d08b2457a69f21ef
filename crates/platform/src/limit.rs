//! Requests per period of one credential: never more than the limit in any rolling window, seen on arrival at the platform.
//!
//! A token bucket lets `burst + period / refill` requests through in one window, so the refill is chosen such that this sum is
//! the limit, not the limit plus a burst. A grant may arrive up to [`Limit::lapse`] after it was given (an older one is void), so the
//! window is reckoned that much longer. A limiter starts empty: a process that is restarted again and again gets nothing extra.
//!
//! A 429 stops the route that met it, or everything where there is a sign that the whole quota is used up. After the pause the full
//! pace holds; only who is refused again at once goes on at half of it.

use crate::budget::{ALL_ROUTES, Hold};
use governor::clock::{Clock, DefaultClock, Reference};
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

/// The longest lapse that a limit has by itself: a grant that was not used within it is void and must be asked for again.
pub const LAPSE: Duration = Duration::from_secs(1);

/// How often the pace is halved at most when a platform keeps saying 429.
const SLOWEST: u32 = 5;
/// So many requests without a 429 undo one halving.
const RECOVERY: u32 = 20;
/// A 429 within so many requests after a pause means that the pace is too high, not that it was met once.
const AT_ONCE: u32 = 2;

/// What a platform allows one credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Requests per period.
    pub requests: u32,
    /// The period, any rolling one.
    pub period: Duration,
    /// How many may go at once after a pause. Part of `requests`, not beside them.
    pub burst: u32,
    /// How long after a grant its request may arrive. The longer, the slower the steady pace.
    pub lapse: Duration,
}

impl Limit {
    /// A limit with the usual lapse: a sixtieth of the period, at most [`LAPSE`].
    #[must_use]
    pub const fn new(requests: u32, period: Duration, burst: u32) -> Self {
        Self {
            requests,
            period,
            burst,
            lapse: Self::usual_lapse(period),
        }
    }

    /// The lapse of a limit that states none.
    #[must_use]
    pub const fn usual_lapse(period: Duration) -> Duration {
        match period.checked_div(60) {
            Some(share) if share.as_nanos() < LAPSE.as_nanos() => share,
            _ => LAPSE,
        }
    }

    /// What a process may use that cannot know what others with the same credential send: a fifth, as much as deliver leaves the others,
    /// and evenly.
    #[must_use]
    pub fn alone(self) -> Self {
        Self {
            requests: (self.requests / 5).max(1),
            burst: 1,
            ..self
        }
    }

    /// The steady time between two requests with which `burst + window / refill` never exceeds the limit, for a window longer by the
    /// lapse.
    pub fn refill(&self) -> Result<Duration, LimitError> {
        if self.requests == 0 {
            return Err(LimitError::NoRequests);
        }
        if self.period.is_zero() {
            return Err(LimitError::NoPeriod);
        }
        if self.burst == 0 {
            return Err(LimitError::NoBurst);
        }
        if self.burst > self.requests {
            return Err(LimitError::BurstOverLimit {
                burst: self.burst,
                requests: self.requests,
            });
        }
        // burst + floor(window / refill) <= requests holds as soon as refill > window / (requests - burst + 1).
        let window = self.period.saturating_add(self.lapse);
        let shares = self.requests - self.burst + 1;
        Ok(window / shares + Duration::from_micros(1))
    }
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
    /// A grant would be void before it can be used.
    #[error("a lapse of {lapse:?} is over before a shared budget has answered: at least {least:?}")]
    ShortLapse {
        /// The lapse asked for.
        lapse: Duration,
        /// The shortest there is.
        least: Duration,
    },
    /// The burst alone is beyond the limit.
    #[error("a burst of {burst} is more than the {requests} requests allowed in a whole period")]
    BurstOverLimit {
        /// The burst asked for.
        burst: u32,
        /// The requests allowed.
        requests: u32,
    },
}

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

    /// Waits until one request may be sent. Use the grant within the lapse.
    pub async fn granted(&self) {
        while let Err(wait) = self.try_grant() {
            tokio::time::sleep(wait).await;
        }
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

    /// Takes one request from the quota, or says how long to wait before asking again.
    pub fn try_grant(&self) -> Result<(), Duration> {
        self.try_grant_on(ALL_ROUTES).map_err(|(wait, _)| wait)
    }

    /// The same of a route, with what there is to wait for.
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

    /// The platform said 429: nothing for so long (never shorter than a pause that is already running), and half the pace after it
    /// where this was said at once after another pause.
    pub fn throttled(&self, wait: Duration) {
        self.throttled_on(ALL_ROUTES, wait, true);
    }

    /// The platform said 429 on this route. The others go on unless the answer says that it is about the whole credential, or another
    /// route is waiting already.
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

    /// Nothing for so long, never shorter than a pause that is already running.
    pub fn pause(&self, wait: Duration) {
        let now = self.clock.now();
        self.paces().whole.pause(now, wait);
    }

    /// The platform took a request without complaint: after some of those the pace doubles again, up to the quota.
    pub fn calm(&self) {
        self.calm_on(ALL_ROUTES);
    }

    /// The same of a route.
    pub fn calm_on(&self, route: &str) {
        let mut paces = self.paces();
        paces.whole.calm();
        if let Some(pace) = paces.routes.get_mut(route) {
            pace.calm();
        }
    }

    /// How much longer the platform wants nothing.
    pub fn paused(&self) -> Duration {
        let now = self.clock.now();
        self.paces().whole.left(now)
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
        clock.advance(limiter.refill());
        assert_eq!(limiter.try_grant(), Ok(()), "the full pace");
        // That one was refused, straight after the pause.
        limiter.throttled(Duration::from_secs(5));
        clock.advance(Duration::from_secs(5));
        assert_eq!(limiter.try_grant(), Ok(()));
        clock.advance(limiter.refill());
        assert_eq!(limiter.try_grant(), Err(limiter.refill()), "half of it");
        limiter.throttled(Duration::from_secs(5));
        clock.advance(Duration::from_secs(5));
        assert_eq!(limiter.try_grant(), Ok(()));
        clock.advance(limiter.refill() * 3);
        assert!(
            limiter.try_grant().is_err(),
            "a quarter of the pace after the third"
        );
        for _ in 0..2 * RECOVERY {
            limiter.calm();
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

    /// Pitfall 111: the lapse is part of the window, whatever the period is.
    #[test]
    fn pitfall_111_a_short_period_has_a_short_lapse() {
        let limit = Limit::new(30, Duration::from_secs(6), 1);
        assert_eq!(limit.lapse, Duration::from_millis(100));
        assert_eq!(Limit::new(300, Duration::from_secs(600), 1).lapse, LAPSE);
        let refill = limit.refill().unwrap();
        assert!(refill * 30 > limit.period + limit.lapse);
        assert!(refill * 30 < limit.period + limit.lapse * 2);
    }

    #[test]
    fn who_knows_nothing_of_the_others_uses_a_fifth_and_no_burst() {
        let alone = genesys(50).alone();
        assert_eq!((alone.requests, alone.burst), (60, 1));
        assert_eq!(alone.period, genesys(50).period);
        assert_eq!(
            Limit::new(3, Duration::from_secs(60), 3).alone().requests,
            1
        );
    }

    #[test]
    fn limits_that_cannot_be_kept_are_refused() {
        let limit =
            |requests, seconds, burst| Limit::new(requests, Duration::from_secs(seconds), burst);
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
