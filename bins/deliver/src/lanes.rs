//! Which rows a claim looks for first: those that a backfill caused, or those of every day. Pure.

use store::sync::Lane;

/// The order of two lanes and how much of the requests the first one has at most while both have work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Order {
    /// Goes first.
    pub first: Lane,
    /// Its share, more than 0 and less than 1: the other lane has the rest, however much waits in this one.
    pub share: f64,
}

impl Order {
    /// The shares that leave something for both lanes.
    pub const SHARES: std::ops::RangeInclusive<f64> = 0.05..=0.95;
}

impl Default for Order {
    /// As the guide has it: backfill's results go before the normal cycle, which keeps a fifth.
    fn default() -> Self {
        Self {
            first: Lane::History,
            share: 0.8,
        }
    }
}

/// Whose turn the next claim is.
#[derive(Debug)]
pub struct Turns {
    order: Order,
    /// What the first lane has saved up; from 1 on it is its turn.
    saved: f64,
}

impl Turns {
    /// Of this order.
    #[must_use]
    pub const fn new(order: Order) -> Self {
        Self {
            order,
            // So that the first claim is the first lane's.
            saved: 1.0 - order.share,
        }
    }

    /// The lane that the next claim looks into first. What it does not fill, the other one may.
    pub fn take(&mut self) -> Lane {
        self.saved += self.order.share;
        // Sums of shares are not exact: what is nearly 1 is 1.
        if self.saved >= 1.0 - 1e-9 {
            self.saved -= 1.0;
            self.order.first
        } else {
            self.order.first.other()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn four_of_five_claims_are_the_first_lanes_beginning_with_one_of_its_own() {
        let mut turns = Turns::new(Order::default());
        let lanes: Vec<Lane> = (0..10).map(|_| turns.take()).collect();
        let (h, l) = (Lane::History, Lane::Live);
        assert_eq!(lanes, [h, l, h, h, h, h, l, h, h, h]);
    }

    proptest! {
        /// Nobody starves: of any stretch of claims each lane has its share, but for one claim.
        #[test]
        fn each_lane_has_its_share_of_any_stretch(share in Order::SHARES, skip in 0u32..50, length in 1u32..400) {
            let mut turns = Turns::new(Order { first: Lane::Live, share });
            for _ in 0..skip {
                turns.take();
            }
            let first = (0..length).map(|_| u32::from(turns.take() == Lane::Live)).sum::<u32>();
            let wanted = share * f64::from(length);
            prop_assert!((f64::from(first) - wanted).abs() <= 1.0 + 1e-6, "{first} of {length} at {share}");
        }
    }
}
