//! Paths into a JSON value: `a.b`, `a[0].b`, `a[?type=agent].id`.
//!
//! A step is a member's name; in brackets follows a place in a list (from 0) or, after a question mark, a member and the text it
//! must have, which picks the first element of the list that has it. A lone object stands for a list of one. A name that holds a dot or a
//! bracket itself stands in double quotes: `a."No. [1]".id`. That is all.

use serde_json::Value;
use std::fmt;

/// A path, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Place(usize),
    Where { member: String, is: String },
}

impl Path {
    /// Reads a path, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut steps = Vec::new();
        for part in parts(text)? {
            let (name, mut brackets) = named(part);
            if name.is_empty() || name.contains(']') && !part.starts_with('"') {
                return Err(format!(
                    "path {text:?}: {part:?} does not begin with a name"
                ));
            }
            steps.push(Step::Member(name.to_owned()));
            while !brackets.is_empty() {
                let (inside, rest) = brackets
                    .strip_prefix('[')
                    .and_then(|rest| rest.split_once(']'))
                    .ok_or_else(|| format!("path {text:?}: a bracket is not closed"))?;
                steps.push(bracket(inside).ok_or_else(|| {
                    format!("path {text:?}: [{inside}] is neither a place like [0] nor a choice like [?type=agent]")
                })?);
                brackets = rest;
            }
        }
        Ok(Self {
            text: text.to_owned(),
            steps,
        })
    }

    /// The names that the path is made of, if it is made of nothing else.
    pub(crate) fn names(&self) -> Option<Vec<String>> {
        let name = |step: &Step| match step {
            Step::Member(name) => Some(name.clone()),
            Step::Place(_) | Step::Where { .. } => None,
        };
        self.steps.iter().map(name).collect()
    }

    /// Whether it begins in this member.
    pub(crate) fn begins_in(&self, member: &str) -> bool {
        matches!(self.steps.first(), Some(Step::Member(first)) if first == member)
    }

    /// The value the path leads to, if it is there and not null.
    pub(crate) fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.steps
            .iter()
            .try_fold(root, |value, step| step.follow(value))
            .filter(|value| !value.is_null())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A part's name, and the brackets behind it.
fn named(part: &str) -> (&str, &str) {
    let quoted = part.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    if let Some(quoted) = quoted {
        return quoted;
    }
    part.split_at(part.find('[').unwrap_or(part.len()))
}

/// The text at its dots, but not at those in brackets or quotes.
fn parts(text: &str) -> Result<Vec<&str>, String> {
    let mut found = Vec::new();
    let mut start = 0;
    let (mut inside, mut quoted) = (false, false);
    for (at, char) in text.char_indices() {
        match char {
            // Only at the start of a name; in the middle it is a character.
            '"' if quoted || at == start => quoted = !quoted,
            _ if quoted => {}
            '[' => inside = true,
            ']' => inside = false,
            '.' if !inside => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted {
        return Err(format!("path {text:?}: a quote is not closed"));
    }
    found.push(&text[start..]);
    if found.iter().any(|part| part.is_empty()) {
        return Err(format!("path {text:?}: a name is empty"));
    }
    Ok(found)
}

fn bracket(inside: &str) -> Option<Step> {
    if let Some(choice) = inside.strip_prefix('?') {
        let (member, is) = choice.split_once('=')?;
        return (!member.is_empty()).then(|| Step::Where {
            member: member.to_owned(),
            is: is.to_owned(),
        });
    }
    inside.parse().ok().map(Step::Place)
}

impl Step {
    fn follow<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Member(name) => value.get(name),
            Self::Place(index) => elements(value).get(*index),
            Self::Where { member, is } => {
                elements(value)
                    .iter()
                    .find(|element| match element.get(member) {
                        Some(Value::String(text)) => text == is,
                        Some(Value::Bool(flag)) => flag.to_string() == *is,
                        Some(Value::Number(number)) => number.to_string() == *is,
                        _ => false,
                    })
            }
        }
    }
}

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(elements) => elements,
        Value::Object(_) => std::slice::from_ref(value),
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_leads_where_it_says() {
        let root = json!({
            "a": {"b": [{"c": 1}, {"c": 2, "type": "agent", "id": "x"}], "one": {"n": 5, "v": "y"}},
            "with.dot": 3, "nothing": null, "No. [1]": {"b": [7]}
        });
        for (path, found) in [
            ("a.b[0].c", json!(1)),
            ("a.b[?type=agent].id", json!("x")),
            ("a.b[?c=2].type", json!("agent")),
            ("a.one[0].v", json!("y")),
            ("a.one[?n=5].v", json!("y")),
            ("\"with.dot\"", json!(3)),
            ("\"No. [1]\".b[0]", json!(7)),
            ("\"a\".\"one\"[0].v", json!("y")),
        ] {
            assert_eq!(
                Path::parse(path).unwrap().find(&root),
                Some(&found),
                "{path}"
            );
        }
        for path in [
            "a.x",
            "a.b[7].c",
            "a.b[?type=customer].id",
            "a.b.c",
            "nothing",
            "a.b[0].c.d",
        ] {
            assert_eq!(Path::parse(path).unwrap().find(&root), None, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused_with_its_text() {
        for path in [
            "", "a..b", ".a", "a.", "a[", "a[x]", "a[?]", "a[?=x]", "[0]", "a]", "a[0]x", "\"a",
            "\"\"", "\"a\"b", "\"a\"]",
        ] {
            let problem = Path::parse(path).unwrap_err();
            assert!(problem.contains(&format!("{path:?}")), "{problem}");
        }
    }
}
