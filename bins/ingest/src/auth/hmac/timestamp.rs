//! When a delivery was signed, and whether that is too long ago.
//!
//! Old deliveries that come again are no attack here: the log drops copies however late they come. So a timestamp is checked only
//! where a tolerance is configured, and against the moment of signing, which a sender that tries again renews.

use super::template::only;
use crate::auth::reason::Reason;
use hyper::HeaderMap;
use hyper::header::HeaderName;
use schema::{Millis, UtcMicros};
use std::time::Duration;

/// How far ahead of ours the sender's clock may be where nothing is configured.
pub const FUTURE_DEFAULT: Duration = Duration::from_secs(5 * 60);

/// How an instant is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Seconds since 1970.
    #[default]
    Seconds,
    /// Milliseconds since 1970.
    Millis,
    /// ISO 8601 with a zone.
    Iso,
}

/// Where a delivery's timestamp is, how it is written and how old it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp {
    /// The header; possibly that of the signatures.
    pub header: HeaderName,
    /// What stands before it, among other things in that header: `t=`.
    pub prefix: Option<String>,
    /// How it is written.
    pub unit: Unit,
    /// How old it may be. Any age where absent.
    pub tolerance: Option<Duration>,
    /// How far in the future it may be, where `tolerance` is stated.
    pub future: Duration,
}

impl Timestamp {
    /// The timestamp's text as it was signed.
    pub(super) fn find<'h>(&self, headers: &'h HeaderMap) -> Result<&'h [u8], Reason> {
        let value = only(headers, &self.header)?;
        let Some(prefix) = &self.prefix else {
            return if value.is_empty() {
                Err(Reason::Unsigned)
            } else {
                Ok(value)
            };
        };
        let mut found = value
            .split(|byte| matches!(byte, b' ' | b'\t' | b',' | b';'))
            .filter_map(|token| token.strip_prefix(prefix.as_bytes()));
        match (found.next(), found.next()) {
            (None, _) => Err(Reason::Unsigned),
            (Some(text), None) => Ok(text),
            (Some(_), Some(_)) => Err(Reason::Forged),
        }
    }

    /// Whether the time is within what is tolerated. A text that is no time in this unit is not.
    pub(super) fn is_fresh(&self, text: &[u8], now: UtcMicros) -> bool {
        let Some(tolerance) = self.tolerance else {
            return true;
        };
        let Some(stated) = self.read(text) else {
            return false;
        };
        let Millis(age) = now.since(stated);
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        age <= millis(tolerance) && age >= -millis(self.future)
    }

    fn read(&self, text: &[u8]) -> Option<UtcMicros> {
        let text = std::str::from_utf8(text).ok()?;
        match self.unit {
            Unit::Seconds => Some(UtcMicros::from_millis(
                text.parse::<i64>().ok()?.checked_mul(1000)?,
            )),
            Unit::Millis => Some(UtcMicros::from_millis(text.parse().ok()?)),
            Unit::Iso => adapter::instant::parse(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMicros = UtcMicros(1_715_783_530_000_000); // 2024-05-15T14:32:10Z

    fn stamp(unit: Unit, tolerance: Option<Duration>) -> Timestamp {
        Timestamp {
            header: HeaderName::from_static("x-timestamp"),
            prefix: None,
            unit,
            tolerance,
            future: FUTURE_DEFAULT,
        }
    }

    fn fresh(unit: Unit, text: &str) -> bool {
        stamp(unit, Some(Duration::from_secs(300))).is_fresh(text.as_bytes(), NOW)
    }

    /// Pitfall 39: a little in the future is another clock, ten minutes are not.
    #[test]
    fn age_and_future_are_bounded() {
        for (offset, expected) in [
            (0, true),
            (-299, true),
            (-301, false),
            (240, true),
            (600, false),
        ] {
            let text = (NOW.seconds() + offset).to_string();
            assert_eq!(fresh(Unit::Seconds, &text), expected, "{offset}");
        }
    }

    /// Pitfall 39: each unit is read as configured, and in another it is refused, not misread.
    #[test]
    fn a_time_in_another_unit_is_not_fresh() {
        assert!(fresh(Unit::Millis, "1715783530451"));
        assert!(fresh(Unit::Iso, "2024-05-15T16:32:10+0200"));
        for (unit, text) in [
            (Unit::Seconds, "1715783530451"),
            (Unit::Millis, "1715783530"),
            (Unit::Seconds, "2024-05-15T14:32:10Z"),
            (Unit::Iso, "1715783530"),
            (Unit::Iso, "2024-05-15T14:32:10"),
            (Unit::Seconds, "9223372036854775807"),
            (Unit::Millis, "-9223372036854775808"),
            (Unit::Seconds, ""),
        ] {
            assert!(!fresh(unit, text), "{unit:?} {text}");
        }
    }

    #[test]
    fn without_a_tolerance_any_age_will_do() {
        let stamp = stamp(Unit::Seconds, None);
        for text in ["0", "1715783530", "99999999999", "nonsense"] {
            assert!(stamp.is_fresh(text.as_bytes(), NOW), "{text}");
        }
    }

    #[test]
    fn it_is_found_alone_or_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert("x-timestamp", " 17 ".parse().unwrap());
        headers.insert("x-signature", "t=18,v1=ab,v0=cd".parse().unwrap());
        let mut timestamp = stamp(Unit::Seconds, None);
        assert_eq!(timestamp.find(&headers), Ok(&b"17"[..]));
        timestamp.header = HeaderName::from_static("x-signature");
        timestamp.prefix = Some("t=".into());
        assert_eq!(timestamp.find(&headers), Ok(&b"18"[..]));
        for (value, reason) in [
            ("v1=ab", Reason::Unsigned),
            ("t=18,t=19,v1=ab", Reason::Forged),
        ] {
            headers.insert("x-signature", value.parse().unwrap());
            assert_eq!(timestamp.find(&headers), Err(reason), "{value}");
        }
        headers.remove("x-signature");
        assert_eq!(timestamp.find(&headers), Err(Reason::Unsigned));
    }
}
