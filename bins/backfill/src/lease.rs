//! A job's row: taken under a lease, moved forward, given back.

use crate::line::Line;
use anyhow::Context as _;
use runtime::{Backoff, chain};
use schema::JobId;
use std::time::{Duration, Instant};
use store::Class;
use store::jobs::{self, Finish, Job, NewJob};
use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

/// A job that is ours.
pub(crate) struct Lease {
    store: Store,
    stop: CancellationToken,
    owner: String,
    /// How long it is ours without a sign of life.
    length: Duration,
    pub(crate) job: Job,
    shown: Instant,
}

/// How far a job is cannot be written, now or later. Whoever went on all the same would publish its last page again each time.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the checkpoint could not be saved")]
pub(crate) struct Unsaved;

impl Lease {
    /// Creates a job and takes it.
    pub(crate) async fn create(line: &Line, new: &NewJob<'_>) -> anyhow::Result<Self> {
        let client = line.store.client().await.context("create the job")?;
        let id = jobs::create(&client, new).await.context("create the job")?;
        drop(client);
        Self::take(line, id, new.kind).await
    }

    /// Takes a job that waits, or whose worker is gone. One that seems to be worked on is waited for as long as a lease lasts.
    pub(crate) async fn take(line: &Line, id: JobId, kind: &str) -> anyhow::Result<Self> {
        let (store, stop, length) = (&line.store, &line.stop, line.lease);
        let owner = format!("backfill/{}/{}", std::process::id(), JobId::generate());
        let patience = Instant::now() + length + Duration::from_secs(5);
        loop {
            let client = store.client().await.context("take the job")?;
            let job = jobs::get(&client, id)
                .await
                .context("read the job")?
                .with_context(|| format!("there is no job {id}"))?;
            if job.kind != kind {
                anyhow::bail!(
                    "job {id} is of kind {}, go on with it by `backfill {} --resume {id}`",
                    job.kind,
                    job.kind
                );
            }
            if job.chunked {
                anyhow::bail!("job {id} is done by `backfill worker`, chunk by chunk");
            }
            match job.state {
                jobs::State::Pending | jobs::State::Running => {}
                jobs::State::Paused => anyhow::bail!(
                    "job {id} is paused ({}); `backfill resume {id}` first",
                    job.paused_for.as_deref().unwrap_or("no reason was noted")
                ),
                jobs::State::Settling
                | jobs::State::Done
                | jobs::State::Failed
                | jobs::State::Cancelled => {
                    anyhow::bail!(
                        "job {id} is {}, there is nothing to go on with",
                        job.state.as_str()
                    );
                }
            }
            if let Some(job) = jobs::lease_one(&client, &owner, id, length)
                .await
                .context("take the job")?
            {
                return Ok(Self {
                    store: store.clone(),
                    stop: stop.clone(),
                    owner,
                    length,
                    job,
                    shown: Instant::now(),
                });
            }
            drop(client);
            if Instant::now() >= patience {
                anyhow::bail!(
                    "job {id} is being worked on by {}",
                    job.lease_owner.unwrap_or_default()
                );
            }
            tracing::info!(job = %id, "the job is still leased, waiting for the lease to run out");
            tokio::select! {
                () = stop.cancelled() => anyhow::bail!("stopped before the job could be taken"),
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    /// Writes how far the job is. [`Unsaved`] where that can never be written.
    pub(crate) async fn progress(
        &mut self,
        done: i64,
        total: Option<i64>,
        cursor_json: &str,
    ) -> anyhow::Result<()> {
        let (store, id, owner, length) = (
            self.store.clone(),
            self.job.id,
            self.owner.clone(),
            self.length,
        );
        let ours = retried(&self.stop, "write the job's progress", async || {
            let client = store.client().await?;
            jobs::progress(&client, id, &owner, done, total, Some(cursor_json), length).await
        })
        .await;
        let ours = match ours {
            Err(error) if is_final(&error) => return Err(error.context(Unsaved)),
            ours => ours?,
        };
        self.still(ours)
    }

    /// Shows a sign of life, if it is time for one.
    pub(crate) async fn alive(&mut self) -> anyhow::Result<()> {
        if self.shown.elapsed() < self.length / 6 {
            return Ok(());
        }
        let (store, id, owner, length) = (
            self.store.clone(),
            self.job.id,
            self.owner.clone(),
            self.length,
        );
        let ours = retried(&self.stop, "extend the job's lease", async || {
            let client = store.client().await?;
            jobs::heartbeat(&client, id, &owner, length).await
        })
        .await?;
        self.still(ours)
    }

    fn still(&mut self, ours: bool) -> anyhow::Result<()> {
        self.shown = Instant::now();
        if ours {
            Ok(())
        } else {
            anyhow::bail!(
                "job {} was cancelled or taken over by another process",
                self.job.id
            )
        }
    }

    /// Ends our work on it after an error: `for_good` when it would come again every time. Gives the error with what can be done.
    pub(crate) async fn leave(&self, error: anyhow::Error, for_good: bool) -> anyhow::Error {
        let (id, kind) = (self.job.id, &self.job.kind);
        let reason = chain(error.as_ref());
        if !for_good && error.is::<Unsaved>() {
            self.rest(&reason).await;
            return error.context(format!(
                "job {id} rests where it was saved last; once this is mended go on with `backfill resume {id}` and `backfill {kind} \
                 --resume {id}`"
            ));
        }
        let finish = if for_good {
            Finish::Failed { error: &reason }
        } else {
            Finish::Later
        };
        if let Err(also) = self.finish(finish).await {
            tracing::warn!(error = %chain(also.as_ref()), "the job's row could not be given back");
        }
        error.context(if for_good {
            format!("job {id} has failed; begin a new one when the cause is mended")
        } else {
            format!("job {id} can be gone on with: `backfill {kind} --resume {id}`")
        })
    }

    /// Pauses the job, if that at least can be written: nobody goes on with it before somebody has looked.
    async fn rest(&self, reason: &str) {
        let never = CancellationToken::new();
        let work = retried(&never, "pause the job", async || {
            let client = self.store.client().await?;
            jobs::pause(&client, self.job.id, reason).await
        });
        let outcome = tokio::time::timeout(Duration::from_secs(10), work).await;
        if let Err(error) = outcome.map_err(anyhow::Error::from).flatten() {
            tracing::warn!(error = %chain(error.as_ref()), "the job could not be paused; it may be gone on with when its lease has run out");
        }
    }

    /// Ends our work on it.
    pub(crate) async fn finish(&self, finish: Finish<'_>) -> anyhow::Result<()> {
        // Also after the wish to stop: the row must say where the job stands.
        let never = CancellationToken::new();
        let work = retried(&never, "finish the job", async || {
            let client = self.store.client().await?;
            jobs::finish(&client, self.job.id, &self.owner, finish).await
        });
        tokio::time::timeout(Duration::from_secs(10), work)
            .await
            .context("the store did not answer in time; the job can be gone on with once its lease has run out")??;
        Ok(())
    }
}

/// Whether the store said so, and says the same again.
fn is_final(error: &anyhow::Error) -> bool {
    let class = error.downcast_ref::<StoreError>().map(StoreError::class);
    matches!(class, Some(Class::Rejected | Class::Fatal))
}

/// Does a thing again and again while time may heal it.
pub(crate) async fn retried<T>(
    stop: &CancellationToken,
    doing: &'static str,
    work: impl AsyncFn() -> Result<T, StoreError>,
) -> anyhow::Result<T> {
    let mut backoff = Backoff::for_connections();
    loop {
        let error = match work().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        match error.class() {
            Class::Transient | Class::Saturated => {
                tracing::warn!(doing, error = %chain(&error), "the store is away or busy, trying again");
                if !backoff.pause(stop).await {
                    return Err(error).context(doing);
                }
            }
            Class::Rejected | Class::Fatal => return Err(error).context(doing),
        }
    }
}
