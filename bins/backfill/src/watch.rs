//! `backfill watch`, and `start --watch`: how a job goes, until it ends. A bar on a terminal, else a JSON line whenever something changed.
//! The watcher does nothing for the job: it may come and go.

use crate::config::Output;
use crate::view;
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use runtime::{Backoff, ExitWith, chain};
use schema::JobId;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;
use store::chunks::{self, Totals};
use store::jobs::{self, Job, State};
use store::{Class, Store, StoreError};
use tokio_util::sync::CancellationToken;

/// Exit codes of a job that ended otherwise than well.
const WITH_GAPS: u8 = 3;
const FAILED: u8 = 4;
const CANCELLED: u8 = 5;
/// It has not ended, and does not without a person.
const PAUSED: u8 = 6;

/// Watches until the job ends, or somebody has to look: how it ended, or that it is paused, is the result.
pub(crate) async fn run(
    store: &Store,
    job: JobId,
    output: Output,
    every: Duration,
) -> anyhow::Result<()> {
    let mut shown = Shown::new(output);
    let mut backoff = Backoff::for_connections();
    let never = CancellationToken::new();
    loop {
        match look(store, job).await {
            Ok((job, totals)) => {
                backoff.reset();
                shown.show(&job, totals.as_ref())?;
                if job.state.has_ended() {
                    shown.end();
                    return ending(&job, totals.as_ref());
                }
                if job.state == State::Paused {
                    shown.end();
                    return Err(paused(&job));
                }
                tokio::time::sleep(every).await;
            }
            // The job goes on without us.
            Err(Look::Store(error)) if error.class() == Class::Transient => {
                tracing::warn!(error = %chain(&error), "the job cannot be looked at, trying again");
                backoff.pause(&never).await;
            }
            Err(Look::Store(error)) => return Err(error).context("look at the job"),
            Err(Look::Gone) => anyhow::bail!("there is no job {job}"),
        }
    }
}

enum Look {
    Store(StoreError),
    Gone,
}

impl From<StoreError> for Look {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn look(store: &Store, job: JobId) -> Result<(Job, Option<Totals>), Look> {
    let client = store.client().await?;
    let job = jobs::get(&client, job).await?.ok_or(Look::Gone)?;
    let totals = if job.chunked {
        Some(chunks::totals(&client, job.id).await?)
    } else {
        None
    };
    Ok((job, totals))
}

/// What the exit code says.
pub(crate) fn ending(job: &Job, totals: Option<&Totals>) -> anyhow::Result<()> {
    let gaps = gaps(job, totals);
    let id = job.id;
    let exit = match job.state {
        State::Failed => ExitWith::new(
            FAILED,
            format!(
                "job {id} failed: {}",
                job.error.as_deref().unwrap_or("no reason was noted")
            ),
        ),
        State::Cancelled => ExitWith::new(CANCELLED, format!("job {id} was cancelled")),
        _ if !gaps.is_empty() => ExitWith::new(
            WITH_GAPS,
            format!("job {id} is done with gaps: {gaps}; see `backfill show {id}`"),
        ),
        _ => return Ok(()),
    };
    Err(anyhow::Error::new(exit))
}

fn paused(job: &Job) -> anyhow::Error {
    let id = job.id;
    let reason = job.paused_for.as_deref().unwrap_or("no reason was noted");
    let text = format!("job {id} is paused: {reason}; `backfill resume {id}` lets it go on");
    anyhow::Error::new(ExitWith::new(PAUSED, text))
}

/// What the job's report says is missing; where it has none, what its chunks say.
fn gaps(job: &Job, totals: Option<&Totals>) -> String {
    #[derive(serde::Deserialize)]
    struct Report {
        #[serde(default)]
        gaps: Vec<String>,
    }
    let report = job.report_json.as_deref();
    let read = |text| serde_json::from_str::<Report>(text).ok();
    let gaps = report.and_then(read).map(|report| report.gaps);
    let mut gaps = gaps.unwrap_or_default();
    let failed = totals.map_or(0, |totals| totals.failed);
    if gaps.is_empty() && failed > 0 {
        gaps.push(format!("{failed} chunks were given up"));
    }
    gaps.join(", ")
}

/// What was shown last.
struct Shown {
    bar: Option<ProgressBar>,
    output: Output,
    last: String,
}

impl Shown {
    fn new(output: Output) -> Self {
        let bar = (output == Output::Text && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            // The template is a constant; were it wrong, the plain style would do.
            bar.set_style(
                ProgressStyle::with_template(
                    "{prefix} {bar:32} {pos}/{len} chunks, {elapsed}, {wide_msg}",
                )
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        });
        Self {
            bar,
            output,
            last: String::new(),
        }
    }

    fn show(&mut self, job: &Job, totals: Option<&Totals>) -> anyhow::Result<()> {
        let words = words(job, totals);
        if let Some(bar) = &self.bar {
            let (done, total) = totals.map_or((job.done, job.total.unwrap_or(0)), |totals| {
                (totals.done + totals.failed, totals.chunks)
            });
            bar.set_prefix(job.state.as_str());
            bar.set_length(u64::try_from(total).unwrap_or(0));
            bar.set_position(u64::try_from(done).unwrap_or(0));
            bar.set_message(words);
            bar.tick();
            return Ok(());
        }
        let line = match self.output {
            Output::Json => view::job(job, totals).to_string(),
            Output::Text => format!("{} {words}", job.state.as_str()),
        };
        if line != self.last {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{line}")?;
            out.flush()?;
            self.last = line;
        }
        Ok(())
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

fn words(job: &Job, totals: Option<&Totals>) -> String {
    let counts = totals.map_or_else(
        || format!("{} done", job.done),
        |totals| {
            format!(
                "{}/{} chunks, {} records in {} pages, {} calls",
                totals.done, totals.chunks, totals.records, totals.pages, totals.calls
            )
        },
    );
    match view::note(job, totals) {
        note if note.is_empty() => counts,
        note => format!("{counts}; {note}"),
    }
}
