//! What holds for all inputs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{Mapping, Mappings, Split, digest, guide, map, split};
use proptest::prelude::*;
use schema::BodyFormat;
use serde_json::{Value, json};
use std::fmt::Write as _;

fn formats() -> Vec<BodyFormat> {
    vec![
        BodyFormat::GenesysWebhook,
        BodyFormat::GenesysDetails,
        BodyFormat::CxoneContacts,
        BodyFormat::CxoneContactStates,
        BodyFormat::CxoneDigital,
        BodyFormat::GenesysUserDetails,
        BodyFormat::GenesysSchedules,
        BodyFormat::CxoneAgentStates,
        BodyFormat::CxoneAgentStateLog {
            zone: "America/Denver".into(),
        },
        BodyFormat::CxoneAgentStateLog {
            zone: "Nowhere/Atlantis".into(),
        },
        BodyFormat::CxoneCallDetail {
            zone: "America/Denver".into(),
        },
        BodyFormat::CxoneCallDetail {
            zone: "Nowhere/Atlantis".into(),
        },
        BodyFormat::Mapped {
            mapping: "m".into(),
        },
        BodyFormat::Mapped {
            mapping: "unknown".into(),
        },
    ]
}

fn mappings() -> Mappings {
    let text = "version = 1\n[event]\nat = { path = \"timestamp\" }\ninteraction = \"data.interaction_id\"\nstate = \"data.state\"\ncustomer = \"data.id\"\n\
        [agent_state]\nagent = \"id\"\nat = \"timestamp\"\npresence = \"data\"\nscheduled = \"eventBody\"\n";
    Mappings::none().with("m", Mapping::parse("m", text).unwrap())
}

/// Maps everything that a body holds in every format; the outcome does not matter, that there is one does.
fn digest_all(body: &[u8]) {
    let mappings = mappings();
    for format in formats() {
        if let Split::Items(items) = split(&format, body) {
            for item in items {
                let _outcome = map(&format, &item.raw, &mappings);
            }
        }
        let _outcome = map(&format, body, &mappings);
    }
    let _digest = digest(body);
    let _fact = guide::decode(body);
    let _figures = adapter::genesys_details::from_segments(body);
}

/// A Genesys record and a CXone one that have everything the adapters read.
fn full_records() -> [Value; 2] {
    let at = "2026-05-04T10:00:00Z";
    let segment = |kind: &str| {
        json!({"segmentType": kind, "segmentStart": at, "segmentEnd": at, "disconnectType": "transfer", "queueId": "q", "wrapUpCode": "w",
            "conference": true})
    };
    let session = json!({"sessionId": "s", "peerId": "p", "mediaType": "voice", "direction": "inbound", "bargedParticipantId": "b",
        "flow": {"exitReason": "DISCONNECT", "outcomes": [{"flowOutcomeValue": "FAILURE"}]},
        "segments": [segment("interact"), segment("hold"), segment("wrapup")],
        "metrics": [{"name": "tHeld", "value": 5, "emitDate": at}, {"name": "nConsult", "value": 1, "emitDate": at},
            {"name": "tAnswered", "value": 5, "emitDate": at}]});
    let customer = json!({"purpose": "customer", "externalContactId": "x", "sessions": [{"sessionId": "t", "ani": "tel:+15550100001",
        "addressFrom": "a@b", "dnis": "d", "addressTo": "e", "segments": [segment("interact")]}]});
    let genesys = json!({"conversationId": "c", "conversationStart": at, "conversationEnd": at, "originatingDirection": "inbound",
        "selfServed": false, "participants": [{"purpose": "agent", "userId": "u", "sessions": [session.clone(), session.clone()]},
            customer, {"purpose": "acd", "sessions": [session.clone()]}, {"purpose": "ivr", "sessions": [session]}]});
    let cxone = json!({"contactId": 1, "masterContactId": 1, "contactStartDate": at, "lastUpdateTime": at, "dateContactWarehoused": at,
        "dateACWWarehoused": at, "analyticsProcessedDate": at, "agentId": 7, "skillId": 8, "primaryDispositionId": 9, "mediaTypeId": 4,
        "isOutbound": true, "isActive": false, "isRefused": false, "abandoned": false, "preQueueSeconds": 1.5, "inQueueSeconds": 2,
        "agentSeconds": "1,300", "holdSeconds": 4, "holdCount": 1, "acwSeconds": 5, "conferenceSeconds": 6, "totalDurationSeconds": 7,
        "transferIndicatorName": "Consult", "stateName": "EndContact", "fromAddress": "a", "toAddress": "b"});
    [genesys, cxone]
}

/// What the adapters of agents' time read, with everything in it.
fn full_states() -> Vec<Value> {
    let (at, later) = ("2026-05-04T10:00:00Z", "2026-05-04T11:00:00Z");
    let presence = json!({"source": "S", "primary": true, "presenceDefinition": {"id": "o", "systemPresence": "On Queue"},
        "modifiedDate": at, "message": ""});
    let routing = json!({"status": "IDLE", "startTime": at});
    let audit = json!({"id": "x", "userId": "u", "eventTime": at, "action": "Update", "entity": {"id": "u"},
        "propertyChanges": [{"property": "PRESENCE", "oldValues": ["Break"], "newValues": ["Available"]}]});
    let frame = |topic: &str, body: Value| json!({"topicName": topic, "version": "2", "eventBody": body, "timestamp": at});
    let activity =
        json!({"id": "u", "presence": presence, "routingStatus": routing, "activeQueueIds": ["q"]});
    let bus = json!({"id": "e", "detail-type": "v2.users.{id}.activity", "detail": frame("v2.users.{id}.activity", activity)});
    let details = json!({"userDetails": [{"userId": "u",
        "primaryPresence": [{"startTime": at, "endTime": later, "systemPresence": "ON_QUEUE", "organizationPresenceId": "o"}],
        "routingStatus": [{"startTime": at, "endTime": later, "routingStatus": "IDLE"}]}], "totalHits": 1});
    let activities = json!([{"startDate": at, "lengthMinutes": 60, "activityCodeId": "0"}]);
    let schedules = json!({"status": "Complete", "fetchedAt": at, "activityCodes": {"entities": [{"id": "0", "category": "OnQueueWork"}]},
        "result": {"businessUnitTimeZone": "America/New_York", "agentSchedules": [{"user": {"id": "u"}, "metadata": {"dateModified": at},
            "shifts": [{"id": "s", "startDate": at, "lengthMinutes": 60, "activities": activities}],
            "fullDayTimeOffMarkers": [{"businessUnitDate": "2026-05-05", "activityCodeId": "5"}]}]}});
    let states = json!({"agentStateHistory": {"entries": [{"stateIndex": "1", "startDate": at, "agentId": "7", "agentStateId": "2",
        "agentStateName": "Unavailable", "agentSessionId": "9", "contactId": "0", "outStateId": "3", "outStateDescription": "Lunch",
        "isACW": "False", "duration": "PT1H", "teamId": "4"}]}});
    let detail = json!({"eventTime": 1_777_888_800_000_i64, "conversationId": "c", "participantId": "p", "sessionId": "s", "mediaType": "VOICE",
        "direction": "INBOUND", "ani": "tel:+15550100001", "externalContactId": "x", "conversationExternalContactIds": ["x"], "userId": "u",
        "queueId": "q", "disconnectType": "CONSULT_TRANSFER", "acdOutcome": "ANSWERED", "answeredUserId": "u", "flowType": "INBOUNDCALL",
        "exitReason": "DISCONNECT", "flowOutcomeId": "o", "flowOutcomeValue": "SUCCESS", "interactingDurationMs": 5, "heldDurationMs": 0,
        "alertingDurationMs": 1, "connectedDurationMs": 9, "wrapupDurationMs": 7, "wrapupCode": "w", "voicemailDurationMs": 3,
        "currentState": "HOLD", "currentStateStart": 1_777_888_800_000_i64, "sessionStart": at, "attributes": {"brand": "b"}});
    let metric = json!({"recordId": "r", "metric": "tAcw", "metricDate": at, "value": 5, "conversationId": "c", "sessionId": "s",
        "purpose": "agent", "userId": "u", "queueId": "q"});
    let topics = [
        "customer.start",
        "customer.end",
        "acd.end",
        "user.end",
        "acw",
        "flow.end",
        "flow.outcome",
        "contact",
    ];
    let mut events: Vec<Value> = topics
        .iter()
        .map(|what| {
            frame(
                &format!("v2.detail.events.conversation.c.{what}"),
                detail.clone(),
            )
        })
        .collect();
    events.push(frame("v2.detail.events.agent.u.state", detail.clone()));
    events.push(frame("v2.analytics.conversation.c.metrics", metric));
    let mut flat = detail;
    flat["topicName"] = json!("v2.detail.events.conversation.{id}.user.end");
    events.push(flat);
    let states = vec![
        frame("v2.users.u.presence", presence),
        frame(
            "v2.users.u.routingStatus",
            json!({"id": "u", "routingStatus": routing}),
        ),
        frame("v2.audits.entitytype.UserPresence.entityid.{id}", audit),
        bus,
        details,
        schedules,
        states,
    ];
    states.into_iter().chain(events).collect()
}

/// What the adapters of a contact's course read, with everything in it.
fn full_courses() -> Vec<Value> {
    let at = "2026-05-04T10:00:00Z";
    let user = json!({"id": 3, "incontactId": "U", "agentId": 7, "isBotUser": false, "isSurveyUser": "False"});
    let case = json!({"id": "5", "status": "open", "statusUpdatedAt": at, "createdAt": at, "direction": "inbound", "routingQueueId": "q",
        "routableType": "ROUTABLE", "inboxAssignee": 3, "inboxAssigneeUser": user, "inboxAssigneeLastAssignedAt": at, "abandon": false,
        "endUser": {"id": "e", "identities": [{"idOnExternalPlatform": "x"}]}, "authorEndUserIdentity": {"idOnExternalPlatform": "x"}});
    let event = |kind: &str| {
        json!({"eventId": "E", "eventType": kind, "createdAt": at, "createdAtWithMilliseconds": at, "traceId": "t", "data": {
            "case": case, "previousInboxAssignee": user, "inboxAssignee": null, "routingQueue": {"id": "q", "skillId": 8},
            "acceptRejectFlow": {"isTransfer": true}, "channel": {"mediaType": 3, "realExternalPlatformId": "chat"},
            "agentContact": {"contactNumber": "5", "user": user, "createdAt": at, "closedAt": at}}})
    };
    let states = json!({"resultSet": {"contactStateHistory": [{"stateIndex": 4, "contactId": "1", "masterContactId": 1, "contactStateId": 5,
        "contactStateName": "Hold", "startDate": at, "agentId": 7, "skillId": 8, "duration": "PT1M"}]}});
    vec![
        event("CaseInboxAssigneeChanged"),
        event("AgentContactEnded"),
        states,
    ]
}

/// Every place in a value, as a path for [`Value::pointer_mut`].
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                places(value, &format!("{path}/{name}"), found);
            }
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                places(value, &format!("{path}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// JSON of any shape, with the names that the adapters look for among others.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("data".to_owned()),
        Just("timestamp".to_owned()),
        Just("interaction_id".to_owned()),
        Just("event_id".to_owned()),
        Just("state".to_owned()),
        Just("metrics".to_owned()),
        Just("talk_time_ms".to_owned()),
        Just("participants".to_owned()),
        Just("type".to_owned()),
        Just("id".to_owned()),
        Just("eventBody".to_owned()),
        Just("conversations".to_owned()),
        Just("conversationId".to_owned()),
        Just("conversationStart".to_owned()),
        Just("conversationEnd".to_owned()),
        Just("sessions".to_owned()),
        Just("segments".to_owned()),
        Just("sessionId".to_owned()),
        Just("resultSet".to_owned()),
        Just("completedContacts".to_owned()),
        Just("contactId".to_owned()),
        Just("topicName".to_owned()),
        Just("eventTime".to_owned()),
        Just("detail".to_owned()),
        Just("detail-type".to_owned()),
        Just("group".to_owned()),
        Just("interactingDurationMs".to_owned()),
        Just("userDetails".to_owned()),
        Just("userId".to_owned()),
        Just("agentSchedules".to_owned()),
        Just("shifts".to_owned()),
        Just("activities".to_owned()),
        Just("agentStateHistory".to_owned()),
        Just("agentId".to_owned()),
        "\\PC{0,3}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(Value::from("2024-05-15T14:32:10Z")),
        Just(Value::from("agent")),
        Just(Value::from("v2.users.u.presence")),
        Just(Value::from("v2.users.{id}.activity")),
        Just(Value::from("v2.detail.events.conversation.{id}.user.end")),
        Just(Value::from("v2.analytics.conversation.c.metrics")),
        "\\PC{0,6}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The same value in another spelling: members turned round, odd white space, characters escaped.
fn respelled(value: &Value, escape: bool, out: &mut String) {
    match value {
        Value::Object(members) => {
            out.push_str(" {\n");
            for (place, (name, value)) in members.iter().rev().enumerate() {
                if place > 0 {
                    out.push_str(" ,\t");
                }
                respelled(&Value::from(name.as_str()), escape, out);
                out.push_str(" :\r\n");
                respelled(value, escape, out);
            }
            out.push('}');
        }
        Value::Array(elements) => {
            out.push_str("[ ");
            for (place, value) in elements.iter().enumerate() {
                if place > 0 {
                    out.push_str(" , ");
                }
                respelled(value, escape, out);
            }
            out.push_str(" ]");
        }
        Value::String(text) if escape => {
            out.push('"');
            for unit in text.encode_utf16() {
                write!(out, "\\u{unit:04X}").unwrap();
            }
            out.push('"');
        }
        other => out.push_str(&other.to_string()),
    }
}

proptest! {
    #[test]
    fn no_bytes_make_an_adapter_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
        digest_all(&body);
    }

    #[test]
    fn no_text_of_json_marks_makes_an_adapter_panic(body in "[\\[\\]{}\",:\\\\ a0u\n-]{0,60}") {
        digest_all(body.as_bytes());
    }

    #[test]
    fn no_json_makes_an_adapter_panic(value in any_json()) {
        digest_all(value.to_string().as_bytes());
    }

    #[test]
    fn no_csv_makes_an_adapter_panic(rows in prop::collection::vec("[0-9,/:.\"YN\n -]{0,60}", 0..6)) {
        digest_all(format!("contact_id,start_date,start_time,agent_no,InQueue\n{}", rows.join("\n")).as_bytes());
    }

    #[test]
    fn no_log_of_states_makes_an_adapter_panic(cells in prop::collection::vec("([0-9]{1,2}/[0-9]{1,2}/[0-9]{4} [0-9]{1,2}:[0-9]{2}:[0-9]{2} [AP]M|[0-9]{0,20}|\\PC{0,4})", 7)) {
        digest_all(format!("Agent_No,Start_Date,End_Date,Duration,Working,Available,Log_State\n{}\n", cells.join(",")).as_bytes());
    }

    #[test]
    fn no_report_in_an_answer_makes_an_adapter_panic(file in prop_oneof!["[A-Za-z0-9+/=]{0,60}", "\\PC{0,20}"], name in "file|File|resultFileURL|url") {
        digest_all(json!({name.clone(): file}).to_string().as_bytes());
        digest_all(json!({"resultSet": {"files": [{name: file}]}}).to_string().as_bytes());
    }

    #[test]
    fn a_record_with_anything_in_any_place_makes_no_adapter_panic(place in any::<prop::sample::Index>(), other in any_json()) {
        for mut record in full_records().into_iter().chain(full_states()).chain(full_courses()) {
            let mut found = Vec::new();
            places(&record, "", &mut found);
            *record.pointer_mut(&found[place.index(found.len())]).unwrap() = other.clone();
            digest_all(record.to_string().as_bytes());
        }
    }

    #[test]
    fn a_cut_body_makes_no_adapter_panic(value in any_json(), cut in any::<prop::sample::Index>()) {
        let text = value.to_string();
        digest_all(&text.as_bytes()[..cut.index(text.len())]);
    }

    #[test]
    fn the_digest_is_the_same_for_every_spelling(value in any_json(), escape in any::<bool>()) {
        let mut other = String::new();
        respelled(&value, escape, &mut other);
        prop_assert_eq!(digest(value.to_string().as_bytes()), digest(other.as_bytes()));
    }

    #[test]
    fn the_digest_differs_for_other_content(one in any_json(), other in any_json()) {
        let (one, other) = (one.to_string(), other.to_string());
        prop_assert_eq!(digest(one.as_bytes()) == digest(other.as_bytes()), one == other);
    }

    #[test]
    fn splitting_and_joining_again_changes_no_item(values in prop::collection::vec(any_json().prop_filter("an object", Value::is_object), 1..6)) {
        let texts: Vec<String> = values.iter().map(Value::to_string).collect();
        for body in [format!("[{}]", texts.join(" , ")), texts.join("\n"), format!("{}\r\n", texts.join("\r\n")), texts.concat()] {
            match split(&BodyFormat::GenesysWebhook, body.as_bytes()) {
                Split::Items(items) => {
                    let found: Vec<&[u8]> = items.iter().map(|item| item.raw.as_ref()).collect();
                    let given: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
                    prop_assert_eq!(found, given);
                }
                Split::Unreadable { reason } => prop_assert!(false, "{}", reason),
            }
        }
    }

    #[test]
    fn an_item_maps_alike_alone_and_through_the_fast_path(value in any_json()) {
        let raw = value.to_string();
        let mapped = map(&BodyFormat::GenesysWebhook, raw.as_bytes(), &Mappings::none());
        match (mapped, guide::decode(raw.as_bytes())) {
            // The fast path is the guide's alone: it knows neither agents' states nor the platform's own events.
            (Ok(adapter::Outcome::Mapped(mapped)), Ok(None)) => {
                prop_assert!(mapped.stated.facts().iter().all(|fact| fact.key.is_part()));
            }
            (Ok(adapter::Outcome::Mapped(mapped)), Ok(Some((interaction, fact)))) => {
                prop_assert_eq!(mapped.stated.interaction(), Some(&interaction));
                prop_assert_eq!(mapped.stated.facts(), vec![fact]);
            }
            // Ignored, or an event that cannot be read.
            (Ok(adapter::Outcome::Ignored { .. }) | Err(_), Ok(None)) => {}
            (Err(error), Err(fast)) => prop_assert_eq!(error, fast),
            (mapped, fast) => prop_assert!(false, "{:?} against {:?}", mapped, fast),
        }
    }
}

#[test]
fn the_full_records_are_read_whole() {
    let formats = formats();
    for value in full_records()
        .into_iter()
        .chain(full_states())
        .chain(full_courses())
    {
        let body = value.to_string();
        let maps = |format: &BodyFormat| match split(format, body.as_bytes()) {
            Split::Items(items) => items.iter().all(|item| {
                matches!(
                    map(format, &item.raw, &Mappings::none()),
                    Ok(adapter::Outcome::Mapped(_))
                )
            }),
            Split::Unreadable { .. } => false,
        };
        assert!(formats.iter().any(maps), "{body}");
    }
}

#[test]
fn the_digest_sees_what_matters() {
    let same = |one: &str, other: &str| digest(one.as_bytes()) == digest(other.as_bytes());
    assert!(same(
        r#"{"a":1,"b":[1,2]}"#,
        " {\"b\" : [ 1 ,2],\n\"a\":1} "
    ));
    assert!(
        same(r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        "the last of two holds"
    );
    assert!(same(r#"{"\u0061":"\/"}"#, r#"{"a":"/"}"#));
    assert!(same(r#""\ud83d\ude00""#, "\"😀\""));
    assert!(
        !same(r#"{"a":1}"#, r#"{"a":1.0}"#),
        "a number counts as spelled"
    );
    assert!(!same(r#"{"a":"1"}"#, r#"{"a":1}"#));
    assert!(!same("[1,2]", "[2,1]"));
    assert!(!same(r#"["a","b"]"#, r#"["a\",\"b"]"#));
    assert!(
        !same(r#""\ud800""#, r#""\ud801""#),
        "halves of a pair are content too"
    );
    assert!(!same("{}", "[]"));
    assert!(!same("nope", "nopf"), "what is no JSON counts byte by byte");
}

#[test]
fn depth_is_bounded() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    digest_all(deep.as_bytes());
    digest_all(&deep.as_bytes()[..100_000]);
}
