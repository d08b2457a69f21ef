//! Genesys user details: presences and routing statuses of the past.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{ItemError, Mapped, Mappings, Outcome, Split, Stated, instant, map, split};
use schema::{AgentFact, BodyFormat, FactKey, Presence, Routing, SourceRank, Track, UtcMicros};
use serde_json::{Value, json};

const FORMAT: BodyFormat = BodyFormat::GenesysUserDetails;

fn outcome(user: &Value) -> Result<Outcome, ItemError> {
    map(&FORMAT, user.to_string().as_bytes(), &Mappings::none())
}

fn mapped(user: &Value) -> Mapped {
    match outcome(user) {
        Ok(Outcome::Mapped(mapped)) => mapped,
        other => panic!("{other:?}"),
    }
}

fn facts(user: &Value) -> Vec<AgentFact> {
    match mapped(user).stated {
        Stated::Agent { facts, .. } => facts,
        other @ Stated::Interaction { .. } => panic!("{other:?}"),
    }
}

fn at(text: &str) -> UtcMicros {
    instant::parse(text).unwrap()
}

fn items(body: &Value) -> Vec<String> {
    let text = body.to_string();
    let Split::Items(items) = split(&FORMAT, text.as_bytes()) else {
        panic!("{text} cannot be split")
    };
    items
        .iter()
        .map(|item| String::from_utf8(item.raw.to_vec()).unwrap())
        .collect()
}

fn user() -> Value {
    json!({"userId": "u1", "primaryPresence": [
            {"startTime": "2026-05-04T08:00:00.100Z", "endTime": "2026-05-04T12:00:00Z", "systemPresence": "ON_QUEUE", "organizationPresenceId": "o1"},
            {"startTime": "2026-05-04T12:00:00Z", "systemPresence": "MEAL", "organizationPresenceId": "o2"}],
        "routingStatus": [
            {"startTime": "2026-05-04T08:00:01Z", "endTime": "2026-05-04T09:00:00Z", "routingStatus": "IDLE"},
            {"startTime": "2026-05-04T09:00:00Z", "endTime": "2026-05-04T09:00:00Z", "routingStatus": "COMMUNICATING"},
            {"startTime": "2026-05-04T09:00:00Z", "endTime": "2026-05-04T12:00:00Z", "routingStatus": "INTERACTING"}]})
}

#[test]
fn every_stretch_is_a_settled_fact_with_its_end() {
    let mapped = mapped(&user());
    assert_eq!(mapped.event_id.as_str(), "u1");
    assert_eq!(mapped.at, at("2026-05-04T08:00:00.1Z"), "the first");
    let facts = facts(&user());
    let [first, meal, idle, interacting] = &facts[..] else {
        panic!("{facts:?}")
    };
    assert_eq!(first.key, FactKey::agent_state(Track::Presence, first.at));
    assert_eq!(first.until, Some(at("2026-05-04T12:00:00Z")));
    assert_eq!(first.rank, SourceRank::SettledRecord);
    assert_eq!(first.statement.presence, Some(Presence::OnQueue));
    assert_eq!(first.statement.reason.as_deref(), Some("o1"));
    assert_eq!(meal.statement.presence, Some(Presence::Meal));
    assert_eq!(meal.until, None, "still so");
    assert_eq!(idle.key, FactKey::agent_state(Track::Routing, idle.at));
    assert_eq!(idle.statement.routing, Some(Routing::Idle));
    // The one without length would stand at the same instant.
    assert_eq!(interacting.statement.routing, Some(Routing::Interacting));
}

#[test]
fn a_copy_that_knows_the_end_holds_over_one_that_does_not() {
    let mut later = user();
    later["primaryPresence"][1]["endTime"] = json!("2026-05-04T12:30:00Z");
    let (before, after) = (facts(&user()), facts(&later));
    assert_eq!(before[1].key, after[1].key);
    assert!(after[1].supersedes(&before[1]) && !before[1].supersedes(&after[1]));
    assert_ne!(mapped(&user()).digest, mapped(&later).digest);
}

#[test]
fn being_offline_has_no_end_of_its_own() {
    let mut user = user();
    user["primaryPresence"][0]["systemPresence"] = json!("OFFLINE");
    let fact = facts(&user).remove(0);
    assert_eq!(
        (fact.statement.presence, fact.until),
        (Some(Presence::Offline), None)
    );
}

#[test]
fn a_record_and_the_event_before_it_are_one_statement() {
    let event = json!({"topicName": "v2.users.u1.presence", "eventBody": {"presenceDefinition": {"id": "o2", "systemPresence": "Meal"},
        "modifiedDate": "2026-05-04T12:00:00.000Z"}});
    let Ok(Outcome::Mapped(event)) = map(
        &BodyFormat::GenesysWebhook,
        event.to_string().as_bytes(),
        &Mappings::none(),
    ) else {
        panic!("an event")
    };
    let Stated::Agent { facts: told, .. } = event.stated else {
        panic!("about an agent")
    };
    let record = &facts(&user())[1];
    assert_eq!(record.key, told[0].key);
    assert_eq!(record.statement, told[0].statement);
    assert!(record.supersedes(&told[0]));
}

#[test]
fn pages_are_opened_and_empty_ones_are_empty() {
    let one = user();
    let page = json!({"userDetails": [one, one], "totalHits": 2});
    assert_eq!(items(&page).len(), 2);
    assert_eq!(items(&json!([page, one])).len(), 3);
    assert_eq!(items(&one), [one.to_string()]);
    for nothing in [
        json!({}),
        json!({"totalHits": 0}),
        json!({"userDetails": null, "cursor": "c"}),
        json!({"userDetails": [], "dataAvailabilityDate": "2026-05-04T10:00:00Z"}),
        json!([]),
    ] {
        assert_eq!(items(&nothing).len(), 0, "{nothing}");
    }
}

#[test]
fn a_user_without_states_is_ignored() {
    for user in [
        json!({"userId": "u"}),
        json!({"userId": "u", "primaryPresence": [], "routingStatus": null}),
        json!({"userId": "u", "primaryPresence": [{"startTime": "2026-05-04T08:00:00Z", "endTime": "2026-05-04T07:00:00Z", "systemPresence": "AWAY"}]}),
    ] {
        let Ok(Outcome::Ignored { kind }) = outcome(&user) else {
            panic!("{user}")
        };
        assert_eq!(kind, "a user without states");
    }
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let field = |user: &Value| outcome(user).unwrap_err().field;
    assert_eq!(field(&json!({"primaryPresence": []})), "userId");
    assert_eq!(field(&json!("x")), "(item)");
    for (pointer, value, expected) in [
        ("/primaryPresence", json!("x"), "primaryPresence"),
        (
            "/primaryPresence/1/startTime",
            json!("2026-05-04"),
            "primaryPresence[1].startTime",
        ),
        (
            "/primaryPresence/0/endTime",
            json!(5),
            "primaryPresence[0].endTime",
        ),
        (
            "/primaryPresence/0/systemPresence",
            Value::Null,
            "primaryPresence[0].systemPresence",
        ),
        (
            "/routingStatus/0/routingStatus",
            json!(["IDLE"]),
            "routingStatus[0].routingStatus",
        ),
    ] {
        let mut user = user();
        *user.pointer_mut(pointer).unwrap() = value;
        assert_eq!(field(&user), expected);
    }
}
