//! How far apart two numbers may be, and which parts of the platform's number ours is known to leave out. Stated, not guessed.

use crate::Measure;

/// Allowed differences, either way. Counts are exact unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// Of counts.
    pub count: i64,
    /// Of times, in milliseconds for each contact that is in them.
    pub per_item_ms: i64,
    /// Of times, in milliseconds, whatever is in them.
    pub least_ms: i64,
}

impl Tolerance {
    /// Genesys states times in whole milliseconds: one for each contact.
    pub const GENESYS: Self = Self {
        count: 0,
        per_item_ms: 1,
        least_ms: 0,
    };

    /// CXone states times in seconds, of which versions give fractions and others do not: one second for each contact.
    pub const CXONE: Self = Self {
        count: 0,
        per_item_ms: 1_000,
        least_ms: 0,
    };

    /// The most by which two values of this measure may differ.
    #[must_use]
    pub fn of(&self, measure: Measure, items: i64) -> i64 {
        if measure.is_time() {
            self.per_item_ms
                .saturating_mul(items.max(0))
                .max(self.least_ms)
        } else {
            self.count
        }
    }
}

/// By what rules numbers are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How far apart they may be.
    pub tolerance: Tolerance,
    /// What of the platform's number is, by the definition that ours comes from, not in ours: measure, and the measures left out.
    pub left_out: Vec<(Measure, Vec<Measure>)>,
}

impl Policy {
    /// With nothing left out.
    #[must_use]
    pub const fn new(tolerance: Tolerance) -> Self {
        Self {
            tolerance,
            left_out: Vec::new(),
        }
    }

    /// Says that our `measure` leaves out `parts` that the platform's has. Handle time without dialling is the usual one.
    #[must_use]
    pub fn leaving_out(mut self, measure: Measure, parts: &[Measure]) -> Self {
        self.left_out.push((measure, parts.to_vec()));
        self
    }

    /// The parts that our `measure` leaves out.
    pub(crate) fn left_out_of(&self, measure: Measure) -> impl Iterator<Item = Measure> {
        self.left_out
            .iter()
            .filter(move |(of, _)| *of == measure)
            .flat_map(|(_, parts)| parts.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact_and_times_grow_with_what_is_in_them() {
        let cxone = Tolerance::CXONE;
        assert_eq!(cxone.of(Measure::Offered, 1_000), 0);
        assert_eq!(cxone.of(Measure::Talk, 3), 3_000);
        assert_eq!(cxone.of(Measure::Talk, i64::MAX), i64::MAX);
        assert_eq!(cxone.of(Measure::Talk, -1), 0);
    }
}
