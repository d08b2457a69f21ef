//! What one session alone does not tell: whether a queue's leg reached an agent, whether the customer left while it rang, who was
//! only consulted, and how much of a leg was a consultation.

use super::session::{Segment, Session};
use schema::{Fact, Leg, LegKind, LegOutcome, Millis, UtcMicros};

/// An agent's leg may begin this long after the queue let go.
const SLACK: Millis = Millis(5_000);

/// Completes the legs; `facts` are those of the sessions, in their order.
pub(super) fn settle(sessions: &[Session], facts: &mut [Fact]) {
    settle_queues(facts);
    settle_alerts(sessions, facts);
    settle_consults(sessions, facts);
}

/// Says of an alert that the customer put an end to that the customer left; not where a queue says how its wait ended otherwise.
fn settle_alerts(sessions: &[Session], facts: &mut [Fact]) {
    let queues = || {
        facts
            .iter()
            .filter_map(|fact| fact.statement.leg())
            .filter(|leg| leg.kind == LegKind::Queue)
    };
    let abandoned = queues().any(|leg| leg.outcome == Some(LegOutcome::Abandoned));
    if !abandoned && queues().next().is_some() {
        return;
    }
    for (session, fact) in sessions.iter().zip(facts) {
        let Some(leg) = leg(fact) else { continue };
        if leg.kind == LegKind::Agent
            && leg.outcome.is_none()
            && session.alert_left_by() == Some("peer")
        {
            leg.outcome = Some(LegOutcome::Abandoned);
        }
    }
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
/// While both still talk nothing is said: the customer may yet be passed on. Of the others who answered after they were asked, says
/// how long they talked with whoever had asked before the customer was passed on: both legs hold that time.
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
        let Some(answered) = leg.answered_at.filter(|_| leg.kind == LegKind::Agent) else {
            continue;
        };
        let askers: Vec<&Session> = asked
            .iter()
            .filter(|(asker, at)| *asker != index && *at <= answered)
            .map(|(asker, _)| &sessions[*asker])
            .collect();
        if let Some(gone) = session.talked_until() {
            leg.consult = !leg.conference
                && askers.iter().any(|asker| {
                    let until = asker.talked_until();
                    until.is_none_or(|until| gone <= until)
                });
        }
        if !leg.consult {
            leg.consulted = together(session, &askers).filter(|lasted| *lasted > Millis::ZERO);
        }
    }
}

/// How long somebody talked with those who had asked, by the segments of both; what is marked as a conference on both sides was
/// with the customer. `None` while any of it lasts.
fn together(asked: &Session, askers: &[&Session]) -> Option<Millis> {
    let span = |segment: &Segment| Some((segment.start?, segment.end?));
    let mut both: Vec<(UtcMicros, UtcMicros)> = Vec::new();
    for talk in asked.of_type("interact") {
        for asker in askers {
            for other in asker.on_line() {
                if talk.conference && other.conference {
                    continue;
                }
                let ((from, until), (began, ended)) = (span(talk)?, span(other)?);
                both.push((from.max(began), until.min(ended)));
            }
        }
    }
    both.sort_unstable();
    let mut sum = Millis::ZERO;
    let mut seen = None;
    for (from, until) in both {
        let from = seen.map_or(from, |seen: UtcMicros| seen.max(from));
        if from < until {
            sum = sum.checked_add(until.since(from))?;
            seen = Some(until);
        }
    }
    Some(sum)
}
