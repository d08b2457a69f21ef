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
