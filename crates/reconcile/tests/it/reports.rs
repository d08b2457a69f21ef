//! Reports: the same findings give the same bytes, and every format has all that is to be looked at.

use crate::{date, day, zone};
use reconcile::report::Found;
use reconcile::shifts::{Outside, Shift};
use reconcile::zones::{Confidence, Kind, ZoneFinding};
use reconcile::{Cell, Head, Measure, Report, Subject, Verdict};
use schema::{AgentId, Millis, UtcMicros};

fn cell(subject: Subject, verdict: Verdict) -> Cell {
    let berlin = zone("Europe/Berlin");
    let (from, to) = day(berlin, date(2024, 10, 27));
    Cell {
        subject,
        measure: Measure::Handle,
        day: date(2024, 10, 27),
        from,
        to,
        zone: berlin,
        native: Some(87_000),
        ours: Some(80_000),
        verdict,
    }
}

fn report(turned: bool) -> Report {
    let mut cells = vec![
        cell(Subject::agent("=cmd|x"), Verdict::Differs),
        cell(
            Subject::agent("b"),
            Verdict::LeftOut {
                parts: vec![(Measure::Dial, 7_000)],
            },
        ),
        cell(Subject::queue("q"), Verdict::Equal),
    ];
    let mut zones = vec![
        ZoneFinding {
            agent: AgentId::from("b"),
            kind: Kind::Constant { seconds: 3_600 },
            ours: Some("Europe/Berlin".to_owned()),
            platform: Some("Europe/London".to_owned()),
            confidence: Confidence::Likely,
            seen: 0,
            example: None,
            fits: Vec::new(),
        },
        ZoneFinding {
            agent: AgentId::from("a"),
            kind: Kind::AtChange {
                at: UtcMicros(1_729_990_800_000_000),
                before: 0,
                after: -3_600,
            },
            ours: Some("Europe/London".to_owned()),
            platform: Some("Africa/Lagos".to_owned()),
            confidence: Confidence::Certain,
            seen: 14,
            example: None,
            fits: Vec::new(),
        },
    ];
    let outside = [Outside {
        shift: Shift {
            agent: AgentId::from("a"),
            from: UtcMicros(1_730_707_200_000_000),
            to: UtcMicros(1_730_736_000_000_000),
        },
        schedule: "office".to_owned(),
        zone: zone("Europe/London"),
        outside: Millis(3_600_000),
        ahead: Some(-3_600),
    }];
    if turned {
        cells.reverse();
        zones.reverse();
    }
    let head = Head {
        tenant: "acme".to_owned(),
        platform: "genesys-main".to_owned(),
        from: day(zone("UTC"), date(2024, 10, 20)).0,
        to: day(zone("UTC"), date(2024, 11, 10)).0,
        tzdb: "2025b".to_owned(),
    };
    let found = Found {
        cells: &cells,
        shifts: 2,
        outside: &outside,
        agents: 3,
        zones: &zones,
        not_compared: &["talk of agents: leg_talk_time is not switched on".to_owned()],
    };
    Report::of(head, &found)
}

#[test]
fn the_same_findings_are_the_same_bytes() {
    let (one, other) = (report(false), report(true));
    assert_eq!(one.markdown(), other.markdown());
    assert_eq!(one.csv().unwrap(), other.csv().unwrap());
    assert_eq!(one.json().unwrap(), other.json().unwrap());
    assert_eq!(one.totals.findings, 4);
    assert!(one.has_findings());
}

#[test]
fn markdown_says_what_is_wrong_in_words() {
    let text = report(false).markdown();
    for wanted in [
        "# Reconciliation of acme with genesys-main",
        "Not compared: talk of agents: leg\\_talk\\_time is not switched on.",
        "| to look at | 4 |",
        "our clock is 1 h behind the platform's from 2024-10-27T01:00:00.000Z on, when clocks change, and level with the platform's before",
        "our clock is 1 h ahead of the platform's throughout",
        "7000 ms dial, which ours leaves out",
        "60 min outside of office; it is inside by a clock 1 h ahead of ours",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert!(!text.contains("| q |"), "what is equal is in the sums only");
}

#[test]
fn csv_and_json_have_a_row_for_each() {
    let report = report(false);
    let csv = report.csv().unwrap();
    assert_eq!(csv.lines().count(), 1 + report.lines.len());
    assert!(csv.contains("'=cmd|x"), "no text is a formula: {csv}");
    let json = report.json().unwrap();
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["tenant"], "acme");
    let lines = read["lines"].as_array().unwrap();
    assert_eq!(lines.len(), report.lines.len());
    assert_eq!(lines[0]["from"], "2024-10-27T01:00:00.000Z");
}
