//! `compute kpi show`.

use super::args::{Output, ShowArgs};
use super::shelf::{Entry, Shelf};
use super::table::{Cell, Table};
use std::io::Write;
use store::definitions::Status;

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

fn digest(entry: &Entry) -> Option<String> {
    entry.digest.as_ref().map(hex::encode)
}
