//! What is somebody's stays in the item: no fact and no error repeats it, in whatever format and wherever it stands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{ItemError, Mapped, Mapping, Mappings, Outcome, Split, Stated, map, split};
use schema::BodyFormat;
use serde_json::{Value, json};

const PHONE: &str = "+15559870123";
const EMAIL: &str = "quilla.plantes@example.com";
const NAME: &str = "Quilla Plantes";
const NOTES: &str = "asked about the leak in her cellar, call back";
const PLANTED: [&str; 4] = [PHONE, EMAIL, NAME, NOTES];
/// Parts by which they are found, also when cut or written otherwise.
const TRACES: [&str; 5] = ["9870123", "987 0123", "quilla", "plantes", "cellar"];

/// Members that platforms have, or may have one day, with what is personal in them.
const MEMBERS: [(&str, &str); 20] = [
    ("name", NAME),
    ("firstName", NAME),
    ("lastName", NAME),
    ("displayName", NAME),
    ("participantName", NAME),
    ("callerName", NAME),
    ("ani", PHONE),
    ("dnis", PHONE),
    ("callingNumber", PHONE),
    ("phoneNumber", PHONE),
    ("fromAddr", PHONE),
    ("addressFrom", PHONE),
    ("addressOther", EMAIL),
    ("email", EMAIL),
    ("remoteNameDisplayable", NAME),
    ("wrapUpNote", NOTES),
    ("dispositionNotes", NOTES),
    ("subject", NOTES),
    ("description", NOTES),
    ("externalTag", NOTES),
];

fn assert_clean(text: &str, of: &str) {
    let text = text.to_lowercase();
    for trace in TRACES {
        assert!(!text.contains(trace), "{trace} in {text}\nof {of}");
    }
}

const MAPPING: &str = "version = 1\n[event]\nat = { path = \"at\" }\ninteraction = \"id\"\ncustomer = \"caller\"\n\
                       agent = \"agent\"\nstate = { path = \"state\", values = { done = \"completed\" }, other = \"refuse\" }\n\
                       [durations.talk]\npath = \"talk\"\nunit = \"s\"\n";

fn mappings() -> Mappings {
    Mappings::none()
        .with("small", Mapping::parse("small.toml", MAPPING).unwrap())
        .keeping(["brand".to_owned()].into())
}

/// An event about a conversation in the envelope of an event bus.
fn topic_event(what: &str, more: &Value) -> Value {
    let mut body = json!({"eventTime": 1_777_888_800_000_i64, "conversationId": "c", "participantId": "p", "sessionId": "s",
        "mediaType": "VOICE", "direction": "INBOUND", "callbackUserName": NAME, "callbackNumbers": [PHONE], "addressTo": EMAIL});
    let members = body.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let topic = format!("v2.detail.events.conversation.{{id}}.{what}");
    json!({"version": "0", "id": "b", "detail-type": topic, "source": "aws.partner/genesys.com/cloud/o/b", "time": "2026-05-04T10:00:00Z",
        "detail": {"topicName": format!("v2.detail.events.conversation.c.{what}"), "version": "2",
            "timestamp": "2026-05-04T10:00:00.435Z", "metadata": {"CorrelationId": "m"}, "eventBody": body}})
}

/// An event about a case that one agent passed on to another.
fn digital_event() -> Value {
    let at = "2026-05-04T10:00:00Z";
    let user = |number: u32| {
        json!({"id": 10_000 + number, "incontactId": "U", "agentId": number, "firstName": NAME, "surname": NAME, "emailAddress": EMAIL,
            "loginUsername": EMAIL, "isBotUser": false, "isSurveyUser": false})
    };
    json!({"eventId": "e", "eventObject": "Case", "eventType": "CaseInboxAssigneeChanged", "createdAt": at, "traceId": "t", "data": {
        "channel": {"id": "chat_x", "realExternalPlatformId": "chat", "mediaType": 3}, "routingQueue": {"id": "q", "skillId": 4321},
        "inboxAssignee": user(8), "previousInboxAssignee": user(7), "acceptRejectFlow": {"isTransfer": true},
        "case": {"id": "5", "status": "open", "statusUpdatedAt": at, "createdAt": at, "direction": "inbound", "routingQueueId": "q",
            "inboxAssignee": 10_008, "inboxAssigneeUser": user(8), "inboxAssigneeLastAssignedAt": at, "threadName": NAME,
            "customFields": [{"ident": "note", "value": NOTES}],
            "endUser": {"id": PHONE, "fullName": NAME, "identities": [{"idOnExternalPlatform": PHONE, "nickname": NAME}]},
            "authorEndUserIdentity": {"idOnExternalPlatform": EMAIL, "fullName": NAME}}}})
}

/// A good item of each format, a JSON object each.
fn objects() -> Vec<(BodyFormat, Value)> {
    let mapped = BodyFormat::Mapped {
        mapping: "small".into(),
    };
    let details: Value = serde_json::from_slice(include_bytes!(
        "../../../tests/fixtures/genesys/conversation-details-page.json"
    ))
    .unwrap();
    let users: Value = serde_json::from_slice(include_bytes!(
        "../../../tests/fixtures/genesys/user-details-page.json"
    ))
    .unwrap();
    vec![
        (
            BodyFormat::GenesysWebhook,
            json!({"event_type": "analytics:events:publish", "timestamp": "2026-05-04T10:00:00Z", "data": {"event_id": "e",
                "interaction_id": "i", "state": "completed", "queue_id": "q", "metrics": {"talk_time_ms": 5},
                "participants": [{"id": PHONE, "type": "customer"}, {"id": "a", "type": "agent", "timezone": "UTC"}]}}),
        ),
        (
            BodyFormat::GenesysWebhook,
            json!({"topicName": "v2.users.u1.presence", "eventBody": {"id": "u1", "primary": true,
                "presenceDefinition": {"systemPresence": "BUSY"}, "modifiedDate": "2026-05-04T10:00:00Z", "message": NOTES}}),
        ),
        (
            BodyFormat::GenesysWebhook,
            topic_event(
                "customer.end",
                &json!({"externalContactId": EMAIL, "interactingDurationMs": 60_000, "disconnectType": "PEER"}),
            ),
        ),
        (
            BodyFormat::GenesysWebhook,
            topic_event(
                "customer.start",
                &json!({"ani": PHONE, "addressFrom": EMAIL}),
            ),
        ),
        (
            BodyFormat::GenesysWebhook,
            topic_event(
                "acw",
                &json!({"userId": "u1", "queueId": "q", "wrapupCode": "w", "wrapupNotes": NOTES, "wrapupDurationMs": 5_000}),
            ),
        ),
        (
            BodyFormat::GenesysWebhook,
            topic_event(
                "attributes",
                &json!({"attributes": {"brand": "blue", "caller": NAME}}),
            ),
        ),
        (
            BodyFormat::GenesysDetails,
            details["conversations"][0].clone(),
        ),
        (BodyFormat::CxoneDigital, digital_event()),
        (
            BodyFormat::CxoneContactStates,
            json!({"stateIndex": 3, "contactId": "36821683098", "masterContactId": "36821683098", "contactStateId": 9,
                "contactStateName": "Hold", "startDate": "2026-05-04T10:01:00Z", "agentId": 7, "skillId": 5001, "skillName": NAME,
                "fromAddress": PHONE, "duration": "PT1M15S"}),
        ),
        (
            BodyFormat::CxoneContacts,
            json!({"contactId": 900_719_925_474_010_002_i64, "contactStartDate": "2026-05-04T10:00:00.5Z",
                "lastUpdateTime": "2026-05-04T10:10:00Z", "agentId": 8001, "skillId": 5001, "isOutbound": false, "abandoned": false,
                "inQueueSeconds": 4.5, "agentSeconds": 605.25, "stateName": "EndContact", "fromAddr": PHONE}),
        ),
        (
            BodyFormat::GenesysUserDetails,
            users["userDetails"][0].clone(),
        ),
        (
            BodyFormat::GenesysSchedules,
            json!({"status": "Complete", "fetchedAt": "2026-05-01T00:00:00Z", "result": {"businessUnitTimeZone": "America/New_York",
                "agentSchedules": [{"user": {"id": "u1"}, "shifts": [{"id": "s", "startDate": "2026-05-04T08:00:00Z",
                    "lengthMinutes": 480, "activities": [{"startDate": "2026-05-04T08:00:00Z", "lengthMinutes": 60,
                    "activityCodeId": "0"}]}]}]}}),
        ),
        (
            BodyFormat::CxoneAgentStates,
            json!({"agentId": 8001, "agentStateId": 4, "agentStateName": "Unavailable", "startDate": "2026-05-04T08:00:00Z",
                "stateIndex": 1, "outStateId": 9, "outStateDescription": "Lunch", "duration": "PT5M"}),
        ),
        (
            mapped,
            json!({"at": "2026-05-04T10:00:00Z", "id": "i", "caller": PHONE, "agent": "a", "state": "done", "talk": 5}),
        ),
    ]
}

/// The items of a body, each mapped.
fn outcomes(format: &BodyFormat, body: &str) -> Vec<Result<Outcome, ItemError>> {
    match split(format, body.as_bytes()) {
        Split::Items(items) => items
            .iter()
            .map(|item| {
                assert_clean(&format!("{item:?}"), body);
                map(format, &item.raw, &mappings())
            })
            .collect(),
        Split::Unreadable { reason } => {
            assert_clean(&format!("{reason} {reason:?}"), body);
            Vec::new()
        }
    }
}

/// All that leaves an item once its customer has a key.
fn told(mut mapped: Mapped) -> String {
    mapped
        .stated
        .key_customer(b"0123456789abcdef", &"acme".into());
    let facts = match &mapped.stated {
        Stated::Interaction { facts, .. } => serde_json::to_string(facts),
        Stated::Agent { agent, facts } => serde_json::to_string(&(agent, facts)),
    };
    format!("{} {} {mapped:?}", facts.unwrap(), mapped.event_id)
}

/// Adds what is personal to every object in it.
fn planted(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(planted);
            for (name, text) in MEMBERS {
                // Where a format reads such a member (a queue's name), it is not free for somebody's.
                members.entry(name).or_insert_with(|| text.into());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(planted),
        _ => {}
    }
}

#[test]
fn facts_hold_nothing_personal_whatever_members_an_item_has() {
    for (format, mut object) in objects() {
        planted(&mut object);
        let body = object.to_string();
        let outcomes = outcomes(&format, &body);
        assert_eq!(outcomes.len(), 1, "{format:?}");
        for outcome in outcomes {
            match outcome {
                Ok(Outcome::Mapped(mapped)) => assert_clean(&told(mapped), &body),
                other => panic!("{format:?}: {other:?}"),
            }
        }
    }
}

/// The paths of every member and element.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = format!("{path}/{name}");
                found.push(path.clone());
                paths(value, &path, found);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                let path = format!("{path}/{index}");
                found.push(path.clone());
                paths(value, &path, found);
            }
        }
        _ => {}
    }
}

#[test]
fn no_error_repeats_what_is_personal_wherever_it_stands() {
    let mut refused = 0;
    for (format, object) in objects() {
        let mut all = vec![String::new()];
        paths(&object, "", &mut all);
        for path in all {
            for text in PLANTED {
                for value in [json!(text), json!([text]), json!({"name": text})] {
                    let mut broken = object.clone();
                    *broken.pointer_mut(&path).unwrap() = value;
                    let body = broken.to_string();
                    for error in outcomes(&format, &body).into_iter().filter_map(Result::err) {
                        refused += 1;
                        assert_clean(&format!("{error} {error:?}"), &body);
                    }
                    // Cut off, as a broken connection leaves it.
                    let cut = &body[..body.len() - 1];
                    for error in outcomes(&format, cut).into_iter().filter_map(Result::err) {
                        assert_clean(&format!("{error} {error:?}"), cut);
                    }
                }
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn reports_keep_names_and_numbers_to_themselves() {
    let zone = || "America/Denver".into();
    let detail = include_str!("../../../tests/fixtures/cxone/call-detail-524.csv");
    let lines: Vec<&str> = detail.lines().take(2).collect();
    let states = "Agent_Session_ID,Agent_No,Agent_Name,Team_No,Bus_No,StateIndex,Start_Date,Working,Available,Outstate_Code,Outstate,\
                  Log_State,Skill_No,Skill_Name,Duration,End_Date\n\
                  1,8001,B,31,1,1,5/4/2026 8:29:15 PM,0,0,9,Lunch,Unavailable,0,,60000,5/4/2026 8:30:15 PM";
    let reports = [
        (
            BodyFormat::CxoneCallDetail { zone: zone() },
            lines.join("\n"),
        ),
        (
            BodyFormat::CxoneAgentStateLog { zone: zone() },
            states.to_owned(),
        ),
    ];
    let personal = ["contact_name", "ani_dialnum", "agent_name", "campaign_name"];
    for (format, body) in reports {
        let (header, row) = body.split_once('\n').unwrap();
        let columns: Vec<&str> = header.split(',').collect();
        // The fixture's only quoted cell has a comma in it.
        let row = row.replace("\"BILLING, INBOUND\"", "BILLING");
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!(columns.len(), cells.len());
        for (place, column) in columns.iter().enumerate() {
            for text in PLANTED {
                let mut cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
                cells[place] = format!("\"{text}\"");
                let body = format!("{header}\n{}\n", cells.join(","));
                for outcome in outcomes(&format, &body) {
                    match outcome {
                        Err(error) => assert_clean(&format!("{error} {error:?}"), &body),
                        Ok(Outcome::Mapped(mapped))
                            if personal.contains(&column.to_lowercase().as_str()) =>
                        {
                            assert_clean(&told(mapped), &body);
                        }
                        Ok(_) => {}
                    }
                }
            }
        }
        let unclosed = format!("{header}\n\"{NAME},{PHONE}\n");
        for error in outcomes(&format, &unclosed)
            .into_iter()
            .filter_map(Result::err)
        {
            assert_clean(&format!("{error} {error:?}"), &unclosed);
        }
    }
}
