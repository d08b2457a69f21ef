//! What targets and feeds want and nobody computes: a misspelt KPI, one that is not switched on, one of which no version is current. Nothing
//! would be sent of it, and nothing would fail.

use crate::feeds::Feed;
use crate::targets::Target;
use schema::MetricVersion;
use std::collections::BTreeSet;
use store::definitions::{self, Status, StoredDefinition};
use store::{Store, StoreError};

/// Logs a warning for each.
pub async fn warn(store: &Store, targets: &[Target], feeds: &[Feed]) -> Result<(), StoreError> {
    let client = store.client().await?;
    let known = definitions::list(&client).await?;
    for (whose, name, metric, version) in wanted(targets, feeds) {
        if let Some(why) = why_not(&known, metric, version) {
            tracing::warn!(whose, name, metric, why, "nothing is sent of this KPI");
        }
    }
    Ok(())
}

type Wanted<'a> = (&'static str, &'a str, &'a str, Option<MetricVersion>);

/// What is wanted, each once; without a version the current one.
fn wanted<'a>(targets: &'a [Target], feeds: &'a [Feed]) -> BTreeSet<Wanted<'a>> {
    let mut wanted = BTreeSet::new();
    for target in targets {
        for metric in &target.metrics {
            if target.versions.is_empty() {
                wanted.insert(("target", target.name.as_str(), metric.as_str(), None));
            }
            // Of several versions a KPI need not have every one.
            if let [version] = target.versions[..] {
                wanted.insert((
                    "target",
                    target.name.as_str(),
                    metric.as_str(),
                    Some(version),
                ));
            }
        }
    }
    for feed in feeds {
        for kpi in &feed.definition.kpis {
            let name = feed.definition.name.as_str();
            wanted.insert(("feed", name, kpi.name.as_str(), kpi.version));
        }
    }
    wanted
}

/// Why nothing is computed; `None`: something is.
fn why_not(
    known: &[StoredDefinition],
    metric: &str,
    version: Option<MetricVersion>,
) -> Option<String> {
    let mut versions = known.iter().filter(|stored| stored.name == metric);
    if versions.clone().next().is_none() {
        return Some("there is no such KPI; `compute kpi list` has those there are".to_owned());
    }
    match version {
        None => versions
            .all(|stored| stored.status != Status::Current)
            .then(|| {
                "no version of it is current: `compute kpi activate`, then `promote`".to_owned()
            }),
        Some(version) => {
            let status = versions.find(|stored| stored.version == version);
            match status.map(|stored| stored.status) {
                Some(Status::Current | Status::Candidate) => None,
                Some(status) => Some(format!(
                    "version {} of it is {}: `compute kpi activate`",
                    version.0,
                    status.as_str()
                )),
                None => Some(format!("it has no version {}", version.0)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schema::UtcMicros;

    fn stored(name: &str, version: u16, status: Status) -> StoredDefinition {
        StoredDefinition {
            name: name.to_owned(),
            version: MetricVersion(version),
            unit: "seconds".to_owned(),
            text: String::new(),
            digest: None,
            status,
            created_at: UtcMicros(0),
            activated_at: None,
            activated_generation: 0,
            activation_id: 0,
            definition_id: 0,
        }
    }

    #[test]
    fn what_nobody_computes_is_told_with_its_reason() {
        let known = [
            stored("aht", 1, Status::Retired),
            stored("aht", 2, Status::Current),
            stored("aht", 3, Status::Candidate),
            stored("occupancy", 1, Status::Draft),
        ];
        let why = |metric, version: Option<u16>| {
            why_not(&known, metric, version.map(MetricVersion)).unwrap_or_default()
        };
        assert_eq!(why("aht", None), "");
        assert_eq!(why("aht", Some(3)), "");
        assert!(why("aht", Some(1)).contains("is retired"));
        assert_eq!(why("aht", Some(9)), "it has no version 9");
        assert!(why("occupancy", None).starts_with("no version of it is current"));
        assert!(why("ocupancy", None).starts_with("there is no such KPI"));
    }
}
