//! What a job's metric version means: the definitions with that number that were ever activated. A job for none would look done and
//! compute nothing.

use crate::lease::retried;
use crate::line::Line;
use schema::MetricVersion;
use std::collections::BTreeMap;
use store::definitions::{self, Status, StoredDefinition};
use store::{Client, StoreError};

/// The definitions that a job of this version is for, as `name@version`. None is an error that lists what there is.
pub(crate) async fn of_version(line: &Line, version: MetricVersion) -> anyhow::Result<Vec<String>> {
    let all = retried(&line.stop, "read the KPI definitions", async || {
        let client = line.store.client().await?;
        definitions::list(&client).await
    })
    .await?;
    computed(&all, version).map_err(|reason| anyhow::anyhow!(reason))
}

/// The same for a job that may be about some KPIs only; `Err` says why there can be none.
pub(crate) async fn of_kpis(
    client: &Client,
    version: MetricVersion,
    kpis: &[String],
) -> Result<Result<Vec<String>, String>, StoreError> {
    let all = definitions::list(client).await?;
    Ok(computed(&all, version).and_then(|found| chosen(found, version, kpis)))
}

/// Those of the definitions that are asked for; all where none is.
fn chosen(
    found: Vec<String>,
    version: MetricVersion,
    kpis: &[String],
) -> Result<Vec<String>, String> {
    let wanted: Vec<String> = kpis.iter().map(|kpi| format!("{kpi}@{version}")).collect();
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|name| !found.contains(name))
        .map(String::as_str)
        .collect();
    match (missing.is_empty(), wanted.is_empty()) {
        (true, true) => Ok(found),
        (true, false) => Ok(wanted),
        (false, _) => Err(format!(
            "--kpi: {} is not activated; of this version there is {}",
            missing.join(", "),
            found.join(", ")
        )),
    }
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
    fn a_job_may_be_about_some_kpis_only_if_they_are_there() {
        let found = || vec!["aht@2".to_owned(), "talk@2".to_owned()];
        let asked = |kpis: &[&str]| {
            let kpis: Vec<String> = kpis.iter().map(|kpi| (*kpi).to_owned()).collect();
            chosen(found(), MetricVersion(2), &kpis)
        };
        assert_eq!(asked(&[]).unwrap(), found());
        assert_eq!(asked(&["talk"]).unwrap(), ["talk@2"]);
        assert_eq!(
            asked(&["talk", "wait"]).unwrap_err(),
            "--kpi: wait@2 is not activated; of this version there is aht@2, talk@2"
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
