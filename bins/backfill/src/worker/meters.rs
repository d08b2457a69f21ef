//! What a worker counts.

use platform::watch::{Called, Watch};
use runtime::Metrics;
use runtime::metrics::{Counter, Gauge, GaugeHandle, Histogram};
use std::fmt;

/// The meters of all lanes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Meters {
    metrics: Metrics,
    /// Lanes that work on a chunk.
    pub(crate) busy: GaugeHandle,
}

impl Meters {
    pub(crate) fn new(metrics: Metrics) -> Self {
        let busy = metrics.gauge(Gauge::BackfillLanesBusy, &[]);
        Self { metrics, busy }
    }

    /// A page was confirmed.
    pub(crate) fn page(&self, source: &str, records: u64, bytes: u64) {
        let labels = [("source", source)];
        self.metrics.counter(Counter::BackfillPages, &labels).inc();
        self.metrics
            .counter(Counter::BackfillRecords, &labels)
            .inc_by(records);
        self.metrics
            .counter(Counter::BackfillBytes, &labels)
            .inc_by(bytes);
        self.metrics
            .counter(Counter::BackfillItems, &[])
            .inc_by(records);
    }

    /// A step failed and comes again.
    pub(crate) fn failed(&self, source: &str) {
        let labels = [("source", source)];
        self.metrics
            .counter(Counter::BackfillFailures, &labels)
            .inc();
    }

    /// How far a chunk is could not be saved.
    pub(crate) fn checkpoint_unsaved(&self, source: &str, outcome: &str) {
        let labels = [("source", source), ("outcome", outcome)];
        self.metrics
            .counter(Counter::BackfillCheckpointFailures, &labels)
            .inc();
    }

    /// A chunk waits.
    pub(crate) fn given_back(&self, reason: &str) {
        let labels = [("reason", reason)];
        self.metrics
            .counter(Counter::BackfillGivenBack, &labels)
            .inc();
    }

    /// Whether history waits for this.
    pub(crate) fn waiting(&self, reason: &str, waits: bool) {
        let labels = [("reason", reason)];
        self.metrics
            .gauge(Gauge::BackfillWaiting, &labels)
            .set(i64::from(waits));
    }

    /// Whether a platform's breaker is in this state.
    pub(crate) fn breaker(&self, platform: &str, state: &str, is: bool) {
        let labels = [("platform", platform), ("state", state)];
        self.metrics
            .gauge(Gauge::BackfillBreaker, &labels)
            .set(i64::from(is));
    }

    /// A request waited so long for its turn.
    pub(crate) fn turn(&self, platform: &str, seconds: f64) {
        let labels = [("platform", platform)];
        self.metrics
            .histogram(Histogram::BackfillBudgetWait, &labels)
            .observe(seconds);
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

/// Counts a platform's requests.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) meters: Meters,
    pub(crate) platform: String,
}

impl Watch for Calls {
    fn called(&self, call: &Called<'_>) {
        let status = call
            .status
            .map_or_else(|| "none".to_owned(), |status| status.to_string());
        let metrics = &self.meters.metrics;
        let (platform, route) = (("platform", self.platform.as_str()), ("route", call.route));
        metrics
            .counter(
                Counter::BackfillCalls,
                &[platform, route, ("status", &status)],
            )
            .inc();
        metrics
            .histogram(Histogram::BackfillCallTime, &[platform, route])
            .observe(call.took.as_secs_f64());
    }

    fn refused(&self, route: &str, status: u16, why: &str) {
        tracing::error!(
            platform = self.platform,
            route,
            status,
            why,
            "the platform refuses the credential: somebody has to look at it or at its roles"
        );
    }
}
