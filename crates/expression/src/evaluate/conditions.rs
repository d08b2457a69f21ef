//! Conditions: comparisons, tests of texts, and the operators that absorb failures.

use super::{Evaluation, Scope, Stopped};
use crate::host::{Failure, Host, Missing};
use crate::ir::{BoolNode, Comparison, Kind, Node, TextTest};
use crate::types::Value;
use std::cmp::Ordering;

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
                evaluation.spend_on(&text, 16)?;
                Ok(match test {
                    TextTest::StartsWith => text.starts_with(&*part),
                    TextTest::EndsWith => text.ends_with(&*part),
                    TextTest::Contains => text.contains(&*part),
                })
            }
            BoolNode::Matches(of) => {
                let text = evaluation.text(&of.0, scope)?;
                // An awkward pattern takes far longer than an operation for each byte.
                evaluation.spend_on(&text, 1)?;
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
