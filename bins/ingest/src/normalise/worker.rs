//! One worker: one consumer, at most one batch in hand. More speed is more workers, then more processes.
//!
//! Take, plan, one transaction, publish confirmed, acknowledge. A session is two broker connections (publishing and consuming
//! apart); whatever goes wrong with the broker ends it, the messages go back to their queues, and a new one begins.

use super::Limits;
use super::apply::{Applied, Care, apply};
use super::facts;
use super::message::{Message, Stage, acquit, read};
use super::plan::{Plan, plan};
use super::publish::{Unpublished, hold, publish};
use super::recent::{Known, Recent};
use super::reload::LiveMappings;
use crate::clock::now;
use crate::watchdog::traffic::Traffic;
use anyhow::Context as _;
use broker::{Broker, BrokerConfig, Consumer, Delivery, Outgoing, Publisher, Queue};
use runtime::metrics::{Counter, CounterHandle, Gauge, GaugeHandle, Histogram, HistogramHandle};
use runtime::seal::{SealError, SealKeys};
use runtime::{Backoff, Health, Metrics, Secret, chain};
use std::sync::Arc;
use std::time::Duration;
use store::partitions::{Partitions, Table, is_plausible};
use store::{Class, Store, StoreError};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// A message that came back so often is processed alone: if it ends the process, its neighbours are not held up with it.
const RETURNS_ALONE: u64 = 10;
/// Sessions in a row that end in an error nobody but an operator can mend, before the process ends.
const FATAL_MAX: u32 = 5;

/// What the workers of a process share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The broker. Its connections get names of their own.
    pub broker: BrokerConfig,
    /// The store.
    pub store: Store,
    /// What the watchdog is told.
    pub traffic: Traffic,
    /// Months of the log.
    pub partitions: Partitions,
    /// Mapping files.
    pub mappings: LiveMappings,
    /// What customers' identities are hashed under, if they are.
    pub customer_secret: Option<Secret>,
    /// What is known to be in the log.
    pub recent: Arc<Recent>,
    /// What raw bytes are sealed under, if they are.
    pub raw_keys: Option<SealKeys>,
    /// Limits.
    pub limits: Limits,
    /// Readiness.
    pub health: Health,
    /// Metrics.
    pub metrics: Metrics,
    /// The wish to stop.
    pub stop: CancellationToken,
}

/// One worker.
#[derive(Debug)]
pub struct Worker {
    shared: Shared,
    lane: &'static str,
    queues: &'static [Queue],
    handles: Handles,
}

#[derive(Debug)]
struct Handles {
    logged: CounterHandle,
    duplicate: CounterHandle,
    revised: CounterHandle,
    spared: CounterHandle,
    remembered: GaugeHandle,
    quarantined: CounterHandle,
    ignored: CounterHandle,
    batch: HistogramHandle,
    reconnects: CounterHandle,
}

/// Why a session ended.
enum Trouble {
    /// A new session may do better.
    Again(anyhow::Error),
    /// Only an operator can mend it.
    Fatal(anyhow::Error),
    /// The process is stopping.
    Stopped,
}

/// What a session works with. Dropping it gives all unacknowledged messages back.
struct Session {
    consuming: Broker,
    publishing: Broker,
    consumer: Consumer,
    publisher: Publisher,
}

impl Worker {
    /// A worker for these queues. `lane` names it in logs and in readiness.
    pub fn new(shared: Shared, lane: &'static str, queues: &'static [Queue]) -> Self {
        let metrics = &shared.metrics;
        let events = |result| metrics.counter(Counter::IngestEvents, &[("result", result)]);
        let handles = Handles {
            logged: events("logged"),
            duplicate: events("duplicate"),
            revised: metrics.counter(Counter::IngestRevisions, &[]),
            spared: metrics.counter(Counter::IngestDuplicatesSpared, &[]),
            remembered: metrics.gauge(Gauge::ReplayCacheEvents, &[]),
            quarantined: events("quarantined"),
            ignored: events("ignored"),
            batch: metrics.histogram(Histogram::NormaliseBatch, &[]),
            reconnects: metrics.counter(Counter::BrokerReconnects, &[]),
        };
        Self {
            shared,
            lane,
            queues,
            handles,
        }
    }

    /// Works until the stop.
    pub async fn run(self) -> anyhow::Result<()> {
        let stop = self.shared.stop.clone();
        let mut backoff = Backoff::for_connections();
        let mut fatal = 0;
        while !stop.is_cancelled() {
            let trouble = match self.open().await {
                Ok(mut session) => {
                    self.shared.health.set_ready(self.lane, true);
                    tracing::info!(lane = self.lane, "consuming");
                    let begun = Instant::now();
                    let trouble = self.work(&mut session).await;
                    self.close(session).await;
                    if begun.elapsed() > Duration::from_secs(10) {
                        backoff.reset();
                        fatal = 0;
                    }
                    trouble
                }
                Err(trouble) => trouble,
            };
            self.shared.health.set_ready(self.lane, false);
            match trouble {
                Trouble::Stopped => break,
                Trouble::Again(error) => {
                    tracing::warn!(lane = self.lane, error = %chain(error.as_ref()), "not consuming; trying again");
                }
                Trouble::Fatal(error) => {
                    fatal += 1;
                    if fatal >= FATAL_MAX {
                        return Err(error);
                    }
                    tracing::error!(lane = self.lane, error = %chain(error.as_ref()), "not consuming; an operator is needed");
                }
            }
            if !backoff.pause(&stop).await {
                break;
            }
            self.handles.reconnects.inc();
        }
        Ok(())
    }

    /// Connects to everything. The store first: without it, taking messages would only hold them.
    async fn open(&self) -> Result<Session, Trouble> {
        let state = store::migrate::state(&self.shared.store)
            .await
            .map_err(|error| Trouble::store(error, "cannot read the schema's version"))?;
        if !state.ready {
            return Err(Trouble::Again(anyhow::anyhow!(
                "the database has schema version {}, this binary needs {}: run `ingest migrate`",
                state.applied,
                state.required
            )));
        }
        self.connect().await.map_err(Trouble::Again)
    }

    async fn connect(&self) -> anyhow::Result<Session> {
        let named = |purpose: &str| BrokerConfig {
            name: format!("{} {} {purpose}", self.shared.broker.name, self.lane),
            ..self.shared.broker.clone()
        };
        let publishing = Broker::connect(&named("publish")).await?;
        publishing.declare().await?;
        let publisher = publishing.publisher().await?;
        let consuming = Broker::connect(&named("consume")).await?;
        let prefetch = self.shared.limits.prefetch;
        let consumer = consuming.consumer(self.queues, prefetch).await?;
        Ok(Session {
            consuming,
            publishing,
            consumer,
            publisher,
        })
    }

    /// Gives back what was not begun and says goodbye. A broker that is gone needs no goodbye.
    async fn close(&self, mut session: Session) {
        let goodbye = async {
            session.consumer.cancel().await?;
            session.consuming.close().await?;
            session.publishing.close().await?;
            anyhow::Ok(())
        };
        match timeout(Duration::from_secs(3), goodbye).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(error = %chain(error.as_ref()), "the broker was gone already");
            }
            Err(_) => tracing::debug!("the broker did not answer the goodbye"),
        }
    }

    async fn work(&self, session: &mut Session) -> Trouble {
        loop {
            let taken = tokio::select! {
                biased;
                () = self.shared.stop.cancelled() => return Trouble::Stopped,
                taken = self.take(&mut session.consumer) => taken,
            };
            let taken = match taken {
                Ok(taken) => taken,
                Err(error) => return Trouble::Again(error.into()),
            };
            for run in runs(&taken) {
                if let Err(trouble) = self.batch(session, run).await {
                    return trouble;
                }
            }
        }
    }

    /// What is there already, and what comes within the linger. Safe to drop while it waits.
    async fn take(&self, consumer: &mut Consumer) -> Result<Vec<Delivery>, broker::ConsumeError> {
        let limits = &self.shared.limits;
        let max = limits.messages_max.max(1);
        let live = self.queues.contains(&Queue::Raw);
        let _waiting = live.then(|| self.shared.traffic.waiting(now()));
        // One call, so that nothing is handed out before the batch is complete.
        consumer
            .next_batch(max, limits.bytes_max, limits.linger)
            .await
    }

    async fn batch(&self, session: &mut Session, taken: &[Delivery]) -> Result<(), Trouble> {
        let Some(last) = taken.last() else {
            return Ok(());
        };
        let begun = Instant::now();
        let mut messages: Vec<Message> = taken.iter().map(read).collect();
        acquit(&self.shared.store, &mut messages)
            .await
            .map_err(|error| Trouble::store(error, "cannot look up messages that came back"))?;
        let (mut plan, looked) = tokio::task::block_in_place(|| {
            let mut plan = plan(&messages, &self.shared.mappings.current(), &is_plausible);
            if let Some(secret) = &self.shared.customer_secret {
                plan.key_customers(secret);
            }
            let looked = self.shared.recent.look(&plan);
            if let Some(keys) = &self.shared.raw_keys {
                plan.seal(keys, &looked.known)?;
            }
            Ok::<_, SealError>((plan, looked))
        })
        .context("cannot seal raw bytes")
        .map_err(Trouble::Fatal)?;
        let applied = self.store(&messages, &plan, &looked.known).await?;
        self.count(&applied, &looked.known);
        self.shared.traffic.logged(&plan, &applied.logged);
        if self.queues.contains(&Queue::Raw) {
            self.shared.traffic.heard(&messages);
        } else {
            self.shared.traffic.heard_aside(&messages);
        }
        let correlation = plan
            .origins
            .first()
            .map(|origin| origin.delivery.correlation.clone());
        self.tell_quarantined(&plan, &applied);
        plan.forget_customers(&applied.erased);
        let outgoing = facts::messages(plan, &applied.publish)
            .context("cannot encode facts")
            .map_err(Trouble::Fatal)?;
        self.publish(&session.publisher, outgoing).await?;
        self.shared.recent.learn(&looked, &applied.logged);
        session
            .consumer
            .ack_through(last.tag)
            .await
            .map_err(|error| Trouble::Again(error.into()))?;
        let elapsed = begun.elapsed();
        self.handles.batch.observe(elapsed.as_secs_f64());
        let tally = applied.tally;
        tracing::info!(
            lane = self.lane,
            messages = messages.len(),
            repeated = applied.repeated,
            received = tally.received,
            logged = tally.logged,
            revisions = tally.revisions,
            duplicates = tally.duplicates,
            quarantined = tally.quarantined,
            ignored = tally.ignored,
            duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            correlation = correlation.as_ref().map(schema::CorrelationId::as_str),
            "normalised a batch"
        );
        Ok(())
    }

    /// Publishes, tried again while that may help. What the broker will never take goes to quarantine.
    async fn publish(&self, publisher: &Publisher, outgoing: Vec<Outgoing>) -> Result<(), Trouble> {
        let Shared { limits, stop, .. } = &self.shared;
        let rejected = publish(publisher, outgoing, limits.hold_max, self.lane, stop)
            .await
            .map_err(|error| match error {
                Unpublished::Failed(error) => {
                    Trouble::Again(anyhow::Error::new(error).context("cannot publish facts"))
                }
                Unpublished::Stopped => Trouble::Stopped,
            })?;
        if rejected.is_empty() {
            return Ok(());
        }
        hold(&self.shared.store, &rejected, now())
            .await
            .map_err(|error| Trouble::store(error, "cannot hold facts that the broker refuses"))?;
        let stage = Stage::Publish.as_str();
        tracing::error!(
            lane = self.lane,
            count = rejected.len(),
            stage,
            error = rejected.first().map(|(_, error)| chain(error)),
            "messages of facts went to quarantine"
        );
        self.shared
            .metrics
            .counter(Counter::Quarantine, &[("stage", stage)])
            .inc_by(rejected.len() as u64);
        Ok(())
    }

    /// The transaction, tried again while that may help.
    async fn store(
        &self,
        messages: &[Message],
        plan: &Plan<'_>,
        known: &[Known],
    ) -> Result<Applied, Trouble> {
        let begun = Instant::now();
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let mut care = Care::Bold;
        loop {
            let error = match self.attempt(messages, plan, known, care).await {
                Ok(applied) => return Ok(applied),
                Err(error) => error,
            };
            let class = error.class();
            self.shared
                .metrics
                .counter(Counter::StoreRetry, &[("class", word(class))])
                .inc();
            match class {
                Class::Rejected if care == Care::Bold => {
                    tracing::warn!(lane = self.lane, error = %chain(&error), "the store refused a batch; looking for the bad item");
                    care = Care::Careful;
                }
                Class::Rejected | Class::Fatal => {
                    return Err(Trouble::store(error, "the store refused a batch"));
                }
                Class::Transient | Class::Saturated => {
                    if error.is_missing_partition() {
                        self.shared.partitions.forget();
                    }
                    if begun.elapsed() > self.shared.limits.hold_max {
                        return Err(Trouble::store(error, "the store does not answer"));
                    }
                    tracing::warn!(lane = self.lane, error = %chain(&error), "could not store a batch; trying again");
                    if !backoff.pause(&self.shared.stop).await {
                        return Err(Trouble::Stopped);
                    }
                }
            }
        }
    }

    async fn attempt(
        &self,
        messages: &[Message],
        plan: &Plan<'_>,
        known: &[Known],
        care: Care,
    ) -> Result<Applied, StoreError> {
        let asked = plan.items.iter().zip(known);
        let instants = asked
            .filter(|(_, known)| **known != Known::Copy)
            .map(|(item, _)| item.mapped.at);
        self.shared
            .partitions
            .ensure(Table::EventLog, instants)
            .await?;
        apply(&self.shared.store, messages, plan, known, care).await
    }

    fn count(&self, applied: &Applied, known: &[Known]) {
        let add = |counter: &CounterHandle, count: i64| {
            counter.inc_by(u64::try_from(count).unwrap_or(0));
        };
        add(&self.handles.logged, applied.tally.logged);
        add(&self.handles.duplicate, applied.tally.duplicates);
        add(&self.handles.revised, applied.tally.revisions);
        let spared = known.iter().filter(|known| **known == Known::Copy).count();
        self.handles.spared.inc_by(spared as u64);
        let remembered = self.shared.recent.events_known();
        self.handles
            .remembered
            .set(i64::try_from(remembered).unwrap_or(i64::MAX));
        add(&self.handles.quarantined, applied.tally.quarantined);
        add(&self.handles.ignored, applied.tally.ignored);
        for stage in &applied.quarantined {
            self.shared
                .metrics
                .counter(Counter::Quarantine, &[("stage", stage.as_str())])
                .inc();
        }
    }

    /// One line a batch with quarantined items, with the first of them. Never its value: that may be personal.
    fn tell_quarantined(&self, plan: &Plan<'_>, applied: &Applied) {
        if applied.quarantined.is_empty() {
            return;
        }
        let first = plan.refused.first();
        let origin = first.and_then(|bad| plan.origins.get(bad.origin));
        tracing::warn!(
            lane = self.lane,
            count = applied.quarantined.len(),
            subscription = origin.map(|origin| origin.delivery.subscription.as_str()),
            correlation = origin.map(|origin| origin.delivery.correlation.as_str()),
            stage = first.map(|bad| bad.stage.as_str()),
            field = first
                .and_then(|bad| bad.field.as_ref())
                .map(|field| field.0.as_str()),
            "items went to quarantine"
        );
    }
}

impl Trouble {
    fn store(error: StoreError, what: &'static str) -> Self {
        match error.class() {
            Class::Transient | Class::Saturated => {
                Self::Again(anyhow::Error::new(error).context(what))
            }
            Class::Rejected | Class::Fatal => Self::Fatal(anyhow::Error::new(error).context(what)),
        }
    }
}

fn word(class: Class) -> &'static str {
    match class {
        Class::Transient => "transient",
        Class::Saturated => "saturated",
        Class::Rejected => "rejected",
        Class::Fatal => "fatal",
    }
}

/// Cuts a batch so that messages that keep coming back stand alone.
fn runs(taken: &[Delivery]) -> impl Iterator<Item = &[Delivery]> {
    let suspect = |delivery: &Delivery| delivery.delivery_count.unwrap_or(0) >= RETURNS_ALONE;
    taken.chunk_by(move |before, after| !suspect(before) && !suspect(after))
}
