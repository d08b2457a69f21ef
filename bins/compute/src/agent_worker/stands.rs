//! How an agent stands now, and when to look again. Pure.

use super::time::{Team, Told};
use agent::{Rules, Standing};
use schema::{Millis, UtcMicros};
use store::agents::AgentRow;
use window::Day;

/// What the row of an agent is made from, beside what was stored of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) as_of: UtcMicros,
    pub(super) rules: Rules,
    pub(super) tick: Millis,
    /// When the first statement at `as_of` or later begins.
    pub(super) next: Option<UtcMicros>,
    /// Whether today has rows.
    pub(super) today_tells: bool,
}

impl Now {
    /// The row of an agent whose time of today was told so.
    pub(super) fn row(&self, stored: &AgentRow, told: &Told, team: &Team<'_>) -> AgentRow {
        let standing = agent::standing(&told.facts, &told.busy, self.as_of, &self.rules);
        let due_at = self.due(&standing);
        let state = standing.state;
        AgentRow {
            tenant: stored.tenant.clone(),
            agent_id: stored.agent_id.clone(),
            team: team
                .at(self.as_of)
                .map(str::to_owned)
                .or_else(|| state.team.as_ref().map(ToString::to_string)),
            presence: state.presence.as_ref().map(|it| it.name().to_owned()),
            routing: state.routing.as_ref().map(|it| it.name().to_owned()),
            reason: state.reason.as_ref().map(ToString::to_string),
            scheduled: state.scheduled.as_ref().map(ToString::to_string),
            interacting: state.interacting,
            wrapping: state.wrapping,
            capped: state.capped,
            since: standing.since,
            open_until: standing.changes_at,
            computed_to: Some(self.as_of),
            due_at,
            asked: Vec::new(),
        }
    }

    fn due(&self, standing: &Standing) -> Option<UtcMicros> {
        let state = &standing.state;
        let runs = state.logged_in() || state.scheduled.is_some();
        let tick = runs.then(|| self.as_of.plus(self.tick));
        // Who signed out has the rest of the day ahead.
        let rest = (!runs && self.today_tells).then(|| Day::of(self.as_of).end());
        let soonest = UtcMicros(self.as_of.0.saturating_add(1));
        [tick, rest, standing.changes_at, self.next]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.max(soonest))
    }
}
