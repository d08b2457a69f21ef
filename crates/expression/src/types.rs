//! What an expression's values are.

use std::fmt;

/// The kind of an object, such as an interaction: given out by [`crate::Vocabulary::object`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectType(pub(crate) u16);

/// The kind of a handle, such as a schedule: given out by [`crate::Vocabulary::handle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandleType(pub(crate) u16);

/// Which of the host's functions is called; the host's own numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionId(pub u16);

/// The type of an expression, known when it is compiled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A finite number of 64 bits. Infinity and NaN never arise: the operation that would make one fails.
    Double,
    /// A text. Texts are compared, never built.
    String,
    /// A length of time in whole milliseconds; may be negative.
    Duration,
    /// An instant in whole microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
    /// A list. Lists exist within an expression only, as the range of a macro or the argument of a function.
    List(Box<Type>),
    /// Something with fields, which the host knows.
    Object(ObjectType),
    /// Something opaque that a host function takes, such as a schedule.
    Handle(HandleType),
}

impl Type {
    /// A list of `item`s.
    pub fn list(item: Type) -> Type {
        Type::List(Box::new(item))
    }
}

/// One object that an expression reads fields of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Object {
    /// What it is.
    pub of: ObjectType,
    /// Which one of them; the host's own numbering.
    pub index: u32,
}

/// A value while an expression is evaluated. Texts are borrowed from the host or from the expression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Of [`Type::Bool`].
    Bool(bool),
    /// Of [`Type::Int`].
    Int(i64),
    /// Of [`Type::Double`], always finite.
    Double(f64),
    /// Of [`Type::String`].
    Str(&'a str),
    /// Of [`Type::Duration`], in ms.
    Duration(i64),
    /// Of [`Type::Timestamp`], in µs since 1970 UTC.
    Timestamp(i64),
    /// Of [`Type::Object`].
    Object(Object),
    /// Of [`Type::Handle`]; the host's own numbering. Also the position of a text in the set of [`crate::Arg::OneOf`].
    Handle(u32),
    /// What evaluating an expression of [`Type::List`] gives: how many items there are. A host never states it.
    List(usize),
}

impl fmt::Display for Value<'_> {
    /// As people read it: a duration as `1m20.5s`, an instant as RFC 3339.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Double(value) => write!(f, "{value:?}"),
            Value::Str(value) => write!(f, "{value:?}"),
            Value::Duration(ms) => crate::literal::write_duration(f, ms),
            Value::Timestamp(micros) => crate::literal::write_timestamp(f, micros),
            Value::Object(Object { index, .. }) => write!(f, "object {index}"),
            Value::Handle(index) => write!(f, "handle {index}"),
            Value::List(items) => write!(f, "a list of {items}"),
        }
    }
}
