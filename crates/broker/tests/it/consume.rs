use crate::{SOON, fill, has_depth};
use broker::{ConsumeError, Consumer, Delivery, Queue};
use std::time::{Duration, Instant};
use testkit::TestBroker;

const LANES: [Queue; 2] = [Queue::EventsTerminal, Queue::EventsProgress];

async fn take(consumer: &mut Consumer, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    for _ in 0..count {
        let next = tokio::time::timeout(SOON, consumer.next()).await;
        taken.push(next.expect("a delivery in time").unwrap());
    }
    taken
}

fn body(delivery: &Delivery) -> usize {
    std::str::from_utf8(&delivery.body)
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn several_queues_come_in_the_order_of_their_tags() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    for queue in LANES {
        fill(&broker, queue, 300).await;
    }
    let mut consumer = broker.consumer(&LANES, 1000).await.unwrap();
    let taken = take(&mut consumer, 600).await;
    assert!(taken.windows(2).all(|pair| pair[0].tag < pair[1].tag));
    for queue in LANES {
        let bodies: Vec<_> = taken
            .iter()
            .filter(|d| d.queue == queue)
            .map(body)
            .collect();
        assert_eq!(bodies, (0..300).collect::<Vec<_>>(), "{queue}");
    }
}

#[tokio::test]
async fn one_acknowledgement_settles_all_before_it_and_nothing_after() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    for queue in LANES {
        fill(&broker, queue, 50).await;
    }
    let mut consumer = broker.consumer(&LANES, 100).await.unwrap();
    let taken = take(&mut consumer, 100).await;
    consumer.ack_through(taken[59].tag).await.unwrap();
    assert_eq!(consumer.outstanding(), 40);
    // Told again, in part or whole: nothing happens, and the channel lives.
    consumer.ack_through(taken[10].tag).await.unwrap();
    consumer.ack_through(taken[59].tag).await.unwrap();
    consumer.close().await.unwrap();
    let mut again = broker.consumer(&LANES, 100).await.unwrap();
    let back = take(&mut again, 40).await;
    assert!(
        back.iter()
            .all(|d| d.redelivered && d.delivery_count == Some(1))
    );
    let mut expected: Vec<_> = taken[60..].iter().map(|d| d.message_id).collect();
    let mut found: Vec<_> = back.iter().map(|d| d.message_id).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    again.ack_through(back[39].tag).await.unwrap();
    again.close().await.unwrap();
    for queue in LANES {
        has_depth(&broker, queue, 0).await;
    }
}

#[tokio::test]
async fn a_tag_of_another_consumer_is_refused() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    fill(&broker, Queue::Raw, 2).await;
    let mut first = broker.consumer(&[Queue::Raw], 1).await.unwrap();
    let old = take(&mut first, 1).await[0].tag;
    drop(first);
    let mut second = broker.consumer(&[Queue::Raw], 1).await.unwrap();
    take(&mut second, 1).await;
    let refused = second.ack_through(old).await.unwrap_err();
    assert!(matches!(refused, ConsumeError::ForeignTag), "{refused:?}");
    let refused = second.give_back(old).await.unwrap_err();
    assert!(matches!(refused, ConsumeError::ForeignTag), "{refused:?}");
    assert_eq!(second.outstanding(), 1);
}

#[tokio::test]
async fn what_is_given_back_comes_again_and_the_rest_can_be_acknowledged() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    fill(&broker, Queue::Raw, 3).await;
    let mut consumer = broker.consumer(&[Queue::Raw], 10).await.unwrap();
    let taken = take(&mut consumer, 3).await;
    consumer.give_back(taken[1].tag).await.unwrap();
    consumer.give_back(taken[1].tag).await.unwrap();
    let again = take(&mut consumer, 1).await;
    assert_eq!(body(&again[0]), 1);
    assert!(again[0].redelivered);
    consumer.ack_through(taken[2].tag).await.unwrap();
    assert_eq!(consumer.outstanding(), 1);
    consumer.ack_through(again[0].tag).await.unwrap();
    consumer.close().await.unwrap();
    has_depth(&broker, Queue::Raw, 0).await;
}

#[tokio::test]
async fn after_a_cancel_the_batch_in_hand_is_finished_and_the_rest_is_free_for_others() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    fill(&broker, Queue::Raw, 40).await;
    let mut stopping = broker.consumer(&[Queue::Raw], 30).await.unwrap();
    let batch = take(&mut stopping, 8).await;
    stopping.cancel().await.unwrap();
    stopping.cancel().await.unwrap();
    assert!(matches!(stopping.next().await, Err(ConsumeError::Stopped)));
    let batch_call = stopping.next_batch(1, 1, Duration::ZERO).await;
    assert!(matches!(batch_call, Err(ConsumeError::Stopped)));
    // All that was not handed out is back while the batch is still in hand.
    has_depth(&broker, Queue::Raw, 32).await;
    stopping.ack_through(batch[7].tag).await.unwrap();
    stopping.close().await.unwrap();
    has_depth(&broker, Queue::Raw, 32).await;
}

#[tokio::test]
async fn two_consumers_share_a_queue_and_no_message_comes_twice() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    let mut first = broker.consumer(&[Queue::Raw], 10).await.unwrap();
    let mut second = broker.consumer(&[Queue::Raw], 10).await.unwrap();
    fill(&broker, Queue::Raw, 200).await;
    let mut seen = Vec::new();
    let mut shares = [0, 0];
    while seen.len() < 200 {
        let (share, delivery) = tokio::select! {
            delivery = first.next() => (0, delivery.unwrap()),
            delivery = second.next() => (1, delivery.unwrap()),
            () = tokio::time::sleep(SOON) => panic!("only {} came", seen.len()),
        };
        shares[share] += 1;
        seen.push(body(&delivery));
        let consumer = if share == 0 { &mut first } else { &mut second };
        consumer.ack_through(delivery.tag).await.unwrap();
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..200).collect::<Vec<_>>());
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
}

#[tokio::test]
async fn the_prefetch_bounds_what_is_in_hand() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    fill(&broker, Queue::Raw, 50).await;
    let mut consumer = broker.consumer(&[Queue::Raw], 5).await.unwrap();
    let linger = Duration::from_millis(300);
    let batch = consumer.next_batch(100, usize::MAX, linger).await.unwrap();
    assert_eq!(batch.len(), 5);
    has_depth(&broker, Queue::Raw, 45).await;
}

#[tokio::test]
async fn a_batch_ends_at_each_of_its_bounds() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    fill(&broker, Queue::Raw, 30).await;
    let mut consumer = broker.consumer(&[Queue::Raw], 100).await.unwrap();
    let long = Duration::from_secs(60);
    let batch = consumer.next_batch(7, usize::MAX, long).await.unwrap();
    assert_eq!(
        batch.iter().map(body).collect::<Vec<_>>(),
        (0..7).collect::<Vec<_>>()
    );
    // The bodies "7", "8", "9" and "10": the fourth reaches five bytes.
    let batch = consumer.next_batch(100, 5, long).await.unwrap();
    assert_eq!(batch.iter().map(body).collect::<Vec<_>>(), [7, 8, 9, 10]);
    let start = Instant::now();
    let rest = consumer
        .next_batch(100, usize::MAX, Duration::from_millis(200))
        .await;
    assert_eq!(rest.unwrap().len(), 19);
    assert!((200..5000).contains(&start.elapsed().as_millis()));
}

#[tokio::test]
async fn a_batch_call_that_is_dropped_loses_nothing() {
    let test = TestBroker::declared().await;
    let broker = test.connect("t").await;
    fill(&broker, Queue::Raw, 10).await;
    let mut consumer = broker.consumer(&[Queue::Raw], 100).await.unwrap();
    let long = Duration::from_secs(60);
    let dropped = consumer.next_batch(100, usize::MAX, long);
    assert!(
        tokio::time::timeout(Duration::from_millis(300), dropped)
            .await
            .is_err()
    );
    assert_eq!(consumer.outstanding(), 0);
    let taken = take(&mut consumer, 10).await;
    assert_eq!(
        taken.iter().map(body).collect::<Vec<_>>(),
        (0..10).collect::<Vec<_>>()
    );
}
