//! When to stop taking and start applying. Pure: it is told deliveries and instants, it owns neither a clock nor a channel.

use std::time::{Duration, Instant};

/// What bounds a batch.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Apply once this many events are in hand. A message is never split, so a batch may exceed it by one message.
    pub events_max: usize,
    /// Apply once the first delivery has waited this long.
    pub linger: Duration,
}

/// The deliveries of one batch, in the order of their tags.
#[derive(Debug)]
pub struct Batch<D> {
    limits: BatchLimits,
    taken: Vec<D>,
    events: usize,
    first_at: Option<Instant>,
}

impl<D> Batch<D> {
    /// An empty batch.
    pub const fn new(limits: BatchLimits) -> Self {
        Self {
            limits,
            taken: Vec::new(),
            events: 0,
            first_at: None,
        }
    }

    /// Takes a delivery that carries `events` events.
    pub fn push(&mut self, delivery: D, events: usize, now: Instant) {
        self.first_at.get_or_insert(now);
        self.events += events;
        self.taken.push(delivery);
    }

    /// Whether no more may be taken.
    pub const fn is_full(&self) -> bool {
        self.events >= self.limits.events_max
    }

    /// When to apply at the latest; `None` while nothing is in hand.
    pub fn due_at(&self) -> Option<Instant> {
        self.first_at.map(|first_at| first_at + self.limits.linger)
    }

    /// Events in hand.
    pub const fn events(&self) -> usize {
        self.events
    }

    /// The deliveries, leaving an empty batch behind.
    pub fn take(&mut self) -> Vec<D> {
        self.events = 0;
        self.first_at = None;
        std::mem::take(&mut self.taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BatchLimits = BatchLimits {
        events_max: 10,
        linger: Duration::from_millis(50),
    };

    #[test]
    fn is_due_a_linger_after_its_first_delivery_whatever_follows() {
        let start = Instant::now();
        let mut batch = Batch::new(LIMITS);
        assert_eq!(batch.due_at(), None);
        batch.push('a', 1, start);
        batch.push('b', 1, start + Duration::from_millis(40));
        assert_eq!(batch.due_at(), Some(start + LIMITS.linger));
    }

    #[test]
    fn is_full_by_events_and_not_by_messages() {
        let mut batch = Batch::new(LIMITS);
        batch.push('a', 9, Instant::now());
        assert!(!batch.is_full());
        batch.push('b', 1, Instant::now());
        assert!(batch.is_full());
    }

    #[test]
    fn starts_over_when_taken() {
        let mut batch = Batch::new(LIMITS);
        batch.push('a', 12, Instant::now());
        assert_eq!(batch.take(), ['a']);
        assert!(!batch.is_full());
        assert_eq!((batch.events(), batch.due_at()), (0, None));
    }
}
