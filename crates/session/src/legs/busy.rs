//! When a leg kept its agent busy: what occupancy and utilisation are made of.

use super::LegView;
use crate::totals::DurationFact;
use schema::{DurationKind, Millis, UtcMicros};

/// The stretch of time in which a leg kept its agent busy: first with the contact, then with the work after it.
///
/// It is as long as the leg's handle time, so that an agent's busy time and handle time tell one story: it begins with the answer, or before
/// it with the dialling that led to it, and where nobody answered with the leg. Dialling, talk and hold make the first part, wrap-up the
/// second, which follows without a gap. Where no talk is stated the first part ends when the leg does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegBusy {
    /// From when on.
    pub from: UtcMicros,
    /// Until when with the contact; absent while the leg is open and nothing is stated.
    pub until: Option<UtcMicros>,
    /// Until when with the work after it; absent where no wrap-up is stated.
    pub wrapped_at: Option<UtcMicros>,
}

impl LegView<'_> {
    /// When the leg kept its agent busy; `None` where no agent is named or the agent took no part.
    ///
    /// `interaction_ended_at` is the end of the whole: a leg of which nobody said that it ended is over then.
    pub fn busy(&self, interaction_ended_at: Option<UtcMicros>) -> Option<LegBusy> {
        self.agent?;
        if !self.took_part() {
            return None;
        }
        let millis = |kind| {
            let stated = self.duration(kind).and_then(DurationFact::plausible);
            stated.map_or(0, |millis: Millis| millis.0)
        };
        let reaching =
            Millis(millis(DurationKind::Contacting).saturating_add(millis(DurationKind::Dialing)));
        let answered_at = self.answered_at;
        let from = answered_at.map_or(self.started_at, |answered_at| {
            let reached = answered_at.plus(Millis(-reaching.0));
            reached.max(self.started_at.min(answered_at))
        });
        // What is stated of talk while the contact goes on is not yet all of it.
        let Some(ended_at) = self.ended_at.or(interaction_ended_at) else {
            return Some(LegBusy {
                from,
                until: None,
                wrapped_at: None,
            });
        };
        let stated = |kind| self.duration(kind)?.plausible();
        let hold = millis(DurationKind::Hold);
        let until = stated(DurationKind::Talk).map_or(ended_at, |talk| {
            let connected = answered_at.unwrap_or_else(|| from.plus(reaching));
            connected.plus(Millis(talk.0.saturating_add(hold)))
        });
        let until = until.max(from);
        Some(LegBusy {
            from,
            until: Some(until),
            wrapped_at: stated(DurationKind::Wrap).map(|wrap| until.plus(wrap)),
        })
    }
}
