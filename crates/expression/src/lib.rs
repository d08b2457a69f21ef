//! Expressions in the Common Expression Language (CEL), typed and checked when they are loaded, bounded and fast when they
//! are evaluated.

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
