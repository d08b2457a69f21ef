//! Follows the fault script: which phase is it, and does the fault meet this request?

use crate::config::{Fault, Place, Script};
use crate::random::Random;
use std::time::{Duration, Instant};

/// Where one place's script stands.
#[derive(Debug)]
pub(crate) struct Follower {
    place: Place,
    phase: usize,
    seen: u64,
    began: Option<Instant>,
}

impl Follower {
    pub(crate) fn new(place: Place) -> Self {
        Self {
            place,
            phase: 0,
            seen: 0,
            began: None,
        }
    }

    /// The fault that meets a request which arrives now.
    pub(crate) fn next(&mut self, script: &Script, at: Instant, random: &mut Random) -> Fault {
        self.next_at(script, at, random, "").0
    }

    /// The fault that meets a request of a route which arrives now, and whether the phase is about that route alone. A request of
    /// another route passes a phase by and is not counted by it.
    pub(crate) fn next_at(
        &mut self,
        script: &Script,
        at: Instant,
        random: &mut Random,
        route: &str,
    ) -> (Fault, bool) {
        // Twice through all phases is enough to find one that is not over, or to know that all are.
        for _ in 0..=script.phases.len() * 2 {
            let Some(phase) = script.phases.get(self.phase) else {
                if !script.repeat || self.phase == 0 {
                    return (Fault::None, false);
                }
                self.begin(0);
                continue;
            };
            let counted_out = phase.requests.is_some_and(|most| self.seen >= most);
            let timed_out = phase.millis.zip(self.began).is_some_and(|(most, began)| {
                at.duration_since(began) >= Duration::from_millis(most)
            });
            if phase.place != self.place || counted_out || timed_out {
                self.begin(self.phase + 1);
                continue;
            }
            let is_about = |name: &String| route.starts_with(name.as_str());
            if !phase.routes.is_empty() && !phase.routes.iter().any(is_about) {
                return (Fault::None, false);
            }
            self.began.get_or_insert(at);
            self.seen += 1;
            return if phase.probability >= 1.0 || random.chance(phase.probability) {
                (phase.fault.clone(), !phase.routes.is_empty())
            } else {
                (Fault::None, false)
            };
        }
        (Fault::None, false)
    }

    fn begin(&mut self, phase: usize) {
        self.phase = phase;
        self.seen = 0;
        self.began = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Phase;

    fn status(status: u16) -> Fault {
        Fault::Status {
            status,
            retry_after: None,
            as_date: false,
            store: false,
        }
    }

    fn follow(script: &Script, place: Place, at_ms: &[u64]) -> Vec<Fault> {
        let (start, mut random) = (Instant::now(), Random::new(1));
        let mut follower = Follower::new(place);
        at_ms
            .iter()
            .map(|ms| follower.next(script, start + Duration::from_millis(*ms), &mut random))
            .collect()
    }

    #[test]
    fn phases_follow_each_other_by_count_and_by_time() {
        let script = Script::of([
            Phase::requests(2, status(429)),
            Phase::lasting(Duration::from_millis(100), status(500)),
        ]);
        assert_eq!(
            follow(&script, Place::Push, &[0, 1, 10, 109, 110, 500]),
            [
                status(429),
                status(429),
                status(500),
                status(500),
                Fault::None,
                Fault::None
            ],
            "the second phase's clock starts with its first request"
        );
    }

    #[test]
    fn a_repeating_script_starts_again() {
        let script = Script {
            repeat: true,
            ..Script::of([
                Phase::requests(1, status(503)),
                Phase::requests(1, Fault::None),
            ])
        };
        assert_eq!(
            follow(&script, Place::Push, &[0, 1, 2]),
            [status(503), Fault::None, status(503)]
        );
    }

    #[test]
    fn each_place_has_its_own_phases() {
        let script = Script::of([
            Phase::requests(1, status(500)).at(Place::Token),
            Phase::requests(1, status(429)),
        ]);
        assert_eq!(
            follow(&script, Place::Push, &[0, 1]),
            [status(429), Fault::None]
        );
        assert_eq!(
            follow(&script, Place::Token, &[0, 1]),
            [status(500), Fault::None]
        );
    }

    #[test]
    fn a_repeating_script_without_a_phase_for_the_place_does_not_spin() {
        let script = Script {
            repeat: true,
            ..Script::of([Phase::requests(1, status(429))])
        };
        assert_eq!(
            follow(&script, Place::Token, &[0, 1]),
            [Fault::None, Fault::None]
        );
    }
}
