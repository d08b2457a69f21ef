//! What a job's metric version means: the definitions with that number that were ever activated. A job for none would look done and
//! compute nothing.

use crate::lease::retried;
use crate::line::Line;
use schema::MetricVersion;
use std::collections::BTreeMap;
use store::definitions::{self, Status, StoredDefinition};

/// The definitions that a job of this version is for, as `name@version`. None is an error that lists what there is.
pub(crate) async fn of_version(line: &Line, version: MetricVersion) -> anyhow::Result<Vec<String>> {
    let all = retried(&line.stop, "read the KPI definitions", async || {
        let client = line.store.client().await?;
        definitions::list(&client).await
    })
    .await?;
    computed(&all, version).map_err(|reason| anyhow::anyhow!(reason))
}

fn computed(all: &[StoredDefinition], version: MetricVersion) -> Result<Vec<String>, String> {
    let named = |row: &StoredDefinition| format!("{}@{}", row.name, row.version);
    // A draft that was retired was never activated either, and compute knows nothing of it.
    let (drafts, activated): (Vec<_>, Vec<_>) = all
        .iter()
        .filter(|row| row.status != Status::Retired || row.activated_at.is_some())
        .partition(|row| row.status == Status::Draft);
    let found: Vec<String> = activated
        .iter()
        .filter(|row| row.version == version)
        .map(|row| named(row))
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let drafts: Vec<String> = drafts
        .into_iter()
        .filter(|row| row.version == version)
        .map(named)
        .collect();
    let draft = drafts.first().map_or_else(String::new, |first| {
        format!(
            "; {} is a draft, activate it first: `compute kpi activate {first}`",
            drafts.join(", ")
        )
    });
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in &activated {
        let numbers = versions.entry(&row.name).or_default();
        numbers.push(row.version.to_string());
    }
    let listed: Vec<String> = versions
        .into_iter()
        .map(|(name, numbers)| format!("{name} {}", numbers.join(", ")))
        .collect();
    let there_is = if listed.is_empty() {
        "; nothing is activated yet, see `compute kpi list`".to_owned()
    } else {
        format!(". Activated: {}", listed.join("; "))
    };
    Err(format!(
        "--metric-version {version}: no activated definition has this version{draft}{there_is}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::UtcMicros;

    fn row(name: &str, version: u16, status: Status) -> StoredDefinition {
        StoredDefinition {
            name: name.to_owned(),
            version: MetricVersion(version),
            unit: "seconds".to_owned(),
            text: String::new(),
            digest: None,
            status,
            created_at: UtcMicros(0),
            activated_at: (status != Status::Draft).then_some(UtcMicros(1)),
            activated_generation: 0,
            activation_id: 0,
            definition_id: 1,
        }
    }

    #[test]
    fn a_job_is_for_every_definition_of_its_version_but_drafts() {
        let all = [
            row("aht", 1, Status::Current),
            row("aht", 2, Status::Candidate),
            row("talk", 2, Status::Retired),
            row("wrap", 2, Status::Draft),
            row("wait", 2, Status::Current),
        ];
        assert_eq!(
            computed(&all, MetricVersion(2)).unwrap(),
            ["aht@2", "talk@2", "wait@2"]
        );
    }

    #[test]
    fn a_draft_that_was_retired_is_nothing_to_compute() {
        let never = StoredDefinition {
            activated_at: None,
            ..row("aht", 2, Status::Retired)
        };
        assert!(computed(&[never], MetricVersion(2)).is_err());
    }

    #[test]
    fn a_version_that_computes_nothing_is_refused_with_what_there_is() {
        let mut all = vec![
            row("aht", 1, Status::Current),
            row("aht", 2, Status::Retired),
            row("talk", 1, Status::Current),
            row("talk", 7, Status::Draft),
        ];
        assert_eq!(
            computed(&all, MetricVersion(3)).unwrap_err(),
            "--metric-version 3: no activated definition has this version. Activated: aht 1, 2; talk 1"
        );
        assert_eq!(
            computed(&all, MetricVersion(7)).unwrap_err(),
            "--metric-version 7: no activated definition has this version; talk@7 is a draft, activate it first: \
             `compute kpi activate talk@7`. Activated: aht 1, 2; talk 1"
        );
        all.retain(|row| row.status == Status::Draft);
        assert_eq!(
            computed(&all, MetricVersion(1)).unwrap_err(),
            "--metric-version 1: no activated definition has this version; nothing is activated yet, see `compute kpi list`"
        );
    }
}
