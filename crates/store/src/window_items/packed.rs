//! Measures as bytes: the format's number, then definition, sum and weight of each as varints. Four bytes to ten a measure, where arrays
//! take twenty and a header each.
//!
//! Signs go to the lowest bit (zigzag); a definition is written as its difference from the one before.

use crate::error::StoreError;

/// The first byte.
const FORMAT: u8 = 1;

/// The measures as bytes: equal ones give equal bytes.
pub(super) fn pack(measures: &[(i32, i64, i64)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + 8 * measures.len());
    out.push(FORMAT);
    let mut before = 0;
    for &(definition, sum, weight) in measures {
        put(i64::from(definition) - before, &mut out);
        put(sum, &mut out);
        put(weight, &mut out);
        before = i64::from(definition);
    }
    out
}

/// Appends the measures that the bytes stand for.
pub(super) fn unpack(bytes: &[u8], into: &mut Vec<(i32, i64, i64)>) -> Result<(), StoreError> {
    measures(bytes, into).ok_or_else(|| StoreError::Unreadable {
        column: "window_items.measures",
        value: hex::encode(bytes),
    })
}

fn measures(bytes: &[u8], into: &mut Vec<(i32, i64, i64)>) -> Option<()> {
    let (&FORMAT, mut rest) = bytes.split_first()? else {
        return None;
    };
    let mut before = 0_i64;
    while !rest.is_empty() {
        before = before.checked_add(take(&mut rest)?)?;
        let definition = i32::try_from(before).ok()?;
        into.push((definition, take(&mut rest)?, take(&mut rest)?));
    }
    Some(())
}

fn put(value: i64, out: &mut Vec<u8>) {
    let mut left = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while left >= 0x80 {
        out.push(0x80 | (left & 0x7f).to_le_bytes()[0]);
        left >>= 7;
    }
    out.push(left.to_le_bytes()[0]);
}

fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let seven = u64::from(byte & 0x7f);
        if shift == 63 && seven > 1 {
            return None;
        }
        value |= seven << shift;
        if byte < 0x80 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{FORMAT, pack, unpack};

    #[test]
    fn what_was_packed_comes_back() {
        let cases: &[&[(i32, i64, i64)]] = &[
            &[],
            &[(1, 0, 1)],
            &[(1, 12_345, 1), (2, -1, 0), (300, 900_000, 900_000)],
            &[
                (i32::MIN, i64::MIN, i64::MAX),
                (0, 63, 64),
                (i32::MAX, i64::MAX, i64::MIN),
            ],
        ];
        for measures in cases {
            let bytes = pack(measures);
            let mut found = Vec::new();
            unpack(&bytes, &mut found).unwrap();
            assert_eq!(&found, measures);
        }
        assert_eq!(pack(&[(1, 300_000, 1), (2, 0, 1)]).len(), 1 + 5 + 3);
    }

    #[test]
    fn bytes_that_nobody_wrote_are_refused() {
        let cases: &[&[u8]] = &[
            &[],
            &[2],
            &[FORMAT, 2],
            &[FORMAT, 2, 2],
            &[FORMAT, 2, 2, 0x80],
            &[
                FORMAT, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 2,
            ],
            &[
                FORMAT, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 2,
            ],
        ];
        for bytes in cases {
            assert!(unpack(bytes, &mut Vec::new()).is_err(), "{bytes:?}");
        }
    }
}
