//! What an evaluation asks for, what it may cost, and how it can fail.

use crate::types::{FunctionId, Object, Value};
use std::fmt;

/// Where the facts come from. Everything it answers must be of the type that the vocabulary states.
///
/// The budget knows what an expression does, not what the host does for it. So a field, a length and an item must take a constant
/// time (but for the first reading, which may be what the host keeps the answer of), and a function takes off the [`Run`] what it
/// costs.
pub trait Host {
    /// The value of a field that is no list.
    fn field(&self, of: Object, field: u16) -> Result<Value<'_>, Missing>;
    /// How many items the field, a list, has.
    fn list_len(&self, of: Object, field: u16) -> usize;
    /// One item of the field, a list; `index` is below its length.
    fn list_item(&self, of: Object, field: u16, index: usize) -> Value<'_>;
    /// Calls a host function; the arguments are of the types, and as many, as the vocabulary states. What it does beyond a look at
    /// them it takes off the budget first, with [`Run::spend`].
    fn call(
        &self,
        function: FunctionId,
        arguments: &[Value<'_>],
        run: &mut Run,
    ) -> Result<Value<'_>, Failure>;
}

/// Why a field has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nobody stated it. Only an optional field may be that.
    NotStated,
    /// Somebody stated this number of ms, which cannot be.
    Implausible(i64),
}

/// A place in the text of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why an evaluation has no value. What happened within a term is placed where the term is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A field was read that nobody stated.
    #[error("a field that was read is not stated")]
    NotStated {
        /// The object it belongs to.
        object: Object,
        /// Its id.
        field: u16,
    },
    /// The smallest, largest or first of no items. Like a field not stated, `orZero` and `orElse` absorb it.
    #[error("{0}: there are no items")]
    Empty(Position),
    /// A duration was read that cannot be.
    #[error("a duration of {millis} ms cannot be")]
    Implausible {
        /// As stated.
        millis: i64,
    },
    /// A division by zero, of any type: also of doubles, where CEL has infinity.
    #[error("{0}: division by zero")]
    DivisionByZero(Position),
    /// A whole number, duration or timestamp left its range.
    #[error("{0}: the result is out of range")]
    Overflow(Position),
    /// A double would be infinite.
    #[error("{0}: the result is not finite")]
    NotFinite(Position),
    /// The evaluation used up its steps.
    #[error("too much work")]
    TooMuchWork,
    /// A host function failed, or the host broke its contract.
    #[error("{0}")]
    Host(String),
}

impl Failure {
    /// The same, at another place: where the term is used within which it happened.
    pub(crate) fn placed(self, at: Position) -> Failure {
        match self {
            Failure::Empty(_) => Failure::Empty(at),
            Failure::DivisionByZero(_) => Failure::DivisionByZero(at),
            Failure::Overflow(_) => Failure::Overflow(at),
            Failure::NotFinite(_) => Failure::NotFinite(at),
            other => other,
        }
    }
}

/// What one or several evaluations may cost, and what they noted.
#[derive(Debug, Clone)]
pub struct Run {
    pub(crate) steps: u32,
    pub(crate) counted_as_nothing: Vec<(Object, u16)>,
}

impl Run {
    /// Enough for an expression over hundreds of legs.
    pub const DEFAULT_STEPS: u32 = 100_000;

    /// With a budget of `steps`: each operation and each item of a list visited costs one, a text that is searched or lowered
    /// some for its length, a host function what it says.
    pub fn new(steps: u32) -> Run {
        Run {
            steps,
            counted_as_nothing: Vec::new(),
        }
    }

    /// What is left of the budget.
    pub fn steps_left(&self) -> u32 {
        self.steps
    }

    /// Takes `steps` off the budget; where they are not left, nothing is.
    #[inline]
    pub fn spend(&mut self, steps: u32) -> Result<(), Failure> {
        let left = self.steps.checked_sub(steps);
        self.steps = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Failure::TooMuchWork)
    }

    /// The fields that `orZero` found not stated, each once, in the order it met them.
    pub fn counted_as_nothing(&self) -> &[(Object, u16)] {
        &self.counted_as_nothing
    }

    pub(crate) fn note(&mut self, object: Object, field: u16) {
        if !self.counted_as_nothing.contains(&(object, field)) {
            self.counted_as_nothing.push((object, field));
        }
    }

    /// Forgets what was noted and gives a new budget, keeping the memory.
    pub fn restart(&mut self, steps: u32) {
        self.steps = steps;
        self.counted_as_nothing.clear();
    }
}

impl Default for Run {
    fn default() -> Run {
        Run::new(Run::DEFAULT_STEPS)
    }
}
