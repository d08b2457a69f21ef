//! A file of a job: opened where its cursor stands, and its pages as messages.

use super::pages::{Page, Pages};
use super::record::{Mark, ReadError};
use super::source::{Meter, Source};
use adapter::Mappings;
use anyhow::Context as _;
use broker::{Outgoing, Queue};
use bytes::Bytes;
use schema::{
    BodyFormat, CorrelationId, DeliveryId, ENVELOPE_VERSION, JobId, JobRef, MessageId,
    MetricVersion, RawDelivery, RawMessage, SubscriptionName, TenantId, UtcMicros,
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// What an import job is to do, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Params {
    pub(super) files: Vec<FileRef>,
    pub(super) format: BodyFormat,
    pub(super) subscription: SubscriptionName,
    pub(super) tenant: TenantId,
    pub(super) page_bytes: usize,
}

/// A file, and its size when the job began: a job is only gone on with if it is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRef {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// How far a job or a chunk is, as its row keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cursor {
    /// The file being read, from 0.
    pub(super) file: usize,
    /// How many of its pages are done.
    pub(super) pages: u64,
    /// Where the next one begins. A cursor of an earlier release has none; so many pages are read over then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Mark>,
    /// Counted over all files.
    pub(super) records: u64,
    pub(super) deliveries: u64,
}

impl Cursor {
    /// Behind a page.
    pub(super) fn passed(&mut self, records: u32, next: Mark) {
        self.pages += 1;
        self.at = Some(next);
        self.deliveries += 1;
        self.records += u64::from(records);
    }

    /// What to say where a file cannot be read on.
    pub(super) fn broke_off(&self, file: &FileRef) -> String {
        let shown = file.shown();
        match self.pages {
            0 => format!("{shown}: nothing of it was sent"),
            pages => format!(
                "{shown}: {pages} pages of it were sent before ({} records of the job)",
                self.records
            ),
        }
    }

    /// At the beginning of the next file.
    pub(super) fn next_file(&mut self) {
        self.file += 1;
        self.pages = 0;
        self.at = None;
    }
}

/// Whether a path means standard input, which can be read once.
pub(crate) fn is_standard_input(path: &Path) -> bool {
    path == Path::new(STANDARD_INPUT)
}

impl FileRef {
    /// The file at a path as it is now.
    pub(super) fn of(path: &Path) -> anyhow::Result<Self> {
        if is_standard_input(path) {
            let path = path.to_owned();
            return Ok(Self { path, bytes: 0 });
        }
        let shown = || format!("{}", path.display());
        // Absolute, so that the job can be gone on with from any folder.
        let path = path.canonicalize().with_context(shown)?;
        let bytes = path.metadata().with_context(shown)?.len();
        Ok(Self { path, bytes })
    }

    pub(super) fn shown(&self) -> String {
        if is_standard_input(&self.path) {
            "standard input".to_owned()
        } else {
            self.path.display().to_string()
        }
    }

    fn source(&self, skip: u64, meter: &Meter) -> anyhow::Result<Source> {
        if is_standard_input(&self.path) {
            return Source::standard_input(meter).with_context(|| self.shown());
        }
        let source = Source::open(&self.path, skip, meter);
        source.map_err(ReadError::of).with_context(|| self.shown())
    }
}

/// Opens a file where its cursor stands.
pub(super) fn open(
    file: &FileRef,
    params: &Params,
    mappings: &Arc<Mappings>,
    cursor: &Cursor,
) -> anyhow::Result<(Pages<Source>, Meter)> {
    if let BodyFormat::Mapped { mapping } = &params.format
        && !mappings.contains(mapping)
    {
        anyhow::bail!(
            "--mapping: the files are read through {mapping}: give `--mapping {mapping}.toml`"
        );
    }
    if !is_standard_input(&file.path) {
        let now = FileRef::of(&file.path)?.bytes;
        if now != file.bytes {
            anyhow::bail!(
                "{} has {now} bytes, but {} when the job began: begin a new job",
                file.shown(),
                file.bytes
            );
        }
    }
    let meter = Meter::default();
    let source = file.source(0, &meter)?;
    let mut pages = Pages::new(
        source,
        &params.format,
        Arc::clone(mappings),
        params.page_bytes,
    )
    .with_context(|| file.shown())?;
    match cursor.at {
        Some(mark) => pages.resume(file.source(mark.offset, &meter)?, mark),
        None => {
            for _ in 0..cursor.pages {
                pages.read().with_context(|| file.shown())?;
            }
        }
    }
    Ok((pages, meter))
}

/// A page as a message of a job.
pub(super) fn message(
    (job, version): (JobId, MetricVersion),
    params: &Params,
    cursor: &Cursor,
    page: Page,
) -> anyhow::Result<Outgoing> {
    let correlation = format!("job-{job}");
    let format = serde_json::to_vec(&params.format)?;
    let delivery = DeliveryId(adapter::stable_id(&[
        params.tenant.as_str().as_bytes(),
        params.subscription.as_str().as_bytes(),
        &format,
        &page.body,
    ]));
    // The same message again when the job is gone on with after a crash: counted once.
    let id = MessageId(adapter::stable_id(&[
        job.0.as_bytes(),
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
            job: Some(JobRef { id: job, version }),
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
