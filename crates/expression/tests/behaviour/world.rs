//! A small world for expressions: one interaction and its legs.

use expression::{
    Arg, Constant, Expression, Failure, Field, FunctionId, HandleType, Host, Literal, Missing,
    Object, ObjectType, Problem, Run, Type, Value, Vocabulary,
};
use std::collections::BTreeMap;

/// What the world knows about a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Duration(i64),
    Timestamp(i64),
    Handle(u32),
    Implausible(i64),
    Texts(Vec<String>),
    Ints(Vec<i64>),
    /// Legs, by their numbers.
    Legs(Vec<u32>),
    /// The interaction again, through a field.
    Interaction,
}

/// Name, type, whether it may be not stated.
pub(crate) const INTERACTION: &[(&str, Kind, bool)] = &[
    ("id", Kind::Text, false),
    ("answered", Kind::Bool, false),
    ("vip", Kind::Bool, true),
    ("transfers", Kind::Int, false),
    ("holds", Kind::Int, true),
    ("weight", Kind::Double, false),
    ("score", Kind::Double, true),
    ("wait", Kind::Duration, false),
    ("talk", Kind::Duration, true),
    ("hold", Kind::Duration, true),
    ("wrap", Kind::Duration, true),
    ("started_at", Kind::Timestamp, false),
    ("ended_at", Kind::Timestamp, true),
    ("disposition", Kind::Text, true),
    ("queue", Kind::Text, true),
    ("direction", Kind::Direction, true),
    ("dispositions", Kind::Texts, false),
    ("counts", Kind::Ints, false),
    ("legs", Kind::Legs, false),
    ("directions", Kind::Directions, false),
];

pub(crate) const LEG: &[(&str, Kind, bool)] = &[
    ("kind", Kind::Text, false),
    ("talk", Kind::Duration, true),
    ("started_at", Kind::Timestamp, false),
    ("holds", Kind::Int, true),
    ("consult", Kind::Bool, false),
    ("tags", Kind::Texts, false),
    ("interaction", Kind::Interaction, false),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int,
    Double,
    Text,
    Direction,
    Duration,
    Timestamp,
    Texts,
    Directions,
    Ints,
    Legs,
    Interaction,
}

const DIRECTIONS: &[&str] = &["inbound", "outbound"];

#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) interaction: BTreeMap<&'static str, Fact>,
    pub(crate) legs: Vec<BTreeMap<&'static str, Fact>>,
    /// Answers everything with this, whatever the vocabulary says.
    pub(crate) lie: Option<Fact>,
}

impl World {
    /// What is always stated is nothing; what may be not stated is not.
    pub(crate) fn empty() -> World {
        World {
            interaction: facts(INTERACTION),
            legs: Vec::new(),
            lie: None,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, fact: Fact) -> World {
        self.interaction.insert(name, fact);
        self
    }

    /// Adds a leg with these facts.
    pub(crate) fn leg(mut self, stated: &[(&'static str, Fact)]) -> World {
        let mut leg = facts(LEG);
        leg.extend(stated.iter().cloned());
        self.legs.push(leg);
        let legs = (0..u32::try_from(self.legs.len()).unwrap()).collect();
        self.with("legs", Fact::Legs(legs))
    }

    fn fact(&self, of: Object, field: u16) -> Option<&Fact> {
        if self.lie.is_some() {
            return self.lie.as_ref();
        }
        match of.index {
            0 => self.interaction.get(INTERACTION[usize::from(field)].0),
            leg => self.legs[leg as usize - 1].get(LEG[usize::from(field)].0),
        }
    }
}

fn value(fact: &Fact) -> Value<'_> {
    let (interaction, leg) = objects();
    match fact {
        Fact::Bool(value) => Value::Bool(*value),
        Fact::Int(value) => Value::Int(*value),
        Fact::Double(value) => Value::Double(*value),
        Fact::Text(value) => Value::Str(value),
        Fact::Duration(value) => Value::Duration(*value),
        Fact::Timestamp(value) => Value::Timestamp(*value),
        Fact::Handle(value) => Value::Handle(*value),
        Fact::Interaction => Value::Object(Object {
            of: interaction,
            index: 0,
        }),
        Fact::Legs(legs) => Value::Object(Object {
            of: leg,
            index: legs.first().map_or(0, |first| first + 1),
        }),
        Fact::Implausible(_) | Fact::Texts(_) | Fact::Ints(_) => Value::List(7),
    }
}

fn facts(of: &[(&'static str, Kind, bool)]) -> BTreeMap<&'static str, Fact> {
    of.iter()
        .filter(|(_, _, optional)| !optional)
        .map(|(name, kind, _)| {
            let fact = match kind {
                Kind::Bool => Fact::Bool(false),
                Kind::Int => Fact::Int(0),
                Kind::Double => Fact::Double(0.0),
                Kind::Text | Kind::Direction => Fact::Text(String::new()),
                Kind::Duration => Fact::Duration(0),
                Kind::Timestamp => Fact::Timestamp(0),
                Kind::Texts | Kind::Directions => Fact::Texts(Vec::new()),
                Kind::Ints => Fact::Ints(Vec::new()),
                Kind::Legs => Fact::Legs(Vec::new()),
                Kind::Interaction => Fact::Interaction,
            };
            (*name, fact)
        })
        .collect()
}

impl Host for World {
    fn field(&self, of: Object, field: u16) -> Result<Value<'_>, Missing> {
        match self.fact(of, field) {
            None => Err(Missing::NotStated),
            Some(Fact::Implausible(ms)) => Err(Missing::Implausible(*ms)),
            Some(fact) => Ok(value(fact)),
        }
    }

    fn list_len(&self, of: Object, field: u16) -> usize {
        match self.fact(of, field) {
            Some(Fact::Texts(items)) => items.len(),
            Some(Fact::Ints(items)) => items.len(),
            Some(Fact::Legs(items)) => items.len(),
            Some(_) => 3,
            None => 0,
        }
    }

    fn list_item(&self, of: Object, field: u16, index: usize) -> Value<'_> {
        let (_, leg) = objects();
        match self.fact(of, field) {
            Some(Fact::Texts(items)) => Value::Str(&items[index]),
            Some(Fact::Ints(items)) => Value::Int(items[index]),
            Some(Fact::Legs(items)) => Value::Object(Object {
                of: leg,
                index: items[index] + 1,
            }),
            Some(fact) => value(fact),
            None => Value::Bool(false),
        }
    }

    fn call(
        &self,
        function: FunctionId,
        arguments: &[Value<'_>],
        run: &mut Run,
    ) -> Result<Value<'_>, Failure> {
        if let Some(lie) = &self.lie {
            return Ok(value(lie));
        }
        match (function.0, arguments) {
            // inHours(timestamp, schedule): schedule 7 is always open.
            (1, [Value::Timestamp(_), Value::Handle(schedule)]) => Ok(Value::Bool(*schedule == 7)),
            // stateTime("talk" | "held")
            (2, [Value::Handle(state)]) => Ok(Value::Duration(i64::from(*state) * 1_000)),
            // localHour(timestamp) and localHour(timestamp, "zone")
            (3, [Value::Timestamp(_)]) => Ok(Value::Int(10)),
            (3, [Value::Timestamp(_), Value::Handle(zone)]) => Ok(Value::Int(i64::from(*zone))),
            (4, []) => Err(Failure::Host("out of order".to_owned())),
            // second(leg), which is much work
            (5, [Value::Object(_)]) => run.spend(1_000).map(|()| Value::Int(2)),
            _ => Err(Failure::Host(format!("called with {arguments:?}"))),
        }
    }
}

/// The kinds of objects, as every vocabulary here gives them out.
fn objects() -> (ObjectType, ObjectType) {
    let mut vocabulary = Vocabulary::new();
    (
        vocabulary.object("interaction", Vec::new()),
        vocabulary.object("leg", Vec::new()),
    )
}

fn fields(of: &[(&'static str, Kind, bool)]) -> Vec<Field> {
    let (interaction, leg) = objects();
    of.iter()
        .map(|(name, kind, optional)| {
            let ty = match kind {
                Kind::Bool => Type::Bool,
                Kind::Int => Type::Int,
                Kind::Double => Type::Double,
                Kind::Text | Kind::Direction => Type::String,
                Kind::Duration => Type::Duration,
                Kind::Timestamp => Type::Timestamp,
                Kind::Texts | Kind::Directions => Type::list(Type::String),
                Kind::Ints => Type::list(Type::Int),
                Kind::Legs => Type::list(Type::Object(leg)),
                Kind::Interaction => Type::Object(interaction),
            };
            let field = Field::new(name, ty);
            let field = if *optional { field.optional() } else { field };
            match kind {
                Kind::Direction | Kind::Directions => field.one_of(DIRECTIONS),
                _ => field,
            }
        })
        .collect()
}

/// The zones that `localHour` knows.
fn zone(name: &str) -> Result<Literal, String> {
    match name {
        "Europe/Berlin" => Ok(Literal::Handle(23)),
        _ => Err(format!("there is no zone {name:?}")),
    }
}

pub(crate) fn vocabulary() -> Vocabulary {
    let mut vocabulary = Vocabulary::new();
    let interaction = vocabulary.object("interaction", fields(INTERACTION));
    let leg = vocabulary.object("leg", fields(LEG));
    let schedule: HandleType = vocabulary.handle("schedule");
    vocabulary
        .variable(
            "interaction",
            Object {
                of: interaction,
                index: 0,
            },
        )
        .unwrap();
    for (name, arguments, result, id) in [
        (
            "inHours",
            vec![Arg::Of(Type::Timestamp), Arg::Of(Type::Handle(schedule))],
            Type::Bool,
            1,
        ),
        (
            "stateTime",
            vec![Arg::OneOf(&["talk", "held"])],
            Type::Duration,
            2,
        ),
        ("localHour", vec![Arg::Of(Type::Timestamp)], Type::Int, 3),
        (
            "localHour",
            vec![Arg::Of(Type::Timestamp), Arg::Literal(zone)],
            Type::Int,
            3,
        ),
        ("broken", vec![], Type::Int, 4),
        ("second", vec![Arg::Of(Type::Object(leg))], Type::Int, 5),
    ] {
        vocabulary
            .function(name, arguments, result, FunctionId(id))
            .unwrap();
    }
    for (path, constant) in [
        ("parameters.within", Constant::Duration(20_000)),
        ("parameters.factor", Constant::Double(1.5)),
        ("parameters.nothing", Constant::Int(0)),
        ("parameters.name", Constant::String("SOLD".to_owned())),
        (
            "lists.excluded",
            Constant::Strings(vec!["IVR".to_owned(), "EXTERNAL".to_owned()]),
        ),
        ("lists.numbers", Constant::Ints(vec![5, 3, 9])),
        ("schedules.always", Constant::Handle(schedule, 7)),
        ("schedules.never", Constant::Handle(schedule, 8)),
    ] {
        vocabulary.constant(path, constant).unwrap();
    }
    vocabulary.namespace("terms").unwrap();
    vocabulary
}

pub(crate) fn compile(text: &str) -> Expression {
    match Expression::compile(text, &vocabulary()) {
        Ok(expression) => expression,
        Err(problems) => panic!("{text}: {problems:?}"),
    }
}

pub(crate) fn problems(text: &str) -> Vec<Problem> {
    Expression::compile(text, &vocabulary()).expect_err(text)
}

/// What it comes to, written down: the value, or the failure.
pub(crate) fn outcome(text: &str, world: &World) -> String {
    match compile(text).evaluate(world, &mut Run::default()) {
        Ok(value) => value.to_string(),
        Err(failure) => format!("{failure:?}"),
    }
}

#[track_caller]
pub(crate) fn assert_outcomes(world: &World, expected: &[(&str, &str)]) {
    for (text, outcome_expected) in expected {
        assert_eq!(outcome(text, world), *outcome_expected, "{text}");
    }
}
