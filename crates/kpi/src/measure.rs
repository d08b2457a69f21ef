//! One definition on one subject: filter, exclusions, value; each way that can end, with what explains it.

use crate::definition::{Definition, OnExcluded};
use crate::scene::Scene;
use crate::value::{Metadata, MetricValue, Reason, Unit};
use crate::words::rows_of;
use compact_str::{CompactString, format_compact};
use expression::{Expression, Failure, Object, Run, Value};
use schema::Millis;
use timezone::{Resolved, ZoneSource};

/// The steps that all rules of a definition may take together for one row: enough for some passes over all legs of the largest
/// session, far below what would stall a batch.
const STEPS: u32 = 100_000;

/// The steps that a definition may take for all rows of one interaction together, each row an equal part: some 200 a leg where there
/// are as many legs as a session holds.
const STEPS_OF_ALL_ROWS: u32 = 400_000;

/// What each of so many rows of one definition and interaction may cost.
pub(crate) fn steps_for_each_of(rows: usize) -> u32 {
    let rows = u32::try_from(rows).unwrap_or(u32::MAX);
    STEPS_OF_ALL_ROWS
        .checked_div(rows)
        .map_or(STEPS, |part| part.min(STEPS))
}

/// Who looks on while the rules are evaluated: the explanation does, a batch does not.
pub(crate) trait Watcher {
    fn saw(&mut self, rule: &str, expression: &Expression, result: &Result<Value<'_>, Failure>);

    /// The row is complete.
    fn done(&mut self);
}

/// Nobody.
pub(crate) struct Nobody;

impl Watcher for Nobody {
    fn saw(&mut self, _: &str, _: &Expression, _: &Result<Value<'_>, Failure>) {}

    fn done(&mut self) {}
}

/// A rule that did not come to an end, by name.
struct Failed {
    rule: CompactString,
    failure: Failure,
}

/// Evaluates a definition, with the budget of the run, into a row that says what it is about and nothing else yet. Tells whether
/// local time was resolved.
pub(crate) fn measure(
    definition: &Definition,
    scene: &Scene<'_, '_>,
    run: &mut Run,
    watcher: &mut impl Watcher,
    row: &mut MetricValue,
) -> bool {
    match decide(definition, scene, run, watcher, &mut row.metadata) {
        Ok(value) => row.value = value,
        Err(failed) => failed.explain(definition, run, &mut row.metadata),
    }
    // A definition with schedules states the zone in any case; another one where a rule came to ask for it.
    let zone = if definition.schedules.is_empty() {
        scene.zone_asked_for()
    } else {
        Some(scene.zone())
    };
    if let Some(zone) = zone {
        state_zone(&mut row.metadata, zone);
    }
    zone.is_some()
}

fn decide(
    definition: &Definition,
    scene: &Scene<'_, '_>,
    run: &mut Run,
    watcher: &mut impl Watcher,
    metadata: &mut Metadata,
) -> Result<Option<f64>, Failed> {
    if let Some(filter) = &definition.filter {
        let holds = holds("filter", filter, scene, run, watcher)?;
        if holds != Held::Yes {
            metadata.not_stated = holds.lacked().into_iter().collect();
            metadata.reason = Some(Reason::FILTERED);
            return Ok(None);
        }
    }
    for exclusion in &definition.exclusions {
        let rule = exclusion.reason.name();
        match holds(rule, &exclusion.when, scene, run, watcher)? {
            Held::No => {}
            // Nobody knows whether it is excluded; it is not, and the row says what would have decided.
            undecided @ Held::Undecided(_) => name(&mut metadata.not_stated, undecided.lacked()),
            Held::Yes => {
                metadata.reason = Some(exclusion.reason.clone());
                if exclusion.reads_disposition {
                    metadata.disposition = scene.disposition().map(CompactString::new);
                }
                return Ok(match definition.on_excluded {
                    OnExcluded::Absent => None,
                    OnExcluded::Zero => Some(0.0),
                });
            }
        }
    }
    run.restart(run.steps_left());
    let result = definition.value.evaluate(scene, run);
    watcher.saw("value", &definition.value, &result);
    let number = result.and_then(number).map_err(|failure| Failed {
        rule: CompactString::const_new("value"),
        failure,
    })?;
    if definition.unit == Unit::Share && !is_share(number) {
        metadata.reason = Some(Reason::NOT_A_SHARE);
        metadata.error = Some(format_compact!("value is {number}, not within 0 and 1"));
        return Ok(None);
    }
    name_all(&mut metadata.not_stated, run.counted_as_nothing());
    if let Some(platform) = &definition.platform {
        run.restart(run.steps_left());
        let result = platform.evaluate(scene, run);
        watcher.saw("platform", platform, &result);
        // The platform's own figure is shown as it is, also an absurd one.
        metadata.platform_ms = match result {
            Ok(Value::Duration(millis)) | Err(Failure::Implausible { millis }) => Some(millis),
            _ => None,
        };
    }
    Ok(Some(number))
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Yes,
    No,
    /// It reads what nobody stated: the field, where it is one.
    Undecided(Option<(Object, u16)>),
}

impl Held {
    /// What it would have taken to decide.
    fn lacked(self) -> Option<&'static str> {
        match self {
            Self::Undecided(Some((of, field))) => Some(field_name(of, field)),
            Self::Undecided(None) | Self::Yes | Self::No => None,
        }
    }
}

fn holds(
    rule: &str,
    condition: &Expression,
    scene: &Scene<'_, '_>,
    run: &mut Run,
    watcher: &mut impl Watcher,
) -> Result<Held, Failed> {
    let result = condition.evaluate(scene, run);
    watcher.saw(rule, condition, &result);
    match result {
        Ok(Value::Bool(true)) => Ok(Held::Yes),
        Ok(_) => Ok(Held::No),
        Err(Failure::NotStated { object, field }) => Ok(Held::Undecided(Some((object, field)))),
        Err(Failure::Empty(_)) => Ok(Held::Undecided(None)),
        Err(failure) => Err(Failed {
            rule: rule.into(),
            failure,
        }),
    }
}

/// A value as the number that is stored; its type was checked against the unit when the definition was read.
pub(crate) fn number(value: Value<'_>) -> Result<f64, Failure> {
    let number = match value {
        Value::Duration(millis) => Millis(millis).as_seconds(),
        Value::Double(number) => number,
        Value::Bool(truth) => f64::from(u8::from(truth)),
        #[allow(
            clippy::cast_precision_loss,
            reason = "counts are far below 2^53; beyond it the nearest double is meant"
        )]
        Value::Int(count) => count as f64,
        _ => return Err(Failure::Host("the value is no number".to_owned())),
    };
    if number.is_finite() {
        // Minus zero and zero are one number, and one JSON text.
        Ok(number + 0.0)
    } else {
        Err(Failure::Host("the value is not finite".to_owned()))
    }
}

/// A part of one whole is not more than the whole.
pub(crate) fn is_share(number: f64) -> bool {
    (0.0..=1.0).contains(&number)
}

impl Failed {
    fn explain(self, definition: &Definition, run: &Run, metadata: &mut Metadata) {
        let reason = match &self.failure {
            Failure::NotStated { object, field } => {
                // Where the value is one field alone, the reason says it all.
                if definition.value.reads().len() > 1 || !metadata.not_stated.is_empty() {
                    name_all(&mut metadata.not_stated, run.counted_as_nothing());
                    name_all(&mut metadata.not_stated, &[(*object, *field)]);
                }
                metadata.reason = Some(Reason::NOT_STATED);
                return;
            }
            Failure::Implausible { millis } => {
                metadata.stated_ms = Some(*millis);
                metadata.reason = Some(Reason::IMPLAUSIBLE_DURATION);
                return;
            }
            Failure::Empty(_) => Reason::EMPTY,
            Failure::DivisionByZero(_) => Reason::DIVISION_BY_ZERO,
            Failure::Overflow(_) | Failure::NotFinite(_) => Reason::NOT_FINITE,
            Failure::TooMuchWork => Reason::TOO_MUCH_WORK,
            Failure::Host(_) => Reason::EVALUATION_ERROR,
        };
        metadata.reason = Some(reason);
        metadata.error = Some(format_compact!("{} {}", self.rule, self.failure));
    }
}

/// Adds the names of fields to those named, each once.
fn name_all(named: &mut Vec<&'static str>, fields: &[(Object, u16)]) {
    for (of, field) in fields {
        name(named, Some(field_name(*of, *field)));
    }
}

fn name(named: &mut Vec<&'static str>, more: Option<&'static str>) {
    named.extend(more.filter(|more| !named.contains(more)));
}

fn field_name(of: Object, field: u16) -> &'static str {
    let rows = rows_of(of.of);
    rows.get(usize::from(field)).map_or("", |row| row.name)
}

fn state_zone(metadata: &mut Metadata, resolved: &Resolved<'_>) {
    metadata.zone = Some(resolved.zone.name());
    metadata.zone_source = Some(match (resolved.source, resolved.unknown) {
        // Something was stated, so "none" would be untrue; and nothing of it could be used.
        (ZoneSource::None, Some(_)) => "unknown",
        (source, _) => source.as_str(),
    });
    if let Some((whose, stated)) = resolved.unknown {
        metadata.zone_stated = Some(stated.into());
        metadata.zone_stated_of = Some(whose);
    }
}
