use crate::{SOON, fill, has_depth, message, numbered};
use broker::{Class, MAX_BODY_BYTES, Outgoing, PublishError, Queue};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use testkit::{Proxy, TestBroker};

#[tokio::test]
async fn a_confirmed_message_is_in_the_queue_as_it_was() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    let sent = Outgoing {
        correlation: "é".repeat(200),
        ..message(Queue::Raw, vec![0u8, 255, 7])
    };
    let publisher = broker.publisher().await.unwrap();
    publisher.publish(sent.clone()).await.unwrap();
    let mut consumer = broker.consumer(&[Queue::Raw], 10).await.unwrap();
    let got = consumer.next().await.unwrap();
    assert_eq!(got.queue, Queue::Raw);
    assert_eq!(got.body, sent.body);
    assert_eq!(got.message_id, Some(sent.message_id));
    // Cut at a character, to the 255 bytes of AMQP.
    assert_eq!(got.correlation.unwrap(), "é".repeat(127));
    assert!(!got.redelivered);
    assert_eq!(got.delivery_count, None);
}

#[tokio::test]
async fn a_message_of_many_frames_arrives_whole() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    let body: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    let publisher = broker.publisher().await.unwrap();
    publisher
        .publish(message(Queue::Raw, body.clone()))
        .await
        .unwrap();
    let mut consumer = broker.consumer(&[Queue::Raw], 10).await.unwrap();
    assert!(consumer.next().await.unwrap().body == body);
}

#[tokio::test]
async fn a_message_for_a_missing_queue_is_a_failure() {
    let test = TestBroker::new();
    let broker = test.connect("t").await;
    broker.declare_some(&[Queue::Raw]).await.unwrap();
    broker.delete_queue(Queue::Raw).await.unwrap();
    let publisher = broker.publisher().await.unwrap();
    let error = publisher
        .publish(message(Queue::Raw, "x"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, PublishError::Returned { queue: Queue::Raw, reason } if reason == "NO_ROUTE"),
        "{error:?}"
    );
    assert_eq!(error.class(), Class::Transient);
    broker.declare_some(&[Queue::Raw]).await.unwrap();
    publisher.publish(message(Queue::Raw, "x")).await.unwrap();
}

/// Where even the exchange is missing, the broker closes the channel: nothing is taken for sent, and whoever declares goes on.
#[tokio::test]
async fn a_message_for_a_missing_exchange_is_a_failure() {
    let test = TestBroker::new();
    let broker = test.connect("t").await;
    let publisher = broker.publisher().await.unwrap();
    let error = publisher
        .publish(message(Queue::Raw, "x"))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, PublishError::Connection { .. }),
        "{error:?}"
    );
    assert_eq!(error.class(), Class::Transient);
    broker.declare_some(&[Queue::Raw]).await.unwrap();
    publisher.publish(message(Queue::Raw, "x")).await.unwrap();
}

#[tokio::test]
async fn exactly_the_returned_ones_are_reported() {
    let test = TestBroker::new();
    let broker = test.connect("t").await;
    broker
        .declare_some(&[Queue::Raw, Queue::RawHistory])
        .await
        .unwrap();
    broker.delete_queue(Queue::RawHistory).await.unwrap();
    let publisher = broker.publisher().await.unwrap();
    let missing = |number: usize| number % 7 == 3;
    let batch: Vec<_> = (0..1000)
        .map(|number| {
            let queue = if missing(number) {
                Queue::RawHistory
            } else {
                Queue::Raw
            };
            message(queue, number.to_string())
        })
        .collect();
    let fates = publisher.publish_each(&batch).await;
    for (number, fate) in fates.iter().enumerate() {
        let returned = matches!(fate, Err(PublishError::Returned { .. }));
        assert!(
            returned == missing(number) && (returned || fate.is_ok()),
            "{number}: {fate:?}"
        );
    }
    let stored = fates.iter().filter(|fate| fate.is_ok()).count();
    has_depth(&broker, Queue::Raw, stored.try_into().unwrap()).await;
}

#[tokio::test]
async fn calls_at_the_same_time_do_not_take_each_others_returns() {
    let test = TestBroker::new();
    let broker = test.connect("t").await;
    broker
        .declare_some(&[Queue::Raw, Queue::RawHistory])
        .await
        .unwrap();
    broker.delete_queue(Queue::RawHistory).await.unwrap();
    let publisher = broker.publisher().await.unwrap();
    let calls = (0..40).map(|call| {
        let publisher = publisher.clone();
        tokio::spawn(async move {
            let queue = if call % 2 == 0 {
                Queue::Raw
            } else {
                Queue::RawHistory
            };
            (call, publisher.publish_each(&numbered(queue, 50)).await)
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let (call, fates) = call.await.unwrap();
        for fate in fates {
            assert_eq!(fate.is_ok(), call % 2 == 0, "{call}: {fate:?}");
        }
    }
    has_depth(&broker, Queue::Raw, 20 * 50).await;
}

#[tokio::test]
async fn a_full_queue_refuses_and_what_was_confirmed_is_there() {
    let test = TestBroker::new();
    let mut config = test.config("t");
    config.raw_max_bytes = Some(20_000);
    let broker = broker::Broker::connect(&config).await.unwrap();
    broker.declare_some(&[Queue::Raw]).await.unwrap();
    let publisher = broker.publisher().await.unwrap();
    let mut stored = 0;
    // The bound takes hold a moment after it is reached: some rounds are needed.
    let refused = testkit::eventually(SOON, "a refusal", async || {
        let batch: Vec<_> = (0..50)
            .map(|_| message(Queue::Raw, vec![b'x'; 1000]))
            .collect();
        let fates = publisher.publish_each(&batch).await;
        stored += fates.iter().filter(|fate| fate.is_ok()).count();
        fates.into_iter().find_map(Result::err)
    });
    let refused = refused.await;
    assert!(
        matches!(refused, PublishError::Nacked { queue: Queue::Raw }),
        "{refused:?}"
    );
    assert_eq!(refused.class(), Class::Saturated);
    has_depth(&broker, Queue::Raw, stored.try_into().unwrap()).await;
    // And it takes messages again once there is room.
    let mut consumer = broker.consumer(&[Queue::Raw], 1000).await.unwrap();
    for _ in 0..stored {
        let tag = consumer.next().await.unwrap().tag;
        consumer.ack_through(tag).await.unwrap();
    }
    testkit::eventually(SOON, "room again", async || {
        publisher.publish(message(Queue::Raw, "x")).await
    })
    .await;
}

#[tokio::test]
async fn a_message_that_is_too_large_fails_alone() {
    let test = TestBroker::new();
    let broker = test.connect("t").await;
    broker.declare_some(&[Queue::Raw]).await.unwrap();
    let publisher = broker.publisher().await.unwrap();
    let batch = [
        message(Queue::Raw, "a"),
        message(Queue::Raw, vec![0; MAX_BODY_BYTES + 1]),
        message(Queue::Raw, "b"),
    ];
    let fates = publisher.publish_each(&batch).await;
    assert!(fates[0].is_ok() && fates[2].is_ok());
    let error = fates[1].as_ref().unwrap_err();
    assert!(matches!(error, PublishError::TooLarge { .. }), "{error:?}");
    assert_eq!(error.class(), Class::Rejected);
    has_depth(&broker, Queue::Raw, 2).await;
}

#[tokio::test]
async fn a_confirm_that_never_comes_ends_at_the_deadline() {
    let test = TestBroker::new();
    let (proxy, through) = Proxy::before(test.url(), 5672).await;
    let mut config = test.config("t");
    config.url = through;
    config.confirm_timeout = Duration::from_millis(500);
    let broker = broker::Broker::connect(&config).await.unwrap();
    broker.declare_some(&[Queue::Raw]).await.unwrap();
    let publisher = broker.publisher().await.unwrap();
    proxy.stall_answers();
    let start = Instant::now();
    let fates = publisher.publish_each(&numbered(Queue::Raw, 200)).await;
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    for fate in fates {
        assert!(
            matches!(fate, Err(PublishError::TimedOut { .. })),
            "{fate:?}"
        );
    }
    proxy.resume();
    // Late confirms of the failed call are not taken for those of the next one.
    publisher
        .publish(message(Queue::Raw, "after"))
        .await
        .unwrap();
    has_depth(&broker, Queue::Raw, 201).await;
}

#[tokio::test]
async fn a_socket_that_takes_nothing_ends_at_the_deadline() {
    let test = TestBroker::new();
    let (proxy, through) = Proxy::before(test.url(), 5672).await;
    let mut config = test.config("t");
    config.url = through;
    config.confirm_timeout = Duration::from_millis(500);
    let broker = broker::Broker::connect(&config).await.unwrap();
    broker.declare_some(&[Queue::Raw]).await.unwrap();
    let publisher = broker.publisher().await.unwrap();
    proxy.stall();
    let start = Instant::now();
    // More than the buffers of two sockets and the proxy hold.
    let batch: Vec<_> = (0..200)
        .map(|_| message(Queue::Raw, vec![0; 100_000]))
        .collect();
    let fates = publisher.publish_each(&batch).await;
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert!(fates.iter().all(Result::is_err));
    // The next call needs a new channel, and that wait has the same deadline.
    let start = Instant::now();
    let again = publisher.publish(message(Queue::Raw, "x")).await;
    assert!(again.is_err(), "{again:?}");
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_lost_connection_fails_the_publish_and_nothing_confirmed_is_missing() {
    let test = TestBroker::declared().await;
    let (proxy, through) = Proxy::before(test.url(), 5672).await;
    let mut config = test.config("t");
    config.url = through;
    let broker = broker::Broker::connect(&config).await.unwrap();
    let publisher = broker.publisher().await.unwrap();
    let call = tokio::spawn({
        let publisher = publisher.clone();
        async move {
            let mut confirmed = HashSet::new();
            loop {
                let batch = numbered(Queue::Raw, 100);
                let fates = publisher.publish_each(&batch).await;
                let ids = batch.iter().map(|message| message.message_id);
                confirmed.extend(ids.zip(&fates).filter(|(_, f)| f.is_ok()).map(|(id, _)| id));
                if let Some(error) = fates.into_iter().find_map(Result::err) {
                    return (confirmed, error);
                }
            }
        }
    });
    let direct = test.connect("direct").await;
    testkit::eventually(SOON, "publishing is under way", async || {
        direct.depth(Queue::Raw).await.unwrap() > 0
    })
    .await;
    proxy.cut();
    let (confirmed, error) = tokio::time::timeout(SOON, call).await.unwrap().unwrap();
    assert!(
        matches!(error, PublishError::Connection { .. }),
        "{error:?}"
    );
    assert_eq!(error.class(), Class::Transient);
    tokio::time::timeout(SOON, broker.closed()).await.unwrap();
    assert!(!broker.is_connected());
    let mut left = confirmed;
    let mut consumer = direct.consumer(&[Queue::Raw], 500).await.unwrap();
    while !left.is_empty() {
        let delivery = tokio::time::timeout(SOON, consumer.next()).await;
        left.remove(&delivery.unwrap().unwrap().message_id.unwrap());
        if consumer.outstanding() == 500 {
            break;
        }
    }
}

#[tokio::test]
async fn an_alarm_fails_waiting_and_later_publishes_until_it_is_over() {
    // Connection.Blocked with the reason "x", and Connection.Unblocked, as the broker sends them.
    const BLOCKED: &[u8] = b"\x01\x00\x00\x00\x00\x00\x06\x00\x0a\x00\x3c\x01x\xce";
    const UNBLOCKED: &[u8] = b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x3d\xce";
    let test = TestBroker::new();
    let (proxy, through) = Proxy::before(test.url(), 5672).await;
    let mut config = test.config("t");
    config.url = through;
    let broker = broker::Broker::connect(&config).await.unwrap();
    broker.declare_some(&[Queue::Raw]).await.unwrap();
    let publisher = broker.publisher().await.unwrap();
    assert!(!broker.is_blocked());
    proxy.inject_answer(BLOCKED);
    testkit::eventually(SOON, "the alarm is noticed", async || broker.is_blocked()).await;
    let start = Instant::now();
    let error = publisher
        .publish(message(Queue::Raw, "x"))
        .await
        .unwrap_err();
    assert!(matches!(error, PublishError::Blocked), "{error:?}");
    assert_eq!(error.class(), Class::Saturated);
    assert!(start.elapsed() < Duration::from_secs(1), "it fails fast");
    proxy.inject_answer(UNBLOCKED);
    testkit::eventually(SOON, "the all-clear is noticed", async || {
        !broker.is_blocked()
    })
    .await;
    publisher.publish(message(Queue::Raw, "x")).await.unwrap();
    // An alarm that comes while a publish waits for its confirm ends the wait, well before the deadline of ten seconds.
    proxy.stall_answers();
    let waiting = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.publish(message(Queue::Raw, "x")).await }
    });
    let direct = test.connect("direct").await;
    has_depth(&direct, Queue::Raw, 2).await;
    assert!(!waiting.is_finished());
    proxy.inject_answer(BLOCKED);
    let ended = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    let error = ended.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, PublishError::Blocked), "{error:?}");
}

#[tokio::test]
async fn nothing_to_publish_is_done_at_once() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    let publisher = broker.publisher().await.unwrap();
    assert!(publisher.publish_all(Vec::new()).await.is_ok());
    fill(&broker, Queue::Raw, 1).await;
}
