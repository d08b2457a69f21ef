//! Bytes: one form for one content, and nothing else is read.

use crate::{measure, wants};
use proptest::collection::vec;
use proptest::prelude::*;
use window::{Aggregate, DayCells, DecodeError, Measure, Totals, Wants};

fn aggregate() -> impl Strategy<Value = Aggregate> {
    (
        prop_oneof![6 => vec(measure(), 1..12), 1 => vec(measure(), 40..120)],
        wants(),
    )
        .prop_map(|(measures, wants)| {
            let mut aggregate = Aggregate::default();
            for measure in measures {
                aggregate.add(measure, wants);
            }
            aggregate
        })
}

fn entries() -> impl Strategy<Value = Vec<(i32, Aggregate)>> {
    vec((prop_oneof![1..30_i32, any::<i32>()], aggregate()), 0..8)
}

fn day() -> impl Strategy<Value = DayCells> {
    vec((0..96_u8, entries()), 0..12).prop_map(|quarters| {
        let mut day = DayCells::default();
        for (quarter, entries) in quarters {
            day.replace(quarter, entries);
        }
        day
    })
}

/// What was packed, with some bytes changed, left out or put in.
fn damaged(packed: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let damage = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    (packed, vec(damage, 1..4)).prop_map(|(mut bytes, damages)| {
        for (at, byte, kind) in damages {
            let at = at.index(bytes.len().max(1)).min(bytes.len());
            match kind {
                0 => bytes.insert(at, byte),
                1 if at < bytes.len() => {
                    bytes.remove(at);
                }
                2 => bytes.truncate(at),
                _ => {
                    if let Some(place) = bytes.get_mut(at) {
                        *place = byte;
                    }
                }
            }
        }
        bytes
    })
}

/// Bytes that begin as packed ones do.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![any::<u8>(), 0..20_u8], 0..60).prop_map(|mut bytes| {
        bytes.insert(0, 1);
        bytes
    })
}

#[test]
fn little_is_packed_small() {
    let mut totals = Totals::default();
    assert_eq!(totals.encode(), [1, 0]);
    let one = Measure { sum: 1, weight: 1 };
    totals.add(1, one, Wants::default());
    assert_eq!(
        totals.encode(),
        [1, 1, 0x10, 1],
        "definition 1: one item that counts 1"
    );
    let all = Wants {
        extremes: true,
        percentiles: true,
    };
    totals.add(
        3,
        Measure {
            sum: -200,
            weight: 1,
        },
        all,
    );
    assert_eq!(
        totals.encode(),
        [1, 2, 0x10, 1, 0x2d, 1, 0x8f, 0x03],
        "two further on: one item, its sum, from which the rest follows"
    );
    totals.add(
        3,
        Measure {
            sum: 100,
            weight: 9,
        },
        all,
    );
    assert_eq!(
        totals.encode(),
        [
            1, 2, 0x10, 1, 0x2f, 2, // sum and weight are stated now
            0xc7, 0x01, 20, // -100, 10
            0x8f, 0x03, 0xac, 0x02, // from -200, over 300
            2, 0x8f, 0x05, 0x90, 0x04, // two buckets: number -164 once, 264 further on once
        ]
    );
}

#[test]
fn a_day_knows_its_quarters() {
    let entry = |id, sum| {
        let mut aggregate = Aggregate::default();
        aggregate.add(Measure { sum, weight: 1 }, Wants::default());
        (id, aggregate)
    };
    let mut day = DayCells::default();
    assert!(day.is_empty());
    day.replace(
        95,
        vec![
            entry(2, 5),
            entry(1, 7),
            entry(2, 6),
            (9, Aggregate::default()),
        ],
    );
    day.replace(0, vec![entry(1, 1)]);
    day.replace(8, vec![entry(1, 2), entry(4, 3)]);
    day.replace(96, vec![entry(1, 2)]);
    let ids = |quarter| {
        day.get(quarter)
            .iter()
            .map(|(id, _)| *id)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        [ids(0), ids(8), ids(95), ids(1), ids(96)],
        [vec![1], vec![1, 4], vec![1, 2], vec![], vec![]]
    );
    let mut filled = [0; 12];
    (filled[0], filled[1], filled[11]) = (1, 1, 0x80);
    assert_eq!(day.filled(), filled);
    assert_eq!(day.encode()[1..13], filled);
    let sums = |totals: Totals| {
        totals
            .entries()
            .iter()
            .map(|(id, a)| (*id, a.items(), a.sum()))
            .collect::<Vec<_>>()
    };
    assert_eq!(sums(day.total()), [(1, 3, 10), (2, 2, 11), (4, 1, 3)]);
    assert_eq!(sums(day.merge_range(0..9)), [(1, 2, 3), (4, 1, 3)]);
    assert_eq!(sums(day.merge_range(9..95)), []);
    assert_eq!(sums(day.merge_range(9..255)), [(1, 1, 7), (2, 2, 11)]);
    for quarter in [0, 8, 95] {
        day.replace(quarter, Vec::new());
    }
    assert_eq!(day, DayCells::default());
    assert_eq!(day.encode().len(), 14);
}

#[test]
fn what_packing_never_writes_is_refused() {
    let content = |bytes: &[u8]| Totals::decode(bytes).unwrap_err().to_string();
    for (bytes, told) in [
        (&[][..], "the bytes end too early"),
        (
            &[2, 0],
            "packed in format 2, which this release does not know",
        ),
        (&[1], "the bytes end too early"),
        (&[1, 1], "the bytes end too early"),
        (&[1, 0, 0], "1 bytes are left over"),
        (&[1, 0x80, 0], "the bytes hold a number that is too long"),
        (&[1, 1, 0x10, 0], "the bytes hold an aggregate of no items"),
        (
            &[1, 1, 0x11, 1, 2],
            "the bytes hold a number that goes without saying",
        ),
        (
            &[1, 2, 0x10, 1, 0, 1],
            "the bytes hold definitions out of order",
        ),
        (
            &[1, 1, 0x18, 2, 0, 0, 0],
            "the bytes hold a sketch of nothing",
        ),
        (&[1, 1, 0x18, 2, 2, 0, 0], "the bytes hold a bucket twice"),
        (
            &[1, 1, 0x18, 2, 1, 2, 1],
            "the bytes hold a count that goes without saying",
        ),
        (
            &[1, 1, 0x18, 2, 1, 2, 3],
            "the bytes hold a sketch of more than all items",
        ),
        (
            &[1, 1, 0x18, 2, 1, 0xfe, 0xff, 0x03, 1],
            "the bytes hold a bucket that no value falls into",
        ),
    ] {
        assert_eq!(content(bytes), told, "{bytes:?}");
    }
    let mut empty = [0; 15];
    (empty[0], empty[1]) = (1, 1);
    let refused = DayCells::decode(&empty).unwrap_err();
    assert_eq!(
        refused,
        DecodeError::Content("a filled quarter without entries")
    );
    let none = [&[1][..], &[0; 12], &[1, 0]].concat();
    let refused = DayCells::decode(&none).unwrap_err();
    assert_eq!(
        refused,
        DecodeError::Content("another number of entries than it says")
    );
}

proptest! {
    #[test]
    fn a_day_is_what_its_bytes_say(day in day(), quarter in 0..96_u8, entries in entries()) {
        let packed = day.encode();
        let read = DayCells::decode(&packed);
        prop_assert_eq!(read.as_ref(), Ok(&day));
        let total = day.total();
        prop_assert_eq!(Totals::decode(&total.encode()), Ok(total));
        // How it came about does not show.
        let (mut one, mut other) = (day.clone(), DayCells::default());
        one.replace(quarter, entries.clone());
        for place in (0..96).rev() {
            let kept = if place == quarter { entries.clone() } else { day.get(place).to_vec() };
            other.replace(place, kept);
        }
        prop_assert_eq!(one.encode(), other.encode());
        prop_assert_eq!(one, other);
    }

    #[test]
    fn any_bytes_are_a_day_or_an_error(bytes in prop_oneof![any_bytes(), damaged(day().prop_map(|day| day.encode()))]) {
        if let Ok(day) = DayCells::decode(&bytes) {
            prop_assert_eq!(day.encode(), bytes);
            let _ = day.total();
        }
    }

    #[test]
    fn any_bytes_are_totals_or_an_error(bytes in prop_oneof![any_bytes(), damaged(day().prop_map(|day| day.total().encode()))]) {
        let mut merged = Totals::default();
        match Totals::decode(&bytes) {
            Ok(totals) => {
                prop_assert_eq!(merged.merge_encoded(&bytes), Ok(()));
                prop_assert_eq!(&merged, &totals);
                merged.merge(&totals);
                for (_, aggregate) in merged.entries() {
                    prop_assert!(aggregate.percentile(50).is_none_or(f64::is_finite));
                }
                prop_assert_eq!(totals.encode(), bytes);
            }
            Err(error) => prop_assert_eq!(merged.merge_encoded(&bytes), Err(error)),
        }
    }
}
