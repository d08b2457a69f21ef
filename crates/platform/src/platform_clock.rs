//! What a platform's clock shows, more exactly than the whole seconds of its answers' `Date`. Pure.
//!
//! When an answer comes, the platform's clock shows what its `Date` says or up to a second more. So that clock is ahead of ours by `Date` less
//! the moment of receipt at least. Of the answers of the last minute the one says most that came soonest after its second had begun; with many
//! of them little more than its way here is missing. What is missing makes the clock seem slow and never fast: a wait until an HTTP date that is
//! measured by it is not too short. Machines of one platform are taken to agree on the time; where they do not, [`crate::retry_after::hint`] stays
//! within the second that the answer itself names.

use schema::UtcMicros;
use std::time::Duration;

/// How long an answer counts at least, and half of how long at most: clocks drift and are set.
const COUNTS_FOR: Duration = Duration::from_secs(30);

/// How far a platform's clock is ahead of one of ours that is never set.
#[derive(Debug, Clone, Default)]
pub struct PlatformClock {
    /// Microseconds by which it is ahead at least, by the answers since then.
    lately: Option<i64>,
    /// By those of the stretch before.
    before: Option<i64>,
    since: Duration,
}

impl PlatformClock {
    /// Notes the `Date` of an answer that was received `at`, which is counted from any moment, and gives what the platform's clock shows then,
    /// at least.
    pub fn observe(&mut self, date: UtcMicros, at: Duration) -> UtcMicros {
        let age = at.saturating_sub(self.since);
        if age >= COUNTS_FOR {
            let lately = self.lately.take();
            self.before = lately.filter(|_| age < COUNTS_FOR * 2);
            self.since = at;
        }
        let ours = i64::try_from(at.as_micros()).unwrap_or(i64::MAX);
        self.lately = self.lately.max(Some(date.0.saturating_sub(ours)));
        let ahead = self.lately.max(self.before).unwrap_or_default();
        UtcMicros(ours.saturating_add(ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000;

    fn at(micros: i64) -> Duration {
        Duration::from_micros(micros.unsigned_abs())
    }

    /// What an answer says that leaves the platform at this moment of our clock.
    fn date(ahead: i64, sent: i64) -> UtcMicros {
        UtcMicros((sent + ahead).div_euclid(SECOND) * SECOND)
    }

    proptest! {
        #[test]
        fn it_is_never_fast_and_never_behind_what_the_answer_says(
            ahead in 0..10_000 * SECOND,
            answers in prop::collection::vec((0..5 * SECOND, 0..SECOND / 2), 1..60),
        ) {
            let mut clock = PlatformClock::default();
            let mut sent = 0;
            for (pause, way) in answers {
                sent += pause;
                let date = date(ahead, sent);
                let received = sent + way;
                let shown = clock.observe(date, at(received));
                prop_assert!(shown >= date);
                prop_assert!(shown.0 <= received + ahead, "{} is fast", shown.0 - received - ahead);
            }
        }
    }

    #[test]
    fn with_many_answers_only_their_way_is_missing() {
        let (ahead, way) = (77 * SECOND + 123_456, 2_000);
        let mut clock = PlatformClock::default();
        let mut missing = 0;
        for answer in 0..300 {
            let sent = answer * 66_700;
            let shown = clock.observe(date(ahead, sent), at(sent + way));
            missing = sent + way + ahead - shown.0;
        }
        assert!((way..way + 10_000).contains(&missing), "{missing}");
    }

    #[test]
    fn a_clock_that_is_set_back_is_believed_within_a_minute() {
        let mut clock = PlatformClock::default();
        clock.observe(UtcMicros(100 * SECOND), at(0));
        let shown = |clock: &mut PlatformClock, seconds: i64| {
            let date = UtcMicros((90 + seconds) * SECOND);
            clock.observe(date, at(seconds * SECOND)).0 / SECOND - seconds
        };
        assert_eq!(shown(&mut clock, 29), 100, "not yet");
        assert_eq!(shown(&mut clock, 40), 100, "nor now");
        assert_eq!(shown(&mut clock, 71), 90);
    }
}
