//! Delays between attempts. The only user of crate `backoff`.

use backoff::SystemClock;
use backoff::backoff::Backoff as _;
use backoff::exponential::{ExponentialBackoff, ExponentialBackoffBuilder};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Exponential delays with jitter, bounded, and without an end.
///
/// Each delay is drawn evenly from half to one and a half of the current interval; the interval doubles up to the maximum. Elapsed time
/// never makes it give up: an outage of an hour is an outage, not a reason to stop. Who must give up counts attempts.
#[derive(Debug)]
pub struct Backoff {
    inner: ExponentialBackoff<SystemClock>,
    maximum: Duration,
    attempts: u32,
}

impl Backoff {
    /// From the first interval to the longest delay.
    #[must_use]
    pub fn new(first: Duration, maximum: Duration) -> Self {
        let inner = ExponentialBackoffBuilder::<SystemClock>::new()
            .with_initial_interval(first)
            .with_max_interval(maximum)
            .with_multiplier(2.0)
            .with_randomization_factor(0.5)
            // The crate's default gives up after 15 minutes.
            .with_max_elapsed_time(None)
            .build();
        Self {
            inner,
            maximum,
            attempts: 0,
        }
    }

    /// For reconnecting to a server of ours: 100 ms to 10 s.
    #[must_use]
    pub fn for_connections() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(10))
    }

    /// The next delay, never longer than the maximum.
    pub fn next_delay(&mut self) -> Duration {
        self.attempts = self.attempts.saturating_add(1);
        self.inner
            .next_backoff()
            .unwrap_or(self.maximum)
            .min(self.maximum)
    }

    /// How many delays were taken since the last reset.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Back to the first interval. Call it after a success.
    pub fn reset(&mut self) {
        self.inner.reset();
        self.attempts = 0;
    }

    /// Waits for the next delay. False when `stop` was cancelled meanwhile: then nothing should be tried again.
    pub async fn pause(&mut self, stop: &CancellationToken) -> bool {
        let delay = self.next_delay();
        tokio::select! {
            () = stop.cancelled() => false,
            () = tokio::time::sleep(delay) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_are_jittered_and_stay_bounded() {
        let maximum = Duration::from_secs(2);
        let mut backoff = Backoff::new(Duration::from_millis(100), maximum);
        let first = backoff.next_delay();
        assert!((50..=150).contains(&first.as_millis()), "{first:?}");
        let delays: Vec<_> = (0..50).map(|_| backoff.next_delay()).collect();
        assert!(delays.iter().all(|d| *d <= maximum));
        assert!(delays[10..].iter().all(|d| *d >= Duration::from_secs(1)));
        assert!(delays[10..].windows(2).any(|pair| pair[0] != pair[1]));
        assert_eq!(backoff.attempts(), 51);
    }

    #[test]
    fn it_never_gives_up_by_elapsed_time() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
        // As if the first attempt had begun an hour ago.
        if let Some(earlier) = std::time::Instant::now().checked_sub(Duration::from_secs(3600)) {
            backoff.inner.start_time = earlier;
        }
        assert!(backoff.inner.next_backoff().is_some());
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(60));
        for _ in 0..10 {
            backoff.next_delay();
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(15));
        assert_eq!(backoff.attempts(), 1);
    }

    #[tokio::test]
    async fn a_stop_ends_the_pause() {
        let stop = CancellationToken::new();
        stop.cancel();
        let mut backoff = Backoff::new(Duration::from_secs(3600), Duration::from_secs(3600));
        assert!(!backoff.pause(&stop).await);
    }
}
