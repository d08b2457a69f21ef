//! The truth about small cases, each worked out by hand.

use super::*;
use serde_json::{Value, json};

#[allow(clippy::needless_pass_by_value)] // so that cases read as one expression
fn event(id: &str, at: &str, state: &str, more: Value) -> Vec<u8> {
    let mut data =
        json!({ "event_id": id, "interaction_id": "i", "type": "telephony:call", "state": state });
    data.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({ "subscription_id": "s", "event_type": "analytics:events:publish", "timestamp": at, "data": data })
        .to_string()
        .into_bytes()
}

fn agent(id: &str, zone: &str) -> Value {
    json!([{ "id": "c", "type": "customer" }, { "id": id, "type": "agent", "timezone": zone }])
}

fn check(events: &[Vec<u8>]) -> Truth {
    let truth = Truth::of(events.iter().map(Vec::as_slice));
    let mut turned: Vec<_> = events.to_vec();
    turned.reverse();
    let again = Truth::of(turned.iter().map(Vec::as_slice));
    assert_eq!(truth, again, "the order of reading must not matter");
    truth
}

fn only(events: &[Vec<u8>]) -> Outcome {
    check(events).interactions.remove("i").unwrap()
}

/// New York at 14:00 UTC in July: 10:00 on the wall.
fn call() -> Vec<Vec<u8>> {
    let ny = || agent("a", "America/New_York");
    vec![
        event("1", "2024-07-01T14:00:00.000Z", "offered", json!({})),
        event(
            "2",
            "2024-07-01T14:00:20Z",
            "connected",
            json!({ "participants": ny(), "metrics": { "queue_wait_ms": 20_000 } }),
        ),
        event(
            "3",
            "2024-07-01T14:05:00Z",
            "completed",
            json!({ "participants": ny(), "disposition": "RESOLVED", "metrics": { "talk_time_ms": 200_000, "hold_time_ms": 60_000 } }),
        ),
        event(
            "4",
            "2024-07-01T14:05:30Z",
            "wrapped_up",
            json!({ "participants": ny(), "metrics": { "wrap_time_ms": 30_500 } }),
        ),
    ]
}

#[test]
fn a_plain_call_adds_talk_hold_and_wrap() {
    let outcome = only(&call());
    assert_eq!(outcome.adjusted_aht, 290_500);
    assert_eq!(outcome.handle, Some(290_500));
    assert_eq!(outcome.queue_wait, Some(20_000));
    assert_eq!(outcome.zone, "America/New_York");
}

#[test]
fn without_a_terminal_state_there_is_nothing() {
    let mut events = call();
    events.remove(2);
    let truth = check(&events);
    assert_eq!((truth.interactions.len(), truth.open), (0, 1));
}

#[test]
fn the_last_statement_on_the_timeline_wins_also_downward_and_wherever_it_arrives() {
    let mut events = call();
    events.insert(
        0,
        event(
            "5",
            "2024-07-01T14:06:00Z",
            "corrected",
            json!({ "metrics": { "talk_time_ms": 150_000 } }),
        ),
    );
    assert_eq!(only(&events).talk, Some(150_000));
    assert_eq!(only(&events).adjusted_aht, 240_500);
}

#[test]
fn a_revision_replaces_its_event_and_an_older_one_does_not() {
    let mut events = call();
    let revised = |at: &str, talk: i64| {
        event(
            "3",
            "2024-07-01T14:05:00Z",
            "completed",
            json!({ "participants": agent("a", "America/New_York"), "updated_at": at, "disposition": "RESOLVED", "metrics": { "talk_time_ms": talk } }),
        )
    };
    events.push(revised("2024-07-01T15:00:00Z", 100_000));
    events.push(revised("2024-07-01T14:30:00Z", 999_000));
    let truth = check(&events);
    let outcome = &truth.interactions["i"];
    assert_eq!(
        (outcome.talk, outcome.hold),
        (Some(100_000), None),
        "the hold time was withdrawn"
    );
    assert_eq!((truth.events, truth.statements), (6, 6));
}

#[test]
fn copies_change_nothing_and_are_counted() {
    let mut events = call();
    events.extend(call());
    let truth = check(&events);
    assert_eq!(truth.interactions["i"], only(&call()));
    assert_eq!((truth.events, truth.statements), (8, 4));
}

#[test]
fn the_first_agents_zone_and_the_last_disposition_count() {
    let transfer = |disposition: &str| {
        let mut events = call();
        // Berlin passes to New York: at 14:00 UTC it is 16:00 in Berlin.
        events.push(event(
            "2a",
            "2024-07-01T14:00:10Z",
            "connected",
            json!({ "participants": agent("b", "Europe/Berlin") }),
        ));
        events.push(event(
            "2b",
            "2024-07-01T14:02:00Z",
            "transferred",
            json!({ "disposition": disposition }),
        ));
        only(&events)
    };
    assert_eq!(transfer("IVR_TRANSFER_EXTERNAL").zone, "Europe/Berlin");
    assert_eq!(
        transfer("IVR_TRANSFER_EXTERNAL").reason,
        None,
        "RESOLVED came later"
    );
    let mut events = call();
    events.push(event(
        "9",
        "2024-07-01T14:09:00Z",
        "noted",
        json!({ "disposition": "IVR_SELF_SERVICE" }),
    ));
    let outcome = only(&events);
    assert_eq!(
        (outcome.adjusted_aht, outcome.reason),
        (0, Some("excluded_disposition"))
    );
    assert_eq!(outcome.handle, Some(290_500));
}

#[test]
fn at_one_instant_the_event_id_decides() {
    let mut events = call();
    events.push(event(
        "3z",
        "2024-07-01T14:05:00.000Z",
        "noted",
        json!({ "metrics": { "talk_time_ms": 1 } }),
    ));
    events.push(event(
        "3a",
        "2024-07-01T10:05:00-04:00",
        "noted",
        json!({ "metrics": { "talk_time_ms": 2 } }),
    ));
    assert_eq!(only(&events).talk, Some(1));
}

#[test]
fn business_hours_are_those_of_the_zone_on_that_day() {
    let starts = |at: &str, zone: &str| {
        let participants = agent("a", zone);
        only(&[event(
            "1",
            at,
            "completed",
            json!({ "participants": participants, "metrics": { "talk_time_ms": 5 } }),
        )])
        .adjusted_aht
    };
    // New York: UTC-5 until 2024-03-10 07:00Z, UTC-4 from then on, UTC-5 again from 2024-11-03 06:00Z.
    assert_eq!(starts("2024-03-09T12:59:59.999Z", "America/New_York"), 0);
    assert_eq!(starts("2024-03-09T13:00:00Z", "America/New_York"), 5);
    assert_eq!(starts("2024-03-10T12:00:00Z", "America/New_York"), 5);
    assert_eq!(starts("2024-03-10T21:59:59.999999Z", "America/New_York"), 5);
    assert_eq!(starts("2024-03-10T22:00:00Z", "America/New_York"), 0);
    assert_eq!(starts("2024-11-03T22:59:59Z", "America/New_York"), 5);
    // Lord Howe moves by half an hour: UTC+11 until 2025-04-05 15:00Z, UTC+10:30 from then on.
    assert_eq!(starts("2025-04-04T21:00:00Z", "Australia/Lord_Howe"), 5);
    assert_eq!(starts("2025-04-05T21:00:00Z", "Australia/Lord_Howe"), 0);
    assert_eq!(starts("2025-04-05T21:30:00Z", "Australia/Lord_Howe"), 5);
}

#[test]
fn without_an_agent_the_rule_counts_in_utc_and_nothing_was_handled() {
    let at = "2024-07-01T09:00:00Z";
    let abandoned = only(&[event(
        "1",
        at,
        "abandoned",
        json!({ "metrics": { "queue_wait_ms": 7 } }),
    )]);
    assert_eq!(
        (abandoned.adjusted_aht, abandoned.reason, abandoned.handle),
        (0, None, None)
    );
    assert_eq!(abandoned.zone, "UTC");
    let served = json!({ "disposition": "IVR_SELF_SERVICE", "metrics": { "talk_time_ms": 0 } });
    let served = only(&[event("1", at, "completed", served)]);
    assert_eq!((served.talk, served.handle), (Some(0), None));
}

#[test]
fn lines_that_are_no_events_are_counted_and_passed_over() {
    let mut events = call();
    events.push(b"{".to_vec());
    events.push(b"{\"timestamp\":\"yesterday\",\"data\":{}}".to_vec());
    let truth = check(&events);
    assert_eq!((truth.unreadable, truth.interactions.len()), (2, 1));
}

#[test]
fn csv_has_seconds_with_three_decimals() {
    let csv = check(&call()).csv();
    let line = "i,290.500,290.500,200.000,60.000,30.500,20.000,America/New_York,";
    assert_eq!(csv.lines().nth(1), Some(line));
}
