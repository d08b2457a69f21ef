//! A finding of any kind as one flat row: what the store keeps, what CSV and JSON have.

use crate::shifts::Outside;
use crate::zones::{Kind, ZoneFinding};
use crate::{Cell, Verdict};
use schema::UtcMicros;
use serde::{Serialize, Serializer};
use std::fmt::Write as _;

/// One row. Members that have no meaning for its kind are absent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
pub struct Line {
    /// `zone`, `figure` or `shift`.
    pub kind: String,
    /// The agent.
    pub agent: Option<String>,
    /// The queue.
    pub queue: Option<String>,
    /// From when on it holds: a day's or shift's beginning, a change of the clocks.
    #[serde(serialize_with = "maybe_instant")]
    pub from: Option<UtcMicros>,
    /// Until when, exclusive.
    #[serde(serialize_with = "maybe_instant")]
    pub to: Option<UtcMicros>,
    /// The date, by the clock that cut the day.
    pub day: Option<String>,
    /// What was compared.
    pub measure: Option<String>,
    /// The verdict's or the kind's word.
    pub verdict: String,
    /// Whether somebody has to look.
    pub finding: bool,
    /// Our number: a count or milliseconds.
    pub ours: Option<i64>,
    /// The platform's.
    pub native: Option<i64>,
    /// Ours less the platform's; of a zone by how many seconds our clock is ahead, from `from` on; of a shift the milliseconds outside.
    pub difference: Option<i64>,
    /// The zone that we go by.
    pub our_zone: Option<String>,
    /// The zone that the platform goes by.
    pub native_zone: Option<String>,
    /// `certain`, `likely` or `possible`; of zones.
    pub confidence: Option<String>,
    /// In words.
    pub detail: String,
}

impl Line {
    /// Where it comes in a report: zones first, for they explain the rest.
    pub(super) fn place(&self) -> (usize, &Self) {
        let kinds = ["zone", "figure", "shift"];
        let place = kinds.iter().position(|kind| *kind == self.kind);
        (place.unwrap_or(kinds.len()), self)
    }

    /// Of a figure's cell.
    #[must_use]
    pub fn of_cell(cell: &Cell) -> Self {
        let our_zone = match &cell.verdict {
            Verdict::OtherDay { zone, .. } => *zone,
            _ => cell.zone,
        };
        Self {
            kind: "figure".to_owned(),
            agent: cell.subject.agent.as_ref().map(ToString::to_string),
            queue: cell.subject.queue.as_ref().map(ToString::to_string),
            from: Some(cell.from),
            to: Some(cell.to),
            day: Some(cell.day.to_string()),
            measure: Some(cell.measure.name().to_owned()),
            verdict: cell.verdict.word().to_owned(),
            finding: cell.verdict.is_finding(),
            ours: cell.ours,
            native: cell.native,
            difference: Some(cell.difference()),
            our_zone: Some(our_zone.name().to_owned()),
            native_zone: Some(cell.zone.name().to_owned()),
            detail: of_verdict(cell),
            ..Self::default()
        }
    }

    /// Of a shift.
    #[must_use]
    pub fn of_shift(one: &Outside) -> Self {
        let minutes = one.outside.0 / 60_000;
        let schedule = &one.schedule;
        let detail = match one.ahead {
            Some(ahead) => {
                let side = if ahead < 0 { "ahead of" } else { "behind" };
                let by = span(ahead);
                format!(
                    "{minutes} min outside of {schedule}; it is inside by a clock {by} {side} ours"
                )
            }
            None => format!("{minutes} min outside of {schedule}; no zone explains it"),
        };
        Self {
            kind: "shift".to_owned(),
            finding: true,
            agent: Some(one.shift.agent.to_string()),
            from: Some(one.shift.from),
            to: Some(one.shift.to),
            day: Some(one.zone.local(one.shift.from.0).date.to_string()),
            verdict: "outside_hours".to_owned(),
            difference: Some(one.outside.0),
            our_zone: Some(one.zone.name().to_owned()),
            detail,
            ..Self::default()
        }
    }

    /// Of an agent's clock.
    #[must_use]
    pub fn of_zone(found: &ZoneFinding) -> Self {
        let (from, difference) = match found.kind {
            Kind::AtChange { at, after, .. } => (Some(at), Some(after)),
            Kind::Constant { seconds } => (None, Some(seconds)),
            Kind::UnknownZone { .. } => (None, None),
            Kind::DeclaredDiffers => (None, Some(0)),
        };
        Self {
            kind: "zone".to_owned(),
            finding: true,
            agent: Some(found.agent.to_string()),
            from,
            verdict: found.kind.word().to_owned(),
            difference,
            our_zone: found.ours.clone(),
            native_zone: found.platform.clone(),
            confidence: Some(found.confidence.word().to_owned()),
            detail: of_zone(found),
            ..Self::default()
        }
    }
}

fn of_verdict(cell: &Cell) -> String {
    match &cell.verdict {
        Verdict::Equal | Verdict::Differs => String::new(),
        Verdict::Within { allowed } => format!("{allowed} are allowed"),
        Verdict::LeftOut { parts } => {
            let mut text = String::new();
            for (measure, value) in parts {
                // Writing to a string cannot fail.
                write!(text, "{value} ms {measure}, ").ok();
            }
            text + "which ours leaves out"
        }
        Verdict::Neighbour { day } => {
            format!("{day} differs by as much the other way: contacts dated by another instant")
        }
        Verdict::Open => "ours may still change".to_owned(),
        Verdict::OtherDay { begins_later, .. } => {
            let (by, how) = (span(*begins_later), later(*begins_later));
            format!("our day begins {by} {how}: another zone")
        }
        Verdict::OnlyNative => "ours has nothing".to_owned(),
        Verdict::OnlyOurs => "the platform has nothing".to_owned(),
    }
}

fn of_zone(found: &ZoneFinding) -> String {
    let mut text = match &found.kind {
        Kind::UnknownZone { .. } => "no zone has this name".to_owned(),
        Kind::DeclaredDiffers => {
            "other zones, whose clocks agree in this time and not always".to_owned()
        }
        Kind::Constant { seconds } => {
            format!("our clock is {} throughout", ahead_words(*seconds))
        }
        Kind::AtChange { at, before, after } => format!(
            "our clock is {} from {at} on, when clocks change, and {} before",
            ahead_words(*after),
            ahead_words(*before)
        ),
    };
    if let Some(example) = &found.example {
        // Writing to a string cannot fail.
        write!(
            text,
            "; seen {} times, as at {} ({})",
            found.seen,
            example.at,
            example.seen.word()
        )
        .ok();
    }
    if !found.fits.is_empty() {
        let names: Vec<_> = found.fits.iter().map(|zone| zone.name()).collect();
        write!(text, "; it would fit {}", names.join(", ")).ok();
    }
    text
}

/// `5 h ahead of`, `30 min behind`, `level`.
fn ahead_words(seconds: i64) -> String {
    match seconds {
        0 => "level with the platform's".to_owned(),
        1.. => format!("{} ahead of the platform's", span(seconds)),
        _ => format!("{} behind the platform's", span(seconds)),
    }
}

const fn later(seconds: i64) -> &'static str {
    if seconds < 0 { "earlier" } else { "later" }
}

/// A length of time without its sign.
fn span(seconds: i64) -> String {
    let minutes = seconds.unsigned_abs() / 60;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde asks for
pub(super) fn instant<S: Serializer>(at: &UtcMicros, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(at)
}

#[allow(clippy::ref_option)] // the signature that serde asks for
fn maybe_instant<S: Serializer>(at: &Option<UtcMicros>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => to.collect_str(at),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_hours_and_minutes() {
        assert_eq!(span(-5 * 3_600), "5 h");
        assert_eq!(span(20_700), "5 h 45 min");
        assert_eq!(span(1_800), "30 min");
        assert_eq!(ahead_words(-3_600), "1 h behind the platform's");
    }
}
