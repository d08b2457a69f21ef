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
