//! The agents' legs that were stated once and are stated no more.
//!
//! Metrics of an agent's leg are rows of their own. When a revision gives the leg another id, or another agent, the row that was
//! written before must be taken back, whichever of the two copies came first. So a session remembers the agents' legs of every copy
//! it ever saw, losing ones included: a set that only grows. Kept is the part of it that the facts held do not name themselves,
//! which is mostly nothing at all; both together are the whole set, so this is the same lattice in fewer bytes.

use schema::{AgentId, Fact, LegId, LegKind};
use std::borrow::Cow;

/// An agent's leg as one fact names it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AgentLeg<'a> {
    /// A leg that the platform names.
    Stated(&'a LegId),
    /// An agent in a statement that is about no leg.
    Derived(&'a AgentId),
}

impl<'a> AgentLeg<'a> {
    /// The agent's leg that a fact names, if it names one.
    pub(crate) fn of(fact: &'a Fact) -> Option<Self> {
        match fact.statement.leg() {
            Some(leg) => (leg.kind == LegKind::Agent).then_some(Self::Stated(&leg.id)),
            None => fact
                .statement
                .agent
                .as_ref()
                .map(|agent| Self::Derived(&agent.id)),
        }
    }

    /// The name under which its metrics are kept.
    pub(crate) fn name(self) -> Cow<'a, str> {
        match self {
            Self::Stated(id) => Cow::Borrowed(id.as_str()),
            Self::Derived(agent) => Cow::Owned(format!("agent:{}", agent.as_str())),
        }
    }

    /// Whether both have one name.
    fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::Stated(one), Self::Stated(other)) => one == other,
            (Self::Derived(one), Self::Derived(other)) => one == other,
            (Self::Stated(leg), Self::Derived(agent))
            | (Self::Derived(agent), Self::Stated(leg)) => {
                leg.as_str().strip_prefix("agent:") == Some(agent.as_str())
            }
        }
    }

    pub(crate) fn id(self) -> LegId {
        LegId::new(self.name())
    }
}

/// A set of names, ascending, none of them named by a fact held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Withdrawn(Vec<LegId>);

impl Withdrawn {
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn names(&self) -> &[LegId] {
        &self.0
    }

    /// Of a copy that lost or was replaced: its leg is withdrawn, unless a fact held names it.
    pub(crate) fn lose(&mut self, copy: &Fact, held: &[Fact]) {
        if let Some(leg) = AgentLeg::of(copy)
            && !held
                .iter()
                .filter_map(AgentLeg::of)
                .any(|named| named.is(leg))
        {
            self.add(leg.id());
        }
    }

    /// A fact held names this leg, so it is not withdrawn.
    pub(crate) fn restate(&mut self, fact: &Fact) {
        if !self.is_empty()
            && let Some(leg) = AgentLeg::of(fact)
            && let Ok(place) = self.0.binary_search(&leg.id())
        {
            self.0.remove(place);
        }
    }

    /// The legs that any of these facts names are withdrawn.
    pub(crate) fn add_all<'f>(&mut self, facts: impl IntoIterator<Item = &'f Fact>) {
        for leg in facts.into_iter().filter_map(AgentLeg::of) {
            self.add(leg.id());
        }
    }

    /// Both sets.
    pub(crate) fn union(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
        } else {
            for name in other.0 {
                self.add(name);
            }
        }
    }

    /// Without the legs that these facts name.
    pub(crate) fn without(&mut self, held: &[Fact]) {
        if !self.is_empty() {
            let held = distinct(held);
            self.0.retain(|name| held.binary_search(name).is_err());
        }
    }

    /// The least `most` of them. Of a union these are the same whichever part was cut before.
    pub(crate) fn truncate(&mut self, most: usize) {
        self.0.truncate(most);
    }

    pub(crate) fn add(&mut self, name: LegId) {
        if let Err(place) = self.0.binary_search(&name) {
            self.0.insert(place, name);
        }
    }
}

/// The agents' legs that these facts name, ascending.
pub(crate) fn distinct(facts: &[Fact]) -> Vec<LegId> {
    let mut names: Vec<LegId> = facts
        .iter()
        .filter_map(AgentLeg::of)
        .map(AgentLeg::id)
        .collect();
    names.sort();
    names.dedup();
    names
}
