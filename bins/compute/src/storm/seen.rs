//! What the workers of this process see of the backlog: how long messages had waited, and how many facts are in one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// For so long an age speaks for what waits now: a batch may take a while, and in calm there may be none.
const AGE_FOR: Duration = Duration::from_secs(15);
/// Weight of what was seen since the last look in the mean, of 1.
const WEIGHT: f64 = 0.3;

/// Where workers note what they see. Cheap to clone; a few additions a batch.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    noted: Arc<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    messages: AtomicU64,
    facts: AtomicU64,
    /// Milliseconds plus one; 0 for none.
    age: AtomicU64,
}

impl Seen {
    /// A batch of the live lane: how many messages and facts, and how long the oldest message had waited when it was taken.
    pub fn batch(&self, messages: usize, facts: usize, age: Option<Duration>) {
        self.noted
            .messages
            .fetch_add(messages as u64, Ordering::Relaxed);
        self.noted.facts.fetch_add(facts as u64, Ordering::Relaxed);
        if let Some(age) = age {
            let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX - 1);
            self.noted.age.fetch_max(millis + 1, Ordering::Relaxed);
        }
    }
}

/// What one who looks now and then makes of it.
#[derive(Debug, Default)]
pub(super) struct Look {
    facts_per_message: Option<f64>,
    age: Option<(Instant, Duration)>,
}

impl Look {
    /// Takes in what was noted since the last time.
    pub(super) fn again(&mut self, seen: &Seen, now: Instant) {
        let take = |noted: &AtomicU64| noted.swap(0, Ordering::Relaxed);
        let (messages, facts) = (take(&seen.noted.messages), take(&seen.noted.facts));
        if messages > 0 {
            let mean = as_f64(facts) / as_f64(messages);
            self.facts_per_message = Some(
                self.facts_per_message
                    .map_or(mean, |before| before + WEIGHT * (mean - before)),
            );
        }
        match take(&seen.noted.age).checked_sub(1) {
            Some(millis) => self.age = Some((now, Duration::from_millis(millis))),
            None => {
                self.age = self
                    .age
                    .filter(|(at, _)| now.saturating_duration_since(*at) <= AGE_FOR);
            }
        }
    }

    /// How many facts a message has, about; none: none was taken yet.
    pub(super) const fn facts_per_message(&self) -> Option<f64> {
        self.facts_per_message
    }

    /// How long those had waited that were taken lately.
    pub(super) fn age(&self) -> Option<Duration> {
        self.age.map(|(_, age)| age)
    }
}

/// Counts of some seconds: far from where a float is not exact.
#[expect(
    clippy::cast_precision_loss,
    reason = "a mean of counts, to be shown and compared with a threshold"
)]
const fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_the_greatest_of_lately_and_ends() {
        let (seen, mut look, start) = (Seen::default(), Look::default(), Instant::now());
        look.again(&seen, start);
        assert_eq!((look.age(), look.facts_per_message()), (None, None));
        seen.batch(1, 1, Some(Duration::from_secs(9)));
        seen.batch(1, 1, Some(Duration::from_secs(4)));
        seen.batch(1, 1, None);
        look.again(&seen, start);
        assert_eq!(look.age(), Some(Duration::from_secs(9)));
        look.again(&seen, start + AGE_FOR);
        assert_eq!(look.age(), Some(Duration::from_secs(9)));
        look.again(&seen, start + AGE_FOR * 2);
        assert_eq!(look.age(), None);
    }

    #[test]
    fn the_mean_follows_what_messages_hold_now() {
        let (seen, mut look, now) = (Seen::default(), Look::default(), Instant::now());
        seen.batch(10, 1_000, None);
        look.again(&seen, now);
        assert_eq!(look.facts_per_message(), Some(100.0));
        for _ in 0..30 {
            seen.batch(10, 20, None);
            look.again(&seen, now);
            look.again(&seen, now);
        }
        let mean = look.facts_per_message().unwrap();
        assert!((2.0..2.1).contains(&mean), "{mean}");
    }
}
