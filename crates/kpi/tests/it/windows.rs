//! What a definition says of windows, and what its rows bring along for them.

use crate::call::{Call, at, at_millis, definition, second};
use kpi::{Aggregation, Catalogue, Definition, Library, MetricValue, Unit, WindowRule};
use schema::{LegKind, Millis, State};
use std::sync::Arc;
use timezone::{Places, Schedule};
use window::{Counted, Dimension, GroupBy, Size};

fn problems(lines: &str) -> Vec<String> {
    let text = format!("name = 'own'\nversion = 1\nunit = 'count'\nvalue = '1'\n{lines}");
    match Definition::read("own.toml", &text, &library()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn library() -> Library {
    let odd = "schedule = \"odd\"\nversion = 1\n[weekly]\neveryday = [\"06:00-14:10\"]\n";
    let shifts = "schedule = \"shifts\"\nversion = 1\n[weekly]\neveryday = [\"06:00-14:15\", \"14:15-22:00\"]\n";
    let schedules = [odd, shifts].map(|text| Schedule::read(text).unwrap());
    Library::shipped().with(schedules, Some(Places::empty()))
}

fn assert_one(lines: &str, place: &str, part: &str) {
    let found = problems(lines);
    assert_eq!(found.len(), 1, "{lines}: {found:#?}");
    let expected = format!("own.toml:{place}: ");
    assert!(found[0].starts_with(&expected), "{lines}: {found:#?}");
    assert!(found[0].contains(part), "{lines}: {found:#?}");
}

fn rule(unit: &str, rest: &str) -> WindowRule {
    definition(unit, rest).windows().unwrap().clone()
}

#[test]
fn a_definition_says_in_which_windows_values_add_up_and_for_whom() {
    let text = "name = 'own'\nversion = 1\nunit = 'seconds'\nvalue = 'interaction.wait'\naggregations = ['max', 'mean', 'p90']\ncounted = 'answered'\nsettles_after = '1d12h'\n\
                [schedules]\nlate = 'shifts@1'\n\
                [[windows]]\nby = []\nsizes = ['15m', '30m', '60m', 'day', 'week', 'month', 'shift']\nshift = 'late'\n\
                [[windows]]\nby = ['media', 'queue', 'attribute:brand']\nsizes = ['month']";
    let definition = Definition::read("own.toml", text, &library()).unwrap();
    let rule = definition.windows().unwrap();
    assert_eq!(rule.counted, Counted::Answered);
    assert_eq!(rule.value, Aggregation::Max);
    assert_eq!(rule.settles_after, Millis(36 * 3_600_000));
    assert!(rule.wants.extremes && rule.wants.percentiles);
    assert_eq!(rule.scale, 1000);
    let [everything, some] = &rule.sets[..] else {
        panic!("{rule:?}");
    };
    assert_eq!(everything.by, GroupBy::new(Vec::new()));
    assert_eq!(everything.sizes, Size::ALL);
    assert_eq!(everything.shift.as_ref().unwrap().name(), "shifts");
    let by = [
        Dimension::Queue,
        Dimension::Media,
        Dimension::Attribute("brand".into()),
    ];
    assert_eq!(some.by, GroupBy::new(by.to_vec()));
    assert!(some.sizes == [Size::Month] && some.shift.is_none());
}

#[test]
fn what_is_left_out_is_as_usual() {
    let usual = rule(
        "count",
        "value = '1'\n[[windows]]\nby = ['queue']\nsizes = ['day']",
    );
    assert_eq!(usual.counted, Counted::Ended);
    assert_eq!(usual.value, Aggregation::Mean);
    assert_eq!(usual.settles_after, Millis(2 * 86_400_000));
    assert!(!usual.wants.extremes && !usual.wants.percentiles);
    assert!(definition("count", "value = '1'").windows().is_none());
}

#[test]
fn every_problem_has_its_place() {
    let queue = "[[windows]]\nby = ['queue']\n";
    assert_one("counted = 'answered'", "5:1", "there are no [[windows]]");
    assert_one("settles_after = '1d'", "5:1", "there are no [[windows]]");
    assert_one("windows = []", "5:1", "names no group");
    assert_one("windows = 5", "5:11", "must be an array");
    assert_one(
        &format!("counted = 'talked'\n{queue}sizes = ['day']"),
        "5:11",
        "offered, answered, ended",
    );
    for wrong in ["2", "-1d", "1 d", "367d", ""] {
        let lines = format!("settles_after = '{wrong}'\n{queue}sizes = ['day']");
        assert_one(&lines, "5:17", "from 0s to 366d");
    }
    assert_one(
        &format!("aggregations = []\n{queue}sizes = ['day']"),
        "6:3",
        "the first of `aggregations`",
    );
    assert_one(&format!("{queue}sizes = []"), "7:9", "names none");
    assert_one(&format!("{queue}sizes = ['20m']"), "7:10", "20m");
    assert_one(&format!("{queue}sizes = ['day', 'day']"), "7:17", "twice");
    assert_one(queue, "5:1", "`sizes` is missing");
    assert_one("[[windows]]\nsizes = ['day']", "5:1", "`by` is missing");
    assert_one(
        "[[windows]]\nby = ['boss']\nsizes = ['day']",
        "6:7",
        "attribute:NAME",
    );
    assert_one(
        "[[windows]]\nby = ['queue', 'queue']\nsizes = ['day']",
        "6:16",
        "twice",
    );
    assert_one(
        &format!("{queue}sizes = ['day']\ncolour = 1"),
        "8:1",
        "colour",
    );
    assert_one(
        &format!("{queue}sizes = ['day']\n[[windows]]\nby = ['queue']\nsizes = ['week']"),
        "8:1",
        "has windows already",
    );
}

#[test]
fn shifts_are_those_of_a_schedule_of_the_definition() {
    let shift = "[[windows]]\nby = ['queue']\nsizes = ['shift']\n";
    assert_one(shift, "5:1", "need `shift`");
    assert_one(&format!("{shift}shift = 'late'"), "8:9", "schedules.late");
    assert_one(
        "[[windows]]\nby = ['queue']\nsizes = ['day']\nshift = 'late'\n[schedules]\nlate = 'shifts@1'",
        "8:1",
        "not among `sizes`",
    );
    assert_one(
        &format!("{shift}shift = 'odd'\n[schedules]\nodd = 'odd@1'"),
        "8:9",
        "14:10",
    );
    // A schedule that is not there is told once.
    assert_one(
        &format!("{shift}shift = 'gone'\n[schedules]\ngone = 'gone@1'"),
        "10:8",
        "no schedule gone@1",
    );
}

#[test]
fn windows_are_a_part_of_the_digest() {
    let with = |windows: &str| definition("count", &format!("value = '1'\n{windows}")).digest();
    let day = with("[[windows]]\nby = ['queue']\nsizes = ['day']");
    assert_ne!(day, with(""));
    assert_ne!(day, with("[[windows]]\nby = ['queue']\nsizes = ['week']"));
    assert_eq!(day, with("windows = [{ sizes = ['day'], by = ['queue'] }]"));
}

/// Queued at 10, answered at 40 and over at 100 seconds.
fn call() -> Call {
    Call::default()
        .told(at(0).state(State::Alerting).agent("anna", None))
        .told(at(10).state(State::Queued).queue("support"))
        .told(at(40).state(State::Connected).agent("anna", None))
        .told(at(100).state(State::Completed).agent("anna", None))
}

fn counted_at(call: &Call, scope: &str, counted: &str) -> Option<schema::UtcMicros> {
    let rest = format!(
        "scope = '{scope}'\nvalue = '1'\ncounted = '{counted}'\n[[windows]]\nby = []\nsizes = ['day']"
    );
    call.measured_by(definition("count", &rest), Library::shipped())
        .counted_at
}

#[test]
fn the_instant_that_puts_a_value_into_a_window_is_the_one_named() {
    let call = call();
    for (counted, expected) in [("offered", 10), ("answered", 40), ("ended", 100)] {
        assert_eq!(
            counted_at(&call, "interaction", counted),
            Some(second(expected)),
            "{counted}"
        );
    }
    // What was not answered counts when it ended.
    let left = Call::default()
        .told(at(10).state(State::Queued).queue("support"))
        .told(at(70).state(State::Abandoned));
    for (counted, expected) in [("offered", 10), ("answered", 70), ("ended", 70)] {
        assert_eq!(
            counted_at(&left, "interaction", counted),
            Some(second(expected)),
            "{counted}"
        );
    }
}

#[test]
fn a_line_that_an_agent_left_open_besides_moves_nothing_into_another_month() {
    let line = |call: Call, id, kind, ends| {
        call.told(at(0).leg(id, kind, |leg| leg.ended_at = Some(second(ends))))
    };
    let call = Call::default().told(at(0).state(State::Connected).agent("anna", None));
    let call = line(call, "customer", LegKind::Customer, 60);
    let call = line(call, "besides", LegKind::External, 60 * 86_400);
    let call = line(call, "anna", LegKind::Agent, 75);
    let call = call.told(at(60 * 86_400).state(State::Completed));
    assert_eq!(
        counted_at(&call, "interaction", "ended"),
        Some(second(75)),
        "the platform counts handle time where the wrap-up ends"
    );
}

#[test]
fn a_leg_is_counted_by_its_own_instants() {
    let leg = |answered: Option<i64>, ended: Option<i64>| {
        Call::default()
            .told(at(20).agent("anna", None).leg("a", LegKind::Agent, |leg| {
                leg.answered_at = answered.map(second);
                leg.ended_at = ended.map(second);
            }))
            .told(at(100).state(State::Completed))
    };
    for (answered, ended, expected) in [
        (Some(25), Some(90), [20, 25, 90]),
        (None, Some(90), [20, 90, 90]),
        (None, None, [20, 20, 20]),
    ] {
        let call = leg(answered, ended);
        let found = ["offered", "answered", "ended"].map(|of| counted_at(&call, "leg", of));
        assert_eq!(found, expected.map(|at| Some(second(at))));
    }
}

#[test]
fn only_a_value_of_a_definition_with_windows_is_counted() {
    let windows = "[[windows]]\nby = []\nsizes = ['day']";
    let row = |rest: &str| call().measured_by(definition("count", rest), Library::shipped());
    assert_eq!(row("value = '1'").counted_at, None);
    let filtered = row(&format!("value = '1'\nfilter = 'false'\n{windows}"));
    assert_eq!(filtered.counted_at, None);
    // A zero by a rule is a value.
    let zero = row(&format!(
        "value = '1'\non_excluded = 'zero'\n[[exclusions]]\nreason = 'test'\nwhen = 'true'\n{windows}"
    ));
    assert_eq!(
        (zero.value, zero.counted_at),
        (Some(0.0), Some(second(100)))
    );
}

#[test]
fn values_are_added_up_in_whole_parts_of_their_unit() {
    let scaled = |unit: &str, value: &str| {
        let own = definition(unit, &format!("value = '{value}'"));
        call().measured_by(own, Library::shipped()).scaled()
    };
    assert_eq!(scaled("seconds", "duration(\"1m30s1ms\")"), Some(90_001));
    assert_eq!(scaled("count", "interaction.agent_count"), Some(1));
    assert_eq!(scaled("share", "true"), Some(1_000_000));
    assert_eq!(scaled("share", "1.0 / 3.0"), Some(333_333));
    assert_eq!(scaled("share", "2.0 / 3.0"), Some(666_667));
    assert_eq!(scaled("number", "0.0 - 1.5 / 1000000.0"), Some(-2));
    assert_eq!(scaled("number", "1.5 / 1000000.0"), Some(2));
    assert_eq!(scaled("number", "1e18"), None);
    assert_eq!(scaled("seconds", "interaction.talk"), None);
    assert_eq!(Unit::Seconds.scale(), 1000);
}

#[test]
fn the_offer_is_when_the_first_wait_in_a_queue_began() {
    let offered = |call: Call| -> MetricValue {
        let own = definition(
            "seconds",
            "value = 'interaction.offered_at - interaction.started_at'",
        );
        call.measured_by(own, Library::shipped())
    };
    let ivr = || Call::default().told(at(0).leg("ivr", LegKind::Ivr, |_| ()));
    let waits = |call: Call, begins: i64, id: &str| {
        call.told(at_millis(begins).leg(id, LegKind::Queue, |leg| {
            leg.id = schema::LegId::new(id);
        }))
    };
    let two = waits(waits(ivr(), 30_500, "q1"), 90_000, "q2").ended();
    assert_eq!(offered(two).value, Some(30.5));
    let told = Call::default()
        .told(at(0).state(State::Other("ringing".into())))
        .told(at(5).state(State::Offered))
        .told(at(9).state(State::Queued));
    assert_eq!(offered(told.ended()).value, Some(5.0));
    assert_eq!(offered(ivr().ended()).value, Some(0.0));
}

#[test]
fn every_row_of_the_catalogue_that_has_a_value_and_windows_is_counted() {
    let catalogue = Catalogue::shipped();
    let rows = call().rows_of(&catalogue);
    let windows = |row: &MetricValue| {
        let definitions: &[Arc<Definition>] = catalogue.definitions();
        let of_row = definitions.iter().find(|one| one.name() == row.metric);
        of_row.unwrap().windows().is_some()
    };
    for row in rows {
        let counted = row.value.is_some() && windows(&row);
        assert_eq!(row.counted_at.is_some(), counted, "{row:?}");
    }
}
