//! A walk over the tree. It hands `Copy` values up, allocates nothing (but for `lowerAscii` of a text with capitals, and
//! for what `orZero` notes), and pays one step for each node and item it visits. How deep it recurses is bounded by the
//! checker.

mod conditions;
mod numbers;

use crate::host::{Failure, Host, Missing, Position, Run};
use crate::ir::{
    Access, BoolNode, Call, Common, HandleNode, Kind, ListNode, Node, ObjectNode, Operand,
    Quantifier, Tag, TextNode,
};
use crate::types::{Object, Value};
use crate::vocabulary::MAX_ARGUMENTS;
use std::borrow::Cow;
use std::ops::ControlFlow;

/// The macros' variables, innermost first.
pub(crate) type Scope<'s, 'h> = Option<&'s Bound<'s, 'h>>;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound<'s, 'h> {
    value: Value<'h>,
    outer: Scope<'s, 'h>,
}

#[derive(Debug)]
pub(crate) struct Evaluation<'h, 'r, H> {
    host: &'h H,
    run: &'r mut Run,
    failure: Option<Failure>,
}

/// There is no value; why is in [`Evaluation`]. So a result fits into two registers, which is half the time it takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopped;

/// What is done with each item of a list.
type Visit<'v, 'h, 'r, H> =
    &'v mut dyn FnMut(&mut Evaluation<'h, 'r, H>, Value<'h>) -> Result<ControlFlow<()>, Stopped>;

impl<'h, 'r, H: Host> Evaluation<'h, 'r, H> {
    /// Evaluates a whole expression.
    pub(crate) fn evaluate(
        host: &'h H,
        run: &'r mut Run,
        node: &'h Node,
    ) -> Result<Value<'h>, Failure> {
        let mut evaluation = Evaluation {
            host,
            run,
            failure: None,
        };
        evaluation.value(node, None).map_err(|Stopped| {
            // Whoever stops says why.
            evaluation.failure.unwrap_or(Failure::TooMuchWork)
        })
    }

    #[inline]
    fn stopped(&mut self, failure: Failure) -> Stopped {
        self.failure = Some(failure);
        Stopped
    }

    /// The host answered what the vocabulary rules out.
    #[cold]
    fn broken(&mut self, what: &str) -> Stopped {
        self.stopped(Failure::Host(format!(
            "the host's {what} is not of the stated type"
        )))
    }

    #[inline]
    fn spend(&mut self) -> Result<(), Stopped> {
        match self.run.steps.checked_sub(1) {
            Some(left) => {
                self.run.steps = left;
                Ok(())
            }
            None => Err(self.stopped(Failure::TooMuchWork)),
        }
    }

    /// What it costs to look through the whole of a text, `weight` bytes for a step.
    fn spend_on(&mut self, text: &str, weight: usize) -> Result<(), Stopped> {
        let steps = u32::try_from(text.len() / weight).unwrap_or(u32::MAX);
        self.run
            .spend(steps)
            .map_err(|failure| self.stopped(failure))
    }

    /// Places the failure at the use of the term within which it happened.
    #[cold]
    fn placed(&mut self, at: Position) -> Stopped {
        self.failure = self.failure.take().map(|failure| failure.placed(at));
        Stopped
    }

    fn variable(&mut self, mut scope: Scope<'_, 'h>, index: u16) -> Result<Value<'h>, Stopped> {
        for _ in 0..index {
            scope = scope.and_then(|bound| bound.outer);
        }
        scope
            .map(|bound| bound.value)
            .ok_or_else(|| self.broken("variable"))
    }

    fn value(&mut self, node: &'h Node, scope: Scope<'_, 'h>) -> Result<Value<'h>, Stopped> {
        Ok(match node {
            Node::Bool(node) => Value::Bool(node.evaluate(self, scope)?),
            Node::Int(node) => Value::Int(node.evaluate(self, scope)?),
            Node::Duration(node) => Value::Duration(node.evaluate(self, scope)?),
            Node::Timestamp(node) => Value::Timestamp(node.evaluate(self, scope)?),
            Node::Double(node) => Value::Double(node.evaluate(self, scope)?),
            Node::Text(node) => Value::Str(node.evaluate(self, scope)?),
            Node::Object(node) => Value::Object(node.evaluate(self, scope)?),
            Node::Handle(node) => Value::Handle(node.evaluate(self, scope)?),
            Node::List(node) => Value::List(self.size(node, scope)?),
        })
    }

    #[inline]
    fn common<T: Kind>(
        &mut self,
        node: &'h Common<T>,
        scope: Scope<'_, 'h>,
    ) -> Result<T::Out<'h>, Stopped> {
        match node {
            Common::Constant(constant) => Ok(T::constant(constant)),
            Common::Variable(index) => {
                let value = self.variable(scope, *index)?;
                T::of(value).ok_or_else(|| self.broken("item"))
            }
            Common::Field(access, tag) => {
                let (object, field) = self.access(access, scope)?;
                let value = self.field(object, field)?;
                match T::of(value) {
                    Some(value_of_kind) if tag.fits(value) => Ok(value_of_kind),
                    _ => Err(self.broken("field")),
                }
            }
            Common::If(of) => {
                let (condition, then, otherwise) = &**of;
                if condition.evaluate(self, scope)? {
                    then.evaluate(self, scope)
                } else {
                    otherwise.evaluate(self, scope)
                }
            }
            Common::OrElse { of, note } => match of.0.evaluate(self, scope) {
                Err(Stopped) => {
                    match self.failure {
                        Some(Failure::NotStated { object, field }) => {
                            if *note {
                                self.run.note(object, field);
                            }
                        }
                        Some(Failure::Empty(_)) => {}
                        _ => return Err(Stopped),
                    }
                    self.failure = None;
                    of.1.evaluate(self, scope)
                }
                value => value,
            },
            Common::Item(of, at) => {
                let index = of.1.evaluate(self, scope)?;
                let mut found = None;
                let mut seen: i64 = 0;
                let plain = of.0.is_plain();
                self.each(&of.0, scope, &mut |_, value| {
                    if seen == index {
                        found = Some(value);
                    }
                    seen += 1;
                    Ok(ends(plain && found.is_some()))
                })?;
                let value = found.ok_or_else(|| self.stopped(Failure::Empty(*at)))?;
                T::of(value).ok_or_else(|| self.broken("item"))
            }
            Common::Call(call, tag) => {
                let value = self.call(call, scope)?;
                match T::of(value) {
                    Some(value_of_kind) if tag.fits(value) && finite(value) => Ok(value_of_kind),
                    _ => Err(self.broken("function's result")),
                }
            }
            Common::Term(term, at) => {
                let node = T::of_node(&term.node).ok_or_else(|| self.broken("term"))?;
                node.evaluate(self, None)
                    .map_err(|Stopped| self.placed(*at))
            }
        }
    }

    fn call(&mut self, call: &'h Call, scope: Scope<'_, 'h>) -> Result<Value<'h>, Stopped> {
        let mut arguments = [Value::Bool(false); MAX_ARGUMENTS];
        for (value, node) in arguments.iter_mut().zip(&*call.arguments) {
            *value = self.value(node, scope)?;
        }
        let count = call.arguments.len().min(MAX_ARGUMENTS);
        self.host
            .call(call.function, &arguments[..count], self.run)
            .map_err(|failure| self.stopped(failure))
    }

    #[inline]
    fn access(
        &mut self,
        access: &'h Access,
        scope: Scope<'_, 'h>,
    ) -> Result<(Object, u16), Stopped> {
        Ok(match access {
            Access::Of(object, field) => (*object, *field),
            Access::Variable(index, field) => match self.variable(scope, *index)? {
                Value::Object(object) => (object, *field),
                _ => return Err(self.broken("item")),
            },
            Access::Through(object, field) => (object.evaluate(self, scope)?, *field),
        })
    }

    #[inline]
    fn field(&mut self, object: Object, field: u16) -> Result<Value<'h>, Stopped> {
        match self.host.field(object, field) {
            Ok(value) if finite(value) => Ok(value),
            Ok(_) => Err(self.broken("field")),
            Err(Missing::NotStated) => Err(self.stopped(Failure::NotStated { object, field })),
            Err(Missing::Implausible(millis)) => Err(self.stopped(Failure::Implausible { millis })),
        }
    }

    fn text(
        &mut self,
        operand: &'h Operand,
        scope: Scope<'_, 'h>,
    ) -> Result<Cow<'h, str>, Stopped> {
        let text = operand.text.evaluate(self, scope)?;
        if operand.lowered {
            self.spend_on(text, 8)?;
        }
        Ok(
            if operand.lowered && text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                Cow::Owned(text.to_ascii_lowercase())
            } else {
                Cow::Borrowed(text)
            },
        )
    }

    /// Visits the items in order until `visit` breaks.
    fn each(
        &mut self,
        list: &'h ListNode,
        scope: Scope<'_, 'h>,
        visit: Visit<'_, 'h, 'r, H>,
    ) -> Result<(), Stopped> {
        match list {
            ListNode::Field(access, tag) => {
                let (object, field) = self.access(access, scope)?;
                for index in 0..self.host.list_len(object, field) {
                    self.spend()?;
                    let value = self.host.list_item(object, field, index);
                    if !tag.fits(value) || !finite(value) {
                        return Err(self.broken("item"));
                    }
                    if visit(self, value)?.is_break() {
                        return Ok(());
                    }
                }
            }
            ListNode::Wholes(items, tag) => {
                for item in items {
                    self.spend()?;
                    let value = match tag {
                        Tag::Duration => Value::Duration(*item),
                        Tag::Timestamp => Value::Timestamp(*item),
                        _ => Value::Int(*item),
                    };
                    if visit(self, value)?.is_break() {
                        return Ok(());
                    }
                }
            }
            ListNode::Texts(items) => {
                for item in items {
                    self.spend()?;
                    if visit(self, Value::Str(item))?.is_break() {
                        return Ok(());
                    }
                }
            }
            ListNode::Items(items) => {
                for item in items {
                    let value = self.value(item, scope)?;
                    if visit(self, value)?.is_break() {
                        return Ok(());
                    }
                }
            }
            ListNode::Filter(of) => {
                let (range, condition) = &**of;
                return self.each(range, scope, &mut |evaluation, value| {
                    let inner = Bound {
                        value,
                        outer: scope,
                    };
                    if condition.evaluate(evaluation, Some(&inner))? {
                        visit(evaluation, value)
                    } else {
                        Ok(ControlFlow::Continue(()))
                    }
                });
            }
            ListNode::Map(of) => {
                let (range, condition, item) = &**of;
                return self.each(range, scope, &mut |evaluation, value| {
                    let inner = Bound {
                        value,
                        outer: scope,
                    };
                    if let Some(condition) = condition
                        && !condition.evaluate(evaluation, Some(&inner))?
                    {
                        return Ok(ControlFlow::Continue(()));
                    }
                    let value = evaluation.value(item, Some(&inner))?;
                    visit(evaluation, value)
                });
            }
            ListNode::If(of) => {
                let (condition, then, otherwise) = &**of;
                let list = if condition.evaluate(self, scope)? {
                    then
                } else {
                    otherwise
                };
                return self.each(list, scope, visit);
            }
            ListNode::Term(term, at) => {
                let Node::List(list) = &term.node else {
                    return Err(self.broken("term"));
                };
                // A failure of the visitor's own has its place already: only those of the list are placed here.
                let mut own = false;
                let visited = self.each(list, None, &mut |evaluation, value| {
                    visit(evaluation, value).inspect_err(|Stopped| own = true)
                });
                return match visited {
                    Err(Stopped) if !own => Err(self.placed(*at)),
                    visited => visited,
                };
            }
        }
        Ok(())
    }

    fn size(&mut self, list: &'h ListNode, scope: Scope<'_, 'h>) -> Result<usize, Stopped> {
        if let ListNode::Field(access, _) = list {
            self.spend()?;
            let (object, field) = self.access(access, scope)?;
            return Ok(self.host.list_len(object, field));
        }
        let mut items = 0;
        self.each(list, scope, &mut |_, _| {
            items += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(items)
    }

    /// `all` and `exists` absorb the failures of items that do not decide, as `&&` and `||` do.
    fn quantifier(
        &mut self,
        quantifier: Quantifier,
        range: &'h ListNode,
        condition: &'h BoolNode,
        scope: Scope<'_, 'h>,
    ) -> Result<bool, Stopped> {
        let plain = range.is_plain();
        let mut held = 0_usize;
        let mut decided = false;
        let mut failed = None;
        self.each(range, scope, &mut |evaluation, value| {
            if decided {
                // What is left of the range may yet fail.
                return Ok(ControlFlow::Continue(()));
            }
            let inner = Bound {
                value,
                outer: scope,
            };
            if let Ok(holds) = condition.evaluate(evaluation, Some(&inner)) {
                held += usize::from(holds);
                decided = match quantifier {
                    Quantifier::All => !holds,
                    Quantifier::Exists => holds,
                    Quantifier::ExistsOne => false,
                };
            } else {
                let failure = evaluation.failure.take();
                if quantifier == Quantifier::ExistsOne || failure == Some(Failure::TooMuchWork) {
                    evaluation.failure = failure;
                    return Err(Stopped);
                }
                failed = failed.take().or(failure);
            }
            Ok(ends(plain && decided))
        })?;
        match (failed, quantifier) {
            (Some(failure), _) if !decided => Err(self.stopped(failure)),
            (_, Quantifier::All) => Ok(!decided),
            (_, Quantifier::Exists) => Ok(decided),
            (_, Quantifier::ExistsOne) => Ok(held == 1),
        }
    }

    fn is_in(
        &mut self,
        node: &'h Node,
        list: &'h ListNode,
        scope: Scope<'_, 'h>,
    ) -> Result<bool, Stopped> {
        let wanted = self.value(node, scope)?;
        let plain = list.is_plain();
        let mut found = false;
        self.each(list, scope, &mut |_, value| {
            found |= value == wanted;
            Ok(ends(plain && found))
        })?;
        Ok(found)
    }
}

fn ends(end: bool) -> ControlFlow<()> {
    if end {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

fn finite(value: Value<'_>) -> bool {
    !matches!(value, Value::Double(number) if !number.is_finite())
}

impl Kind for TextNode {
    type Constant = Box<str>;
    type Out<'h> = &'h str;

    fn constant(constant: &Box<str>) -> &str {
        constant
    }

    fn of(value: Value<'_>) -> Option<&str> {
        match value {
            Value::Str(value) => Some(value),
            _ => None,
        }
    }

    fn of_node(node: &Node) -> Option<&Self> {
        match node {
            Node::Text(node) => Some(node),
            _ => None,
        }
    }

    fn evaluate<'h, H: Host>(
        &'h self,
        evaluation: &mut Evaluation<'h, '_, H>,
        scope: Scope<'_, 'h>,
    ) -> Result<&'h str, Stopped> {
        evaluation.spend()?;
        evaluation.common(&self.0, scope)
    }
}

impl Kind for ObjectNode {
    type Constant = Object;
    type Out<'h> = Object;

    fn constant(constant: &Object) -> Object {
        *constant
    }

    fn of(value: Value<'_>) -> Option<Object> {
        match value {
            Value::Object(value) => Some(value),
            _ => None,
        }
    }

    fn of_node(node: &Node) -> Option<&Self> {
        match node {
            Node::Object(node) => Some(node),
            _ => None,
        }
    }

    fn evaluate<'h, H: Host>(
        &'h self,
        evaluation: &mut Evaluation<'h, '_, H>,
        scope: Scope<'_, 'h>,
    ) -> Result<Object, Stopped> {
        evaluation.spend()?;
        evaluation.common(&self.0, scope)
    }
}

impl Kind for HandleNode {
    type Constant = u32;
    type Out<'h> = u32;

    fn constant(constant: &u32) -> u32 {
        *constant
    }

    fn of(value: Value<'_>) -> Option<u32> {
        match value {
            Value::Handle(value) => Some(value),
            _ => None,
        }
    }

    fn of_node(node: &Node) -> Option<&Self> {
        match node {
            Node::Handle(node) => Some(node),
            _ => None,
        }
    }

    fn evaluate<'h, H: Host>(
        &'h self,
        evaluation: &mut Evaluation<'h, '_, H>,
        scope: Scope<'_, 'h>,
    ) -> Result<u32, Stopped> {
        evaluation.spend()?;
        evaluation.common(&self.0, scope)
    }
}
