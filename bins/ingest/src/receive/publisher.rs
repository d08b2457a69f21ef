//! Empties the inbox into the broker: one task owns the connection, packs what waits into messages, and answers for each.
//!
//! There is no timer. While the allowed number of messages is on its way, deliveries pile up; when a confirm comes back, what has
//! piled up goes out as one message. So a lone delivery goes out at once, and under load messages grow by themselves.
//! Without a broker the inbox is still emptied, with refusals: nobody waits for a reconnect.

use super::Limits;
use super::decision::Unavailable;
use super::handler::Waiting;
use super::lanes::Lanes;
use broker::{Broker, BrokerConfig, Outgoing, PublishError, Publisher, Queue};
use runtime::metrics::{Counter, CounterHandle, Gauge, GaugeHandle, Histogram, HistogramHandle};
use runtime::{Backoff, Health, Metrics, chain};
use schema::{ENVELOPE_VERSION, MessageId, RawMessage};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// The readiness component that stands while there is a broker connection.
pub const COMPONENT: &str = "receive.broker";

/// How often the connection is looked at while nothing is published.
const WATCH: Duration = Duration::from_millis(500);
/// Failed messages of one kind are logged at most this often.
const COMPLAIN: Duration = Duration::from_secs(5);

/// The task that publishes deliveries.
#[derive(Debug)]
pub struct Publishing {
    config: BrokerConfig,
    limits: Limits,
    inbox: mpsc::Receiver<Waiting>,
    waiting: Lanes<Waiting>,
    health: Health,
    metrics: PublishMetrics,
    complained: Option<Instant>,
}

#[derive(Debug, Clone)]
struct PublishMetrics {
    batch: HistogramHandle,
    reconnects: CounterHandle,
    blocked: GaugeHandle,
}

/// Why a session with the broker ended.
enum Ended {
    /// Every sender into the inbox is gone and everything is flushed.
    Flushed,
    /// The connection is of no use any more.
    Lost,
}

/// What became of one message.
struct Flight {
    /// The error, where it failed.
    error: Option<PublishError>,
}

impl Publishing {
    /// A publisher for this inbox.
    pub fn new(
        config: BrokerConfig,
        limits: Limits,
        inbox: mpsc::Receiver<Waiting>,
        health: Health,
        metrics: &Metrics,
    ) -> Self {
        Self {
            config,
            limits,
            inbox,
            waiting: Lanes::default(),
            health,
            metrics: PublishMetrics {
                batch: metrics.histogram(Histogram::IngestPublishBatch, &[]),
                reconnects: metrics.counter(Counter::BrokerReconnects, &[]),
                blocked: metrics.gauge(Gauge::BrokerBlocked, &[]),
            },
            complained: None,
        }
    }

    /// Runs until the inbox is closed and everything in it has been answered.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));
        let mut first = true;
        loop {
            let Some((broker, publisher)) = self.connect(&mut backoff).await else {
                return Ok(());
            };
            if !std::mem::take(&mut first) {
                self.metrics.reconnects.inc();
            }
            backoff.reset();
            self.health.set_ready(COMPONENT, true);
            tracing::info!("connected to the broker for publishing");
            let ended = self.session(&broker, &publisher).await;
            self.metrics.blocked.set(0);
            match ended {
                Ended::Flushed => {
                    close(broker).await;
                    return Ok(());
                }
                Ended::Lost => {
                    // Nobody waits for the goodbye to a connection that may not answer.
                    tokio::spawn(close(broker));
                    self.health.set_ready(COMPONENT, false);
                    tracing::warn!(
                        "lost the broker connection for publishing; deliveries are answered 503"
                    );
                }
            }
        }
    }

    /// Connects, however long it takes, and refuses what arrives meanwhile. `None` when the inbox is closed.
    async fn connect(&mut self, backoff: &mut Backoff) -> Option<(Broker, Publisher)> {
        loop {
            let config = self.config.clone();
            let mut attempt = std::pin::pin!(async move {
                let broker = Broker::connect(&config).await?;
                broker.declare().await?;
                let publisher = broker.publisher().await?;
                Ok::<_, broker::BrokerError>((broker, publisher))
            });
            let outcome = loop {
                tokio::select! {
                    outcome = &mut attempt => break outcome,
                    waiting = self.inbox.recv() => refuse(waiting?, Unavailable::BrokerGone),
                }
            };
            match outcome {
                Ok(session) => return Some(session),
                Err(error) => {
                    let delay = backoff.next_delay();
                    tracing::warn!(
                        error = %chain(&error),
                        again_in_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
                        "cannot reach the broker"
                    );
                    let mut pause = std::pin::pin!(tokio::time::sleep(delay));
                    loop {
                        tokio::select! {
                            () = &mut pause => break,
                            waiting = self.inbox.recv() => refuse(waiting?, Unavailable::BrokerGone),
                        }
                    }
                }
            }
        }
    }

    /// Publishes until the connection is lost or the inbox is closed and flushed.
    async fn session(&mut self, broker: &Broker, publisher: &Publisher) -> Ended {
        let mut flights: JoinSet<Flight> = JoinSet::new();
        let mut arrivals = Vec::new();
        let mut watch = interval(WATCH);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lost = false;
        let mut closed = false;
        loop {
            while !lost && !self.waiting.is_empty() && flights.len() < self.limits.in_flight_max {
                if broker.is_blocked() {
                    self.refuse_waiting(Unavailable::BrokerBlocked);
                    break;
                }
                let (queue, taken) = self
                    .waiting
                    .next(self.limits.batch_max, self.limits.batch_bytes_max);
                let (publisher, size) = (publisher.clone(), self.metrics.batch.clone());
                flights.spawn(fly(publisher, queue, taken, size));
            }
            if lost {
                self.refuse_waiting(Unavailable::BrokerGone);
            }
            if flights.is_empty() && (lost || (closed && self.waiting.is_empty())) {
                return if lost { Ended::Lost } else { Ended::Flushed };
            }
            // Beyond one message's worth, deliveries stay in the inbox, whose bound answers 503 for us.
            let room = self.limits.batch_max.saturating_sub(self.waiting.len());
            tokio::select! {
                biased;
                Some(landed) = flights.join_next(), if !flights.is_empty() => {
                    // A flight that panicked dropped its replies: those senders are answered 503.
                    let error = landed.map_or(None, |flight| flight.error);
                    if let Some(error) = error {
                        self.complain(&error);
                        lost |= ends_session(&error);
                    }
                }
                count = self.inbox.recv_many(&mut arrivals, room), if !closed && room > 0 => {
                    closed = count == 0;
                    for waiting in arrivals.drain(..) {
                        self.waiting.push(waiting);
                    }
                    // Whoever is ready to run now has a chance to join before the message is packed.
                    if !closed && self.waiting.len() < self.limits.batch_max {
                        tokio::task::yield_now().await;
                        while self.waiting.len() < self.limits.batch_max {
                            match self.inbox.try_recv() {
                                Ok(waiting) => self.waiting.push(waiting),
                                Err(_) => break,
                            }
                        }
                    }
                }
                _ = watch.tick() => {
                    lost |= !broker.is_connected();
                    self.metrics.blocked.set(i64::from(broker.is_blocked()));
                    if broker.is_blocked() {
                        self.refuse_waiting(Unavailable::BrokerBlocked);
                    }
                }
            }
        }
    }

    fn refuse_waiting(&mut self, reason: Unavailable) {
        for waiting in self.waiting.drain() {
            refuse(waiting, reason);
        }
    }

    fn complain(&mut self, error: &PublishError) {
        let now = Instant::now();
        if self
            .complained
            .is_none_or(|before| now.duration_since(before) >= COMPLAIN)
        {
            self.complained = Some(now);
            tracing::warn!(error = %chain(error), "the broker did not take a message; its deliveries are answered 503");
        }
    }
}

/// A close that fails was no connection any more.
async fn close(broker: Broker) {
    if let Err(error) = broker.close().await {
        tracing::debug!(error = %chain(&error), "could not close the broker connection");
    }
}

/// Publishes one message and tells every delivery in it what became of it.
async fn fly(
    publisher: Publisher,
    queue: Queue,
    taken: Vec<Waiting>,
    size: HistogramHandle,
) -> Flight {
    #[allow(clippy::cast_precision_loss)] // a count of at most thousands
    size.observe(taken.len() as f64);
    let id = MessageId::generate();
    let mut replies = Vec::with_capacity(taken.len());
    let mut deliveries = Vec::with_capacity(taken.len());
    for waiting in taken {
        deliveries.push(waiting.delivery);
        replies.push((waiting.reply, waiting.hold, waiting.seat));
    }
    let correlation = deliveries
        .first()
        .map(|delivery| delivery.correlation.as_str().to_owned())
        .unwrap_or_default();
    let message = RawMessage {
        v: ENVELOPE_VERSION,
        id,
        deliveries,
    };
    let (fate, error) = match message.encode() {
        Ok(body) => {
            drop(message);
            let outgoing = Outgoing {
                queue,
                body,
                message_id: id.0,
                correlation,
            };
            match publisher.publish(outgoing).await {
                Ok(()) => (Ok(()), None),
                Err(error) => (Err(unavailable(&error)), Some(error)),
            }
        }
        Err(error) => {
            tracing::error!(error = %chain(&error), "could not encode a message");
            (Err(Unavailable::BrokerRefused), None)
        }
    };
    for (reply, hold, seat) in replies {
        drop((hold, seat)); // before the sender may send the next
        answer(reply, fate);
    }
    Flight { error }
}

/// A sender that has gone away needs no answer.
fn answer(reply: oneshot::Sender<Result<(), Unavailable>>, fate: Result<(), Unavailable>) {
    if reply.send(fate).is_err() {
        tracing::trace!("a sender went away before its answer");
    }
}

fn refuse(waiting: Waiting, reason: Unavailable) {
    drop((waiting.hold, waiting.seat)); // before the sender may send the next
    answer(waiting.reply, Err(reason));
}

/// What a failed publish means for the sender.
fn unavailable(error: &PublishError) -> Unavailable {
    match error {
        PublishError::Returned { .. }
        | PublishError::Nacked { .. }
        | PublishError::TooLarge { .. } => Unavailable::BrokerRefused,
        PublishError::TimedOut { .. } => Unavailable::NotConfirmed,
        PublishError::Blocked => Unavailable::BrokerBlocked,
        PublishError::NotConfirming | PublishError::Connection { .. } => Unavailable::BrokerGone,
    }
}

/// A refusal leaves the connection good; a missing confirm or a missing queue asks for a new one (which declares the queues).
fn ends_session(error: &PublishError) -> bool {
    match error {
        PublishError::Nacked { .. } | PublishError::Blocked | PublishError::TooLarge { .. } => {
            false
        }
        PublishError::Returned { .. }
        | PublishError::TimedOut { .. }
        | PublishError::NotConfirming
        | PublishError::Connection { .. } => true,
    }
}
