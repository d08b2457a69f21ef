//! *receive*: 2xx means stored, whatever happens to the broker.

use crate::line::{Line, PATIENCE, SECRET, answer, event, post, post_signed, request, sign};
use broker::Queue;
use schema::RawMessage;
use std::time::{Duration, Instant};
use testkit::{Proxy, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The sender's patience, less a margin.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// All deliveries in queue `raw`.
async fn stored(line: &Line) -> Vec<schema::RawDelivery> {
    let connection = line.broker.connect("test look").await;
    let mut consumer = connection.consumer(&[Queue::Raw], 1000).await.unwrap();
    let mut left = line.broker.depth(Queue::Raw).await;
    let mut deliveries = Vec::new();
    // What the prefetch took already is no longer counted as ready: wait until nothing comes any more.
    while let Ok(delivery) = tokio::time::timeout(Duration::from_millis(500), consumer.next()).await
    {
        let delivery = delivery.unwrap();
        deliveries.extend(RawMessage::decode(&delivery.body).unwrap().deliveries);
        left = left.saturating_sub(1);
    }
    assert_eq!(left, 0);
    connection.close().await.unwrap();
    deliveries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_stored_byte_for_byte_with_its_correlation_id() {
    let line = Line::new().await;
    // No database is reachable, and none is asked for.
    let mut receive = line.start(
        &["receive"],
        &[("KPILINE_DATABASE_URL", "postgres://nowhere:1/x")],
    );
    let http = receive.wait_ready().await.http_address();
    let body = b"{ \"b\" : 1.0,\n \"a\":\"\\u00e9\", \"b\":2 }";
    let signature = sign(SECRET, body);
    let headers = [
        ("x-genesys-signature", signature.as_str()),
        ("x-correlation-id", "call-7"),
    ];
    let answered = post(http, &headers, body).await;
    assert_eq!(answered.status, 202);
    assert!(answered.head.contains("x-correlation-id: call-7"));
    let deliveries = stored(&line).await;
    assert_eq!(deliveries.len(), 1);
    assert_eq!(deliveries[0].body, body.as_slice());
    assert_eq!(deliveries[0].correlation.as_str(), "call-7");
    assert_eq!(deliveries[0].subscription.as_str(), "genesys");
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_that_arrive_together_share_messages() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[("KPILINE_RECEIVE_IN_FLIGHT", "1")]);
    let http = receive.wait_ready().await.http_address();
    let events = double::workload::Workload::new(100, 3).events;
    let count = u64::try_from(events.len()).unwrap();
    let summary = line
        .emit(http, |options| options.connections = 32, events)
        .await;
    assert_eq!(summary.accepted_posts, count);
    let messages = u64::from(line.broker.depth(Queue::Raw).await);
    assert!(
        messages * 2 < count,
        "{messages} messages for {count} deliveries"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_gone_the_answer_is_503_in_time_and_never_2xx() {
    let line = Line::new().await;
    let (proxy, url) = Proxy::before(line.broker.url(), 5672).await;
    let mut receive = line.start(&["receive"], &[("KPILINE_AMQP_URL", &url)]);
    let ready = receive.wait_ready().await;
    let http = ready.http_address();
    assert_eq!(post_signed(http, event("e1").as_bytes()).await.status, 202);

    proxy.refuse();
    eventually(PATIENCE, "readiness goes", async || {
        testkit::http::get(ready.ops_address(), "/readyz")
            .await
            .unwrap()
            .0
            == 503
    })
    .await;
    for n in 0..20 {
        let begun = Instant::now();
        let refused = post_signed(http, event(&format!("gone{n}")).as_bytes()).await;
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(refused.head.contains("retry-after: "), "{refused:?}");
        assert!(begun.elapsed() < ANSWER_WITHIN);
    }

    proxy.resume();
    eventually(PATIENCE, "accepted again", async || {
        post_signed(http, event("e2").as_bytes()).await.status == 202
    })
    .await;
    let ids: Vec<_> = stored(&line)
        .await
        .iter()
        .map(|found| found.body.clone())
        .collect();
    assert_eq!(ids.len(), 2, "exactly what was answered 2xx is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_silent_is_answered_for_in_time() {
    let line = Line::new().await;
    let (proxy, url) = Proxy::before(line.broker.url(), 5672).await;
    let mut receive = line.start(
        &["receive"],
        &[
            ("KPILINE_AMQP_URL", &url),
            ("KPILINE_HTTP_ANSWER_TIMEOUT", "2s"),
            ("KPILINE_AMQP_CONNECT_TIMEOUT", "1s"),
        ],
    );
    let http = receive.wait_ready().await.http_address();
    proxy.stall();
    // Many at once, so that some wait for confirms and some behind them.
    let posts: Vec<_> = (0..50)
        .map(|n| {
            tokio::spawn(async move {
                let begun = Instant::now();
                let answered = post_signed(http, event(&format!("s{n}")).as_bytes()).await;
                (answered.status, begun.elapsed())
            })
        })
        .collect();
    for posted in posts {
        let (status, elapsed) = posted.await.unwrap();
        assert_eq!(status, 503);
        assert!(elapsed < ANSWER_WITHIN, "{elapsed:?}");
    }
    proxy.resume();
    eventually(PATIENCE, "accepted again", async || {
        post_signed(http, event("after").as_bytes()).await.status == 202
    })
    .await;
}

/// Whoever sends and hangs up takes his places until what he sent is out: else one of several could fill the inbox of all.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_hangs_up_keeps_its_places_as_long_as_its_deliveries_wait() {
    let line = Line::new().await;
    let (proxy, url) = Proxy::before(line.broker.url(), 5672).await;
    let mut text = std::fs::read_to_string(line.file()).unwrap();
    text.push_str("[subscription.limits]\nrequests_at_once = 2\n");
    std::fs::write(line.file(), text).unwrap();
    let mut receive = line.start(&["receive"], &[("KPILINE_AMQP_URL", &url)]);
    let ready = receive.wait_ready().await;
    let http = ready.http_address();
    proxy.stall();
    let body = event("e");
    let signature = sign(SECRET, body.as_bytes());
    let bytes = request(&[("x-genesys-signature", &signature)], body.as_bytes());
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(http).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        streams.push(stream);
    }
    let waiting = f64::from(u32::try_from(2 * body.len()).unwrap());
    eventually(PATIENCE, "both wait", async || {
        let gauge = "kpiline_receive_memory_bytes";
        testkit::http::metric(ready.ops_address(), gauge)
            .await
            .unwrap()
            >= waiting
    })
    .await;
    drop(streams);
    for _ in 0..20 {
        let refused = post_signed(http, body.as_bytes()).await;
        assert_eq!(refused.body["error"], "too_many_at_once", "{refused:?}");
    }
    proxy.resume();
    eventually(PATIENCE, "free again", async || {
        post_signed(http, body.as_bytes()).await.status == 202
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_answered_503_and_accepts_again_once_emptied() {
    let line = Line::new().await;
    // The bound is an argument of the queue: this test declares its own.
    line.broker
        .connect("test")
        .await
        .delete_queues()
        .await
        .unwrap();
    let mut receive = line.start(&["receive"], &[("KPILINE_RAW_QUEUE_MAX_BYTES", "2000")]);
    let http = receive.wait_ready().await.http_address();
    let mut accepted = 0;
    let refused = loop {
        let answered = post_signed(http, event(&format!("f{accepted}")).as_bytes()).await;
        if answered.status != 202 {
            break answered;
        }
        accepted += 1;
        assert!(accepted < 1000, "the queue has a bound");
    };
    assert_eq!(refused.status, 503);
    assert_eq!(refused.body["error"], "broker_refused");
    // The queue is emptied.
    let connection = line.broker.connect("test empty").await;
    let mut consumer = connection.consumer(&[Queue::Raw], 1000).await.unwrap();
    for _ in 0..accepted {
        let delivery = consumer.next().await.unwrap();
        consumer.ack_through(delivery.tag).await.unwrap();
    }
    eventually(PATIENCE, "accepted again", async || {
        post_signed(http, event("again").as_bytes()).await.status == 202
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_was_deleted_is_never_answered_2xx_and_comes_back() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[]);
    let http = receive.wait_ready().await.http_address();
    let admin = line.broker.connect("test admin").await;
    admin.delete_queue(Queue::Raw).await.unwrap();
    assert_eq!(
        post_signed(http, event("lost").as_bytes()).await.status,
        503
    );
    eventually(PATIENCE, "accepted again", async || {
        post_signed(http, event("kept").as_bytes()).await.status == 202
    })
    .await;
    assert_eq!(stored(&line).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_open_requests_and_takes_no_new_ones() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[]);
    let ready = receive.wait_ready().await;
    let http = ready.http_address();
    // Twenty requests whose bodies are half there.
    let mut open = Vec::new();
    for n in 0..20 {
        let body = event(&format!("open{n}"));
        let signature = sign(SECRET, body.as_bytes());
        let bytes = request(&[("x-genesys-signature", &signature)], body.as_bytes());
        let mut stream = TcpStream::connect(http).await.unwrap();
        let half = bytes.len() - 100;
        stream.write_all(&bytes[..half]).await.unwrap();
        open.push((stream, bytes[half..].to_vec()));
    }
    // They are served once an answer to a later one is there: the accept loop takes them in order.
    assert_eq!(
        post_signed(http, event("later").as_bytes()).await.status,
        202
    );
    receive.signal("TERM");
    eventually(PATIENCE, "not ready", async || {
        testkit::http::get(ready.ops_address(), "/readyz")
            .await
            .unwrap()
            .0
            == 503
    })
    .await;
    eventually(PATIENCE, "no new connections", async || {
        TcpStream::connect(http).await.is_err()
    })
    .await;
    for (stream, rest) in &mut open {
        stream.write_all(rest).await.unwrap();
        assert_eq!(answer(stream).await.status, 202);
    }
    let status = receive.wait(PATIENCE).await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(stored(&line).await.len(), 21);
}

/// A request that crosses the stop on a connection that was idle is answered, and the answer says that the connection ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_hears_one_request_more_on_an_open_connection() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[]);
    let ready = receive.wait_ready().await;
    let mut stream = TcpStream::connect(ready.http_address()).await.unwrap();
    let send = |id: &str| {
        let body = event(id);
        let signature = sign(SECRET, body.as_bytes());
        let bytes = request(&[("x-genesys-signature", &signature)], body.as_bytes());
        String::from_utf8(bytes)
            .unwrap()
            .replace("connection: close\r\n", "")
    };
    stream.write_all(send("before").as_bytes()).await.unwrap();
    let mut first = String::new();
    while !first.ends_with('}') {
        let mut some = [0; 1024];
        let read = stream.read(&mut some).await.unwrap();
        assert!(read > 0, "{first}");
        first.push_str(std::str::from_utf8(&some[..read]).unwrap());
    }
    assert!(first.starts_with("HTTP/1.1 202"), "{first}");
    receive.signal("TERM");
    eventually(PATIENCE, "not ready", async || {
        testkit::http::get(ready.ops_address(), "/readyz")
            .await
            .unwrap()
            .0
            == 503
    })
    .await;
    stream.write_all(send("after").as_bytes()).await.unwrap();
    let last = answer(&mut stream).await;
    assert_eq!(last.status, 202);
    assert!(last.head.contains("connection: close"), "{}", last.head);
    assert_eq!(receive.wait(PATIENCE).await.code(), Some(0));
    assert_eq!(stored(&line).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_rotated_without_a_restart() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[]);
    let http = receive.wait_ready().await.http_address();
    let body = event("e1");
    let with = async |secret: &str| {
        let signature = sign(secret, body.as_bytes());
        let headers = [("x-genesys-signature", signature.as_str())];
        post(http, &headers, body.as_bytes()).await.status
    };
    assert_eq!((with(SECRET).await, with("new").await), (202, 401));
    line.write_secrets(&["new", SECRET]);
    receive.signal("HUP");
    eventually(PATIENCE, "both accepted", async || with("new").await == 202).await;
    assert_eq!(with(SECRET).await, 202);
    // A broken file changes nothing; a file without the old secret ends it.
    std::fs::write(line.file(), "nonsense").unwrap();
    receive.signal("HUP");
    receive
        .wait_line("the refusal", PATIENCE, |found| {
            found["problems"]
                .as_str()
                .is_some_and(|text| text.contains("subscriptions.toml:1"))
        })
        .await;
    assert_eq!(with("new").await, 202);
    line.write_secrets(&["new"]);
    receive.signal("HUP");
    eventually(PATIENCE, "the old one refused", async || {
        with(SECRET).await == 401
    })
    .await;
    assert_eq!(with("new").await, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_over_the_limit_are_told_so() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[("KPILINE_HTTP_CONNECTIONS_MAX", "2")]);
    let http = receive.wait_ready().await.http_address();
    let mut idle = Vec::new();
    for _ in 0..2 {
        idle.push(TcpStream::connect(http).await.unwrap());
    }
    let refused = eventually(PATIENCE, "turned away", async || {
        let answered = post_signed(http, b"{}").await;
        (answered.status == 503).then_some(answered)
    })
    .await;
    assert_eq!(refused.body["error"], "overloaded");
    drop(idle);
    eventually(PATIENCE, "served again", async || {
        post_signed(http, event("e").as_bytes()).await.status == 202
    })
    .await;
}

/// The other input format: CXone events by the mapping file that ships with the product.
#[tokio::test(flavor = "multi_thread")]
async fn mapped_events_take_the_same_way() {
    let line = Line::new().await;
    let mapping = testkit::workspace_root().join("deploy/mappings/cxone-interaction-events.toml");
    let text = std::fs::read_to_string(line.file()).unwrap().replace(
        "\"genesys-webhook\"",
        &format!("\"mapped\"\nmapping = {:?}", mapping.display().to_string()),
    );
    std::fs::write(line.file(), text).unwrap();
    let mut ingest = line.start(&[], &[]);
    let http = ingest.wait_ready().await.http_address();
    let body = br#"[{"eventId":"c-1","eventType":"ContactEnded","eventTime":"2024-11-02T16:34:26.120Z","sentAt":"2024-11-02T16:34:27Z","contact":{"contactId":"901","masterContactId":"900","agentSeconds":61.5}},{"eventId":"c-2"}]"#;
    assert_eq!(post_signed(http, body).await.status, 202);
    let counts = line.counts_of(2).await;
    assert_eq!((counts.logged, counts.quarantined), (1, 1));
    let logged = "SELECT count(*) FROM event_log WHERE interaction_id = '900' AND format LIKE '%cxone-interaction-events%'";
    assert_eq!(line.number(logged).await, 1);
}
