//! Expressions in the Common Expression Language (CEL), typed and checked when they are loaded, bounded and fast when they
//! are evaluated. The crate knows nothing of contact centres: what names mean is a [`Vocabulary`], where facts come from a
//! [`Host`].
//!
//! The grammar is that of the `cel` crate's parser. Its syntax tree is checked against the vocabulary and lowered to a tree
//! whose node types carry the types of the values, which is then walked without looking anything up by name and without
//! allocating. The `cel` crate's own interpreter is the oracle of the property tests, not what runs: it looks names up in
//! maps, boxes values and finds out types at run time (`examples/speed.rs` measures both).
//!
//! # The language
//!
//! - Types: `bool`, `int` (64 bits), `double` (always finite), `string`, `duration` (whole ms), `timestamp` (whole µs UTC,
//!   years 1 to 9999), lists, and the vocabulary's objects and handles. Nothing is converted silently: `int(x)` cuts
//!   towards zero, `double(x)` is the nearest double, `seconds(d)` a double, `milliseconds(d)` an int.
//! - Operators: `! - + - * / % == != < <= > >= in && || ?: []`. A timestamp less another is a duration, rounded to the ms,
//!   half a ms away from zero. `duration * int`, `duration / int` (cut towards zero) and `duration / duration` (a double)
//!   are ours.
//! - `&&` and `||` absorb the failure of one side where the other decides, in either order; so do `all` and `exists` for
//!   items. `?:` evaluates one branch.
//! - Macros over lists: `all`, `exists`, `exists_one`, `filter`, `map` (with two or three arguments). `has(x.field)` asks
//!   whether an optional field is stated.
//! - Functions: `size`, `sum`, `min`, `max` (of a list; `min` and `max` also of two or more values), `startsWith`,
//!   `endsWith`, `contains`, `matches` (a constant pattern, found anywhere), `lowerAscii` (for comparing only),
//!   `duration("1h30m")`, `timestamp("2024-05-31T22:00:00Z")`, `orZero(x)`, `orElse(x, y)`, and the host's.
//!   `size`, `sum`, `min`, `max` may be written after a list, too.
//! - `orZero` and `orElse` replace the whole of `x` when anything read in it is not stated: to count single items as
//!   nothing, write `orZero` within `map`. They also replace the smallest, largest or n-th of too few items. An
//!   implausible duration they let through.
//!
//! # Where it differs from CEL
//!
//! - Texts are compared, never built; there are no maps, structures, bytes, unsigned numbers, `null` or dynamic types.
//! - A double that would be infinite or not a number fails: division by zero, or not finite.
//! - Durations range over 64-bit milliseconds (CEL: some 292 years either way).
//! - Lists are visited item by item where CEL builds them first. The values are the same; where several parts fail, the
//!   failure that is told can be another. It is always the same one.
//! - What can be known to fail when it is loaded (a constant division by zero, a text that a field never is, a bad
//!   pattern) is a [`Problem`], even in a branch that is never taken.
//!
//! # Bounds
//!
//! A text has at most [`MAX_CHARACTERS`] characters, 32 open brackets, 1,000 operators (those in texts and comments too) and 128 operations within or after
//! one another, terms included; this bounds the stack of compiling and evaluating: 1 MiB does, also where this crate is built
//! without optimisation. An evaluation ends with its [`Run`]'s budget, and so does what the host does for it: see [`Host`].
//!
//! ```
//! use expression::{Expression, Failure, Field, FunctionId, Host, Missing, Object, Run, Type, Value, Vocabulary};
//!
//! struct Call { talk: Option<i64> }
//!
//! impl Host for Call {
//!     fn field(&self, _: Object, _: u16) -> Result<Value<'_>, Missing> {
//!         self.talk.map(Value::Duration).ok_or(Missing::NotStated)
//!     }
//!     fn list_len(&self, _: Object, _: u16) -> usize { 0 }
//!     fn list_item(&self, _: Object, _: u16, _: usize) -> Value<'_> { Value::Int(0) }
//!     fn call(&self, _: FunctionId, _: &[Value<'_>], _: &mut Run) -> Result<Value<'_>, Failure> { Ok(Value::Int(0)) }
//! }
//!
//! let mut vocabulary = Vocabulary::new();
//! let call = vocabulary.object("call", vec![Field::new("talk", Type::Duration).optional()]);
//! vocabulary.variable("call", Object { of: call, index: 0 })?;
//! let expression = Expression::compile("orZero(call.talk) + duration('5s')", &vocabulary).unwrap();
//! let value = expression.evaluate(&Call { talk: None }, &mut Run::default());
//! assert_eq!(value, Ok(Value::Duration(5_000)));
//! let problems = Expression::compile("call.tlak > 5", &vocabulary).unwrap_err();
//! assert_eq!(problems[0].to_string(), "1:6: a call has no field `tlak`; did you mean `talk`?");
//! # Ok::<(), expression::DefineError>(())
//! ```

mod builtin;
mod check;
mod evaluate;
mod host;
mod ir;
mod literal;
mod parse;
mod problem;
mod types;
mod vocabulary;

pub use host::{Failure, Host, Missing, Position, Run};
pub use literal::{LiteralError, parse_duration, parse_timestamp};
pub use parse::MAX_CHARACTERS;
pub use problem::Problem;
pub use types::{FunctionId, HandleType, Object, ObjectType, Type, Value};
pub use vocabulary::{Arg, Constant, DefineError, Field, Literal, MAX_ARGUMENTS, Vocabulary};

use std::sync::Arc;

/// A field that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// What kind of object the field belongs to.
    pub object: ObjectType,
    /// The field's id.
    pub field: u16,
    /// As written, such as `interaction.talk`; through a macro's variable, such as `leg.agent`.
    pub path: String,
    /// The object itself, where the path begins with a variable of the vocabulary: then the host can be asked for the value.
    pub of: Option<Object>,
}

/// A compiled expression: immutable, cheap to clone and to share among threads.
#[derive(Debug, Clone)]
pub struct Expression {
    compiled: Arc<ir::Compiled>,
}

impl Expression {
    /// Checks and compiles `text`. The problems are all that could be found at once, in order of their places. They are
    /// none at all where a name is to blame whose problems were told before ([`Vocabulary::faulty`]).
    pub fn compile(text: &str, vocabulary: &Vocabulary) -> Result<Expression, Vec<Problem>> {
        Expression::checked(text, vocabulary, None)
    }

    /// The same; it is a problem, too, when the expression is of another type than `wanted`.
    pub fn compile_as(
        text: &str,
        wanted: &Type,
        vocabulary: &Vocabulary,
    ) -> Result<Expression, Vec<Problem>> {
        Expression::checked(text, vocabulary, Some(wanted))
    }

    fn checked(
        text: &str,
        vocabulary: &Vocabulary,
        wanted: Option<&Type>,
    ) -> Result<Expression, Vec<Problem>> {
        let (root, places) = parse::parse(text)?;
        let compiled = check::check(text, &root, &places, vocabulary, wanted)?;
        Ok(Expression {
            compiled: Arc::new(compiled),
        })
    }

    /// The type of what it evaluates to.
    pub fn ty(&self) -> &Type {
        &self.compiled.ty
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.compiled.text
    }

    /// The fields it reads, those of its terms included: each once, in order of first appearance.
    pub fn reads(&self) -> &[Read] {
        &self.compiled.reads
    }

    /// Evaluates it. Never panics, whatever the host answers, and ends within the run's budget.
    pub fn evaluate<'h>(
        &'h self,
        host: &'h impl Host,
        run: &mut Run,
    ) -> Result<Value<'h>, Failure> {
        evaluate::Evaluation::evaluate(host, run, &self.compiled.node)
    }
}
