//! Promotion after a job: offered as a command, or done by the same decision as `compute kpi promote`.

use super::report::of_job;
use schema::MetricVersion;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::definitions::{self, Status};
use store::jobs::{Job, Promote};
use store::promotion::{self, Verdict};
use store::{Client, StoreError};

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
    pub(super) const fn is_promoted(&self) -> bool {
        matches!(self, Self::Promoted { .. })
    }

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

/// Tries every promotion that has no final outcome. Returns whether to try again: something was refused that may pass, and there is time.
pub(super) async fn all(
    client: &mut Client,
    job: &Job,
    outcomes: &mut BTreeMap<String, Outcome>,
    may_wait: bool,
) -> Result<bool, StoreError> {
    let mut names = candidates(client, job).await?;
    names.extend(outcomes.keys().cloned());
    names.sort_unstable();
    names.dedup();
    for name in names {
        if outcomes.get(&name).is_some_and(Outcome::is_final) {
            continue;
        }
        let outcome = one(client, &name, job.metric_version).await?;
        match &outcome {
            Outcome::Promoted { .. } => {
                tracing::info!(job = %job.id, kpi = name, version = job.metric_version.0, "promoted");
            }
            Outcome::Current => {}
            Outcome::Refused { reason, .. } => {
                tracing::warn!(job = %job.id, kpi = name, version = job.metric_version.0, reason, "the promotion was refused");
            }
        }
        outcomes.insert(name, outcome);
    }
    Ok(may_wait && !outcomes.values().all(Outcome::is_final))
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

async fn one(
    client: &mut Client,
    name: &str,
    version: MetricVersion,
) -> Result<Outcome, StoreError> {
    let refused = |reason: promotion::Refusal| Outcome::Refused {
        reason: reason.to_string(),
        may_pass: reason.may_pass(),
    };
    let windows = may_have_windows(client, name, version).await?;
    Ok(
        match promotion::look(client, name, version, windows).await? {
            Verdict::Current => Outcome::Current,
            Verdict::Refused(refusal) => refused(refusal),
            Verdict::Ready { generation } => {
                match promotion::switch(client, generation, name, version).await? {
                    Ok(promoted) => Outcome::Promoted {
                        previous: promoted.previous.map(|version| version.0),
                    },
                    Err(refusal) => refused(refusal),
                }
            }
        },
    )
}
