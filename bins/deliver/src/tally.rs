//! What was pushed since the last look, added up in memory and written to the store every few seconds: counting must not cost a request its
//! pace. A process that is killed loses the seconds since then, of these figures only; the log has every attempt.

use crate::fate::{Settlement, Verdict};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::sync::{Fate, Figures};

/// The figures of one target.
#[derive(Debug, Default)]
pub struct Tally(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    figures: Figures,
    /// What failed last, in the platform's words or ours.
    why: Option<String>,
}

impl Tally {
    /// One request, whatever came of it.
    pub fn request(&self, verdict: &Verdict) {
        let mut state = self.state();
        state.figures.requests += 1;
        if let Some(why) = failure(verdict) {
            state.figures.failed_requests += 1;
            state.why = Some(why.to_owned());
        }
    }

    /// The rows of one request.
    pub fn rows(&self, settlements: &[Settlement], waited: &[Duration]) {
        let mut state = self.state();
        for settlement in settlements {
            let count = match settlement.fate {
                Fate::Accepted | Fate::Retracted => &mut state.figures.accepted,
                Fate::Rejected | Fate::Expired => &mut state.figures.rejected,
                Fate::Unknown => &mut state.figures.unknown,
                Fate::Retry => &mut state.figures.retried,
                Fate::Snooze => &mut state.figures.snoozed,
            };
            *count += 1;
            if settlement.fate == Fate::Rejected {
                state.why.clone_from(&settlement.message);
            }
        }
        for waited in waited {
            state.figures.latency.add(*waited);
        }
    }

    /// Nothing could be sent: no token was to be had.
    pub fn no_token(&self, why: &str) {
        let mut state = self.state();
        state.figures.requests += 1;
        state.figures.failed_requests += 1;
        state.why = Some(why.to_owned());
    }

    /// What has come together, and what failed last; begins anew.
    pub fn take(&self) -> (Figures, Option<String>) {
        let state = std::mem::take(&mut *self.state());
        (state.figures, state.why)
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, figures: &Figures, why: Option<String>) {
        let mut state = self.state();
        state.figures.add(figures);
        state.why = state.why.take().or(why);
    }

    // A panic while holding it cannot leave it half-written: plain numbers.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a request failed as a whole; `None` where it did not. To be asked to slow down is no failure, and where one row spoils a request, it is
/// that row's.
fn failure(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Rows(_) | Verdict::Slow { .. } | Verdict::Halve { .. } => None,
        Verdict::Unauthorised { why }
        | Verdict::Pause { why }
        | Verdict::Broken { why, .. }
        | Verdict::Unknown { why, .. } => Some(why),
    }
}
