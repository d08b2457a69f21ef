//! CXone contact state history: told beside the contact's record, so that nothing counts twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{ItemError, Mapped, Mappings, Outcome, Split, instant, map, split};
use proptest::prelude::*;
use schema::{BodyFormat, DurationKind, LegKind, Millis, State, UtcMicros};
use serde_json::{Value, json};
use session::{DurationFact, Outcome as Became, Phase, Session, Status};

const FORMAT: BodyFormat = BodyFormat::CxoneContactStates;

fn outcome(row: &Value) -> Result<Outcome, ItemError> {
    map(&FORMAT, row.to_string().as_bytes(), &Mappings::none())
}

fn mapped(row: &Value) -> Mapped {
    match outcome(row) {
        Ok(Outcome::Mapped(mapped)) => mapped,
        other => panic!("{other:?}"),
    }
}

fn at(text: &str) -> UtcMicros {
    instant::parse(text).unwrap()
}

fn row(index: u32, state: &str, clock: &str, agent: u32, duration: &Value) -> Value {
    json!({"stateIndex": index, "contactId": "36821683098", "contactStateId": 0, "contactStateName": state,
        "startDate": format!("2026-05-04T10:{clock}Z"), "isWarehoused": true, "agentId": agent, "skillId": 5001, "skillName": "S",
        "duration": duration, "digitalContactStateId": 0, "digitalContactStateName": ""})
}

/// Waited 30 s, talked to 7, was on hold twice, was with 8 at last.
fn rows() -> Vec<Value> {
    vec![
        row(0, "PreQueue", "00:00", 0, &json!(10)),
        row(1, "InQueue", "00:10", 0, &json!("PT30S")),
        row(2, "Inbound", "00:40", 7, &json!("20")),
        row(3, "Hold", "01:00", 7, &json!("PT1M15S")),
        row(4, "Inbound", "02:15", 7, &json!(45)),
        row(5, "Hold", "03:00", 7, &json!(20.5)),
        row(6, "Inbound", "03:20.500", 8, &json!(39.5)),
        row(7, "EndContact", "04:00", 8, &Value::Null),
    ]
}

fn record() -> Value {
    json!({"contactId": 36_821_683_098_i64, "masterContactId": 36_821_683_098_i64, "contactStartDate": "2026-05-04T10:00:00Z",
        "lastUpdateTime": "2026-05-04T10:04:00Z", "dateContactWarehoused": "2026-05-04T10:05:00Z",
        "dateACWWarehoused": "2026-05-04T10:09:00Z", "agentId": 8, "skillId": 5001, "mediaTypeId": 4, "isOutbound": false,
        "abandoned": false, "preQueueSeconds": 10, "inQueueSeconds": 30, "agentSeconds": 200, "holdSeconds": 95.5, "holdCount": 2,
        "acwSeconds": 12, "totalDurationSeconds": 240})
}

fn fold(rows: &[Value], records: &[Value]) -> Session {
    let mut session = Session::default();
    for row in rows {
        for fact in mapped(row).stated.facts() {
            session.insert(fact.clone());
        }
    }
    for record in records {
        let raw = record.to_string();
        let Ok(Outcome::Mapped(mapped)) = map(
            &BodyFormat::CxoneContacts,
            raw.as_bytes(),
            &Mappings::none(),
        ) else {
            panic!("{raw}")
        };
        for fact in mapped.stated.facts() {
            session.insert(fact.clone());
        }
    }
    session
}

#[test]
fn beside_its_record_a_history_changes_no_duration_and_adds_who_had_it_and_the_longest_hold() {
    let alone = fold(&[], &[record()]);
    let both = fold(&rows(), &[record()]);
    let (alone, both) = (alone.timeline(), both.timeline());
    for kind in DurationKind::ALL {
        assert_eq!(both.duration(kind), alone.duration(kind), "{kind:?}");
    }
    assert_eq!(
        both.duration(DurationKind::Hold),
        Some(DurationFact::Stated(Millis(95_500)))
    );
    assert_eq!(both.status(), Status::Completed);
    assert_eq!(both.outcome(), Some(Became::Answered));
    assert_eq!(both.ended_at(), alone.ended_at());
    assert_eq!(both.answered_after(), alone.answered_after());
    assert_eq!(both.answered_at(), Some(at("2026-05-04T10:00:40Z")));
    assert_eq!(both.holds(), Some(2));
    // What the record does not know.
    assert_eq!(alone.longest_hold(), None);
    assert_eq!(
        both.longest_hold(),
        Some(DurationFact::Stated(Millis(75_000)))
    );
    let agents = |timeline: &session::Timeline<'_>| -> Vec<String> {
        timeline
            .agents()
            .iter()
            .map(|agent| agent.id.to_string())
            .collect()
    };
    assert_eq!(agents(&alone), ["8"]);
    assert_eq!(
        agents(&both),
        ["8", "7"],
        "the record's own statement is the first"
    );
    // One leg, the record's.
    let legs = both.legs();
    assert_eq!(legs.len(), 1);
    assert_eq!(
        (legs[0].id.as_ref(), legs[0].kind),
        ("36821683098", LegKind::Agent)
    );
    assert_eq!(
        both.state_time(&State::Held),
        DurationFact::Stated(Millis(95_500))
    );
}

#[test]
fn alone_a_history_tells_where_a_contact_is_and_ends_nothing() {
    let phase = |count: usize| fold(&rows()[..count], &[]).timeline().now().unwrap().phase;
    assert_eq!(phase(1), Phase::Other);
    assert_eq!(phase(2), Phase::Waiting);
    assert_eq!(phase(3), Phase::InProgress);
    assert_eq!(phase(4), Phase::Held);
    let session = fold(&rows(), &[]);
    assert_eq!(session.timeline().status(), Status::Open);
    assert!(rows().iter().all(|row| !mapped(row).stated.is_terminal()));
}

#[test]
fn a_row_names_the_interaction_where_it_knows_it() {
    let mut child = rows()[2].clone();
    assert_eq!(mapped(&child).stated.subject(), "36821683098");
    child["masterContactId"] = json!(36_821_683_000_i64);
    assert_eq!(mapped(&child).stated.subject(), "36821683000");
    assert_eq!(
        mapped(&child).stated.facts()[0]
            .statement
            .leg()
            .unwrap()
            .id
            .as_str(),
        "36821683098"
    );
}

#[test]
fn a_row_read_again_while_its_state_lasts_is_the_same_statement() {
    let mut early = rows()[1].clone();
    early["duration"] = json!(5);
    let (early, late) = (mapped(&early), mapped(&rows()[1]));
    assert_eq!(early.stated.facts(), late.stated.facts());
    assert_eq!(early.event_id, late.event_id);
    assert_ne!(early.digest, late.digest);
    // Without a place the instant tells, and the state.
    let mut nameless = rows()[1].clone();
    nameless["stateIndex"] = Value::Null;
    let mut other = nameless.clone();
    other["contactStateName"] = json!("Routing");
    assert_ne!(mapped(&nameless).event_id, mapped(&other).event_id);
}

#[test]
fn an_older_row_and_an_answers_wrapper_are_read() {
    let older = json!({"stateIndex": "2", "contactId": 36_821_683_098_i64, "contactStateId": "3", "ContactStateName": "Inbound",
        "startDate": "2026-05-04T10:00:40.000Z", "agentId": "7", "skillId": "5001", "duration": "1,020.5"});
    assert_eq!(
        mapped(&older).stated.facts(),
        mapped(&rows()[2]).stated.facts()
    );
    let (one, two) = (rows()[0].to_string(), rows()[1].to_string());
    for body in [
        format!(r#"{{"contactStateHistory":[{one},{two}]}}"#),
        format!(r#"{{"resultSet":{{"contactStateHistory":[{one},{two}]}}}}"#),
        format!("[{one},{two}]"),
        format!("{one}\n{two}"),
    ] {
        let Split::Items(items) = split(&FORMAT, body.as_bytes()) else {
            panic!("{body}")
        };
        assert_eq!(items.len(), 2, "{body}");
    }
    for empty in [
        r#"{"contactStateHistory":[]}"#,
        r#"{"totalRecords":0}"#,
        "{}",
    ] {
        assert_eq!(
            split(&FORMAT, empty.as_bytes()),
            Split::Items(vec![]),
            "{empty}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    for (member, value, field) in [
        ("contactId", json!(0), "contactId"),
        ("startDate", Value::Null, "startDate"),
        ("startDate", json!("2026-05-04T10:00:00"), "startDate"),
        ("contactStateName", Value::Null, "contactStateName"),
        ("contactStateName", json!({}), "contactStateName"),
        ("duration", json!("long"), "duration"),
        ("agentId", json!([7]), "agentId"),
    ] {
        let mut row = rows()[3].clone();
        row[member] = value;
        assert_eq!(outcome(&row).unwrap_err().field, field);
    }
    // The one number that is the same everywhere.
    let mut end = rows()[7].clone();
    end["contactStateName"] = json!("");
    end["contactStateId"] = json!("18");
    let ended_at = mapped(&end).stated.facts()[0]
        .statement
        .leg()
        .unwrap()
        .ended_at;
    assert_eq!(ended_at, Some(at("2026-05-04T10:04:00Z")));
}

#[test]
fn pitfall_20_an_absurd_hold_is_no_longest_one() {
    for absurd in [json!(-5), json!(1e300), json!("-PT1H"), json!("P9999D")] {
        let mut row = rows()[3].clone();
        row["duration"] = absurd.clone();
        assert_eq!(mapped(&row).stated.facts().len(), 1, "{absurd}");
    }
}

proptest! {
    #[test]
    fn order_and_repetition_of_rows_and_records_do_not_matter(
        order in Just(rows()).prop_shuffle(),
        again in prop::collection::vec(0_usize..8, 0..8),
    ) {
        let expected = fold(&rows(), &[record()]);
        let mut shuffled = order.clone();
        shuffled.extend(again.iter().map(|index| order[*index].clone()));
        let mut found = fold(&shuffled[..4], &[record(), record()]);
        found.join(fold(&shuffled[4..], &[]));
        prop_assert_eq!(found, expected);
    }
}
