//! How much of the machine the windows take, and how much is done in one transaction.

use std::time::{Duration, Instant};

/// A round is meant to take about this long: what is fresh waits no longer for what is old.
const ROUND: Duration = Duration::from_millis(400);
/// Cells of a first round.
const CELLS_FIRST: usize = 64;
/// Cells of any round: some months of quarter hours.
const CELLS_MAX: usize = 8_000;
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

/// How many cells of one organisation a round takes, by how long rounds took.
#[derive(Debug)]
pub(super) struct Pace {
    cells: usize,
    /// Since when windows have been left to a later round.
    leaving_since: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            cells: CELLS_FIRST,
            leaving_since: None,
        }
    }
}

impl Pace {
    /// Cells to take.
    pub(super) const fn cells(&self) -> usize {
        self.cells
    }

    /// Groups to take whose windows were left or asked for: less is to be read for one than for a cell.
    pub(super) fn groups(&self) -> u32 {
        u32::try_from(self.cells.saturating_mul(8)).unwrap_or(u32::MAX)
    }

    /// A round took so long; whether marks are left over.
    pub(super) fn took(&mut self, time: Duration, more: bool) {
        if time > ROUND * 2 {
            self.cells = (self.cells / 2).max(1);
        } else if more && time < ROUND / 2 {
            self.cells = (self.cells * 2).min(CELLS_MAX);
        }
        if !more {
            self.leaving_since = None;
        }
    }

    /// A round failed: what is wrong may be wrong with one cell only.
    pub(super) fn failed(&mut self) {
        self.cells = (self.cells / 2).max(1);
    }

    /// Whether windows with waiting cells may be left to a later round: not for longer than this.
    pub(super) fn may_leave(&mut self, longest: Duration) -> bool {
        let since = *self.leaving_since.get_or_insert_with(Instant::now);
        if since.elapsed() <= longest {
            return true;
        }
        self.leaving_since = None;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_grow_while_they_are_quick_and_shrink_when_they_are_not() {
        let mut pace = Pace::default();
        for _ in 0..20 {
            pace.took(Duration::from_millis(10), true);
        }
        assert_eq!(pace.cells(), CELLS_MAX);
        for _ in 0..20 {
            pace.took(Duration::from_secs(3), true);
        }
        assert_eq!(pace.cells(), 1);
        pace.took(Duration::from_millis(10), false);
        assert_eq!(pace.cells(), 1, "nothing was left over: no need for more");
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
        assert!(pace.may_leave(Duration::from_secs(60)));
        assert!(
            !pace.may_leave(Duration::ZERO),
            "it has been left for longer than that"
        );
    }
}
