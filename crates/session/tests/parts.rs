//! Legs that events tell of: the end that nobody states, where an open one is now, and who speaks where a record does, too.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

#[path = "support/told.rs"]
mod told;

use schema::{FactKey, LegKind, LegOutcome, SourceRank, UtcMicros};
use session::{Phase, Status, Timeline};
use told::{Told, at, leg, session, whole};

/// What an event says of a leg at a second; an end where `ends`.
fn part(id: &str, second: i64, kind: LegKind, ends: bool) -> Told {
    let what = if ends { "end" } else { "start" };
    let mut told = leg(id, second, kind, None).rank(SourceRank::Event);
    let fact = told.fact_mut();
    fact.key = FactKey::part(id, what);
    fact.revision = Some(fact.at);
    let ended_at = ends.then_some(fact.at);
    let leg = fact.statement.details.as_mut().unwrap().leg.as_mut();
    leg.unwrap().ended_at = ended_at;
    told
}

fn outcome(mut told: Told, outcome: LegOutcome) -> Told {
    let details = told.fact_mut().statement.details.as_mut().unwrap();
    details.leg.as_mut().unwrap().outcome = Some(outcome);
    told
}

/// A record of a leg that speaks of everything up to a second, where it ended.
fn record(id: &str, from: i64, kind: LegKind, until: i64) -> Told {
    let mut told = leg(id, from, kind, None);
    let fact = told.fact_mut();
    let until = UtcMicros(until * 1_000_000);
    fact.revision = Some(until);
    let leg = fact.statement.details.as_mut().unwrap().leg.as_mut();
    leg.unwrap().ended_at = Some(until);
    told
}

fn seconds(at: Option<UtcMicros>) -> Option<i64> {
    at.map(UtcMicros::seconds)
}

#[test]
fn it_has_ended_when_the_customer_is_gone_and_every_part_has_ended() {
    let line = |ends| part("line", if ends { 60 } else { 0 }, LegKind::Customer, ends);
    let agent = |ends| part("anna", if ends { 70 } else { 10 }, LegKind::Agent, ends);
    let of = |facts: Vec<Told>| {
        let session = session(facts);
        let timeline = session.timeline();
        assert_eq!(
            timeline.is_end_inferred(),
            timeline.status() != Status::Open
        );
        seconds(timeline.ended_at())
    };
    assert_eq!(of(vec![line(false), line(true), agent(false)]), None);
    assert_eq!(of(vec![line(false), agent(false), agent(true)]), None);
    assert_eq!(
        of(vec![agent(false), agent(true)]),
        None,
        "nobody knows of a customer"
    );
    assert_eq!(
        of(vec![line(false), line(true), agent(false), agent(true)]),
        Some(70)
    );
    // A wait and a passage hold it open as well; outside parties and parts of no kind do not.
    for (kind, ended) in [
        (LegKind::Queue, None),
        (LegKind::Ivr, None),
        (LegKind::External, Some(60)),
        (LegKind::Other, Some(60)),
    ] {
        assert_eq!(
            of(vec![line(false), line(true), part("x", 5, kind, false)]),
            ended
        );
    }
    // Legs of records alone have no such end: their record has it.
    let settled = session([record("line", 0, LegKind::Customer, 60)]);
    assert_eq!(settled.timeline().status(), Status::Open);
}

#[test]
fn what_is_stated_of_the_end_is_not_inferred() {
    let ended = [
        part("line", 0, LegKind::Customer, false),
        part("line", 60, LegKind::Customer, true),
    ];
    let inferred = session(ended.clone());
    assert_eq!(inferred.timeline().status(), Status::Abandoned);
    let stated = |told: Told| {
        let session = session(ended.iter().cloned().chain([told]));
        let timeline = session.timeline();
        (
            timeline.status(),
            timeline.is_end_inferred(),
            seconds(timeline.ended_at()),
        )
    };
    assert_eq!(
        stated(at(75).state("completed")),
        (Status::Completed, false, Some(75))
    );
    assert_eq!(
        stated(whole("missed", 90)),
        (Status::Missed, false, Some(90))
    );
}

#[test]
fn who_emitted_something_by_an_inferred_end_takes_it_back_when_it_goes_on() {
    let open = session([
        part("line", 60, LegKind::Customer, true),
        part("anna", 10, LegKind::Agent, false),
    ]);
    let reopened = |timeline: &Timeline<'_>| timeline.is_reopened();
    assert!(!reopened(&open.timeline()));
    assert!(!reopened(&open.timeline().having_ended(false)));
    assert!(reopened(&open.timeline().having_ended(true)));
    let ended = session([part("line", 60, LegKind::Customer, true)]);
    assert!(!reopened(&ended.timeline().having_ended(true)));
}

#[test]
fn a_record_speaks_for_what_happened_up_to_its_last_instant() {
    let started = |facts: Vec<Told>| {
        let session = session(facts);
        let timeline = session.timeline();
        let facts = timeline.facts().count();
        let leg = &timeline.legs()[0];
        (facts, seconds(Some(leg.started_at)), leg.outcome)
    };
    let missed = |second| {
        outcome(
            part("anna", second, LegKind::Agent, true),
            LegOutcome::NotResponding,
        )
    };
    let of_anna = || record("anna", 5, LegKind::Agent, 50);
    assert_eq!(started(vec![missed(50), of_anna()]), (1, Some(5), None));
    assert_eq!(
        started(vec![missed(51), of_anna()]).0,
        1,
        "the same instant by another clock"
    );
    assert_eq!(
        started(vec![missed(52), of_anna()]),
        (2, Some(5), Some(LegOutcome::NotResponding)),
        "told since"
    );
    // The record of the whole names every leg.
    assert_eq!(
        started(vec![missed(52), of_anna(), whole("completed", 60)]).0,
        2
    );
    let ghost = part("ghost", 20, LegKind::Agent, true);
    let session = session([ghost, of_anna(), whole("completed", 60)]);
    assert_eq!(session.len(), 3, "it stays in the session");
    let timeline = session.timeline();
    assert_eq!(timeline.legs().len(), 1);
    assert_eq!(timeline.withdrawn_legs(), ["ghost".into()]);
}

#[test]
fn a_flow_that_served_did_so_however_it_was_left_then() {
    let left = outcome(part("flow", 50, LegKind::Ivr, true), LegOutcome::Abandoned);
    let mut served = outcome(part("flow", 40, LegKind::Ivr, false), LegOutcome::Answered);
    served.fact_mut().key = FactKey::part("flow", "outcome");
    for facts in [[left.clone(), served.clone()], [served, left]] {
        let session = session(facts);
        assert_eq!(
            session.timeline().legs()[0].outcome,
            Some(LegOutcome::Answered)
        );
    }
}

#[test]
fn where_it_is_now_follows_from_the_parts_that_are_open() {
    let of = |facts: Vec<Told>| {
        let session = session(facts);
        let now = session.timeline().now().unwrap();
        let agent = now.agent.map(|agent| agent.as_str().to_owned());
        (now.phase, now.since.seconds(), agent)
    };
    let line = || part("line", 0, LegKind::Customer, false);
    let wait = |ends| part("wait", if ends { 20 } else { 5 }, LegKind::Queue, ends);
    let anna = || part("leg", 12, LegKind::Agent, false).agent("anna");
    let some = || Some("anna".to_owned());
    assert_eq!(of(vec![line()]), (Phase::Other, 0, None));
    assert_eq!(of(vec![line(), wait(false)]), (Phase::Waiting, 5, None));
    assert_eq!(
        of(vec![line(), wait(false), anna()]),
        (Phase::Alerting, 5, some())
    );
    let mut answered = outcome(wait(true), LegOutcome::Answered);
    let leg = answered
        .fact_mut()
        .statement
        .details
        .as_mut()
        .unwrap()
        .leg
        .as_mut()
        .unwrap();
    leg.answered_at = leg.ended_at;
    assert_eq!(
        of(vec![line(), wait(false), anna(), answered]),
        (Phase::InProgress, 20, some())
    );
}
