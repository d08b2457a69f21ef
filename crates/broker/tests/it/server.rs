//! What only a broker of our own may suffer: kills, stops, alarms and time-outs. It starts a server under
//! `target/`, which needs what `deploy/local/services.sh` needs, and removes it.

use crate::{SOON, fill, has_depth, message, numbered};
use broker::{Broker, BrokerConfig, BrokerError, ConsumeError, PublishError, Queue};
use std::collections::HashSet;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a server that was ended or stopped may take until it serves again.
const BACK: Duration = Duration::from_secs(60);

/// A server of this test's own, ended with the value.
struct Server {
    url: String,
}

fn run(arguments: &[&str]) -> Output {
    let root = testkit::workspace_root();
    Command::new(root.join("deploy/local/services.sh"))
        .args(arguments)
        .env("KPILINE_LOCAL_DIR", root.join("target/broker-test"))
        .output()
        .expect("run services.sh")
}

fn services(arguments: &[&str]) -> String {
    let output = run(arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "services.sh {arguments:?}: {text}{errors}"
    );
    text + &errors
}

impl Server {
    fn start() -> Self {
        services(&["start", "rabbitmq"]);
        let environment = services(&["env"]);
        let line = environment
            .lines()
            .find_map(|line| line.strip_prefix("export KPILINE_TEST_AMQP_URL="));
        Self {
            url: line
                .expect("the server's URL")
                .trim_matches('\'')
                .to_owned(),
        }
    }

    fn signal(signal: &str) {
        let status = services(&["status"]);
        let pid = status
            .split("rabbitmq: pid ")
            .nth(1)
            .and_then(|rest| rest.split(',').next())
            .expect("the server's pid");
        let command = format!("kill -{signal} {pid}");
        assert!(
            Command::new("sh")
                .args(["-c", &command])
                .status()
                .unwrap()
                .success()
        );
    }

    fn config(&self, prefix: &str) -> BrokerConfig {
        let url = format!("{}?heartbeat=2", self.url);
        let mut config = BrokerConfig::new(url, prefix, "server test");
        config.confirm_timeout = Duration::from_secs(3);
        config.connect_timeout = Duration::from_secs(5);
        config
    }

    async fn connect(&self, prefix: &str) -> Broker {
        let config = self.config(prefix);
        testkit::eventually(BACK, "a connection", async || {
            Broker::connect(&config).await
        })
        .await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A panic here while another one is on its way would hide that one.
        if !run(&["destroy"]).status.success() {
            eprintln!("the broker of this test was not removed");
        }
    }
}

/// Publishes until it fails: what was confirmed, why it failed, and how long the failing call took.
async fn publish_until_failure(broker: Broker) -> (HashSet<Uuid>, PublishError, Duration) {
    let publisher = broker.publisher().await.unwrap();
    let mut confirmed = HashSet::new();
    loop {
        let batch = numbered(Queue::Raw, 100);
        let start = Instant::now();
        let fates = publisher.publish_each(&batch).await;
        let ids = batch.iter().map(|message| message.message_id);
        confirmed.extend(
            ids.zip(&fates)
                .filter(|(_, fate)| fate.is_ok())
                .map(|(id, _)| id),
        );
        if let Some(error) = fates.into_iter().find_map(Result::err) {
            return (confirmed, error, start.elapsed());
        }
    }
}

async fn next_error(mut consumer: broker::Consumer) -> ConsumeError {
    loop {
        if let Err(error) = consumer.next().await {
            return error;
        }
    }
}

/// Takes and acknowledges all that is there; none of `wanted` may be missing. A server that has just come back may have no leader for the
/// queue yet: who waits for it in vain connects anew, as every consumer of ours does.
async fn none_is_missing(server: &Server, prefix: &str, mut wanted: HashSet<Uuid>) {
    let (_broker, mut consumer) = testkit::eventually(BACK, "the queue is read", async || {
        let broker = server.connect(prefix).await;
        broker.declare().await?;
        let consumer = broker.consumer(&[Queue::Raw], 1000).await?;
        Ok::<_, BrokerError>((broker, consumer))
    })
    .await;
    while !wanted.is_empty() {
        let linger = Duration::from_millis(100);
        let batch = consumer.next_batch(1000, usize::MAX, linger);
        let batch = tokio::time::timeout(SOON, batch).await;
        let batch = batch
            .unwrap_or_else(|_| panic!("{} are missing", wanted.len()))
            .unwrap();
        for delivery in &batch {
            wanted.remove(&delivery.message_id.unwrap());
        }
        consumer
            .ack_through(batch[batch.len() - 1].tag)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_confirmed_is_lost_and_every_wait_ends_whatever_the_server_suffers() {
    let server = Server::start();
    killed(&server).await;
    stopped(&server).await;
    in_alarm(&server).await;
    closed_by_its_operator(&server).await;
    held_too_long(&server).await;
}

async fn killed(server: &Server) {
    let broker = server.connect("killed.").await;
    broker.declare().await.unwrap();
    let waiting = broker.consumer(&[Queue::RawHistory], 10).await.unwrap();
    let waiting = tokio::spawn(next_error(waiting));
    let publishing = tokio::spawn(publish_until_failure(server.connect("killed.").await));
    testkit::eventually(SOON, "publishing is under way", async || {
        broker.depth(Queue::Raw).await.unwrap() > 500
    })
    .await;
    services(&["crash", "rabbitmq"]);
    let (confirmed, error, took) = publishing.await.unwrap();
    println!(
        "killed: {} confirmed, then {error} after {took:?}",
        confirmed.len()
    );
    assert!(took < Duration::from_secs(5), "{took:?}");
    let error = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    assert!(
        matches!(error, ConsumeError::Connection { .. }),
        "{error:?}"
    );
    services(&["start", "rabbitmq"]);
    none_is_missing(server, "killed.", confirmed).await;
}

async fn stopped(server: &Server) {
    let broker = server.connect("stopped.").await;
    broker.declare().await.unwrap();
    let waiting = broker.consumer(&[Queue::RawHistory], 10).await.unwrap();
    let waiting = tokio::spawn(next_error(waiting));
    let publishing = tokio::spawn(publish_until_failure(server.connect("stopped.").await));
    testkit::eventually(SOON, "publishing is under way", async || {
        broker.depth(Queue::Raw).await.unwrap() > 500
    })
    .await;
    Server::signal("STOP");
    let (confirmed, error, took) = publishing.await.unwrap();
    println!(
        "stopped: {} confirmed, then {error} after {took:?}",
        confirmed.len()
    );
    assert!(took < Duration::from_secs(7), "{took:?}");
    let error = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    assert!(
        matches!(error, ConsumeError::Connection { .. }),
        "{error:?}"
    );
    // A connection that nobody answers ends at its deadline too.
    let start = Instant::now();
    assert!(Broker::connect(&server.config("stopped.")).await.is_err());
    assert!(start.elapsed() < Duration::from_secs(7));
    Server::signal("CONT");
    none_is_missing(server, "stopped.", confirmed).await;
}

async fn in_alarm(server: &Server) {
    let (publishing, consuming) = tokio::join!(server.connect("alarm."), server.connect("alarm."));
    publishing.declare().await.unwrap();
    fill(&publishing, Queue::Raw, 1000).await;
    let publisher = publishing.publisher().await.unwrap();
    services(&["rabbitmqctl", "set_vm_memory_high_watermark", "0.00001"]);
    let start = Instant::now();
    let error = testkit::eventually(SOON, "a refusal", async || {
        publisher.publish(message(Queue::Raw, "x")).await.err()
    });
    let error = error.await;
    println!("in alarm: {error} after {:?}", start.elapsed());
    assert!(matches!(error, PublishError::Blocked), "{error:?}");
    assert!(publishing.is_blocked());
    assert!(publishing.is_connected());
    // Consuming goes on meanwhile, on its own connection.
    let mut consumer = consuming.consumer(&[Queue::Raw], 100).await.unwrap();
    for _ in 0..1000 {
        let next = tokio::time::timeout(SOON, consumer.next()).await;
        consumer
            .ack_through(next.unwrap().unwrap().tag)
            .await
            .unwrap();
    }
    services(&["rabbitmqctl", "set_vm_memory_high_watermark", "0.4"]);
    testkit::eventually(SOON, "publishing works again", async || {
        publisher.publish(message(Queue::RawHistory, "x")).await
    })
    .await;
    assert!(!publishing.is_blocked());
}

async fn closed_by_its_operator(server: &Server) {
    let broker = server.connect("closed.").await;
    broker.declare().await.unwrap();
    let waiting = tokio::spawn(next_error(
        broker.consumer(&[Queue::Raw], 10).await.unwrap(),
    ));
    services(&["rabbitmqctl", "close_all_connections", "for a test"]);
    let error = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    assert!(
        matches!(error, ConsumeError::Connection { .. }),
        "{error:?}"
    );
    tokio::time::timeout(SOON, broker.closed()).await.unwrap();
}

/// The broker's limit for an unacknowledged delivery, shortened from half an hour.
async fn held_too_long(server: &Server) {
    for setting in ["channel_tick_interval, 500", "consumer_timeout, 1000"] {
        services(&[
            "rabbitmqctl",
            "eval",
            &format!("application:set_env(rabbit, {setting})."),
        ]);
    }
    let broker = server.connect("held.").await;
    broker.declare().await.unwrap();
    fill(&broker, Queue::Raw, 1).await;
    let mut consumer = broker.consumer(&[Queue::Raw], 10).await.unwrap();
    let held = consumer.next().await.unwrap();
    let error = tokio::time::timeout(SOON, consumer.next())
        .await
        .unwrap()
        .unwrap_err();
    println!("held too long: {}", error_text(&error));
    assert!(
        matches!(error, ConsumeError::Connection { .. }),
        "{error:?}"
    );
    assert!(consumer.ack_through(held.tag).await.is_err());
    // Only the channel is gone: a new consumer on the same connection gets it again.
    assert!(broker.is_connected());
    has_depth(&broker, Queue::Raw, 1).await;
    let mut consumer = broker.consumer(&[Queue::Raw], 10).await.unwrap();
    let again = tokio::time::timeout(SOON, consumer.next())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(again.message_id, held.message_id);
    consumer.ack_through(again.tag).await.unwrap();
}

fn error_text(error: &ConsumeError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    format!("{error} ({})", source.unwrap_or_default())
}
