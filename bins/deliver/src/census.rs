//! Every few seconds what waits is counted, what was pushed is added to the figures of all processes, and it is judged from those whether
//! deliveries to a target fail too often. Now and then what is old is forgotten.

use crate::counting::{OLDEST, rest_after};
use crate::failing::is_failing;
use crate::tally::Tally;
use runtime::chain;
use runtime::metrics::GaugeHandle;
use schema::UtcMicros;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::sync::{self, Finding, Pending};
use store::{Client, Store, StoreError};
use tokio_util::sync::CancellationToken;

/// How often.
const EVERY: Duration = Duration::from_secs(5);
/// How often what is old is looked for when there was none left.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// So many entries are removed at once: a fraction of a second's work.
const PRUNE_MAX: u32 = 20_000;
/// How long the figures are kept.
const KEEP_FIGURES: Duration = Duration::from_secs(31 * 86_400);

/// When deliveries fail too often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alert {
    /// The share of the attempts that may fail.
    pub threshold: f64,
    /// The stretch of time that is looked at.
    pub window: Duration,
}

/// One target, as it is watched.
#[derive(Debug)]
pub struct Watched {
    /// Its name.
    pub target: String,
    /// What its breaker is known by.
    pub breaker: String,
    /// What was pushed.
    pub tally: Arc<Tally>,
    /// 1 while too many deliveries fail.
    pub failing: GaugeHandle,
}

/// What is counted, and for whom.
#[derive(Debug)]
pub struct Census {
    /// The store.
    pub store: Store,
    /// The targets.
    pub targets: Vec<Watched>,
    /// Rows waiting, of all of them.
    pub pending: GaugeHandle,
    /// When deliveries fail too often.
    pub alert: Alert,
    /// How long the log is kept.
    pub keep: Duration,
    /// Cancelled when the process is to stop.
    pub stop: CancellationToken,
}

/// What waited when it was counted last.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    counts: Pending,
    /// When to count again.
    again_at: Option<Instant>,
}

impl Counted {
    /// Counted again, unless that took so long the last time that it is too early.
    async fn brought_up(&mut self, client: &Client, target: &str) -> Result<Pending, StoreError> {
        let began = Instant::now();
        if self.again_at.is_none_or(|at| began >= at) {
            self.counts = sync::pending_counts(client, target).await?;
            self.again_at = Some(began + rest_after(began.elapsed(), OLDEST));
        }
        Ok(self.counts)
    }
}

impl Census {
    /// Runs until told to stop.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut prune_at = Instant::now();
        let mut counted = vec![Counted::default(); self.targets.len()];
        loop {
            let stopping = tokio::select! {
                () = self.stop.cancelled() => true,
                () = tokio::time::sleep(EVERY) => false,
            };
            if let Err(error) = self.look(&mut counted).await {
                tracing::debug!(error = %chain(&error), "what waits could not be counted");
            }
            if stopping {
                return Ok(());
            }
            if Instant::now() < prune_at {
                continue;
            }
            match self.prune().await {
                // There is more: the next time round.
                Ok(pruned) if pruned >= u64::from(PRUNE_MAX) => {}
                Ok(_) => prune_at = Instant::now() + PRUNE_EVERY,
                Err(error) => {
                    prune_at = Instant::now() + PRUNE_EVERY;
                    tracing::warn!(error = %chain(&error), "what is old could not be removed from the logs");
                }
            }
        }
    }

    async fn look(&self, counted: &mut [Counted]) -> Result<(), StoreError> {
        let client = self.store.client().await?;
        let mut waiting = 0;
        for (target, counted) in self.targets.iter().zip(counted) {
            let counts = counted.brought_up(&client, &target.target).await?;
            waiting += counts.held + counts.pending + counts.leased + counts.unknown;
            self.judge(&client, target, counts).await?;
        }
        self.pending.set(waiting);
        Ok(())
    }

    /// Adds to the figures, and says whether too many deliveries fail.
    async fn judge(
        &self,
        client: &Client,
        target: &Watched,
        counts: Pending,
    ) -> Result<(), StoreError> {
        let (ours, why) = target.tally.take();
        if ours.requests > 0 || ours != sync::Figures::default() {
            let added = sync::add_figures(client, &target.target, &ours).await;
            if added.is_err() {
                target.tally.put_back(&ours, why);
                return added;
            }
        }
        let Alert { threshold, window } = self.alert;
        let figures = sync::figures(client, &target.target, window).await?;
        let before = sync::was_failing(client, &target.target).await?;
        let waiting = counts.pending + counts.unknown > 0;
        let failing = is_failing(before, &figures, threshold, waiting);
        let failed = figures.rejected + figures.unknown + figures.retried;
        let finding = Finding {
            target: &target.target,
            breaker: &target.breaker,
            failing,
            tried: figures.accepted + failed,
            failed,
            threshold,
            window,
            reason: why.as_deref(),
        };
        let is_news = sync::note_health(client, &finding).await?;
        target.failing.set(i64::from(failing));
        if is_news {
            say(target, &finding);
        }
        Ok(())
    }

    async fn prune(&self) -> Result<u64, StoreError> {
        let client = self.store.client().await?;
        sync::prune_figures(&client, ago(KEEP_FIGURES)).await?;
        let before = ago(self.keep);
        let requests = sync::prune_requests(&client, before, PRUNE_MAX).await?;
        let entries = sync::prune_log(&client, before, PRUNE_MAX).await?;
        Ok(requests.max(entries))
    }
}

fn say(target: &Watched, finding: &Finding<'_>) {
    let (target_name, tried, failed) = (target.target.as_str(), finding.tried, finding.failed);
    let why = finding.reason.unwrap_or_default();
    if finding.failing {
        tracing::error!(target_name, tried, failed, why, "too many deliveries fail");
    } else {
        tracing::info!(
            target_name,
            tried,
            failed,
            "deliveries no longer fail too often"
        );
    }
}

/// So long before now.
fn ago(age: Duration) -> UtcMicros {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let then = now.saturating_sub(age).as_micros();
    UtcMicros(i64::try_from(then).unwrap_or(0))
}
