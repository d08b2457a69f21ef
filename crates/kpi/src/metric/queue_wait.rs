//! `queue_wait`: how long the customer waited in queues, in seconds.
//!
//! **Definition.** The stated wait: waits of several queues add up (so it is the customer's wait, not one queue's), otherwise the last
//! cumulative statement on the timeline holds. Interactions that were abandoned have one as well. It is never inferred from the
//! instants of other events, whose clocks may differ.
//!
//! **Absent** when nobody stated it (`not_stated`) or when the statement that counts is implausible (`implausible_duration`).

use super::Measured;
use crate::rules::Rules;
use schema::DurationKind;
use session::Timeline;

/// The metric's name.
pub const NAME: &str = "queue_wait";

pub(super) fn measure(timeline: &Timeline<'_>, _: &Rules) -> Measured {
    Measured::stated(timeline, DurationKind::QueueWait)
}

#[cfg(test)]
mod tests {
    use super::{DurationKind::QueueWait, NAME};
    use crate::Reason;
    use crate::testing::{Call, at};
    use schema::{LegKind, State};

    #[test]
    fn a_customer_who_left_has_waited() {
        let call = Call::default().told(at(95).state(State::Abandoned).lasts(QueueWait, 95_000));
        let value = call.measured(NAME);
        assert_eq!(value.value, Some(95.0));
        assert_eq!(value.metadata.outcome, Some("abandoned"));
    }

    #[test]
    fn waits_of_several_queues_add_up_for_the_customer() {
        let call = Call::default()
            .told(
                at(0)
                    .leg("1", LegKind::Queue, None)
                    .lasts(QueueWait, 12_500),
            )
            .told(
                at(60)
                    .leg("2", LegKind::Queue, None)
                    .lasts(QueueWait, 8_000),
            );
        assert_eq!(call.ended().seconds(NAME), Ok(20.5));
    }

    #[test]
    fn is_not_guessed_from_the_instants_of_events() {
        let call = Call::default()
            .told(at(0).state(State::Queued))
            .told(at(12).state(State::Connected));
        assert_eq!(call.ended().seconds(NAME), Err(Reason::NotStated));
    }

    #[test]
    fn a_callback_that_waited_for_weeks_is_believed() {
        let call = Call::default().told(at(0).lasts(QueueWait, 59 * 86_400_000));
        assert_eq!(call.ended().seconds(NAME), Ok(5_097_600.0));
    }
}
