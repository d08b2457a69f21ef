//! The functions that definitions may call beside those of the language.

use crate::words::Kinds;
use expression::{Arg, DefineError, FunctionId, Literal, Type, Vocabulary};
use timezone::Zone;

/// The states that [`stateTime`](Function::StateTime) knows.
pub(crate) const STATES: &[&str] = &[
    "offered",
    "queued",
    "alerting",
    "connected",
    "held",
    "transferred",
    "wrapped_up",
];

/// The kinds of duration, in the order of [`schema::DurationKind::ALL`], by the names of their fields.
pub(crate) const DURATIONS: &[&str] = &[
    "talk",
    "hold",
    "wrap",
    "wait",
    "alert",
    "dial",
    "contact",
    "platform_handle",
];

/// The functions of ours; a function's id is its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Function {
    InHours,
    BusinessTime,
    StateTime,
    AgentTime,
    LocalHour,
    LocalMinute,
    LocalWeekday,
    LocalDay,
    LocalWeek,
    LocalMonth,
}

impl Function {
    pub(crate) const ALL: [Self; 10] = [
        Self::InHours,
        Self::BusinessTime,
        Self::StateTime,
        Self::AgentTime,
        Self::LocalHour,
        Self::LocalMinute,
        Self::LocalWeekday,
        Self::LocalDay,
        Self::LocalWeek,
        Self::LocalMonth,
    ];

    pub(crate) fn from_id(id: FunctionId) -> Option<Self> {
        Self::ALL.get(usize::from(id.0)).copied()
    }

    const fn id(self) -> FunctionId {
        FunctionId(self as u16)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::InHours => "inHours",
            Self::BusinessTime => "businessTime",
            Self::StateTime => "stateTime",
            Self::AgentTime => "agentTime",
            Self::LocalHour => "localHour",
            Self::LocalMinute => "localMinute",
            Self::LocalWeekday => "localWeekday",
            Self::LocalDay => "localDay",
            Self::LocalWeek => "localWeek",
            Self::LocalMonth => "localMonth",
        }
    }
}

/// Adds the functions.
pub(crate) fn define(vocabulary: &mut Vocabulary, kinds: Kinds) -> Result<(), DefineError> {
    let instant = || Arg::Of(Type::Timestamp);
    let schedule = || Arg::Of(Type::Handle(kinds.schedule));
    for function in Function::ALL {
        let (forms, result) = match function {
            Function::InHours => (vec![vec![instant(), schedule()]], Type::Bool),
            Function::BusinessTime => {
                (vec![vec![instant(), instant(), schedule()]], Type::Duration)
            }
            Function::StateTime => (vec![vec![Arg::OneOf(STATES)]], Type::Duration),
            Function::AgentTime => (
                vec![vec![Arg::Of(Type::String), Arg::OneOf(DURATIONS)]],
                Type::Duration,
            ),
            Function::LocalHour | Function::LocalMinute | Function::LocalWeekday => {
                (local_forms(), Type::Int)
            }
            Function::LocalDay | Function::LocalWeek | Function::LocalMonth => {
                (local_forms(), Type::String)
            }
        };
        for form in forms {
            vocabulary.function(function.name(), form, result.clone(), function.id())?;
        }
    }
    Ok(())
}

fn local_forms() -> Vec<Vec<Arg>> {
    let instant = || Arg::Of(Type::Timestamp);
    vec![vec![instant()], vec![instant(), Arg::Literal(zone_literal)]]
}

fn zone_literal(text: &str) -> Result<Literal, String> {
    match Zone::parse(text) {
        Ok(_) => Ok(Literal::AsWritten),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{InteractionField, LegField};
    use schema::{DurationKind, State};

    #[test]
    fn durations_and_states_are_named_as_elsewhere() {
        assert_eq!(DURATIONS.len(), DurationKind::ALL.len());
        for (name, kind) in DURATIONS.iter().zip(DurationKind::ALL) {
            // The platform's own handle time has a longer name here, so that nobody takes it for ours.
            assert!(*name == kind.name() || kind == DurationKind::Handle);
            assert!(InteractionField::ROWS.iter().any(|row| row.name == *name));
            assert!(LegField::ROWS.iter().any(|row| row.name == *name));
        }
        for state in STATES {
            assert!(!matches!(State::from_name(state), State::Other(_)));
        }
    }
}
