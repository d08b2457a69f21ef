//! Where a worker's deliveries come from: the queues of its lane, each with a channel of its own, so that one can wait for the other.
//!
//! In calm both of the live lane give in turns as they come. In a storm `events.terminal` goes first: `events.progress` has its turn once
//! nothing has come from the other for a while, and in one batch of [`PROGRESS_EVERY`], whatever waits: it is slowed, not
//! starved, and what is prefetched of it does not wait for longer than the broker would let it.

use crate::worker::Lane;
use broker::{Broker, BrokerError, ConsumeError, Consumer, Delivery, Queue, Tag};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// In a storm, one batch in so many begins with what can wait.
pub(crate) const PROGRESS_EVERY: u32 = 8;

/// The consumers of a worker.
#[derive(Debug)]
pub(crate) struct Intake {
    /// What goes first in a storm.
    first: Consumer,
    /// What can wait; none: the lane has one queue.
    second: Option<Consumer>,
    /// So many of each queue are handed out before one is acknowledged.
    prefetch: usize,
    /// After so long without anything the first queue counts as empty.
    dry: Duration,
    /// Batches since one began with what can wait.
    since_second: u32,
}

/// Whose turn it is while one batch is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// As they come.
    Any,
    /// The first queue's, until nothing has come from it by then.
    First(Instant),
    /// The second queue's, and the first's where that is empty.
    Second,
}

/// The last delivery of each queue in a batch: what to acknowledge through.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Through(BTreeMap<Queue, Tag>);

impl Through {
    /// Of these deliveries.
    pub(crate) fn of<'d>(deliveries: impl Iterator<Item = &'d Delivery>) -> Self {
        let mut last = BTreeMap::new();
        for delivery in deliveries {
            let tag = last.entry(delivery.queue).or_insert(delivery.tag);
            *tag = delivery.tag.max(*tag);
        }
        Self(last)
    }
}

impl Intake {
    /// Begins to consume the queues of a lane. `dry`: after so long without anything the first counts as empty.
    pub(crate) async fn open(
        broker: &Broker,
        lane: Lane,
        prefetch: u16,
        dry: Duration,
    ) -> Result<Self, BrokerError> {
        let (first, second) = lane.queues();
        Ok(Self {
            prefetch: usize::from(prefetch),
            dry,
            first: broker.consumer(&[first], prefetch).await?,
            second: match second {
                Some(queue) => Some(broker.consumer(&[queue], prefetch).await?),
                None => None,
            },
            since_second: 0,
        })
    }

    /// Whose turn the next batch is.
    pub(crate) fn turn(&mut self, storm: bool) -> Turn {
        if !storm || self.second.is_none() {
            self.since_second = 0;
            return Turn::Any;
        }
        self.since_second += 1;
        if self.since_second >= PROGRESS_EVERY {
            self.since_second = 0;
            return Turn::Second;
        }
        Turn::First(Instant::now() + self.dry)
    }

    /// The next delivery by whose turn it is. May be dropped and called again without losing anything.
    pub(crate) async fn next(&mut self, turn: &mut Turn) -> Result<Delivery, ConsumeError> {
        if let Turn::First(until) = *turn {
            let first = tokio::time::timeout_at(until.into(), self.first.next()).await;
            if let Ok(delivery) = first {
                *turn = Turn::First(Instant::now() + self.dry);
                return delivery;
            }
            // Empty: the rest of the batch is for both.
            *turn = Turn::Any;
        }
        let Some(second) = &mut self.second else {
            return self.first.next().await;
        };
        if *turn == Turn::Second {
            return tokio::select! {
                biased;
                delivery = second.next() => delivery,
                delivery = self.first.next() => delivery,
            };
        }
        // In random order, so that neither waits for the other.
        tokio::select! {
            delivery = self.first.next() => delivery,
            delivery = second.next() => delivery,
        }
    }

    /// Whether nothing more can come before what was handed out is acknowledged: whoever waits for more waits in vain.
    pub(crate) fn is_exhausted(&self, turn: Turn) -> bool {
        let exhausted = |consumer: &Consumer| consumer.outstanding() >= self.prefetch;
        let first_only = matches!(turn, Turn::First(_));
        exhausted(&self.first) && (first_only || self.second.as_ref().is_none_or(exhausted))
    }

    /// Acknowledges a batch.
    pub(crate) async fn ack_through(&mut self, through: Through) -> Result<(), ConsumeError> {
        for (queue, tag) in through.0 {
            let consumer = match &mut self.second {
                Some(second) if queue == Queue::EventsProgress => second,
                _ => &mut self.first,
            };
            consumer.ack_through(tag).await?;
        }
        Ok(())
    }
}
