//! The double's past: what it consists of, and how both platforms hand it out.

// A helper that fails is a test that fails.
#![allow(clippy::unwrap_used)]

mod awkward;
mod books;
mod cxone;
mod jobs;
mod queries;
mod records;

use double::config::{Client, History};
use double::{Config, Double, Kind};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::time::Duration;

const JOBS: &str = "/api/v2/analytics/conversations/details/jobs";
const DAY_MS: i64 = 86_400_000;

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The ids of the conversations on it, in its order.
    fn ids(&self) -> Vec<String> {
        let list = self.body["conversations"].as_array();
        list.into_iter()
            .flatten()
            .map(|it| it["conversationId"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Asks again and again until the answer is yes.
async fn eventually(what: &str, mut asked: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !asked().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let limit = Duration::from_secs(20);
    let in_time = tokio::time::timeout(limit, asking).await.is_ok();
    assert!(in_time, "not within {limit:?}: {what}");
}

/// A client that has logged in at a double with a history.
struct Session {
    double: Double,
    http: Http<HttpConnector, Full<Bytes>>,
    token: String,
}

fn small() -> History {
    History {
        days: 3,
        conversations: 900,
        open_every: 300,
        long_every: 200,
        agents: 40,
        ..History::default()
    }
}

impl Session {
    async fn with(history: History) -> Self {
        Self::under(Config::default(), history).await
    }

    async fn under(config: Config, history: History) -> Self {
        let config = Config {
            history: Some(history),
            ..config
        };
        let double = Double::start(config).await.unwrap();
        let mut session = Self {
            double,
            http: Http::builder(TokioExecutor::new()).build_http(),
            token: String::new(),
        };
        session.login().await;
        session
    }

    async fn login(&mut self) {
        let client = Client::default();
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            client.id, client.secret
        );
        let granted = self.send(Method::POST, "/oauth/token", form).await.unwrap();
        self.token = String::from(granted.body["access_token"].as_str().unwrap());
    }

    async fn send(&self, method: Method, path: &str, body: String) -> Option<Answer> {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.double.url())
        };
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let response = self.http.request(request).await.ok()?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Some(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        })
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, String::new()).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body.to_string())
            .await
            .unwrap()
    }

    /// Submits a job for an interval; its id.
    async fn submit(&self, interval: &str) -> String {
        let answer = self.post(JOBS, json!({ "interval": interval })).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.body["jobId"].as_str().unwrap().to_owned()
    }

    async fn page(&self, job: &str, size: usize, cursor: Option<&str>) -> Answer {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("pageSize", &size.to_string());
        if let Some(cursor) = cursor {
            query.append_pair("cursor", cursor);
        }
        let query = query.finish();
        self.get(&format!("{JOBS}/{job}/results?{query}")).await
    }

    /// All pages of a job, until there is no cursor or the same one.
    async fn pages(&self, job: &str, size: usize) -> Vec<Answer> {
        let mut pages = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = self.page(job, size, cursor.as_deref()).await;
            assert_eq!(page.status, 200, "{}", page.text);
            let next = page.body["cursor"].as_str().map(str::to_owned);
            pages.push(page);
            if next.is_none() || next == cursor {
                return pages;
            }
            cursor = next;
        }
    }

    fn kinds(&self) -> Vec<Kind> {
        let all = self.double.violations();
        all.into_iter().map(|it| it.kind).collect()
    }
}

fn millis(text: &Value) -> i64 {
    double::history::Moment::parse(text.as_str().unwrap())
        .unwrap()
        .0
}

/// The `nth` day of the small history, as an interval.
fn day(nth: u32) -> String {
    format!(
        "2025-01-0{}T00:00:00Z/2025-01-0{}T00:00:00Z",
        6 + nth,
        7 + nth
    )
}
