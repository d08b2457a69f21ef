//! The laws of the fold, for all inputs: order, repetition and splitting change nothing; nothing panics.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "support/awkward.rs"]
mod awkward;

use awkward::{fact, facts};
use proptest::prelude::*;
use schema::{DurationKind, Fact, FactKey, LegId, LegKind, LegOutcome, Millis, State};
use session::{Change, DurationFact, LegView, MAX_FACTS, Outcome, Session, Status, Timeline};
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
        // Of parts the record alone speaks as far as it reaches; all else is there.
        let is_part = |key: &FactKey| key.as_str().starts_with("p:");
        let others = session.facts().iter().filter(|fact| !is_part(&fact.key)).count();
        prop_assert_eq!(order.iter().filter(|(_, key)| !is_part(key)).count(), others);
        prop_assert!(order.len() <= session.len());
        if !session.is_overfull() {
            prop_assert_eq!(timeline.start(), order.first().map(|(at, _)| *at));
        }
        for kind in DurationKind::ALL {
            let stated = timeline.facts().any(|fact| fact.statement.durations.get(kind).is_some());
            prop_assert_eq!(timeline.duration(kind).is_some(), stated);
        }
        let stated_terminal = timeline.facts().any(|fact| {
            fact.statement.state.as_ref().is_some_and(schema::State::is_terminal)
        });
        prop_assert!(!stated_terminal || timeline.terminal().is_some());
        let has_ended = !matches!(timeline.status(), Status::Open | Status::Overfull);
        prop_assert_eq!(has_ended, timeline.terminal().is_some());
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
        let _ = (timeline.holds(), timeline.longest_hold(), timeline.missed_alerts(), timeline.answered_at(), timeline.offered_at());
        let _ = (timeline.conference(), timeline.callback());
    }
}

/// What became of the interaction and of each leg: what no id has a say in.
#[derive(Debug, PartialEq)]
struct Became {
    status: Status,
    outcome: Option<Outcome>,
    ended_at: Option<schema::UtcMicros>,
    answered_at: Option<schema::UtcMicros>,
    offered_at: Option<schema::UtcMicros>,
    counts: (u32, u32, u32, Option<u32>),
    queued: bool,
    connected: DurationFact,
    legs: Vec<(String, Option<LegOutcome>, bool, Option<u32>)>,
}

impl Became {
    fn of(timeline: &Timeline<'_>) -> Self {
        let legs = timeline.legs();
        let mut legs: Vec<_> = legs
            .iter()
            .map(|leg| {
                let transferred = leg.transfer.is_some();
                (leg.id.to_string(), leg.outcome, transferred, leg.holds)
            })
            .collect();
        legs.sort_by(|one, other| one.0.cmp(&other.0));
        Self {
            status: timeline.status(),
            outcome: timeline.outcome(),
            ended_at: timeline.ended_at(),
            answered_at: timeline.answered_at(),
            offered_at: timeline.offered_at(),
            counts: (
                timeline.missed_alerts(),
                timeline.transfers().total(),
                timeline.agent_count(),
                timeline.holds(),
            ),
            queued: timeline.queued(),
            connected: timeline.state_time(&State::Connected),
            legs,
        }
    }
}

/// Events that know no legs, each under an id of its own.
fn events() -> impl Strategy<Value = Vec<Fact>> {
    prop::collection::vec(fact(), 0..10).prop_map(|facts| {
        let mut events: Vec<Fact> = facts
            .into_iter()
            .filter(|fact| fact.statement.leg().is_none())
            .collect();
        for (place, event) in events.iter_mut().enumerate() {
            event.key = FactKey::event(&format!("evt_{place}"));
            event.revision = None;
        }
        events
    })
}

/// The same events under other ids.
fn renamed(events: &[Fact], order: &[usize]) -> Vec<Fact> {
    let rename = |(event, place): (&Fact, &usize)| Fact {
        key: FactKey::event(&format!("id_{place}")),
        ..event.clone()
    };
    events.iter().zip(order).map(rename).collect()
}

/// Calls as a centre has them, told whole or with gaps: agents at whom it rings in vain, agents who talk and pass it on.
fn told_call() -> impl Strategy<Value = Vec<Fact>> {
    let agent = prop::sample::select(vec!["anna", "bo", "chi"]);
    let part = (agent, any::<[bool; 5]>(), 2..90_i64);
    (prop::collection::vec(part, 1..5), any::<[bool; 3]>()).prop_map(
        |(parts, [ends, wraps, talks])| {
            let mut facts = Vec::new();
            let mut second = 0;
            let mut talk = 0;
            let mut tell = |second: i64, state: &str, agent: Option<&str>, talk: Option<i64>| {
                let agent =
                    agent.map_or(String::new(), |agent| format!(r#","ag":{{"i":"{agent}"}}"#));
                let talk = talk.map_or(String::new(), |talk| format!(r#","m":{{"talk":{talk}}}"#));
                let place = facts.len();
                let text = format!(
                    r#"{{"k":"e:{place:03}","a":{},"b":{{"st":"{state}"{agent}{talk}}}}}"#,
                    second * 1_000_000
                );
                facts.push(serde_json::from_str(&text).unwrap());
            };
            tell(0, "queued", None, None);
            let last = parts.len() - 1;
            let mut by = None;
            for (place, (agent, [rings, answers, connected, held, named], lasts)) in
                parts.iter().enumerate()
            {
                second += 5;
                if *rings || !*answers {
                    tell(second, "alerting", Some(agent), None);
                }
                second += 5;
                if !*answers {
                    continue;
                }
                if *connected {
                    tell(second, "connected", Some(agent), None);
                }
                if *held {
                    tell(second + 1, "held", Some(agent), None);
                }
                second += lasts;
                talk += lasts * 1000;
                by = Some(*agent);
                if place < last {
                    tell(
                        second,
                        "transferred",
                        (*named || !*connected).then_some(agent),
                        Some(talk),
                    );
                }
            }
            if ends {
                let state = if by.is_some() {
                    "completed"
                } else {
                    "abandoned"
                };
                tell(second + 2, state, by, talks.then_some(talk));
            }
            if let (true, Some(by)) = (wraps, by) {
                tell(second + 9, "wrapped_up", Some(by), None);
            }
            facts
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Ids are chance: of equal instants, too, what became of it does not depend on them.
    #[test]
    fn other_ids_change_nothing_that_became_of_it((events, order) in events().prop_flat_map(|events| {
        let order: Vec<usize> = (0..events.len()).collect();
        (Just(events), Just(order).prop_shuffle())
    })) {
        let (one, other) = (folded(&events), folded(&renamed(&events, &order)));
        let (one, other) = (one.timeline(), other.timeline());
        // Which of two equal instants' durations is the last word is theirs to say, and talk is evidence.
        let talk = |timeline: &Timeline<'_>| timeline.duration(DurationKind::Talk);
        let hold = |timeline: &Timeline<'_>| timeline.duration(DurationKind::Hold);
        let wait = |timeline: &Timeline<'_>| timeline.duration(DurationKind::QueueWait);
        prop_assume!(talk(&one) == talk(&other) && hold(&one) == hold(&other) && wait(&one) == wait(&other));
        prop_assert_eq!(Became::of(&one), Became::of(&other));
    }

    /// Pitfall 16: a copy of an event under another id, a few milliseconds later, and nothing in between.
    #[test]
    fn a_twin_a_moment_later_changes_nothing_that_became_of_it(call in told_call(), which in any::<prop::sample::Index>()) {
        let once = folded(&call);
        let mut twin = which.get(&call).clone();
        twin.key = FactKey::event(&format!("{}x", twin.key.as_str()));
        twin.at = twin.at.plus(Millis(3));
        let mut twice = once.clone();
        twice.insert(twin);
        let (once, twice) = (once.timeline(), twice.timeline());
        let (one, mut two) = (Became::of(&once), Became::of(&twice));
        // A state begins or ends by its last copy.
        two.connected = one.connected;
        prop_assert_eq!(&one, &two);
        let durations = |timeline: &Timeline<'_>| DurationKind::ALL.map(|kind| timeline.duration(kind));
        prop_assert_eq!(durations(&once), durations(&twice));
    }

    /// Legs and whole agree: of any facts, who answered, who missed and who passed on is counted in the whole.
    #[test]
    fn what_a_leg_says_the_whole_says_too(facts in facts()) {
        let session = folded(&facts);
        let timeline = session.timeline();
        let legs = timeline.legs();
        let agents = || legs.iter().filter(|leg| leg.kind == LegKind::Agent);
        let answered = agents().any(|leg| leg.is_answered() && !leg.consult);
        if timeline.outcome().is_some() && answered {
            prop_assert_eq!(timeline.outcome(), Some(Outcome::Answered));
        }
        let missed = agents().filter(|leg| leg.outcome == Some(LegOutcome::NotResponding)).count();
        prop_assert!(missed <= timeline.missed_alerts() as usize);
        let passed_on = agents().filter(|leg| leg.transfer.is_some()).count();
        prop_assert!(passed_on <= timeline.transfers().total() as usize);
        // Whoever answered took part.
        let took: BTreeSet<_> = timeline.agents().iter().map(|agent| agent.id.clone()).collect();
        for leg in agents().filter(|leg| leg.is_answered() && leg.derived) {
            prop_assert!(leg.agent.is_some_and(|agent| took.contains(&agent.id)));
        }
        let first = timeline.first_agent().map(|(agent, _)| agent.id.clone());
        prop_assert_eq!(first, timeline.agents().first().map(|agent| agent.id.clone()));
        prop_assert!(timeline.answered_after().is_none() || timeline.outcome() == Some(Outcome::Answered));
    }

    /// Where every answer is somebody's, it was handled exactly when some agent's leg was answered, and then the legs have all of the talk
    /// that can be told apart.
    #[test]
    fn it_was_handled_exactly_when_a_leg_was_answered(call in told_call()) {
        let session = folded(&call);
        let timeline = session.timeline();
        if timeline.status() == Status::Open {
            return Ok(());
        }
        let legs = timeline.legs();
        let answered = legs.iter().any(LegView::is_answered);
        prop_assert_eq!(timeline.outcome() == Some(Outcome::Answered), answered);
        if legs.iter().all(|leg| leg.duration(DurationKind::Talk).is_none()) {
            return Ok(());
        }
        prop_assert_eq!(sum(&legs, DurationKind::Talk).map(|talk| DurationFact::Stated(Millis(talk))), timeline.duration(DurationKind::Talk));
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
