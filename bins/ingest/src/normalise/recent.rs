//! What this process knows to be in the log and published: a copy of it needs no look at the database.
//!
//! The log decides what is a copy; this memory only repeats what the log has said before. An event gets into it after the transaction that
//! logged it (or found it logged) has committed and its facts are confirmed, so that nothing is dropped on the word of a process that
//! died. In a storm of redeliveries it is what keeps the database idle; without it, or beyond its size, everything is as correct and slower.

use super::plan::{Item, Plan};
use crate::generations::Generations;
use schema::DeliveryId;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is known of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Nothing: the log has to be asked.
    Nothing,
    /// It is in the log with this very content, brought by another delivery.
    Copy,
    /// Its id was in the log with other content, or another instant.
    OtherContent,
}

/// What was known of the items of one plan.
#[derive(Debug)]
pub struct Looked {
    /// Of each item, in order.
    pub known: Vec<Known>,
    entries: Vec<Entry>,
}

/// An item as it is remembered.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Of the subscription and its event's id.
    id: u64,
    /// Half of the log's own key, a digest of subscription, event id, instant and content.
    content: u64,
    value: Value,
}

/// What is remembered of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Value {
    /// A quarter more of the log's key: 96 bits of it must agree before an event is taken for a copy.
    check: u32,
    /// The delivery that brought it into the log.
    delivery: u32,
}

/// The random end of a delivery's id.
#[allow(clippy::cast_possible_truncation)] // a part of it
fn part_of(delivery: DeliveryId) -> u32 {
    delivery.0.as_u64_pair().1 as u32
}

/// What is remembered.
#[derive(Debug)]
struct Events {
    contents: Generations<Value>,
    ids: Generations<()>,
}

/// The memory, shared by the workers of a process.
#[derive(Debug)]
pub struct Recent {
    events: Mutex<Events>,
    ids: RandomState,
}

impl Recent {
    /// An empty memory of at most so many events, about 40 bytes each. `horizon` is how long a platform goes on redelivering.
    pub fn new(events_max: usize, horizon: Duration) -> Self {
        Self {
            events: Mutex::new(Events {
                contents: Generations::new(events_max, horizon),
                ids: Generations::new(events_max, horizon),
            }),
            ids: RandomState::new(),
        }
    }

    /// What is known of each item of a plan, in order.
    ///
    /// Nothing is known of what a backfill job brings, whose version is to be evaluated also where no fact is new, and of what this very
    /// delivery brought into the log: the broker brings it again, and the log says what that means.
    pub fn look(&self, plan: &Plan<'_>) -> Looked {
        let mut looked = Looked {
            known: Vec::with_capacity(plan.items.len()),
            entries: plan
                .items
                .iter()
                .map(|item| self.entry(plan, item))
                .collect(),
        };
        let mut events = self.events();
        events.contents.age();
        events.ids.age();
        for (entry, item) in looked.entries.iter_mut().zip(&plan.items) {
            let of_job = plan
                .origins
                .get(item.origin)
                .is_none_or(|origin| origin.delivery.job.is_some());
            let known = match events.contents.get(entry.content) {
                _ if of_job => Known::Nothing,
                Some(value) if value.check == entry.value.check => {
                    if value.delivery == entry.value.delivery {
                        Known::Nothing
                    } else {
                        entry.value = value;
                        Known::Copy
                    }
                }
                _ if events.ids.get(entry.id).is_some() => Known::OtherContent,
                _ => Known::Nothing,
            };
            looked.known.push(known);
        }
        looked
    }

    /// Remembers the items that are in the log: `logged` names of each the delivery that brought it there, `None` where it is not there.
    pub fn learn(&self, looked: &Looked, logged: &[Option<DeliveryId>]) {
        let mut events = self.events();
        let entries = looked.entries.iter().zip(&looked.known);
        for ((entry, known), logged) in entries.zip(logged) {
            let delivery = match (known, logged) {
                // Once more, so that it is not forgotten while copies keep coming.
                (Known::Copy, _) => entry.value.delivery,
                (_, Some(delivery)) => part_of(*delivery),
                (_, None) => continue,
            };
            let value = Value {
                delivery,
                ..entry.value
            };
            events.contents.put(entry.content, value);
            events.ids.put(entry.id, ());
        }
    }

    /// How many events are remembered.
    pub fn events_known(&self) -> usize {
        self.events().contents.entries()
    }

    #[allow(clippy::cast_possible_truncation)] // a part of a digest
    fn entry(&self, plan: &Plan<'_>, item: &Item<'_>) -> Entry {
        let delivery = plan.origins.get(item.origin).map(|origin| origin.delivery);
        let subscription = delivery.map(|delivery| delivery.subscription.as_str());
        let id = delivery.map_or(DeliveryId(uuid::Uuid::nil()), |delivery| delivery.id);
        Entry {
            id: self
                .ids
                .hash_one((subscription, item.mapped.event_id.as_str())),
            content: item.key.as_u64_pair().0,
            value: Value {
                check: (item.key.as_u64_pair().1 >> 32) as u32,
                delivery: part_of(id),
            },
        }
    }

    fn events(&self) -> MutexGuard<'_, Events> {
        // Whole after every statement; a panic elsewhere leaves nothing half done.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
