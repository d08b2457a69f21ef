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
