//! When an agent was busy with the legs of interactions.

use crate::span::Span;
use schema::{Millis, UtcMicros};

/// What an agent is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BusyKind {
    /// A contact.
    Interacting,
    /// After-call work.
    Wrapping,
}

/// A time in which an agent was busy with one leg. Several overlap where the agent had several contacts at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Busy {
    /// From when on.
    pub from: UtcMicros,
    /// Until when; absent while it goes on.
    pub to: Option<UtcMicros>,
    /// With what.
    pub kind: BusyKind,
}

/// The union of the times of one kind: disjoint, ascending. An open one ends at the cap.
pub(crate) fn union(busy: &[Busy], kind: BusyKind, open_cap: Millis) -> Vec<Span<()>> {
    let mut spans: Vec<(UtcMicros, UtcMicros)> = busy
        .iter()
        .filter(|busy| busy.kind == kind)
        .map(|busy| {
            (
                busy.from,
                busy.to.unwrap_or_else(|| busy.from.plus(open_cap)),
            )
        })
        .filter(|(from, to)| from < to)
        .collect();
    spans.sort_unstable();
    let mut union: Vec<Span<()>> = Vec::with_capacity(spans.len());
    for (from, to) in spans {
        match union.last_mut() {
            Some(last) if from <= last.to => last.to = last.to.max(to),
            _ => union.push(Span { from, to, what: () }),
        }
    }
    union
}
