//! Genesys conversation details: what a leg states beyond its durations, and the figures of segments alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{Mapped, Mappings, Outcome, genesys_details::from_segments, instant, map};
use schema::{
    BodyFormat, DurationKind, Fact, FactKey, Leg, LegKind, LegOutcome, Millis, State, Transfer,
    UtcMicros,
};
use serde_json::{Value, json};

fn mapped(record: &Value) -> Mapped {
    let raw = record.to_string();
    match map(
        &BodyFormat::GenesysDetails,
        raw.as_bytes(),
        &Mappings::none(),
    ) {
        Ok(Outcome::Mapped(mapped)) => mapped,
        other => panic!("{other:?}"),
    }
}

fn fact<'m>(mapped: &'m Mapped, session: &str) -> &'m Fact {
    let key = FactKey::leg(session);
    mapped
        .stated
        .facts()
        .iter()
        .find(|fact| fact.key == key)
        .unwrap()
}

fn leg<'m>(mapped: &'m Mapped, session: &str) -> &'m Leg {
    fact(mapped, session).statement.leg().unwrap()
}

/// `at("00:20")` is twenty seconds after the conversation's start.
fn at(clock: &str) -> String {
    format!("2026-05-04T10:{clock}Z")
}

fn instant_of(clock: &str) -> UtcMicros {
    instant::parse(&at(clock)).unwrap()
}

fn segment(kind: &str, from: &str, until: &str) -> Value {
    json!({"segmentType": kind, "segmentStart": at(from), "segmentEnd": at(until)})
}

fn left(mut segment: Value, how: &str) -> Value {
    segment["disconnectType"] = how.into();
    segment
}

fn metric(name: &str, value: i64, emitted: &str) -> Value {
    json!({"name": name, "value": value, "emitDate": at(emitted)})
}

#[derive(Default)]
struct Session<'s> {
    id: &'s str,
    purpose: &'s str,
    metrics: Vec<Value>,
    segments: Vec<Value>,
    more: Vec<(&'s str, Value)>,
}

fn record(sessions: Vec<Session<'_>>, more: &[(&str, Value)]) -> Value {
    let participants: Vec<Value> = sessions
        .into_iter()
        .map(|session| {
            let mut value = json!({"sessionId": session.id, "mediaType": "voice", "metrics": session.metrics, "segments": session.segments});
            for (name, member) in session.more {
                value[name] = member;
            }
            json!({"purpose": session.purpose, "userId": format!("user of {}", session.id), "sessions": [value]})
        })
        .collect();
    let mut record = json!({"conversationId": "c", "conversationStart": at("00:00"), "conversationEnd": at("30:00"),
        "originatingDirection": "inbound", "participants": participants});
    for (name, member) in more {
        record[*name] = member.clone();
    }
    record
}

fn queue<'s>(id: &'s str, from: &str, until: &str) -> Session<'s> {
    Session {
        id,
        purpose: "acd",
        metrics: vec![metric("tAcd", 20_000, until)],
        segments: vec![left(segment("interact", from, until), "transfer")],
        ..Session::default()
    }
}

#[test]
fn an_agents_leg_says_when_it_was_answered_and_how_often_it_held() {
    let mapped = mapped(&record(
        vec![
            queue("q", "00:05", "00:25"),
            Session {
                id: "a",
                purpose: "agent",
                metrics: vec![
                    metric("tAnswered", 20_000, "00:25"),
                    metric("tTalkComplete", 80_000, "02:30"),
                    metric("tHeld", 10_000, "01:10"),
                    metric("tHeld", 35_000, "02:05"),
                ],
                segments: vec![
                    segment("hold", "01:30", "02:05"),
                    segment("alert", "00:20", "00:25"),
                    segment("interact", "00:25", "01:00"),
                    segment("hold", "01:00", "01:10"),
                    segment("interact", "01:10", "01:30"),
                    left(segment("interact", "02:05", "02:30"), "peer"),
                ],
                ..Session::default()
            },
        ],
        &[],
    ));
    let agent = leg(&mapped, "a");
    assert_eq!(agent.answered_at, Some(instant_of("00:25")));
    assert_eq!(agent.holds, Some(2));
    assert_eq!(agent.longest_hold, Some(Millis(35_000)));
    assert_eq!((agent.transfer, agent.consult), (None, false));
    assert!(!agent.conference);
    // The queue's wait ended when the agent took the contact from it.
    let queue = leg(&mapped, "q");
    assert_eq!(queue.outcome, Some(LegOutcome::Answered));
    assert_eq!(queue.answered_at, Some(instant_of("00:25")));
}

#[test]
fn no_hold_is_a_count_of_zero_and_an_agent_who_did_not_answer_states_none() {
    let agent = |id, metrics, segments| Session {
        id,
        purpose: "agent",
        metrics,
        segments,
        ..Session::default()
    };
    let mapped = mapped(&record(
        vec![
            agent(
                "rang",
                vec![metric("tNotResponding", 9_000, "00:20")],
                vec![segment("alert", "00:11", "00:20")],
            ),
            agent(
                "took",
                vec![metric("tTalkComplete", 5_000, "00:30")],
                vec![segment("interact", "00:25", "00:30")],
            ),
            agent(
                "bare",
                vec![
                    metric("tTalkComplete", 5_000, "00:50"),
                    metric("tAnswered", 1, "00:45"),
                ],
                vec![],
            ),
        ],
        &[],
    ));
    assert_eq!(
        (leg(&mapped, "rang").holds, leg(&mapped, "rang").answered_at),
        (None, None)
    );
    assert_eq!(leg(&mapped, "took").holds, Some(0));
    assert_eq!(leg(&mapped, "took").longest_hold, None);
    // Without segments nothing is known of holds, and the metric tells when it was answered.
    assert_eq!(leg(&mapped, "bare").holds, None);
    assert_eq!(leg(&mapped, "bare").answered_at, Some(instant_of("00:45")));
}

#[test]
fn a_transfer_is_what_the_counters_say_and_without_them_what_the_last_segment_says() {
    use Transfer::{Blind, Consult, Unspecified};
    type Case = (
        &'static [(&'static str, i64)],
        Option<&'static str>,
        Option<Transfer>,
    );
    let cases: [Case; 9] = [
        (
            &[
                ("nConsult", 1),
                ("nConsultTransferred", 1),
                ("nTransferred", 1),
            ],
            Some("transfer"),
            Some(Consult),
        ),
        (
            &[("nBlindTransferred", 1), ("nTransferred", 1)],
            Some("transfer"),
            Some(Blind),
        ),
        (&[("nTransferred", 1)], Some("transfer"), Some(Unspecified)),
        // A consultation that ends without a transfer is none; a zero is no transfer either.
        (&[("nConsult", 1)], Some("peer"), None),
        (&[("nTransferred", 0)], Some("transfer"), None),
        (&[], Some("transfer"), Some(Unspecified)),
        (&[], Some("consultTransfer"), Some(Consult)),
        (&[], Some("noAnswerTransfer"), None),
        (&[], None, None),
    ];
    for (counters, how, expected) in cases {
        let mut metrics: Vec<Value> = counters
            .iter()
            .map(|(name, value)| metric(name, *value, "00:40"))
            .collect();
        if !metrics.is_empty() {
            metrics.push(metric("tTalkComplete", 1, "00:40"));
        }
        let mut talk = segment("interact", "00:10", "00:40");
        if let Some(how) = how {
            talk = left(talk, how);
        }
        let mapped = mapped(&record(
            vec![Session {
                id: "a",
                purpose: "agent",
                metrics,
                segments: vec![talk],
                ..Session::default()
            }],
            &[],
        ));
        let leg = leg(&mapped, "a");
        assert_eq!(leg.transfer, expected, "{counters:?} {how:?}");
        let outcome = if expected.is_some() {
            LegOutcome::Transferred
        } else {
            LegOutcome::Answered
        };
        assert_eq!(leg.outcome, Some(outcome), "{counters:?} {how:?}");
    }
}

/// One agent asks another from 05:00 on and talks to the end at 10:00, transferring then or not.
fn consultation(asked_until: &str, conference: bool, transferred: bool) -> Value {
    let mut asking = vec![
        metric("nConsult", 1, "05:00"),
        metric("tTalkComplete", 600_000, "10:00"),
    ];
    if transferred {
        asking.push(metric("nConsultTransferred", 1, "10:00"));
        asking.push(metric("nTransferred", 1, "10:00"));
    }
    let mut talk = segment("interact", "05:10", asked_until);
    talk["conference"] = conference.into();
    record(
        vec![
            Session {
                id: "asks",
                purpose: "agent",
                metrics: asking,
                segments: vec![left(segment("interact", "00:00", "10:00"), "transfer")],
                ..Session::default()
            },
            Session {
                id: "asked",
                purpose: "agent",
                metrics: vec![metric("tTalkComplete", 1, asked_until)],
                segments: vec![talk],
                ..Session::default()
            },
            Session {
                id: "before",
                purpose: "agent",
                metrics: vec![metric("tTalkComplete", 1, "00:30")],
                segments: vec![segment("interact", "00:10", "00:30")],
                ..Session::default()
            },
        ],
        &[],
    )
}

#[test]
fn who_was_asked_and_left_before_the_customer_was_passed_on_was_only_consulted() {
    let consulted = |record: &Value| {
        let mapped = mapped(record);
        ["asks", "asked", "before"].map(|id| leg(&mapped, id).consult)
    };
    assert_eq!(
        consulted(&consultation("07:00", false, false)),
        [false, true, false]
    );
    // The customer was passed on to them: a contact of their own.
    assert_eq!(consulted(&consultation("15:00", false, true)), [false; 3]);
    // On the line together with the customer: a part of the contact.
    assert_eq!(consulted(&consultation("07:00", true, false)), [false; 3]);
    // While both still talk, nobody knows what will become of it.
    let mut open = consultation("07:00", false, false);
    for participant in [0, 1] {
        open["participants"][participant]["sessions"][0]["segments"][0]
            .as_object_mut()
            .unwrap()
            .remove("segmentEnd");
    }
    assert_eq!(consulted(&open), [false; 3]);
    // The time of who was asked stays handle time.
    let mapped = mapped(&consultation("07:00", false, false));
    let talk = fact(&mapped, "asked")
        .statement
        .durations
        .get(DurationKind::Talk);
    assert_eq!(talk, Some(Millis(1)));
}

#[test]
fn who_was_asked_and_took_over_says_how_long_both_agents_count() {
    let consulted = |record: &Value| {
        let mapped = mapped(record);
        ["asks", "asked", "before"].map(|id| leg(&mapped, id).consulted)
    };
    // They talk from 05:10 until the customer is passed on at 10:00.
    assert_eq!(
        consulted(&consultation("15:00", false, true)),
        [None, Some(Millis(290_000)), None]
    );
    // A leg that is a consultation as a whole has no part that is one.
    assert_eq!(consulted(&consultation("07:00", false, false)), [None; 3]);
    // The customer was on the line with both: by the segment of one alone it cannot be told.
    let mut conference = consultation("07:00", true, false);
    assert_eq!(consulted(&conference), [None, Some(Millis(110_000)), None]);
    conference["participants"][0]["sessions"][0]["segments"][0]["conference"] = true.into();
    assert_eq!(consulted(&conference), [None; 3]);
    let mut open = consultation("15:00", false, true);
    open["participants"][1]["sessions"][0]["segments"][0]
        .as_object_mut()
        .unwrap()
        .remove("segmentEnd");
    assert_eq!(consulted(&open), [None; 3]);
}

#[test]
fn a_segment_on_a_conference_or_barging_in_makes_a_conference() {
    let mut talk = segment("interact", "00:00", "01:00");
    talk["conference"] = true.into();
    let mapped = mapped(&record(
        vec![
            Session {
                id: "joined",
                purpose: "agent",
                segments: vec![segment("alert", "00:00", "00:00"), talk],
                ..Session::default()
            },
            Session {
                id: "barged",
                purpose: "user",
                segments: vec![segment("barging", "00:20", "00:50")],
                more: vec![("bargedParticipantId", "p".into())],
                ..Session::default()
            },
        ],
        &[],
    ));
    assert!(leg(&mapped, "joined").conference && leg(&mapped, "barged").conference);
}

#[test]
fn who_listens_takes_no_part() {
    for member in ["monitoredParticipantId", "coachedParticipantId"] {
        let mapped = mapped(&record(
            vec![Session {
                id: "s",
                purpose: "user",
                segments: vec![segment("monitoring", "00:20", "00:50")],
                more: vec![(member, "p".into())],
                ..Session::default()
            }],
            &[],
        ));
        assert_eq!(leg(&mapped, "s").kind, LegKind::Other);
        assert_eq!(fact(&mapped, "s").statement.agent, None);
    }
}

/// A customer in a flow that ended like this.
fn flow(exit: Option<&str>, how: &str, outcomes: &Value, served: bool) -> Mapped {
    let mut flow = json!({"outcomes": outcomes});
    if let Some(exit) = exit {
        flow["exitReason"] = exit.into();
    }
    mapped(&record(
        vec![Session {
            id: "ivr",
            purpose: "ivr",
            metrics: vec![metric("tIvr", 60_000, "01:00")],
            segments: vec![left(segment("ivr", "00:00", "01:00"), how)],
            more: vec![("flow", flow)],
        }],
        &[("selfServed", served.into())],
    ))
}

#[test]
fn who_hangs_up_in_the_flow_unserved_left_it_and_is_no_abandonment_of_a_queue() {
    let none = json!([]);
    let success = json!([{"flowOutcomeValue": "FAILURE"}, {"flowOutcomeValue": "success"}]);
    let (left, served) = (Some(LegOutcome::Abandoned), Some(LegOutcome::Answered));
    for (mapped, expected) in [
        (flow(Some("DISCONNECT"), "peer", &none, false), left),
        (flow(None, "peer", &none, false), left),
        (
            flow(Some("FLOW_DISCONNECT"), "system", &none, false),
            served,
        ),
        (flow(None, "system", &none, false), served),
        // Heard the balance and hung up.
        (flow(Some("DISCONNECT"), "peer", &success, false), served),
        (flow(Some("DISCONNECT"), "peer", &none, true), served),
        // Passed on, or failed: that is neither.
        (flow(Some("TRANSFER"), "transfer", &none, false), None),
        (
            flow(Some("FLOW_ERROR_DISCONNECT"), "system", &none, false),
            None,
        ),
        // Of another shape than known: the segment tells.
        (flow(None, "peer", &json!("none"), false), left),
    ] {
        assert_eq!(leg(&mapped, "ivr").outcome, expected);
        assert_eq!(
            mapped.stated.facts()[0].statement.state,
            Some(State::Completed)
        );
    }
}

#[test]
fn an_agent_misses_an_alert_only_when_the_platform_or_nobody_else_says_how_it_ended() {
    let ringing = |how: Option<&str>, metrics: &[&str], queue_metric: &str| {
        let mut alert = segment("alert", "00:10", "00:12");
        if let Some(how) = how {
            alert = left(alert, how);
        }
        mapped(&record(
            vec![
                Session {
                    id: "q",
                    purpose: "acd",
                    metrics: vec![metric(queue_metric, 12_000, "00:12")],
                    segments: vec![left(segment("interact", "00:00", "00:12"), "peer")],
                    ..Session::default()
                },
                Session {
                    id: "a",
                    purpose: "agent",
                    metrics: metrics
                        .iter()
                        .map(|name| metric(name, 2_000, "00:12"))
                        .collect(),
                    segments: vec![alert],
                    ..Session::default()
                },
            ],
            &[],
        ))
    };
    let (missed, gone) = (Some(LegOutcome::NotResponding), Some(LegOutcome::Abandoned));
    let no_response = &["tAlert", "tNotResponding"][..];
    for (how, metrics, queue, expected) in [
        (Some("client"), no_response, "tAcd", missed),
        (Some("peer"), no_response, "tAbandon", missed),
        (None, &["tAlert"][..], "tAcd", missed),
        (Some("system"), &["tAlert"], "tAcd", missed),
        // The customer hung up while it rang; where the queue says that nobody left it, nobody did.
        (Some("peer"), &["tAlert"], "tAbandon", gone),
        (Some("peer"), &["tAlert"], "tFlowOut", None),
        (Some("client"), &["tAlert"], "tAbandon", None),
        // A record without metrics cannot say it.
        (Some("client"), &[], "tAbandon", missed),
        (Some("peer"), &[], "tAbandon", gone),
    ] {
        let mapped = ringing(how, metrics, queue);
        assert_eq!(
            leg(&mapped, "a").outcome,
            expected,
            "{how:?} {metrics:?} {queue}"
        );
    }
}

#[test]
fn no_hold_of_an_agent_who_answered_and_is_gone_is_a_hold_time_of_zero() {
    let hold = |name: &str, open: bool, legacy: bool| {
        let mut segments = vec![segment("alert", "00:00", "00:05")];
        segments.push(segment(name, "00:05", "00:50"));
        if open {
            segments[1].as_object_mut().unwrap().remove("segmentEnd");
        }
        let metrics = if legacy {
            vec![]
        } else {
            vec![metric("tAlert", 5_000, "00:05")]
        };
        let metrics = if name == "interact" && !legacy {
            vec![metric("tTalk", 45_000, "00:50")]
        } else {
            metrics
        };
        let mapped = mapped(&record(
            vec![Session {
                id: "a",
                purpose: "agent",
                metrics,
                segments,
                ..Session::default()
            }],
            &[],
        ));
        fact(&mapped, "a")
            .statement
            .durations
            .get(DurationKind::Hold)
    };
    assert_eq!(hold("interact", false, false), Some(Millis(0)));
    assert_eq!(hold("interact", false, true), Some(Millis(0)));
    // It may yet come, or there was nothing to hold.
    assert_eq!(hold("interact", true, false), None);
    assert_eq!(hold("wrapup", false, false), None);
}

#[test]
fn without_metrics_a_queue_that_the_other_side_left_was_abandoned_but_no_callback_is() {
    let queue = |media: &str, how: &str| {
        mapped(&record(
            vec![Session {
                id: "q",
                purpose: "acd",
                segments: vec![left(segment("interact", "00:00", "01:00"), how)],
                more: vec![("mediaType", media.into())],
                ..Session::default()
            }],
            &[],
        ))
    };
    assert_eq!(
        leg(&queue("voice", "peer"), "q").outcome,
        Some(LegOutcome::Abandoned)
    );
    assert_eq!(leg(&queue("callback", "peer"), "q").outcome, None);
    assert_eq!(
        leg(&queue("voice", "transfer"), "q").outcome,
        Some(LegOutcome::FlowedOut)
    );
}

#[test]
fn segments_alone_give_the_figures_whatever_the_metrics_say() {
    let mut first = queue("q1", "00:05", "00:25");
    first.segments[0]["queueId"] = "x".into();
    let talking = |id, from: &str, until: &str| Session {
        id,
        purpose: "agent",
        metrics: vec![metric("tTalkComplete", 7, until)],
        segments: vec![
            segment("dialing", "00:00", "00:01"),
            segment("interact", from, until),
            segment("alert", "00:20", "00:25"),
        ],
        ..Session::default()
    };
    let raw = record(
        vec![
            talking("a", "00:25", "02:00"),
            first,
            queue("q2", "02:00", "02:10"),
            talking("b", "02:10", "03:00"),
            Session {
                id: "left",
                purpose: "acd",
                segments: vec![
                    segment("delay", "03:00", "03:01"),
                    left(segment("interact", "03:01", "03:31"), "peer"),
                ],
                ..Session::default()
            },
        ],
        &[],
    )
    .to_string();
    let figures = from_segments(raw.as_bytes()).unwrap();
    let of = |id: &str| {
        figures
            .iter()
            .find(|figures| figures.session.as_str() == id)
            .unwrap()
    };
    assert_eq!(of("a").talk, Some(Millis(95_000)));
    // Dialling is handled time, ringing is not.
    assert_eq!(of("a").handle, Some(Millis(96_000)));
    assert_eq!((of("a").hold, of("a").wrap), (None, None));
    assert_eq!(of("a").answer, Some(Millis(20_000)));
    assert_eq!(of("b").answer, Some(Millis(10_000)));
    assert_eq!(of("left").abandon, Some(Millis(30_000)));
    assert_eq!((of("q1").abandon, of("q1").handle), (None, None));
    assert!(from_segments(b"[]").is_err());
}
