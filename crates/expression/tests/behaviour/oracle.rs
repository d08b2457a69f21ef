//! The reference interpreter of the `cel` crate as the oracle: random expressions over random facts come to the same
//! value, or fail for the same reason.
//!
//! What differs on purpose, and is kept out of the comparison (each has its own test in `evaluation`):
//! - a double that would not be finite is a failure here, infinity there;
//! - durations range over 64-bit milliseconds here, over 64-bit nanoseconds there; instants differ in rounded
//!   milliseconds here, in nanoseconds there;
//! - `duration * int`, `duration / int`, `duration / duration`, `-duration` and host functions exist here only; `orZero`,
//!   `orElse`, `sum`, `min`, `max` and `seconds` too, and are spelt out for the reference or given to it;
//! - what always fails is a problem here when it is loaded;
//! - implausible durations exist here only.

use crate::random::{Choices, Grammar, world};
use crate::world::{Fact, World, vocabulary};
use cel::{Context, ExecutionError};
use expression::{Expression, Failure, Run, Value};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

fn chrono_duration(ms: i64) -> chrono::Duration {
    chrono::Duration::milliseconds(ms)
}

fn reference_value(fact: &Fact, world: &World) -> cel::Value {
    match fact {
        Fact::Bool(value) => (*value).into(),
        Fact::Int(value) => (*value).into(),
        Fact::Double(value) => (*value).into(),
        Fact::Text(value) => value.as_str().into(),
        Fact::Duration(ms) => cel::Value::Duration(chrono_duration(*ms)),
        Fact::Timestamp(micros) => cel::Value::Timestamp(
            chrono::DateTime::from_timestamp_micros(*micros)
                .unwrap()
                .fixed_offset(),
        ),
        Fact::Texts(items) => list(items.iter().map(|item| item.as_str().into())),
        Fact::Ints(items) => list(items.iter().map(|item| (*item).into())),
        Fact::Legs(legs) => list(
            legs.iter()
                .map(|leg| map(&world.legs[*leg as usize], world)),
        ),
        Fact::Interaction | Fact::Implausible(_) | Fact::Handle(_) => cel::Value::Null,
    }
}

fn list(items: impl Iterator<Item = cel::Value>) -> cel::Value {
    cel::Value::List(Arc::new(items.collect()))
}

fn map(facts: &std::collections::BTreeMap<&'static str, Fact>, world: &World) -> cel::Value {
    let map: HashMap<String, cel::Value> = facts
        .iter()
        .map(|(name, fact)| ((*name).to_owned(), reference_value(fact, world)))
        .collect();
    map.into()
}

type Items = Arc<Vec<cel::Value>>;

fn failed(why: &str) -> ExecutionError {
    ExecutionError::function_error("fold", why)
}

fn least(items: &Items, wanted: std::cmp::Ordering) -> Result<cel::Value, ExecutionError> {
    let mut items = items.iter();
    let mut best = items.next().ok_or_else(|| failed("empty"))?.clone();
    for item in items {
        if item.partial_cmp(&best) == Some(wanted) {
            best = item.clone();
        }
    }
    Ok(best)
}

fn reference_context(world: &World) -> Context<'static, 'static> {
    let mut context = Context::default();
    context.add_variable_from_value("interaction", map(&world.interaction, world));
    let lists: HashMap<String, cel::Value> = HashMap::from([
        ("excluded".to_owned(), vec!["IVR", "EXTERNAL"].into()),
        ("numbers".to_owned(), vec![5_i64, 3, 9].into()),
    ]);
    context.add_variable_from_value("lists", lists);
    for kind in ["Int", "Double", "Duration", "Timestamp"] {
        for (name, wanted) in [
            ("min", std::cmp::Ordering::Less),
            ("max", std::cmp::Ordering::Greater),
        ] {
            context
                .add_function(&format!("{name}{kind}"), move |items: Items| {
                    least(&items, wanted)
                })
                .unwrap();
        }
    }
    context
        .add_function("sumInt", |items: Items| {
            items.iter().try_fold(0_i64, |sum, item| match item {
                cel::Value::Int(item) => sum.checked_add(*item).ok_or_else(|| failed("overflow")),
                other => Err(failed(&format!("{other:?}"))),
            })
        })
        .unwrap();
    context
        .add_function("sumDouble", |items: Items| {
            items.iter().try_fold(0.0, |sum, item| match item {
                cel::Value::Float(item) => Ok(sum + item),
                other => Err(failed(&format!("{other:?}"))),
            })
        })
        .unwrap();
    context
        .add_function("sumDuration", |items: Items| {
            items
                .iter()
                .try_fold(chrono::Duration::zero(), |sum, item| match item {
                    cel::Value::Duration(item) => Ok(sum + *item),
                    other => Err(failed(&format!("{other:?}"))),
                })
        })
        .unwrap();
    context
        .add_function("seconds", |of: chrono::Duration| {
            #[expect(clippy::cast_precision_loss, reason = "as the language defines it")]
            let seconds = of.num_milliseconds() as f64 / 1000.0;
            seconds
        })
        .unwrap();
    context
}

/// A value or why there is none, in words that both have.
#[derive(Debug, PartialEq)]
enum Outcome {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Duration(i64),
    Timestamp(i64),
    NotStated,
    ByZero,
    OutOfRange,
    NoItem,
}

impl Outcome {
    fn fails(&self) -> bool {
        matches!(
            self,
            Outcome::NotStated | Outcome::ByZero | Outcome::OutOfRange | Outcome::NoItem
        )
    }
}

fn ours(value: Result<Value<'_>, Failure>) -> Outcome {
    match value {
        Ok(Value::Bool(value)) => Outcome::Bool(value),
        Ok(Value::Int(value)) => Outcome::Int(value),
        Ok(Value::Double(value)) => Outcome::Double(value),
        Ok(Value::Str(value)) => Outcome::Text(value.to_owned()),
        Ok(Value::Duration(value)) => Outcome::Duration(value),
        Ok(Value::Timestamp(value)) => Outcome::Timestamp(value),
        Err(Failure::NotStated { .. }) => Outcome::NotStated,
        Err(Failure::DivisionByZero(_)) => Outcome::ByZero,
        Err(Failure::Overflow(_)) => Outcome::OutOfRange,
        Err(Failure::Empty(_)) => Outcome::NoItem,
        other => panic!("{other:?}"),
    }
}

fn theirs(value: Result<cel::Value, ExecutionError>) -> Outcome {
    match value {
        Ok(cel::Value::Bool(value)) => Outcome::Bool(value),
        Ok(cel::Value::Int(value)) => Outcome::Int(value),
        Ok(cel::Value::Float(value)) => Outcome::Double(value),
        Ok(cel::Value::String(value)) => Outcome::Text(value.to_string()),
        Ok(cel::Value::Duration(value)) => Outcome::Duration(value.num_milliseconds()),
        Ok(cel::Value::Timestamp(value)) => Outcome::Timestamp(value.timestamp_micros()),
        Err(ExecutionError::NoSuchKey(_)) => Outcome::NotStated,
        Err(ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_)) => {
            Outcome::ByZero
        }
        Err(ExecutionError::Overflow(..)) => Outcome::OutOfRange,
        Err(ExecutionError::IndexOutOfBounds(_)) => Outcome::NoItem,
        Err(ExecutionError::FunctionError { message, .. }) if message == "empty" => Outcome::NoItem,
        Err(ExecutionError::FunctionError { message, .. }) if message.contains("overflow") => {
            Outcome::OutOfRange
        }
        other => panic!("{other:?}"),
    }
}

fn compared(choices: &[u8]) -> Result<(), TestCaseError> {
    let mut choices = Choices::new(choices);
    let world = world(&mut choices, false);
    let mut grammar = Grammar::new(&mut choices, false);
    let (_, both) = grammar.any();
    let open = grammar.open;
    let expression = match Expression::compile(&both.ours, &vocabulary()) {
        Ok(expression) => expression,
        Err(problems) => {
            for problem in &problems {
                prop_assert!(
                    problem.message.starts_with("the result is always "),
                    "{}: {problem}",
                    both.ours
                );
            }
            return Err(TestCaseError::reject("always fails"));
        }
    };
    let ours = ours(expression.evaluate(&world, &mut Run::default()));
    let program = cel::Program::compile(&both.reference).unwrap();
    let theirs = theirs(program.execute(&reference_context(&world)));
    let same = ours == theirs || (open && ours.fails() && theirs.fails());
    prop_assert!(
        same,
        "{} is {ours:?}, the reference says {theirs:?}",
        both.ours
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(4_000), max_global_rejects: 200_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_expressions_come_to_what_the_reference_says(
        choices in proptest::collection::vec(any::<u8>(), 0..400)
    ) {
        compared(&choices)?;
    }

    #[test]
    fn random_expressions_never_panic_and_keep_to_their_budget(
        choices in proptest::collection::vec(any::<u8>(), 0..400),
        steps in 0_u32..500,
        lie in proptest::option::of(prop_oneof![
            Just(Fact::Text("x".to_owned())), Just(Fact::Int(-1)), Just(Fact::Double(f64::NAN)),
            Just(Fact::Bool(true)), Just(Fact::Duration(i64::MIN)), Just(Fact::Timestamp(i64::MAX)),
            Just(Fact::Texts(Vec::new())), Just(Fact::Implausible(0)),
        ]),
    ) {
        let mut choices = Choices::new(&choices);
        let mut world = world(&mut choices, true);
        world.lie = lie;
        let (_, both) = Grammar::new(&mut choices, true).any();
        if let Ok(expression) = Expression::compile(&both.ours, &vocabulary()) {
            let mut run = Run::new(steps);
            let first = expression.evaluate(&world, &mut run);
            prop_assert!(run.steps_left() <= steps);
            if let Ok(Value::Double(value)) = first {
                prop_assert!(value.is_finite());
            }
            // The same again is the same.
            prop_assert_eq!(format!("{first:?}"), format!("{:?}", expression.evaluate(&world, &mut Run::new(steps))));
        }
    }

    #[test]
    fn any_text_is_compiled_or_refused(text in any::<String>()) {
        let _either = Expression::compile(&text, &vocabulary()).is_ok();
    }

    #[test]
    fn any_row_of_words_is_compiled_or_refused(
        words in proptest::collection::vec(
            proptest::sample::select(&[
                "interaction", ".", "talk", "legs", "map", "filter", "exists", "all", "(", ")", "[", "]", "{", "}",
                ",", "l", "==", "<", "&&", "||", "!", "-", "+", "/", "*", "%", "?", ":", "1", "0", "2.5", "'x'", "\"",
                "'", "in", "has", "size", "sum", "max", "duration", "'1s'", "true", "null", "lists", "excluded", "1u",
                "b'x'", "orZero", "terms", "parameters", "within", "\n", "//", "`", "é", "matches", "lowerAscii",
                "localHour", "schedules", "always", "9223372036854775808", "r'", "'''", "@", "existsOne", "min",
            ][..]),
            0..40,
        ),
        spaced: bool,
    ) {
        let text = words.join(if spaced { " " } else { "" });
        let world = World::empty();
        match Expression::compile(&text, &vocabulary()) {
            Ok(expression) => {
                let _either = expression.evaluate(&world, &mut Run::default()).is_ok();
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty(), "{}", text);
                let lines = text.split('\n').count();
                for problem in problems {
                    let line = problem.line as usize;
                    prop_assert!((1..=lines).contains(&line), "{}: {}", text, problem);
                    let columns = text.split('\n').nth(line - 1).unwrap().chars().count();
                    prop_assert!((1..=columns + 1).contains(&(problem.column as usize)), "{}: {}", text, problem);
                }
            }
        }
    }
}
