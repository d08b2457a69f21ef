//! `[platform.counts]`.

use super::{DAY, Reader};
use crate::platforms::{Counts, Follow, Kind};
use runtime::toml_file::Section;
use std::time::Duration;

/// Platforms count by quarter hours, half hours and hours; what none of them starts with would be cut differently by each.
const INTERVALS: [u64; 12] = [60, 120, 180, 240, 300, 360, 600, 720, 900, 1200, 1800, 3600];

impl Reader<'_> {
    /// What is counted, where anything is.
    pub(super) fn counts(
        &mut self,
        section: Section<'_>,
        kind: Option<&Kind>,
        follow: Option<&Follow>,
    ) -> Option<Counts> {
        let table = self.file.section(section, "counts")?;
        self.file.only(table, &["interval", "settle", "again"]);
        let usual = Counts::usual(kind, follow);
        let again = self.ages(table, "again").unwrap_or(usual.again);
        let counts = Counts {
            interval: self
                .file
                .duration(table, "interval")
                .unwrap_or(usual.interval),
            settle: self.file.duration(table, "settle").unwrap_or(usual.settle),
            again,
        };
        let whole = INTERVALS
            .map(Duration::from_secs)
            .contains(&counts.interval);
        if !whole {
            self.wrong(
                table,
                "interval",
                format_args!("allowed are whole minutes of which an hour has a whole number"),
            );
        }
        self.within(table, "settle", counts.settle, Duration::from_secs(1)..=DAY);
        for age in &counts.again {
            self.within(table, "again", *age, Duration::from_secs(60)..=DAY);
        }
        Some(counts)
    }
}
