//! The loop of one worker: take a batch, apply it in one transaction, acknowledge. One worker, one channel, one batch in hand.
//!
//! What a crash leaves behind: before the commit nothing, after it an unacknowledged batch that comes again and changes nothing.

use crate::apply::Applied;
use crate::batch::Batch;
use crate::plan::Plan;
use crate::quarantine;
use crate::shared::{Interrupted, Shared};
use broker::{Broker, ConsumeError, Consumer, Delivery, Queue, Tag};
use runtime::{Backoff, chain};
use schema::{EventsMessage, MessageId};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// A message that came back this often is worked on alone: whatever it does to the process, it does with nothing else in hand.
const ALONE_AFTER: u64 = 5;
/// A message that came back this often ends the process or its connection again and again: it goes to quarantine whole. The store
/// being away does not count up to it, because nothing is taken while it is.
const RETURNS_MAX: u64 = 50;

/// Whose turn it is when both lanes have work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Facts as they happen.
    Live,
    /// Facts of backfill jobs; waits while live has a backlog.
    History,
}

impl Lane {
    const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::History => "history",
        }
    }

    const fn queues(self) -> &'static [Queue] {
        match self {
            Self::Live => &[Queue::EventsTerminal, Queue::EventsProgress],
            Self::History => &[Queue::EventsHistory],
        }
    }
}

/// Consumes one lane until told to stop; a lost connection is opened again.
pub async fn run(shared: Shared, lane: Lane, component: &'static str) -> anyhow::Result<()> {
    let mut backoff = Backoff::for_connections();
    while !shared.stop.is_cancelled() {
        match session(&shared, lane, component, &mut backoff).await {
            Ok(()) => break,
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

/// One connection's life. `Ok` when asked to stop.
async fn session(
    shared: &Shared,
    lane: Lane,
    component: &'static str,
    backoff: &mut Backoff,
) -> anyhow::Result<()> {
    if !shared.wait_for_store().await {
        return Ok(());
    }
    let broker = Broker::connect(&shared.broker).await?;
    broker.declare().await?;
    let mut consumer = broker.consumer(lane.queues(), shared.prefetch).await?;
    shared.health.set_ready(component, true);
    let mut batch = Batch::new(shared.limits);
    let mut suspect = None;
    let ended = loop {
        if lane == Lane::History && !shared.pressure.wait_for_turn(&shared.stop).await {
            break Ok(());
        }
        if let Err(error) = take(&mut consumer, &mut batch, &mut suspect, &shared.stop).await {
            break Err(error.into());
        }
        let taken = batch.take();
        if taken.is_empty() {
            break Ok(()); // Only a stop ends the wait for a first delivery.
        }
        match work(shared, lane, taken).await {
            Ok(tag) => {
                if let Err(error) = consumer.ack_through(tag).await {
                    break Err(error.into());
                }
                backoff.reset();
            }
            // The deliveries go back to their queues when the connection closes.
            Err(Interrupted::Stopped) => break Ok(()),
            Err(interrupted) => break Err(interrupted.into()),
        }
    };
    // Closing returns what was taken and not acknowledged; it must not hide why the session ended.
    if let Err(error) = broker.close().await {
        tracing::debug!(error = %chain(&error), "the connection did not close well");
    }
    ended
}

/// Fills the batch: waits for a first delivery, then takes what comes until it is full or due.
async fn take(
    consumer: &mut Consumer,
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
            delivery = consumer.next() => delivery?,
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
        if batch.is_full() || alone {
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

/// Applies one batch, whatever it takes, and gives the tag to acknowledge through.
async fn work(shared: &Shared, lane: Lane, taken: Vec<Taken>) -> Result<Tag, Interrupted> {
    let began = Instant::now();
    let last = taken
        .iter()
        .map(|taken| taken.delivery.tag)
        .max()
        .ok_or(Interrupted::Stopped)?;
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
    if facts >= shared.limits.events_max && lane == Lane::Live {
        shared.pressure.live_batch_was_full();
    }
    let applied = apply_all(shared, plan).await?;
    let meters = &shared.meters;
    if let Some(active) = shared.applier.catalogue().known() {
        meters
            .unreadable
            .set(i64::try_from(active.unreadable.len()).unwrap_or(i64::MAX));
    }
    meters.events.inc_by(facts as u64);
    meters.sessions.inc_by(applied.sessions);
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
        duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "batch applied"
    );
    Ok(last)
}

/// Applies a plan; halves it while it is refused, until what is refused stands alone and goes to quarantine.
async fn apply_all(shared: &Shared, plan: Plan) -> Result<Applied, Interrupted> {
    let mut sum = Applied::default();
    let mut todo = vec![plan];
    while let Some(plan) = todo.pop() {
        if plan.is_empty() {
            continue;
        }
        match shared.patiently(|| shared.applier.apply(&plan)).await? {
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
