//! Bodies accepted lately, by a hash of their bytes. One that comes again is suspected to be a redelivery, and waits behind fresh ones.
//!
//! A suspicion decides nothing but the queue: `normalise` reads suspects as it reads everything, and the event log says what is a copy. So
//! a hash that two bodies share, or a memory that a restart emptied, costs time at most. What a sender repeats because it was answered 503
//! is no suspect: only what the broker has confirmed is remembered.

use crate::generations::Generations;
use foldhash::fast::RandomState;
use schema::SubscriptionName;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The hash of a body and its subscription; means nothing in another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// The memory, shared by all connections.
#[derive(Debug)]
pub struct Seen {
    bodies: Mutex<Generations<()>>,
    hash: RandomState,
}

impl Seen {
    /// An empty memory of at most so many bodies, about 20 bytes each; 0 suspects none.
    pub fn new(bodies_max: usize, horizon: Duration) -> Self {
        Self {
            bodies: Mutex::new(Generations::new(bodies_max, horizon)),
            hash: RandomState::default(),
        }
    }

    /// The fingerprint of a body.
    pub fn fingerprint(&self, subscription: &SubscriptionName, body: &[u8]) -> Fingerprint {
        Fingerprint(self.hash.hash_one((subscription.as_str(), body)))
    }

    /// Whether this body was accepted before.
    pub fn is_known(&self, body: Fingerprint) -> bool {
        self.bodies().get(body.0).is_some()
    }

    /// Remembers a body that the broker has.
    pub fn learn(&self, body: Fingerprint) {
        let mut bodies = self.bodies();
        bodies.age();
        bodies.put(body.0, ());
    }

    fn bodies(&self) -> MutexGuard<'_, Generations<()>> {
        // Whole after every statement; a panic elsewhere leaves nothing half done.
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_of_the_same_subscription_are_known() {
        let seen = Seen::new(100, Duration::from_secs(60));
        let (one, other) = ("one".into(), "other".into());
        let body = seen.fingerprint(&one, b"{}");
        assert!(!seen.is_known(body));
        seen.learn(body);
        assert!(seen.is_known(seen.fingerprint(&one, b"{}")));
        assert!(!seen.is_known(seen.fingerprint(&one, b"{} ")));
        assert!(!seen.is_known(seen.fingerprint(&other, b"{}")));
    }

    #[test]
    fn without_room_nothing_is_suspected() {
        let seen = Seen::new(0, Duration::from_secs(60));
        let body = seen.fingerprint(&"one".into(), b"{}");
        seen.learn(body);
        assert!(!seen.is_known(body));
    }
}
