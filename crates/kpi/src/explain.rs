//! Why a number is so: every rule with what it read and what it gave.

use crate::catalogue::{Catalogue, Evaluation};
use crate::definition::Definition;
use crate::fields::{Kind, Row};
use crate::measure::Watcher;
use crate::record::Subject;
use crate::scene::Scene;
use crate::value::{MetricValue, Scope};
use crate::words::rows_of;
use compact_str::CompactString;
use expression::{Expression, Failure, Host as _, Missing, Read, Run, Value};
use schema::MetricVersion;

/// How one row of a definition came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The definition's name.
    pub definition: CompactString,
    /// Its version.
    pub version: MetricVersion,
    /// What the row is about.
    pub scope: Scope,
    /// The terms, then the rules up to the one that decided. None where the row was withheld before any rule.
    pub steps: Vec<Step>,
    /// The zone whose clock counted, and where it came from, where local time was asked for.
    pub zone: Option<(String, String)>,
    /// The row.
    pub metric: MetricValue,
}

/// One rule: what it says, what it read, what it gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `terms.x`, `filter`, an exclusion's reason, `value` or `platform`.
    pub rule: String,
    /// The expression.
    pub text: String,
    /// The value, or why there is none.
    pub result: String,
    /// What it read, with the values.
    pub inputs: Vec<(String, String)>,
}

impl Catalogue {
    /// How the rows of the definition at a place in [`Catalogue::definitions`] came about: one a row, none before a terminal state.
    pub fn explain(&self, index: usize, subject: &Subject<'_>) -> Vec<Explanation> {
        let definition = self.definitions().get(index);
        let evaluation = Evaluation::of(subject, self.library());
        let (Some(definition), Some(evaluation)) = (definition, evaluation) else {
            return Vec::new();
        };
        let (mut seen, mut rows) = (Seen::default(), Vec::new());
        evaluation.rows(definition, &mut Run::default(), &mut seen, &mut rows);
        rows.into_iter()
            .zip(seen.complete)
            .map(|(row, rules)| explanation(definition, &evaluation, &rules, row))
            .collect()
    }
}

/// A rule that was evaluated: its name, what it says, what it gave.
type Rule = (String, Expression, String);

/// The rules of each row.
#[derive(Default)]
struct Seen {
    complete: Vec<Vec<Rule>>,
    current: Vec<Rule>,
}

impl Watcher for Seen {
    fn saw(&mut self, rule: &str, expression: &Expression, result: &Result<Value<'_>, Failure>) {
        self.current
            .push((rule.to_owned(), expression.clone(), shown(result)));
    }

    fn done(&mut self) {
        self.complete.push(std::mem::take(&mut self.current));
    }
}

fn explanation(
    definition: &Definition,
    evaluation: &Evaluation<'_, '_>,
    seen: &[Rule],
    metric: MetricValue,
) -> Explanation {
    let scene = evaluation.scene(definition, evaluation.place_of(&metric.scope));
    let mut steps = Vec::new();
    // What was withheld before any rule is not explained by terms that nobody looked at.
    if !seen.is_empty() {
        for (path, term) in &definition.terms {
            let result = term.evaluate(&scene, &mut Run::default());
            steps.push(step(path, term, shown(&result), &scene));
        }
    }
    let rules = seen.iter();
    steps.extend(
        rules.map(|(rule, expression, result)| step(rule, expression, result.clone(), &scene)),
    );
    let zone = metric.metadata.zone.zip(metric.metadata.zone_source);
    Explanation {
        definition: definition.name.clone(),
        version: definition.version,
        scope: metric.scope.clone(),
        steps,
        zone: zone.map(|(zone, source)| (zone.to_owned(), source.to_owned())),
        metric,
    }
}

fn step(rule: &str, expression: &Expression, result: String, scene: &Scene<'_, '_>) -> Step {
    let inputs = expression.reads().iter();
    Step {
        rule: rule.to_owned(),
        text: expression.text().trim().to_owned(),
        result,
        inputs: inputs.filter_map(|read| input(read, scene)).collect(),
    }
}

/// A field that was read, with what it says. What a macro's variable read has as many values as there are items, and is left out.
fn input(read: &Read, scene: &Scene<'_, '_>) -> Option<(String, String)> {
    let object = read.of?;
    let value = if is_list(row_of(read)?.kind) {
        format!("{} items", scene.list_len(object, read.field))
    } else {
        match scene.field(object, read.field) {
            Ok(value) => value.to_string(),
            Err(Missing::NotStated) => "not stated".to_owned(),
            Err(Missing::Implausible(millis)) => format!("implausible: {millis} ms"),
        }
    };
    Some((read.path.clone(), value))
}

fn row_of(read: &Read) -> Option<&'static Row> {
    rows_of(read.object).get(usize::from(read.field))
}

const fn is_list(kind: Kind) -> bool {
    matches!(kind, Kind::Texts | Kind::Legs | Kind::Interactions)
}

fn shown(result: &Result<Value<'_>, Failure>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(failure) => failure.to_string(),
    }
}
