//! What the states of an interaction's life, one after the other, say of holds, alerts and transfers.

use schema::{Millis, State, Transfer, UtcMicros};

/// How a state passes the contact on, if it does.
///
/// The guide's `transferred` does not say how. Names that say it are understood too, since what a platform calls a state is kept
/// by name: `blind_transferred` or `cold_transferred`, `consult_transferred`, `warm_transferred` or `attended_transferred`.
pub(crate) fn transfer(state: &State) -> Option<Transfer> {
    match state {
        State::Transferred => Some(Transfer::Unspecified),
        State::Other(name) => match name.strip_suffix("_transferred")? {
            "blind" | "cold" => Some(Transfer::Blind),
            "consult" | "warm" | "attended" => Some(Transfer::Consult),
            "call" => Some(Transfer::Unspecified),
            _ => None,
        },
        _ => None,
    }
}

/// The holds of a stretch of states.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Holds {
    /// How many began.
    pub(crate) count: u32,
    /// The longest of those that ended.
    pub(crate) longest: Option<Millis>,
}

/// The holds among these states, each from the first statement of it to the next other state, or to `end`.
pub(crate) fn holds<'a>(
    states: impl Iterator<Item = (UtcMicros, &'a State)>,
    end: Option<UtcMicros>,
) -> Holds {
    let mut holds = Holds::default();
    let mut since = None;
    for (at, state) in states {
        match (since, *state == State::Held) {
            (None, true) => {
                holds.count = holds.count.saturating_add(1);
                since = Some(at);
            }
            (Some(began), false) => {
                holds.longest = holds.longest.max(Some(at.since(began)));
                since = None;
            }
            (Some(_), true) | (None, false) => {}
        }
    }
    if let (Some(began), Some(end)) = (since, end)
        && began <= end
    {
        holds.longest = holds.longest.max(Some(end.since(began)));
    }
    holds
}

/// How long these states were `wanted`, each until the next statement of another, the last until `end`.
pub(crate) fn time_in<'a>(
    wanted: &State,
    states: impl Iterator<Item = (UtcMicros, &'a State)>,
    end: Option<UtcMicros>,
) -> Millis {
    // In microseconds, so that stretches do not lose parts of a millisecond each.
    let mut micros: i64 = 0;
    let mut since: Option<UtcMicros> = None;
    let mut spend = |began: UtcMicros, until: UtcMicros| {
        micros = micros.saturating_add(until.0.saturating_sub(began.0).max(0));
    };
    for (at, state) in states {
        if state == wanted {
            since.get_or_insert(at);
        } else if let Some(began) = since.take() {
            spend(began, at);
        }
    }
    if let (Some(began), Some(end)) = (since, end) {
        spend(began, end);
    }
    Millis(micros.div_euclid(1000))
}

/// How often it rang at an agent who did not answer.
///
/// An alert is answered by the next `connected` or `held`, and by `completed`, because sources leave states out. Another alert, a
/// return to the queue, a missed or an abandoned end mean that it was not. A missed end without any alert before it is one, too.
pub(crate) fn missed_alerts<'a>(states: impl Iterator<Item = &'a State>) -> u32 {
    let mut missed: u32 = 0;
    let mut ringing = false;
    for state in states {
        let (in_vain, rings) = match state {
            State::Alerting => (ringing, true),
            State::Queued | State::Abandoned => (ringing, false),
            State::Missed => (true, false),
            State::Connected | State::Held | State::Completed => (false, false),
            State::Offered | State::Transferred | State::WrappedUp | State::Other(_) => {
                (false, ringing)
            }
        };
        missed = missed.saturating_add(u32::from(in_vain));
        ringing = rings;
    }
    missed
}
