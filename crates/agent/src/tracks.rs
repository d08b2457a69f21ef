//! The tracks of what is stated: which statement holds when.

use crate::span::Span;
use schema::{AgentFact, FactKey, Millis, Presence, Routing, Track, UtcMicros};
use std::collections::BTreeMap;

/// The end of what does not end.
const NEVER: UtcMicros = UtcMicros(i64::MAX);

/// What holds on a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds<'a> {
    /// This statement.
    Stated(&'a AgentFact),
    /// Nothing any more: the last statement was without news for too long.
    Capped,
}

/// The tracks of one agent, each as disjoint and ascending spans.
#[derive(Debug)]
pub(crate) struct Tracks<'a> {
    pub(crate) presence: Vec<Span<Holds<'a>>>,
    pub(crate) routing: Vec<Span<Holds<'a>>>,
    pub(crate) schedule: Vec<Span<Holds<'a>>>,
    pub(crate) team: Vec<Span<&'a AgentFact>>,
}

impl<'a> Tracks<'a> {
    pub(crate) fn of(facts: &'a [AgentFact], open_cap: Millis) -> Self {
        let facts = greatest_by_key(facts);
        let track = |track: Track| by_instant(&facts, |fact| fact.statement.states(track));
        let presence = track(Track::Presence);
        let offline: Vec<UtcMicros> = presence
            .iter()
            .filter(|fact| fact.statement.presence == Some(Presence::Offline))
            .map(|fact| fact.at)
            .collect();
        let sign_out_after = |at: UtcMicros| {
            let later = offline.partition_point(|instant| *instant < at);
            offline.get(later).copied().unwrap_or(NEVER)
        };
        let teams = by_instant(&facts, |fact| fact.statement.team.is_some());
        Self {
            presence: spans(&presence, open_cap, |_| NEVER),
            routing: spans(&track(Track::Routing), open_cap, sign_out_after),
            schedule: spans(&track(Track::Schedule), open_cap, |_| NEVER),
            team: with_ends(&teams)
                .map(|(fact, next)| Span {
                    from: fact.at,
                    to: next,
                    what: fact,
                })
                .collect(),
        }
    }
}

/// Of statements under one key the one that holds.
fn greatest_by_key(facts: &[AgentFact]) -> Vec<&AgentFact> {
    let mut by_key: BTreeMap<&FactKey, &AgentFact> = BTreeMap::new();
    for fact in facts {
        by_key
            .entry(&fact.key)
            .and_modify(|known| {
                if fact.supersedes(known) {
                    *known = fact;
                }
            })
            .or_insert(fact);
    }
    by_key.into_values().collect()
}

/// The statements that say something here, ascending, one an instant.
fn by_instant<'a>(
    facts: &[&'a AgentFact],
    says: impl Fn(&AgentFact) -> bool,
) -> Vec<&'a AgentFact> {
    let mut stated: Vec<&AgentFact> = facts.iter().copied().filter(|fact| says(fact)).collect();
    stated.sort_unstable_by(|a, b| {
        let order = |fact: &AgentFact| (fact.at, fact.revision, fact.rank);
        order(a).cmp(&order(b)).then_with(|| a.cmp(b))
    });
    // The greatest of an instant is its last.
    let mut last_of_each: Vec<&AgentFact> = Vec::with_capacity(stated.len());
    for fact in stated {
        match last_of_each.last_mut() {
            Some(last) if last.at == fact.at => *last = fact,
            _ => last_of_each.push(fact),
        }
    }
    last_of_each
}

/// Each statement with the instant of the next.
fn with_ends<'a, 'b>(
    stated: &'b [&'a AgentFact],
) -> impl Iterator<Item = (&'a AgentFact, UtcMicros)> + 'b {
    let ends = stated
        .iter()
        .skip(1)
        .map(|next| next.at)
        .chain(std::iter::once(NEVER));
    stated.iter().copied().zip(ends)
}

/// Whether it states that the agent works no more: nobody comes back from that without a word, so it needs no cap. The router says so a
/// moment after the presence, and only once: else every night would end as unknown.
fn is_gone(fact: &AgentFact) -> bool {
    let statement = &fact.statement;
    statement.presence == Some(Presence::Offline) || statement.routing == Some(Routing::OffQueue)
}

/// How long each statement holds, and where its track is capped. `ended` tells what else ends a statement that began at an instant.
fn spans<'a>(
    stated: &[&'a AgentFact],
    open_cap: Millis,
    ended: impl Fn(UtcMicros) -> UtcMicros,
) -> Vec<Span<Holds<'a>>> {
    let mut spans = Vec::with_capacity(stated.len());
    for (fact, next) in with_ends(stated) {
        let last = next.min(ended(fact.at));
        let cap = match fact.until {
            Some(_) => NEVER,
            None if is_gone(fact) => NEVER,
            None => fact.at.plus(open_cap),
        };
        let to = last.min(cap).min(fact.until.unwrap_or(NEVER));
        if fact.at < to {
            spans.push(Span {
                from: fact.at,
                to,
                what: Holds::Stated(fact),
            });
        }
        let unknown_from = to.max(fact.at);
        if cap == unknown_from && cap < last {
            spans.push(Span {
                from: cap,
                to: last,
                what: Holds::Capped,
            });
        }
    }
    spans
}
