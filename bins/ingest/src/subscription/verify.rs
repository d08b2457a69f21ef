//! Compares the platforms' side with the file.

use super::apis::Apis;
use super::finding::{Finding, Inspection};
use super::inspect::inspect;
use super::{Chosen, open, probe};
use crate::subscriptions::Subscription;
use crate::subscriptions::platform::Platform;
use anyhow::bail;
use runtime::toml_file::secret::environment;
use serde_json::json;
use std::io::Write as _;

/// Looks at each, prints everything that is found, and fails where something is.
pub(super) async fn run(chosen: Chosen, json: bool, probing: bool) -> anyhow::Result<()> {
    let (mut apis, mut all) = (Apis::new(chosen.store), Vec::new());
    for subscription in &chosen.subscriptions {
        if let Some(platform) = &subscription.platform {
            let seen = look(&mut apis, subscription, platform, probing).await;
            all.push((subscription, platform, seen));
        }
    }
    if all.is_empty() {
        bail!(
            "no subscription that is meant has a [subscription.platform]: there is nothing to verify"
        );
    }
    let mut out = std::io::stdout().lock();
    if json {
        let all: Vec<_> = all
            .iter()
            .map(|(subscription, platform, seen)| {
                json!({
                    "subscription": subscription.name.as_str(),
                    "kind": platform.kind.word(),
                    "state": seen.view.word(),
                    "ids": seen.ids,
                    "problems": seen.findings.iter().map(Finding::json).collect::<Vec<_>>(),
                    "notes": seen.notes,
                })
            })
            .collect();
        serde_json::to_writer_pretty(&mut out, &all)?;
        writeln!(out)?;
    } else {
        for (subscription, platform, seen) in &all {
            let ids = match seen.ids.as_slice() {
                [] => String::new(),
                ids => format!(" {}", ids.join(", ")),
            };
            let (name, kind, state) = (&subscription.name, platform.kind.word(), seen.view.word());
            writeln!(out, "{name} ({kind}): {state}{ids}")?;
            for finding in &seen.findings {
                writeln!(out, "  problem: {finding}")?;
            }
            for note in &seen.notes {
                writeln!(out, "  note: {note}")?;
            }
        }
    }
    let problems: usize = all.iter().map(|(_, _, seen)| seen.findings.len()).sum();
    if problems > 0 {
        bail!("{problems} problems in {} subscriptions", all.len());
    }
    Ok(())
}

async fn look(
    apis: &mut Apis,
    subscription: &Subscription,
    platform: &Platform,
    probing: bool,
) -> Inspection {
    let mut seen = match open(apis, subscription, platform) {
        Ok(Some(api)) => inspect(&api, subscription, platform).await,
        Ok(None) => {
            let mut seen = Inspection::unknown();
            seen.notes.push(if platform.kind.has_api() {
                "no [subscription.platform.credentials]: the platform is not asked".to_owned()
            } else {
                "this kind has no API that could be asked".to_owned()
            });
            seen
        }
        Err(error) => {
            let mut seen = Inspection::unknown();
            seen.findings.push(Finding::Unknown {
                what: "the platform's side".to_owned(),
                why: runtime::chain(error.as_ref()),
            });
            seen
        }
    };
    if probing {
        seen.findings
            .extend(probe::probe(subscription, platform, &environment).await);
    }
    seen
}
