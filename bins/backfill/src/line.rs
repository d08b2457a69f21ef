//! What a job works with: the store, the way to the broker, the wish to stop, and room in the queues.

use crate::config::Common;
use crate::lease::Lease;
use crate::outlet::{Done, Outlet};
use broker::Queue;
use indicatif::ProgressBar;
use runtime::metrics::{Counter, Gauge};
use runtime::{Health, Metrics, Shutdown};
use std::time::Duration;
use store::Store;
use tokio_util::sync::CancellationToken;

/// How often a job that waits looks again.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The line as a job sees it.
pub(crate) struct Line {
    pub(crate) store: Store,
    pub(crate) outlet: Outlet,
    pub(crate) stop: CancellationToken,
    /// How long a job is ours without a sign of life.
    pub(crate) lease: Duration,
    pub(crate) metrics: Metrics,
    end: CancellationToken,
}

impl Line {
    /// Listens for signals, serves the probes when asked to, and prepares the connections.
    pub(crate) async fn open(common: &Common) -> anyhow::Result<Self> {
        let shutdown = Shutdown::listen(common.grace)?;
        let stop = shutdown.token();
        let metrics = Metrics::new("backfill", env!("CARGO_PKG_VERSION"));
        let end = CancellationToken::new();
        if let Some(listen) = common.ops_listen {
            let health = Health::new(stop.clone(), &[]);
            let (address, _task) =
                runtime::ops::serve(listen, health, metrics.clone(), end.clone()).await?;
            runtime::log::ready(address, None);
        }
        Ok(Self {
            store: Store::connect(common.store()).await?,
            outlet: Outlet::new(common.broker(), stop.clone()),
            stop,
            lease: common.lease,
            metrics,
            end,
        })
    }

    /// Counts what was published.
    pub(crate) fn published(&self, items: u64) {
        self.metrics
            .counter(Counter::BackfillItems, &[])
            .inc_by(items);
    }

    /// Says whether a job is being worked on.
    pub(crate) fn active(&self, active: bool) {
        self.metrics
            .gauge(Gauge::BackfillJobsActive, &[])
            .set(i64::from(active));
    }

    /// Waits until each of these queues holds no more than its bound. Live work is never behind history.
    pub(crate) async fn room(
        &mut self,
        lease: &mut Lease,
        bounds: &[(Queue, u32)],
        bar: &ProgressBar,
    ) -> anyhow::Result<Done<()>> {
        let mut said = false;
        loop {
            let mut full = None;
            for (queue, most) in bounds {
                match self.outlet.depth(*queue).await? {
                    Done::Stopped => return Ok(Done::Stopped),
                    Done::Yes(depth) if depth > *most => full = Some((*queue, depth)),
                    Done::Yes(_) => {}
                }
            }
            let Some((queue, depth)) = full else {
                return Ok(Done::Yes(()));
            };
            if !said {
                tracing::info!(queue = %queue, depth, "pausing until the line has caught up");
                said = true;
            }
            bar.tick();
            lease.alive().await?;
            tokio::select! {
                () = self.stop.cancelled() => return Ok(Done::Stopped),
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// Ends the connections.
    pub(crate) async fn close(mut self) {
        self.outlet.close().await;
        self.end.cancel();
    }
}
