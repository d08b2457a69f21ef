//! What a value that is pushed to a target is of.

use std::fmt;

/// What a value is of. Targets take some of these and not others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// An interaction as a whole.
    Interaction,
    /// One leg of an interaction.
    Leg,
    /// All that one agent did on one of the agent's own days.
    AgentDay,
}

impl Grain {
    /// All of them, for messages that list what is allowed.
    pub const ALL: [Self; 3] = [Self::Interaction, Self::Leg, Self::AgentDay];

    /// As it is stored and configured.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interaction => "interaction",
            Self::Leg => "leg",
            Self::AgentDay => "agent_day",
        }
    }

    /// The grain of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grain| grain.name() == name)
    }
}

impl fmt::Display for Grain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
