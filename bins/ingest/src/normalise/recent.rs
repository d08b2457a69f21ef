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
    /// Its id was in the log last with other content, or another instant.
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
    /// Of all that makes it this very event, and of the delivery that brought it into the log as far as that is known.
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Value {
    content: u32,
    delivery: u32,
}

impl Value {
    /// Half of the log's own key, a digest of subscription, event id, instant and content, is more than this takes of it: with the id's
    /// hash, 96 bits must agree before an event is taken for a copy.
    #[allow(clippy::cast_possible_truncation)] // a part of a digest
    fn new(item: &Item<'_>, delivery: DeliveryId) -> Self {
        Self {
            content: item.key.as_u64_pair().0 as u32,
            delivery: part_of(delivery),
        }
    }
}

/// The random end of a delivery's id.
#[allow(clippy::cast_possible_truncation)]
fn part_of(delivery: DeliveryId) -> u32 {
    delivery.0.as_u64_pair().1 as u32
}

/// The memory, shared by the workers of a process.
#[derive(Debug)]
pub struct Recent {
    /// Of each event id the content that was logged last.
    events: Mutex<Generations<Value>>,
    ids: RandomState,
}

impl Recent {
    /// An empty memory of at most so many events, about 20 bytes each. `horizon` is how long a platform goes on redelivering.
    pub fn new(events_max: usize, horizon: Duration) -> Self {
        Self {
            events: Mutex::new(Generations::new(events_max, horizon)),
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
        events.age();
        for (entry, item) in looked.entries.iter_mut().zip(&plan.items) {
            let of_job = plan
                .origins
                .get(item.origin)
                .is_none_or(|origin| origin.delivery.job.is_some());
            let known = match events.get(entry.id) {
                Some(value) if !of_job && value.content != entry.value.content => {
                    Known::OtherContent
                }
                Some(value) if !of_job && value.delivery != entry.value.delivery => {
                    entry.value = value;
                    Known::Copy
                }
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
            match (known, logged) {
                // Once more, so that it is not forgotten while copies keep coming.
                (Known::Copy, _) => events.put(entry.id, entry.value),
                (_, Some(delivery)) => events.put(
                    entry.id,
                    Value {
                        delivery: part_of(*delivery),
                        ..entry.value
                    },
                ),
                (_, None) => {}
            }
        }
    }

    /// How many events are remembered.
    pub fn len(&self) -> usize {
        self.events().len()
    }

    fn entry(&self, plan: &Plan<'_>, item: &Item<'_>) -> Entry {
        let delivery = plan.origins.get(item.origin).map(|origin| origin.delivery);
        let subscription = delivery.map(|delivery| delivery.subscription.as_str());
        let id = delivery.map_or(DeliveryId(uuid::Uuid::nil()), |delivery| delivery.id);
        Entry {
            id: self
                .ids
                .hash_one((subscription, item.mapped.event_id.as_str())),
            value: Value::new(item, id),
        }
    }

    fn events(&self) -> MutexGuard<'_, Generations<Value>> {
        // Whole after every statement; a panic elsewhere leaves nothing half done.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
