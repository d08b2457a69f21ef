//! `compute kpi show`.

use super::args::{Output, ShowArgs};
use super::shelf::{Entry, Shelf};
use super::table::{Cell, Table};
use std::io::Write;
use store::definitions::Status;

pub(super) async fn run(args: &ShowArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let shelf = Shelf::open(&args.shelf).await?;
    let entry = shelf.find(&args.definition)?;
    if args.output == Output::Table {
        out.write_all(text(entry).as_bytes())?;
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

/// The text, after a head of comments: what is printed is a definition file again.
fn text(entry: &Entry) -> String {
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
    let text = entry.text.trim_end();
    format!("{head}\n\n{text}\n")
}

fn digest(entry: &Entry) -> Option<String> {
    entry.digest.as_ref().map(hex::encode)
}
