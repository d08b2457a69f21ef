use crate::{SOON, fill, has_depth};
use broker::{Broker, Class, ConsumeError, Queue};
use std::time::{Duration, Instant};
use testkit::{Proxy, TestBroker};

#[tokio::test]
async fn a_deleted_queue_ends_its_consumer() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    let mut consumer = broker
        .consumer(&[Queue::EventsTerminal, Queue::EventsProgress], 10)
        .await
        .unwrap();
    let other = test.connect("other").await;
    let waiting = tokio::spawn(async move { consumer.next().await });
    other.delete_queue(Queue::EventsProgress).await.unwrap();
    let ended = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    let error = ended.unwrap_err();
    assert!(
        matches!(
            error,
            ConsumeError::Cancelled {
                queue: Queue::EventsProgress
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.class(), Class::Transient);
    // Declared again, a new consumer goes on.
    broker.declare().await.unwrap();
    let mut consumer = broker.consumer(&[Queue::EventsProgress], 10).await.unwrap();
    fill(&other, Queue::EventsProgress, 1).await;
    tokio::time::timeout(SOON, consumer.next())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_lost_connection_ends_the_consumer_and_what_it_held_comes_again() {
    let test = TestBroker::declared().await;
    let (proxy, through) = Proxy::before(test.url(), 5672).await;
    let mut config = test.config("t");
    config.url = through;
    let broker = Broker::connect(&config).await.unwrap();
    fill(&broker, Queue::Raw, 20).await;
    let mut consumer = broker.consumer(&[Queue::Raw], 10).await.unwrap();
    let held = consumer.next().await.unwrap();
    proxy.cut();
    let error = tokio::time::timeout(SOON, async {
        loop {
            if let Err(error) = consumer.next().await {
                return error;
            }
        }
    });
    let error = error.await.unwrap();
    assert!(
        matches!(error, ConsumeError::Connection { .. }),
        "{error:?}"
    );
    assert_eq!(error.class(), Class::Transient);
    assert!(!broker.is_connected());
    // No acknowledgement crosses the loss.
    assert!(consumer.ack_through(held.tag).await.is_err());
    let again = Broker::connect(&config).await.unwrap();
    has_depth(&again, Queue::Raw, 20).await;
    let mut consumer = again.consumer(&[Queue::Raw], 20).await.unwrap();
    let batch = consumer.next_batch(20, usize::MAX, SOON).await.unwrap();
    let back = batch
        .iter()
        .find(|d| d.message_id == held.message_id)
        .unwrap();
    assert!(back.redelivered);
    assert_eq!(back.delivery_count, Some(1));
}

#[tokio::test]
async fn a_silent_peer_is_noticed_by_its_missing_heartbeats() {
    let test = TestBroker::declared().await;
    let (proxy, through) = Proxy::before(test.url(), 5672).await;
    let mut config = test.config("t");
    config.url = format!("{through}?heartbeat=1");
    let broker = Broker::connect(&config).await.unwrap();
    let mut consumer = broker.consumer(&[Queue::Raw], 10).await.unwrap();
    proxy.stall();
    let start = Instant::now();
    let ended = tokio::time::timeout(SOON, consumer.next()).await;
    let error = ended.expect("a bounded time").unwrap_err();
    assert!(
        matches!(error, ConsumeError::Connection { .. }),
        "{error:?}"
    );
    assert!(
        start.elapsed() > Duration::from_millis(500),
        "not by accident"
    );
    tokio::time::timeout(SOON, broker.closed()).await.unwrap();
}

#[tokio::test]
async fn a_closed_broker_ends_its_consumers() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    let mut consumer = broker.consumer(&[Queue::Raw], 10).await.unwrap();
    let waiting = tokio::spawn(async move { consumer.next().await });
    broker.close().await.unwrap();
    let ended = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    assert!(ended.is_err());
    assert!(!broker.is_connected());
}
