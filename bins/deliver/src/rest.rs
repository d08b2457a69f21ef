//! When a target is left alone: because it refused everything, or because no token was to be had. Pure.

use std::time::{Duration, Instant};

/// The first pause of a target that refuses the credential or the path.
const FIRST: Duration = Duration::from_secs(30);
/// The longest.
const LONGEST: Duration = Duration::from_secs(900);

/// Until when, and how long next time.
#[derive(Debug, Default)]
pub struct Rest {
    until: Option<Instant>,
    /// Until when it rests because it refused everything.
    resting: Option<Instant>,
    refusals: u32,
}

impl Rest {
    /// How much longer.
    #[must_use]
    pub fn left(&self, now: Instant) -> Duration {
        self.until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// The pause the next refusal causes.
    #[must_use]
    pub fn next_pause(&self) -> Duration {
        FIRST
            .saturating_mul(1 << self.refusals.min(10))
            .min(LONGEST)
    }

    /// The target refused everything: it rests, longer each time. Several requests are under way at a time: what comes back while it
    /// rests was sent before, and says nothing new.
    pub fn refused(&mut self, now: Instant) {
        if self.resting.is_some_and(|until| now < until) {
            return;
        }
        let pause = self.next_pause();
        self.resting = Some(now + pause);
        self.wait(now, pause);
        self.refusals = self.refusals.saturating_add(1);
    }

    /// Nothing before this is over.
    pub fn wait(&mut self, now: Instant, wait: Duration) {
        let until = now + wait;
        self.until = Some(self.until.map_or(until, |before| before.max(until)));
    }

    /// It took something.
    pub fn accepted(&mut self) {
        self.refusals = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_rests_longer_up_to_a_quarter_of_an_hour() {
        let (mut rest, mut now) = (Rest::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..7 {
            rest.refused(now);
            // The others that were under way.
            rest.refused(now);
            pauses.push(rest.left(now).as_secs());
            now += rest.left(now);
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 900, 900]);
        rest.accepted();
        assert_eq!(rest.next_pause(), FIRST);
    }

    #[test]
    fn the_longer_of_two_waits_counts() {
        let (mut rest, now) = (Rest::default(), Instant::now());
        rest.wait(now, Duration::from_secs(9));
        rest.wait(now, Duration::from_secs(3));
        assert_eq!(rest.left(now), Duration::from_secs(9));
        let mut patient = Rest::default();
        patient.wait(now, Duration::from_secs(3600));
        patient.refused(now);
        assert_eq!(patient.left(now), Duration::from_secs(3600));
        assert_eq!(rest.left(now + Duration::from_secs(10)), Duration::ZERO);
    }
}
