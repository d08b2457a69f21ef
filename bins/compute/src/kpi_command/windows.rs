//! `compute kpi windows`: how far they are computed, and having them computed again.

use super::args::{Output, WindowsArgs};
use super::database;
use super::table::{Cell, Table};
use std::io::Write;
use store::Store;
use store::marks::{self, Kind};
use store::window_rebuild::{self, Groups};

pub(super) async fn run(args: &WindowsArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from >= to
    {
        anyhow::bail!("--from: is {from}, which is not before --to {to}");
    }
    let store = database::open(&args.postgres).await?;
    if args.rebuild {
        let groups = Groups {
            tenant: args.tenant.as_deref(),
            from: args.from,
            to: args.to,
        };
        let marked = rebuild(&store, &groups).await?;
        if args.output == Output::Table {
            writeln!(out, "{marked}")?;
        }
    }
    let client = store.client().await?;
    let mut table = Table::new(&["what", "waiting", "oldest_seconds"]);
    for backlog in marks::backlog(&client).await? {
        table.push(vec![
            Cell::text(named(backlog.kind)),
            Cell::Count(backlog.marks.unsigned_abs()),
            backlog.oldest_seconds.map_or(Cell::Absent, Cell::Number),
        ]);
    }
    table.write(args.output, out)
}

const fn named(kind: Kind) -> &'static str {
    match kind {
        Kind::Cell => "quarter hours",
        Kind::Group => "windows of groups",
        Kind::Agent => "agents' time",
        Kind::Journey => "journeys",
    }
}

/// Has all windows of a stretch computed again, and says what was marked. A transaction of its own: nobody waits for it.
pub(super) async fn rebuild(store: &Store, groups: &Groups<'_>) -> anyhow::Result<String> {
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    let cells = window_rebuild::mark_cells(&tx, groups.tenant, groups.from, groups.to).await?;
    let groups = window_rebuild::mark_groups(&tx, groups).await?;
    tx.commit().await?;
    Ok(format!(
        "{cells} quarter hours and {groups} months of groups are marked; a compute that keeps windows does the rest"
    ))
}

/// What to say while windows of the past are not to be relied on yet.
pub(super) fn behind(waiting: &[(Kind, i64)]) -> String {
    let words: Vec<String> = waiting
        .iter()
        .map(|(kind, marks)| format!("{marks} marks of {}", named(*kind)))
        .collect();
    format!(
        "windows of the past are not computed yet: {} wait; try again when `compute kpi windows` says that nothing does",
        words.join(", ")
    )
}
