//! `compute kpi add`, and what `activate` shares with it.

use super::args::{AddArgs, Output};
use super::conflict::{Documents, conflicts};
use super::database;
use super::shelf::{Shelf, listed};
use super::table::{Cell, Table};
use super::windows;
use crate::catalogue;
use crate::definition_files::{self, Files};
use anyhow::bail;
use runtime::args::PostgresArgs;
use schema::MetricVersion;
use std::io::Write;
use std::path::PathBuf;
use store::Transaction;
use store::definitions::{self, Inserted};
use store::documents::{self, NewSchedule};
use store::window_rebuild::Groups;

/// What documents of places are called.
const PLACES: &str = "places";

/// One document, and whether it is new.
#[derive(Debug)]
pub(super) struct Added {
    kind: &'static str,
    name: String,
    version: u16,
    pub(super) is_new: bool,
}

pub(super) async fn run(args: &AddArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let store = database::open_to_change(&args.postgres).await?;
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    definitions::change(&tx).await?;
    let shelf = Shelf::of(catalogue::load(&tx).await?);
    let (added, _) = add(&tx, &args.paths, &shelf).await?;
    // Rolled back where nothing is new, so that no replica reads the catalogue again for nothing.
    if added.iter().any(|added| added.is_new) {
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    drop(client);
    let moved = moves_windows(&added);
    let mut table = Table::new(&["kind", "name", "version", "result"]);
    for added in added {
        table.push(vec![
            Cell::text(added.kind),
            if added.name.is_empty() {
                Cell::Absent
            } else {
                Cell::text(added.name)
            },
            Cell::Count(added.version.into()),
            Cell::text(if added.is_new {
                "added"
            } else {
                "was stored already"
            }),
        ]);
    }
    table.write(args.output, out)?;
    if moved {
        // What is done is said before a look through all windows.
        out.flush()?;
        let marked = move_windows(&args.postgres).await?;
        if args.output == Output::Table {
            writeln!(out, "{marked}")?;
        }
    }
    Ok(())
}

/// Whether there are other places now, and so other windows.
pub(super) fn moves_windows(added: &[Added]) -> bool {
    added
        .iter()
        .any(|added| added.is_new && added.kind == PLACES)
}

/// Has all windows computed again by the places that hold now, and says so.
pub(super) async fn move_windows(args: &PostgresArgs) -> anyhow::Result<String> {
    let store = database::open(args).await?;
    let marked = windows::rebuild(&store, &Groups::default()).await?;
    Ok(format!("other zones are other windows: {marked}"))
}

/// Stores everything in the paths, or says why nothing of it can be. The caller commits.
pub(super) async fn add(
    tx: &Transaction<'_>,
    paths: &[PathBuf],
    shelf: &Shelf,
) -> anyhow::Result<(Vec<Added>, Files)> {
    let files = definition_files::read(paths, &shelf.library)?;
    let conflicts = conflicts(&files, shelf, &Documents::load(tx).await?);
    if !conflicts.is_empty() {
        bail!("nothing was stored:\n{}", listed(&conflicts));
    }
    let mut added = Vec::new();
    for found in &files.schedules {
        let (schedule, text) = (&found.what, &found.text);
        let inserted = documents::insert_schedule(
            tx,
            &NewSchedule {
                name: schedule.name(),
                version: MetricVersion(schedule.version()),
                text,
                digest: &kpi::content_digest(text),
            },
        )
        .await?;
        added.push(Added {
            kind: "schedule",
            name: schedule.name().to_owned(),
            version: schedule.version(),
            is_new: is_new(&inserted)?,
        });
    }
    if let Some(found) = &files.places {
        let places = &found.what;
        let inserted = catalogue::insert_places(tx, places, &found.text).await?;
        added.push(Added {
            kind: PLACES,
            name: String::new(),
            version: places.version(),
            is_new: is_new(&inserted)?,
        });
    }
    for found in &files.definitions {
        let definition = &found.what;
        let inserted = catalogue::insert(tx, definition).await?;
        added.push(Added {
            kind: "definition",
            name: definition.name().to_owned(),
            version: definition.version().0,
            is_new: is_new(&inserted)?,
        });
    }
    Ok((added, files))
}

fn is_new(inserted: &Inserted) -> anyhow::Result<bool> {
    match inserted {
        Inserted::New => Ok(true),
        Inserted::Same => Ok(false),
        // Looked at before, under the lock: only a row that this release did not see can come here.
        Inserted::Differs { .. } => bail!("nothing was stored: the catalogue changed meanwhile"),
    }
}
