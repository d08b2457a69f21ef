//! Genesys schedules: what agents were to do, and what became of it when the plan was edited.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{ItemError, Mapped, Mappings, Outcome, Split, Stated, instant, map, split};
use schema::{AgentFact, BodyFormat, SourceRank, UtcMicros};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const FORMAT: BodyFormat = BodyFormat::GenesysSchedules;

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

fn outcome(item: &str) -> Result<Outcome, ItemError> {
    map(&FORMAT, item.as_bytes(), &Mappings::none())
}

fn mapped(item: &str) -> Mapped {
    match outcome(item) {
        Ok(Outcome::Mapped(mapped)) => mapped,
        other => panic!("{other:?}"),
    }
}

/// The facts of a body with one schedule.
fn facts(body: &Value) -> Vec<AgentFact> {
    let items = items(body);
    let [item] = &items[..] else {
        panic!("{items:?}")
    };
    match mapped(item).stated {
        Stated::Agent { facts, .. } => facts,
        other @ Stated::Interaction { .. } => panic!("{other:?}"),
    }
}

/// What is scheduled from when to when, without the statements that it is nothing.
fn plan(facts: &[AgentFact]) -> Vec<String> {
    let mut plan: Vec<&AgentFact> = facts
        .iter()
        .filter(|fact| fact.statement.scheduled.as_deref() != Some(""))
        .collect();
    plan.sort_by_key(|fact| fact.at);
    plan.iter()
        .map(|fact| {
            let what = fact.statement.scheduled.as_deref().unwrap();
            format!("{what} {} {}", fact.at, fact.until.unwrap()).replace(".000Z", "Z")
        })
        .collect()
}

fn activity(start: &str, minutes: i64, code: &str) -> Value {
    json!({"startDate": format!("2026-05-04T{start}Z"), "lengthMinutes": minutes, "activityCodeId": code, "description": "private", "paid": true})
}

fn shift(activities: &[Value]) -> Value {
    json!({"id": "shift-1", "startDate": "2026-05-04T08:00:00.000Z", "lengthMinutes": 480, "activities": activities,
        "schedule": {"id": "week-1", "weekDate": "2026-05-03"}})
}

fn answer(shifts: &[Value]) -> Value {
    json!({"status": "Complete", "fetchedAt": "2026-05-01T00:00:00Z", "result": {"businessUnitTimeZone": "America/New_York",
        "agentSchedules": [{"user": {"id": "u1"}, "shifts": shifts, "fullDayTimeOffMarkers": []}],
        "publishedSchedules": [{"id": "week-1", "weekDate": "2026-05-03", "weekCount": 1}]}})
}

fn codes() -> Value {
    json!({"entities": [{"id": "0", "name": "Phones", "category": "OnQueueWork"}, {"id": "2", "category": "Meal"},
        {"id": "5", "category": "TimeOff"}, {"id": "AbC", "category": "OffQueueWork"}]})
}

fn day() -> Value {
    answer(&[shift(&[
        activity("08:00:00", 240, "0"),
        activity("12:00:00", 60, "2"),
        activity("13:00:00", 180, "AbC"),
    ])])
}

#[test]
fn activities_are_what_is_scheduled() {
    let mut body = day();
    assert_eq!(
        plan(&facts(&body)),
        [
            "0 2026-05-04T08:00:00Z 2026-05-04T12:00:00Z",
            "2 2026-05-04T12:00:00Z 2026-05-04T13:00:00Z",
            "abc 2026-05-04T13:00:00Z 2026-05-04T16:00:00Z",
        ],
        "a code without its category says its own name"
    );
    let expected = [
        "on_queue 2026-05-04T08:00:00Z 2026-05-04T12:00:00Z",
        "meal 2026-05-04T12:00:00Z 2026-05-04T13:00:00Z",
        "off_queue 2026-05-04T13:00:00Z 2026-05-04T16:00:00Z",
    ];
    body["activityCodes"] = codes();
    assert_eq!(plan(&facts(&body)), expected);
    body["activityCodes"] = codes()["entities"].clone();
    assert_eq!(plan(&facts(&body)), expected);
    body["result"]["activityCodes"] = body["activityCodes"].take();
    assert_eq!(plan(&facts(&body)), expected);
    let fact = &facts(&body)[1];
    assert_eq!(fact.key.as_str(), "a:schedule:shift-1:1");
    assert_eq!(fact.rank, SourceRank::SettledRecord);
    assert_eq!(
        fact.revision,
        Some(instant::parse("2026-05-01T00:00:00Z").unwrap())
    );
}

#[test]
fn one_agent_is_one_item_that_can_be_mapped_alone() {
    let mut body = day();
    let schedule = body["result"]["agentSchedules"][0].clone();
    let mut other = schedule.clone();
    other["user"]["id"] = json!("u2");
    body["result"]["agentSchedules"] = json!([schedule, other]);
    let found = items(&body);
    assert_eq!(found.len(), 2);
    for (item, user) in found.iter().zip(["u1", "u2"]) {
        let mapped = mapped(item);
        assert_eq!(mapped.stated.subject(), format!("agent:{user}"));
        assert_eq!(mapped.event_id.as_str(), user);
        // An item is an answer with one schedule, so splitting it again gives it back.
        let again = items(&serde_json::from_str(item).unwrap());
        assert_eq!(again.len(), 1);
        assert_eq!(adapter::digest(again[0].as_bytes()), mapped.digest);
    }
    // The answer without what is around it, a list of them, and those that found nothing.
    let bare = body["result"].clone();
    assert_eq!(items(&bare).len(), 2);
    assert_eq!(items(&json!([bare, body])).len(), 4);
    for nothing in [
        json!({"status": "Complete", "result": {"agentSchedules": [], "businessUnitTimeZone": "UTC"}}),
        json!({"result": {"businessUnitTimeZone": "UTC"}}),
        json!({"agentSchedules": null}),
    ] {
        assert_eq!(items(&nothing).len(), 0, "{nothing}");
    }
}

#[test]
fn an_answer_that_has_its_schedules_elsewhere_is_refused() {
    let elsewhere = json!({"status": "Complete", "downloadUrl": "https://example.invalid/x"});
    let found = items(&elsewhere);
    assert_eq!(found.len(), 1);
    assert_eq!(outcome(&found[0]).unwrap_err().field, "agentSchedules");
}

/// The greater of each key, as the fold keeps them.
fn folded(copies: &[Vec<AgentFact>]) -> Vec<AgentFact> {
    let mut kept: BTreeMap<String, AgentFact> = BTreeMap::new();
    for fact in copies.iter().flatten() {
        let entry = kept
            .entry(fact.key.as_str().to_owned())
            .or_insert_with(|| fact.clone());
        if fact.supersedes(entry) {
            *entry = fact.clone();
        }
    }
    kept.into_values().collect()
}

#[test]
fn an_edited_shift_takes_the_place_of_what_it_was_in_any_order() {
    let before = facts(&day());
    // The meal is an hour earlier and the rest is one activity: one place fewer, and an earlier end.
    let mut edited = answer(&[shift(&[
        activity("08:00:00", 180, "0"),
        activity("11:00:00", 240, "2"),
    ])]);
    edited["fetchedAt"] = json!("2026-05-02T00:00:00Z");
    edited["result"]["agentSchedules"][0]["shifts"][0]["lengthMinutes"] = json!(420);
    let after = facts(&edited);
    let expected = [
        "0 2026-05-04T08:00:00Z 2026-05-04T11:00:00Z",
        "2 2026-05-04T11:00:00Z 2026-05-04T15:00:00Z",
    ];
    for copies in [
        [before.clone(), after.clone()],
        [after.clone(), before.clone()],
    ] {
        let kept = folded(&copies);
        assert_eq!(plan(&kept), expected);
        let end = instant::parse("2026-05-04T15:00:00Z").unwrap();
        let nothing: Vec<&AgentFact> = kept
            .iter()
            .filter(|fact| fact.statement.scheduled.as_deref() == Some(""))
            .collect();
        assert_eq!(nothing.len(), 14, "sixteen places");
        assert!(
            nothing
                .iter()
                .all(|fact| fact.at == end && fact.until.is_none())
        );
    }
    // And back again, as a third edit.
    let mut again = day();
    again["fetchedAt"] = json!("2026-05-03T00:00:00Z");
    assert_eq!(
        plan(&folded(&[facts(&again), after, before.clone()])),
        plan(&before)
    );
}

#[test]
fn the_editors_stamp_counts_before_that_of_the_fetch() {
    let mut body = day();
    body["result"]["agentSchedules"][0]["metadata"] =
        json!({"version": 3, "dateModified": "2026-04-30T12:00:00Z"});
    assert_eq!(
        facts(&body)[0].revision,
        Some(instant::parse("2026-04-30T12:00:00Z").unwrap())
    );
    body["result"]["agentSchedules"][0]["metadata"] = Value::Null;
    body["fetchedAt"] = Value::Null;
    let unstamped = facts(&body);
    assert_eq!(unstamped[0].revision, None);
    assert_eq!(
        unstamped.len(),
        3,
        "no place is stated empty that could not be told from an older copy"
    );
}

#[test]
fn a_shift_that_follows_at_once_is_not_said_to_be_nothing() {
    let next = json!({"id": "shift-2", "startDate": "2026-05-04T16:00:00Z", "lengthMinutes": 60,
        "activities": [activity("16:00:00", 60, "0")]});
    let mut body = day();
    body["result"]["agentSchedules"][0]["shifts"]
        .as_array_mut()
        .unwrap()
        .push(next);
    let instant: UtcMicros = instant::parse("2026-05-04T16:00:00Z").unwrap();
    let there: Vec<AgentFact> = facts(&body)
        .into_iter()
        .filter(|fact| fact.at == instant)
        .collect();
    assert_eq!(there.len(), 1);
    assert_eq!(there[0].statement.scheduled.as_deref(), Some("0"));
}

#[test]
fn a_free_day_is_a_day_of_the_business_unit() {
    let mut body = answer(&[]);
    // The day on which New York's clocks go forward has 23 hours.
    body["result"]["agentSchedules"][0]["fullDayTimeOffMarkers"] = json!([{"businessUnitDate": "2026-03-08", "lengthMinutes": 480, "activityCodeId": "5", "paid": true}]);
    let expected = ["time_off 2026-03-08T05:00:00Z 2026-03-09T04:00:00Z"];
    assert_eq!(plan(&facts(&body)), expected);
    body["activityCodes"] = codes();
    assert_eq!(plan(&facts(&body)), expected);
    body["result"]["businessUnitTimeZone"] = Value::Null;
    let Ok(Outcome::Ignored { kind }) = outcome(&items(&body)[0]) else {
        panic!("when that is, is not known")
    };
    assert_eq!(kind, "an agent without shifts");
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    for (pointer, value, expected) in [
        ("/user/id", Value::Null, "agentSchedules[0].user.id"),
        (
            "/shifts/0/startDate",
            json!("x"),
            "agentSchedules[0].shifts[0].startDate",
        ),
        (
            "/shifts/0/lengthMinutes",
            json!("x"),
            "agentSchedules[0].shifts[0].lengthMinutes",
        ),
        (
            "/shifts/0/activities/1/lengthMinutes",
            Value::Null,
            "agentSchedules[0].shifts[0].activities[1].lengthMinutes",
        ),
        (
            "/shifts/0/activities/1/lengthMinutes",
            json!(-5),
            "agentSchedules[0].shifts[0].activities[1].lengthMinutes",
        ),
        (
            "/shifts/0/activities/2/activityCodeId",
            Value::Null,
            "agentSchedules[0].shifts[0].activities[2].activityCodeId",
        ),
        (
            "/fullDayTimeOffMarkers",
            json!([{"businessUnitDate": "May"}]),
            "agentSchedules[0].fullDayTimeOffMarkers[0].businessUnitDate",
        ),
    ] {
        let mut body = day();
        *body["result"]["agentSchedules"][0]
            .pointer_mut(pointer)
            .unwrap() = value;
        assert_eq!(outcome(&items(&body)[0]).unwrap_err().field, expected);
    }
    let mut body = day();
    body["result"]["businessUnitTimeZone"] = json!("Nowhere/Atlantis");
    assert_eq!(
        outcome(&items(&body)[0]).unwrap_err().field,
        "businessUnitTimeZone"
    );
}
