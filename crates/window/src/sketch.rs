//! A histogram from which percentiles are read.
//!
//! Values below 128 in size have a bucket each. Beyond, every doubling is cut into 64 buckets of equal width, so that the middle of a
//! bucket is at most 1/128 (0.79 %) away from any value in it. Bucket numbers come from shifts of integers, not from logarithms, and
//! counts are integers: merging is addition, every order gives the same content, and so the same bytes on every machine.
//!
//! Why not a crate's: the maintained one (sketches-ddsketch) takes its bucket numbers from floating-point logarithms, keeps at least a
//! kilobyte a sketch and folds its lowest buckets together by a limit, which makes a merge depend on its order.

use crate::codec::{DecodeError, Reader, put_signed, put_unsigned};

/// Bits of a value that its bucket keeps, after the highest.
const KEPT_BITS: u32 = 6;

/// How many values fell into each bucket, by its number, ascending. No count is 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sketch(Vec<(i16, u64)>);

impl Sketch {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn add(&mut self, value: i64) {
        let number = bucket(value);
        match self.0.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(index) => {
                if let Some((_, count)) = self.0.get_mut(index) {
                    *count = count.saturating_add(1);
                }
            }
            Err(index) => self.0.insert(index, (number, 1)),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        // Fills from the back, so that it needs no second list: `to` is one past the place to write, and not before `mine`.
        let mut mine = self.0.len();
        let mut to = mine + self.missing(other);
        self.0.resize(to, (0, 0));
        for &(number, count) in other.0.iter().rev() {
            while mine > 0 && self.0[mine - 1].0 > number {
                (mine, to) = (mine - 1, to - 1);
                self.0[to] = self.0[mine];
            }
            to -= 1;
            if mine > 0 && self.0[mine - 1].0 == number {
                mine -= 1;
                self.0[to] = (number, self.0[mine].1.saturating_add(count));
            } else {
                self.0[to] = (number, count);
            }
        }
    }

    /// How many of the other's buckets are not in this one.
    fn missing(&self, other: &Self) -> usize {
        let mut mine = self.0.iter().map(|(number, _)| *number).peekable();
        let absent = other.0.iter().filter(|(number, _)| {
            while mine.next_if(|mine| mine < number).is_some() {}
            mine.peek() != Some(number)
        });
        absent.count()
    }

    /// By nearest rank; `None` above 100 and where there is nothing.
    pub(crate) fn percentile(&self, percent: u8) -> Option<f64> {
        if percent > 100 {
            return None;
        }
        let all: u128 = self.0.iter().map(|(_, count)| u128::from(*count)).sum();
        let rank = (all * u128::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let reached = self.0.iter().find(|(_, count)| {
            seen += u128::from(*count);
            seen >= rank
        });
        reached.map(|(number, _)| middle(*number))
    }

    /// The number of buckets, then each: how far from the one before (of the first: its number), with a low bit that says whether a count
    /// follows or it is 1.
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        put_unsigned(bytes, self.0.len() as u64);
        let mut before = None;
        for &(number, count) in &self.0 {
            let several = u64::from(count > 1);
            match before {
                None => put_signed(bytes, i64::from(number) << 1 | i64::from(count > 1)),
                Some(before) => put_unsigned(bytes, distance(before, number) << 1 | several),
            }
            if count > 1 {
                put_unsigned(bytes, count);
            }
            before = Some(number);
        }
    }

    /// Gives how many values it holds.
    pub(crate) fn take(&mut self, bytes: &mut Reader<'_>) -> Result<u64, DecodeError> {
        let buckets = bytes.length()?;
        if buckets == 0 {
            return Err(DecodeError::Content("a sketch of nothing"));
        }
        self.0.clear();
        self.0.reserve_exact(buckets);
        let (mut number, mut values) = (0, 0_u64);
        for index in 0..buckets {
            let several;
            if index == 0 {
                let first = bytes.signed()?;
                several = first & 1 == 1;
                number = i16::try_from(first >> 1).map_err(|_| FAR)?;
            } else {
                let next = bytes.unsigned()?;
                several = next & 1 == 1;
                let distance = i16::try_from(next >> 1).map_err(|_| FAR)?;
                if distance == 0 {
                    return Err(DecodeError::Content("a bucket twice"));
                }
                number = number.checked_add(distance).ok_or(FAR)?;
            }
            if number < bucket(i64::MIN) || number > bucket(i64::MAX) {
                return Err(FAR);
            }
            let count = if several { bytes.unsigned()? } else { 1 };
            if several && count < 2 {
                return Err(DecodeError::Content("a count that goes without saying"));
            }
            self.0.push((number, count));
            values = values.saturating_add(count);
        }
        Ok(values)
    }
}

const FAR: DecodeError = DecodeError::Content("a bucket that no value falls into");

fn distance(before: i16, number: i16) -> u64 {
    u64::from(number.abs_diff(before))
}

/// The number of a value's bucket; that of a negative one is that of its size, negative.
fn bucket(value: i64) -> i16 {
    let size = value.unsigned_abs();
    let shift = (u64::BITS - size.leading_zeros()).saturating_sub(KEPT_BITS + 1);
    // At most 57 × 64 + 64.
    let number = i16::try_from(u64::from(shift << KEPT_BITS) + (size >> shift)).unwrap_or(i16::MAX);
    if value < 0 { -number } else { number }
}

/// The middle of the whole numbers in a bucket.
#[allow(clippy::cast_precision_loss, reason = "seven bits are kept")]
fn middle(number: i16) -> f64 {
    let size = u64::from(number.unsigned_abs());
    let shift = (size >> KEPT_BITS).saturating_sub(1);
    let kept = size - (shift << KEPT_BITS);
    let middle = (kept << shift) as f64 + ((1_u64 << shift) - 1) as f64 / 2.0;
    if number < 0 { -middle } else { middle }
}
