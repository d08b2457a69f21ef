//! Promotion after a job: offered as a command, or done by the same decision as `compute kpi promote`.

use super::report::of_job;
use super::settle::Stands;
use super::{Finishing, notice};
use schema::MetricVersion;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::definitions::{self, Status};
use store::jobs::{self, Job, Promote};
use store::promotion::{self, Verdict};
use store::{Client, StoreError, sweep};

/// What became of one promotion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub(super) enum Outcome {
    /// Dashboards see it.
    Promoted {
        /// What they saw before.
        previous: Option<u16>,
    },
    /// They saw it already.
    Current,
    /// It was refused.
    Refused {
        /// Why.
        reason: String,
        /// Whether it may come right by itself.
        may_pass: bool,
    },
}

impl Outcome {
    const fn is_final(&self) -> bool {
        !matches!(self, Self::Refused { may_pass: true, .. })
    }
}

/// What the job was told, and where it was told to offer, the commands.
pub(super) async fn offer(client: &Client, job: &Job) -> Result<Value, StoreError> {
    let commands: Vec<String> = match job.promote {
        Promote::Never => Vec::new(),
        Promote::Offer | Promote::Auto => candidates(client, job)
            .await?
            .into_iter()
            .map(|name| format!("compute kpi promote {name}@{}", job.metric_version))
            .collect(),
    };
    Ok(json!({"mode": job.promote.as_str(), "commands": commands}))
}

/// What of the job's version could be promoted: what is switched on and not yet seen.
async fn candidates(client: &Client, job: &Job) -> Result<Vec<String>, StoreError> {
    let all = definitions::list(client).await?;
    Ok(of_job(&all, job)
        .filter(|row| row.status == Status::Candidate)
        .map(|row| row.name.clone())
        .collect())
}

/// How trying went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    /// Nothing is left to try.
    Over,
    /// Something was refused that may come right by itself.
    Waits,
    /// The job was paused, cancelled or taken over: nothing more is promoted.
    Lost,
}

/// Tries every promotion that has no final outcome.
pub(super) async fn all(
    finishing: &Finishing,
    job: &Job,
    stands: &mut Stands,
    report: &Map<String, Value>,
) -> anyhow::Result<Tried> {
    let mut names = {
        let client = finishing.store.client().await?;
        candidates(&client, job).await?
    };
    names.extend(stands.promoted.keys().cloned());
    names.sort_unstable();
    names.dedup();
    for name in names {
        if stands.promoted.get(&name).is_some_and(Outcome::is_final) {
            continue;
        }
        let outcome = match looked(finishing, job, &name).await? {
            Looked::Said(outcome) => outcome,
            Looked::Ready { generation } => {
                match switched(finishing, job, stands, report, &name, generation).await? {
                    Some(outcome) => outcome,
                    None => return Ok(Tried::Lost),
                }
            }
        };
        match &outcome {
            Outcome::Promoted { .. } => {
                tracing::info!(job = %job.id, kpi = name, version = job.metric_version.0, "promoted");
            }
            Outcome::Current => {}
            Outcome::Refused { reason, .. } => {
                tracing::warn!(job = %job.id, kpi = name, version = job.metric_version.0, reason, "the promotion was refused");
            }
        }
        stands.promoted.insert(name, outcome);
    }
    let over = stands.promoted.values().all(Outcome::is_final);
    Ok(if over { Tried::Over } else { Tried::Waits })
}

enum Looked {
    Said(Outcome),
    Ready { generation: i64 },
}

async fn looked(finishing: &Finishing, job: &Job, name: &str) -> Result<Looked, StoreError> {
    let client = finishing.patient().await?;
    let windows = may_have_windows(&client, name, job.metric_version).await?;
    let said = match promotion::look(&client, name, job.metric_version, windows).await {
        Ok(Verdict::Ready { generation }) => return Ok(Looked::Ready { generation }),
        Ok(Verdict::Current) => Outcome::Current,
        Ok(Verdict::Refused(refusal)) => refused(&refusal),
        Err(error) if error.is_slow() => Outcome::Refused {
            reason: "it takes too long to look whether everything is computed".to_owned(),
            may_pass: true,
        },
        Err(error) => return Err(error),
    };
    Ok(Looked::Said(said))
}

/// Switches, notes the outcome in the job's row and writes the notice, together or not at all: only the job's owner does, while it settles, and
/// whoever dies leaves nothing half done. `None`: the job is no longer ours.
async fn switched(
    finishing: &Finishing,
    job: &Job,
    stands: &Stands,
    report: &Map<String, Value>,
    name: &str,
    generation: i64,
) -> anyhow::Result<Option<Outcome>> {
    let owner = &finishing.owner;
    let mut client = finishing.store.client().await?;
    let tx = client.transaction().await?;
    // First the job's row, as everywhere: it stays ours until the commit.
    if !jobs::heartbeat(&tx, job.id, owner, finishing.lease).await? {
        tx.rollback().await?;
        return Ok(None);
    }
    let outcome = match promotion::switch_in(&tx, generation, name, job.metric_version).await? {
        Ok(promoted) => Outcome::Promoted {
            previous: promoted.previous.map(|version| version.0),
        },
        Err(refusal) => {
            tx.rollback().await?;
            return Ok(Some(refused(&refusal)));
        }
    };
    let mut after = stands.clone();
    after.promoted.insert(name.to_owned(), outcome.clone());
    let cursor = after.json()?;
    let cursor = Some(cursor.as_str());
    jobs::progress(&tx, job.id, owner, job.done, None, cursor, finishing.lease).await?;
    if super::report::is_noticed(job) {
        let now = sweep::now(&tx).await?;
        let all = definitions::list(&tx).await?;
        let body = notice::body(job, notice::Event::Promoted, report, &all, now)?;
        notice::put(&tx, job, &body).await?;
    }
    tx.commit().await?;
    Ok(Some(outcome))
}

fn refused(refusal: &promotion::Refusal) -> Outcome {
    Outcome::Refused {
        reason: refusal.to_string(),
        may_pass: refusal.may_pass(),
    }
}

/// Definitions are read in compute alone. One that does not mention windows has none; to wait for those of others costs little.
async fn may_have_windows(
    client: &Client,
    name: &str,
    version: MetricVersion,
) -> Result<bool, StoreError> {
    let all = definitions::list(client).await?;
    let row = all
        .iter()
        .find(|row| row.name == name && row.version == version);
    Ok(row.is_none_or(|row| row.text.is_empty() || row.text.contains("windows")))
}
