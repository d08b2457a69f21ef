//! A walk over the tree. It hands `Copy` values up, allocates nothing (but for `lowerAscii` of a text with capitals, and
//! for what `orZero` notes), and pays one step for each node and item it visits. How deep it recurses is bounded by the
//! checker.

use crate::host::{Failure, Host, Missing, Position, Run};
use crate::ir::{
    Access, BoolNode, Call, Common, Comparison, DoubleNode, DoubleOperator, Extreme, Fold,
    HandleNode, Kind, ListNode, Node, ObjectNode, Operand, Quantifier, Tag, TextNode, TextTest,
    WholeNode, WholeOperator,
};
use crate::literal::{EARLIEST, LATEST, MICROS_PER_MILLI};
use crate::types::{Object, Value};
use crate::vocabulary::MAX_ARGUMENTS;
use std::borrow::Cow;
use std::cmp::Ordering;
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
            .call(call.function, &arguments[..count])
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

fn holds(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

impl Kind for BoolNode {
    type Constant = bool;
    type Out<'h> = bool;

    fn constant(constant: &bool) -> bool {
        *constant
    }

    fn of(value: Value<'_>) -> Option<bool> {
        match value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    fn of_node(node: &Node) -> Option<&Self> {
        match node {
            Node::Bool(node) => Some(node),
            _ => None,
        }
    }

    fn evaluate<'h, H: Host>(
        &'h self,
        evaluation: &mut Evaluation<'h, '_, H>,
        scope: Scope<'_, 'h>,
    ) -> Result<bool, Stopped> {
        evaluation.spend()?;
        match self {
            BoolNode::Common(node) => evaluation.common(node, scope),
            BoolNode::Not(node) => Ok(!node.evaluate(evaluation, scope)?),
            BoolNode::And(of) => absorbing(of, false, evaluation, scope),
            BoolNode::Or(of) => absorbing(of, true, evaluation, scope),
            BoolNode::Has(access) => {
                let (object, field) = evaluation.access(access, scope)?;
                Ok(evaluation.host.field(object, field) != Err(Missing::NotStated))
            }
            BoolNode::Bools(of, unequal) => {
                let left = of.0.evaluate(evaluation, scope)?;
                let right = of.1.evaluate(evaluation, scope)?;
                Ok((left == right) != *unequal)
            }
            BoolNode::Wholes(comparison, of) => {
                let left = of.0.evaluate(evaluation, scope)?;
                let right = of.1.evaluate(evaluation, scope)?;
                Ok(holds(*comparison, left.cmp(&right)))
            }
            BoolNode::Doubles(comparison, of) => {
                let left = of.0.evaluate(evaluation, scope)?;
                let right = of.1.evaluate(evaluation, scope)?;
                // Both are finite, so there is an order.
                Ok(left
                    .partial_cmp(&right)
                    .is_some_and(|order| holds(*comparison, order)))
            }
            BoolNode::Texts(comparison, of) => {
                let left = evaluation.text(&of.0, scope)?;
                let right = evaluation.text(&of.1, scope)?;
                Ok(match comparison {
                    Comparison::Equal => left == right,
                    Comparison::NotEqual => left != right,
                    _ => holds(*comparison, left.cmp(&right)),
                })
            }
            BoolNode::InWholes(node, set) => {
                let value = node.evaluate(evaluation, scope)?;
                Ok(set.binary_search(&value).is_ok())
            }
            BoolNode::InTexts(operand, set) => {
                let text = evaluation.text(operand, scope)?;
                Ok(set.contains(&text))
            }
            BoolNode::InList(of) => evaluation.is_in(&of.0, &of.1, scope),
            BoolNode::TextTest(test, of) => {
                let text = evaluation.text(&of.0, scope)?;
                let part = evaluation.text(&of.1, scope)?;
                Ok(match test {
                    TextTest::StartsWith => text.starts_with(&*part),
                    TextTest::EndsWith => text.ends_with(&*part),
                    TextTest::Contains => text.contains(&*part),
                })
            }
            BoolNode::Matches(of) => {
                let text = evaluation.text(&of.0, scope)?;
                Ok(of.1.is_match(&text))
            }
            BoolNode::Quantifier(quantifier, of) => {
                evaluation.quantifier(*quantifier, &of.0, &of.1, scope)
            }
        }
    }
}

/// `&&` and `||`: the side that decides wins over a failure of the other, whichever comes first.
fn absorbing<'h, H: Host>(
    of: &'h (BoolNode, BoolNode),
    deciding: bool,
    evaluation: &mut Evaluation<'h, '_, H>,
    scope: Scope<'_, 'h>,
) -> Result<bool, Stopped> {
    match of.0.evaluate(evaluation, scope) {
        Ok(left) if left == deciding => Ok(deciding),
        Ok(_) => of.1.evaluate(evaluation, scope),
        Err(Stopped) => {
            let failure = evaluation.failure.take();
            if failure != Some(Failure::TooMuchWork) {
                match of.1.evaluate(evaluation, scope) {
                    Ok(right) if right == deciding => return Ok(deciding),
                    Err(Stopped) if evaluation.failure == Some(Failure::TooMuchWork) => {
                        return Err(Stopped);
                    }
                    _ => {}
                }
            }
            evaluation.failure = failure;
            Err(Stopped)
        }
    }
}

impl Kind for WholeNode {
    type Constant = i64;
    type Out<'h> = i64;

    fn constant(constant: &i64) -> i64 {
        *constant
    }

    fn of(value: Value<'_>) -> Option<i64> {
        match value {
            Value::Int(value) | Value::Duration(value) | Value::Timestamp(value) => Some(value),
            _ => None,
        }
    }

    fn of_node(node: &Node) -> Option<&Self> {
        match node {
            Node::Int(node) | Node::Duration(node) | Node::Timestamp(node) => Some(node),
            _ => None,
        }
    }

    fn evaluate<'h, H: Host>(
        &'h self,
        evaluation: &mut Evaluation<'h, '_, H>,
        scope: Scope<'_, 'h>,
    ) -> Result<i64, Stopped> {
        evaluation.spend()?;
        match self {
            WholeNode::Common(node) => evaluation.common(node, scope),
            WholeNode::Negate(node, at) => node
                .evaluate(evaluation, scope)?
                .checked_neg()
                .ok_or_else(|| evaluation.stopped(Failure::Overflow(*at))),
            WholeNode::Binary(operator, of, at) => {
                let left = of.0.evaluate(evaluation, scope)?;
                let right = of.1.evaluate(evaluation, scope)?;
                whole(*operator, left, right, *at).map_err(|failure| evaluation.stopped(failure))
            }
            WholeNode::Extreme(extreme, nodes, at) => {
                let mut best = None;
                for node in nodes {
                    let value = node.evaluate(evaluation, scope)?;
                    best = Some(better(*extreme, best, value));
                }
                best.ok_or_else(|| evaluation.stopped(Failure::Empty(*at)))
            }
            WholeNode::Fold(fold, list, at) => {
                let mut result: Option<i64> = match fold {
                    Fold::Sum => Some(0),
                    Fold::Extreme(_) => None,
                };
                evaluation.each(list, scope, &mut |evaluation, value| {
                    let value = WholeNode::of(value).ok_or_else(|| evaluation.broken("item"))?;
                    result = Some(match (fold, result) {
                        (Fold::Sum, sum) => sum
                            .unwrap_or(0)
                            .checked_add(value)
                            .ok_or_else(|| evaluation.stopped(Failure::Overflow(*at)))?,
                        (Fold::Extreme(extreme), best) => better(*extreme, best, value),
                    });
                    Ok(ControlFlow::Continue(()))
                })?;
                result.ok_or_else(|| evaluation.stopped(Failure::Empty(*at)))
            }
            WholeNode::Size(list) => {
                let items = evaluation.size(list, scope)?;
                Ok(i64::try_from(items).unwrap_or(i64::MAX))
            }
            WholeNode::TextSize(text) => {
                let characters = text.evaluate(evaluation, scope)?.chars().count();
                Ok(i64::try_from(characters).unwrap_or(i64::MAX))
            }
            WholeNode::Truncate(node, at) => truncate(node.evaluate(evaluation, scope)?)
                .ok_or_else(|| evaluation.stopped(Failure::Overflow(*at))),
        }
    }
}

fn better<T: PartialOrd>(extreme: Extreme, best: Option<T>, value: T) -> T {
    match (extreme, best) {
        (Extreme::Min, Some(best)) if best <= value => best,
        (Extreme::Max, Some(best)) if best >= value => best,
        _ => value,
    }
}

fn whole(operator: WholeOperator, left: i64, right: i64, at: Position) -> Result<i64, Failure> {
    let instant = |micros: &i64| (EARLIEST..=LATEST).contains(micros);
    match operator {
        WholeOperator::Add => left.checked_add(right),
        WholeOperator::Subtract => left.checked_sub(right),
        WholeOperator::Multiply => left.checked_mul(right),
        WholeOperator::Divide | WholeOperator::Remainder if right == 0 => {
            return Err(Failure::DivisionByZero(at));
        }
        WholeOperator::Divide => left.checked_div(right),
        WholeOperator::Remainder => left.checked_rem(right),
        WholeOperator::Later => right
            .checked_mul(MICROS_PER_MILLI)
            .and_then(|micros| left.checked_add(micros))
            .filter(instant),
        WholeOperator::Earlier => right
            .checked_mul(MICROS_PER_MILLI)
            .and_then(|micros| left.checked_sub(micros))
            .filter(instant),
        WholeOperator::Between => left.checked_sub(right).map(rounded_millis),
    }
    .ok_or(Failure::Overflow(at))
}

/// To the nearest ms, half a ms away from zero.
fn rounded_millis(micros: i64) -> i64 {
    let rest = micros % MICROS_PER_MILLI;
    let away = i64::from(rest.abs() >= MICROS_PER_MILLI / 2) * micros.signum();
    micros / MICROS_PER_MILLI + away
}

/// Towards zero; none where no 64-bit integer is.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the bounds are checked just before: both are powers of two, so exact doubles"
)]
fn truncate(value: f64) -> Option<i64> {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    (-BOUND < value && value < BOUND).then_some(value as i64)
}

/// The nearest double; exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "documented: that is what double(int) does"
)]
fn as_double(value: i64) -> f64 {
    value as f64
}

impl Kind for DoubleNode {
    type Constant = f64;
    type Out<'h> = f64;

    fn constant(constant: &f64) -> f64 {
        *constant
    }

    fn of(value: Value<'_>) -> Option<f64> {
        match value {
            Value::Double(value) => Some(value),
            _ => None,
        }
    }

    fn of_node(node: &Node) -> Option<&Self> {
        match node {
            Node::Double(node) => Some(node),
            _ => None,
        }
    }

    fn evaluate<'h, H: Host>(
        &'h self,
        evaluation: &mut Evaluation<'h, '_, H>,
        scope: Scope<'_, 'h>,
    ) -> Result<f64, Stopped> {
        evaluation.spend()?;
        let (result, at) = match self {
            DoubleNode::Common(node) => return evaluation.common(node, scope),
            DoubleNode::Negate(node) => return Ok(-node.evaluate(evaluation, scope)?),
            DoubleNode::FromInt(node) => return Ok(as_double(node.evaluate(evaluation, scope)?)),
            DoubleNode::Seconds(node) => {
                return Ok(as_double(node.evaluate(evaluation, scope)?) / 1000.0);
            }
            DoubleNode::Extreme(extreme, nodes, at) => {
                let mut best = None;
                for node in nodes {
                    let value = node.evaluate(evaluation, scope)?;
                    best = Some(better(*extreme, best, value));
                }
                return best.ok_or_else(|| evaluation.stopped(Failure::Empty(*at)));
            }
            DoubleNode::Binary(operator, of, at) => {
                let left = of.0.evaluate(evaluation, scope)?;
                let right = of.1.evaluate(evaluation, scope)?;
                let result = match operator {
                    DoubleOperator::Add => left + right,
                    DoubleOperator::Subtract => left - right,
                    DoubleOperator::Multiply => left * right,
                    DoubleOperator::Divide if right == 0.0 => {
                        return Err(evaluation.stopped(Failure::DivisionByZero(*at)));
                    }
                    DoubleOperator::Divide => left / right,
                };
                (result, *at)
            }
            DoubleNode::Ratio(of, at) => {
                let left = of.0.evaluate(evaluation, scope)?;
                let right = of.1.evaluate(evaluation, scope)?;
                if right == 0 {
                    return Err(evaluation.stopped(Failure::DivisionByZero(*at)));
                }
                (as_double(left) / as_double(right), *at)
            }
            DoubleNode::Fold(fold, list, at) => {
                let mut result: Option<f64> = match fold {
                    Fold::Sum => Some(0.0),
                    Fold::Extreme(_) => None,
                };
                evaluation.each(list, scope, &mut |evaluation, value| {
                    let value = DoubleNode::of(value).ok_or_else(|| evaluation.broken("item"))?;
                    result = Some(match (fold, result) {
                        (Fold::Sum, sum) => sum.unwrap_or(0.0) + value,
                        (Fold::Extreme(extreme), best) => better(*extreme, best, value),
                    });
                    Ok(ControlFlow::Continue(()))
                })?;
                (
                    result.ok_or_else(|| evaluation.stopped(Failure::Empty(*at)))?,
                    *at,
                )
            }
        };
        if result.is_finite() {
            Ok(result)
        } else {
            Err(evaluation.stopped(Failure::NotFinite(at)))
        }
    }
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
