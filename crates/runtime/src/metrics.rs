//! Metrics in OpenMetrics text, by names from one closed list.
//!
//! Take a handle once (it costs a lock and an allocation) and keep it: recording on a handle is one or two atomic additions.

pub mod names;
mod process;

pub use names::{Counter, Description, Gauge, Histogram};

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::{counter, gauge, histogram};
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// A handle on one counter: `inc()`, `inc_by(n)`.
pub type CounterHandle = counter::Counter;
/// A handle on one gauge: `set(n)`, `inc()`, `dec()`.
pub type GaugeHandle = gauge::Gauge;
/// A handle on one histogram: `observe(value)`, in seconds or as a count.
pub type HistogramHandle = histogram::Histogram;

type Labels = Vec<(&'static str, String)>;

/// From half a millisecond to a quarter of an hour.
const SECONDS: [f64; 18] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0, 300.0, 900.0,
];
/// From one to ten thousand.
const COUNTS: [f64; 13] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10_000.0,
];

#[derive(Debug, Clone, Copy)]
struct Buckets(&'static [f64]);

impl MetricConstructor<HistogramHandle> for Buckets {
    fn new_metric(&self) -> HistogramHandle {
        HistogramHandle::new(self.0.iter().copied())
    }
}

/// All metrics of this process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    /// What every process says of itself, under the names that all programs use.
    process: Registry,
    counters: Vec<Family<Labels, CounterHandle>>,
    gauges: Vec<Family<Labels, GaugeHandle>>,
    histograms: Vec<Family<Labels, HistogramHandle, Buckets>>,
}

impl Metrics {
    /// Registers every name, and says that this binary is up.
    #[must_use]
    pub fn new(binary: &'static str, version: &'static str) -> Self {
        let mut registry = Registry::with_prefix("kpiline");
        let counters: Vec<Family<Labels, CounterHandle>> =
            Counter::ALL.iter().map(|_| Family::default()).collect();
        for (name, family) in Counter::ALL.iter().zip(&counters) {
            let Description { name, help, .. } = name.describe();
            registry.register(name, help, family.clone());
        }
        let gauges: Vec<Family<Labels, GaugeHandle>> =
            Gauge::ALL.iter().map(|_| Family::default()).collect();
        for (name, family) in Gauge::ALL.iter().zip(&gauges) {
            let Description { name, help, .. } = name.describe();
            registry.register(name, help, family.clone());
        }
        let histograms: Vec<Family<Labels, HistogramHandle, Buckets>> = Histogram::ALL
            .iter()
            .map(|name| {
                let seconds = name.describe().name.ends_with("_seconds");
                Family::new_with_constructor(Buckets(if seconds { &SECONDS } else { &COUNTS }))
            })
            .collect();
        for (name, family) in Histogram::ALL.iter().zip(&histograms) {
            let Description { name, help, .. } = name.describe();
            registry.register(name, help, family.clone());
        }
        let mut process = Registry::default();
        process.register_collector(Box::new(process::Process));
        let metrics = Self(Arc::new(Inner {
            registry,
            process,
            counters,
            gauges,
            histograms,
        }));
        metrics
            .gauge(Gauge::Up, &[("binary", binary), ("version", version)])
            .set(1);
        metrics
    }

    /// The counter of this name and these labels.
    #[must_use]
    pub fn counter(&self, name: Counter, labels: &[(&'static str, &str)]) -> CounterHandle {
        self.0.counters[name as usize].get_or_create_owned(&own(name.describe(), labels))
    }

    /// The gauge of this name and these labels.
    #[must_use]
    pub fn gauge(&self, name: Gauge, labels: &[(&'static str, &str)]) -> GaugeHandle {
        self.0.gauges[name as usize].get_or_create_owned(&own(name.describe(), labels))
    }

    /// The histogram of this name and these labels.
    #[must_use]
    pub fn histogram(&self, name: Histogram, labels: &[(&'static str, &str)]) -> HistogramHandle {
        self.0.histograms[name as usize].get_or_create_owned(&own(name.describe(), labels))
    }

    /// The text for a scraper.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(8 * 1024);
        // Writing to a string cannot fail. The end mark is not part of a registry's encoding.
        if encode_registry(&mut text, &self.0.registry)
            .and_then(|()| encode_registry(&mut text, &self.0.process))
            .is_ok()
        {
            text.push_str("# EOF\n");
        }
        text
    }
}

/// The labels in the order of their declaration. A label that was not declared is a mistake of ours, found in tests.
fn own(description: Description, labels: &[(&'static str, &str)]) -> Labels {
    debug_assert!(
        labels.len() == description.labels.len()
            && labels
                .iter()
                .all(|(name, _)| description.labels.contains(name)),
        "{} has the labels {:?}, not {labels:?}",
        description.name,
        description.labels
    );
    let value = |wanted: &'static str| {
        let found = labels.iter().find(|(name, _)| *name == wanted);
        found.map_or_else(String::new, |(_, value)| (*value).to_owned())
    };
    description
        .labels
        .iter()
        .map(|name| (*name, value(name)))
        .collect()
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_in_the_text() {
        let metrics = Metrics::new("test", "0.1.0");
        metrics
            .counter(Counter::IngestEvents, &[("result", "logged")])
            .inc_by(3);
        let labels = [("outcome", "rejected"), ("target", "a\"b")];
        metrics.counter(Counter::DeliverRequests, &labels).inc();
        metrics.gauge(Gauge::DeliverPending, &[]).set(-2);
        metrics.histogram(Histogram::ComputeBatch, &[]).observe(0.3);
        let text = metrics.encode();
        for line in [
            "kpiline_up{binary=\"test\",version=\"0.1.0\"} 1",
            "kpiline_ingest_events_total{result=\"logged\"} 3",
            "kpiline_deliver_requests_total{target=\"a\\\"b\",outcome=\"rejected\"} 1",
            "kpiline_deliver_pending -2",
            "kpiline_compute_batch_seconds_bucket{le=\"0.25\"} 0",
            "kpiline_compute_batch_seconds_bucket{le=\"0.5\"} 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_says_what_it_uses_without_our_prefix_and_before_the_end() {
        let text = Metrics::new("test", "0").encode();
        let value = |name: &str| {
            let line = text
                .lines()
                .find(|line| line.split(' ').next() == Some(name));
            line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        };
        assert!(value("process_cpu_seconds_total").is_some(), "{text}");
        let at_least = |name, least| value(name).is_some_and(|value| value >= least);
        assert!(at_least("process_resident_memory_bytes", 1e5), "{text}");
        assert!(at_least("process_threads", 1.0), "{text}");
        assert!(at_least("process_open_fds", 3.0), "{text}");
        assert!(at_least("process_max_fds", 3.0), "{text}");
        assert!(at_least("process_start_time_seconds", 1e9), "{text}");
        assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
    }

    #[test]
    fn handles_of_one_name_are_one_metric() {
        let metrics = Metrics::new("test", "0");
        metrics.counter(Counter::BackfillItems, &[]).inc_by(2);
        let again = metrics.clone().counter(Counter::BackfillItems, &[]);
        again.inc_by(3);
        assert_eq!(again.get(), 5);
    }

    #[test]
    fn names_are_well_formed_and_unique() {
        let mut names: Vec<_> = Counter::ALL.iter().map(|n| n.describe()).collect();
        names.extend(Gauge::ALL.iter().map(|n| n.describe()));
        names.extend(Histogram::ALL.iter().map(|n| n.describe()));
        for Description { name, labels, help } in &names {
            let snake = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(
                name.chars().all(snake) && !name.ends_with("_total"),
                "{name}"
            );
            assert!(labels.iter().all(|label| label.chars().all(snake)));
            assert!(!help.is_empty() && !help.ends_with('.'), "{name}: {help}");
        }
        let mut unique: Vec<_> = names.iter().map(|d| d.name).collect();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
    }
}
