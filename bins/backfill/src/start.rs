//! `backfill start`: looks first, plans, writes the job with its chunks, and stays if asked to. The work is done by `backfill worker`.

mod estimate;
mod outline;
pub(crate) mod replay;

use crate::ask::{Asker, needs};
use crate::config::StartConfig;
use crate::plan::{Estimate, Known, Piece, Way};
use crate::platforms::Platform;
use crate::source::Source;
use crate::wish::{Planned, Wish};
use crate::{definitions, import, view, watch};
use anyhow::Context as _;
use outline::Outline;
use platform::history::permissions::Right;
use platform::token::Keyring;
use runtime::chain;
use schema::UtcMicros;
use std::time::Duration;
use store::jobs::Created;
use store::{Client, Store};

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
        Source::Replay => from_log(&store, wish).await?,
        Source::Files => from_files(config)?,
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

impl Found {
    /// Of a source that asks no platform.
    fn here(planned: Planned, records: Option<u64>, guessed_by: &'static str) -> Self {
        Self {
            estimate: Estimate {
                chunks: planned.pieces.len() as u64,
                calls: 0,
                pages: None,
                records,
                time: Duration::ZERO,
                last_due: None,
            },
            planned,
            available_to: None,
            guessed_by,
        }
    }
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
        Some(Asker::of(platform, Some(store), &Keyring::default()).await?)
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
async fn from_log(store: &Store, wish: &Wish) -> anyhow::Result<Found> {
    let (planned, events) = replay::cut(store, wish).await??;
    Ok(Found::here(planned, Some(events), "the event log"))
}

/// Each file is opened, so that what can never be read is refused before a job begins.
fn from_files(config: &StartConfig) -> anyhow::Result<Found> {
    let job = config.files.as_ref().context("no files")?;
    let plan = import::plan(&job.files, job.page_bytes, &job.mappings)?;
    // Files have no stretch of time: chunks are told apart by their number.
    let pieces = plan
        .chunks
        .into_iter()
        .zip(0_i64..)
        .map(|(cursor, n)| Piece {
            from: UtcMicros(n),
            to: UtcMicros(n + 1),
            due_at: UtcMicros(n),
            way: Way::Cursor(cursor),
        });
    let planned = Planned {
        tenant: Some(job.files.tenant.as_str().to_owned()),
        params_json: plan.params_json,
        pieces: pieces.collect(),
    };
    Ok(Found::here(planned, None, ""))
}

/// What became of the wish.
fn known_before(created: Created) -> bool {
    matches!(created, Created::Existing(_))
}
