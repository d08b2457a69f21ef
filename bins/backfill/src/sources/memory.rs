//! What a process remembers about one platform, for all its lanes. All of it can be forgotten: it only saves calls.

use schema::UtcMicros;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The wait for the first job of all, of which nothing is known; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// No wait is shorter or longer.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(120));
/// So many of the last jobs are looked at.
const JOBS: usize = 8;
/// How long it is believed that all places are taken: only a process of its own tells at once that one is free.
const FULL_FOR: Duration = Duration::from_millis(400);
/// Of those that wait for a place one looks for it each time, and nobody later than the longest wait.
const TURN_EVERY: Duration = Duration::from_millis(50);
const TURN_LONGEST: Duration = Duration::from_secs(60);
/// A date of availability is asked for again after so long at the earliest.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// What is known about one platform.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// By kind of job.
    jobs: BTreeMap<&'static str, Jobs>,
    /// The most rows of one answer so far, by kind of rows.
    most: BTreeMap<&'static str, usize>,
}

#[derive(Debug, Default)]
struct Jobs {
    /// How long the last ones took.
    took: VecDeque<Duration>,
    /// Up to when the platform has data for them, and when it said so.
    available: Option<(UtcMicros, Instant)>,
    /// When all places for them were found taken.
    full: Option<Instant>,
    /// When the last of those looks again that found no place.
    last_turn: Option<Instant>,
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
        let doubled = |wait: Duration| {
            let times = 1_u32.checked_shl(asked.min(10)).unwrap_or(1);
            wait.saturating_mul(times)
        };
        let wait = match slowest {
            None => doubled(FIRST_WAIT),
            Some(slowest) if asked == 0 => slowest + slowest / 20,
            Some(slowest) => doubled((slowest / 4).max(shortest)),
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

    /// The most rows of this kind that an answer before this one had: the platform gives as many at once, whatever it was asked for, so that
    /// fewer are the last ones.
    pub(super) fn most(&self, kind: &'static str, rows: usize) -> usize {
        let mut known = self.lock();
        let most = known.most.entry(kind).or_default();
        let before = *most;
        *most = before.max(rows);
        before
    }

    /// How long somebody waits who found no place for a job of this kind. One looks after the other, however many there are: a place that
    /// becomes free is soon found by one of them, and the others are left alone meanwhile.
    pub(super) fn turn(&self, kind: &'static str, shortest: Duration) -> Duration {
        let mut known = self.lock();
        let jobs = known.jobs.entry(kind).or_default();
        let now = Instant::now();
        let next = jobs.last_turn.map_or(now, |last| last + TURN_EVERY);
        let turn = next.clamp(now + shortest, now + TURN_LONGEST.max(shortest));
        jobs.last_turn = Some(turn);
        turn - now
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
        assert_eq!(memory.wait("jobs", 2), FIRST_WAIT * 4);
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
        assert_eq!(memory.wait("jobs", 40), WAITS.0 * 1024);
        memory.took("jobs", Duration::from_secs(60));
        assert_eq!(memory.wait("jobs", 40), WAITS.1);
    }

    /// A thousand chunks that wait for one of four places look for it twenty times a second, and not two thousand times.
    #[test]
    fn who_finds_no_place_looks_again_in_turn() {
        let memory = Memory::default();
        let shortest = Duration::from_millis(500);
        let waits: Vec<_> = (0..1000).map(|_| memory.turn("jobs", shortest)).collect();
        assert!(
            waits
                .iter()
                .all(|wait| (shortest..=TURN_LONGEST).contains(wait))
        );
        for second in 1..50 {
            let second = Duration::from_secs(second);
            let within =
                |wait: &&Duration| (second..second + Duration::from_secs(1)).contains(*wait);
            let looks = waits.iter().filter(within).count();
            assert!((10..=21).contains(&looks), "{looks} looks in {second:?}");
        }
        // Those of another kind have a queue of their own.
        assert_eq!(memory.turn("other", shortest), shortest);
    }

    #[test]
    fn what_an_answer_has_had_it_may_have_again() {
        let memory = Memory::default();
        assert_eq!(memory.most("states", 1000), 0);
        assert_eq!(memory.most("states", 1000), 1000);
        assert_eq!(memory.most("states", 7), 1000);
        assert_eq!(memory.most("other", 7), 0);
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
