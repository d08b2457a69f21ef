use crate::has_depth;
use broker::{Broker, BrokerConfig, BrokerError, Class, Queue};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use std::time::{Duration, Instant};
use testkit::{Proxy, TestBroker};

#[tokio::test]
async fn declaring_may_be_repeated_and_may_collide() {
    let test = TestBroker::new();
    let (one, two) = tokio::join!(test.connect("one"), test.connect("two"));
    let (first, second) = tokio::join!(one.declare(), two.declare());
    first.unwrap();
    second.unwrap();
    one.declare().await.unwrap();
    for queue in Queue::ALL {
        has_depth(&one, queue, 0).await;
    }
}

#[tokio::test]
async fn a_changed_bound_does_not_stop_a_rolling_update() {
    let test = TestBroker::new();
    let mut config = test.config("t");
    for bound in [None, Some(1_000_000), Some(2_000_000)] {
        config.raw_max_bytes = bound;
        let broker = Broker::connect(&config).await.unwrap();
        broker.declare_some(&[Queue::Raw]).await.unwrap();
    }
}

#[tokio::test]
async fn a_queue_of_another_kind_is_refused_by_name() {
    let test = TestBroker::new();
    let name = Queue::Raw.name(test.prefix());
    let raw = Connection::connect(test.url(), ConnectionProperties::default());
    let channel = raw.await.unwrap().create_channel().await.unwrap();
    let classic = QueueDeclareOptions::durable();
    channel
        .queue_declare(name.as_str().into(), classic, FieldTable::default())
        .await
        .unwrap();
    let broker = test.connect("t").await;
    let error = broker.declare().await.unwrap_err();
    assert!(
        matches!(&error, BrokerError::QueueDiffers { name: found, .. } if *found == name),
        "{error:?}"
    );
    assert_eq!(error.class(), Class::Fatal);
    // The refusal did not cost the connection.
    assert!(broker.is_connected());
}

#[tokio::test]
async fn who_may_not_declare_only_looks() {
    let test = TestBroker::new();
    let mut config = test.config("t");
    config.declare = false;
    let broker = Broker::connect(&config).await.unwrap();
    let error = broker.declare().await.unwrap_err();
    assert!(
        matches!(&error, BrokerError::Missing { name } if name.starts_with(test.prefix())),
        "{error:?}"
    );
    // Somebody will declare it: it is worth another try.
    assert_eq!(error.class(), Class::Transient);
    assert!(
        error.to_string().contains("ingest queues declare"),
        "{error}"
    );
    test.connect("who may").await.declare().await.unwrap();
    broker.declare().await.unwrap();
}

#[tokio::test]
async fn wrong_credentials_are_fatal_and_never_printed() {
    let test = TestBroker::new();
    let host = test.url().rsplit('@').next().unwrap();
    let config = BrokerConfig::new(format!("amqp://nobody:hunter2@{host}"), test.prefix(), "t");
    let error = Broker::connect(&config).await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal, "{error:?}");
    assert!(!format!("{error:?} {error} {config:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_missing_virtual_host_is_fatal() {
    let test = TestBroker::new();
    let (server, _) = test.url().rsplit_once('/').unwrap();
    let config = BrokerConfig::new(format!("{server}/no-such-host"), test.prefix(), "t");
    let error = Broker::connect(&config).await.unwrap_err();
    assert_eq!(error.class(), Class::Fatal, "{error:?}");
}

#[tokio::test]
async fn nobody_there_is_transient_and_nonsense_is_fatal() {
    let connect = async |url: &str| {
        let config = BrokerConfig::new(url, "p.", "t");
        Broker::connect(&config).await.unwrap_err()
    };
    let absent = connect("amqp://guest:hunter2@127.0.0.1:1/%2f").await;
    assert_eq!(absent.class(), Class::Transient, "{absent:?}");
    let nonsense = connect("http://guest:hunter2@127.0.0.1/").await;
    assert_eq!(nonsense.class(), Class::Fatal, "{nonsense:?}");
    assert!(!format!("{absent:?}{nonsense:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_server_that_does_not_answer_ends_at_the_deadline() {
    let test = TestBroker::new();
    let (proxy, through) = Proxy::before(test.url(), 5672).await;
    proxy.stall();
    let mut config = test.config("t");
    config.url = through;
    config.connect_timeout = Duration::from_millis(300);
    let start = Instant::now();
    let error = Broker::connect(&config).await.unwrap_err();
    assert!(matches!(error, BrokerError::TimedOut { .. }), "{error:?}");
    assert_eq!(error.class(), Class::Transient);
    assert!(start.elapsed() < Duration::from_secs(3));
    // When it answers at last, a new attempt works.
    proxy.resume();
    config.connect_timeout = Duration::from_secs(10);
    Broker::connect(&config)
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_silent_server_costs_its_share_of_the_time_and_the_next_one_is_taken() {
    let test = TestBroker::new();
    let (proxy, through) = Proxy::before(test.url(), 5672).await;
    proxy.stall();
    let host = |url: &str| {
        let (_, rest) = url.rsplit_once('@').unwrap();
        rest.split('/').next().unwrap().to_owned()
    };
    let (silent, good) = (host(&through), host(test.url()));
    let mut config = test.config("t");
    config.url = test
        .url()
        .replacen(&format!("@{good}"), &format!("@{silent},{good}"), 1);
    config.connect_timeout = Duration::from_secs(4);
    // Each of the two is first in turn.
    for _ in 0..4 {
        let broker = Broker::connect(&config).await.unwrap();
        broker.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_server_states_its_version() {
    let test = TestBroker::new();
    let version = test.connect("t").await.server_version().await.unwrap();
    assert!(version.unwrap().major >= 3);
}

#[tokio::test]
async fn a_consumer_of_a_missing_queue_is_transient() {
    let test = TestBroker::new();
    let broker = test.connect("t").await;
    let error = broker.consumer(&[Queue::Raw], 1).await.unwrap_err();
    assert_eq!(error.class(), Class::Transient, "{error:?}");
    let error = broker.depth(Queue::Raw).await.unwrap_err();
    assert_eq!(error.class(), Class::Transient, "{error:?}");
}
