//! The emitter against servers that misbehave.

// A helper that fails is a test that fails.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use double::emit::{Framing, Options, Retry, run};
use double::sign::Encoding;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

#[derive(Debug, Clone)]
struct Seen {
    signature: Option<String>,
    content_type: String,
    body: String,
}

/// What the server does with the nth request (from 0).
#[derive(Clone, Copy)]
enum Reply {
    Status(u16),
    Close,
    Silence,
    Drop,
}

/// A server that answers by this rule; its address and what it saw.
async fn server(reply: fn(usize) -> Reply) -> (String, Arc<Mutex<Vec<Seen>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let shared = Arc::clone(&shared);
            let service = service_fn(move |request| answer(request, reply, Arc::clone(&shared)));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (url, seen)
}

async fn answer(
    request: Request<Incoming>,
    reply: fn(usize) -> Reply,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    let (signature, content_type) = (header("x-genesys-signature"), header("content-type"));
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(Seen {
            signature,
            content_type: content_type.unwrap(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        });
        seen.len() - 1
    };
    let mut response = Response::new(Full::new(Bytes::from_static(b"{}")));
    match reply(number) {
        Reply::Status(status) => *response.status_mut() = status.try_into().unwrap(),
        Reply::Close => {
            let close = "close".parse().unwrap();
            response.headers_mut().insert("connection", close);
        }
        Reply::Silence => std::future::pending().await,
        Reply::Drop => return Err(std::io::Error::other("dropped on purpose")),
    }
    Ok(response)
}

fn events(count: usize) -> Vec<Bytes> {
    (0..count)
        .map(|n| Bytes::from(format!("{{\"n\":{n}}}")))
        .collect()
}

#[allow(clippy::unnecessary_wraps)] // as the option takes it
fn stubborn() -> Option<Retry> {
    Some(Retry {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(5),
        give_up: Duration::from_secs(30),
    })
}

fn statuses(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

#[tokio::test]
async fn every_event_arrives_signed_over_its_raw_body() {
    let (url, seen) = server(|_| Reply::Status(202)).await;
    let mut options = Options::to(url, "secret");
    options.prefix = "sha256=".to_owned();
    options.encoding = Encoding::Base64;
    options.per_post = 3;
    options.framing = Framing::Lines;
    let summary = run(&options, events(10)).await.unwrap();
    assert_eq!((summary.posts, summary.accepted_events), (4, 10));
    assert_eq!(summary.by_status, statuses(&[("202", 4)]));
    assert!(summary.is_complete() && summary.latency_p99_ms > 0.0);
    let signer = options.signer().unwrap();
    for seen in seen.lock().unwrap().iter() {
        assert_eq!(seen.signature, Some(signer.sign(seen.body.as_bytes())));
        assert_eq!(seen.content_type, "application/x-ndjson");
    }
}

#[tokio::test]
async fn with_retries_nothing_is_left_behind_whatever_the_server_does() {
    let (url, seen) = server(|n| match n % 7 {
        0 => Reply::Status(503),
        1 => Reply::Drop,
        2 => Reply::Silence,
        3 => Reply::Close,
        4 => Reply::Status(429),
        _ => Reply::Status(200),
    })
    .await;
    let mut options = Options::to(url, "secret");
    options.retry = stubborn();
    options.timeout = Duration::from_millis(100);
    options.connections = 4;
    let summary = run(&options, events(40)).await.unwrap();
    assert!(summary.is_complete(), "{summary:?}");
    for status in ["200", "429", "503", "timeout", "connection"] {
        assert!(summary.by_status.contains_key(status), "{summary:?}");
    }
    let seen = seen.lock().unwrap();
    let bodies: BTreeSet<&str> = seen.iter().map(|seen| seen.body.as_str()).collect();
    assert_eq!(bodies.len(), 40);
    assert_eq!(summary.attempts, seen.len() as u64);
}

#[tokio::test]
async fn a_refusal_for_good_is_not_tried_again() {
    let (url, seen) = server(|_| Reply::Status(401)).await;
    let mut options = Options::to(url, "secret");
    options.retry = stubborn();
    let summary = run(&options, events(5)).await.unwrap();
    assert_eq!(summary.by_status, statuses(&[("401", 5)]));
    assert_eq!((summary.accepted_posts, seen.lock().unwrap().len()), (0, 5));
}

#[tokio::test]
async fn without_retries_each_body_is_tried_once_and_a_closed_connection_costs_nothing() {
    let (url, _) = server(|n| {
        if n == 2 {
            Reply::Status(500)
        } else {
            Reply::Close
        }
    })
    .await;
    let mut options = Options::to(url, "secret");
    options.connections = 1;
    let summary = run(&options, events(6)).await.unwrap();
    assert_eq!(summary.by_status, statuses(&[("200", 5), ("500", 1)]));
    assert_eq!(summary.accepted_events, 5);
}

#[tokio::test]
async fn nobody_listening_is_tried_until_it_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let mut options = Options::to(url, "secret");
    options.retry = stubborn().map(|retry| Retry {
        give_up: Duration::from_millis(50),
        ..retry
    });
    let summary = run(&options, events(1)).await.unwrap();
    assert_eq!(summary.accepted_posts, 0);
    assert!(summary.by_status["connection"] > 1, "{summary:?}");
}

#[tokio::test]
async fn a_rate_is_not_exceeded() {
    let (url, _) = server(|_| Reply::Status(200)).await;
    let mut options = Options::to(url, "secret");
    options.rate = Some(100.0);
    let summary = run(&options, events(21)).await.unwrap();
    assert!(summary.seconds >= 0.2, "{summary:?}");
    assert!(summary.is_complete());
}

#[tokio::test]
async fn what_cannot_be_sent_to_is_said_at_once() {
    for url in ["https://127.0.0.1/", "nowhere", "ftp://127.0.0.1/"] {
        assert!(
            run(&Options::to(url, "s"), events(1)).await.is_err(),
            "{url}"
        );
    }
    let mut options = Options::to("http://127.0.0.1:1/", "s");
    options.header = "no header".to_owned();
    assert!(run(&options, events(1)).await.is_err());
}
