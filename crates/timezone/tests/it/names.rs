//! Which texts name a zone, and which of them name the same one.

use crate::{utc, zone};
use std::collections::HashSet;
use timezone::{TZDB_VERSION, Zone, all_names};

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
        ("EST5EDT", "America/New_York"),
        ("us/eastern", "America/New_York"),
        ("america/new_york", "America/New_York"),
        ("America/New York", "America/New_York"),
        ("AMERICA/NEW_YORK", "America/New_York"),
        ("America/New_York ", "America/New_York"),
        ("\tAmerica/New_York\n", "America/New_York"),
        ("Africa/Asmera", "Africa/Asmara"),
        ("Iceland", "Atlantic/Reykjavik"),
        ("Etc/UTC", "UTC"),
        ("GMT", "UTC"),
        ("utc", "UTC"),
    ];
    for (text, expected) in names {
        assert_eq!(zone(text).name(), expected, "{text:?}");
    }
}

#[test]
fn what_windows_shows_for_a_zone_is_that_zone_with_its_summer_time() {
    for (text, expected) in [
        ("(GMT-05:00) Eastern Time (US & Canada)", "America/New_York"),
        ("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"),
        ("(GMT-07:00) Arizona", "America/Phoenix"),
        (
            "(GMT-07:00)  mountain time (US &  Canada) ",
            "America/Denver",
        ),
        ("(GMT-05:00) Indiana (East)", "America/Indiana/Indianapolis"),
        (
            "(GMT+05:30) Chennai, Kolkata, Mumbai, New Delhi",
            "Asia/Kolkata",
        ),
        (
            "(GMT+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
            "Europe/Berlin",
        ),
        (
            "(GMT) Greenwich Mean Time : Dublin, Edinburgh, Lisbon, London",
            "Europe/London",
        ),
        (
            "(GMT+02:00) Helsinki, Kiev, Riga, Sofia, Tallinn, Vilnius",
            "Europe/Kyiv",
        ),
        ("(UTC) Coordinated Universal Time", "UTC"),
        ("(UTC+13:00) Samoa", "Pacific/Apia"),
        // The offset in front is not believed.
        (
            "(GMT+09:00) Pacific Time (US & Canada)",
            "America/Los_Angeles",
        ),
    ] {
        assert_eq!(zone(text).name(), expected, "{text:?}");
    }
    for text in [
        "(GMT-05:00) Atlantis, Lemuria",
        "(GMT-05:00)",
        "(EST) Eastern Time (US & Canada)",
        "Eastern Time (US & Canada)",
        "(GMT-05:00 Eastern Time",
        "()",
    ] {
        assert!(Zone::parse(text).is_err(), "{text:?}");
    }
    // July: a label's offset is that of winter.
    let july = 1_783_000_000_000_000;
    let eastern = zone("(GMT-05:00) Eastern Time (US & Canada)");
    assert_eq!(eastern.local(july).offset_seconds, -4 * 3600);
}

/// One clock since 1970 makes no other name: it is the database's way to store two countries once.
#[test]
fn the_zone_of_a_country_keeps_its_name() {
    for name in [
        "Europe/Amsterdam",
        "Europe/Brussels",
        "Atlantic/Reykjavik",
        "Asia/Kuwait",
    ] {
        assert_eq!(zone(name).name(), name);
    }
}

#[test]
fn what_names_no_zone_is_an_error_with_the_text() {
    for text in [
        "Z ulu",
        "Foo Standard Time",
        "Europe",
        "Europe/Berlin,",
        "",
        "  ",
        "+",
        "5",
        "0530",
        "+5:3",
        "+05:60",
        "+14:01",
        "+99:99",
        "-15",
        "+053",
        "+05:30:00",
        "UTC+",
        "UTC 5",
        "UTC+5h",
        "+٠٥:٣٠",
        "Etc/GMT-15",
    ] {
        let error = Zone::parse(text).unwrap_err();
        assert_eq!(error.text, text);
        assert!(error.to_string().contains(text), "{error}");
    }
    let long = Zone::parse(&"é".repeat(10_000)).unwrap_err();
    assert_eq!(long.text.chars().count(), 100);
}

#[test]
fn fixed_offsets_are_ahead_of_utc_where_they_are_positive() {
    let offsets = [
        ("+05:30", "+05:30", 330),
        ("+0530", "+05:30", 330),
        ("UTC+05:30", "+05:30", 330),
        ("utc +5:30", "+05:30", 330),
        ("UTC+05:45", "+05:45", 345),
        ("-03:00", "-03:00", -180),
        ("\u{2212}03:00", "-03:00", -180),
        ("GMT-3", "-03:00", -180),
        ("GMT-03", "-03:00", -180),
        ("UTC+2", "+02:00", 120),
        ("UTC-00:30", "-00:30", -30),
        ("+14", "+14:00", 840),
        ("-14:00", "-14:00", -840),
        // POSIX's sign, which the database keeps.
        ("Etc/GMT-2", "+02:00", 120),
        ("Etc/GMT+3", "-03:00", -180),
        ("Z", "UTC", 0),
        ("z", "UTC", 0),
        ("+00:00", "UTC", 0),
        ("-0", "UTC", 0),
        ("GMT+0", "UTC", 0),
        ("UTC-00:00", "UTC", 0),
    ];
    for (text, name, minutes) in offsets {
        let zone = zone(text);
        assert_eq!(zone.name(), name, "{text}");
        for instant in [i64::MIN, 0, utc("2024-07-01T12:00Z"), i64::MAX] {
            assert_eq!(zone.local(instant).offset_seconds, minutes * 60, "{text}");
        }
    }
}

#[test]
fn every_name_of_the_database_and_every_name_in_use_is_taken() {
    let mut names = HashSet::new();
    for name in all_names() {
        let zone = zone(name);
        assert_eq!(Zone::parse(zone.name()), Ok(zone), "{name}");
        assert_eq!(Zone::parse(&name.to_uppercase()), Ok(zone), "{name}");
        assert!(names.insert(name), "{name} twice");
    }
    assert!(names.len() > 590);
}

/// The links of the database itself, where this machine has the release that is compiled in. The oracle compares with the pinned release
/// everywhere.
#[test]
fn the_aliases_are_the_links_of_the_database() {
    let read = |file: &str| std::fs::read_to_string(format!("/usr/share/zoneinfo/{file}"));
    let (Ok(data), Ok(countries)) = (read("tzdata.zi"), read("zone.tab")) else {
        eprintln!(
            "SKIPPED: this machine's copy of the zone database has no tzdata.zi and zone.tab"
        );
        return;
    };
    let release = data.lines().next().unwrap_or_default();
    if !release.ends_with(&format!(" {TZDB_VERSION}")) {
        eprintln!("SKIPPED: this machine's zone database is {release:?}, not {TZDB_VERSION}");
        return;
    }
    let lines = countries.lines().filter(|line| !line.starts_with('#'));
    let countries: HashSet<&str> = lines.filter_map(|line| line.split('\t').nth(2)).collect();
    for name in &countries {
        assert_eq!(zone(name).name(), *name, "a country's zone keeps its name");
    }
    let mut links = 0;
    for line in data.lines() {
        let Some((target, alias)) = line.strip_prefix("L ").and_then(|l| l.split_once(' ')) else {
            continue;
        };
        if countries.contains(alias) {
            continue;
        }
        links += 1;
        let (found, target) = (zone(alias), zone(target));
        // Iceland is linked past Atlantic/Reykjavik.
        let own_country = countries.contains(found.name())
            && found.transitions(0, i64::MAX) == target.transitions(0, i64::MAX);
        assert!(
            found == target || own_country,
            "{alias} is a link to {target}, not {found}"
        );
    }
    assert!(links > 100, "{links}");
}
