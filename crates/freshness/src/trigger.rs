//! Too much for long enough, and little enough for long enough: the hysteresis of one piece of evidence.
//!
//! A trigger goes on when every look of a stretch said *too much*, and off when every look of a stretch said *little enough*; between the two
//! thresholds it stays as it is. A look that found out nothing, and a time without looks, prove nothing: the stretch begins anew.

use crate::words::passed;
use schema::UtcMicros;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What one look says to a trigger. Never both at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Too much.
    On,
    /// Neither.
    Between,
    /// Little enough.
    Off,
    /// It could not be found out.
    Nothing,
}

/// How long a look has to be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dwell {
    /// Until it goes on.
    pub on_after: Duration,
    /// Until it goes off.
    pub off_after: Duration,
}

/// Where it stands, and how far it is on the way to the other side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// It is on.
    pub on: bool,
    /// Since when every look has spoken for the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turning: Option<UtcMicros>,
}

impl Trigger {
    /// After one more look. `in_step`: the last look was not too long ago.
    #[must_use]
    pub fn look(self, now: UtcMicros, says: Says, in_step: bool, dwell: Dwell) -> Self {
        let turns = match (self.on, says) {
            (false, Says::On) => Some(dwell.on_after),
            (true, Says::Off) => Some(dwell.off_after),
            _ => None,
        };
        let Some(dwell) = turns else {
            return Self {
                turning: None,
                ..self
            };
        };
        // A clock that was set back has proved nothing either.
        let since = self.turning.filter(|since| in_step && *since <= now);
        let since = since.unwrap_or(now);
        if passed(since, now) < dwell {
            return Self {
                turning: Some(since),
                ..self
            };
        }
        Self {
            on: !self.on,
            turning: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DWELL: Dwell = Dwell {
        on_after: Duration::from_secs(10),
        off_after: Duration::from_secs(30),
    };

    fn at(second: i64) -> UtcMicros {
        UtcMicros(second * 1_000_000)
    }

    fn looks(says: &[(i64, Says)]) -> Vec<bool> {
        let mut trigger = Trigger::default();
        says.iter()
            .map(|(second, says)| {
                trigger = trigger.look(at(*second), *says, true, DWELL);
                trigger.on
            })
            .collect()
    }

    #[test]
    fn it_goes_on_and_off_after_its_dwell_and_not_before() {
        use Says::{Between, Nothing, Off, On};
        assert_eq!(
            looks(&[(0, On), (9, On), (10, On), (15, Off), (44, Off), (45, Off)]),
            [false, false, true, true, true, false]
        );
        // Anything else in between begins the wait anew.
        for other in [Between, Nothing, Off] {
            assert_eq!(
                looks(&[(0, On), (9, other), (10, On), (19, On), (20, On)]),
                [false, false, false, false, true],
                "{other:?}"
            );
        }
    }

    #[test]
    fn a_time_without_looks_proves_nothing() {
        let trigger = Trigger::default().look(at(0), Says::On, true, DWELL);
        let late = trigger.look(at(300), Says::On, false, DWELL);
        assert_eq!((late.on, late.turning), (false, Some(at(300))));
        let back = trigger.look(at(-300), Says::On, true, DWELL);
        assert_eq!((back.on, back.turning), (false, Some(at(-300))));
    }

    fn any_says() -> impl Strategy<Value = Says> {
        prop_oneof![
            4 => Just(Says::On),
            4 => Just(Says::Off),
            2 => Just(Says::Between),
            1 => Just(Says::Nothing),
        ]
    }

    fn worse(says: Says) -> Says {
        match says {
            Says::Off => Says::Between,
            Says::Between => Says::On,
            other => other,
        }
    }

    proptest! {
        /// However it goes, no side is left but after a stretch whose every look spoke for the other one.
        #[test]
        fn no_change_without_a_stretch_that_speaks_for_it(steps in proptest::collection::vec((0_i64..6, any_says()), 1..200)) {
            let (mut trigger, mut now) = (Trigger::default(), 0);
            let mut seen: Vec<(i64, Says)> = Vec::new();
            for (step, says) in steps {
                now += step;
                seen.push((now, says));
                let next = trigger.look(at(now), says, true, DWELL);
                if next.on != trigger.on {
                    let (wanted, long) = if next.on { (Says::On, 10) } else { (Says::Off, 30) };
                    let stretch = seen.iter().rev().take_while(|(_, says)| *says == wanted);
                    let first = stretch.last().map_or(now, |(at, _)| *at);
                    prop_assert!(now - first >= long, "{seen:?}");
                }
                trigger = next;
            }
        }

        /// Of two that are looked at at the same times, the one of which each look is no better is never off where the other one is on.
        #[test]
        fn monotone(steps in proptest::collection::vec((0_i64..12, any_says(), any::<bool>(), any::<bool>()), 1..300)) {
            let (mut better, mut other, mut now) = (Trigger::default(), Trigger::default(), 0);
            for (step, says, differs, in_step) in steps {
                now += step;
                better = better.look(at(now), says, in_step, DWELL);
                other = other.look(at(now), if differs { worse(says) } else { says }, in_step, DWELL);
                prop_assert!(other.on >= better.on);
            }
        }
    }
}
