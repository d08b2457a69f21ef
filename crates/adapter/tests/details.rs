//! Genesys conversation details: one leg a session, durations from metrics, outcome from the legs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{ItemError, Mapped, Mappings, Outcome, Split, map, split};
use schema::{
    BodyFormat, Direction, DurationKind, Fact, FactKey, LegKind, LegOutcome, Millis, SourceRank,
    State,
};
use serde_json::{Value, json};

const PAGE: &[u8] =
    include_bytes!("../../../tests/fixtures/genesys/conversation-details-page.json");

fn mapped(raw: &[u8]) -> Mapped {
    match map(&BodyFormat::GenesysDetails, raw, &Mappings::none()) {
        Ok(Outcome::Mapped(mapped)) => mapped,
        other => panic!("{other:?}"),
    }
}

fn refused(record: &Value) -> ItemError {
    map(
        &BodyFormat::GenesysDetails,
        record.to_string().as_bytes(),
        &Mappings::none(),
    )
    .unwrap_err()
}

fn records() -> Vec<Mapped> {
    let Split::Items(items) = split(&BodyFormat::GenesysDetails, PAGE) else {
        panic!("the fixture is a page")
    };
    items.iter().map(|item| mapped(&item.raw)).collect()
}

fn record(index: usize) -> Mapped {
    records().swap_remove(index)
}

fn whole(mapped: &Mapped) -> &Fact {
    mapped
        .stated
        .facts()
        .iter()
        .find(|fact| fact.key == FactKey::interaction())
        .unwrap()
}

fn legs(mapped: &Mapped, kind: LegKind) -> Vec<&Fact> {
    let mut legs: Vec<&Fact> = mapped
        .stated
        .facts()
        .iter()
        .filter(|fact| fact.statement.leg().is_some_and(|leg| leg.kind == kind))
        .collect();
    legs.sort_by_key(|fact| fact.at);
    legs
}

fn outcomes(mapped: &Mapped, kind: LegKind) -> Vec<Option<LegOutcome>> {
    legs(mapped, kind)
        .iter()
        .map(|fact| fact.statement.leg().unwrap().outcome)
        .collect()
}

fn durations(mapped: &Mapped, kind: LegKind, of: DurationKind) -> Vec<Option<i64>> {
    legs(mapped, kind)
        .iter()
        .map(|fact| fact.statement.durations.get(of).map(|millis| millis.0))
        .collect()
}

#[test]
fn each_record_states_itself_and_each_of_its_sessions_once() {
    let records = records();
    assert_eq!(records.len(), 7);
    for mapped in &records {
        let mut keys: Vec<&FactKey> = mapped.stated.facts().iter().map(|fact| &fact.key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), mapped.stated.facts().len());
        assert!(
            mapped
                .stated
                .facts()
                .iter()
                .all(|fact| fact.rank == SourceRank::SettledRecord)
        );
        assert_eq!(whole(mapped).at, mapped.at);
        // The record's own start is the first instant, although the customer's line is up some milliseconds earlier.
        assert!(
            mapped
                .stated
                .facts()
                .iter()
                .all(|fact| fact.at >= mapped.at)
        );
        assert_eq!(mapped.event_id.as_str(), mapped.stated.subject());
    }
    assert_eq!(record(0).stated.facts().len(), 1 + 7);
}

#[test]
fn a_transferred_call_adds_up_leg_by_leg() {
    let mapped = record(0);
    assert_eq!(whole(&mapped).statement.state, Some(State::Completed));
    assert!(mapped.stated.is_terminal());
    assert_eq!(
        outcomes(&mapped, LegKind::Agent),
        [
            Some(LegOutcome::NotResponding),
            Some(LegOutcome::Transferred),
            Some(LegOutcome::Answered)
        ]
    );
    assert_eq!(
        outcomes(&mapped, LegKind::Queue),
        [Some(LegOutcome::Answered), Some(LegOutcome::Answered)]
    );
    // The complete figure, not the parts beside it.
    assert_eq!(
        durations(&mapped, LegKind::Agent, DurationKind::Talk),
        [None, Some(74_000), Some(90_000)]
    );
    assert_eq!(
        durations(&mapped, LegKind::Agent, DurationKind::Hold),
        // The last one never held, which the platform says by stating nothing.
        [None, Some(6_000), Some(0)]
    );
    // The metric, not the segment, which lasts 12,200 ms; and what the platform states for who did not answer stays stated.
    assert_eq!(
        durations(&mapped, LegKind::Agent, DurationKind::Wrap),
        [Some(5_000), Some(12_000), Some(8_500)]
    );
    assert_eq!(
        durations(&mapped, LegKind::Agent, DurationKind::Handle),
        [Some(5_000), Some(92_000), Some(98_500)]
    );
    assert_eq!(
        durations(&mapped, LegKind::Queue, DurationKind::QueueWait),
        [Some(30_000), Some(2_000)]
    );
    assert_eq!(
        durations(&mapped, LegKind::Customer, DurationKind::Talk),
        [None]
    );
    let codes: Vec<_> = legs(&mapped, LegKind::Agent)
        .iter()
        .map(|fact| fact.statement.disposition.clone().unwrap())
        .collect();
    assert_eq!(codes[2], "ININ-WRAP-UP-TIMEOUT");
    assert_eq!(codes[0], codes[1]);
    assert!(
        legs(&mapped, LegKind::Agent)
            .iter()
            .all(|fact| fact.statement.agent.is_some())
    );
    let details = whole(&mapped).statement.details.as_ref().unwrap();
    assert_eq!(details.media.as_deref(), Some("voice"));
    assert_eq!(details.direction, Some(Direction::Inbound));
}

#[test]
fn how_a_conversation_ended_comes_from_its_legs() {
    let states: Vec<Option<State>> = records()
        .iter()
        .map(|mapped| whole(mapped).statement.state.clone())
        .collect();
    assert_eq!(
        states,
        [
            Some(State::Completed),
            Some(State::Abandoned),
            Some(State::Completed), // by the flow alone
            None,                   // still open
            Some(State::Completed),
            Some(State::Missed), // a callback nobody made
            Some(State::Completed),
        ]
    );
    assert_eq!(
        outcomes(&record(1), LegKind::Queue),
        [Some(LegOutcome::Abandoned)]
    );
    assert_eq!(
        durations(&record(1), LegKind::Queue, DurationKind::QueueWait),
        [Some(42_100)]
    );
    assert_eq!(outcomes(&record(5), LegKind::Queue), [None]);
}

#[test]
fn an_open_conversation_is_not_terminal_and_its_parts_stand_in() {
    let mapped = record(3);
    assert!(!mapped.stated.is_terminal());
    assert!(
        mapped
            .stated
            .facts()
            .iter()
            .all(|fact| fact.statement.state.is_none())
    );
    assert_eq!(
        whole(&mapped).statement.details.as_ref().unwrap().ended_at,
        None
    );
    assert_eq!(
        durations(&mapped, LegKind::Agent, DurationKind::Talk),
        [Some(60_000)]
    );
    assert_eq!(
        durations(&mapped, LegKind::Agent, DurationKind::Wrap),
        [None]
    );
    assert_eq!(
        legs(&mapped, LegKind::Agent)[0]
            .statement
            .leg()
            .unwrap()
            .ended_at,
        None
    );
}

#[test]
fn dialling_and_contacting_are_kept_apart_from_talk() {
    let mapped = record(4);
    assert_eq!(
        durations(&mapped, LegKind::Agent, DurationKind::Dialing),
        [Some(6_000)]
    );
    assert_eq!(
        durations(&mapped, LegKind::Agent, DurationKind::Contacting),
        [Some(1_200)]
    );
    assert_eq!(
        durations(&mapped, LegKind::Agent, DurationKind::Talk),
        [Some(60_000)]
    );
    assert_eq!(
        durations(&mapped, LegKind::Agent, DurationKind::Handle),
        [Some(67_200)]
    );
    // The outside line hangs for two months and is longer than 2^31 ms.
    let ended = whole(&mapped)
        .statement
        .details
        .as_ref()
        .unwrap()
        .ended_at
        .unwrap();
    assert_eq!(ended.since(mapped.at), Millis(5_169_517_697));
    assert_eq!(
        durations(&record(5), LegKind::Queue, DurationKind::QueueWait),
        [Some(4_000_000_000)]
    );
}

#[test]
fn a_record_without_metrics_is_read_from_its_segments() {
    let mapped = record(6);
    for (of, millis) in [
        (DurationKind::Talk, 69_000),
        (DurationKind::Hold, 10_000),
        (DurationKind::Wrap, 15_000),
        (DurationKind::Alert, 3_000),
    ] {
        assert_eq!(durations(&mapped, LegKind::Agent, of), [Some(millis)]);
    }
    assert_eq!(
        durations(&mapped, LegKind::Queue, DurationKind::QueueWait),
        [Some(20_000)]
    );
    assert_eq!(
        outcomes(&mapped, LegKind::Agent),
        [Some(LegOutcome::Answered)]
    );
}

#[test]
fn a_later_snapshot_has_the_greater_revision() {
    let session = |metrics: Value| {
        json!({"conversationId": "c", "conversationStart": "2026-01-01T00:00:00Z", "participants": [{"purpose": "agent", "userId": "a",
            "sessions": [{"sessionId": "s", "metrics": metrics}]}]})
    };
    let early = mapped(
        session(json!([{"name": "tTalk", "value": 5, "emitDate": "2026-01-01T00:00:05Z"}]))
            .to_string()
            .as_bytes(),
    );
    let late = mapped(
        session(json!([{"name": "tTalk", "value": 5, "emitDate": "2026-01-01T00:00:05Z"}, {"name": "tAcw", "value": 9, "emitDate": "2026-01-01T00:00:14Z"}]))
            .to_string()
            .as_bytes(),
    );
    for (early, late) in early.stated.facts().iter().zip(late.stated.facts()) {
        assert_eq!(early.key, late.key);
        assert!(early.revision < late.revision);
    }
    assert_ne!(early.digest, late.digest);
}

#[test]
fn six_sessions_of_one_participant_are_six_legs() {
    let session = |n: i64| {
        json!({"sessionId": format!("s{n}"), "mediaType": "MESSAGE",
               "metrics": [{"name": "tHandle", "value": n}, {"name": "tAcw", "value": n}, {"name": "tTalkComplete", "value": 0}]})
    };
    let record = json!({"conversationId": "c", "conversationStart": "2026-01-01T00:00:00Z",
        "participants": {"purpose": "agent", "userId": "a", "sessions": (0..6).map(session).collect::<Vec<_>>()}});
    let mapped = mapped(record.to_string().as_bytes());
    assert_eq!(
        durations(&mapped, LegKind::Agent, DurationKind::Wrap),
        (0..6).map(Some).collect::<Vec<_>>()
    );
    assert_eq!(
        legs(&mapped, LegKind::Agent)[0]
            .statement
            .details
            .as_ref()
            .unwrap()
            .media
            .as_deref(),
        Some("message")
    );
}

#[test]
fn what_cannot_be_read_is_named_by_its_path() {
    let record = |session: Value| json!({"conversationId": "c", "conversationStart": "2026-01-1T00:00:00Z", "participants": [{}, {"purpose": "acd", "sessions": [session]}]});
    for (session, field) in [
        (json!({}), "participants[1].sessions[0].sessionId"),
        (
            json!({"sessionId": "s", "segments": [{"segmentStart": "soon"}]}),
            "participants[1].sessions[0].segments[0].segmentStart",
        ),
        (
            json!({"sessionId": "s", "metrics": [{"name": "tAcd", "value": "long"}]}),
            "participants[1].sessions[0].metrics[0].value",
        ),
        (
            json!({"sessionId": "s", "metrics": "none"}),
            "participants[1].sessions[0].metrics",
        ),
        (json!(7), "participants[1].sessions[0]"),
    ] {
        assert_eq!(refused(&record(session)).field, field);
    }
    assert_eq!(
        refused(&json!({"conversationStart": "2026-01-01T00:00:00Z"})).field,
        "conversationId"
    );
    assert_eq!(
        refused(&json!({"conversationId": "c"})).field,
        "conversationStart"
    );
    assert_eq!(
        refused(&json!({"conversationId": "c", "conversationStart": "2026-01-01T00:00:00"})).field,
        "conversationStart"
    );
    assert_eq!(refused(&json!([])).field, "(item)");
    // One-digit days are met in exports; nothing else need be there.
    mapped(
        json!({"conversationId": "c", "conversationStart": "2026-01-1T00:00:00Z"})
            .to_string()
            .as_bytes(),
    );
}

#[test]
fn of_a_participants_attributes_those_are_read_that_are_kept() {
    let participant = |came: &str, attributes: Value| {
        json!({"purpose": "customer", "attributes": attributes, "sessions": [{"sessionId": came, "mediaType": "voice", "segments": [
            {"segmentType": "interact", "segmentStart": came, "segmentEnd": came}]}]})
    };
    let record = json!({"conversationId": "c1", "conversationStart": "2024-05-14T15:00:00.000Z", "participants": [
        participant("2024-05-14T15:01:00.000Z", json!({"brand": "blue", "site": " ", "note": "Mrs Jones", "campaign": "x".repeat(201)})),
        participant("2024-05-14T15:00:00.000Z", json!({"brand": "red", "site": "porto", "score": 7})),
        json!({"purpose": "agent", "attributes": "strange"}),
    ]});
    let kept = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let raw = record.to_string();
        let mappings = Mappings::none().keeping(names);
        let Ok(Outcome::Mapped(mapped)) =
            map(&BodyFormat::GenesysDetails, raw.as_bytes(), &mappings)
        else {
            panic!("it is a record")
        };
        let attributes = &whole(&mapped)
            .statement
            .details
            .as_ref()
            .unwrap()
            .attributes;
        let shown = attributes
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(kept(&[]), [""; 0]);
    assert_eq!(
        kept(&["brand", "site", "score", "campaign", "absent"]),
        // Of one name that of who came last; one without a value, or too long to be a group, is as if it was not there.
        ["brand=blue", "score=7", "site=porto"]
    );
}
