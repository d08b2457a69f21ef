//! An agent's time line, cut wherever the state changes.

use crate::busy::Busy;
use crate::overlay::Overlay;
use crate::state::State;
use schema::{AgentFact, Millis, UtcMicros};

/// What is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long a state is believed that nobody ended: afterwards it is unknown. A crash without sign-out would stretch it for ever.
    pub open_cap: Millis,
}

/// A half-open stretch of time in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// From when on.
    pub from: UtcMicros,
    /// Until when.
    pub to: UtcMicros,
    /// The state.
    pub state: State,
    /// Whether it ends only because the present does: something is known or scheduled, and goes on.
    pub open: bool,
}

/// How an agent stands at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The state.
    pub state: State,
    /// Since when what is known of presence, routing and legs is as it is; absent where none of them is known.
    pub since: Option<UtcMicros>,
    /// When the state changes next if nothing more is heard: a stated end, a cap, the next activity of the plan.
    pub changes_at: Option<UtcMicros>,
}

/// The intervals of `[from, min(to, as_of))`: they touch without gap or overlap, and two neighbours differ in their states.
///
/// Facts and busy times may come in any order, repeated, and reach beyond the range. Where the range is cut changes no state, as long
/// as the facts are given that hold into it: those of the last [`Rules::open_cap`] before it, the last one of each track and of
/// the team, and of presence also the first sign-out at or after the last one of routing.
#[must_use]
pub fn intervals(
    facts: &[AgentFact],
    busy: &[Busy],
    from: UtcMicros,
    to: UtcMicros,
    as_of: UtcMicros,
    rules: &Rules,
) -> Vec<Interval> {
    let end = to.min(as_of);
    if end <= from {
        return Vec::new();
    }
    let overlay = Overlay::of(facts, busy, rules.open_cap);
    let mut reader = overlay.reader();
    let mut intervals: Vec<Interval> = Vec::new();
    let mut piece = |start: UtcMicros, stop: UtcMicros| {
        let state = reader.at(start);
        match intervals.last_mut() {
            Some(last) if last.state == state => last.to = stop,
            _ => intervals.push(Interval {
                from: start,
                to: stop,
                state,
                open: false,
            }),
        }
    };
    let mut start = from;
    for &edge in overlay.edges_within(from, end) {
        piece(start, edge);
        start = edge;
    }
    piece(start, end);
    if end == as_of
        && let Some(last) = intervals.last_mut()
    {
        let told = last.state.known() || last.state.scheduled.is_some();
        last.open = told && reader.at(as_of) == last.state;
    }
    intervals
}

/// How the agent stands at an instant. The facts to give are those that [`intervals`] asks for.
#[must_use]
pub fn standing(facts: &[AgentFact], busy: &[Busy], at: UtcMicros, rules: &Rules) -> Standing {
    let overlay = Overlay::of(facts, busy, rules.open_cap);
    let mut reader = overlay.reader();
    Standing {
        state: reader.at(at),
        since: overlay.since(at),
        changes_at: overlay.edge_after(at),
    }
}
