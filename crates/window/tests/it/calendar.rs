//! Where the clock and the calendar do odd things.

use crate::{shown, utc, zone};
use window::{Size, windows};

fn of(size: Size, zone_name: &str, from: &str, to: &str) -> Vec<String> {
    shown(&windows(size, zone(zone_name), None, utc(from), utc(to)))
}

/// The local days of the guide to KPIs: zone, date, the instants between which it lies.
const DAYS: &str = "
America/New_York    2025-03-09 2025-03-09T05:00 2025-03-10T04:00
America/New_York    2025-11-02 2025-11-02T04:00 2025-11-03T05:00
Europe/London       2025-03-30 2025-03-30T00:00 2025-03-30T23:00
Europe/London       2025-10-26 2025-10-25T23:00 2025-10-27T00:00
Australia/Lord_Howe 2025-04-06 2025-04-05T13:00 2025-04-06T13:30
Australia/Lord_Howe 2025-10-05 2025-10-04T13:30 2025-10-05T13:00
Africa/Cairo        2025-04-25 2025-04-24T22:00 2025-04-25T21:00
America/Santiago    2025-09-07 2025-09-07T04:00 2025-09-08T03:00
America/Havana      2025-11-02 2025-11-02T04:00 2025-11-03T05:00
America/Phoenix     2025-03-09 2025-03-09T07:00 2025-03-10T07:00
Asia/Kolkata        2025-03-09 2025-03-08T18:30 2025-03-09T18:30
";

#[test]
fn a_local_day_is_as_long_as_it_is() {
    for line in DAYS.lines().filter(|line| !line.is_empty()) {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [name, date, from, to] = fields[..] else {
            panic!("{line}");
        };
        let (from, to) = (utc(from), utc(to));
        let zone = zone(name);
        let found = windows(Size::Day, zone, None, from, to);
        assert_eq!(found.len(), 1, "{line}");
        assert_eq!((found[0].start, found[0].end), (from, to), "{line}");
        assert_eq!(zone.local(from.0).date.to_string(), date);
        // The instants at and just outside of its ends belong to the neighbours.
        for at in [from.0 - 1, to.0] {
            let at = schema::UtcMicros(at);
            let one = windows(Size::Day, zone, None, at, schema::UtcMicros(at.0 + 1));
            assert!(one.len() == 1 && one[0] != found[0], "{line}");
        }
    }
}

#[test]
fn a_date_that_was_skipped_has_no_window() {
    let days = of(
        Size::Day,
        "Pacific/Apia",
        "2011-12-29T12:00",
        "2012-01-01T00:00",
    );
    assert_eq!(
        days,
        [
            "2011-12-29T10:00 1440",
            "2011-12-30T10:00 1440",
            "2011-12-31T10:00 1440"
        ],
        "the 29th, the 31st, the 1st"
    );
    let weeks = of(
        Size::Week,
        "Pacific/Apia",
        "2011-12-29T12:00",
        "2011-12-29T12:15",
    );
    assert_eq!(weeks, ["2011-12-26T10:00 8640"], "of six days");
    let months = of(
        Size::Month,
        "Pacific/Apia",
        "2011-12-29T12:00",
        "2011-12-29T12:15",
    );
    assert_eq!(months, ["2011-12-01T10:00 43200"], "of thirty");
}

#[test]
fn a_doubled_hour_is_two_windows_and_a_missing_one_none() {
    let spring = of(
        Size::Hour,
        "America/New_York",
        "2025-03-09T06:00",
        "2025-03-09T08:00",
    );
    assert_eq!(
        spring,
        ["2025-03-09T06:00 60", "2025-03-09T07:00 60"],
        "1 and 3 o'clock"
    );
    let autumn = of(
        Size::Hour,
        "America/New_York",
        "2025-11-02T05:00",
        "2025-11-02T07:00",
    );
    assert_eq!(
        autumn,
        ["2025-11-02T05:00 60", "2025-11-02T06:00 60"],
        "twice 1 o'clock"
    );
    let days = |from, to| of(Size::Hour, "Europe/Berlin", from, to).len();
    assert_eq!(days("2025-03-29T23:00", "2025-03-30T22:00"), 23);
    assert_eq!(days("2025-10-25T22:00", "2025-10-26T23:00"), 25);
}

#[test]
fn a_change_by_half_an_hour_cuts_an_hour_to_half() {
    // From 02:00 back to 01:30.
    let autumn = of(
        Size::Hour,
        "Australia/Lord_Howe",
        "2025-04-05T14:00",
        "2025-04-05T16:00",
    );
    assert_eq!(
        autumn,
        [
            "2025-04-05T14:00 60",
            "2025-04-05T15:00 30",
            "2025-04-05T15:30 60"
        ],
        "01:00 before the change, 01:30 after it, 02:00"
    );
    // From 02:00 on to 02:30.
    let spring = of(
        Size::Hour,
        "Australia/Lord_Howe",
        "2025-10-04T14:30",
        "2025-10-04T16:00",
    );
    assert_eq!(spring, ["2025-10-04T14:30 60", "2025-10-04T15:30 30"]);
    let halves = of(
        Size::Half,
        "Australia/Lord_Howe",
        "2025-04-05T14:30",
        "2025-04-05T16:00",
    );
    assert_eq!(
        halves,
        [
            "2025-04-05T14:30 30",
            "2025-04-05T15:00 30",
            "2025-04-05T15:30 30"
        ]
    );
}

#[test]
fn windows_begin_where_the_wall_clock_does() {
    // +05:45, so that an hour begins at 15 past.
    assert_eq!(
        of(
            Size::Hour,
            "Asia/Kathmandu",
            "2025-06-01T00:00",
            "2025-06-01T00:16"
        ),
        ["2025-05-31T23:15 60", "2025-06-01T00:15 60"]
    );
    // +12:45.
    assert_eq!(
        of(
            Size::Half,
            "Pacific/Chatham",
            "2025-06-01T00:00",
            "2025-06-01T00:01"
        ),
        ["2025-05-31T23:45 30"]
    );
    assert_eq!(
        of(
            Size::Quarter,
            "Pacific/Chatham",
            "2025-06-01T00:00",
            "2025-06-01T00:01"
        ),
        ["2025-06-01T00:00 15"]
    );
}

#[test]
fn weeks_begin_on_mondays_and_months_on_firsts() {
    // The ISO year 2025 begins in 2024; both weeks have a change of the clock in them or none.
    let weeks = of(
        Size::Week,
        "Europe/Berlin",
        "2024-12-30T00:00",
        "2025-01-06T00:00",
    );
    assert_eq!(weeks, ["2024-12-29T23:00 10080", "2025-01-05T23:00 10080"]);
    let spring = of(
        Size::Week,
        "Europe/Berlin",
        "2025-03-30T00:00",
        "2025-03-30T00:15",
    );
    assert_eq!(spring, ["2025-03-23T23:00 10020"]);
    let months = of(
        Size::Month,
        "Europe/Berlin",
        "2024-02-10T00:00",
        "2024-03-31T22:00",
    );
    assert_eq!(
        months,
        ["2024-01-31T23:00 41760", "2024-02-29T23:00 44580"],
        "a leap February, and a March without an hour"
    );
}

#[test]
fn a_clock_that_is_not_on_quarter_hours_is_followed_by_the_quarter_before() {
    // Until 2011 St. John's changed its clock at one past midnight: back to 23:01.
    let quarters = of(
        Size::Quarter,
        "America/St_Johns",
        "2010-11-07T02:15",
        "2010-11-07T03:00",
    );
    assert_eq!(
        quarters,
        [
            "2010-11-07T02:15 15",
            "2010-11-07T02:30 15",
            "2010-11-07T02:45 15"
        ],
        "the minute past midnight is with the second 23:00"
    );
    let days = of(
        Size::Day,
        "America/St_Johns",
        "2010-11-07T02:29",
        "2010-11-07T02:31",
    );
    assert_eq!(days, ["2010-11-06T02:30 1440", "2010-11-07T02:30 1500"]);
    assert_eq!(
        of(Size::Hour, "+05:07", "2025-06-01T00:00", "2025-06-01T01:00"),
        ["2025-05-31T23:45 60", "2025-06-01T00:45 60"],
        "an hour begins at 53 past"
    );
}

#[test]
fn names_are_read_as_they_are_written() {
    for size in Size::ALL {
        assert_eq!(Size::from_name(size.name()), Some(size));
    }
    assert_eq!(Size::from_name("year"), None);
    for counted in window::Counted::ALL {
        assert_eq!(window::Counted::from_name(counted.name()), Some(counted));
    }
    assert_eq!(window::Counted::from_name("started"), None);
}
