//! Which values a target gets: an expression over what a row says of itself.
//!
//! It is evaluated when a row is claimed, not when it is queued: so a changed file holds for what waits already, compute knows nothing of
//! targets' expressions, and a value that was pushed and does not fit any more (its queue was corrected) is seen to be one that is to be
//! taken back. What does not fit is as absent to the target. A filter that cannot be decided does not hold, as in definitions.

use crate::item::{Facets, Item, Subject};
use expression::{
    Expression, Failure, Field, FunctionId, Host, Missing, Object, Problem, Run, Type, Value,
    Vocabulary,
};
use schema::{Grain, QueueId};

/// Kinds of subjects, as they are compared.
const GRAINS: &[&str] = &[
    Grain::Interaction.name(),
    Grain::Leg.name(),
    Grain::AgentDay.name(),
];
const DIRECTIONS: &[&str] = &["inbound", "outbound"];

// The ids of fields are their places in the vocabulary.
const METRIC: u16 = 0;
const VERSION: u16 = 1;
const GRAIN: u16 = 2;
const VALUE: u16 = 3;
const AT: u16 = 4;
const AGENT: u16 = 5;
const QUEUE: u16 = 6;
const MEDIA: u16 = 7;
const DIRECTION: u16 = 8;
const POINTS: u16 = 9;

/// A compiled filter.
#[derive(Debug, Clone)]
pub struct Filter {
    expression: Expression,
    needs_facets: bool,
}

impl Filter {
    /// Compiles a text; the problems say where in it they are.
    pub fn compile(text: &str) -> Result<Self, Vec<Problem>> {
        let expression = Expression::compile_as(text, &Type::Bool, &vocabulary())?;
        let needs_facets = expression
            .reads()
            .iter()
            .any(|read| matches!(read.field, MEDIA | DIRECTION));
        Ok(Self {
            expression,
            needs_facets,
        })
    }

    /// Whether it asks for what the facts of an interaction say: then they must be looked up.
    #[must_use]
    pub const fn needs_facets(&self) -> bool {
        self.needs_facets
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        self.expression.text()
    }

    /// Whether an item is wanted.
    #[must_use]
    pub fn holds(&self, item: &Item, facets: &Facets) -> bool {
        let row = Row { item, facets };
        self.expression.evaluate(&row, &mut Run::default()) == Ok(Value::Bool(true))
    }
}

/// `row` and its fields.
fn vocabulary() -> Vocabulary {
    let mut vocabulary = Vocabulary::new();
    let text = |name| Field::new(name, Type::String);
    let fields = vec![
        text("metric"),
        Field::new("version", Type::Int),
        text("grain").one_of(GRAINS),
        Field::new("value", Type::Double).optional(),
        Field::new("at", Type::Timestamp),
        text("agent").optional(),
        text("queue").optional(),
        text("media").optional(),
        text("direction").one_of(DIRECTIONS).optional(),
        Field::new("points", Type::Int).optional(),
    ];
    let of = vocabulary.object("row", fields);
    // The name is an identifier and defined once.
    vocabulary
        .variable("row", Object { of, index: 0 })
        .unwrap_or_default();
    vocabulary
}

struct Row<'a> {
    item: &'a Item,
    facets: &'a Facets,
}

impl Host for Row<'_> {
    fn field(&self, _: Object, field: u16) -> Result<Value<'_>, Missing> {
        let item = self.item;
        match field {
            METRIC => Ok(Value::Str(&item.metric)),
            VERSION => Ok(Value::Int(i64::from(item.version.0))),
            GRAIN => Ok(Value::Str(item.subject.grain().name())),
            VALUE => item
                .value
                .map(|value| Value::Double(value.get()))
                .ok_or(Missing::NotStated),
            AT => Ok(Value::Timestamp(item.timestamp.0)),
            AGENT => text(agent(item)),
            QUEUE => text(item.queue.as_ref().map(QueueId::as_str)),
            MEDIA => text(self.facets.media.as_deref()),
            DIRECTION => text(self.facets.direction.as_deref()),
            POINTS => match &item.subject {
                Subject::AgentDay {
                    figures: Some(figures),
                    ..
                } => Ok(Value::Int(figures.items)),
                _ => Err(Missing::NotStated),
            },
            _ => Err(Missing::NotStated),
        }
    }

    fn list_len(&self, _: Object, _: u16) -> usize {
        0
    }

    fn list_item(&self, _: Object, _: u16, _: usize) -> Value<'_> {
        Value::Bool(false)
    }

    fn call(&self, _: FunctionId, _: &[Value<'_>], _: &mut Run) -> Result<Value<'_>, Failure> {
        Err(Failure::Host("there are no functions".to_owned()))
    }
}

fn text(text: Option<&str>) -> Result<Value<'_>, Missing> {
    text.map(Value::Str).ok_or(Missing::NotStated)
}

fn agent(item: &Item) -> Option<&str> {
    match &item.subject {
        Subject::AgentDay { agent, .. } => Some(agent.as_str()),
        Subject::Interaction { .. } | Subject::Leg { .. } => {
            item.agent.as_ref().map(schema::AgentId::as_str)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::tests::of_interaction;

    fn holds(text: &str, item: &Item, facets: &Facets) -> bool {
        Filter::compile(text).unwrap().holds(item, facets)
    }

    #[test]
    fn a_filter_sees_what_a_row_says_of_itself() {
        let item = Item {
            queue: Some("sales".into()),
            ..of_interaction("int_1", 65.7)
        };
        let facets = Facets {
            media: Some("voice".to_owned()),
            direction: None,
        };
        for (text, expected) in [
            ("row.queue in ['sales', 'service']", true),
            ("row.metric == 'handle_time' && row.version == 1", true),
            ("row.grain == 'leg'", false),
            ("row.value > 60.0 && row.agent == 'agent_555'", true),
            ("row.at < timestamp('2024-01-01T00:00:00Z')", false),
            ("row.media == 'voice'", true),
            // What nobody stated decides nothing.
            ("row.direction == 'inbound'", false),
            ("row.direction != 'inbound'", false),
            ("!has(row.direction)", true),
        ] {
            assert_eq!(holds(text, &item, &facets), expected, "{text}");
        }
    }

    #[test]
    fn it_says_whether_an_interactions_facts_are_to_be_looked_up() {
        for (text, expected) in [
            ("row.queue == 'sales'", false),
            ("row.media == 'voice' || row.queue == 'sales'", true),
            ("has(row.direction)", true),
        ] {
            assert_eq!(
                Filter::compile(text).unwrap().needs_facets(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_is_a_problem_with_its_place() {
        for (text, words) in [
            ("row.quene == 'x'", "did you mean `queue`?"),
            ("row.version", "bool"),
            ("row.direction == 'up'", "up"),
        ] {
            let problems = Filter::compile(text).unwrap_err();
            assert!(problems[0].to_string().contains(words), "{problems:?}");
        }
    }
}
