//! The tracks and the busy times laid over each other.

use crate::busy::{Busy, BusyKind, union};
use crate::span::{Finger, Span, covering};
use crate::state::State;
use crate::tracks::{Holds, Tracks};
use compact_str::CompactString;
use schema::{AgentFact, AgentStatement, Millis, UtcMicros};

/// All that tells an agent's state, with the instants at which any of it changes.
#[derive(Debug)]
pub(crate) struct Overlay<'a> {
    tracks: Tracks<'a>,
    interacting: Vec<Span<()>>,
    wrapping: Vec<Span<()>>,
    /// Ascending and distinct.
    edges: Vec<UtcMicros>,
}

impl<'a> Overlay<'a> {
    pub(crate) fn of(facts: &'a [AgentFact], busy: &[Busy], open_cap: Millis) -> Self {
        let tracks = Tracks::of(facts, open_cap);
        let interacting = union(busy, BusyKind::Interacting, open_cap);
        let wrapping = union(busy, BusyKind::Wrapping, open_cap);
        let mut edges = Vec::new();
        for track in [&tracks.presence, &tracks.routing, &tracks.schedule] {
            add_edges(&mut edges, track);
        }
        add_edges(&mut edges, &tracks.team);
        add_edges(&mut edges, &interacting);
        add_edges(&mut edges, &wrapping);
        edges.sort_unstable();
        edges.dedup();
        Self {
            tracks,
            interacting,
            wrapping,
            edges,
        }
    }

    /// The instants strictly between these two at which something changes.
    pub(crate) fn edges_within(&self, from: UtcMicros, to: UtcMicros) -> &[UtcMicros] {
        let first = self.edges.partition_point(|edge| *edge <= from);
        let last = self.edges.partition_point(|edge| *edge < to);
        self.edges.get(first..last).unwrap_or_default()
    }

    /// The first instant after this one at which something changes.
    pub(crate) fn edge_after(&self, at: UtcMicros) -> Option<UtcMicros> {
        let next = self.edges.partition_point(|edge| *edge <= at);
        self.edges
            .get(next)
            .copied()
            .filter(|edge| *edge < UtcMicros(i64::MAX))
    }

    /// When the youngest part began of what is known of presence, routing and legs.
    pub(crate) fn since(&self, at: UtcMicros) -> Option<UtcMicros> {
        let stated = [&self.tracks.presence, &self.tracks.routing].map(|track| {
            covering(track, at)
                .filter(|span| matches!(span.what, Holds::Stated(_)))
                .map(|span| span.from)
        });
        let busy = [&self.interacting, &self.wrapping]
            .map(|spans| covering(spans, at).map(|span| span.from));
        stated.into_iter().chain(busy).flatten().max()
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader {
            presence: Finger::new(&self.tracks.presence),
            routing: Finger::new(&self.tracks.routing),
            schedule: Finger::new(&self.tracks.schedule),
            team: Finger::new(&self.tracks.team),
            interacting: Finger::new(&self.interacting),
            wrapping: Finger::new(&self.wrapping),
        }
    }
}

fn add_edges<T>(edges: &mut Vec<UtcMicros>, spans: &[Span<T>]) {
    edges.extend(spans.iter().flat_map(|span| [span.from, span.to]));
}

/// Reads states in ascending order of instants.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    presence: Finger<'a, Holds<'a>>,
    routing: Finger<'a, Holds<'a>>,
    schedule: Finger<'a, Holds<'a>>,
    team: Finger<'a, &'a AgentFact>,
    interacting: Finger<'a, ()>,
    wrapping: Finger<'a, ()>,
}

impl Reader<'_> {
    /// The state at this instant, which is no earlier than the one asked for before.
    pub(crate) fn at(&mut self, instant: UtcMicros) -> State {
        let (presence, routing) = (
            self.presence.at(instant).copied(),
            self.routing.at(instant).copied(),
        );
        let capped = |holds: Option<Holds<'_>>| matches!(holds, Some(Holds::Capped));
        let by_presence = presence.and_then(Holds::statement);
        let scheduled = self
            .schedule
            .at(instant)
            .copied()
            .and_then(Holds::statement)
            .and_then(|statement| filled(statement.scheduled.as_ref()));
        State {
            presence: by_presence.and_then(|statement| statement.presence.clone()),
            reason: by_presence.and_then(|statement| filled(statement.reason.as_ref())),
            routing: routing
                .and_then(Holds::statement)
                .and_then(|statement| statement.routing.clone()),
            scheduled,
            team: self
                .team
                .at(instant)
                .and_then(|fact| filled(fact.statement.team.as_ref())),
            interacting: self.interacting.at(instant).is_some(),
            wrapping: self.wrapping.at(instant).is_some(),
            capped: capped(presence) || capped(routing),
        }
    }
}

impl<'a> Holds<'a> {
    const fn statement(self) -> Option<&'a AgentStatement> {
        match self {
            Self::Stated(fact) => Some(&fact.statement),
            Self::Capped => None,
        }
    }
}

/// An empty text states that there is none.
fn filled(text: Option<&CompactString>) -> Option<CompactString> {
    text.filter(|text| !text.is_empty()).cloned()
}
