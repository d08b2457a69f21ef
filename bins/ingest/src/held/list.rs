//! `list`: items one a line, or how many there are for each reason.

use super::args::ListArgs;
use super::{groups, show};
use crate::columns::Columns;
use std::io::Write as _;
use store::Store;
use store::quarantine::{self, Filter, Held};

/// Characters of a reason in a table; `show` has all of them.
const REASON_CHARS: usize = 100;

pub(super) async fn run(store: &Store, args: &ListArgs) -> anyhow::Result<()> {
    let filter = Filter {
        after: args.after,
        status: args.status.status(),
        ..args.filter.filter()
    };
    let client = store.client().await?;
    if args.counts {
        let found = quarantine::groups(&client, &filter, args.limit).await?;
        return groups::print(&found, args.json);
    }
    let items = quarantine::list(&client, &filter, args.limit).await?;
    let next = items
        .last()
        .filter(|_| u32::try_from(items.len()).is_ok_and(|shown| shown == args.limit))
        .map(|last| last.id);
    if args.json {
        let items: Vec<_> = items.iter().map(show::json).collect();
        let page = serde_json::json!({ "items": items, "next_after": next });
        println!("{}", serde_json::to_string_pretty(&page)?);
        return Ok(());
    }
    let held = quarantine::held(&client).await?;
    let mut out = std::io::stdout().lock();
    table(&items).print(&mut out)?;
    writeln!(out, "{} shown, {held} held in all", items.len())?;
    if let Some(next) = next {
        writeln!(out, "more: --after {next}")?;
    }
    Ok(())
}

fn table(items: &[Held]) -> Columns {
    let mut table = Columns::new(&[
        "NUMBER",
        "STATUS",
        "RECEIVED",
        "TENANT",
        "SUBSCRIPTION",
        "STAGE",
        "FIELD",
        "REASON",
        "CORRELATION",
    ]);
    for item in items {
        table.row([
            item.id.to_string(),
            item.status.as_str().to_owned(),
            item.received_at.to_string(),
            item.tenant.clone(),
            item.subscription.clone(),
            item.stage.clone(),
            item.field.clone().unwrap_or_default(),
            crate::columns::cut(&item.reason, REASON_CHARS),
            item.correlation.clone(),
        ]);
    }
    table
}
