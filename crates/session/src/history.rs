//! What the states of an interaction's life, one after the other, say of holds and transfers.

use crate::outcome::Transfers;
use crate::totals::DurationFact;
use schema::{Fact, Millis, State, Transfer, UtcMicros};

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

/// Whether the state says that more than two parties were on the line.
pub(crate) fn is_conference(state: &State) -> bool {
    matches!(state, State::Other(name) if matches!(name.as_str(), "conference" | "conferenced"))
}

/// How often the contact was passed on by an agent: by one whom the state names, or after somebody was connected. What a flow passes
/// on before is no agent's transfer. A repetition without another state in between is the same statement under another id.
pub(crate) fn transfers<'a>(states: impl Iterator<Item = (&'a Fact, &'a State)>) -> Transfers {
    let mut transfers = Transfers::default();
    let mut previous = None;
    let mut connected = false;
    for (fact, state) in states {
        let agent = fact.statement.agent.as_ref().map(|agent| &agent.id);
        let this = (state, agent, fact.statement.leg().map(|leg| &leg.id));
        let again = previous.replace(this) == Some(this);
        connected |= matches!(state, State::Connected | State::Held);
        if let Some(transfer) = transfer(state)
            && !again
            && (agent.is_some() || connected)
        {
            transfers.count(transfer);
        }
    }
    transfers
}

/// The holds of a stretch of states.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Holds {
    /// How many began.
    pub(crate) count: u32,
    /// The longest of those that ended.
    pub(crate) longest: Option<Millis>,
}

impl Holds {
    /// The longest hold, where the hold time of all of them together is known. Of a single one that time is it. Of several, instants
    /// that give more than all of them contradict the source, and then nobody knows.
    pub(crate) fn longest_of(self, all: Option<DurationFact>) -> Option<DurationFact> {
        match (self.count, all) {
            (0, _) => None,
            (1, Some(stated)) => Some(stated),
            (_, Some(DurationFact::Stated(all))) => self
                .longest
                .filter(|longest| *longest <= all)
                .map(DurationFact::judge),
            _ => self.longest.map(DurationFact::judge),
        }
    }
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
