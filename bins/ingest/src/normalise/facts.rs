//! Packs the facts of new items into messages, by lane and urgency. Pure.

use super::message::Lane;
use super::plan::{Item, Origin, Plan};
use broker::{Outgoing, Queue};
use schema::{
    CorrelationId, ENVELOPE_VERSION, Event, EventsMessage, InteractionId, JobRef, MessageError,
    MessageId, MetricVersion, TenantId,
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A message with this many facts takes no other interaction's.
pub const FACTS_MAX: usize = 500;

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
    let mut open: Option<(Route, EventsMessage)> = None;
    for (route, origin, item) in routed {
        let (tenant, interaction) = (&origin.delivery.tenant, &item.mapped.interaction);
        let fits = |(of, message): &(Route, EventsMessage)| {
            let last = message.events.last();
            let same =
                last.is_some_and(|last| &last.tenant == tenant && &last.interaction == interaction);
            *of == route && (same || message.events.len() < FACTS_MAX)
        };
        if let Some((of, message)) = open.take_if(|open| !fits(open)) {
            outgoing.push(encode(of, &message)?);
        }
        let (_, message) = open.get_or_insert_with(|| {
            (
                route,
                empty(origin.delivery.job, origin.delivery.correlation.clone()),
            )
        });
        message
            .events
            .extend(item.mapped.facts.into_iter().map(|fact| Event {
                tenant: tenant.clone(),
                interaction: interaction.clone(),
                fact,
            }));
    }
    if let Some((of, message)) = open {
        outgoing.push(encode(of, &message)?);
    }
    Ok(outgoing)
}

fn empty(job: Option<JobRef>, correlation: CorrelationId) -> EventsMessage {
    EventsMessage {
        v: ENVELOPE_VERSION,
        id: MessageId::generate(),
        correlation,
        job,
        events: Vec::new(),
    }
}

fn encode(route: Route, message: &EventsMessage) -> Result<Outgoing, MessageError> {
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

#[cfg(test)]
mod tests;
