//! The workload: a contact centre's webhook events, deterministic by seed, with the awkward cases common instead of rare.
//!
//! Calls begin around the days on which clocks change and months end, often to the millisecond at the edge of business hours.
//! They pass between agents of different zones with a disposition each; durations are corrected, also downward, by a later event
//! or by a newer revision of the same event; wrap-up comes hours late; events of one call share an instant, or carry the stamp of
//! a clock that is wrong; some calls never end. In arrival order events overtake each other and come twice.

mod call;
mod write;

use crate::random::Random;
use bytes::Bytes;

/// A workload in order of arrival.
#[derive(Debug, Clone)]
pub struct Workload {
    /// The events, one JSON object each.
    pub events: Vec<Bytes>,
    /// How many of them are not copies of another.
    pub statements: usize,
}

impl Workload {
    /// The events of this many interactions. Equal arguments give equal events.
    pub fn new(interactions: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut arrivals: Vec<(i64, Bytes)> = Vec::with_capacity(interactions * 8);
        let mut statements = 0;
        for number in 0..interactions {
            for event in call::call(&mut random, number) {
                statements += 1;
                let line = write::event(&event, None);
                if random.chance(0.05) {
                    let later = event.arrives + random.between(1_000, 900_000);
                    // A repeated delivery may count its attempts; the event is the same.
                    let attempt = random.chance(0.2).then_some(2);
                    arrivals.push((later, write::event(&event, attempt)));
                }
                arrivals.push((event.arrives, line));
            }
        }
        arrivals.sort_by_key(|(arrives, _)| *arrives);
        Self {
            events: arrivals.into_iter().map(|(_, line)| line).collect(),
            statements,
        }
    }

    /// The events as a file: one a line.
    pub fn to_lines(&self) -> Vec<u8> {
        let mut file = Vec::with_capacity(self.events.iter().map(|it| it.len() + 1).sum());
        for event in &self.events {
            file.extend_from_slice(event);
            file.push(b'\n');
        }
        file
    }
}

#[cfg(test)]
mod tests;
