//! Asking for a backfill job.

use crate::server::{ACME, ASKER, Answer, Api};
use broker::{BrokerConfig, Queue};
use schema::backfill::JobRequest;
use schema::{TenantId, UtcMicros};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::TestBroker;

fn wish() -> Value {
    json!({
        "request_id": "r-1", "source": "genesys-conversations", "platform": "main", "metric_version": 2,
        "from": "2024-03-01T00:00:00Z", "to": "2024-03-02T00:00:00+01:00", "promote": "never", "kpis": ["adjusted_aht"],
    })
}

async fn ask(api: &Api, token: &str, wish: &Value) -> Answer {
    let authorization = format!("Bearer {token}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    api.send("POST", "/api/v1/jobs", &headers, &wish.to_string())
        .await
}

#[tokio::test]
async fn a_wish_is_in_the_queue_once_it_is_taken() {
    let broker = TestBroker::declared().await;
    let api = Api::start_with(Some(broker.config("test api"))).await;
    let answer = ask(&api, ASKER, &wish()).await;
    assert_eq!(
        (answer.status, answer.json()),
        (202, json!({"request_id": "r-1"}))
    );
    let connection = broker.connect("test").await;
    let mut consumer = connection
        .consumer(&[Queue::BackfillJobs], 10)
        .await
        .unwrap();
    let taken = consumer
        .next_batch(1, 1 << 20, Duration::from_millis(1))
        .await
        .unwrap();
    let request = JobRequest::decode(&taken[0].body).unwrap();
    assert_eq!(
        (request.request_id.as_str(), request.source.as_str()),
        ("r-1", "genesys-conversations")
    );
    assert_eq!(
        request.tenant,
        Some(TenantId::from("acme")),
        "the only one that the token reaches"
    );
    assert_eq!(request.from, Some(UtcMicros(1_709_251_200_000_000)));
    assert_eq!(request.to, Some(UtcMicros(1_709_334_000_000_000)));
    api.stop().await;
}

#[tokio::test]
async fn only_who_may_ask_asks_and_only_for_what_can_be() {
    let api = Api::start_with(None).await;
    assert_eq!(
        ask(&api, ACME, &wish()).await.status,
        403,
        "a token to read"
    );
    assert_eq!(ask(&api, "nobody", &wish()).await.status, 401);
    for (member, value, status) in [
        ("tenant", json!("globex"), 403),
        ("from", json!("yesterday"), 400),
        ("from", json!("2024-03-09T00:00:00Z"), 400),
        ("to", Value::Null, 400),
        ("promote", json!("now"), 400),
        ("metric_version", json!(0), 400),
        ("metric_version", json!(-1), 400),
        ("request_id", json!("follow/x"), 400),
        ("request_id", json!("a\u{1}b"), 400),
        ("colour", json!("red"), 400),
        ("ids", json!(vec!["x"; 10_001]), 400),
        ("source", json!("x".repeat(2_000_000)), 413),
    ] {
        let mut wish = wish();
        wish[member] = value;
        let answer = ask(&api, ASKER, &wish).await;
        assert_eq!(answer.status, status, "{member}: {}", answer.body);
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    for body in ["", "[]", "{"] {
        let headers = [("Authorization", "Bearer token-of-asker")];
        assert_eq!(
            api.send("POST", "/api/v1/jobs", &headers, body)
                .await
                .status,
            400,
            "{body:?}"
        );
    }
    assert_eq!(
        ask(&api, ASKER, &wish()).await.status,
        503,
        "there is no broker"
    );
    let elsewhere = api.send("PUT", "/api/v1/jobs", &[], "x").await;
    assert_eq!(
        (elsewhere.status, elsewhere.header("allow")),
        (405, "GET, HEAD, POST")
    );
    api.stop().await;
}

#[tokio::test]
async fn without_a_broker_who_asks_is_told_to_ask_again() {
    let config = BrokerConfig::new(
        "amqp://127.0.0.1:9/%2f".to_owned(),
        "none.".to_owned(),
        "test api",
    );
    let api = Api::start_with(Some(config)).await;
    let answer = ask(&api, ASKER, &wish()).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    assert!(
        answer.json()["detail"]
            .as_str()
            .unwrap()
            .contains("same `request_id`")
    );
    api.stop().await;
}
