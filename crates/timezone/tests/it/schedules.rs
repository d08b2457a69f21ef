//! Opening hours: what a document means, and what is no document.

use crate::{HOUR, date, schedule, utc, zone};
use timezone::{Schedule, Zone};

/// Hours open in `[from, to)`.
fn open(schedule: &Schedule, zone_name: &str, from: &str, to: &str) -> f64 {
    let micros = schedule.business_micros(zone(zone_name), utc(from), utc(to));
    #[allow(clippy::cast_precision_loss, reason = "hours of a week")]
    let hours = micros as f64 / 3_600e6;
    hours
}

/// Hours open on each of the dates from `first` on, in UTC.
fn by_day(schedule: &Schedule, first: &str, days: usize) -> Vec<f64> {
    let days = date(first).iter_days().take(days);
    days.map(|day| {
        let next = day.succ_opt().unwrap();
        open(
            schedule,
            "UTC",
            &format!("{day}T00:00Z"),
            &format!("{next}T00:00Z"),
        )
    })
    .collect()
}

fn near(one: &[f64], other: &[f64]) {
    let close =
        one.len() == other.len() && one.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-9);
    assert!(close, "{one:?} is not {other:?}");
}

const OFFICE: &str = r#"
schedule = "office"
version = 3
zone = "Europe/Berlin"
valid_from = 2024-01-01
valid_to = 2025-01-01

[weekly]
weekdays = ["13:00-18:00", "08:00-12:00"]
friday = ["22:00-06:00"]

[[holiday]]
date = 2024-12-25
name = "Christmas"
[[holiday]]
date = 2024-12-26

[[exception]]
date = 2024-12-24
open = ["08:00-12:00", "23:00-01:00"]
[[exception]]
date = 2024-12-28
name = "Stocktaking"
open = ["00:00-24:00"]

[[season]]
from = 2024-07-01
to = 2024-09-01
[season.weekly]
everyday = ["09:00-17:00"]
weekend = []
"#;

/// The first example in TOML of a module's documentation.
pub(crate) fn documented_example(source: &str) -> String {
    let lines = source.lines().skip_while(|line| *line != "/// ```toml");
    let lines = lines.skip(1).take_while(|line| *line != "/// ```");
    let lines: Vec<_> = lines.map(|line| line.trim_start_matches("///")).collect();
    lines.join("\n")
}

#[test]
fn the_documented_example_is_a_schedule() {
    let example = documented_example(include_str!("../../src/schedule.rs"));
    let schedule = Schedule::read(&example).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(schedule.name(), "office");
    assert_eq!(schedule.zone(), Some(zone("Europe/Berlin")));
}

#[test]
fn a_document_says_who_it_is() {
    let office = Schedule::read(OFFICE).unwrap();
    assert_eq!(office.name(), "office");
    assert_eq!(office.version(), 3);
    assert_eq!(office.zone(), Some(zone("Europe/Berlin")));
    assert_eq!(schedule("[weekly]").zone(), None);
}

#[test]
fn a_days_own_hours_replace_those_of_the_shorthands() {
    let office = Schedule::read(OFFICE).unwrap();
    // From Monday, 2024-02-05. Friday's night ends on Saturday.
    near(
        &by_day(&office, "2024-02-05", 7),
        &[9.0, 9.0, 9.0, 9.0, 2.0, 6.0, 0.0],
    );
    let weekend = schedule(
        "[weekly]\neveryday = [\"08:00-10:00\"]\nweekend = [\"08:00-09:00\"]\nsunday = []",
    );
    near(
        &by_day(&weekend, "2024-02-05", 7),
        &[2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 0.0],
    );
}

#[test]
fn holidays_close_and_exceptions_replace() {
    let office = Schedule::read(OFFICE).unwrap();
    // From Monday, 2024-12-23. The Eve's late span ends on Christmas, to whose date it does not belong.
    near(
        &by_day(&office, "2024-12-23", 7),
        &[9.0, 5.0, 1.0, 0.0, 2.0, 24.0, 0.0],
    );
}

#[test]
fn a_holiday_takes_the_whole_span_that_would_begin_on_it_and_nothing_of_the_one_before() {
    let night = schedule("[weekly]\neveryday = [\"22:00-06:00\"]\n[[holiday]]\ndate = 2024-12-25");
    near(&by_day(&night, "2024-12-24", 4), &[8.0, 6.0, 2.0, 8.0]);
    // Who wants it otherwise says so for the day before.
    let cut = schedule(
        "[weekly]\neveryday = [\"22:00-06:00\"]\n[[holiday]]\ndate = 2024-12-25\n\
         [[exception]]\ndate = 2024-12-24\nopen = [\"22:00-24:00\"]",
    );
    near(&by_day(&cut, "2024-12-24", 4), &[8.0, 0.0, 2.0, 8.0]);
}

#[test]
fn a_season_has_a_week_of_its_own_and_ends_before_its_last_date() {
    let office = Schedule::read(OFFICE).unwrap();
    // Saturday 2024-06-29 to Tuesday; then Friday 2024-08-30 to Monday.
    near(&by_day(&office, "2024-06-29", 4), &[6.0, 0.0, 8.0, 8.0]);
    near(&by_day(&office, "2024-08-30", 4), &[8.0, 0.0, 0.0, 9.0]);
    let always = schedule(
        "[weekly]\n[[season]]\nname = \"Fair\"\nfrom = 2024-05-01\nto = 2024-05-03\nround_the_clock = true",
    );
    near(&by_day(&always, "2024-04-30", 4), &[0.0, 24.0, 24.0, 0.0]);
}

#[test]
fn nothing_begins_outside_of_the_validity() {
    let office = Schedule::read(OFFICE).unwrap();
    // Friday 2023-12-29 to Tuesday; then Monday 2024-12-30 to Wednesday.
    near(
        &by_day(&office, "2023-12-29", 5),
        &[0.0, 0.0, 0.0, 9.0, 9.0],
    );
    near(&by_day(&office, "2024-12-30", 3), &[9.0, 9.0, 0.0]);
    let night = schedule("valid_to = 2024-06-02\n[weekly]\neveryday = [\"22:00-06:00\"]");
    near(&by_day(&night, "2024-06-01", 3), &[8.0, 6.0, 0.0]);
}

#[test]
fn spans_of_neighbouring_days_that_overlap_count_once_and_the_first_holds() {
    let twice = schedule("[weekly]\nmonday = [\"20:00-10:00\"]\ntuesday = [\"08:00-12:00\"]");
    near(&by_day(&twice, "2024-02-05", 3), &[4.0, 12.0, 0.0]);
    let began = |instant| twice.opened_on(Zone::UTC, utc(instant)).unwrap();
    assert_eq!(began("2024-02-06T09:00Z"), date("2024-02-05"));
    assert_eq!(began("2024-02-06T10:00Z"), date("2024-02-06"));
    // The same over the end of the week.
    let sunday = schedule("[weekly]\nsunday = [\"20:00-10:00\"]\nmonday = [\"08:00-12:00\"]");
    near(&by_day(&sunday, "2024-02-04", 3), &[4.0, 12.0, 0.0]);
}

#[test]
fn round_the_clock_is_the_time_that_passes() {
    let always = schedule("round_the_clock = true");
    for name in ["America/New_York", "Pacific/Apia", "Africa/Cairo", "+05:30"] {
        let zone = zone(name);
        let (from, to) = (utc("2010-01-01T00:00Z") + 1, utc("2030-06-01T12:34Z"));
        assert_eq!(always.business_micros(zone, from, to), to - from);
        assert!(always.contains(zone, from));
    }
    // The same where spans have to be looked at one by one, for the sake of a holiday.
    let but_one = schedule("round_the_clock = true\n[[holiday]]\ndate = 2011-12-31");
    let apia = zone("Pacific/Apia");
    let (from, to) = (utc("2011-12-20T00:00Z"), utc("2012-01-10T00:00Z"));
    assert_eq!(
        but_one.business_micros(apia, from, to),
        to - from - 24 * HOUR
    );
}

#[test]
fn spans_in_gaps_and_overlaps_mean_what_is_documented() {
    // Hours on a Sunday, the open hours of that Sunday in New York in spring and in autumn.
    let cases = [
        ("02:30-04:00", 1.0, 1.5),
        ("02:10-02:50", 0.0, 2.0 / 3.0),
        ("01:00-02:30", 1.0, 2.5),
        ("01:15-01:45", 0.5, 1.5),
        ("00:00-01:00", 1.0, 1.0),
        ("00:00-24:00", 23.0, 25.0),
        ("02:00-03:00", 0.0, 1.0),
    ];
    for (span, spring, autumn) in cases {
        let hours = schedule(&format!("[weekly]\nsunday = [\"{span}\"]"));
        let spring_open = open(
            &hours,
            "America/New_York",
            "2024-03-09T12:00Z",
            "2024-03-11T12:00Z",
        );
        let autumn_open = open(
            &hours,
            "America/New_York",
            "2024-11-02T12:00Z",
            "2024-11-04T12:00Z",
        );
        near(&[spring_open, autumn_open], &[spring, autumn]);
    }
    // Spans that touch: by their rules both take the doubled half hour, which passes only once more.
    let both = schedule("[weekly]\nsunday = [\"00:00-01:30\", \"01:30-03:00\"]");
    let hours = open(
        &both,
        "America/New_York",
        "2024-11-02T12:00Z",
        "2024-11-04T12:00Z",
    );
    near(&[hours], &[4.0]);
}

#[test]
fn a_date_goes_on_after_the_next_has_begun_where_midnight_is_passed_twice() {
    // 2010-11-07 00:01 went back to 2010-11-06 23:01.
    let st_johns = zone("America/St_Johns");
    let change = utc("2010-11-07T02:31Z");
    assert_eq!(st_johns.local(change - 1).date, date("2010-11-07"));
    assert_eq!(st_johns.local(change).date, date("2010-11-06"));
    let early = schedule("[weekly]\nsunday = [\"00:00-02:00\"]");
    let first_midnight = change - HOUR / 60;
    assert_eq!(
        early.business_micros(st_johns, change - 10 * HOUR, change + 10 * HOUR),
        3 * HOUR,
        "from the first midnight to the only 02:00"
    );
    assert!(early.contains(st_johns, first_midnight));
    assert!(early.contains(st_johns, change + HOUR / 2));
    assert_eq!(
        early.opened_on(st_johns, change + HOUR / 2),
        Some(date("2010-11-07"))
    );
    let late = schedule("[weekly]\nfriday = [\"23:30-23:29\"]");
    let last = utc("2010-11-07T02:59Z");
    assert!(late.contains(st_johns, first_midnight));
    assert!(late.contains(st_johns, last - 1));
    assert!(!late.contains(st_johns, last));
}

/// The spans as texts, `2024-02-05T08:00Z 4` with their hours.
fn spans(schedule: &Schedule, zone_name: &str, from: &str, to: &str) -> Vec<String> {
    let found = schedule.spans(zone(zone_name), utc(from), utc(to));
    let show = |(begin, end): &(i64, i64)| {
        let hours = (end - begin) / HOUR;
        format!("{} {hours}", crate::show(*begin))
    };
    found.iter().map(show).collect()
}

#[test]
fn spans_are_whole_and_touch_without_becoming_one() {
    let shifts =
        schedule("[weekly]\neveryday = [\"06:00-14:00\", \"14:00-22:00\", \"22:00-06:00\"]");
    assert_eq!(
        spans(
            &shifts,
            "Europe/Berlin",
            "2024-03-30T20:00Z",
            "2024-03-31T05:00Z"
        ),
        [
            "2024-03-30T13:00Z 8",
            "2024-03-30T21:00Z 7",
            "2024-03-31T04:00Z 8"
        ],
        "the night of spring has 7 hours"
    );
    let always = schedule("round_the_clock = true");
    assert_eq!(
        spans(&always, "UTC", "2024-03-30T20:00Z", "2024-03-31T05:00Z"),
        ["2024-03-30T00:00Z 24", "2024-03-31T00:00Z 24"]
    );
    assert_eq!(
        spans(&always, "UTC", "2024-03-30T20:00Z", "2024-03-30T20:00Z"),
        [""; 0]
    );
}

#[test]
fn spans_that_overlap_are_one_however_far_the_chain_reaches() {
    let chain = schedule(
        "[weekly]\nmonday = [\"20:00-19:00\"]\ntuesday = [\"18:00-17:00\"]\nwednesday = [\"16:00-15:00\"]\nthursday = [\"14:00-13:00\"]\nfriday = [\"12:00-11:00\"]\nsaturday = [\"10:00-09:00\"]\nsunday = [\"08:00-12:00\"]",
    );
    let whole = ["2024-02-05T20:00Z 136"];
    for instant in [
        "2024-02-05T20:00Z",
        "2024-02-08T12:00Z",
        "2024-02-11T11:59Z",
    ] {
        let end = instant.replace('Z', ":01Z");
        assert_eq!(spans(&chain, "UTC", instant, &end), whole, "{instant}");
    }
    assert_eq!(
        spans(&chain, "UTC", "2024-02-11T12:00Z", "2024-02-12T20:00Z"),
        [""; 0]
    );
    let autumn = schedule("[weekly]\nsunday = [\"00:00-01:30\", \"01:30-03:00\"]");
    assert_eq!(
        spans(
            &autumn,
            "America/New_York",
            "2024-11-03T06:00Z",
            "2024-11-03T06:01Z"
        ),
        ["2024-11-03T04:00Z 4"],
        "both have the doubled half hour"
    );
}

#[test]
fn an_edge_off_the_quarter_hours_is_named() {
    let told = |rest: &str| {
        schedule(rest)
            .on_quarter_hours()
            .map_err(|off| off.to_string())
    };
    assert_eq!(told("round_the_clock = true"), Ok(()));
    assert_eq!(
        told("[weekly]\nmonday = [\"08:15-12:30\", \"22:45-06:00\"]"),
        Ok(())
    );
    let at = |edge: &str| {
        Err(format!(
            "schedule test has an edge at {edge}, which is no quarter hour"
        ))
    };
    assert_eq!(told("[weekly]\nmonday = [\"08:10-12:30\"]"), at("08:10"));
    assert_eq!(told("[weekly]\nmonday = [\"22:00-06:05\"]"), at("06:05"));
    assert_eq!(
        told(
            "[weekly]\nmonday = [\"08:00-12:00\"]\n[[exception]]\ndate = 2024-12-24\nopen = [\"08:00-11:59\"]"
        ),
        at("11:59")
    );
    assert_eq!(
        told(
            "[weekly]\n[[season]]\nfrom = 2024-07-01\nto = 2024-09-01\n[season.weekly]\nsunday = [\"08:01-09:00\"]"
        ),
        at("08:01")
    );
}

#[test]
fn no_interval_is_too_long_and_no_instant_too_far() {
    let office = Schedule::read(OFFICE).unwrap();
    let forever = schedule("[weekly]\nmonday = [\"08:00-09:00\"]");
    let always = schedule("round_the_clock = true");
    for zone in ["Europe/Berlin", "UTC", "-03:00", "Africa/Casablanca"].map(zone) {
        // A leap cycle of the calendar is 20,871 weeks.
        let cycle = 146_097 * 24 * HOUR;
        let from = utc("2110-01-01T00:00Z");
        assert_eq!(
            forever.business_micros(zone, from, from + cycle),
            20_871 * HOUR
        );
        let year = office.business_micros(zone, i64::MIN, i64::MAX);
        assert!((1_500 * HOUR..3_000 * HOUR).contains(&year));
        for (from, to) in [
            (i64::MIN, i64::MIN),
            (i64::MAX, i64::MIN),
            (i64::MAX - 1, i64::MAX),
        ] {
            assert_eq!(always.business_micros(zone, from, to), 0);
        }
        assert!(always.business_micros(zone, i64::MIN, i64::MAX) > 0);
        for at in [i64::MIN, i64::MAX] {
            assert!(!always.contains(zone, at));
            assert_eq!(always.opened_on(zone, at), None);
            assert!(always.spans(zone, at, at.saturating_add(1)).is_empty());
        }
    }
}

#[test]
fn an_interval_that_ends_before_it_begins_has_no_business_time() {
    let office = schedule("[weekly]\neveryday = [\"08:00-18:00\"]");
    let noon = utc("2024-02-05T12:00Z");
    assert_eq!(office.business_micros(Zone::UTC, noon, noon), 0);
    assert_eq!(office.business_micros(Zone::UTC, noon + HOUR, noon), 0);
}

#[test]
fn all_problems_are_told_at_once_with_their_places() {
    let text = "\
schedule = \"Office hours\"
version = 40000
zone = \"Mars/Olympus\"
valid_from = 2024-06-01
valid_to = 2024-06-01
colour = 1

[weekly]
everyday = [\"08:00-12:00\", \"11:30-13:00\"]
monday = [\"8:00-12:00\", 5]
tuesday = [\"08:00-08:00\", \"24:00-02:00\", \"22:00-24:30\"]
someday = []

[[holiday]]
date = \"2024-12-25\"
[[holiday]]
name = 5

[[exception]]
date = 2024-12-24
[[exception]]
date = 2024-12-24
open = [\"22:00-03:00\", \"23:00-02:00\"]

[[season]]
from = 2024-07-01
to = 2024-09-01
[[season]]
from = 2024-08-31
to = 2024-09-02
round_the_clock = true
weekly = {}
";
    let problems = Schedule::read(text).unwrap_err();
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let expected = [
        "1:12: a name has lower-case letters, digits and _, begins with a letter and is not longer than 63",
        "2:11: `version` must be a version from 1 to 32767, not 40000",
        "3:8: unknown time zone \"Mars/Olympus\": an IANA name such as Europe/Berlin, a Windows name or an offset such as +05:30 is needed",
        "5:12: `valid_to` must be after `valid_from`: it is the first date that is no longer part",
        "6:1: unknown member `colour`; known are schedule, version, zone, valid_from, valid_to, round_the_clock, weekly, holiday, exception, season",
        "9:28: 11:30-13:00 overlaps 08:00-12:00",
        "10:11: \"8:00-12:00\" is no span of hours such as 08:00-12:30 or 22:00-06:00",
        "10:25: `monday` must be texts in brackets",
        "11:12: \"08:00-08:00\" ends as it begins; a whole day is 00:00-24:00",
        "11:27: \"24:00-02:00\" begins at the end of the day; 00:00 of the next is meant",
        "11:42: \"22:00-24:30\" is no span of hours such as 08:00-12:30 or 22:00-06:00",
        "12:1: unknown member `someday`; known are everyday, weekdays, weekend, monday, tuesday, wednesday, thursday, friday, saturday, sunday",
        "15:8: `date` must be a date such as 2024-12-25, without quotes, not a text",
        "16:1: `date` is missing",
        "17:8: `name` must be a text, not 5",
        "19:1: `open` is missing",
        "22:8: 2024-12-24 has a holiday or an exception already",
        "23:24: 23:00-02:00 overlaps 22:00-03:00",
        "25:1: hours are missing: [weekly] or `round_the_clock = true` is needed",
        "28:1: this season begins before another has ended",
        "31:19: round the clock leaves nothing for [weekly] to say: leave one of them out",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_a_document_must_have_is_told() {
    let problems = Schedule::read("").unwrap_err();
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let expected = [
        "1:1: `schedule` is missing",
        "1:1: `version` is missing",
        "1:1: hours are missing: [weekly] or `round_the_clock = true` is needed",
    ];
    assert_eq!(told, expected);
    let never = Schedule::read("schedule = \"a\"\nversion = 1\nround_the_clock = false");
    assert_eq!(never.unwrap_err().len(), 1, "no hours either");
    for text in [
        "round_the_clock = 5",
        "weekly = 5",
        "[weekly]\nmonday = \"08:00-12:00\"",
        "[weekly]\n[[season]]\nfrom = 2024-07-01\nround_the_clock = true",
        "[weekly]\nholiday = 5",
        "[weekly]\n[[holiday]]\ndate = 2024-12-25T00:00:00Z",
    ] {
        let whole = format!("schedule = \"a\"\nversion = 1\n{text}");
        let problems = Schedule::read(&whole).unwrap_err();
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
    }
}

#[test]
fn columns_are_counted_in_characters() {
    let text = "schedule = \"a\"\nversion = 1\n[weekly]\n[[holiday]]\nname = \"Σ\"\n[[exception]]\nopen = [\"Ω\", \"é-é\"]\ndate = 2024-01-01";
    let problems = Schedule::read(text).unwrap_err();
    let places = problems
        .iter()
        .map(|problem| (problem.line, problem.column));
    assert_eq!(places.collect::<Vec<_>>(), [(4, 1), (7, 9), (7, 14)]);
}
