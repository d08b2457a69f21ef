//! What the adapters of agents' states share: facts from a stretch of time, and the names of states.

use crate::error::ItemError;
use crate::node::Node;
use compact_str::CompactString;
use schema::{
    AgentFact, AgentId, AgentRef, AgentStatement, FactKey, Presence, Routing, SourceRank, Track,
    UtcMicros,
};

/// From when to when a source states something, and what kind of source it is.
#[derive(Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) at: UtcMicros,
    pub(crate) until: Option<UtcMicros>,
    pub(crate) rank: SourceRank,
}

impl Stretch {
    /// The fact of the presence. Being offline has no end of its own: it lasts until the agent is there again, whatever the source says.
    pub(crate) fn presence(
        self,
        presence: Presence,
        reason: Option<CompactString>,
        team: Option<CompactString>,
    ) -> AgentFact {
        let until = self.until.filter(|_| presence != Presence::Offline);
        self.fact(
            Track::Presence,
            until,
            AgentStatement {
                presence: Some(presence),
                reason,
                team,
                ..AgentStatement::default()
            },
        )
    }

    /// The fact of the routing status.
    pub(crate) fn routing(self, routing: Routing) -> AgentFact {
        self.fact(
            Track::Routing,
            self.until,
            AgentStatement {
                routing: Some(routing),
                ..AgentStatement::default()
            },
        )
    }

    fn fact(self, track: Track, until: Option<UtcMicros>, statement: AgentStatement) -> AgentFact {
        AgentFact {
            key: FactKey::agent_state(track, self.at),
            at: self.at,
            until,
            revision: None,
            rank: self.rank,
            statement,
        }
    }
}

/// An agent of whom no zone is stated.
pub(crate) fn agent(id: &str) -> AgentRef {
    AgentRef {
        id: AgentId::new(id),
        zone: None,
    }
}

/// The state that a member names, as [`state_name`] has it; an error where none is named.
pub(crate) fn named_state(
    node: &Node<'_>,
    member: &str,
    expected: &str,
) -> Result<String, ItemError> {
    let name = node.name(member)?.map(|name| state_name(&name));
    name.filter(|name| !name.is_empty())
        .ok_or_else(|| ItemError::missing(node.at(member), expected))
}

/// What is said where no presence is named.
pub(crate) const PRESENCE: &str = "the name of a presence";
/// What is said where no routing status is named.
pub(crate) const ROUTING: &str = "the name of a routing status";

/// A state's name in lower case with underscores: `ON_QUEUE`, `On Queue`, `onQueue` and `on-queue` are one name.
pub(crate) fn state_name(name: &str) -> String {
    let mut found = String::with_capacity(name.len() + 4);
    let mut before = '_';
    for char in name.chars() {
        let starts_word = char.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit());
        if char.is_whitespace() || matches!(char, '_' | '-' | '\0') {
            if !found.is_empty() && !found.ends_with('_') {
                found.push('_');
            }
        } else {
            if starts_word {
                found.push('_');
            }
            found.extend(char.to_lowercase());
        }
        before = char;
    }
    found.truncate(found.trim_end_matches('_').len());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_state_has_one_name_however_it_is_spelled() {
        for name in [
            "ON_QUEUE",
            "On Queue",
            "on-queue",
            "onQueue",
            "OnQueue",
            " On  Queue ",
        ] {
            assert_eq!(state_name(name), "on_queue", "{name}");
        }
        assert_eq!(state_name("NOT_RESPONDING"), "not_responding");
        assert_eq!(state_name("InboundPending"), "inbound_pending");
        assert_eq!(state_name("ACW"), "acw");
        assert_eq!(state_name("Pause-Déjeuner"), "pause_déjeuner");
        assert_eq!(state_name(" _ "), "");
    }
}
