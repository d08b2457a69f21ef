//! Totals of each metric, summed exactly: in whole milliseconds, never in floats.

use super::input::Sessions;
use super::output::Measure;
use std::io::{self, Write};
use std::thread;

/// Totals over all interactions.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Interactions seen, terminal or not.
    pub(super) sessions: u64,
    /// In the order of the metrics asked for.
    metrics: Vec<Total>,
}

/// Totals of one metric.
#[derive(Debug, Default, Clone, Copy)]
struct Total {
    /// Rows with a value.
    values: u64,
    /// Rows without one.
    absent: u64,
    millis: i128,
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
    let mut totals = Totals::new(measure.metrics.len());
    for part in parts {
        totals.sessions += part.sessions;
        for (total, part) in totals.metrics.iter_mut().zip(part.metrics) {
            total.values += part.values;
            total.absent += part.absent;
            total.millis += part.millis;
        }
    }
    totals
}

fn count(sessions: &Sessions, measure: Measure<'_>) -> Totals {
    let mut totals = Totals::new(measure.metrics.len());
    let mut rows = Vec::with_capacity(measure.metrics.len());
    for session in sessions.values() {
        totals.sessions += 1;
        rows.clear();
        measure.evaluate(session, &mut rows);
        for row in &rows {
            let Some(index) = measure.metrics.iter().position(|name| *name == row.metric) else {
                continue;
            };
            let total = &mut totals.metrics[index];
            match row.value {
                Some(seconds) => {
                    total.values += 1;
                    // A value is a whole number of milliseconds divided by a thousand: this is that number again.
                    #[expect(clippy::cast_possible_truncation, reason = "bounded by the rules")]
                    let millis = (seconds * 1000.0).round() as i64;
                    total.millis += i128::from(millis);
                }
                None => total.absent += 1,
            }
        }
    }
    totals
}

impl Totals {
    fn new(metrics: usize) -> Self {
        Self {
            sessions: 0,
            metrics: vec![Total::default(); metrics],
        }
    }

    /// One line for each metric: `adjusted_aht: 2 interactions, 57.200 seconds`.
    pub(super) fn print(&self, names: &[&str], out: &mut impl Write) -> io::Result<()> {
        for (name, total) in names.iter().zip(&self.metrics) {
            let Total {
                values,
                absent,
                millis,
            } = total;
            let (seconds, rest) = (millis / 1000, millis % 1000);
            write!(
                out,
                "{name}: {values} interactions, {seconds}.{rest:03} seconds"
            )?;
            match absent {
                0 => writeln!(out)?,
                absent => writeln!(out, ", {absent} without a value")?,
            }
        }
        Ok(())
    }
}
