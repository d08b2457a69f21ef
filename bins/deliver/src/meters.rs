//! What is counted, by names from the shared list.

use crate::fate::{Settlement, Verdict};
use crate::tally::Tally;
use platform::breaker::State;
use runtime::Metrics;
use runtime::metrics::{Counter, Gauge, Histogram, HistogramHandle};
use std::sync::Arc;
use std::time::Duration;
use store::sync::{Fate, LogFate};

/// Counters of one target.
#[derive(Debug, Clone)]
pub struct Meters {
    metrics: Metrics,
    target: String,
    latency: HistogramHandle,
    tally: Arc<Tally>,
}

impl Meters {
    /// Of this target. What is counted goes to the tally too, for the figures of all processes.
    pub fn new(metrics: Metrics, target: String, tally: Arc<Tally>) -> Self {
        // Counters that are there from the start: the first refusal is a rise, and not where a series begins.
        for outcome in Verdict::NAMES {
            let labels = [("target", target.as_str()), ("outcome", outcome)];
            drop(metrics.counter(Counter::DeliverRequests, &labels));
        }
        Self {
            latency: metrics.histogram(Histogram::DeliverLatency, &[("target", &target)]),
            metrics,
            target,
            tally,
        }
    }

    /// One request and how long it took.
    pub fn request(&self, verdict: &Verdict, took: Duration) {
        let outcome = verdict.name();
        self.metrics
            .counter(
                Counter::DeliverRequests,
                &[("target", &self.target), ("outcome", outcome)],
            )
            .inc();
        self.metrics
            .histogram(Histogram::DeliverPush, &[])
            .observe(took.as_secs_f64());
        self.tally.request(verdict);
    }

    /// Nothing could be sent, because no token was to be had.
    pub fn no_token(&self, why: &str) {
        self.tally.no_token(why);
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

    /// The rows of one request, by fate, and how long those that were accepted had waited.
    pub fn rows(&self, settlements: &[Settlement], waited: &[Duration]) {
        self.tally.rows(settlements, waited);
        for waited in waited {
            self.latency.observe(waited.as_secs_f64());
        }
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
