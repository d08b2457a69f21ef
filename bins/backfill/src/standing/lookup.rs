//! Look-ups: interactions of which the platform's record is wanted, gathered into jobs. Pure.

use super::follow::micros;
use schema::UtcMicros;
use std::time::Duration;

/// How requests are answered and how often they are repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// When to ask once more if nobody answered.
    pub(crate) again: Duration,
    /// How often an interaction that the platform does not know is asked for.
    pub(crate) attempts: i32,
    /// The most requests taken at once for one organisation.
    pub(crate) at_once: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            again: Duration::from_secs(6 * 3600),
            attempts: 5,
            at_once: 1000,
        }
    }
}

/// The stretches in which these instants lie, for a platform that is asked about time and not about ids: whole hours, neighbours joined, none
/// longer than a day.
pub(crate) fn stretches(begun: &[UtcMicros]) -> Vec<(UtcMicros, UtcMicros)> {
    let hour = micros(Duration::from_secs(3600));
    let day = micros(Duration::from_secs(86_400));
    let mut hours: Vec<i64> = begun.iter().map(|at| at.0.div_euclid(hour)).collect();
    hours.sort_unstable();
    hours.dedup();
    let mut all: Vec<(UtcMicros, UtcMicros)> = Vec::new();
    for number in hours {
        let from = number.saturating_mul(hour);
        let to = from.saturating_add(hour);
        match all.last_mut() {
            Some(last) if last.1.0 == from && to - last.0.0 <= day => last.1 = UtcMicros(to),
            _ => all.push((UtcMicros(from), UtcMicros(to))),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_instant_lies_in_one_stretch_and_none_is_longer_than_a_day(begun in proptest::collection::vec(-1_000_000_i64..1_000_000, 0..50)) {
            let begun: Vec<UtcMicros> = begun.into_iter().map(|second| UtcMicros(second * 1_000_000)).collect();
            let found = stretches(&begun);
            for at in &begun {
                prop_assert_eq!(found.iter().filter(|(from, to)| from <= at && at < to).count(), 1);
            }
            for (from, to) in &found {
                prop_assert!(to.0 - from.0 <= 86_400_000_000 && begun.iter().any(|at| from <= at && at < to));
            }
            prop_assert!(found.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        }
    }
}
