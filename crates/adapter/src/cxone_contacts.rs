//! CXone contact records as JSON: rows of `contacts/completed`, `contacts` and `contacts/{id}`.
//!
//! A body is an answer of one of these calls (`completedContacts` or `contacts`, with or without the older `resultSet` around it), a
//! list of rows, one row, or one of them a line. Names and types differ by the version of the API: names are matched whatever their
//! case, older ones beside newer ones; numbers may be text, with a comma for thousands; flags may be `"True"`.
//!
//! A contact is a **leg**; `masterContactId` is the interaction it belongs to (0 or absent: the contact is its own). It names the
//! contact that *created* this one, which after repeated transfers can be a middle leg: that is not followed here. A row states a
//! terminal state unless it is still `isActive`, and the history of the legs decides for the interaction. What each member is:
//!
//! | member | here |
//! | --- | --- |
//! | `contactStartDate` (`contactStart`) | the start |
//! | `agentId` | the agent; 0 or nothing: it never reached one |
//! | `agentSeconds`, `holdSeconds` | hold lies inside of the agent's seconds: talk is what is left of them, so talk and hold add up |
//! | `acwSeconds` (`ACWSeconds`) | wrap-up, outside of both. A zero is no statement until `dateACWWarehoused` is there: it comes late |
//! | `inQueueSeconds` | queue wait, of contacts that were queued |
//! | `totalDurationSeconds` | the leg's end: start plus this; after-call work is not in it |
//! | `preQueueSeconds` + `inQueueSeconds` | when an agent answered, counted from the start |
//! | `holdCount` | holds; the seconds of a single one are the longest, too |
//! | `conferenceSeconds` (`confSeconds`) | more than nothing: a conference |
//! | `abandoned`, or the state `Abandoned` | the customer left: the queue, or the flow when it never waited in one (`PrequeueAbandoned`) |
//! | `isRefused` | rang at an agent who did not take it: no handled contact |
//! | `transferIndicatorName` | `ReSkill`, `ReAgent`: blind; `Consult`: consult; `External`: does not say. `TakeOver` is a supervisor's doing |
//! | `isOutbound` | direction; outbound without an agent was missed |
//! | `skillId`, `primaryDispositionId`, `mediaTypeName` (`mediaTypeId`) | queue, disposition (0: none), medium |
//! | `lastUpdateTime`, `date…Warehoused`, `analyticsProcessedDate` | the revision stamp is the latest of them |
//!
//! A written contact (chat, e-mail, SMS, social, digital) has its wait in a leg of its own, and the agent's leg is named after contact and
//! agent, so that the record and the digital events of the same contact speak of the same legs ([`crate::cxone_digital`]).
//!
//! A length of time that is negative or beyond 400 days makes no instant: what it is the length of is stated as it stands, for the rules
//! to withhold, and no end is.
//!
//! A contact that reached no agent, waited in no queue and was not left, as far as the row says, ended in the flow. Whether it was
//! served there or hung up on is not in the row, unless its state is `PrequeueAbandoned`.
//!
//! `routingTime` (milliseconds!), `callbackTime`, `refuseTime`, `releaseSeconds` and `postQueueSeconds` are kept in the raw bytes only.
//!
//! Who the customer is: `fromAddress` (`fromAddr`), of an outbound contact `toAddress` (`toAddr`). It is given out beside the facts, for
//! its keyed hash and nothing else, and only of a contact that no other one created: later ones can have an agent's own address there.
//! Names, notes and tags are not read.

use crate::cxone_media::{self, agent_leg, is_written};
use crate::cxone_row::{self, Row};
use crate::cxone_wait::Wait;
use crate::error::ItemError;
use crate::identity::CustomerIdentity;
use crate::map::{Mapped, Outcome, Stated};
use crate::node::tree;
use crate::page::Shape;
use crate::{duration, instant, json};
use compact_str::CompactString;
use schema::{
    AgentId, AgentRef, Details, Direction, DurationKind, Durations, EventId, Fact, FactKey,
    InteractionId, Leg, LegId, LegKind, LegOutcome, Millis, QueueId, SourceRank, State, Statement,
    Transfer, UtcMicros,
};
use serde_json::Value;

/// How answers are made.
pub(crate) const PAGE: Shape = Shape {
    record: &["contactId"],
    lists: &["completedContacts", "contacts"],
    wrappers: &["resultSet"],
    page: cxone_row::PAGE,
};

impl Row<'_> {
    /// The latest instant at which the platform changed the row.
    fn revision(&self) -> Result<Option<UtcMicros>, ItemError> {
        let mut latest = None;
        for name in [
            "lastUpdateTime",
            "dateContactWarehoused",
            "dateACWWarehoused",
            "analyticsProcessedDate",
        ] {
            latest = latest.max(self.instant(&[name])?);
        }
        Ok(latest)
    }

    fn media(&self) -> Option<CompactString> {
        if let Some(name) = self.word(&["mediaTypeName"]) {
            return Some(cxone_media::named(&name));
        }
        match self.text(&["mediaTypeId", "mediaType"]) {
            // The oldest versions have a name in the number's place.
            Ok(Some(name)) if name.contains(|c: char| c.is_alphabetic()) => {
                Some(cxone_media::named(&name))
            }
            Ok(Some(number)) => cxone_media::numbered(&number),
            _ => None,
        }
    }

    fn transfer(&self) -> Option<Transfer> {
        match self.word(&["transferIndicatorName"])?.as_str() {
            "reskill" | "reagent" => Some(Transfer::Blind),
            "consult" => Some(Transfer::Consult),
            "external" => Some(Transfer::Unspecified),
            _ => None,
        }
    }

    fn holds(&self) -> Option<u32> {
        match self.get(&["holdCount"]).1.millis() {
            Ok(Some(count)) => u32::try_from(count).ok(),
            _ => None,
        }
    }
}

/// The seconds of a row, in milliseconds.
struct Times {
    pre_queue: Option<Millis>,
    in_queue: Option<Millis>,
    agent: Option<Millis>,
    hold: Option<Millis>,
    wrap: Option<Millis>,
    conference: Option<Millis>,
    total: Option<Millis>,
}

impl Times {
    fn read(row: &Row<'_>) -> Result<Self, ItemError> {
        let settled = row.instant(&["dateACWWarehoused"])?.is_some();
        Ok(Self {
            pre_queue: row.seconds(&["preQueueSeconds"])?,
            in_queue: row.seconds(&["inQueueSeconds"])?,
            agent: row.seconds(&["agentSeconds"])?,
            hold: row.seconds(&["holdSeconds"])?,
            wrap: row
                .seconds(&["acwSeconds"])?
                .filter(|wrap| settled || *wrap != Millis::ZERO),
            conference: row.seconds(&["conferenceSeconds", "confSeconds"])?,
            total: row.seconds(&["totalDurationSeconds"])?,
        })
    }

    fn was_queued(&self) -> bool {
        self.in_queue.is_some_and(|waited| waited != Millis::ZERO)
    }

    fn durations(&self, kind: LegKind, waited_apart: bool) -> Durations {
        let mut durations = Durations::default();
        let mut state = |kind, duration: Option<Millis>| {
            if let Some(duration) = duration {
                durations.set(kind, duration);
            }
        };
        if matches!(kind, LegKind::Agent | LegKind::Queue) && !waited_apart {
            state(DurationKind::QueueWait, self.in_queue);
        }
        if kind == LegKind::Agent {
            let held = self.hold.unwrap_or(Millis::ZERO);
            let talk = self
                .agent
                .map(|agent| Millis(agent.0.saturating_sub(held.0)));
            state(DurationKind::Talk, talk);
            state(DurationKind::Hold, self.hold);
            state(DurationKind::Wrap, self.wrap);
        }
        durations
    }

    /// When the agent answered, counted from the start.
    fn answered_at(&self, start: UtcMicros) -> Option<UtcMicros> {
        duration::end(start, self.pre_queue?.checked_add(self.in_queue?)?)
    }

    /// The wait of a contact that an agent then took, as a leg of its own.
    fn wait(&self, contact: &str, start: UtcMicros, queue: Option<QueueId>) -> Option<Wait> {
        Wait::of(contact, start, self.pre_queue, self.in_queue, queue)
    }
}

/// Maps one row.
pub(crate) fn map(raw: &[u8]) -> Result<Outcome, ItemError> {
    let value = tree(raw)?;
    let Value::Object(members) = &value else {
        return Err(ItemError::item(raw, "a contact record"));
    };
    let row = Row(members);
    let contact = row
        .id("contactId")?
        .ok_or_else(|| ItemError::missing("contactId", "the contact's id"))?;
    let master = row
        .id("masterContactId")?
        .unwrap_or_else(|| contact.clone());
    let at = row
        .instant(&["contactStartDate", "contactStart"])?
        .ok_or_else(|| ItemError::missing("contactStartDate", instant::EXPECTED))?;
    let times = Times::read(&row)?;
    let agent = row.id("agentId")?;
    let is_active = row.flag("isActive") == Some(true);
    let direction = row.flag("isOutbound").map(|outbound| {
        if outbound {
            Direction::Outbound
        } else {
            Direction::Inbound
        }
    });

    let address = match direction {
        Some(Direction::Outbound) => row.get(&["toAddress", "toAddr"]),
        _ => row.get(&["fromAddress", "fromAddr"]),
    };
    let customer = match address.1.name() {
        Ok(Some(address)) if master == contact => Some(CustomerIdentity::new(address)),
        _ => None,
    };

    let (kind, outcome) = part(&row, &times, agent.is_some(), direction);
    let media = row.media();
    let queue = row.id("skillId")?.map(QueueId::new);
    let is_served = !is_active
        && matches!(
            outcome,
            Some(LegOutcome::Answered | LegOutcome::Transferred)
        );
    let (leg_id, wait) = match &agent {
        Some(agent) if is_written(media.as_deref()) => {
            let wait = times.wait(&contact, at, queue.clone());
            (agent_leg(&contact, agent), wait.filter(|_| is_served))
        }
        _ => (LegId::new(&contact), None),
    };
    let durations = times.durations(kind, wait.is_some());
    let ended_at = times
        .total
        .filter(|_| !is_active)
        .and_then(|total| duration::end(at, total));
    let mut leg = Leg {
        ended_at,
        outcome: outcome.filter(|_| !is_active),
        conference: times.conference.is_some_and(|lasted| lasted.0 > 0),
        ..Leg::new(leg_id, kind)
    };
    if kind == LegKind::Agent
        && matches!(
            outcome,
            Some(LegOutcome::Answered | LegOutcome::Transferred)
        )
    {
        leg.answered_at = times.answered_at(at);
        leg.transfer = row.transfer();
        leg.holds = row.holds();
        leg.longest_hold = times.hold.filter(|_| leg.holds == Some(1));
    }
    let state = match outcome {
        _ if is_active => None,
        // Who hung up in the flow was offered to nobody, unless the platform calls it abandoned itself.
        Some(LegOutcome::Abandoned)
            if kind != LegKind::Ivr || row.flag("abandoned") == Some(true) =>
        {
            Some(State::Abandoned)
        }
        Some(LegOutcome::NotResponding) => Some(State::Missed),
        _ if kind == LegKind::Other => Some(State::Missed),
        _ => Some(State::Completed),
    };
    let terminal = state.is_some();
    let statement = Statement {
        state,
        agent: agent.map(|id| AgentRef {
            id: AgentId::new(id),
            // No contact record states a zone; it lives on the agent's own record.
            zone: None,
        }),
        queue,
        disposition: row.id("primaryDispositionId")?.map(CompactString::new),
        durations,
        details: Some(Box::new(Details {
            leg: Some(leg),
            media: media.clone(),
            direction,
            ended_at,
            ..Details::default()
        })),
    };
    let revision = row.revision()?;
    let mut facts = vec![Fact {
        key: FactKey::leg(&contact),
        at,
        revision,
        rank: SourceRank::SettledRecord,
        statement,
    }];
    facts.extend(wait.map(|wait| wait.fact(revision, media)));
    Ok(Outcome::Mapped(Mapped {
        event_id: EventId::new(&contact),
        at,
        digest: json::digest(raw),
        stated: Stated::Interaction {
            interaction: InteractionId::new(&master),
            facts,
            terminal,
            customer,
        },
    }))
}

/// Whose part the contact is, and how it went.
fn part(
    row: &Row<'_>,
    times: &Times,
    has_agent: bool,
    direction: Option<Direction>,
) -> (LegKind, Option<LegOutcome>) {
    let state = row.word(&["stateName", "state"]);
    let ended_as = |name: &str| state.as_deref() == Some(name);
    let abandoned = row.flag("abandoned") == Some(true) || ended_as("abandoned");
    if has_agent {
        let outcome = if row.flag("isRefused") == Some(true) {
            LegOutcome::NotResponding
        } else if abandoned && times.agent.is_none_or(|lasted| lasted == Millis::ZERO) {
            // Left while it rang at the agent.
            LegOutcome::Abandoned
        } else if row.transfer().is_some() {
            LegOutcome::Transferred
        } else {
            LegOutcome::Answered
        };
        return (LegKind::Agent, Some(outcome));
    }
    let left_before = ended_as("prequeueabandoned");
    if times.was_queued() && !left_before {
        (LegKind::Queue, abandoned.then_some(LegOutcome::Abandoned))
    } else if abandoned || left_before {
        // Where no wait is stated at all, the report's word stands: it was a queue that was left.
        let kind = if times.in_queue.is_none() && !left_before {
            LegKind::Queue
        } else {
            LegKind::Ivr
        };
        (kind, Some(LegOutcome::Abandoned))
    } else if direction == Some(Direction::Outbound) {
        (LegKind::Other, None)
    } else {
        (LegKind::Ivr, None)
    }
}
