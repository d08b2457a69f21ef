//! What workers report: when deliveries were received, and how far everything received is worked off. In memory; a batch costs one lock.

use crate::normalise::message::{Lane, Message};
use crate::normalise::plan::Plan;
use schema::{DeliveryId, Millis, SubscriptionName, TenantId, UtcMicros};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A worker that has waited for so long has found the queue empty, and not only been about to take.
const EMPTY_AFTER: Millis = Millis(1_000);

/// When the first and the last delivery of a subscription was received since they were taken last.
pub type Heard = BTreeMap<(SubscriptionName, TenantId), (UtcMicros, UtcMicros)>;

/// The newest of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// The newest event's own instant, no later than its reception.
    pub event: UtcMicros,
    /// When the newest delivery with anything new in it was received.
    pub received: UtcMicros,
}

impl Newest {
    fn with(self, other: Self) -> Self {
        Self {
            event: self.event.max(other.event),
            received: self.received.max(other.received),
        }
    }
}

/// The newest of each subscription since it was taken last.
pub type News = BTreeMap<(SubscriptionName, TenantId), Newest>;

/// Shared by the workers of a process.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    heard: Heard,
    news: News,
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

/// The newest of each subscription in a batch, of what is new on the live lane: `logged` names of each item the delivery that brought it into
/// the log. A copy is no news, and what a job fetches says nothing about the sender.
fn newest<'p>(
    plan: &'p Plan<'_>,
    logged: &[Option<DeliveryId>],
) -> Vec<(&'p SubscriptionName, &'p TenantId, Newest)> {
    let mut all: Vec<(&SubscriptionName, &TenantId, Newest)> = Vec::new();
    for (item, logged) in plan.items.iter().zip(logged) {
        let Some(origin) = plan.origins.get(item.origin) else {
            continue;
        };
        let delivery = origin.delivery;
        if origin.lane != Lane::Live || delivery.job.is_some() || *logged != Some(delivery.id) {
            continue;
        }
        let one = Newest {
            event: item.mapped.at.min(delivery.received_at),
            received: delivery.received_at,
        };
        let (subscription, tenant) = (&delivery.subscription, &delivery.tenant);
        match all
            .iter_mut()
            .rev()
            .find(|known| known.0 == subscription && known.1 == tenant)
        {
            Some(known) => known.2 = known.2.with(one),
            None => all.push((subscription, tenant, one)),
        }
    }
    all
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

    /// What of a batch is new: `logged` names of each of its items the delivery that brought it into the log.
    pub fn logged(&self, plan: &Plan<'_>, logged: &[Option<DeliveryId>]) {
        let newest = newest(plan, logged);
        if newest.is_empty() {
            return;
        }
        let mut inner = self.inner();
        for (subscription, tenant, one) in newest {
            let key = (subscription.clone(), tenant.clone());
            let known = inner.news.entry(key).or_insert(one);
            *known = known.with(one);
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

    /// What is new since the last time.
    pub fn take_news(&self) -> News {
        std::mem::take(&mut self.inner().news)
    }

    /// Gives back what could not be written of it.
    pub fn give_back_news(&self, news: News) {
        let mut inner = self.inner();
        for (key, one) in news {
            let known = inner.news.entry(key).or_insert(one);
            *known = known.with(one);
        }
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
    fn the_newest_of_what_is_new_is_kept_and_copies_and_jobs_bring_no_news() {
        const NOON: i64 = 1_715_774_400; // 2024-05-15T12:00:00Z
        let event = |minute: i64| {
            format!(
                r#"{{"timestamp":"2024-05-15T{:02}:{:02}:00Z","data":{{"event_id":"e{minute}","interaction_id":"i","state":"queued"}}}}"#,
                12 + minute / 60,
                minute % 60
            )
        };
        let delivery = |subscription: &str, received: i64, minutes: &[i64]| {
            let mut one = message(&[(subscription, NOON + received)], None);
            let bodies: Vec<String> = minutes.iter().map(|minute| event(*minute)).collect();
            one.deliveries[0].body = format!("[{}]", bodies.join(",")).into();
            one
        };
        let mut history = delivery("a", 3_600, &[59]);
        history.lane = Lane::History;
        let messages = [
            // The second is dated after its reception.
            delivery("a", 120, &[1, 30]),
            delivery("a", 600, &[9]),
            // A copy of something that another delivery brought.
            delivery("a", 900, &[14]),
            history,
            delivery("b", 60, &[0]),
        ];
        let plan = crate::normalise::plan::plan(&messages, &adapter::Mappings::none(), &|_| true);
        let mut logged: Vec<Option<DeliveryId>> = plan
            .items
            .iter()
            .map(|item| Some(plan.origins[item.origin].delivery.id))
            .collect();
        assert_eq!(logged.len(), 6, "{plan:?}");
        logged[3] = Some(DeliveryId::generate());
        let traffic = Traffic::default();
        traffic.logged(&plan, &logged);
        let newest = |event: i64, received: i64| Newest {
            event: at(NOON + event),
            received: at(NOON + received),
        };
        let news = traffic.take_news();
        assert_eq!(news.len(), 2);
        assert_eq!(news[&("a".into(), "t".into())], newest(540, 600));
        assert_eq!(news[&("b".into(), "t".into())], newest(0, 60));
        // What could not be written is not lost, and takes nothing back.
        traffic.logged(&plan, &logged[..1]);
        traffic.give_back_news(news);
        assert_eq!(
            traffic.take_news()[&("a".into(), "t".into())],
            newest(540, 600)
        );
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
