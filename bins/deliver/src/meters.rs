//! What is counted, by names from the shared list.

use crate::fate::Settlement;
use platform::breaker::State;
use platform::outcome::Verdict;
use runtime::Metrics;
use runtime::metrics::{Counter, Gauge, Histogram};
use std::time::Duration;
use store::sync::{Fate, LogFate};

/// Counters of one target.
#[derive(Debug, Clone)]
pub struct Meters {
    metrics: Metrics,
    target: String,
}

impl Meters {
    /// Of this target.
    pub fn new(metrics: Metrics, target: String) -> Self {
        Self { metrics, target }
    }

    /// One request and how long it took.
    pub fn request(&self, verdict: &Verdict, took: Duration) {
        let outcome = outcome(verdict);
        self.metrics
            .counter(
                Counter::DeliverRequests,
                &[("target", &self.target), ("outcome", outcome)],
            )
            .inc();
        self.metrics
            .histogram(Histogram::DeliverPush, &[])
            .observe(took.as_secs_f64());
    }

    /// How the breaker stands, as this process last saw it.
    pub fn breaker(&self, state: State) {
        for each in [State::Closed, State::Open, State::HalfOpen] {
            let labels = [("target", self.target.as_str()), ("state", each.name())];
            self.metrics
                .gauge(Gauge::DeliverBreaker, &labels)
                .set(i64::from(each == state));
        }
    }

    /// The rows of one request, by fate.
    pub fn rows(&self, settlements: &[Settlement]) {
        for fate in [
            Fate::Accepted,
            Fate::Retracted,
            Fate::Expired,
            Fate::Rejected,
            Fate::Unknown,
            Fate::Retry,
            Fate::Snooze,
        ] {
            let count = settlements
                .iter()
                .filter(|settlement| settlement.fate == fate)
                .count();
            if count > 0 {
                self.metrics
                    .counter(
                        Counter::DeliverRows,
                        &[("fate", LogFate::from(fate).as_str())],
                    )
                    .inc_by(count as u64);
            }
        }
    }
}

/// The outcome as a label.
#[must_use]
pub fn outcome(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Rows(_) => "answered",
        Verdict::Slow { .. } => "throttled",
        Verdict::Halve { .. } => "refused",
        Verdict::Unauthorised { .. } => "unauthorised",
        Verdict::Pause { .. } => "paused",
        Verdict::Broken { .. } => "failed",
        Verdict::Unknown { .. } => "unknown",
    }
}
