//! Requests per period of one credential: never more than the limit in any rolling window, seen on arrival at the platform.
//!
//! A token bucket lets `burst + period / refill` requests through in one window, so the refill is chosen such that this sum is
//! the limit, not the limit plus a burst. A grant may arrive up to [`Limit::lapse`] after it was given (an older one is void), so the
//! window is reckoned that much longer. What a limit is, is here; [`Limiter`] keeps to one within this process, and what a platform's 429s
//! make of the pace is the same for it and for a budget that all processes share.

mod limiter;
mod pace;

pub use limiter::Limiter;
pub(crate) use pace::Pace;

use std::time::Duration;

/// The longest lapse that a limit has by itself: a grant that was not used within it is void and must be asked for again.
pub const LAPSE: Duration = Duration::from_secs(1);

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

#[cfg(test)]
mod tests {
    use super::*;

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
        let genesys = Limit::new(300, Duration::from_secs(60), 50);
        let alone = genesys.alone();
        assert_eq!((alone.requests, alone.burst), (60, 1));
        assert_eq!(alone.period, genesys.period);
        assert_eq!(
            Limit::new(3, Duration::from_secs(60), 3).alone().requests,
            1
        );
    }

    #[test]
    fn limits_that_cannot_be_kept_are_refused() {
        let limit =
            |requests, seconds, burst| Limit::new(requests, Duration::from_secs(seconds), burst);
        let refused = |limit| Limit::refill(&limit).err();
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
}
