//! Packs the facts of new items into messages, by lane and urgency. Pure.

use super::message::Lane;
use super::plan::Plan;
use broker::{Outgoing, Queue};
use schema::{
    CorrelationId, ENVELOPE_VERSION, Event, EventsMessage, JobRef, MessageError, MessageId,
};

/// Facts in one message.
pub const FACTS_MAX: usize = 500;

/// A message being filled.
struct Open {
    queue: Queue,
    job: Option<JobRef>,
    message: EventsMessage,
}

/// The messages for the items that are to be published. Facts of one item stay together.
pub fn messages(plan: Plan<'_>, publish: &[bool]) -> Result<Vec<Outgoing>, MessageError> {
    let Plan { origins, items, .. } = plan;
    let mut open: Vec<Open> = Vec::new();
    let mut full = Vec::new();
    for (item, _) in items.into_iter().zip(publish).filter(|(_, told)| **told) {
        let Some(origin) = origins.get(item.origin) else {
            continue;
        };
        let queue = match (origin.lane, item.mapped.terminal) {
            (Lane::History, _) => Queue::EventsHistory,
            (Lane::Live, true) => Queue::EventsTerminal,
            (Lane::Live, false) => Queue::EventsProgress,
        };
        let job = origin.delivery.job;
        let index = open
            .iter()
            .position(|found| found.queue == queue && found.job == job)
            .unwrap_or_else(|| {
                open.push(Open {
                    queue,
                    job,
                    message: empty(job, origin.delivery.correlation.clone()),
                });
                open.len() - 1
            });
        let found = &mut open[index];
        for fact in item.mapped.facts {
            found.message.events.push(Event {
                tenant: origin.delivery.tenant.clone(),
                interaction: item.mapped.interaction.clone(),
                fact,
            });
        }
        if found.message.events.len() >= FACTS_MAX {
            full.push(open.swap_remove(index));
        }
    }
    full.append(&mut open);
    full.iter().map(outgoing).collect()
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

fn outgoing(open: &Open) -> Result<Outgoing, MessageError> {
    Ok(Outgoing {
        queue: open.queue,
        body: open.message.encode()?,
        message_id: open.message.id.0,
        correlation: open.message.correlation.as_str().to_owned(),
    })
}

#[cfg(test)]
mod tests;
