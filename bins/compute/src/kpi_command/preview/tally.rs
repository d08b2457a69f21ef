//! What one definition gives over many interactions: counts, exact sums, percentiles, a histogram. Pure.

use compact_str::CompactString;
use kpi::Aggregation;
use std::collections::BTreeMap;

/// Bars of a histogram, about.
const BARS: f64 = 18.0;

/// What is looked at of one row: its value, or why there is none (or why it is zero).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// The value, in the definition's unit.
    pub(crate) value: Option<f64>,
    /// Why it is absent, or zero by a rule.
    pub(crate) reason: Option<CompactString>,
    /// The fields that nobody stated and that a rule asked for, separated by commas; empty where there are none.
    pub(crate) not_stated: CompactString,
}

/// Rows in which fields were not stated: by the reason of the row (empty where it has a value) and the fields.
pub(crate) type NotStated = BTreeMap<(CompactString, CompactString), u64>;

/// The rows of one definition, as they come; in any order, and parts can be joined.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    values: Vec<f64>,
    absent: BTreeMap<CompactString, u64>,
    ruled: BTreeMap<CompactString, u64>,
    not_stated: NotStated,
}

/// The same, counted up and sorted.
#[derive(Debug, Clone)]
pub(crate) struct Totals {
    /// Ascending.
    values: Vec<f64>,
    /// Rows without a value, by reason.
    pub(crate) absent: BTreeMap<CompactString, u64>,
    /// Rows with a value that a rule gave (zero for an excluded interaction), by reason.
    pub(crate) ruled: BTreeMap<CompactString, u64>,
    /// Rows in which something was not stated.
    pub(crate) not_stated: NotStated,
    sum: f64,
}

/// Values from `from` up to `to`, which does not belong to it; without a `to`, all from there on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bar {
    pub(crate) from: f64,
    pub(crate) to: Option<f64>,
    pub(crate) old: u64,
    pub(crate) new: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, row: &Outcome) {
        let reason = || row.reason.clone().unwrap_or_default();
        if !row.not_stated.is_empty() {
            let reason = match row.value {
                Some(_) => CompactString::default(),
                None => reason(),
            };
            let key = (reason, row.not_stated.clone());
            *self.not_stated.entry(key).or_default() += 1;
        }
        match row.value {
            None => *self.absent.entry(reason()).or_default() += 1,
            Some(value) => {
                self.values.push(value);
                if row.reason.is_some() {
                    *self.ruled.entry(reason()).or_default() += 1;
                }
            }
        }
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.values.extend(other.values);
        for (reason, count) in other.absent {
            *self.absent.entry(reason).or_default() += count;
        }
        for (reason, count) in other.ruled {
            *self.ruled.entry(reason).or_default() += count;
        }
        for (key, count) in other.not_stated {
            *self.not_stated.entry(key).or_default() += count;
        }
    }

    pub(crate) fn totals(self) -> Totals {
        let Self {
            mut values,
            absent,
            ruled,
            not_stated,
        } = self;
        values.sort_unstable_by(f64::total_cmp);
        let sum = sum(&values);
        Totals {
            values,
            absent,
            ruled,
            not_stated,
            sum,
        }
    }
}

/// The sum of ascending values: exact where all are whole thousandths (seconds of whole milliseconds, counts, shares of yes and no),
/// which is every unit but ratios; those are added with the lost digits carried along. The same for any order of arrival.
fn sum(values: &[f64]) -> f64 {
    let thousandths: Option<i128> = values
        .iter()
        .map(|value| {
            let thousandths = value * 1000.0;
            let whole = thousandths.round();
            // What a double can tell from its neighbours; a value beyond is added the other way.
            let tells =
                whole.abs() < 9e15 && (thousandths - whole).abs() < 1e-6 * whole.abs().max(1.0);
            #[expect(clippy::cast_possible_truncation, reason = "bounded by the comparison")]
            tells.then_some(whole as i128)
        })
        .sum();
    if let Some(thousandths) = thousandths {
        #[expect(clippy::cast_precision_loss, reason = "the nearest double is meant")]
        return thousandths as f64 / 1000.0;
    }
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    sum + lost
}

impl Totals {
    /// Rows with a value.
    pub(crate) fn valued(&self) -> u64 {
        self.values.len() as u64
    }

    /// All rows.
    pub(crate) fn rows(&self) -> u64 {
        self.valued() + self.absent.values().sum::<u64>()
    }

    /// How many values are 0 and how many 1, where there are no others.
    pub(crate) fn yes_and_no(&self) -> Option<(u64, u64)> {
        let is_either =
            |value: &f64| value.abs() < f64::EPSILON || (value - 1.0).abs() < f64::EPSILON;
        let yes = self.between(1.0, None);
        self.values
            .iter()
            .all(is_either)
            .then(|| (yes, self.valued() - yes))
    }

    /// `None` where there is nothing to make a number of; a count is always there. A percentile between two values lies on the line
    /// between them, as percentile_cont of PostgreSQL has it.
    pub(crate) fn aggregate(&self, aggregation: Aggregation) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 rows")]
        let count = self.values.len() as f64;
        match aggregation {
            Aggregation::Count => Some(count),
            _ if self.values.is_empty() => None,
            Aggregation::Sum => Some(self.sum),
            Aggregation::Mean => Some(self.sum / count),
            Aggregation::Min => self.values.first().copied(),
            Aggregation::Max => self.values.last().copied(),
            Aggregation::Percentile(percent) => self.percentile(percent),
        }
    }

    fn percentile(&self, percent: u8) -> Option<f64> {
        let last = self.values.len().checked_sub(1)?;
        // In whole numbers, so that the place is exact: hundredths of steps between values.
        let hundredths = last * usize::from(percent.min(100));
        let (below, rest) = (hundredths / 100, hundredths % 100);
        let low = *self.values.get(below)?;
        if rest == 0 {
            return Some(low);
        }
        let high = *self.values.get(below + 1)?;
        #[expect(clippy::cast_precision_loss, reason = "below 100")]
        let part = rest as f64 / 100.0;
        Some(low + (high - low) * part)
    }

    /// How many values are in `[from, to)`.
    fn between(&self, from: f64, to: Option<f64>) -> u64 {
        let begin = self.values.partition_point(|value| *value < from);
        let end = to.map_or(self.values.len(), |to| {
            self.values.partition_point(|value| *value < to)
        });
        end.saturating_sub(begin) as u64
    }
}

/// How the values of both are spread: bars of one round width over where nearly all values are; the last bar has the rest.
pub(crate) fn histogram(old: Option<&Totals>, new: &Totals) -> Vec<Bar> {
    let sides: Vec<&Totals> = old.into_iter().chain([new]).collect();
    let ends = |aggregation| {
        sides
            .iter()
            .filter_map(move |side| side.aggregate(aggregation))
    };
    let Some(low) = ends(Aggregation::Min).min_by(f64::total_cmp) else {
        return Vec::new();
    };
    let greatest = ends(Aggregation::Max).max_by(f64::total_cmp).unwrap_or(low);
    let most = ends(Aggregation::Percentile(99))
        .max_by(f64::total_cmp)
        .unwrap_or(low);
    let high = if most > low { most } else { greatest };
    let count = |from: f64, to: Option<f64>| Bar {
        from,
        to,
        old: old.map_or(0, |old| old.between(from, to)),
        new: new.between(from, to),
    };
    let width = round_width((high - low) / BARS);
    // One value only, or a width that vanishes beside the values.
    if high <= low || low + width <= low {
        return vec![count(low, None)];
    }
    let mut bars = Vec::new();
    let first = (low / width).floor();
    for step in 0_u8..=50 {
        let from = edge(first + f64::from(step), width);
        let to = edge(first + f64::from(step + 1), width);
        if to > high {
            bars.push(count(from, (to > greatest).then_some(to)));
            break;
        }
        bars.push(count(from, Some(to)));
    }
    bars
}

/// The number of that many widths as people write it: 0.3 and not the sum of three doubles next to 0.1.
fn edge(steps: f64, width: f64) -> f64 {
    let exact = steps * width;
    // A width has one digit, so an edge has none behind the place of it.
    let place = width.log10().floor();
    if !(-15.0..0.0).contains(&place) {
        return exact;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "1 to 15"
    )]
    let digits = -place as usize;
    format!("{exact:.digits$}").parse().unwrap_or(exact)
}

/// The next width of 1, 2 or 5 times a power of ten.
fn round_width(width: f64) -> f64 {
    if width <= 0.0 || !width.is_finite() {
        return 0.0;
    }
    let power = 10_f64.powf(width.log10().floor());
    let leading = width / power;
    let round = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|step| leading <= *step * 1.000_001)
        .unwrap_or(10.0);
    round * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(value: Option<f64>, reason: Option<&str>) -> Outcome {
        Outcome {
            value,
            reason: reason.map(CompactString::new),
            not_stated: CompactString::default(),
        }
    }

    fn totals(values: &[f64]) -> Totals {
        let mut tally = Tally::default();
        for value in values {
            tally.add(&outcome(Some(*value), None));
        }
        tally.totals()
    }

    #[test]
    fn rows_are_counted_by_what_became_of_them() {
        let mut tally = Tally::default();
        let mut other = Tally::default();
        tally.add(&outcome(Some(65.7), None));
        tally.add(&outcome(Some(0.0), Some("outside_business_hours")));
        other.add(&outcome(None, Some("not_stated")));
        other.add(&outcome(None, Some("not_stated")));
        other.add(&outcome(Some(0.0), Some("outside_business_hours")));
        tally.join(other);
        let totals = tally.totals();
        assert_eq!((totals.rows(), totals.valued()), (5, 3));
        assert_eq!(totals.absent["not_stated"], 2);
        assert_eq!(totals.ruled["outside_business_hours"], 2);
        assert_eq!(totals.aggregate(Aggregation::Mean), Some(65.7 / 3.0));
    }

    #[test]
    fn a_sum_of_seconds_is_exact_to_the_millisecond() {
        // Added up as doubles this gives 999.9999999999 or so.
        let tenths = vec![0.1; 10_000];
        assert_eq!(totals(&tenths).aggregate(Aggregation::Sum), Some(1000.0));
        // A millisecond more than a thousand years.
        let long = [31_556_952_000.0, 0.001];
        assert_eq!(
            totals(&long).aggregate(Aggregation::Sum),
            Some(31_556_952_000.001)
        );
    }

    #[test]
    fn a_sum_of_ratios_does_not_depend_on_the_order() {
        let ratios: Vec<f64> = (1..1000_u32).map(|n| 1.0 / f64::from(n)).collect();
        let backwards: Vec<f64> = ratios.iter().rev().copied().collect();
        let of = |values: &[f64]| totals(values).aggregate(Aggregation::Sum);
        assert_eq!(of(&ratios), of(&backwards));
        assert!((of(&ratios).unwrap() - 7.484_470_860_550_345).abs() < 1e-12);
    }

    #[test]
    fn percentiles_lie_on_the_line_between_two_values() {
        let totals = totals(&[10.0, 20.0, 30.0, 40.0]);
        for (percent, wanted) in [(0, 10.0), (50, 25.0), (90, 37.0), (100, 40.0)] {
            assert_eq!(
                totals.aggregate(Aggregation::Percentile(percent)),
                Some(wanted),
                "p{percent}"
            );
        }
    }

    #[test]
    fn of_nothing_there_is_a_count_and_no_other_number() {
        let none = totals(&[]);
        assert_eq!(none.aggregate(Aggregation::Count), Some(0.0));
        for aggregation in [
            Aggregation::Sum,
            Aggregation::Mean,
            Aggregation::Min,
            Aggregation::Max,
            Aggregation::Percentile(95),
        ] {
            assert_eq!(none.aggregate(aggregation), None, "{aggregation}");
        }
        assert!(histogram(None, &none).is_empty());
    }

    #[test]
    fn bars_have_round_edges_and_hold_every_value_once() {
        let old: Vec<f64> = (0..1000_u32).map(|n| f64::from(n) * 0.7).collect();
        let new: Vec<f64> = old
            .iter()
            .map(|value| value + 3.0)
            .chain([90_000.0])
            .collect();
        let bars = histogram(Some(&totals(&old)), &totals(&new));
        assert_eq!((bars[0].from, bars[0].to), (0.0, Some(50.0)));
        assert_eq!(bars.iter().map(|bar| bar.old).sum::<u64>(), 1000);
        assert_eq!(bars.iter().map(|bar| bar.new).sum::<u64>(), 1001);
        assert_eq!(bars.last().unwrap().to, None, "the rest has no end");
        assert!((14..=19).contains(&bars.len()), "{bars:?}");
    }

    #[test]
    fn edges_are_numbers_as_people_write_them() {
        let tenths: Vec<f64> = (0..=180_u32).map(|n| f64::from(n) / 100.0).collect();
        let bars = histogram(None, &totals(&tenths));
        let edges: Vec<String> = bars.iter().map(|bar| bar.from.to_string()).collect();
        assert_eq!(edges[..4], ["0", "0.1", "0.2", "0.3"], "{edges:?}");
        assert!(edges.iter().all(|edge| edge.len() <= 3), "{edges:?}");
    }

    #[test]
    fn yes_and_no_are_told_from_other_numbers() {
        assert_eq!(totals(&[1.0, 0.0, 1.0]).yes_and_no(), Some((2, 1)));
        assert_eq!(totals(&[]).yes_and_no(), Some((0, 0)));
        assert_eq!(totals(&[1.0, 0.5]).yes_and_no(), None);
        assert_eq!(totals(&[0.0, 2.0]).yes_and_no(), None);
    }

    #[test]
    fn what_was_not_stated_is_counted_by_the_reason_that_hides_it() {
        let unstated = |value: Option<f64>, reason: Option<&str>, fields: &str| Outcome {
            not_stated: fields.into(),
            ..outcome(value, reason)
        };
        let mut tally = Tally::default();
        tally.add(&unstated(None, Some("filtered"), "media"));
        tally.add(&unstated(None, Some("filtered"), ""));
        let mut other = Tally::default();
        other.add(&unstated(None, Some("filtered"), "media"));
        other.add(&unstated(Some(1.0), None, "wrap"));
        tally.join(other);
        let totals = tally.totals();
        assert_eq!(totals.absent["filtered"], 3);
        let counted: Vec<_> = totals
            .not_stated
            .iter()
            .map(|((reason, fields), count)| (reason.as_str(), fields.as_str(), *count))
            .collect();
        assert_eq!(counted, [("", "wrap", 1), ("filtered", "media", 2)]);
    }

    #[test]
    fn equal_values_are_one_bar_and_one_outlier_does_not_hide_them() {
        assert_eq!(histogram(None, &totals(&[5.0; 9])).len(), 1);
        let bars = histogram(None, &totals(&[0.0, 0.0, 1.0, 1.0]));
        assert_eq!(bars.iter().map(|bar| bar.new).sum::<u64>(), 4);
        let huge = histogram(None, &totals(&[1e300, 2e300]));
        assert_eq!(huge.iter().map(|bar| bar.new).sum::<u64>(), 2);
    }
}
