//! Writes events in the guide's form.

use super::call::{Event, Notation, zone_of};
use bytes::Bytes;
use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use serde::Serialize;

#[derive(Serialize)]
struct Envelope {
    subscription_id: &'static str,
    event_type: &'static str,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_attempt: Option<u8>,
    data: Data,
}

#[derive(Serialize)]
struct Data {
    event_id: String,
    interaction_id: String,
    #[serde(rename = "type")]
    kind: String,
    state: &'static str,
    queue_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disposition: Option<&'static str>,
    metrics: Metrics,
    participants: Vec<Participant>,
}

#[derive(Serialize)]
#[allow(clippy::struct_field_names)] // the guide's names
struct Metrics {
    #[serde(skip_serializing_if = "Option::is_none")]
    talk_time_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_time_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrap_time_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_wait_ms: Option<i64>,
}

#[derive(Serialize)]
struct Participant {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<&'static str>,
}

/// The event's JSON; with an attempt's number in the envelope when it is sent again.
pub(super) fn event(event: &Event, delivery_attempt: Option<u8>) -> Bytes {
    let mut participants = vec![Participant {
        id: format!("cust_{:06}", event.customer),
        kind: "customer",
        timezone: None,
    }];
    if let Some(agent) = event.agent {
        participants.push(Participant {
            id: format!("agent_{agent:04}"),
            kind: "agent",
            timezone: zone_of(agent),
        });
    }
    let envelope = Envelope {
        subscription_id: "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
        event_type: "analytics:events:publish",
        timestamp: instant(event.at, event.notation),
        delivery_attempt,
        data: Data {
            event_id: format!("evt_{:010}_{:02}", event.call, event.ordinal),
            interaction_id: format!("int_{:010}", event.call),
            kind: format!("telephony:call:{}", event.kind),
            state: event.state,
            queue_id: format!("queue_{:02}", event.queue),
            updated_at: event.updated_at.map(|at| instant(at, Notation::Millis)),
            disposition: event.disposition,
            metrics: Metrics {
                talk_time_ms: event.talk,
                hold_time_ms: event.hold,
                wrap_time_ms: event.wrap,
                queue_wait_ms: event.wait,
            },
            participants,
        },
    };
    Bytes::from(serde_json::to_vec(&envelope).unwrap_or_default())
}

fn instant(millis: i64, notation: Notation) -> String {
    let utc = DateTime::<Utc>::from_timestamp_millis(millis).unwrap_or_default();
    match notation {
        Notation::Millis => utc.to_rfc3339_opts(SecondsFormat::Millis, true),
        Notation::Short => utc.to_rfc3339_opts(SecondsFormat::Secs, true),
        Notation::Micros => utc.to_rfc3339_opts(SecondsFormat::Micros, true),
        Notation::Offset => match FixedOffset::east_opt(-4 * 3_600) {
            Some(offset) => utc
                .with_timezone(&offset)
                .to_rfc3339_opts(SecondsFormat::Millis, false),
            None => utc.to_rfc3339_opts(SecondsFormat::Millis, true),
        },
    }
}
