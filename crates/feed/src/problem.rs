//! What is wrong with a definition, and where.

use std::fmt;

/// The part of a definition that a problem is about, so that whoever read it from a file can tell the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The feed as a whole.
    Feed,
    /// The name of its receiver.
    Client,
    /// The intervals.
    Interval,
    /// The windows that intervals are made of.
    Window,
    /// The columns as a whole.
    Columns,
    /// One column, by its place.
    Column(usize),
    /// The format of the file.
    Format,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, for people.
    pub text: String,
}

impl Problem {
    pub(crate) fn new(place: Place, text: impl Into<String>) -> Self {
        Self {
            place,
            text: text.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
