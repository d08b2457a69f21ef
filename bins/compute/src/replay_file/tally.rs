//! Totals of each definition, summed exactly: in whole thousandths of its unit, never in floats.

use super::input::Sessions;
use super::output::Measure;
use crate::replay_file::counted;
use kpi::{Definition, Grain, MetricValue, Unit};
use std::io::{self, Write};
use std::thread;

/// Totals over all interactions.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Interactions seen, terminal or not.
    pub(super) sessions: u64,
    /// In the order of the definitions asked for.
    metrics: Vec<Total>,
}

/// Totals of one definition.
#[derive(Debug, Default, Clone, Copy)]
struct Total {
    /// Rows with a value.
    values: u64,
    /// Rows without one.
    absent: u64,
    thousandths: i128,
}

/// Evaluates every session, each shard in a thread of its own.
pub(super) fn totals(shards: Vec<Sessions>, measure: Measure<'_>) -> Totals {
    let parts: Vec<Totals> = thread::scope(|scope| {
        let counting: Vec<_> = shards
            .into_iter()
            .map(|sessions| scope.spawn(move || count(&sessions, measure)))
            .collect();
        counting
            .into_iter()
            .map(|part| part.join().unwrap_or_default())
            .collect()
    });
    let mut totals = Totals::new(measure.which.len());
    for part in parts {
        totals.sessions += part.sessions;
        for (total, part) in totals.metrics.iter_mut().zip(part.metrics) {
            total.values += part.values;
            total.absent += part.absent;
            total.thousandths += part.thousandths;
        }
    }
    totals
}

fn count(sessions: &Sessions, measure: Measure<'_>) -> Totals {
    let mut totals = Totals::new(measure.which.len());
    let definitions: Vec<&Definition> = definitions(measure).collect();
    let mut rows = Vec::with_capacity(measure.which.len());
    for (interaction, session) in sessions {
        totals.sessions += 1;
        rows.clear();
        measure.evaluate(interaction, session, &mut rows);
        // Rows come in the order of their definitions: one each, none or several where a definition is about legs.
        let mut index = 0;
        for row in &rows {
            while index < definitions.len() && !is_of(row, definitions[index]) {
                index += 1;
            }
            if let Some(total) = totals.metrics.get_mut(index) {
                total.add(row);
            }
        }
    }
    totals
}

fn definitions(measure: Measure<'_>) -> impl Iterator<Item = &Definition> {
    measure
        .which
        .iter()
        .map(move |index| &*measure.catalogue.definitions()[*index])
}

fn is_of(row: &MetricValue, definition: &Definition) -> bool {
    row.metric == definition.name() && row.version == definition.version()
}

/// What one row is about.
const fn subject(scope: Grain) -> &'static str {
    match scope {
        Grain::Interaction => "interaction",
        Grain::Leg => "leg",
        Grain::Journey => "contact",
        Grain::AgentTime => "agent",
    }
}

impl Total {
    fn add(&mut self, row: &MetricValue) {
        match row.value {
            Some(value) => {
                self.values += 1;
                // Seconds are whole milliseconds divided by a thousand: this is that number again.
                #[expect(clippy::cast_possible_truncation, reason = "saturates")]
                let thousandths = (value * 1000.0).round() as i64;
                self.thousandths += i128::from(thousandths);
            }
            None => self.absent += 1,
        }
    }
}

impl Totals {
    fn new(metrics: usize) -> Self {
        Self {
            sessions: 0,
            metrics: vec![Total::default(); metrics],
        }
    }

    /// One line for each definition: `adjusted_aht: 2 interactions, 57.200 seconds`, `leg_missed: 1 of 4 legs`. Where several versions are
    /// known, the line says which one it is.
    pub(super) fn print(&self, measure: Measure<'_>, out: &mut impl Write) -> io::Result<()> {
        for (definition, total) in definitions(measure).zip(&self.metrics) {
            let Total {
                values,
                absent,
                thousandths,
            } = total;
            let known = measure.catalogue.definitions().iter();
            let versions = known.filter(|other| other.name() == definition.name());
            write!(out, "{}", definition.name())?;
            if versions.count() > 1 {
                write!(out, "@{}", definition.version())?;
            }
            let counted = counted(*values, subject(definition.scope()));
            let (whole, rest) = (thousandths / 1000, (thousandths % 1000).abs());
            let sum = match definition.unit() {
                Unit::Seconds => format!("{whole}.{rest:03}"),
                _ if rest == 0 => whole.to_string(),
                _ => format!("{whole}.{rest:03}"),
            };
            match definition.unit() {
                Unit::Seconds => write!(out, ": {counted}, {sum} seconds")?,
                Unit::Count => write!(out, ": {counted}, {sum} in total")?,
                Unit::Share => write!(out, ": {sum} of {counted}")?,
                Unit::Number => write!(out, ": {counted}, sum {sum}")?,
            }
            match absent {
                0 => writeln!(out)?,
                absent => writeln!(out, ", {absent} without a value")?,
            }
        }
        Ok(())
    }
}
