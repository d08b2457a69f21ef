//! `compute kpi list`.

use super::args::{ListArgs, StatusArg};
use super::database;
use super::shelf::{Entry, Shelf};
use super::table::{Cell, Table};
use crate::catalogue;
use kpi::Grain;
use std::io::Write;
use store::definitions::{self, Status};

pub(super) async fn run(args: &ListArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        "name", "version", "status", "unit", "scope", "priority", "rows", "title",
    ]);
    if args.shelf.shipped {
        let shelf = Shelf::shipped();
        for entry in wanted(&shelf, args)? {
            table.push(row(entry, Cell::Absent));
        }
    } else {
        let store = database::open(&args.shelf.postgres).await?;
        let client = store.client().await?;
        let shelf = Shelf::of(catalogue::load(&client).await?);
        for entry in wanted(&shelf, args)? {
            // A draft was never computed, and agents' time has windows instead of rows.
            let is_time =
                matches!(&entry.compiled, Ok(definition) if definition.scope() == Grain::AgentTime);
            let rows = if args.no_rows || is_time || entry.status == Some(Status::Draft) {
                Cell::Absent
            } else {
                let rows = definitions::rows(&client, &entry.name, entry.version).await?;
                Cell::Count(rows.unsigned_abs())
            };
            table.push(row(entry, rows));
        }
    }
    table.write(args.output, out)
}

/// Those asked for. A name that there is not is an error, and so a mistyped one is noticed.
fn wanted<'a>(shelf: &'a Shelf, args: &ListArgs) -> anyhow::Result<Vec<&'a Entry>> {
    for name in &args.names {
        shelf.versions(name)?;
    }
    let wanted = |entry: &&Entry| {
        (args.names.is_empty() || args.names.contains(&entry.name))
            && args
                .status
                .is_none_or(|status| entry.status == Some(status.status()))
    };
    Ok(shelf.entries.iter().filter(wanted).collect())
}

fn row(entry: &Entry, rows: Cell) -> Vec<Cell> {
    let definition = entry.compiled.as_ref().ok();
    let title = match &entry.compiled {
        Ok(definition) => definition.title(),
        Err(_) if entry.text.is_empty() => "(has no text yet: `compute migrate`)",
        Err(_) => "(cannot be read by this release)",
    };
    vec![
        Cell::text(&entry.name),
        Cell::Count(entry.version.0.into()),
        Cell::of(entry.status.map(Status::as_str)),
        Cell::text(&entry.unit),
        Cell::of(definition.map(|definition| definition.scope().name())),
        Cell::of(definition.map(|definition| definition.priority().name())),
        rows,
        Cell::text(title),
    ]
}

impl StatusArg {
    const fn status(self) -> Status {
        match self {
            Self::Draft => Status::Draft,
            Self::Candidate => Status::Candidate,
            Self::Current => Status::Current,
            Self::Retired => Status::Retired,
        }
    }
}
