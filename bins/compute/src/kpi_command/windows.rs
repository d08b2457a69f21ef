//! `compute kpi windows`: how far they are computed, and having them computed again.

use super::args::{Output, WindowsArgs};
use super::database;
use super::table::{Cell, Table};
use std::io::Write;
use store::marks::{self, Backlog, Kind};
use store::window_rebuild::{self, Groups};
use store::{Client, Store};

/// Marks that have waited no longer than this are those of news under way.
const BEHIND_SECONDS: f64 = 10.0;

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

/// Why windows are not to be relied on yet; `None`: nothing waits but news under way.
pub(super) async fn behind(client: &Client) -> anyhow::Result<Option<String>> {
    let mut waiting = marks::backlog(client).await?;
    waiting.retain(|backlog| {
        backlog
            .oldest_seconds
            .is_some_and(|seconds| seconds > BEHIND_SECONDS)
    });
    let words = |backlog: &Backlog| {
        let seconds = backlog.oldest_seconds.unwrap_or_default();
        let Backlog { kind, marks, .. } = backlog;
        format!(
            "{marks} marks of {} wait, the oldest for {seconds:.0} s",
            named(*kind)
        )
    };
    let words: Vec<String> = waiting.iter().map(words).collect();
    Ok((!words.is_empty()).then(|| {
        format!(
            "windows are not computed yet: {}; `compute kpi windows` says when nothing waits any more",
            words.join(", ")
        )
    }))
}
