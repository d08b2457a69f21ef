//! A platform that counts its calls and says how it is: as much of it as backfill and deliver ask.

use super::calls::{Calls, now};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What happened at it.
#[derive(Default)]
struct Book {
    mode: String,
    asked_how_it_is: Vec<Instant>,
    counted: usize,
}

/// The platform. It goes with the value.
pub(crate) struct Platform {
    pub(crate) url: String,
    book: Arc<Mutex<Book>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Platform {
    /// One at which these calls happen.
    pub(crate) async fn start(calls: Calls) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let book = Arc::new(Mutex::new(Book {
            mode: "normal".to_owned(),
            ..Book::default()
        }));
        let known = Arc::clone(&book);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let known = Arc::clone(&known);
                // A connection that breaks off is the other side's matter.
                tokio::spawn(async move { serve(stream, calls, &known).await.ok() });
            }
        });
        Self { url, book, task }
    }

    /// Says from now on that this is its mode.
    pub(crate) fn says(&self, mode: &str) {
        mode.clone_into(&mut self.book.lock().unwrap().mode);
    }

    /// When it was asked how it is.
    pub(crate) fn asked_how_it_is(&self) -> Vec<Instant> {
        self.book.lock().unwrap().asked_how_it_is.clone()
    }

    /// How often it was asked to count.
    pub(crate) fn counted(&self) -> usize {
        self.book.lock().unwrap().counted
    }
}

async fn serve(mut stream: TcpStream, calls: Calls, book: &Mutex<Book>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let (head, body) = loop {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.eq_ignore_ascii_case("content-length")).then(|| value.trim().parse::<usize>())
        });
        if body.len() >= length.map_or(0, Result::unwrap) {
            break (head.to_owned(), body.to_owned());
        }
    };
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (status, answer) = answer(path, &body, calls, book);
    let answer = answer.to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    );
    stream.write_all(answer.as_bytes()).await
}

fn answer(path: &str, body: &str, calls: Calls, book: &Mutex<Book>) -> (&'static str, Value) {
    let mut book = book.lock().unwrap();
    match path {
        "/oauth/token" => (
            "200 OK",
            json!({"access_token": "token", "token_type": "bearer", "expires_in": 86_400}),
        ),
        "/status" => {
            book.asked_how_it_is.push(Instant::now());
            ("200 OK", json!({"state": {"mode": book.mode}}))
        }
        "/api/v2/analytics/conversations/aggregates/query" => {
            book.counted += 1;
            ("200 OK", counts(body, calls))
        }
        _ => ("404 Not Found", json!({"message": "no such path"})),
    }
}

/// The answer of Genesys: an interval without conversations is left out.
fn counts(body: &str, calls: Calls) -> Value {
    let asked: Value = serde_json::from_str(body).unwrap();
    let (from, to) = asked["interval"].as_str().unwrap().split_once('/').unwrap();
    assert_eq!(asked["granularity"], "PT1M");
    assert_eq!(asked["metrics"], json!(["nConversations"]));
    let (mut from, to) = (micros(from), micros(to));
    let mut data = Vec::new();
    while from < to {
        let end = from + 60_000_000;
        let count = calls.begun_within(from, end, now());
        if count > 0 {
            data.push(json!({
                "interval": format!("{}/{}", schema::UtcMicros(from), schema::UtcMicros(end)),
                "metrics": [{"metric": "nConversations", "stats": {"count": count}}],
            }));
        }
        from = end;
    }
    if data.is_empty() {
        return json!({});
    }
    json!({"results": [{"group": {}, "data": data}]})
}

/// Of an instant as our programs write them.
fn micros(text: &str) -> i64 {
    let digits = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
    assert!(text.ends_with('Z'), "{text}");
    let (year, month, day) = (digits(0..4), digits(5..7), digits(8..10));
    // Days since 1970, counted from March so that the leap day is the last of its year.
    let shifted = if month > 2 { year } else { year - 1 };
    let era_days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400;
    let days = era_days + (153 * ((month + 9) % 12) + 2) / 5 + day - 1 - 719_468;
    let of_day = digits(11..13) * 3600 + digits(14..16) * 60 + digits(17..19);
    (days * 86_400 + of_day) * 1_000_000
}
