//! What the names in an expression mean.

use crate::Expression;
use crate::builtin;
use crate::types::{FunctionId, HandleType, Object, ObjectType, Type};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

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
    /// A function with too many arguments or with lists, or a constant that is not finite.
    #[error("`{0}` is out of bounds")]
    OutOfBounds(String),
}

/// What a name under a namespace stands for.
#[derive(Debug, Clone)]
pub(crate) enum Named {
    Constant(Constant),
    Term(Expression),
    /// Its own problems are told elsewhere.
    Faulty,
}

/// One way to call a host function.
#[derive(Debug, Clone)]
pub(crate) struct Signature {
    pub(crate) arguments: Vec<Arg>,
    pub(crate) result: Type,
    pub(crate) id: FunctionId,
}

#[derive(Debug, Clone)]
struct ObjectKind {
    name: String,
    fields: Arc<[Field]>,
}

/// What the names in an expression mean: built once for a kind of expression, then cloned and extended with the names
/// of one definition.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    objects: Vec<ObjectKind>,
    handles: Vec<String>,
    variables: BTreeMap<String, Object>,
    namespaces: BTreeMap<String, BTreeMap<String, Named>>,
    functions: BTreeMap<String, Vec<Signature>>,
}

impl Vocabulary {
    /// Without names; the operators, macros and functions of the language itself are always there.
    pub fn new() -> Vocabulary {
        Vocabulary::default()
    }

    /// Adds a kind of object; the name is used in messages. A field's id, as [`crate::Host::field`] gets it, is its
    /// position in `fields`. There can be 65,536 kinds, and as many fields of each; what is beyond cannot be named.
    pub fn object(&mut self, name: &str, fields: Vec<Field>) -> ObjectType {
        self.objects.push(ObjectKind {
            name: name.to_owned(),
            fields: fields.into(),
        });
        ObjectType(position(self.objects.len() - 1))
    }

    /// Adds a kind of handle, such as `schedule`; the name is used in messages.
    pub fn handle(&mut self, name: &str) -> HandleType {
        self.handles.push(name.to_owned());
        HandleType(position(self.handles.len() - 1))
    }

    /// Adds a variable that is always there, such as `interaction`.
    pub fn variable(&mut self, name: &str, object: Object) -> Result<(), DefineError> {
        self.unused(name)?;
        self.variables.insert(name.to_owned(), object);
        Ok(())
    }

    /// Adds a host function. The same name may be added again with another number of arguments. Lists are neither
    /// taken nor given.
    pub fn function(
        &mut self,
        name: &str,
        arguments: Vec<Arg>,
        result: Type,
        id: FunctionId,
    ) -> Result<(), DefineError> {
        let is_list = |arg: &Arg| matches!(arg, Arg::Of(Type::List(_)));
        if arguments.len() > MAX_ARGUMENTS
            || arguments.iter().any(is_list)
            || matches!(result, Type::List(_))
        {
            return Err(DefineError::OutOfBounds(name.to_owned()));
        }
        if !is_identifier(name) {
            return Err(DefineError::NotAName(name.to_owned()));
        }
        let ways = self.functions.entry(name.to_owned()).or_default();
        let twice = |way: &Signature| way.arguments.len() == arguments.len();
        if ways.iter().any(twice) || builtin::is_builtin(name) {
            return Err(DefineError::Twice(name.to_owned()));
        }
        ways.push(Signature {
            arguments,
            result,
            id,
        });
        Ok(())
    }

    /// States that names may follow `name` and a dot, even if none does: `parameters`, `lists`, `terms`.
    pub fn namespace(&mut self, name: &str) -> Result<(), DefineError> {
        if !self.namespaces.contains_key(name) {
            self.unused(name)?;
            self.namespaces.insert(name.to_owned(), BTreeMap::new());
        }
        Ok(())
    }

    /// Adds a constant under a path such as `parameters.answer_within`.
    pub fn constant(&mut self, path: &str, value: Constant) -> Result<(), DefineError> {
        if matches!(value, Constant::Double(number) if !number.is_finite()) {
            return Err(DefineError::OutOfBounds(path.to_owned()));
        }
        self.name(path, Named::Constant(value))
    }

    /// Adds a compiled expression under a path such as `terms.handle_time`. It is shared, not copied, by the expressions
    /// that use it, and must have been compiled with a vocabulary that this one extends. A failure within it is placed
    /// where it is used.
    pub fn term(&mut self, path: &str, term: &Expression) -> Result<(), DefineError> {
        self.name(path, Named::Term(term.clone()))
    }

    /// Adds a name whose own problems have been told: an expression that uses it does not compile, but gets no problem
    /// for it (so the list of problems may be empty).
    pub fn faulty(&mut self, path: &str) -> Result<(), DefineError> {
        self.name(path, Named::Faulty)
    }

    fn name(&mut self, path: &str, named: Named) -> Result<(), DefineError> {
        let not_a_name = || DefineError::NotAName(path.to_owned());
        let (namespace, name) = path.split_once('.').ok_or_else(not_a_name)?;
        if !is_identifier(name) {
            return Err(not_a_name());
        }
        self.namespace(namespace)?;
        match self
            .namespaces
            .get_mut(namespace)
            .ok_or_else(not_a_name)?
            .entry(name.to_owned())
        {
            Entry::Occupied(_) => Err(DefineError::Twice(path.to_owned())),
            Entry::Vacant(entry) => {
                entry.insert(named);
                Ok(())
            }
        }
    }

    fn unused(&self, name: &str) -> Result<(), DefineError> {
        if !is_identifier(name) {
            return Err(DefineError::NotAName(name.to_owned()));
        }
        if self.variables.contains_key(name) || self.namespaces.contains_key(name) {
            return Err(DefineError::Twice(name.to_owned()));
        }
        Ok(())
    }

    pub(crate) fn find_variable(&self, name: &str) -> Option<Object> {
        self.variables.get(name).copied()
    }

    pub(crate) fn find_namespace(&self, name: &str) -> Option<&BTreeMap<String, Named>> {
        self.namespaces.get(name)
    }

    pub(crate) fn find_function(&self, name: &str) -> Option<&[Signature]> {
        self.functions.get(name).map(Vec::as_slice)
    }

    pub(crate) fn function_names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    /// The names an expression can begin with.
    pub(crate) fn root_names(&self) -> impl Iterator<Item = &str> {
        self.variables
            .keys()
            .chain(self.namespaces.keys())
            .map(String::as_str)
    }

    pub(crate) fn fields(&self, of: ObjectType) -> &[Field] {
        self.objects
            .get(usize::from(of.0))
            .map_or(&[], |kind| &kind.fields)
    }

    /// The type's name in messages, without an article.
    pub(crate) fn type_name(&self, ty: &Type) -> String {
        match ty {
            Type::Bool => "bool".to_owned(),
            Type::Int => "int".to_owned(),
            Type::Double => "double".to_owned(),
            Type::String => "string".to_owned(),
            Type::Duration => "duration".to_owned(),
            Type::Timestamp => "timestamp".to_owned(),
            Type::List(item) => format!("list of {}", self.type_name(item)),
            Type::Object(of) => self
                .objects
                .get(usize::from(of.0))
                .map_or_else(|| "object".to_owned(), |kind| kind.name.clone()),
            Type::Handle(of) => self
                .handles
                .get(usize::from(of.0))
                .map_or_else(|| "handle".to_owned(), Clone::clone),
        }
    }

    /// With its article: `an int`.
    pub(crate) fn a(&self, ty: &Type) -> String {
        let name = self.type_name(ty);
        let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {name}")
    }
}

fn position(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

fn is_identifier(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}
