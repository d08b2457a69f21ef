//! Live before history: the history lane waits while live works on a backlog, but never for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long a full live batch speaks for a backlog.
const BACKLOG_FOR: Duration = Duration::from_millis(500);
/// How long history waits for its turn at most: it slows down, it is not starved.
const WAIT_MAX: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether live has a backlog, as its workers see it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pressure {
    began: Instant,
    /// Milliseconds after `began`, plus one, of the last full live batch; 0 for never.
    last_full: Arc<AtomicU64>,
}

impl Default for Pressure {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            last_full: Arc::default(),
        }
    }
}

impl Pressure {
    /// A live worker had a full batch: there is more where it came from.
    pub fn live_batch_was_full(&self) {
        self.last_full.store(self.now() + 1, Ordering::Relaxed);
    }

    /// Whether a live batch was full just now.
    pub fn is_on(&self) -> bool {
        let last = self.last_full.load(Ordering::Relaxed);
        last > 0 && self.now() + 1 - last < millis(BACKLOG_FOR)
    }

    /// Waits while live has a backlog, at most two seconds. False when asked to stop.
    pub async fn wait_for_turn(&self, stop: &CancellationToken) -> bool {
        let latest = tokio::time::Instant::now() + WAIT_MAX;
        while self.is_on() && tokio::time::Instant::now() < latest {
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        !stop.is_cancelled()
    }

    fn now(&self) -> u64 {
        millis(self.began.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_pressure_before_the_first_full_batch() {
        assert!(!Pressure::default().is_on());
    }

    #[tokio::test(start_paused = true)]
    async fn history_waits_while_live_is_full_and_not_for_ever() {
        let pressure = Pressure::default();
        pressure.live_batch_was_full();
        assert!(pressure.is_on());
        let began = tokio::time::Instant::now();
        // The clock of the pressure does not move while tokio's is paused, so the backlog never ends here.
        assert!(pressure.wait_for_turn(&CancellationToken::new()).await);
        assert!(began.elapsed() >= WAIT_MAX && began.elapsed() < WAIT_MAX * 2);
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait() {
        let stop = CancellationToken::new();
        stop.cancel();
        assert!(!Pressure::default().wait_for_turn(&stop).await);
    }
}
