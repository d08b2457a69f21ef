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

/// How many values fell into each bucket. No bucket that is listed is empty, whatever the form.
#[derive(Debug, Clone)]
pub(crate) struct Sketch(Form);

/// Cells have few buckets and are many; what is merged of them has many and takes most of the time. The form does not show.
#[derive(Debug, Clone)]
enum Form {
    /// At most [`FEW`], by their numbers, ascending.
    Few(Vec<(i16, u64)>),
    /// The counts of all numbers from `first` on, also of the buckets without a value.
    Many { first: i16, counts: Vec<u64> },
}

const FEW: usize = 48;
/// Counts of many are made room for by this.
const ROOM: i16 = 64;

impl Default for Sketch {
    fn default() -> Self {
        Self(Form::Few(Vec::new()))
    }
}

impl PartialEq for Sketch {
    fn eq(&self, other: &Self) -> bool {
        self.buckets().eq(other.buckets())
    }
}

impl Eq for Sketch {}

impl Sketch {
    /// Of one value, in the space of what was there.
    pub(crate) fn set(&mut self, value: i64) {
        let mut few = self.emptied();
        few.push((bucket(value), 1));
        self.0 = Form::Few(few);
    }

    pub(crate) fn add(&mut self, value: i64) {
        self.count(bucket(value), 1);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        match (&mut self.0, &other.0) {
            (
                Form::Many { first, counts },
                Form::Many {
                    first: from,
                    counts: more,
                },
            ) => {
                let last = i16::try_from(more.len()).unwrap_or(i16::MAX) - 1;
                make_room(first, counts, *from, from.saturating_add(last));
                let at = usize::from(from.abs_diff(*first));
                for (count, more) in counts.iter_mut().skip(at).zip(more) {
                    *count = count.saturating_add(*more);
                }
            }
            (Form::Few(_), Form::Many { .. }) => {
                let mine = std::mem::replace(self, other.clone());
                self.count_all(&mine);
            }
            (_, Form::Few(_)) => self.count_all(other),
        }
    }

    fn count_all(&mut self, other: &Self) {
        for (number, count) in other.buckets() {
            self.count(number, count);
        }
    }

    fn count(&mut self, number: i16, more: u64) {
        match &mut self.0 {
            Form::Few(few) => match few.binary_search_by_key(&number, |(number, _)| *number) {
                Ok(index) => few[index].1 = few[index].1.saturating_add(more),
                Err(index) if few.len() < FEW => few.insert(index, (number, more)),
                Err(_) => {
                    let few = std::mem::take(few);
                    let (mut first, mut counts) = (number, Vec::new());
                    make_room(&mut first, &mut counts, number, number);
                    if let (Some((low, _)), Some((high, _))) = (few.first(), few.last()) {
                        make_room(&mut first, &mut counts, *low, *high);
                    }
                    self.0 = Form::Many { first, counts };
                    for (number, count) in few {
                        self.count(number, count);
                    }
                    self.count(number, more);
                }
            },
            Form::Many { first, counts } => {
                make_room(first, counts, number, number);
                if let Some(count) = counts.get_mut(usize::from(number.abs_diff(*first))) {
                    *count = count.saturating_add(more);
                }
            }
        }
    }

    /// Those with a value, ascending.
    fn buckets(&self) -> impl Iterator<Item = (i16, u64)> {
        let (few, first, counts) = match &self.0 {
            Form::Few(few) => (few.as_slice(), 0, [].as_slice()),
            Form::Many { first, counts } => ([].as_slice(), *first, counts.as_slice()),
        };
        let many = (first..).zip(counts.iter().copied());
        few.iter()
            .copied()
            .chain(many.filter(|(_, count)| *count > 0))
    }

    /// An empty list, in the space of what was there.
    fn emptied(&mut self) -> Vec<(i16, u64)> {
        match std::mem::take(self).0 {
            Form::Few(mut few) => {
                few.clear();
                few
            }
            Form::Many { .. } => Vec::new(),
        }
    }

    /// By nearest rank; `None` above 100 and where there is nothing.
    pub(crate) fn percentile(&self, percent: u8) -> Option<f64> {
        if percent > 100 {
            return None;
        }
        let all: u128 = self.buckets().map(|(_, count)| u128::from(count)).sum();
        let rank = (all * u128::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let reached = self.buckets().find(|(_, count)| {
            seen += u128::from(*count);
            seen >= rank
        });
        reached.map(|(number, _)| middle(number))
    }

    /// The number of buckets, then each: how far from the one before (of the first: its number), with a low bit that says whether a count
    /// follows or it is 1.
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        put_unsigned(bytes, self.buckets().count() as u64);
        let mut before = None;
        for (number, count) in self.buckets() {
            let several = count > 1;
            match before {
                None => put_signed(bytes, i64::from(number) << 1 | i64::from(several)),
                Some(before) => {
                    let distance = u64::from(number.abs_diff(before));
                    put_unsigned(bytes, distance << 1 | u64::from(several));
                }
            }
            if several {
                put_unsigned(bytes, count);
            }
            before = Some(number);
        }
    }

    /// Gives how many values it holds.
    pub(crate) fn take(&mut self, bytes: &mut Reader<'_>) -> Result<u64, DecodeError> {
        let buckets = bytes.length()?;
        let mut few = self.emptied();
        if buckets <= FEW {
            few.reserve_exact(buckets);
            let values = take_buckets(buckets, bytes, |number, count| few.push((number, count)))?;
            self.0 = Form::Few(few);
            return Ok(values);
        }
        let (mut first, mut counts) = (None, Vec::with_capacity(2 * buckets));
        let values = take_buckets(buckets, bytes, |number, count| {
            let place = number.abs_diff(*first.get_or_insert(number));
            counts.resize(place.into(), 0);
            counts.push(count);
        })?;
        let first = first.unwrap_or_default();
        self.0 = Form::Many { first, counts };
        Ok(values)
    }
}

/// Hands over each, ascending, and gives the sum of the counts.
fn take_buckets(
    buckets: usize,
    bytes: &mut Reader<'_>,
    mut take: impl FnMut(i16, u64),
) -> Result<u64, DecodeError> {
    const FAR: DecodeError = DecodeError::Content("a bucket that no value falls into");
    if buckets == 0 {
        return Err(DecodeError::Content("a sketch of nothing"));
    }
    let (mut number, mut values) = (0_i16, 0_u64);
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
        if !(bucket(i64::MIN)..=bucket(i64::MAX)).contains(&number) {
            return Err(FAR);
        }
        let count = if several { bytes.unsigned()? } else { 1 };
        if several && count < 2 {
            return Err(DecodeError::Content("a count that goes without saying"));
        }
        take(number, count);
        values = values.saturating_add(count);
    }
    Ok(values)
}

/// So that there are counts of the numbers from `low` to `high`.
fn make_room(first: &mut i16, counts: &mut Vec<u64>, low: i16, high: i16) {
    let begin = low.div_euclid(ROOM) * ROOM;
    if counts.is_empty() {
        *first = begin;
    }
    if low < *first {
        let more = usize::from(first.abs_diff(begin));
        counts.splice(0..0, std::iter::repeat_n(0, more));
        *first = begin;
    }
    let length = usize::from(high.abs_diff(*first)) + 1;
    if length > counts.len() {
        counts.resize(length.next_multiple_of(ROOM.unsigned_abs().into()), 0);
    }
}

/// The number of a value's bucket; that of a negative one is that of its size, negative.
fn bucket(value: i64) -> i16 {
    let size = value.unsigned_abs();
    let shift = (u64::BITS - size.leading_zeros()).saturating_sub(KEPT_BITS + 1);
    // At most 57 × 64 + 64.
    let number = u64::from(shift << KEPT_BITS) + (size >> shift);
    let number = i16::try_from(number).unwrap_or(i16::MAX);
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
