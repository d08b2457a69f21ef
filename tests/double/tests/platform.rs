//! The double as a platform: what it takes, refuses, remembers and breaks.

// A helper that fails is a test that fails.
#![allow(clippy::unwrap_used)]

use double::config::{
    Admin, Bounds, Client, Fault, ItemFault, Limit, Phase, Place, Receivers, RetryAfter, Script,
    Token, Topic,
};
use double::{Config, Double, Key, Kind};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::time::Duration;

const CUSTOM: &str = "/api/v2/analytics/datadefinitions/customreports";
const EXTERNAL: &str = "/api/v2/employeeperformance/externalmetrics/data";
const CXONE: &str = "/incontactapi/services/v30.0/data-import/batches";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

/// A client that has logged in at a double.
struct Session {
    double: Double,
    http: Http<HttpConnector, Full<Bytes>>,
    token: String,
}

impl Session {
    async fn with(config: Config) -> Self {
        let double = Double::start(config).await.unwrap();
        let http = Http::builder(TokioExecutor::new()).build_http();
        let mut session = Self {
            double,
            http,
            token: String::new(),
        };
        let client = Client::default();
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            client.id, client.secret
        );
        let granted = session
            .send("/oauth/token", "application/x-www-form-urlencoded", form)
            .await
            .unwrap();
        session.token = String::from(granted.body["access_token"].as_str().unwrap());
        session
    }

    async fn send(&self, path: &str, content_type: &str, body: String) -> Option<Answer> {
        self.send_by("POST", path, content_type, body).await
    }

    async fn send_by(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: String,
    ) -> Option<Answer> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.double.url()))
            .header("content-type", content_type)
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let response = self.http.request(request).await.ok()?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        })
    }

    /// Asks for a path as it is, query and all.
    async fn fetch(&self, path: &str) -> Answer {
        let request = Request::get(format!("{}{path}", self.double.url()))
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(Bytes::new()))
            .unwrap();
        let (head, body) = self.http.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }

    async fn push(&self, path: &str, body: Value) -> Option<Answer> {
        self.send(path, "application/json", body.to_string()).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        let body = body.to_string();
        let answer = self.send_by("PUT", path, "application/json", body).await;
        answer.unwrap()
    }

    async fn rows(&self, rows: &[Value]) -> Answer {
        let body = json!({ "data": rows, "overwrite": true });
        self.push(CUSTOM, body).await.unwrap()
    }

    fn kinds(&self) -> Vec<Kind> {
        self.double
            .violations()
            .into_iter()
            .map(|v| v.kind)
            .collect()
    }
}

fn row(interaction: &str, value: f64) -> Value {
    json!({ "interaction_id": interaction, "metric_type": "adjusted_aht", "metric_version": 1, "metric_value": value })
}

fn rows(count: usize) -> Vec<Value> {
    (0..count).map(|n| row(&format!("int_{n}"), 1.5)).collect()
}

fn value_of(double: &Double, interaction: &str) -> Option<f64> {
    double
        .table()
        .get(&Key::of(interaction, "adjusted_aht"))
        .and_then(|cell| cell.value)
}

fn faulty(phases: impl IntoIterator<Item = Phase>) -> Config {
    Config {
        faults: Script::of(phases),
        ..Config::default()
    }
}

#[tokio::test]
async fn pushing_again_leaves_one_value_a_key_and_counts_the_copies() {
    let session = Session::with(Config::default()).await;
    assert_eq!(session.rows(&rows(100)).await.status, StatusCode::OK);
    assert_eq!(session.rows(&rows(100)).await.status, StatusCode::OK);
    session.rows(&[row("int_3", 9.25)]).await;
    let table = session.double.table();
    assert_eq!(table.len(), 100);
    let cell = &table[&Key::of("int_3", "adjusted_aht")];
    assert_eq!((cell.value, cell.stored), (Some(9.25), 3));
    assert_eq!(cell.acknowledged_since_change, 1);
    assert_eq!(
        table[&Key::of("int_4", "adjusted_aht")].acknowledged_since_change,
        2
    );
    assert!(session.kinds().is_empty());
}

#[tokio::test]
async fn more_rows_than_the_api_takes_are_refused_and_remembered() {
    let session = Session::with(Config::default()).await;
    assert_eq!(
        session.rows(&rows(101)).await.status,
        StatusCode::BAD_REQUEST
    );
    assert!(session.double.table().is_empty());
    assert_eq!(session.kinds(), [Kind::TooManyRows]);
    let import = |count| json!({ "rows": rows(count) });
    let taken = session.push(CXONE, import(10_000)).await.unwrap();
    assert_eq!(taken.status, StatusCode::OK);
    assert_eq!(taken.body["errorCount"], 0);
    let refused = session.push(CXONE, import(10_001)).await.unwrap();
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(session.double.requests().last().unwrap().rows, 10_001);
}

#[tokio::test]
async fn what_is_no_number_no_row_or_no_json_is_refused_and_remembered() {
    let session = Session::with(Config::default()).await;
    let null = json!({ "interaction_id": "a", "metric_type": "m", "metric_value": null });
    let text = json!({ "interaction_id": "b", "metric_type": "m", "metric_value": "NaN" });
    let bare = json!({ "metric_type": "m", "metric_value": 1 });
    let answer = session
        .rows(&[null, text, bare, row("c", 1.0), row("c", 2.0)])
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let body = "{\"data\":[{\"metric_value\":NaN}]}".to_owned();
    let answer = session
        .send(CUSTOM, "application/json", body)
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let answer = session
        .send(CUSTOM, "text/plain", "{}".to_owned())
        .await
        .unwrap();
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let piling = json!({ "data": rows(1) });
    assert_eq!(
        session.push(CUSTOM, piling).await.unwrap().status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        session.kinds(),
        [
            Kind::NullValue,
            Kind::NonFinite,
            Kind::MissingField,
            Kind::RowTwice,
            Kind::Malformed,
            Kind::ContentType,
            Kind::Malformed
        ]
    );
    assert!(session.double.table().is_empty());
}

#[tokio::test]
async fn a_body_over_the_bound_is_413() {
    let genesys = Bounds {
        rows_max: 100,
        bytes_max: 1_000,
    };
    let session = Session::with(Config {
        genesys,
        ..Config::default()
    })
    .await;
    let answer = session.rows(&rows(50)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(session.kinds(), [Kind::TooManyBytes]);
}

#[tokio::test]
async fn tokens_are_counted_expire_and_can_be_revoked() {
    let token = Token {
        honoured_ms: Some(0),
        oauth_seconds: 77,
        ..Token::default()
    };
    let session = Session::with(Config {
        token,
        ..Config::default()
    })
    .await;
    assert_eq!(
        session.rows(&rows(1)).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(session.double.grants(), 1);
    assert_eq!(session.double.violations()[0].detail, "expired token");

    let session = Session::with(Config::default()).await;
    assert_eq!(session.rows(&rows(1)).await.status, StatusCode::OK);
    session.double.revoke_tokens();
    assert_eq!(
        session.rows(&rows(1)).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn both_platforms_grant_tokens_to_known_clients_only() {
    let session = Session::with(Config::default()).await;
    let client = Client::default();
    let key = json!({ "accessKeyId": client.id, "accessKeySecret": client.secret });
    let path = "/authentication/v1/token/access-key";
    let granted = session.push(path, key).await.unwrap();
    assert_eq!(granted.body["expires_in"], 3_600);
    assert_eq!(
        granted.body["resource_server_base_uri"],
        session.double.url()
    );
    let key = json!({ "accessKeyId": client.id, "accessKeySecret": "wrong" });
    assert_eq!(
        session.push(path, key).await.unwrap().status,
        StatusCode::UNAUTHORIZED
    );
    let form = "grant_type=client_credentials&client_id=x&client_secret=y".to_owned();
    let content_type = "application/x-www-form-urlencoded";
    let refused = session
        .send("/oauth/token", content_type, form)
        .await
        .unwrap();
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.body["error"], "invalid_client");
    let form = "grant_type=password".to_owned();
    let refused = session
        .send("/oauth/token", content_type, form)
        .await
        .unwrap();
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_limit_holds_on_arrival_and_says_when_to_come_back_in_both_forms() {
    let limit = Limit {
        retry_after: RetryAfter::Alternating,
        ..Limit::of(3, Duration::from_secs(3_600))
    };
    let session = Session::with(Config {
        limit: Some(limit),
        ..Config::default()
    })
    .await;
    for count in 1..=3 {
        let answer = session.rows(&rows(1)).await;
        assert_eq!(answer.headers["inin-ratelimit-count"], count.to_string());
        assert_eq!(answer.headers["inin-ratelimit-allowed"], "3");
    }
    let first = session.rows(&rows(1)).await;
    assert_eq!(first.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(first.body["code"], "too.many.requests.retry.after");
    let seconds: u64 = first.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    let second = session.rows(&rows(1)).await;
    let date = second.headers["retry-after"].to_str().unwrap();
    assert!(date.ends_with(" GMT"), "{date}");
    assert_eq!(session.double.max_requests_in_any_window(limit.window()), 5);
    assert_eq!(session.double.snapshot().pushes["429"], 2);
}

#[tokio::test]
async fn coming_back_before_the_time_is_remembered() {
    let limit = Limit {
        reaction_ms: 0,
        ..Limit::of(1, Duration::from_secs(3_600))
    };
    let session = Session::with(Config {
        limit: Some(limit),
        ..Config::default()
    })
    .await;
    session.rows(&rows(1)).await;
    session.rows(&rows(1)).await;
    assert!(session.kinds().is_empty(), "the first 429 was news");
    session.rows(&rows(1)).await;
    assert_eq!(session.kinds(), [Kind::IgnoredRetryAfter]);
}

#[tokio::test]
async fn a_scripted_429_in_date_form_binds_like_the_limit() {
    let fault = Fault::Status {
        status: 429,
        retry_after: Some(3_600),
        as_date: true,
        store: false,
    };
    let session = Session::with(Config {
        limit: Some(Limit {
            reaction_ms: 0,
            ..Limit::default()
        }),
        ..faulty([Phase::requests(1, fault)])
    })
    .await;
    let answer = session.rows(&rows(1)).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(
        answer.headers["retry-after"]
            .to_str()
            .unwrap()
            .ends_with("GMT")
    );
    assert!(session.double.table().is_empty());
    assert_eq!(session.rows(&rows(1)).await.status, StatusCode::OK);
    assert_eq!(session.kinds(), [Kind::IgnoredRetryAfter]);
}

#[tokio::test]
async fn a_reset_after_storing_leaves_the_rows_and_no_answer() {
    let session = Session::with(faulty([Phase::requests(1, Fault::Reset { store: true })])).await;
    let body = json!({ "data": rows(1), "overwrite": true });
    assert!(session.push(CUSTOM, body).await.is_none());
    let table = session.double.table();
    let cell = &table[&Key::of("int_0", "adjusted_aht")];
    assert_eq!((cell.stored, cell.acknowledged), (1, 0));
    session.rows(&rows(1)).await;
    let cell = &session.double.table()[&Key::of("int_0", "adjusted_aht")];
    assert_eq!((cell.stored, cell.acknowledged_since_change), (2, 1));
}

#[tokio::test]
async fn a_stall_outlasts_the_client_with_or_without_storing() {
    for (stored, store) in [(1, true), (0, false)] {
        let fault = Fault::Stall {
            millis: 3_600_000,
            store,
        };
        let session = Session::with(faulty([Phase::requests(1, fault)])).await;
        let body = json!({ "data": rows(1), "overwrite": true });
        let waited =
            tokio::time::timeout(Duration::from_millis(300), session.push(CUSTOM, body)).await;
        assert!(waited.is_err());
        assert_eq!(session.double.table().len(), stored);
        session.rows(&rows(1)).await;
        let cell = &session.double.table()[&Key::of("int_0", "adjusted_aht")];
        assert_eq!((cell.stored, cell.acknowledged), (stored as u64 + 1, 1));
    }
}

#[tokio::test]
async fn a_stall_that_the_client_waits_out_is_an_ordinary_answer() {
    for store in [true, false] {
        let fault = Fault::Stall { millis: 10, store };
        let session = Session::with(faulty([Phase::requests(1, fault)])).await;
        assert_eq!(session.rows(&rows(1)).await.status, StatusCode::OK);
        let cell = &session.double.table()[&Key::of("int_0", "adjusted_aht")];
        assert_eq!((cell.stored, cell.acknowledged), (1, 1));
    }
}

#[tokio::test]
async fn items_fail_alone_inside_a_200_and_answers_come_in_another_order() {
    let items = vec![
        ItemFault {
            index: 3,
            status: Some(429),
        },
        ItemFault {
            index: 50,
            status: Some(400),
        },
        ItemFault {
            index: 99,
            status: None,
        },
    ];
    let session = Session::with(Config {
        shuffle_answers: true,
        ..faulty([Phase::requests(2, Fault::Partial { items })])
    })
    .await;
    let answer = session.rows(&rows(100)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let list = |name: &str| answer.body[name].as_array().unwrap().clone();
    let (taken, refused) = (list("processedEntities"), list("unprocessedEntities"));
    assert_eq!((taken.len(), refused.len()), (97, 2));
    assert_ne!(taken[0]["interaction_id"], "int_0", "shuffled");
    let of = |id: &str| {
        refused
            .iter()
            .find(|item| item["interaction_id"] == id)
            .unwrap()
    };
    assert_eq!(of("int_3")["status"], 429);
    assert_eq!(of("int_50")["code"], "bad.request");
    assert_eq!(value_of(&session.double, "int_3"), None);
    let unmentioned = &session.double.table()[&Key::of("int_99", "adjusted_aht")];
    assert_eq!((unmentioned.stored, unmentioned.acknowledged), (1, 0));

    let answer = session.push(CXONE, json!(rows(100))).await.unwrap();
    assert_eq!(answer.body["errorCount"], 2);
    let results = answer.body["results"].as_array().unwrap();
    assert_eq!(results.len(), 99);
    let third = results
        .iter()
        .find(|r| r["interaction_id"] == "int_3")
        .unwrap();
    assert_eq!(third["success"], false);
}

#[tokio::test]
async fn a_bare_platform_says_201_and_nothing_else() {
    let session = Session::with(Config {
        bare_answers: true,
        ..Config::default()
    })
    .await;
    let answer = session.rows(&rows(2)).await;
    assert_eq!(
        (answer.status, answer.body),
        (StatusCode::CREATED, Value::Null)
    );
    assert_eq!(session.double.table().len(), 2);
}

#[tokio::test]
async fn a_poison_row_spoils_its_whole_push_without_a_word_which() {
    let session = Session::with(Config {
        poison: vec!["int_7".to_owned()],
        ..Config::default()
    })
    .await;
    let answer = session.rows(&rows(10)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(!answer.body.to_string().contains("int_7"));
    assert_eq!(session.rows(&rows(5)).await.status, StatusCode::OK);
    assert!(session.kinds().is_empty(), "not the client's fault");
}

#[tokio::test]
async fn external_metrics_are_kept_by_user_metric_and_day() {
    let session = Session::with(Config::default()).await;
    let item = |value: Value, kind: &str| json!({ "userId": "u1", "metricId": "m1", "dateOccurred": "2024-11-03", "value": value, "count": 2, "type": kind });
    let push = |item: Value| json!({ "items": [item] });
    let answer = session
        .push(EXTERNAL, push(item(json!(300), "Total")))
        .await
        .unwrap();
    assert_eq!(answer.body["processedEntities"][0]["totalValue"], 300.0);
    session
        .push(EXTERNAL, push(item(json!(20), "Cumulative")))
        .await;
    let key = Key {
        scope: "2024-11-03".to_owned(),
        ..Key::of("u1", "m1")
    };
    assert_eq!(session.double.table()[&key].value, Some(320.0));
    session
        .push(EXTERNAL, push(item(Value::Null, "Total")))
        .await;
    assert_eq!(session.double.table()[&key].value, None, "null deletes");
    assert!(session.kinds().is_empty());
    let both = json!({ "userId": "u", "userEmail": "e", "metricId": "m", "dateOccurred": "2024-11-03", "value": 1 });
    session.push(EXTERNAL, push(both)).await;
    assert_eq!(session.kinds(), [Kind::MissingField]);
}

#[tokio::test]
async fn external_metrics_of_nobody_or_of_long_ago_fail_alone_inside_a_200() {
    let session = Session::with(Config {
        receivers: Receivers {
            unknown_users: vec!["gone".to_owned()],
            reach: true,
            ..Receivers::default()
        },
        admin: Admin {
            external_metrics: vec![json!({ "id": "m1", "name": "AHT" })],
            ..Admin::default()
        },
        ..Config::default()
    })
    .await;
    let day = |back: i64| {
        let day = chrono::Utc::now().date_naive() - chrono::TimeDelta::days(back);
        day.to_string()
    };
    let item = |user: &str, metric: &str, date: String| json!({ "userId": user, "metricId": metric, "dateOccurred": date, "value": 1, "count": 1 });
    let items = [
        item("u", "m1", day(0)),
        item("gone", "m1", day(0)),
        item("u", "m2", day(0)),
        item("u", "m1", day(9)),
    ];
    let answer = session
        .push(EXTERNAL, json!({ "items": items }))
        .await
        .unwrap();
    let codes = answer.body["unprocessedEntities"].as_array().unwrap();
    let codes: Vec<&str> = codes
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        ["user.not.found", "metric.not.found", "invalid.date"]
    );
    assert_eq!(session.double.table().len(), 1);
    assert!(session.kinds().is_empty());
    let ancient = item("u", "m1", day(20));
    session.push(EXTERNAL, json!({ "items": [ancient] })).await;
    assert_eq!(session.kinds(), [Kind::OutOfReach]);
}

#[tokio::test]
async fn definitions_of_external_metrics_are_listed_and_created() {
    const DEFINITIONS: &str = "/api/v2/employeeperformance/externalmetrics/definitions";
    let session = Session::with(Config::default()).await;
    let create = |name: &str, unit: &str| json!({ "name": name, "unit": unit, "precision": 1, "defaultObjectiveType": "LowerIsBetter", "enabled": true });
    for n in 0..3 {
        let body = create(&format!("K{n}"), "Seconds");
        let answer = session.push(DEFINITIONS, body).await.unwrap();
        assert!(answer.body["id"].is_string());
    }
    let bad = session
        .push(DEFINITIONS, create("K", "Hours"))
        .await
        .unwrap();
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    let page = session.fetch(&format!("{DEFINITIONS}?pageSize=2")).await;
    assert_eq!(page.body["entities"].as_array().unwrap().len(), 2);
    let next = page.body["nextUri"].as_str().unwrap().to_owned();
    let page = session.fetch(&next).await;
    assert_eq!(page.body["entities"][0]["name"], "K2");
    assert!(session.kinds().is_empty());
    session.push(DEFINITIONS, create("K1", "Seconds")).await;
    assert_eq!(session.kinds(), [Kind::DefinitionTwice]);
}

#[tokio::test]
async fn properties_are_of_one_session_of_one_conversation() {
    let session = Session::with(Config {
        receivers: Receivers {
            unknown_conversations: vec!["nobody's".to_owned()],
            ..Receivers::default()
        },
        ..Config::default()
    })
    .await;
    let path = |id: &str| format!("/api/v2/analytics/conversations/{id}/details/properties");
    let body = |value: &str| {
        json!({ "sessionId": "s", "targetDate": "2024-11-03T10:00:00.000Z", "properties": [
        { "propertyType": "real", "property": "aht", "value": value }, { "propertyType": "bool", "property": "held", "value": "true" }] })
    };
    let answer = session.push(&path("conv%201"), body("12.5")).await.unwrap();
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let table = session.double.table();
    let of = |metric: &str| Key {
        scope: "s".to_owned(),
        ..Key::of("conv 1", metric)
    };
    assert_eq!(table[&of("aht")].value, Some(12.5));
    assert_eq!(table[&of("held")].value, Some(1.0));
    let unknown = session.push(&path("nobody's"), body("1")).await.unwrap();
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(session.kinds().is_empty());
    let wrong = session.push(&path("c"), body("much")).await.unwrap();
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert_eq!(session.kinds(), [Kind::Malformed]);
}

#[tokio::test]
async fn business_data_are_existing_fields_of_closed_contacts() {
    let session = Session::with(Config {
        receivers: Receivers {
            unknown_contacts: vec!["1".to_owned()],
            open_contacts: vec!["2".to_owned()],
            business_fields: Some(vec!["HANDLE".to_owned()]),
            ..Receivers::default()
        },
        ..Config::default()
    })
    .await;
    let path = |id: &str| format!("/business-data-manager/v1/business-data/contact/{id}");
    let status = async |id: &str, body: Value| session.put(&path(id), body).await.status.as_u16();
    assert_eq!(status("3", json!([{ "HANDLE": 311 }])).await, 204);
    assert_eq!(status("1", json!([{ "HANDLE": 311 }])).await, 404);
    assert_eq!(status("2", json!([{ "HANDLE": 311 }])).await, 400);
    assert_eq!(
        status("3", json!([{ "HANDLE": 1 }, { "OTHER": 1 }])).await,
        400
    );
    assert_eq!(
        session.double.table()[&Key::of("3", "HANDLE")].value,
        Some(311.0)
    );
    assert!(session.kinds().is_empty());
    assert_eq!(status("3", json!([{ "HANDLE": 1, "B": 2 }])).await, 400);
    assert_eq!(session.kinds(), [Kind::Malformed]);
}

#[tokio::test]
async fn a_plain_receiver_takes_and_takes_back() {
    let session = Session::with(Config::default()).await;
    let row = |more: Value| {
        let mut row = json!({ "interaction_id": "a", "metric": "m", "idempotency_key": "k" });
        row.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        row
    };
    let answer = session
        .put("/plain", json!([row(json!({ "value": 2.5 }))]))
        .await;
    assert_eq!(answer.body["results"][0]["idempotency_key"], "k");
    assert_eq!(session.double.table()[&Key::of("a", "m")].value, Some(2.5));
    let gone = row(json!({ "gone": true, "idempotency_key": "l" }));
    session.put("/plain/below", json!({ "rows": [gone] })).await;
    assert_eq!(session.double.table()[&Key::of("a", "m")].value, None);
    assert!(session.kinds().is_empty());
}

#[tokio::test]
async fn stale_revisions_and_reused_idempotency_keys_are_found_out() {
    let session = Session::with(Config::default()).await;
    let with = |revision: i64, value: f64, name: &str| json!({ "interaction_id": "a", "metric_type": "m", "metric_value": value, "revision": revision, "idempotency_key": name });
    session.rows(&[with(2, 5.0, "a:m:2")]).await;
    session.rows(&[with(2, 5.0, "a:m:2")]).await;
    assert!(
        session.kinds().is_empty(),
        "a repetition is what keys are for"
    );
    session.rows(&[with(1, 4.0, "a:m:1")]).await;
    assert_eq!(session.kinds(), [Kind::StaleRevision]);
    session.rows(&[with(3, 7.0, "a:m:2")]).await;
    assert_eq!(session.kinds()[1..], [Kind::IdempotencyConflict]);
}

#[tokio::test]
async fn the_token_endpoint_fails_on_demand() {
    let fault = Fault::Status {
        status: 429,
        retry_after: Some(1),
        as_date: false,
        store: false,
    };
    let session = Session::with(Config::default()).await;
    session
        .double
        .set_faults(Script::of([Phase::requests(1, fault).at(Place::Token)]));
    let form = "grant_type=client_credentials&client_id=double-client&client_secret=double-secret";
    let ask = || {
        session.send(
            "/oauth/token",
            "application/x-www-form-urlencoded",
            form.to_owned(),
        )
    };
    let refused = ask().await.unwrap();
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(ask().await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn scripts_steer_it_over_http() {
    let session = Session::with(Config::default()).await;
    let faults = json!({ "phases": [{ "requests": 1, "fault": { "kind": "status", "status": 503, "retry_after": 2 } }] });
    assert_eq!(
        session
            .push("/control/faults", faults)
            .await
            .unwrap()
            .status,
        StatusCode::NO_CONTENT
    );
    let answer = session.rows(&rows(2)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers["retry-after"], "2");
    session.rows(&rows(2)).await;
    let request = Request::get(format!("{}/control/state", session.double.url()))
        .body(Full::new(Bytes::new()))
        .unwrap();
    let body = session.http.request(request).await.unwrap().into_body();
    let state: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(state["pushes"], json!({ "200": 1, "503": 1 }));
    assert_eq!(state["counts"]["adjusted_aht"], 2);
    assert_eq!(state["sums"]["adjusted_aht"], 3.0);
    let unknown = session
        .push("/control/faults", json!({ "phasen": [] }))
        .await
        .unwrap();
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    session.push("/control/reset", Value::Null).await;
    assert!(session.double.table().is_empty());
    let again = session.rows(&rows(1)).await.status;
    assert_eq!(
        again,
        StatusCode::SERVICE_UNAVAILABLE,
        "the script starts again, tokens stay good"
    );
}

#[tokio::test]
async fn what_is_set_up_is_paged_and_needs_its_permissions() {
    const TRIGGERS: &str = "/api/v2/processautomation/triggers";
    let config = Config {
        admin: Admin {
            topics: vec![Topic::of("v2.a.{id}", &["a:b:view"])],
            page_max: 1,
            ..Admin::default()
        },
        ..Config::default()
    };
    let session = Session::with(config).await;
    let trigger = |name: &str, topic: &str| {
        json!({ "name": name, "topicName": topic, "enabled": true, "eventTTLSeconds": 10,
                "target": { "id": "f", "type": "Workflow" } })
    };
    for (name, topic, status) in [
        ("one", "v2.a.{id}", 200),
        ("two", "v2.a.{id}", 200),
        ("no", "v2.b.{id}", 400),
    ] {
        let answer = session.push(TRIGGERS, trigger(name, topic)).await.unwrap();
        assert_eq!(answer.status.as_u16(), status, "{name}");
    }
    let mut names = Vec::new();
    let mut next = Some(format!("{TRIGGERS}?pageSize=200"));
    while let Some(path) = next {
        let page = session.fetch(&path).await;
        names.push(page.body["entities"][0]["name"].clone());
        next = page.body["nextUri"].as_str().map(str::to_owned);
    }
    assert_eq!(names, ["one", "two"]);
    session
        .double
        .administer(|admin| admin.permissions = Some(Vec::new()));
    let refused = session.fetch(TRIGGERS).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(
        refused.body["message"]
            .as_str()
            .unwrap()
            .ends_with("processautomation:trigger:view")
    );
    let topics = session
        .fetch("/api/v2/notifications/availabletopics?expand=requiresPermissions")
        .await;
    assert_eq!(
        topics.body["entities"],
        json!([{ "id": "v2.a.{id}", "permissionsGranted": false, "requiresPermissions": ["a:b:view"] }])
    );
}
