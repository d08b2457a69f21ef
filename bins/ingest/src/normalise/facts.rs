//! Packs the facts of new items into messages, by lane and urgency. Pure.

use super::message::Lane;
use super::plan::{Item, Origin, Plan};
use broker::{Outgoing, Queue};
use schema::{
    ENVELOPE_VERSION, Event, EventsMessage, Fact, InteractionId, MessageError, MessageId,
    MetricVersion, Statement, TenantId,
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

/// The messages for the items that are to be published.
///
/// The facts of one interaction travel together, in one message and, when it was seen to end in this batch, all on the queue of
/// terminal ones. compute then folds an interaction once or twice instead of once for each of its events.
pub fn messages(plan: Plan<'_>, publish: &[bool]) -> Result<Vec<Outgoing>, MessageError> {
    let Plan { origins, items, .. } = plan;
    let told = items.into_iter().zip(publish).filter(|(_, told)| **told);
    let mut told: Vec<(&Origin, Item<'_>)> = told
        .filter_map(|(item, _)| Some((origins.get(item.origin)?, item)))
        .collect();
    let ended: BTreeSet<(TenantId, InteractionId)> = told
        .iter()
        .filter(|(_, item)| item.mapped.terminal)
        .map(|(origin, item)| {
            (
                origin.delivery.tenant.clone(),
                item.mapped.interaction.clone(),
            )
        })
        .collect();
    let route = |origin: &Origin, item: &Item<'_>| Route {
        ended: origin.lane == Lane::Live
            && ended.contains(&(
                origin.delivery.tenant.clone(),
                item.mapped.interaction.clone(),
            )),
        job: origin.delivery.job.map(|job| (job.id.0, job.version)),
        lane: origin.lane,
    };
    let mut routed: Vec<(Route, &Origin, Item<'_>)> = told
        .drain(..)
        .map(|(origin, item)| (route(origin, &item), origin, item))
        .collect();
    // Stable: the facts of an interaction stay in the order of their deliveries, for whoever reads a message.
    routed.sort_by(|(a_route, a_origin, a), (b_route, b_origin, b)| {
        (a_route, &a_origin.delivery.tenant, &a.mapped.interaction).cmp(&(
            b_route,
            &b_origin.delivery.tenant,
            &b.mapped.interaction,
        ))
    });

    let mut outgoing = Vec::new();
    let mut open: Option<Pack> = None;
    for (route, origin, item) in routed {
        let (tenant, interaction) = (&origin.delivery.tenant, &item.mapped.interaction);
        if let Some(full) = open.take_if(|pack| !pack.takes(route, tenant, interaction)) {
            outgoing.push(full.encode()?);
        }
        for fact in item.mapped.facts {
            let bytes = bytes_at_most(tenant, interaction, &fact);
            if let Some(full) = open.take_if(|pack| !pack.has_room(bytes)) {
                outgoing.push(full.encode()?);
            }
            let pack = open.get_or_insert_with(|| Pack::new(route, origin));
            pack.bytes += bytes;
            pack.message.events.push(Event {
                tenant: tenant.clone(),
                interaction: interaction.clone(),
                fact,
            });
        }
    }
    if let Some(pack) = open {
        outgoing.push(pack.encode()?);
    }
    Ok(outgoing)
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

    /// Whether facts of this interaction belong here.
    fn takes(&self, route: Route, tenant: &TenantId, interaction: &InteractionId) -> bool {
        let last = self.message.events.last();
        let same =
            last.is_some_and(|last| &last.tenant == tenant && &last.interaction == interaction);
        self.route == route && (same || self.message.events.len() < FACTS_MAX)
    }

    /// Whether one more fact fits, whosever it is. The fold takes the facts of an interaction in any parts.
    fn has_room(&self, bytes: usize) -> bool {
        self.message.events.len() < FACTS_MAX_EVER && self.bytes + bytes <= BYTES_MAX
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

/// A bound of what an event takes when encoded.
fn bytes_at_most(tenant: &TenantId, interaction: &InteractionId, fact: &Fact) -> usize {
    EVENT_BYTES + tenant.as_str().len() + interaction.as_str().len() + text_bytes(fact)
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
    let agent = agent.as_ref().map_or(0, |agent| {
        agent.id.as_str().len() + agent.zone.as_deref().map_or(0, str::len)
    });
    let details = details.as_ref().map_or(0, |details| {
        details.leg.as_ref().map_or(0, |leg| leg.id.as_str().len())
            + details.media.as_deref().map_or(0, str::len)
            + details
                .customer_key
                .as_ref()
                .map_or(0, |key| key.as_str().len())
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
