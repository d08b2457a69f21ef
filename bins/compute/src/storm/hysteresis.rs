//! When a storm begins and when it is over. Pure: it is told what waits and when, it owns neither a clock nor a queue.
//!
//! What is measured has to speak for the other mode at every look, for as long as the thresholds say, before the mode changes. Between the two
//! thresholds nothing changes: whoever is in a storm stays in it until the backlog is small, whoever is not does not get into one before it is
//! large. A look that found out nothing, or a time without looks, proves nothing and begins the wait anew.

use schema::UtcMicros;
use std::time::Duration;
use store::storm::Mode;

/// What begins and ends a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// So many facts wait, or more: that speaks for a storm.
    pub enter: u64,
    /// Fewer than so many wait: that speaks for calm. Below `enter`.
    pub leave: u64,
    /// So long did facts wait, while at least `leave` of them still do: that speaks for a storm as well.
    pub age: Duration,
    /// For how long it has to speak for a storm.
    pub sustain: Duration,
    /// For how long it has to speak for calm.
    pub leave_sustain: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            enter: 200_000,
            leave: 20_000,
            age: Duration::from_secs(60),
            sustain: Duration::from_secs(10),
            leave_sustain: Duration::from_secs(30),
        }
    }
}

/// What one look found to wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Facts.
    pub facts: u64,
    /// How long those had waited that were taken lately; none: none was taken.
    pub age: Option<Duration>,
}

/// Two looks that are further apart than this say nothing of the time in between.
pub const LOOK_GAP: Duration = Duration::from_secs(10);

/// Calm or storm, and how far it is on the way to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// Which.
    pub mode: Mode,
    /// Since when.
    pub since: UtcMicros,
    /// Since when every look has spoken for the other mode.
    pub turning_since: Option<UtcMicros>,
    /// The last look that found out something.
    pub observed_at: Option<UtcMicros>,
}

impl Weather {
    /// Calm since an instant, without any look yet.
    pub const fn calm(since: UtcMicros) -> Self {
        Self {
            mode: Mode::Calm,
            since,
            turning_since: None,
            observed_at: None,
        }
    }

    /// After one more look, at this instant. `None`: what waits could not be found out.
    #[must_use]
    pub fn look(self, now: UtcMicros, backlog: Option<Backlog>, thresholds: &Thresholds) -> Self {
        let Some(backlog) = backlog else {
            return Self {
                turning_since: None,
                ..self
            };
        };
        let seen = Self {
            observed_at: Some(now),
            ..self
        };
        if !thresholds.speak_against(self.mode, backlog) {
            return Self {
                turning_since: None,
                ..seen
            };
        }
        let in_step = self
            .observed_at
            .is_some_and(|last| now >= last && passed(last, now) <= LOOK_GAP);
        let turning_since = self.turning_since.filter(|_| in_step).unwrap_or(now);
        if passed(turning_since, now) < thresholds.lasting_against(self.mode) {
            return Self {
                turning_since: Some(turning_since),
                ..seen
            };
        }
        Self {
            mode: match self.mode {
                Mode::Calm => Mode::Storm,
                Mode::Storm => Mode::Calm,
            },
            since: now,
            turning_since: None,
            observed_at: Some(now),
        }
    }
}

impl Thresholds {
    /// Whether what waits speaks for the other mode than this one.
    const fn speak_against(&self, mode: Mode, backlog: Backlog) -> bool {
        let old = match backlog.age {
            Some(age) => age.as_micros() >= self.age.as_micros(),
            None => false,
        };
        match mode {
            Mode::Calm => backlog.facts >= self.enter || old && backlog.facts >= self.leave,
            // Those that come last of a long queue are old, and it is empty: what waits decides.
            Mode::Storm => backlog.facts < self.leave,
        }
    }

    /// How long it has to speak for it.
    const fn lasting_against(&self, mode: Mode) -> Duration {
        match mode {
            Mode::Calm => self.sustain,
            Mode::Storm => self.leave_sustain,
        }
    }
}

/// From one instant to another; nothing where the clock was set back.
fn passed(from: UtcMicros, to: UtcMicros) -> Duration {
    let micros = to.0.saturating_sub(from.0);
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000;

    fn at(second: i64) -> UtcMicros {
        UtcMicros(second * SECOND)
    }

    const fn facts(facts: u64) -> Backlog {
        Backlog { facts, age: None }
    }

    fn thresholds() -> Thresholds {
        Thresholds::default()
    }

    /// One look each two seconds from here on.
    fn looks(mut weather: Weather, from: i64, backlogs: &[Backlog]) -> Weather {
        for (second, backlog) in (from..).step_by(2).zip(backlogs) {
            weather = weather.look(at(second), Some(*backlog), &thresholds());
        }
        weather
    }

    #[test]
    fn a_storm_begins_once_the_backlog_has_lasted_and_not_before() {
        let start = Weather::calm(at(0));
        let five = looks(start, 0, &[facts(200_000); 5]);
        assert_eq!((five.mode, five.turning_since), (Mode::Calm, Some(at(0))));
        let six = five.look(at(10), Some(facts(200_000)), &thresholds());
        assert_eq!((six.mode, six.since), (Mode::Storm, at(10)));
    }

    #[test]
    fn a_peak_is_no_storm() {
        let mut backlogs = [facts(5_000_000); 6];
        backlogs[3] = facts(199_999);
        assert_eq!(looks(Weather::calm(at(0)), 0, &backlogs).mode, Mode::Calm);
    }

    #[test]
    fn between_the_thresholds_nothing_changes() {
        let between = [facts(100_000); 200];
        let calm = looks(Weather::calm(at(0)), 0, &between);
        assert_eq!(calm.mode, Mode::Calm);
        let storm = Weather {
            mode: Mode::Storm,
            ..Weather::calm(at(0))
        };
        let storm = looks(storm, 0, &between);
        assert_eq!((storm.mode, storm.turning_since), (Mode::Storm, None));
        let over = looks(storm, 400, &[facts(19_999); 16]);
        assert_eq!((over.mode, over.since), (Mode::Calm, at(430)));
    }

    #[test]
    fn old_facts_are_a_storm_where_many_wait() {
        let old = |facts| Backlog {
            facts,
            age: Some(Duration::from_secs(60)),
        };
        let of = |facts| looks(Weather::calm(at(0)), 0, &[old(facts); 6]).mode;
        assert_eq!(of(20_000), Mode::Storm);
        assert_eq!(of(19_999), Mode::Calm, "one message that was stuck");
    }

    #[test]
    fn time_without_a_look_proves_nothing() {
        let nearly = looks(Weather::calm(at(0)), 0, &[facts(900_000); 5]);
        // Whoever looked has died, and another one looks minutes later.
        let later = nearly.look(at(300), Some(facts(900_000)), &thresholds());
        assert_eq!(
            (later.mode, later.turning_since),
            (Mode::Calm, Some(at(300)))
        );
        // The broker did not say.
        let unknown = nearly.look(at(10), None, &thresholds());
        assert_eq!((unknown.mode, unknown.turning_since), (Mode::Calm, None));
        // The clock was set back.
        let back = nearly.look(at(-500), Some(facts(900_000)), &thresholds());
        assert_eq!(
            (back.mode, back.turning_since),
            (Mode::Calm, Some(at(-500)))
        );
    }

    fn any_look() -> impl Strategy<Value = (i64, Option<Backlog>)> {
        let backlog = (
            prop_oneof![0_u64..30_000, 15_000_u64..250_000, Just(u64::MAX)],
            proptest::option::of((0_u64..120).prop_map(Duration::from_secs)),
        );
        let backlog = backlog.prop_map(|(facts, age)| Backlog { facts, age });
        // Mostly in step, now and then late or backwards.
        let step = prop_oneof![8 => 1_i64..4, 1 => 5_i64..40, 1 => -20_i64..1];
        (step, proptest::option::weighted(0.9, backlog))
    }

    proptest! {
        /// However it goes: a mode is left only after it was spoken against at every look of a stretch that was long enough and without gaps.
        #[test]
        fn no_change_without_a_stretch_that_speaks_for_it(steps in proptest::collection::vec(any_look(), 1..300)) {
            let thresholds = thresholds();
            let (mut weather, mut now) = (Weather::calm(at(0)), 0);
            let mut history: Vec<(i64, Option<Backlog>)> = Vec::new();
            for (step, backlog) in steps {
                now += step;
                history.push((now, backlog));
                let next = weather.look(at(now), backlog, &thresholds);
                if next.mode != weather.mode {
                    let needed = thresholds.lasting_against(weather.mode).as_secs();
                    let mut since = now;
                    for pair in history.windows(2).rev() {
                        let ((before, earlier), (after, _)) = (pair[0], pair[1]);
                        prop_assert!(backlog.is_some_and(|it| thresholds.speak_against(weather.mode, it)));
                        if u64::try_from(now - since).unwrap() >= needed {
                            break;
                        }
                        prop_assert!(after >= before && after - before <= 10, "a gap within the stretch");
                        prop_assert!(earlier.is_some_and(|it| thresholds.speak_against(weather.mode, it)));
                        since = before;
                    }
                    prop_assert!(u64::try_from(now - since).unwrap() >= needed);
                }
                weather = next;
            }
        }

        /// A backlog that stays on one side of one threshold, however it swings, changes the mode at most once.
        #[test]
        fn it_does_not_flap_around_one_threshold(swings in proptest::collection::vec(20_000_u64..2_000_000, 1..300)) {
            let (mut weather, mut changes) = (Weather::calm(at(0)), 0);
            for (second, swing) in (0..).step_by(2).zip(swings) {
                let next = weather.look(at(second), Some(facts(swing)), &thresholds());
                changes += u32::from(next.mode != weather.mode);
                weather = next;
            }
            prop_assert!(changes <= 1);
        }
    }
}
