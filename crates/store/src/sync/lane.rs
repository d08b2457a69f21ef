//! Which rows of a queue go first.

/// What caused a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Lane {
    /// What happens now.
    #[default]
    Live,
    /// A backfill job, or an operator who has everything pushed again. Of a row that both caused it is this one.
    History,
}

impl Lane {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Live, Self::History];

    /// As it is stored and configured.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::History => "history",
        }
    }

    /// The lane of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.name() == name)
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Live => Self::History,
            Self::History => Self::Live,
        }
    }
}
