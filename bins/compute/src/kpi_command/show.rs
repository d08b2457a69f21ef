//! `compute kpi show`.

use super::args::{Output, ShowArgs};
use super::shelf::{Entry, Shelf};
use super::table::{Cell, Table};
use kpi::Grain;
use std::io::Write;
use store::definitions::Status;

const DAY_MILLIS: i64 = 86_400_000;

pub(super) async fn run(
    args: &ShowArgs,
    out: &mut dyn Write,
    remarks: &mut dyn Write,
) -> anyhow::Result<()> {
    let shelf = Shelf::open(&args.shelf).await?;
    let entry = shelf.find(&args.definition)?;
    if args.output == Output::Table {
        // What is known besides is not a part of the text: a file made of it would have it for ever.
        remarks.write_all(head(entry).as_bytes())?;
        writeln!(out, "{}", entry.text.trim_end())?;
        return Ok(());
    }
    let mut table = Table::new(&[
        "name",
        "version",
        "status",
        "unit",
        "digest",
        "created_at",
        "activated_at",
        "windows",
        "text",
    ]);
    table.push(vec![
        Cell::text(&entry.name),
        Cell::Count(entry.version.0.into()),
        Cell::of(entry.status.map(Status::as_str)),
        Cell::text(&entry.unit),
        Cell::of(digest(entry)),
        Cell::of(entry.created_at.map(|at| at.to_string())),
        Cell::of(entry.activated_at.map(|at| at.to_string())),
        Cell::of(windows(entry)),
        Cell::text(&entry.text),
    ]);
    table.write(args.output, out)
}

/// What is known besides the text, as comments.
fn head(entry: &Entry) -> String {
    let mut head = format!("# {}", entry.label());
    match entry.status {
        None => head.push_str(", as it ships with this release"),
        Some(status) => {
            head.push_str(": ");
            head.push_str(status.as_str());
            if let Some(at) = entry.activated_at {
                head.push_str(", switched on ");
                head.push_str(&at.to_string());
            }
        }
    }
    if let Some(digest) = digest(entry) {
        head.push_str("\n# digest of the content: ");
        head.push_str(&digest);
    }
    if let Some(windows) = windows(entry) {
        head.push_str("\n# windows: ");
        head.push_str(&windows);
    }
    if let Err(problems) = &entry.compiled {
        head.push_str("\n# this release cannot read it:");
        for problem in problems {
            head.push_str("\n#   ");
            head.push_str(&problem.to_string().replace('\n', " "));
        }
    }
    head.push_str("\n\n");
    head
}

/// `mean, by ended; everything: 30m day; by queue: 15m 30m; settled after 2d`.
fn windows(entry: &Entry) -> Option<String> {
    let definition = entry.compiled.as_ref().ok()?;
    let rule = definition.windows()?;
    let mut words = rule.value.to_string();
    // Time is counted where it is spent.
    if definition.scope() != Grain::AgentTime {
        words.push_str(", counted when ");
        words.push_str(rule.counted.name());
    }
    for set in &rule.sets {
        let by = set.by.text();
        words.push_str("; ");
        words.push_str(if by.is_empty() { "everything" } else { "by " });
        words.push_str(&by);
        words.push_str(" in");
        for size in &set.sizes {
            words.push(' ');
            words.push_str(size.name());
        }
        if let Some(shift) = &set.shift {
            words.extend([" of ", shift.name(), "@", &shift.version().to_string()]);
        }
    }
    let settles = match rule.settles_after.0 {
        millis if millis % DAY_MILLIS == 0 => format!("{}d", millis / DAY_MILLIS),
        millis => format!("{}s", millis / 1000),
    };
    words.extend(["; settled ", &settles, " after the end"]);
    Some(words)
}

fn digest(entry: &Entry) -> Option<String> {
    entry.digest.as_ref().map(hex::encode)
}
