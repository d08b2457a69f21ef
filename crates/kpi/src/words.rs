//! The words of definitions: what names in their expressions mean, scope by scope.

use crate::fields::{InteractionField, JourneyField, Kind, LegField, Row, TimeField};
use crate::functions;
use crate::scene::OWN_LEG;
use expression::{DefineError, Field, HandleType, Object, ObjectType, Type, Vocabulary};
use std::sync::LazyLock;

/// The kinds of object and handle that definitions speak of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kinds {
    pub(crate) leg: ObjectType,
    pub(crate) interaction: ObjectType,
    pub(crate) journey: ObjectType,
    pub(crate) time: ObjectType,
    pub(crate) schedule: HandleType,
}

/// What the names in definitions of one scope mean, and the kinds by which objects are told apart.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) kinds: Kinds,
    pub(crate) interaction: Vocabulary,
    pub(crate) leg: Vocabulary,
    pub(crate) journey: Vocabulary,
    pub(crate) agent_time: Vocabulary,
}

/// Built once a process. That the tables hold no name twice is what the test below looks at.
pub(crate) static WORDS: LazyLock<Words> =
    LazyLock::new(|| build().unwrap_or_else(|_| Words::none()));

impl Words {
    fn none() -> Self {
        let mut vocabulary = Vocabulary::new();
        Self {
            kinds: kinds(&mut vocabulary),
            interaction: vocabulary.clone(),
            leg: vocabulary.clone(),
            journey: vocabulary.clone(),
            agent_time: vocabulary,
        }
    }
}

fn kinds(vocabulary: &mut Vocabulary) -> Kinds {
    let leg = vocabulary.object("leg", rows(LegField::ROWS, &[]));
    let legs = [(Kind::Legs, leg)];
    let interaction = vocabulary.object("interaction", rows(InteractionField::ROWS, &legs));
    let both = [(Kind::Legs, leg), (Kind::Interactions, interaction)];
    let journey = vocabulary.object("journey", rows(JourneyField::ROWS, &both));
    Kinds {
        leg,
        interaction,
        journey,
        time: vocabulary.object("time", rows(TimeField::ROWS, &[])),
        schedule: vocabulary.handle("schedule"),
    }
}

fn rows(rows: &[Row], objects: &[(Kind, ObjectType)]) -> Vec<Field> {
    let list_of = |kind: Kind| {
        let known = objects.iter().find(|(of, _)| *of == kind);
        Type::list(known.map_or(Type::String, |(_, object)| Type::Object(*object)))
    };
    rows.iter()
        .map(|row| {
            let ty = match row.kind {
                Kind::Bool => Type::Bool,
                Kind::Int => Type::Int,
                Kind::Text => Type::String,
                Kind::Duration => Type::Duration,
                Kind::Timestamp => Type::Timestamp,
                Kind::Texts => Type::list(Type::String),
                Kind::Legs | Kind::Interactions => list_of(row.kind),
            };
            let field = Field::new(row.name, ty);
            let field = if row.optional {
                field.optional()
            } else {
                field
            };
            if row.one_of.is_empty() {
                field
            } else {
                field.one_of(row.one_of)
            }
        })
        .collect()
}

/// The table of a kind of object.
pub(crate) fn rows_of(object: ObjectType) -> &'static [Row] {
    let kinds = &WORDS.kinds;
    if object == kinds.interaction {
        InteractionField::ROWS
    } else if object == kinds.leg {
        LegField::ROWS
    } else if object == kinds.journey {
        JourneyField::ROWS
    } else {
        TimeField::ROWS
    }
}

fn build() -> Result<Words, DefineError> {
    let mut base = Vocabulary::new();
    let kinds = kinds(&mut base);
    for namespace in ["parameters", "lists", "terms", "schedules"] {
        base.namespace(namespace)?;
    }
    let object = |of| Object { of, index: 0 };
    // None of the functions: all of them are about instants, or about interactions.
    let mut agent_time = base.clone();
    agent_time.variable("time", object(kinds.time))?;
    functions::define(&mut base, kinds)?;
    base.variable("interaction", object(kinds.interaction))?;
    let mut journey = base.clone();
    journey.variable("journey", object(kinds.journey))?;
    let mut leg = base.clone();
    let own_leg = Object {
        of: kinds.leg,
        index: OWN_LEG,
    };
    leg.variable("leg", own_leg)?;
    Ok(Words {
        kinds,
        interaction: base,
        leg,
        journey,
        agent_time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expression::Expression;

    #[test]
    fn the_tables_hold_no_name_twice_and_every_field_can_be_used() {
        let words = build().unwrap();
        for (rows, object, vocabulary) in [
            (InteractionField::ROWS, "interaction", &words.leg),
            (LegField::ROWS, "leg", &words.leg),
            (InteractionField::ROWS, "interaction", &words.journey),
            (JourneyField::ROWS, "journey", &words.journey),
            (TimeField::ROWS, "time", &words.agent_time),
        ] {
            for row in rows {
                let text = match row.kind {
                    Kind::Legs | Kind::Texts | Kind::Interactions => {
                        format!("size({object}.{}) > 0", row.name)
                    }
                    _ if row.optional => format!("has({object}.{})", row.name),
                    _ => format!("{object}.{0} == {object}.{0}", row.name),
                };
                Expression::compile(&text, vocabulary).unwrap();
            }
        }
    }
}
