//! How instants are written in a column.

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, FixedOffset};
use schema::UtcMicros;
use std::fmt::Write as _;
use timezone::Zone;

/// How an instant is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeFormat {
    /// An instant: in CSV RFC 3339 to the second by the column's clock, with its offset; in Parquet a timestamp in UTC.
    Instant,
    /// Whole seconds since 1970.
    EpochSeconds,
    /// Whole milliseconds since 1970.
    EpochMillis,
    /// A text by a pattern such as `%d.%m.%Y %H:%M`, in the words of `strftime`.
    Pattern(String),
}

/// The text is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no time format: instant, epoch_s, epoch_ms or a pattern such as \"%d.%m.%Y %H:%M\" is needed"
)]
pub struct UnknownFormat(pub String);

impl TimeFormat {
    /// From the word or pattern of a file.
    pub fn parse(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "instant" => Ok(Self::Instant),
            "epoch_s" => Ok(Self::EpochSeconds),
            "epoch_ms" => Ok(Self::EpochMillis),
            pattern => {
                let mut items = StrftimeItems::new(pattern);
                let bad = items.any(|item| matches!(item, Item::Error));
                if bad || !pattern.contains('%') {
                    return Err(UnknownFormat(pattern.chars().take(100).collect()));
                }
                Ok(Self::Pattern(pattern.to_owned()))
            }
        }
    }

    /// As it is written in a file.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Instant => "instant",
            Self::EpochSeconds => "epoch_s",
            Self::EpochMillis => "epoch_ms",
            Self::Pattern(pattern) => pattern,
        }
    }

    /// Whether two instants with one local time are written differently.
    pub(crate) fn tells_offset(&self) -> bool {
        match self {
            Self::Instant | Self::EpochSeconds | Self::EpochMillis => true,
            Self::Pattern(pattern) => ["%z", "%:z", "%::z", "%#z", "%+", "%s"]
                .iter()
                .any(|word| pattern.contains(word)),
        }
    }
}

/// The wall clock at an instant, with its offset. `None` beyond the calendar.
pub(crate) fn local(zone: Zone, at: UtcMicros) -> Option<DateTime<FixedOffset>> {
    let offset = FixedOffset::east_opt(zone.local(at.0).offset_seconds)?;
    Some(DateTime::from_timestamp_micros(at.0)?.with_timezone(&offset))
}

/// An instant by a pattern that [`TimeFormat::parse`] has accepted.
pub(crate) fn by_pattern(zone: Zone, at: UtcMicros, pattern: &str) -> Option<String> {
    let mut text = String::new();
    write!(text, "{}", local(zone, at)?.format(pattern)).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTUMN: i64 = 1_792_888_200_000_000; // 2026-10-25T00:30:00Z, the first 02:30 in Berlin

    #[test]
    fn the_repeated_hour_shows_in_its_offset_alone() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let (first, second) = (UtcMicros(AUTUMN), UtcMicros(AUTUMN + 3_600_000_000));
        let text = |at, pattern| by_pattern(berlin, at, pattern).unwrap();
        assert_eq!(text(first, "%d.%m.%Y %H:%M"), "25.10.2026 02:30");
        assert_eq!(text(second, "%d.%m.%Y %H:%M"), "25.10.2026 02:30");
        assert_eq!(text(first, "%H:%M%:z"), "02:30+02:00");
        assert_eq!(text(second, "%H:%M%:z"), "02:30+01:00");
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["%Q", "iso", "", "%"] {
            assert!(TimeFormat::parse(text).is_err(), "{text}");
        }
        for text in ["instant", "epoch_s", "epoch_ms", "%Y-%m-%d"] {
            assert_eq!(TimeFormat::parse(text).unwrap().text(), text);
        }
    }
}
