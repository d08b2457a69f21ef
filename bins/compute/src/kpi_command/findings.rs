//! `compute kpi findings`.

use super::args::{FindingsArgs, Output};
use super::database;
use super::table::{Cell, Table};
use std::io::Write;
use store::zones;

pub(super) async fn run(args: &FindingsArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let store = database::open(&args.postgres).await?;
    let client = store.client().await?;
    let mut table = Table::new(&[
        "tenant",
        "source",
        "stated",
        "first_seen",
        "last_seen",
        "example",
    ]);
    for finding in zones::list(&client).await? {
        table.push(vec![
            Cell::text(finding.tenant),
            Cell::text(finding.source),
            Cell::text(finding.stated),
            Cell::text(finding.first_seen.to_string()),
            Cell::text(finding.last_seen.to_string()),
            Cell::text(finding.interaction_id),
        ]);
    }
    if table.is_empty() && args.output == Output::Table {
        writeln!(out, "every zone that was stated is known")?;
        return Ok(());
    }
    table.write(args.output, out)
}
