//! What went, what stayed and why.

use runtime::args::Output;
use runtime::table::table;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use store::partitions::{Month, Table};
use store::retention::{InUse, Part};

/// A month that is old enough and stayed.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) table: Table,
    pub(super) part: Part,
    pub(super) reasons: Vec<InUse>,
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Report {
    dry_run: bool,
    pub(super) dropped: Vec<(Table, Part)>,
    pub(super) kept: Vec<Kept>,
    /// Entries and requests deleted from the sync log, where that was asked for.
    pub(super) sync_log: Option<(u64, u64)>,
}

impl Report {
    pub(super) const fn new(dry_run: bool) -> Self {
        Self {
            dry_run,
            dropped: Vec::new(),
            kept: Vec::new(),
            sync_log: None,
        }
    }

    pub(super) fn write(&self, output: Option<Output>) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        match Output::or_usual(output) {
            Output::Json => writeln!(out, "{}", self.json()),
            Output::Text => out.write_all(self.text().as_bytes()),
        }
    }

    fn json(&self) -> Value {
        let dropped: Vec<Value> = self
            .dropped
            .iter()
            .map(|(table, part)| described(*table, part))
            .collect();
        let kept: Vec<Value> = self
            .kept
            .iter()
            .map(|kept| {
                let mut value = described(kept.table, &kept.part);
                value["reasons"] = kept
                    .reasons
                    .iter()
                    .map(|it| json!({"reason": it.reason, "detail": it.detail}))
                    .collect();
                value
            })
            .collect();
        json!({
            "dry_run": self.dry_run,
            "dropped": dropped,
            "kept": kept,
            "bytes": self.bytes(),
            "sync_log": self.sync_log.map(|(entries, requests)| json!({"entries": entries, "requests": requests})),
        })
    }

    fn text(&self) -> String {
        let verb = if self.dry_run { "would be" } else { "were" };
        let mut text = format!(
            "{} months {verb} dropped, {} MB; {} that are old enough stay\n",
            self.dropped.len(),
            self.bytes() / 1_000_000,
            self.kept.len()
        );
        if let Some((entries, requests)) = self.sync_log {
            // Writing to a string cannot fail.
            writeln!(
                text,
                "{entries} entries and {requests} requests of the sync log were deleted"
            )
            .ok();
        }
        let mut rows: Vec<Vec<String>> = self
            .dropped
            .iter()
            .map(|(table, part)| {
                row(
                    *table,
                    part,
                    if self.dry_run { "would go" } else { "dropped" },
                )
            })
            .collect();
        for kept in &self.kept {
            for why in &kept.reasons {
                rows.push(row(
                    kept.table,
                    &kept.part,
                    &format!("kept: {}", why.detail),
                ));
            }
        }
        if !rows.is_empty() {
            text.push_str(&table(&["table", "month", "rows", "mb", "what"], &rows));
        }
        text
    }

    fn bytes(&self) -> i64 {
        self.dropped.iter().map(|(_, part)| part.bytes).sum()
    }
}

fn month(part: &Part) -> String {
    let first = Month::of(part.from).map(Month::first_day);
    first.map_or_else(|| part.name.clone(), |day| day.chars().take(7).collect())
}

fn described(table: Table, part: &Part) -> Value {
    json!({"table": table.name(), "month": month(part), "part": part.name, "rows": part.rows, "bytes": part.bytes})
}

fn row(table: Table, part: &Part, what: &str) -> Vec<String> {
    vec![
        table.name().to_owned(),
        month(part),
        part.rows.to_string(),
        (part.bytes / 1_000_000).to_string(),
        what.to_owned(),
    ]
}
