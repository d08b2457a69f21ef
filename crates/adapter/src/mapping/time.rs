//! Where an instant stands, and how it is written.

use super::{Source, number};
use crate::error::ItemError;
use crate::instant;
use crate::node::scalar;
use crate::scalar::{Scalar, rounded};
use schema::UtcMicros;
use serde_json::Value;
use timezone::{NaiveDate, NaiveTime, Side, Zone};

/// The names of forms, as a file states them.
pub(super) const FORMS: &str =
    "\"iso8601\", \"epoch_ms\", \"epoch_s\", or \"local\" with zone = \"Area/City\"";

/// Where an instant stands, and how it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Time {
    pub(super) source: Source,
    pub(super) form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Iso8601,
    EpochMillis,
    EpochSeconds,
    /// As ISO 8601 without a zone: the clock of this one. A text that states its zone is read by that.
    Local(Zone),
}

impl Time {
    pub(super) fn read(&self, value: &Value) -> Result<Option<UtcMicros>, ItemError> {
        let Some((path, found)) = self.source.find(value) else {
            return Ok(None);
        };
        let found = scalar(found);
        match self.form.read(&found) {
            Some(at) => Ok(Some(at)),
            None => Err(ItemError::new(
                path.to_string(),
                &found.shown(),
                self.form.expected(),
            )),
        }
    }

    /// An instant without which nothing can be said.
    pub(super) fn needed(&self, value: &Value) -> Result<UtcMicros, ItemError> {
        self.read(value)?
            .ok_or_else(|| ItemError::missing(self.source.place(), self.form.expected()))
    }
}

impl Form {
    const fn expected(self) -> &'static str {
        match self {
            Self::Iso8601 => instant::EXPECTED,
            Self::EpochMillis => "milliseconds since 1970",
            Self::EpochSeconds => "seconds since 1970",
            Self::Local(_) => {
                "a local time like 2024-05-15T14:32:10.451, or an instant with a zone"
            }
        }
    }

    fn read(self, found: &Scalar<'_>) -> Option<UtcMicros> {
        match self {
            Self::Iso8601 => instant::parse(found.text()?),
            Self::EpochMillis => found.millis().ok().flatten().map(UtcMicros::from_millis),
            Self::EpochSeconds => number(found).map(|seconds| UtcMicros(rounded(seconds * 1e6))),
            Self::Local(zone) => {
                let text = found.text()?;
                instant::parse(text).or_else(|| local(text, zone))
            }
        }
    }
}

/// What a clock in a zone showed; of a time that it showed twice, the first.
fn local(text: &str, zone: Zone) -> Option<UtcMicros> {
    // Read as if the clock were that of UTC: then its digits are those of the instant.
    let shown = instant::parse(&format!("{}Z", text.trim_ascii()))?;
    let days = i32::try_from(shown.seconds().div_euclid(86_400)).ok()?;
    let second = u32::try_from(shown.seconds().rem_euclid(86_400)).ok()?;
    let date = NaiveDate::from_epoch_days(days)?;
    let time = NaiveTime::from_num_seconds_from_midnight_opt(second, 0)?;
    let rest = shown.0.rem_euclid(1_000_000);
    Some(UtcMicros(zone.resolve(date, time, Side::Earliest) + rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_time_is_an_instant_by_its_zone() {
        let zone = Zone::parse("America/Denver").unwrap();
        let of = |text| local(text, zone).map(|at| at.to_string());
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(of("2026-01-15T08:00:00"), told("2026-01-15T15:00:00.000Z"));
        assert_eq!(
            of("2026-07-15 8:00:00.25"),
            told("2026-07-15T14:00:00.250Z")
        );
        // Shown twice in the night in which summer time ends: the first.
        assert_eq!(of("2026-11-01T01:30:00"), told("2026-11-01T07:30:00.000Z"));
        assert_eq!(of("2026-01-15"), None);
        assert_eq!(of("2026-01-15T08:00:00+0"), None);
    }
}
