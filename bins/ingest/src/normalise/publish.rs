//! Publishes the facts of a committed batch: in place and patiently, because giving the batch back repeats all the work before.
//!
//! A broker in alarm still hands messages out while it takes none: each return to it would only raise the count of returns.

use super::message::Stage;
use broker::{Class, Outgoing, PublishError, Publisher};
use runtime::{Backoff, chain};
use schema::{DeliveryId, UtcMicros};
use std::time::Duration;
use store::quarantine::{self, QuarantineRow};
use store::{Store, StoreError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How `raw` of a quarantined message of facts is to be read.
const FORMAT: &str = "events_message";

/// Messages that the broker will never take, with its reasons.
pub type Rejected = Vec<(Outgoing, PublishError)>;

/// Why facts are not published.
#[derive(Debug)]
pub enum Unpublished {
    /// The session is of no use any more, or the patience is at its end.
    Failed(PublishError),
    /// The process is stopping.
    Stopped,
}

/// What became of one attempt.
#[derive(Debug, Default)]
struct Sorted {
    /// To be tried again on the same connection, and why.
    again: Vec<Outgoing>,
    why: Option<PublishError>,
    /// Never to be taken.
    rejected: Rejected,
    /// What only a new session mends.
    lost: Option<PublishError>,
}

/// Publishes all that the broker will ever take, tried again for so long. Returns what it will never take.
pub async fn publish(
    publisher: &Publisher,
    mut outgoing: Vec<Outgoing>,
    patience: Duration,
    lane: &'static str,
    stop: &CancellationToken,
) -> Result<Rejected, Unpublished> {
    let begun = Instant::now();
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
    let mut rejected = Vec::new();
    loop {
        let fates = publisher.publish_each(&outgoing).await;
        let sorted = sort(outgoing, fates);
        rejected.extend(sorted.rejected);
        if let Some(error) = sorted.lost {
            return Err(Unpublished::Failed(error));
        }
        let Some(error) = sorted.why else {
            return Ok(rejected);
        };
        if begun.elapsed() > patience {
            return Err(Unpublished::Failed(error));
        }
        tracing::warn!(lane, messages = sorted.again.len(), error = %chain(&error), "could not publish facts; trying again");
        outgoing = sorted.again;
        if !backoff.pause(stop).await {
            return Err(Unpublished::Stopped);
        }
    }
}

fn sort(outgoing: Vec<Outgoing>, fates: Vec<Result<(), PublishError>>) -> Sorted {
    let mut sorted = Sorted::default();
    for (message, fate) in outgoing.into_iter().zip(fates) {
        let Err(error) = fate else { continue };
        match (error.class(), &error) {
            (Class::Rejected, _) => sorted.rejected.push((message, error)),
            // The queue is full, the broker in alarm or slow: the connection stands.
            (Class::Saturated, _) | (_, PublishError::TimedOut { .. }) => {
                sorted.again.push(message);
                sorted.why = Some(error);
            }
            // A new session has a new connection, and declares queues that are missing.
            (Class::Transient | Class::Fatal, _) => sorted.lost = Some(error),
        }
    }
    sorted
}

/// Holds messages of facts whole. Released, they are published to the history lane.
pub async fn hold(
    store: &Store,
    rejected: &Rejected,
    received_at: UtcMicros,
) -> Result<(), StoreError> {
    let reasons: Vec<String> = rejected.iter().map(|(_, error)| chain(error)).collect();
    let rows: Vec<QuarantineRow<'_>> = rejected
        .iter()
        .zip(&reasons)
        .map(|((message, _), reason)| QuarantineRow {
            // The facts in it say whose they are.
            tenant: "",
            subscription: "",
            delivery_id: DeliveryId(message.message_id),
            item_index: -1,
            stage: Stage::Publish.as_str(),
            format: FORMAT,
            reason,
            field: None,
            value: None,
            expected: None,
            raw: &message.body,
            // Facts are no personal data.
            raw_key: None,
            received_at,
            correlation: &message.correlation,
            job: None,
        })
        .collect();
    let mut client = store.client().await?;
    let tx = client.transaction().await?;
    quarantine::insert(&tx, &rows).await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker::Queue;
    use bytes::Bytes;
    use uuid::Uuid;

    fn message(number: u128) -> Outgoing {
        Outgoing {
            queue: Queue::EventsTerminal,
            body: Bytes::new(),
            message_id: Uuid::from_u128(number),
            correlation: String::new(),
        }
    }

    #[test]
    fn what_the_broker_will_never_take_is_not_tried_again_and_what_it_has_taken_neither() {
        let queue = Queue::EventsTerminal;
        let after = Duration::from_secs(1);
        let (bytes, max) = (2, 1);
        let fates = vec![
            Ok(()),
            Err(PublishError::Blocked),
            Err(PublishError::TooLarge { bytes, max }),
            Err(PublishError::Nacked { queue }),
            Err(PublishError::TimedOut { after }),
        ];
        let sorted = sort((0..5).map(message).collect(), fates);
        let ids = |messages: &[Outgoing]| -> Vec<u128> {
            let ids = messages.iter().map(|found| found.message_id.as_u128());
            ids.collect()
        };
        assert_eq!(ids(&sorted.again), [1, 3, 4]);
        assert_eq!(sorted.rejected.len(), 1);
        assert_eq!(sorted.rejected[0].0.message_id.as_u128(), 2);
        assert!(sorted.why.is_some() && sorted.lost.is_none());
    }

    #[test]
    fn a_missing_queue_and_a_channel_that_does_not_confirm_need_a_new_session() {
        for error in [
            PublishError::NotConfirming,
            PublishError::Returned {
                queue: Queue::EventsTerminal,
                reason: String::new(),
            },
        ] {
            let sorted = sort(vec![message(1)], vec![Err(error)]);
            assert!(sorted.lost.is_some() && sorted.again.is_empty());
        }
    }
}
