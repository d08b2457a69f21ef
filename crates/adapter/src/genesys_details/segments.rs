//! Figures from segments alone, without the platform's own metrics: for legacy records that have none, and to hold the two against
//! each other.

use super::Record;
use super::session::Session;
use crate::error::ItemError;
use schema::{DurationKind, Durations, LegId, LegKind, Millis};
use std::collections::BTreeSet;

/// What a segment of an agent's session lasts.
const AGENT_SEGMENTS: [(&str, DurationKind); 6] = [
    ("interact", DurationKind::Talk),
    ("hold", DurationKind::Hold),
    ("wrapup", DurationKind::Wrap),
    ("alert", DurationKind::Alert),
    ("dialing", DurationKind::Dialing),
    ("contacting", DurationKind::Contacting),
];

/// What of an agent's session is its handle time; ringing (`alert`) is not.
const HANDLED: [DurationKind; 5] = [
    DurationKind::Talk,
    DurationKind::Hold,
    DurationKind::Wrap,
    DurationKind::Dialing,
    DurationKind::Contacting,
];

/// What the segments of one session add up to. Absent is what no ended segment shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFigures {
    /// The session.
    pub session: LegId,
    /// Whose part it is.
    pub kind: LegKind,
    /// Of an agent: `interact` (compare `tTalkComplete`).
    pub talk: Option<Millis>,
    /// Of an agent: `hold` (compare `tHeldComplete`).
    pub hold: Option<Millis>,
    /// Of an agent: `wrapup` (compare `tAcw`).
    pub wrap: Option<Millis>,
    /// Of an agent: talk, hold, wrap-up, dialling and contacting together (compare `tHandle`).
    pub handle: Option<Millis>,
    /// Of an agent who answered: how long the customer had waited in the queue that led to it (compare `tAnswered`).
    pub answer: Option<Millis>,
    /// Of a queue: the wait of a customer who left it (compare `tAbandon`).
    pub abandon: Option<Millis>,
}

/// The figures of each session of one conversation detail record, in the record's order.
pub fn from_segments(raw: &[u8]) -> Result<Vec<SegmentFigures>, ItemError> {
    let record = Record::read(raw, &BTreeSet::new())?;
    Ok(record
        .sessions
        .iter()
        .map(|session| figures(session, &record.sessions))
        .collect())
}

fn figures(session: &Session, all: &[Session]) -> SegmentFigures {
    let durations = durations(session);
    let handle = HANDLED
        .into_iter()
        .filter_map(|kind| durations.get(kind))
        .reduce(|sum, more| Millis(sum.0.saturating_add(more.0)))
        .filter(|_| session.kind == LegKind::Agent);
    SegmentFigures {
        session: LegId::new(&session.id),
        kind: session.kind,
        talk: durations.get(DurationKind::Talk),
        hold: durations.get(DurationKind::Hold),
        wrap: durations.get(DurationKind::Wrap),
        handle,
        answer: answer(session, all),
        abandon: durations
            .get(DurationKind::QueueWait)
            .filter(|_| was_left(session)),
    }
}

/// How long the ended segments of an agent's or a queue's session lasted, by what they are.
pub(super) fn durations(session: &Session) -> Durations {
    let mut durations = Durations::default();
    let mut state = |kind, lasted: Option<Millis>| {
        if let Some(lasted) = lasted {
            durations.set(kind, lasted);
        }
    };
    match session.kind {
        LegKind::Agent => {
            for (name, kind) in AGENT_SEGMENTS {
                state(kind, lasted(session, name));
            }
        }
        LegKind::Queue => state(DurationKind::QueueWait, lasted(session, "interact")),
        LegKind::Customer | LegKind::Ivr | LegKind::External | LegKind::Other => {}
    }
    durations
}

/// How long the ended segments of a type lasted together; `None` when there is none.
fn lasted(session: &Session, kind: &str) -> Option<Millis> {
    session
        .of_type(kind)
        .filter_map(|segment| Some(segment.end?.since(segment.start?).0))
        .reduce(i64::saturating_add)
        .map(Millis)
}

/// Whether a customer left this queue: the other side hung up. Nobody is on the line of a callback.
pub(super) fn was_left(session: &Session) -> bool {
    session.kind == LegKind::Queue
        && session.media.as_deref() != Some("callback")
        && session.left_by() == Some("peer")
}

/// The wait of the queue that led to an agent's answer: the last one before it, on the same customer's line.
fn answer(session: &Session, all: &[Session]) -> Option<Millis> {
    if session.kind != LegKind::Agent {
        return None;
    }
    let answered = session.of_type("interact").find_map(|talk| talk.start)?;
    let began = |queue: &Session| queue.segments.first().and_then(|segment| segment.start);
    let queue = all
        .iter()
        .filter(|queue| queue.kind == LegKind::Queue && queue.peer == session.peer)
        .filter(|queue| began(queue).is_some_and(|began| began <= answered))
        .max_by_key(|queue| began(queue))?;
    lasted(queue, "interact")
}
