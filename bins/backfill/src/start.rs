//! `backfill start`: looks first, plans, writes the job with its chunks, and stays if asked to. The work is done by `backfill worker`.

mod estimate;
mod outline;

use crate::ask::{Asker, needs};
use crate::config::StartConfig;
use crate::plan::{Estimate, Known};
use crate::platforms::Platform;
use crate::source::Source;
use crate::wish::{Planned, Refused, Wish};
use crate::{definitions, view, watch};
use anyhow::Context as _;
use outline::Outline;
use platform::history::permissions::Right;
use runtime::chain;
use schema::UtcMicros;
use schema::backfill::RequestError;
use std::time::Duration;
use store::jobs::Created;
use store::{Client, Store, StoreError};

/// How often a watched job is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs the command.
pub(crate) async fn run(config: &StartConfig) -> anyhow::Result<()> {
    let store = Store::connect(config.store.clone()).await?;
    let client = store.client().await?;
    let wish = &config.wish;
    let named = definitions::of_kpis(&client, wish.version, &wish.kpis)
        .await?
        .map_err(|reason| anyhow::anyhow!(reason))?;
    let now = view::now();
    let found = match wish.source {
        Source::Replay => replay(&client, wish).await?,
        _ => platform(&store, &client, config, now).await?,
    };
    let outline = Outline {
        wish,
        definitions: named,
        available_to: found.available_to,
        planned: &found.planned,
        estimate: found.estimate,
        guessed_by: found.guessed_by,
        now,
    };
    if config.dry_run {
        return outline.write(config.output);
    }
    let created = wish.create(&client, &found.planned, now).await?;
    drop(client);
    outline.started(created, config.output)?;
    if !config.watch {
        return Ok(());
    }
    watch::run(&store, created.id(), config.output, LOOK_EVERY).await
}

/// A plan and what is said about it.
struct Found {
    planned: Planned,
    estimate: Estimate,
    available_to: Option<UtcMicros>,
    /// Who says how many records there are.
    guessed_by: &'static str,
}

async fn platform(
    store: &Store,
    client: &Client,
    config: &StartConfig,
    now: UtcMicros,
) -> anyhow::Result<Found> {
    let wish = &config.wish;
    let platform = wish.platform(&config.platforms)?;
    let asker = if config.offline {
        None
    } else {
        Some(Asker::of(platform, Some(store)).await?)
    };
    if config.check
        && let Some(asker) = &asker
    {
        rights(platform, asker, wish, now).await?;
    }
    let available_to = match &asker {
        None => None,
        Some(asker) => asker.available_to(wish.source).await.with_context(|| {
            format!(
                "ask {} up to when it has data (--offline asks nothing)",
                platform.name
            )
        })?,
    };
    let known = Known { now, available_to };
    let planned = wish.planned(platform, &known)?;
    let (records, guessed_by) = match (&asker, wish.from.zip(wish.to)) {
        // Only a dry run is asked what it will cost; a job costs what it costs.
        (Some(asker), Some(stretch)) if config.dry_run => {
            match asker.records(wish.source, stretch, now).await {
                Ok(Some(records)) => (Some(records), "the platform"),
                Ok(None) => estimate::by_earlier_jobs(client, wish, stretch).await?,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the platform does not say how much there is");
                    estimate::by_earlier_jobs(client, wish, stretch).await?
                }
            }
        }
        (_, Some(stretch)) => estimate::by_earlier_jobs(client, wish, stretch).await?,
        _ => (None, ""),
    };
    let per_call = platform.access.limit.refill()?;
    Ok(Found {
        estimate: crate::plan::estimate(
            wish.source,
            &platform.kind,
            &planned.pieces,
            records,
            per_call,
        ),
        planned,
        available_to,
        guessed_by,
    })
}

/// A job whose credential lacks a right would stop at its first page, hours later perhaps.
async fn rights(
    platform: &Platform,
    asker: &Asker,
    wish: &Wish,
    now: UtcMicros,
) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for need in needs(wish.source) {
        match asker.right(*need, now).await {
            Right::Granted => {}
            Right::Missing { why } => {
                missing.push(format!("{} ({}): {why}", need.permission(), need.what()));
            }
            Right::Refused { why } => missing.push(format!("the credential is refused: {why}")),
            Right::Unknown { why } => tracing::warn!(
                platform = platform.name,
                need = need.permission(),
                why,
                "whether this right is there could not be found out"
            ),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    anyhow::bail!(
        "the credential of {} lacks what {} needs: {}. No job was begun; `backfill check --online` shows all rights",
        platform.name,
        wish.source,
        missing.join("; ")
    )
}

/// The log is in the database: it says exactly how much there is.
async fn replay(client: &Client, wish: &Wish) -> anyhow::Result<Found> {
    let (planned, events) = replay_planned(client, wish).await??;
    Ok(Found {
        estimate: Estimate {
            chunks: planned.pieces.len() as u64,
            calls: 0,
            pages: None,
            records: Some(events),
            time: Duration::ZERO,
            last_due: None,
        },
        planned,
        available_to: None,
        guessed_by: "the event log",
    })
}

/// A replay's chunks and the number of its events.
pub(crate) async fn replay_planned(
    client: &Client,
    wish: &Wish,
) -> Result<Result<(Planned, u64), Refused>, StoreError> {
    let (from, to) = match wish.from.zip(wish.to) {
        Some((from, to)) if from < to => (from, to),
        Some((from, to)) => return Ok(Err(RequestError::Backwards { from, to }.into())),
        None => return Ok(Err(RequestError::HalfOpen.into())),
    };
    let (pieces, events) = estimate::log_pieces(client, wish, from, to).await?;
    let planned = Planned {
        tenant: wish.tenant.clone(),
        params_json: serde_json::json!({"from": from, "to": to}).to_string(),
        pieces,
    };
    Ok(Ok((planned, events)))
}

/// What became of the wish.
fn known_before(created: Created) -> bool {
    matches!(created, Created::Existing(_))
}
