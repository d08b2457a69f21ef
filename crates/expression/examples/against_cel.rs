//! What one evaluation costs, ours against the reference interpreter's: `cargo run --release -p expression --example against_cel`.
//! Each number is the median of many rounds; the spread beside it tells how calm the machine was.

// An example that cannot be set up has failed.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss)]

use expression::{
    Constant, Expression, Failure, Field, FunctionId, Host, Missing, Object, Run, Type, Value,
    Vocabulary,
};
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const CLASSIC: &str = r#"interaction.disposition in lists.excluded ? duration("0s") : orZero(interaction.talk) + orZero(interaction.hold) + orZero(interaction.wrap)"#;
/// The same for the reference: its durations do not know `orZero`, so it asks, which is how one would write it there.
const CLASSIC_REFERENCE: &str = r#"interaction.disposition in lists.excluded ? duration("0s") : (has(interaction.talk) ? interaction.talk : duration("0s")) + (has(interaction.hold) ? interaction.hold : duration("0s")) + (has(interaction.wrap) ? interaction.wrap : duration("0s"))"#;
const SIMPLE: &str = r#"interaction.disposition == "SOLD" && interaction.talk > duration("20s")"#;
const LEGS: &str = r#"interaction.legs.exists(l, l.kind == "agent" && l.talk > duration("5m"))"#;

struct Facts {
    disposition: String,
    talk: Option<i64>,
    hold: Option<i64>,
    wrap: Option<i64>,
    legs: Vec<(&'static str, i64)>,
}

impl Host for Facts {
    fn field(&self, of: Object, field: u16) -> Result<Value<'_>, Missing> {
        if of.index > 0 {
            let leg = &self.legs[of.index as usize - 1];
            return Ok(match field {
                0 => Value::Str(leg.0),
                _ => Value::Duration(leg.1),
            });
        }
        let duration = |ms: Option<i64>| ms.map(Value::Duration).ok_or(Missing::NotStated);
        match field {
            0 => Ok(Value::Str(&self.disposition)),
            1 => duration(self.talk),
            2 => duration(self.hold),
            _ => duration(self.wrap),
        }
    }

    fn list_len(&self, _: Object, _: u16) -> usize {
        self.legs.len()
    }

    fn list_item(&self, of: Object, _: u16, index: usize) -> Value<'_> {
        Value::Object(Object {
            of: of.of,
            index: u32::try_from(index).unwrap() + 1,
        })
    }

    fn call(&self, _: FunctionId, _: &[Value<'_>], _: &mut Run) -> Result<Value<'_>, Failure> {
        Ok(Value::Bool(false))
    }
}

fn vocabulary() -> Vocabulary {
    let mut vocabulary = Vocabulary::new();
    let leg = vocabulary.object(
        "leg",
        vec![
            Field::new("kind", Type::String),
            Field::new("talk", Type::Duration),
        ],
    );
    let of = vocabulary.object(
        "interaction",
        vec![
            Field::new("disposition", Type::String).optional(),
            Field::new("talk", Type::Duration).optional(),
            Field::new("hold", Type::Duration).optional(),
            Field::new("wrap", Type::Duration).optional(),
            Field::new("legs", Type::list(Type::Object(leg))),
        ],
    );
    vocabulary
        .variable("interaction", Object { of, index: 0 })
        .unwrap();
    let excluded = vec![
        "IVR_SELF_SERVICE".to_owned(),
        "IVR_TRANSFER_EXTERNAL".to_owned(),
    ];
    vocabulary
        .constant("lists.excluded", Constant::Strings(excluded))
        .unwrap();
    vocabulary
}

/// The median and the spread from the 10th to the 90th percentile, in ns.
fn measured(mut once: impl FnMut()) -> (f64, f64, f64) {
    const ROUNDS: usize = 61;
    let mut times: u32 = 1;
    // As many that a round takes some two ms.
    loop {
        let start = Instant::now();
        (0..times).for_each(|_| once());
        if start.elapsed().as_micros() > 2_000 {
            break;
        }
        times *= 2;
    }
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..times).for_each(|_| once());
            start.elapsed().as_nanos() as f64 / f64::from(times)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    (
        rounds[ROUNDS / 2],
        rounds[ROUNDS / 10],
        rounds[ROUNDS * 9 / 10],
    )
}

fn show(what: &str, (median, low, high): (f64, f64, f64)) {
    println!("{what:<52} {median:>9.1} ns  ({low:.1} to {high:.1})");
}

fn main() {
    let facts = Facts {
        disposition: "SOLD".to_owned(),
        talk: Some(185_000),
        hold: None,
        wrap: Some(20_000),
        legs: (0..10).map(|i| ("agent", i * 20_000)).collect(),
    };
    let vocabulary = vocabulary();

    let mut interaction: HashMap<String, cel::Value> = HashMap::new();
    let of = |ms: i64| cel::Value::Duration(chrono::Duration::milliseconds(ms));
    interaction.insert("disposition".to_owned(), facts.disposition.clone().into());
    interaction.insert("talk".to_owned(), of(185_000));
    interaction.insert("wrap".to_owned(), of(20_000));
    let legs: Vec<cel::Value> = facts
        .legs
        .iter()
        .map(|(kind, talk)| {
            let leg: HashMap<String, cel::Value> = HashMap::from([
                ("kind".to_owned(), (*kind).into()),
                ("talk".to_owned(), of(*talk)),
            ]);
            leg.into()
        })
        .collect();
    interaction.insert("legs".to_owned(), cel::Value::List(Arc::new(legs)));
    let excluded: HashMap<String, cel::Value> = HashMap::from([(
        "excluded".to_owned(),
        vec!["IVR_SELF_SERVICE", "IVR_TRANSFER_EXTERNAL"].into(),
    )]);
    let mut context = cel::Context::default();
    context.add_variable_from_value("interaction", interaction.clone());
    context.add_variable_from_value("lists", excluded.clone());

    for (name, ours, reference) in [
        ("classic adjusted handle time", CLASSIC, CLASSIC_REFERENCE),
        ("a simple condition", SIMPLE, SIMPLE),
        ("ten legs", LEGS, LEGS),
    ] {
        let compiled = Expression::compile(ours, &vocabulary).unwrap();
        let program = cel::Program::compile(reference).unwrap();
        let value = compiled.evaluate(&facts, &mut Run::default());
        println!(
            "{name}: {} and {:?}",
            value.unwrap(),
            program.execute(&context)
        );
        let mut run = Run::default();
        show(
            "  ours",
            measured(|| {
                run.restart(Run::DEFAULT_STEPS);
                let value = compiled.evaluate(black_box(&facts), &mut run);
                black_box(value.is_ok());
            }),
        );
        show(
            "  the reference, facts handed over beforehand",
            measured(|| {
                black_box(program.execute(black_box(&context)).is_ok());
            }),
        );
        show(
            "  the reference, facts handed over each time",
            measured(|| {
                let mut inner = context.new_inner_scope();
                inner.add_variable_from_value("interaction", black_box(&interaction).clone());
                black_box(program.execute(&inner).is_ok());
            }),
        );
    }
    show(
        "compiling the classic one",
        measured(|| {
            black_box(Expression::compile(black_box(CLASSIC), &vocabulary).is_ok());
        }),
    );
}
