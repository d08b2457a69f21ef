//! `backfill jobs`: what ran, what runs, what can be gone on with.

use crate::config::JobsCommand;
use anyhow::Context as _;
use schema::JobId;
use serde_json::{Value, json};
use std::io::Write as _;
use store::jobs::{self, Job};
use store::{Store, StoreConfig};

/// Runs the command; without one, lists.
pub(crate) async fn run(config: StoreConfig, command: Option<&JobsCommand>) -> anyhow::Result<()> {
    let store = Store::connect(config).await?;
    let client = store.client().await?;
    let mut out = std::io::stdout().lock();
    match command.unwrap_or(&JobsCommand::List { limit: 20 }) {
        JobsCommand::List { limit } => {
            for job in jobs::list(&client, *limit).await? {
                writeln!(out, "{}", shown(&job))?;
            }
        }
        JobsCommand::Show { job } => {
            let job = jobs::get(&client, JobId(*job))
                .await?
                .with_context(|| format!("there is no job {job}"))?;
            writeln!(out, "{}", shown(&job))?;
        }
        JobsCommand::Cancel { job } => {
            if !jobs::cancel(&client, JobId(*job)).await? {
                anyhow::bail!("there is no job {job} that could be cancelled");
            }
            writeln!(
                out,
                "{}",
                json!({"job": job.to_string(), "state": "cancelled"})
            )?;
        }
    }
    out.flush()?;
    Ok(())
}

fn shown(job: &Job) -> Value {
    let parsed = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    json!({
        "job": job.id.to_string(),
        "kind": job.kind,
        "state": job.state.as_str(),
        "tenant": job.tenant,
        "metric_version": job.metric_version.0,
        "done": job.done,
        "total": job.total,
        "params": parsed(&job.params_json),
        "cursor": job.cursor_json.as_deref().map(parsed),
        "report": job.report_json.as_deref().map(parsed),
        "error": job.error,
        "created_at": job.created_at.to_string(),
        "started_at": job.started_at.map(|at| at.to_string()),
        "finished_at": job.finished_at.map(|at| at.to_string()),
    })
}
