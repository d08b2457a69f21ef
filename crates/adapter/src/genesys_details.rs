//! Genesys conversation detail records: what `/analytics/conversations/details` and the details jobs give.
//!
//! A body is one record, an array of them, or a page with `conversations` (a page without that key is an empty one). One record
//! is one item and states:
//!
//! - **the interaction** ([`FactKey::interaction`]): its start, direction, medium, and, once `conversationEnd` is there, its end
//!   and how it ended. An open conversation has no terminal state, whatever its legs look like.
//! - **each session** ([`FactKey::leg`]): whose part it was, when, how it ended, and its durations.
//!
//! Durations come from the session's `metrics` (`tTalkComplete`, `tHeldComplete`, `tAcw`, `tDialing`, `tContacting`, `tAlert`,
//! `tHandle`; `tAcd` of a queue): they are the authority, and `tAcw` can differ from its segment. While `tTalkComplete` or
//! `tHeldComplete` is not there yet, its parts (`tTalk`, `tHeld`) add up. A legacy record without any metrics is read from its
//! segments. `tHandle` is kept as the platform's own statement beside its parts; it also holds dialling and contacting.
//!
//! What only looks like handled work: an agent who was alerted and did not answer (`tNotResponding`, no `tAnswered`, no talk) has
//! the outcome [`LegOutcome::NotResponding`] although `tAcw` and `tHandle` may be stated for the leg. The durations stay as stated.
//!
//! The revision stamp is the latest instant the record itself speaks of (metric emitted, segment ended): a later snapshot of a
//! session never speaks of less. No names, addresses or attributes are read.

use crate::error::ItemError;
use crate::map::{Mapped, Outcome};
use crate::node::{Node, tree};
use crate::scalar::Scalar;
use crate::{instant, json};
use compact_str::CompactString;
use schema::{
    AgentId, AgentRef, Details, Direction, DurationKind, Durations, EventId, Fact, FactKey,
    InteractionId, Leg, LegId, LegKind, LegOutcome, Millis, QueueId, SourceRank, State, Statement,
    UtcMicros,
};
use std::ops::Range;

/// What a metric of an agent's session measures.
const AGENT_METRICS: [(&str, DurationKind); 7] = [
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

/// What a segment of an agent's session lasts, where there are no metrics at all.
const AGENT_SEGMENTS: [(&str, DurationKind); 6] = [
    ("interact", DurationKind::Talk),
    ("hold", DurationKind::Hold),
    ("wrapup", DurationKind::Wrap),
    ("alert", DurationKind::Alert),
    ("dialing", DurationKind::Dialing),
    ("contacting", DurationKind::Contacting),
];

/// The records of one value of a body: those of a page, or the value itself.
pub(crate) fn open(body: &[u8], span: Range<usize>) -> Vec<Range<usize>> {
    let value = &body[span.clone()];
    let Some(members) = value
        .starts_with(b"{")
        .then(|| json::members(value, 0))
        .flatten()
    else {
        return vec![span];
    };
    let named = |name: &str| {
        members
            .iter()
            .rev()
            .find(|(found, _)| &value[found.clone()] == name.as_bytes())
            .map(|(_, value)| value.clone())
    };
    if named("conversationId").is_some() {
        return vec![span];
    }
    match named("conversations") {
        Some(list) if value[list.start] == b'[' => {
            json::elements(value, list.start).map_or(vec![span.clone()], |(elements, _)| {
                elements
                    .into_iter()
                    .map(|element| span.start + element.start..span.start + element.end)
                    .collect()
            })
        }
        Some(list) if &value[list.clone()] == b"null" => Vec::new(),
        // An answer without results has no such key at all. It is a page if it says so otherwise, or says nothing.
        None if members.is_empty() || PAGE.iter().any(|name| named(name).is_some()) => Vec::new(),
        Some(_) | None => vec![span],
    }
}

/// Members that only a page has.
const PAGE: [&str; 4] = [
    "totalHits",
    "dataAvailabilityDate",
    "cursor",
    "aggregations",
];

/// Maps one record.
pub(crate) fn map(raw: &[u8]) -> Result<Outcome, ItemError> {
    let value = tree(raw)?;
    let record = Node::root(&value);
    if !record.is_object() {
        return Err(ItemError::item(raw, "a conversation detail record"));
    }
    let interaction = record
        .name("conversationId")?
        .ok_or_else(|| ItemError::missing("conversationId", "the conversation's id"))?;
    let start = record
        .instant("conversationStart")?
        .ok_or_else(|| ItemError::missing("conversationStart", instant::EXPECTED))?;
    let end = record.instant("conversationEnd")?;
    let direction = direction(&record.get("originatingDirection"));

    let mut legs = Vec::new();
    for participant in record.list("participants")? {
        for session in participant.list("sessions")? {
            legs.push(leg(&participant, &session, start)?);
        }
    }
    let known = legs.iter().filter_map(|leg| leg.revision).chain(end).max();
    settle_queues(&mut legs);
    let whole = Fact {
        key: FactKey::interaction(),
        at: start,
        revision: known,
        rank: SourceRank::SettledRecord,
        statement: Statement {
            state: end.map(|_| outcome(&legs, direction)),
            details: Some(Box::new(Details {
                media: legs
                    .iter()
                    .min_by_key(|leg| leg.at)
                    .and_then(|leg| leg.statement.details.as_ref()?.media.clone()),
                direction,
                ended_at: end,
                ..Details::default()
            })),
            ..Statement::default()
        },
    };
    let mut facts = vec![whole];
    facts.append(&mut legs);
    Ok(Outcome::Mapped(Mapped {
        event_id: EventId::new(&interaction),
        at: start,
        digest: json::digest(raw),
        interaction: InteractionId::new(&interaction),
        facts,
        terminal: end.is_some(),
    }))
}

/// What is read of one segment.
struct Segment {
    kind: String,
    start: Option<UtcMicros>,
    end: Option<UtcMicros>,
    disconnect: Option<String>,
    queue: Option<String>,
    wrap_up: Option<String>,
}

fn leg(participant: &Node<'_>, session: &Node<'_>, start: UtcMicros) -> Result<Fact, ItemError> {
    let id = session
        .name("sessionId")?
        .ok_or_else(|| ItemError::missing(session.at("sessionId"), "the session's id"))?;
    let purpose = participant.name("purpose")?.unwrap_or_default();
    let kind = kind_of(&purpose);
    let mut segments = segments(session)?;
    // Neither participants nor sessions nor segments come in the order of time.
    segments.sort_by_key(|segment| (segment.start, segment.end));
    let metrics = metrics(session)?;

    let began = segments
        .iter()
        .filter_map(|segment| segment.start)
        .chain(metrics.iter().filter_map(|metric| metric.emitted))
        .min()
        // A customer's line is up some milliseconds before the conversation begins; the record's own start holds.
        .map_or(start, |first| first.max(start));
    let open = segments.iter().any(|segment| segment.end.is_none());
    let ended_at = segments
        .iter()
        .filter_map(|segment| segment.end)
        .max()
        .filter(|_| !open);
    let revision = segments
        .iter()
        .filter_map(|segment| segment.end)
        .chain(metrics.iter().filter_map(|metric| metric.emitted))
        .max();
    let agent = match kind {
        LegKind::Agent => participant.name("userId")?.map(|id| AgentRef {
            id: AgentId::new(id),
            // Genesys states no zone on a participant; it lives in workforce management.
            zone: None,
        }),
        _ => None,
    };
    let statement = Statement {
        state: None,
        agent,
        queue: segments
            .iter()
            .find_map(|segment| segment.queue.as_deref().map(QueueId::new)),
        disposition: segments
            .iter()
            .rev()
            .find_map(|segment| segment.wrap_up.as_deref().map(CompactString::new)),
        durations: durations(kind, &metrics, &segments),
        details: Some(Box::new(Details {
            leg: Some(Leg {
                ended_at,
                outcome: outcome_of_leg(kind, &metrics, &segments),
                ..Leg::new(LegId::new(&id), kind)
            }),
            media: session
                .name("mediaType")?
                .map(|media| CompactString::new(media.to_lowercase())),
            direction: direction(&session.get("direction")),
            ..Details::default()
        })),
    };
    Ok(Fact {
        key: FactKey::leg(&id),
        at: began,
        revision,
        rank: SourceRank::SettledRecord,
        statement,
    })
}

fn segments(session: &Node<'_>) -> Result<Vec<Segment>, ItemError> {
    let read = |segment: &Node<'_>| {
        Ok(Segment {
            kind: segment.name("segmentType")?.unwrap_or_default(),
            start: segment.instant("segmentStart")?,
            end: segment.instant("segmentEnd")?,
            disconnect: segment.name("disconnectType")?,
            queue: segment.name("queueId")?,
            wrap_up: segment.name("wrapUpCode")?,
        })
    };
    session.list("segments")?.iter().map(read).collect()
}

struct Metric {
    name: String,
    value: i64,
    emitted: Option<UtcMicros>,
}

fn metrics(session: &Node<'_>) -> Result<Vec<Metric>, ItemError> {
    let mut found = Vec::new();
    for metric in session.list("metrics")? {
        if let (Some(name), Some(value)) = (metric.name("name")?, metric.millis("value")?) {
            let emitted = metric.instant("emitDate")?;
            found.push(Metric {
                name,
                value,
                emitted,
            });
        }
    }
    Ok(found)
}

/// The sum of a metric over a session; `None` when it is not there.
fn sum(metrics: &[Metric], name: &str) -> Option<i64> {
    metrics
        .iter()
        .filter(|metric| metric.name == name)
        .map(|metric| metric.value)
        .reduce(i64::saturating_add)
}

fn durations(kind: LegKind, metrics: &[Metric], segments: &[Segment]) -> Durations {
    let mut durations = Durations::default();
    let mut state = |kind, millis: Option<i64>| {
        if let Some(millis) = millis {
            durations.set(kind, Millis(millis));
        }
    };
    match kind {
        LegKind::Agent if metrics.is_empty() => {
            for (name, kind) in AGENT_SEGMENTS {
                state(kind, lasted(segments, name));
            }
        }
        LegKind::Agent => {
            // Parts first, so that the complete figure takes their place.
            for (name, kind) in PARTIAL_METRICS.into_iter().chain(AGENT_METRICS) {
                state(kind, sum(metrics, name));
            }
        }
        LegKind::Queue if metrics.is_empty() => {
            state(DurationKind::QueueWait, lasted(segments, "interact"));
        }
        LegKind::Queue => {
            let waited = ["tAcd", "tAbandon", "tFlowOut"];
            let waited = waited.iter().find_map(|name| sum(metrics, name));
            state(DurationKind::QueueWait, waited);
        }
        LegKind::Customer | LegKind::Ivr | LegKind::External | LegKind::Other => {}
    }
    durations
}

/// How long the ended segments of a kind lasted together; `None` when there is none.
fn lasted(segments: &[Segment], kind: &str) -> Option<i64> {
    segments
        .iter()
        .filter(|segment| segment.kind == kind)
        .filter_map(|segment| Some(segment.end?.since(segment.start?).0))
        .reduce(i64::saturating_add)
}

fn outcome_of_leg(kind: LegKind, metrics: &[Metric], segments: &[Segment]) -> Option<LegOutcome> {
    let has = |name: &str| metrics.iter().any(|metric| metric.name == name);
    let left_by = segments
        .iter()
        .rev()
        .find_map(|segment| segment.disconnect.as_deref());
    match kind {
        LegKind::Agent => {
            let talked = has("tAnswered")
                || has("tTalk")
                || has("tTalkComplete")
                || (metrics.is_empty()
                    && segments.iter().any(|segment| segment.kind == "interact"));
            match (talked, has("nTransferred") || has("nBlindTransferred")) {
                (true, true) => Some(LegOutcome::Transferred),
                (true, false) => Some(LegOutcome::Answered),
                (false, _) if has("tNotResponding") => Some(LegOutcome::NotResponding),
                (false, _)
                    if segments
                        .iter()
                        .any(|segment| segment.kind == "alert" && segment.end.is_some()) =>
                {
                    Some(LegOutcome::NotResponding)
                }
                (false, _) => None,
            }
        }
        LegKind::Queue if has("tAbandon") => Some(LegOutcome::Abandoned),
        LegKind::Queue if has("tFlowOut") => Some(LegOutcome::FlowedOut),
        // Whether a leg that was transferred out reached an agent is seen on the agent's leg: `settle_queues`.
        LegKind::Queue => match left_by {
            Some(how) if how.to_ascii_lowercase().contains("transfer") => {
                Some(LegOutcome::Transferred)
            }
            _ => None,
        },
        LegKind::Customer | LegKind::Ivr | LegKind::External | LegKind::Other => None,
    }
}

/// Says of each queue leg that was left for somebody whether an agent answered: one whose leg began while the queue leg ran, or
/// at its end.
fn settle_queues(legs: &mut [Fact]) {
    /// An agent's leg may begin this long after the queue let go.
    const SLACK: Millis = Millis(5_000);
    let answered: Vec<UtcMicros> = legs
        .iter()
        .filter(|leg| is_served(leg))
        .map(|leg| leg.at)
        .collect();
    for fact in legs.iter_mut() {
        let began = fact.at;
        let Some(leg) = fact
            .statement
            .details
            .as_mut()
            .and_then(|details| details.leg.as_mut())
        else {
            continue;
        };
        if leg.kind == LegKind::Queue && leg.outcome == Some(LegOutcome::Transferred) {
            let until = leg.ended_at.unwrap_or(began).plus(SLACK);
            let reached = answered.iter().any(|at| (began..=until).contains(at));
            leg.outcome = Some(if reached {
                LegOutcome::Answered
            } else {
                LegOutcome::FlowedOut
            });
        }
    }
}

fn is_served(fact: &Fact) -> bool {
    fact.statement.leg().is_some_and(|leg| {
        leg.kind == LegKind::Agent
            && matches!(
                leg.outcome,
                Some(LegOutcome::Answered | LegOutcome::Transferred)
            )
    })
}

/// How an ended conversation ended: by what its legs tell, not by its last word.
fn outcome(legs: &[Fact], direction: Option<Direction>) -> State {
    let any = |wanted: &dyn Fn(&Fact, &Leg) -> bool| {
        legs.iter()
            .any(|fact| fact.statement.leg().is_some_and(|leg| wanted(fact, leg)))
    };
    let is_callback = |fact: &Fact| {
        fact.statement
            .details
            .as_ref()
            .is_some_and(|details| details.media.as_deref() == Some("callback"))
    };
    if any(&|fact, _| is_served(fact)) {
        return State::Completed;
    }
    if any(&|_, leg| leg.outcome == Some(LegOutcome::Abandoned)) {
        return State::Abandoned;
    }
    // Waited in a queue to the end without the platform calling it abandoned: nobody is on the line of a callback.
    if any(&|fact, leg| leg.kind == LegKind::Queue && leg.outcome.is_none() && is_callback(fact)) {
        return State::Missed;
    }
    if any(&|_, leg| leg.kind == LegKind::Queue && leg.outcome.is_none()) {
        return State::Abandoned;
    }
    if any(&|_, leg| leg.kind == LegKind::Agent) {
        return State::Missed;
    }
    // Served by a flow, or passed on by a queue to voicemail or another flow.
    if any(&|_, leg| matches!(leg.kind, LegKind::Ivr | LegKind::Queue)) {
        return State::Completed;
    }
    match direction {
        Some(Direction::Outbound) => State::Missed,
        _ => State::Abandoned,
    }
}

fn kind_of(purpose: &str) -> LegKind {
    match purpose.to_ascii_lowercase().as_str() {
        "customer" => LegKind::Customer,
        "external" => LegKind::External,
        "ivr" | "botflow" | "workflow" | "voicesurveyflow" => LegKind::Ivr,
        "acd" => LegKind::Queue,
        // `user` is a direct call that no queue routed.
        "agent" | "user" => LegKind::Agent,
        _ => LegKind::Other,
    }
}

/// Platforms spell it in lower case here and in capitals elsewhere; another word is no direction.
fn direction(value: &Scalar<'_>) -> Option<Direction> {
    let text = value.text()?;
    if text.eq_ignore_ascii_case("inbound") {
        Some(Direction::Inbound)
    } else if text.eq_ignore_ascii_case("outbound") {
        Some(Direction::Outbound)
    } else {
        None
    }
}
