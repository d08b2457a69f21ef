//! Genesys events about an agent's state, in every frame they come in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{ItemError, Mapped, Mappings, Outcome, Stated, instant, map};
use schema::{AgentFact, BodyFormat, FactKey, Presence, Routing, SourceRank, Track, UtcMicros};
use serde_json::{Value, json};

const USER: &str = "5d235a81-0000-4750-b452-767331b5b906";

fn outcome(body: &Value) -> Result<Outcome, ItemError> {
    map(
        &BodyFormat::GenesysWebhook,
        body.to_string().as_bytes(),
        &Mappings::none(),
    )
}

fn mapped(body: &Value) -> Mapped {
    match outcome(body) {
        Ok(Outcome::Mapped(mapped)) => mapped,
        other => panic!("{other:?}"),
    }
}

/// The agent's id and what is stated.
fn stated(body: &Value) -> (String, Vec<AgentFact>) {
    match mapped(body).stated {
        Stated::Agent { agent, facts } => {
            assert_eq!(agent.zone, None);
            (agent.id.to_string(), facts)
        }
        other @ Stated::Interaction { .. } => panic!("{other:?}"),
    }
}

fn ignored(body: &Value) -> String {
    match outcome(body) {
        Ok(Outcome::Ignored { kind }) => kind,
        other => panic!("{other:?}"),
    }
}

fn at(text: &str) -> UtcMicros {
    instant::parse(text).unwrap()
}

fn topic(what: &str) -> String {
    format!("v2.users.{USER}.{what}")
}

fn frame(topic: &str, body: &Value) -> Value {
    json!({"topicName": topic, "version": "2", "eventBody": body, "metadata": {"CorrelationId": "c"}})
}

/// The frame in the envelope of an event bus.
fn bus(topic: &str, body: &Value) -> Value {
    let mut detail = frame(topic, body);
    detail["timestamp"] = json!("2026-05-04T10:00:00.435Z");
    json!({"version": "0", "id": "3d8fa0fb", "detail-type": "t", "source": "aws.partner/genesys.com/cloud/o/x", "account": "1",
        "time": "2026-05-04T10:00:01Z", "region": "us-east-1", "resources": [], "detail": detail})
}

fn presence() -> Value {
    json!({"source": "PURECLOUD", "primary": true, "message": "back at eight",
        "presenceDefinition": {"id": "org-1", "systemPresence": "On Queue"}, "modifiedDate": "2026-05-04T10:00:00.123Z"})
}

fn routing() -> Value {
    json!({"id": USER, "routingStatus": {"userId": USER, "status": "NOT_RESPONDING", "startTime": "2026-05-04T09:59:58.500Z"}})
}

#[test]
fn a_presence_holds_from_its_change_on() {
    for body in [
        frame(&topic("presence"), &presence()),
        bus(&topic("presence"), &presence()),
        // The case of what it is about does not matter.
        bus(&topic("PRESENCE"), &presence()),
    ] {
        let (agent, facts) = stated(&body);
        assert_eq!(agent, USER);
        let [fact] = &facts[..] else {
            panic!("{facts:?}")
        };
        assert_eq!(fact.at, at("2026-05-04T10:00:00.123Z"));
        assert_eq!(fact.key, FactKey::agent_state(Track::Presence, fact.at));
        assert_eq!((fact.until, fact.revision), (None, None));
        assert_eq!(fact.rank, SourceRank::Event);
        assert_eq!(fact.statement.presence, Some(Presence::OnQueue));
        assert_eq!(fact.statement.reason.as_deref(), Some("org-1"));
        assert_eq!(fact.statement.routing, None);
    }
}

#[test]
fn a_routing_status_holds_from_its_start_on() {
    let (agent, facts) = stated(&frame(&topic("routingStatus"), &routing()));
    assert_eq!(agent, USER);
    let [fact] = &facts[..] else {
        panic!("{facts:?}")
    };
    assert_eq!(fact.at, at("2026-05-04T09:59:58.5Z"));
    assert_eq!(fact.key, FactKey::agent_state(Track::Routing, fact.at));
    assert_eq!(fact.statement.routing, Some(Routing::NotResponding));
    assert_eq!(fact.statement.presence, None);
}

#[test]
fn an_activity_states_both_as_the_other_topics_do() {
    let body = json!({"id": USER, "routingStatus": routing()["routingStatus"],
        "presence": {"presenceDefinition": presence()["presenceDefinition"], "presenceMessage": "x", "modifiedDate": presence()["modifiedDate"]},
        "outOfOffice": {"active": false}, "activeQueueIds": ["q"], "dateActiveQueuesChanged": "2026-05-04T10:00:00Z"});
    let event = frame(&topic("activity"), &body);
    let mut alone = stated(&frame(&topic("presence"), &presence())).1;
    alone.extend(stated(&frame(&topic("routingStatus"), &routing())).1);
    assert_eq!(stated(&event), (USER.to_owned(), alone));
    assert_eq!(
        mapped(&event).at,
        at("2026-05-04T10:00:00.123Z"),
        "the later"
    );
}

#[test]
fn an_audit_entry_tells_a_presence() {
    let audit = json!({"id": "6d76", "userId": "somebody-else", "username": {"id": ""}, "serviceName": "Presence",
        "eventTime": "2026-05-04T10:00:00.000Z", "action": "Update", "entityType": "UserPresence",
        "entity": {"id": USER, "name": "Ada"},
        "propertyChanges": [{"property": "OTHER", "newValues": ["x"]},
            {"property": "PRESENCE", "oldValues": ["Break"], "newValues": ["Available"]}]});
    for topic in [
        format!("v2.audits.entitytype.UserPresence.entityid.{USER}"),
        "v2.audits.entitytype.UserPresence.entityid.{id}".to_owned(),
    ] {
        let (agent, facts) = stated(&bus(&topic, &audit));
        assert_eq!(agent, USER);
        assert_eq!(facts[0].statement.presence, Some(Presence::Available));
        assert_eq!(facts[0].statement.reason, None);
        assert_eq!(facts[0].at, at("2026-05-04T10:00:00Z"));
    }
    let mut nothing = audit.clone();
    nothing["propertyChanges"] = json!([{"property": "PRESENCE", "newValues": []}]);
    let name = format!("v2.audits.entitytype.UserPresence.entityid.{USER}");
    assert_eq!(
        ignored(&bus(&name, &nothing)),
        "v2.audits.entitytype.UserPresence"
    );
}

#[test]
fn a_template_as_topic_is_completed_from_the_body() {
    assert_eq!(
        stated(&frame("v2.users.{id}.routingStatus", &routing())).0,
        USER
    );
    let error = outcome(&frame("v2.users.{id}.presence", &presence())).unwrap_err();
    assert_eq!(
        (error.field.as_str(), error.value.as_str()),
        ("topicName", "nothing")
    );
    let mut named = presence();
    named["userId"] = json!(USER);
    assert_eq!(stated(&frame("v2.users.{id}.presence", &named)).0, USER);
}

#[test]
fn copies_of_one_event_are_one_whatever_brought_them() {
    let one = mapped(&frame(&topic("presence"), &presence()));
    let other = mapped(&bus(&topic("presence"), &presence()));
    assert_eq!(one, other);
    let mut later = presence();
    later["modifiedDate"] = json!("2026-05-04T10:00:00.124Z");
    let later = mapped(&frame(&topic("presence"), &later));
    assert_ne!(one.event_id, later.event_id);
    assert_ne!(
        one.event_id,
        mapped(&frame(&topic("routingStatus"), &routing())).event_id
    );
}

#[test]
fn another_presence_than_the_primary_one_says_nothing() {
    let mut body = presence();
    body["primary"] = json!(false);
    assert_eq!(
        ignored(&frame(&topic("presence"), &body)),
        "v2.users.{id}.presence"
    );
    body.as_object_mut().unwrap().remove("primary");
    assert_eq!(stated(&frame(&topic("presence"), &body)).1.len(), 1);
}

#[test]
fn other_topics_about_users_are_ignored_without_anybodys_id() {
    for name in [
        topic("conversations.calls"),
        topic("station"),
        "v2.audits.entitytype.Queue.entityid.q".to_owned(),
    ] {
        let kind = ignored(&bus(&name, &json!({"id": "x"})));
        assert!(!kind.contains(USER), "{kind}");
    }
    // Nothing in it, or an error instead of a status.
    assert_eq!(
        ignored(&frame(
            &topic("routingStatus"),
            &json!({"id": USER, "errorInfo": {"errors": []}})
        )),
        "v2.users.{id}.routingStatus"
    );
    assert_eq!(
        ignored(&frame(&topic("activity"), &json!({"id": USER}))),
        "v2.users.{id}.activity"
    );
}

#[test]
fn without_an_instant_of_its_own_the_frames_counts() {
    let mut body = presence();
    body.as_object_mut().unwrap().remove("modifiedDate");
    assert_eq!(
        stated(&bus(&topic("presence"), &body)).1[0].at,
        at("2026-05-04T10:00:00.435Z")
    );
    let error = outcome(&frame(&topic("presence"), &body)).unwrap_err();
    assert_eq!(error.field, "eventBody.modifiedDate");
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let refused = |what: &str, body: Value| outcome(&frame(&topic(what), &body)).unwrap_err();
    let error = refused(
        "presence",
        json!({"presenceDefinition": {"systemPresence": 7.5}, "modifiedDate": "2026-05-04T10:00:00Z"}),
    );
    assert_eq!(
        (error.field.as_str(), error.value.as_str()),
        ("eventBody.presenceDefinition.systemPresence", "7.5")
    );
    let error = refused(
        "routingStatus",
        json!({"routingStatus": {"status": "IDLE", "startTime": "yesterday"}}),
    );
    assert_eq!(error.field, "eventBody.routingStatus.startTime");
    let error = refused(
        "routingStatus",
        json!({"routingStatus": {"startTime": "2026-05-04T10:00:00Z"}}),
    );
    assert_eq!(error.field, "eventBody.routingStatus.status");
    let error = refused(
        "routingStatus",
        json!({"routingStatus": {"status": " _ ", "startTime": "2026-05-04T10:00:00Z"}}),
    );
    assert_eq!(error.field, "eventBody.routingStatus.status");
    let error = refused("activity", json!({"presence": "x"}));
    assert_eq!(error.field, "eventBody.presence");
    assert_eq!(refused("presence", json!([1])).field, "(item)");
}

#[test]
fn a_state_that_nobody_knows_keeps_its_name() {
    let mut body = presence();
    body["presenceDefinition"]["systemPresence"] = json!("Out Of Body");
    let fact = stated(&frame(&topic("presence"), &body)).1.remove(0);
    assert_eq!(
        fact.statement.presence,
        Some(Presence::Other("out_of_body".into()))
    );
}
