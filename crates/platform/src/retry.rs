//! When to try again: pure. What is known goes in (how often it was tried, why not now, what the platform asked for, a random
//! number), a delay comes out.
//!
//! There is no last attempt and no elapsed-time limit: what a platform does not take today waits, visibly, until it does.

use std::time::Duration;

/// Exponential growth between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// The ceiling of the first delay.
    pub first: Duration,
    /// The ceiling no delay without a hint goes beyond.
    pub longest: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(300),
        }
    }
}

/// Why the row was not delivered this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The attempt was made and failed, or its outcome is not known: it counts.
    Failed,
    /// The platform asked to slow down, or the fault lies with nobody's row: the attempt is not spent.
    Snoozed,
}

/// What comes next for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// Attempts spent so far, to be stored with the row.
    pub attempt: u32,
    /// How long to wait.
    pub delay: Duration,
}

impl Schedule {
    /// The shortest delay there is, also where a platform asks for none.
    #[must_use]
    pub fn least(self) -> Duration {
        self.first / 10
    }

    /// The next try after `attempt` spent attempts. `random` is uniform in 0..1 (values outside are clamped).
    ///
    /// The delay lies anywhere between a tenth of the first ceiling and the ceiling of this attempt: full jitter, which spreads many who
    /// failed at once the best (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015); never nothing at all, so that nobody
    /// spins. A hint only ever delays: the delay is never below it, and neither the attempts spent nor the number of tries depend on it.
    /// Many clients given one hint are spread over a tenth of it.
    #[must_use]
    pub fn next(self, attempt: u32, cause: Cause, hint: Option<Duration>, random: f64) -> Next {
        let random = if random.is_finite() {
            random.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let ceiling = self
            .first
            .saturating_mul(1_u32.checked_shl(attempt.min(31)).unwrap_or(u32::MAX))
            .min(self.longest);
        let least = self.least().min(ceiling);
        let own = least + ceiling.saturating_sub(least).mul_f64(random);
        let asked = hint.map_or(Duration::ZERO, |hint| {
            let spread = (hint / 10).min(Duration::from_secs(5));
            hint.saturating_add(spread.mul_f64(random))
        });
        Next {
            attempt: match cause {
                Cause::Failed => attempt.saturating_add(1),
                Cause::Snoozed => attempt,
            },
            delay: own.max(asked),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let schedule = Schedule::default();
        let ceilings: Vec<u64> = (0..12)
            .map(|attempt| {
                schedule
                    .next(attempt, Cause::Failed, None, 1.0)
                    .delay
                    .as_secs()
            })
            .collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    }

    #[test]
    fn it_never_gives_up() {
        let next = Schedule::default().next(u32::MAX, Cause::Failed, None, 0.3);
        assert_eq!(next.attempt, u32::MAX);
        assert!(next.delay <= Duration::from_secs(300));
    }

    fn cause() -> impl Strategy<Value = Cause> {
        prop_oneof![Just(Cause::Failed), Just(Cause::Snoozed)]
    }

    proptest! {
        #[test]
        fn a_hint_only_ever_delays(
            attempt in 0u32..100, cause in cause(), hint in 0u64..200_000, random in -0.5f64..1.5,
        ) {
            let schedule = Schedule::default();
            let hint = Duration::from_millis(hint);
            let without = schedule.next(attempt, cause, None, random);
            let with = schedule.next(attempt, cause, Some(hint), random);
            prop_assert!(with.delay >= without.delay);
            prop_assert!(with.delay >= hint);
            prop_assert_eq!(with.attempt, without.attempt, "a hint changes no number of attempts");
        }

        #[test]
        fn a_delay_is_anywhere_up_to_the_ceiling_and_never_nothing(attempt in 0u32..100, random in 0.0f64..1.0) {
            let schedule = Schedule::default();
            let ceiling = schedule.next(attempt, Cause::Failed, None, 1.0).delay;
            let delay = schedule.next(attempt, Cause::Failed, None, random).delay;
            prop_assert!(delay <= ceiling && delay >= schedule.least());
            // Full jitter: the share of the ceiling is the random number, but for the least there is.
            let share = delay.saturating_sub(schedule.least()).as_secs_f64() / ceiling.saturating_sub(schedule.least()).as_secs_f64();
            prop_assert!((share - random).abs() < 1e-6);
        }

        #[test]
        fn being_asked_to_wait_spends_nothing(attempt in 0u32..100, random in 0.0f64..1.0) {
            let next = Schedule::default().next(attempt, Cause::Snoozed, None, random);
            prop_assert_eq!(next.attempt, attempt);
        }
    }
}
