//! How far our count of an interval may be below the platform's.
//!
//! Two counts of one thing are seldom equal near the ends of an interval: each side has its own idea of when something began.

/// Fewer are short only where both are exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// So many may be missing.
    pub number: u64,
    /// So many of a hundred may be missing.
    pub percent: u64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            number: 5,
            percent: 2,
        }
    }
}

impl Tolerance {
    /// Whether too few are here.
    #[must_use]
    pub const fn is_short(&self, theirs: u64, ours: u64) -> bool {
        let missing = theirs.saturating_sub(ours);
        missing > self.number && missing.saturating_mul(100) > theirs.saturating_mul(self.percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_few_and_a_small_share_may_be_missing() {
        let tolerance = Tolerance::default();
        for (theirs, ours, short) in [
            (1000, 1000, false),
            (1000, 2000, false),
            (1000, 980, false),
            (1000, 979, true),
            // Six of ten are more than a few, five are not.
            (10, 5, false),
            (10, 4, true),
            (0, 0, false),
        ] {
            assert_eq!(tolerance.is_short(theirs, ours), short, "{theirs} {ours}");
        }
        let strict = Tolerance {
            number: 0,
            percent: 0,
        };
        assert!(strict.is_short(1, 0) && !strict.is_short(1, 1));
    }

    proptest! {
        /// More of ours never makes an interval short that was not.
        #[test]
        fn monotone(theirs in any::<u64>(), ours in any::<u64>(), more in any::<u64>(), number in 0_u64..100, percent in 0_u64..100) {
            let tolerance = Tolerance { number, percent };
            if !tolerance.is_short(theirs, ours) {
                prop_assert!(!tolerance.is_short(theirs, ours.saturating_add(more)));
            }
        }
    }
}
