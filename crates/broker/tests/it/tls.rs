//! TLS to RabbitMQ by a CA of the test's own: whom it takes for the broker, whom it refuses, and what it then says.

use crate::{SOON, message};
use broker::{Broker, BrokerConfig, BrokerError, Class, Queue};
use std::path::Path;
use testkit::TestBroker;
use testkit::tls::{Authority, Begins, Identity, TlsFront};

fn config(test: &TestBroker, url: &str, files: &[(&str, &Path)]) -> BrokerConfig {
    let mut url = url.replacen("amqp://", "amqps://", 1);
    for (name, path) in files {
        let mark = if url.contains('?') { '&' } else { '?' };
        url = format!("{url}{mark}{name}={}", path.display());
    }
    let mut config = BrokerConfig::new(url, test.prefix(), "tls test");
    config.connect_timeout = SOON;
    config
}

async fn front(test: &TestBroker, identity: &Identity, clients: Option<&Path>) -> TlsFront {
    TlsFront::before(test.url(), Begins::AtOnce, identity, clients).await
}

async fn refusal(config: &BrokerConfig) -> String {
    let error = Broker::connect(config).await.unwrap_err();
    assert!(matches!(error, BrokerError::Untrusted { .. }), "{error:?}");
    // Who runs it mends that while we try again.
    assert_eq!(error.class(), Class::Transient);
    error.to_string()
}

#[tokio::test]
async fn a_broker_of_the_named_ca_takes_declarations_and_messages() {
    let test = TestBroker::new();
    let authority = Authority::new();
    let front = front(&test, &authority.issue(&["localhost"]), None).await;
    let url = front.url(test.url(), "localhost");
    let config = config(&test, &url, &[("cacertfile", &authority.ca())]);
    let broker = Broker::connect(&config).await.unwrap();
    // The short connection that asks for the version goes the same way.
    broker.declare().await.unwrap();
    let publisher = broker.publisher().await.unwrap();
    publisher.publish(message(Queue::Raw, "x")).await.unwrap();
    crate::has_depth(&broker, Queue::Raw, 1).await;
}

#[tokio::test]
async fn a_stranger_is_refused_with_what_to_do() {
    let test = TestBroker::new();
    let authority = Authority::new();
    let ca = authority.ca();
    let named = [("cacertfile", ca.as_path())];

    let stranger = Authority::new();
    let by = front(&test, &stranger.issue(&["localhost"]), None).await;
    let text = refusal(&config(&test, &by.url(test.url(), "localhost"), &named)).await;
    assert!(
        text.contains("not signed by a CA that is trusted here"),
        "{text}"
    );
    assert!(text.contains("--amqp-ca-file"), "{text}");

    let by = front(&test, &authority.issue(&["localhost"]), None).await;
    let text = refusal(&config(&test, &by.url(test.url(), "127.0.0.1"), &named)).await;
    assert!(
        text.contains("is for localhost, not for 127.0.0.1"),
        "{text}"
    );

    let by = front(&test, &authority.issue_expired(&["localhost"]), None).await;
    let text = refusal(&config(&test, &by.url(test.url(), "localhost"), &named)).await;
    assert!(text.contains("has expired"), "{text}");

    let text = refusal(&config(&test, test.url(), &named)).await;
    assert!(text.contains("does not speak TLS on this port"), "{text}");
}

#[tokio::test]
async fn a_broker_that_asks_for_our_certificate_gets_it() {
    let test = TestBroker::new();
    let authority = Authority::new();
    let ca = authority.ca();
    let by = front(&test, &authority.issue(&["localhost"]), Some(&ca)).await;
    let url = by.url(test.url(), "localhost");
    let ours = authority.issue(&["kpiline"]);
    let bearing = |identity: &Identity| {
        config(
            &test,
            &url,
            &[
                ("cacertfile", &ca),
                ("certfile", &identity.certificate),
                ("keyfile", &identity.key),
            ],
        )
    };
    let broker = Broker::connect(&bearing(&ours)).await.unwrap();
    broker.close().await.unwrap();

    let text = refusal(&config(&test, &url, &[("cacertfile", &ca)])).await;
    assert!(text.contains("asks for a client certificate"), "{text}");
    let stranger = Authority::new();
    let text = refusal(&bearing(&stranger.issue(&["kpiline"]))).await;
    assert!(
        text.contains("does not take our client certificate"),
        "{text}"
    );
}
