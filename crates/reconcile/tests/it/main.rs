//! Laws and examples of the comparison, through its public face.

#![allow(clippy::unwrap_used)] // a test that cannot be set up has failed

mod figures;
mod reports;
mod workforce;
mod zones;

use schema::UtcMicros;
use timezone::{NaiveDate, Zone};

/// A zone that exists.
fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

/// A date.
fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

/// The first instant of a date and that of the next.
fn day(zone: Zone, date: NaiveDate) -> (UtcMicros, UtcMicros) {
    let (from, to) = zone.day(date);
    (UtcMicros(from), UtcMicros(to))
}
