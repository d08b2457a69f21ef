//! What an event states of its session: as much of what a conversation detail record says of it as is known by then.

use super::{Event, Kind, Read};
use crate::error::ItemError;
use schema::{
    AgentId, AgentRef, DurationKind, Leg, LegKind, LegOutcome, Millis, QueueId, State, Statement,
    Transfer, UtcMicros,
};

/// Longer than this (400 days) no part lasts: what is stated so is kept, and dates nothing.
const LONGEST: Millis = Millis(400 * 24 * 3_600_000);

/// Reads an event about a session.
pub(super) fn read(event: &Event<'_>) -> Result<Read, ItemError> {
    Ok(match event.kind {
        Kind::CustomerEnd => plain(event, LegKind::Customer, Some("interactingDurationMs"))?.into(),
        Kind::FlowStart | Kind::FlowEnd => flow(event)?.into(),
        Kind::FlowOutcome => flow_outcome(event)?,
        Kind::AcdStart => queue(event, plain_leg(event, LegKind::Queue, None)?).into(),
        Kind::AcdEnd => wait(event)?.into(),
        Kind::UserStart => agent(
            event,
            event.at,
            event.leg(LegKind::Agent)?,
            Statement::default(),
        )
        .into(),
        Kind::UserEnd => part(event)?.into(),
        Kind::Acw | Kind::Wrapup => wrap_up(event)?,
        Kind::VoicemailEnd => plain(event, LegKind::Other, Some("voicemailDurationMs"))?.into(),
        Kind::AgentState => state(event)?,
        // All that is left begin a part.
        Kind::VoicemailStart => plain(event, LegKind::Other, None)?.into(),
        _ => plain(event, LegKind::Customer, None)?.into(),
    })
}

/// A leg and when it began; ended where the event is an end, which names how long it lasted.
fn plain_leg(
    event: &Event<'_>,
    kind: LegKind,
    lasted: Option<&str>,
) -> Result<(UtcMicros, Leg), ItemError> {
    let mut leg = event.leg(kind)?;
    let Some(lasted) = lasted else {
        return Ok((event.at, leg));
    };
    leg.ended_at = Some(event.at);
    let lasted = event.body.millis(lasted)?;
    Ok((before(event.at, [lasted]).unwrap_or(event.at), leg))
}

fn plain(
    event: &Event<'_>,
    kind: LegKind,
    lasted: Option<&str>,
) -> Result<schema::Fact, ItemError> {
    let (began, leg) = plain_leg(event, kind, lasted)?;
    Ok(event.of_leg(began, event.kind.name(), leg, Statement::default()))
}

/// The instant so long before; `None` where one of them is no length of time, or none is stated.
fn before<const N: usize>(at: UtcMicros, lengths: [Option<Millis>; N]) -> Option<UtcMicros> {
    let mut sum = None;
    for length in lengths.into_iter().flatten() {
        if length < Millis::ZERO || length > LONGEST {
            return None;
        }
        sum = Some(sum.unwrap_or(Millis::ZERO).checked_add(length)?);
    }
    sum.map(|sum: Millis| at.plus(Millis(-sum.0)))
}

/// A flow that plays while the customer waits in a queue has the queue's session: it is neither a passage nor that session's end.
fn is_in_queue(event: &Event<'_>) -> bool {
    let kind = event.body.word("flowType");
    kind.is_some_and(|kind| kind.starts_with("INQUEUE"))
}

fn flow(event: &Event<'_>) -> Result<schema::Fact, ItemError> {
    if is_in_queue(event) {
        return plain(event, LegKind::Other, None);
    }
    // A voicemail is no passage in a record either.
    let kind = match event.body.word("flowType").as_deref() {
        Some("VOICEMAIL") => LegKind::Other,
        _ => LegKind::Ivr,
    };
    let ends = event.kind == Kind::FlowEnd;
    let (began, mut leg) = plain_leg(event, kind, ends.then_some("connectedDurationMs"))?;
    if ends && kind == LegKind::Ivr {
        leg.outcome = flow_ended(event);
    }
    Ok(event.of_leg(began, event.kind.name(), leg, Statement::default()))
}

/// How a passage ended, by the rules that hold of a record: left by the customer, else served or ended by itself, unless it was passed
/// on, failed or ran into a timeout. That the customer was served after all is said by `flow.outcome`.
fn flow_ended(event: &Event<'_>) -> Option<LegOutcome> {
    let exit = event.body.word("exitReason");
    let how = event.body.word("disconnectType");
    let left = match exit.as_deref() {
        Some(exit) => exit == "DISCONNECT",
        None => how.as_deref() == Some("PEER"),
    };
    if left {
        return Some(LegOutcome::Abandoned);
    }
    let otherwise = ["TRANSFER", "ERROR", "FAILURE", "EXPIRE"];
    let mut ends = exit.iter().chain(&how);
    let passed_on = ends
        .clone()
        .any(|end| otherwise.iter().any(|word| end.contains(word)));
    (!passed_on && ends.next().is_some()).then_some(LegOutcome::Answered)
}

/// What a flow achieved. Whether it was a passage, or played while the customer waited, is told by its start and end: nothing else does, and
/// of a queue's session it is no outcome.
fn flow_outcome(event: &Event<'_>) -> Result<Read, ItemError> {
    let id = event.body.text("flowOutcomeId").unwrap_or_default();
    let served = event.body.word("flowOutcomeValue").as_deref() == Some("SUCCESS");
    let mut leg = event.leg(LegKind::Other)?;
    leg.outcome = served.then_some(LegOutcome::Answered);
    let what = format!("{}:{id}", event.kind.name());
    Ok(Read {
        facts: vec![event.of_leg(event.at, &what, leg, Statement::default())],
        detail: id,
    })
}

fn queue(event: &Event<'_>, (began, leg): (UtcMicros, Leg)) -> schema::Fact {
    let statement = Statement {
        queue: event.body.text("queueId").map(QueueId::new),
        ..Statement::default()
    };
    event.of_leg(began, event.kind.name(), leg, statement)
}

/// The end of a wait in a queue.
fn wait(event: &Event<'_>) -> Result<schema::Fact, ItemError> {
    const LASTED: &str = "connectedDurationMs";
    let (began, mut leg) = plain_leg(event, LegKind::Queue, Some(LASTED))?;
    let somebody = event.body.text("answeredUserId").is_some();
    leg.outcome = match event.body.word("acdOutcome").as_deref() {
        Some("ANSWERED") => Some(LegOutcome::Answered),
        Some("ABANDON") => Some(LegOutcome::Abandoned),
        Some("FLOWOUT") => Some(LegOutcome::FlowedOut),
        _ if somebody => Some(LegOutcome::Answered),
        // Nobody says: the other side hung up. Nobody is on the line of a callback.
        _ => {
            let peer = event.body.word("disconnectType").as_deref() == Some("PEER");
            let callback = event.body.media().as_deref() == Some("callback");
            (peer && !callback).then_some(LegOutcome::Abandoned)
        }
    };
    if leg.outcome == Some(LegOutcome::Answered) {
        leg.answered_at = leg.ended_at;
    }
    let mut fact = queue(event, (began, leg));
    if let Some(lasted) = event.body.millis(LASTED)? {
        fact.statement
            .durations
            .set(DurationKind::QueueWait, lasted);
    }
    Ok(fact)
}

fn agent(event: &Event<'_>, began: UtcMicros, leg: Leg, statement: Statement) -> schema::Fact {
    with_agent(event, began, event.kind.name(), leg, statement)
}

fn with_agent(
    event: &Event<'_>,
    began: UtcMicros,
    what: &str,
    leg: Leg,
    statement: Statement,
) -> schema::Fact {
    let statement = Statement {
        agent: event.body.text("userId").map(|id| AgentRef {
            id: AgentId::new(id),
            zone: None,
        }),
        queue: event.body.text("queueId").map(QueueId::new),
        ..statement
    };
    event.of_leg(began, what, leg, statement)
}

/// The end of an agent's part.
fn part(event: &Event<'_>) -> Result<schema::Fact, ItemError> {
    let body = &event.body;
    let talk = body.millis("interactingDurationMs")?;
    let hold = body.millis("heldDurationMs")?;
    let reached = [
        (DurationKind::Alert, body.millis("alertingDurationMs")?),
        (
            DurationKind::Contacting,
            body.millis("contactingDurationMs")?,
        ),
        (DurationKind::Dialing, body.millis("dialingDurationMs")?),
    ];
    let mut leg = event.leg(LegKind::Agent)?;
    leg.ended_at = Some(event.at);
    let mut statement = Statement::default();
    for (kind, lasted) in reached {
        // What did not happen is zero in an event and not in a record.
        if let Some(lasted) = lasted.filter(|lasted| *lasted != Millis::ZERO) {
            statement.durations.set(kind, lasted);
        }
    }
    let happened = |lasted: Option<Millis>| lasted.is_some_and(|lasted| lasted != Millis::ZERO);
    let how = body.word("disconnectType");
    if happened(talk) || happened(hold) {
        for (kind, lasted) in [(DurationKind::Talk, talk), (DurationKind::Hold, hold)] {
            if let Some(lasted) = lasted {
                statement.durations.set(kind, lasted);
            }
        }
        leg.holds = (hold == Some(Millis::ZERO)).then_some(0);
        leg.answered_at = before(event.at, [talk, hold]);
        leg.transfer = how.as_deref().and_then(transfer);
        leg.outcome = Some(match leg.transfer {
            Some(_) => LegOutcome::Transferred,
            None => LegOutcome::Answered,
        });
    } else {
        let rang = happened(reached[0].1);
        leg.outcome = match how.as_deref() {
            // The other side of an alert is the customer: nobody missed anything.
            Some("PEER") if rang => Some(LegOutcome::Abandoned),
            _ => rang.then_some(LegOutcome::NotResponding),
        };
    }
    let began = before(
        event.at,
        [talk, hold, reached[0].1, reached[1].1, reached[2].1],
    );
    Ok(agent(event, began.unwrap_or(event.at), leg, statement))
}

/// How the agent passed the contact on, by the rules that hold of a record without metrics.
fn transfer(how: &str) -> Option<Transfer> {
    match how {
        "CONSULTTRANSFER" => Some(Transfer::Consult),
        "TRANSFER" | "CONFERENCETRANSFER" => Some(Transfer::Unspecified),
        _ => None,
    }
}

/// The end of after-call work. A `wrapup` with no time in it only states its code, however much later.
fn wrap_up(event: &Event<'_>) -> Result<Read, ItemError> {
    let lasted = event.body.millis("wrapupDurationMs")?;
    let lasted = lasted.filter(|lasted| event.kind == Kind::Acw || *lasted != Millis::ZERO);
    let code = event.body.text("wrapupCode");
    let mut leg = event.leg(LegKind::Agent)?;
    let mut statement = Statement {
        disposition: code.as_deref().map(Into::into),
        ..Statement::default()
    };
    if let Some(lasted) = lasted {
        statement.durations.set(DurationKind::Wrap, lasted);
    }
    if event.kind == Kind::Acw || lasted.is_some() {
        leg.ended_at = Some(event.at);
    }
    let began = before(event.at, [lasted]).unwrap_or(event.at);
    let code = code.unwrap_or_default();
    let what = format!("{}:{code}", event.kind.name());
    Ok(Read {
        facts: vec![with_agent(event, began, &what, leg, statement)],
        detail: code,
    })
}

/// What an agent's part was doing from an instant on.
fn state(event: &Event<'_>) -> Result<Read, ItemError> {
    let Some(name) = event.body.word("currentState") else {
        return Ok(Read {
            facts: Vec::new(),
            detail: String::new(),
        });
    };
    let since = event.body.instant("currentStateStart")?.unwrap_or(event.at);
    let began = event.body.instant("sessionStart")?;
    let mut leg = event.leg(LegKind::Agent)?;
    let mut statement = Statement::default();
    match name.as_str() {
        "ALERT" | "ALERTING" => statement.state = Some(State::Alerting),
        "INTERACT" | "INTERACTING" => statement.state = Some(State::Connected),
        "HOLD" | "HELD" => statement.state = Some(State::Held),
        "TERMINATED" => leg.ended_at = Some(since),
        // Of others is known that the part is there.
        _ => {}
    }
    // The states of a part follow each other by their instants; only what states none is dated by the part's own beginning.
    let dated = match (&statement.state, began) {
        (None, Some(began)) => began.min(since),
        _ => since,
    };
    let what = format!("{}:{name}:{}", event.kind.name(), since.0);
    Ok(Read {
        facts: vec![with_agent(event, dated, &what, leg, statement)],
        detail: format!("{name}:{}", since.0),
    })
}
