//! What a preview says, as text, JSON or CSV. Pure.

use super::compare::{Change, Changed, Kind, Passed};
use super::reasoning::Parting;
use super::tally::{Bar, Outcome, Totals, histogram};
use crate::kpi_command::args::Output;
use crate::kpi_command::table::{Cell, Table, page_width, short};
use crate::replay_file::counted;
use compact_str::CompactString;
use kpi::Aggregation;
use serde_json::{Map, Value, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write;

/// The points of the distribution that are printed.
const QUANTILES: [Aggregation; 9] = [
    Aggregation::Min,
    Aggregation::Percentile(10),
    Aggregation::Percentile(25),
    Aggregation::Percentile(50),
    Aggregation::Percentile(75),
    Aggregation::Percentile(90),
    Aggregation::Percentile(95),
    Aggregation::Percentile(99),
    Aggregation::Max,
];
/// The longest bar, in characters.
const BAR_MAX: u64 = 30;

/// One definition and what it gives.
#[derive(Debug)]
pub(super) struct Side {
    /// `adjusted_aht@2`, and where it comes from.
    pub(super) label: String,
    pub(super) unit: &'static str,
    /// The reasons of its exclusions, as opposed to those for which it cannot know.
    pub(super) exclusions: BTreeSet<String>,
    pub(super) aggregations: Vec<Aggregation>,
    pub(super) totals: Totals,
}

/// A change and where the two evaluations part.
pub(super) type Explained = Change<Option<Parting>>;

/// All that a preview says.
#[derive(Debug)]
pub(super) struct Report {
    /// What it is compared with, if with anything.
    pub(super) old: Option<Side>,
    /// Why it is compared with nothing, and what it could be compared with.
    pub(super) alone: Option<String>,
    pub(super) new: Side,
    pub(super) interactions: u64,
    /// Those of them that give no row.
    pub(super) passed: BTreeMap<Passed, u64>,
    pub(super) changed: Changed,
    /// Those that weigh most, heaviest first.
    pub(super) changes: Vec<Explained>,
}

impl Report {
    pub(super) fn write(&self, output: Output, out: &mut dyn Write) -> anyhow::Result<()> {
        match output {
            Output::Table => out.write_all(self.text(page_width()).as_bytes())?,
            Output::Json => {
                let text = serde_json::to_string_pretty(&self.json())?;
                writeln!(out, "{text}")?;
            }
            // Compared with nothing, the rows themselves were written as they came.
            Output::Csv if self.old.is_none() => {}
            Output::Csv => self.changes(true).write(Output::Csv, out)?,
        }
        Ok(())
    }

    /// Those of both, each once, in the order of the new definition.
    fn aggregations(&self) -> Vec<Aggregation> {
        let mut all = self.new.aggregations.clone();
        for aggregation in self.old.iter().flat_map(|old| &old.aggregations) {
            if !all.contains(aggregation) {
                all.push(*aggregation);
            }
        }
        all
    }

    /// Why there is no distribution of numbers: every value is true or false. How many are which: of the old one, then of the new one.
    fn yes_and_no(&self) -> Option<Vec<(u64, u64)>> {
        let sides = self.old.iter().chain([&self.new]);
        sides
            .map(|side| (side.unit == "share").then(|| side.totals.yes_and_no())?)
            .collect()
    }

    fn is_empty(&self) -> bool {
        let mut sides = self.old.iter().chain([&self.new]);
        sides.all(|side| side.totals.valued() == 0)
    }

    fn text(&self, width: usize) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        match &self.old {
            Some(old) => writeln!(text, "{} → {}", old.label, self.new.label).ok(),
            None => writeln!(text, "{}, compared with nothing", self.new.label).ok(),
        };
        if let Some(alone) = &self.alone {
            writeln!(text, "{alone}").ok();
        }
        text.push_str(&counted(self.interactions, "interaction"));
        for (nth, (why, count)) in self.passed.iter().enumerate() {
            let before = if nth == 0 { ", without a row: " } else { ", " };
            write!(text, "{before}{count} {}", why.words()).ok();
        }
        text.push_str("\n\n");
        text.push_str(&self.counts());
        text.push('\n');
        text.push_str(&self.numbers());
        text.push_str(&self.bars());
        if self.old.is_some() {
            text.push('\n');
            text.push_str(&self.changed_text(width));
        }
        text
    }

    /// A table with a line for each of `lines` and a column for each side.
    fn compared(&self, first: &'static str, lines: &[(String, [Option<f64>; 2])]) -> String {
        if self.old.is_none() {
            let mut table = Table::new(&[first, "value"]);
            for (name, [_, new]) in lines {
                table.push(vec![Cell::text(name), Cell::number(*new)]);
            }
            return table.text(usize::MAX);
        }
        let mut table = Table::new(&[first, "old", "new", "change"]);
        for (name, [old, new]) in lines {
            let change = match (old, new) {
                (Some(old), Some(new)) => Cell::Change(new - old),
                _ => Cell::Absent,
            };
            table.push(vec![
                Cell::text(name),
                Cell::number(*old),
                Cell::number(*new),
                change,
            ]);
        }
        table.text(usize::MAX)
    }

    /// Rows by what became of them.
    fn counts(&self) -> String {
        let of = |count: &dyn Fn(&Side) -> u64| -> [Option<f64>; 2] {
            #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 rows")]
            let number = |side: &Side| count(side) as f64;
            [self.old.as_ref().map(number), Some(number(&self.new))]
        };
        let mut lines = vec![("with a value".to_owned(), of(&|side| side.totals.valued()))];
        let sides = || self.old.iter().chain([&self.new]);
        // What hides behind a reason: the fields that nobody stated.
        let not_stated = |lines: &mut Vec<(String, [Option<f64>; 2])>, reason: &str| {
            let keys: BTreeSet<_> = sides()
                .flat_map(|side| side.totals.not_stated.keys())
                .filter(|(of, _)| of == reason)
                .collect();
            for key in keys {
                let count = of(&|side| side.totals.not_stated.get(key).copied().unwrap_or(0));
                lines.push((format!("    of these not stated: {}", key.1), count));
            }
        };
        not_stated(&mut lines, "");
        let reasons = |pick: &dyn Fn(&Side) -> &BTreeMap<CompactString, u64>| {
            sides()
                .flat_map(|side| pick(side).keys().cloned())
                .collect::<BTreeSet<_>>()
        };
        for reason in reasons(&|side| &side.totals.ruled) {
            let count = of(&|side| side.totals.ruled.get(&reason).copied().unwrap_or(0));
            lines.push((format!("  by rule: {reason}"), count));
        }
        lines.push((
            "absent".to_owned(),
            of(&|side| side.totals.rows() - side.totals.valued()),
        ));
        for reason in reasons(&|side| &side.totals.absent) {
            let excluded = sides().any(|side| side.exclusions.contains(reason.as_str()));
            let word = if excluded { "excluded: " } else { "" };
            let count = of(&|side| side.totals.absent.get(&reason).copied().unwrap_or(0));
            lines.push((format!("  {word}{reason}"), count));
            not_stated(&mut lines, &reason);
        }
        self.compared("rows", &lines)
    }

    fn numbers(&self) -> String {
        let of = |aggregation| {
            [
                self.old
                    .as_ref()
                    .and_then(|old| old.totals.aggregate(aggregation)),
                self.new.totals.aggregate(aggregation),
            ]
        };
        let line = |aggregation: Aggregation| (aggregation.to_string(), of(aggregation));
        let aggregations: Vec<_> = self.aggregations().into_iter().map(line).collect();
        let mut text = self.compared(self.new.unit, &aggregations);
        if self.is_empty() {
            return text;
        }
        text.push('\n');
        match self.yes_and_no().as_deref() {
            // Their percentiles say nothing that the mean does not.
            Some([(yes, no)]) => {
                // Writing to a string cannot fail.
                writeln!(text, "true {yes}, false {no}").ok();
            }
            Some(sides) => {
                #[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 rows")]
                let line = |word: &str, pick: fn(&(u64, u64)) -> u64| {
                    let count = |side: usize| sides.get(side).map(|side| pick(side) as f64);
                    (word.to_owned(), [count(0), count(1)])
                };
                let lines = [line("true", |side| side.0), line("false", |side| side.1)];
                text.push_str(&self.compared("distribution", &lines));
            }
            None => {
                let quantiles: Vec<_> = QUANTILES.into_iter().map(line).collect();
                text.push_str(&self.compared("distribution", &quantiles));
            }
        }
        text
    }

    fn histogram(&self) -> Vec<Bar> {
        if self.yes_and_no().is_some() {
            return Vec::new();
        }
        histogram(self.old.as_ref().map(|old| &old.totals), &self.new.totals)
    }

    fn bars(&self) -> String {
        let bars = self.histogram();
        let most = bars
            .iter()
            .map(|bar| bar.old.max(bar.new))
            .max()
            .unwrap_or(0);
        if most == 0 {
            return String::new();
        }
        let drawn = |count: u64| {
            // At least a mark for anything that is there.
            let length = (count * BAR_MAX / most).max(u64::from(count > 0));
            "█".repeat(usize::try_from(length).unwrap_or(0))
        };
        let compared = self.old.is_some();
        let mut table = if compared {
            Table::new(&["from", "old", "", "new", " "])
        } else {
            Table::new(&["from", "rows", ""])
        };
        for bar in &bars {
            let mut row = vec![Cell::text(range(bar))];
            if compared {
                row.push(Cell::Count(bar.old));
                row.push(Cell::text(drawn(bar.old)));
            }
            row.push(Cell::Count(bar.new));
            row.push(Cell::text(drawn(bar.new)));
            table.push(row);
        }
        format!("\n{}", table.text(usize::MAX))
    }

    fn changed_text(&self, width: usize) -> String {
        let rows = self
            .old
            .as_ref()
            .map_or(0, |old| old.totals.rows())
            .max(self.new.totals.rows());
        let mut text = String::new();
        // Writing to a string cannot fail.
        writeln!(text, "{} of {rows} rows change", self.changed.total()).ok();
        let mut table = Table::new(&["rows", "change", "reason before", "reason after"]);
        let mut ways: Vec<_> = self.changed.ways().collect();
        ways.sort_by_key(|(_, count)| Reverse(*count));
        for (way, count) in ways {
            table.push(vec![
                Cell::Count(count),
                Cell::text(way.kind.words()),
                Cell::of(way.old_reason.as_deref()),
                Cell::of(way.new_reason.as_deref()),
            ]);
        }
        if table.is_empty() {
            return text;
        }
        text.push_str(&table.text(width));
        if !self.changes.is_empty() {
            let heaviest = match self.changes.len() {
                1 => "the heaviest change".to_owned(),
                count => format!("the {count} heaviest changes"),
            };
            writeln!(text, "\n{heaviest}").ok();
            text.push_str(&self.changes(false).text(width));
            // A journey's value has no reasons within one interaction, and `explain` none to tell.
            if self.changes.iter().any(|change| change.carried.is_some()) {
                text.push_str(
                    "\n`compute kpi explain INTERACTION` tells everything about one of them\n",
                );
            }
        }
        text
    }

    /// The changes; for programs with everything in a column of its own.
    fn changes(&self, exact: bool) -> Table {
        let legs = self.changes.iter().any(|change| !change.key.leg.is_empty());
        if !exact {
            let head = ["tenant", "interaction", "leg", "old", "new", "why"];
            let head: Vec<_> = head
                .into_iter()
                .filter(|word| legs || *word != "leg")
                .collect();
            let mut table = Table::new(&head);
            for change in &self.changes {
                let mut row = vec![
                    Cell::text(&change.key.tenant),
                    Cell::text(&change.key.interaction),
                ];
                if legs {
                    row.push(Cell::text(&change.key.leg));
                }
                row.push(Cell::text(outcome(change.old.as_ref())));
                row.push(Cell::text(outcome(change.new.as_ref())));
                row.push(Cell::of(change.carried.as_ref().map(Parting::line)));
                table.push(row);
            }
            return table;
        }
        let mut table = Table::new(&[
            "tenant",
            "interaction_id",
            "leg",
            "change",
            "old_value",
            "old_reason",
            "new_value",
            "new_reason",
            "difference",
            "why",
        ]);
        for change in &self.changes {
            let value = |outcome: Option<&Outcome>| Cell::number(outcome.and_then(|o| o.value));
            let reason =
                |outcome: Option<&Outcome>| Cell::of(outcome.and_then(|o| o.reason.as_deref()));
            table.push(vec![
                Cell::text(&change.key.tenant),
                Cell::text(&change.key.interaction),
                Cell::text(&change.key.leg),
                Cell::text(change.kind.name()),
                value(change.old.as_ref()),
                reason(change.old.as_ref()),
                value(change.new.as_ref()),
                reason(change.new.as_ref()),
                Cell::number(change.difference()),
                Cell::of(change.carried.as_ref().map(Parting::line)),
            ]);
        }
        table
    }

    pub(super) fn json(&self) -> Value {
        let aggregations = self.aggregations();
        let by_kind: Map<String, Value> = Kind::ALL
            .into_iter()
            .map(|kind| (kind.name().to_owned(), self.changed.count(kind).into()))
            .collect();
        let passed: Map<String, Value> = self
            .passed
            .iter()
            .map(|(why, count)| (why.name().to_owned(), (*count).into()))
            .collect();
        let ways: Vec<Value> = self
            .changed
            .ways()
            .map(|(way, count)| {
                json!({
                    "change": way.kind.name(),
                    "old_reason": way.old_reason.as_deref(),
                    "new_reason": way.new_reason.as_deref(),
                    "rows": count,
                })
            })
            .collect();
        let changes: Vec<Value> = self.changes.iter().map(change_json).collect();
        let bars: Vec<Value> = self
            .histogram()
            .iter()
            .map(|bar| json!({"from": bar.from, "to": bar.to, "old": bar.old, "new": bar.new}))
            .collect();
        let truths = self.yes_and_no().is_some();
        json!({
            "interactions": self.interactions,
            "passed_over": passed,
            "old": self.old.as_ref().map(|old| old.json(&aggregations, truths)),
            "new": self.new.json(&aggregations, truths),
            "compared_with_nothing": self.alone,
            "histogram": bars,
            "changed": self.changed.total(),
            "changed_by_kind": by_kind,
            "changed_by_reason": ways,
            "changes": changes,
        })
    }
}

impl Side {
    /// `truths`: every value is true or false.
    fn json(&self, aggregations: &[Aggregation], truths: bool) -> Value {
        let numbers = |aggregations: &[Aggregation]| -> Map<String, Value> {
            aggregations
                .iter()
                .map(|aggregation| {
                    let number = self.totals.aggregate(*aggregation);
                    (aggregation.to_string(), json!(number))
                })
                .collect()
        };
        let counts = |counts: &BTreeMap<CompactString, u64>| -> Map<String, Value> {
            counts
                .iter()
                .map(|(reason, count)| (reason.to_string(), (*count).into()))
                .collect()
        };
        let not_stated: Vec<Value> = self
            .totals
            .not_stated
            .iter()
            .map(|((reason, fields), rows)| {
                let reason = Some(reason).filter(|reason| !reason.is_empty());
                let fields: Vec<&str> = fields.split(", ").collect();
                json!({"reason": reason, "fields": fields, "rows": rows})
            })
            .collect();
        let distribution = match self.totals.yes_and_no() {
            _ if self.totals.valued() == 0 => Value::Null,
            Some((yes, no)) if truths => json!({"true": yes, "false": no}),
            _ => numbers(&QUANTILES).into(),
        };
        json!({
            "definition": self.label,
            "unit": self.unit,
            "rows": self.totals.rows(),
            "with_value": self.totals.valued(),
            "by_rule": counts(&self.totals.ruled),
            "absent": counts(&self.totals.absent),
            "aggregations": numbers(aggregations),
            "not_stated": not_stated,
            "distribution": distribution,
        })
    }
}

fn change_json(change: &Explained) -> Value {
    let outcome = |outcome: &Option<Outcome>| {
        outcome
            .as_ref()
            .map(|outcome| json!({"value": outcome.value, "reason": outcome.reason.as_deref()}))
    };
    let rule = |rule: &super::reasoning::Rule| {
        let inputs: Map<String, Value> = rule
            .inputs
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        json!({"rule": rule.name, "text": rule.text, "result": rule.result, "inputs": inputs})
    };
    json!({
        "tenant": change.key.tenant,
        "interaction_id": change.key.interaction,
        "leg": change.key.leg,
        "change": change.kind.name(),
        "old": outcome(&change.old),
        "new": outcome(&change.new),
        "difference": change.difference(),
        "why": change.carried.as_ref().map(|parting| json!({
            "line": parting.line(),
            "old": parting.old.as_ref().map(rule),
            "new": parting.new.as_ref().map(rule),
        })),
    })
}

/// A value, or its reason in brackets; both where a rule gave the value.
fn outcome(outcome: Option<&Outcome>) -> String {
    match outcome {
        None => "-".to_owned(),
        Some(Outcome { value, reason, .. }) => match (value, reason) {
            (Some(value), None) => short(*value),
            (Some(value), Some(reason)) => format!("{} ({reason})", short(*value)),
            (None, Some(reason)) => format!("({reason})"),
            (None, None) => "(absent)".to_owned(),
        },
    }
}

fn range(bar: &Bar) -> String {
    match bar.to {
        Some(to) => format!("{} to {}", short(bar.from), short(to)),
        None => format!("{} and more", short(bar.from)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::Comparison;
    use super::super::reasoning::Rule;
    use super::*;

    fn outcome_of(value: Option<f64>, reason: Option<&str>) -> Outcome {
        Outcome {
            value,
            reason: reason.map(Into::into),
            not_stated: CompactString::default(),
        }
    }

    fn side(label: &str, totals: Totals) -> Side {
        Side {
            label: label.to_owned(),
            unit: "seconds",
            exclusions: BTreeSet::from(["outside_business_hours".to_owned()]),
            aggregations: vec![Aggregation::Mean, Aggregation::Sum, Aggregation::Count],
            totals,
        }
    }

    /// Four interactions of 10, 20, 30 and 40 seconds; the last one began out of hours, which counts as zero in the old one and is
    /// absent in the new; a fifth has not ended.
    fn report(compared: bool) -> Report {
        let mut seen = Comparison::new(10);
        for n in 1..=4_u32 {
            let value = outcome_of(Some(f64::from(n) * 10.0), None);
            let (old, new) = if n == 4 {
                (
                    outcome_of(Some(0.0), Some("outside_business_hours")),
                    outcome_of(None, Some("outside_business_hours")),
                )
            } else {
                (value.clone(), value)
            };
            let id = format!("i{n}");
            seen.add("acme", &id, &[("", old)], &[("", new)], compared, || {
                Some(Parting {
                    old: None,
                    new: Some(Rule {
                        name: "on_excluded".to_owned(),
                        text: "absent".to_owned(),
                        result: "absent".to_owned(),
                        inputs: Vec::new(),
                    }),
                })
            });
        }
        seen.pass(Passed::NotEnded);
        Report {
            changes: seen.heaviest(),
            old: compared.then(|| side("aht@1", seen.old.totals())),
            alone: (!compared).then(|| "aht has no current version".to_owned()),
            new: side("aht@2", seen.new.totals()),
            interactions: seen.interactions,
            passed: seen.passed,
            changed: seen.changed,
        }
    }

    #[test]
    fn people_see_counts_numbers_distribution_and_changes() {
        let text = report(true).text(120);
        for part in [
            "aht@1 → aht@2\n5 interactions, without a row: 1 not ended\n",
            "ROWS                                OLD  NEW  CHANGE\n",
            "with a value                          4    3      -1\n",
            "  by rule: outside_business_hours     1    0      -1\n",
            "absent                                0    1      +1\n",
            "  excluded: outside_business_hours    0    1      +1\n",
            "SECONDS  OLD  NEW  CHANGE\nmean      15   20      +5\nsum       60   60\ncount      4    3      -1\n",
            "p50             15    20      +5\n",
            "1 of 4 rows change\n",
            "   1  value → absent  outside_business_hours  outside_business_hours\n",
            "acme    i4           0 (outside_business_hours)  (outside_business_hours)  on_excluded, only in the new: absent\n",
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
    }

    #[test]
    fn without_a_comparison_nothing_is_said_of_changes() {
        let text = report(false).text(100);
        assert!(
            text.starts_with("aht@2, compared with nothing\naht has no current version\n"),
            "{text}"
        );
        assert!(text.contains("mean        20\n"), "{text}");
        assert!(!text.contains("change"), "{text}");
        assert_eq!(report(false).json()["old"], Value::Null);
    }

    /// Shares of true and false, with what was not stated behind a filter.
    fn shares(compared: bool) -> Report {
        let mut seen = Comparison::<Option<Parting>>::new(0);
        for n in 0..5_u32 {
            let row = match n {
                4 => Outcome {
                    not_stated: "media".into(),
                    ..outcome_of(None, Some("filtered"))
                },
                n => outcome_of(Some(f64::from(n % 3 % 2)), None),
            };
            let id = format!("i{n}");
            let rows = [("", row)];
            seen.add("acme", &id, &rows, &rows, compared, || None);
        }
        let side = |label: &str, totals| Side {
            unit: "share",
            aggregations: vec![Aggregation::Mean],
            ..side(label, totals)
        };
        Report {
            changes: Vec::new(),
            old: compared.then(|| side("long@1", seen.old.totals())),
            alone: None,
            new: side("long@2", seen.new.totals()),
            interactions: seen.interactions,
            passed: seen.passed,
            changed: seen.changed,
        }
    }

    #[test]
    fn true_and_false_are_counted_and_have_no_percentiles() {
        let alone = shares(false).text(100);
        assert!(alone.ends_with("\ntrue 1, false 3\n"), "{alone}");
        let compared = shares(true).text(100);
        assert!(
            compared.contains(
                "DISTRIBUTION  OLD  NEW  CHANGE\ntrue            1    1\nfalse           3    3\n"
            ),
            "{compared}"
        );
        assert!(!compared.contains("p50"), "{compared}");
        let json = shares(true).json();
        assert_eq!(json["new"]["distribution"], json!({"true": 1, "false": 3}));
        assert_eq!(json["histogram"], json!([]));
    }

    #[test]
    fn what_a_filter_could_not_decide_is_told_from_what_it_left_out() {
        let text = shares(false).text(100);
        assert!(
            text.contains(
                "  filtered                          1\n    of these not stated: media      1\n"
            ),
            "{text}"
        );
        assert_eq!(
            shares(false).json()["new"]["not_stated"],
            json!([{"reason": "filtered", "fields": ["media"], "rows": 1}])
        );
    }

    #[test]
    fn of_nothing_there_is_no_distribution() {
        let nothing = Comparison::<Option<Parting>>::new(0);
        let report = Report {
            changes: Vec::new(),
            old: None,
            alone: None,
            new: side("aht@2", nothing.new.totals()),
            interactions: 0,
            passed: nothing.passed,
            changed: nothing.changed,
        };
        let text = report.text(100);
        assert!(
            text.contains("count        0\n") && !text.contains("DISTRIBUTION"),
            "{text}"
        );
        assert_eq!(report.json()["new"]["distribution"], Value::Null);
    }

    #[test]
    fn programs_find_every_number_by_its_name() {
        let json = report(true).json();
        assert_eq!(json["changed"], 1);
        assert_eq!(json["changed_by_kind"]["value_to_absent"], 1);
        assert_eq!(json["old"]["aggregations"]["mean"], 15.0);
        assert_eq!(json["new"]["absent"]["outside_business_hours"], 1);
        assert_eq!(json["new"]["distribution"]["max"], 30.0);
        let change = &json["changes"][0];
        assert_eq!(change["interaction_id"], "i4");
        assert_eq!(change["old"]["value"], 0.0);
        assert_eq!(change["new"]["value"], Value::Null);
        assert_eq!(change["why"]["new"]["rule"], "on_excluded");
    }

    #[test]
    fn csv_has_the_changes() {
        let mut out = Vec::new();
        report(true).write(Output::Csv, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "tenant,interaction_id,leg,change,old_value,old_reason,new_value,new_reason,difference,why\n\
             acme,i4,,value_to_absent,0,outside_business_hours,,outside_business_hours,,\"on_excluded, only in the new: absent\"\n"
        );
    }
}
