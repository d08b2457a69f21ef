//! What goes wrong elsewhere with zones and local time, one test a pitfall, by the number under which it was collected.

use crate::{HOUR, date, schedule, show, time, utc, zone};
use timezone::{Side, Zone};

/// The local days around a date: each begins where the one before ended, and their hours are those given.
fn assert_days(name: &str, first: &str, hours: &[i64]) {
    let zone = zone(name);
    let mut day = date(first);
    let (mut end, _) = zone.day(day);
    for hours in hours {
        let (from, to) = zone.day(day);
        assert_eq!(from, end, "{name} {day}: touches the day before");
        assert_eq!((to - from) / HOUR, *hours, "{name} {day}");
        if from < to {
            assert_eq!(zone.local(from).date, day);
            assert_eq!(zone.local(to - 1).date, day);
        }
        end = to;
        day = day.succ_opt().unwrap();
    }
}

#[test]
fn pitfall_83_midnight_happens_twice() {
    assert_days("America/Havana", "2024-11-02", &[24, 25, 24]);
    let havana = zone("America/Havana");
    let (from, to) = havana.day(date("2024-11-03"));
    assert_eq!(show(from), "2024-11-03T04:00Z", "the earlier midnight");
    let events = ["03:30", "04:30", "05:30", "06:30"].map(|t| utc(&format!("2024-11-03T{t}Z")));
    let within = events.map(|event| (from..to).contains(&event));
    assert_eq!(within, [false, true, true, true]);
    let (_, before) = havana.day(date("2024-11-02"));
    assert!(events[0] < before, "the first is the day before's");
}

#[test]
fn pitfall_84_midnight_does_not_happen() {
    for (name, day, change) in [
        ("America/Sao_Paulo", "2017-10-15", "2017-10-15T03:00Z"),
        ("Africa/Cairo", "2025-04-25", "2025-04-24T22:00Z"),
        ("Asia/Beirut", "2025-03-30", "2025-03-29T22:00Z"),
        ("America/Santiago", "2025-09-07", "2025-09-07T04:00Z"),
        ("America/Havana", "2025-03-09", "2025-03-09T05:00Z"),
    ] {
        let before = date(day).pred_opt().unwrap().to_string();
        assert_days(name, &before, &[24, 23, 24]);
        let (from, _) = zone(name).day(date(day));
        assert_eq!(show(from), change, "{name}");
        let event = zone(name).local(utc(change) + HOUR / 6);
        assert_eq!((event.date, event.hour), (date(day), 1), "{name}");
        assert_eq!(event.minute, 10, "{name}");
        // A day's work that begins at the missing midnight begins at the first instant there is.
        let whole = schedule("[weekly]\neveryday = [\"00:00-02:00\"]");
        assert_eq!(whole.business_micros(zone(name), from - HOUR, from), 0);
        assert_eq!(
            whole.business_micros(zone(name), from, from + 3 * HOUR),
            HOUR
        );
    }
}

#[test]
fn pitfall_85_business_hours_in_the_gap_or_the_overlap() {
    let new_york = zone("America/New_York");
    let opens = schedule("[weekly]\nsunday = [\"02:30-10:00\"]");
    let gap_end = utc("2024-03-10T07:00Z");
    assert!(!opens.contains(new_york, gap_end - 1));
    assert!(opens.contains(new_york, gap_end), "not before, not later");
    let closes = schedule("[weekly]\nsaturday = [\"20:00-01:30\"]");
    let later = utc("2024-11-03T06:30Z");
    assert!(
        closes.contains(new_york, later - 1),
        "the shift is not cut at the first 01:30"
    );
    assert!(!closes.contains(new_york, later));
    let deadline = new_york.resolve(date("2024-03-10"), time("02:15"), Side::Latest);
    assert_eq!(deadline, gap_end);
}

/// Every 45 minutes of the date of each change of each zone, and what is open around it.
#[test]
fn pitfall_85_no_local_time_of_any_zone_has_no_instant() {
    let hours =
        schedule("[weekly]\neveryday = [\"00:15-01:45\", \"02:15-02:45\", \"23:30-00:10\"]");
    for name in timezone::all_names() {
        let zone = zone(name);
        if zone.name() != name {
            continue;
        }
        for change in zone.transitions(utc("1970-01-01T00:00Z"), utc("2038-01-01T00:00Z")) {
            let around = change.at_micros - 2 * HOUR..change.at_micros + 2 * HOUR;
            let wall = zone.local(change.at_micros);
            for minute in (0..24 * 60).step_by(45) {
                let clock = time("00:00") + std::time::Duration::from_secs(minute * 60);
                let earliest = zone.resolve(wall.date, clock, Side::Earliest);
                let latest = zone.resolve(wall.date, clock, Side::Latest);
                assert!(earliest <= latest, "{name} {} {clock}", wall.date);
            }
            let open = hours.business_micros(zone, around.start, around.end);
            assert!((0..=4 * HOUR).contains(&open), "{name}");
        }
    }
}

#[test]
fn pitfall_87_two_hours_with_one_label_are_two() {
    let new_york = zone("America/New_York");
    let calls = ["2024-11-03T05:30Z", "2024-11-03T06:30Z"].map(utc);
    let [first, second] = calls.map(|call| new_york.local(call));
    assert_eq!((first.hour, first.minute), (second.hour, second.minute));
    assert_eq!(
        (first.offset_seconds, second.offset_seconds),
        (-4 * 3_600, -5 * 3_600)
    );
    // One bucket of 25 hours for the local day, none doubled.
    assert_days("America/New_York", "2024-11-02", &[24, 25, 24]);
    assert_days("Europe/Paris", "2025-10-24", &[24, 24, 25, 24]);
}

#[test]
fn pitfall_89_winter_is_measured_by_winters_offset() {
    let berlin = zone("Europe/Berlin");
    let office = schedule("[weekly]\nweekdays = [\"08:00-12:00\"]");
    let open = |from: &str, to: &str| office.business_micros(berlin, utc(from), utc(to)) / HOUR;
    assert_eq!(open("2024-01-15T07:00Z", "2024-01-15T11:00Z"), 4);
    assert_eq!(open("2024-07-15T06:00Z", "2024-07-15T10:00Z"), 4);
    assert!(!office.contains(berlin, utc("2024-01-15T06:59:59Z")));
    assert!(!office.contains(berlin, utc("2024-07-15T10:00Z")));
}

#[test]
fn pitfall_91_a_shift_over_midnight_belongs_to_the_day_it_began() {
    let night = schedule("[weekly]\neveryday = [\"22:00-06:00\"]");
    // The evening's date, its offset in hours, the morning's offset, the length.
    for (evening, morning, offset, morning_offset, hours) in [
        ("2024-01-10", "2024-01-11", 1, 1, 8),
        ("2024-03-30", "2024-03-31", 1, 2, 7),
        ("2024-10-26", "2024-10-27", 2, 1, 9),
    ] {
        let berlin = zone("Europe/Berlin");
        let at =
            |day: &str, clock: &str, offset: i64| utc(&format!("{day}T{clock}Z")) - offset * HOUR;
        let instants = [
            (at(evening, "21:59:59", offset), false),
            (at(evening, "22:00:00", offset), true),
            (at(morning, "01:00:00", offset), true),
            (at(morning, "05:59:59", morning_offset), true),
            (at(morning, "06:00:00", morning_offset), false),
        ];
        for (instant, open) in instants {
            assert_eq!(night.contains(berlin, instant), open, "{evening}");
            let began = night.opened_on(berlin, instant);
            assert_eq!(began, open.then(|| date(evening)), "{evening}");
        }
        let length = night.business_micros(berlin, instants[0].0, instants[4].0 + HOUR);
        assert_eq!(length, hours * HOUR, "{evening}");
    }
}

#[test]
fn pitfall_93_renamed_and_legacy_names_are_one_zone() {
    for names in [
        ["Europe/Kyiv", "Europe/Kiev"],
        ["Asia/Kathmandu", "Asia/Katmandu"],
        ["Asia/Kolkata", "Asia/Calcutta"],
        ["America/New_York", "US/Eastern"],
        ["America/New_York", "america/new_york"],
        ["America/New_York", "America/New_York "],
    ] {
        assert_eq!(zone(names[0]), zone(names[1]));
        assert_eq!(zone(names[1]).name(), names[0]);
    }
    assert!(Zone::parse("America/New_Amsterdam").is_err());
}

#[test]
fn pitfall_94_windows_names_are_their_default_territorys_zone() {
    let july = |name: &str| zone(name).local(utc("2024-07-01T12:00Z")).offset_seconds / 3_600;
    assert_eq!(
        zone("Eastern Standard Time").name(),
        "America/New_York",
        "with its summer time"
    );
    assert_eq!(july("Eastern Standard Time"), -4);
    for (windows, iana) in [
        ("US Eastern Standard Time", "America/Indiana/Indianapolis"),
        ("Romance Standard Time", "Europe/Paris"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("w. europe  standard time ", "Europe/Berlin"),
        ("Yukon Standard Time", "America/Whitehorse"),
        ("FLE Standard Time", "Europe/Kyiv"),
        ("UTC-11", "-11:00"),
        ("UTC+13", "+13:00"),
        ("UTC", "UTC"),
    ] {
        assert_eq!(zone(windows).name(), iana);
    }
    assert!(Zone::parse("Foo Standard Time").is_err());
}

#[test]
fn pitfall_96_offsets_that_are_not_whole_hours() {
    let begins = |name: &str, day: &str| show(zone(name).day(date(day)).0);
    assert_eq!(begins("Asia/Kathmandu", "2024-04-08"), "2024-04-07T18:15Z");
    assert_eq!(begins("Asia/Kolkata", "2024-04-08"), "2024-04-07T18:30Z");
    assert_eq!(begins("Pacific/Chatham", "2024-04-07"), "2024-04-06T10:15Z");
    assert_eq!(begins("Pacific/Chatham", "2024-04-08"), "2024-04-07T11:15Z");
    let length = |name: &str, day: &str| {
        let (from, to) = zone(name).day(date(day));
        (to - from) / (HOUR / 2)
    };
    assert_eq!(
        length("Australia/Lord_Howe", "2024-04-07"),
        49,
        "half hours"
    );
    assert_eq!(
        length("Australia/Lord_Howe", "2024-10-06"),
        47,
        "half hours"
    );
    // A night shift there is half an hour longer or shorter.
    let night = schedule("[weekly]\nsaturday = [\"22:00-06:00\"]");
    for (around, half_hours) in [
        ("2024-04-06T16:00Z", 17),
        ("2024-04-13T16:00Z", 16),
        ("2024-10-05T16:00Z", 15),
    ] {
        let (from, to) = (utc(around) - 12 * HOUR, utc(around) + 12 * HOUR);
        let open = night.business_micros(zone("Australia/Lord_Howe"), from, to);
        assert_eq!(open, half_hours * HOUR / 2, "{around}");
    }
}

/// What is pure of it: that the data compiled in know the changes that were announced late.
#[test]
fn pitfall_97_zone_data_know_late_changes_and_say_their_version() {
    let offset = |name: &str, instant: &str| zone(name).local(utc(instant)).offset_seconds / 3_600;
    assert_eq!(offset("America/Mexico_City", "2023-07-01T12:00Z"), -6);
    assert_eq!(offset("Africa/Cairo", "2023-05-15T12:00Z"), 3);
    assert_eq!(offset("Asia/Beirut", "2023-03-26T12:00Z"), 3);
    let version = timezone::TZDB_VERSION;
    assert!(version.len() == 5 && version.starts_with("20"), "{version}");
}

#[test]
fn pitfall_98_the_next_day_is_the_next_date() {
    assert_days("America/Sao_Paulo", "2018-11-02", &[24, 24, 23, 24, 24]);
    assert_days("Pacific/Apia", "2011-12-28", &[24, 24, 0, 24]);
    // Business time walks over both: a whole week of round the clock but for a holiday long after.
    let centre = schedule("round_the_clock = true\n[[holiday]]\ndate = 2030-01-01");
    for (name, begin) in [
        ("America/Sao_Paulo", "2018-11-02T12:00Z"),
        ("Pacific/Apia", "2011-12-28T12:00Z"),
    ] {
        let from = utc(begin);
        let to = from + 7 * 24 * HOUR;
        assert_eq!(centre.business_micros(zone(name), from, to), to - from);
    }
}

/// What is pure of it: the one place decides as documented, where PostgreSQL would say 05:00Z and 07:30Z.
#[test]
fn pitfall_100_local_times_are_resolved_here_and_not_as_sql_would() {
    let midnight =
        zone("America/Havana").resolve(date("2024-11-03"), time("00:00"), Side::Earliest);
    assert_eq!(show(midnight), "2024-11-03T04:00Z");
    for side in [Side::Earliest, Side::Latest] {
        let missing = zone("America/New_York").resolve(date("2024-03-10"), time("02:30"), side);
        assert_eq!(show(missing), "2024-03-10T07:00Z");
    }
}
