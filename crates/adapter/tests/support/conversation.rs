//! A conversation of two agents in the shapes of the platform: its events and its record, of one set of numbers.

use schema::UtcMicros;
use serde_json::{Value, json};

/// 2026-05-04T10:00:00Z, in milliseconds.
const TEN: i64 = 1_777_888_800_000;

const ID: &str = "c-1";

/// An instant, so many milliseconds after ten.
pub(crate) const fn at(millis: i64) -> UtcMicros {
    UtcMicros((TEN + millis) * 1000)
}

/// The same, as records write it.
fn iso(millis: i64) -> String {
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    format!(
        "2026-05-04T{:02}:{:02}:{:02}.{:03}Z",
        10 + minutes / 60,
        minutes % 60,
        rest / 1000,
        rest % 1000
    )
}

/// A conversation.
pub(crate) struct Call {
    /// In the order of time, but for the code of the first agent, which comes last.
    pub(crate) events: Vec<Value>,
    pub(crate) record: Value,
}

impl Call {
    /// One of which nothing is told yet.
    pub(crate) const fn new() -> Self {
        Self {
            events: Vec::new(),
            record: Value::Null,
        }
    }

    /// An event of this conversation.
    #[allow(clippy::unused_self, clippy::needless_pass_by_value)] // reads as it is meant
    pub(crate) fn event(&self, what: &str, session: &str, millis: i64, more: Value) -> Value {
        let mut body = json!({"eventTime": TEN + millis, "conversationId": ID, "participantId": format!("p-{session}"), "sessionId": session,
            "mediaType": "VOICE", "provider": "Edge", "direction": "INBOUND", "ani": "tel:+15550100081", "dnis": "tel:+15550100082"});
        let members = body.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        json!({"topicName": format!("v2.detail.events.conversation.{ID}.{what}"), "version": "2", "eventBody": body})
    }

    /// A metric record of an agent's session.
    #[allow(clippy::unused_self)]
    pub(crate) fn metric(&self, session: &str, name: &str, value: i64, millis: i64) -> Value {
        json!({"topicName": format!("v2.analytics.conversation.{ID}.metrics"), "version": "2", "eventBody": {
            "recordId": format!("{session}-{name}"), "metric": name, "metricDate": iso(millis), "value": value, "conversationId": ID,
            "sessionId": session, "purpose": "agent", "userId": session, "mediaType": "voice", "direction": "inbound"}})
    }

    /// A part that nobody knew of: it began when the others ended.
    pub(crate) fn late_part(&self) -> [Value; 2] {
        [
            self.event("user.start", "cy", 599_000, json!({"userId": "cy"})),
            self.event(
                "user.end",
                "cy",
                660_000,
                json!({"userId": "cy", "interactingDurationMs": 60_000, "heldDurationMs": 0, "alertingDurationMs": 1_000}),
            ),
        ]
    }
}

fn segment(kind: &str, from: i64, to: i64, more: &Value) -> Value {
    let mut segment = json!({"segmentType": kind, "segmentStart": iso(from), "segmentEnd": iso(to), "conference": false});
    let members = segment.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    segment
}

fn metric(name: &str, value: i64, emitted: i64) -> Value {
    json!({"name": name, "value": value, "emitDate": iso(emitted)})
}

fn participant(
    purpose: &str,
    session: &str,
    more: &Value,
    segments: &Value,
    metrics: &Value,
) -> Value {
    let mut session = json!({"sessionId": session, "mediaType": "voice", "direction": "inbound", "segments": segments, "metrics": metrics});
    if let Some(direction) = more.get("direction") {
        session["direction"] = direction.clone();
    }
    json!({"participantId": "p", "purpose": purpose, "userId": more.get("userId"), "sessions": [session]})
}

/// A call that anna took, asked bo about, and passed on; an outside line of bo's stayed up for an hour.
pub(crate) fn transferred() -> Call {
    let mut call = Call::new();
    let flow = json!({"flowType": "INBOUNDCALL", "flowId": "f"});
    let of_anna = json!({"userId": "anna", "queueId": "q1"});
    let of_bo = json!({"userId": "bo", "queueId": "q2"});
    let with = |of: &Value, more: Value| {
        let mut all = of.clone();
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        all
    };
    let outside = json!({"direction": "OUTBOUND", "ani": "sip:x@example.invalid", "dnis": "tel:+15550100083"});
    let ended = |how: &str, talk: i64, hold: i64| {
        json!({"disconnectType": how, "interactingDurationMs": talk, "heldDurationMs": hold, "alertingDurationMs": 3_000,
            "contactingDurationMs": 0, "dialingDurationMs": 0, "callbackDurationMs": 0})
    };
    call.events = vec![
        call.event("customer.start", "line", 0, json!({})),
        call.event("flow.start", "flow", 100, flow.clone()),
        call.event(
            "flow.end",
            "flow",
            20_000,
            with(&flow, json!({"connectedDurationMs": 19_900, "exitReason": "TRANSFER", "transferType": "ACD", "disconnectType": "TRANSFER"})),
        ),
        call.event("acd.start", "wait", 20_000, json!({"queueId": "q1"})),
        call.event("user.start", "anna", 32_000, of_anna.clone()),
        call.event(
            "acd.end",
            "wait",
            35_000,
            json!({"queueId": "q1", "acdOutcome": "ANSWERED", "answeredUserId": "anna", "connectedDurationMs": 15_000, "disconnectType": "TRANSFER"}),
        ),
        call.event("acd.start", "wait2", 150_000, json!({"queueId": "q2"})),
        call.event("user.start", "bo", 157_000, of_bo.clone()),
        call.event(
            "acd.end",
            "wait2",
            160_000,
            json!({"queueId": "q2", "acdOutcome": "ANSWERED", "answeredUserId": "bo", "connectedDurationMs": 10_000, "disconnectType": "TRANSFER"}),
        ),
        call.event("user.end", "anna", 200_000, with(&of_anna, ended("TRANSFER", 155_000, 10_000))),
        call.event("acw", "anna", 230_000, with(&of_anna, json!({"wrapupDurationMs": 30_000}))),
        call.event("customer.start", "outside", 300_000, outside),
        call.event("customer.end", "line", 600_000, json!({"interactingDurationMs": 599_900, "disconnectType": "ENDPOINT"})),
        call.event("user.end", "bo", 600_010, with(&of_bo, ended("PEER", 440_010, 0))),
        call.event("acw", "bo", 645_010, with(&of_bo, json!({"wrapupDurationMs": 45_000, "wrapupCode": "b"}))),
        call.event("wrapup", "anna", 650_000, json!({"queueId": "q1", "wrapupDurationMs": 0, "wrapupCode": "a"})),
    ];
    let none = json!({});
    let queue = |name: &str, more: Value| with(&json!({ "queueId": name }), more);
    let participants = json!([
        participant(
            "customer",
            "line",
            &none,
            &json!([
                segment("system", 0, 100, &none),
                segment(
                    "interact",
                    100,
                    600_000,
                    &queue(
                        "q1",
                        json!({"conference": true, "disconnectType": "endpoint"})
                    )
                )
            ]),
            &json!([
                metric("nConnected", 1, 100),
                metric("tConnected", 599_900, 600_000)
            ]),
        ),
        participant(
            "ivr",
            "flow",
            &none,
            &json!([
                segment("system", 100, 200, &none),
                segment("ivr", 200, 20_000, &json!({"disconnectType": "transfer"}))
            ]),
            &json!([metric("nFlow", 1, 200), metric("tIvr", 19_800, 20_000)]),
        ),
        participant(
            "acd",
            "wait",
            &none,
            &json!([segment(
                "interact",
                20_000,
                35_000,
                &queue("q1", json!({"disconnectType": "transfer"}))
            )]),
            &json!([
                metric("nOffered", 1, 20_000),
                metric("tAcd", 15_000, 35_000)
            ]),
        ),
        participant(
            "agent",
            "anna",
            &of_anna,
            &json!([
                segment("alert", 32_000, 35_000, &queue("q1", json!({}))),
                segment("interact", 35_000, 50_000, &queue("q1", json!({}))),
                segment("hold", 50_000, 60_000, &queue("q1", json!({}))),
                segment(
                    "interact",
                    60_000,
                    200_000,
                    &queue("q1", json!({"disconnectType": "transfer"}))
                ),
                segment(
                    "wrapup",
                    200_000,
                    230_000,
                    &queue(
                        "q1",
                        json!({"disconnectType": "transfer", "wrapUpCode": "a"})
                    )
                ),
            ]),
            &json!([
                metric("tAlert", 3_000, 35_000),
                metric("tAnswered", 15_000, 35_000),
                metric("tHeld", 10_000, 60_000),
                metric("nConsult", 1, 150_000),
                metric("nConsultTransferred", 1, 200_000),
                metric("nTransferred", 1, 200_000),
                metric("tHeldComplete", 10_000, 200_000),
                metric("tTalkComplete", 155_000, 200_000),
                metric("tAcw", 30_000, 230_000),
                metric("tHandle", 195_000, 230_000),
            ]),
        ),
        participant(
            "acd",
            "wait2",
            &none,
            &json!([segment(
                "interact",
                150_000,
                160_000,
                &queue("q2", json!({"disconnectType": "transfer"}))
            )]),
            &json!([
                metric("nOffered", 1, 150_000),
                metric("tAcd", 10_000, 160_000)
            ]),
        ),
        participant(
            "agent",
            "bo",
            &of_bo,
            &json!([
                segment("alert", 157_000, 160_000, &queue("q2", json!({}))),
                segment(
                    "interact",
                    160_000,
                    600_010,
                    &queue("q2", json!({"disconnectType": "peer", "conference": true}))
                ),
                segment(
                    "wrapup",
                    600_010,
                    645_010,
                    &queue("q2", json!({"disconnectType": "peer", "wrapUpCode": "b"}))
                ),
            ]),
            &json!([
                metric("tAlert", 3_000, 160_000),
                metric("tAnswered", 10_000, 160_000),
                metric("tTalkComplete", 440_010, 600_010),
                metric("tAcw", 45_000, 645_010),
                metric("tHandle", 485_010, 645_010),
            ]),
        ),
        participant(
            "customer",
            "outside",
            &json!({"direction": "outbound"}),
            &json!([segment(
                "interact",
                300_000,
                3_900_000,
                &json!({"conference": true})
            )]),
            &json!([
                metric("nConnected", 1, 300_000),
                metric("tConnected", 3_600_000, 3_900_000)
            ]),
        ),
    ]);
    call.record = json!({"conversationId": ID, "conversationStart": iso(0), "conversationEnd": iso(3_900_000),
        "originatingDirection": "inbound", "participants": participants});
    call
}
