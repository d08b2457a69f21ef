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
