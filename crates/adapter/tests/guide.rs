//! The guide's envelope: what is read, what is tolerated, what is refused and how that is said.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{ItemError, Mapped, Mappings, Outcome, guide};
use schema::{BodyFormat, DurationKind, Millis, SourceRank, State, UtcMicros};
use serde_json::{Value, json};

/// 2024-05-15T14:32:10Z.
const BASE: i64 = 1_715_783_530_000_000;

fn event() -> Value {
    json!({
        "subscription_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
        "event_type": "analytics:events:publish",
        "timestamp": "2024-05-15T14:32:10.451Z",
        "data": {
            "event_id": "evt_9876543210abcdef",
            "interaction_id": "int_1234567890abcdef",
            "type": "telephony:call:ended",
            "state": "completed",
            "queue_id": "queue_07",
            "disposition": "RESOLVED",
            "metrics": {"talk_time_ms": 45200, "hold_time_ms": 12000, "wrap_time_ms": 8500, "queue_wait_ms": 3200},
            "participants": [
                {"id": "cust_1", "type": "customer"},
                {"id": "agent_555", "type": "agent", "timezone": "America/New_York"}
            ]
        }
    })
}

/// The event with one member set; `null` in a path's last place takes it away.
fn with(path: &str, value: Value) -> Value {
    let mut event = event();
    let pointer = format!("/{}", path.replace('.', "/"));
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = if parent.is_empty() {
        &mut event
    } else {
        event.pointer_mut(parent).unwrap()
    };
    match value {
        Value::Null => {
            parent.as_object_mut().unwrap().remove(name);
        }
        value => parent[name] = value,
    }
    event
}

/// Maps, and checks on the way that the fast path gives the same.
fn map(raw: &[u8]) -> Result<Outcome, ItemError> {
    let outcome = adapter::map(&BodyFormat::GenesysWebhook, raw, &Mappings::none());
    let fast = guide::decode(raw);
    match (&outcome, fast) {
        (Ok(Outcome::Mapped(mapped)), Ok(Some((interaction, fact)))) => {
            assert_eq!(mapped.stated.interaction(), Some(&interaction));
            assert_eq!(mapped.stated.facts(), [fact]);
        }
        (Ok(Outcome::Ignored { .. }), Ok(None)) => {}
        (Err(error), Err(fast)) => assert_eq!(*error, fast),
        other => panic!("the fast path differs: {other:?}"),
    }
    outcome
}

fn mapped(event: &Value) -> Mapped {
    match map(event.to_string().as_bytes()) {
        Ok(Outcome::Mapped(mapped)) => mapped,
        other => panic!("{event}: {other:?}"),
    }
}

fn refused(event: &Value) -> ItemError {
    map(event.to_string().as_bytes()).expect_err(&event.to_string())
}

#[test]
fn the_guides_own_example_is_read_whole() {
    let mapped = mapped(&event());
    assert_eq!(mapped.event_id.as_str(), "evt_9876543210abcdef");
    assert_eq!(mapped.stated.subject(), "int_1234567890abcdef");
    assert_eq!(mapped.at, UtcMicros(BASE + 451_000));
    assert!(mapped.stated.is_terminal());
    let [fact] = mapped.stated.facts() else {
        panic!("one fact")
    };
    assert_eq!(fact.key.as_str(), "e:evt_9876543210abcdef");
    assert_eq!(fact.at, mapped.at);
    assert_eq!(fact.revision, None);
    assert_eq!(fact.rank, SourceRank::Event);
    let statement = &fact.statement;
    assert_eq!(statement.state, Some(State::Completed));
    assert_eq!(statement.disposition.as_deref(), Some("RESOLVED"));
    assert_eq!(statement.queue.as_ref().unwrap().as_str(), "queue_07");
    let agent = statement.agent.as_ref().unwrap();
    assert_eq!(
        (agent.id.as_str(), agent.zone.as_deref()),
        ("agent_555", Some("America/New_York"))
    );
    let durations: Vec<_> = statement.durations.iter().collect();
    assert_eq!(
        durations,
        [
            (DurationKind::Talk, Millis(45200)),
            (DurationKind::Hold, Millis(12000)),
            (DurationKind::Wrap, Millis(8500)),
            (DurationKind::QueueWait, Millis(3200)),
        ]
    );
    // Durations are cumulative statements about the interaction, and the customer's identity is not read.
    assert_eq!(statement.details, None);
}

#[test]
fn pitfall_8_and_9_every_form_of_timestamp_is_the_right_instant() {
    for (text, micros) in [
        ("2024-05-15T14:32:10Z", BASE),
        ("2024-05-15T14:32:10.4Z", BASE + 400_000),
        ("2024-05-15T14:32:10.451Z", BASE + 451_000),
        ("2024-05-15T14:32:10.451123456Z", BASE + 451_123),
        ("2024-05-15T14:32:10+02:00", BASE - 7_200_000_000),
        ("2024-05-15T16:32:10.922+0200", BASE + 922_000),
    ] {
        assert_eq!(
            mapped(&with("timestamp", json!(text))).at,
            UtcMicros(micros),
            "{text}"
        );
    }
}

#[test]
fn a_timestamp_without_a_zone_is_not_guessed() {
    let error = refused(&with("timestamp", json!("2024-05-15T14:32:10.451")));
    assert_eq!(error.field, "timestamp");
    assert_eq!(error.value, "\"2024-05-15T14:32:10.451\"");
    assert!(error.expected.contains("offset"), "{error}");
}

#[test]
fn what_is_missing_is_named() {
    for path in ["timestamp", "data", "data.interaction_id", "data.state"] {
        assert_eq!(refused(&with(path, json!(null))).field, path);
    }
    for path in ["data.interaction_id", "data.state"] {
        assert_eq!(
            refused(&with(path, json!(""))).field,
            path,
            "empty is missing"
        );
    }
    let mut event = with("data.event_id", json!(null));
    event["data"].as_object_mut().unwrap().remove("type");
    assert_eq!(refused(&event).field, "data.event_id");
}

#[test]
fn an_event_without_an_id_gets_the_same_one_every_time() {
    let event = with("data.event_id", json!(null));
    let one = mapped(&event);
    assert_eq!(one, mapped(&event));
    // A revision of the event is still that event; another event is another.
    let mut revised = event.clone();
    revised["data"]["metrics"]["talk_time_ms"] = json!(1);
    assert_eq!(mapped(&revised).event_id, one.event_id);
    for (path, value) in [
        ("type", "telephony:call:wrapped_up"),
        ("interaction_id", "int_2"),
        ("state", "wrapped_up"),
    ] {
        let mut other = event.clone();
        other["data"][path] = json!(value);
        assert_ne!(mapped(&other).event_id, one.event_id, "{path}");
    }
    let mut later = event.clone();
    later["timestamp"] = json!("2024-05-15T14:32:10.452Z");
    assert_ne!(mapped(&later).event_id, one.event_id);
}

#[test]
fn pitfall_29_known_variants_are_read_by_table() {
    let talk = |event: &Value| {
        mapped(event).stated.facts()[0]
            .statement
            .durations
            .get(DurationKind::Talk)
    };
    for (stated, millis) in [
        (json!("45200"), 45200),
        (json!(" 45200 "), 45200),
        (json!(45200.0), 45200),
        (json!("45200.0"), 45200),
        (json!(45200.4), 45200),
        (json!(45200.5), 45201),
        (json!("4.52e4"), 45200),
        (json!(0), 0),
    ] {
        let event = with("data.metrics.talk_time_ms", stated.clone());
        assert_eq!(talk(&event), Some(Millis(millis)), "{stated}");
    }
    assert_eq!(talk(&with("data.metrics.talk_time_ms", json!(null))), None);
    assert_eq!(
        talk(&with("data.metrics", json!({"talkTimeMs": 7}))),
        Some(Millis(7))
    );
    assert_eq!(
        talk(&with("data.metrics", json!({"unknown": {"a": [1]}}))),
        None
    );

    let agent = |event: &Value| mapped(event).stated.facts()[0].statement.agent.clone();
    let alone = json!({"id": "agent_1", "type": "Agent", "timeZone": "Asia/Kolkata"});
    let found = agent(&with("data.participants", alone)).unwrap();
    assert_eq!(
        (found.id.as_str(), found.zone.as_deref()),
        ("agent_1", Some("Asia/Kolkata"))
    );
    assert_eq!(agent(&with("data.participants", json!(null))), None);
    assert_eq!(agent(&with("data.participants", json!([]))), None);
    assert_eq!(
        agent(&with(
            "data.participants",
            json!([null, {"type": "customer"}])
        )),
        None
    );
    let number = json!([{"id": 555, "type": "agent"}]);
    let found = agent(&with("data.participants", number)).unwrap();
    assert_eq!((found.id.as_str(), found.zone), ("555", None));

    let mut camel = event();
    let data = camel["data"].as_object_mut().unwrap();
    for (old, new) in [
        ("event_id", "eventId"),
        ("interaction_id", "interactionId"),
        ("queue_id", "queueId"),
    ] {
        let value = data.remove(old).unwrap();
        data.insert(new.to_owned(), value);
    }
    data.insert("extra".to_owned(), json!({"deep": [1, {"er": null}]}));
    data.insert("State".to_owned(), json!("COMPLETED"));
    data.remove("state");
    assert_eq!(
        mapped(&camel).stated.facts(),
        mapped(&event()).stated.facts()
    );
}

#[test]
fn pitfall_29_other_types_are_refused_with_path_value_and_what_is_allowed() {
    for (path, value, field, shown) in [
        (
            "data.metrics.talk_time_ms",
            json!("soon"),
            "data.metrics.talk_time_ms",
            "\"soon\"",
        ),
        (
            "data.metrics.talk_time_ms",
            json!("inf"),
            "data.metrics.talk_time_ms",
            "\"inf\"",
        ),
        (
            "data.metrics.wrap_time_ms",
            json!(true),
            "data.metrics.wrap_time_ms",
            "true",
        ),
        (
            "data.metrics.hold_time_ms",
            json!({"a": 1}),
            "data.metrics.hold_time_ms",
            "an object",
        ),
        (
            "data.metrics.queue_wait_ms",
            json!([1]),
            "data.metrics.queue_wait_ms",
            "a list",
        ),
        ("data.metrics", json!("none"), "data.metrics", "\"none\""),
        ("data.metrics", json!([]), "data.metrics", "a list"),
        (
            "data.participants",
            json!("agent_555"),
            "data.participants",
            "\"agent_555\"",
        ),
        (
            "data.participants",
            json!([{"type": "customer"}, 7]),
            "data.participants[1]",
            "7",
        ),
        (
            "data.participants",
            json!([{"type": "agent"}]),
            "data.participants[0].id",
            "nothing",
        ),
        (
            "data.participants",
            json!([{"type": "agent", "id": "a", "timezone": 5}]),
            "data.participants[0].timezone",
            "5",
        ),
        ("data.state", json!(5), "data.state", "5"),
        (
            "data.interaction_id",
            json!(["x"]),
            "data.interaction_id",
            "a list",
        ),
        ("data.event_id", json!(1.5), "data.event_id", "1.5"),
        (
            "data.disposition",
            json!({}),
            "data.disposition",
            "an object",
        ),
        ("data.queue_id", json!(false), "data.queue_id", "false"),
        (
            "data.updated_at",
            json!("yesterday"),
            "data.updated_at",
            "\"yesterday\"",
        ),
        (
            "timestamp",
            json!(1_715_783_530_451_i64),
            "timestamp",
            "1715783530451",
        ),
        ("data", json!("{}"), "data", "\"{}\""),
    ] {
        let error = refused(&with(path, value.clone()));
        assert_eq!(
            (error.field.as_str(), error.value.as_str()),
            (field, shown),
            "{path} = {value}"
        );
        assert!(!error.expected.is_empty());
    }
    for raw in [
        "[1]",
        "7",
        "\"x\"",
        "null",
        "{",
        "",
        "{\"timestamp\":1e999}",
        "{\"data\":nope}",
    ] {
        assert_eq!(map(raw.as_bytes()).unwrap_err().field, "(item)", "{raw}");
    }
    assert_eq!(
        map(b"{\"timestamp\":\"\xff\"}").unwrap_err().field,
        "(item)"
    );
}

#[test]
fn pitfall_20_absurd_durations_are_kept_for_the_rules_to_withhold() {
    for (stated, millis) in [
        (json!(-1_715_783_530_000_i64), -1_715_783_530_000),
        (json!(i64::MAX), i64::MAX),
        (json!(u64::MAX), i64::MAX),
        (json!(1e300), i64::MAX),
        (json!("-1e300"), i64::MIN + 1),
        (json!(i64::MIN), i64::MIN + 1),
    ] {
        let mapped = mapped(&with("data.metrics.wrap_time_ms", stated.clone()));
        let fact = &mapped.stated.facts()[0];
        assert_eq!(
            fact.statement.durations.get(DurationKind::Wrap),
            Some(Millis(millis)),
            "{stated}"
        );
    }
}

#[test]
fn pitfall_15_an_update_stamp_is_the_revision_and_new_content_another_digest() {
    let first = mapped(&with("data.metrics.wrap_time_ms", json!(0)));
    let mut event = with("data.metrics.wrap_time_ms", json!(8500));
    event["data"]["updated_at"] = json!("2024-05-15T14:37:10Z");
    let second = mapped(&event);
    assert_eq!(first.event_id, second.event_id);
    assert_eq!(first.stated.facts()[0].key, second.stated.facts()[0].key);
    assert_eq!(
        second.stated.facts()[0].revision,
        Some(UtcMicros(BASE + 300_000_000))
    );
    assert_ne!(first.digest, second.digest);
}

#[test]
fn what_a_resend_renews_is_no_content() {
    let one = mapped(&event());
    for (name, value) in [
        ("delivery_id", json!("d-2")),
        ("attempt", json!(4)),
        ("sent_at", json!("2024-05-16T00:00:00Z")),
        ("subscription_id", json!("another")),
    ] {
        assert_eq!(mapped(&with(name, value)), one, "{name}");
    }
    let other = mapped(&with("data.note", json!("seen by nobody yet, but content")));
    assert_ne!(other.digest, one.digest);
    assert_eq!(other.stated.facts(), one.stated.facts());
}

#[test]
fn pitfall_31_spelling_is_no_content_and_a_name_that_stands_twice_holds_last() {
    let odd = r#" { "data" : {"participants":[{"type":"customer","id":"cust_1"},{"timezone":"America\/New_York","type":"agent","id":"agent_555"}],
        "metrics":{"queue_wait_ms":3200,"wrap_time_ms":8500,"hold_time_ms":12000,"talk_time_ms":1,"talk_time_ms":45200},
        "disposition":"\u0052ESOLVED","queue_id":"queue_07","state":"completed","type":"telephony:call:ended",
        "interaction_id":"int_1234567890abcdef","event_id":"evt_9876543210abcdef"},
        "timestamp":"2024-05-15T14:32:10.451Z","event_type":"analytics:events:publish" } "#;
    match map(odd.as_bytes()) {
        Ok(Outcome::Mapped(odd)) => assert_eq!(odd, mapped(&event())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn pitfall_72_what_no_database_text_can_hold_is_marked_and_the_literal_survives() {
    let raw = |inside: &str| event().to_string().replace("RESOLVED", inside);
    for (spelled, held) in [
        (r"a\u0000b", "a\u{fffd}b"),
        (r"a\ud83d", "a\u{fffd}"),
        (r"\udc00\ud83d\ude00", "\u{fffd}😀"),
        (r"a\\u0000b", r"a\u0000b"),
        (r"a\\ud800", r"a\ud800"),
    ] {
        match map(raw(spelled).as_bytes()) {
            Ok(Outcome::Mapped(mapped)) => {
                assert_eq!(
                    mapped.stated.facts()[0].statement.disposition.as_deref(),
                    Some(held),
                    "{spelled}"
                );
            }
            other => panic!("{spelled}: {other:?}"),
        }
    }
    // In what is not read it does no harm, neither in a value nor in a name.
    let event =
        event()
            .to_string()
            .replacen("\"data\":{", r#""data":{"note\u0000":"\ud800\u0000","#, 1);
    assert!(matches!(map(event.as_bytes()), Ok(Outcome::Mapped(_))));
}

#[test]
fn pitfall_32_an_event_in_a_frame_is_the_same_event() {
    let bare = mapped(&event());
    let frame = json!({"topicName": "analytics.events", "version": "2", "eventBody": event()});
    assert_eq!(mapped(&frame), bare);
    let bus = json!({"version": "0", "id": "x", "detail-type": "t", "detail": {"topicName": "analytics.events", "eventBody": event()}});
    assert_eq!(mapped(&bus), bare);
    // No frame is opened without end.
    let mut deep = event();
    for _ in 0..5 {
        deep = json!({"eventBody": deep});
    }
    assert_eq!(refused(&deep).field, "data");
}

#[test]
fn what_is_about_no_interaction_is_ignored_by_its_kind() {
    let heartbeat =
        json!({"topicName": "channel.metadata", "eventBody": {"message": "WebSocket Heartbeat"}});
    let presence = json!({"event_type": "users:presence", "timestamp": "2024-05-15T14:32:10Z", "data": {"user": "u"}});
    for (event, kind) in [
        (heartbeat, "channel.metadata"),
        (presence, "users:presence"),
    ] {
        match map(event.to_string().as_bytes()) {
            Ok(Outcome::Ignored { kind: found }) => assert_eq!(found, kind),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_state_of_the_guide_has_its_meaning_and_others_keep_their_name() {
    for (name, state, terminal) in [
        ("offered", State::Offered, false),
        ("wrapped_up", State::WrappedUp, false),
        ("abandoned", State::Abandoned, true),
        ("missed", State::Missed, true),
        ("Wrapped-Up", State::WrappedUp, false),
        ("Parked", State::Other("Parked".into()), false),
    ] {
        let mapped = mapped(&with("data.state", json!(name)));
        assert_eq!(mapped.stated.facts()[0].statement.state, Some(state));
        assert_eq!(mapped.stated.is_terminal(), terminal, "{name}");
    }
}

#[test]
fn the_fixture_of_a_transferred_call_reads_as_it_should() {
    let body = include_bytes!("../../../tests/fixtures/genesys/webhook-events.jsonl");
    let adapter::Split::Items(items) = adapter::split(&BodyFormat::GenesysWebhook, body) else {
        panic!("lines of JSON")
    };
    let facts: Vec<_> = items
        .iter()
        .map(|item| match map(&item.raw) {
            Ok(Outcome::Mapped(mapped)) => mapped,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(facts.len(), 7);
    let text = |at: UtcMicros| at.to_string();
    assert_eq!(
        text(facts[2].at),
        "2026-10-24T21:58:40.250Z",
        "an offset without a colon"
    );
    assert_eq!(
        text(facts[3].at),
        "2026-10-24T22:03:00.123456Z",
        "cut to microseconds"
    );
    let talk = |place: usize| {
        facts[place].stated.facts()[0]
            .statement
            .durations
            .get(DurationKind::Talk)
    };
    assert_eq!(
        (talk(3), talk(4), talk(5)),
        (
            Some(Millis(259_000)),
            Some(Millis(600_000)),
            Some(Millis(598_500))
        )
    );
    // A downward correction: the same event, newer content.
    assert_eq!(facts[4].event_id, facts[5].event_id);
    assert!(facts[4].stated.facts()[0].revision < facts[5].stated.facts()[0].revision);
    assert_ne!(facts[4].digest, facts[5].digest);
    assert_eq!(
        facts
            .iter()
            .filter(|mapped| mapped.stated.is_terminal())
            .count(),
        2
    );
}
