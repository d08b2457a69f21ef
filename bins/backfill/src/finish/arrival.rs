//! Whether what a chunk brought has arrived. Pure.

use std::time::Duration;

/// How long to wait for what, and how often to fetch anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// How long nothing may move, with nothing left on the way, until what is missing counts as missing.
    pub(crate) quiet: Duration,
    /// On the live lane there is always something on the way: so long after the fetch nothing is.
    pub(crate) patience: Duration,
    /// Others may feed the history lane without end: when nothing has arrived for so long, nothing is on the way either. Long, because the lane
    /// rests while live work is behind.
    pub(crate) history_patience: Duration,
    /// How often a chunk is fetched anew.
    pub(crate) reopen_max: u32,
    /// The pause before the first time; each further one is three times as long.
    pub(crate) reopen_pause: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            quiet: Duration::from_secs(10),
            patience: Duration::from_secs(300),
            history_patience: Duration::from_secs(1800),
            reopen_max: 3,
            reopen_pause: Duration::from_secs(60),
        }
    }
}

/// What is known of a fetched chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How many the platform says there are; none: it does not say.
    pub(crate) expected: Option<i64>,
    /// How many are in the store.
    pub(crate) arrived: i64,
    /// How often it was fetched anew.
    pub(crate) reopened: u32,
    /// Whether nothing is on the way from the queues of its lane.
    pub(crate) drained: bool,
    /// Whether its lane is the live one.
    pub(crate) live: bool,
    /// Since the last page was confirmed.
    pub(crate) since_fetched: Duration,
    /// Since the count last rose, as far as this process has seen.
    pub(crate) since_moved: Duration,
}

/// What to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All of it is there.
    Whole,
    /// Look again after this time.
    Wait(Duration),
    /// Some is missing: fetch it anew after this time.
    Reopen(Duration),
    /// Some is missing, and fetching anew did not bring it.
    Short,
}

/// A look costs a count: the longer it takes the rarer.
const LOOK_MIN: Duration = Duration::from_millis(500);
const LOOK_MAX: Duration = Duration::from_secs(30);

impl Policy {
    /// Decides.
    pub(crate) fn verdict(&self, seen: &Seen) -> Verdict {
        let Some(expected) = seen.expected else {
            return Verdict::Whole;
        };
        if seen.arrived >= expected {
            return Verdict::Whole;
        }
        let on_the_way = !seen.drained
            && if seen.live {
                seen.since_fetched < self.patience
            } else {
                seen.since_moved < self.history_patience
            };
        if on_the_way || seen.since_moved < self.quiet {
            return Verdict::Wait((seen.since_fetched / 4).clamp(LOOK_MIN, LOOK_MAX));
        }
        if seen.reopened < self.reopen_max {
            let pause = self.reopen_pause * 3_u32.saturating_pow(seen.reopened);
            return Verdict::Reopen(pause);
        }
        Verdict::Short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn seen() -> Seen {
        Seen {
            expected: Some(100),
            arrived: 99,
            reopened: 0,
            drained: true,
            live: false,
            since_fetched: 60 * SECOND,
            since_moved: 60 * SECOND,
        }
    }

    fn verdict(seen: Seen) -> Verdict {
        Policy::default().verdict(&seen)
    }

    #[test]
    fn enough_is_enough_and_an_unknown_number_is_compared_with_nothing() {
        for (expected, arrived) in [(Some(100), 100), (Some(100), 130), (Some(0), 0), (None, 0)] {
            let seen = Seen {
                expected,
                arrived,
                drained: false,
                since_moved: Duration::ZERO,
                ..seen()
            };
            assert_eq!(verdict(seen), Verdict::Whole, "{expected:?} {arrived}");
        }
    }

    #[test]
    fn nothing_is_missing_while_something_is_on_the_way_or_moves() {
        let waits = |seen| matches!(verdict(seen), Verdict::Wait(_));
        let fed = Seen {
            drained: false,
            since_fetched: 100_000 * SECOND,
            since_moved: 1799 * SECOND,
            ..seen()
        };
        assert!(waits(fed));
        let by_others = Seen {
            since_moved: 1800 * SECOND,
            ..fed
        };
        assert_eq!(verdict(by_others), Verdict::Reopen(60 * SECOND));
        assert!(waits(Seen {
            since_moved: 9 * SECOND,
            ..seen()
        }));
        let live = Seen {
            live: true,
            drained: false,
            ..seen()
        };
        assert!(waits(live), "it has just been fetched");
        let long_ago = Seen {
            since_fetched: 301 * SECOND,
            ..live
        };
        assert_eq!(verdict(long_ago), Verdict::Reopen(60 * SECOND));
    }

    #[test]
    fn looks_become_rarer_within_bounds() {
        let after = |since_fetched| {
            verdict(Seen {
                drained: false,
                since_fetched,
                ..seen()
            })
        };
        assert_eq!(after(Duration::ZERO), Verdict::Wait(LOOK_MIN));
        assert_eq!(after(8 * SECOND), Verdict::Wait(2 * SECOND));
        assert_eq!(after(10_000 * SECOND), Verdict::Wait(LOOK_MAX));
    }

    #[test]
    fn a_gap_is_fetched_anew_with_growing_pauses_and_then_stated() {
        let after = |reopened| verdict(Seen { reopened, ..seen() });
        assert_eq!(after(0), Verdict::Reopen(60 * SECOND));
        assert_eq!(after(1), Verdict::Reopen(180 * SECOND));
        assert_eq!(after(2), Verdict::Reopen(540 * SECOND));
        assert_eq!(after(3), Verdict::Short);
    }
}
