//! Stretches of time and zones: what may be said, and how it is said that it may not.

use super::Reader;
use runtime::toml_file::Section;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;
use timezone::Zone;

pub(super) const DAY: Duration = Duration::from_secs(86_400);
/// The longest stretch of one request, where the platform bounds none: a longer one would be lost whole where it is one answer.
pub(super) const SPAN_MAX: Duration = Duration::from_secs(15 * 86_400);

impl Reader<'_> {
    pub(super) fn zone(&mut self, table: Section<'_>, key: &str) -> Option<Zone> {
        let (text, at) = self.file.text(table, key)?;
        match Zone::parse(text) {
            Ok(zone) => Some(zone),
            Err(error) => {
                self.file.problem(at, format_args!("`{key}`: {error}"));
                None
            }
        }
    }

    /// A stretch of time that one request is for: whole seconds, since the platforms know no others everywhere.
    pub(super) fn span(
        &mut self,
        table: Section<'_>,
        key: &str,
        most: Duration,
        usual: Duration,
    ) -> Duration {
        let Some(span) = self.file.duration(table, key) else {
            return usual;
        };
        if span > most || span < Duration::from_secs(60) || span.subsec_nanos() != 0 {
            self.wrong(
                table,
                key,
                format_args!(
                    "allowed are whole seconds, 1m to {} days",
                    most.as_secs() / DAY.as_secs()
                ),
            );
            return usual;
        }
        span
    }

    pub(super) fn within(
        &mut self,
        table: Section<'_>,
        key: &str,
        found: Duration,
        allowed: RangeInclusive<Duration>,
    ) {
        if !allowed.contains(&found) {
            let (from, to) = allowed.into_inner();
            let (from, to) = (words(from), words(to));
            self.wrong(table, key, format_args!("allowed are {from} to {to}"));
        }
    }

    /// Lengths of time, in ascending order and each once.
    pub(super) fn ages(&mut self, table: Section<'_>, key: &str) -> Option<Vec<Duration>> {
        let (entries, _) = self.file.array(table, key)?;
        let mut ages = BTreeSet::new();
        for entry in entries {
            let text = entry.get_ref().as_str().unwrap_or_default();
            match runtime::args::positive_duration(text) {
                Ok(age) => {
                    ages.insert(age);
                }
                Err(error) => self
                    .file
                    .problem(entry.span().start, format_args!("`{key}`: {error}")),
            }
        }
        Some(ages.into_iter().collect())
    }

    pub(super) fn wrong(&mut self, table: Section<'_>, key: &str, why: std::fmt::Arguments<'_>) {
        let at = table.table.get(key);
        let at = at.map_or(table.at, |value| value.span().start);
        self.file.problem(at, format_args!("`{key}`: {why}"));
    }
}

/// As it would be written in the file.
fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    let unit = units
        .iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    match unit {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None => format!("{seconds}s"),
    }
}
