//! Two definitions over the same interactions: what changes, how often, and most. Pure.

use super::tally::{Outcome, Tally};
use compact_str::CompactString;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

/// How a row differs between two definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Another value.
    Value,
    /// A value that is absent now.
    Lost,
    /// An absent value that is one now.
    Gained,
    /// The same value, or none as before, for another reason.
    Reason,
    /// A row that only the old definition has (a leg).
    OnlyOld,
    /// A row that only the new definition has.
    OnlyNew,
}

/// Which row: of which interaction, and of which leg (empty: of the interaction as a whole).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) tenant: String,
    pub(crate) interaction: String,
    pub(crate) leg: String,
}

/// A row that changes, with whatever is needed to explain it later.
#[derive(Debug, Clone)]
pub(crate) struct Change<T> {
    pub(crate) key: Key,
    pub(crate) kind: Kind,
    pub(crate) old: Option<Outcome>,
    pub(crate) new: Option<Outcome>,
    pub(crate) carried: T,
}

/// How many rows change, by kind and by the reasons before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changed(BTreeMap<Way, u64>);

/// One way to change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    pub(crate) kind: Kind,
    pub(crate) old_reason: Option<CompactString>,
    pub(crate) new_reason: Option<CompactString>,
}

/// Why an interaction gives no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Passed {
    /// It has not ended.
    NotEnded,
    /// The definitions are about agents' legs, and it has none.
    NoLeg,
    /// The definitions are about journeys, and nobody knows whose it is.
    NoCustomer,
    /// What is stored of it cannot be read.
    Unreadable,
}

/// What was seen of both definitions so far. Parts can be joined, in any order.
#[derive(Debug)]
pub(crate) struct Comparison<T> {
    /// Rows of the definition compared with.
    pub(crate) old: Tally,
    /// Rows of the definition looked at.
    pub(crate) new: Tally,
    /// Interactions that were looked at.
    pub(crate) interactions: u64,
    /// Those of them that give no row.
    pub(crate) passed: BTreeMap<Passed, u64>,
    /// How many rows change.
    pub(crate) changed: Changed,
    top: Top<T>,
}

/// The changes that weigh most, at most so many.
#[derive(Debug)]
struct Top<T> {
    most: usize,
    // The least of them on top, to be thrown out first.
    heap: BinaryHeap<Reverse<Ranked<T>>>,
}

#[derive(Debug)]
struct Ranked<T> {
    weight: f64,
    change: Change<T>,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Value,
        Self::Lost,
        Self::Gained,
        Self::Reason,
        Self::OnlyOld,
        Self::OnlyNew,
    ];

    /// How two rows of one key differ, if they do.
    pub(crate) fn of(old: Option<&Outcome>, new: Option<&Outcome>) -> Option<Self> {
        match (old, new) {
            (None, None) => None,
            (Some(_), None) => Some(Self::OnlyOld),
            (None, Some(_)) => Some(Self::OnlyNew),
            (Some(old), Some(new)) => match (old.value, new.value) {
                (Some(_), None) => Some(Self::Lost),
                (None, Some(_)) => Some(Self::Gained),
                (Some(before), Some(after)) if before.total_cmp(&after).is_ne() => {
                    Some(Self::Value)
                }
                _ if old.reason != new.reason => Some(Self::Reason),
                _ => None,
            },
        }
    }

    /// For programs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Value => "value_to_value",
            Self::Lost => "value_to_absent",
            Self::Gained => "absent_to_value",
            Self::Reason => "reason_only",
            Self::OnlyOld => "only_old",
            Self::OnlyNew => "only_new",
        }
    }

    /// For people.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Value => "value → value",
            Self::Lost => "value → absent",
            Self::Gained => "absent → value",
            Self::Reason => "reason only",
            Self::OnlyOld => "only in the old",
            Self::OnlyNew => "only in the new",
        }
    }
}

impl Passed {
    /// For programs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NotEnded => "not_ended",
            Self::NoLeg => "no_agent_leg",
            Self::NoCustomer => "no_customer",
            Self::Unreadable => "unreadable",
        }
    }

    /// For people, behind a number.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::NotEnded => "not ended",
            Self::NoLeg => "without an agent's leg",
            Self::NoCustomer => "of an unknown customer",
            Self::Unreadable => "that cannot be read",
        }
    }
}

impl Changed {
    pub(crate) fn count(&self, kind: Kind) -> u64 {
        self.ways()
            .filter(|(way, _)| way.kind == kind)
            .map(|(_, count)| count)
            .sum()
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The ways, by kind and reasons.
    pub(crate) fn ways(&self) -> impl Iterator<Item = (&Way, u64)> {
        self.0.iter().map(|(way, count)| (way, *count))
    }

    fn add(&mut self, way: Way, count: u64) {
        *self.0.entry(way).or_default() += count;
    }
}

impl<T> Change<T> {
    /// How much of the new sum the change takes or gives.
    fn weight(&self) -> f64 {
        let value = |outcome: &Option<Outcome>| {
            outcome
                .as_ref()
                .and_then(|outcome| outcome.value)
                .unwrap_or(0.0)
        };
        (value(&self.new) - value(&self.old)).abs()
    }

    /// The new value less the old one, where both are there.
    pub(crate) fn difference(&self) -> Option<f64> {
        Some(self.new.as_ref()?.value? - self.old.as_ref()?.value?)
    }
}

impl<T> Comparison<T> {
    /// Nothing seen yet; keeps so many changes.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            old: Tally::default(),
            new: Tally::default(),
            interactions: 0,
            passed: BTreeMap::new(),
            changed: Changed::default(),
            top: Top {
                most,
                heap: BinaryHeap::new(),
            },
        }
    }

    /// An interaction that gives no row.
    pub(crate) fn pass(&mut self, why: Passed) {
        self.interactions += 1;
        *self.passed.entry(why).or_default() += 1;
    }

    /// The rows of one interaction under both definitions, each by leg; `compared`: whether there is an old definition at all.
    pub(crate) fn add(
        &mut self,
        tenant: &str,
        interaction: &str,
        old: &[(&str, Outcome)],
        new: &[(&str, Outcome)],
        compared: bool,
        carried: impl Fn() -> T,
    ) {
        self.interactions += 1;
        for (_, row) in old {
            self.old.add(row);
        }
        for (_, row) in new {
            self.new.add(row);
        }
        if !compared {
            return;
        }
        let of = |rows: &[(&str, Outcome)], wanted: &str| {
            rows.iter()
                .find(|(leg, _)| *leg == wanted)
                .map(|(_, row)| row.clone())
        };
        let mut note = |leg: &str, old: Option<Outcome>, new: Option<Outcome>| {
            let Some(kind) = Kind::of(old.as_ref(), new.as_ref()) else {
                return;
            };
            let reason = |row: &Option<Outcome>| row.as_ref().and_then(|row| row.reason.clone());
            let way = Way {
                kind,
                old_reason: reason(&old),
                new_reason: reason(&new),
            };
            self.changed.add(way, 1);
            let change = Change {
                key: Key {
                    tenant: tenant.to_owned(),
                    interaction: interaction.to_owned(),
                    leg: leg.to_owned(),
                },
                kind,
                old,
                new,
                carried: (),
            };
            self.top.offer(change, &carried);
        };
        for (leg, row) in old {
            note(leg, Some(row.clone()), of(new, leg));
        }
        for (leg, row) in new {
            if old.iter().all(|(other, _)| other != leg) {
                note(leg, None, Some(row.clone()));
            }
        }
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.old.join(other.old);
        self.new.join(other.new);
        self.interactions += other.interactions;
        for (why, count) in other.passed {
            *self.passed.entry(why).or_default() += count;
        }
        for (way, count) in other.changed.0 {
            self.changed.add(way, count);
        }
        for Reverse(ranked) in other.top.heap {
            self.top.push(ranked);
        }
    }

    /// The changes that weigh most, heaviest first; equal ones by their keys.
    pub(crate) fn heaviest(&mut self) -> Vec<Change<T>> {
        let mut ranked: Vec<Ranked<T>> = std::mem::take(&mut self.top.heap)
            .into_iter()
            .map(|Reverse(ranked)| ranked)
            .collect();
        ranked.sort_by(|left, right| right.cmp(left));
        ranked.into_iter().map(|ranked| ranked.change).collect()
    }
}

impl<T> Top<T> {
    /// Keeps the change where it is among the heaviest; only then is it given what it carries.
    fn offer(&mut self, change: Change<()>, carried: &impl Fn() -> T) {
        let weight = change.weight();
        if self.heap.len() >= self.most
            && self
                .heap
                .peek()
                .is_none_or(|Reverse(least)| !least.yields(weight, &change.key))
        {
            return;
        }
        let Change {
            key,
            kind,
            old,
            new,
            carried: (),
        } = change;
        self.push(Ranked {
            weight,
            change: Change {
                key,
                kind,
                old,
                new,
                carried: carried(),
            },
        });
    }

    fn push(&mut self, ranked: Ranked<T>) {
        self.heap.push(Reverse(ranked));
        if self.heap.len() > self.most {
            self.heap.pop();
        }
    }
}

impl<T> Ranked<T> {
    fn order(&self, weight: f64, key: &Key) -> Ordering {
        self.weight
            .total_cmp(&weight)
            .then_with(|| key.cmp(&self.change.key))
    }

    /// Whether this one is to go when one of such a weight and key comes.
    fn yields(&self, weight: f64, key: &Key) -> bool {
        self.order(weight, key).is_lt()
    }
}

impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Ranked<T> {}

impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other.weight, &other.change.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(value: f64) -> Outcome {
        Outcome {
            value: Some(value),
            reason: None,
            not_stated: CompactString::default(),
        }
    }

    fn absent(reason: &str) -> Outcome {
        Outcome {
            value: None,
            reason: Some(reason.into()),
            not_stated: CompactString::default(),
        }
    }

    fn excluded(reason: &str) -> Outcome {
        Outcome {
            value: Some(0.0),
            reason: Some(reason.into()),
            not_stated: CompactString::default(),
        }
    }

    #[test]
    fn a_change_is_of_one_kind() {
        for (old, new, kind) in [
            (value(1.0), value(1.0), None),
            (value(1.0), value(2.0), Some(Kind::Value)),
            (value(1.0), absent("closed"), Some(Kind::Lost)),
            (absent("closed"), value(0.0), Some(Kind::Gained)),
            (absent("closed"), absent("closed"), None),
            (absent("closed"), absent("not_stated"), Some(Kind::Reason)),
            (excluded("closed"), value(0.0), Some(Kind::Reason)),
            (excluded("closed"), value(3.0), Some(Kind::Value)),
        ] {
            assert_eq!(Kind::of(Some(&old), Some(&new)), kind, "{old:?} {new:?}");
        }
        assert_eq!(Kind::of(Some(&value(1.0)), None), Some(Kind::OnlyOld));
        assert_eq!(Kind::of(None, Some(&value(1.0))), Some(Kind::OnlyNew));
    }

    fn seen(range: std::ops::Range<u32>, most: usize) -> Comparison<u32> {
        let mut comparison = Comparison::new(most);
        for n in range {
            // Each weight comes twice.
            let new = value(f64::from(n / 2 % 50));
            let id = format!("i{n:03}");
            comparison.add("acme", &id, &[("", value(0.0))], &[("", new)], true, || n);
        }
        comparison
    }

    #[test]
    fn the_heaviest_changes_are_the_same_however_the_work_was_parted() {
        let mut whole = seen(0..100, 7);
        let whole = whole.heaviest();
        let keys = |changes: &[Change<u32>]| -> Vec<(String, u32)> {
            changes
                .iter()
                .map(|change| (change.key.interaction.clone(), change.carried))
                .collect()
        };
        assert_eq!(
            keys(&whole),
            [98, 99, 96, 97, 94, 95, 92].map(|n| (format!("i{n:03}"), n))
        );
        for cut in [1, 13, 50, 99] {
            let mut parted = seen(cut..100, 7);
            parted.join(seen(0..cut, 7));
            assert_eq!(parted.interactions, 100);
            assert_eq!(parted.changed.count(Kind::Value), 98, "two did not change");
            assert_eq!(keys(&parted.heaviest()), keys(&whole), "cut at {cut}");
        }
    }

    #[test]
    fn rows_of_legs_are_compared_leg_by_leg() {
        let mut comparison = Comparison::new(10);
        let old = [("a", value(1.0)), ("b", value(2.0))];
        let new = [("b", value(5.0)), ("c", value(7.0))];
        comparison.add("acme", "i", &old, &new, true, || ());
        let kinds: Vec<_> = comparison
            .heaviest()
            .iter()
            .map(|change| (change.key.leg.clone(), change.kind, change.difference()))
            .collect();
        assert_eq!(
            kinds,
            [
                ("c".to_owned(), Kind::OnlyNew, None),
                ("b".to_owned(), Kind::Value, Some(3.0)),
                ("a".to_owned(), Kind::OnlyOld, None),
            ]
        );
        assert_eq!(comparison.changed.total(), 3);
    }

    #[test]
    fn interactions_without_a_row_are_counted_by_why() {
        let mut comparison = Comparison::new(10);
        comparison.pass(Passed::NotEnded);
        comparison.add("acme", "j", &[], &[("", value(1.0))], false, || ());
        let mut other = Comparison::new(10);
        other.pass(Passed::NotEnded);
        other.pass(Passed::NoLeg);
        comparison.join(other);
        assert_eq!(comparison.interactions, 4);
        assert_eq!(
            comparison.passed,
            BTreeMap::from([(Passed::NotEnded, 2), (Passed::NoLeg, 1)])
        );
        assert_eq!(comparison.changed.total(), 0, "nothing to compare with");
    }

    #[test]
    fn asked_for_none_it_keeps_none() {
        assert!(seen(0..10, 0).heaviest().is_empty());
    }
}
