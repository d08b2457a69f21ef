//! What the names in an expression mean.

use crate::Expression;
use crate::types::{FunctionId, HandleType, Object, ObjectType, Type};

/// How many arguments a host function takes at most.
pub const MAX_ARGUMENTS: usize = 6;

/// One field of an object.
#[derive(Debug, Clone)]
pub struct Field {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) optional: bool,
    pub(crate) closed_set: &'static [&'static str],
}

impl Field {
    /// A field that is always stated. A list is always one of these: where there is nothing, it is empty.
    pub fn new(name: &str, ty: Type) -> Field {
        Field {
            name: name.to_owned(),
            ty,
            optional: false,
            closed_set: &[],
        }
    }

    /// The field may be not stated: `has` asks for it, and reading it without gives [`crate::Failure::NotStated`].
    /// Without effect on a list.
    #[must_use]
    pub fn optional(mut self) -> Field {
        self.optional = !matches!(self.ty, Type::List(_));
        self
    }

    /// The texts that this field of type string (or list of strings) can be: comparing it to another one is a problem.
    #[must_use]
    pub fn one_of(mut self, set: &'static [&'static str]) -> Field {
        self.closed_set = set;
        self
    }
}

/// What a host function takes in one place.
#[derive(Debug, Clone)]
pub enum Arg {
    /// An expression of this type; arrives as its value.
    Of(Type),
    /// A text literal out of this set; arrives as [`crate::Value::Handle`] of its position in the set.
    OneOf(&'static [&'static str]),
    /// A text literal that the host reads when the expression is compiled; an error is a problem with this message.
    Literal(fn(&str) -> Result<Literal, String>),
}

/// What the host made of a text literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Literal {
    /// It arrives as [`crate::Value::Str`].
    AsWritten,
    /// It arrives as this [`crate::Value::Handle`].
    Handle(u32),
}

/// A value that is known when an expression is compiled.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number; must be finite.
    Double(f64),
    /// A text.
    String(String),
    /// In ms.
    Duration(i64),
    /// In µs since 1970 UTC.
    Timestamp(i64),
    /// A list of texts.
    Strings(Vec<String>),
    /// A list of whole numbers.
    Ints(Vec<i64>),
    /// Something opaque, by the host's own numbering.
    Handle(HandleType, u32),
}

/// Why a name could not be given a meaning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefineError {
    /// The name is not an identifier, or not two of them with a dot between where that is asked for.
    #[error("`{0}` cannot be a name here")]
    NotAName(String),
    /// The name means something already.
    #[error("`{0}` is defined twice")]
    Twice(String),
    /// A function with too many arguments, or a constant that is not finite.
    #[error("`{0}` is out of bounds")]
    OutOfBounds(String),
}

/// What the names in an expression mean: built once for a kind of expression, then cloned and extended with the names
/// of one definition.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {}

impl Vocabulary {
    /// Without names; the operators, macros and functions of the language itself are always there.
    pub fn new() -> Vocabulary {
        Vocabulary::default()
    }

    /// Adds a kind of object. A field's id, as [`crate::Host::field`] gets it, is its position in `fields`.
    pub fn object(&mut self, name: &str, fields: Vec<Field>) -> ObjectType {
        let (_, _) = (name, fields);
        ObjectType(0)
    }

    /// Adds a kind of handle, such as `schedule`; the name is used in messages.
    pub fn handle(&mut self, name: &str) -> HandleType {
        let _ = name;
        HandleType(0)
    }

    /// Adds a variable that is always there, such as `interaction`.
    pub fn variable(&mut self, name: &str, object: Object) -> Result<(), DefineError> {
        let (_, _) = (name, object);
        Ok(())
    }

    /// Adds a host function. The same name may be added again with another number of arguments.
    pub fn function(
        &mut self,
        name: &str,
        arguments: Vec<Arg>,
        result: Type,
        id: FunctionId,
    ) -> Result<(), DefineError> {
        let (_, _, _, _) = (name, arguments, result, id);
        Ok(())
    }

    /// States that names may follow `name` and a dot, even if none does: `parameters`, `lists`, `terms`.
    pub fn namespace(&mut self, name: &str) -> Result<(), DefineError> {
        let _ = name;
        Ok(())
    }

    /// Adds a constant under a path such as `parameters.answer_within`.
    pub fn constant(&mut self, path: &str, value: Constant) -> Result<(), DefineError> {
        let (_, _) = (path, value);
        Ok(())
    }

    /// Adds a compiled expression under a path such as `terms.handle_time`. It is shared, not copied, by the expressions
    /// that use it, and must have been compiled with a vocabulary that this one extends.
    pub fn term(&mut self, path: &str, term: &Expression) -> Result<(), DefineError> {
        let (_, _) = (path, term);
        Ok(())
    }
}
