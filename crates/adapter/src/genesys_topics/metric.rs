//! One metric of the platform's own (`ConversationMetricRecord`): worth more than an event, less than the settled record.

use super::body::Body;
use super::{Event, Read};
use crate::error::ItemError;
use crate::genesys_details::{AGENT_METRICS, kind_of};
use compact_str::CompactString;
use schema::{
    AgentId, AgentRef, DurationKind, LegKind, LegOutcome, QueueId, SourceRank, Statement, Transfer,
};

/// What of a wait in a queue is its length.
const WAITS: [&str; 3] = ["tAcd", "tAbandon", "tFlowOut"];

/// Reads a record. Metrics that say nothing that a leg has are named, and nothing else.
pub(super) fn read(event: &Event<'_>) -> Result<Read, ItemError> {
    let body = &event.body;
    let metric = body
        .name("metric")?
        .ok_or_else(|| ItemError::missing(Body::at("metric"), "the metric's name"))?;
    let named = |name: &str| metric.eq_ignore_ascii_case(name);
    let is_wait = WAITS.iter().any(|name| named(name));
    let kind = match body.text("purpose") {
        Some(purpose) => kind_of(&purpose),
        None if is_wait => LegKind::Queue,
        None => LegKind::Agent,
    };
    let nothing = |metric| {
        Ok(Read {
            facts: Vec::new(),
            detail: metric,
        })
    };
    if body.name("sessionId")?.is_none() {
        return nothing(metric);
    }
    let value = body.millis("value")?;
    let happened = value.is_some_and(|count| count.0 > 0);
    let mut leg = event.leg(kind)?;
    let mut statement = Statement {
        queue: body.text("queueId").map(QueueId::new),
        ..Statement::default()
    };
    let agent = |statement: &mut Statement| {
        statement.agent = body.text("userId").map(|id| AgentRef {
            id: AgentId::new(id),
            zone: None,
        });
    };
    let duration = AGENT_METRICS.iter().find(|(name, _)| named(name));
    match (kind, duration, value) {
        (LegKind::Agent, Some((_, kind)), Some(value)) => {
            statement.durations.set(*kind, value);
            agent(&mut statement);
        }
        (LegKind::Queue, _, Some(value)) if is_wait => {
            statement.durations.set(DurationKind::QueueWait, value);
            leg.outcome = match () {
                () if named("tAbandon") => Some(LegOutcome::Abandoned),
                () if named("tFlowOut") => Some(LegOutcome::FlowedOut),
                () => None,
            };
        }
        // The outcome is left to who also knows of transfers.
        (LegKind::Agent, ..) if named("tAnswered") => {
            leg.answered_at = Some(event.at);
            agent(&mut statement);
        }
        (LegKind::Agent, ..) if named("tNotResponding") => {
            leg.outcome = Some(LegOutcome::NotResponding);
            agent(&mut statement);
        }
        (LegKind::Agent, ..) if named("nConsultTransferred") && happened => {
            leg.transfer = Some(Transfer::Consult);
        }
        (LegKind::Agent, ..) if named("nBlindTransferred") && happened => {
            leg.transfer = Some(Transfer::Blind);
        }
        // `nTransferred` is of every transfer, and the one that says how may come before or after it.
        _ => return nothing(metric),
    }
    let what = CompactString::from(format!("metric:{metric}"));
    let mut fact = event.of_leg(event.at, &what, leg, statement);
    fact.rank = SourceRank::MetricRecord;
    Ok(Read {
        facts: vec![fact],
        detail: metric,
    })
}
