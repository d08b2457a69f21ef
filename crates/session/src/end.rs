//! The end that nobody states: of a platform whose events tell of the parts of an interaction and never of its end.
//!
//! It is over when the customer's line has ended and so has every part that began: passages through flows, waits in queues, agents' parts.
//! What does not hold it open: lines in the other direction than the interaction's (those of parties whom an agent called, which a
//! platform may leave open for weeks), outside parties, and parts of no kind. It ended with the last end of any part, those included, which
//! is what the platform's record will say.
//!
//! The rule is one of the facts, not of a clock and not of their order: a part that turns up later opens the interaction again until it has
//! ended, too. So such an end is *provisional*. After-call work is not waited for here: it revises what was emitted, and nothing is settled
//! before the grace for it is over and the platform's record was asked for; both are the sweeper's.

use crate::legs::LegView;
use crate::timeline::Timeline;
use schema::{Direction, LegKind, LegOutcome, State, UtcMicros};

/// An end that is inferred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inferred {
    pub(crate) at: UtcMicros,
    pub(crate) state: State,
}

impl Inferred {
    /// The end of an interaction whose parts are told by events; `None` while it goes on.
    pub(crate) fn of(timeline: &Timeline<'_>) -> Option<Self> {
        let legs = timeline.stated_legs();
        let direction = timeline.direction();
        let is_open = |leg: &LegView<'_>| leg.ended_at.is_none();
        let mut customer = legs.iter().filter(|leg| is_customers(leg, direction));
        let goes_on = legs.iter().any(|leg| {
            let holds = matches!(leg.kind, LegKind::Agent | LegKind::Queue | LegKind::Ivr);
            (holds || is_customers(leg, direction)) && is_open(leg)
        });
        if goes_on || customer.next().is_none() {
            return None;
        }
        Some(Self {
            at: legs.iter().filter_map(|leg| leg.ended_at).max()?,
            state: state(legs, direction),
        })
    }
}

/// Whether it is the line of the customer whose interaction it is.
fn is_customers(leg: &LegView<'_>, direction: Option<Direction>) -> bool {
    leg.kind == LegKind::Customer
        && (leg.direction.is_none() || direction.is_none() || leg.direction == direction)
}

/// How it ended: by the same rule as where the platform's record states the end and leaves the rest to its legs.
fn state(legs: &[LegView<'_>], direction: Option<Direction>) -> State {
    let any = |wanted: &dyn Fn(&LegView<'_>) -> bool| legs.iter().any(wanted);
    let waited = |leg: &LegView<'_>| leg.kind == LegKind::Queue && leg.outcome.is_none();
    let talks = |leg: &LegView<'_>| matches!(leg.kind, LegKind::Agent | LegKind::Queue);
    if any(&|leg| talks(leg) && leg.is_answered()) {
        return State::Completed;
    }
    // Who hung up in the flow was never offered to anybody.
    if any(&|leg| leg.kind != LegKind::Ivr && leg.outcome == Some(LegOutcome::Abandoned)) {
        return State::Abandoned;
    }
    // Nobody is on the line of a callback.
    if any(&|leg| waited(leg) && leg.media == Some("callback")) {
        return State::Missed;
    }
    if any(&waited) {
        return State::Abandoned;
    }
    if any(&|leg| leg.kind == LegKind::Agent) {
        return State::Missed;
    }
    // Served by a flow, or passed on by a queue to voicemail or another flow.
    if any(&|leg| matches!(leg.kind, LegKind::Ivr | LegKind::Queue)) {
        return State::Completed;
    }
    match direction {
        Some(Direction::Outbound) => State::Missed,
        _ => State::Abandoned,
    }
}
