//! The legs of an interaction: one participant's part each, as stated, or derived from events that know no legs.

mod busy;
mod derived;
mod stated;

pub use busy::LegBusy;

use crate::timeline::Timeline;
use crate::totals::{DurationFact, Totals, by_leg};
use crate::withdrawn::AgentLeg;
use schema::{
    AgentRef, Direction, DurationKind, LegId, LegKind, LegOutcome, QueueId, Transfer, UtcMicros,
};
use std::borrow::Cow;

/// One leg of an interaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegView<'a> {
    /// The platform's id of the leg; of a derived leg `agent:` and the agent's id.
    pub id: Cow<'a, str>,
    /// Whose part it is.
    pub kind: LegKind,
    /// The agent, of an agent's leg.
    pub agent: Option<&'a AgentRef>,
    /// The queue.
    pub queue: Option<&'a QueueId>,
    /// The medium.
    pub media: Option<&'a str>,
    /// Who began it.
    pub direction: Option<Direction>,
    /// When it began.
    pub started_at: UtcMicros,
    /// When it was answered.
    pub answered_at: Option<UtcMicros>,
    /// When it ended; absent while it is open, or where nobody said.
    pub ended_at: Option<UtcMicros>,
    /// How it ended.
    pub outcome: Option<LegOutcome>,
    /// The disposition stated last of it.
    pub disposition: Option<&'a str>,
    /// How often the customer was put on hold in it.
    pub holds: Option<u32>,
    /// The longest of these holds.
    pub longest_hold: Option<DurationFact>,
    /// How its agent passed the contact on.
    pub transfer: Option<Transfer>,
    /// Whether its agent was consulted by another agent.
    pub consult: bool,
    /// Whether more than two parties were on the line.
    pub conference: bool,
    /// Of a leg that is more than a consultation: how long of its talk was with the agent who asked for it, who counts that time too.
    pub consulted: Option<DurationFact>,
    /// Whether it is derived from events that know no legs.
    pub derived: bool,
    pub(crate) durations: Totals,
    /// Whether nothing is known but that it rang.
    pub(crate) only_rang: bool,
}

impl LegView<'_> {
    /// The duration of this kind that belongs to this leg; `None` when nobody stated it, or when it cannot be told whose it is.
    pub fn duration(&self, kind: DurationKind) -> Option<DurationFact> {
        self.durations.get(kind)
    }

    /// Whether an agent answered it. A flow that served the customer answered nothing.
    pub fn is_answered(&self) -> bool {
        self.kind != LegKind::Ivr
            && matches!(
                self.outcome,
                Some(LegOutcome::Answered | LegOutcome::Transferred)
            )
    }

    /// Whether its agent took part: answered, or did something else (dialled, say) than let it ring.
    pub(crate) fn took_part(&self) -> bool {
        self.kind == LegKind::Agent
            && (self.is_answered() || (self.outcome.is_none() && !self.only_rang))
    }
}

impl<'a> Timeline<'a> {
    /// The legs, ascending by start and id; none of an overfull session.
    ///
    /// Where any leg is stated, the stated ones, one a leg id: of each thing what the weightiest source stated last. Where none is,
    /// one derived leg for each agent named. What cannot be told of a derived leg is not stated, and of the durations only the
    /// increments of cumulative statements can be: what such a statement grew by since the one before is its agent's part.
    /// Where it shrank, or where a statement that names no agent grew although several took part, nobody knows whose part is whose.
    pub fn legs(&self) -> Vec<LegView<'a>> {
        self.all_legs().to_vec()
    }

    /// The legs that were an agent's in some copy ever seen and are not now, ascending by name: what was emitted for them does not
    /// hold. Also derived legs of events whose legs were stated later.
    pub fn withdrawn_legs(&self) -> Vec<LegId> {
        let withdrawn = self.withdrawn().names();
        if !self.has_legs() {
            // Each agent named has a leg, so what no fact names is what is withdrawn.
            return withdrawn.to_vec();
        }
        let now = self.all_legs();
        let is_now = |name: &LegId| {
            now.iter()
                .any(|leg| leg.kind == LegKind::Agent && leg.id == name.as_str())
        };
        let mut gone: Vec<LegId> = self
            .ever_told()
            .filter_map(AgentLeg::of)
            .map(AgentLeg::id)
            .chain(withdrawn.iter().cloned())
            .filter(|name| !is_now(name))
            .collect();
        gone.sort();
        gone.dedup();
        gone
    }
}

/// All legs of a timeline, in order.
pub(crate) fn of<'a>(timeline: &Timeline<'a>) -> Vec<LegView<'a>> {
    let mut legs: Vec<LegView<'a>> = if timeline.has_legs() {
        by_leg(&timeline.leg_facts())
            .map(|(id, facts)| stated::leg(id, facts))
            .collect()
    } else {
        derived::legs(timeline)
    };
    legs.sort_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
    legs
}
