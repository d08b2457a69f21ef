//! What is read of one session of a record: whose it is, its segments and its metrics.

use super::direction;
use crate::error::ItemError;
use crate::node::Node;
use crate::scalar::Scalar;
use compact_str::CompactString;
use schema::{AgentId, AgentRef, Direction, LegKind, UtcMicros};

/// One session of one participant.
pub(super) struct Session {
    pub(super) id: String,
    pub(super) kind: LegKind,
    pub(super) agent: Option<AgentRef>,
    pub(super) media: Option<CompactString>,
    pub(super) direction: Option<Direction>,
    /// The session that this one is connected to: the customer's, in most.
    pub(super) peer: Option<String>,
    /// Whether it joined the talk of another agent.
    pub(super) barged: bool,
    /// Why a flow was left, in capitals.
    pub(super) flow_exit: Option<String>,
    /// Whether the customer served themselves, as the record or one of the flow's outcomes says.
    pub(super) self_served: bool,
    /// Ascending by start and end: neither participants nor sessions nor segments come in the order of time.
    pub(super) segments: Vec<Segment>,
    pub(super) metrics: Vec<Metric>,
}

/// What is read of one segment.
pub(super) struct Segment {
    pub(super) kind: String,
    pub(super) start: Option<UtcMicros>,
    pub(super) end: Option<UtcMicros>,
    pub(super) disconnect: Option<String>,
    pub(super) queue: Option<String>,
    pub(super) wrap_up: Option<String>,
    pub(super) conference: bool,
}

/// What is read of one metric.
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) value: i64,
    pub(super) emitted: Option<UtcMicros>,
}

impl Session {
    /// The sum of a metric over the session; `None` when it is not there.
    pub(super) fn sum(&self, name: &str) -> Option<i64> {
        self.named(name)
            .map(|metric| metric.value)
            .reduce(i64::saturating_add)
    }

    /// Whether the metric is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.named(name).next().is_some()
    }

    /// The metrics of this name.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &Metric> {
        self.metrics
            .iter()
            .filter(move |metric| metric.name == name)
    }

    /// The segments of this type.
    pub(super) fn of_type(&self, kind: &str) -> impl DoubleEndedIterator<Item = &Segment> {
        self.segments
            .iter()
            .filter(move |segment| segment.kind == kind)
    }

    /// How the session was left, in the word of its last segment that has one.
    pub(super) fn left_by(&self) -> Option<&str> {
        self.segments
            .iter()
            .rev()
            .find_map(|segment| segment.disconnect.as_deref())
    }

    /// How the last alert was left, where that is stated.
    pub(super) fn alert_left_by(&self) -> Option<&str> {
        self.of_type("alert").next_back()?.disconnect.as_deref()
    }

    /// The segments of talk and hold.
    pub(super) fn on_line(&self) -> impl Iterator<Item = &Segment> {
        self.segments
            .iter()
            .filter(|segment| matches!(segment.kind.as_str(), "interact" | "hold"))
    }

    /// The end of talk and hold, after-call work not counted; `None` while they last, or when there was none.
    pub(super) fn talked_until(&self) -> Option<UtcMicros> {
        if self.on_line().any(|segment| segment.end.is_none()) {
            return None;
        }
        self.on_line().filter_map(|segment| segment.end).max()
    }
}

/// All sessions of a record, in its order.
pub(super) fn sessions(record: &Node<'_>) -> Result<Vec<Session>, ItemError> {
    let self_served = matches!(record.get("selfServed"), Scalar::Bool(true));
    let mut found = Vec::new();
    for participant in record.list("participants")? {
        for session in participant.list("sessions")? {
            found.push(read(&participant, &session, self_served)?);
        }
    }
    Ok(found)
}

fn read(
    participant: &Node<'_>,
    session: &Node<'_>,
    self_served: bool,
) -> Result<Session, ItemError> {
    let id = session
        .name("sessionId")?
        .ok_or_else(|| ItemError::missing(session.at("sessionId"), "the session's id"))?;
    let purpose = participant.name("purpose")?.unwrap_or_default();
    let says = |name: &str| !matches!(session.get(name), Scalar::Nothing);
    let listens = says("monitoredParticipantId") || says("coachedParticipantId");
    let kind = match kind_of(&purpose) {
        LegKind::Agent if listens => LegKind::Other,
        kind => kind,
    };
    let agent = match kind {
        LegKind::Agent => participant.name("userId")?.map(|id| AgentRef {
            id: AgentId::new(id),
            // Genesys states no zone on a participant; it lives in workforce management.
            zone: None,
        }),
        _ => None,
    };
    let mut segments = segments(session)?;
    segments.sort_by_key(|segment| (segment.start, segment.end));
    let flow = flow(session);
    Ok(Session {
        id,
        kind,
        agent,
        media: session
            .name("mediaType")?
            .map(|media| CompactString::new(media.to_lowercase())),
        direction: direction(&session.get("direction")),
        peer: session.name("peerId")?,
        barged: says("bargedParticipantId"),
        flow_exit: flow.exit,
        self_served: self_served || flow.succeeded,
        segments,
        metrics: metrics(session)?,
    })
}

#[derive(Default)]
struct Flow {
    exit: Option<String>,
    succeeded: bool,
}

/// What the session's flow says of its end. Nothing where it has none, or one of another shape: no figure depends on it.
fn flow(session: &Node<'_>) -> Flow {
    let Ok(flows) = session.list("flow") else {
        return Flow::default();
    };
    let Some(flow) = flows.first() else {
        return Flow::default();
    };
    let text =
        |node: &Node<'_>, name: &str| node.get(name).text().map(|text| text.to_ascii_uppercase());
    Flow {
        exit: text(flow, "exitReason"),
        succeeded: flow.list("outcomes").is_ok_and(|outcomes| {
            outcomes
                .iter()
                .any(|outcome| text(outcome, "flowOutcomeValue").as_deref() == Some("SUCCESS"))
        }),
    }
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
            conference: matches!(segment.get("conference"), Scalar::Bool(true)),
        })
    };
    session.list("segments")?.iter().map(read).collect()
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

/// Whose part the sessions of a participant are, by its purpose.
pub(crate) fn kind_of(purpose: &str) -> LegKind {
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
