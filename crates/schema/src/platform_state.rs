//! How far the numbers of a platform are to be trusted now: what dashboards, alerts and the read API go by.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The state of one platform of one organisation. A later one is worse.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum PlatformState {
    /// Everything that is to be expected has come and is computed.
    #[default]
    Live,
    /// Something is missing or late, and is on its way: numbers of the newest time are too small.
    Syncing,
    /// Nothing has come for so long that the newest numbers say nothing.
    Stale,
    /// The platform says that it is being maintained.
    Maintenance,
}

impl PlatformState {
    /// All of them, the best first.
    pub const ALL: [Self; 4] = [Self::Live, Self::Syncing, Self::Stale, Self::Maintenance];

    /// The word for it in the store, in metrics and in the read API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Syncing => "syncing",
            Self::Stale => "stale",
            Self::Maintenance => "maintenance",
        }
    }

    /// The state of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether alerts on business KPIs mean nothing: whoever is alarmed would be so by what is missing.
    #[must_use]
    pub const fn inhibits_alerts(self) -> bool {
        !matches!(self, Self::Live)
    }
}

impl fmt::Display for PlatformState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_and_a_later_state_is_worse() {
        for pair in PlatformState::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
        }
        for state in PlatformState::ALL {
            assert_eq!(PlatformState::parse(state.as_str()), Some(state));
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{state}\""));
            assert_eq!(state.inhibits_alerts(), state != PlatformState::Live);
        }
        assert_eq!(PlatformState::parse("fresh"), None);
    }
}
