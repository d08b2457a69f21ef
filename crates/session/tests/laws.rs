//! The laws of the fold, for all inputs: order, repetition and splitting change nothing; nothing panics.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "support/awkward.rs"]
mod awkward;

use awkward::{fact, facts};
use proptest::prelude::*;
use schema::{DurationKind, Fact, LegId, LegKind, Millis, State};
use session::{Change, DurationFact, LegView, MAX_FACTS, Outcome, Session, Status};
use std::collections::BTreeSet;

fn folded<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Session {
    let mut session = Session::default();
    for fact in facts {
        session.insert(fact.clone());
    }
    session
}

fn joined(left: &Session, right: &Session) -> Session {
    let mut left = left.clone();
    left.join(right.clone());
    left
}

/// The names of the agents' legs of every fact, losing copies included, found without any code of the fold.
fn named(facts: &[Fact]) -> BTreeSet<LegId> {
    facts
        .iter()
        .filter_map(|fact| {
            if let Some(leg) = fact.statement.leg() {
                return (leg.kind == LegKind::Agent).then(|| leg.id.clone());
            }
            let agent = fact.statement.agent.as_ref()?;
            Some(LegId::new(format!("agent:{}", agent.id)))
        })
        .collect()
}

fn agents_legs(legs: &[LegView<'_>]) -> BTreeSet<LegId> {
    legs.iter()
        .filter(|leg| leg.kind == LegKind::Agent)
        .map(|leg| LegId::new(&leg.id))
        .collect()
}

/// The sum of what the legs state of a kind; `None` where none does or one is implausible.
fn sum(legs: &[LegView<'_>], kind: DurationKind) -> Option<i64> {
    let mut sum = None;
    for duration in legs.iter().filter_map(|leg| leg.duration(kind)) {
        sum = Some(sum.unwrap_or(0) + duration.plausible()?.0);
    }
    sum
}

/// Facts and a second order of arrival for them.
fn shuffled() -> impl Strategy<Value = (Vec<Fact>, Vec<Fact>)> {
    facts().prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle()))
}

proptest! {
    /// L1.
    #[test]
    fn any_order_gives_the_same_session_byte_for_byte((one, other) in shuffled()) {
        let (one, other) = (folded(&one), folded(&other));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.to_json(), other.to_json());
    }

    /// L2.
    #[test]
    fn repeating_any_facts_changes_nothing((once, again) in shuffled(), count in any::<prop::sample::Index>()) {
        let before = folded(&once);
        let mut session = before.clone();
        for fact in again.iter().take(count.index(again.len() + 1)) {
            prop_assert!(!session.insert(fact.clone()).is_news());
        }
        prop_assert_eq!(session, before);
    }

    /// L3.
    #[test]
    fn folding_two_parts_and_joining_is_folding_all((all, order) in shuffled(), cut in any::<prop::sample::Index>(), overlap in 0..3_usize) {
        let cut = cut.index(order.len() + 1);
        let (left, right) = (&order[..cut], &order[cut.saturating_sub(overlap)..]);
        let (left, right) = (folded(left), folded(right));
        prop_assert_eq!(joined(&left, &right), folded(&all));
        prop_assert_eq!(joined(&right, &left), folded(&all));
    }

    /// L4.
    #[test]
    fn join_is_associative_commutative_idempotent_and_has_a_unit(a in facts(), b in facts(), c in facts()) {
        let (a, b, c) = (folded(&a), folded(&b), folded(&c));
        prop_assert_eq!(joined(&a, &joined(&b, &c)), joined(&joined(&a, &b), &c));
        prop_assert_eq!(joined(&a, &b), joined(&b, &a));
        prop_assert_eq!(joined(&a, &a), a.clone());
        prop_assert_eq!(joined(&a, &Session::default()), a.clone());
        prop_assert_eq!(joined(&Session::default(), &a), a.clone());
        prop_assert_eq!(joined(&a, &b).is_overfull() && !a.is_overfull() && !b.is_overfull(), {
            let mut keys: Vec<_> = a.facts().iter().chain(b.facts()).map(|fact| fact.key.clone()).collect();
            keys.sort();
            keys.dedup();
            !a.is_overfull() && !b.is_overfull() && keys.len() > MAX_FACTS
        });
    }

    /// L4: the top absorbs.
    #[test]
    fn an_overfull_session_stays_so(a in facts()) {
        let mut top = Session::default();
        let filler: Fact = serde_json::from_str(r#"{"k":"e:","a":5}"#).unwrap();
        for n in 0..=MAX_FACTS {
            top.insert(Fact { key: schema::FactKey::event(&n.to_string()), ..filler.clone() });
        }
        let a = folded(&a);
        for session in [joined(&top, &a), joined(&a, &top)] {
            prop_assert!(session.is_overfull());
            prop_assert!(session.facts().is_empty());
        }
        prop_assert_eq!(joined(&top, &a), joined(&a, &top));
    }

    /// What the caller is told is what happened.
    #[test]
    fn changes_are_reported_truthfully(base in facts(), more in facts(), one in fact(), known in any::<prop::sample::Index>()) {
        let before = folded(&base);
        let mut after = before.clone();
        let change = after.insert(one.clone());
        match change {
            Change::New => prop_assert_eq!(after.len(), before.len() + 1),
            Change::Revised => {
                prop_assert_eq!(after.len(), before.len());
                prop_assert!(after.facts() != before.facts());
            }
            Change::Duplicate => prop_assert_eq!(&after, &before),
            Change::Stale => prop_assert_eq!(after.facts(), before.facts()),
            Change::Overfull => prop_assert!(after.is_overfull()),
        }
        let held = after.facts().iter().find(|held| held.key == one.key);
        prop_assert_eq!(held == Some(&one), !matches!(change, Change::Stale | Change::Overfull));

        for other in [&more[..], &base[known.index(base.len() + 1)..], &[]] {
            let mut after = before.clone();
            let changed = after.join(folded(other));
            prop_assert_eq!(changed, after != before);
        }
    }

    #[test]
    fn a_stored_session_comes_back_and_is_stored_in_the_same_bytes(facts in facts()) {
        let session = folded(&facts);
        let text = session.to_json();
        let read = Session::from_json(&text).unwrap();
        prop_assert_eq!(&read, &session);
        prop_assert_eq!(read.to_json(), text.clone());
        // The store may give the members back in an order of its own.
        let reordered: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Session::from_json(&reordered.to_string()).unwrap(), session);
    }

    /// L5.
    #[test]
    fn every_question_has_an_answer_whatever_was_stated(facts in facts()) {
        let session = folded(&facts);
        let timeline = session.timeline();
        let order: Vec<_> = timeline.facts().map(|fact| (fact.at, &fact.key)).collect();
        prop_assert!(order.is_sorted());
        prop_assert_eq!(order.len(), session.len());
        if !session.is_overfull() {
            prop_assert_eq!(timeline.start(), order.first().map(|(at, _)| *at));
        }
        for kind in DurationKind::ALL {
            let stated = session.facts().iter().any(|fact| fact.statement.durations.get(kind).is_some());
            prop_assert_eq!(timeline.duration(kind).is_some(), stated);
        }
        let stated_terminal = session.facts().iter().any(|fact| {
            fact.statement.state.as_ref().is_some_and(schema::State::is_terminal)
        });
        prop_assert!(!stated_terminal || timeline.terminal().is_some());
        prop_assert_eq!(timeline.outcome_name().is_some(), timeline.terminal().is_some());
        let _ = (timeline.first_agent(), timeline.disposition(), timeline.queue(), timeline.media());
        let _ = (timeline.direction(), timeline.customer_key(), timeline.ended_at());
    }
    /// L1 to L4 for what is withdrawn: it is what was ever an agent's leg and is none now, whatever came when.
    #[test]
    fn withdrawn_is_every_agents_leg_that_was_ever_stated_and_is_none_now((one, other) in shuffled(), cut in any::<prop::sample::Index>()) {
        let session = folded(&one);
        let cut = cut.index(other.len() + 1);
        let halves = joined(&folded(&other[..cut]), &folded(&other[cut..]));
        let stored = Session::from_json(&session.to_json()).unwrap();
        for session in [&session, &folded(&other), &halves, &stored] {
            let timeline = session.timeline();
            let now = agents_legs(&timeline.legs());
            let ever = named(&one);
            let expected: Vec<LegId> = ever.difference(&now).cloned().collect();
            prop_assert_eq!(timeline.withdrawn_legs(), expected);
            prop_assert!(now.is_subset(&ever));
        }
    }

    /// L5: the legs and what is told of the whole, for every input.
    #[test]
    fn legs_are_in_order_and_add_up_to_the_whole(facts in facts()) {
        let session = folded(&facts);
        let timeline = session.timeline();
        let legs = timeline.legs();
        prop_assert!(legs.is_sorted_by_key(|leg| (leg.started_at, leg.id.clone())));
        let names: BTreeSet<_> = legs.iter().map(|leg| leg.id.clone()).collect();
        prop_assert_eq!(names.len(), legs.len());
        let stated = session.facts().iter().any(|fact| fact.statement.leg().is_some());
        prop_assert!(legs.iter().all(|leg| leg.derived != stated));
        prop_assert!(!session.is_overfull() || legs.is_empty());
        let totals = timeline.durations();
        for kind in DurationKind::ALL {
            prop_assert_eq!(totals.get(kind), timeline.duration(kind));
            // What can be told of the legs is the whole, and never more or less.
            if let Some(sum) = sum(&legs, kind) {
                prop_assert_eq!(Some(DurationFact::Stated(Millis(sum))), totals.get(kind), "{:?}", kind);
            }
        }
    }

    #[test]
    fn the_outcome_fits_the_end_and_the_counts_fit_the_lists(facts in facts()) {
        let session = folded(&facts);
        let timeline = session.timeline();
        let over = !matches!(timeline.status(), Status::Open | Status::Overfull);
        let outcome = timeline.outcome();
        prop_assert_eq!(outcome.is_some(), over);
        // An end is reported by somebody who left, and only then.
        prop_assert!(timeline.abandoned_after().is_none() || outcome.is_some_and(Outcome::is_abandoned));
        prop_assert_eq!(timeline.agents().len(), timeline.agent_count() as usize);
        prop_assert_eq!(timeline.queues().len(), timeline.queue_count() as usize);
        prop_assert_eq!(timeline.last_agent().is_some(), timeline.agent_count() > 0);
        let transfers = timeline.transfers();
        prop_assert_eq!(transfers.total(), transfers.blind + transfers.consult + transfers.unspecified);
        let states = ["offered", "queued", "alerting", "connected", "held", "transferred", "wrapped_up", "completed", "parked"];
        for state in states.map(State::from_name) {
            if let DurationFact::Stated(spent) = timeline.state_time(&state) {
                prop_assert!(spent.0 >= 0);
            }
        }
        let dispositions: BTreeSet<_> = timeline.dispositions().into_iter().collect();
        prop_assert_eq!(dispositions.len(), timeline.dispositions().len());
        let _ = (timeline.holds(), timeline.longest_hold(), timeline.missed_alerts(), timeline.answered_at());
        let _ = (timeline.conference(), timeline.callback());
    }
}

proptest! {
    // Each case folds thousands of copies, and only those around the bound differ.
    #![proptest_config(ProptestConfig { cases: (ProptestConfig::default().cases / 20).max(1), ..ProptestConfig::default() })]

    /// A session of one key that names another agent's leg in each of its copies knows of all of them, up to its bound.
    #[test]
    fn the_bound_on_withdrawn_legs_is_one_of_the_laws(count in MAX_FACTS - 2..MAX_FACTS + 3, order in any::<bool>(), cut in any::<prop::sample::Index>()) {
        let mut copies: Vec<Fact> = (0..count)
            .map(|n| serde_json::from_str(&format!(r#"{{"k":"l:x","a":0,"r":{n},"b":{{"x":{{"l":{{"i":"leg_{n:05}","k":"agent"}}}}}}}}"#)).unwrap())
            .collect();
        let straight = folded(&copies);
        if order {
            copies.reverse();
        }
        let cut = cut.index(count);
        let halves = joined(&folded(&copies[..cut]), &folded(&copies[cut..]));
        prop_assert_eq!(&halves, &straight);
        prop_assert_eq!(&folded(&copies), &straight);
        prop_assert_eq!(&Session::from_json(&straight.to_json()).unwrap(), &straight);
        prop_assert_eq!(straight.is_overfull(), count > MAX_FACTS);
        let gone = straight.timeline().withdrawn_legs();
        prop_assert_eq!(gone.len(), if count > MAX_FACTS { MAX_FACTS } else { count - 1 });
    }
}
