//! Real transitions, by name: days of unusual length, gaps, overlaps, zones off the whole hour, and every zone at its extremes.
#![allow(
    clippy::unwrap_used,
    reason = "a test's own table is in order, or the test fails"
)]

use chrono::{DateTime, NaiveDateTime};
use timezone::{Local, NaiveDate, NaiveTime, Side, TZDB_VERSION, Zone};

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn time(text: &str) -> NaiveTime {
    NaiveTime::parse_from_str(text, "%H:%M").unwrap()
}

/// Microseconds of an instant such as `2025-03-09T05:00Z`.
fn utc(text: &str) -> i64 {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%MZ")
        .unwrap()
        .and_utc()
        .timestamp_micros()
}

fn show(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .unwrap()
        .format("%Y-%m-%dT%H:%MZ")
        .to_string()
}

#[test]
fn local_days_begin_and_end_where_the_wall_clock_says() {
    // Zone, date, first instant, first instant of the next date, hours.
    let days = [
        // Ordinary days of summer time.
        (
            "America/New_York",
            "2025-03-09",
            "2025-03-09T05:00Z",
            "2025-03-10T04:00Z",
            23.0,
        ),
        (
            "America/New_York",
            "2025-11-02",
            "2025-11-02T04:00Z",
            "2025-11-03T05:00Z",
            25.0,
        ),
        (
            "Europe/London",
            "2025-03-30",
            "2025-03-30T00:00Z",
            "2025-03-30T23:00Z",
            23.0,
        ),
        (
            "Europe/London",
            "2025-10-26",
            "2025-10-25T23:00Z",
            "2025-10-27T00:00Z",
            25.0,
        ),
        (
            "America/Phoenix",
            "2025-03-09",
            "2025-03-09T07:00Z",
            "2025-03-10T07:00Z",
            24.0,
        ),
        // Half an hour of summer time.
        (
            "Australia/Lord_Howe",
            "2025-04-06",
            "2025-04-05T13:00Z",
            "2025-04-06T13:30Z",
            24.5,
        ),
        (
            "Australia/Lord_Howe",
            "2025-10-05",
            "2025-10-04T13:30Z",
            "2025-10-05T13:00Z",
            23.5,
        ),
        // Offsets off the whole hour.
        (
            "Asia/Kolkata",
            "2025-03-09",
            "2025-03-08T18:30Z",
            "2025-03-09T18:30Z",
            24.0,
        ),
        (
            "Asia/Kathmandu",
            "2024-04-07",
            "2024-04-06T18:15Z",
            "2024-04-07T18:15Z",
            24.0,
        ),
        (
            "Pacific/Chatham",
            "2024-04-07",
            "2024-04-06T10:15Z",
            "2024-04-07T11:15Z",
            25.0,
        ),
        (
            "Pacific/Chatham",
            "2024-09-29",
            "2024-09-28T11:15Z",
            "2024-09-29T10:15Z",
            23.0,
        ),
        // Midnight does not happen: the day begins at 01:00.
        (
            "Africa/Cairo",
            "2025-04-25",
            "2025-04-24T22:00Z",
            "2025-04-25T21:00Z",
            23.0,
        ),
        (
            "America/Santiago",
            "2025-09-07",
            "2025-09-07T04:00Z",
            "2025-09-08T03:00Z",
            23.0,
        ),
        (
            "America/Sao_Paulo",
            "2017-10-15",
            "2017-10-15T03:00Z",
            "2017-10-16T02:00Z",
            23.0,
        ),
        (
            "Asia/Beirut",
            "2025-03-30",
            "2025-03-29T22:00Z",
            "2025-03-30T21:00Z",
            23.0,
        ),
        (
            "America/Havana",
            "2025-03-09",
            "2025-03-09T05:00Z",
            "2025-03-10T04:00Z",
            23.0,
        ),
        // Midnight happens twice: the day begins at the first.
        (
            "America/Havana",
            "2024-11-03",
            "2024-11-03T04:00Z",
            "2024-11-04T05:00Z",
            25.0,
        ),
        (
            "America/Havana",
            "2025-11-02",
            "2025-11-02T04:00Z",
            "2025-11-03T05:00Z",
            25.0,
        ),
        // The hour before midnight happens twice: the day before has 25.
        (
            "Africa/Cairo",
            "2025-10-30",
            "2025-10-29T21:00Z",
            "2025-10-30T22:00Z",
            25.0,
        ),
        // The date was skipped.
        (
            "Pacific/Apia",
            "2011-12-30",
            "2011-12-30T10:00Z",
            "2011-12-30T10:00Z",
            0.0,
        ),
        (
            "Pacific/Apia",
            "2011-12-29",
            "2011-12-29T10:00Z",
            "2011-12-30T10:00Z",
            24.0,
        ),
    ];
    for (name, day, begin, end, hours) in days {
        let (from, to) = zone(name).day(date(day));
        assert_eq!(
            (show(from), show(to)),
            (begin.into(), end.into()),
            "{name} {day}"
        );
        #[allow(clippy::cast_precision_loss)]
        let length = (to - from) as f64 / 3_600e6;
        assert!(
            (length - hours).abs() < 1e-9,
            "{name} {day} has {length} hours"
        );
    }
}

#[test]
fn a_missing_time_is_the_end_of_its_gap_and_a_double_one_is_the_side_asked_for() {
    let cases = [
        // Zone, date, local time, earliest, latest.
        (
            "America/New_York",
            "2024-03-10",
            "02:30",
            "2024-03-10T07:00Z",
            "2024-03-10T07:00Z",
        ),
        (
            "America/New_York",
            "2024-03-10",
            "02:00",
            "2024-03-10T07:00Z",
            "2024-03-10T07:00Z",
        ),
        (
            "America/New_York",
            "2024-03-10",
            "03:00",
            "2024-03-10T07:00Z",
            "2024-03-10T07:00Z",
        ),
        (
            "America/New_York",
            "2024-03-10",
            "01:59",
            "2024-03-10T06:59Z",
            "2024-03-10T06:59Z",
        ),
        (
            "America/New_York",
            "2024-11-03",
            "01:30",
            "2024-11-03T05:30Z",
            "2024-11-03T06:30Z",
        ),
        (
            "America/New_York",
            "2024-11-03",
            "02:00",
            "2024-11-03T07:00Z",
            "2024-11-03T07:00Z",
        ),
        (
            "America/Havana",
            "2024-11-03",
            "00:00",
            "2024-11-03T04:00Z",
            "2024-11-03T05:00Z",
        ),
        (
            "Australia/Lord_Howe",
            "2024-10-06",
            "02:15",
            "2024-10-05T15:30Z",
            "2024-10-05T15:30Z",
        ),
        (
            "Australia/Lord_Howe",
            "2024-04-07",
            "01:45",
            "2024-04-06T14:45Z",
            "2024-04-06T15:15Z",
        ),
        (
            "Pacific/Apia",
            "2011-12-30",
            "12:00",
            "2011-12-30T10:00Z",
            "2011-12-30T10:00Z",
        ),
    ];
    for (name, day, clock, earliest, latest) in cases {
        let resolve = |side| show(zone(name).resolve(date(day), time(clock), side));
        assert_eq!(
            resolve(Side::Earliest),
            earliest,
            "{name} {day} {clock} earliest"
        );
        assert_eq!(resolve(Side::Latest), latest, "{name} {day} {clock} latest");
    }
}

#[test]
fn the_wall_clock_of_an_instant_is_that_of_its_own_date_and_not_of_today() {
    let cases = [
        // Zone, instant, date, hour, minute, offset in minutes.
        ("Europe/Berlin", "2024-01-15T07:00Z", "2024-01-15", 8, 0, 60),
        (
            "Europe/Berlin",
            "2024-07-15T07:00Z",
            "2024-07-15",
            9,
            0,
            120,
        ),
        // The same hour twice, told apart by the offset.
        (
            "America/New_York",
            "2024-11-03T05:30Z",
            "2024-11-03",
            1,
            30,
            -240,
        ),
        (
            "America/New_York",
            "2024-11-03T06:30Z",
            "2024-11-03",
            1,
            30,
            -300,
        ),
        (
            "Asia/Kathmandu",
            "2024-10-06T18:14Z",
            "2024-10-06",
            23,
            59,
            345,
        ),
        (
            "Asia/Kathmandu",
            "2024-10-06T18:15Z",
            "2024-10-07",
            0,
            0,
            345,
        ),
        (
            "Australia/Lord_Howe",
            "2024-07-01T00:00Z",
            "2024-07-01",
            10,
            30,
            630,
        ),
        (
            "Australia/Lord_Howe",
            "2024-12-01T00:00Z",
            "2024-12-01",
            11,
            0,
            660,
        ),
        (
            "Pacific/Apia",
            "2011-12-30T09:59Z",
            "2011-12-29",
            23,
            59,
            -600,
        ),
        ("Pacific/Apia", "2011-12-30T10:00Z", "2011-12-31", 0, 0, 840),
        // Rules that changed with days of notice.
        (
            "America/Mexico_City",
            "2023-07-01T12:00Z",
            "2023-07-01",
            6,
            0,
            -360,
        ),
        (
            "Africa/Cairo",
            "2023-05-15T12:00Z",
            "2023-05-15",
            15,
            0,
            180,
        ),
        ("Asia/Beirut", "2023-03-26T12:00Z", "2023-03-26", 15, 0, 180),
        (
            "America/Sao_Paulo",
            "2024-12-01T12:00Z",
            "2024-12-01",
            9,
            0,
            -180,
        ),
    ];
    for (name, instant, day, hour, minute, offset) in cases {
        let local = zone(name).local(utc(instant));
        let expected = Local {
            date: date(day),
            hour,
            minute,
            second: 0,
            offset_seconds: offset * 60,
        };
        assert_eq!(local, expected, "{name} {instant}");
    }
}

#[test]
fn every_name_of_a_zone_leads_to_the_name_in_use() {
    let names = [
        ("Europe/Kyiv", "Europe/Kyiv"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("Asia/Kathmandu", "Asia/Kathmandu"),
        ("Asia/Katmandu", "Asia/Kathmandu"),
        ("Asia/Kolkata", "Asia/Kolkata"),
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("US/Eastern", "America/New_York"),
        ("us/eastern", "America/New_York"),
        ("america/new_york", "America/New_York"),
        ("AMERICA/NEW_YORK", "America/New_York"),
        ("America/New_York ", "America/New_York"),
        ("\tAmerica/New_York\n", "America/New_York"),
        ("Etc/UTC", "UTC"),
        ("utc", "UTC"),
        ("Z ulu", ""),
        ("Eastern Standard Time", ""),
        ("Foo Standard Time", ""),
        ("Europe", ""),
        ("", ""),
        ("  ", ""),
        ("+02:00", ""),
    ];
    for (text, expected) in names {
        match Zone::parse(text) {
            Ok(found) => assert_eq!(found.name(), expected, "{text:?}"),
            Err(error) => {
                assert_eq!(expected, "", "{text:?} is unknown");
                assert_eq!(error.text, text);
                assert!(error.to_string().contains(text));
            }
        }
    }
    let long = Zone::parse(&"é".repeat(10_000)).unwrap_err();
    assert_eq!(long.text.chars().count(), 100);
}

#[test]
fn resolving_what_a_wall_clock_shows_gives_the_instant_back_in_every_zone() {
    for tz in chrono_tz::TZ_VARIANTS {
        let zone = zone(tz.name());
        // Every 10 hours and 23 minutes of 2007 to 2037: falls into gaps' and overlaps' neighbourhoods of every zone.
        for minute in (19_459_440..35_238_240_i64).step_by(623) {
            let instant = minute * 60_000_000;
            let local = zone.local(instant);
            let clock = NaiveTime::from_hms_opt(local.hour, local.minute, local.second).unwrap();
            let (earliest, latest) = (
                zone.resolve(local.date, clock, Side::Earliest),
                zone.resolve(local.date, clock, Side::Latest),
            );
            assert!(
                instant == earliest || instant == latest,
                "{zone}: {} shows {local:?}, which resolves to {} or {}",
                show(instant),
                show(earliest),
                show(latest)
            );
        }
    }
}

#[test]
fn local_days_of_every_zone_touch_without_gap_or_overlap() {
    for tz in chrono_tz::TZ_VARIANTS {
        let zone = zone(tz.name());
        let mut day = date("2009-12-30");
        let (_, mut end) = zone.day(day);
        while day < date("2030-01-02") {
            day = day.succ_opt().unwrap();
            let (from, to) = zone.day(day);
            assert_eq!(from, end, "{zone} {day} begins where the day before ends");
            let hours = (to - from) / 3_600_000_000;
            assert!(
                from == to || (20..=27).contains(&hours),
                "{zone} {day} has {hours} hours"
            );
            if from < to {
                assert_eq!(zone.local(from).date, day, "{zone} {day}");
                assert_eq!(zone.local(to - 1).date, day, "{zone} {day}");
            }
            end = to;
        }
    }
}

#[test]
fn no_instant_and_no_local_time_is_too_far_away() {
    for tz in chrono_tz::TZ_VARIANTS {
        let zone = zone(tz.name());
        for micros in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX] {
            let local = zone.local(micros);
            assert!(local.hour < 24 && local.minute < 60);
        }
        for day in [
            NaiveDate::MIN,
            NaiveDate::MAX,
            date("-150000-02-03"),
            date("+150000-02-03"),
        ] {
            let (from, to) = zone.day(day);
            assert!(from <= to, "{zone} {day}");
        }
    }
}

#[test]
fn the_version_of_the_zone_data_is_known() {
    assert!(TZDB_VERSION.starts_with("20"), "{TZDB_VERSION}");
}
