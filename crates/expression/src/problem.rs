//! What is wrong with an expression.

use std::fmt;

/// One thing that is wrong with an expression's text, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Problem {
    /// From 1, within the expression's text.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// For people: what is wrong, and what could be meant.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}
