//! What a state rests on: one measure for each piece of evidence, two where it may be bad and worse.

use schema::PlatformState;

/// Something that a state rests on. Each has its own trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// The platform says that it is being maintained.
    Maintenance,
    /// The platform says that a subscription delivers nothing.
    SwitchedOff,
    /// A subscription says nothing, for very long.
    SilenceLong,
    /// What was received waits to be processed, for very long.
    LineLong,
    /// A followed source is very far behind.
    FollowLong,
    /// A subscription says nothing.
    Silence,
    /// Events arrive late.
    Late,
    /// What was received waits to be processed.
    Line,
    /// Many messages wait.
    Queue,
    /// Windows wait to be computed.
    Windows,
    /// Less is computed than could be.
    Storm,
    /// A followed source is behind.
    Follow,
    /// The platform counts more than is here.
    Counts,
    /// The platform says that it is in trouble.
    Trouble,
}

impl Measure {
    /// All of them, what is told first before what is told later.
    pub const ALL: [Self; 14] = [
        Self::Maintenance,
        Self::SwitchedOff,
        Self::SilenceLong,
        Self::LineLong,
        Self::FollowLong,
        Self::Silence,
        Self::Late,
        Self::Line,
        Self::Queue,
        Self::Windows,
        Self::Storm,
        Self::Follow,
        Self::Counts,
        Self::Trouble,
    ];

    /// Its name among the triggers that are kept.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::SilenceLong => "silence_long",
            Self::LineLong => "line_long",
            Self::FollowLong => "follow_long",
            other => other.code(),
        }
    }

    /// The machine's word for it: what is the matter, however bad it is.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::SwitchedOff => "switched_off",
            Self::SilenceLong | Self::Silence => "silence",
            Self::Late => "late",
            Self::LineLong | Self::Line => "line",
            Self::Queue => "queue",
            Self::Windows => "windows",
            Self::Storm => "storm",
            Self::FollowLong | Self::Follow => "follow",
            Self::Counts => "counts",
            Self::Trouble => "trouble",
        }
    }

    /// What it makes of the platform.
    #[must_use]
    pub const fn state(self) -> PlatformState {
        match self {
            Self::Maintenance => PlatformState::Maintenance,
            Self::SwitchedOff | Self::SilenceLong | Self::LineLong | Self::FollowLong => {
                PlatformState::Stale
            }
            Self::Silence
            | Self::Late
            | Self::Line
            | Self::Queue
            | Self::Windows
            | Self::Storm
            | Self::Follow
            | Self::Counts
            | Self::Trouble => PlatformState::Syncing,
        }
    }

    /// Whether it is about events on their way to windows. What one of these leaves open another one goes on with, so their doubt is one.
    #[must_use]
    pub const fn is_of_the_flow(self) -> bool {
        !matches!(self, Self::Maintenance | Self::Counts | Self::Trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_what_is_told_first_is_no_better_than_what_is_told_later() {
        let mut keys: Vec<_> = Measure::ALL.iter().map(|one| one.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), Measure::ALL.len());
        for pair in Measure::ALL.windows(2) {
            assert!(pair[0].state() >= pair[1].state(), "{pair:?}");
            assert!(pair[0] < pair[1], "declared in the order of telling");
        }
    }
}
