//! What somebody has to see to, as gauges: what the view `pipeline_health` says, how large the database is, for how long there are
//! partitions, how many messages wait in each queue.
//!
//! Every replica looks for itself, seldom and at little, so that no gauge is missing while another one takes over.

use crate::counting::rest_after;
use broker::{Broker, BrokerConfig, BrokerError, Queue};
use runtime::metrics::{Gauge, Metrics};
use runtime::{chain, metrics::GaugeHandle};
use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::upkeep::{self, Measure, Months, Size};
use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

/// How often the queues are looked at.
const QUEUES_EVERY: Duration = Duration::from_secs(15);
/// How often the database is: counting takes it a moment. The longer that is, the more seldom.
const STORE_EVERY: Duration = Duration::from_secs(60);
/// The most seldom.
const STORE_AT_LEAST: Duration = Duration::from_secs(600);
/// A broker that does not answer by then is asked the next time.
const ANSWER: Duration = Duration::from_secs(5);
/// Shown from the start, so that how it grows is seen from the first on. They have no scope.
const ALWAYS: [&str; 2] = ["quarantine_held", "notices_waiting"];

/// Looks.
#[derive(Debug)]
pub struct Upkeep {
    store: Store,
    broker: BrokerConfig,
    connection: Option<Broker>,
    queues: [(Queue, GaugeHandle); Queue::ALL.len()],
    queues_look: Look,
    store_look: Look,
    meters: Meters,
    stop: CancellationToken,
}

/// A look that is taken again and again: alerts on what it sees are blind while it fails, so that is said.
#[derive(Debug)]
struct Look {
    of: &'static str,
    taken_at: GaugeHandle,
    is_failing: bool,
}

impl Look {
    fn new(metrics: &Metrics, of: &'static str) -> Self {
        Self {
            of,
            taken_at: metrics.gauge(Gauge::LookedAtSeconds, &[("of", of)]),
            is_failing: false,
        }
    }

    fn taken(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        self.taken_at.set(i64::try_from(now).unwrap_or(i64::MAX));
        if self.is_failing {
            tracing::info!(of = self.of, "what calls for somebody is read again");
        }
        self.is_failing = false;
    }

    fn failed(&mut self, error: &(dyn std::error::Error + 'static)) {
        let (of, error) = (self.of, chain(error));
        if self.is_failing {
            tracing::debug!(of, %error, "what calls for somebody could not be read");
        } else {
            tracing::warn!(of, %error, "what calls for somebody could not be read; its gauges keep what they had");
        }
        self.is_failing = true;
    }
}

/// The gauges of what the database says.
#[derive(Debug)]
struct Meters {
    metrics: Metrics,
    shown: BTreeSet<(String, String)>,
    tables: BTreeSet<String>,
}

impl Upkeep {
    /// Of this store and this broker, over a connection of its own.
    #[must_use]
    pub fn new(
        store: Store,
        broker: BrokerConfig,
        metrics: Metrics,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store,
            broker,
            connection: None,
            queues: Queue::ALL.map(|queue| {
                let labels = [("queue", queue.suffix())];
                (queue, metrics.gauge(Gauge::QueueMessages, &labels))
            }),
            queues_look: Look::new(&metrics, "queues"),
            store_look: Look::new(&metrics, "store"),
            meters: Meters {
                metrics,
                shown: BTreeSet::new(),
                tables: BTreeSet::new(),
            },
            stop,
        }
    }

    /// Looks until told to stop.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut store_at = Instant::now();
        while !self.stop.is_cancelled() {
            self.look_at_queues().await;
            if Instant::now() >= store_at {
                let began = Instant::now();
                match self.look_at_store().await {
                    Ok(()) => self.store_look.taken(),
                    Err(error) => self.store_look.failed(&error),
                }
                let rest = rest_after(began.elapsed(), STORE_AT_LEAST);
                store_at = Instant::now() + rest.max(STORE_EVERY);
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = tokio::time::sleep(QUEUES_EVERY) => {}
            }
        }
        if let Some(broker) = self.connection.take()
            && let Err(error) = broker.close().await
        {
            tracing::debug!(error = %chain(&error), "the connection did not close well");
        }
        Ok(())
    }

    /// What cannot be asked for keeps the value that it had.
    async fn look_at_queues(&mut self) {
        let known = self.connection.take().filter(Broker::is_connected);
        let asked = tokio::time::timeout(ANSWER, async {
            let broker = match known {
                Some(broker) => broker,
                None => Broker::connect(&self.broker).await?,
            };
            for (queue, gauge) in &self.queues {
                let depth = match broker.depth(*queue).await {
                    Ok(depth) => i64::from(depth),
                    // Nobody has declared it yet.
                    Err(BrokerError::Missing { .. }) => 0,
                    Err(error) => return Err(error),
                };
                gauge.set(depth);
            }
            Ok(broker)
        });
        let late = BrokerError::TimedOut {
            doing: "asking what waits",
            after: ANSWER,
        };
        match asked.await.unwrap_or(Err(late)) {
            Ok(broker) => {
                self.connection = Some(broker);
                self.queues_look.taken();
            }
            Err(error) => self.queues_look.failed(&error),
        }
    }

    async fn look_at_store(&mut self) -> Result<(), StoreError> {
        let client = self.store.client().await?;
        let measures = upkeep::measures(&client).await?;
        self.meters.measures(measures);
        self.meters.size(upkeep::size(&client).await?);
        self.meters.months(&upkeep::months(&client).await?);
        Ok(())
    }
}

impl Meters {
    /// Shows these, and zero for what is there no more.
    fn measures(&mut self, measures: Vec<Measure>) {
        let always = ALWAYS.map(|measure| (measure.to_owned(), String::new()));
        self.shown.extend(always);
        let mut present = BTreeSet::new();
        for one in measures {
            self.health(&one.measure, &one.scope, one.value);
            present.insert((one.measure, one.scope));
        }
        for (measure, scope) in self.shown.difference(&present) {
            self.health(measure, scope, 0.0);
        }
        self.shown = present;
    }

    fn health(&self, measure: &str, scope: &str, value: f64) {
        let labels = [("measure", measure), ("scope", scope)];
        #[allow(clippy::cast_possible_truncation)] // counts and seconds, and saturating
        let whole = value.round() as i64;
        self.metrics.gauge(Gauge::Health, &labels).set(whole);
    }

    fn size(&self, size: Size) {
        for (gauge, value) in [
            (Gauge::DatabaseBytes, size.bytes),
            (Gauge::DatabaseConnections, size.connections),
            (Gauge::DatabaseConnectionsMax, size.connections_max),
        ] {
            self.metrics.gauge(gauge, &[]).set(value);
        }
    }

    /// Shows these; a table that had months and has none any more has not even the present one.
    fn months(&mut self, months: &[Months]) {
        for one in months {
            self.table(&one.table, one.ahead, one.kept);
        }
        let present: BTreeSet<String> = months.iter().map(|one| one.table.clone()).collect();
        for gone in self.tables.difference(&present) {
            self.table(gone, -1, 0);
        }
        self.tables.extend(present);
    }

    fn table(&self, table: &str, ahead: i64, kept: i64) {
        let labels = [("table", table)];
        self.metrics.gauge(Gauge::MonthsAhead, &labels).set(ahead);
        self.metrics.gauge(Gauge::MonthsKept, &labels).set(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meters() -> Meters {
        Meters {
            metrics: Metrics::new("deliver", "0"),
            shown: BTreeSet::new(),
            tables: BTreeSet::new(),
        }
    }

    fn has(meters: &Meters, line: &str) -> bool {
        meters.metrics.encode().lines().any(|found| found == line)
    }

    #[test]
    fn what_is_seen_to_is_zero_and_not_what_it_was() {
        let mut meters = meters();
        let held = |scope: &str, value| Measure {
            measure: "quarantine_held".to_owned(),
            scope: scope.to_owned(),
            value,
        };
        let line = |scope: &str, value: u8| {
            format!("kpiline_health{{measure=\"quarantine_held\",scope=\"{scope}\"}} {value}")
        };
        meters.measures(vec![held("a", 3.0), held("b", 1.4)]);
        assert!(has(&meters, &line("a", 3)) && has(&meters, &line("b", 1)));
        meters.measures(vec![held("b", 2.0)]);
        assert!(has(&meters, &line("a", 0)) && has(&meters, &line("b", 2)));
        meters.measures(Vec::new());
        assert!(has(&meters, &line("b", 0)));
        assert!(
            has(&meters, &line("", 0)),
            "that nothing is held is said from the start"
        );
    }

    #[test]
    fn a_table_whose_months_are_gone_has_not_even_the_present_one() {
        let mut meters = meters();
        let months = Months {
            table: "event_log".to_owned(),
            ahead: 3,
            kept: 14,
        };
        meters.months(std::slice::from_ref(&months));
        assert!(has(&meters, "kpiline_months_ahead{table=\"event_log\"} 3"));
        assert!(has(&meters, "kpiline_months_kept{table=\"event_log\"} 14"));
        meters.months(&[]);
        assert!(has(&meters, "kpiline_months_ahead{table=\"event_log\"} -1"));
        meters.months(&[]);
        assert!(has(&meters, "kpiline_months_ahead{table=\"event_log\"} -1"));
    }
}
