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
//! segments ([`from_segments`] gives these figures of any record). `tHandle` is kept as the platform's own statement beside its
//! parts; it also holds dialling and contacting.
//!
//! What only looks like handled work: an agent who was alerted and did not answer (`tNotResponding`, no `tAnswered`, no talk) has
//! the outcome [`LegOutcome::NotResponding`] although `tAcw` and `tHandle` may be stated for the
//! leg; the durations stay as stated. One at whom it rang when the customer hung up missed nothing. An agent who was consulted and
//! whom the customer was not passed on to has `consult`; one who was asked and then took over has `consulted`, the time that both
//! agents count. Where no hold is known of an agent who answered and is gone, hold time is zero, which the platform leaves out. A session
//! that listens to another one (`monitoredParticipantId`, `coachedParticipantId`) is nobody's part of the contact.
//!
//! | of a leg | from |
//! | --- | --- |
//! | `answered_at` | an agent's: the start of the first `interact` segment; a queue's that an agent took: its end |
//! | `holds`, `longest_hold` | the `tHeld` metrics, one a hold, else the `hold` segments |
//! | `transfer` | `nConsultTransferred`, `nBlindTransferred`, else `nTransferred`; without metrics the last `disconnectType` |
//! | `conference` | a segment that says so, or a session that barged in |
//! | outcome of a flow | left by the customer (`exitReason` or `disconnectType`), unless it was `selfServed` or a flow outcome succeeded; answered when it ended so, or by itself; none when it passed the contact on, or failed |
//! | outcome of an alert | `tNotResponding`, or an end that neither the customer (`peer`) nor the agent's side (`client`, `endpoint`) made |
//!
//! The revision stamp is the latest instant the record itself speaks of (metric emitted, segment ended): a later snapshot of a
//! session never speaks of less. No names are read, and of attributes those that the installation keeps. The customer is given out beside the facts, for a
//! keyed hash and nothing else: the contact that the platform knows, else the address of the customer's first session.

mod attributes;
mod customer;
mod leg;
mod relations;
mod segments;
mod session;

pub(crate) use leg::AGENT_METRICS;
pub use segments::{SegmentFigures, from_segments};
pub(crate) use session::kind_of;

use crate::error::ItemError;
use crate::identity::CustomerIdentity;
use crate::json;
use crate::map::{Mapped, Outcome, Stated};
use crate::node::{Node, tree};
use crate::page::Shape;
use crate::{instant, scalar::Scalar};
use relations::is_served;
use schema::{
    Details, Direction, EventId, Fact, FactKey, InteractionId, Leg, LegKind, LegOutcome,
    SourceRank, State, Statement, UtcMicros,
};
use session::{Session, sessions};
use std::collections::BTreeSet;

/// How pages are made.
pub(crate) const PAGE: Shape = Shape {
    record: &["conversationId"],
    lists: &["conversations"],
    wrappers: &[],
    page: &[
        "totalHits",
        "dataAvailabilityDate",
        "cursor",
        "aggregations",
    ],
};

/// A conversation detail record, read.
struct Record {
    interaction: String,
    start: UtcMicros,
    end: Option<UtcMicros>,
    direction: Option<Direction>,
    sessions: Vec<Session>,
    customer: Option<CustomerIdentity>,
    /// Those that are kept.
    attributes: Vec<(String, String)>,
}

impl Record {
    fn read(raw: &[u8], kept: &BTreeSet<String>) -> Result<Self, ItemError> {
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
        let direction = direction(&record.get("originatingDirection"));
        Ok(Self {
            interaction,
            start,
            end: record.instant("conversationEnd")?,
            direction,
            customer: customer::customer(&record, direction),
            attributes: attributes::attributes(&record, kept),
            sessions: sessions(&record)?,
        })
    }
}

/// Maps one record.
pub(crate) fn map(raw: &[u8], kept: &BTreeSet<String>) -> Result<Outcome, ItemError> {
    let Record {
        interaction,
        start,
        end,
        direction,
        sessions,
        customer,
        attributes,
    } = Record::read(raw, kept)?;
    let mut legs: Vec<Fact> = sessions
        .iter()
        .map(|session| leg::fact(session, start))
        .collect();
    let known = legs.iter().filter_map(|leg| leg.revision).chain(end).max();
    relations::settle(&sessions, &mut legs);
    let mut details = Details {
        media: legs
            .iter()
            .min_by_key(|leg| leg.at)
            .and_then(|leg| leg.statement.details.as_ref()?.media.clone()),
        direction,
        ended_at: end,
        ..Details::default()
    };
    for (name, value) in &attributes {
        details.keep_attribute(name, value);
    }
    let whole = Fact {
        key: FactKey::interaction(),
        at: start,
        revision: known,
        rank: SourceRank::SettledRecord,
        statement: Statement {
            state: end.map(|_| outcome(&legs, direction)),
            details: Some(Box::new(details)),
            ..Statement::default()
        },
    };
    let mut facts = vec![whole];
    facts.append(&mut legs);
    Ok(Outcome::Mapped(Mapped {
        event_id: EventId::new(&interaction),
        at: start,
        digest: json::digest(raw),
        stated: Stated::Interaction {
            interaction: InteractionId::new(&interaction),
            facts,
            terminal: end.is_some(),
            customer,
        },
    }))
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
    // Who hung up in the flow was never offered to anybody: no abandonment of the centre's.
    if any(&|_, leg| leg.kind != LegKind::Ivr && leg.outcome == Some(LegOutcome::Abandoned)) {
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

/// Platforms spell it in lower case here and in capitals elsewhere; another word is no direction.
pub(crate) fn direction(value: &Scalar<'_>) -> Option<Direction> {
    let text = value.text()?;
    if text.eq_ignore_ascii_case("inbound") {
        Some(Direction::Inbound)
    } else if text.eq_ignore_ascii_case("outbound") {
        Some(Direction::Outbound)
    } else {
        None
    }
}
