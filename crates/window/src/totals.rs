//! What definitions have come to over a stretch of any length.

use crate::aggregate::{Aggregate, FLAG_BITS, Measure, Wants};
use crate::codec::{DecodeError, Reader, put_unsigned};

/// The format that is written.
const VERSION: u8 = 1;

/// Aggregates by the number of their definition, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals(Vec<(i32, Aggregate)>);

impl Totals {
    /// All of them, ascending by definition; none without an item.
    pub fn entries(&self) -> &[(i32, Aggregate)] {
        &self.0
    }

    /// As [`entries`](Self::entries).
    pub fn into_entries(self) -> Vec<(i32, Aggregate)> {
        self.0
    }

    /// What one definition has come to.
    pub fn get(&self, definition: i32) -> Option<&Aggregate> {
        let index = self.0.binary_search_by_key(&definition, |(id, _)| *id);
        self.0.get(index.ok()?).map(|(_, aggregate)| aggregate)
    }

    /// Whether nothing was added.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an item to a definition's.
    pub fn add(&mut self, definition: i32, measure: Measure, wants: Wants) {
        let index = self.place(0, definition);
        if let Some((_, aggregate)) = self.0.get_mut(index) {
            aggregate.add(measure, wants);
        }
    }

    /// Adds all items of another.
    pub fn merge(&mut self, other: &Self) {
        self.merge_entries(&other.0);
    }

    /// Adds entries in ascending order, such as those of [`DayCells::get`](crate::DayCells::get).
    pub fn merge_entries(&mut self, entries: &[(i32, Aggregate)]) {
        let mut from = 0;
        if self.0.is_empty() {
            self.0.reserve_exact(entries.len());
        }
        for (definition, other) in entries {
            let index = self.place(from, *definition);
            if let Some((_, aggregate)) = self.0.get_mut(index) {
                aggregate.merge(other);
            }
            from = index + 1;
        }
    }

    /// Adds packed totals, without unpacking them first. After an error a part of them may have been added.
    pub fn merge_encoded(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let mut reader = Reader::of(bytes, VERSION)?;
        let mut from = 0;
        let mut other = Aggregate::default();
        take_entries(&mut reader, |definition, flags, reader| {
            let index = self.place(from, definition);
            from = index + 1;
            if let Some((_, aggregate)) = self.0.get_mut(index) {
                if aggregate.items() == 0 {
                    return aggregate.take(flags, reader);
                }
                other.take(flags, reader)?;
                aggregate.merge(&other);
            }
            Ok(())
        })?;
        reader.finish()
    }

    /// Packs them. One content has one form.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 + 12 * self.0.len());
        bytes.push(VERSION);
        put_entries(&mut bytes, &self.0);
        bytes
    }

    /// From [`encode`](Self::encode). Every byte is looked at: what packing never writes is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::of(bytes, VERSION)?;
        let mut entries = Vec::new();
        take_into(&mut reader, &mut entries)?;
        reader.finish()?;
        Ok(Self(entries))
    }

    /// The place of a definition, which is made if there is none. All before `from` are of lesser ones.
    fn place(&mut self, from: usize, definition: i32) -> usize {
        match self.0.get(from) {
            Some((id, _)) if *id == definition => return from,
            _ => {}
        }
        let later = self.0.get(from..).unwrap_or_default();
        match later.binary_search_by_key(&definition, |(id, _)| *id) {
            Ok(index) => from + index,
            Err(index) => {
                self.0
                    .insert(from + index, (definition, Aggregate::default()));
                from + index
            }
        }
    }
}

impl FromIterator<(i32, Aggregate)> for Totals {
    /// In any order; those of one definition are merged, those without an item left out.
    fn from_iter<I: IntoIterator<Item = (i32, Aggregate)>>(entries: I) -> Self {
        let mut totals = Self(entries.into_iter().filter(|(_, a)| a.items() > 0).collect());
        let ascending = totals.0.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !ascending {
            totals.0.sort_by_key(|(definition, _)| *definition);
            totals.0.dedup_by(|(later, other), (earlier, aggregate)| {
                let same = later == earlier;
                if same {
                    aggregate.merge(other);
                }
                same
            });
        }
        totals
    }
}

/// How many, then each: how far its definition is from the one before, in the low bits what is written about it, then that.
pub(crate) fn put_entries(bytes: &mut Vec<u8>, entries: &[(i32, Aggregate)]) {
    put_unsigned(bytes, entries.len() as u64);
    let mut before = 0;
    for (definition, aggregate) in entries {
        // Before 1, the first number of a definition, come 0 and the negative ones: with them the first distance wraps.
        let distance = definition.wrapping_sub(before).cast_unsigned();
        let flags = u64::from(aggregate.flags());
        put_unsigned(bytes, u64::from(distance) << FLAG_BITS | flags);
        aggregate.put(bytes);
        before = *definition;
    }
}

/// Hands over each entry's definition and flags, for its aggregate to be taken.
fn take_entries(
    reader: &mut Reader<'_>,
    mut take: impl FnMut(i32, u8, &mut Reader<'_>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let length = reader.length()?;
    let mut before = None;
    for _ in 0..length {
        let first = reader.unsigned()?;
        let distance = u32::try_from(first >> FLAG_BITS)
            .map_err(|_| DecodeError::Content("a definition's number that is too great"))?;
        let definition = before.unwrap_or(0_i32).wrapping_add(distance.cast_signed());
        if before.is_some_and(|before| definition <= before) {
            return Err(DecodeError::Content("definitions out of order"));
        }
        let flags = (first & ((1 << FLAG_BITS) - 1)) as u8;
        take(definition, flags, reader)?;
        before = Some(definition);
    }
    Ok(())
}

/// Behind the entries that are there.
pub(crate) fn take_into(
    reader: &mut Reader<'_>,
    entries: &mut Vec<(i32, Aggregate)>,
) -> Result<(), DecodeError> {
    take_entries(reader, |definition, flags, reader| {
        let mut aggregate = Aggregate::default();
        aggregate.take(flags, reader)?;
        entries.push((definition, aggregate));
        Ok(())
    })
}
