//! What the values of one definition have come to.

use crate::codec::{DecodeError, Reader, put_signed, put_unsigned, put_wide};
use crate::sketch::Sketch;

/// What one item adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Measure {
    /// The value, scaled to an integer.
    pub sum: i64,
    /// What it is divided by: 1 for a value, the milliseconds of the denominator for a ratio of times.
    pub weight: i64,
}

/// What a definition's aggregations need beside the sums, so that cells stay small. One definition always wants the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Wants {
    /// The smallest and the greatest value.
    pub extremes: bool,
    /// Percentiles.
    pub percentiles: bool,
}

/// What the values of one definition have come to. Adding and merging are exact, and no order of either shows in the result.
///
/// Sums are of 128 bits: as many values as 64 bits can count, each as great as 64 bits can hold, do not fill them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aggregate {
    items: u64,
    sum: i128,
    weight: i128,
    extremes: Option<(i64, i64)>,
    /// Never empty.
    sketch: Option<Sketch>,
}

impl Aggregate {
    /// Adds an item.
    pub fn add(&mut self, measure: Measure, wants: Wants) {
        self.items = self.items.saturating_add(1);
        self.sum = self.sum.wrapping_add(measure.sum.into());
        self.weight = self.weight.wrapping_add(measure.weight.into());
        if wants.extremes {
            self.extremes = Some(wider(self.extremes, (measure.sum, measure.sum)));
        }
        if wants.percentiles {
            self.sketch.get_or_insert_default().add(measure.sum);
        }
    }

    /// Adds all items of another.
    pub fn merge(&mut self, other: &Self) {
        self.items = self.items.saturating_add(other.items);
        self.sum = self.sum.wrapping_add(other.sum);
        self.weight = self.weight.wrapping_add(other.weight);
        if let Some(extremes) = other.extremes {
            self.extremes = Some(wider(self.extremes, extremes));
        }
        if let Some(sketch) = &other.sketch {
            self.sketch.get_or_insert_default().merge(sketch);
        }
    }

    /// How many were added.
    pub const fn items(&self) -> u64 {
        self.items
    }

    /// The sum of the scaled values.
    pub const fn sum(&self) -> i128 {
        self.sum
    }

    /// The sum of the weights.
    pub const fn weight(&self) -> i128 {
        self.weight
    }

    /// The smallest scaled value, where that is wanted.
    pub fn min(&self) -> Option<i64> {
        self.extremes.map(|(min, _)| min)
    }

    /// The greatest scaled value, where that is wanted.
    pub fn max(&self) -> Option<i64> {
        self.extremes.map(|(_, max)| max)
    }

    /// The value, in scaled units, that `percent` of the values do not exceed, by nearest rank: the one at place ⌈percent × n / 100⌉, the
    /// first for 0. At most 0.79 % away from it, and exactly it where its size is below 128 or there is but one. `None` where percentiles
    /// are not wanted, and above 100.
    pub fn percentile(&self, percent: u8) -> Option<f64> {
        let about = self.sketch.as_ref()?.percentile(percent)?;
        let (least, most) = match self.extremes {
            Some((least, most)) => (least.into(), most.into()),
            None if self.items == 1 => (self.sum, self.sum),
            None => return Some(about),
        };
        Some(about.clamp(float(least), float(most)))
    }
}

#[allow(clippy::cast_precision_loss, reason = "far finer than the bound")]
const fn float(value: i128) -> f64 {
    value as f64
}

fn wider(extremes: Option<(i64, i64)>, (least, most): (i64, i64)) -> (i64, i64) {
    extremes.map_or((least, most), |(min, max)| (min.min(least), max.max(most)))
}

/// The low bits of an entry's first number: what is written about it.
pub(crate) const FLAG_BITS: u32 = 4;
/// The sum; it is the number of items otherwise, as for what counts.
const SUM: u8 = 1;
/// The weight; it is the number of items otherwise, as for every value.
const WEIGHT: u8 = 2;
const EXTREMES: u8 = 4;
const SKETCH: u8 = 8;

/// How an aggregate is packed, after the flags: the items, the sum, the weight, the extremes, the sketch. A single item's extremes and
/// sketch are in its sum, so they are not written.
impl Aggregate {
    pub(crate) fn flags(&self) -> u8 {
        let items = i128::from(self.items);
        let flag = |flag, stated| if stated { flag } else { 0 };
        flag(SUM, self.sum != items)
            | flag(WEIGHT, self.weight != items)
            | flag(EXTREMES, self.extremes.is_some())
            | flag(SKETCH, self.sketch.is_some())
    }

    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        let items = i128::from(self.items);
        put_unsigned(bytes, self.items);
        if self.sum != items {
            put_wide(bytes, self.sum);
        }
        if self.weight != items {
            put_wide(bytes, self.weight);
        }
        if self.items == 1 {
            return;
        }
        if let Some((min, max)) = self.extremes {
            put_signed(bytes, min);
            put_unsigned(bytes, max.abs_diff(min));
        }
        if let Some(sketch) = &self.sketch {
            sketch.put(bytes);
        }
    }

    /// Into an aggregate whose content is lost, so that its space is used again.
    pub(crate) fn take(&mut self, flags: u8, bytes: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.items = bytes.unsigned()?;
        if self.items == 0 {
            return Err(DecodeError::Content("an aggregate of no items"));
        }
        let items = i128::from(self.items);
        let stated = |flag| flags & flag != 0;
        let mut number = |flag| {
            if !stated(flag) {
                return Ok(items);
            }
            let number = bytes.wide()?;
            if number == items {
                return Err(DecodeError::Content("a number that goes without saying"));
            }
            Ok(number)
        };
        self.sum = number(SUM)?;
        self.weight = number(WEIGHT)?;
        self.extremes = None;
        if !stated(SKETCH) {
            self.sketch = None;
        }
        if self.items == 1 {
            let value = i64::try_from(self.sum)
                .map_err(|_| DecodeError::Content("an item greater than items can be"))?;
            if stated(EXTREMES) {
                self.extremes = Some((value, value));
            }
            if stated(SKETCH) {
                self.sketch.get_or_insert_default().set(value);
            }
            return Ok(());
        }
        if stated(EXTREMES) {
            let min = bytes.signed()?;
            let max = min
                .checked_add_unsigned(bytes.unsigned()?)
                .ok_or(DecodeError::Content("an item greater than items can be"))?;
            self.extremes = Some((min, max));
        }
        if stated(SKETCH) {
            let values = self.sketch.get_or_insert_default().take(bytes)?;
            if values > self.items {
                return Err(DecodeError::Content("a sketch of more than all items"));
            }
        }
        Ok(())
    }
}
