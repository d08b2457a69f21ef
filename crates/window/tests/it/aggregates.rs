//! What adds up, and in no order.

use crate::{measure, wants};
use proptest::collection::vec;
use proptest::prelude::*;
use window::{Aggregate, Measure, Totals, Wants};

const ALL: Wants = Wants {
    extremes: true,
    percentiles: true,
};

fn of(measures: &[Measure], wants: Wants) -> Aggregate {
    let mut aggregate = Aggregate::default();
    for measure in measures {
        aggregate.add(*measure, wants);
    }
    aggregate
}

fn values(sums: impl IntoIterator<Item = i64>) -> Vec<Measure> {
    sums.into_iter()
        .map(|sum| Measure { sum, weight: 1 })
        .collect()
}

fn merged(mut one: Aggregate, other: &Aggregate) -> Aggregate {
    one.merge(other);
    one
}

/// By nearest rank, over all of them.
fn nearest_rank(values: &[i64], percent: u8) -> i64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (values.len() * usize::from(percent)).div_ceil(100).max(1);
    sorted[rank - 1]
}

#[allow(clippy::cast_precision_loss)]
fn assert_near(found: f64, exact: i64, told: &str) {
    let exact = exact as f64;
    assert!(
        (found - exact).abs() <= exact.abs() * 0.01,
        "{told}: {found} is not near {exact}"
    );
}

#[test]
fn nothing_has_nothing() {
    let nothing = Aggregate::default();
    assert_eq!(
        (nothing.items(), nothing.sum(), nothing.weight()),
        (0, 0, 0)
    );
    assert_eq!(
        (nothing.min(), nothing.max(), nothing.percentile(50)),
        (None, None, None)
    );
}

#[test]
fn what_is_not_wanted_is_not_there() {
    let plain = of(&values([5, 7]), Wants::default());
    assert_eq!((plain.items(), plain.sum(), plain.weight()), (2, 12, 2));
    assert_eq!(
        (plain.min(), plain.max(), plain.percentile(50)),
        (None, None, None)
    );
    let all = of(&values([5, -7]), ALL);
    assert_eq!((all.min(), all.max()), (Some(-7), Some(5)));
    assert_eq!(all.percentile(101), None);
}

#[test]
fn percentiles_are_by_nearest_rank() {
    let percentiles = |sums: &[i64]| {
        let all = of(&values(sums.iter().copied()), ALL);
        [0, 25, 50, 75, 100].map(|percent| all.percentile(percent).unwrap().to_string())
    };
    assert_eq!(percentiles(&[61]), ["61"; 5]);
    assert_eq!(percentiles(&[1, 2]), ["1", "1", "1", "2", "2"]);
    assert_eq!(percentiles(&[3, 1, 2, 4]), ["1", "1", "2", "3", "4"]);
    assert_eq!(percentiles(&[7, 7, 7, 9]), ["7", "7", "7", "7", "9"]);
    assert_eq!(
        percentiles(&[-127, 0, 127]),
        ["-127", "-127", "0", "127", "127"]
    );
    assert_eq!(percentiles(&[1_234_567]), ["1234567"; 5], "one is exact");
}

#[test]
fn sums_hold_more_than_one_value_can() {
    let many = of(&values([i64::MAX; 5]), ALL);
    assert_eq!(many.sum(), 5 * i128::from(i64::MAX));
    assert_near(many.percentile(50).unwrap(), i64::MAX, "the greatest");
    let least = of(&values([i64::MIN; 5]), ALL);
    assert_near(least.percentile(50).unwrap(), i64::MIN, "the least");
}

proptest! {
    #[test]
    fn no_order_shows(
        measures in vec(measure(), 0..160),
        shuffled in any::<prop::sample::Index>(),
        cuts in any::<(prop::sample::Index, prop::sample::Index)>(),
        wants in wants(),
    ) {
        let whole = of(&measures, wants);
        let mut turned = measures.clone();
        turned.rotate_left(shuffled.index(measures.len() + 1).min(measures.len()));
        turned.reverse();
        prop_assert_eq!(&of(&turned, wants), &whole);
        let (one, other) = (cuts.0.index(measures.len() + 1), cuts.1.index(measures.len() + 1));
        let (low, high) = (one.min(other), one.max(other));
        let parts = [&measures[..low], &measures[low..high], &measures[high..]].map(|part| of(part, wants));
        let [a, b, c] = &parts;
        prop_assert_eq!(&merged(merged(a.clone(), b), c), &whole, "associative");
        prop_assert_eq!(&merged(a.clone(), &merged(b.clone(), c)), &whole);
        prop_assert_eq!(&merged(c.clone(), &merged(b.clone(), a)), &whole, "commutative");
        prop_assert_eq!(&merged(whole.clone(), &Aggregate::default()), &whole);
        let sum: i128 = measures.iter().map(|m| i128::from(m.sum)).sum();
        let weight: i128 = measures.iter().map(|m| i128::from(m.weight)).sum();
        prop_assert_eq!((whole.items(), whole.sum(), whole.weight()), (measures.len() as u64, sum, weight));
        let extremes = wants.extremes.then(|| measures.iter().map(|m| m.sum));
        prop_assert_eq!(whole.min(), extremes.clone().and_then(Iterator::min));
        prop_assert_eq!(whole.max(), extremes.and_then(Iterator::max));
    }

    #[test]
    fn percentiles_are_within_the_bound(
        sums in vec(prop_oneof![any::<i64>(), 0..200_i64, 0..7_200_000_i64, -1_000_000..1_000_000_i64], 1..200),
        cut in any::<prop::sample::Index>(),
        extremes in any::<bool>(),
    ) {
        let wants = Wants { extremes, percentiles: true };
        let (one, other) = sums.split_at(cut.index(sums.len()));
        let both = merged(of(&values(one.iter().copied()), wants), &of(&values(other.iter().copied()), wants));
        for percent in 0..=100 {
            let found = both.percentile(percent).unwrap();
            assert_near(found, nearest_rank(&sums, percent), &format!("p{percent} of {sums:?}"));
        }
    }

    #[test]
    fn totals_are_kept_by_definition(
        items in vec((prop_oneof![1..6_i32, any::<i32>()], measure()), 0..40),
        cut in any::<prop::sample::Index>(),
    ) {
        // One definition always wants the same.
        let wants = |id: i32| Wants { extremes: id % 2 == 0, percentiles: id % 3 == 0 };
        let add = |items: &[(i32, Measure)]| {
            let mut totals = Totals::default();
            for (id, measure) in items {
                totals.add(*id, *measure, wants(*id));
            }
            totals
        };
        let whole = add(&items);
        let (one, other) = items.split_at(cut.index(items.len() + 1));
        let (one, other) = (add(one), add(other));
        let mut there = one.clone();
        there.merge(&other);
        prop_assert_eq!(&there, &whole);
        let mut back = other.clone();
        back.merge_entries(one.entries());
        prop_assert_eq!(&back, &whole);
        let mut packed = Totals::default();
        packed.merge_encoded(&other.encode()).unwrap();
        packed.merge_encoded(&one.encode()).unwrap();
        prop_assert_eq!(&packed, &whole);
        let mut entries = one.into_entries();
        entries.extend(other.into_entries());
        prop_assert_eq!(&Totals::from_iter(entries), &whole);
        prop_assert!(whole.entries().windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (id, aggregate) in whole.entries() {
            let own: Vec<_> = items.iter().filter(|(of, _)| of == id).map(|(_, measure)| *measure).collect();
            prop_assert_eq!(aggregate, &of(&own, wants(*id)));
            prop_assert_eq!(whole.get(*id), Some(aggregate));
        }
        prop_assert_eq!(whole.is_empty(), items.is_empty());
    }
}
