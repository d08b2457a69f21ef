//! How a duration is written.

use crate::duration;
use crate::scalar::{Scalar, rounded};

/// The names of units, as a file states them.
pub(super) const NAMES: &str =
    "\"ms\", \"s\", \"min\", \"iso8601\" (PT1M16.5S) or \"clock\" (1:16:05.5)";

/// The unit of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Seconds,
    Minutes,
    /// A text like `PT1M16.5S`.
    Iso8601,
    /// A text like `1:16:05.5`: hours, minutes and seconds, or minutes and seconds.
    Clock,
}

impl Unit {
    /// The unit with this name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "ms" => Self::Millis,
            "s" => Self::Seconds,
            "min" => Self::Minutes,
            "iso8601" => Self::Iso8601,
            "clock" => Self::Clock,
            _ => return None,
        })
    }

    /// What is said where such a duration cannot be read.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::Millis | Self::Seconds | Self::Minutes => "a number",
            Self::Iso8601 => "a duration like PT1M16.5S",
            Self::Clock => "a duration like 1:16:05.5",
        }
    }

    /// The milliseconds of a value. Rounded each alone, so that parts and whole add up to the millisecond.
    pub(super) fn read(self, found: &Scalar<'_>) -> Option<i64> {
        let factor = match self {
            Self::Millis => {
                if let Scalar::Int(number) = found {
                    return Some(*number);
                }
                1.0
            }
            Self::Seconds => 1000.0,
            Self::Minutes => 60_000.0,
            Self::Iso8601 => return duration::iso(found.text()?).map(|length| length.0),
            Self::Clock => return clock(found.text()?),
        };
        super::number(found).map(|number| rounded(number * factor))
    }
}

/// The milliseconds of `h:mm:ss`, `mm:ss`, either with a fraction, either negative.
fn clock(text: &str) -> Option<i64> {
    let text = text.trim_ascii();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (before, seconds) = text.rsplit_once(':')?;
    let (hours, minutes) = match before.split_once(':') {
        Some((hours, minutes)) => (whole(hours)?, whole(minutes).filter(|found| *found < 60)?),
        None => (0, whole(before)?),
    };
    if !seconds
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return None;
    }
    let seconds: f64 = seconds.parse().ok().filter(|found| *found < 60.0)?;
    let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
    Some(
        sign * minutes
            .checked_mul(60_000)?
            .checked_add(rounded(seconds * 1000.0))?,
    )
}

/// A number of digits, of which no length overflows what milliseconds can say.
fn whole(text: &str) -> Option<i64> {
    let is_number = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clocks_reading_is_a_length() {
        for (text, millis) in [
            ("1:16:05.5", 4_565_500),
            (" 76:05 ", 4_565_000),
            ("0:00", 0),
            ("-0:01", -1000),
            ("999999999:59:59", 3_599_999_999_999_000),
        ] {
            assert_eq!(clock(text), Some(millis), "{text}");
        }
        for text in [
            "",
            "76",
            ":",
            "1:",
            ":05",
            "1:60",
            "1:60:00",
            "1:2:3:4",
            "1:+5",
            "1:inf",
            "1:1e1",
            "1:-5",
            "1:.",
            "9999999999:00",
            "--1:00",
            "١:00",
        ] {
            assert_eq!(clock(text), None, "{text}");
        }
    }
}
