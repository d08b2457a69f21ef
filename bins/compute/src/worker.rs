//! The loop of one worker: take a batch, apply it in one transaction, acknowledge. One worker, one channel, one batch in hand.
//!
//! What a crash leaves behind: before the commit nothing, after it an unacknowledged batch that comes again and changes nothing.

use crate::apply::Applied;
use crate::batch::Batch;
use crate::intake::{Intake, Through, Turn};
use crate::plan::Plan;
use crate::quarantine;
use crate::shared::{Interrupted, Shared};
use broker::{Broker, ConsumeError, Delivery, Queue};
use runtime::{Backoff, chain};
use schema::{EventsMessage, MessageId};
use std::time::{Duration, Instant};
use store::storm::Mode;
use store::sync;
use tokio_util::sync::CancellationToken;

/// A message that came back this often is worked on alone: whatever it does to the process, it does with nothing else in hand.
const ALONE_AFTER: u64 = 5;
/// A message that came back this often ends the process or its connection again and again: it goes to quarantine whole. The store
/// being away does not count up to it, because nothing is taken while it is.
const RETURNS_MAX: u64 = 50;

/// In a storm the history lane takes one message in this time: jobs are held up, and not for ever. What a worker holds meanwhile is that one
/// message, so that the broker need not take any back.
const HISTORY_EVERY: Duration = Duration::from_secs(60);

/// Whose turn it is when both lanes have work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Facts as they happen.
    Live,
    /// Facts of backfill jobs; waits while live has a backlog.
    History,
}

impl Lane {
    /// In the words of the queue of deliveries.
    const fn of_deliveries(self) -> sync::Lane {
        match self {
            Self::Live => sync::Lane::Live,
            Self::History => sync::Lane::History,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::History => "history",
        }
    }

    /// Messages to take ahead.
    const fn prefetch(self, in_calm: u16, mode: Mode) -> u16 {
        match (self, mode) {
            (Self::History, Mode::Storm) => 1,
            _ => in_calm,
        }
    }

    /// The one that goes first in a storm, and the one that can wait.
    pub(crate) const fn queues(self) -> (Queue, Option<Queue>) {
        match self {
            Self::Live => (Queue::EventsTerminal, Some(Queue::EventsProgress)),
            Self::History => (Queue::EventsHistory, None),
        }
    }
}

/// Why a connection's life ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Asked to stop.
    Stopped,
    /// The storm began or is over: another one takes as that wants it.
    Weather,
}

/// Consumes one lane until told to stop; a lost connection is opened again.
pub async fn run(shared: Shared, lane: Lane, component: &'static str) -> anyhow::Result<()> {
    let mut backoff = Backoff::for_connections();
    while !shared.stop.is_cancelled() {
        match session(&shared, lane, component, &mut backoff).await {
            Ok(Ended::Stopped) => break,
            Ok(Ended::Weather) => {}
            Err(error) => {
                shared.health.set_ready(component, false);
                if let Some(Interrupted::Fatal(_)) = error.downcast_ref() {
                    return Err(error);
                }
                shared.meters.reconnects.inc();
                tracing::warn!(error = %chain(error.as_ref()), lane = lane.name(), "the consumer ended; opening it again");
                backoff.pause(&shared.stop).await;
            }
        }
    }
    Ok(())
}

/// One connection's life.
async fn session(
    shared: &Shared,
    lane: Lane,
    component: &'static str,
    backoff: &mut Backoff,
) -> anyhow::Result<Ended> {
    if !shared.wait_for_store().await {
        return Ok(Ended::Stopped);
    }
    let broker = Broker::connect(&shared.broker).await?;
    broker.declare().await?;
    let began = shared.applier.storm().mode();
    let prefetch = lane.prefetch(shared.prefetch, began);
    let mut intake = Intake::open(&broker, lane, prefetch, shared.limits.linger).await?;
    shared.health.set_ready(component, true);
    let mut batch = Batch::new(shared.limits);
    let mut suspect = None;
    let ended = loop {
        let changed = || shared.applier.storm().mode() != began;
        if lane == Lane::History {
            // Before it waits, so that what it has taken ahead does not wait with it.
            if !changed() && !history_waits(shared).await {
                break Ok(Ended::Stopped);
            }
            if changed() {
                break Ok(Ended::Weather);
            }
        }
        let mut turn = intake.turn(shared.applier.storm().is_on());
        let stop = &shared.stop;
        if let Err(error) = take(&mut intake, &mut turn, &mut batch, &mut suspect, stop).await {
            break Err(error.into());
        }
        let taken = batch.take();
        if taken.is_empty() {
            break Ok(Ended::Stopped); // Only a stop ends the wait for a first delivery.
        }
        match work(shared, lane, taken).await {
            Ok(through) => {
                if let Err(error) = intake.ack_through(through).await {
                    break Err(error.into());
                }
                backoff.reset();
            }
            // The deliveries go back to their queues when the connection closes.
            Err(Interrupted::Stopped) => break Ok(Ended::Stopped),
            Err(interrupted) => break Err(interrupted.into()),
        }
    };
    // Closing returns what was taken and not acknowledged; it must not hide why the session ended.
    if let Err(error) = broker.close().await {
        tracing::debug!(error = %chain(&error), "the connection did not close well");
    }
    ended
}

/// Waits for the turn of history: while live has a backlog, and longer in a storm. False when asked to stop.
async fn history_waits(shared: &Shared) -> bool {
    let storm = shared.applier.storm();
    storm.wait_for_calm(HISTORY_EVERY, &shared.stop).await
        && shared.pressure.wait_for_turn(&shared.stop).await
}

/// Fills the batch: waits for a first delivery, then takes what comes until it is full or due.
async fn take(
    intake: &mut Intake,
    turn: &mut Turn,
    batch: &mut Batch<Taken>,
    suspect: &mut Option<Taken>,
    stop: &CancellationToken,
) -> Result<(), ConsumeError> {
    if let Some(alone) = suspect.take() {
        let events = alone.events();
        batch.push(alone, events, Instant::now());
        return Ok(());
    }
    loop {
        let due = batch.due_at();
        let delivery = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            delivery = intake.next(turn) => delivery?,
            () = sleep_until(due) => return Ok(()),
        };
        let alone = delivery.delivery_count >= Some(ALONE_AFTER);
        let taken = Taken::of(delivery);
        if alone && batch.events() > 0 {
            *suspect = Some(taken);
            return Ok(());
        }
        let events = taken.events();
        batch.push(taken, events, Instant::now());
        if batch.is_full() || alone || intake.is_exhausted(*turn) {
            return Ok(());
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// A delivery and what it was decoded to.
struct Taken {
    delivery: Delivery,
    message: Result<EventsMessage, schema::MessageError>,
}

impl Taken {
    fn of(delivery: Delivery) -> Self {
        let message = EventsMessage::decode(&delivery.body);
        Self { delivery, message }
    }

    fn events(&self) -> usize {
        self.message
            .as_ref()
            .map_or(1, |message| message.events.len() + message.agents.len())
    }
}

/// Applies one batch, whatever it takes, and gives what to acknowledge through.
async fn work(shared: &Shared, lane: Lane, taken: Vec<Taken>) -> Result<Through, Interrupted> {
    let began = Instant::now();
    let last = Through::of(taken.iter().map(|taken| &taken.delivery));
    let messages = taken.len();
    let mut correlation: Option<String> = None;
    let mut oldest: Option<MessageId> = None;
    let mut readable = Vec::with_capacity(taken.len());
    for Taken { delivery, message } in taken {
        if delivery.delivery_count >= Some(RETURNS_MAX) {
            let reason = format!("came back {RETURNS_MAX} times without being finished");
            quarantine::put_message(shared, &delivery, &reason).await?;
            continue;
        }
        match message {
            Ok(message) => {
                oldest = oldest.into_iter().chain([message.id]).min();
                correlation.get_or_insert_with(|| message.correlation.as_str().to_owned());
                readable.push(message);
            }
            Err(reason) => {
                quarantine::put_message(shared, &delivery, &chain(&reason)).await?;
            }
        }
    }
    let plan = Plan::of(readable);
    let facts = plan.facts();
    if lane == Lane::Live {
        if facts >= shared.limits.events_max {
            shared.pressure.live_batch_was_full();
        }
        let waited = oldest.and_then(age_seconds);
        let waited = waited.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        shared.seen.batch(messages, facts, waited);
    }
    let applied = apply_all(shared, lane, plan).await?;
    let meters = &shared.meters;
    if let Some(active) = shared.applier.catalogue().known() {
        meters
            .unreadable
            .set(i64::try_from(active.unreadable.len()).unwrap_or(i64::MAX));
    }
    meters.events.inc_by(facts as u64);
    meters.sessions.inc_by(applied.sessions);
    meters.deferred.inc_by(applied.deferred);
    meters.written.inc_by(applied.written);
    meters
        .unchanged
        .inc_by(applied.evaluated.saturating_sub(applied.written));
    meters
        .batch_events
        .observe(f64::from(u32::try_from(facts).unwrap_or(u32::MAX)));
    meters.batch_seconds.observe(began.elapsed().as_secs_f64());
    // A replay's message ids are made of its cursor and carry no instant.
    if lane == Lane::Live
        && let Some(seconds) = oldest.and_then(age_seconds)
    {
        meters.lag_seconds.observe(seconds);
    }
    if applied.queued > 0 {
        shared.waker.wake(applied.queued);
    }
    tracing::info!(
        correlation_id = correlation,
        lane = lane.name(),
        facts,
        sessions = applied.sessions,
        metrics_written = applied.written,
        queued = applied.queued,
        deferred = applied.deferred,
        duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "batch applied"
    );
    Ok(last)
}

/// Applies a plan; halves it while it is refused, until what is refused stands alone and goes to quarantine.
async fn apply_all(shared: &Shared, lane: Lane, plan: Plan) -> Result<Applied, Interrupted> {
    let caused = lane.of_deliveries();
    let mut sum = Applied::default();
    let mut todo = vec![plan];
    while let Some(plan) = todo.pop() {
        if plan.is_empty() {
            continue;
        }
        match shared
            .patiently(|| shared.applier.apply_for(&plan, caused))
            .await?
        {
            Ok(applied) => sum.add(applied),
            Err(refused) => match plan.halve() {
                Ok((first, second)) => todo.extend([second, first]),
                Err(alone) => quarantine::put_fact(shared, &alone, &refused).await?,
            },
        }
    }
    Ok(sum)
}

/// How long ago normalise published this message: its id carries the instant.
fn age_seconds(id: MessageId) -> Option<f64> {
    let (seconds, nanos) = id.0.get_timestamp()?.to_unix();
    let published = std::time::UNIX_EPOCH + Duration::new(seconds, nanos);
    std::time::SystemTime::now()
        .duration_since(published)
        .ok()
        .map(|age| age.as_secs_f64())
}
