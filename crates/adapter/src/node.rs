//! A JSON value together with where it stands, so that every refusal names its place.

use crate::error::ItemError;
use crate::scalar::{DURATION, Scalar};
use crate::{instant, json};
use schema::UtcMicros;
use serde_json::Value;
use std::borrow::Cow;

/// Reads an item as a tree. Of members with one name the last holds; half surrogate pairs become replacement marks.
pub(crate) fn tree(raw: &[u8]) -> Result<Value, ItemError> {
    serde_json::from_slice(raw)
        .or_else(|error| match json::mend(raw) {
            Cow::Owned(mended) => serde_json::from_slice(&mended),
            Cow::Borrowed(_) => Err(error),
        })
        .map_err(|error| ItemError::not_json(raw, &error))
}

/// The scalar view of a value.
pub(crate) fn scalar(value: &Value) -> Scalar<'_> {
    match value {
        Value::Null => Scalar::Nothing,
        Value::Bool(flag) => Scalar::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Scalar::Int(number),
            (None, Some(_)) => Scalar::Int(i64::MAX),
            (None, None) => Scalar::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Scalar::Text(Cow::Borrowed(text)),
        Value::Array(_) => Scalar::List,
        Value::Object(_) => Scalar::Object,
    }
}

/// A value and its path from the item's root.
pub(crate) struct Node<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Node<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        Self {
            value,
            path: String::new(),
        }
    }

    /// A value that stands somewhere inside of the item.
    pub(crate) fn at_path(value: &'a Value, path: &str) -> Self {
        Self {
            value,
            path: path.to_owned(),
        }
    }

    /// The value itself.
    pub(crate) const fn value(&self) -> &'a Value {
        self.value
    }

    pub(crate) fn is_object(&self) -> bool {
        self.value.is_object()
    }

    /// The scalar view of a member; nothing when it is not there.
    pub(crate) fn get(&self, name: &str) -> Scalar<'a> {
        self.value.get(name).map_or(Scalar::Nothing, scalar)
    }

    /// A member that is an object, if it is there.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Node<'a>>, ItemError> {
        match self.value.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value @ Value::Object(_)) => Ok(Some(Node {
                value,
                path: self.at(name),
            })),
            Some(other) => Err(ItemError::new(
                self.at(name),
                &scalar(other).shown(),
                "an object",
            )),
        }
    }

    /// The elements of a list. A single object stands for a list of one; nothing for an empty one.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<Node<'a>>, ItemError> {
        let path = self.at(name);
        let elements: &[Value] = match self.value.get(name) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(elements)) => elements,
            Some(object @ Value::Object(_)) => std::slice::from_ref(object),
            Some(other) => {
                return Err(ItemError::new(
                    path,
                    &scalar(other).shown(),
                    "a list of objects",
                ));
            }
        };
        elements
            .iter()
            .enumerate()
            .filter(|(_, value)| !value.is_null())
            .map(|(index, value)| {
                let node = Node {
                    value,
                    path: format!("{path}[{index}]"),
                };
                if value.is_object() {
                    Ok(node)
                } else {
                    Err(ItemError::new(
                        node.path,
                        &scalar(value).shown(),
                        "an object",
                    ))
                }
            })
            .collect()
    }

    /// An id or name.
    pub(crate) fn name(&self, name: &str) -> Result<Option<String>, ItemError> {
        let found = self.get(name);
        match found.name() {
            Ok(text) => Ok(text.map(Cow::into_owned)),
            Err(()) => Err(ItemError::new(self.at(name), &found.shown(), "text")),
        }
    }

    /// The first text of a list of texts, or the one text that stands for it.
    pub(crate) fn first_text(&self, name: &str) -> Result<Option<String>, ItemError> {
        match self.value.get(name) {
            Some(Value::Array(elements)) => {
                let found = elements.first().map_or(Scalar::Nothing, scalar);
                match found.name() {
                    Ok(text) => Ok(text.map(Cow::into_owned)),
                    Err(()) => Err(ItemError::new(
                        format!("{}[0]", self.at(name)),
                        &found.shown(),
                        "text",
                    )),
                }
            }
            _ => self.name(name),
        }
    }

    /// A number of milliseconds.
    pub(crate) fn millis(&self, name: &str) -> Result<Option<i64>, ItemError> {
        let found = self.get(name);
        found
            .millis()
            .map_err(|()| ItemError::new(self.at(name), &found.shown(), DURATION))
    }

    /// An instant.
    pub(crate) fn instant(&self, name: &str) -> Result<Option<UtcMicros>, ItemError> {
        match self.get(name) {
            Scalar::Nothing => Ok(None),
            found => found
                .text()
                .and_then(|text| instant::parse(text))
                .map(Some)
                .ok_or_else(|| ItemError::new(self.at(name), &found.shown(), instant::EXPECTED)),
        }
    }

    /// The path of a member.
    pub(crate) fn at(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}
