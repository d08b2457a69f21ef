//! Zones, schedules and places as others see them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's own table is in order, or the test fails"
)]

mod dst;
mod names;
mod oracle;
mod pitfalls;
mod places;
mod properties;
mod schedules;

use chrono::{DateTime, NaiveDateTime};
use timezone::{NaiveDate, NaiveTime, Schedule, Zone};

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn time(text: &str) -> NaiveTime {
    NaiveTime::parse_from_str(text, "%H:%M").unwrap()
}

/// Microseconds of an instant such as `2025-03-09T05:00Z` or `2025-03-09T05:00:30Z`.
fn utc(text: &str) -> i64 {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%MZ")
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%SZ"))
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

const HOUR: i64 = 3_600_000_000;

/// A schedule named `test` of what follows its name and version.
fn schedule(rest: &str) -> Schedule {
    Schedule::read(&format!("schedule = \"test\"\nversion = 1\n{rest}"))
        .unwrap_or_else(|problems| panic!("{rest}\n{problems:?}"))
}
