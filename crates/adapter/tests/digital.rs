//! CXone digital events: snapshots of a case, in any order, with repetitions and reopenings.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{ItemError, Mapped, Mappings, Outcome, Split, Stated, instant, map, split};
use proptest::prelude::*;
use schema::{
    BodyFormat, Direction, Fact, FactKey, LegKind, LegOutcome, Millis, Transfer, UtcMicros,
};
use serde_json::{Value, json};
use session::{DurationFact, Outcome as Became, Phase, Session, Status};

const FORMAT: BodyFormat = BodyFormat::CxoneDigital;
const CASE: &str = "507000000017";

fn outcome(event: &Value) -> Result<Outcome, ItemError> {
    map(&FORMAT, event.to_string().as_bytes(), &Mappings::none())
}

fn mapped(event: &Value) -> Mapped {
    match outcome(event) {
        Ok(Outcome::Mapped(mapped)) => mapped,
        other => panic!("{other:?}"),
    }
}

fn at(text: &str) -> UtcMicros {
    instant::parse(text).unwrap()
}

/// Minute and second of the afternoon in which the tests play.
fn time(clock: &str) -> String {
    format!("2026-05-04T14:{clock}+00:00")
}

fn agent(number: u32) -> Value {
    json!({"id": 10_000 + number, "incontactId": format!("0000AAAA-0000-4000-8000-{number:012}"), "agentId": number, "firstName": "F",
        "emailAddress": "a@example.com", "isBotUser": false, "isSurveyUser": false})
}

fn bot() -> Value {
    json!({"id": 9, "incontactId": "00000000-0000-4000-8000-00000000000b", "isBotUser": true, "isSurveyUser": false})
}

/// An event about a case, in the shape of the platform's: envelope in the server's zone, times within in UTC.
fn event(kind: &str, clock: &str, case: &Value, data: &Value) -> Value {
    let mut case_now = json!({
        "id": CASE, "contactId": "0000ABCD-0000-4000-8000-000000000001", "interactionId": "00000000-0000-4000-8000-000000000002",
        "customerContactId": "00000000-0000-4000-8000-000000000003", "threadId": "chat_x", "direction": "inbound", "abandon": null,
        "status": "new", "statusUpdatedAt": time("00:00"), "createdAt": time("00:00"),
        "routingQueueId": "00000000-0000-4000-8000-0000000000AA", "inboxAssignee": null, "inboxAssigneeUser": null,
        "inboxAssigneeLastAssignedAt": null, "customFields": [], "statistics": {"inboxAssigneeResponseTime": null},
        "endUser": {"id": "chat_77", "identities": [{"idOnExternalPlatform": "77", "id": "chat_77"}]},
    });
    for (name, value) in case.as_object().unwrap() {
        case_now[name] = value.clone();
    }
    let (hour, rest) = ("15", clock);
    let mut found = json!({
        "eventId": format!("0000BEEF-0000-4000-8000-{:0>12}", clock.replace([':', '.'], "")), "eventObject": "Case", "eventType": kind,
        "createdAt": format!("2026-05-04T{hour}:{}+01:00", &rest[..5]),
        "createdAtWithMilliseconds": format!("2026-05-04T{hour}:{rest}+01:00"), "traceId": "t", "context": [],
        "data": {"brand": {"id": 1, "tenantId": null, "businessUnitId": null, "timezone": "America/Denver"},
            "channel": {"id": "chat_x", "realExternalPlatformId": "chat", "mediaType": 3},
            "routingQueue": {"id": "00000000-0000-4000-8000-0000000000AA", "skillId": 4321}, "case": case_now},
    });
    for (name, value) in data.as_object().unwrap() {
        found["data"][name] = value.clone();
    }
    found
}

fn queued() -> Value {
    event(
        "CaseToRoutingQueueAssignmentChanged",
        "00:02.250",
        &json!({}),
        &json!({}),
    )
}

fn assigned() -> Value {
    event(
        "CaseInboxAssigneeChanged",
        "00:30.100",
        &json!({"inboxAssignee": 10_007, "inboxAssigneeUser": agent(7), "inboxAssigneeLastAssignedAt": time("00:30")}),
        &json!({"inboxAssignee": agent(7), "previousInboxAssignee": null}),
    )
}

/// From one agent's hands into another's.
fn passed_on() -> Value {
    event(
        "CaseInboxAssigneeChanged",
        "05:00.500",
        &json!({"status": "open", "statusUpdatedAt": time("01:00"), "inboxAssignee": 10_008, "inboxAssigneeUser": agent(8),
            "inboxAssigneeLastAssignedAt": time("05:00")}),
        &json!({"inboxAssignee": agent(8), "previousInboxAssignee": agent(7), "acceptRejectFlow": {"isTransfer": true}}),
    )
}

fn resolved() -> Value {
    event(
        "CaseStatusChanged",
        "09:00.700",
        &json!({"status": "resolved", "statusUpdatedAt": time("09:00"), "inboxAssignee": 10_008, "inboxAssigneeUser": agent(8),
            "inboxAssigneeLastAssignedAt": time("05:00"), "routableType": "NOT_ROUTABLE"}),
        &json!({}),
    )
}

fn unassigned() -> Value {
    event(
        "CaseInboxAssigneeChanged",
        "09:17.495",
        &json!({"status": "resolved", "statusUpdatedAt": time("09:00"), "inboxAssigneeLastAssignedAt": time("05:00"),
            "routableType": "NOT_ROUTABLE"}),
        &json!({"inboxAssignee": null, "previousInboxAssignee": agent(8), "acceptRejectFlow": {"isTransfer": false}}),
    )
}

/// What a timer does, long after.
fn closed() -> Value {
    event(
        "CaseStatusChanged",
        "50:00.000",
        &json!({"status": "closed", "statusUpdatedAt": time("50:00"), "inboxAssigneeLastAssignedAt": time("05:00")}),
        &json!({}),
    )
}

/// The customer writes again.
fn reopened() -> Value {
    event(
        "CaseStatusChanged",
        "55:00.000",
        &json!({"status": "open", "statusUpdatedAt": time("55:00"), "inboxAssigneeLastAssignedAt": time("05:00"), "routableType": "ROUTABLE"}),
        &json!({}),
    )
}

fn life() -> Vec<Value> {
    vec![
        queued(),
        assigned(),
        passed_on(),
        resolved(),
        unassigned(),
        closed(),
    ]
}

fn fold<'e>(events: impl IntoIterator<Item = &'e Value>) -> Session {
    let mut session = Session::default();
    for event in events {
        for fact in mapped(event).stated.facts() {
            session.insert(fact.clone());
        }
    }
    session
}

fn fact<'f>(facts: &'f [Fact], name: &str) -> &'f Fact {
    let key = FactKey::event(&format!("dfo:{name}"));
    facts
        .iter()
        .find(|fact| fact.key == key)
        .unwrap_or_else(|| panic!("{name} in {facts:#?}"))
}

#[test]
fn the_whole_life_of_a_case_is_one_interaction_with_its_agents() {
    let session = fold(&life());
    let timeline = session.timeline();
    assert_eq!(timeline.status(), Status::Completed);
    assert_eq!(timeline.outcome(), Some(Became::Answered));
    assert_eq!(timeline.start(), Some(at(&time("00:00"))));
    assert_eq!(
        timeline.ended_at(),
        Some(at(&time("09:00"))),
        "closing is what a timer does"
    );
    assert_eq!(timeline.media(), Some("chat"));
    assert_eq!(timeline.direction(), Some(Direction::Inbound));
    assert_eq!(
        timeline.queue().map(schema::QueueId::as_str),
        Some("4321"),
        "the ACD's skill"
    );
    assert_eq!(
        timeline
            .agents()
            .iter()
            .map(|agent| agent.id.as_str())
            .collect::<Vec<_>>(),
        ["7", "8"]
    );
    assert_eq!(timeline.answered_at(), Some(at(&time("00:30"))));
    assert_eq!(
        timeline.answered_after(),
        Some(DurationFact::Stated(Millis(27_750))),
        "from the queue's event to the first assignment"
    );
    assert_eq!(timeline.transfers().total(), 1);
    // No event says how long anybody worked.
    for kind in schema::DurationKind::ALL {
        assert_eq!(timeline.duration(kind), None);
    }
    let legs = timeline.legs();
    let ids: Vec<(&str, LegKind)> = legs.iter().map(|leg| (leg.id.as_ref(), leg.kind)).collect();
    assert_eq!(
        ids,
        [
            ("507000000017:customer", LegKind::Customer),
            ("507000000017", LegKind::Queue),
            ("507000000017:7", LegKind::Agent),
            ("507000000017:8", LegKind::Agent),
        ]
    );
    assert_eq!(legs[2].outcome, Some(LegOutcome::Transferred));
    assert_eq!(legs[2].transfer, Some(Transfer::Unspecified));
    let stretch = |leg: &session::LegView<'_>| (leg.started_at, leg.ended_at);
    assert_eq!(
        stretch(&legs[2]),
        (at(&time("00:30")), Some(at(&time("05:00.500"))))
    );
    assert_eq!(
        stretch(&legs[3]),
        (at(&time("05:00")), Some(at(&time("09:17.495"))))
    );
    assert_eq!(legs[3].outcome, Some(LegOutcome::Answered));
}

#[test]
fn an_event_has_its_ids_in_lower_case_its_instant_in_milliseconds_and_its_customer_beside_it() {
    let event = mapped(&queued());
    assert_eq!(
        event.event_id.as_str(),
        "0000beef-0000-4000-8000-000000002250"
    );
    assert_eq!(event.at, at("2026-05-04T14:00:02.250Z"));
    let Stated::Interaction {
        interaction,
        customer,
        terminal,
        ..
    } = &event.stated
    else {
        panic!("{event:?}")
    };
    assert_eq!(interaction.as_str(), CASE);
    assert_eq!(customer.as_ref().unwrap().as_str(), "77");
    assert!(!terminal);
    assert!(mapped(&resolved()).stated.is_terminal());
    assert!(mapped(&closed()).stated.is_terminal());
    // Sent again, it is the same; in capitals, too.
    let mut again = queued();
    again["traceId"] = json!("another");
    assert_eq!(mapped(&again).digest, event.digest);
    let mut whole = queued();
    whole
        .as_object_mut()
        .unwrap()
        .remove("createdAtWithMilliseconds");
    assert_eq!(mapped(&whole).at, at("2026-05-04T14:00:02Z"));
    let mut nameless = queued();
    nameless["eventId"] = Value::Null;
    assert_eq!(mapped(&nameless).event_id, mapped(&nameless).event_id);
    assert_ne!(mapped(&nameless).event_id, event.event_id);
    // A brand's zone is nobody's.
    let facts = mapped(&assigned());
    assert!(facts.stated.facts().iter().all(|fact| {
        fact.statement
            .agent
            .as_ref()
            .is_none_or(|agent| agent.zone.is_none())
    }));
}

#[test]
fn a_closed_case_that_is_opened_again_has_not_ended() {
    let mut events = life();
    events.push(reopened());
    let session = fold(&events);
    let timeline = session.timeline();
    assert_eq!(timeline.status(), Status::Open);
    assert!(timeline.is_reopened());
    assert_eq!(timeline.now().unwrap().phase, Phase::Waiting);
    // And has an end again, behind the new beginning.
    let again = event(
        "CaseStatusChanged",
        "59:00.000",
        &json!({"status": "resolved", "statusUpdatedAt": time("59:00")}),
        &json!({}),
    );
    events.push(again);
    let session = fold(&events);
    assert_eq!(session.timeline().status(), Status::Completed);
    assert_eq!(session.timeline().ended_at(), Some(at(&time("59:00"))));
    // The wait for the first agent stays what it was.
    assert_eq!(
        session.timeline().answered_after(),
        Some(DurationFact::Stated(Millis(27_750)))
    );
}

/// Back in the hands of the first agent.
fn passed_back() -> Value {
    event(
        "CaseInboxAssigneeChanged",
        "07:00.300",
        &json!({"status": "open", "statusUpdatedAt": time("01:00"), "inboxAssignee": 10_007, "inboxAssigneeUser": agent(7),
            "inboxAssigneeLastAssignedAt": time("07:00")}),
        &json!({"inboxAssignee": agent(7), "previousInboxAssignee": agent(8), "acceptRejectFlow": {"isTransfer": true}}),
    )
}

/// Whatever order the events come in, here each of all orders.
fn in_every_order(events: &[Value], mut seen: impl FnMut(&Session)) {
    fn permute(rest: &mut [Value], from: usize, seen: &mut impl FnMut(&Session)) {
        if from == rest.len() {
            return seen(&fold(rest.iter()));
        }
        for place in from..rest.len() {
            rest.swap(from, place);
            permute(rest, from + 1, seen);
            rest.swap(from, place);
        }
    }
    permute(&mut events.to_vec(), 0, &mut seen);
}

#[test]
fn who_gets_a_case_back_has_it_again_until_it_is_given_up_again() {
    let stretch = |session: &Session, id: &str| {
        let legs = session.timeline().legs();
        let leg = legs.iter().find(|leg| leg.id == id).unwrap();
        (leg.started_at, leg.ended_at, leg.transfer)
    };
    let transfer = Some(Transfer::Unspecified);
    let of_8 = (
        at(&time("05:00")),
        Some(at(&time("07:00.300"))),
        Some(Transfer::Unspecified),
    );
    let events = [queued(), assigned(), passed_on(), passed_back()];
    in_every_order(&events, |session| {
        // What the first part of it was is not forgotten: it was passed on.
        let of_7 = (at(&time("07:00")), None, transfer);
        assert_eq!(stretch(session, "507000000017:7"), of_7);
        assert_eq!(stretch(session, "507000000017:8"), of_8);
        assert_eq!(session.timeline().transfers().total(), 2);
        assert_eq!(session.timeline().status(), Status::Open);
    });
    let given_up = event(
        "CaseInboxAssigneeChanged",
        "09:17.495",
        &json!({"status": "resolved", "statusUpdatedAt": time("09:00"), "inboxAssigneeLastAssignedAt": time("07:00"),
            "routableType": "NOT_ROUTABLE"}),
        &json!({"inboxAssignee": null, "previousInboxAssignee": agent(7), "acceptRejectFlow": {"isTransfer": false}}),
    );
    let events = [queued(), assigned(), passed_on(), passed_back(), given_up];
    in_every_order(&events, |session| {
        let (began, ended, _) = stretch(session, "507000000017:7");
        assert_eq!(
            (began, ended),
            (at(&time("07:00")), Some(at(&time("09:17.495"))))
        );
        assert_eq!(stretch(session, "507000000017:8"), of_8);
        assert_eq!(session.timeline().status(), Status::Completed);
    });
}

#[test]
fn where_an_open_case_is_shows_while_it_lives() {
    let phase = |events: &[Value]| {
        let session = fold(events);
        let timeline = session.timeline();
        let now = timeline.now().unwrap();
        (
            now.phase,
            now.since,
            now.agent.map(|agent| agent.as_str().to_owned()),
        )
    };
    assert_eq!(
        phase(&[queued()]),
        (Phase::Waiting, at(&time("00:02.250")), None)
    );
    assert_eq!(
        phase(&[queued(), assigned()]),
        (Phase::InProgress, at(&time("00:30")), Some("7".into()))
    );
    let with_b = phase(&[queued(), assigned(), passed_on()]);
    assert_eq!((with_b.0, with_b.2), (Phase::InProgress, Some("8".into())));
    let pending = event(
        "CaseStatusChanged",
        "06:00.000",
        &json!({"status": "pending", "statusUpdatedAt": time("06:00"), "inboxAssigneeLastAssignedAt": time("05:00")}),
        &json!({}),
    );
    assert_eq!(
        phase(&[queued(), assigned(), passed_on(), pending]).0,
        Phase::Other
    );
}

#[test]
fn who_leaves_the_queue_abandons_it_where_the_platform_says_so() {
    let left = |abandon: Value, queue: Value| {
        event(
            "CaseStatusChanged",
            "03:00.000",
            &json!({"status": "closed", "statusUpdatedAt": time("03:00"), "abandon": abandon, "routingQueueId": queue}),
            &json!({"routingQueue": null}),
        )
    };
    let session = fold(&[queued(), left(json!(true), json!("q"))]);
    let timeline = session.timeline();
    assert_eq!(timeline.outcome(), Some(Became::AbandonedInQueue));
    assert_eq!(
        timeline.abandoned_after(),
        Some(DurationFact::Stated(Millis(177_750)))
    );
    assert_eq!(
        fold(&[left(json!(true), Value::Null)]).timeline().outcome(),
        Some(Became::AbandonedInIvr)
    );
    // Without a word on it nobody knows why nobody answered: no abandonment, no service either.
    for unsaid in [Value::Null, json!(false), json!("False"), json!([])] {
        let session = fold(&[queued(), left(unsaid.clone(), json!("q"))]);
        assert_eq!(
            session.timeline().outcome(),
            Some(Became::Other),
            "{unsaid}"
        );
        assert_eq!(
            fold(&[left(unsaid, Value::Null)]).timeline().outcome(),
            Some(Became::Other)
        );
    }
}

#[test]
fn a_bot_answers_nobody_and_a_survey_neither() {
    for machine in [
        bot(),
        json!({"id": 8, "incontactId": "x", "isBotUser": "False", "isSurveyUser": "True"}),
    ] {
        let by_bot = event(
            "CaseInboxAssigneeChanged",
            "00:01.000",
            &json!({"inboxAssignee": 9, "inboxAssigneeUser": machine, "inboxAssigneeLastAssignedAt": time("00:01"), "routingQueueId": null}),
            &json!({"inboxAssignee": machine, "previousInboxAssignee": null, "routingQueue": null}),
        );
        let session = fold(&[by_bot.clone(), queued()]);
        assert!(session.timeline().agents().is_empty());
        assert_eq!(session.timeline().now().unwrap().phase, Phase::Waiting);
        let session = fold(&[by_bot, queued(), assigned(), resolved()]);
        assert_eq!(
            session.timeline().answered_after(),
            Some(DurationFact::Stated(Millis(27_750)))
        );
    }
}

#[test]
fn one_who_was_never_seen_waiting_has_no_wait_and_not_one_of_zero() {
    let session = fold(&[assigned(), resolved()]);
    let timeline = session.timeline();
    assert_eq!(timeline.outcome(), Some(Became::Answered));
    assert_eq!(timeline.answered_after(), None);
    assert_eq!(timeline.answered_at(), Some(at(&time("00:30"))));
}

#[test]
fn an_agent_is_who_the_acd_knows_and_else_who_the_event_names() {
    let id = |user: Value, number: Value| {
        let event = event(
            "CaseInboxAssigneeChanged",
            "00:30.000",
            &json!({"inboxAssignee": number, "inboxAssigneeUser": user}),
            &json!({}),
        );
        let mapped = mapped(&event);
        let agent = fact(mapped.stated.facts(), "now").statement.agent.clone();
        agent.map(|agent| agent.id.to_string())
    };
    assert_eq!(id(agent(7), json!(10_007)).as_deref(), Some("7"));
    let older = json!({"id": 10_007, "incontactId": "0000AAAA-0000-4000-8000-000000000007", "isBotUser": false});
    assert_eq!(
        id(older, json!(10_007)).as_deref(),
        Some("0000aaaa-0000-4000-8000-000000000007")
    );
    assert_eq!(
        id(json!({"id": 10_007}), json!(10_007)).as_deref(),
        Some("user-10007")
    );
    assert_eq!(
        id(Value::Null, json!(10_007)).as_deref(),
        Some("user-10007")
    );
    assert_eq!(id(Value::Null, Value::Null), None);
}

#[test]
fn a_queue_is_the_skill_behind_it_and_else_itself() {
    let queue = |routing: Value| {
        let event = event(
            "CaseToRoutingQueueAssignmentChanged",
            "00:02.000",
            &json!({}),
            &json!({"routingQueue": routing}),
        );
        let mapped = mapped(&event);
        let queue = fact(mapped.stated.facts(), "queued")
            .statement
            .queue
            .clone();
        queue.map(|queue| queue.to_string())
    };
    let own = Some("00000000-0000-4000-8000-0000000000aa".to_owned());
    assert_eq!(
        queue(json!({"id": "X", "skillId": 12})).as_deref(),
        Some("12")
    );
    assert_eq!(
        queue(json!({"id": "00000000-0000-4000-8000-0000000000AA", "skillId": 0})),
        own
    );
    assert_eq!(queue(Value::Null), own);
}

#[test]
fn the_agents_own_events_say_the_same_of_the_same_leg() {
    let part = |closed: Value, user: Value| json!({"agentContact": {"id": "00000000-0000-4000-8000-0000000000f1", "user": user, "createdAt": time("00:30"), "closedAt": closed}});
    let started = event(
        "AgentContactStarted",
        "00:30.200",
        &json!({"inboxAssigneeUser": agent(7), "inboxAssigneeLastAssignedAt": time("00:30")}),
        &part(Value::Null, agent(7)),
    );
    let ended = event(
        "AgentContactEnded",
        "05:00.900",
        &json!({"status": "open"}),
        &part(json!(time("05:00")), agent(7)),
    );
    let session = fold(&[queued(), assigned(), started, ended]);
    let timeline = session.timeline();
    let legs = timeline.legs();
    let agents: Vec<_> = legs
        .iter()
        .filter(|leg| leg.kind == LegKind::Agent)
        .collect();
    let [leg] = agents[..] else {
        panic!("{agents:#?}")
    };
    assert_eq!(
        (leg.started_at, leg.ended_at),
        (at(&time("00:30")), Some(at(&time("05:00"))))
    );
    // Without the case, the contact's number tells which.
    let mut bare = event(
        "AgentContactEnded",
        "05:00.900",
        &json!({}),
        &part(Value::Null, agent(7)),
    );
    bare["data"].as_object_mut().unwrap().remove("case");
    assert_eq!(outcome(&bare).unwrap_err().field, "data.case.id");
    bare["data"]["agentContact"]["contactNumber"] = json!(507_000_000_017_i64);
    let found = mapped(&bare);
    assert_eq!(found.stated.subject(), CASE);
    let until = fact(found.stated.facts(), "agent:7:until")
        .statement
        .leg()
        .unwrap()
        .ended_at;
    assert_eq!(until, Some(at(&time("05:00.900"))));
    bare["data"]["agentContact"]["user"] = bot();
    assert_eq!(
        outcome(&bare),
        Ok(Outcome::Ignored {
            kind: "AgentContactEnded of a machine".into()
        })
    );
}

#[test]
fn an_event_that_lies_elsewhere_is_refused_by_the_name_of_what_it_is_and_its_link_is_not_shown() {
    let event = json!({"eventId": "e", "eventType": "EventInS3", "eventObject": "S3Object", "createdAt": "2026-05-04T14:00:00.462Z",
        "data": {"s3Object": {"url": "https://bucket.example/x?X-Amz-Expires=900&X-Amz-Signature=abc"},
            "originEvent": {"eventType": "CaseStatusChanged"}}});
    let error = outcome(&event).unwrap_err();
    assert_eq!(error.field, "data.s3Object");
    assert!(error.value.contains("CaseStatusChanged"), "{error}");
    assert!(error.expected.contains("post it here again"), "{error}");
    assert!(!error.to_string().contains("Signature"), "{error}");
    for broken in [json!({}), json!({"originEvent": 5}), Value::Null] {
        let error = outcome(&json!({"eventType": "eventins3", "data": broken})).unwrap_err();
        assert_eq!(error.field, "data.s3Object");
    }
}

#[test]
fn kinds_that_nobody_needs_are_ignored_by_name() {
    for kind in [
        "MessageCreated",
        "MessageAddedIntoCase",
        "MessageReadChanged",
        "CustomerContactCreated",
        "CustomerContactClosed",
        "ContactPriorityChanged",
        "UserStatusChanged",
        "SetPositionInQueue",
        "ChannelUpdated",
        "SomethingOfNextYear",
    ] {
        assert_eq!(
            outcome(&json!({"eventType": kind, "data": 5})),
            Ok(Outcome::Ignored { kind: kind.into() })
        );
    }
}

#[test]
fn pitfall_9_offsets_without_a_colon_are_read_and_damaged_ones_refused_with_their_place() {
    let with = |offset: &str| {
        let mut event = queued();
        event["createdAtWithMilliseconds"] = json!(format!("2026-05-04T15:00:02.250{offset}"));
        outcome(&event)
    };
    for offset in ["+01:00", "+0100", "+01"] {
        let Ok(Outcome::Mapped(found)) = with(offset) else {
            panic!("{offset}")
        };
        assert_eq!(found.at, at("2026-05-04T14:00:02.250Z"), "{offset}");
    }
    let error = with("+0,0:00").unwrap_err();
    assert_eq!(error.field, "createdAtWithMilliseconds");
    assert!(error.value.contains("+0,0:00"), "{error}");
    for (member, value) in [
        ("statusUpdatedAt", json!("2026-05-04T14:00:00+0,0:00")),
        ("createdAt", json!("2026-05-04T14:00:00")),
        ("inboxAssigneeLastAssignedAt", json!("yesterday")),
        ("status", json!([1])),
        ("id", json!([1])),
        ("inboxAssigneeUser", json!([1])),
    ] {
        let error = outcome(&event(
            "CaseCreated",
            "00:02.000",
            &json!({member: value}),
            &json!({}),
        ))
        .unwrap_err();
        assert_eq!(error.field, format!("data.case.{member}"), "{error}");
    }
    let mut silent = queued();
    silent["createdAt"] = Value::Null;
    silent["createdAtWithMilliseconds"] = Value::Null;
    assert_eq!(outcome(&silent).unwrap_err().field, "createdAt");
    assert_eq!(
        outcome(&json!({"data": {}})).unwrap_err().field,
        "eventType"
    );
    assert_eq!(outcome(&json!([])).unwrap_err().field, "(item)");
}

#[test]
fn a_case_of_which_nearly_nothing_is_said_takes_nothing_back() {
    let bare = json!({"eventType": "CaseInboxAssigneeChanged", "createdAt": time("20:00"), "data": {"case": {"id": 507_000_000_017_i64},
        "previousInboxAssignee": {"id": 5}}});
    assert_eq!(mapped(&bare).stated.subject(), CASE);
    let mut events = life();
    events.push(bare);
    let session = fold(&events);
    assert_eq!(session.timeline().status(), Status::Completed);
    assert_eq!(session.timeline().ended_at(), Some(at(&time("09:00"))));
    // Nothing at all is no statement.
    let nothing = json!({"eventType": "CaseCreated", "createdAt": time("20:00"), "data": {"case": {"id": "1"}}});
    assert_eq!(
        outcome(&nothing),
        Ok(Outcome::Ignored {
            kind: "CaseCreated of which nothing is said".into()
        })
    );
}

#[test]
fn a_body_is_one_event_a_list_or_lines() {
    let (one, two) = (queued().to_string(), assigned().to_string());
    for body in [format!("[{one},{two}]"), format!("{one}\n{two}\n")] {
        let Split::Items(items) = split(&FORMAT, body.as_bytes()) else {
            panic!("{body}")
        };
        assert_eq!(items.len(), 2);
    }
}

#[test]
fn a_case_of_many_events_has_few_facts() {
    let events: Vec<Value> = (0..50)
        .map(|second| {
            event(
                "CaseStatusChanged",
                &format!("10:{second:02}.000"),
                &json!({"status": if second % 2 == 0 { "open" } else { "pending" }, "statusUpdatedAt": time(&format!("10:{second:02}"))}),
                &json!({}),
            )
        })
        .collect();
    assert!(fold(&events).len() < 8);
}

#[test]
fn a_record_and_the_events_of_one_contact_speak_of_the_same_legs() {
    let record = json!({"contactId": CASE, "masterContactId": CASE, "contactStartDate": "2026-05-04T14:00:00Z",
        "lastUpdateTime": "2026-05-04T14:09:00Z", "dateContactWarehoused": "2026-05-04T14:12:00Z", "dateACWWarehoused": "2026-05-04T14:15:00Z",
        "agentId": 8, "skillId": 4321, "mediaTypeId": 3, "isOutbound": false, "abandoned": false, "preQueueSeconds": 2,
        "inQueueSeconds": 28, "agentSeconds": 510, "holdSeconds": 0, "holdCount": 0, "acwSeconds": 5, "totalDurationSeconds": 540});
    let Ok(Outcome::Mapped(record)) = map(
        &BodyFormat::CxoneContacts,
        record.to_string().as_bytes(),
        &Mappings::none(),
    ) else {
        panic!()
    };
    assert_eq!(record.stated.subject(), CASE);
    let mut session = fold(&life());
    let legs = |session: &Session| -> Vec<String> {
        session
            .timeline()
            .legs()
            .iter()
            .map(|leg| leg.id.to_string())
            .collect()
    };
    let mut before = legs(&session);
    before.sort();
    for fact in record.stated.facts() {
        session.insert(fact.clone());
    }
    let timeline = session.timeline();
    let mut after = legs(&session);
    after.sort();
    assert_eq!(after, before);
    assert_eq!(
        timeline.answered_after(),
        Some(DurationFact::Stated(Millis(28_000))),
        "once, as the record has it"
    );
    assert_eq!(
        timeline.duration(schema::DurationKind::Talk),
        Some(DurationFact::Stated(Millis(510_000)))
    );
    assert_eq!(
        timeline.duration(schema::DurationKind::QueueWait),
        Some(DurationFact::Stated(Millis(28_000)))
    );
    assert_eq!(timeline.agent_count(), 2);
    // By itself the record says as much of the wait.
    let mut alone = Session::default();
    for fact in record.stated.facts() {
        alone.insert(fact.clone());
    }
    assert_eq!(
        alone.timeline().answered_after(),
        Some(DurationFact::Stated(Millis(28_000)))
    );
    assert_eq!(alone.timeline().outcome(), Some(Became::Answered));
}

proptest! {
    #[test]
    fn order_repetition_and_batches_of_digital_events_do_not_matter(
        order in Just(life().into_iter().chain([reopened()]).collect::<Vec<_>>()).prop_shuffle(),
        again in prop::collection::vec(0_usize..7, 0..6),
        cut in 0_usize..7,
    ) {
        let expected = fold(life().iter().chain([&reopened()]));
        let mut events = order.clone();
        events.extend(again.iter().map(|index| order[*index].clone()));
        prop_assert_eq!(&fold(&events), &expected);
        let (one, other) = order.split_at(cut);
        let mut joined = fold(other);
        joined.join(fold(one));
        prop_assert_eq!(&joined, &expected);
    }

    #[test]
    fn a_damaged_event_is_refused_or_read_and_never_panics(index in 0_usize..6, cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut raw = life()[index].to_string().into_bytes();
        let place = cut.index(raw.len());
        raw[place] = byte;
        let _outcome = map(&FORMAT, &raw, &Mappings::none());
        let _outcome = map(&FORMAT, &raw[..place], &Mappings::none());
    }
}
