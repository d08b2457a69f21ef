//! `compute kpi schedules` and `compute kpi places`.

use super::args::{Output, PlacesArgs, SchedulesArgs};
use super::database;
use super::table::{Cell, Table};
use anyhow::{Context as _, bail};
use std::io::Write;
use store::documents;
use timezone::Schedule;

/// A schedule, of the store or of this release.
struct Entry {
    name: String,
    version: u16,
    text: String,
    created_at: Option<String>,
}

pub(super) async fn schedules(args: &SchedulesArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let entries = if args.shelf.shipped {
        kpi::shipped_schedules()
            .iter()
            .filter_map(|shipped| Some((Schedule::read(shipped.text).ok()?, shipped.text)))
            .map(|(schedule, text)| Entry {
                name: schedule.name().to_owned(),
                version: schedule.version(),
                text: text.to_owned(),
                created_at: None,
            })
            .collect()
    } else {
        let store = database::open(&args.shelf.postgres).await?;
        let client = store.client().await?;
        documents::list_schedules(&client)
            .await?
            .into_iter()
            .map(|stored| Entry {
                name: stored.name,
                version: stored.version.0,
                text: stored.text,
                created_at: Some(stored.created_at.to_string()),
            })
            .collect::<Vec<_>>()
    };
    let Some(wanted) = &args.schedule else {
        return table(&entries, args.output).write(args.output, out);
    };
    let found = entries.into_iter().rfind(|entry| {
        entry.name == wanted.name
            && wanted
                .version
                .is_none_or(|version| entry.version == version.0)
    });
    let entry = found.with_context(|| {
        format!("there is no schedule {wanted}; `compute kpi schedules` shows what there is")
    })?;
    if args.output == Output::Table {
        writeln!(out, "{}", entry.text.trim_end())?;
        return Ok(());
    }
    table(&[entry], args.output).write(args.output, out)
}

/// People ask for one text by its name, programs get all of them.
fn table(entries: &[Entry], output: Output) -> Table {
    let head = ["name", "version", "zone", "created_at", "text"];
    let width = head.len() - usize::from(output == Output::Table);
    let mut table = Table::new(&head[..width]);
    for entry in entries {
        let zone = Schedule::read(&entry.text)
            .ok()
            .and_then(|schedule| schedule.zone())
            .map(timezone::Zone::name);
        let mut row = vec![
            Cell::text(&entry.name),
            Cell::Count(entry.version.into()),
            Cell::of(zone),
            Cell::of(entry.created_at.as_deref()),
            Cell::text(&entry.text),
        ];
        row.truncate(width);
        table.push(row);
    }
    table
}

pub(super) async fn places(args: &PlacesArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let store = database::open(&args.postgres).await?;
    let client = store.client().await?;
    let all = documents::list_places(&client).await?;
    let newest = all.last().map(|stored| stored.version);
    if !args.versions && args.output == Output::Table {
        let Some(holds) = all.last() else {
            bail!(
                "no places are stored: zones come from the events, the schedules and the definitions; `compute kpi add places.toml` stores some"
            );
        };
        writeln!(out, "{}", holds.text.trim_end())?;
        return Ok(());
    }
    let head = ["version", "holds", "created_at", "text"];
    let width = head.len() - usize::from(args.output == Output::Table);
    let mut table = Table::new(&head[..width]);
    for stored in all {
        let holds = Some(stored.version) == newest;
        if !args.versions && !holds {
            continue;
        }
        let mut row = vec![
            Cell::Count(stored.version.0.into()),
            Cell::text(if holds { "yes" } else { "no" }),
            Cell::text(stored.created_at.to_string()),
            Cell::text(stored.text),
        ];
        row.truncate(width);
        table.push(row);
    }
    table.write(args.output, out)
}
