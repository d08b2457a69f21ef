//! What follows from a replay that was told to offer or to promote its version: the same as from a job of workers, done by this command.

use super::{Counts, KIND};
use crate::config::ReplayConfig;
use crate::finish::{Finishing, Settings, alone};
use crate::line::Line;
use crate::outlet::Done;
use crate::platforms::Platforms;
use crate::summary::Summary;
use crate::watch;
use anyhow::Context as _;
use schema::JobId;
use serde_json::{Map, Value};
use std::sync::Arc;
use store::jobs::{Job, Promote, State};

/// Members of the job's report that the summary has, too.
const TOLD: [&str; 5] = [
    "gaps",
    "computed",
    "comparison",
    "other_versions",
    "promote",
];

/// Whether anything follows. A job that was begun by a release before this knows no stretch.
pub(super) fn follows(job: &Job) -> bool {
    job.promote != Promote::Never && job.from.is_some()
}

/// Whether everything of a job was published, and what follows is left.
pub(super) fn is_left(job: &Job) -> bool {
    job.kind == KIND && !job.chunked && job.state == State::Settling
}

/// What the row keeps of a replay while it settles.
pub(super) fn kept(summary: &Summary, counts: &Counts) -> anyhow::Result<String> {
    let mut kept = summary.json();
    if let Value::Object(members) = &mut kept {
        members.insert("replay".to_owned(), serde_json::to_value(counts)?);
    }
    Ok(kept.to_string())
}

/// Waits until the job has ended, and says of its report what a person wants to know.
pub(super) async fn settled(
    line: &Line,
    config: &ReplayConfig,
    job: JobId,
    summary: Summary,
) -> anyhow::Result<(Summary, Job)> {
    tracing::info!(%job, "everything is published; waiting until it is computed");
    let usual = Settings::default();
    let settings = Settings {
        patience: config.common.wait.unwrap_or(usual.patience),
        ..usual
    };
    let finishing = Finishing::new(
        line.store.clone(),
        config.common.broker(),
        line.metrics.clone(),
        Arc::new(Platforms::default()),
        settings,
        line.lease,
        line.stop.clone(),
    );
    let Done::Yes(job) = alone(&finishing, job).await? else {
        anyhow::bail!("stopped; go on with `backfill {KIND} --resume {job}`");
    };
    let report = report(&job)?;
    let mut summary = summary.with("state", job.state.as_str());
    for name in TOLD {
        summary = summary.with(name, report.get(name).cloned().unwrap_or_default());
    }
    Ok((summary, job))
}

fn report(job: &Job) -> anyhow::Result<Map<String, Value>> {
    let text = job.report_json.as_deref().unwrap_or("{}");
    serde_json::from_str(text).context("read the job's report")
}

/// How it ended, as the exit code says it: also whether what was to be promoted is.
pub(super) fn ending(job: &Job) -> anyhow::Result<()> {
    watch::ending(job, None)?;
    let report = report(job)?;
    let outcomes = report
        .get("promote")
        .and_then(|promote| promote.get("outcomes")?.as_object());
    let refused = outcomes.into_iter().flatten().find_map(|(kpi, outcome)| {
        let reason = outcome.get("reason")?.as_str()?;
        Some(format!("{kpi}@{}: {reason}", job.metric_version))
    });
    match refused {
        Some(refused) => anyhow::bail!("a promotion was refused: {refused}"),
        None => Ok(()),
    }
}
