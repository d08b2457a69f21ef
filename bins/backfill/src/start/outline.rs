//! A plan as it is shown: what will be done, in which chunks, and what it will cost.

use super::known_before;
use crate::config::Output;
use crate::plan::{Estimate, Piece, Way};
use crate::view;
use crate::wish::{Planned, Wish};
use runtime::table::{span, table};
use schema::UtcMicros;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use store::jobs::Created;

/// Chunks that a person is shown; JSON has all of them.
const SHOWN: usize = 20;

pub(super) struct Outline<'a> {
    pub(super) wish: &'a Wish,
    pub(super) definitions: Vec<String>,
    pub(super) available_to: Option<UtcMicros>,
    pub(super) planned: &'a Planned,
    pub(super) estimate: Estimate,
    pub(super) guessed_by: &'static str,
    pub(super) now: UtcMicros,
}

impl Outline<'_> {
    /// The plan of a dry run.
    pub(super) fn write(&self, output: Output) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        match output {
            Output::Json => {
                let mut shown = self.json();
                let chunks = self.planned.pieces.iter().map(chunk).collect();
                if let Value::Object(members) = &mut shown {
                    members.insert("dry_run".to_owned(), Value::Bool(true));
                    members.insert("chunks".to_owned(), Value::Array(chunks));
                }
                writeln!(out, "{shown}")?;
            }
            Output::Text => write!(out, "{}\n{}", self.text(), self.chunks())?,
        }
        out.flush()?;
        Ok(())
    }

    /// The plan of a job that was written.
    pub(super) fn started(&self, created: Created, output: Output) -> anyhow::Result<()> {
        let id = created.id().to_string();
        let mut out = std::io::stdout().lock();
        match output {
            Output::Json => {
                let mut shown = self.json();
                if let Value::Object(members) = &mut shown {
                    members.insert("job".to_owned(), Value::from(id));
                    members.insert("existing".to_owned(), Value::Bool(known_before(created)));
                }
                writeln!(out, "{shown}")?;
            }
            Output::Text if known_before(created) => writeln!(
                out,
                "job {id} was begun under this name before; nothing was written. `backfill show {id}`"
            )?,
            Output::Text => write!(
                out,
                "{}job              {id}\n\nIt is done by `backfill worker`; see it with `backfill watch {id}`\n",
                self.text()
            )?,
        }
        out.flush()?;
        Ok(())
    }

    fn json(&self) -> Value {
        let (wish, estimate) = (self.wish, &self.estimate);
        json!({
            "source": wish.source.name(),
            "platform": wish.platform,
            "tenant": self.planned.tenant,
            "from": view::instant(wish.from),
            "to": view::instant(wish.to),
            "metric_version": wish.version.0,
            "kpis": wish.kpis,
            "definitions": self.definitions,
            "promote": wish.promote,
            "available_to": view::instant(self.available_to),
            "estimate": {
                "chunks": estimate.chunks,
                "calls": estimate.calls,
                "pages": estimate.pages,
                "records": estimate.records,
                "records_by": Some(self.guessed_by).filter(|_| estimate.records.is_some()),
                "seconds": estimate.time.as_secs(),
                "not_over_before": view::instant(estimate.last_due.filter(|due| *due > self.now)),
            },
        })
    }

    fn text(&self) -> String {
        let (wish, estimate) = (self.wish, &self.estimate);
        let at_least = if estimate.records.is_none() {
            "at least "
        } else {
            "about "
        };
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            if !value.is_empty() {
                // Writing to a string cannot fail.
                writeln!(text, "{name:<16} {value}").ok();
            }
        };
        line("source", wish.source.to_string());
        line("platform", wish.platform.clone().unwrap_or_default());
        line("tenant", self.planned.tenant.clone().unwrap_or_default());
        line("from", view::instant(wish.from).unwrap_or_default());
        line("to", view::instant(wish.to).unwrap_or_default());
        line(
            "metric_version",
            format!("{}: {}", wish.version, self.definitions.join(", ")),
        );
        line("promote", wish.promote.as_str().to_owned());
        line(
            "available_to",
            view::instant(self.available_to).unwrap_or_default(),
        );
        line("chunks", estimate.chunks.to_string());
        if let Some(records) = estimate.records {
            line(
                "records",
                format!("about {records}, by {}", self.guessed_by),
            );
        }
        if estimate.calls > 0 {
            line("calls", format!("{at_least}{}", estimate.calls));
            line(
                "time",
                format!("{at_least}{} at the credential's pace", span(estimate.time)),
            );
        }
        if let Some(due) = estimate.last_due.filter(|due| *due > self.now) {
            line(
                "not over before",
                format!("{}: the last data are not to be had yet", view::short(due)),
            );
        }
        text
    }

    fn chunks(&self) -> String {
        let pieces = &self.planned.pieces;
        let rows: Vec<_> = pieces
            .iter()
            .take(SHOWN)
            .enumerate()
            .map(|(number, piece)| {
                vec![
                    number.to_string(),
                    view::short(piece.from),
                    view::short(piece.to),
                    view::until(piece.due_at, self.now),
                    way(piece).to_owned(),
                ]
            })
            .collect();
        let mut text = table(&["chunk", "from", "to", "due", "way"], &rows);
        if pieces.len() > SHOWN {
            writeln!(text, "… and {} more", pieces.len() - SHOWN).ok();
        }
        text
    }
}

fn chunk(piece: &Piece) -> Value {
    json!({
        "from": piece.from.to_string(),
        "to": piece.to.to_string(),
        "due_at": piece.due_at.to_string(),
        "way": way(piece),
    })
}

const fn way(piece: &Piece) -> &'static str {
    match piece.way {
        Way::Usual => "usual",
        Way::Query => "query",
        Way::Ids(_) => "ids",
        Way::Cursor(_) => "file",
    }
}
