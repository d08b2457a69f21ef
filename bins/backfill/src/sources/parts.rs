//! A chunk's stretch of time in parts, of which the first is under way. A part that the platform finds too large is halved.

use schema::UtcMicros;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A stretch this short is not halved any more.
const SHORTEST_MICROS: i64 = 1_000_000;

/// A half-open stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) from: UtcMicros,
    pub(super) to: UtcMicros,
}

impl Part {
    pub(super) const fn holds(self, at: UtcMicros) -> bool {
        self.from.0 <= at.0 && at.0 < self.to.0
    }

    /// Its two halves, cut at a whole second; `None` where it is too short.
    pub(super) fn halves(self) -> Option<[Self; 2]> {
        let length = self.to.0 - self.from.0;
        if length < 2 * SHORTEST_MICROS {
            return None;
        }
        let middle = self.from.0 + length / 2;
        let middle = UtcMicros(middle - middle.rem_euclid(SHORTEST_MICROS));
        let middle = if middle <= self.from {
            UtcMicros(self.from.0 + SHORTEST_MICROS)
        } else {
            middle
        };
        Some([
            Self { to: middle, ..self },
            Self {
                from: middle,
                ..self
            },
        ])
    }

    /// In pieces of at most this length.
    pub(super) fn pieces(self, longest: Duration) -> Vec<Self> {
        let longest = i64::try_from(longest.as_micros())
            .unwrap_or(i64::MAX)
            .max(SHORTEST_MICROS);
        let mut pieces = Vec::new();
        let mut from = self.from;
        while from < self.to {
            let to = UtcMicros(from.0.saturating_add(longest)).min(self.to);
            pieces.push(Self { from, to });
            from = to;
        }
        pieces
    }
}

/// The time until then, if it is ahead.
pub(super) fn until(at: UtcMicros, now: UtcMicros) -> Option<Duration> {
    let micros = at.0.saturating_sub(now.0);
    u64::try_from(micros)
        .ok()
        .filter(|micros| *micros > 0)
        .map(Duration::from_micros)
}

/// So much after an instant.
pub(super) fn after(at: UtcMicros, by: Duration) -> UtcMicros {
    UtcMicros(at.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn part(from: i64, to: i64) -> Part {
        Part {
            from: UtcMicros(from * 1_000_000),
            to: UtcMicros(to * 1_000_000),
        }
    }

    #[test]
    fn halves_touch_and_end_somewhere() {
        assert_eq!(part(0, 7).halves(), Some([part(0, 3), part(3, 7)]));
        assert_eq!(part(5, 7).halves(), Some([part(5, 6), part(6, 7)]));
        assert_eq!(part(5, 6).halves(), None);
        let odd = Part {
            from: UtcMicros(300_000),
            to: UtcMicros(2_400_000),
        };
        let [first, second] = odd.halves().unwrap();
        assert!(odd.from < first.to && first.to == second.from && second.from < odd.to);
    }

    #[test]
    fn pieces_cover_it_without_a_gap() {
        let pieces = part(0, 10).pieces(Duration::from_secs(4));
        assert_eq!(pieces, [part(0, 4), part(4, 8), part(8, 10)]);
        assert_eq!(part(0, 3).pieces(Duration::from_secs(4)), [part(0, 3)]);
    }
}
