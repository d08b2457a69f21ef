//! What one release writes, the one before and the one after read: in broker messages and in stored sessions.

#![allow(clippy::unwrap_used)] // a test fails by panicking

use schema::{
    BodyFormat, CorrelationId, ENVELOPE_VERSION, Event, EventsMessage, Fact, Leg, LegId, LegKind,
    LegOutcome, MessageId, Millis, Transfer, UtcMicros,
};
use serde::{Deserialize, Serialize};

/// A leg as the first release knows it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct FirstLeg {
    i: String,
    k: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    o: Option<String>,
}

fn full() -> Leg {
    Leg {
        ended_at: Some(UtcMicros(9)),
        outcome: Some(LegOutcome::Transferred),
        answered_at: Some(UtcMicros(3)),
        holds: Some(2),
        longest_hold: Some(Millis(40)),
        transfer: Some(Transfer::Consult),
        consult: true,
        conference: true,
        ..Leg::new(LegId::new("s"), LegKind::Agent)
    }
}

fn first() -> FirstLeg {
    FirstLeg {
        i: "s".into(),
        k: "agent".into(),
        e: Some(9),
        o: Some("transferred".into()),
    }
}

#[test]
fn the_release_before_reads_a_leg_and_skips_what_it_does_not_know() {
    let bytes = rmp_serde::to_vec_named(&full()).unwrap();
    assert_eq!(rmp_serde::from_slice::<FirstLeg>(&bytes).unwrap(), first());
    let text = serde_json::to_string(&full()).unwrap();
    assert_eq!(serde_json::from_str::<FirstLeg>(&text).unwrap(), first());
    assert_eq!(
        text,
        r#"{"i":"s","k":"agent","e":9,"o":"transferred","an":3,"h":2,"lh":40,"tr":"consult","cs":true,"cf":true}"#
    );
}

#[test]
fn a_leg_of_the_release_before_is_read_as_one_that_states_no_more() {
    let expected = Leg {
        ended_at: Some(UtcMicros(9)),
        outcome: Some(LegOutcome::Transferred),
        ..Leg::new(LegId::new("s"), LegKind::Agent)
    };
    let bytes = rmp_serde::to_vec_named(&first()).unwrap();
    assert_eq!(rmp_serde::from_slice::<Leg>(&bytes).unwrap(), expected);
    let text = r#"{"i":"s","k":"agent","e":9,"o":"transferred"}"#;
    assert_eq!(serde_json::from_str::<Leg>(text).unwrap(), expected);
    // And is written in the very same bytes: nothing stored changes for want of news.
    assert_eq!(serde_json::to_string(&expected).unwrap(), text);
    assert_eq!(rmp_serde::to_vec_named(&expected).unwrap(), bytes);
}

#[test]
fn a_kind_of_transfer_that_a_later_release_names_is_a_transfer() {
    let read = |name: &str| {
        let text = format!(r#"{{"i":"s","k":"agent","tr":"{name}"}}"#);
        serde_json::from_str::<Leg>(&text).unwrap().transfer
    };
    assert_eq!(read("blind"), Some(Transfer::Blind));
    assert_eq!(read("telepathic"), Some(Transfer::Unspecified));
    for transfer in [Transfer::Blind, Transfer::Consult, Transfer::Unspecified] {
        assert_eq!(read(transfer.name()), Some(transfer));
    }
}

#[test]
fn a_message_carries_all_of_a_leg() {
    let text = r#"{"k":"l:s","a":1,"s":"s","b":{"x":{"l":{"i":"s","k":"agent","an":3,"h":0,"lh":-1,"tr":"blind","cs":true}}}}"#;
    let fact: Fact = serde_json::from_str(text).unwrap();
    let leg = fact.statement.leg().unwrap();
    assert_eq!((leg.holds, leg.longest_hold), (Some(0), Some(Millis(-1))));
    assert_eq!(serde_json::to_string(&fact).unwrap(), text);
    let message = EventsMessage {
        v: ENVELOPE_VERSION,
        id: MessageId::generate(),
        correlation: CorrelationId::new("c"),
        job: None,
        events: vec![Event {
            tenant: "t".into(),
            interaction: "i".into(),
            fact,
        }],
        agents: Vec::new(),
    };
    let read = EventsMessage::decode(&message.encode().unwrap()).unwrap();
    assert_eq!(read, message);
}

#[test]
fn a_format_without_parameters_is_one_word() {
    let text = serde_json::to_string(&BodyFormat::CxoneContacts).unwrap();
    assert_eq!(text, r#""cxone_contacts""#);
    assert_eq!(
        serde_json::from_str::<BodyFormat>(&text).unwrap(),
        BodyFormat::CxoneContacts
    );
}

/// A message as the release before knows it: facts about interactions alone.
#[derive(Debug, Serialize, Deserialize)]
struct EarlierMessage {
    v: u16,
    id: MessageId,
    correlation: CorrelationId,
    events: Vec<Event>,
}

#[test]
fn facts_about_agents_are_news_that_the_release_before_skips() {
    let text = r#"{"k":"l:s","a":1,"b":{}}"#;
    let event = Event {
        tenant: "t".into(),
        interaction: "i".into(),
        fact: serde_json::from_str(text).unwrap(),
    };
    let of_agent = r#"{"t":"t","a":{"i":"anna","z":"Europe/Berlin"},"f":{"k":"a","a":1,"u":9,"s":"s","b":{"p":"meal","q":"off_queue"}}}"#;
    let message = EventsMessage {
        v: ENVELOPE_VERSION,
        id: MessageId::generate(),
        correlation: CorrelationId::new("c"),
        job: None,
        events: vec![event.clone()],
        agents: vec![serde_json::from_str(of_agent).unwrap()],
    };
    let earlier: EarlierMessage = rmp_serde::from_slice(&message.encode().unwrap()).unwrap();
    assert_eq!((earlier.v, earlier.id), (1, message.id));
    assert_eq!(earlier.events, [event]);

    // The other way round: no agents, and the very same bytes again.
    let bytes = rmp_serde::to_vec_named(&earlier).unwrap();
    let read = EventsMessage::decode(&bytes).unwrap();
    assert_eq!(read.agents, []);
    assert_eq!(read.events, earlier.events);
    assert_eq!(read.encode().unwrap(), bytes);
}
