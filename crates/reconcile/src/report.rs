//! One text of everything that was found: for people, for spreadsheets and for programs.

mod csv_text;
mod line;
mod markdown;

pub use line::Line;

use crate::shifts::Outside;
use crate::zones::ZoneFinding;
use crate::{Cell, Verdict};
use schema::UtcMicros;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a report is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The organisation.
    pub tenant: String,
    /// The platform, as the platforms file names it.
    pub platform: String,
    /// The first instant that was looked at.
    #[serde(serialize_with = "line::instant")]
    pub from: UtcMicros,
    /// The end of that, exclusive.
    #[serde(serialize_with = "line::instant")]
    pub to: UtcMicros,
    /// The version of the zone data that it was judged by.
    pub tzdb: String,
}

/// How many of each came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Totals {
    /// Cells of figures by the word of their verdict.
    pub figures: BTreeMap<String, usize>,
    /// Shifts that were looked at.
    pub shifts: usize,
    /// Those not wholly within business hours.
    pub shifts_outside: usize,
    /// Agents whose clocks were looked at.
    pub agents: usize,
    /// Findings about zones by the word of their kind.
    pub zones: BTreeMap<String, usize>,
    /// How many of all of it somebody has to look at.
    pub findings: usize,
}

/// Everything that one run found, in a stable order: zones first, for they explain the rest, then figures by subject and day, then shifts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What it is about.
    #[serde(flatten)]
    pub head: Head,
    /// The sums.
    pub totals: Totals,
    /// What could not be compared, and why, in words.
    pub not_compared: Vec<String>,
    /// All that is not simply equal.
    pub lines: Vec<Line>,
}

/// What a report is made of.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Every cell that was compared.
    pub cells: &'a [Cell],
    /// How many shifts were looked at.
    pub shifts: usize,
    /// Those that stick out of business hours.
    pub outside: &'a [Outside],
    /// How many agents' clocks were looked at.
    pub agents: usize,
    /// What is wrong with them.
    pub zones: &'a [ZoneFinding],
    /// What could not be compared, and why, in words.
    pub not_compared: &'a [String],
}

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// As CSV.
    #[error("the report could not be written as CSV")]
    Csv(#[from] csv::Error),
    /// As JSON.
    #[error("the report could not be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl Report {
    /// Puts it together. The order of what was found does not matter.
    #[must_use]
    pub fn of(head: Head, found: &Found<'_>) -> Self {
        let mut totals = Totals {
            shifts: found.shifts,
            shifts_outside: found.outside.len(),
            agents: found.agents,
            ..Totals::default()
        };
        for cell in found.cells {
            *totals
                .figures
                .entry(cell.verdict.word().to_owned())
                .or_default() += 1;
        }
        for zone in found.zones {
            *totals.zones.entry(zone.kind.word().to_owned()).or_default() += 1;
        }
        let told = found.cells.iter().filter(|c| c.verdict != Verdict::Equal);
        let mut lines: Vec<Line> = found.zones.iter().map(Line::of_zone).collect();
        lines.extend(told.map(Line::of_cell));
        lines.extend(found.outside.iter().map(Line::of_shift));
        lines.sort_by(|one, other| one.place().cmp(&other.place()));
        totals.findings = lines.iter().filter(|line| line.finding).count();
        Self {
            head,
            totals,
            not_compared: found.not_compared.to_vec(),
            lines,
        }
    }

    /// Whether there is anything that somebody has to look at.
    #[must_use]
    pub const fn has_findings(&self) -> bool {
        self.totals.findings > 0
    }

    /// For people.
    #[must_use]
    pub fn markdown(&self) -> String {
        markdown::write(self)
    }

    /// One row a line, with a header. A text that a spreadsheet would take for a formula begins with an apostrophe.
    pub fn csv(&self) -> Result<String, RenderError> {
        csv_text::write(self).map_err(RenderError::Csv)
    }

    /// For programs: the head's members, `totals` and `lines`; ends with a line break.
    pub fn json(&self) -> Result<String, RenderError> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }
}
