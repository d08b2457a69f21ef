//! The laws of the fold, for all inputs: order, repetition and splitting change nothing, intervals tile the range, and where a range is cut
//! changes no state.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use agent::{Busy, BusyKind, Interval, Rules, State, intervals, standing};
use proptest::prelude::*;
use schema::{
    AgentFact, AgentStatement, FactKey, Millis, Presence, Routing, SourceRank, Track, UtcMicros,
};

/// Few instants, so that they meet.
fn instant() -> impl Strategy<Value = UtcMicros> {
    prop_oneof![
        8 => (0..60_i64).prop_map(|second| UtcMicros(second * 1_000_000)),
        2 => (0..60_000_000_i64).prop_map(UtcMicros),
        1 => any::<i64>().prop_map(UtcMicros),
    ]
}

fn statement() -> impl Strategy<Value = AgentStatement> {
    let presence = prop_oneof![
        Just(Presence::OnQueue),
        Just(Presence::Break),
        Just(Presence::Offline),
        Just(Presence::Other("odd".into())),
    ];
    let routing = prop_oneof![
        Just(Routing::Idle),
        Just(Routing::OffQueue),
        Just(Routing::Interacting),
    ];
    let text = || prop_oneof![Just(""), Just("a"), Just("b")].prop_map(Into::into);
    (
        proptest::option::of(presence),
        proptest::option::of(routing),
        proptest::option::of(text()),
        proptest::option::of(text()),
        proptest::option::of(text()),
    )
        .prop_map(
            |(presence, routing, scheduled, reason, team)| AgentStatement {
                presence,
                routing,
                scheduled,
                reason,
                team,
            },
        )
}

fn fact() -> impl Strategy<Value = AgentFact> {
    (
        instant(),
        proptest::option::of(instant()),
        proptest::option::of(instant()),
        prop_oneof![Just(SourceRank::Event), Just(SourceRank::SettledRecord)],
        statement(),
        prop_oneof![
            Just(None),
            (0..4_u8).prop_map(|number| Some(FactKey::event(&number.to_string())))
        ],
    )
        .prop_map(|(at, until, revision, rank, statement, key)| AgentFact {
            key: key.unwrap_or_else(|| FactKey::agent_state(Track::Presence, at)),
            at,
            until,
            revision,
            rank,
            statement,
        })
}

fn busy() -> impl Strategy<Value = Busy> {
    (
        instant(),
        proptest::option::of(instant()),
        prop_oneof![Just(BusyKind::Interacting), Just(BusyKind::Wrapping)],
    )
        .prop_map(|(from, to, kind)| Busy { from, to, kind })
}

fn rules() -> impl Strategy<Value = Rules> {
    (0..30_000_i64).prop_map(|millis| Rules {
        open_cap: Millis(millis),
    })
}

type Told = (Vec<AgentFact>, Vec<Busy>, Rules);

fn told() -> impl Strategy<Value = Told> {
    (
        proptest::collection::vec(fact(), 0..25),
        proptest::collection::vec(busy(), 0..8),
        rules(),
    )
}

/// The same told in another order, some of it twice.
fn told_anew() -> impl Strategy<Value = (Told, Vec<AgentFact>, Vec<Busy>)> {
    told().prop_flat_map(|told| {
        let mut facts = told.0.clone();
        facts.extend(told.0.iter().step_by(2).cloned());
        let mut busy = told.1.clone();
        busy.extend(told.1.iter().step_by(3).copied());
        (
            Just(told),
            Just(facts).prop_shuffle(),
            Just(busy).prop_shuffle(),
        )
    })
}

fn range() -> impl Strategy<Value = (UtcMicros, UtcMicros, UtcMicros)> {
    (instant(), instant(), instant())
}

/// One state after another, without regard to where it is cut.
fn merged(parts: impl IntoIterator<Item = Interval>) -> Vec<(UtcMicros, UtcMicros, State)> {
    let mut merged: Vec<(UtcMicros, UtcMicros, State)> = Vec::new();
    for part in parts {
        match merged.last_mut() {
            Some(last) if last.1 == part.from && last.2 == part.state => last.1 = part.to,
            _ => merged.push((part.from, part.to, part.state)),
        }
    }
    merged
}

/// What the store gives for a stretch: see the documentation of [`intervals`].
fn needed(facts: &[AgentFact], from: UtcMicros, to: UtcMicros, rules: Rules) -> Vec<AgentFact> {
    let since = from.plus(Millis(-rules.open_cap.0));
    let last = |says: fn(&AgentStatement) -> bool| {
        let before = facts
            .iter()
            .filter(move |fact| says(&fact.statement) && fact.at < since);
        before.map(|fact| fact.at).max()
    };
    let routing = last(|it| it.routing.is_some());
    let states_its_end = facts.iter().any(|fact| {
        Some(fact.at) == routing
            && fact.statement.routing.is_some()
            && fact.until.is_some_and(|until| until > since)
    });
    let presence = last(|it| it.presence.is_some());
    let presence = if states_its_end {
        presence.min(routing).or(presence)
    } else {
        presence
    };
    let scheduled = last(|it| it.scheduled.is_some());
    let team = last(|it| it.team.is_some());
    facts
        .iter()
        .filter(|fact| {
            let it = &fact.statement;
            let held = |says: bool, first: Option<UtcMicros>| {
                says && fact.at >= first.unwrap_or(since) && fact.at < to
            };
            held(it.presence.is_some(), presence)
                || held(it.routing.is_some(), routing)
                || held(it.scheduled.is_some(), scheduled)
                || held(it.team.is_some(), team)
        })
        .cloned()
        .collect()
}

/// One fact under each key, as the store has it.
fn stored(facts: &[AgentFact]) -> Vec<AgentFact> {
    let mut stored: Vec<AgentFact> = Vec::new();
    for fact in facts {
        match stored.iter_mut().find(|known| known.key == fact.key) {
            Some(known) if fact.supersedes(known) => *known = fact.clone(),
            Some(_) => {}
            None => stored.push(fact.clone()),
        }
    }
    stored
}

proptest! {
    #[test]
    fn order_and_repetition_change_nothing(
        ((facts, busy, rules), anew, busy_anew) in told_anew(),
        (from, to, as_of) in range(),
    ) {
        prop_assert_eq!(
            intervals(&facts, &busy, from, to, as_of, &rules),
            intervals(&anew, &busy_anew, from, to, as_of, &rules)
        );
        prop_assert_eq!(
            standing(&facts, &busy, as_of, &rules),
            standing(&anew, &busy_anew, as_of, &rules)
        );
    }

    #[test]
    fn facts_that_lost_may_as_well_be_left_out((facts, busy, rules) in told(), (from, to, as_of) in range()) {
        prop_assert_eq!(
            intervals(&facts, &busy, from, to, as_of, &rules),
            intervals(&stored(&facts), &busy, from, to, as_of, &rules)
        );
    }

    #[test]
    fn intervals_tile_the_range((facts, busy, rules) in told(), (from, to, as_of) in range()) {
        let told = intervals(&facts, &busy, from, to, as_of, &rules);
        let end = to.min(as_of);
        if end <= from {
            prop_assert!(told.is_empty());
            return Ok(());
        }
        prop_assert_eq!(told.first().unwrap().from, from);
        prop_assert_eq!(told.last().unwrap().to, end);
        for pair in told.windows(2) {
            prop_assert_eq!(pair[0].to, pair[1].from);
            prop_assert_ne!(&pair[0].state, &pair[1].state);
            prop_assert!(!pair[0].open);
        }
        prop_assert!(told.iter().all(|interval| interval.from < interval.to));
    }

    #[test]
    fn where_a_range_is_cut_changes_no_state(
        (facts, busy, rules) in told(),
        (from, cut, to) in range(),
        as_of in instant(),
    ) {
        let mut edges = [from, cut, to];
        edges.sort_unstable();
        let [from, cut, to] = edges;
        let part = |from, to| intervals(&facts, &busy, from, to, as_of, &rules);
        let parts = part(from, cut).into_iter().chain(part(cut, to));
        prop_assert_eq!(merged(parts), merged(part(from, to)));
    }

    #[test]
    fn what_the_store_gives_for_a_stretch_is_enough(
        (facts, busy, rules) in told(),
        (from, to, as_of) in range(),
    ) {
        let facts = stored(&facts);
        let given = needed(&facts, from, to, rules);
        prop_assert_eq!(
            merged(intervals(&given, &busy, from, to, as_of, &rules)),
            merged(intervals(&facts, &busy, from, to, as_of, &rules))
        );
    }

    #[test]
    fn how_an_agent_stands_is_what_the_intervals_say((facts, busy, rules) in told(), at in instant()) {
        let now = standing(&facts, &busy, at, &rules);
        let Some(next) = at.0.checked_add(1).map(UtcMicros) else { return Ok(()) };
        let told = intervals(&facts, &busy, at, next, next, &rules);
        prop_assert_eq!(&told.first().unwrap().state, &now.state);
        if let Some(changes_at) = now.changes_at {
            prop_assert!(changes_at > at);
        }
    }
}
