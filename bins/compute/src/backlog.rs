//! How much is marked and waits to be computed, as metrics.

use runtime::chain;
use runtime::metrics::{Gauge, GaugeHandle, Metrics};
use std::time::{Duration, Instant};
use store::Store;
use store::marks::{self, Kind};
use tokio_util::sync::CancellationToken;

/// How often it is counted: each mark is looked at for it.
const EVERY: Duration = Duration::from_secs(5);
/// Of the time at most one part in so many is spent with it, however many there are.
const SHARE: u32 = 20;

/// What is shown of each kind.
#[derive(Debug, Clone)]
pub struct BacklogMeters {
    kinds: [(Kind, GaugeHandle, GaugeHandle); Kind::ALL.len()],
}

impl BacklogMeters {
    /// The gauges of all kinds.
    pub fn new(metrics: &Metrics) -> Self {
        let of = |kind: Kind| {
            let labels = [("kind", kind.as_str())];
            (
                kind,
                metrics.gauge(Gauge::MarksWaiting, &labels),
                metrics.gauge(Gauge::MarksOldestSeconds, &labels),
            )
        };
        Self {
            kinds: Kind::ALL.map(of),
        }
    }
}

/// Counts until told to stop.
pub async fn observe(
    store: Store,
    meters: BacklogMeters,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        let began = Instant::now();
        let counted = async { marks::backlog(&store.client().await?).await };
        match counted.await {
            Ok(backlog) => {
                for waiting in backlog {
                    let mut kinds = meters.kinds.iter();
                    if let Some((_, marks, oldest)) = kinds.find(|(kind, ..)| *kind == waiting.kind)
                    {
                        marks.set(waiting.marks);
                        oldest.set(whole(waiting.oldest_seconds));
                    }
                }
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the marks that wait could not be counted");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY.max(began.elapsed() * SHARE)) => {}
        }
    }
    Ok(())
}

/// Whole seconds; 0 where nothing waits.
fn whole(seconds: Option<f64>) -> i64 {
    let seconds = Duration::try_from_secs_f64(seconds.unwrap_or_default()).unwrap_or_default();
    i64::try_from(seconds.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_in_whole_seconds_and_never_less_than_none() {
        assert_eq!(whole(Some(61.9)), 61);
        assert_eq!(whole(None), 0);
        assert_eq!(whole(Some(-0.2)), 0, "the clock was set back");
    }
}
