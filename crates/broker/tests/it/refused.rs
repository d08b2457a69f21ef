use crate::{SOON, has_depth, message};
use broker::{Broker, Outgoing, PublishError, Queue};
use std::time::Duration;
use testkit::{Proxy, TestBroker};

/// The queue that is full.
const FULL: Queue = Queue::Raw;
/// One with room.
const OTHER: Queue = Queue::RawHistory;

/// A thousand messages of which some are for a queue that is full, in two calls between which the channel is lost.
#[tokio::test]
async fn pitfall_51_exactly_the_refused_ones_are_reported_and_the_next_channel_confirms_too() {
    let test = TestBroker::new();
    let (proxy, through) = Proxy::before(test.url(), 5672).await;
    let mut config = test.config("t");
    config.url = through;
    config.raw_max_bytes = Some(20_000);
    config.confirm_timeout = Duration::from_secs(3);
    let broker = Broker::connect(&config).await.unwrap();
    broker.declare_some(&[FULL, OTHER]).await.unwrap();
    let publisher = broker.publisher().await.unwrap();
    let mut stored = 0;
    testkit::eventually(SOON, "the queue is full", async || {
        let fate = publisher.publish(message(FULL, vec![b'x'; 1000])).await;
        stored += u32::from(fate.is_ok());
        fate.err()
    })
    .await;

    let refused = |number: usize| number % 3 == 1;
    let mut accepted = 0;
    for call in 0..2 {
        let batch: Vec<Outgoing> = (0..500)
            .map(|number| message(if refused(number) { FULL } else { OTHER }, "x"))
            .collect();
        let fates = publisher.publish_each(&batch).await;
        for (number, fate) in fates.iter().enumerate() {
            let nacked = matches!(fate, Err(PublishError::Nacked { queue: FULL }));
            let told = nacked == refused(number) && (nacked || fate.is_ok());
            assert!(told, "{call}, {number}: {fate:?}");
            accepted += u32::from(fate.is_ok());
        }
        if call == 0 {
            // Its confirm does not come: the channel is given up, and the next call needs another.
            proxy.stall_answers();
            let fate = publisher.publish(message(OTHER, "x")).await;
            assert!(
                matches!(fate, Err(PublishError::TimedOut { .. })),
                "{fate:?}"
            );
            proxy.resume();
        }
    }
    has_depth(&broker, FULL, stored).await;
    has_depth(&broker, OTHER, accepted + 1).await;
}
