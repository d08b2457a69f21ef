//! One session as a leg: what it states by itself.

use super::segments;
use super::session::Session;
use compact_str::CompactString;
use schema::{
    Details, DurationKind, Durations, Fact, FactKey, Leg, LegId, LegKind, LegOutcome, Millis,
    QueueId, SourceRank, Statement, Transfer, UtcMicros,
};

/// What a metric of an agent's session measures.
pub(crate) const AGENT_METRICS: [(&str, DurationKind); 7] = [
    ("tTalkComplete", DurationKind::Talk),
    ("tHeldComplete", DurationKind::Hold),
    ("tAcw", DurationKind::Wrap),
    ("tAlert", DurationKind::Alert),
    ("tDialing", DurationKind::Dialing),
    ("tContacting", DurationKind::Contacting),
    ("tHandle", DurationKind::Handle),
];

/// What stands in for a metric while it is not there yet.
const PARTIAL_METRICS: [(&str, DurationKind); 2] =
    [("tTalk", DurationKind::Talk), ("tHeld", DurationKind::Hold)];

/// The fact of a session; `start` is the conversation's.
pub(super) fn fact(session: &Session, start: UtcMicros) -> Fact {
    let segments = &session.segments;
    let emitted = || session.metrics.iter().filter_map(|metric| metric.emitted);
    let ends = || segments.iter().filter_map(|segment| segment.end);
    let began = segments
        .iter()
        .filter_map(|segment| segment.start)
        .chain(emitted())
        .min()
        // A customer's line is up some milliseconds before the conversation begins; the record's own start holds.
        .map_or(start, |first| first.max(start));
    let open = segments.iter().any(|segment| segment.end.is_none());
    let leg = leg(session, ends().max().filter(|_| !open));
    let mut durations = durations(session);
    settle_hold(&leg, &mut durations);
    let statement = Statement {
        state: None,
        agent: session.agent.clone(),
        queue: segments
            .iter()
            .find_map(|segment| segment.queue.as_deref().map(QueueId::new)),
        disposition: segments
            .iter()
            .rev()
            .find_map(|segment| segment.wrap_up.as_deref().map(CompactString::new)),
        durations,
        details: Some(Box::new(Details {
            leg: Some(leg),
            media: session.media.clone(),
            direction: session.direction,
            ..Details::default()
        })),
    };
    Fact {
        key: FactKey::leg(&session.id),
        at: began,
        revision: ends().chain(emitted()).max(),
        rank: SourceRank::SettledRecord,
        statement,
    }
}

fn leg(session: &Session, ended_at: Option<UtcMicros>) -> Leg {
    let mut leg = Leg {
        ended_at,
        outcome: outcome(session),
        ..Leg::new(LegId::new(&session.id), session.kind)
    };
    if session.kind == LegKind::Agent {
        leg.conference =
            session.barged || session.segments.iter().any(|segment| segment.conference);
        leg.transfer = transfer(session);
        if matches!(
            leg.outcome,
            Some(LegOutcome::Answered | LegOutcome::Transferred)
        ) {
            leg.answered_at = answered_at(session);
            (leg.holds, leg.longest_hold) = holds(session);
        }
    }
    leg
}

/// Of an agent who answered and is gone, and of whom is known that there was no hold: no time of it either, which the platform
/// leaves out. Nobody has to guess then whether hold was not stated or did not happen.
fn settle_hold(leg: &Leg, durations: &mut Durations) {
    if leg.holds == Some(0) && leg.ended_at.is_some() && durations.get(DurationKind::Hold).is_none()
    {
        durations.set(DurationKind::Hold, Millis::ZERO);
    }
}

fn durations(session: &Session) -> Durations {
    let mut durations = Durations::default();
    let mut state = |kind, millis: Option<i64>| {
        if let Some(millis) = millis {
            durations.set(kind, Millis(millis));
        }
    };
    match session.kind {
        LegKind::Agent | LegKind::Queue if session.metrics.is_empty() => {
            return segments::durations(session);
        }
        LegKind::Agent => {
            // Parts first, so that the complete figure takes their place.
            for (name, kind) in PARTIAL_METRICS.into_iter().chain(AGENT_METRICS) {
                state(kind, session.sum(name));
            }
        }
        LegKind::Queue => {
            let waited = ["tAcd", "tAbandon", "tFlowOut"];
            let waited = waited.iter().find_map(|name| session.sum(name));
            state(DurationKind::QueueWait, waited);
        }
        LegKind::Customer | LegKind::Ivr | LegKind::External | LegKind::Other => {}
    }
    durations
}

fn outcome(session: &Session) -> Option<LegOutcome> {
    match session.kind {
        LegKind::Agent => {
            let talked = session.has("tAnswered")
                || session.has("tTalk")
                || session.has("tTalkComplete")
                || (session.metrics.is_empty() && session.of_type("interact").next().is_some());
            match (talked, transfer(session).is_some()) {
                (true, true) => Some(LegOutcome::Transferred),
                (true, false) => Some(LegOutcome::Answered),
                (false, _) => rang_in_vain(session).then_some(LegOutcome::NotResponding),
            }
        }
        LegKind::Queue if session.has("tAbandon") => Some(LegOutcome::Abandoned),
        LegKind::Queue if session.has("tFlowOut") => Some(LegOutcome::FlowedOut),
        LegKind::Queue if session.metrics.is_empty() && segments::was_left(session) => {
            Some(LegOutcome::Abandoned)
        }
        // Whether a leg that was transferred out reached an agent is seen on the agent's leg: `relations::settle`.
        LegKind::Queue => session
            .left_by()
            .filter(|how| is_transfer(how))
            .map(|_| LegOutcome::Transferred),
        LegKind::Ivr if left_flow(session) => Some(LegOutcome::Abandoned),
        LegKind::Ivr => ended_in_flow(session).then_some(LegOutcome::Answered),
        LegKind::Customer | LegKind::External | LegKind::Other => None,
    }
}

/// Whether an alert of an agent who never talked is the agent's failure. The platform says so itself (`tNotResponding`); where it
/// does not, one that ended because the customer hung up, or that the agent's side let go of, is none. A record without metrics
/// cannot say it, and then only the customer's doing excuses.
fn rang_in_vain(session: &Session) -> bool {
    let alerted = || session.of_type("alert").any(|alert| alert.end.is_some());
    session.has("tNotResponding")
        || (alerted()
            && match session.alert_left_by() {
                Some("peer") => false,
                Some("client" | "endpoint") => session.metrics.is_empty(),
                _ => true,
            })
}

fn is_transfer(how: &str) -> bool {
    how.to_ascii_lowercase().contains("transfer")
}

/// Whether the customer left in the flow without having been served by it.
fn left_flow(session: &Session) -> bool {
    if session.self_served {
        return false;
    }
    match session.flow_exit.as_deref() {
        Some(reason) => reason == "DISCONNECT",
        // What the other side of a flow did is what the customer did.
        None => session.left_by() == Some("peer"),
    }
}

/// Whether the contact ended in the flow without the customer leaving it unserved: it was served, or the flow hung up. Nobody says so
/// of one that is still open, was passed on, failed or ran into a timeout, or of which no end is stated.
fn ended_in_flow(session: &Session) -> bool {
    let open = session.segments.iter().any(|segment| segment.end.is_none());
    let mut ends = session
        .flow_exit
        .as_deref()
        .into_iter()
        .chain(session.left_by());
    let otherwise = ends.clone().any(|how| {
        let failed = ["ERROR", "FAILURE", "EXPIRE"];
        is_transfer(how) || failed.iter().any(|word| how.contains(word))
    });
    !open && (session.self_served || (!otherwise && ends.next().is_some()))
}

/// How the agent passed the contact on.
fn transfer(session: &Session) -> Option<Transfer> {
    if !session.metrics.is_empty() {
        return [
            ("nConsultTransferred", Transfer::Consult),
            ("nBlindTransferred", Transfer::Blind),
            // Of every transfer, whatever its kind.
            ("nTransferred", Transfer::Unspecified),
        ]
        .into_iter()
        .find(|(name, _)| session.sum(name).is_some_and(|count| count > 0))
        .map(|(_, transfer)| transfer);
    }
    match session.left_by()?.to_ascii_lowercase().as_str() {
        "consulttransfer" => Some(Transfer::Consult),
        // The record of a consult transfer says `transfer` too, so that it was blind cannot be told.
        "transfer" | "conferencetransfer" => Some(Transfer::Unspecified),
        // Others (`forwardTransfer`, `noAnswerTransfer`, `dndTransfer` …) are the system's, not the agent's.
        _ => None,
    }
}

fn answered_at(session: &Session) -> Option<UtcMicros> {
    session
        .of_type("interact")
        .find_map(|segment| segment.start)
        .or_else(|| session.named("tAnswered").find_map(|metric| metric.emitted))
}

/// How many holds, and the longest of those that ended. Where there is neither a metric nor a segment, nothing is known.
fn holds(session: &Session) -> (Option<u32>, Option<Millis>) {
    let count = |count: usize| Some(u32::try_from(count).unwrap_or(u32::MAX));
    if session.has("tHeld") {
        let lengths = || session.named("tHeld").map(|metric| Millis(metric.value));
        return (count(lengths().count()), lengths().max());
    }
    if session.segments.is_empty() {
        return (None, None);
    }
    let holds = || session.of_type("hold");
    let longest = holds()
        .filter_map(|hold| Some(hold.end?.since(hold.start?)))
        .max();
    (count(holds().count()), longest)
}
