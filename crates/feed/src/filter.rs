//! Which groups a feed is about: an expression over what its groups are by.

use expression::{
    Expression, Failure, Field, FunctionId, Host, Missing, Object, Run, Type, Value, Vocabulary,
};
use window::{Dimension, GroupBy, GroupKey};

/// A compiled filter. What it cannot decide (a group without a queue, where it asks for one) does not hold, as in definitions.
#[derive(Debug, Clone)]
pub struct Filter {
    expression: Expression,
}

impl Filter {
    /// Compiles a text for groups by these dimensions: each is a member of `row` (`row.queue`), and nothing else is. An attribute has its
    /// own name. The problems say where in the text they are.
    pub fn compile(text: &str, by: &GroupBy) -> Result<Self, Vec<String>> {
        let expression = Expression::compile(text, &vocabulary(by))
            .map_err(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        if *expression.ty() != Type::Bool {
            return Err(vec!["a filter is true or false".to_owned()]);
        }
        Ok(Self { expression })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        self.expression.text()
    }

    /// Whether the feed is about a group.
    #[must_use]
    pub fn holds(&self, group: &GroupKey) -> bool {
        let values = group.values();
        let texts = values.iter().map(|value| value.as_deref()).collect();
        let row = Row { texts };
        let found = self.expression.evaluate(&row, &mut Run::default());
        found == Ok(Value::Bool(true))
    }
}

fn vocabulary(by: &GroupBy) -> Vocabulary {
    let mut vocabulary = Vocabulary::new();
    // The ids of fields are their places, and those of the values in a key.
    let fields = by.dimensions().iter().map(|dimension| {
        let name = match dimension {
            Dimension::Attribute(name) => name.clone(),
            other => other.name(),
        };
        Field::new(&name, Type::String).optional()
    });
    let of = vocabulary.object("row", fields.collect());
    // The name is an identifier and defined once.
    vocabulary
        .variable("row", Object { of, index: 0 })
        .unwrap_or_default();
    vocabulary
}

struct Row<'a> {
    texts: Vec<Option<&'a str>>,
}

impl Host for Row<'_> {
    fn field(&self, _: Object, field: u16) -> Result<Value<'_>, Missing> {
        let text = self.texts.get(usize::from(field)).copied().flatten();
        text.map(Value::Str).ok_or(Missing::NotStated)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_sees_what_groups_are_by_and_nothing_else() {
        let by = GroupBy::parse("attribute:brand,media,queue").unwrap();
        let key = |queue| GroupKey::new([Some("alpha"), Some("voice"), queue]);
        for (text, with, without) in [
            ("row.queue in ['sales', 'service']", true, false),
            ("row.media == 'voice' && row.brand == 'alpha'", true, true),
            ("row.queue != 'test'", true, false),
            ("!has(row.queue)", false, true),
        ] {
            let filter = Filter::compile(text, &by).unwrap();
            assert_eq!(filter.holds(&key(Some("sales"))), with, "{text}");
            assert_eq!(filter.holds(&key(None)), without, "{text}");
        }
        for (text, words) in [
            ("row.agent == 'a'", "agent"),
            ("row.queue", "true or false"),
        ] {
            let problems = Filter::compile(text, &by).unwrap_err();
            assert!(problems[0].contains(words), "{problems:?}");
        }
    }
}
