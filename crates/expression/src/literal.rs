//! Durations and instants as texts.

use chrono::{DateTime, SecondsFormat};
use std::fmt;

pub(crate) const MICROS_PER_MILLI: i64 = 1000;
const NANOS_PER_MILLI: i128 = 1_000_000;

/// 0001-01-01T00:00:00Z, the earliest instant of CEL.
pub(crate) const EARLIEST: i64 = -62_135_596_800_000_000;
/// 9999-12-31T23:59:59.999999Z, the latest.
pub(crate) const LATEST: i64 = 253_402_300_799_999_999;

/// Why a text is no duration or no instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LiteralError {
    /// Not of the form of a duration.
    #[error("is no duration: write it like \"20s\", \"5m\", \"1h30m\" or \"250ms\"")]
    NoDuration,
    /// Finer than durations are kept.
    #[error("is no whole number of milliseconds")]
    FinerThanMillis,
    /// Not of the form of an instant.
    #[error("is no instant: write it like \"2024-05-31T22:00:00Z\"")]
    NoInstant,
    /// Finer than instants are kept.
    #[error("is no whole number of microseconds")]
    FinerThanMicros,
    /// Too far away.
    #[error("is out of range")]
    OutOfRange,
}

/// The ms of a duration as CEL writes it: decimal numbers, each with a unit (`h`, `m`, `s`, `ms`, `us`, `ns`), with a
/// sign before them all if wanted; or `0`. `1h30m`, `-1.5s`.
pub fn parse_duration(text: &str) -> Result<i64, LiteralError> {
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(LiteralError::NoDuration);
    }
    let mut nanos: i128 = 0;
    while !rest.is_empty() {
        let number = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        let (number, after) = rest.split_at(number);
        let unit = after.len() - after.trim_start_matches(|c: char| c.is_alphabetic()).len();
        let (unit, after) = after.split_at(unit);
        let nanos_per_unit: i128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return Err(LiteralError::NoDuration),
        };
        nanos = decimal(number, nanos_per_unit)?
            .checked_add(nanos)
            .ok_or(LiteralError::OutOfRange)?;
        rest = after;
    }
    if nanos % NANOS_PER_MILLI != 0 {
        return Err(LiteralError::FinerThanMillis);
    }
    let millis = nanos / NANOS_PER_MILLI;
    i64::try_from(if negative { -millis } else { millis }).map_err(|_| LiteralError::OutOfRange)
}

/// A number such as `1.5`, times `nanos_per_unit`; it must come out whole.
fn decimal(number: &str, nanos_per_unit: i128) -> Result<i128, LiteralError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(LiteralError::NoDuration);
    }
    let digits = |text: &str| -> Result<i128, LiteralError> {
        match text {
            "" => Ok(0),
            _ if text.len() > 20 => Err(LiteralError::OutOfRange),
            _ => text.parse().map_err(|_| LiteralError::NoDuration),
        }
    };
    let fraction = fraction.trim_end_matches('0');
    let mut scale: i128 = 1;
    for _ in 0..fraction.len() {
        scale = scale.checked_mul(10).ok_or(LiteralError::OutOfRange)?;
    }
    let part = digits(fraction)?
        .checked_mul(nanos_per_unit)
        .ok_or(LiteralError::OutOfRange)?;
    if part % scale != 0 {
        return Err(LiteralError::FinerThanMillis);
    }
    digits(whole)?
        .checked_mul(nanos_per_unit)
        .and_then(|nanos| nanos.checked_add(part / scale))
        .ok_or(LiteralError::OutOfRange)
}

/// The µs since 1970 UTC of an instant in RFC 3339, from year 1 to 9999.
pub fn parse_timestamp(text: &str) -> Result<i64, LiteralError> {
    let at = DateTime::parse_from_rfc3339(text).map_err(|_| LiteralError::NoInstant)?;
    if at.timestamp_subsec_nanos() % 1000 != 0 {
        return Err(LiteralError::FinerThanMicros);
    }
    Some(at.timestamp_micros())
        .filter(|micros| (EARLIEST..=LATEST).contains(micros))
        .ok_or(LiteralError::OutOfRange)
}

/// As [`parse_duration`] reads it, in the largest units: `1h0m30.5s`, `250ms`, `0s`.
pub(crate) fn write_duration(f: &mut fmt::Formatter<'_>, ms: i64) -> fmt::Result {
    let size = ms.unsigned_abs();
    if ms < 0 {
        f.write_str("-")?;
    }
    if size != 0 && size < 1000 {
        return write!(f, "{size}ms");
    }
    let (hours, minutes) = (size / 3_600_000, size / 60_000 % 60);
    if hours != 0 {
        write!(f, "{hours}h")?;
    }
    if size >= 60_000 {
        write!(f, "{minutes}m")?;
    }
    write!(f, "{}", size / 1000 % 60)?;
    if !size.is_multiple_of(1000) {
        let fraction = format!("{:03}", size % 1000);
        write!(f, ".{}", fraction.trim_end_matches('0'))?;
    }
    f.write_str("s")
}

pub(crate) fn write_timestamp(f: &mut fmt::Formatter<'_>, micros: i64) -> fmt::Result {
    match DateTime::from_timestamp_micros(micros) {
        Some(at) => f.write_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        None => write!(f, "{micros} µs"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, ms) in [
            ("20s", 20_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("-1.5s", -1_500),
            ("+.5s", 500),
            ("0", 0),
            ("0s", 0),
            ("1.0000000000000000000000000s", 1_000),
            ("1000us", 1),
            ("2000000ns", 2),
        ] {
            assert_eq!(parse_duration(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_in_milliseconds_is_refused() {
        for text in [
            "", "-", "20", "s", "20 s", "1d", "1.2.3s", "1h30", "ms", ".s", "1e3s", "٣s",
        ] {
            assert_eq!(
                parse_duration(text),
                Err(LiteralError::NoDuration),
                "{text}"
            );
        }
        assert_eq!(parse_duration("1us"), Err(LiteralError::FinerThanMillis));
        assert_eq!(
            parse_duration("99999999999999999999h"),
            Err(LiteralError::OutOfRange)
        );
        assert_eq!(
            parse_duration(&format!("1.{}s", "3".repeat(500))),
            Err(LiteralError::OutOfRange)
        );
    }

    #[test]
    fn instants_are_read_to_the_microsecond() {
        assert_eq!(parse_timestamp("1970-01-01T01:00:00.000001+01:00"), Ok(1));
        assert_eq!(parse_timestamp("0001-01-01T00:00:00Z"), Ok(EARLIEST));
        assert_eq!(parse_timestamp("9999-12-31T23:59:59.999999Z"), Ok(LATEST));
        assert_eq!(
            parse_timestamp("1970-01-01T00:00:00.0000001Z"),
            Err(LiteralError::FinerThanMicros)
        );
        assert_eq!(
            parse_timestamp("0001-01-01T00:00:00+01:00"),
            Err(LiteralError::OutOfRange)
        );
        for text in [
            "",
            "2024-05-31",
            "2024-05-31T22:00:00",
            "2024-13-01T00:00:00Z",
        ] {
            assert_eq!(
                parse_timestamp(text),
                Err(LiteralError::NoInstant),
                "{text}"
            );
        }
    }

    #[test]
    fn a_duration_is_written_as_people_say_it() {
        for (ms, text) in [
            (0, "0s"),
            (250, "250ms"),
            (-20_000, "-20s"),
            (80_500, "1m20.5s"),
            (3_600_000, "1h0m0s"),
        ] {
            assert_eq!(Value::Duration(ms).to_string(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_written_duration_reads_as_itself(ms: i64) {
            proptest::prop_assert_eq!(parse_duration(&Value::Duration(ms).to_string()), Ok(ms));
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _either = (parse_duration(&text), parse_timestamp(&text));
        }
    }
}
