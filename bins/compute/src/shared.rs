//! What all workers of the process share, and the one way in which they wait for a store that is away.

use crate::apply::{Applier, ApplyError};
use crate::batch::BatchLimits;
use crate::pressure::Pressure;
use crate::storm::Seen;
use crate::wake::Waker;
use broker::BrokerConfig;
use runtime::metrics::{Counter, CounterHandle, Gauge, GaugeHandle, Histogram, HistogramHandle};
use runtime::{Backoff, Health, Metrics, chain};
use std::future::Future;
use std::time::{Duration, Instant};
use store::Class;
use tokio_util::sync::CancellationToken;

/// How long deliveries are held while the store is away. The broker would take them back after half an hour at the latest, and
/// other replicas may reach the store when this one does not.
const PATIENCE: Duration = Duration::from_secs(60);

/// What every worker of the process shares.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Applies plans.
    pub applier: Applier,
    /// How to reach the broker; each worker has a connection of its own.
    pub broker: BrokerConfig,
    /// What bounds a batch.
    pub limits: BatchLimits,
    /// Messages taken ahead, a queue.
    pub prefetch: u16,
    /// Tells deliver that rows are due.
    pub waker: Waker,
    /// Whether live has a backlog.
    pub pressure: Pressure,
    /// Where workers note what they see of the backlog.
    pub seen: Seen,
    /// Readiness.
    pub health: Health,
    /// Counters.
    pub meters: Meters,
    /// The wish to stop.
    pub stop: CancellationToken,
}

/// Why a batch in hand was given back.
#[derive(Debug, thiserror::Error)]
pub enum Interrupted {
    /// The process was asked to stop.
    #[error("asked to stop")]
    Stopped,
    /// The store stayed away too long to hold deliveries for it.
    #[error("the store was away for {} s", PATIENCE.as_secs())]
    Away(#[source] Box<ApplyError>),
    /// Nobody but an operator can mend it.
    #[error("the store cannot be used")]
    Fatal(#[source] Box<ApplyError>),
}

impl Shared {
    /// Waits until the store answers and has the schema this release needs. False when asked to stop meanwhile.
    ///
    /// Nothing is taken from the broker before that: a message that is given back because the store is away would count as one
    /// that keeps coming back.
    pub async fn wait_for_store(&self) -> bool {
        let mut backoff = Backoff::for_connections();
        loop {
            match store::migrate::state(self.applier.store()).await {
                Ok(state) if state.ready => return true,
                Ok(state) => tracing::warn!(
                    applied = state.applied,
                    required = state.required,
                    "waiting for the schema: run `compute migrate`"
                ),
                Err(error) => tracing::warn!(error = %chain(&error), "waiting for PostgreSQL"),
            }
            if !backoff.pause(&self.stop).await {
                return false;
            }
        }
    }

    /// Tries until the store does it or refuses it for good (the inner error); pauses while the store is away.
    pub async fn patiently<T, F>(
        &self,
        attempt: impl Fn() -> F,
    ) -> Result<Result<T, ApplyError>, Interrupted>
    where
        F: Future<Output = Result<T, ApplyError>>,
    {
        let began = Instant::now();
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        loop {
            let error = match attempt().await {
                Ok(done) => return Ok(Ok(done)),
                Err(error) => error,
            };
            if let ApplyError::Store(source) = &error
                && source.is_missing_partition()
            {
                self.applier.partitions().forget();
            }
            let class = error.class();
            match class {
                Class::Rejected => return Ok(Err(error)),
                Class::Fatal => return Err(Interrupted::Fatal(Box::new(error))),
                Class::Transient | Class::Saturated if began.elapsed() > PATIENCE => {
                    return Err(Interrupted::Away(Box::new(error)));
                }
                Class::Transient | Class::Saturated => {}
            }
            self.meters.retried(class);
            tracing::warn!(
                error = %chain(&error),
                class = class_name(class),
                attempt = backoff.attempts() + 1,
                "the store did not take it; trying again"
            );
            if !backoff.pause(&self.stop).await {
                return Err(Interrupted::Stopped);
            }
        }
    }
}

/// Handles on this binary's metrics.
#[derive(Debug, Clone)]
pub struct Meters {
    /// Facts folded, repeats included.
    pub events: CounterHandle,
    /// Sessions folded.
    pub sessions: CounterHandle,
    /// Interactions that something is owed to.
    pub deferred: CounterHandle,
    /// Metric rows written.
    pub written: CounterHandle,
    /// Metric rows evaluated and found as they were.
    pub unchanged: CounterHandle,
    /// Items put into quarantine.
    pub quarantined: CounterHandle,
    /// Connections opened again.
    pub reconnects: CounterHandle,
    /// Switched-on definitions that this release cannot read.
    pub unreadable: GaugeHandle,
    /// How long a batch took.
    pub batch_seconds: HistogramHandle,
    /// Facts in a batch.
    pub batch_events: HistogramHandle,
    /// From normalise's publishing to the commit.
    pub lag_seconds: HistogramHandle,
    metrics: Metrics,
}

impl Meters {
    /// Takes the handles once.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            events: metrics.counter(Counter::ComputeEvents, &[]),
            sessions: metrics.counter(Counter::ComputeSessions, &[]),
            deferred: metrics.counter(Counter::ComputeDeferred, &[]),
            written: metrics.counter(Counter::ComputeMetricsWritten, &[]),
            unchanged: metrics.counter(Counter::ComputeMetricsUnchanged, &[]),
            quarantined: metrics.counter(Counter::Quarantine, &[("stage", "compute")]),
            reconnects: metrics.counter(Counter::BrokerReconnects, &[]),
            unreadable: metrics.gauge(Gauge::KpiUnreadable, &[]),
            batch_seconds: metrics.histogram(Histogram::ComputeBatch, &[]),
            batch_events: metrics.histogram(Histogram::ComputeBatchEvents, &[]),
            lag_seconds: metrics.histogram(Histogram::EventToMetric, &[]),
            metrics: metrics.clone(),
        }
    }

    fn retried(&self, class: Class) {
        self.metrics
            .counter(Counter::StoreRetry, &[("class", class_name(class))])
            .inc();
    }
}

const fn class_name(class: Class) -> &'static str {
    match class {
        Class::Transient => "transient",
        Class::Saturated => "saturated",
        Class::Rejected => "rejected",
        Class::Fatal => "fatal",
    }
}
