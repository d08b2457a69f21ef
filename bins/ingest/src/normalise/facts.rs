//! Packs the facts of new items into messages, by lane and urgency. Pure.

use super::message::Lane;
use super::plan::{Item, Origin, Plan};
use adapter::Stated;
use broker::{Outgoing, Queue};
use schema::{
    AgentEvent, AgentFact, AgentId, AgentRef, AgentStatement, ENVELOPE_VERSION, Event,
    EventsMessage, Fact, InteractionId, MessageError, MessageId, MetricVersion, Presence, Routing,
    Statement, TenantId,
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A message with this many facts takes no other interaction's.
pub const FACTS_MAX: usize = 500;
/// A message with this many facts takes no more, also of its last interaction: whoever folds it holds it whole.
pub const FACTS_MAX_EVER: usize = 1_000;
/// The most bytes of facts in one message: far under what the broker takes.
pub const BYTES_MAX: usize = 2 * 1024 * 1024;
/// An encoded event without its texts takes at most this.
const EVENT_BYTES: usize = 512;

/// Where an item's facts go: the items of one route are packed together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    /// Whether the interaction was seen to end in this batch; on the history lane it does not matter and is not asked.
    ended: bool,
    job: Option<JobKey>,
    lane: Lane,
}

/// A job as something that can be sorted by.
type JobKey = (Uuid, MetricVersion);

/// Whom an item is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject<'a> {
    Interaction(&'a InteractionId),
    Agent(&'a AgentId),
}

/// The messages for the items that are to be published.
///
/// The facts of one interaction travel together, in one message and, when it was seen to end in this batch, all on the queue of
/// terminal ones. compute then folds an interaction once or twice instead of once for each of its events. The facts of one agent
/// travel together likewise; nobody waits for them, so they are never urgent.
pub fn messages(plan: Plan<'_>, publish: &[bool]) -> Result<Vec<Outgoing>, MessageError> {
    let Plan { origins, items, .. } = plan;
    let told = items.into_iter().zip(publish).filter(|(_, told)| **told);
    let mut told: Vec<(&Origin, Item<'_>)> = told
        .filter_map(|(item, _)| Some((origins.get(item.origin)?, item)))
        .collect();
    let ended: BTreeSet<(TenantId, InteractionId)> = told
        .iter()
        .filter(|(_, item)| item.mapped.stated.is_terminal())
        .filter_map(|(origin, item)| {
            let interaction = item.mapped.stated.interaction()?;
            Some((origin.delivery.tenant.clone(), interaction.clone()))
        })
        .collect();
    let route = |origin: &Origin, item: &Item<'_>| Route {
        ended: origin.lane == Lane::Live
            && item.mapped.stated.interaction().is_some_and(|interaction| {
                ended.contains(&(origin.delivery.tenant.clone(), interaction.clone()))
            }),
        job: origin.delivery.job.map(|job| (job.id.0, job.version)),
        lane: origin.lane,
    };
    let mut routed: Vec<(Route, &Origin, Item<'_>)> = told
        .drain(..)
        .map(|(origin, item)| (route(origin, &item), origin, item))
        .collect();
    // Stable: the facts of an interaction stay in the order of their deliveries, for whoever reads a message.
    routed.sort_by(|(a_route, a_origin, a), (b_route, b_origin, b)| {
        (a_route, &a_origin.delivery.tenant, subject(a)).cmp(&(
            b_route,
            &b_origin.delivery.tenant,
            subject(b),
        ))
    });

    let mut packer = Packer::default();
    for (route, origin, item) in routed {
        packer.turn_to(route, &origin.delivery.tenant, subject(&item))?;
        let tenant = &origin.delivery.tenant;
        match item.mapped.stated {
            Stated::Interaction {
                interaction, facts, ..
            } => {
                for fact in facts {
                    let bytes = bytes_at_most(tenant, &interaction, &fact);
                    packer.room(route, origin, bytes)?.events.push(Event {
                        tenant: tenant.clone(),
                        interaction: interaction.clone(),
                        fact,
                    });
                }
            }
            Stated::Agent { agent, facts } => {
                for fact in facts {
                    let bytes = agent_event_bytes_at_most(tenant, &agent, &fact);
                    packer.room(route, origin, bytes)?.agents.push(AgentEvent {
                        tenant: tenant.clone(),
                        agent: agent.clone(),
                        fact,
                    });
                }
            }
        }
    }
    packer.finish()
}

fn subject<'a>(item: &'a Item<'_>) -> Subject<'a> {
    match &item.mapped.stated {
        Stated::Interaction { interaction, .. } => Subject::Interaction(interaction),
        Stated::Agent { agent, .. } => Subject::Agent(&agent.id),
    }
}

/// Fills one message after the other.
#[derive(Default)]
struct Packer {
    done: Vec<Outgoing>,
    open: Option<Pack>,
}

impl Packer {
    /// What comes next is about this: closes the open message if it does not belong there.
    fn turn_to(
        &mut self,
        route: Route,
        tenant: &TenantId,
        subject: Subject<'_>,
    ) -> Result<(), MessageError> {
        if let Some(full) = self
            .open
            .take_if(|pack| !pack.takes(route, tenant, subject))
        {
            self.done.push(full.encode()?);
        }
        Ok(())
    }

    /// The message that one more fact of so many bytes goes into.
    fn room(
        &mut self,
        route: Route,
        origin: &Origin<'_>,
        bytes: usize,
    ) -> Result<&mut EventsMessage, MessageError> {
        if let Some(full) = self.open.take_if(|pack| !pack.has_room(bytes)) {
            self.done.push(full.encode()?);
        }
        let pack = self.open.get_or_insert_with(|| Pack::new(route, origin));
        pack.bytes += bytes;
        Ok(&mut pack.message)
    }

    fn finish(mut self) -> Result<Vec<Outgoing>, MessageError> {
        if let Some(pack) = self.open {
            self.done.push(pack.encode()?);
        }
        Ok(self.done)
    }
}

/// A message that is being filled.
struct Pack {
    route: Route,
    message: EventsMessage,
    /// Never less than its facts take when encoded.
    bytes: usize,
}

impl Pack {
    fn new(route: Route, first: &Origin<'_>) -> Self {
        Self {
            route,
            message: EventsMessage {
                v: ENVELOPE_VERSION,
                id: MessageId::generate(),
                correlation: first.delivery.correlation.clone(),
                job: first.delivery.job,
                events: Vec::new(),
                agents: Vec::new(),
            },
            bytes: 0,
        }
    }

    const fn facts(&self) -> usize {
        self.message.events.len() + self.message.agents.len()
    }

    /// Whether facts about this belong here.
    fn takes(&self, route: Route, tenant: &TenantId, subject: Subject<'_>) -> bool {
        let EventsMessage { events, agents, .. } = &self.message;
        let same = match subject {
            Subject::Interaction(interaction) => events
                .last()
                .is_some_and(|last| &last.tenant == tenant && &last.interaction == interaction),
            Subject::Agent(agent) => agents
                .last()
                .is_some_and(|last| &last.tenant == tenant && &last.agent.id == agent),
        };
        self.route == route && (same || self.facts() < FACTS_MAX)
    }

    /// Whether one more fact fits, whosever it is. The fold takes the facts of an interaction in any parts.
    fn has_room(&self, bytes: usize) -> bool {
        self.facts() < FACTS_MAX_EVER && self.bytes + bytes <= BYTES_MAX
    }

    fn encode(self) -> Result<Outgoing, MessageError> {
        let Self { route, message, .. } = self;
        Ok(Outgoing {
            queue: match (route.lane, route.ended) {
                (Lane::History, _) => Queue::EventsHistory,
                (Lane::Live, true) => Queue::EventsTerminal,
                (Lane::Live, false) => Queue::EventsProgress,
            },
            body: message.encode()?,
            message_id: message.id.0,
            correlation: message.correlation.as_str().to_owned(),
        })
    }
}

/// What the encoding adds to the name and the value of an attribute, at most.
const ATTRIBUTE_BYTES: usize = 10;

/// A bound of what an event takes when encoded.
fn bytes_at_most(tenant: &TenantId, interaction: &InteractionId, fact: &Fact) -> usize {
    EVENT_BYTES + tenant.as_str().len() + interaction.as_str().len() + text_bytes(fact)
}

/// A bound of what a fact about an agent takes when encoded.
fn agent_event_bytes_at_most(tenant: &TenantId, agent: &AgentRef, fact: &AgentFact) -> usize {
    let AgentStatement {
        presence,
        routing,
        scheduled,
        reason,
        team,
    } = &fact.statement;
    let texts = [
        presence.as_ref().map(Presence::name),
        routing.as_ref().map(Routing::name),
        scheduled.as_deref(),
        reason.as_deref(),
        team.as_deref(),
        Some(fact.key.as_str()),
        Some(tenant.as_str()),
    ];
    let texts: usize = texts.into_iter().flatten().map(str::len).sum();
    EVENT_BYTES + agent_bytes(agent) + texts
}

/// The bytes of an agent's texts. Its id is bounded, the name of its zone is not.
pub fn agent_bytes(agent: &AgentRef) -> usize {
    agent.id.as_str().len() + agent.zone.as_deref().map_or(0, str::len)
}

/// The bytes of all texts of a fact: the only part of it without a bound of its own.
pub fn text_bytes(fact: &Fact) -> usize {
    let Statement {
        state,
        agent,
        queue,
        disposition,
        durations: _,
        details,
    } = &fact.statement;
    let agent = agent.as_ref().map_or(0, agent_bytes);
    let details = details.as_ref().map_or(0, |details| {
        details.leg.as_ref().map_or(0, |leg| leg.id.as_str().len())
            + details.media.as_deref().map_or(0, str::len)
            + details
                .customer_key
                .as_ref()
                .map_or(0, |key| key.as_str().len())
            + details
                .attributes
                .iter()
                .map(|(name, value)| name.len() + value.len() + ATTRIBUTE_BYTES)
                .sum::<usize>()
    });
    fact.key.as_str().len()
        + state.as_ref().map_or(0, |state| state.name().len())
        + agent
        + queue.as_ref().map_or(0, |queue| queue.as_str().len())
        + disposition.as_deref().map_or(0, str::len)
        + details
}

#[cfg(test)]
mod tests;
