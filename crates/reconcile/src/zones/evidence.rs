//! What is known of an agent's clock.

use schema::{AgentId, UtcMicros};

/// A zone that one side states, and for when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stated {
    /// The first instant it is stated for.
    pub from: UtcMicros,
    /// The end of that, exclusive.
    pub to: UtcMicros,
    /// The zone as it was written.
    pub text: String,
}

/// What a difference was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// A day of one date begins at different instants.
    DayBoundary,
    /// A shift would be within business hours by another clock.
    ShiftAndHours,
    /// A shift begins, in absolute time, so long after its agent signed in.
    ShiftAndLogin,
}

impl Seen {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::DayBoundary => "day_boundary",
            Self::ShiftAndHours => "shift_and_hours",
            Self::ShiftAndLogin => "shift_and_login",
        }
    }
}

/// A difference of the clocks as it was seen once; 0 is one, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Observation {
    /// When.
    pub at: UtcMicros,
    /// Where.
    pub seen: Seen,
    /// By how many seconds our clock is ahead.
    pub seconds: i64,
}

impl Observation {
    /// Of one date, whose day begins at these instants by the platform's clock and by ours. It is dated by the earlier: a change in between is one
    /// that it does not show yet.
    #[must_use]
    pub fn of_days(platform: UtcMicros, ours: UtcMicros) -> Self {
        Self {
            at: platform.min(ours),
            seen: Seen::DayBoundary,
            seconds: platform.0.saturating_sub(ours.0) / 1_000_000,
        }
    }
}

/// All that is known of one agent's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The agent.
    pub agent: AgentId,
    /// The zones that we went by or were told.
    pub ours: Vec<Stated>,
    /// The zones that the platform states.
    pub platform: Vec<Stated>,
    /// What was seen.
    pub observed: Vec<Observation>,
}

impl Evidence {
    /// Nothing about this agent.
    #[must_use]
    pub const fn none(agent: AgentId) -> Self {
        Self {
            agent,
            ours: Vec::new(),
            platform: Vec::new(),
            observed: Vec::new(),
        }
    }

    pub(super) fn sort(&mut self) {
        self.ours.sort();
        self.ours.dedup();
        self.platform.sort();
        self.platform.dedup();
        self.observed.sort();
        self.observed.dedup();
    }
}
