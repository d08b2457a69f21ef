//! What an expression is lowered to: a tree whose node types carry the types of the values, so that a well-typed
//! expression is the only one that can be written down, and evaluating it asks no type again.
//!
//! Whole numbers, durations (ms) and instants (µs) share one kind of node: all are 64-bit integers, and the checker has
//! decided what may meet what.

use crate::Read;
use crate::host::{Host, Position};
use crate::types::{FunctionId, Object, Type, Value};
use regex::Regex;
use std::sync::Arc;

/// A compiled expression; shared by those that use it as a term.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) text: String,
    pub(crate) ty: Type,
    pub(crate) reads: Vec<Read>,
    pub(crate) node: Node,
    /// How deep evaluating it recurses, its terms included.
    pub(crate) depth: u32,
}

/// A node of any type.
#[derive(Debug)]
pub(crate) enum Node {
    Bool(BoolNode),
    Int(WholeNode),
    Duration(WholeNode),
    Timestamp(WholeNode),
    Double(DoubleNode),
    Text(TextNode),
    Object(ObjectNode),
    Handle(HandleNode),
    List(ListNode),
}

/// Which variant of [`Value`] is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    Bool,
    Int,
    Double,
    Text,
    Duration,
    Timestamp,
    Object,
    Handle,
}

impl Tag {
    /// Of every type but lists.
    pub(crate) fn of(ty: &Type) -> Option<Tag> {
        Some(match ty {
            Type::Bool => Tag::Bool,
            Type::Int => Tag::Int,
            Type::Double => Tag::Double,
            Type::String => Tag::Text,
            Type::Duration => Tag::Duration,
            Type::Timestamp => Tag::Timestamp,
            Type::Object(_) => Tag::Object,
            Type::Handle(_) => Tag::Handle,
            Type::List(_) => return None,
        })
    }

    pub(crate) fn fits(self, value: Value<'_>) -> bool {
        matches!(
            (self, value),
            (Tag::Bool, Value::Bool(_))
                | (Tag::Int, Value::Int(_))
                | (Tag::Double, Value::Double(_))
                | (Tag::Text, Value::Str(_))
                | (Tag::Duration, Value::Duration(_))
                | (Tag::Timestamp, Value::Timestamp(_))
                | (Tag::Object, Value::Object(_))
                | (Tag::Handle, Value::Handle(_))
        )
    }
}

/// A kind of node: the type of what it evaluates to.
pub(crate) trait Kind: Sized + 'static {
    /// A constant as it is kept.
    type Constant: std::fmt::Debug;
    /// A value as it is handed around.
    type Out<'h>: Copy;

    fn constant(constant: &Self::Constant) -> Self::Out<'_>;
    /// The value out of the variant that is its own.
    fn of(value: Value<'_>) -> Option<Self::Out<'_>>;
    /// The node out of the variant that is its own.
    fn of_node(node: &Node) -> Option<&Self>;
    fn evaluate<'h, H: Host>(
        &'h self,
        evaluation: &mut crate::evaluate::Evaluation<'h, '_, H>,
        scope: crate::evaluate::Scope<'_, 'h>,
    ) -> Result<Self::Out<'h>, crate::evaluate::Stopped>;
}

/// What every kind of node can be.
#[derive(Debug)]
pub(crate) enum Common<T: Kind> {
    Constant(T::Constant),
    /// A macro's variable: 0 is the innermost.
    Variable(u16),
    Field(Access, Tag),
    /// Condition, then, else.
    If(Box<(BoolNode, T, T)>),
    /// The second where the first reads something not stated; with `note`, the run keeps what.
    OrElse {
        of: Box<(T, T)>,
        note: bool,
    },
    Item(Box<(ListNode, WholeNode)>, Position),
    Call(Box<Call>, Tag),
    Term(Arc<Compiled>, Position),
}

/// Which object's which field.
#[derive(Debug)]
pub(crate) enum Access {
    Of(Object, u16),
    Variable(u16, u16),
    Through(Box<ObjectNode>, u16),
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) function: FunctionId,
    pub(crate) arguments: Box<[Node]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantifier {
    All,
    Exists,
    ExistsOne,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

/// A text that is compared: as it is, or with A–Z as a–z.
#[derive(Debug)]
pub(crate) struct Operand {
    pub(crate) text: TextNode,
    pub(crate) lowered: bool,
}

/// Texts by length, then content: a look-up compares few bytes.
#[derive(Debug)]
pub(crate) struct TextSet(Box<[Box<str>]>);

impl TextSet {
    pub(crate) fn new(texts: impl IntoIterator<Item = Box<str>>) -> TextSet {
        let mut texts: Vec<_> = texts.into_iter().collect();
        texts.sort_unstable_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        texts.dedup();
        TextSet(texts.into())
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        self.0
            .binary_search_by(|one| {
                one.len()
                    .cmp(&text.len())
                    .then_with(|| one.as_bytes().cmp(text.as_bytes()))
            })
            .is_ok()
    }
}

#[derive(Debug)]
pub(crate) enum BoolNode {
    Common(Common<BoolNode>),
    Not(Box<BoolNode>),
    And(Box<(BoolNode, BoolNode)>),
    Or(Box<(BoolNode, BoolNode)>),
    Has(Access),
    /// Equal, or with `true` unequal.
    Bools(Box<(BoolNode, BoolNode)>, bool),
    Wholes(Comparison, Box<(WholeNode, WholeNode)>),
    Doubles(Comparison, Box<(DoubleNode, DoubleNode)>),
    Texts(Comparison, Box<(Operand, Operand)>),
    /// In a sorted list.
    InWholes(Box<WholeNode>, Box<[i64]>),
    InTexts(Box<Operand>, TextSet),
    InList(Box<(Node, ListNode)>),
    TextTest(TextTest, Box<(Operand, Operand)>),
    Matches(Box<(Operand, Regex)>),
    Quantifier(Quantifier, Box<(ListNode, BoolNode)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WholeOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    /// An instant and a duration.
    Later,
    /// An instant less a duration.
    Earlier,
    /// The duration from the second instant to the first.
    Between,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DoubleOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extreme {
    Min,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fold {
    Sum,
    Extreme(Extreme),
}

#[derive(Debug)]
pub(crate) enum WholeNode {
    Common(Common<WholeNode>),
    Negate(Box<WholeNode>, Position),
    Binary(WholeOperator, Box<(WholeNode, WholeNode)>, Position),
    Extreme(Extreme, Box<[WholeNode]>, Position),
    Fold(Fold, Box<ListNode>, Position),
    Size(Box<ListNode>),
    TextSize(Box<TextNode>),
    Truncate(Box<DoubleNode>, Position),
}

#[derive(Debug)]
pub(crate) enum DoubleNode {
    Common(Common<DoubleNode>),
    Negate(Box<DoubleNode>),
    Binary(DoubleOperator, Box<(DoubleNode, DoubleNode)>, Position),
    Extreme(Extreme, Box<[DoubleNode]>, Position),
    Fold(Fold, Box<ListNode>, Position),
    FromInt(Box<WholeNode>),
    Seconds(Box<WholeNode>),
    /// One duration by another.
    Ratio(Box<(WholeNode, WholeNode)>, Position),
}

#[derive(Debug)]
pub(crate) struct TextNode(pub(crate) Common<TextNode>);

#[derive(Debug)]
pub(crate) struct ObjectNode(pub(crate) Common<ObjectNode>);

#[derive(Debug)]
pub(crate) struct HandleNode(pub(crate) Common<HandleNode>);

/// A list is never built: whoever wants its items visits them one by one.
#[derive(Debug)]
pub(crate) enum ListNode {
    Field(Access, Tag),
    Wholes(Box<[i64]>, Tag),
    Texts(Box<[Box<str>]>),
    Items(Box<[Node]>),
    Filter(Box<(ListNode, BoolNode)>),
    /// Over which range, of which of them, what of each.
    Map(Box<(ListNode, Option<BoolNode>, Node)>),
    If(Box<(BoolNode, ListNode, ListNode)>),
    Term(Arc<Compiled>, Position),
}

impl ListNode {
    /// Whether visiting all of it cannot fail, so that a visit may end early without hiding a failure.
    pub(crate) fn is_plain(&self) -> bool {
        match self {
            ListNode::Field(..) | ListNode::Wholes(..) | ListNode::Texts(_) => true,
            ListNode::Items(items) => items.iter().all(Node::is_constant),
            ListNode::Filter(_) | ListNode::Map(_) | ListNode::If(_) | ListNode::Term(..) => false,
        }
    }
}

impl Node {
    pub(crate) fn is_constant(&self) -> bool {
        match self {
            Node::Bool(node) => matches!(node, BoolNode::Common(Common::Constant(_))),
            Node::Int(node) | Node::Duration(node) | Node::Timestamp(node) => {
                matches!(node, WholeNode::Common(Common::Constant(_)))
            }
            Node::Double(node) => matches!(node, DoubleNode::Common(Common::Constant(_))),
            Node::Text(node) => matches!(node.0, Common::Constant(_)),
            Node::Handle(node) => matches!(node.0, Common::Constant(_)),
            // The object is known, what is in it is not.
            Node::Object(_) => false,
            Node::List(node) => match node {
                ListNode::Wholes(..) | ListNode::Texts(_) => true,
                ListNode::Items(items) => items.iter().all(Node::is_constant),
                _ => false,
            },
        }
    }

    /// The node of a constant; none for objects and lists.
    pub(crate) fn from_value(value: Value<'_>) -> Option<Node> {
        let whole = |value| WholeNode::Common(Common::Constant(value));
        Some(match value {
            Value::Bool(value) => Node::Bool(BoolNode::Common(Common::Constant(value))),
            Value::Int(value) => Node::Int(whole(value)),
            Value::Duration(value) => Node::Duration(whole(value)),
            Value::Timestamp(value) => Node::Timestamp(whole(value)),
            Value::Double(value) => Node::Double(DoubleNode::Common(Common::Constant(value))),
            Value::Str(value) => Node::Text(TextNode(Common::Constant(value.into()))),
            Value::Handle(value) => Node::Handle(HandleNode(Common::Constant(value))),
            Value::Object(_) | Value::List(_) => return None,
        })
    }

    /// The constant text, if it is one.
    pub(crate) fn constant_text(&self) -> Option<&str> {
        match self {
            Node::Text(TextNode(Common::Constant(text))) => Some(text),
            _ => None,
        }
    }
}
