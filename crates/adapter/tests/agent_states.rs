//! CXone's agent states: rows of the API and of report 544.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{
    BodyError, ItemError, Mapped, Mappings, Outcome, Split, Stated, instant, map, split,
};
use schema::{AgentFact, BodyFormat, FactKey, SourceRank, Track, UtcMicros};
use serde_json::{Value, json};

fn log_in(zone: &str) -> BodyFormat {
    BodyFormat::CxoneAgentStateLog { zone: zone.into() }
}

fn at(text: &str) -> UtcMicros {
    instant::parse(text).unwrap()
}

/// An instant of whole seconds.
fn shown(at: UtcMicros) -> String {
    at.to_string().replace(".000Z", "Z")
}

fn items(format: &BodyFormat, body: &str) -> Vec<String> {
    let Split::Items(items) = split(format, body.as_bytes()) else {
        panic!("{body} cannot be split")
    };
    items
        .iter()
        .map(|item| String::from_utf8(item.raw.to_vec()).unwrap())
        .collect()
}

fn outcome(row: &Value) -> Result<Outcome, ItemError> {
    map(
        &BodyFormat::CxoneAgentStates,
        row.to_string().as_bytes(),
        &Mappings::none(),
    )
}

fn read(outcome: Result<Outcome, ItemError>) -> (Mapped, Vec<AgentFact>) {
    match outcome {
        Ok(Outcome::Mapped(mapped)) => {
            let Stated::Agent { facts, .. } = &mapped.stated else {
                panic!("{mapped:?}")
            };
            let facts = facts.clone();
            (mapped, facts)
        }
        other => panic!("{other:?}"),
    }
}

/// Presence, routing and reason of a row.
fn meaning(row: &Value) -> (String, String, Option<String>) {
    let (_, facts) = read(outcome(row));
    let [presence, routing] = &facts[..] else {
        panic!("{facts:?}")
    };
    (
        presence.statement.presence.as_ref().unwrap().name().into(),
        routing.statement.routing.as_ref().unwrap().name().into(),
        presence.statement.reason.as_deref().map(str::to_owned),
    )
}

fn row() -> Value {
    json!({"stateIndex": 4, "startDate": "2026-05-04T10:00:00.250Z", "agentId": 7001, "agentStateId": 3, "agentStateName": "Unavailable",
        "agentSessionId": 880, "contactId": 0, "skillId": 0, "outStateId": 12, "outStateDescription": "Lunch", "duration": 1800.5,
        "fromAddress": "+15550100001", "isOutbound": false, "stationName": "x", "teamId": 31})
}

fn with(members: &Value) -> Value {
    let mut row = row();
    for (name, value) in members.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

#[test]
fn a_row_states_presence_and_routing_of_its_stretch() {
    let (mapped, facts) = read(outcome(&row()));
    assert_eq!(mapped.event_id.as_str(), "880:4");
    assert_eq!(mapped.at, at("2026-05-04T10:00:00.25Z"));
    let Stated::Agent { agent, .. } = &mapped.stated else {
        panic!("{mapped:?}")
    };
    assert_eq!((agent.id.as_str(), &agent.zone), ("7001", &None));
    let [presence, routing] = &facts[..] else {
        panic!("{facts:?}")
    };
    for (fact, track) in [(presence, Track::Presence), (routing, Track::Routing)] {
        assert_eq!(fact.key, FactKey::agent_state(track, mapped.at));
        assert_eq!(fact.until, Some(at("2026-05-04T10:30:00.75Z")));
        assert_eq!(fact.rank, SourceRank::SettledRecord);
    }
    assert_eq!(presence.statement.team.as_deref(), Some("31"));
    assert_eq!(
        meaning(&row()),
        ("meal".into(), "off_queue".into(), Some("Lunch".into()))
    );
}

#[test]
fn a_state_is_named_or_told_by_what_stands_beside_it() {
    let meaning = |members: Value| {
        let (presence, routing, _) = meaning(&with(&members));
        format!("{presence} {routing}")
    };
    let none = json!({"outStateId": 0, "outStateDescription": ""});
    assert_eq!(
        meaning(json!({"agentStateName": "Available", "outStateDescription": null})),
        "on_queue idle"
    );
    assert_eq!(
        meaning(json!({"agentStateName": "Working"})),
        "on_queue interacting"
    );
    assert_eq!(meaning(json!({"isACW": "True"})), "on_queue wrapping");
    assert_eq!(
        meaning(json!({"agentStateName": "LoggedOut"})),
        "offline off_queue"
    );
    assert_eq!(meaning(json!({"agentStateName": null})), "meal off_queue");
    let mut in_contact = json!({"agentStateName": null, "contactId": "9007199254740993"});
    in_contact
        .as_object_mut()
        .unwrap()
        .extend(none.as_object().unwrap().clone());
    assert_eq!(meaning(in_contact), "on_queue interacting");
    let mut nameless = none;
    nameless["agentStateName"] = Value::Null;
    assert_eq!(
        outcome(&with(&nameless)).unwrap_err().field,
        "agentStateName"
    );
    // The reason is the description, else the number.
    assert_eq!(
        super_reason(&json!({"outStateDescription": ""})),
        Some("12".to_owned())
    );
}

fn super_reason(members: &Value) -> Option<String> {
    meaning(&with(members)).2
}

#[test]
fn durations_are_read_in_every_spelling() {
    let until = |duration: Value| read(outcome(&with(&json!({"duration": duration})))).1[0].until;
    let expected = Some(at("2026-05-04T10:30:00.75Z"));
    for spelled in [
        json!(1800.5),
        json!("1800.5"),
        json!("1,800.5"),
        json!("PT30M0.5S"),
        json!("PT1800.500S"),
    ] {
        assert_eq!(until(spelled.clone()), expected, "{spelled}");
    }
    assert_eq!(until(Value::Null), None, "still so");
    let error = outcome(&with(&json!({"duration": "long"}))).unwrap_err();
    assert_eq!(
        (error.field.as_str(), error.value.as_str()),
        ("duration", "\"long\"")
    );
}

#[test]
fn a_row_without_length_states_nothing_but_the_sign_out() {
    for duration in [json!(0), json!("PT0S"), json!("0.0")] {
        let Ok(Outcome::Ignored { kind }) = outcome(&with(&json!({"duration": duration}))) else {
            panic!("{duration}")
        };
        assert_eq!(kind, "an agent state without length");
    }
    let (_, facts) = read(outcome(&with(
        &json!({"agentStateName": "Logged Out", "duration": 0}),
    )));
    assert!(
        facts.iter().all(|fact| fact.until.is_none()),
        "it has no end of its own"
    );
    // A copy read while the state lasted is replaced by one that was read later.
    let early = read(outcome(&with(&json!({"duration": 60})))).1;
    let late = read(outcome(&row())).1;
    assert!(late[0].supersedes(&early[0]) && late[1].supersedes(&early[1]));
}

#[test]
fn pitfall_20_a_length_that_is_none_is_refused_and_named() {
    for absurd in [
        json!(-3),
        json!("-PT1S"),
        json!(1e300),
        json!("P999999D"),
        json!(i64::MAX),
    ] {
        let error = outcome(&with(&json!({"duration": absurd}))).unwrap_err();
        assert_eq!(error.field, "duration", "{absurd}");
    }
    // A day part is a length all the same.
    let (_, facts) = read(outcome(&with(&json!({"duration": "P1DT19H18M29.651S"}))));
    assert_eq!(facts[0].until, Some(at("2026-05-06T05:18:29.901Z")));
    // In the report an end beside it is the better word.
    let log = |duration: &str, end: &str| {
        let row = format!(
            "Agent_No,Start_Date,End_Date,Duration,Available\n7,1/2/2019 8:29:15 PM,{end},{duration},1\n"
        );
        map(&log_in("UTC"), row.as_bytes(), &Mappings::none())
    };
    for absurd in ["-5", "1e300", "99999999999999"] {
        assert_eq!(log(absurd, "").unwrap_err().field, "Duration");
        let (_, facts) = read(log(absurd, "1/2/2019 8:30:15 PM"));
        assert_eq!(facts[0].until, Some(at("2019-01-02T20:30:15Z")));
    }
}

#[test]
fn rows_of_the_oldest_version_say_the_same() {
    let old = json!({"StateIndex": "4", "StartDate": "2026-05-04T10:00:00.250Z", "AgentId": "7001", "AgentStateId": "3",
        "AgentStateName": "Unavailable", "AgentSessionId": "880", "ContactId": "0", "OutStateId": "12", "OutStateDescription": "Lunch",
        "Duration": "1800.5", "IsOutbound": "False", "TeamId": "31"});
    let (old, new) = (read(outcome(&old)).0, read(outcome(&row())).0);
    assert_eq!(
        (old.event_id, old.at, old.stated),
        (new.event_id, new.at, new.stated)
    );
}

#[test]
fn answers_are_opened() {
    let format = BodyFormat::CxoneAgentStates;
    let one = row();
    let count = |body: Value| items(&format, &body.to_string()).len();
    assert_eq!(
        count(json!({"businessUnitId": 1, "agentStateHistory": [one, one], "totalRecords": 2})),
        2
    );
    assert_eq!(count(json!({"agentStateHistory": {"entries": [one]}})), 1);
    assert_eq!(
        count(json!({"resultSet": {"agentStateHistory": {"entries": [one, one, one]}}})),
        3
    );
    assert_eq!(count(json!([one, {"agentStateHistory": [one]}])), 2);
    assert_eq!(
        count(json!({"businessUnitId": 1, "agentId": 7, "startDate": "x", "agentStateId": 2})),
        1,
        "a row"
    );
    for nothing in [
        json!({}),
        json!({"agentStateHistory": []}),
        json!({"agentStateHistory": {"entries": null}}),
        json!({"totalRecords": 0}),
    ] {
        assert_eq!(count(nothing.clone()), 0, "{nothing}");
    }
    // Wrappers without end are no answer, and no row either.
    let mut deep = json!({});
    for _ in 0..50 {
        deep = json!({"agentStateHistory": deep});
    }
    assert_eq!(items(&format, &deep.to_string()), [deep.to_string()]);
    assert!(outcome(&deep).is_err());
}

const HEADER: &str = "Agent_Session_ID,Agent_No,Agent_Name,Team_No,Bus_No,StateIndex,Start_Date,Working,Available,Outstate_Code,Outstate,Log_State,Skill_No,Skill_Name,Duration,End_Date";

/// A row of the report.
struct Line<'a> {
    start: &'a str,
    end: &'a str,
    millis: &'a str,
    working: &'a str,
    available: &'a str,
    reason: &'a str,
    log: &'a str,
}

const LINE: Line<'static> = Line {
    start: "5/4/2026 8:29:15 PM",
    end: "5/4/2026 8:29:32 PM",
    millis: "16733",
    working: "0",
    available: "0",
    reason: "InboundPending",
    log: "1",
};

impl Line<'_> {
    fn outcome(&self, zone: &str) -> Result<Outcome, ItemError> {
        let Self {
            start,
            end,
            millis,
            working,
            available,
            reason,
            log,
        } = self;
        let body = format!(
            "{HEADER}\n880,7001,\"Doe, Ada\",31,4500001,4,{start},{working},{available},-3,{reason},{log},,,{millis},{end}\n"
        );
        let format = log_in(zone);
        let items = items(&format, &body);
        let [item] = &items[..] else {
            panic!("{items:?}")
        };
        map(&format, item.as_bytes(), &Mappings::none())
    }

    fn facts(&self, zone: &str) -> Vec<AgentFact> {
        read(self.outcome(zone)).1
    }

    /// Presence and routing, and from when to when.
    fn meaning(&self, zone: &str) -> Vec<String> {
        let show = |fact: AgentFact| {
            let state = match (&fact.statement.presence, &fact.statement.routing) {
                (Some(presence), _) => presence.name().to_owned(),
                (_, Some(routing)) => routing.name().to_owned(),
                _ => "nothing".to_owned(),
            };
            let until = fact.until.map_or("open".to_owned(), shown);
            format!("{state} {} {until}", shown(fact.at))
        };
        self.facts(zone).into_iter().map(show).collect()
    }
}

#[test]
fn a_line_of_the_report_is_a_state_in_the_business_units_time() {
    let (mapped, facts) = read(LINE.outcome("America/Denver"));
    assert_eq!(mapped.event_id.as_str(), "880:4");
    let Stated::Agent { agent, .. } = &mapped.stated else {
        panic!("{mapped:?}")
    };
    assert_eq!(
        (agent.id.as_str(), agent.zone.as_deref()),
        ("7001", Some("America/Denver"))
    );
    assert_eq!(facts[0].at, at("2026-05-05T02:29:15Z"));
    assert_eq!(
        facts[0].until,
        Some(at("2026-05-05T02:29:32Z")),
        "where the next line begins"
    );
    assert_eq!(facts[0].statement.reason.as_deref(), Some("InboundPending"));
    assert_eq!(facts[0].statement.team.as_deref(), Some("31"));
    let state = |line: Line<'_>| {
        let facts = line.facts("UTC");
        let [presence, routing] = &facts[..] else {
            panic!("{facts:?}")
        };
        format!(
            "{} {}",
            presence.statement.presence.as_ref().unwrap().name(),
            routing.statement.routing.as_ref().unwrap().name()
        )
    };
    assert_eq!(state(LINE), "on_queue inbound_pending");
    for working in ["1", "2", "3", "4", "1.0"] {
        assert_eq!(state(Line { working, ..LINE }), "on_queue interacting");
    }
    assert_eq!(
        state(Line {
            available: "1",
            reason: "",
            ..LINE
        }),
        "on_queue idle"
    );
    assert_eq!(
        state(Line {
            reason: "Team meeting",
            ..LINE
        }),
        "meeting off_queue"
    );
    assert_eq!(
        state(Line {
            reason: "",
            log: "0",
            ..LINE
        }),
        "busy off_queue"
    );
}

#[test]
fn a_line_without_an_end_lasts_as_long_as_it_says() {
    let open = Line { end: "", ..LINE };
    assert_eq!(
        open.facts("UTC")[0].until,
        Some(at("2026-05-04T20:29:31.733Z"))
    );
    let unknown = Line {
        end: "",
        millis: "",
        ..LINE
    };
    assert_eq!(unknown.facts("UTC")[0].until, None);
}

#[test]
fn the_last_line_of_a_session_is_followed_by_the_sign_out() {
    let line = Line {
        log: "2",
        working: "1",
        ..LINE
    };
    assert_eq!(
        line.meaning("UTC"),
        [
            "on_queue 2026-05-04T20:29:15Z 2026-05-04T20:29:32Z",
            "interacting 2026-05-04T20:29:15Z 2026-05-04T20:29:32Z",
            "offline 2026-05-04T20:29:32Z open",
            "off_queue 2026-05-04T20:29:32Z open",
        ]
    );
    // Without length, or without an end, it is the sign-out itself.
    let gone = [
        "offline 2026-05-04T20:29:15Z open",
        "off_queue 2026-05-04T20:29:15Z open",
    ];
    for line in [
        Line {
            log: "2",
            end: LINE.start,
            millis: "0",
            ..LINE
        },
        Line {
            log: "2",
            end: "",
            millis: "",
            ..LINE
        },
        Line {
            log: "2",
            reason: "LoggedOut",
            ..LINE
        },
    ] {
        let meaning = line.meaning("UTC");
        assert_eq!(meaning, gone, "{meaning:?}");
    }
    // Any other line of less than a second stands where the next begins.
    let Ok(Outcome::Ignored { kind }) = (Line {
        end: LINE.start,
        millis: "400",
        ..LINE
    })
    .outcome("UTC") else {
        panic!("ignored")
    };
    assert_eq!(kind, "an agent state of less than a second");
}

#[test]
fn the_hour_that_happens_twice_is_told_by_start_end_and_duration_together() {
    // New York, 1 November 2026: 01:00 to 02:00 happens at 05:00 and at 06:00 UTC.
    let stretch = |start: &str, end: &str, millis: &str| {
        let line = Line {
            start,
            end,
            millis,
            ..LINE
        };
        let fact = line.facts("America/New_York").remove(0);
        (shown(fact.at), shown(fact.until.unwrap()))
    };
    let is = |from: &str, to: &str| (format!("2026-11-01T{from}Z"), format!("2026-11-01T{to}Z"));
    // Over the end of the hour: only one start fits.
    assert_eq!(
        stretch("11/1/2026 1:50:00 AM", "11/1/2026 2:05:00 AM", "900400"),
        is("06:50:00", "07:05:00")
    );
    assert_eq!(
        stretch("11/1/2026 1:50:00 AM", "11/1/2026 2:05:00 AM", "4500000"),
        is("05:50:00", "07:05:00")
    );
    // Over its beginning.
    assert_eq!(
        stretch("11/1/2026 12:50:00 AM", "11/1/2026 1:10:00 AM", "1200000"),
        is("04:50:00", "05:10:00")
    );
    assert_eq!(
        stretch("11/1/2026 12:50:00 AM", "11/1/2026 1:10:00 AM", "4800000"),
        is("04:50:00", "06:10:00")
    );
    // The clock went back in between.
    assert_eq!(
        stretch("11/1/2026 1:50:00 AM", "11/1/2026 1:10:00 AM", "1200000"),
        is("05:50:00", "06:10:00")
    );
    assert_eq!(
        stretch("11/1/2026 1:10:00 AM", "11/1/2026 1:20:00 AM", "4200000"),
        is("05:10:00", "06:20:00")
    );
    // Both sides fit: the earlier, as in the other report.
    assert_eq!(
        stretch("11/1/2026 1:10:00 AM", "11/1/2026 1:20:00 AM", "600000"),
        is("05:10:00", "05:20:00")
    );
    assert_eq!(
        stretch("11/1/2026 1:10:00 AM", "11/1/2026 1:20:00 AM", ""),
        is("05:10:00", "05:20:00")
    );
    // An ordinary line, and the spring's missing hour.
    assert_eq!(
        stretch("11/1/2026 9:00:00 AM", "11/1/2026 9:00:05 AM", "4900"),
        is("14:00:00", "14:00:05")
    );
    assert_eq!(
        stretch("3/8/2026 1:50:00 AM", "3/8/2026 3:10:00 AM", "1200000"),
        (
            "2026-03-08T06:50:00Z".to_owned(),
            "2026-03-08T07:10:00Z".to_owned()
        )
    );
}

#[test]
fn what_a_line_cannot_say_is_named() {
    let field = |line: Line<'_>, zone: &str| line.outcome(zone).unwrap_err().field;
    assert_eq!(field(LINE, "Nowhere/Atlantis"), "(zone)");
    assert_eq!(
        field(
            Line {
                start: "2026-05-04 20:29:15",
                ..LINE
            },
            "UTC"
        ),
        "Start_Date"
    );
    assert_eq!(field(Line { start: "", ..LINE }, "UTC"), "Start_Date");
    assert_eq!(
        field(
            Line {
                end: "soon",
                ..LINE
            },
            "UTC"
        ),
        "End_Date"
    );
    assert_eq!(
        field(
            Line {
                millis: "long",
                ..LINE
            },
            "UTC"
        ),
        "Duration"
    );
    assert_eq!(
        field(
            Line {
                working: "7",
                ..LINE
            },
            "UTC"
        ),
        "Working"
    );
    assert_eq!(
        field(
            Line {
                available: "yes",
                ..LINE
            },
            "UTC"
        ),
        "Available"
    );
    let Split::Unreadable { reason } = split(&log_in("UTC"), b"Agent_No,Working\n1,0\n") else {
        panic!("no report")
    };
    assert_eq!(
        reason,
        BodyError::Header {
            missing: "Start_Date".into()
        }
    );
}
