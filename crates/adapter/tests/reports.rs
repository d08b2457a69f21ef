//! Reports dropped over HTTP: CSV as it is, or in base64 in the answer of a data-download job.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{BodyError, ItemError, Mapped, Mappings, Outcome, Split, instant, map, split};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schema::{BodyFormat, DurationKind};
use serde_json::json;
use std::fmt::Write as _;

const DETAIL: &str = "contact_id,master_contact_id,media_name,contact_name,ANI_DIALNUM,skill_no,skill_name,agent_no,agent_name,disposition_code,SLA,start_date,start_time,PreQueue,InQueue,Agent_Working_Time,PostQueue,Total_Time,Abandon_Time,Routing_Time,abandon,callback_time,Logged";
const STATES: &str = "Agent_Session_ID,Agent_No,Agent_Name,Team_No,Bus_No,StateIndex,Start_Date,Working,Available,Outstate_Code,Outstate,Log_State,Skill_No,Skill_Name,Duration,End_Date";

fn detail() -> BodyFormat {
    BodyFormat::CxoneCallDetail {
        zone: "America/Denver".into(),
    }
}

fn states() -> BodyFormat {
    BodyFormat::CxoneAgentStateLog {
        zone: "America/Denver".into(),
    }
}

fn outcomes(format: &BodyFormat, body: &[u8]) -> Vec<Result<Mapped, ItemError>> {
    let Split::Items(items) = split(format, body) else {
        panic!("{} cannot be split", String::from_utf8_lossy(body))
    };
    items
        .iter()
        .map(|item| match map(format, &item.raw, &Mappings::none()) {
            Ok(Outcome::Mapped(mapped)) => Ok(mapped),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        })
        .collect()
}

fn whole(format: &BodyFormat, body: &[u8]) -> Vec<Mapped> {
    outcomes(format, body)
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

/// Integers as in 2020, and the fractions that a column with an empty cell had in 2019.
fn rows_2020() -> String {
    format!(
        "{DETAIL}\n\
        11,11,Phone Call,1555,+1555,41,SKILL,70,AGENT,0,0,01/31/2020,16:32:15,18,27,1368,0,1413,0,27,N,0,Y\n\
        12,12,Phone Call,1555,+1555,41,SKILL,0,,0,-1,01/31/2020,16:32:20,5,0,0,0,5,0,0,N,0,N\n"
    )
}

fn rows_2019() -> String {
    format!(
        "{DETAIL}\n\
        11.0,11.0,Phone Call,1555,+1555,41.0,SKILL,70.0,AGENT,0.0,0,01/31/2020,16:32:15,18.0,27.0,1368.0,0.0,1413.0,0.0,27,N,0,Y\n\
        12.0,,Phone Call,1555,+1555,41.0,SKILL,,,,-1,01/31/2020,16:32:20,,,,,,,,N,,N\n"
    )
}

#[test]
fn the_variants_of_two_years_say_the_same_and_an_empty_cell_is_not_zero() {
    let (newer, older) = (
        whole(&detail(), rows_2020().as_bytes()),
        whole(&detail(), rows_2019().as_bytes()),
    );
    assert_eq!(newer[0].stated, older[0].stated);
    assert_eq!(newer[0].at, instant::parse("2020-01-31T23:32:15Z").unwrap());
    assert_eq!(older[1].stated.subject(), "12");
    let statement = &older[1].stated.facts()[0].statement;
    assert!(statement.durations.is_empty());
    assert_eq!(statement.agent, None);
    assert_eq!(
        statement.details.as_ref().unwrap().ended_at,
        None,
        "no time is no end"
    );
}

#[test]
fn marks_line_ends_quotes_and_the_answer_around_change_nothing() {
    let plain = rows_2020();
    let expected = whole(&detail(), plain.as_bytes());
    let quoted = plain
        .replace("AGENT,", "\"AGENT, \"\"the\r\nfirst\"\" Ä\",")
        .replace('\n', "\r\n");
    let marked = format!("\u{feff}{}", plain.replace('\n', "\r\n"));
    for csv in [
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\r"),
        marked,
        quoted.clone(),
    ] {
        for body in [
            csv.clone(),
            json!({"file": STANDARD.encode(&csv)}).to_string(),
        ] {
            let found = whole(&detail(), body.as_bytes());
            assert_eq!(found.len(), 2, "{body}");
            for (found, expected) in found.iter().zip(&expected) {
                assert_eq!(found.stated, expected.stated, "{body}");
                // Filed under the same key, whichever way it came.
                if csv != quoted {
                    assert_eq!(found.digest, expected.digest, "{body}");
                }
            }
        }
    }
}

#[test]
fn a_report_in_an_answer_is_found_by_every_format_of_reports() {
    let csv = format!(
        "{STATES}\r\n9,70,A,24,45,1,1/2/2019 8:29:15 PM,0,0,-3,InboundPending,1,,,16733,1/2/2019 8:29:32 PM\r\n"
    );
    let file = STANDARD.encode(&csv);
    for body in [
        csv,
        json!({"file": file}).to_string(),
        json!({"fileName": "544.csv", "file": file}).to_string(),
        json!({"resultSet": {"File": file}}).to_string(),
        json!({"files": [{"fileName": "544.csv", "file": file.trim_end_matches('=')}]}).to_string(),
    ] {
        let found = whole(&states(), body.as_bytes());
        assert_eq!(found.len(), 1, "{body}");
        assert_eq!(found[0].event_id.as_str(), "9:1");
    }
}

#[test]
fn what_holds_no_report_is_refused_as_a_whole_and_names_no_link() {
    let refused = |body: &str| match split(&detail(), body.as_bytes()) {
        Split::Unreadable { reason } => reason,
        Split::Items(items) => panic!("{items:?}"),
    };
    let link = refused(
        r#"{"jobResult":{"resultFileURL":"https://files.example/524?X-Amz-Signature=abc"}}"#,
    );
    assert_eq!(
        link,
        BodyError::ReportElsewhere {
            member: "resultFileURL"
        }
    );
    assert!(link.to_string().contains("resultFileURL") && !link.to_string().contains("Signature"));
    assert_eq!(refused(r#"{"totalRecords":1}"#), BodyError::NoReport);
    assert_eq!(
        refused(r#"{"file":"not base64!"}"#),
        BodyError::ReportEncoding
    );
    // A report of another kind, and no report at all.
    let other = json!({"file": STANDARD.encode(STATES)}).to_string();
    assert!(matches!(refused(&other), BodyError::Header { .. }));
    assert!(matches!(refused("<html>"), BodyError::Header { .. }));
    // Nothing was found: no rows, no fault.
    for empty in [
        json!({"file": ""}),
        json!({"file": STANDARD.encode("\r\n")}),
        json!({"file": STANDARD.encode(DETAIL)}),
    ] {
        assert_eq!(
            split(&detail(), empty.to_string().as_bytes()),
            Split::Items(vec![]),
            "{empty}"
        );
    }
}

#[test]
fn a_bad_row_never_takes_its_neighbours_down() {
    let bad = [
        "13,13,Phone Call,1,1,41,S,70,A,0,0,31/01/2020,16:32:15,18,27,1368,0,1413,0,27,N,0,Y",
        "14,14,Phone Call,1,1,41,S,70,A,0,0,01/31/2020,16:32:15,18,a while,1368,0,1413,0,27,N,0,Y",
        "15,15,Phone Call",
        "16,16,\"Phone Call,1,1,41,S,70,A,0,0,01/31/2020,16:32:15,18,27,1368,0,1413,0,27,N,0,Y",
    ];
    let mut csv = rows_2020();
    for row in bad {
        csv.push_str(row);
        csv.push('\n');
    }
    csv.push_str(&rows_2020().lines().skip(1).collect::<Vec<_>>().join("\n"));
    for body in [
        csv.clone(),
        json!({"file": STANDARD.encode(&csv)}).to_string(),
    ] {
        let found = outcomes(&detail(), body.as_bytes());
        let read: Vec<bool> = found.iter().map(Result::is_ok).collect();
        assert_eq!(read, [true, true, false, false, false, false, true, true]);
        let fields: Vec<&str> = found
            .iter()
            .filter_map(|found| found.as_ref().err())
            .map(|error| error.field.as_str())
            .collect();
        assert_eq!(fields, ["start_date", "InQueue", "(row)", "(row)"]);
    }
}

#[test]
fn pitfall_20_a_length_of_time_that_is_none_makes_no_instant_and_stays_to_be_withheld() {
    for absurd in ["-1715783530", "1e300", "99999999999999999999"] {
        let csv = format!(
            "{DETAIL}\n11,11,Phone Call,1,1,41,S,70,A,0,0,01/31/2020,16:32:15,18,{absurd},{absurd},0,{absurd},0,27,N,0,Y\n"
        );
        let found = whole(&detail(), csv.as_bytes());
        let statement = &found[0].stated.facts()[0].statement;
        let leg = statement.leg().unwrap();
        assert_eq!((leg.ended_at, leg.answered_at), (None, None), "{absurd}");
        let talk =
            session::DurationFact::judge(statement.durations.get(DurationKind::Talk).unwrap());
        assert_eq!(talk.plausible(), None, "{absurd}");
    }
}

#[test]
fn a_written_contact_has_its_wait_apart_from_its_agent() {
    let csv = format!(
        "{DETAIL}\n11,11,Chat,1,1,41,S,70,A,0,0,01/31/2020,16:32:15,18,27,1368,0,1413,0,27,N,0,Y\n"
    );
    let found = whole(&detail(), csv.as_bytes());
    let mut session = session::Session::default();
    for fact in found[0].stated.facts() {
        session.insert(fact.clone());
    }
    let timeline = session.timeline();
    let legs: Vec<String> = timeline
        .legs()
        .iter()
        .map(|leg| leg.id.to_string())
        .collect();
    assert_eq!(legs, ["11:70", "11"]);
    let wait = Some(session::DurationFact::Stated(schema::Millis(27_000)));
    assert_eq!(timeline.answered_after(), wait);
    assert_eq!(timeline.duration(DurationKind::QueueWait), wait);
}

#[test]
fn a_large_report_is_split_into_rows_that_each_stand_alone() {
    // 11 MiB of CSV in 15 MiB of JSON: what one body may be.
    let mut csv = String::from(DETAIL);
    csv.push('\n');
    let mut count = 0;
    while csv.len() < 11 << 20 {
        count += 1;
        writeln!(csv, "{count},{count},Phone Call,1,1,41,S,70,A,0,0,01/31/2020,16:32:15,18,27,1368,0,1413,0,27,N,0,Y").unwrap();
    }
    let body = json!({"file": STANDARD.encode(&csv)}).to_string();
    assert!(body.len() < 15 << 20);
    let Split::Items(items) = split(&detail(), body.as_bytes()) else {
        panic!()
    };
    assert_eq!(items.len(), count);
    let most = items.iter().map(|item| item.raw.len()).max().unwrap();
    assert!(
        most < DETAIL.len() + 150,
        "a row and its header, no more: {most}"
    );
    let Ok(Outcome::Mapped(last)) = map(&detail(), &items[count - 1].raw, &Mappings::none()) else {
        panic!()
    };
    assert_eq!(last.stated.subject(), count.to_string());
}
