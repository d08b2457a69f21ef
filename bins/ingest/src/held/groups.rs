//! How many items there are for each reason.

use crate::columns::{Columns, counted};
use store::quarantine::Group;

pub(super) fn print(groups: &[Group], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let groups: Vec<_> = groups.iter().map(json).collect();
        println!("{}", serde_json::to_string_pretty(&groups)?);
        return Ok(());
    }
    let mut table = Columns::new(&[
        "ITEMS",
        "BYTES",
        "TENANT",
        "SUBSCRIPTION",
        "STAGE",
        "FIELD",
        "EXPECTED, OR REASON",
        "FIRST",
        "LAST",
        "EXAMPLE",
    ]);
    for group in groups {
        table.row([
            group.items.to_string(),
            group.bytes.to_string(),
            group.tenant.clone(),
            group.subscription.clone(),
            group.stage.clone(),
            group.field.clone().unwrap_or_default(),
            group.reason.clone(),
            group.first.to_string(),
            group.last.to_string(),
            group.example.to_string(),
        ]);
    }
    table.print(&mut std::io::stdout().lock())?;
    let items: i64 = groups.iter().map(|group| group.items).sum();
    println!(
        "{} in {}",
        counted(items, "item"),
        counted(i64::try_from(groups.len())?, "group")
    );
    Ok(())
}

/// A group as it is printed for other programs.
pub(super) fn json(group: &Group) -> serde_json::Value {
    serde_json::json!({
        "items": group.items,
        "bytes": group.bytes,
        "tenant": group.tenant,
        "subscription": group.subscription,
        "stage": group.stage,
        "field": group.field,
        "reason": group.reason,
        "first_received_at": group.first.to_string(),
        "last_received_at": group.last.to_string(),
        "example": group.example,
    })
}
