//! `hold_time`: how long the customer was on hold with an agent, in seconds.
//!
//! **Definition.** The stated hold time: legs add up, otherwise the last cumulative statement on the timeline holds. Waiting in a queue is
//! no part of it.
//!
//! **Absent** when nobody stated it (`not_stated`): a platform that leaves out zeros leaves it unknown whether there was any. Absent also
//! when the statement that counts is implausible (`implausible_duration`).

use super::Measured;
use crate::rules::Rules;
use schema::DurationKind;
use session::Timeline;

/// The metric's name.
pub const NAME: &str = "hold_time";

pub(super) fn measure(timeline: &Timeline<'_>, _: &Rules) -> Measured {
    Measured::stated(timeline, DurationKind::Hold)
}

#[cfg(test)]
mod tests {
    use super::{DurationKind::Hold, NAME};
    use crate::Reason;
    use crate::testing::{Call, at};
    use schema::{DurationKind, LegKind};

    #[test]
    fn no_word_of_a_hold_is_not_a_hold_of_zero() {
        let silent = Call::default()
            .told(at(1).lasts(DurationKind::Talk, 5))
            .ended();
        assert_eq!(silent.seconds(NAME), Err(Reason::NotStated));
        let stated = Call::default().told(at(1).lasts(Hold, 0)).ended();
        assert_eq!(stated.seconds(NAME), Ok(0.0));
    }

    #[test]
    fn a_cumulative_statement_is_not_added_to_an_earlier_one() {
        let call = Call::default()
            .told(at(10).lasts(Hold, 5000))
            .told(at(40).lasts(Hold, 12_000));
        assert_eq!(call.ended().seconds(NAME), Ok(12.0));
    }

    #[test]
    fn one_absurd_leg_makes_the_sum_absurd() {
        let call = Call::default()
            .told(at(0).leg("1", LegKind::Agent, None).lasts(Hold, 60_000))
            .told(at(9).leg("2", LegKind::Agent, None).lasts(Hold, -3));
        assert_eq!(call.ended().seconds(NAME), Err(Reason::ImplausibleDuration));
    }
}
