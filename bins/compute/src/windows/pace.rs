//! How much of the machine the windows take, and how much is done in one transaction.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use window::Cell;

/// A round is meant to take about this long: what is fresh waits no longer for what is old. Shorter ones would cost more, because a day's
/// cells of a group are one row, written by each round that touches it.
const ROUND: Duration = Duration::from_millis(800);
/// Cells of a first round.
const CELLS_FIRST: usize = 64;
/// Cells of any round: some months of quarter hours.
const CELLS_MAX: usize = 8_000;
/// Groups of a first round.
const GROUPS_FIRST: usize = 8;
/// Groups of any round.
const GROUPS_MAX: usize = 1_000;
/// One round in so many begins with the oldest cells: what is fresh goes first, but not for ever.
const OLDEST_EVERY: u32 = 4;
/// While cells wait for longer than this, so are days and longer windows that were left; then they get their share as well.
const LEFT_ALONE: Duration = Duration::from_secs(20);
/// One round in so many, from then on.
const LEFT_EVERY: u32 = 4;
/// What fails alone is passed over for so long, then twice as long after each other try. Its neighbours do not wait for it.
const PASSED_OVER: Duration = Duration::from_secs(30);
/// However often it failed, it is tried again after at most this.
const PASSED_OVER_MAX: Duration = Duration::from_secs(1_800);
/// One round in so many may try it again: however much fails, the rest has its turn.
const AGAIN_EVERY: u32 = 4;
/// Of the time, while live facts have a backlog: one part in so many.
const SHARE_UNDER_PRESSURE: u32 = 6;
/// However long a round took, the next one comes after at most this.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// When windows are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowConfig {
    /// How long marks gather before a round: what changes many times in it is computed once.
    pub every: Duration,
}

impl WindowConfig {
    /// How long to wait after having worked for so long. `more`: marks are left over. `pressure`: live facts wait, which go first.
    pub(super) fn pause_after(&self, worked: Duration, more: bool, pressure: bool) -> Duration {
        if pressure {
            let share = worked.saturating_mul(SHARE_UNDER_PRESSURE - 1);
            return share.clamp(self.every, PAUSE_MAX.max(self.every));
        }
        if more { Duration::ZERO } else { self.every }
    }
}

/// How much of what waits of one organisation a round takes, by how long rounds took.
#[derive(Debug)]
pub(super) struct Pace {
    /// Of cells.
    pub(super) cells: Lot<Cell>,
    /// Of groups whose windows were left or asked for, by the subject of their marks.
    pub(super) groups: Lot<String>,
    /// Since when cells have been left over by each round, and with them the windows they are in.
    leaving_since: Option<Instant>,
    rounds: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            cells: Lot::new(CELLS_FIRST, CELLS_MAX),
            groups: Lot::new(GROUPS_FIRST, GROUPS_MAX),
            leaving_since: None,
            rounds: 0,
        }
    }
}

impl Pace {
    /// Whether this round begins with the oldest cells.
    pub(super) const fn oldest_first(&mut self) -> bool {
        self.rounds = (self.rounds + 1) % OLDEST_EVERY;
        self.rounds == 0
    }

    /// Notes whether a round has left cells over, and tells whether it is the turn of windows that were left.
    pub(super) fn left_are_due(&mut self, cells_left: bool) -> bool {
        if !cells_left {
            self.leaving_since = None;
            return true;
        }
        let since = *self.leaving_since.get_or_insert_with(Instant::now);
        since.elapsed() > LEFT_ALONE && self.rounds % LEFT_EVERY == 1
    }
}

/// How many things are computed in one round. A round that failed is halved until what is wrong stands alone, which is passed over for a
/// while.
#[derive(Debug)]
pub(super) struct Lot<K> {
    size: usize,
    max: usize,
    /// What is being computed.
    tried: Vec<K>,
    /// Halves of what failed together, to be tried each by itself.
    halves: Vec<Vec<K>>,
    /// What failed alone.
    passed_over: BTreeMap<K, PassedOver>,
    /// Rounds since one tried again what had failed.
    since_again: u32,
}

/// Since when something is passed over, and for how long.
#[derive(Debug)]
struct PassedOver {
    since: Instant,
    pause: Duration,
}

impl<K: Ord + Clone> Lot<K> {
    const fn new(size: usize, max: usize) -> Self {
        Self {
            size,
            max,
            tried: Vec::new(),
            halves: Vec::new(),
            passed_over: BTreeMap::new(),
            since_again: AGAIN_EVERY,
        }
    }

    /// How many to take.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    /// Whether this failed alone, and is no part of any round with others.
    pub(super) fn passes_over(&self, one: &K) -> bool {
        self.passed_over.contains_key(one)
    }

    /// How many are passed over.
    pub(super) fn passed_over(&self) -> usize {
        self.passed_over.len()
    }

    /// What was passed over for long enough and is to be tried again, alone.
    pub(super) fn again(&mut self) -> Option<K> {
        self.since_again = self.since_again.saturating_add(1);
        if self.since_again < AGAIN_EVERY {
            return None;
        }
        let mut passed_over = self.passed_over.iter_mut();
        let (one, passed) = passed_over.find(|(_, it)| it.since.elapsed() > it.pause)?;
        passed.since = Instant::now();
        passed.pause = (passed.pause * 2).min(PASSED_OVER_MAX);
        self.since_again = 0;
        Some(one.clone())
    }

    /// Of what failed together, what is to be tried by itself.
    pub(super) fn half(&mut self) -> Option<Vec<K>> {
        self.halves.pop()
    }

    /// These are computed now.
    pub(super) fn tries(&mut self, what: impl Iterator<Item = K>) {
        self.tried = what.collect();
    }

    /// They were computed and took so long; whether others are left over.
    pub(super) fn took(&mut self, time: Duration, more: bool) {
        for one in self.tried.drain(..) {
            self.passed_over.remove(&one);
        }
        let most = if more { self.size * 2 } else { self.size };
        let fits = fits(self.size, time);
        self.size = fits.clamp((self.size / 2).max(1), most.min(self.max));
    }

    /// They could not be computed.
    pub(super) fn failed(&mut self) {
        let mut tried = std::mem::take(&mut self.tried);
        if tried.len() > 1 {
            self.size = (tried.len().min(self.size) / 2).max(1);
            let second = tried.split_off(tried.len() / 2);
            self.halves.extend([second, tried]);
        } else if let Some(alone) = tried.pop() {
            // Tried again, it has its longer pause already.
            self.passed_over.entry(alone).or_insert(PassedOver {
                since: Instant::now(),
                pause: PASSED_OVER,
            });
        }
    }
}

/// How many would have taken as long as a round is meant to, if so many took this long.
fn fits(size: usize, time: Duration) -> usize {
    let fits = ROUND.as_micros() * size as u128 / time.as_micros().max(1);
    usize::try_from(fits).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_grow_while_they_are_quick_and_shrink_when_they_are_not() {
        let mut pace = Pace::default();
        for _ in 0..20 {
            pace.cells.took(Duration::from_millis(10), true);
        }
        assert_eq!(pace.cells.size(), CELLS_MAX);
        pace.cells.took(ROUND * 4 / 3, true);
        assert_eq!(pace.cells.size(), CELLS_MAX * 3 / 4);
        for _ in 0..20 {
            pace.cells.took(Duration::from_secs(3), true);
        }
        assert_eq!(pace.cells.size(), 1);
        pace.cells.took(Duration::from_millis(10), false);
        assert_eq!(
            pace.cells.size(),
            1,
            "nothing was left over: no need for more"
        );
    }

    #[test]
    fn what_fails_alone_is_passed_over_and_its_neighbours_are_not() {
        let mut lot: Lot<Cell> = Pace::default().cells;
        let mut computed = Vec::new();
        let mut taken: Vec<Cell> = (0..64).map(Cell).collect();
        for _ in 0..14 {
            lot.tries(taken.iter().copied());
            if taken.contains(&Cell(50)) {
                lot.failed();
            } else {
                computed.extend(taken);
                lot.took(Duration::from_millis(10), false);
            }
            taken = lot.half().unwrap_or_default();
        }
        assert_eq!(taken, [], "every half was tried");
        computed.sort_unstable();
        let others = (0..64).map(Cell).filter(|cell| *cell != Cell(50));
        assert_eq!(computed, others.collect::<Vec<_>>());
        assert!(lot.passes_over(&Cell(50)));
        assert_eq!(lot.passed_over(), 1);
        assert_eq!(lot.again(), None, "not yet");
        lot.tries([Cell(50)].into_iter());
        lot.took(Duration::from_millis(10), false);
        assert!(!lot.passes_over(&Cell(50)));
    }

    #[test]
    fn however_much_fails_the_rest_has_its_turn() {
        let mut lot: Lot<Cell> = Pace::default().cells;
        for number in 0..200 {
            lot.tries([Cell(number)].into_iter());
            lot.failed();
        }
        let long_ago = Instant::now().checked_sub(PASSED_OVER * 2).unwrap();
        lot.passed_over
            .values_mut()
            .for_each(|it| it.since = long_ago);
        let mut again = Vec::new();
        for _ in 0..8 {
            let one = lot.again();
            if let Some(one) = one {
                lot.tries([one].into_iter());
                lot.failed();
            }
            again.extend(one);
        }
        assert_eq!(again, [Cell(0), Cell(1)], "two rounds of eight");
        assert_eq!(lot.passed_over[&Cell(0)].pause, PASSED_OVER * 2);
        assert_eq!(lot.passed_over[&Cell(2)].pause, PASSED_OVER);
    }

    #[test]
    fn the_oldest_come_first_now_and_then() {
        let mut pace = Pace::default();
        let rounds: Vec<bool> = (0..8).map(|_| pace.oldest_first()).collect();
        assert_eq!(rounds.iter().filter(|oldest| **oldest).count(), 2);
        assert!(!rounds[0]);
    }

    #[test]
    fn live_facts_leave_the_windows_a_sixth_of_the_time() {
        let config = WindowConfig {
            every: Duration::from_millis(200),
        };
        let second = Duration::from_secs(1);
        assert_eq!(config.pause_after(second, true, false), Duration::ZERO);
        assert_eq!(config.pause_after(second, false, false), config.every);
        assert_eq!(config.pause_after(second / 10, true, true), second / 2);
        assert_eq!(config.pause_after(second * 10, true, true), PAUSE_MAX);
    }

    #[test]
    fn windows_are_not_left_for_ever() {
        let mut pace = Pace::default();
        let mut due = |left: bool| {
            pace.oldest_first();
            pace.left_are_due(left)
        };
        assert!((0..8).all(|_| !due(true)), "there are cells to compute");
        assert!(due(false), "there are none");
        due(true);
        pace.leaving_since = Instant::now().checked_sub(LEFT_ALONE * 2);
        let mut due = || {
            pace.oldest_first();
            pace.left_are_due(true)
        };
        assert_eq!((0..8).filter(|_| due()).count(), 2, "it has been too long");
    }
}
