//! The laws of the fold, for all inputs: order, repetition and splitting change nothing; nothing panics.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "support/awkward.rs"]
mod awkward;

use awkward::{fact, facts};
use proptest::prelude::*;
use schema::{DurationKind, Fact};
use session::{Change, MAX_FACTS, Session};

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

/// Facts and a second order of arrival for them.
fn shuffled() -> impl Strategy<Value = (Vec<Fact>, Vec<Fact>)> {
    facts().prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

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
        for n in 0..=MAX_FACTS {
            let mut filler = Session::from_json(r#"{"v":1,"f":[{"k":"e:","a":5}]}"#).unwrap().facts()[0].clone();
            filler.key = schema::FactKey::event(&n.to_string());
            top.insert(filler);
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
}
