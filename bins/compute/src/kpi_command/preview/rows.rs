//! The rows themselves, one a line: what a definition gives where there is nothing to compare it with.

use anyhow::Context as _;
use kpi::MetricValue;
use std::collections::BTreeMap;
use std::io::Write;
use tokio::sync::mpsc;

/// The number of a page, and its lines.
pub(super) type Lines = (u64, Vec<u8>);

const HEAD: [&str; 9] = [
    "tenant",
    "interaction_id",
    "leg",
    "value",
    "reason",
    "timestamp_utc",
    "agent_id",
    "queue_id",
    "metadata",
];

/// The line with the columns' names.
pub(super) fn head() -> Vec<u8> {
    record(&HEAD)
}

/// The rows of one interaction.
pub(super) fn lines(tenant: &str, interaction: &str, rows: &[MetricValue]) -> Vec<u8> {
    rows.iter()
        .flat_map(|row| {
            let reason = row.metadata.reason.as_ref();
            record(&[
                tenant.to_owned(),
                interaction.to_owned(),
                row.scope.as_str().to_owned(),
                row.value.map(|value| value.to_string()).unwrap_or_default(),
                reason.map(ToString::to_string).unwrap_or_default(),
                row.timestamp.to_string(),
                row.agent
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                row.queue
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                row.metadata.to_string(),
            ])
        })
        .collect()
}

fn record<T: AsRef<[u8]>>(fields: &[T; HEAD.len()]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    writer.write_record(fields).ok();
    writer.into_inner().unwrap_or_default()
}

/// Writes pages by their numbers, from 0 without a gap, in whatever order they come.
pub(super) async fn write_in_order(
    mut pages: mpsc::Receiver<Lines>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    while let Some((number, lines)) = pages.recv().await {
        waiting.insert(number, lines);
        while let Some(lines) = waiting.remove(&next) {
            out.write_all(&lines)
                .context("the output cannot be written")?;
            next += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pages_are_written_in_their_order_however_they_come() {
        let (sender, receiver) = mpsc::channel(8);
        for number in [2_u8, 0, 3, 1] {
            sender
                .send((number.into(), vec![b'a' + number]))
                .await
                .unwrap();
        }
        drop(sender);
        let mut out = Vec::new();
        write_in_order(receiver, &mut out).await.unwrap();
        assert_eq!(out, b"abcd");
    }
}
