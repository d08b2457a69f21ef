//! What is counted of a feed, by names from the shared list.

use runtime::Metrics;
use runtime::metrics::{Counter, Gauge, Histogram};
use std::time::Duration;

/// What came of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its file was sent for the first time.
    Sent,
    /// Its file was sent, and corrects an earlier one.
    Corrected,
    /// A file that the receiver had, or may have had, was sent again.
    Again,
    /// Made up again, it was what the receiver has.
    Unchanged,
    /// There was nothing in it, and nothing was sent.
    Empty,
    /// It could not be sent.
    Failed,
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Corrected => "corrected",
            Self::Again => "again",
            Self::Unchanged => "unchanged",
            Self::Empty => "empty",
            Self::Failed => "failed",
        }
    }
}

/// Counters of one feed.
#[derive(Debug, Clone)]
pub struct Meters {
    metrics: Metrics,
    feed: String,
}

impl Meters {
    /// Of this feed.
    #[must_use]
    pub const fn new(metrics: Metrics, feed: String) -> Self {
        Self { metrics, feed }
    }

    /// What came of an interval.
    pub fn interval(&self, outcome: Outcome) {
        let labels = [("feed", self.feed.as_str()), ("outcome", outcome.name())];
        self.metrics.counter(Counter::FeedIntervals, &labels).inc();
    }

    /// How long sending a file took.
    pub fn took(&self, took: Duration) {
        let histogram = self.metrics.histogram(Histogram::FeedSend, &[]);
        histogram.observe(took.as_secs_f64());
    }

    /// What waits, and for how many seconds the first of it has.
    pub fn waiting(&self, waiting: i64, oldest: i64) {
        let labels = [("feed", self.feed.as_str())];
        self.metrics.gauge(Gauge::FeedWaiting, &labels).set(waiting);
        self.metrics
            .gauge(Gauge::FeedOldestSeconds, &labels)
            .set(oldest);
    }
}
