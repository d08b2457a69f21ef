//! Windows that are shifts.

use crate::{shown, utc, zone};
use timezone::Schedule;
use window::{Size, windows};

fn schedule(rest: &str) -> Schedule {
    Schedule::read(&format!("schedule = \"shifts\"\nversion = 1\n{rest}")).unwrap()
}

fn of(schedule: &Schedule, zone_name: &str, from: &str, to: &str) -> Vec<String> {
    let (from, to) = (utc(from), utc(to));
    shown(&windows(
        Size::Shift,
        zone(zone_name),
        Some(schedule),
        from,
        to,
    ))
}

#[test]
fn shifts_that_touch_are_windows_of_their_own() {
    let shifts =
        schedule("[weekly]\neveryday = [\"06:00-14:00\", \"14:00-22:00\", \"22:00-06:00\"]");
    assert_eq!(
        of(
            &shifts,
            "Europe/Berlin",
            "2025-06-01T00:00",
            "2025-06-02T00:00"
        ),
        [
            "2025-05-31T20:00 480",
            "2025-06-01T04:00 480",
            "2025-06-01T12:00 480",
            "2025-06-01T20:00 480"
        ]
    );
}

#[test]
fn a_night_shift_is_as_long_as_the_night() {
    let night = schedule("[weekly]\neveryday = [\"22:00-06:00\"]");
    assert_eq!(
        of(
            &night,
            "Europe/Berlin",
            "2025-03-29T21:00",
            "2025-03-30T04:00"
        ),
        ["2025-03-29T21:00 420"]
    );
    assert_eq!(
        of(
            &night,
            "Europe/Berlin",
            "2025-10-26T00:00",
            "2025-10-26T00:01"
        ),
        ["2025-10-25T20:00 540"]
    );
}

#[test]
fn shifts_that_overlap_in_a_night_of_autumn_are_one() {
    let shifts = schedule("[weekly]\nsunday = [\"00:00-01:30\", \"01:30-03:00\"]");
    assert_eq!(
        of(
            &shifts,
            "America/New_York",
            "2025-10-26T00:00",
            "2025-10-27T00:00"
        ),
        ["2025-10-26T04:00 90", "2025-10-26T05:30 90"]
    );
    assert_eq!(
        of(
            &shifts,
            "America/New_York",
            "2025-11-02T00:00",
            "2025-11-03T00:00"
        ),
        ["2025-11-02T04:00 240"]
    );
}

#[test]
fn a_place_that_is_closed_has_no_windows() {
    let office = schedule("[weekly]\nweekdays = [\"08:00-12:00\", \"12:30-16:45\"]");
    let weekend = of(
        &office,
        "Asia/Kathmandu",
        "2025-06-07T00:00",
        "2025-06-08T12:00",
    );
    assert_eq!(weekend, [""; 0]);
    let monday = of(
        &office,
        "Asia/Kathmandu",
        "2025-06-09T00:00",
        "2025-06-10T00:00",
    );
    assert_eq!(monday, ["2025-06-09T02:15 240", "2025-06-09T06:45 255"]);
    assert!(
        windows(
            Size::Shift,
            zone("UTC"),
            None,
            utc("2025-06-09T00:00"),
            utc("2025-06-10T00:00")
        )
        .is_empty()
    );
}

#[test]
fn an_edge_off_the_quarter_hours_is_moved_back() {
    let odd = schedule("[weekly]\neveryday = [\"08:10-12:20\"]");
    assert_eq!(
        of(&odd, "UTC", "2025-06-09T00:00", "2025-06-09T08:00"),
        [""; 0],
        "not yet"
    );
    let found = of(&odd, "UTC", "2025-06-09T08:00", "2025-06-09T08:05");
    assert_eq!(
        found,
        ["2025-06-09T08:00 255"],
        "whatever part of it is asked for"
    );
}
