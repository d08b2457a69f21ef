//! A conversation told by events, by its settled record, and by both: in any order the same, and wherever the record speaks, its word.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

#[path = "support/conversation.rs"]
mod conversation;

use adapter::{Mappings, Outcome, Split, Stated, map, split};
use conversation::{Call, at, transferred};
use proptest::prelude::*;
use schema::{
    BodyFormat, DurationKind, Fact, LegKind, LegOutcome, Millis, State, Transfer, UtcMicros,
};
use serde_json::Value;
use session::{DurationFact, LegView, Outcome as Became, Session, Status, Timeline};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The facts of a body, whatever it is about.
fn facts(format: &BodyFormat, body: &[u8]) -> Vec<Fact> {
    let Split::Items(items) = split(format, body) else {
        panic!("not split")
    };
    items
        .iter()
        .flat_map(|item| match map(format, &item.raw, &Mappings::none()) {
            Ok(Outcome::Mapped(mapped)) => match mapped.stated {
                Stated::Interaction { facts, .. } => facts,
                Stated::Agent { .. } => panic!("about an agent"),
            },
            other => panic!("{other:?}"),
        })
        .collect()
}

fn told(events: &[Value]) -> Vec<Fact> {
    let body = Value::Array(events.to_vec()).to_string();
    facts(&BodyFormat::GenesysWebhook, body.as_bytes())
}

fn recorded(record: &Value) -> Vec<Fact> {
    facts(&BodyFormat::GenesysDetails, record.to_string().as_bytes())
}

fn folded<'f>(facts: impl IntoIterator<Item = &'f Fact>) -> Session {
    let mut session = Session::default();
    for fact in facts {
        session.insert(fact.clone());
    }
    session
}

/// Everything that metrics ask of a timeline.
#[derive(Debug, PartialEq)]
struct Asked<'a> {
    status: Status,
    terminal: Option<State>,
    outcome: Option<Became>,
    instants: [Option<UtcMicros>; 7],
    legs: Vec<LegView<'a>>,
    durations: [Option<DurationFact>; 8],
    transfers: session::Transfers,
    holds: (Option<u32>, Option<DurationFact>),
    waits: (Option<DurationFact>, Option<DurationFact>),
    who: (Vec<String>, Vec<String>, Option<String>),
    what: (Option<&'a str>, Vec<&'a str>, Option<&'a str>, String),
    flags: [bool; 3],
    missed_alerts: u32,
}

impl<'a> Asked<'a> {
    fn of(timeline: &'a Timeline<'a>) -> Self {
        Self {
            status: timeline.status(),
            terminal: timeline.terminal(),
            outcome: timeline.outcome(),
            instants: [
                timeline.start(),
                timeline.ended_at(),
                timeline.offered_at(),
                timeline.answered_at(),
                timeline.customer_left_at(),
                timeline.over_at(),
                timeline.contact_ended_at(),
            ],
            legs: timeline.legs(),
            durations: DurationKind::ALL.map(|kind| timeline.duration(kind)),
            transfers: timeline.transfers(),
            holds: (timeline.holds(), timeline.longest_hold()),
            waits: (timeline.answered_after(), timeline.abandoned_after()),
            who: (
                timeline
                    .agents()
                    .iter()
                    .map(|agent| agent.id.to_string())
                    .collect(),
                timeline.queues().iter().map(ToString::to_string).collect(),
                timeline.last_agent().map(|agent| agent.id.to_string()),
            ),
            what: (
                timeline.disposition(),
                timeline.dispositions(),
                timeline.media(),
                format!("{:?}", timeline.direction()),
            ),
            flags: [
                timeline.queued(),
                timeline.conference(),
                timeline.callback(),
            ],
            missed_alerts: timeline.missed_alerts(),
        }
    }
}

fn stated(leg: &LegView<'_>, kind: DurationKind) -> Option<i64> {
    leg.duration(kind)?.plausible().map(|millis| millis.0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Pitfalls 16, 17: any order, any duplicates, any split, with the record anywhere among the events or without it.
    #[test]
    fn pitfall_17_order_and_repetition_change_nothing(
        order in Just((0..64_usize).collect::<Vec<_>>()).prop_shuffle(),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        cut in any::<prop::sample::Index>(),
        with_record in any::<bool>(),
    ) {
        let call = transferred();
        let mut all = told(&call.events);
        if with_record {
            all.extend(recorded(&call.record));
        }
        let straight = folded(&all);
        let mut shuffled: Vec<&Fact> = order.iter().filter_map(|place| all.get(*place)).collect();
        prop_assert_eq!(shuffled.len(), all.len());
        let copies: Vec<&Fact> = again.iter().map(|index| index.get(&all)).collect();
        shuffled.extend(copies);
        let cut = cut.index(shuffled.len());
        let mut halves = folded(shuffled[..cut].iter().copied());
        halves.join(folded(shuffled[cut..].iter().copied()));
        prop_assert_eq!(&halves, &straight);
        prop_assert_eq!(halves.to_json(), straight.to_json());
        prop_assert_eq!(&Session::from_json(&halves.to_json()).unwrap(), &straight);
        let (one, other) = (halves.timeline(), straight.timeline());
        prop_assert_eq!(Asked::of(&one), Asked::of(&other));
    }

    /// Whatever of the events came before or after the record, its word holds in everything.
    #[test]
    fn wherever_the_record_speaks_it_speaks_alone(which in prop::collection::vec(any::<bool>(), 32)) {
        let call = transferred();
        let record = recorded(&call.record);
        let alone = folded(&record);
        let some: Vec<Fact> = told(&call.events)
            .into_iter()
            .zip(which)
            .filter_map(|(fact, taken)| taken.then_some(fact))
            .collect();
        let both = folded(some.iter().chain(&record));
        let (alone, both) = (alone.timeline(), both.timeline());
        prop_assert_eq!(Asked::of(&both), Asked::of(&alone));
        prop_assert!(!both.is_end_inferred());
        prop_assert!(both.withdrawn_legs().is_empty());
    }
}

/// Every order of these.
fn permute<T>(rest: &mut [T], from: usize, seen: &mut impl FnMut(&[T])) {
    if from == rest.len() {
        return seen(rest);
    }
    for place in from..rest.len() {
        rest.swap(from, place);
        permute(rest, from + 1, seen);
        rest.swap(from, place);
    }
}

/// Every permutation of the seven last events of a transferred call, the ends of both agents among them.
#[test]
fn pitfall_23_every_order_of_the_last_events_ends_in_one_session() {
    let mut all = told(&transferred().events);
    let wanted = folded(&all);
    let asked = wanted.timeline();
    let asked = Asked::of(&asked);
    let mut last = all.split_off(all.len() - 7);
    let before = folded(&all);
    let mut count = 0;
    permute(&mut last, 0, &mut |order| {
        count += 1;
        let mut session = before.clone();
        for fact in order {
            session.insert(fact.clone());
        }
        assert_eq!(session, wanted);
        if count % 97 == 0 {
            assert_eq!(Asked::of(&session.timeline()), asked);
        }
    });
    assert_eq!(count, 5040);
}

/// What the events of the call give by themselves, leg by leg beside the record's, and what only the record has.
#[test]
fn pitfall_23_events_alone_give_the_figures_of_the_record_leg_by_leg() {
    let call = transferred();
    let (told, recorded) = (folded(&told(&call.events)), folded(&recorded(&call.record)));
    let (told, recorded) = (told.timeline(), recorded.timeline());
    assert_eq!(told.status(), Status::Completed);
    assert!(told.is_end_inferred());
    assert_eq!(told.outcome(), recorded.outcome());
    assert_eq!(
        (told.start(), told.over_at()),
        (recorded.start(), recorded.over_at())
    );
    assert_eq!(told.answered_after(), recorded.answered_after());
    assert_eq!(told.customer_left_at(), recorded.customer_left_at());
    assert_eq!(told.disposition(), recorded.disposition());
    assert_eq!(
        told.disposition(),
        Some("b"),
        "though anna's code came last"
    );
    let (ours, theirs) = (told.legs(), recorded.legs());
    assert_eq!(ours.len(), theirs.len());
    for (our, their) in ours.iter().zip(&theirs) {
        let mut our = our.clone();
        let id = their.id.clone();
        for kind in DurationKind::ALL {
            // The platform's own handle time is in no event.
            let wanted = stated(their, kind).filter(|_| kind != DurationKind::Handle);
            assert_eq!(stated(&our, kind), wanted, "{id} {kind:?}");
        }
        if their.kind == LegKind::Agent {
            // How somebody was transferred is only in the metrics, and what was a conference only in the segments.
            assert_eq!(
                (our.transfer.is_some(), our.is_answered()),
                (their.transfer.is_some(), their.is_answered())
            );
            our.transfer = their.transfer;
            our.conference = their.conference;
            our.consulted = their.consulted;
            // How many holds there were is in no event, but where there were none.
            assert_eq!(our.holds.is_some(), their.holds == Some(0));
            (our.holds, our.longest_hold) = (their.holds, their.longest_hold);
        }
        if their.kind == LegKind::Customer {
            // A record names on the customer's line the queue that it went to.
            our.queue = their.queue;
            // Nobody ended the line that was left open, up to now.
            if our.direction != told.direction() {
                assert_eq!(our.ended_at, None);
                our.ended_at = their.ended_at;
            }
        }
        let same = (
            our.agent,
            our.queue,
            our.media,
            our.direction,
            our.started_at,
            our.answered_at,
            our.ended_at,
            our.outcome,
        );
        let wanted = (
            their.agent,
            their.queue,
            their.media,
            their.direction,
            their.started_at,
            their.answered_at,
            their.ended_at,
            their.outcome,
        );
        assert_eq!(same, wanted, "{id}");
        assert_eq!(
            (our.disposition, our.holds, our.transfer),
            (their.disposition, their.holds, their.transfer),
            "{id}"
        );
    }
}

#[test]
fn pitfall_19_a_line_left_open_does_not_hold_the_conversation_open_and_its_record_neither() {
    let call = transferred();
    let mut open = call.record.clone();
    open.as_object_mut().unwrap().remove("conversationEnd");
    for participant in open["participants"].as_array_mut().unwrap() {
        for session in participant["sessions"].as_array_mut().unwrap() {
            if session["sessionId"] == "outside" {
                session["segments"][0]
                    .as_object_mut()
                    .unwrap()
                    .remove("segmentEnd");
            }
        }
    }
    let record = recorded(&open);
    let alone = folded(&record);
    assert_eq!(
        alone.timeline().status(),
        Status::Open,
        "a record that knows no end"
    );
    let both = folded(told(&call.events).iter().chain(&record));
    let both = both.timeline();
    assert_eq!(both.status(), Status::Completed);
    assert!(both.is_end_inferred());
    assert_eq!(
        both.ended_at(),
        Some(at(645_010)),
        "with the last after-call work"
    );
    assert_eq!(both.legs(), alone.timeline().legs());
}

#[test]
fn a_record_made_too_early_does_not_hide_what_was_told_since() {
    let call = transferred();
    // As it was when both agents had hung up and nobody had done the work after it.
    let mut early = call.record.clone();
    early.as_object_mut().unwrap().remove("conversationEnd");
    for participant in early["participants"].as_array_mut().unwrap() {
        for session in participant["sessions"].as_array_mut().unwrap() {
            for (list, name, what) in [
                ("segments", "segmentType", "wrapup"),
                ("metrics", "name", "tAcw"),
                ("metrics", "name", "tHandle"),
            ] {
                let entries = session[list].as_array_mut().unwrap();
                entries.retain(|entry| entry[name] != what);
            }
        }
    }
    let both = folded(told(&call.events).iter().chain(&recorded(&early)));
    let both = both.timeline();
    let wrap: Vec<_> = both
        .legs()
        .iter()
        .filter_map(|leg| stated(leg, DurationKind::Wrap))
        .collect();
    assert_eq!(wrap, [30_000, 45_000]);
    assert_eq!(both.disposition(), Some("b"));
}

/// The conversation goes on while any part of it does; each event in the order of time.
#[test]
fn pitfall_17_a_conversation_ends_when_all_its_parts_have_and_no_sooner() {
    let call = transferred();
    let mut session = Session::default();
    let mut ended_after = Vec::new();
    for (event, fact) in call.events.iter().zip(told(&call.events)) {
        session.insert(fact);
        if session.timeline().status() != Status::Open {
            ended_after.push(event["topicName"].as_str().unwrap().to_owned());
        }
    }
    let names: Vec<&str> = ended_after
        .iter()
        .map(|topic| topic.split_once(".c-1.").unwrap().1)
        .collect();
    // Anna's code is the last event, though the work was done before.
    assert_eq!(names, ["user.end", "acw", "wrapup"]);
    // The start of another part, told late, opens it again, and its end closes it.
    let [start, end] = call.late_part();
    session.insert(told(&[start])[0].clone());
    assert_eq!(session.timeline().status(), Status::Open);
    session.insert(told(&[end])[0].clone());
    let timeline = session.timeline();
    assert_eq!(timeline.status(), Status::Completed);
    assert_eq!(timeline.ended_at(), Some(at(660_000)));
}

#[test]
fn how_it_ended_follows_from_the_history_of_the_parts() {
    let became = |events: &[Value]| {
        let session = folded(&told(events));
        let timeline = session.timeline();
        (timeline.terminal(), timeline.outcome())
    };
    let call = Call::new();
    let line = [
        call.event("customer.start", "line", 0, serde_json::json!({})),
        call.event(
            "customer.end",
            "line",
            60_000,
            serde_json::json!({"interactingDurationMs": 60_000, "disconnectType": "PEER"}),
        ),
    ];
    let with = |more: Vec<Value>| {
        let mut all = line.to_vec();
        all.extend(more);
        became(&all)
    };
    let wait = |outcome: &str| {
        vec![
            call.event("acd.start", "wait", 10_000, serde_json::json!({"queueId": "q"})),
            call.event("acd.end", "wait", 60_000, serde_json::json!({"queueId": "q", "acdOutcome": outcome, "connectedDurationMs": 50_000})),
        ]
    };
    let flow = |more: Value| {
        let mut end = serde_json::json!({"flowType": "INBOUNDCALL", "connectedDurationMs": 50_000});
        end.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        vec![
            call.event(
                "flow.start",
                "flow",
                1_000,
                serde_json::json!({"flowType": "INBOUNDCALL"}),
            ),
            call.event("flow.end", "flow", 60_000, end),
        ]
    };
    let rang = |how: &str| {
        vec![
            call.event("user.start", "anna", 20_000, serde_json::json!({"userId": "anna"})),
            call.event(
                "user.end",
                "anna",
                30_000,
                serde_json::json!({"userId": "anna", "alertingDurationMs": 10_000, "interactingDurationMs": 0, "heldDurationMs": 0, "disconnectType": how}),
            ),
        ]
    };
    let some = |state, outcome| (Some(state), Some(outcome));
    assert_eq!(
        with(wait("ABANDON")),
        some(State::Abandoned, Became::AbandonedInQueue)
    );
    assert_eq!(
        with(wait("FLOW_OUT")),
        some(State::Completed, Became::FlowedOut)
    );
    assert_eq!(
        with(flow(serde_json::json!({"exitReason": "FLOW_DISCONNECT"}))),
        some(State::Completed, Became::SelfService)
    );
    assert_eq!(
        with(flow(serde_json::json!({"exitReason": "DISCONNECT"}))),
        some(State::Completed, Became::AbandonedInIvr)
    );
    let mut served = flow(serde_json::json!({"exitReason": "DISCONNECT"}));
    served.push(call.event(
        "flow.outcome",
        "flow",
        59_000,
        serde_json::json!({"flowOutcomeId": "o", "flowOutcomeValue": "SUCCESS"}),
    ));
    assert_eq!(with(served), some(State::Completed, Became::SelfService));
    assert_eq!(with(rang("CLIENT")), some(State::Missed, Became::Missed));
    assert_eq!(
        with(rang("PEER")),
        some(State::Abandoned, Became::AbandonedInQueue)
    );
    // Rang at one who did not answer, then left the queue.
    let mut both = wait("ABANDON");
    both.extend(rang("SYSTEM"));
    assert_eq!(with(both), some(State::Abandoned, Became::AbandonedInQueue));
    // A callback that nobody is on the line of.
    let callback = serde_json::json!({"mediaType": "CALLBACK", "direction": "OUTBOUND", "queueId": "q", "connectedDurationMs": 9});
    let waits = vec![
        call.event("acd.start", "back", 61_000, callback.clone()),
        call.event("acd.end", "back", 90_000, callback),
    ];
    assert_eq!(
        with(waits[..1].to_vec()),
        (None, None),
        "the wait goes on without a line"
    );
    assert_eq!(with(waits), some(State::Missed, Became::Missed));
    assert_eq!(with(vec![]), some(State::Abandoned, Became::AbandonedInIvr));
    assert_eq!(became(&line[..1]), (None, None));
    // Pitfall 19: the end of the line never came.
    let mut lost = wait("ABANDON");
    lost.push(line[0].clone());
    assert_eq!(became(&lost), (None, None));
    // Without its start the line is known by its end.
    let mut ended = wait("ABANDON");
    ended.push(line[1].clone());
    assert_eq!(
        became(&ended),
        some(State::Abandoned, Became::AbandonedInQueue)
    );
}

#[test]
fn what_a_flow_achieves_while_the_customer_waits_is_not_how_the_wait_ended() {
    let call = Call::new();
    let outcome = |session: &str| {
        call.event(
            "flow.outcome",
            session,
            30_000,
            serde_json::json!({"flowOutcomeId": "o", "flowOutcomeValue": "SUCCESS"}),
        )
    };
    let line = [
        call.event("customer.start", "line", 0, serde_json::json!({})),
        call.event(
            "customer.end",
            "line",
            60_000,
            serde_json::json!({"interactingDurationMs": 60_000, "disconnectType": "PEER"}),
        ),
    ];
    // It has the session of the wait.
    let waited = [
        call.event("acd.start", "wait", 10_000, serde_json::json!({"queueId": "q"})),
        outcome("wait"),
        call.event("acd.end", "wait", 60_000, serde_json::json!({"queueId": "q", "acdOutcome": "ABANDON", "connectedDurationMs": 50_000})),
    ];
    // In a session of its own it was a passage.
    let passed = [
        call.event("flow.start", "flow", 10_000, serde_json::json!({"flowType": "INBOUNDCALL"})),
        outcome("flow"),
        call.event("flow.end", "flow", 60_000, serde_json::json!({"flowType": "INBOUNDCALL", "exitReason": "DISCONNECT", "connectedDurationMs": 50_000})),
    ];
    for (session, kind, how, became) in [
        (
            waited,
            LegKind::Queue,
            LegOutcome::Abandoned,
            Became::AbandonedInQueue,
        ),
        (
            passed,
            LegKind::Ivr,
            LegOutcome::Answered,
            Became::SelfService,
        ),
    ] {
        let mut facts = told(&[&line[..], &session[..]].concat());
        permute(&mut facts, 0, &mut |order| {
            let session = folded(order);
            let timeline = session.timeline();
            let legs = timeline.legs();
            let leg = legs.iter().find(|leg| leg.id != "line").unwrap();
            assert_eq!((leg.kind, leg.outcome), (kind, Some(how)));
            assert_eq!(
                (leg.started_at, leg.ended_at),
                (at(10_000), Some(at(60_000)))
            );
            assert_eq!(timeline.outcome(), Some(became));
        });
    }
    // Nobody tells yet whose session it is.
    let alone = folded(&told(&[outcome("wait")]));
    let legs = alone.timeline().legs();
    assert_eq!((legs[0].kind, legs[0].outcome), (LegKind::Other, None));
}

#[test]
fn metric_records_are_worth_more_than_events_and_less_than_the_record() {
    let call = transferred();
    let mut events = call.events.clone();
    events.push(call.metric("anna", "tAcw", 31_000, 230_000));
    events.push(call.metric("anna", "nConsultTransferred", 1, 200_000));
    events.push(call.metric("anna", "tHandle", 196_000, 230_000));
    let told = told(&events);
    let session = folded(&told);
    let timeline = session.timeline();
    let legs = timeline.legs();
    let anna = legs.iter().find(|leg| leg.id == "anna").unwrap();
    assert_eq!(stated(anna, DurationKind::Wrap), Some(31_000));
    assert_eq!(stated(anna, DurationKind::Handle), Some(196_000));
    assert_eq!(
        stated(anna, DurationKind::Talk),
        Some(155_000),
        "as the event said"
    );
    assert_eq!(
        (anna.transfer, anna.outcome),
        (Some(Transfer::Consult), Some(LegOutcome::Transferred))
    );
    assert_eq!(anna.started_at, at(32_000), "a metric begins nothing");
    let record = recorded(&call.record);
    let (both, alone) = (folded(told.iter().chain(&record)), folded(&record));
    let (both, alone) = (both.timeline(), alone.timeline());
    assert_eq!(Asked::of(&both), Asked::of(&alone));
}

#[test]
fn a_leg_that_the_record_does_not_name_was_none_and_is_taken_back() {
    let call = transferred();
    let record = recorded(&call.record);
    let mut events = call.events.clone();
    events.extend([
        call.event(
            "user.start",
            "ghost",
            100_000,
            serde_json::json!({"userId": "cy"}),
        ),
        call.event(
            "user.end",
            "ghost",
            110_000,
            serde_json::json!({"userId": "cy", "interactingDurationMs": 10_000}),
        ),
    ]);
    let (both, alone) = (folded(told(&events).iter().chain(&record)), folded(&record));
    let both = both.timeline();
    assert_eq!(Asked::of(&both), Asked::of(&alone.timeline()));
    assert_eq!(both.withdrawn_legs(), ["ghost".into()]);
}

/// Published, published again with newer content, and the first one sent once more.
#[test]
fn pitfall_15_newer_content_holds_whatever_comes_again() {
    let call = transferred();
    let work = |millis: i64, minute: i64| {
        let mut event = call.event(
            "acw",
            "bo",
            645_010,
            serde_json::json!({"userId": "bo", "wrapupDurationMs": millis, "wrapupCode": "b"}),
        );
        event["timestamp"] = serde_json::json!(format!("2026-05-04T11:{minute:02}:00Z"));
        event
    };
    for [first, second] in [[0, 8_500], [45_000, 8_500]] {
        let copies = told(&[work(first, 0), work(second, 5), work(first, 0)]);
        for order in [[0, 1, 2], [1, 0, 2], [2, 0, 1]] {
            let session = folded(order.map(|place: usize| &copies[place]));
            let timeline = session.timeline();
            assert_eq!(session.len(), 1);
            let wrap = timeline.duration(DurationKind::Wrap);
            assert_eq!(wrap, Some(DurationFact::Stated(Millis(8_500))));
        }
    }
}

/// The session that arrivals make behind the log, which drops what has the key of something logged before.
fn logged_and_folded<'v>(arrivals: impl IntoIterator<Item = &'v Value>) -> Session {
    let kept = Mappings::none().keeping(["brand", "site"].map(str::to_owned).into());
    let mut log = BTreeSet::new();
    let mut session = Session::default();
    for event in arrivals {
        let raw = event.to_string();
        let Ok(Outcome::Mapped(mapped)) = map(&BodyFormat::GenesysWebhook, raw.as_bytes(), &kept)
        else {
            panic!("{raw}")
        };
        let key = (mapped.event_id.to_string(), mapped.at, mapped.digest);
        if log.insert(key) {
            for fact in mapped.stated.facts() {
                session.insert(fact.clone());
            }
        }
    }
    session
}

/// A content, another, and the first again, each published later than the one before: whatever order they come in and however often, the
/// one published last holds. Of every topic that has two contents.
#[test]
fn pitfall_15_and_16_what_was_published_last_holds_in_every_order_of_arrival() {
    let call = Call::new();
    let topics = [
        (
            "customer.end",
            serde_json::json!({"interactingDurationMs": 60_000}),
            serde_json::json!({"interactingDurationMs": 59_000}),
        ),
        (
            "flow.end",
            serde_json::json!({"exitReason": "DISCONNECT"}),
            serde_json::json!({"exitReason": "TRANSFER"}),
        ),
        (
            "acd.end",
            serde_json::json!({"acdOutcome": "ABANDON"}),
            serde_json::json!({"acdOutcome": "ANSWERED"}),
        ),
        (
            "user.end",
            serde_json::json!({"interactingDurationMs": 9_000}),
            serde_json::json!({"interactingDurationMs": 8_000}),
        ),
        (
            "acw",
            serde_json::json!({"wrapupDurationMs": 0}),
            serde_json::json!({"wrapupDurationMs": 8_500}),
        ),
        (
            "wrapup",
            serde_json::json!({"wrapupDurationMs": 8_500}),
            serde_json::json!({"wrapupDurationMs": 45_000}),
        ),
        (
            "attributes",
            serde_json::json!({"attributes": {"brand": "red"}}),
            serde_json::json!({"attributes": {"brand": "blue"}}),
        ),
    ];
    for (what, one, other) in topics {
        let published = |body: &Value, second: i64| {
            let mut event = call.event(what, "leg", 60_000, body.clone());
            event["timestamp"] = serde_json::json!(format!("2026-05-04T10:01:{second:02}.25Z"));
            event
        };
        for (one, other) in [(&one, &other), (&other, &one)] {
            let [first, second, last] = [published(one, 1), published(other, 2), published(one, 3)];
            let wanted = logged_and_folded([&last]);
            let orders = [
                [0, 1, 2],
                [0, 2, 1],
                [1, 0, 2],
                [1, 2, 0],
                [2, 0, 1],
                [2, 1, 0],
            ];
            for order in orders {
                let all = [&first, &second, &last];
                let arrivals = order.map(|place: usize| all[place]);
                let session = logged_and_folded(arrivals.into_iter().chain(arrivals));
                assert_eq!(session.facts(), wanted.facts(), "{what} {order:?}");
            }
            // And a publication of the same content changes nothing that is made of it.
            let (twice, once) = (
                logged_and_folded([&first, &last]),
                logged_and_folded([&first]),
            );
            assert_eq!(Asked::of(&twice.timeline()), Asked::of(&once.timeline()));
            assert_eq!(twice.timeline().attributes(), once.timeline().attributes());
            assert_eq!(twice.len(), 1, "{what}");
        }
    }
}

/// Two in one millisecond: neither takes the other's place, and of what both state the one holds that was published later. What is published
/// late of an earlier instant is older all the same.
#[test]
fn attributes_of_one_millisecond_are_all_kept() {
    let call = Call::new();
    let set = |millis: i64, stamp: &str, attributes: Value| {
        let body = serde_json::json!({ "attributes": attributes });
        let mut event = call.event("attributes", "line", millis, body);
        event["timestamp"] = serde_json::json!(stamp);
        event
    };
    let mut arrivals = [
        set(
            5_000,
            "2026-05-04T10:00:05.100Z",
            serde_json::json!({"brand": "red", "site": "north"}),
        ),
        set(
            5_000,
            "2026-05-04T10:00:05.200Z",
            serde_json::json!({"brand": "blue"}),
        ),
        set(
            4_999,
            "2026-05-04T10:00:09.000Z",
            serde_json::json!({"brand": "old", "site": "old"}),
        ),
    ];
    permute(&mut arrivals, 0, &mut |order| {
        let session = logged_and_folded(order);
        let timeline = session.timeline();
        let attributes: Vec<_> = timeline.attributes().into_iter().collect();
        assert_eq!(attributes, [("brand", "blue"), ("site", "north")]);
    });
}

#[test]
fn pitfall_20_an_absurd_duration_withholds_what_rests_on_it_and_nothing_else() {
    let call = transferred();
    let mut events = call.events.clone();
    for event in &mut events {
        if event["topicName"].as_str().unwrap().ends_with("user.end")
            && event["eventBody"]["sessionId"] == "bo"
        {
            event["eventBody"]["interactingDurationMs"] = serde_json::json!(-1_715_783_530_000_i64);
        }
    }
    let session = folded(&told(&events));
    let timeline = session.timeline();
    assert_eq!(timeline.status(), Status::Completed);
    assert!(matches!(
        timeline.duration(DurationKind::Talk),
        Some(DurationFact::Implausible(_))
    ));
    assert_eq!(
        timeline.duration(DurationKind::Wrap),
        Some(DurationFact::Stated(Millis(75_000)))
    );
    let legs = timeline.legs();
    let bo = legs.iter().find(|leg| leg.id == "bo").unwrap();
    assert_eq!(bo.started_at, at(157_000), "by its start");
}

fn samples() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("KPILINE_SHARED")
        .map_or_else(|| here.join("../../../shared"), PathBuf::from);
    let folder = shared.join("platforms/genesys/samples");
    if !folder.is_dir() {
        eprintln!(
            "SKIPPED: shared samples absent (no ../shared beside the workspace, and KPILINE_SHARED names no folder)"
        );
        return None;
    }
    Some(folder)
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The envelopes of a real conversation against the record of it.
#[test]
fn pitfall_23_the_sample_of_envelopes_gives_the_figures_of_its_record() {
    let Some(folder) = samples() else { return };
    let body = read(&folder.join("constructed/eventbridge_detail_events_voice_transfer.jsonl"));
    let told = facts(&BodyFormat::GenesysWebhook, &body);
    assert_eq!(told.len(), 18);
    let body = read(&folder.join("conv_voice_consult_transfer_two_agents_open_external_leg.json"));
    let recorded = facts(&BodyFormat::GenesysDetails, &body);
    let (events, record) = (folded(&told), folded(&recorded));
    let (events, record) = (events.timeline(), record.timeline());
    let figures = |timeline: &Timeline<'_>| -> BTreeMap<String, [Option<i64>; 5]> {
        use DurationKind::{Alert, Hold, QueueWait, Talk, Wrap};
        let of =
            |leg: &LegView<'_>| [Talk, Hold, Wrap, QueueWait, Alert].map(|kind| stated(leg, kind));
        timeline
            .legs()
            .iter()
            .map(|leg| (leg.id.to_string(), of(leg)))
            .collect()
    };
    assert_eq!(
        figures(&events),
        figures(&record),
        "no difference: hold is beside talk in both"
    );
    for kind in DurationKind::ALL {
        let same = events.duration(kind) == record.duration(kind);
        assert_eq!(same, kind != DurationKind::Handle, "{kind:?}");
    }
    for (told, recorded) in events.legs().iter().zip(record.legs()) {
        assert_eq!(told.id, recorded.id);
        let parts = |leg: &LegView<'_>| {
            (
                leg.kind,
                leg.started_at,
                leg.answered_at,
                leg.ended_at,
                leg.outcome,
            )
        };
        assert_eq!(parts(told), parts(&recorded), "{}", told.id);
        if told.kind != LegKind::Customer {
            assert_eq!(told.queue, recorded.queue);
        }
        assert_eq!(
            (told.disposition, told.agent),
            (recorded.disposition, recorded.agent)
        );
    }
    // The differences that remain.
    let transfers = |timeline: &Timeline<'_>| {
        let transfers = timeline.transfers();
        (transfers.consult, transfers.unspecified)
    };
    assert_eq!(
        (transfers(&events), transfers(&record)),
        ((0, 1), (1, 0)),
        "how, only the metrics say"
    );
    assert_eq!(
        (events.holds(), record.holds()),
        (Some(0), Some(1)),
        "of one agent nobody says how many"
    );
    assert_eq!((events.conference(), record.conference()), (false, true));
    assert_eq!(events.ended_at(), record.ended_at());
    assert_eq!(events.outcome(), record.outcome());
    assert_eq!(events.terminal(), record.terminal());
    // Without the end of the line that hung for two months it is over two months sooner, with the same figures.
    let short = folded(&told[..17]);
    let short = short.timeline();
    assert_eq!(short.status(), Status::Completed);
    assert_eq!(short.ended_at(), Some(UtcMicros(1_708_107_342_855_000)));
    assert_eq!(figures(&short), figures(&record));
    // And both together are the record.
    let both = folded(told.iter().chain(&recorded));
    assert_eq!(Asked::of(&both.timeline()), Asked::of(&record));
}

/// Each sample of an event, posted as it is.
#[test]
fn every_sample_of_an_event_is_what_is_stated_here() {
    let Some(folder) = samples() else { return };
    let stated = |name: &str| -> Vec<String> {
        let body = read(&folder.join(name));
        let Split::Items(items) = split(&BodyFormat::GenesysWebhook, &body) else {
            panic!("{name} is not split")
        };
        let kept = Mappings::none();
        let one = |raw: &[u8]| match map(&BodyFormat::GenesysWebhook, raw, &kept) {
            Ok(Outcome::Mapped(mapped)) => match mapped.stated {
                Stated::Interaction {
                    facts, customer, ..
                } => {
                    let key = facts[0].key.as_str().rsplit(':').next().unwrap().to_owned();
                    format!(
                        "{key} {}{}",
                        facts[0].at.0 / 1000,
                        customer.map_or(String::new(), |who| format!(" {}", who.as_str()))
                    )
                }
                Stated::Agent { agent, facts } => format!(
                    "{} {:?}",
                    agent.id,
                    facts[0].statement.presence.as_ref().unwrap()
                ),
            },
            Ok(Outcome::Ignored { kind }) => kind,
            Err(error) => format!("refused: {}", error.field),
        };
        items.iter().map(|item| one(&item.raw)).collect()
    };
    for (name, wanted) in [
        (
            "eventbridge_customer_start_chat.json",
            "customer.start 1649237444949 109ede6e-be6e-441f-a169-cf1737f3d84a",
        ),
        // Dated by the minute it lasted.
        (
            "eventbridge_customer_end_chat.json",
            "customer.end 1649237444949 84708c91-f4f8-4f04-a5c1-49a545439776",
        ),
        (
            "eventbridge_customer_end_chat_no_external_contact.json",
            "customer.end 1649237444949",
        ),
        (
            "eventbridge_user_presence_audit.json",
            "5d235a81-2033-4750-b452-767331b5b906 Available",
        ),
        (
            "notification_user_conversations_callback_connected.json",
            "a topic about users, but not their states",
        ),
        (
            "notification_user_conversations_callback_disconnected.json",
            "a topic about users, but not their states",
        ),
        ("aggregates_flow_notification_body.json", "aggregates"),
        // No event, but what a trigger is made with.
        (
            "process_automation_trigger_request.json",
            "refused: eventBody.conversationId",
        ),
    ] {
        assert_eq!(stated(name), [wanted], "{name}");
    }
}
