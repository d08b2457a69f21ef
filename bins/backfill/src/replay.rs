//! Replay: the event log once more, through the same mapping, onto the history lane, under a metric version.
//!
//! The log is read in key order, a page at a time. A page's facts are published and confirmed before the cursor moves behind it, so a
//! crash anywhere repeats at most one page, which changes nothing. Versions are isolated by compute; this only says which
//! one the job is for, and promotes it at the end where it was told to.

mod ahead;
mod batch;
mod bytes;
mod chunk;
mod page;
mod promotion;
mod survey;

pub(crate) use batch::Reading;
pub use bytes::{SealedError, WithoutBytes};
pub(crate) use chunk::{SLICE_EVENTS, UNCUT, chunk_page, is_uncut, slices, totals};
pub use page::{FormatError, Page, PageError, page};

use crate::config::{ReplayConfig, Stretch, Task};
use crate::definitions;
use crate::followup::{self, Published, Told};
use crate::lease::{Lease, retried};
use crate::line::Line;
use crate::outlet::Done;
use crate::progress;
use crate::summary::Summary;
use crate::wish;
use ahead::Ahead;
use anyhow::Context as _;
use batch::Scope;
use broker::Queue;
use indicatif::ProgressBar;
use schema::{JobId, JobRef, MetricVersion, UtcMicros};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Instant;
use store::event_log;
use store::jobs::{self, Finish, Job, NewJob, State};
use uuid::Uuid;

const KIND: &str = "replay";
/// How many events that cannot be mapped are named in the report.
const EXAMPLES_MAX: usize = 10;

/// What a replay job is to do, as its row keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Params {
    from: UtcMicros,
    to: UtcMicros,
}

impl Params {
    fn of(job: &Job) -> anyhow::Result<Self> {
        serde_json::from_str(&job.params_json).context("read the job's parameters")
    }

    fn stretch(&self, job: &Job) -> Stretch {
        Stretch {
            from: self.from,
            to: self.to,
            tenant: job.tenant.clone(),
            version: job.metric_version,
        }
    }
}

/// How far a job is, as its row keeps it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Cursor {
    /// The last event that is done.
    after: Option<(UtcMicros, Uuid)>,
    /// How many events the next page of a chunk is to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    events: Option<u32>,
    #[serde(flatten)]
    counts: Counts,
}

impl Cursor {
    fn of(job: &Job) -> anyhow::Result<Self> {
        match &job.cursor_json {
            Some(text) => serde_json::from_str(text).context("read the job's cursor"),
            None => Ok(Self::default()),
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Counts {
    read: u64,
    facts: u64,
    ignored: u64,
    unmapped: u64,
    #[serde(default)]
    expired: u64,
    #[serde(default)]
    erased: u64,
    #[serde(default)]
    examples: Vec<String>,
}

/// Runs a replay to its end.
pub async fn run(config: &ReplayConfig) -> anyhow::Result<()> {
    let line = Line::open(&config.common).await?;
    if let Task::Resume(job) = config.task
        && let Some(found) = found(&line, job).await?.filter(promotion::is_left)
    {
        let summary = Summary::default()
            .with("job", job.to_string())
            .with("kind", KIND);
        let (summary, ended) = promotion::settled(&line, config, found.id, summary).await?;
        line.close().await;
        summary.write(config.common.output)?;
        return promotion::ending(&ended);
    }
    publish(line, config).await
}

/// Publishes what there is, and does what follows.
async fn publish(mut line: Line, config: &ReplayConfig) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut lease = take(&line, config).await?;
    let stretch = Params::of(&lease.job)?.stretch(&lease.job);
    let definitions = match definitions::of_version(&line, stretch.version).await {
        Ok(definitions) => definitions,
        Err(error) => return Err(lease.leave(error, false).await),
    };
    tracing::info!(job = %lease.job.id, from = %stretch.from, to = %stretch.to, metric_version = stretch.version.0,
                   ?definitions, resumed = lease.job.cursor_json.is_some(), "replaying");
    if config.customer_secret.is_none() {
        tracing::info!("no --customer-key: no customer is recognised in what is replayed");
    }
    line.active(true);
    let bar = progress::bar(
        u64::try_from(lease.job.total.unwrap_or(0)).unwrap_or(0),
        "replay",
        false,
    );
    let mut published = Published::new(stretch.version)?;
    let outcome = pages(
        &mut line,
        &mut lease,
        config,
        &stretch,
        &bar,
        &mut published,
    )
    .await;
    bar.finish_and_clear();
    line.active(false);
    let counts = match outcome {
        Ok(Done::Yes(counts)) => counts,
        Ok(Done::Stopped) => {
            lease.finish(Finish::Later).await?;
            anyhow::bail!(
                "stopped; go on with `backfill replay --resume {}`",
                lease.job.id
            );
        }
        Err(error) => {
            let for_good = error.is::<FormatError>();
            return Err(lease.leave(error, for_good).await);
        }
    };
    let mut summary = summary(&line, &lease, &stretch, &counts, definitions, started).await?;
    if promotion::follows(&lease.job) {
        let report_json = &promotion::kept(&summary, &counts)?;
        lease.finish(Finish::Settle { report_json }).await?;
        let (summary, ended) = promotion::settled(&line, config, lease.job.id, summary).await?;
        line.close().await;
        summary.write(config.common.output)?;
        whole(&counts)?;
        return promotion::ending(&ended);
    }
    summary = summary.with("state", "done");
    lease
        .finish(Finish::Done {
            report_json: Some(&summary.json().to_string()),
        })
        .await?;
    let (summary, waited) = match config.common.wait {
        None => (summary, Ok(())),
        Some(patience) => (
            summary.with("untraceable", published.untraceable()),
            followup::computed(&mut line, &mut published, patience).await,
        ),
    };
    line.close().await;
    summary.write(config.common.output)?;
    waited?;
    whole(&counts)
}

/// Events that could not be mapped are not computed: what is missing must not look done.
fn whole(counts: &Counts) -> anyhow::Result<()> {
    let Some(example) = counts.examples.first() else {
        return Ok(());
    };
    anyhow::bail!(
        "{} of {} events could not be mapped and are not computed; they stay in the log. The first: {example}. If a --mapping was \
         missing or wrong, replay again with the right one",
        counts.unmapped,
        counts.read
    )
}

async fn take(line: &Line, config: &ReplayConfig) -> anyhow::Result<Lease> {
    let stretch = match &config.task {
        Task::Resume(job) => return resume(line, config, *job).await,
        Task::New(stretch) => stretch,
    };
    definitions::of_version(line, stretch.version).await?;
    let params = serde_json::to_string(&Params {
        from: stretch.from,
        to: stretch.to,
    })?;
    let total = survey::events(line, stretch, &config.common.mappings).await?;
    let new = NewJob {
        kind: KIND,
        tenant: stretch.tenant.as_deref(),
        metric_version: stretch.version,
        params_json: &params,
        total: Some(total),
        stretch: Some((stretch.from, stretch.to)),
        promote: wish::stored(config.promote),
    };
    Lease::create(line, &new).await
}

async fn found(line: &Line, job: JobId) -> anyhow::Result<Option<Job>> {
    retried(&line.stop, "read the job", async || {
        let client = line.store.client().await?;
        jobs::get(&client, job).await
    })
    .await
}

/// Looks before taking it: a lease would run out meanwhile.
async fn resume(line: &Line, config: &ReplayConfig, job: JobId) -> anyhow::Result<Lease> {
    // Of another kind, over or gone: taking it says so.
    let goes_on =
        |found: &Job| found.kind == KIND && matches!(found.state, State::Pending | State::Running);
    if let Some(found) = found(line, job).await?.filter(goes_on) {
        survey::of_job(line, &found, &config.common.mappings)
            .await
            .with_context(|| format!("job {job} waits"))?;
    }
    Lease::take(line, job, KIND).await
}

async fn counted(line: &Line, stretch: &Stretch) -> anyhow::Result<i64> {
    retried(&line.stop, "count the events", async || {
        let client = line.store.client().await?;
        event_log::count(&client, stretch.from, stretch.to, stretch.tenant.as_deref()).await
    })
    .await
}

async fn pages(
    line: &mut Line,
    lease: &mut Lease,
    config: &ReplayConfig,
    stretch: &Stretch,
    bar: &ProgressBar,
    published: &mut Published,
) -> anyhow::Result<Done<Counts>> {
    let mut cursor = Cursor::of(&lease.job)?;
    bar.set_position(cursor.counts.read);
    let job = JobRef {
        id: lease.job.id,
        version: stretch.version,
    };
    let reading = Reading {
        mappings: Arc::new(config.common.mappings.clone()),
        customers: config.customer_secret.clone(),
        keys: config.raw_keys.clone(),
        page_events: config.page_events,
    };
    let scope = Scope {
        range: stretch.from..stretch.to,
        tenant: stretch.tenant.clone(),
    };
    let (store, stop) = (line.store.clone(), line.stop.clone());
    let mut ahead = Ahead::begin(store, stop, Arc::new(reading), scope, cursor.after, job);
    loop {
        let bound = [(Queue::EventsHistory, config.common.depth_max)];
        if line.room(lease, &bound, bar).await? == Done::Stopped {
            return Ok(Done::Stopped);
        }
        let Some(batch) = ahead.next(lease).await? else {
            return Ok(Done::Yes(cursor.counts));
        };
        if config.common.wait.is_some() {
            let told = Told::again(&batch.page.messages);
            published.note(line, told).await?;
        }
        if line.outlet.publish(&batch.outgoing).await? == Done::Stopped {
            return Ok(Done::Stopped);
        }
        line.published(batch.page.facts);
        cursor.after = Some(batch.after);
        cursor.counts.add(batch.read, batch.page);
        let text = serde_json::to_string(&cursor)?;
        lease
            .progress(signed(cursor.counts.read), None, &text)
            .await?;
        bar.set_position(cursor.counts.read);
    }
}

impl Counts {
    /// What to say of events without bytes: what was computed of them stays as it is.
    fn gone(&self) -> Option<String> {
        let gone = self.expired + self.erased;
        (gone > 0).then(|| {
            format!(
                "{gone} events could not be replayed: the bytes of {} have expired and of {} were erased on request; what was computed of \
                 them stays",
                self.expired, self.erased
            )
        })
    }

    fn add(&mut self, read: usize, page: Page) {
        self.read += read as u64;
        self.facts += page.facts;
        self.ignored += page.ignored;
        self.unmapped += page.unmapped.len() as u64;
        self.expired += page.without_bytes.expired;
        self.erased += page.without_bytes.erased;
        self.name(page.unmapped);
    }

    fn name(&mut self, examples: Vec<String>) {
        let room = EXAMPLES_MAX.saturating_sub(self.examples.len());
        self.examples.extend(examples.into_iter().take(room));
    }

    /// Adds those of another part.
    fn join(&mut self, other: Self) {
        self.read += other.read;
        self.facts += other.facts;
        self.ignored += other.ignored;
        self.unmapped += other.unmapped;
        self.expired += other.expired;
        self.erased += other.erased;
        self.name(other.examples);
    }
}

async fn summary(
    line: &Line,
    lease: &Lease,
    stretch: &Stretch,
    counts: &Counts,
    definitions: Vec<String>,
    started: Instant,
) -> anyhow::Result<Summary> {
    // What live work logged behind the cursor meanwhile is computed under this version when its interaction has it already.
    let now = counted(line, stretch).await?;
    let meanwhile = now.saturating_sub(signed(counts.read)).max(0);
    let MetricVersion(version) = stretch.version;
    let warning = match counts.read {
        0 => Some(survey::nothing(line, stretch).await?),
        _ => counts.gone(),
    };
    if let Some(warning) = &warning {
        tracing::warn!("{warning}");
    }
    Ok(Summary::default()
        .with("job", lease.job.id.to_string())
        .with("kind", KIND)
        .with("from", stretch.from.to_string())
        .with("to", stretch.to.to_string())
        .with("tenant", stretch.tenant.clone())
        .with("metric_version", version)
        .with("definitions", definitions)
        .with("events", counts.read)
        .with("facts", counts.facts)
        .with("ignored", counts.ignored)
        .with("unmapped", counts.unmapped)
        .with("unmapped_examples", counts.examples.clone())
        .with("expired", counts.expired)
        .with("erased", counts.erased)
        .with("logged_meanwhile", meanwhile)
        .with("warning", warning)
        .with(
            "seconds",
            (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        ))
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
