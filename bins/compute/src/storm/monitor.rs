//! Watches what waits in the queues, and follows what is decided of it.
//!
//! Every replica runs one. Whoever has the lease asks the broker, decides and writes; the others read. A holder that cannot ask the
//! broker gives the lease up, so that another replica which can may have it. Its connections are its own, to both servers: in a storm those
//! of the workers are busy, and a question must not wait for them.

use super::hysteresis::{Backlog, LOOK_GAP, Thresholds, Weather};
use super::report::{COMPONENT, Fleet, Report};
use super::seen::{Look, Seen};
use super::{Instance, Storm, effective};
use broker::{Broker, BrokerConfig, BrokerError, Queue};
use runtime::chain;
use runtime::metrics::{Gauge, GaugeHandle, Metrics};
use schema::UtcMicros;
use std::time::{Duration, Instant};
use store::storm::{self, Mode, Observed, StormState};
use store::{Store, StoreError, deferred, status};
use tokio_util::sync::CancellationToken;

/// How often to look.
pub const EVERY: Duration = Duration::from_secs(2);
/// A holder that is silent for so many looks loses the lease.
const LEASE_LOOKS: u32 = 4;
/// What a replica said longer ago says nothing of now.
const FLEET_FOR: Duration = Duration::from_secs(15);
/// A replica that has been silent for so long is taken off the list: whoever watches over silence has had time to see it.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);
/// What is owed is counted this often, and for at most one part of the time in so many.
const COUNT_EVERY: Duration = Duration::from_secs(5);
const COUNT_SHARE: u32 = 20;

/// What a look needs.
#[derive(Debug)]
pub struct Monitor {
    /// A store with connections for this alone.
    pub store: Store,
    /// How to reach the broker.
    pub broker: BrokerConfig,
    /// What begins and ends a storm.
    pub thresholds: Thresholds,
    /// What is told.
    pub storm: Storm,
    /// What the workers see.
    pub seen: Seen,
    /// How often to look, [`EVERY`].
    pub every: Duration,
    /// This replica.
    pub instance: Instance,
    /// How it is shown.
    pub meters: StormMeters,
}

/// How a storm is seen from outside.
#[derive(Debug, Clone)]
pub struct StormMeters {
    modes: [(Mode, GaugeHandle); Mode::ALL.len()],
    waiting_facts: GaugeHandle,
    oldest: GaugeHandle,
    deferred: GaugeHandle,
    deferred_oldest: GaugeHandle,
}

/// What is kept from one look to the next.
#[derive(Debug, Default)]
struct Memory {
    look: Look,
    connection: Option<Broker>,
    /// Not before then is the lease asked for again: this replica could not ask the broker.
    leads_not_before: Option<Instant>,
    counted: Option<(Instant, Duration)>,
    was_behaving: Option<Mode>,
}

impl StormMeters {
    /// Takes the handles once.
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            modes: Mode::ALL.map(|mode| {
                let labels = [("state", mode.as_str())];
                (mode, metrics.gauge(Gauge::Storm, &labels))
            }),
            waiting_facts: metrics.gauge(Gauge::EventsWaitingFacts, &[]),
            oldest: metrics.gauge(Gauge::EventsOldestSeconds, &[]),
            deferred: metrics.gauge(Gauge::DeferredEvaluations, &[]),
            deferred_oldest: metrics.gauge(Gauge::DeferredOldestSeconds, &[]),
        }
    }

    fn show(&self, behaves: Mode, state: &StormState) {
        for (mode, gauge) in &self.modes {
            gauge.set(i64::from(*mode == behaves));
        }
        self.waiting_facts.set(state.waiting_facts);
        #[allow(clippy::cast_possible_truncation)] // seconds, and saturating
        let oldest = state.oldest_seconds.unwrap_or_default().round() as i64;
        self.oldest.set(oldest);
        self.deferred.set(state.deferred.interactions);
        self.deferred_oldest.set(oldest_seconds(state));
    }
}

impl Monitor {
    /// Looks until told to stop.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut memory = Memory::default();
        while !stop.is_cancelled() {
            // A store that does not answer changes nothing: this replica goes on as it does, which without a store is little.
            if let Err(error) = self.look(&mut memory).await {
                tracing::warn!(error = %chain(&error), "whether there is a storm could not be found out");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(self.every) => {}
            }
        }
        self.farewell(memory).await;
        Ok(())
    }

    async fn look(&self, memory: &mut Memory) -> Result<(), StoreError> {
        memory.look.again(&self.seen, Instant::now());
        let may_lead = memory
            .leads_not_before
            .is_none_or(|not_before| Instant::now() >= not_before);
        let leads = {
            let client = self.store.client().await?;
            may_lead && storm::lead(&client, self.instance.holder(), self.lease()).await?
        };
        if leads {
            self.measure(memory).await?;
        }
        let client = self.store.client().await?;
        let state = storm::read(&client).await?;
        let mode = effective(&state);
        self.behave(memory, mode, &state);
        let report = Report {
            mode: mode.as_str().to_owned(),
            lag_seconds: memory.look.age().map(|age| age.as_secs_f64()),
            facts_per_message: memory.look.facts_per_message(),
            deferred: state.deferred.interactions,
            deferred_oldest_seconds: oldest_seconds(&state),
            waiting_facts: state.waiting_facts,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let json = serde_json::to_string(&report).unwrap_or_else(|_| "{}".to_owned());
        status::put(&client, COMPONENT, self.instance.name(), &json).await
    }

    fn lease(&self) -> Duration {
        self.every * LEASE_LOOKS
    }

    fn behave(&self, memory: &mut Memory, mode: Mode, state: &StormState) {
        self.storm.set(mode);
        self.meters.show(mode, state);
        if memory.was_behaving.replace(mode) != Some(mode) {
            let ordered = state.order.is_some_and(|order| order.mode == mode);
            tracing::info!(
                mode = mode.as_str(),
                reason = state.reason,
                ordered,
                "the weather for this replica"
            );
        }
    }

    /// Asks the broker and decides.
    async fn measure(&self, memory: &mut Memory) -> Result<(), StoreError> {
        let waiting = self.waiting(memory).await;
        let client = self.store.client().await?;
        let messages = match waiting {
            Ok(messages) => messages,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "what waits in the queues could not be asked for; another replica may");
                memory.connection = None;
                memory.leads_not_before = Some(Instant::now() + self.lease());
                return storm::release(&client, self.instance.holder()).await;
            }
        };
        let state = storm::read(&client).await?;
        let said = status::list(&client).await?;
        let fleet = Fleet::of(&said, state.now, FLEET_FOR);
        let backlog = Backlog {
            facts: fleet.facts_in(messages),
            age: fleet.age,
        };
        let before = Weather {
            mode: state.mode,
            since: state.since,
            turning_since: state.turning_since,
            observed_at: state.observed_at,
        };
        let weather = before.look(state.now, Some(backlog), &self.thresholds);
        let changed = weather.mode != before.mode;
        let reason = if changed {
            self.reason(weather.mode, backlog)
        } else {
            state.reason
        };
        let observed = Observed {
            mode: weather.mode,
            since: weather.since,
            turning_since: weather.turning_since,
            at: state.now,
            waiting_messages: i64::try_from(messages).unwrap_or(i64::MAX),
            waiting_facts: i64::try_from(backlog.facts).unwrap_or(i64::MAX),
            oldest_seconds: backlog.age.map(|age| age.as_secs_f64()),
            reason: &reason,
        };
        let written = storm::observe(&client, self.instance.holder(), &observed).await?;
        if written && changed {
            tracing::warn!(mode = weather.mode.as_str(), reason, "the weather changed");
        }
        self.count(memory, &client).await
    }

    /// Messages in the queues of the live lane.
    async fn waiting(&self, memory: &mut Memory) -> Result<u64, BrokerError> {
        let known = memory.connection.take().filter(Broker::is_connected);
        let broker = if let Some(broker) = known {
            broker
        } else {
            let broker = Broker::connect(&self.broker).await?;
            broker.declare().await?;
            broker
        };
        let terminal = broker.depth(Queue::EventsTerminal).await?;
        let progress = broker.depth(Queue::EventsProgress).await?;
        memory.connection = Some(broker);
        Ok(u64::from(terminal) + u64::from(progress))
    }

    /// Counts what is owed, now and then: each row is looked at for it.
    async fn count(&self, memory: &mut Memory, client: &store::Client) -> Result<(), StoreError> {
        let due = memory
            .counted
            .is_none_or(|(at, took)| at.elapsed() >= COUNT_EVERY.max(took * COUNT_SHARE));
        if !due {
            return Ok(());
        }
        let began = Instant::now();
        let owed = deferred::backlog(client).await?;
        storm::counted(client, self.instance.holder(), owed).await?;
        status::forget(client, COMPONENT, FORGOTTEN_AFTER).await?;
        memory.counted = Some((Instant::now(), began.elapsed()));
        Ok(())
    }

    fn reason(&self, now: Mode, backlog: Backlog) -> String {
        let Thresholds {
            enter,
            leave,
            age,
            sustain,
            leave_sustain,
        } = self.thresholds;
        match (now, backlog.age) {
            (Mode::Storm, _) if backlog.facts >= enter => format!(
                "about {} facts waited, and {enter} or more for {}",
                backlog.facts,
                words(sustain)
            ),
            (Mode::Storm, oldest) => format!(
                "about {} facts waited, for {}, and {} or longer for {}",
                backlog.facts,
                words(oldest.unwrap_or_default()),
                words(age),
                words(sustain)
            ),
            (Mode::Calm, _) => format!(
                "about {} facts waited, and fewer than {leave} for {}",
                backlog.facts,
                words(leave_sustain)
            ),
        }
    }

    /// Leaves in good order: another replica measures at once, and nobody misses this one.
    async fn farewell(&self, memory: Memory) {
        let said = async {
            let client = self.store.client().await?;
            storm::release(&client, self.instance.holder()).await?;
            status::remove(&client, COMPONENT, self.instance.name()).await
        };
        if let Err(error) = said.await {
            tracing::debug!(error = %chain(&error), "the store was not told that this replica stops");
        }
        if let Some(broker) = memory.connection
            && let Err(error) = broker.close().await
        {
            tracing::debug!(error = %chain(&error), "the connection did not close well");
        }
    }
}

/// For how long the first of what is owed has been; 0 where nothing is.
fn oldest_seconds(state: &StormState) -> i64 {
    let since = |at: UtcMicros| (state.now.0.saturating_sub(at.0) / 1_000_000).max(0);
    state.deferred.since.map_or(0, since)
}

/// `1m 30s`
pub(super) fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

// Looks of one holder, and of one that follows another, are in step.
const _: () = assert!(EVERY.as_millis() * 2 < LOOK_GAP.as_millis());
