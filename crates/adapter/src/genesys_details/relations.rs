//! What one session alone does not tell: whether a queue's leg reached an agent, and who was only consulted.

use super::session::Session;
use schema::{Fact, Leg, LegKind, LegOutcome, Millis, UtcMicros};

/// An agent's leg may begin this long after the queue let go.
const SLACK: Millis = Millis(5_000);

/// Completes the legs; `facts` are those of the sessions, in their order.
pub(super) fn settle(sessions: &[Session], facts: &mut [Fact]) {
    settle_queues(facts);
    settle_consults(sessions, facts);
}

pub(super) fn is_served(fact: &Fact) -> bool {
    fact.statement.leg().is_some_and(|leg| {
        leg.kind == LegKind::Agent
            && matches!(
                leg.outcome,
                Some(LegOutcome::Answered | LegOutcome::Transferred)
            )
    })
}

fn leg(fact: &mut Fact) -> Option<&mut Leg> {
    fact.statement.details.as_mut()?.leg.as_mut()
}

/// Says of each queue leg that was left for somebody whether an agent answered: one whose leg began while the queue leg ran, or
/// at its end. The instant is the end of the wait, which is what the platform's own time to answer measures.
fn settle_queues(facts: &mut [Fact]) {
    let answered: Vec<UtcMicros> = facts
        .iter()
        .filter(|fact| is_served(fact))
        .map(|fact| fact.at)
        .collect();
    for fact in facts.iter_mut() {
        let began = fact.at;
        let Some(leg) = leg(fact) else { continue };
        if leg.kind == LegKind::Queue && leg.outcome == Some(LegOutcome::Transferred) {
            let until = leg.ended_at.unwrap_or(began).plus(SLACK);
            if answered.iter().any(|at| (began..=until).contains(at)) {
                leg.outcome = Some(LegOutcome::Answered);
                leg.answered_at = leg.ended_at;
            } else {
                leg.outcome = Some(LegOutcome::FlowedOut);
            }
        }
    }
}

/// Says who was only consulted: an agent who answered after another agent had asked somebody (`nConsult`), and who was gone again
/// before that one let the customer go, without ever being on the line together with the customer.
///
/// While both still talk nothing is said: the customer may yet be passed on.
fn settle_consults(sessions: &[Session], facts: &mut [Fact]) {
    let asked: Vec<(usize, UtcMicros)> = sessions
        .iter()
        .enumerate()
        .flat_map(|(index, session)| {
            session
                .named("nConsult")
                .filter_map(move |metric| Some((index, metric.emitted?)))
        })
        .collect();
    if asked.is_empty() {
        return;
    }
    for (index, (session, fact)) in sessions.iter().zip(facts).enumerate() {
        let Some(leg) = leg(fact) else { continue };
        let (Some(answered), Some(gone)) = (leg.answered_at, session.talked_until()) else {
            continue;
        };
        leg.consult = leg.kind == LegKind::Agent
            && !leg.conference
            && asked.iter().any(|(asker, at)| {
                let asker_stayed = sessions[*asker]
                    .talked_until()
                    .is_none_or(|until| gone <= until);
                *asker != index && *at <= answered && asker_stayed
            });
    }
}
