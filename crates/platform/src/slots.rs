//! Slots of a budget that somebody else keeps, from the moment they are given to the moment they are used. Pure: the caller brings
//! the time.
//!
//! Whoever keeps the budget for all processes (PostgreSQL) gives instants by a clock of its own. What is known here is when it was
//! asked and when it had answered: its "now" lay in between. So a slot is not used before the latest instant that it can mean, and
//! it is void soon after the earliest. Half of the lapse is ours, for getting a request out; the other half is the network's.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Leave to send one request, for a short while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    not_before: Instant,
    void_after: Instant,
}

impl Slot {
    /// When the request may be sent.
    #[must_use]
    pub const fn not_before(&self) -> Instant {
        self.not_before
    }

    /// Until when it may be.
    #[must_use]
    pub const fn void_after(&self) -> Instant {
        self.void_after
    }

    /// Whether it is too late to use it.
    #[must_use]
    pub fn is_void(&self, now: Instant) -> bool {
        now > self.void_after
    }
}

/// Slots as they were given: `count` of them, `spacing` apart, the first one `first_in` after the keeper's "now".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// When the keeper was asked.
    pub asked: Instant,
    /// When its answer was there.
    pub answered: Instant,
    /// From the keeper's "now" to the first slot.
    pub first_in: Duration,
    /// How many.
    pub count: u32,
    /// From one to the next.
    pub spacing: Duration,
    /// How long after its instant a slot's request may arrive at the platform.
    pub lapse: Duration,
}

/// The slots in hand, and how many to ask for next time.
///
/// A slot that lapses is lost to everybody, so no more are asked for than are used: twice as many when all were, one when one
/// lapsed.
#[derive(Debug)]
pub struct Slots {
    held: VecDeque<Slot>,
    want: u32,
    lapsed: bool,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            held: VecDeque::new(),
            want: 1,
            lapsed: false,
        }
    }
}

impl Slots {
    /// The next slot that is still good, if there is one.
    pub fn take(&mut self, now: Instant) -> Option<Slot> {
        while let Some(slot) = self.held.pop_front() {
            if !slot.is_void(now) {
                return Some(slot);
            }
            self.lapsed = true;
        }
        None
    }

    /// How many to ask for, `most` at most. Ask when none is left.
    #[must_use]
    pub fn want(&self, most: u32) -> u32 {
        if self.lapsed { 1 } else { self.want }.clamp(1, most.max(1))
    }

    /// What was given; goes behind what is there. Fewer than wanted are all that were to be had.
    pub fn add(&mut self, given: Given) {
        self.want = if self.lapsed {
            1
        } else {
            given.count.max(1).saturating_mul(2)
        };
        self.lapsed = false;
        for n in 0..given.count {
            let after = given.first_in + given.spacing.saturating_mul(n);
            self.held.push_back(Slot {
                not_before: given.answered + after,
                void_after: given.asked + after + given.lapse / 2,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn given(asked: Instant, count: u32) -> Given {
        Given {
            asked,
            answered: asked + MS(10),
            first_in: MS(50),
            count,
            spacing: MS(20),
            lapse: MS(200),
        }
    }

    #[test]
    fn a_slot_is_used_between_the_latest_and_soon_after_the_earliest_instant_it_can_mean() {
        let asked = Instant::now();
        let mut slots = Slots::default();
        slots.add(given(asked, 2));
        let first = slots.take(asked).unwrap();
        assert_eq!(first.not_before(), asked + MS(60));
        assert!(!first.is_void(asked + MS(150)) && first.is_void(asked + MS(151)));
        assert_eq!(
            slots.take(asked + MS(170)).unwrap().not_before(),
            asked + MS(80)
        );
        assert_eq!(slots.take(asked), None);
    }

    #[test]
    fn as_many_are_asked_for_as_are_used() {
        let now = Instant::now();
        let mut slots = Slots::default();
        let mut wanted = Vec::new();
        for _ in 0..5 {
            let want = slots.want(10);
            wanted.push(want);
            slots.add(given(now, want));
            while slots.take(now).is_some() {}
        }
        assert_eq!(wanted, [1, 2, 4, 8, 10]);
        slots.add(given(now, 10));
        assert!(slots.take(now).is_some());
        // Nobody came for the others in time.
        assert_eq!(slots.take(now + MS(1_000)), None);
        assert_eq!(slots.want(10), 1);
        slots.add(given(now, 1));
        assert!(slots.take(now).is_some());
        assert_eq!(slots.want(10), 1, "one step at a time");
        slots.add(given(now, 1));
        assert_eq!(slots.want(10), 2);
    }

    proptest! {
        /// Whatever the keeper's "now" was between question and answer, a request that is sent with a slot and travels no longer
        /// than half the lapse arrives between the slot's own instant and the lapse after it.
        #[test]
        fn a_request_arrives_within_the_lapse_of_its_slot(
            round_trip in 0u64..300,
            keeper in 0.0f64..=1.0,
            first_in in 0u64..500,
            lapse in 2u64..1_000,
            sent in 0u64..2_000,
            travel in 0.0f64..=1.0,
        ) {
            let asked = Instant::now();
            let real = asked + MS(round_trip).mul_f64(keeper) + MS(first_in);
            let mut slots = Slots::default();
            slots.add(Given {
                asked,
                answered: asked + MS(round_trip),
                first_in: MS(first_in),
                count: 1,
                spacing: MS(1),
                lapse: MS(lapse),
            });
            let sent = asked + MS(sent);
            if let Some(slot) = slots.take(sent)
                && sent >= slot.not_before()
            {
                let arrives = sent + (MS(lapse) / 2).mul_f64(travel);
                prop_assert!(arrives >= real && arrives <= real + MS(lapse));
            }
        }
    }
}
