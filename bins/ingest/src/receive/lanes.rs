//! Deliveries that wait to be published, fresh ones and suspects apart, and whose turn it is.
//!
//! Fresh ones go first; every fourth message carries suspects while there are any, so that their senders are not refused for ever, who would
//! only send again.

use super::batch::{Weigh, take};
use broker::Queue;
use std::collections::VecDeque;

/// So many messages of fresh deliveries go before one of suspects.
const FRESH_FIRST: u8 = 3;

/// Something that may be a redelivery.
pub trait Suspicion {
    /// Whether it is suspected to be one.
    fn is_suspect(&self) -> bool;
}

/// The two lanes.
#[derive(Debug)]
pub struct Lanes<T> {
    fresh: VecDeque<T>,
    suspect: VecDeque<T>,
    /// Messages of fresh ones since the last one of suspects.
    in_a_row: u8,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self {
            fresh: VecDeque::new(),
            suspect: VecDeque::new(),
            in_a_row: 0,
        }
    }
}

impl<T: Weigh + Suspicion> Lanes<T> {
    /// Puts one at the end of its lane.
    pub fn push(&mut self, item: T) {
        if item.is_suspect() {
            self.suspect.push_back(item);
        } else {
            self.fresh.push_back(item);
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.fresh.len() + self.suspect.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.suspect.is_empty()
    }

    /// The next message's worth and the queue it is for; empty when nothing waits.
    pub fn next(&mut self, count_max: usize, bytes_max: usize) -> (Queue, Vec<T>) {
        let due = self.fresh.is_empty() || self.in_a_row >= FRESH_FIRST;
        if due && !self.suspect.is_empty() {
            self.in_a_row = 0;
            return (
                Queue::RawSuspect,
                take(&mut self.suspect, count_max, bytes_max),
            );
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        (Queue::Raw, take(&mut self.fresh, count_max, bytes_max))
    }

    /// Takes all that wait.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.fresh.drain(..).chain(self.suspect.drain(..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Suspicion for usize {
        fn is_suspect(&self) -> bool {
            *self % 2 == 1
        }
    }

    #[test]
    fn fresh_ones_go_first_and_suspects_are_not_starved() {
        let mut lanes = Lanes::default();
        for item in [1, 3, 2, 4, 6, 8, 10] {
            lanes.push(item);
        }
        let mut order = Vec::new();
        while !lanes.is_empty() {
            let (queue, taken) = lanes.next(1, 1_000);
            assert_eq!(queue == Queue::RawSuspect, taken[0].is_suspect());
            order.extend(taken);
        }
        assert_eq!(order, [2, 4, 6, 1, 8, 10, 3]);
        assert_eq!(lanes.next(1, 1_000).1, Vec::<usize>::new());
    }

    #[test]
    fn one_message_is_of_one_lane_and_nothing_is_lost() {
        let mut lanes = Lanes::default();
        for item in 0..100_usize {
            lanes.push(item);
        }
        assert_eq!(lanes.len(), 100);
        let mut out = Vec::new();
        for _ in 0..3 {
            let (queue, taken) = lanes.next(7, 1_000);
            assert!(taken.len() <= 7);
            assert!(
                taken
                    .iter()
                    .all(|item| item.is_suspect() == (queue == Queue::RawSuspect))
            );
            out.extend(taken);
        }
        out.extend(lanes.drain());
        out.sort_unstable();
        assert_eq!(out, (0..100).collect::<Vec<_>>());
    }
}
