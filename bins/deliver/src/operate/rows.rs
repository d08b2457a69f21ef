//! `deliver retry` and `deliver skip`: rows that wait, by what is known of them.

use super::{about, write};
use crate::config::{self, RetryArgs, RowsArgs, SkipArgs};
use anyhow::bail;
use serde_json::json;
use store::sync;

/// Has rows pushed again at once that wait for an operator, or longer than an operator wants.
pub async fn retry(args: &RetryArgs) -> anyhow::Result<()> {
    run(&args.rows, None).await
}

/// Gives rows up: they leave the queue, and the log says why. A new value of the same metric is queued again.
pub async fn skip(args: &SkipArgs) -> anyhow::Result<()> {
    let reason = args.reason.trim();
    if reason.is_empty() {
        bail!("--reason: is empty; whoever misses the rows will look for it");
    }
    run(&args.rows, Some(reason)).await
}

async fn run(args: &RowsArgs, skip_for: Option<&str>) -> anyhow::Result<()> {
    let (config, output) = config::viewed(&args.view)?;
    let (client, target) = about(config, &args.values.target).await?;
    let rows = args.rows();
    let (count, did) = match skip_for {
        _ if args.dry_run => (sync::count(&client, &rows).await?, "found"),
        None => (sync::retry(&client, &rows).await?, "retried"),
        Some(reason) => (sync::skip(&client, &rows, reason).await?, "skipped"),
    };
    let json = json!({ "target": target.name, did: count });
    let text = format!("{count} rows of {}: {did}\n", target.name);
    write(output, &json, &text)
}
