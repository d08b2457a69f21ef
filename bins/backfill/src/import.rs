//! Import: files of any size onto the history lane, as deliveries.
//!
//! A file is cut into pages of whole records; each page is a delivery of `raw.history`, so that normalise logs, maps and quarantines
//! as it does with live deliveries. A page's delivery id is made of its content, so an import that is repeated brings the same
//! deliveries, and the log knows the events. The cursor moves behind a page only when the broker has confirmed it.

mod json;
mod pages;
mod record;
mod rows;

pub use pages::{Page, Pages};
pub use record::ReadError;

use crate::config::{Files, ImportConfig, Task};
use crate::definitions;
use crate::followup::{self, Counted, Published};
use crate::lease::Lease;
use crate::line::Line;
use crate::outlet::Done;
use crate::progress;
use crate::summary::Summary;
use anyhow::Context as _;
use broker::{Outgoing, Queue};
use bytes::Bytes;
use indicatif::ProgressBar;
use schema::{
    BodyFormat, CorrelationId, DeliveryId, ENVELOPE_VERSION, JobRef, MessageId, RawDelivery,
    RawMessage, SubscriptionName, TenantId, UtcMicros,
};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use store::jobs::{Finish, NewJob};
use tokio::sync::mpsc;

const KIND: &str = "import";
/// Pages read ahead of the broker.
const AHEAD: usize = 4;
/// Facts waiting for compute beyond which an import pauses too: normalise would only move the pile.
const EVENTS_DEPTH_MAX: u32 = 400;

/// What an import job is to do, as its row keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Params {
    files: Vec<FileRef>,
    format: BodyFormat,
    subscription: SubscriptionName,
    tenant: TenantId,
    page_bytes: usize,
}

/// A file, and its size when the job began: a job is only gone on with if it is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FileRef {
    path: PathBuf,
    bytes: u64,
}

/// How far a job is, as its row keeps it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Cursor {
    /// The file being read, from 0.
    file: usize,
    /// How many of its pages are done.
    pages: u64,
    /// Counted over all files.
    records: u64,
    deliveries: u64,
}

/// Runs an import to its end.
pub async fn run(config: &ImportConfig) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut line = Line::open(&config.common).await?;
    let mut lease = take(&line, config).await?;
    let params: Params =
        serde_json::from_str(&lease.job.params_json).context("read the job's parameters")?;
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
        Ok(Done::Stopped) => {
            lease.finish(Finish::Later).await?;
            anyhow::bail!(
                "stopped; go on with `backfill import --resume {}`",
                lease.job.id
            );
        }
        Err(error) => {
            let for_good = error
                .downcast_ref::<ReadError>()
                .is_some_and(ReadError::is_for_good);
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
    };
    Lease::create(line, &new).await
}

fn params(files: &Files, page_bytes: usize) -> anyhow::Result<Params> {
    let named = |path: &PathBuf| {
        let shown = || format!("{}", path.display());
        // Absolute, so that the job can be gone on with from any folder.
        let path = path.canonicalize().with_context(shown)?;
        let bytes = path.metadata().with_context(shown)?.len();
        Ok(FileRef { path, bytes })
    };
    Ok(Params {
        files: files
            .paths
            .iter()
            .map(named)
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
    while let Some(file) = params.files.get(cursor.file) {
        let shown = file.path.display().to_string();
        let before: u64 = params
            .files
            .iter()
            .take(cursor.file)
            .map(|file| file.bytes)
            .sum();
        let mut pages = read(file, params, cursor.pages)?;
        while let Some(page) = pages.recv().await {
            let page = page.with_context(|| shown.clone())?;
            if line.room(lease, &bounds, bar).await? == Done::Stopped {
                return Ok(Done::Stopped);
            }
            let position = page.position;
            let records = page.records;
            if std::mem::take(&mut doubtful) {
                published.doubtful = u64::from(records);
            }
            if config.common.wait.is_some() {
                let (tenant, source) = (params.tenant.as_str(), &params.subscription);
                let told = followup::told_by(&page.body, &params.format, tenant, source);
                published.note(line, told).await?;
            }
            let message = message(lease, params, &cursor, page)?;
            if line.outlet.publish(&[message]).await? == Done::Stopped {
                return Ok(Done::Stopped);
            }
            line.published(u64::from(records));
            cursor.pages += 1;
            cursor.deliveries += 1;
            cursor.records += u64::from(records);
            moved(lease, &cursor).await?;
            bar.set_position(before + position);
        }
        cursor.file += 1;
        cursor.pages = 0;
        moved(lease, &cursor).await?;
    }
    Ok(Done::Yes(cursor))
}

async fn moved(lease: &mut Lease, cursor: &Cursor) -> anyhow::Result<()> {
    let text = serde_json::to_string(cursor)?;
    lease.progress(signed(cursor.records), None, &text).await
}

/// Reads a file on a thread of its own, a few pages ahead, without the first `skip` pages.
fn read(
    file: &FileRef,
    params: &Params,
    skip: u64,
) -> anyhow::Result<mpsc::Receiver<Result<Page, ReadError>>> {
    let shown = || format!("{}", file.path.display());
    let source = File::open(&file.path).with_context(shown)?;
    let bytes = source.metadata().with_context(shown)?.len();
    if bytes != file.bytes {
        anyhow::bail!(
            "{} has {bytes} bytes, but {} when the job began: begin a new job",
            shown(),
            file.bytes
        );
    }
    let mut pages = Pages::new(source, &params.format, params.page_bytes).with_context(shown)?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut skipped = 0;
        loop {
            let page = match pages.read() {
                Ok(None) => return,
                Ok(Some(_)) if skipped < skip => {
                    skipped += 1;
                    continue;
                }
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
    Ok(receiver)
}

fn message(
    lease: &Lease,
    params: &Params,
    cursor: &Cursor,
    page: Page,
) -> anyhow::Result<Outgoing> {
    let correlation = format!("job-{}", lease.job.id);
    let format = serde_json::to_vec(&params.format)?;
    let delivery = DeliveryId(adapter::stable_id(&[
        params.tenant.as_str().as_bytes(),
        params.subscription.as_str().as_bytes(),
        &format,
        &page.body,
    ]));
    // The same message again when the job is gone on with after a crash: counted once.
    let id = MessageId(adapter::stable_id(&[
        lease.job.id.0.as_bytes(),
        &(cursor.file as u64).to_be_bytes(),
        &cursor.pages.to_be_bytes(),
    ]));
    let message = RawMessage {
        v: ENVELOPE_VERSION,
        id,
        deliveries: vec![RawDelivery {
            id: delivery,
            subscription: params.subscription.clone(),
            tenant: params.tenant.clone(),
            format: params.format.clone(),
            correlation: CorrelationId::new(&correlation),
            received_at: now(),
            job: Some(JobRef {
                id: lease.job.id,
                version: lease.job.metric_version,
            }),
            body: Bytes::from(page.body),
        }],
    };
    Ok(Outgoing {
        queue: Queue::RawHistory,
        body: message.encode()?,
        message_id: id.0,
        correlation,
    })
}

fn now() -> UtcMicros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UtcMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Stands in until branch `files6` is merged.
#[derive(Debug)]
pub(crate) struct FileChunks;

impl FileChunks {
    pub(crate) fn new(_mappings: std::sync::Arc<adapter::Mappings>) -> Self {
        Self
    }

    pub(crate) async fn page(
        &mut self,
        _job: &store::jobs::Job,
        _cursor_json: Option<&str>,
    ) -> Result<Option<crate::ready::Ready>, crate::ready::Unready> {
        Ok(None)
    }
}
