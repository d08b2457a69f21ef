//! CXone data-download report 524 (Call Detail): CSV, one line a contact, as it is or in base64 in the answer of its job.
//!
//! A contact is a **leg**; `master_contact_id` is the interaction it belongs to. The report lists ended contacts only, so each row
//! states a terminal state, and the history of the legs decides for the interaction. What each column is:
//!
//! | column | here |
//! | --- | --- |
//! | `contact_id`, `master_contact_id` | leg, interaction (an empty master: the contact is its own) |
//! | `start_date`, `start_time` | the start in the business unit's local time without offset; made UTC with the zone given. In the hour that happens twice the earlier is taken |
//! | `agent_no` | the leg's last agent; 0 or nothing: it never reached one (and is no abandon for that) |
//! | `InQueue` | queue wait, of legs that were queued |
//! | `Agent_Working_Time` | talk. It **includes hold and conference**, so hold is not stated, never stated as zero |
//! | `Total_Time` | the leg's end: start plus this. After-call work lies outside of it **and is not in this report**: wrap is not stated |
//! | `abandon` | `Y`: the customer left the queue; with an `InQueue` of 0, the flow before it |
//! | `PreQueue` + `InQueue` | when the agent answered, counted from the start |
//! | `skill_no`, `disposition_code`, `media_name` | queue, disposition (0: none), medium |
//!
//! All durations are seconds, often with a fraction (`25.0`), because the report's writer turns a column with an empty cell
//! fractional; ids are read the same way. An empty cell is not stated. An agent follows the business unit's zone here: the report
//! names no other. The report knows of no holds, transfers and conferences. `PostQueue`, `Routing_Time`, `Abandon_Time` and `callback_time` are kept in the raw bytes only.
//!
//! A written contact has its wait in a leg of its own, as in [`crate::cxone_contacts`].
//!
//! `ANI_DIALNUM` is who the customer is: the number that called or was called. It is given out beside the facts, for its keyed hash and
//! nothing else, and only of a contact that no other one created: later ones can have an agent's own number there. Names are not read.

use crate::cxone_media;
use crate::cxone_wait::Wait;
use crate::duration;
use crate::error::{BodyError, ItemError};
use crate::identity::CustomerIdentity;
use crate::map::{Mapped, Outcome, Stated};
use crate::report::{self, Row, parse_date, parse_time};
use compact_str::CompactString;
use schema::{
    AgentId, AgentRef, Details, DurationKind, Durations, EventId, Fact, FactKey, InteractionId,
    Leg, LegId, LegKind, LegOutcome, Millis, QueueId, SourceRank, State, Statement, UtcMicros,
};
use timezone::{Side, Zone};

/// Columns without which a row says nothing.
const REQUIRED: [&str; 3] = ["contact_id", "start_date", "start_time"];

/// The rows, each with the header line before it.
pub(crate) fn split(body: &[u8]) -> Result<Vec<Vec<u8>>, BodyError> {
    report::split(body, &REQUIRED)
}

impl Row {
    /// When the agent's part began: the report's parts follow each other.
    fn answered_at(&self, start: UtcMicros) -> Result<Option<UtcMicros>, ItemError> {
        let (before, waited) = (self.seconds("PreQueue")?, self.seconds("InQueue")?);
        Ok(before
            .zip(waited)
            .and_then(|(before, waited)| before.checked_add(waited))
            .and_then(|until| duration::end(start, until)))
    }

    /// The start as an instant.
    fn start(&self, zone: Zone) -> Result<UtcMicros, ItemError> {
        const DATE: &str = "a date like 01/31/2020";
        const TIME: &str = "a time like 16:32:15";
        let date = self.needed("start_date", DATE)?;
        let time = self.needed("start_time", TIME)?;
        let date = parse_date(&date).ok_or_else(|| ItemError::new("start_date", &date, DATE))?;
        let time = parse_time(&time).ok_or_else(|| ItemError::new("start_time", &time, TIME))?;
        Ok(UtcMicros(zone.resolve(date, time, Side::Earliest)))
    }
}

/// Whether this names a zone, so that a configuration can be refused before any row is.
pub fn check_zone(zone: &str) -> Result<(), String> {
    Zone::parse(zone)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// Maps one row.
pub(crate) fn map(raw: &[u8], zone: &str) -> Result<Outcome, ItemError> {
    let zone_in_use = Zone::parse(zone).map_err(|_| {
        ItemError::described("(zone)", zone, "the business unit's zone, an IANA name")
    })?;
    let row = Row::read(raw)?;
    let contact = row
        .id_but_zero("contact_id")
        .ok_or_else(|| ItemError::missing("contact_id", "the contact's id"))?;
    let master = row
        .id_but_zero("master_contact_id")
        .unwrap_or_else(|| contact.clone());
    let at = row.start(zone_in_use)?;
    let agent = row.id_but_zero("agent_no");
    let abandoned = match row.text("abandon").as_deref() {
        Some("Y" | "y" | "1" | "True" | "true") => true,
        Some("N" | "n" | "0" | "False" | "false") | None => false,
        Some(other) => return Err(ItemError::new("abandon", other, "Y or N")),
    };
    let waited = row.seconds("InQueue")?;
    let kind = match waited {
        _ if agent.is_some() => LegKind::Agent,
        // Left without ever having waited in a queue: that was in the flow. Without any word on the wait, it was a queue.
        Some(Millis::ZERO) => LegKind::Ivr,
        None if !abandoned => LegKind::Ivr,
        _ => LegKind::Queue,
    };
    let media = row.text("media_name").map(|name| cxone_media::named(&name));
    let queue = row.id_but_zero("skill_no").map(QueueId::new);
    let (leg_id, wait) = match &agent {
        Some(agent) if cxone_media::is_written(media.as_deref()) => (
            cxone_media::agent_leg(&contact, agent),
            Wait::of(
                &contact,
                at,
                row.seconds("PreQueue")?,
                waited,
                queue.clone(),
            )
            .filter(|_| !abandoned),
        ),
        _ => (LegId::new(&contact), None),
    };
    let mut durations = Durations::default();
    if let Some(waited) = waited.filter(|_| kind != LegKind::Ivr && wait.is_none()) {
        durations.set(DurationKind::QueueWait, waited);
    }
    if let Some(talked) = row
        .seconds("Agent_Working_Time")?
        .filter(|_| kind == LegKind::Agent)
    {
        durations.set(DurationKind::Talk, talked);
    }
    let customer = row
        .text("ANI_DIALNUM")
        .filter(|_| master == contact)
        .map(CustomerIdentity::new);
    let ended_at = row
        .seconds("Total_Time")?
        .and_then(|lasted| duration::end(at, lasted));
    let statement = Statement {
        state: Some(if abandoned {
            State::Abandoned
        } else {
            State::Completed
        }),
        agent: agent.map(|id| AgentRef {
            id: AgentId::new(id),
            zone: Some(CompactString::new(zone_in_use.name())),
        }),
        queue,
        disposition: row.id_but_zero("disposition_code").map(CompactString::new),
        durations,
        details: Some(Box::new(Details {
            leg: Some(Leg {
                ended_at,
                outcome: match kind {
                    _ if abandoned => Some(LegOutcome::Abandoned),
                    LegKind::Agent => Some(LegOutcome::Answered),
                    _ => None,
                },
                answered_at: row
                    .answered_at(at)?
                    .filter(|_| kind == LegKind::Agent && !abandoned),
                ..Leg::new(leg_id, kind)
            }),
            media: media.clone(),
            ended_at,
            ..Details::default()
        })),
    };
    let mut facts = vec![Fact {
        key: FactKey::leg(&contact),
        at,
        revision: None,
        rank: SourceRank::SettledRecord,
        statement,
    }];
    facts.extend(wait.map(|wait| wait.fact(None, media)));
    Ok(Outcome::Mapped(Mapped {
        event_id: EventId::new(&contact),
        at,
        digest: row.digest(),
        stated: Stated::Interaction {
            interaction: InteractionId::new(&master),
            facts,
            terminal: true,
            customer,
        },
    }))
}
