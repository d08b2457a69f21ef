//! What workers report: when deliveries were received, and how far everything received is worked off. In memory; a batch costs one lock.

use crate::normalise::message::{Lane, Message};
use schema::{Millis, SubscriptionName, TenantId, UtcMicros};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A worker that has waited for so long has found the queue empty, and not only been about to take.
const EMPTY_AFTER: Millis = Millis(1_000);

/// When the first and the last delivery of a subscription was received since they were taken last.
pub type Heard = BTreeMap<(SubscriptionName, TenantId), (UtcMicros, UtcMicros)>;

/// Shared by the workers of a process.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    heard: Heard,
    worked_off: Option<UtcMicros>,
    waiting: BTreeMap<u64, UtcMicros>,
    next: u64,
}

/// A worker waits for messages until this is dropped.
#[derive(Debug)]
pub struct Waiting {
    traffic: Traffic,
    number: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let number = self.number;
        self.traffic.inner().waiting.remove(&number);
    }
}

/// The first and the last delivery of a subscription in a batch.
struct Span<'s> {
    subscription: &'s SubscriptionName,
    tenant: &'s TenantId,
    first: UtcMicros,
    last: UtcMicros,
}

/// Those of the live lane. Deliveries of backfill jobs say nothing about the sender.
fn spans(messages: &[Message]) -> Vec<Span<'_>> {
    let mut spans: Vec<Span<'_>> = Vec::new();
    let live = messages.iter().filter(|message| message.lane == Lane::Live);
    let deliveries = live.flat_map(|message| &message.deliveries);
    for delivery in deliveries.filter(|delivery| delivery.job.is_none()) {
        let (subscription, tenant) = (&delivery.subscription, &delivery.tenant);
        let at = delivery.received_at;
        match spans
            .iter_mut()
            .rev()
            .find(|span| span.subscription == subscription && span.tenant == tenant)
        {
            Some(span) => (span.first, span.last) = (span.first.min(at), span.last.max(at)),
            None => spans.push(Span {
                subscription,
                tenant,
                first: at,
                last: at,
            }),
        }
    }
    spans
}

impl Inner {
    fn note(&mut self, spans: &[Span<'_>]) {
        for span in spans {
            let key = (span.subscription.clone(), span.tenant.clone());
            let known = self.heard.entry(key).or_insert((span.first, span.last));
            *known = (known.0.min(span.first), known.1.max(span.last));
        }
    }
}

impl Traffic {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic while holding it cannot leave it half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A batch of the queue of fresh deliveries is in the log.
    pub fn heard(&self, messages: &[Message]) {
        let spans = spans(messages);
        let oldest = spans.iter().map(|span| span.first).min();
        let mut inner = self.inner();
        // What was received before the oldest of a batch is worked off, as far as the queue keeps its order.
        inner.worked_off = inner.worked_off.max(oldest);
        inner.note(&spans);
    }

    /// A batch of other queues is in the log. Suspect deliveries are in them that were received like any other; how far the queue of
    /// fresh ones is worked off they do not tell.
    pub fn heard_aside(&self, messages: &[Message]) {
        let spans = spans(messages);
        if !spans.is_empty() {
            self.inner().note(&spans);
        }
    }

    /// A worker of the live lane has nothing in hand and asks for more.
    pub fn waiting(&self, now: UtcMicros) -> Waiting {
        let mut inner = self.inner();
        let number = inner.next;
        inner.next += 1;
        inner.waiting.insert(number, now);
        Waiting {
            traffic: self.clone(),
            number,
        }
    }

    /// The instant up to which everything received is worked off, as far as this process knows. It never goes back.
    pub fn worked_off(&self, now: UtcMicros) -> Option<UtcMicros> {
        let mut inner = self.inner();
        let empty = inner
            .waiting
            .values()
            .any(|since| now.since(*since) >= EMPTY_AFTER);
        if empty {
            inner.worked_off = inner.worked_off.max(Some(now));
        }
        inner.worked_off
    }

    /// What was heard since the last time.
    pub fn take(&self) -> Heard {
        std::mem::take(&mut self.inner().heard)
    }

    /// Gives back what could not be written.
    pub fn give_back(&self, heard: Heard) {
        let mut inner = self.inner();
        for (key, (first, last)) in heard {
            let known = inner.heard.entry(key).or_insert((first, last));
            *known = (known.0.min(first), known.1.max(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use schema::{BodyFormat, DeliveryId, JobId, JobRef, MessageId, MetricVersion, RawDelivery};

    fn at(seconds: i64) -> UtcMicros {
        UtcMicros::from_millis(seconds * 1000)
    }

    fn message(received: &[(&str, i64)], job: Option<JobRef>) -> Message {
        let deliveries = received.iter().map(|(name, seconds)| RawDelivery {
            id: DeliveryId::generate(),
            subscription: (*name).into(),
            tenant: "t".into(),
            format: BodyFormat::GenesysWebhook,
            correlation: "c".into(),
            received_at: at(*seconds),
            job,
            body: Bytes::new(),
        });
        Message {
            id: MessageId::generate(),
            lane: Lane::Live,
            deliveries: deliveries.collect(),
            whole: None,
        }
    }

    #[test]
    fn the_first_and_the_last_of_each_subscription_are_kept_and_jobs_are_not() {
        let traffic = Traffic::default();
        let job = JobRef {
            id: JobId::generate(),
            version: MetricVersion(1),
        };
        traffic.heard(&[message(&[("a", 5), ("b", 6), ("a", 4)], None)]);
        traffic.heard(&[message(&[("a", 9)], None), message(&[("b", 99)], Some(job))]);
        let heard = traffic.take();
        assert_eq!(heard[&("a".into(), "t".into())], (at(4), at(9)));
        assert_eq!(heard[&("b".into(), "t".into())], (at(6), at(6)));
        assert!(traffic.take().is_empty());
        traffic.give_back(heard);
        traffic.heard(&[message(&[("a", 2)], None)]);
        assert_eq!(traffic.take()[&("a".into(), "t".into())], (at(2), at(9)));
    }

    #[test]
    fn what_comes_by_another_queue_is_heard_and_no_sign_that_the_first_is_worked_off() {
        let traffic = Traffic::default();
        let mut backfilled = message(&[("c", 7)], None);
        backfilled.lane = Lane::History;
        traffic.heard_aside(&[message(&[("a", 5), ("a", 8)], None), backfilled]);
        assert_eq!(traffic.worked_off(at(1_000)), None);
        let heard: Vec<_> = traffic.take().into_iter().collect();
        assert_eq!(heard, [(("a".into(), "t".into()), (at(5), at(8)))]);
    }

    #[test]
    fn time_passes_while_the_queue_is_empty_and_not_while_there_is_a_backlog_or_no_broker() {
        let traffic = Traffic::default();
        assert_eq!(traffic.worked_off(at(10)), None, "nobody consumes");
        traffic.heard(&[message(&[("a", 5), ("a", 8)], None)]);
        assert_eq!(traffic.worked_off(at(1_000)), Some(at(5)), "a backlog");
        let waiting = traffic.waiting(at(1_000));
        assert_eq!(traffic.worked_off(at(1_000)), Some(at(5)), "about to take");
        assert_eq!(traffic.worked_off(at(1_002)), Some(at(1_002)));
        drop(waiting);
        assert_eq!(traffic.worked_off(at(2_000)), Some(at(1_002)));
    }
}
