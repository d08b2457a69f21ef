//! *normalise*: each event logged once, published at least once, counted once, whatever is killed.

use crate::line::{Line, PATIENCE, event, message, take_facts};
use broker::Queue;
use double::emit::Retry;
use double::workload::Workload;
use schema::{DeliveryId, EventsMessage, JobId, JobRef, MessageId, MetricVersion, RawMessage};
use std::collections::BTreeSet;
use std::time::Duration;
use testkit::{Proxy, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_redelivered_message_publishes_its_own_rows_again_and_counts_nothing_twice() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let (_connection, mut facts) = line.facts().await;
    let body = format!("[{},{},{{\"data\":{{}}}}]", event("a"), event("b"));
    let (id, delivery) = (MessageId::generate(), DeliveryId::generate());

    line.publish(Queue::Raw, &message(id, delivery, &body))
        .await;
    assert_eq!(take_facts(&mut facts, 2).await.len(), 2);
    let first = line.counts_of(3).await;
    assert_eq!((first.logged, first.quarantined), (2, 1));

    // What the broker does after a crash between commit and acknowledgement: the same message once more.
    line.publish(Queue::Raw, &message(id, delivery, &body))
        .await;
    assert_eq!(take_facts(&mut facts, 2).await.len(), 2);
    assert_eq!(line.counts_of(3).await, first);
    assert_eq!(line.number("SELECT count(*) FROM quarantine").await, 1);

    // Another delivery of the same events: duplicates, not published.
    let other = message(MessageId::generate(), DeliveryId::generate(), &body);
    line.publish(Queue::Raw, &other).await;
    let counts = line.counts_of(6).await;
    assert_eq!(
        (counts.logged, counts.duplicates, counts.quarantined),
        (2, 2, 2)
    );
    let marker = message(MessageId::generate(), DeliveryId::generate(), &event("c"));
    line.publish(Queue::Raw, &marker).await;
    let next = take_facts(&mut facts, 1).await;
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].interaction.as_str(), "int_c");
}

/// The broker may bring a message again after its claim was forgotten: after an outage longer than claims are kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_redelivered_message_without_a_claim_publishes_its_own_rows_too_and_counts_them_once() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let (_connection, mut facts) = line.facts().await;
    let body = format!("[{0},{1},{0}]", event("a"), event("b"));
    let sent = message(MessageId::generate(), DeliveryId::generate(), &body);
    line.publish(Queue::Raw, &sent).await;
    assert_eq!(take_facts(&mut facts, 2).await.len(), 2);
    let first = line.counts_of(3).await;
    assert_eq!((first.logged, first.duplicates), (2, 1));

    let client = line.db.client().await;
    client
        .execute("DELETE FROM raw_messages", &[])
        .await
        .unwrap();
    line.publish(Queue::Raw, &sent).await;
    assert_eq!(take_facts(&mut facts, 2).await.len(), 2);
    // Another event, so that the counters are looked at after the repetition.
    let marker = message(MessageId::generate(), DeliveryId::generate(), &event("c"));
    line.publish(Queue::Raw, &marker).await;
    let counts = line.counts_of(4).await;
    assert_eq!((counts.logged, counts.duplicates), (3, 1));
    let next = take_facts(&mut facts, 1).await;
    assert_eq!((next.len(), next[0].interaction.as_str()), (1, "int_c"));
}

/// A job's version is evaluated for a live event that another delivery brought in the same batch.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_a_job_brings_is_published_for_the_job() {
    let line = Line::new().await;
    let job = JobRef {
        id: JobId::generate(),
        version: MetricVersion(2),
    };
    let mut sent = message(MessageId::generate(), DeliveryId::generate(), &event("a"));
    let mut of_job = sent.deliveries[0].clone();
    of_job.id = DeliveryId::generate();
    of_job.job = Some(job);
    sent.deliveries.extend([of_job.clone(), of_job]);
    line.publish(Queue::Raw, &sent).await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let counts = line.counts_of(3).await;
    assert_eq!((counts.logged, counts.duplicates), (1, 2));
    let marker = message(MessageId::generate(), DeliveryId::generate(), &event("c"));
    line.publish(Queue::Raw, &marker).await;
    let (_connection, mut facts) = line.facts().await;
    let mut jobs = Vec::new();
    loop {
        let next = tokio::time::timeout(PATIENCE, facts.next()).await;
        let told = EventsMessage::decode(&next.expect("facts in time").unwrap().body).unwrap();
        if told.events[0].interaction.as_str() == "int_c" {
            break;
        }
        jobs.push((told.job, told.events.len()));
    }
    jobs.sort_by_key(|found| found.0.is_some());
    assert_eq!(jobs, [(None, 1), (Some(job), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_twice_in_one_delivery_is_logged_and_published_once() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let (_connection, mut facts) = line.facts().await;
    let body = format!("{0}\n{0}\n{1}", event("a"), event("b"));
    let sent = message(MessageId::generate(), DeliveryId::generate(), &body);
    line.publish(Queue::Raw, &sent).await;
    assert_eq!(take_facts(&mut facts, 2).await.len(), 2);
    let counts = line.counts_of(3).await;
    assert_eq!((counts.logged, counts.duplicates), (2, 1));
}

/// Committed, but not published: the message is given back, and its own rows are published when it comes again.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_and_not_published_is_published_later() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let admin = line.broker.connect("test admin").await;
    admin.delete_queue(Queue::EventsTerminal).await.unwrap();
    let sent = message(MessageId::generate(), DeliveryId::generate(), &event("a"));
    line.publish(Queue::Raw, &sent).await;
    normalise
        .wait_line("the repeated message", PATIENCE, |found| {
            found["message"] == "normalised a batch" && found["repeated"] == 1
        })
        .await;
    let (_connection, mut facts) = line.facts().await;
    assert_eq!(take_facts(&mut facts, 1).await.len(), 1);
    let counts = line.counts_of(1).await;
    assert_eq!((counts.logged, counts.duplicates), (1, 0));
}

/// Whatever keeps a message coming back after it was committed, its facts are published once that has passed.
#[tokio::test(flavor = "multi_thread")]
async fn a_committed_message_that_came_back_fifty_times_is_published_and_another_is_held() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let (_connection, mut facts) = line.facts().await;
    let committed = message(MessageId::generate(), DeliveryId::generate(), &event("a"));
    line.publish(Queue::Raw, &committed).await;
    assert_eq!(take_facts(&mut facts, 1).await.len(), 1);
    normalise.term(PATIENCE).await;

    // A message of which nobody knows whether it can be read.
    let unknown = message(MessageId::generate(), DeliveryId::generate(), &event("b"));
    send_back_fifty_times(&line, &[&committed, &unknown]).await;
    let mut normalise = line.start(&["normalise"], &[]);
    let again = take_facts(&mut facts, 1).await;
    assert_eq!(again[0].interaction.as_str(), "int_a");
    let counts = line.counts_of(2).await;
    assert_eq!((counts.logged, counts.quarantined), (1, 1));
    let held = "SELECT count(*) FROM quarantine WHERE stage = 'redelivered'";
    assert_eq!(line.number(held).await, 1);
    normalise.term(PATIENCE).await;

    // Claimed by now, but never read: it stays where it is.
    send_back_fifty_times(&line, &[&unknown]).await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise
        .wait_line("the repeated message", PATIENCE, |found| {
            found["message"] == "normalised a batch" && found["repeated"] == 1
        })
        .await;
    assert_eq!(line.counts_of(2).await, counts);
    assert_eq!(line.number("SELECT count(*) FROM event_log").await, 1);
}

/// Publishes messages to `raw`, takes them and gives them back.
async fn send_back_fifty_times(line: &Line, messages: &[&RawMessage]) {
    for message in messages {
        line.publish(Queue::Raw, message).await;
    }
    let connection = line.broker.connect("test give back").await;
    let mut consumer = connection.consumer(&[Queue::Raw], 10).await.unwrap();
    for _ in 0..50 * messages.len() {
        let delivery = consumer.next().await.unwrap();
        consumer.give_back(delivery.tag).await.unwrap();
    }
    let last = consumer.next().await.unwrap();
    assert!(last.delivery_count >= Some(50), "{:?}", last.delivery_count);
    consumer.close().await.unwrap();
    connection.close().await.unwrap();
}

/// In an alarm the broker hands messages out and takes none. Given back, they would only come again, at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_in_alarm_is_waited_out_with_the_batch_in_hand() {
    // Connection.Blocked with the reason "x", and Connection.Unblocked, as the broker sends them.
    const BLOCKED: &[u8] = b"\x01\x00\x00\x00\x00\x00\x06\x00\x0a\x00\x3c\x01x\xce";
    const UNBLOCKED: &[u8] = b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x3d\xce";
    let line = Line::new().await;
    let (proxy, url) = Proxy::before(line.broker.url(), 5672).await;
    let mut normalise = line.start(&["normalise"], &[("KPILINE_AMQP_URL", &url)]);
    normalise.wait_ready().await;
    normalise
        .wait_line("it consumes", PATIENCE, |found| {
            found["message"] == "consuming" && found["lane"] == "normalise.live"
        })
        .await;
    proxy.inject_answer(BLOCKED);
    let sent = message(MessageId::generate(), DeliveryId::generate(), &event("a"));
    line.publish(Queue::Raw, &sent).await;
    // Committed, not published, and tried again more than once.
    eventually(PATIENCE, "it tries again", async || {
        let tried = "could not publish facts; trying again";
        normalise.stderr().matches(tried).count() >= 3
    })
    .await;
    assert_eq!(line.counts_of(1).await.logged, 1);
    proxy.inject_answer(UNBLOCKED);
    let (_connection, mut facts) = line.facts().await;
    assert_eq!(take_facts(&mut facts, 1).await.len(), 1);
    let done = normalise
        .wait_line("the batch", PATIENCE, |found| {
            found["message"] == "normalised a batch"
        })
        .await;
    assert_eq!(done["repeated"], 0, "{done}");
}

/// Kills at random moments under load; then every event is logged once, was published, and is counted once.
#[tokio::test(flavor = "multi_thread")]
async fn kill_nine_at_any_moment_loses_no_event() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[]);
    let http = receive.wait_ready().await.http_address();
    let Workload { events, statements } = Workload::new(400, 11);
    let ids: BTreeSet<_> = events.iter().map(|event| event_id(event)).collect();
    let total = i64::try_from(events.len()).unwrap();
    let (_connection, mut facts) = line.facts().await;

    let emitting = line.emit(
        http,
        |options| {
            options.rate = Some(800.0);
            options.retry = Some(Retry::default());
        },
        events,
    );
    let killing = async {
        let mut random = double::Random::new(5);
        for _ in 0..8 {
            let mut normalise = line.start(&["normalise"], &[]);
            normalise.wait_ready().await;
            // A random moment, not a synchronisation.
            tokio::time::sleep(Duration::from_millis(random.index(300) as u64)).await;
            normalise.kill9();
        }
    };
    let (summary, ()) = tokio::join!(emitting, killing);
    assert!(summary.is_complete(), "{summary:?}");
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;

    let counts = line.counts_of(total).await;
    let logged = i64::try_from(statements).unwrap();
    assert_eq!((counts.logged, counts.duplicates), (logged, total - logged));
    assert_eq!(line.number("SELECT count(*) FROM event_log").await, logged);
    let mut seen = BTreeSet::new();
    while seen.len() < ids.len() {
        for event in take_facts(&mut facts, 1).await {
            seen.insert(event.fact.key.as_str().trim_start_matches("e:").to_owned());
        }
    }
    assert_eq!(seen, ids);
}

fn event_id(event: &[u8]) -> String {
    let event: serde_json::Value = serde_json::from_slice(event).unwrap();
    event["data"]["event_id"].as_str().unwrap().to_owned()
}

/// Pitfall 43: two copies pass the duplicate check together.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_events_at_two_receivers_in_the_same_moment_are_logged_once() {
    let line = Line::new().await;
    let mut first = line.start(&[], &[]);
    let mut second = line.start(&[], &[]);
    let (one, two) = (
        first.wait_ready().await.http_address(),
        second.wait_ready().await.http_address(),
    );
    let Workload { events, statements } = Workload::new(200, 13);
    let (sent, logged) = (events.len() * 2, i64::try_from(statements).unwrap());
    let sent = i64::try_from(sent).unwrap();
    let tune = |options: &mut double::emit::Options| options.connections = 4;
    let (a, b) = tokio::join!(
        line.emit(one, tune, events.clone()),
        line.emit(two, tune, events.clone())
    );
    assert!(a.is_complete() && b.is_complete());
    let counts = line.counts_of(sent).await;
    assert_eq!((counts.logged, counts.duplicates), (logged, sent - logged));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_the_store_refuses_is_isolated() {
    let line = Line::new().await;
    // What no check of ours foresees: a constraint of the operator's own.
    let client = line.db.client().await;
    let sql = "ALTER TABLE event_log ADD CONSTRAINT no_such CHECK (event_id NOT LIKE 'bad%')";
    client.batch_execute(sql).await.unwrap();
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let events: Vec<_> = (0..100)
        .map(|n| {
            event(&if n % 33 == 7 {
                format!("bad{n}")
            } else {
                format!("good{n}")
            })
        })
        .collect();
    let sent = message(
        MessageId::generate(),
        DeliveryId::generate(),
        &events.join("\n"),
    );
    line.publish(Queue::Raw, &sent).await;
    let counts = line.counts_of(100).await;
    assert_eq!((counts.logged, counts.quarantined), (97, 3));
    let refused =
        "SELECT count(*) FROM quarantine WHERE stage = 'store' AND reason LIKE '%no_such%'";
    assert_eq!(line.number(refused).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_no_envelope_is_held_whole() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let outgoing = broker::Outgoing {
        queue: Queue::Raw,
        body: bytes::Bytes::from_static(b"\x00not an envelope"),
        message_id: MessageId::generate().0,
        correlation: String::new(),
    };
    line.broker.publish(outgoing).await;
    assert_eq!(line.counts_of(1).await.quarantined, 1);
    let client = line.db.client().await;
    let row = client
        .query_one("SELECT stage, raw FROM quarantine", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), "envelope");
    assert_eq!(row.get::<_, &[u8]>(1), b"\x00not an envelope");
    eventually(PATIENCE, "it is acknowledged", async || {
        line.broker.depth(Queue::Raw).await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_with_names_that_no_table_takes_is_held_whole() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    for name in [String::new(), "a\0b".to_owned(), "x".repeat(5000)] {
        let mut sent = message(MessageId::generate(), DeliveryId::generate(), &event("a"));
        sent.deliveries[0].tenant = name.as_str().into();
        line.publish(Queue::Raw, &sent).await;
    }
    assert_eq!(line.counts_of(3).await.quarantined, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_outage_is_waited_out_and_nothing_is_lost() {
    let line = Line::new().await;
    let (proxy, url) = Proxy::before(line.db.url(), 5432).await;
    let mut normalise = line.start(
        &["normalise"],
        &[
            ("KPILINE_DATABASE_URL", &url),
            ("KPILINE_NORMALISE_HOLD_MAX", "1s"),
            ("KPILINE_DATABASE_ACQUIRE_TIMEOUT", "1s"),
        ],
    );
    let ready = normalise.wait_ready().await;
    proxy.refuse();
    for n in 0..5 {
        let sent = message(
            MessageId::generate(),
            DeliveryId::generate(),
            &event(&format!("d{n}")),
        );
        line.publish(Queue::Raw, &sent).await;
    }
    // It gives the messages back instead of holding them, and says that it is not ready.
    eventually(PATIENCE, "given back", async || {
        let (status, _) = testkit::http::get(ready.ops_address(), "/readyz")
            .await
            .unwrap();
        status == 503 && line.broker.depth(Queue::Raw).await == 5
    })
    .await;
    proxy.resume();
    assert_eq!(line.counts_of(5).await.logged, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_broker_connection_is_opened_again() {
    let line = Line::new().await;
    let (proxy, url) = Proxy::before(line.broker.url(), 5672).await;
    let mut normalise = line.start(&["normalise"], &[("KPILINE_AMQP_URL", &url)]);
    normalise.wait_ready().await;
    for n in 0..3 {
        proxy.cut();
        let sent = message(
            MessageId::generate(),
            DeliveryId::generate(),
            &event(&format!("c{n}")),
        );
        line.publish(Queue::Raw, &sent).await;
        assert_eq!(line.counts_of(n + 1).await.logged, n + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_logged_like_all_else_and_published_on_its_lane() {
    let line = Line::new().await;
    let mut normalise = line.start(&["normalise"], &[]);
    normalise.wait_ready().await;
    let sent = message(MessageId::generate(), DeliveryId::generate(), &event("h"));
    line.publish(Queue::RawHistory, &sent).await;
    assert_eq!(line.counts_of(1).await.logged, 1);
    eventually(PATIENCE, "on the history lane", async || {
        line.broker.depth(Queue::EventsHistory).await == 1
    })
    .await;
    assert_eq!(line.broker.depth(Queue::EventsTerminal).await, 0);
}
