//! Metrics as rows, in the order of interactions, so that the same input gives the same bytes whatever the number of threads.

use super::input::Sessions;
use anyhow::Context as _;
use kpi::{Catalogue, MetricValue, Subject};
use schema::InteractionId;
use serde_json::json;
use session::Session;
use std::fmt::{self, Write as _};
use std::io::Write;
use std::thread;

/// Sessions rendered by one thread before they are written.
const BATCH: usize = 4096;

/// What to evaluate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure<'a> {
    pub(super) catalogue: &'a Catalogue,
    /// Indexes into the catalogue's definitions.
    pub(super) which: &'a [usize],
}

impl Measure<'_> {
    pub(super) fn evaluate(
        &self,
        interaction: &InteractionId,
        session: &Session,
        rows: &mut Vec<MetricValue>,
    ) {
        let timeline = session.timeline();
        let subject = Subject {
            tenant: "",
            interaction: interaction.as_str(),
            timeline: &timeline,
            swept: false,
        };
        self.catalogue.evaluate_some(self.which, &subject, rows);
    }
}

/// Writes a header and one row for each metric of each interaction; tells how many interactions there were.
pub(super) fn csv(
    shards: Vec<Sessions>,
    measure: Measure<'_>,
    threads: usize,
    out: &mut impl Write,
) -> anyhow::Result<u64> {
    const HEADER: &str =
        "interaction_id,metric,version,leg,value,timestamp_utc,agent_id,queue_id,metadata";
    writeln!(out, "{HEADER}").context("the output cannot be written")?;
    rows(shards, measure, threads, out, |interaction, row, text| {
        field(text, interaction.as_str());
        write!(text, ",{},{},", row.metric, row.version)?;
        field(text, row.scope.as_str());
        text.push(',');
        if let Some(seconds) = row.value {
            write!(text, "{seconds}")?;
        }
        write!(text, ",{},", row.timestamp)?;
        field(text, row.agent.as_ref().map_or("", |agent| agent.as_str()));
        text.push(',');
        field(text, row.queue.as_ref().map_or("", |queue| queue.as_str()));
        text.push(',');
        field(text, &row.metadata.to_string());
        text.push('\n');
        Ok(())
    })
}

/// Writes one JSON object for each metric of each interaction; tells how many interactions there were.
pub(super) fn jsonl(
    shards: Vec<Sessions>,
    measure: Measure<'_>,
    threads: usize,
    out: &mut impl Write,
) -> anyhow::Result<u64> {
    rows(shards, measure, threads, out, |interaction, row, text| {
        let object = json!({
            "interaction_id": interaction,
            "metric": row.metric,
            "version": row.version,
            "leg": row.scope.as_str(),
            "value": row.value,
            "timestamp_utc": row.timestamp.to_string(),
            "agent_id": row.agent,
            "queue_id": row.queue,
            "metadata": row.metadata,
            "provenance": row.provenance,
        });
        writeln!(text, "{object}")
    })
}

fn rows(
    shards: Vec<Sessions>,
    measure: Measure<'_>,
    threads: usize,
    out: &mut impl Write,
    render: impl Fn(&InteractionId, &MetricValue, &mut String) -> fmt::Result + Copy + Send + Sync,
) -> anyhow::Result<u64> {
    let mut sessions: Vec<(InteractionId, Session)> = shards.into_iter().flatten().collect();
    sessions.sort_unstable_by(|left, right| left.0.cmp(&right.0));
    for batch in sessions.chunks(BATCH * threads) {
        let texts: Vec<String> = thread::scope(|scope| {
            let rendering: Vec<_> = batch
                .chunks(BATCH)
                .map(|part| {
                    scope.spawn(move || {
                        let (mut text, mut rows) = (String::new(), Vec::new());
                        for (interaction, session) in part {
                            rows.clear();
                            measure.evaluate(interaction, session, &mut rows);
                            for row in &rows {
                                render(interaction, row, &mut text)?;
                            }
                        }
                        Ok(text)
                    })
                })
                .collect();
            rendering
                .into_iter()
                .map(|part| joined(part))
                .collect::<anyhow::Result<_>>()
        })?;
        for text in texts {
            out.write_all(text.as_bytes())
                .context("the output cannot be written")?;
        }
    }
    Ok(sessions.len() as u64)
}

fn joined(
    part: thread::ScopedJoinHandle<'_, Result<String, fmt::Error>>,
) -> anyhow::Result<String> {
    part.join()
        .map_err(|_| anyhow::anyhow!("a rendering thread failed"))?
        .context("a row cannot be rendered")
}

/// Appends a field, quoted where it must be.
fn field(text: &mut String, value: &str) {
    if value.contains([',', '"', '\n', '\r']) {
        text.push('"');
        text.push_str(&value.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(value);
    }
}
