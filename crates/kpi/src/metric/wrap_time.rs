//! `wrap_time`: how long agents worked on the interaction after it ended for the customer, in seconds.
//!
//! **Definition.** The stated after-call work: legs add up, otherwise the last cumulative statement on the timeline holds. It often arrives
//! after the terminal state; until then it is absent, and the metric is revised when it comes.
//!
//! **Absent** when nobody stated it (`not_stated`) or when the statement that counts is implausible (`implausible_duration`).

use super::Measured;
use crate::rules::Rules;
use schema::DurationKind;
use session::Timeline;

/// The metric's name.
pub const NAME: &str = "wrap_time";

pub(super) fn measure(timeline: &Timeline<'_>, _: &Rules) -> Measured {
    Measured::stated(timeline, DurationKind::Wrap)
}

#[cfg(test)]
mod tests {
    use super::{DurationKind::Wrap, NAME};
    use crate::Reason;
    use crate::testing::{Call, at};
    use schema::State;

    #[test]
    fn is_absent_until_it_comes_and_comes_after_the_end() {
        let call = Call::default().ended();
        assert_eq!(call.seconds(NAME), Err(Reason::NotStated));
        let call = call.told(at(400).state(State::WrappedUp).lasts(Wrap, 41_500));
        let value = call.measured(NAME);
        assert_eq!(value.value, Some(41.5));
        // The wrap-up is not how the call ended.
        assert_eq!(value.metadata.outcome, Some("completed"));
    }

    #[test]
    fn skipped_wrap_up_that_is_stated_as_zero_is_zero() {
        let call = Call::default().ended().told(at(70).lasts(Wrap, 0));
        assert_eq!(call.seconds(NAME), Ok(0.0));
    }
}
