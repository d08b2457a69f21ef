//! `handle_time`: how long agents were busy with the interaction, in seconds.
//!
//! **Definition.** Contacting + dialling + talk + hold + wrap-up, each as the interaction's timeline has it (legs add up; see
//! `session::Timeline::duration`). Ringing at an agent and waiting in a queue are no part of it.
//!
//! **Absent** when none of the five was stated (`not_stated`), when a stated one is implausible (`implausible_duration`), or when
//! everything stated is zero and no agent took part (`no_agent`): self-service is not handled in zero seconds, it is not handled.
//!
//! Of talk, hold and wrap-up, those that were not stated are named in `metadata.not_stated` and count as nothing: a wrap-up that
//! arrives later revises the value. Where the platform states its own handle time, `metadata.platform_ms` has it for comparison; it is
//! never used as the value.

use super::{Measured, Sum, sum};
use crate::rules::Rules;
use crate::value::{Metadata, Reason};
use schema::{DurationKind, Millis};
use session::{DurationFact, Timeline};

/// The metric's name.
pub const NAME: &str = "handle_time";

const PARTS: [DurationKind; 5] = [
    DurationKind::Talk,
    DurationKind::Hold,
    DurationKind::Wrap,
    DurationKind::Dialing,
    DurationKind::Contacting,
];

pub(super) fn measure(timeline: &Timeline<'_>, _: &Rules) -> Measured {
    let (total, missing) = match sum(timeline, &PARTS) {
        Sum::Stated(total, missing) => (total, missing),
        Sum::Implausible(stated) => return Measured::implausible(stated),
    };
    if missing.len() == PARTS.len() {
        return Measured::absent(Reason::NotStated);
    }
    if total == Millis::ZERO && timeline.first_agent().is_none() {
        return Measured::absent(Reason::NoAgent);
    }
    let platform_ms = match timeline.duration(DurationKind::Handle) {
        Some(DurationFact::Stated(stated) | DurationFact::Implausible(stated)) => Some(stated.0),
        None => None,
    };
    // Dialling and contacting are stated by few sources: their lack is the rule.
    let not_stated = missing
        .into_iter()
        .filter(|kind| !matches!(kind, DurationKind::Dialing | DurationKind::Contacting))
        .map(DurationKind::name)
        .collect();
    let metadata = Metadata {
        not_stated,
        platform_ms,
        ..Metadata::default()
    };
    Measured::of(total, metadata)
}
