//! CXone report 524: local times, seconds with a fraction, legs of one interaction.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests fail as tests do

use adapter::{ItemError, Mapped, Mappings, Outcome, Split, map, split};
use proptest::prelude::*;
use schema::{BodyFormat, DurationKind, LegKind, LegOutcome, State, UtcMicros};

const CSV: &[u8] = include_bytes!("../../../tests/fixtures/cxone/call-detail-524.csv");

fn format(zone: &str) -> BodyFormat {
    BodyFormat::CxoneCallDetail { zone: zone.into() }
}

fn rows(body: &[u8], zone: &str) -> Vec<Result<Mapped, ItemError>> {
    let format = format(zone);
    let Split::Items(items) = split(&format, body) else {
        panic!("the report has a header")
    };
    items
        .iter()
        .map(|item| match map(&format, &item.raw, &Mappings::none())? {
            Outcome::Mapped(mapped) => Ok(mapped),
            Outcome::Ignored { kind } => panic!("{kind}"),
        })
        .collect()
}

fn row(index: usize) -> Mapped {
    rows(CSV, "America/Denver").swap_remove(index).unwrap()
}

fn instant(text: &str) -> UtcMicros {
    adapter::instant::parse(text).unwrap()
}

fn duration(mapped: &Mapped, kind: DurationKind) -> Option<i64> {
    mapped.stated.facts()[0]
        .statement
        .durations
        .get(kind)
        .map(|millis| millis.0)
}

#[test]
fn a_row_is_a_leg_of_its_masters_interaction() {
    let (first, second) = (row(0), row(1));
    assert_eq!(first.stated.interaction(), second.stated.interaction());
    assert_eq!(first.stated.subject(), "900719925474010001");
    // Ids beyond 2^53, with or without the fraction that an empty cell elsewhere gives the column.
    assert_eq!(
        second.stated.facts()[0]
            .statement
            .leg()
            .unwrap()
            .id
            .as_str(),
        "900719925474010002"
    );
    assert_eq!(
        second.stated.facts()[0]
            .statement
            .agent
            .as_ref()
            .unwrap()
            .id
            .as_str(),
        "8002"
    );
    assert_eq!(
        row(5).stated.subject(),
        "900719925474010006",
        "without a master the contact is its own"
    );
    assert_eq!(
        first.stated.facts()[0].statement.disposition.as_deref(),
        Some("12")
    );
    assert_eq!(
        first.stated.facts()[0]
            .statement
            .queue
            .as_ref()
            .unwrap()
            .as_str(),
        "5001"
    );
    let media = |mapped: &Mapped| {
        mapped.stated.facts()[0]
            .statement
            .details
            .as_ref()
            .unwrap()
            .media
            .clone()
            .unwrap()
    };
    assert_eq!(
        (media(&first).as_str(), media(&row(5)).as_str()),
        ("voice", "chat")
    );
}

#[test]
fn working_time_is_talk_and_what_the_report_lacks_is_not_stated() {
    let mapped = row(1);
    assert_eq!(duration(&mapped, DurationKind::Talk), Some(301_250));
    assert_eq!(duration(&mapped, DurationKind::QueueWait), Some(4_500));
    // Hold is inside working time, after-call work is in no column: neither is zero.
    assert_eq!(duration(&mapped, DurationKind::Hold), None);
    assert_eq!(duration(&mapped, DurationKind::Wrap), None);
    let leg = mapped.stated.facts()[0].statement.leg().unwrap();
    assert_eq!(
        (leg.kind, leg.outcome),
        (LegKind::Agent, Some(LegOutcome::Answered))
    );
    assert_eq!(leg.ended_at.unwrap().since(mapped.at).0, 305_750);
}

#[test]
fn agent_zero_is_no_agent_and_no_abandon_for_that() {
    let (abandoned, in_the_flow) = (row(2), row(3));
    for mapped in [&abandoned, &in_the_flow] {
        assert_eq!(mapped.stated.facts()[0].statement.agent, None);
        assert_eq!(duration(mapped, DurationKind::Talk), None);
        assert!(mapped.stated.is_terminal());
    }
    assert_eq!(
        abandoned.stated.facts()[0].statement.state,
        Some(State::Abandoned)
    );
    assert_eq!(
        abandoned.stated.facts()[0].statement.leg().unwrap().kind,
        LegKind::Queue
    );
    assert_eq!(duration(&abandoned, DurationKind::QueueWait), Some(44_000));
    assert_eq!(
        in_the_flow.stated.facts()[0].statement.state,
        Some(State::Completed)
    );
    assert_eq!(
        in_the_flow.stated.facts()[0].statement.leg().unwrap().kind,
        LegKind::Ivr
    );
    assert_eq!(duration(&in_the_flow, DurationKind::QueueWait), None);
}

#[test]
fn an_agents_part_begins_behind_the_flow_and_the_queue() {
    let answered = |index| {
        let mapped = row(index);
        let leg = mapped.stated.facts()[0].statement.leg().unwrap().clone();
        leg.answered_at.map(|at| at.since(mapped.at).0)
    };
    assert_eq!(answered(0), Some(43_000));
    assert_eq!(answered(1), Some(4_500));
    // Never reached an agent; or the cells are empty.
    assert_eq!((answered(2), answered(4)), (None, None));
    // What the report does not know is not stated.
    let mapped = row(0);
    let leg = mapped.stated.facts()[0].statement.leg().unwrap();
    assert_eq!((leg.holds, leg.transfer), (None, None));
}

#[test]
fn who_left_without_having_waited_in_a_queue_left_the_flow() {
    let left = |waited: &str| {
        let body = format!(
            "contact_id,start_date,start_time,InQueue,abandon\n1,01/02/2026,10:00:00,{waited},Y\n"
        );
        let mapped = rows(body.as_bytes(), "America/Denver")
            .swap_remove(0)
            .unwrap();
        assert_eq!(
            mapped.stated.facts()[0].statement.state,
            Some(State::Abandoned)
        );
        let leg = mapped.stated.facts()[0].statement.leg().unwrap();
        assert_eq!(leg.outcome, Some(LegOutcome::Abandoned));
        leg.kind
    };
    assert_eq!(left("0"), LegKind::Ivr);
    assert_eq!(left("0.4"), LegKind::Queue);
    assert_eq!(left(""), LegKind::Queue, "nothing says that it was not");
}

#[test]
fn local_times_become_instants_on_both_sides_of_the_change() {
    // Denver is six hours behind until 1 November 2026, 02:00; then seven.
    assert_eq!(row(0).at, instant("2026-10-31T15:15:02Z"));
    assert_eq!(row(4).at, instant("2026-11-01T19:00:00Z"));
    // 01:30 happens twice that night: the earlier one.
    assert_eq!(row(3).at, instant("2026-11-01T07:30:00Z"));
    assert_eq!(
        rows(CSV, "Europe/Berlin")[0].as_ref().unwrap().at,
        instant("2026-10-31T08:15:02Z")
    );
    // In the hour that does not happen: its end.
    let gap = b"contact_id,start_date,start_time\n1,03/08/2026,02:30:00\n";
    assert_eq!(
        rows(gap, "America/Denver")[0].as_ref().unwrap().at,
        instant("2026-03-08T09:00:00Z")
    );
}

#[test]
fn empty_cells_are_not_stated_and_a_row_without_a_start_is_refused_alone() {
    let rows = rows(CSV, "America/Denver");
    assert_eq!(rows.len(), 7);
    let empty = rows[4].as_ref().unwrap();
    assert!(empty.stated.facts()[0].statement.durations.is_empty());
    assert_eq!(
        empty.stated.facts()[0].statement.leg().unwrap().ended_at,
        None
    );
    let error = rows[6].as_ref().unwrap_err();
    assert_eq!(
        (error.field.as_str(), error.value.as_str()),
        ("start_date", "nothing")
    );
    assert_eq!(rows.iter().filter(|row| row.is_err()).count(), 1);
}

#[test]
fn what_is_no_value_of_its_column_is_refused_with_the_columns_name() {
    let one = |cells: &str| {
        let body = format!("contact_id,start_date,start_time,InQueue,abandon\n{cells}\n");
        rows(body.as_bytes(), "America/Denver").swap_remove(0)
    };
    for (cells, field) in [
        (",01/02/2026,10:00:00,1,N", "contact_id"),
        ("1,2026-01-02,10:00:00,1,N", "start_date"),
        ("1,02/30/2026,10:00:00,1,N", "start_date"),
        ("1,01/02/2026,10am,1,N", "start_time"),
        ("1,01/02/2026,24:00:00,1,N", "start_time"),
        ("1,01/02/2026,10:00:00,soon,N", "InQueue"),
        ("1,01/02/2026,10:00:00,NaN,N", "InQueue"),
        ("1,01/02/2026,10:00:00,1,perhaps", "abandon"),
        ("1,01/02/2026,10:00:00,1", "(row)"),
    ] {
        assert_eq!(one(cells).unwrap_err().field, field, "{cells}");
    }
    let body = b"contact_id,start_date,start_time\n1,01/02/2026,10:00:00\n";
    let error = rows(body, "Mountain Time").swap_remove(0).unwrap_err();
    assert_eq!(
        (error.field.as_str(), error.value.as_str()),
        ("(zone)", "Mountain Time")
    );
    // Negative and absurd figures are kept for the rules to withhold.
    assert_eq!(
        duration(
            &one("1,1/2/2026,9:00:00,-5,Y").unwrap(),
            DurationKind::QueueWait
        ),
        Some(-5_000)
    );
}

#[test]
fn columns_may_stand_in_any_order_and_case_and_say_the_same() {
    let one = b"contact_id,start_date,start_time,agent_no\n1,01/02/2026,10:00:00,7\n";
    let other = b"\xef\xbb\xbfAGENT_NO,Start_Time,\"start_date\",Contact_ID\r\n7,10:00:00,\"01/02/2026\",1\r\n";
    assert_eq!(rows(one, "America/Denver"), rows(other, "America/Denver"));
    let changed = b"contact_id,start_date,start_time,agent_no\n1,01/02/2026,10:00:00,8\n";
    assert_ne!(
        rows(one, "America/Denver")[0].as_ref().unwrap().digest,
        rows(changed, "America/Denver")[0].as_ref().unwrap().digest
    );
}

/// The contact and the name of each row that can be mapped, and the field of each that cannot.
fn named(body: &str) -> Vec<Result<String, String>> {
    rows(body.as_bytes(), "America/Denver")
        .into_iter()
        .map(|row| match row {
            Ok(mapped) => Ok(mapped.event_id.as_str().to_owned()),
            Err(error) => Err(format!("{}: {}", error.field, error.value)),
        })
        .collect()
}

#[test]
fn a_stray_quote_costs_its_own_row_at_most() {
    let head = "contact_id,contact_name,start_date,start_time\n";
    let row = |id: u32, name: &str| format!("{id},{name},01/02/2026,10:00:00\n");
    let ids = |ids: &[u32]| ids.iter().map(|id| Ok(id.to_string())).collect::<Vec<_>>();
    // Inside a cell it is a character, also several of them.
    let body = [
        head,
        &row(1, "5\" screen"),
        &row(2, "b"),
        &row(3, "7\"x9\"\""),
    ]
    .concat();
    assert_eq!(named(&body), ids(&[1, 2, 3]));
    // At the start of a cell it opens one that never ends, or ends in a neighbour's.
    for neighbour in ["c", "\"c, d\"", "\"c\nd\""] {
        let body = [
            head,
            &row(1, "a"),
            &row(2, "\"b"),
            &row(3, neighbour),
            &row(4, "e"),
        ]
        .concat();
        let mut expected = ids(&[1, 2, 3, 4]);
        expected[1] = Err("(row): a quote that is not closed".to_owned());
        assert_eq!(named(&body), expected, "{neighbour}");
    }
    // In the last cell of the last row as well.
    let body = "contact_id,start_date,start_time,x\n1,01/02/2026,10:00:00,\"a\n";
    assert_eq!(
        named(body),
        [Err("(row): a quote that is not closed".to_owned())]
    );
}

#[test]
fn a_text_of_nothing_but_open_quotes_is_read_through_once_and_not_line_by_line() {
    // Each line leaves a quote open, whether or not one was open before it.
    let body = format!(
        "contact_id,start_date,start_time\n{}",
        "\"b\",\"c\n".repeat(100_000)
    );
    let Split::Items(items) = split(&format("America/Denver"), body.as_bytes()) else {
        panic!("the report has a header")
    };
    assert_eq!(items.len(), 100_000);
}

proptest! {
    #[test]
    fn whatever_a_csv_writer_writes_comes_back_row_by_row(
        names in prop::collection::vec("[a,\"\r\n é]{0,8}", 1..20),
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["contact_id", "start_date", "start_time", "contact_name"]).unwrap();
        for (n, name) in names.iter().enumerate() {
            writer.write_record([(n + 1).to_string().as_str(), "01/02/2026", "10:00:00", name]).unwrap();
        }
        let body = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let expected: Vec<_> = (1..=names.len()).map(|id| Ok(id.to_string())).collect();
        prop_assert_eq!(named(&body), expected);
    }
}
