//! What a subscription is, from what is known of it: pure, the caller brings the clock.
//!
//! Into a silence it goes after its own time; out of it only once deliveries have lasted for a while, so that a stray one is no end. A gap
//! is from the last delivery before to the first one after: rather too wide than too narrow, because what is fetched twice is dropped.

use crate::subscription::finding::View;
use freshness::usual::{Usual, is_unusual};
use schema::{Millis, UtcMicros};
use std::time::Duration;
use store::subscriptions::{Standing, State};

/// Deliveries that went on for so long have begun again; for short silences a tenth of them.
const SETTLED_AFTER: Duration = Duration::from_secs(60);

/// What the platform says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// How it has the subscription.
    pub view: View,
    /// In words.
    pub why: String,
}

impl Word {
    /// It was not asked, or could not say.
    pub const fn none() -> Self {
        Self {
            view: View::Unknown,
            why: String::new(),
        }
    }
}

/// Everything that is known.
#[derive(Debug, Clone, Copy)]
pub struct Known<'k> {
    /// The row.
    pub standing: &'k Standing,
    /// Now.
    pub now: UtcMicros,
    /// Up to when everything received is worked off.
    pub worked_off: Option<UtcMicros>,
    /// How long it may say nothing.
    pub quiet_after: Duration,
    /// What is usual; `None`: it does not matter.
    pub usual: Option<&'k Usual>,
    /// What the platform says; `None`: it is never asked.
    pub word: Option<&'k Word>,
}

/// What a subscription turns into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The state.
    pub state: State,
    /// Since when.
    pub since: UtcMicros,
    /// Why.
    pub reason: String,
    /// The last delivery before the silence under way.
    pub silent_from: Option<UtcMicros>,
    /// The first one after it.
    pub resumed_at: Option<UtcMicros>,
    /// A silence that is over.
    pub gap: Option<(UtcMicros, UtcMicros)>,
}

/// Decides; `None`: all is as it was.
pub fn decide(known: Known<'_>) -> Option<Verdict> {
    let standing = known.standing;
    let mut verdict = switched_off(&known).unwrap_or_else(|| by_traffic(&known));
    if verdict.state == standing.state {
        verdict.since = standing.since;
    }
    let same = verdict.state == standing.state
        && verdict.reason == standing.reason
        && verdict.silent_from == standing.silent_from
        && verdict.resumed_at == standing.resumed_at;
    (!same).then_some(verdict)
}

/// Whether the silence up to now is one; only then it may be asked what is usual.
pub fn may_be_quiet(
    standing: &Standing,
    worked_off: Option<UtcMicros>,
    quiet_after: Duration,
) -> bool {
    let from = standing.last_received_at.unwrap_or(standing.watched_since);
    worked_off.is_some_and(|until| until.since(from) >= millis(quiet_after))
}

/// The platform's word goes before all else, and holds until it says otherwise.
fn switched_off(known: &Known<'_>) -> Option<Verdict> {
    let standing = known.standing;
    let word = known.word?;
    let (state, reason) = match (word.view, standing.state) {
        (View::Disabled, _) => (State::Disabled, word.why.clone()),
        (View::Missing, _) => (State::Missing, word.why.clone()),
        (View::Unknown, state @ (State::Disabled | State::Missing)) => {
            (state, standing.reason.clone())
        }
        _ => return None,
    };
    Some(Verdict {
        state,
        since: known.now,
        reason,
        silent_from: standing.silent_from.or(standing.last_received_at),
        // What still trickles in is no end: nobody knows what is missing between.
        resumed_at: None,
        gap: None,
    })
}

fn by_traffic(known: &Known<'_>) -> Verdict {
    let standing = known.standing;
    let from = standing.last_received_at.unwrap_or(standing.watched_since);
    let silent = may_be_quiet(standing, known.worked_off, known.quiet_after)
        && known
            .usual
            .is_none_or(|usual| is_unusual(usual, from, known.worked_off.unwrap_or(from)));
    let mut verdict = Verdict {
        state: State::Quiet,
        since: known.now,
        reason: String::new(),
        silent_from: standing.silent_from,
        resumed_at: None,
        gap: None,
    };
    let Some(last) = standing.last_received_at else {
        if silent || standing.state == State::Quiet {
            "nothing has been received since it is watched".clone_into(&mut verdict.reason);
        } else {
            verdict.state = State::Unknown;
        }
        return verdict;
    };
    match (standing.silent_from, standing.resumed_at) {
        (None, _) if silent => {
            verdict.silent_from = Some(last);
            "nothing is received any more".clone_into(&mut verdict.reason);
        }
        (None, _) => verdict.state = State::Ok,
        (Some(_), Some(resumed)) if silent => {
            // A stray one: the silence goes on, and ends with a later one.
            debug_assert!(resumed <= last);
            "nothing is received any more".clone_into(&mut verdict.reason);
        }
        (Some(from), Some(resumed)) => {
            let settled = SETTLED_AFTER.min(known.quiet_after / 10);
            if last.since(resumed) >= millis(settled) {
                verdict.state = State::Ok;
                verdict.silent_from = None;
                verdict.gap = (from < resumed).then_some((from, resumed));
            } else {
                verdict.resumed_at = Some(resumed);
                "deliveries have begun again".clone_into(&mut verdict.reason);
            }
        }
        (Some(_), None) => {
            let reason = match standing.state {
                State::Quiet => standing.reason.as_str(),
                State::Disabled | State::Missing => {
                    "the platform has it again, and nothing was received since"
                }
                State::Unknown | State::Ok => "nothing is received any more",
            };
            reason.clone_into(&mut verdict.reason);
        }
    }
    verdict
}

fn millis(duration: Duration) -> Millis {
    Millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
