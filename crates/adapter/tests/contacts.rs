//! CXone contact records as JSON: legs by contact, seconds in several spellings, old names and new ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{ItemError, Mapped, Mappings, Outcome, Split, instant, map, split};
use schema::{
    BodyFormat, Direction, DurationKind, FactKey, Leg, LegKind, LegOutcome, Millis, SourceRank,
    State, Transfer,
};
use serde_json::{Value, json};

const FORMAT: BodyFormat = BodyFormat::CxoneContacts;

fn outcome(row: &Value) -> Result<Outcome, ItemError> {
    map(&FORMAT, row.to_string().as_bytes(), &Mappings::none())
}

fn mapped(row: &Value) -> Mapped {
    match outcome(row) {
        Ok(Outcome::Mapped(mapped)) => mapped,
        other => panic!("{other:?}"),
    }
}

fn leg(row: &Value) -> Leg {
    mapped(row).stated.facts()[0]
        .statement
        .leg()
        .unwrap()
        .clone()
}

fn duration(row: &Value, kind: DurationKind) -> Option<i64> {
    mapped(row).stated.facts()[0]
        .statement
        .durations
        .get(kind)
        .map(|millis| millis.0)
}

fn items(body: &str) -> Vec<String> {
    let Split::Items(items) = split(&FORMAT, body.as_bytes()) else {
        panic!("{body} cannot be split")
    };
    items
        .iter()
        .map(|item| String::from_utf8(item.raw.to_vec()).unwrap())
        .collect()
}

/// Answered after 4.5 s in the queue, held twice, wrapped up.
fn answered() -> Value {
    json!({
        "contactId": 900_719_925_474_010_002_i64, "masterContactId": 900_719_925_474_010_001_i64,
        "contactStartDate": "2026-05-04T10:00:00.5Z", "lastUpdateTime": "2026-05-04T10:10:00Z",
        "dateContactWarehoused": "2026-05-04T10:11:00Z", "dateACWWarehoused": "2026-05-04T10:16:00.25Z",
        "agentId": 8001, "skillId": 5001, "primaryDispositionId": 12, "mediaTypeId": 4, "isOutbound": false, "abandoned": false,
        "preQueueSeconds": 10, "inQueueSeconds": 4.5, "agentSeconds": 605.25, "holdSeconds": 65, "holdCount": 2,
        "conferenceSeconds": 0, "acwSeconds": 33.125, "postQueueSeconds": 0, "totalDurationSeconds": 619.75,
        "routingTime": 4500, "firstName": "Ada", "transferIndicatorName": "None", "stateName": "EndContact",
    })
}

fn with(members: &Value) -> Value {
    let mut row = answered();
    for (name, value) in members.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

/// A contact that never reached an agent.
fn alone(members: &Value) -> Value {
    let mut row = with(
        &json!({"agentId": 0, "agentSeconds": 0, "holdSeconds": 0, "holdCount": 0, "acwSeconds": 0}),
    );
    for (name, value) in members.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

#[test]
fn a_contact_is_a_leg_of_its_masters_interaction() {
    let mapped = mapped(&answered());
    // Ids beyond 2^53.
    assert_eq!(mapped.stated.subject(), "900719925474010001");
    let fact = &mapped.stated.facts()[0];
    assert_eq!(fact.key, FactKey::leg("900719925474010002"));
    assert_eq!(fact.rank, SourceRank::SettledRecord);
    assert_eq!(fact.at, instant::parse("2026-05-04T10:00:00.5Z").unwrap());
    assert_eq!(fact.revision, instant::parse("2026-05-04T10:16:00.25Z"));
    assert_eq!(fact.statement.state, Some(State::Completed));
    assert!(mapped.stated.is_terminal());
    assert_eq!(fact.statement.agent.as_ref().unwrap().id.as_str(), "8001");
    assert_eq!(fact.statement.queue.as_ref().unwrap().as_str(), "5001");
    assert_eq!(fact.statement.disposition.as_deref(), Some("12"));
    let details = fact.statement.details.as_ref().unwrap();
    assert_eq!(details.media.as_deref(), Some("voice"));
    assert_eq!(details.direction, Some(Direction::Inbound));
    for master in [json!(0), Value::Null, json!("")] {
        let own = self::mapped(&with(&json!({"masterContactId": master})));
        assert_eq!(own.stated.subject(), "900719925474010002");
    }
}

#[test]
fn hold_lies_inside_of_the_agents_seconds_and_wrap_up_outside() {
    let row = answered();
    assert_eq!(duration(&row, DurationKind::Talk), Some(540_250));
    assert_eq!(duration(&row, DurationKind::Hold), Some(65_000));
    assert_eq!(duration(&row, DurationKind::Wrap), Some(33_125));
    assert_eq!(duration(&row, DurationKind::QueueWait), Some(4_500));
    let leg = leg(&row);
    assert_eq!(
        (leg.kind, leg.outcome),
        (LegKind::Agent, Some(LegOutcome::Answered))
    );
    let start = mapped(&row).at;
    assert_eq!(leg.answered_at.unwrap().since(start), Millis(14_500));
    assert_eq!(leg.ended_at.unwrap().since(start), Millis(619_750));
    assert_eq!((leg.holds, leg.longest_hold), (Some(2), None));
    // A hold that is not stated is not taken off, and is not zero.
    let silent = with(&json!({"holdSeconds": null, "holdCount": null}));
    assert_eq!(duration(&silent, DurationKind::Talk), Some(605_250));
    assert_eq!(duration(&silent, DurationKind::Hold), None);
    // Of a single hold the seconds are the longest.
    let single = self::leg(&with(&json!({"holdCount": 1})));
    assert_eq!(single.longest_hold, Some(Millis(65_000)));
}

#[test]
fn a_wrap_up_of_zero_is_no_statement_before_it_was_warehoused() {
    let early = json!({"acwSeconds": 0, "dateACWWarehoused": null});
    assert_eq!(duration(&with(&early), DurationKind::Wrap), None);
    let late = json!({"acwSeconds": 0});
    assert_eq!(duration(&with(&late), DurationKind::Wrap), Some(0));
    let some = json!({"acwSeconds": 5, "dateACWWarehoused": null});
    assert_eq!(duration(&with(&some), DurationKind::Wrap), Some(5_000));
}

#[test]
fn the_older_spelling_says_the_same() {
    let old = json!({
        "contactId": "900719925474010002", "masterContactId": "900719925474010001",
        "contactStart": "2026-05-04T10:00:00.5Z", "lastUpdateTime": "2026-05-04T10:10:00Z",
        "dateContactWarehoused": "2026-05-04T10:11:00Z", "dateACWWarehoused": "2026-05-04T10:16:00.25Z",
        "agentId": "8001", "skillId": "5001", "primaryDispositionId": "12", "mediaType": "4", "mediaTypeName": "Call",
        "isOutbound": "False", "abandoned": "False", "preQueueSeconds": "10", "inQueueSeconds": "4.5", "agentSeconds": "605.25",
        "holdSeconds": "65", "holdCount": "2", "confSeconds": "0", "ACWSeconds": "33.125", "totalDurationSeconds": "619.75",
        "transferIndicatorName": "None", "state": "EndContact",
    });
    assert_eq!(
        mapped(&old).stated.facts(),
        mapped(&answered()).stated.facts()
    );
    let thousands = json!({"agentSeconds": "1,605.25", "holdSeconds": " 65 "});
    assert_eq!(
        duration(&with(&thousands), DurationKind::Talk),
        Some(1_540_250)
    );
}

#[test]
fn where_the_customer_left_is_told_by_the_wait() {
    use LegKind::{Ivr, Other, Queue};
    let left = Some(LegOutcome::Abandoned);
    for (members, kind, outcome, state) in [
        (
            json!({"abandoned": true, "inQueueSeconds": 4.5}),
            Queue,
            left,
            State::Abandoned,
        ),
        (
            json!({"stateName": "Abandoned", "inQueueSeconds": 4.5}),
            Queue,
            left,
            State::Abandoned,
        ),
        // Never waited in a queue.
        (
            json!({"abandoned": "True", "inQueueSeconds": 0}),
            Ivr,
            left,
            State::Abandoned,
        ),
        (
            json!({"stateName": "PrequeueAbandoned", "inQueueSeconds": 0}),
            Ivr,
            left,
            State::Completed,
        ),
        (
            json!({"abandoned": true, "inQueueSeconds": null}),
            Queue,
            left,
            State::Abandoned,
        ),
        // Ended in the flow: no abandonment, and no wait rather than one of zero.
        (json!({"inQueueSeconds": 0}), Ivr, None, State::Completed),
        (
            json!({"inQueueSeconds": 4.5}),
            Queue,
            None,
            State::Completed,
        ),
        (
            json!({"inQueueSeconds": 0, "isOutbound": true}),
            Other,
            None,
            State::Missed,
        ),
    ] {
        let row = alone(&members);
        let leg = leg(&row);
        assert_eq!((leg.kind, leg.outcome), (kind, outcome), "{members}");
        assert_eq!(
            mapped(&row).stated.facts()[0].statement.state,
            Some(state),
            "{members}"
        );
        // Only who was queued has a wait, also where that wait is not stated.
        let waited = duration(&row, DurationKind::QueueWait);
        assert_eq!(
            waited,
            Some(4_500).filter(|_| kind == Queue && !members["inQueueSeconds"].is_null()),
            "{members}"
        );
        assert_eq!(duration(&row, DurationKind::Talk), None);
    }
}

#[test]
fn who_refused_handled_nothing_and_who_took_over_was_passed_nothing() {
    let refused = with(&json!({"isRefused": true, "agentSeconds": 0, "holdSeconds": 0}));
    let leg = leg(&refused);
    assert_eq!(leg.outcome, Some(LegOutcome::NotResponding));
    assert_eq!((leg.answered_at, leg.holds), (None, None));
    assert_eq!(
        mapped(&refused).stated.facts()[0].statement.state,
        Some(State::Missed)
    );
    let took = self::leg(&with(
        &json!({"isTakeover": true, "transferIndicatorName": "TakeOver"}),
    ));
    assert_eq!(
        (took.outcome, took.transfer),
        (Some(LegOutcome::Answered), None)
    );
    // Left while it rang.
    let rang = self::leg(&with(
        &json!({"abandoned": true, "agentSeconds": 0, "holdSeconds": 0}),
    ));
    assert_eq!(
        (rang.outcome, rang.answered_at),
        (Some(LegOutcome::Abandoned), None)
    );
}

#[test]
fn a_transfer_is_what_the_indicator_names() {
    for (name, expected) in [
        ("ReSkill", Some(Transfer::Blind)),
        ("reagent", Some(Transfer::Blind)),
        ("Consult", Some(Transfer::Consult)),
        ("External", Some(Transfer::Unspecified)),
        ("None", None),
        ("Teleported", None),
        ("", None),
    ] {
        let leg = leg(&with(&json!({"transferIndicatorName": name})));
        assert_eq!(leg.transfer, expected, "{name}");
        assert_eq!(
            leg.outcome == Some(LegOutcome::Transferred),
            expected.is_some(),
            "{name}"
        );
    }
    assert!(
        leg(&with(
            &json!({"conferenceSeconds": null, "confSeconds": "12"})
        ))
        .conference
    );
}

#[test]
fn an_active_contact_has_no_end_and_no_outcome() {
    let row = with(&json!({"isActive": true, "stateName": "Inbound"}));
    let active = mapped(&row);
    assert!(!active.stated.is_terminal());
    let statement = &active.stated.facts()[0].statement;
    assert_eq!(statement.state, None);
    assert_eq!(statement.details.as_ref().unwrap().ended_at, None);
    let leg = leg(&row);
    assert_eq!((leg.outcome, leg.ended_at), (None, None));
}

#[test]
fn an_answer_is_opened_whatever_its_wrapper_and_a_row_is_itself() {
    let (one, two) = (r#"{"contactId":1,"tags":[]}"#, r#"{"ContactId" : "2"}"#);
    for body in [
        format!("[{one},{two}]"),
        format!("{one}\n{two}\n"),
        format!(r#"{{"totalRecords":2,"_links":{{}},"completedContacts":[{one}, {two}]}}"#),
        format!(r#"{{"contacts":[{one},{two}],"businessUnitId":7}}"#),
        format!(r#"{{"resultSet" : {{"completedContacts":[{one},{two}]}}}}"#),
        format!(r#"{{"resultSet":{one}}} {{"resultSet":{two}}}"#),
    ] {
        assert_eq!(items(&body), [one, two], "{body}");
    }
    for empty in [
        "{}",
        "[]",
        r#"{"totalRecords":0,"lastPollTime":"2026-05-04T10:00:00Z"}"#,
        r#"{"completedContacts":null}"#,
        r#"{"resultSet":{}}"#,
        r#"{"resultSet":{"contacts":[]}}"#,
    ] {
        assert_eq!(items(empty), [""; 0], "{empty}");
    }
    // What is neither is one item, and fails by its own words.
    for other in [
        r#"{"agents":[1]}"#,
        r#"{"completedContacts":"none"}"#,
        r#"{"resultSet":{"resultSet":{"contactId":1}}}"#,
    ] {
        assert_eq!(items(other), [other]);
    }
}

#[test]
fn what_cannot_be_read_is_named_and_what_is_unknown_is_not_stated() {
    for (members, field) in [
        (json!({"contactId": null}), "contactId"),
        (json!({"contactId": 0}), "contactId"),
        (json!({"contactStartDate": null}), "contactStartDate"),
        (
            json!({"contactStartDate": "2026-05-04T10:00:00"}),
            "contactStartDate",
        ),
        (json!({"agentSeconds": "long"}), "agentSeconds"),
        (json!({"inQueueSeconds": [1]}), "inQueueSeconds"),
        (json!({"lastUpdateTime": "soon"}), "lastUpdateTime"),
        (json!({"agentId": {}}), "agentId"),
    ] {
        assert_eq!(outcome(&with(&members)).unwrap_err().field, field);
    }
    assert_eq!(outcome(&json!([1])).unwrap_err().field, "(item)");
    let unknown = json!({"isRefused": "perhaps", "abandoned": "unclear", "isOutbound": 7, "mediaTypeId": 77, "holdCount": "many",
        "refuseTime": {}, "callbackTime": "whenever", "stateName": 5, "transferIndicatorName": 9, "serviceLevelFlag": "2"});
    let leg = leg(&with(&unknown));
    assert_eq!(
        (leg.outcome, leg.holds, leg.transfer),
        (Some(LegOutcome::Answered), None, None)
    );
    // Only these two need be there.
    mapped(&json!({"contactId": "x", "contactStart": "2026-05-04T10:00:00Z"}));
}

#[test]
fn a_later_copy_has_the_greater_revision() {
    let early = with(&json!({"dateACWWarehoused": null, "acwSeconds": 0}));
    let (early, late) = (mapped(&early), mapped(&answered()));
    assert_eq!(early.stated.facts()[0].key, late.stated.facts()[0].key);
    assert!(early.stated.facts()[0].revision < late.stated.facts()[0].revision);
    assert_ne!(early.digest, late.digest);
    // The latest of its stamps, whichever that is: an edited disposition moves the first of them alone.
    let edited = mapped(&with(&json!({"lastUpdateTime": "2026-05-05T00:00:00Z"})));
    assert_eq!(
        edited.stated.facts()[0].revision,
        instant::parse("2026-05-05T00:00:00Z")
    );
}

#[test]
fn every_drift_of_names_and_types_between_versions_is_the_same_row() {
    let expected = mapped(&answered());
    // Each row of the table of drifts alone: what is taken out, and what stands in its place.
    for (gone, instead) in [
        (
            "contactStartDate",
            json!({"contactStart": "2026-05-04T10:00:00.500Z"}),
        ),
        ("acwSeconds", json!({"ACWSeconds": 33.125})),
        ("acwSeconds", json!({"acwSeconds": "33.125"})),
        ("acwSeconds", json!({"ACWSeconds": "PT33.125S"})),
        ("conferenceSeconds", json!({"confSeconds": "0"})),
        ("conferenceSeconds", json!({"ConfSeconds": 0.0})),
        ("mediaTypeId", json!({"mediaType": "4"})),
        ("mediaTypeId", json!({"mediaType": 4.0})),
        ("mediaTypeId", json!({"mediaType": "Call"})),
        (
            "mediaTypeId",
            json!({"mediaTypeId": "", "mediaTypeName": "Phone Call"}),
        ),
        ("stateName", json!({"state": "EndContact", "stateId": "18"})),
        ("isOutbound", json!({"isOutbound": "False"})),
        ("isOutbound", json!({"IsOutbound": 0})),
        ("abandoned", json!({"abandoned": "false"})),
        ("agentId", json!({"agentId": "8001"})),
        ("agentId", json!({"AgentId": 8001.0})),
        ("skillId", json!({"skillId": " 5001 "})),
        (
            "primaryDispositionId",
            json!({"primaryDispositionId": 12.0}),
        ),
        ("agentSeconds", json!({"agentSeconds": "605.25"})),
        ("agentSeconds", json!({"agentSeconds": "PT10M5.25S"})),
        ("agentSeconds", json!({"agentSeconds": "P0DT0H10M5.250S"})),
        ("holdCount", json!({"holdCount": "2"})),
        (
            "totalDurationSeconds",
            json!({"totalDurationSeconds": "619.75"}),
        ),
        // Milliseconds, beside columns of seconds: not read, whatever it is.
        (
            "routingTime",
            json!({"routingTime": "12706", "callbackTime": "2026-05-04", "refuseTime": ""}),
        ),
        (
            "lastUpdateTime",
            json!({"lastUpdateTime": "2026-05-04T10:10:00.000+0000"}),
        ),
    ] {
        let mut row = answered();
        assert!(
            row.as_object_mut().unwrap().remove(gone).is_some(),
            "{gone}"
        );
        for (name, value) in instead.as_object().unwrap() {
            row[name] = value.clone();
        }
        let found = mapped(&row);
        assert_eq!(found.stated, expected.stated, "{instead}");
    }
    for (wrapped, count) in [
        (json!({"resultSet": {"completedContacts": [answered()]}}), 1),
        (json!({"resultSet": answered()}), 1),
        (
            json!({"ResultSet": {"Contacts": [answered(), answered()]}}),
            2,
        ),
    ] {
        let found = items(&wrapped.to_string());
        assert_eq!(found.len(), count, "{wrapped}");
        let row: Value = serde_json::from_str(&found[0]).unwrap();
        assert_eq!(mapped(&row).stated, expected.stated);
    }
    let more = with(
        &json!({"agentSeconds": "1,234.5", "holdSeconds": "1,000", "totalDurationSeconds": "1,249"}),
    );
    assert_eq!(duration(&more, DurationKind::Talk), Some(234_500));
    assert_eq!(
        outcome(&with(&json!({"agentSeconds": "1,5"})))
            .unwrap_err()
            .field,
        "agentSeconds"
    );
    // An id beyond what a float holds is not the id any more.
    assert_eq!(
        outcome(&with(&json!({"contactId": 9.007_199_254_740_993e18})))
            .unwrap_err()
            .field,
        "contactId"
    );
}

#[test]
fn pitfall_20_absurd_seconds_stay_to_be_withheld_and_make_no_instant() {
    for absurd in [
        json!(-1_715_783_530),
        json!(1e300),
        json!(i64::MAX),
        json!("-PT1H"),
        json!("P9999999D"),
    ] {
        let row = with(
            &json!({"totalDurationSeconds": absurd, "inQueueSeconds": absurd, "agentSeconds": absurd, "acwSeconds": absurd}),
        );
        let leg = leg(&row);
        assert_eq!((leg.ended_at, leg.answered_at), (None, None), "{absurd}");
        let mapped = mapped(&row);
        let statement = &mapped.stated.facts()[0].statement;
        assert_eq!(statement.details.as_ref().unwrap().ended_at, None);
        for kind in [
            DurationKind::Talk,
            DurationKind::Wrap,
            DurationKind::QueueWait,
        ] {
            let stated = statement.durations.get(kind).unwrap();
            assert_eq!(
                session::DurationFact::judge(stated).plausible(),
                None,
                "{absurd} {kind:?}"
            );
        }
        assert_eq!(
            statement.durations.get(DurationKind::Hold),
            Some(Millis(65_000))
        );
    }
    // More hold than time with the agent is no talk of less than nothing.
    let talk = duration(
        &with(&json!({"agentSeconds": 10, "holdSeconds": 65})),
        DurationKind::Talk,
    );
    assert_eq!(talk, Some(-55_000));
}

#[test]
fn a_written_contact_has_its_wait_apart_and_its_agents_leg_named_after_both() {
    for media in [
        json!({"mediaTypeId": 3}),
        json!({"mediaTypeId": "9"}),
        json!({"mediaTypeName": "Email"}),
        json!({"mediaTypeId": 7}),
    ] {
        let row = mapped(&with(&media));
        let [agent, wait] = row.stated.facts() else {
            panic!("{media}")
        };
        assert_eq!(
            agent.statement.leg().unwrap().id.as_str(),
            "900719925474010002:8001"
        );
        assert_eq!(agent.key, FactKey::leg("900719925474010002"));
        assert_eq!(agent.statement.durations.get(DurationKind::QueueWait), None);
        let leg = wait.statement.leg().unwrap();
        assert_eq!(
            (leg.id.as_str(), leg.kind),
            ("900719925474010002", LegKind::Queue)
        );
        assert_eq!(
            wait.statement.durations.get(DurationKind::QueueWait),
            Some(Millis(4_500))
        );
        assert_eq!(wait.at.since(row.at), Millis(10_000));
        assert_eq!(leg.ended_at.unwrap().since(row.at), Millis(14_500));
        assert_eq!(wait.revision, agent.revision);
    }
    // Who let it ring, who waited for nothing and whom no agent reached are one leg each.
    for members in [
        json!({"isRefused": true}),
        json!({"inQueueSeconds": 0}),
        json!({"isActive": true}),
        json!({"mediaTypeId": 4}),
    ] {
        let mut row = with(&json!({"mediaTypeId": 3}));
        for (name, value) in members.as_object().unwrap() {
            row[name] = value.clone();
        }
        assert_eq!(mapped(&row).stated.facts().len(), 1, "{members}");
    }
    let mut nobody = alone(&json!({"abandoned": true}));
    nobody["mediaTypeId"] = json!(3);
    assert_eq!(leg(&nobody).id.as_str(), "900719925474010002");
}
