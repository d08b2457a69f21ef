//! Import: files of any size onto the history lane, as deliveries.
//!
//! A file is cut into pages of whole records; each page is a delivery of `raw.history`, so that normalise logs, maps and quarantines
//! as it does with live deliveries. A page's delivery id is made of its content, so an import that is repeated brings the same
//! deliveries, and the log knows the events. The cursor moves behind a page only when the broker has confirmed it.
//!
//! Files are JSON (a value, an array, a page around a list, or any of these one a line) or CSV, each of them plain or gzip. A record that is
//! broken goes to quarantine by itself where records can be told apart behind it: on lines, in rows, between the brackets of an array.

mod chunk;
mod file;
mod json;
mod pages;
mod record;
mod rows;
mod source;

pub(crate) use chunk::{FileChunks, plan};
pub(crate) use file::is_standard_input;
pub use pages::{Page, Pages};
pub use record::{Mark, ReadError};
pub use source::GzipError;

use crate::config::{Files, ImportConfig, Task};
use crate::definitions;
use crate::followup::{self, Counted, Published};
use crate::lease::Lease;
use crate::line::Line;
use crate::outlet::Done;
use crate::progress;
use crate::summary::Summary;
use adapter::Mappings;
use anyhow::Context as _;
use broker::Queue;
use file::{Cursor, FileRef, Params, message, open};
use indicatif::ProgressBar;
use source::Meter;
use std::sync::Arc;
use std::time::Instant;
use store::jobs::{Finish, NewJob, Promote};
use tokio::sync::mpsc;

const KIND: &str = "import";
/// Pages read ahead of the broker.
const AHEAD: usize = 4;
/// Facts waiting for compute beyond which an import pauses too: normalise would only move the pile.
const EVENTS_DEPTH_MAX: u32 = 400;

/// Runs an import to its end.
pub async fn run(config: &ImportConfig) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut line = Line::open(&config.common).await?;
    let mut lease = take(&line, config).await?;
    let params: Params =
        serde_json::from_str(&lease.job.params_json).context("read the job's parameters")?;
    let once = params
        .files
        .iter()
        .any(|file| is_standard_input(&file.path));
    if once && lease.job.cursor_json.is_some() {
        let error = anyhow::anyhow!("standard input cannot be read again from where it was");
        return Err(lease.leave(error, true).await);
    }
    let definitions = match definitions::of_version(&line, lease.job.metric_version).await {
        Ok(definitions) => definitions,
        Err(error) => return Err(lease.leave(error, false).await),
    };
    tracing::info!(job = %lease.job.id, files = params.files.len(), ?definitions, resumed = lease.job.cursor_json.is_some(), "importing");
    let before = Counted::read(&line, &params.subscription).await?;
    let done_before = lease.job.done;
    line.active(true);
    let bytes = params.files.iter().map(|file| file.bytes).sum();
    let bar = progress::bar(bytes, "import", true);
    let mut published = Published::new(lease.job.metric_version)?;
    let outcome = files(&mut line, &mut lease, config, &params, &bar, &mut published).await;
    bar.finish_and_clear();
    line.active(false);
    let cursor = match outcome {
        Ok(Done::Yes(cursor)) => cursor,
        Ok(Done::Stopped) if once => {
            let error = anyhow::anyhow!(
                "stopped; standard input cannot be gone on with, but what was sent changes nothing when it comes again"
            );
            return Err(lease.leave(error, true).await);
        }
        Ok(Done::Stopped) => {
            lease.finish(Finish::Later).await?;
            anyhow::bail!(
                "stopped; go on with `backfill import --resume {}`",
                lease.job.id
            );
        }
        Err(error) => {
            let of_file = error.downcast_ref::<ReadError>();
            let for_good = once || of_file.is_some_and(ReadError::is_for_good);
            return Err(lease.leave(error, for_good).await);
        }
    };
    // A page of another format is one without a list of records, as an answer is that found nothing.
    if cursor.records == 0 {
        tracing::warn!("the files hold no record of this --format: is it the right one?");
    }
    let summary = Summary::default()
        .with("job", lease.job.id.to_string())
        .with("kind", KIND)
        .with("state", "done")
        .with("tenant", params.tenant.to_string())
        .with("subscription", params.subscription.to_string())
        .with("metric_version", lease.job.metric_version.0)
        .with("definitions", definitions)
        .with("files", params.files.len())
        .with("bytes", bytes)
        .with("records", cursor.records)
        .with("deliveries", cursor.deliveries)
        .with(
            "seconds",
            (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        );
    lease
        .finish(Finish::Done {
            report_json: Some(&summary.json().to_string()),
        })
        .await?;
    let (summary, waited) = match config.common.wait {
        None => (summary, Ok(())),
        Some(patience) => {
            let summary = summary.with("untraceable", published.untraceable());
            let records = signed(cursor.records) - done_before - signed(published.doubtful);
            let source = &params.subscription;
            match followup::normalised(&mut line, source, before, records, patience).await {
                Err(error) => (summary, Err(error)),
                Ok(counted) => (
                    with_counts(summary, counted),
                    followup::computed(&mut line, &mut published, patience).await,
                ),
            }
        }
    };
    line.close().await;
    summary.write(config.common.output)?;
    waited
}

/// What became of the records; of others too, when the source's name is used by others meanwhile.
fn with_counts(summary: Summary, counted: Counted) -> Summary {
    summary
        .with("received", counted.received)
        .with("logged", counted.logged)
        .with("duplicates", counted.duplicates)
        .with("quarantined", counted.quarantined)
        .with("ignored", counted.ignored)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

async fn take(line: &Line, config: &ImportConfig) -> anyhow::Result<Lease> {
    let files = match &config.task {
        Task::Resume(job) => return Lease::take(line, *job, KIND).await,
        Task::New(files) => files,
    };
    definitions::of_version(line, files.version).await?;
    let params = serde_json::to_string(&params(files, config.page_bytes)?)?;
    let new = NewJob {
        kind: KIND,
        tenant: Some(files.tenant.as_str()),
        metric_version: files.version,
        params_json: &params,
        total: None,
        stretch: None,
        promote: Promote::Never,
    };
    Lease::create(line, &new).await
}

fn params(files: &Files, page_bytes: usize) -> anyhow::Result<Params> {
    Ok(Params {
        files: files
            .paths
            .iter()
            .map(|path| FileRef::of(path))
            .collect::<anyhow::Result<_>>()?,
        format: files.format.clone(),
        subscription: files.subscription.clone(),
        tenant: files.tenant.clone(),
        page_bytes,
    })
}

async fn files(
    line: &mut Line,
    lease: &mut Lease,
    config: &ImportConfig,
    params: &Params,
    bar: &ProgressBar,
    published: &mut Published,
) -> anyhow::Result<Done<Cursor>> {
    let mut cursor: Cursor = match &lease.job.cursor_json {
        Some(text) => serde_json::from_str(text).context("read the job's cursor")?,
        None => Cursor::default(),
    };
    // The page behind the cursor may have been published and counted before the job was interrupted; it is not counted again.
    let mut doubtful = lease.job.cursor_json.is_some();
    let bounds = [
        (Queue::RawHistory, config.common.depth_max),
        (Queue::EventsHistory, EVENTS_DEPTH_MAX),
    ];
    let mappings = Arc::new(config.common.mappings.clone());
    while let Some(file) = params.files.get(cursor.file) {
        let before: u64 = params
            .files
            .iter()
            .take(cursor.file)
            .map(|file| file.bytes)
            .sum();
        let (mut pages, meter) = read(file, params, &mappings, &cursor)?;
        while let Some(page) = pages.recv().await {
            let page = page.with_context(|| cursor.broke_off(file))?;
            if line.room(lease, &bounds, bar).await? == Done::Stopped {
                return Ok(Done::Stopped);
            }
            let (records, next) = (page.records, page.next);
            if std::mem::take(&mut doubtful) {
                published.doubtful = u64::from(records);
            }
            if config.common.wait.is_some() {
                let (tenant, source) = (params.tenant.as_str(), &params.subscription);
                let told =
                    followup::told_by(&page.body, (&params.format, &mappings), tenant, source);
                published.note(line, told).await?;
            }
            let job = (lease.job.id, lease.job.metric_version);
            let message = message(job, params, &cursor, page)?;
            if line.outlet.publish(&[message]).await? == Done::Stopped {
                return Ok(Done::Stopped);
            }
            line.published(u64::from(records));
            cursor.passed(records, next);
            moved(lease, &cursor).await?;
            bar.set_position(before + meter.bytes());
        }
        cursor.next_file();
        moved(lease, &cursor).await?;
    }
    Ok(Done::Yes(cursor))
}

async fn moved(lease: &mut Lease, cursor: &Cursor) -> anyhow::Result<()> {
    let text = serde_json::to_string(cursor)?;
    lease.progress(signed(cursor.records), None, &text).await
}

/// Reads a file on a thread of its own, a few pages ahead, from where the cursor stands.
fn read(
    file: &FileRef,
    params: &Params,
    mappings: &Arc<Mappings>,
    cursor: &Cursor,
) -> anyhow::Result<(mpsc::Receiver<Result<Page, ReadError>>, Meter)> {
    let (mut pages, meter) = open(file, params, mappings, cursor)?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        loop {
            let page = match pages.read() {
                Ok(None) => return,
                Ok(Some(page)) => Ok(page),
                Err(error) => Err(error),
            };
            let last = page.is_err();
            // Nobody listens any more when the job stops.
            if sender.blocking_send(page).is_err() || last {
                return;
            }
        }
    });
    Ok((receiver, meter))
}
