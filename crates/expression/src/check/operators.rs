//! Operators: which types they take, and what they are lowered to.

use super::{Checker, ClosedSet, Shape, Typed, common, hint};
use crate::ir::{
    BoolNode, Common, Comparison, DoubleNode, DoubleOperator, Kind, ListNode, Node, Operand,
    TextSet, WholeNode, WholeOperator,
};
use crate::problem::suggest;
use crate::types::Type;
use cel::common::ast::{Expr, IdedExpr, operators as op};

/// An operator as it is written.
pub(super) fn written(name: &str) -> Option<&'static str> {
    Some(match name {
        op::CONDITIONAL => "… ? … : …",
        op::LOGICAL_AND => "… && …",
        op::LOGICAL_OR => "… || …",
        op::LOGICAL_NOT => "!…",
        op::NEGATE => "-…",
        op::IN => "… in …",
        op::INDEX => "…[…]",
        op::ADD => "… + …",
        op::SUBSTRACT => "… - …",
        op::MULTIPLY => "… * …",
        op::DIVIDE => "… / …",
        op::MODULO => "… % …",
        op::EQUALS => "… == …",
        op::NOT_EQUALS => "… != …",
        op::LESS => "… < …",
        op::LESS_EQUALS => "… <= …",
        op::GREATER => "… > …",
        op::GREATER_EQUALS => "… >= …",
        _ => return None,
    })
}

/// The operator alone, for messages.
fn symbol(name: &str) -> &'static str {
    written(name).map_or("this", |written| {
        written.trim_matches(|c: char| c == '…' || c == ' ')
    })
}

fn comparison_of(name: &str) -> Option<Comparison> {
    Some(match name {
        op::EQUALS => Comparison::Equal,
        op::NOT_EQUALS => Comparison::NotEqual,
        op::LESS => Comparison::Less,
        op::LESS_EQUALS => Comparison::LessOrEqual,
        op::GREATER => Comparison::Greater,
        op::GREATER_EQUALS => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

pub(super) fn is_comparison(name: &str) -> bool {
    comparison_of(name).is_some()
}

fn arithmetic_of(name: &str) -> Option<WholeOperator> {
    Some(match name {
        op::ADD => WholeOperator::Add,
        op::SUBSTRACT => WholeOperator::Subtract,
        op::MULTIPLY => WholeOperator::Multiply,
        op::DIVIDE => WholeOperator::Divide,
        op::MODULO => WholeOperator::Remainder,
        _ => return None,
    })
}

pub(super) fn is_arithmetic(name: &str) -> bool {
    arithmetic_of(name).is_some()
}

fn double_operator(operator: WholeOperator) -> Option<DoubleOperator> {
    Some(match operator {
        WholeOperator::Add => DoubleOperator::Add,
        WholeOperator::Subtract => DoubleOperator::Subtract,
        WholeOperator::Multiply => DoubleOperator::Multiply,
        WholeOperator::Divide => DoubleOperator::Divide,
        _ => return None,
    })
}

fn is_zero(node: &Node) -> bool {
    match node {
        Node::Int(WholeNode::Common(Common::Constant(value)))
        | Node::Duration(WholeNode::Common(Common::Constant(value))) => *value == 0,
        Node::Double(DoubleNode::Common(Common::Constant(value))) => *value == 0.0,
        _ => false,
    }
}

/// A text to be compared.
pub(super) fn operand(typed: Typed) -> Option<Operand> {
    match typed.node {
        Node::Text(text) => Some(Operand {
            text,
            lowered: typed.lowered,
        }),
        _ => None,
    }
}

impl Checker<'_> {
    pub(super) fn conditional(
        &mut self,
        expr: &IdedExpr,
        condition: &IdedExpr,
        then: &IdedExpr,
        otherwise: &IdedExpr,
    ) -> Option<Typed> {
        let condition = self.condition(condition, "before `?`, it");
        let then_typed = self.checked(then);
        let otherwise_typed = self.checked(otherwise);
        let (condition, left, right) = (condition?, then_typed?, otherwise_typed?);
        if left.ty != right.ty {
            let message = format!(
                "the two sides of `:` differ: `{}` is {}, `{}` is {}",
                self.shown(then),
                self.vocabulary.a(&left.ty),
                self.shown(otherwise),
                self.vocabulary.a(&right.ty)
            );
            return self.problem(expr, message);
        }
        if let BoolNode::Common(Common::Constant(holds)) = condition {
            return Some(if holds { left } else { right });
        }
        let closed = same(left.closed, right.closed);
        let node = match (left.node, right.node) {
            (Node::Bool(a), Node::Bool(b)) => Node::Bool(BoolNode::Common(either(condition, a, b))),
            (Node::Int(a), Node::Int(b)) => Node::Int(WholeNode::Common(either(condition, a, b))),
            (Node::Duration(a), Node::Duration(b)) => {
                Node::Duration(WholeNode::Common(either(condition, a, b)))
            }
            (Node::Timestamp(a), Node::Timestamp(b)) => {
                Node::Timestamp(WholeNode::Common(either(condition, a, b)))
            }
            (Node::Double(a), Node::Double(b)) => {
                Node::Double(DoubleNode::Common(either(condition, a, b)))
            }
            (Node::Text(a), Node::Text(b)) => {
                Node::Text(crate::ir::TextNode(either(condition, a, b)))
            }
            (Node::Object(a), Node::Object(b)) => {
                Node::Object(crate::ir::ObjectNode(either(condition, a, b)))
            }
            (Node::Handle(a), Node::Handle(b)) => {
                Node::Handle(crate::ir::HandleNode(either(condition, a, b)))
            }
            (Node::List(a), Node::List(b)) => Node::List(ListNode::If(Box::new((condition, a, b)))),
            _ => return None,
        };
        let mut typed = Typed::new(node, left.ty);
        typed.closed = closed;
        Some(typed)
    }

    pub(super) fn logical(
        &mut self,
        and: bool,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Option<Typed> {
        let by = if and { "`&&`" } else { "`||`" };
        let of = (self.condition(left, by), self.condition(right, by));
        let of = Box::new((of.0?, of.1?));
        let node = if and {
            BoolNode::And(of)
        } else {
            BoolNode::Or(of)
        };
        Some(Typed::new(Node::Bool(node), Type::Bool))
    }

    pub(super) fn not(&mut self, expr: &IdedExpr, of: &IdedExpr) -> Option<Typed> {
        let node = self.condition(of, "`!`")?;
        let constant = matches!(node, BoolNode::Common(Common::Constant(_)));
        let node = Node::Bool(BoolNode::Not(Box::new(node)));
        self.folded(expr, constant, Typed::new(node, Type::Bool))
    }

    pub(super) fn negate(&mut self, expr: &IdedExpr, of: &IdedExpr) -> Option<Typed> {
        let typed = self.checked(of)?;
        let constant = typed.node.is_constant();
        let at = self.places.of(expr);
        let node = match typed.node {
            Node::Int(node) => Node::Int(WholeNode::Negate(Box::new(node), at)),
            Node::Duration(node) => Node::Duration(WholeNode::Negate(Box::new(node), at)),
            Node::Double(node) => Node::Double(DoubleNode::Negate(Box::new(node))),
            _ => {
                let message = format!(
                    "`{}` is {}; `-` takes an int, a double or a duration",
                    self.shown(of),
                    self.vocabulary.a(&typed.ty)
                );
                return self.problem(expr, message);
            }
        };
        self.folded(expr, constant, Typed::new(node, typed.ty))
    }

    pub(super) fn comparison(
        &mut self,
        expr: &IdedExpr,
        name: &str,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Option<Typed> {
        let comparison = comparison_of(name)?;
        let (a, b) = (self.check(left), self.check(right));
        let (a, b) = (a?, b?);
        if a.ty != b.ty {
            return self.differ(expr, name, (left, &a.ty), (right, &b.ty));
        }
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if equality {
            self.possible(left, &a, right, &b)?;
        }
        let constant = a.node.is_constant() && b.node.is_constant();
        let ty = a.ty.clone();
        let node = match (a.node, b.node) {
            (Node::Bool(a), Node::Bool(b)) if equality => {
                BoolNode::Bools(Box::new((a, b)), comparison == Comparison::NotEqual)
            }
            (Node::Int(a), Node::Int(b))
            | (Node::Duration(a), Node::Duration(b))
            | (Node::Timestamp(a), Node::Timestamp(b)) => {
                BoolNode::Wholes(comparison, Box::new((a, b)))
            }
            (Node::Double(a), Node::Double(b)) => BoolNode::Doubles(comparison, Box::new((a, b))),
            (Node::Text(text), Node::Text(other)) => BoolNode::Texts(
                comparison,
                Box::new((
                    Operand {
                        text,
                        lowered: a.lowered,
                    },
                    Operand {
                        text: other,
                        lowered: b.lowered,
                    },
                )),
            ),
            _ => {
                let message = format!(
                    "`{}` cannot compare {}{}",
                    symbol(name),
                    self.vocabulary.a(&ty),
                    match ty {
                        Type::Bool => " and another: only `==` and `!=` can",
                        Type::Object(_) => " and another: compare a field",
                        _ => " and another",
                    }
                );
                return self.problem(expr, message);
            }
        };
        self.folded(expr, constant, Typed::new(Node::Bool(node), Type::Bool))
    }

    /// Refuses to compare with a text that the other side never is.
    fn possible(&mut self, left: &IdedExpr, a: &Typed, right: &IdedExpr, b: &Typed) -> Option<()> {
        let mut possible = Some(());
        for (of, typed, literal, other) in [(left, a, right, b), (right, b, left, a)] {
            if let Some(text) = other.node.constant_text()
                && self.never(of, typed, literal, text)
            {
                possible = None;
            }
        }
        possible
    }

    /// Tells a problem where `typed` is of a closed set without `text`.
    fn never(&mut self, of: &IdedExpr, typed: &Typed, at: &IdedExpr, text: &str) -> bool {
        let set: ClosedSet = typed.closed;
        if typed.lowered || set.is_empty() || set.contains(&text) {
            return false;
        }
        let suggestion = suggest(text, set.iter().copied());
        let message = format!("`{}` is never {text:?}{suggestion}", self.shown(of));
        self.problem::<()>(at, message).is_none()
    }

    fn differ<T>(
        &mut self,
        expr: &IdedExpr,
        name: &str,
        (left, a): (&IdedExpr, &Type),
        (right, b): (&IdedExpr, &Type),
    ) -> Option<T> {
        let help = [
            hint(b, a, &self.shown(right)),
            hint(a, b, &self.shown(left)),
        ]
        .into_iter()
        .find(|hint| !hint.is_empty())
        .unwrap_or_default();
        let message = format!(
            "`{}` is {}, `{}` {}: `{}` does not take them together{}",
            self.shown(left),
            self.vocabulary.a(a),
            self.shown(right),
            self.vocabulary.a(b),
            symbol(name),
            help.replacen(':', ";", 1)
        );
        self.problem(expr, message)
    }

    pub(super) fn arithmetic(
        &mut self,
        expr: &IdedExpr,
        name: &str,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Option<Typed> {
        let operator = arithmetic_of(name)?;
        let at = self.places.of(expr);
        let (a, b) = (self.checked(left), self.checked(right));
        let (a, b) = (a?, b?);
        let constant = a.node.is_constant() && b.node.is_constant();
        let divides = matches!(operator, WholeOperator::Divide | WholeOperator::Remainder);
        if divides && is_zero(&b.node) {
            return self.problem(expr, "the result is always a division by zero");
        }
        let (left_type, right_type) = (a.ty, b.ty);
        let binary = |operator, a, b| WholeNode::Binary(operator, Box::new((a, b)), at);
        let (node, ty) = match (a.node, operator, b.node) {
            (Node::Int(a), _, Node::Int(b)) => (Node::Int(binary(operator, a, b)), Type::Int),
            (Node::Double(a), _, Node::Double(b)) => {
                let Some(operator) = double_operator(operator) else {
                    return self.problem(expr, "`%` takes two ints, not doubles");
                };
                let node = DoubleNode::Binary(operator, Box::new((a, b)), at);
                (Node::Double(node), Type::Double)
            }
            (
                Node::Duration(a),
                WholeOperator::Add | WholeOperator::Subtract,
                Node::Duration(b),
            )
            | (Node::Duration(a), WholeOperator::Multiply | WholeOperator::Divide, Node::Int(b))
            | (Node::Int(a), WholeOperator::Multiply, Node::Duration(b)) => {
                (Node::Duration(binary(operator, a, b)), Type::Duration)
            }
            (Node::Duration(a), WholeOperator::Divide, Node::Duration(b)) => {
                let node = DoubleNode::Ratio(Box::new((a, b)), at);
                (Node::Double(node), Type::Double)
            }
            (Node::Timestamp(a), WholeOperator::Add, Node::Duration(b))
            | (Node::Duration(b), WholeOperator::Add, Node::Timestamp(a)) => (
                Node::Timestamp(binary(WholeOperator::Later, a, b)),
                Type::Timestamp,
            ),
            (Node::Timestamp(a), WholeOperator::Subtract, Node::Duration(b)) => (
                Node::Timestamp(binary(WholeOperator::Earlier, a, b)),
                Type::Timestamp,
            ),
            (Node::Timestamp(a), WholeOperator::Subtract, Node::Timestamp(b)) => (
                Node::Duration(binary(WholeOperator::Between, a, b)),
                Type::Duration,
            ),
            (Node::Text(_), _, Node::Text(_)) => {
                return self.problem(expr, "texts are compared, never built");
            }
            (Node::List(_), _, Node::List(_)) => {
                return self.problem(expr, "lists cannot be put together");
            }
            _ => return self.differ(expr, name, (left, &left_type), (right, &right_type)),
        };
        self.folded(expr, constant, Typed::new(node, ty))
    }

    pub(super) fn is_in(
        &mut self,
        expr: &IdedExpr,
        item: &IdedExpr,
        list: &IdedExpr,
    ) -> Option<Typed> {
        let (a, b) = (self.check(item), self.checked(list));
        let (a, b) = (a?, b?);
        let Type::List(item_type) = &b.ty else {
            let message = format!(
                "`{}` is {}; `in` takes a list on its right",
                self.shown(list),
                self.vocabulary.a(&b.ty)
            );
            return self.problem(list, message);
        };
        if **item_type != a.ty {
            let message = format!(
                "`{}` is {}, and `{}` is {}",
                self.shown(item),
                self.vocabulary.a(&a.ty),
                self.shown(list),
                self.vocabulary.a(&b.ty)
            );
            return self.problem(expr, message);
        }
        if matches!(a.ty, Type::Object(_) | Type::Handle(_)) {
            return self.problem(
                expr,
                "`in` compares texts, numbers, durations and instants; for objects use exists()",
            );
        }
        self.possible_in(item, &a, list, &b)?;
        let constant = a.node.is_constant() && b.node.is_constant();
        let node = match (a.node, b.node) {
            (Node::Text(text), Node::List(ListNode::Texts(texts))) => {
                let operand = Operand {
                    text,
                    lowered: a.lowered,
                };
                BoolNode::InTexts(Box::new(operand), TextSet::new(texts))
            }
            (Node::Text(_), _) if a.lowered => {
                return self.problem(
                    expr,
                    "lowerAscii() before `in` takes a list of constant texts after it",
                );
            }
            (
                Node::Int(node) | Node::Duration(node) | Node::Timestamp(node),
                Node::List(ListNode::Wholes(mut values, _)),
            ) => {
                values.sort_unstable();
                BoolNode::InWholes(Box::new(node), values)
            }
            (node, Node::List(list)) => BoolNode::InList(Box::new((node, list))),
            _ => return None,
        };
        self.folded(expr, constant, Typed::new(Node::Bool(node), Type::Bool))
    }

    fn possible_in(
        &mut self,
        item: &IdedExpr,
        a: &Typed,
        list: &IdedExpr,
        b: &Typed,
    ) -> Option<()> {
        let mut never = false;
        if let Node::List(ListNode::Texts(texts)) = &b.node {
            for (index, text) in texts.iter().enumerate() {
                let at = match &list.expr {
                    Expr::List(literal) => literal.elements.get(index).unwrap_or(list),
                    _ => list,
                };
                never |= self.never(item, a, at, text);
            }
        }
        if let Some(text) = a.node.constant_text() {
            never |= self.never(list, b, item, text);
        }
        (!never).then_some(())
    }

    pub(super) fn index(
        &mut self,
        expr: &IdedExpr,
        list: &IdedExpr,
        index: &IdedExpr,
    ) -> Option<Typed> {
        let list_typed = self.checked(list);
        let index_typed = self.wanted(index, &Type::Int, "`[…]`");
        let (list_typed, index_typed) = (list_typed?, index_typed?);
        let Type::List(item) = &list_typed.ty else {
            let message = format!(
                "`{}` is {}; `[…]` takes a list",
                self.shown(list),
                self.vocabulary.a(&list_typed.ty)
            );
            return self.problem(expr, message);
        };
        let constant = list_typed.node.is_constant() && index_typed.node.is_constant();
        let (Node::List(list), Node::Int(index)) = (list_typed.node, index_typed.node) else {
            return None;
        };
        let mut typed = common(Shape::Item(list, index, self.places.of(expr)), item)?;
        typed.closed = list_typed.closed;
        self.folded(expr, constant, typed)
    }
}

fn either<T: Kind>(condition: BoolNode, then: T, otherwise: T) -> Common<T> {
    Common::If(Box::new((condition, then, otherwise)))
}

/// The closed set of what is one or the other.
pub(super) fn same(a: ClosedSet, b: ClosedSet) -> ClosedSet {
    if a == b { a } else { &[] }
}
