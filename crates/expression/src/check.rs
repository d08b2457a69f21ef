//! Checks the syntax tree against the vocabulary and lowers it. A part with a problem is left out and its neighbours are
//! checked all the same, so that one attempt tells all that can be told.

mod calls;
mod macros;
mod operators;

use crate::Read;
use crate::evaluate::Evaluation;
use crate::host::{Failure, Host, Missing, Position, Run};
use crate::ir::{
    Access, BoolNode, Common, Compiled, DoubleNode, HandleNode, Kind, ListNode, Node, ObjectNode,
    Tag, TextNode, WholeNode,
};
use crate::parse::{MAX_DEPTH, Places};
use crate::problem::{Problem, suggest};
use crate::types::{FunctionId, Object, Type, Value};
use crate::vocabulary::{Constant, Field, Named, Vocabulary};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators as op};
use std::sync::Arc;

/// The texts a value can be; empty where any.
type ClosedSet = &'static [&'static str];

/// A part that has been checked.
#[derive(Debug)]
struct Typed {
    node: Node,
    ty: Type,
    closed: ClosedSet,
    /// A text through `lowerAscii`, which can be compared and nothing else.
    lowered: bool,
    /// As written, where it is a variable or a field.
    path: Option<String>,
}

impl Typed {
    fn new(node: Node, ty: Type) -> Typed {
        Typed {
            node,
            ty,
            closed: &[],
            lowered: false,
            path: None,
        }
    }
}

/// A macro's variable.
#[derive(Debug)]
struct Bound {
    name: String,
    ty: Type,
    closed: ClosedSet,
}

#[derive(Debug)]
struct Checker<'c> {
    vocabulary: &'c Vocabulary,
    places: &'c Places<'c>,
    /// Innermost last.
    scope: Vec<Bound>,
    problems: Vec<Problem>,
    /// A name was used whose problems have been told elsewhere.
    faulty: bool,
    reads: Vec<Read>,
    /// How deep the checker is, and how deep evaluating will be.
    depth: u32,
    deepest: u32,
}

/// Checks and lowers a whole text's tree.
pub(crate) fn check(
    text: &str,
    root: &IdedExpr,
    places: &Places<'_>,
    vocabulary: &Vocabulary,
    wanted: Option<&Type>,
) -> Result<Compiled, Vec<Problem>> {
    let mut checker = Checker {
        vocabulary,
        places,
        scope: Vec::new(),
        problems: Vec::new(),
        faulty: false,
        reads: Vec::new(),
        depth: 0,
        deepest: 0,
    };
    let typed = checker.check(root).and_then(|typed| {
        let typed = checker.plain(typed, root)?;
        match wanted {
            Some(wanted) if *wanted != typed.ty => {
                let message = format!(
                    "`{}` is {}, and {} is wanted here",
                    checker.shown(root),
                    vocabulary.a(&typed.ty),
                    vocabulary.a(wanted)
                );
                checker.problem(root, message)
            }
            _ => Some(typed),
        }
    });
    match typed {
        Some(typed) if checker.problems.is_empty() && !checker.faulty => Ok(Compiled {
            text: text.to_owned(),
            ty: typed.ty,
            reads: checker.reads,
            node: typed.node,
            depth: checker.deepest,
        }),
        _ => {
            checker.problems.sort();
            checker.problems.dedup();
            Err(checker.problems)
        }
    }
}

impl Checker<'_> {
    /// Tells a problem; `None`, for the caller to return.
    fn problem<T>(&mut self, at: &IdedExpr, message: impl Into<String>) -> Option<T> {
        self.problems.push(Problem::at(self.places.of(at), message));
        None
    }

    fn check(&mut self, expr: &IdedExpr) -> Option<Typed> {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        let typed = match &expr.expr {
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::Ident(name) => self.name(expr, name),
            Expr::Select(select) => self.select(expr, select),
            Expr::Call(call) => self.call(expr, call),
            Expr::List(list) => self.list(expr, &list.elements),
            Expr::Map(_) => self.problem(expr, "maps are not supported"),
            Expr::Struct(_) => self.problem(expr, "structures are not supported"),
            Expr::Comprehension(_) | Expr::Unspecified => {
                self.problem(expr, "this is not understood")
            }
        };
        self.depth -= 1;
        typed
    }

    /// Checks a part that is not to be a text through `lowerAscii`.
    fn checked(&mut self, expr: &IdedExpr) -> Option<Typed> {
        let typed = self.check(expr)?;
        self.plain(typed, expr)
    }

    fn plain(&mut self, typed: Typed, expr: &IdedExpr) -> Option<Typed> {
        if typed.lowered {
            return self.problem(
                expr,
                "lowerAscii() is for comparing only: texts are compared, never built",
            );
        }
        Some(typed)
    }

    /// Checks a part that is to be of this type.
    fn wanted(&mut self, expr: &IdedExpr, ty: &Type, by: &str) -> Option<Typed> {
        let typed = self.checked(expr)?;
        if typed.ty == *ty {
            return Some(typed);
        }
        let message = format!(
            "`{}` is {}; {by} takes {}{}",
            self.shown(expr),
            self.vocabulary.a(&typed.ty),
            self.vocabulary.a(ty),
            hint(&typed.ty, ty, self.shown(expr).as_str())
        );
        self.problem(expr, message)
    }

    fn condition(&mut self, expr: &IdedExpr, by: &str) -> Option<BoolNode> {
        match self.wanted(expr, &Type::Bool, by)?.node {
            Node::Bool(node) => Some(node),
            _ => None,
        }
    }

    fn literal(&mut self, expr: &IdedExpr, literal: &LiteralValue) -> Option<Typed> {
        let value = match literal {
            LiteralValue::Boolean(value) => Value::Bool(*value.inner()),
            LiteralValue::Int(value) => Value::Int(*value.inner()),
            LiteralValue::Double(value) if value.inner().is_finite() => {
                Value::Double(*value.inner())
            }
            LiteralValue::Double(_) => return self.problem(expr, "the number is not finite"),
            LiteralValue::String(value) => Value::Str(value.inner()),
            LiteralValue::Bytes(_) => return self.problem(expr, "bytes are not supported"),
            LiteralValue::UInt(_) => {
                return self.problem(
                    expr,
                    "unsigned numbers are not supported: leave out the `u`",
                );
            }
            LiteralValue::Null => {
                return self.problem(
                    expr,
                    "there is no null: `has(x.field)` asks whether a field is stated",
                );
            }
        };
        constant(value)
    }

    fn name(&mut self, expr: &IdedExpr, name: &str) -> Option<Typed> {
        if let Some(outward) = self.scope.iter().rev().position(|bound| bound.name == name) {
            let bound = &self.scope[self.scope.len() - 1 - outward];
            let (ty, closed) = (bound.ty.clone(), bound.closed);
            let index = u16::try_from(outward).ok()?;
            let mut typed = common(Shape::Variable(index), &ty)?;
            typed.closed = closed;
            typed.path = Some(name.to_owned());
            return Some(typed);
        }
        if let Some(object) = self.vocabulary.find_variable(name) {
            let node = Node::Object(ObjectNode(Common::Constant(object)));
            let mut typed = Typed::new(node, Type::Object(object.of));
            typed.path = Some(name.to_owned());
            return Some(typed);
        }
        if let Some(names) = self.vocabulary.find_namespace(name) {
            let suggestion = suggest("", names.keys().map(String::as_str));
            return self.problem(
                expr,
                format!("`{name}` stands before a name, as in `{name}.x`{suggestion}"),
            );
        }
        if self.vocabulary.find_function(name).is_some() || crate::builtin::is_builtin(name) {
            return self.problem(
                expr,
                format!("`{name}` is a function: call it, `{name}(…)`"),
            );
        }
        if name.starts_with('.') {
            return self.problem(expr, "a name does not begin with a dot");
        }
        let known = self
            .scope
            .iter()
            .map(|bound| bound.name.as_str())
            .chain(self.vocabulary.root_names());
        let suggestion = suggest(name, known);
        self.problem(expr, format!("unknown name `{name}`{suggestion}"))
    }

    fn select(&mut self, expr: &IdedExpr, select: &SelectExpr) -> Option<Typed> {
        if let Expr::Ident(namespace) = &select.operand.expr
            && !self.scope.iter().any(|bound| bound.name == *namespace)
            && let Some(names) = self.vocabulary.find_namespace(namespace)
        {
            let path = format!("{namespace}.{}", select.field);
            let Some(named) = names.get(&select.field) else {
                let suggestion = suggest(&select.field, names.keys().map(String::as_str));
                return self.problem(expr, format!("unknown name `{path}`{suggestion}"));
            };
            return match named {
                Named::Constant(constant) => named_constant(constant),
                Named::Term(term) => self.term(expr, &term.compiled),
                Named::Faulty => {
                    self.faulty = true;
                    None
                }
            };
        }
        let (access, field, path) = self.access(expr, select)?;
        let mut typed = common(Shape::Field(access), &field.ty)?;
        typed.closed = field.closed_set;
        typed.path = path;
        Some(typed)
    }

    fn term(&mut self, expr: &IdedExpr, term: &Arc<Compiled>) -> Option<Typed> {
        self.deepest = self.deepest.max(self.depth.saturating_add(term.depth));
        if self.deepest > MAX_DEPTH {
            return self.problem(
                expr,
                format!(
                    "is nested too deeply: terms within terms, more than {MAX_DEPTH} operations"
                ),
            );
        }
        for read in &term.reads {
            self.read(read.clone());
        }
        common(
            Shape::Term(Arc::clone(term), self.places.of(expr)),
            &term.ty,
        )
    }

    /// The field that is selected, which object's, and the path as written.
    fn access(
        &mut self,
        expr: &IdedExpr,
        select: &SelectExpr,
    ) -> Option<(Access, Field, Option<String>)> {
        let object = self.checked(&select.operand)?;
        let Type::Object(of) = object.ty else {
            let message = format!(
                "`{}` is {}, which has no fields",
                self.shown(&select.operand),
                self.vocabulary.a(&object.ty)
            );
            return self.problem(expr, message);
        };
        let fields = self.vocabulary.fields(of);
        let found = fields
            .iter()
            .enumerate()
            .find(|(_, field)| field.name == select.field);
        let Some((index, field)) = found else {
            let suggestion = suggest(
                &select.field,
                fields.iter().map(|field| field.name.as_str()),
            );
            let message = format!(
                "{} has no field `{}`{suggestion}",
                self.vocabulary.a(&object.ty),
                select.field
            );
            return self.problem(expr, message);
        };
        let index = u16::try_from(index).ok()?;
        let Node::Object(ObjectNode(node)) = object.node else {
            return None;
        };
        let root = match &node {
            Common::Constant(object) => Some(*object),
            _ => None,
        };
        let path = object.path.map(|path| format!("{path}.{}", select.field));
        self.read(Read {
            object: of,
            field: index,
            path: path.clone().unwrap_or_else(|| self.shown(expr)),
            of: root,
        });
        let access = match node {
            Common::Constant(object) => Access::Of(object, index),
            Common::Variable(variable) => Access::Variable(variable, index),
            node => Access::Through(Box::new(ObjectNode(node)), index),
        };
        Some((access, field.clone(), path))
    }

    fn read(&mut self, read: Read) {
        if !self.reads.contains(&read) {
            self.reads.push(read);
        }
    }

    fn list(&mut self, expr: &IdedExpr, elements: &[IdedExpr]) -> Option<Typed> {
        let checked: Vec<_> = elements.iter().map(|item| self.checked(item)).collect();
        let items: Vec<Typed> = checked.into_iter().collect::<Option<_>>()?;
        let Some(first) = items.first() else {
            return self.problem(expr, "a list without items has no type");
        };
        let ty = first.ty.clone();
        let closed = first.closed;
        if Tag::of(&ty).is_none() {
            return self.problem(expr, "lists of lists are not supported");
        }
        for (item, element) in items.iter().zip(elements) {
            if item.ty != ty {
                let message = format!(
                    "`{}` is {}, and the list's first item is {}",
                    self.shown(element),
                    self.vocabulary.a(&item.ty),
                    self.vocabulary.a(&ty)
                );
                return self.problem(element, message);
            }
        }
        let closed = if items.iter().all(|item| item.closed == closed) {
            closed
        } else {
            &[]
        };
        let mut typed = Typed::new(
            Node::List(items_list(
                items.into_iter().map(|item| item.node).collect(),
            )),
            Type::list(ty),
        );
        typed.closed = closed;
        Some(typed)
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Typed> {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (op::CONDITIONAL, [condition, then, otherwise]) => {
                self.conditional(expr, condition, then, otherwise)
            }
            (op::LOGICAL_AND, [left, right]) => self.logical(true, left, right),
            (op::LOGICAL_OR, [left, right]) => self.logical(false, left, right),
            (op::LOGICAL_NOT, [of]) => self.not(expr, of),
            (op::NEGATE, [of]) => self.negate(expr, of),
            (op::IN, [item, list]) => self.is_in(expr, item, list),
            (op::INDEX, [list, index]) => self.index(expr, list, index),
            (name, [left, right]) if operators::is_comparison(name) => {
                self.comparison(expr, name, left, right)
            }
            (name, [left, right]) if operators::is_arithmetic(name) => {
                self.arithmetic(expr, name, left, right)
            }
            _ => self.function(expr, call),
        }
    }

    /// Evaluates a part all of whose parts are constant; a failure is a problem.
    fn folded(&mut self, expr: &IdedExpr, constant: bool, typed: Typed) -> Option<Typed> {
        if !constant {
            return Some(typed);
        }
        let mut run = Run::default();
        let node = match Evaluation::evaluate(&NoHost, &mut run, &typed.node) {
            Ok(value) => Node::from_value(value),
            Err(failure) => {
                let why = match failure {
                    Failure::DivisionByZero(_) => "a division by zero".to_owned(),
                    Failure::Overflow(_) => "out of range".to_owned(),
                    Failure::NotFinite(_) => "not finite".to_owned(),
                    Failure::Empty(_) => "an item that is not there".to_owned(),
                    other => other.to_string(),
                };
                return self.problem(expr, format!("the result is always {why}"));
            }
        };
        Some(match node {
            Some(node) => Typed { node, ..typed },
            None => typed,
        })
    }

    /// As written, shortened: what it is in a message.
    fn shown(&self, expr: &IdedExpr) -> String {
        match &expr.expr {
            Expr::Ident(name) => name.clone(),
            Expr::Select(select) => format!("{}.{}", self.shown(&select.operand), select.field),
            Expr::Literal(_) => self.places.written(expr).unwrap_or("…").to_owned(),
            Expr::Call(call) => match (&call.target, operators::written(&call.func_name)) {
                (_, Some(written)) => written.to_owned(),
                (Some(target), None) => format!("{}.{}(…)", self.shown(target), call.func_name),
                (None, None) => format!("{}(…)", call.func_name),
            },
            Expr::List(_) => "[…]".to_owned(),
            _ => "…".to_owned(),
        }
    }
}

/// What to write where one type is wanted and another found.
fn hint(found: &Type, wanted: &Type, shown: &str) -> String {
    match (found, wanted) {
        (Type::Int, Type::Double) if shown.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!(": write `{shown}.0`")
        }
        (Type::Int, Type::Double) => format!(": write `double({shown})`"),
        (Type::Double, Type::Int) => format!(": write `int({shown})`"),
        (Type::Duration, Type::Double) => format!(": write `seconds({shown})`"),
        (Type::Duration, Type::Int) => format!(": write `milliseconds({shown})`"),
        (Type::Int | Type::Double, Type::Duration) => {
            ": write a duration like `duration(\"20s\")`".to_owned()
        }
        _ => String::new(),
    }
}

fn constant(value: Value<'_>) -> Option<Typed> {
    let ty = match value {
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Double(_) => Type::Double,
        Value::Str(_) => Type::String,
        Value::Duration(_) => Type::Duration,
        Value::Timestamp(_) => Type::Timestamp,
        Value::Object(_) | Value::Handle(_) | Value::List(_) => return None,
    };
    Some(Typed::new(Node::from_value(value)?, ty))
}

fn named_constant(named: &Constant) -> Option<Typed> {
    let list = |list, item| Some(Typed::new(Node::List(list), Type::list(item)));
    constant(match named {
        Constant::Bool(value) => Value::Bool(*value),
        Constant::Int(value) => Value::Int(*value),
        Constant::Double(value) => Value::Double(*value),
        Constant::String(value) => Value::Str(value),
        Constant::Duration(value) => Value::Duration(*value),
        Constant::Timestamp(value) => Value::Timestamp(*value),
        Constant::Strings(values) => {
            let texts = values.iter().map(|text| text.as_str().into()).collect();
            return list(ListNode::Texts(texts), Type::String);
        }
        Constant::Ints(values) => {
            return list(
                ListNode::Wholes(values.as_slice().into(), Tag::Int),
                Type::Int,
            );
        }
        Constant::Handle(of, index) => {
            let node = Node::Handle(HandleNode(Common::Constant(*index)));
            return Some(Typed::new(node, Type::Handle(*of)));
        }
    })
}

/// What a node of any type can be, before its type is known.
#[derive(Debug)]
enum Shape {
    Variable(u16),
    Field(Access),
    Term(Arc<Compiled>, Position),
    Item(ListNode, WholeNode, Position),
    Call(crate::ir::Call),
}

impl Shape {
    fn of<T: Kind>(self, tag: Tag) -> Common<T> {
        match self {
            Shape::Variable(index) => Common::Variable(index),
            Shape::Field(access) => Common::Field(access, tag),
            Shape::Term(term, at) => Common::Term(term, at),
            Shape::Item(list, index, at) => Common::Item(Box::new((list, index)), at),
            Shape::Call(call) => Common::Call(Box::new(call), tag),
        }
    }
}

fn common(shape: Shape, ty: &Type) -> Option<Typed> {
    let node = match (ty, Tag::of(ty)) {
        (Type::List(item), _) => Node::List(match shape {
            Shape::Field(access) => ListNode::Field(access, Tag::of(item)?),
            Shape::Term(term, at) => ListNode::Term(term, at),
            Shape::Variable(_) | Shape::Item(..) | Shape::Call(_) => return None,
        }),
        (_, None) => return None,
        (_, Some(tag)) => match tag {
            Tag::Bool => Node::Bool(BoolNode::Common(shape.of(tag))),
            Tag::Int => Node::Int(WholeNode::Common(shape.of(tag))),
            Tag::Duration => Node::Duration(WholeNode::Common(shape.of(tag))),
            Tag::Timestamp => Node::Timestamp(WholeNode::Common(shape.of(tag))),
            Tag::Double => Node::Double(DoubleNode::Common(shape.of(tag))),
            Tag::Text => Node::Text(TextNode(shape.of(tag))),
            Tag::Object => Node::Object(ObjectNode(shape.of(tag))),
            Tag::Handle => Node::Handle(HandleNode(shape.of(tag))),
        },
    };
    Some(Typed::new(node, ty.clone()))
}

/// A list of items, as compact as can be.
fn items_list(items: Vec<Node>) -> ListNode {
    let texts: Option<Box<[Box<str>]>> = items
        .iter()
        .map(|item| item.constant_text().map(Into::into))
        .collect();
    if let Some(texts) = texts {
        return ListNode::Texts(texts);
    }
    let wholes: Option<Vec<(i64, Tag)>> = items
        .iter()
        .map(|item| match item {
            Node::Int(WholeNode::Common(Common::Constant(value))) => Some((*value, Tag::Int)),
            Node::Duration(WholeNode::Common(Common::Constant(value))) => {
                Some((*value, Tag::Duration))
            }
            Node::Timestamp(WholeNode::Common(Common::Constant(value))) => {
                Some((*value, Tag::Timestamp))
            }
            _ => None,
        })
        .collect();
    match wholes.as_deref() {
        Some([(_, tag), ..]) => {
            let tag = *tag;
            ListNode::Wholes(
                wholes
                    .into_iter()
                    .flatten()
                    .map(|(value, _)| value)
                    .collect(),
                tag,
            )
        }
        _ => ListNode::Items(items.into()),
    }
}

/// For folding constants, which ask nothing.
#[derive(Debug)]
struct NoHost;

impl Host for NoHost {
    fn field(&self, _: Object, _: u16) -> Result<Value<'_>, Missing> {
        Err(Missing::NotStated)
    }

    fn list_len(&self, _: Object, _: u16) -> usize {
        0
    }

    fn list_item(&self, _: Object, _: u16, _: usize) -> Value<'_> {
        Value::Bool(false)
    }

    fn call(&self, _: FunctionId, _: &[Value<'_>], _: &mut Run) -> Result<Value<'_>, Failure> {
        Err(Failure::Host("not while constants are folded".to_owned()))
    }
}
