//! Instants and durations. Instants are UTC microseconds (what PostgreSQL stores), durations are whole milliseconds.

use serde::{Deserialize, Serialize};

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcMicros(pub i64);

/// A duration in milliseconds. May be negative or absurd when a platform stated it so; rules withhold such values.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl UtcMicros {
    /// From milliseconds since the epoch; saturates at the ends of the range.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Whole milliseconds since the epoch, rounded towards minus infinity.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Whole seconds since the epoch, rounded towards minus infinity.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The time from `earlier` to `self` in whole milliseconds; negative when `self` is the earlier one. Saturates.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0).div_euclid(1000))
    }

    /// This instant plus a duration. Saturates.
    #[must_use]
    pub const fn plus(self, duration: Millis) -> Self {
        Self(self.0.saturating_add(duration.0.saturating_mul(1000)))
    }
}

impl Millis {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum, or `None` when it does not fit.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// Seconds as a float: the only place where a duration becomes one.
    ///
    /// Exact to the millisecond up to 2^53 ms (285,000 years).
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}
