//! What became of an item.

use serde_json::Value;
use std::time::Duration;

/// The longest text of a target that is kept with an item.
const WORDS_MAX: usize = 500;

/// One answer, as far as an adapter needs it.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The body, where it is JSON.
    pub body: Option<&'a Value>,
    /// The target's words about the whole request, short and clean.
    pub words: &'a str,
}

impl Answer<'_> {
    /// Whether the request was taken, whatever is said of its items.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The target has it.
    Accepted,
    /// The target wants it later.
    Later(Later),
    /// The target will not have it, in its own words.
    Rejected {
        /// Why.
        why: String,
    },
    /// Nobody knows. Pushed again under the same key.
    Unknown {
        /// How long the target asked to wait.
        hint: Option<Duration>,
        /// What makes it unknown.
        why: String,
    },
}

/// An item that goes again later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// How long the target asked to wait.
    pub hint: Option<Duration>,
    /// Whether the attempt counts: it failed. Else the fault is nobody's, or the target asked to slow down.
    pub is_spent: bool,
    /// Why.
    pub why: String,
}

/// At most [`WORDS_MAX`] characters, control characters as blanks.
pub(crate) fn shorten(text: &str) -> String {
    text.chars()
        .take(WORDS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
