//! Whole numbers, durations, instants and doubles: every operation in range, or a failure at its place.

use super::{Evaluation, Scope, Stopped};
use crate::host::{Failure, Host, Position};
use crate::ir::{DoubleNode, DoubleOperator, Extreme, Fold, Kind, Node, WholeNode, WholeOperator};
use crate::literal::{EARLIEST, LATEST, MICROS_PER_MILLI};
use crate::types::Value;
use std::ops::ControlFlow;

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
