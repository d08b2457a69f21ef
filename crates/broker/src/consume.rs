//! Consuming: several queues on one channel, in the order of their tags, acknowledged by hand.

use crate::connection::{Shared, close_in_background};
use crate::error::{BrokerError, ConsumeError};
use crate::queue::Queue;
use bytes::Bytes;
use futures_util::Stream as _;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use uuid::Uuid;

/// Tells the consumers of one process apart.
static CONSUMERS: AtomicU64 = AtomicU64::new(1);

/// Names one delivery of one consumer. Later deliveries have greater tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    consumer: u64,
    number: u64,
}

/// One message, handed out and not yet acknowledged.
#[derive(Clone)]
pub struct Delivery {
    /// Where from.
    pub queue: Queue,
    /// For the acknowledgement.
    pub tag: Tag,
    /// True when the broker handed it out before, to anybody.
    pub redelivered: bool,
    /// The body.
    pub body: Bytes,
    /// The message's id, if it was published with one.
    pub message_id: Option<Uuid>,
    /// Ties log lines together.
    pub correlation: Option<String>,
    /// How often it came back before, as quorum queues count it; absent at the first time.
    pub delivery_count: Option<u64>,
}

/// Without the body, which may be personal data.
impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("queue", &self.queue)
            .field("tag", &self.tag)
            .field("redelivered", &self.redelivered)
            .field("body_bytes", &self.body.len())
            .field("message_id", &self.message_id)
            .field("correlation", &self.correlation)
            .field("delivery_count", &self.delivery_count)
            .finish()
    }
}

/// A consumer. Dropping it closes its channel: what was not acknowledged goes back to the queues.
///
/// The broker closes the channel when a delivery stays unacknowledged for half an hour (its `consumer_timeout`), those included that wait
/// here behind a slow batch. Long waits must not hold deliveries: close the consumer and open another.
pub struct Consumer {
    shared: Arc<Shared>,
    channel: Channel,
    id: u64,
    streams: Vec<Source>,
    /// Arrived, but a delivery with a smaller tag is still on its way through the library.
    waiting: BTreeMap<u64, Delivery>,
    /// The tag that is handed out next. Tags of a channel have no gaps.
    next: u64,
    /// Handed out and not acknowledged.
    outstanding: BTreeSet<u64>,
    stopped: bool,
}

/// Deliveries without a gap, from the next tag on.
#[derive(Default)]
struct Run {
    count: usize,
    bytes: usize,
}

struct Source {
    queue: Queue,
    stream: lapin::Consumer,
}

impl Consumer {
    pub(crate) async fn open(
        shared: Arc<Shared>,
        queues: &[Queue],
        prefetch: u16,
    ) -> Result<Self, BrokerError> {
        let channel = shared.channel().await?;
        // Zero would be no bound at all.
        let qos = channel.basic_qos(prefetch.max(1), BasicQosOptions { global: false });
        shared.within("setting the prefetch", qos).await?;
        let mut streams = Vec::with_capacity(queues.len());
        for queue in queues {
            let options = BasicConsumeOptions {
                no_local: false,
                no_ack: false,
                exclusive: false,
                nowait: false,
            };
            let name = shared.queue_name(*queue)?;
            let tag = ShortString::default();
            let consume = channel.basic_consume(name, tag, options, FieldTable::default());
            let stream = shared.within("starting a consumer", consume).await?;
            streams.push(Source {
                queue: *queue,
                stream,
            });
        }
        Ok(Self {
            shared,
            channel,
            id: CONSUMERS.fetch_add(1, Ordering::Relaxed),
            streams,
            waiting: BTreeMap::new(),
            next: 1,
            outstanding: BTreeSet::new(),
            stopped: false,
        })
    }

    /// The next delivery, in the order of tags.
    ///
    /// Waits as long as it takes, and fails when the channel, the connection or one of the consumers is gone; a silent peer is
    /// noticed after two heartbeats. After a failure nothing more can be acknowledged: drop the consumer. May be
    /// dropped and called again without losing anything.
    pub async fn next(&mut self) -> Result<Delivery, ConsumeError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// A batch: waits for one delivery, then takes what comes within `linger`, up to `max` deliveries or `max_bytes` of bodies
    /// (the one that reaches the bound is part of it).
    ///
    /// May be dropped and called again without losing anything: nothing is handed out before the batch is complete.
    pub async fn next_batch(
        &mut self,
        max: usize,
        max_bytes: usize,
        linger: Duration,
    ) -> Result<Vec<Delivery>, ConsumeError> {
        let mut run = Run::default();
        poll_fn(|context| self.poll_grow(context, &mut run, 1, 1)).await?;
        let deadline = tokio::time::sleep(linger);
        tokio::pin!(deadline);
        tokio::select! {
            biased;
            grown = poll_fn(|context| self.poll_grow(context, &mut run, max, max_bytes)) => grown?,
            () = &mut deadline => {}
        }
        Ok((0..run.count).map_while(|_| self.take_waiting()).collect())
    }

    /// Acknowledges this delivery and all before it that are not yet acknowledged or given back.
    pub async fn ack_through(&mut self, tag: Tag) -> Result<(), ConsumeError> {
        self.check(tag)?;
        let Some(last) = self.outstanding.range(..=tag.number).next_back().copied() else {
            // All settled before. The broker would close the channel if told again.
            return Ok(());
        };
        let ack = self
            .channel
            .basic_ack(last, BasicAckOptions { multiple: true });
        self.within("the acknowledgement", ack).await?;
        self.outstanding = self.outstanding.split_off(&(tag.number + 1));
        Ok(())
    }

    /// Gives one delivery back to its queue, for anybody to take.
    pub async fn give_back(&mut self, tag: Tag) -> Result<(), ConsumeError> {
        self.check(tag)?;
        if self.outstanding.contains(&tag.number) {
            self.requeue(tag.number).await?;
            self.outstanding.remove(&tag.number);
        }
        Ok(())
    }

    /// Takes no more deliveries and gives back those that were not handed out. What was handed out can still be acknowledged.
    pub async fn cancel(&mut self) -> Result<(), ConsumeError> {
        if self.stopped {
            return Ok(());
        }
        self.stopped = true;
        for index in 0..self.streams.len() {
            let tag = self.streams[index].stream.tag();
            let cancel = self
                .channel
                .basic_cancel(tag, BasicCancelOptions { nowait: false });
            self.within("cancelling a consumer", cancel).await?;
        }
        // What the broker sent before it read the cancellation is in the streams by now.
        poll_fn(|context| Poll::Ready(self.drain(context)))
            .await
            .or_else(|error| match error {
                ConsumeError::Cancelled { .. } => Ok(()),
                error => Err(error),
            })?;
        for number in std::mem::take(&mut self.waiting).into_keys() {
            self.requeue(number).await?;
        }
        Ok(())
    }

    /// Closes the channel. What was not acknowledged goes back to the queues.
    pub async fn close(self) -> Result<(), ConsumeError> {
        let close = self.channel.close(200, "OK".into());
        self.within("closing the channel", close).await
    }

    /// How many deliveries were handed out and are not settled.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Delivery, ConsumeError>> {
        if self.stopped {
            return Poll::Ready(Err(ConsumeError::Stopped));
        }
        if let Some(delivery) = self.take_waiting() {
            return Poll::Ready(Ok(delivery));
        }
        if let Err(error) = self.drain(context) {
            return Poll::Ready(Err(error));
        }
        match self.take_waiting() {
            Some(delivery) => Poll::Ready(Ok(delivery)),
            None => Poll::Pending,
        }
    }

    /// Ready when the run of deliveries that can be handed out has reached one of the bounds.
    fn poll_grow(
        &mut self,
        context: &mut Context<'_>,
        run: &mut Run,
        max: usize,
        max_bytes: usize,
    ) -> Poll<Result<(), ConsumeError>> {
        if self.stopped {
            return Poll::Ready(Err(ConsumeError::Stopped));
        }
        if let Err(error) = self.drain(context) {
            return Poll::Ready(Err(error));
        }
        while run.count < max && run.bytes < max_bytes {
            let number = self.next + run.count as u64;
            let Some(delivery) = self.waiting.get(&number) else {
                return Poll::Pending;
            };
            run.count += 1;
            run.bytes += delivery.body.len();
        }
        Poll::Ready(Ok(()))
    }

    fn take_waiting(&mut self) -> Option<Delivery> {
        let delivery = self.waiting.remove(&self.next)?;
        self.outstanding.insert(self.next);
        self.next += 1;
        Some(delivery)
    }

    /// Takes over all that arrived, from all streams. Bounded by the prefetch.
    fn drain(&mut self, context: &mut Context<'_>) -> Result<(), ConsumeError> {
        for source in &mut self.streams {
            loop {
                match Pin::new(&mut source.stream).poll_next(context) {
                    Poll::Pending => break,
                    Poll::Ready(None) => {
                        return Err(ConsumeError::Cancelled {
                            queue: source.queue,
                        });
                    }
                    Poll::Ready(Some(Err(error))) => {
                        return Err(ConsumeError::Connection {
                            doing: "consuming",
                            source: error,
                        });
                    }
                    Poll::Ready(Some(Ok(delivery))) => {
                        let number = delivery.delivery_tag;
                        let delivery = received(self.id, source.queue, delivery);
                        self.waiting.insert(number, delivery);
                    }
                }
            }
        }
        Ok(())
    }

    fn check(&self, tag: Tag) -> Result<(), ConsumeError> {
        if tag.consumer == self.id && tag.number < self.next {
            Ok(())
        } else {
            Err(ConsumeError::ForeignTag)
        }
    }

    async fn requeue(&self, number: u64) -> Result<(), ConsumeError> {
        let options = BasicNackOptions {
            multiple: false,
            // Without it the message is dropped.
            requeue: true,
        };
        let nack = self.channel.basic_nack(number, options);
        self.within("giving a delivery back", nack).await
    }

    async fn within<T>(
        &self,
        doing: &'static str,
        answer: impl Future<Output = Result<T, lapin::Error>>,
    ) -> Result<T, ConsumeError> {
        let after = self.shared.config.connect_timeout;
        match tokio::time::timeout(after, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(source)) => Err(ConsumeError::Connection { doing, source }),
            Err(_) => Err(ConsumeError::TimedOut { doing, after }),
        }
    }
}

fn received(consumer: u64, queue: Queue, delivery: lapin::message::Delivery) -> Delivery {
    let properties = &delivery.properties;
    let message_id = properties.message_id().as_ref();
    let correlation = properties.correlation_id().as_ref();
    Delivery {
        queue,
        tag: Tag {
            consumer,
            number: delivery.delivery_tag,
        },
        redelivered: delivery.redelivered,
        message_id: message_id.and_then(|id| Uuid::parse_str(id.as_str()).ok()),
        correlation: correlation.map(ToString::to_string),
        delivery_count: delivery_count(properties),
        body: Bytes::from(delivery.data),
    }
}

fn delivery_count(properties: &BasicProperties) -> Option<u64> {
    let headers = properties.headers().as_ref()?;
    match headers.inner().get("x-delivery-count")? {
        AMQPValue::LongLongInt(count) => u64::try_from(*count).ok(),
        AMQPValue::LongInt(count) => u64::try_from(*count).ok(),
        AMQPValue::ShortInt(count) => u64::try_from(*count).ok(),
        AMQPValue::ShortShortInt(count) => u64::try_from(*count).ok(),
        AMQPValue::LongUInt(count) => Some(u64::from(*count)),
        AMQPValue::ShortUInt(count) => Some(u64::from(*count)),
        AMQPValue::ShortShortUInt(count) => Some(u64::from(*count)),
        _ => None,
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // The library cancels a dropped stream unattended: let it find the channel closed.
        let streams = std::mem::take(&mut self.streams);
        close_in_background(&self.shared, vec![self.channel.clone()], streams);
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("id", &self.id)
            .field("next", &self.next)
            .field("outstanding", &self.outstanding.len())
            .finish_non_exhaustive()
    }
}
