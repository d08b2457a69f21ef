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

#[cfg(test)]
mod tests {
    use super::NAME;
    use crate::Reason;
    use crate::testing::{Call, at};
    use schema::DurationKind::{Alert, Contacting, Dialing, Handle, Hold, QueueWait, Talk, Wrap};
    use schema::{LegKind, LegOutcome, State};

    #[test]
    fn is_dialling_contacting_talk_hold_and_wrap_up_and_nothing_else() {
        let call = Call::default().told(
            at(1)
                .agent("anna", None)
                .lasts(Dialing, 7000)
                .lasts(Contacting, 500)
                .lasts(Talk, 60_000)
                .lasts(Hold, 0)
                .lasts(Wrap, 20_000)
                .lasts(Alert, 4000)
                .lasts(QueueWait, 90_000)
                .lasts(Handle, 87_500),
        );
        let value = call.ended().measured(NAME);
        assert_eq!(value.value, Some(87.5));
        assert_eq!(value.metadata.platform_ms, Some(87_500));
        assert!(value.metadata.not_stated.is_empty());
    }

    #[test]
    fn the_platforms_own_figure_is_shown_but_never_taken() {
        let differs = Call::default()
            .told(at(1).lasts(Talk, 60_000).lasts(Handle, 99_000))
            .ended()
            .measured(NAME);
        assert_eq!(
            (differs.value, differs.metadata.platform_ms),
            (Some(60.0), Some(99_000))
        );
        let alone = Call::default().told(at(1).lasts(Handle, 99_000)).ended();
        assert_eq!(alone.seconds(NAME), Err(Reason::NotStated));
        // An absurd one spoils nothing.
        let absurd = Call::default().told(at(1).lasts(Talk, 1000).lasts(Handle, -7));
        assert_eq!(absurd.ended().seconds(NAME), Ok(1.0));
    }

    #[test]
    fn parts_that_nobody_stated_are_named() {
        let value = Call::default()
            .told(at(1).agent("anna", None).lasts(Talk, 1000))
            .ended()
            .measured(NAME);
        assert_eq!(value.value, Some(1.0));
        assert_eq!(value.metadata.not_stated, ["hold", "wrap"]);
    }

    #[test]
    fn self_service_is_not_handled_in_zero_seconds() {
        let alone = Call::default().told(at(1).lasts(Talk, 0)).ended();
        assert_eq!(alone.seconds(NAME), Err(Reason::NoAgent));
        let with_agent = Call::default()
            .told(at(1).agent("anna", None).lasts(Talk, 0))
            .ended();
        assert_eq!(with_agent.seconds(NAME), Ok(0.0));
        // Somebody talked, whoever it was.
        let unnamed = Call::default().told(at(1).lasts(Talk, 1)).ended();
        assert_eq!(unnamed.seconds(NAME), Ok(0.001));
        let left = Call::default()
            .told(at(9).state(State::Abandoned).lasts(QueueWait, 9000))
            .measured(NAME);
        assert_eq!(left.metadata.reason, Some(Reason::NotStated));
    }

    #[test]
    fn an_agent_who_let_it_ring_and_still_wrapped_up_counts_as_the_platform_counts() {
        let rang = LegOutcome::NotResponding;
        let call = Call::default().told(
            at(1)
                .agent("anna", None)
                .leg("1", LegKind::Agent, Some(rang))
                .lasts(Alert, 15_000)
                .lasts(Wrap, 2000)
                .lasts(Handle, 2000),
        );
        assert_eq!(call.ended().seconds(NAME), Ok(2.0));
    }

    #[test]
    fn any_absurd_part_withholds_the_sum() {
        for part in [Talk, Hold, Wrap, Dialing, Contacting] {
            let call = Call::default()
                .told(at(1).lasts(Talk, 1000))
                .told(at(2).lasts(part, i64::MAX));
            assert_eq!(
                call.ended().seconds(NAME),
                Err(Reason::ImplausibleDuration),
                "{part:?}"
            );
        }
    }
}
