//! `backfill check --online`: asks each platform of the file whether the credential has the rights that history needs.

use crate::ask::{Asker, is_of_comparisons, needs, needs_of};
use crate::config::{Checked, Output};
use crate::platforms::Platform;
use crate::source::Source;
use crate::standing;
use crate::view;
use platform::history::permissions::{Need, Right};
use platform::token::Keyring;
use runtime::chain;
use runtime::table::table;
use serde_json::json;
use std::io::Write as _;
use store::Store;

/// One right of one platform.
struct Found {
    platform: String,
    need: Need,
    right: Right,
}

/// Says what was found, file and platforms.
pub(crate) async fn run(checked: &Checked) -> anyhow::Result<()> {
    if !checked.online {
        println!("the configuration is sound");
        for line in checked.platforms.iter().flat_map(standing::words) {
            println!("{line}");
        }
        return Ok(());
    }
    let store = match &checked.store {
        Some(config) => Some(Store::connect(config.clone()).await?),
        None => None,
    };
    let keyring = Keyring::default();
    let mut found = Vec::new();
    for platform in &checked.platforms {
        let asker = Asker::of(platform, store.as_ref(), &keyring).await;
        ask(platform, asker, &checked.sources, &mut found).await;
    }
    write(&found, checked.output)?;
    let missing = found
        .iter()
        .filter(|found| matches!(found.right, Right::Missing { .. } | Right::Refused { .. }))
        .count();
    match missing {
        0 => Ok(()),
        1 => anyhow::bail!("1 right is missing"),
        missing => anyhow::bail!("{missing} rights are missing"),
    }
}

async fn ask(
    platform: &Platform,
    asker: anyhow::Result<Asker>,
    sources: &[Source],
    found: &mut Vec<Found>,
) {
    let wanted = needs_of(platform.vendor()).iter().copied().filter(|need| {
        (sources.is_empty() && !is_of_comparisons(*need))
            || sources.iter().any(|source| needs(*source).contains(need))
    });
    for need in wanted {
        let right = match &asker {
            Ok(asker) => asker.right(need, view::now()).await,
            Err(error) => Right::Unknown {
                why: chain(error.as_ref()),
            },
        };
        found.push(Found {
            platform: platform.name.clone(),
            need,
            right,
        });
    }
}

fn write(found: &[Found], output: Output) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match output {
        Output::Json => {
            for found in found {
                let (state, why) = words(&found.right);
                let line = json!({
                    "platform": found.platform,
                    "what": found.need.what(),
                    "permission": found.need.permission(),
                    "state": state,
                    "why": why,
                });
                writeln!(out, "{line}")?;
            }
        }
        Output::Text => {
            let rows: Vec<_> = found
                .iter()
                .map(|found| {
                    let (state, why) = words(&found.right);
                    vec![
                        found.platform.clone(),
                        found.need.what().to_owned(),
                        state.to_owned(),
                        found.need.permission().to_owned(),
                        why.unwrap_or_default().to_owned(),
                    ]
                })
                .collect();
            let head = [
                "platform",
                "for",
                "state",
                "permission",
                "the platform says",
            ];
            write!(out, "{}", table(&head, &rows))?;
        }
    }
    out.flush()?;
    Ok(())
}

fn words(right: &Right) -> (&'static str, Option<&str>) {
    match right {
        Right::Granted => ("ok", None),
        Right::Missing { why } => ("missing", Some(why)),
        Right::Refused { why } => ("refused", Some(why)),
        Right::Unknown { why } => ("cannot tell", Some(why)),
    }
}
