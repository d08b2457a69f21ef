//! Real transitions, by name: days of unusual length, gaps, overlaps, zones off the whole hour, and every zone at its extremes.

use crate::{date, show, time, utc, zone};
use timezone::{Local, NaiveDate, NaiveTime, Side, TZDB_VERSION, Zone};

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
fn resolving_what_a_wall_clock_shows_gives_the_instant_back_in_every_zone() {
    for zone in every_zone() {
        // Every 37 hours and 1 minute of 2007 to 2037. Each transition's surroundings are the oracle's and the pitfalls' to look at.
        for minute in (19_459_440..35_238_240_i64).step_by(2_221) {
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
    for zone in every_zone() {
        let mut day = date("2009-12-30");
        let (_, mut end) = zone.day(day);
        while day < date("2020-01-02") {
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
    for zone in every_zone() {
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

/// That the steps of the search are small enough for the data compiled in, whatever the next release brings.
#[test]
fn the_transitions_of_every_zone_account_for_every_offset() {
    for zone in every_zone() {
        let transitions = zone.transitions(i64::MIN, i64::MAX);
        assert!(transitions.is_sorted_by(|one, other| one.at_micros < other.at_micros));
        let mut later = transitions.iter().peekable();
        let mut offset = zone.local(i64::MIN).offset_seconds;
        // 1970 to 2037, every 37 hours.
        for instant in (-1..16_000).map(|step| step * 37 * crate::HOUR) {
            while let Some(passed) = later.next_if(|next| next.at_micros <= instant) {
                assert_eq!(offset, passed.offset_before, "{zone} {passed:?}");
                assert_ne!(offset, passed.offset_after, "{zone} {passed:?}");
                offset = passed.offset_after;
            }
            assert_eq!(
                zone.local(instant).offset_seconds,
                offset,
                "{zone} {}",
                show(instant)
            );
        }
    }
}

#[test]
fn transitions_are_those_of_the_half_open_stretch() {
    let berlin = zone("Europe/Berlin");
    let (spring, autumn) = (utc("2024-03-31T01:00Z"), utc("2024-10-27T01:00Z"));
    let found = berlin.transitions(spring, autumn);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].at_micros, spring);
    assert_eq!(
        (found[0].offset_before, found[0].offset_after),
        (3_600, 7_200)
    );
    assert_eq!(berlin.transitions(spring, autumn + 1).len(), 2);
    assert_eq!(berlin.transitions(spring + 1, autumn), []);
    assert_eq!(berlin.transitions(autumn, spring), []);
    assert_eq!(zone("+02:00").transitions(i64::MIN, i64::MAX), []);
}

/// Each once, whatever its names.
fn every_zone() -> impl Iterator<Item = Zone> {
    timezone::all_names()
        .map(zone)
        .collect::<std::collections::HashSet<_>>()
        .into_iter()
}

#[test]
fn the_version_of_the_zone_data_is_known() {
    assert!(TZDB_VERSION.starts_with("20"), "{TZDB_VERSION}");
}
