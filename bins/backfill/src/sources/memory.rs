//! What a process remembers about one platform, for all its lanes. All of it can be forgotten: it only saves calls.

use schema::UtcMicros;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The wait for the first job of all, of which nothing is known.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// No wait is shorter or longer.
const WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(120));
/// So many of the last jobs are looked at.
const JOBS: usize = 8;
/// How long it is believed that all places are taken: only a process of its own tells at once that one is free.
const FULL_FOR: Duration = Duration::from_millis(400);
/// A date of availability is asked for again after so long at the earliest.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// What is known about one platform.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By kind of job.
    jobs: BTreeMap<&'static str, Jobs>,
}

#[derive(Debug, Default)]
struct Jobs {
    /// How long the last ones took.
    took: VecDeque<Duration>,
    /// Up to when the platform has data for them, and when it said so.
    available: Option<(UtcMicros, Instant)>,
    /// When all places for them were found taken.
    full: Option<Instant>,
}

impl Memory {
    /// A job of this kind took so long.
    pub(super) fn took(&self, kind: &'static str, time: Duration) {
        let mut known = self.lock();
        let took = &mut known.jobs.entry(kind).or_default().took;
        if took.len() == JOBS {
            took.pop_front();
        }
        took.push_back(time);
    }

    /// When it is worth asking about a job of this kind that has been asked about so often: at first as long after it began as the slowest of
    /// the last ones took, so that nearly always one question is enough.
    pub(super) fn wait(&self, kind: &'static str, asked: u32) -> Duration {
        let known = self.lock();
        let slowest = known
            .jobs
            .get(kind)
            .and_then(|jobs| jobs.took.iter().max().copied());
        let (shortest, longest) = WAITS;
        let wait = match (slowest, asked) {
            (None, 0) => FIRST_WAIT,
            (Some(slowest), 0) => slowest + slowest / 20,
            (slowest, asked) => {
                let step = slowest.unwrap_or(FIRST_WAIT) / 4;
                step.max(shortest)
                    .saturating_mul(1_u32.checked_shl(asked.min(10)).unwrap_or(1))
            }
        };
        wait.clamp(shortest, longest)
    }

    /// Up to when there are data for jobs of this kind, if it is known and need not be asked for again to know about `to`.
    pub(super) fn available(&self, kind: &'static str, to: UtcMicros) -> Option<UtcMicros> {
        let known = self.lock();
        let (date, asked) = known.jobs.get(kind)?.available?;
        (date >= to || asked.elapsed() < ASK_AGAIN).then_some(date)
    }

    /// The platform says up to when there are data for jobs of this kind.
    pub(super) fn set_available(&self, kind: &'static str, date: UtcMicros) {
        let mut known = self.lock();
        let jobs = known.jobs.entry(kind).or_default();
        jobs.available = Some((date, Instant::now()));
    }

    /// Whether all places for jobs of this kind were taken a moment ago.
    pub(super) fn is_full(&self, kind: &'static str) -> bool {
        let known = self.lock();
        let full = known.jobs.get(kind).and_then(|jobs| jobs.full);
        full.is_some_and(|found| found.elapsed() < FULL_FOR)
    }

    pub(super) fn set_full(&self, kind: &'static str) {
        self.lock().jobs.entry(kind).or_default().full = Some(Instant::now());
    }

    pub(super) fn set_free(&self, kind: &'static str) {
        self.lock().jobs.entry(kind).or_default().full = None;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // What is known is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_question_comes_when_the_slowest_of_late_was_done() {
        let memory = Memory::default();
        assert_eq!(memory.wait("jobs", 0), FIRST_WAIT);
        memory.took("jobs", Duration::from_secs(20));
        for _ in 0..3 {
            memory.took("jobs", Duration::from_secs(10));
        }
        assert_eq!(memory.wait("jobs", 0), Duration::from_secs(21));
        assert_eq!(memory.wait("jobs", 1), Duration::from_secs(10));
        assert_eq!(memory.wait("jobs", 3), Duration::from_secs(40));
        for _ in 0..JOBS {
            memory.took("jobs", Duration::from_millis(10));
        }
        assert_eq!(memory.wait("jobs", 0), WAITS.0);
        assert_eq!(memory.wait("jobs", 40), WAITS.1);
    }

    #[test]
    fn a_date_that_is_late_enough_is_not_asked_for_again() {
        let memory = Memory::default();
        assert_eq!(memory.available("jobs", UtcMicros(5)), None);
        memory.set_available("jobs", UtcMicros(10));
        assert_eq!(memory.available("jobs", UtcMicros(5)), Some(UtcMicros(10)));
        assert_eq!(memory.available("other", UtcMicros(5)), None);
    }
}
