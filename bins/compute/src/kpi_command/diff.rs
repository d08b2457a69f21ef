//! `compute kpi diff`.

use super::args::{DiffArgs, Output};
use super::difference::{self, differences};
use super::shelf::Shelf;
use super::subject::Subject;
use anyhow::Context as _;
use std::io::Write;

pub(super) async fn run(args: &DiffArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let files = [&args.old, &args.new]
        .iter()
        .all(|subject| matches!(subject, Subject::File(_)));
    // Two files need no database.
    let shelf = if files {
        Shelf::shipped()
    } else {
        Shelf::open(&args.shelf).await?
    };
    let (old_label, old) = shelf.text(&args.old)?;
    let (new_label, new) = shelf.text(&args.new)?;
    let found = differences(&old, &new)
        .map_err(anyhow::Error::from_boxed)
        .with_context(|| format!("{old_label} and {new_label} cannot be compared"))?;
    if args.output != Output::Table {
        return difference::table(&found).write(args.output, out);
    }
    if found.is_empty() {
        writeln!(
            out,
            "{old_label} and {new_label} say the same; comments and layout do not count"
        )?;
        return Ok(());
    }
    writeln!(out, "{old_label} → {new_label}")?;
    out.write_all(difference::text(&found).as_bytes())?;
    Ok(())
}
