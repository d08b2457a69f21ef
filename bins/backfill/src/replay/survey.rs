//! What a stretch of the log holds, looked through before a job begins: how much it is, and the mappings that it needs.

use super::{Cursor, Params};
use crate::config::Stretch;
use crate::lease::retried;
use crate::line::Line;
use adapter::Mappings;
use anyhow::Context as _;
use schema::{BodyFormat, UtcMicros};
use std::collections::BTreeMap;
use store::event_log;
use store::interactions::{self, Filter};
use store::jobs::Job;
use uuid::Uuid;

/// Events looked through in one statement.
const AT_ONCE: u32 = 100_000;

/// How many events the stretch holds. Where one of them is read through a mapping that was not given it is an error, which names all
/// of these.
pub(super) async fn events(
    line: &Line,
    stretch: &Stretch,
    mappings: &Mappings,
) -> anyhow::Result<i64> {
    readable(line, stretch, None, mappings).await
}

/// The same for what a job that was interrupted has still to do.
pub(super) async fn of_job(line: &Line, job: &Job, mappings: &Mappings) -> anyhow::Result<()> {
    let params = Params::of(job)?;
    let after = Cursor::of(job)?.after;
    readable(line, &params.stretch(job), after, mappings).await?;
    Ok(())
}

async fn readable(
    line: &Line,
    stretch: &Stretch,
    after: Option<(UtcMicros, Uuid)>,
    mappings: &Mappings,
) -> anyhow::Result<i64> {
    let formats = retried(&line.stop, "look through the event log", async || {
        let client = line.store.client().await?;
        let tenant = stretch.tenant.as_deref();
        event_log::formats(&client, stretch.from, stretch.to, after, tenant, AT_ONCE).await
    })
    .await?;
    match missing(&formats, mappings) {
        None => Ok(formats.values().sum()),
        Some(missing) => anyhow::bail!(missing),
    }
}

/// What to say about events whose mapping was not given. A format that is none is found where it is read.
fn missing(formats: &BTreeMap<String, i64>, mappings: &Mappings) -> Option<String> {
    let mut missing: BTreeMap<String, i64> = BTreeMap::new();
    for (format, events) in formats {
        if let Ok(BodyFormat::Mapped { mapping }) = serde_json::from_str(format)
            && !mappings.contains(&mapping)
        {
            *missing.entry(mapping.into_string()).or_default() += events;
        }
    }
    let (name, _) = missing.first_key_value()?;
    let listed: Vec<String> = missing
        .iter()
        .map(|(mapping, events)| format!("{mapping} ({events})"))
        .collect();
    Some(format!(
        "--mapping: nothing was begun: the stretch holds events that are read through a mapping file, of {}. Give each file that the \
         subscriptions name, such as `--mapping {name}.toml`",
        listed.join(", ")
    ))
}

/// What to say of a replay that found nothing: it is done, and may not be what was wanted.
pub(super) async fn nothing(line: &Line, stretch: &Stretch) -> anyhow::Result<String> {
    let (from, to) = (stretch.from, stretch.to);
    let Some(tenant) = &stretch.tenant else {
        return Ok(format!("the log holds no event from {from} to {to}"));
    };
    let filter = Filter {
        tenant: Some(tenant),
        from: None,
        to: None,
    };
    let stored = retried(&line.stop, "look for the organisation", async || {
        let client = line.store.client().await?;
        interactions::page(&client, &filter, None, 1).await
    })
    .await
    .context("look for the organisation")?;
    Ok(if stored.is_empty() {
        format!("nothing is known of an organisation {tenant}: no interaction of it is stored")
    } else {
        format!("the log holds no event of {tenant} from {from} to {to}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use adapter::Mapping;

    const FILE: &str = "version = 1\n[event]\nat = { path = \"at\" }\ninteraction = \"id\"\nstate = { path = \"state\", other = \"keep\" }\n";

    fn formats() -> BTreeMap<String, i64> {
        let mapped = |name| serde_json::to_string(&BodyFormat::Mapped { mapping: name }).unwrap();
        BTreeMap::from([
            (mapped("shop".into()), 2),
            (mapped("chat".into()), 7),
            ("\"genesys_webhook\"".to_owned(), 5),
            ("\"of a later release\"".to_owned(), 1),
        ])
    }

    #[test]
    fn every_mapping_that_is_needed_and_not_given_is_named() {
        let mapping = || Mapping::parse("test.toml", FILE).unwrap();
        let said = missing(&formats(), &Mappings::none()).unwrap();
        assert!(said.contains("chat (7), shop (2)"), "{said}");
        let said = missing(&formats(), &Mappings::none().with("chat", mapping())).unwrap();
        assert!(
            said.contains("of shop (2)") && said.contains("--mapping shop.toml"),
            "{said}"
        );
        let both = Mappings::none()
            .with("chat", mapping())
            .with("shop", mapping());
        assert_eq!(missing(&formats(), &both), None);
    }
}
