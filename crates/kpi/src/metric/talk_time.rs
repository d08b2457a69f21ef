//! `talk_time`: how long agents and the customer talked, in seconds.
//!
//! **Definition.** The stated talk time: legs add up, otherwise the last cumulative statement on the timeline holds, also when it is
//! lower than an earlier one. Whether time on hold is in it is up
//! to the platform: Genesys and the guide state it apart, the talk of a CXone contact record includes it.
//!
//! **Absent** when nobody stated it (`not_stated`) or when the statement that counts is implausible (`implausible_duration`). A stated
//! zero is a zero.

use super::Measured;
use crate::rules::Rules;
use schema::DurationKind;
use session::Timeline;

/// The metric's name.
pub const NAME: &str = "talk_time";

pub(super) fn measure(timeline: &Timeline<'_>, _: &Rules) -> Measured {
    Measured::stated(timeline, DurationKind::Talk)
}

#[cfg(test)]
mod tests {
    use super::{DurationKind::Talk, NAME};
    use crate::Reason;
    use crate::testing::{Call, at};
    use schema::LegKind;

    #[test]
    fn the_last_statement_on_the_timeline_holds_whatever_order_it_was_told_in() {
        let up = Call::default()
            .told(at(30).lasts(Talk, 30_000))
            .told(at(50).lasts(Talk, 45_200));
        assert_eq!(up.ended().seconds(NAME), Ok(45.2));
        let down = Call::default()
            .told(at(50).lasts(Talk, 30_001))
            .told(at(30).lasts(Talk, 45_200));
        assert_eq!(down.ended().seconds(NAME), Ok(30.001));
    }

    #[test]
    fn what_agents_talked_adds_up_over_legs() {
        let call = Call::default()
            .told(at(0).leg("1", LegKind::Agent, None).lasts(Talk, 60_000))
            .told(at(60).leg("2", LegKind::Agent, None).lasts(Talk, 100_000));
        assert_eq!(call.ended().seconds(NAME), Ok(160.0));
    }

    #[test]
    fn a_stated_zero_is_zero_and_nothing_stated_is_nothing() {
        let zero = Call::default().told(at(1).lasts(Talk, 0)).ended();
        assert_eq!(zero.seconds(NAME), Ok(0.0));
        assert_eq!(
            Call::default().ended().seconds(NAME),
            Err(Reason::NotStated)
        );
    }

    #[test]
    fn a_day_of_talk_is_believed_and_two_years_are_not() {
        let talked = |millis| {
            Call::default()
                .told(at(1).lasts(Talk, millis))
                .ended()
                .measured(NAME)
        };
        assert_eq!(talked(86_400_000).value, Some(86_400.0));
        for absurd in [-1, 2 * 365 * 86_400_000, i64::MAX] {
            let value = talked(absurd);
            assert_eq!(value.value, None);
            assert_eq!(value.metadata.reason, Some(Reason::ImplausibleDuration));
            assert_eq!(value.metadata.stated_ms, Some(absurd));
        }
    }
}
