//! What an agent's time counts as: a question about a state, never about an instant, so that time may be cut anywhere.

use crate::fields::TimeField;
use crate::record::text;
use agent::State;
use expression::{Expression, Failure, FunctionId, Host, Missing, Object, Run, Value};

/// Which time a definition of agents' time counts, and out of which.
#[derive(Debug)]
pub struct AgentTimeRule {
    /// Where it does not hold, the time is in no part.
    pub(crate) filter: Option<Expression>,
    pub(crate) numerator: Expression,
    pub(crate) denominator: Option<Expression>,
}

impl AgentTimeRule {
    /// Whether time that an agent spends in this state is in the numerator, and whether it is in the denominator. What is in the numerator of
    /// a ratio is in its denominator; without a denominator nothing is in it. A condition that reads what is not stated does not hold.
    pub fn counts(&self, agent: &str, state: &State) -> (bool, bool) {
        let time = Time { agent, state };
        let mut run = Run::default();
        let mut holds = |condition: &Expression| {
            run.restart(Run::DEFAULT_STEPS);
            condition.evaluate(&time, &mut run) == Ok(Value::Bool(true))
        };
        if self.filter.as_ref().is_some_and(|filter| !holds(filter)) {
            return (false, false);
        }
        match &self.denominator {
            None => (holds(&self.numerator), false),
            Some(denominator) if holds(denominator) => (holds(&self.numerator), true),
            Some(_) => (false, false),
        }
    }
}

/// The host of a definition's expressions: an agent in a state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time<'s> {
    pub(crate) agent: &'s str,
    pub(crate) state: &'s State,
}

impl Host for Time<'_> {
    fn field(&self, _: Object, field: u16) -> Result<Value<'_>, Missing> {
        use TimeField as F;
        let state = self.state;
        Ok(match TimeField::from_id(field).ok_or(Missing::NotStated)? {
            F::Agent => Value::Str(self.agent),
            F::Team => text(state.team.as_deref())?,
            F::Presence => text(state.presence.as_ref().map(schema::Presence::name))?,
            F::Routing => text(state.routing.as_ref().map(schema::Routing::name))?,
            F::Reason => text(state.reason.as_deref())?,
            F::Scheduled => text(state.scheduled.as_deref())?,
            F::LoggedIn => Value::Bool(state.logged_in()),
            F::OnQueue => Value::Bool(state.on_queue()),
            F::Interacting => Value::Bool(state.interacting),
            F::Wrapping => Value::Bool(state.wrapping),
            F::Busy => Value::Bool(state.busy()),
            F::Capped => Value::Bool(state.capped),
            F::Known => Value::Bool(state.known()),
        })
    }

    fn list_len(&self, _: Object, _: u16) -> usize {
        0
    }

    fn list_item(&self, _: Object, _: u16, _: usize) -> Value<'_> {
        Value::List(0)
    }

    fn call(&self, _: FunctionId, _: &[Value<'_>], _: &mut Run) -> Result<Value<'_>, Failure> {
        Err(Failure::Host("an agent's time has no functions".to_owned()))
    }
}
