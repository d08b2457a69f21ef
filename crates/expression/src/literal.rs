//! Durations and instants as texts.

use chrono::{DateTime, SecondsFormat};
use std::fmt;

pub(crate) fn write_duration(f: &mut fmt::Formatter<'_>, ms: i64) -> fmt::Result {
    write!(f, "{ms}ms")
}

pub(crate) fn write_timestamp(f: &mut fmt::Formatter<'_>, micros: i64) -> fmt::Result {
    match DateTime::from_timestamp_micros(micros) {
        Some(at) => f.write_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        None => write!(f, "{micros} µs"),
    }
}
