//! How deliveries travel: compressed, chunked, in forms, over HTTP/2, after handshakes, and more of them than one may send.

use crate::line::{
    Answer, Line, PATH, PATIENCE, SECRET, answer, event, post, post_signed, request, sign,
};
use broker::Queue;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use schema::RawMessage;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use testkit::{Ready, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MIB: usize = 1 << 20;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn brotli(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ::brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
    encoder.write_all(plain).unwrap();
    encoder.into_inner()
}

/// The file of [`Line::write_secrets`] with settings of the subscription, and tables behind its signature.
fn settings(line: &Line, own: &str, tables: &str) {
    let text = std::fs::read_to_string(line.file()).unwrap();
    let text = text.replace(
        "[subscription.signature]",
        &format!("{own}\n[subscription.signature]"),
    );
    std::fs::write(line.file(), format!("{text}{tables}\n")).unwrap();
}

/// Posts a body under an encoding, signed over the bytes given.
async fn send(http: SocketAddr, encoding: &str, body: &[u8], signed: &[u8]) -> Answer {
    let signature = sign(SECRET, signed);
    let headers = [
        ("content-encoding", encoding),
        ("x-genesys-signature", signature.as_str()),
    ];
    post(http, &headers, body).await
}

/// The bodies of so many stored deliveries, in no order; those that came before as they are wait in a queue of their own.
async fn bodies(line: &Line, count: usize) -> Vec<Bytes> {
    let connection = line.broker.connect("test look").await;
    let queues = [Queue::Raw, Queue::RawSuspect];
    let mut consumer = connection.consumer(&queues, 1000).await.unwrap();
    let mut bodies = Vec::new();
    while bodies.len() < count {
        let delivery = tokio::time::timeout(PATIENCE, consumer.next()).await;
        let message = RawMessage::decode(&delivery.unwrap().unwrap().body).unwrap();
        bodies.extend(message.deliveries.into_iter().map(|found| found.body));
    }
    connection.close().await.unwrap();
    bodies
}

async fn metric(ready: &Ready, series: &str) -> f64 {
    let name = format!("kpiline_{series}");
    testkit::http::metric(ready.ops_address(), &name)
        .await
        .unwrap()
}

/// A raw request, answered on a connection that is then closed.
async fn exchange(http: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(http).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    read.expect("an answer in time").unwrap();
    String::from_utf8(answer).unwrap().to_lowercase()
}

/// Pitfall 33.
#[tokio::test(flavor = "multi_thread")]
async fn compressed_bodies_are_stored_plain_whichever_bytes_are_signed() {
    let line = Line::new().await;
    let second = "[[subscription]]\nname = \"plain\"\npath = \"/hooks/plain\"\ntenant = \"acme\"\nformat = \"genesys-webhook\"\n[subscription.signature]\nover = \"plain\"\nsecrets = [\"s3cret\"]\n";
    settings(&line, "max_inflated_bytes = 3000000", second);
    let mut receive = line.start(&["receive"], &[]);
    let ready = receive.wait_ready().await;
    let http = ready.http_address();
    let plain = event(&"e".repeat(200_000)).into_bytes();
    let wires = [
        ("gzip", gzip(&plain)),
        ("deflate", zlib(&plain)),
        ("deflate", deflate(&plain)),
        ("br", brotli(&plain)),
        ("identity, deflate, gzip", gzip(&zlib(&plain))),
        ("identity", plain.clone()),
    ];
    for (encoding, wire) in &wires {
        let accepted = send(http, encoding, wire, wire).await;
        assert_eq!(accepted.status, 202, "{encoding}: {accepted:?}");
        let other = send(http, encoding, wire, b"other bytes").await;
        assert_eq!(other.status, 401, "{encoding}");
    }
    // The other mode, on the other path.
    let wire = gzip(&plain);
    for (signed, status) in [(&plain, 202), (&wire, 401)] {
        let signature = sign(SECRET, signed);
        let headers = [
            ("content-encoding", "gzip"),
            ("x-genesys-signature", signature.as_str()),
        ];
        let text = request(&headers, &wire);
        let path = format!("POST {PATH} ").into_bytes();
        assert!(text.starts_with(&path));
        let other = [b"POST /hooks/plain ", &text[path.len()..]].concat();
        let mut stream = TcpStream::connect(http).await.unwrap();
        stream.write_all(&other).await.unwrap();
        assert_eq!(answer(&mut stream).await.status, status);
    }
    for body in bodies(&line, wires.len() + 1).await {
        assert!(body == plain, "stored as it was before it was compressed");
    }
    for (encoding, count) in [
        ("gzip", 2.0),
        ("deflate", 2.0),
        ("br", 1.0),
        ("several", 1.0),
        ("identity", 1.0),
    ] {
        let series = format!("ingest_bodies_total{{protocol=\"http1\",encoding=\"{encoding}\"}}");
        assert!(
            (metric(&ready, &series).await - count).abs() < 0.1,
            "{encoding}"
        );
    }
}

/// Pitfall 33: the sender is told which it was, and pays for it alone.
#[tokio::test(flavor = "multi_thread")]
async fn broken_unknown_and_exploding_bodies_have_their_own_answers() {
    let line = Line::new().await;
    settings(&line, "max_inflated_bytes = 2097152", "");
    let mut receive = line.start(&["receive"], &[]);
    let ready = receive.wait_ready().await;
    let http = ready.http_address();
    let wire = gzip(event("e").as_bytes());
    let cut = &wire[..wire.len() - 5];
    let truncated = send(http, "gzip", cut, cut).await;
    assert_eq!(
        (truncated.status, &truncated.body["error"]),
        (400, &"garbled_body".into())
    );

    let unknown = send(http, "zstd", &wire, &wire).await;
    assert_eq!(unknown.status, 415);
    assert!(
        unknown
            .head
            .contains("accept-encoding: gzip, deflate, br, identity")
    );

    // Eight at once, each of which would be 512 MiB.
    let zeros = vec![0; 64 * MIB];
    let bomb = gzip(&zeros).repeat(8);
    assert!(bomb.len() < MIB);
    let bombs = [
        ("gzip", bomb),
        ("br", brotli(&zeros)),
        ("gzip, gzip", gzip(&gzip(&zeros))),
    ];
    drop(zeros);
    let before = metric(&ready, "receive_memory_peak_bytes").await;
    let mut posts = Vec::new();
    for round in 0..8 {
        let (encoding, bomb) = bombs[round % 3].clone();
        posts.push(tokio::spawn(async move {
            send(http, encoding, &bomb, &bomb).await
        }));
    }
    for posted in posts {
        let exploded = posted.await.unwrap();
        assert_eq!(exploded.status, 413, "{exploded:?}");
        assert_eq!(exploded.body["error"], "inflates_too_large");
    }
    let peak = metric(&ready, "receive_memory_peak_bytes").await;
    assert!(peak > before);
    // Bounded by what eight of them may cost (their bytes, the limit twice while it grows, a window of brotli), not by what they become.
    #[allow(clippy::cast_precision_loss)] // megabytes
    let bound = (8 * (MIB + 2 * 2 * MIB + 5 * MIB)) as f64;
    assert!(peak < bound, "{peak}");
    assert!(metric(&ready, "receive_memory_bytes").await.abs() < 0.1);
    assert_eq!(
        post_signed(http, event("after").as_bytes()).await.status,
        202
    );
    assert_eq!(
        line.broker.depth(Queue::Raw).await,
        1,
        "only the last is stored"
    );
}

/// Pitfall 34: chunked and without a length.
#[tokio::test(flavor = "multi_thread")]
async fn a_length_is_not_needed_and_not_believed() {
    let line = Line::new().await;
    settings(&line, "max_body_bytes = 1000", "");
    let mut receive = line.start(&["receive"], &[("KPILINE_HTTP_BODY_TIMEOUT", "1s")]);
    let ready = receive.wait_ready().await;
    let http = ready.http_address();
    let head = |signature: &str| {
        format!(
            "POST {PATH} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\nconnection: close\r\nx-genesys-signature: {signature}\r\ntransfer-encoding: chunked\r\n\r\n"
        )
    };
    let chunks = |body: &[u8]| {
        let mut text = Vec::new();
        for piece in body.chunks(7) {
            text.extend(format!("{:x};x=1\r\n", piece.len()).into_bytes());
            text.extend([piece, b"\r\n"].concat());
        }
        text.extend(b"0\r\nx-trailer: 1\r\n\r\n");
        text
    };
    let body = event("e").into_bytes();
    let good = [head(&sign(SECRET, &body)).as_bytes(), &chunks(&body)].concat();
    assert!(exchange(http, &good).await.starts_with("http/1.1 202"));
    assert_eq!(bodies(&line, 1).await[0], body);
    // One byte more than the limit, and no end: refused at that byte.
    let wrong = "00".repeat(32);
    let endless = format!("{}3e9\r\n{}", head(&wrong), "x".repeat(1001));
    assert!(
        exchange(http, endless.as_bytes())
            .await
            .starts_with("http/1.1 413")
    );
    // Nothing more comes: cut by the time limit.
    let slow = format!("{}5\r\nab", head(&wrong));
    assert!(
        exchange(http, slow.as_bytes())
            .await
            .starts_with("http/1.1 408")
    );
    assert!(metric(&ready, "receive_memory_peak_bytes").await < 10_000.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_one_behind_another_are_answered_in_their_order() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[]);
    let http = receive.wait_ready().await.http_address();
    let mut stream = TcpStream::connect(http).await.unwrap();
    let mut all = Vec::new();
    for n in 0..20 {
        let body = event(&format!("e{n}"));
        let signature = if n % 5 == 4 {
            "00".repeat(32)
        } else {
            sign(SECRET, body.as_bytes())
        };
        let close = if n == 19 { "close" } else { "keep-alive" };
        all.extend(format!("POST {PATH} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\nconnection: {close}\r\nx-correlation-id: c{n}\r\nx-genesys-signature: {signature}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes());
    }
    stream.write_all(&all).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let answers: Vec<_> = text.split("HTTP/1.1 ").skip(1).collect();
    assert_eq!(answers.len(), 20);
    for (n, answer) in answers.iter().enumerate() {
        let status = if n % 5 == 4 { "401" } else { "202" };
        assert!(answer.starts_with(status), "{n}: {answer}");
        assert!(
            answer.contains(&format!("x-correlation-id: c{n}\r\n")),
            "{n}: {answer}"
        );
    }
    assert_eq!(bodies(&line, 16).await.len(), 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_in_a_form_is_what_is_stored_and_the_form_is_what_is_signed() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[]);
    let http = receive.wait_ready().await.http_address();
    let inner = event("caf\u{e9} 1");
    let encoded: String = inner
        .bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let form = format!("other=1&payload={encoded}");
    let with = async |encoding: &str, wire: &[u8]| {
        let signature = sign(SECRET, wire);
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("content-encoding", encoding),
            ("x-genesys-signature", signature.as_str()),
        ];
        post(http, &headers, wire).await.status
    };
    assert_eq!(with("identity", form.as_bytes()).await, 202);
    assert_eq!(with("gzip", &gzip(form.as_bytes())).await, 202);
    // Without the field it is kept whole, for the quarantine: the sender would only repeat it.
    assert_eq!(with("identity", b"payloads=1").await, 202);
    // So it is where the field is empty and another is not: what was meant is in there.
    assert_eq!(with("identity", b"payload=&data=1").await, 202);
    let mut stored = bodies(&line, 4).await;
    stored.sort();
    let whole = ["payload=&data=1", "payloads=1"].map(str::to_owned);
    assert_eq!(stored, [&whole[..], &[inner.clone(), inner]].concat());
}

/// A file of a report, as a script posts it, and one of a line end alone, which no report is: that is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_taken_as_the_csv_that_it_is() {
    let line = Line::new().await;
    for format in ["cxone-call-detail", "cxone-agent-state-log"] {
        line.write_secrets(&[SECRET]);
        let text = std::fs::read_to_string(line.file()).unwrap();
        let report = format!("\"{format}\"\nzone = \"Europe/Vienna\"");
        let text = text.replace("\"genesys-webhook\"", &report);
        std::fs::write(line.file(), text).unwrap();
        let mut receive = line.start(&["receive"], &[]);
        let http = receive.wait_ready().await.http_address();
        let post = async |kind: &str, body: &str| {
            let signature = sign(SECRET, body.as_bytes());
            let headers = [
                ("content-type", kind),
                ("x-genesys-signature", signature.as_str()),
            ];
            post(http, &headers, body.as_bytes()).await
        };
        for kind in [
            "text/csv; charset=utf-8",
            "text/plain",
            "application/octet-stream",
        ] {
            let body = format!("a,b\r\n1,{kind}\r\n");
            let answered = post(kind, &body).await;
            assert_eq!(answered.body["status"], "accepted", "{kind}: {answered:?}");
        }
        assert_eq!(post("text/csv", "\n").await.body["status"], "accepted");
        assert_eq!(post("text/csv", "").await.body["status"], "nothing");
        assert_eq!(post("text/html", "a,b").await.status, 415);
        assert_eq!(bodies(&line, 4).await.len(), 4);
        receive.term(PATIENCE).await;
    }
}

/// Pitfall 46: an empty array is 2xx with zero events. So are other bodies with nothing in them, once they are genuine.
#[tokio::test(flavor = "multi_thread")]
async fn tries_of_the_connection_are_answered_well_and_store_nothing() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[]);
    let ready = receive.wait_ready().await;
    let http = ready.http_address();
    for body in ["", "\n", "[]", "{}", " [ ] "] {
        let taken = post_signed(http, body.as_bytes()).await;
        assert_eq!(taken.status, 202, "{body:?}");
        assert_eq!(taken.body["status"], "nothing", "{body:?}");
        assert_eq!(
            post(http, &[], body.as_bytes()).await.status,
            401,
            "{body:?}"
        );
    }
    for length in ["content-length: 0\r\n", ""] {
        let bare = format!(
            "POST {PATH} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{length}x-genesys-signature: {}\r\n\r\n",
            sign(SECRET, b"")
        );
        let answered = exchange(http, bare.as_bytes()).await;
        assert!(answered.starts_with("http/1.1 202"), "{answered}");
    }
    let counted = metric(&ready, "ingest_deliveries_total{outcome=\"nothing\"}").await;
    assert!((counted - 7.0).abs() < 0.1, "{counted}");
    assert_eq!(line.broker.depth(Queue::Raw).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_are_answered_where_they_are_configured_and_nowhere_else() {
    let line = Line::new().await;
    let ask = async |http: SocketAddr, first: &str, headers: &str| {
        let text = format!("{first} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}\r\n");
        exchange(http, text.as_bytes()).await
    };
    let mut closed = line.start(&["receive"], &[]);
    let http = closed.wait_ready().await.http_address();
    let query = format!("GET {PATH}?hub.challenge=42&hub.verify_token=right");
    for request in [&query, &format!("HEAD {PATH}"), &format!("PUT {PATH}")] {
        let answered = ask(http, request, "").await;
        assert!(answered.starts_with("http/1.1 405"), "{answered}");
        assert!(
            answered.contains("\r\nallow: post, options\r\n"),
            "{answered}"
        );
    }
    let options = ask(
        http,
        &format!("OPTIONS {PATH}"),
        "webhook-request-origin: e.example\r\n",
    )
    .await;
    assert!(
        options.starts_with("http/1.1 204") && !options.contains("webhook-allowed"),
        "{options}"
    );
    assert!(
        ask(http, "GET /hooks/other", "")
            .await
            .starts_with("http/1.1 404")
    );
    closed.term(PATIENCE).await;

    settings(
        &line,
        "",
        "[subscription.handshake]\nget = \"no-content\"\n[subscription.handshake.query]\nchallenge = \"hub.challenge\"\ntoken = \"hub.verify_token\"\ntokens = [\"right\"]\n[subscription.handshake.body]\n[subscription.handshake.origin]\nallowed = [\"e.example\"]\n[subscription.limits]\nrequests_per_second = 50\n",
    );
    let mut open = line.start(&["receive"], &[]);
    let ready = open.wait_ready().await;
    let http = ready.http_address();
    for method in ["GET", "HEAD"] {
        let looked = ask(http, &format!("{method} {PATH}"), "").await;
        assert!(looked.starts_with("http/1.1 204"), "{looked}");
    }
    let echoed = ask(http, &query, "").await;
    assert!(
        echoed.starts_with("http/1.1 200") && echoed.ends_with("\r\n\r\n42"),
        "{echoed}"
    );
    assert!(echoed.contains("content-type: text/plain"), "{echoed}");
    let wrong = ask(http, &query.replace("right", "wrong"), "").await;
    assert!(wrong.starts_with("http/1.1 403"), "{wrong}");
    let origin = "webhook-request-origin: e.example\r\nwebhook-request-rate: 9999\r\n";
    let permitted = ask(http, &format!("OPTIONS {PATH}"), origin).await;
    assert!(permitted.starts_with("http/1.1 200"), "{permitted}");
    assert!(
        permitted.contains("webhook-allowed-origin: e.example\r\n"),
        "{permitted}"
    );
    assert!(
        permitted.contains("webhook-allowed-rate: 3000\r\n"),
        "{permitted}"
    );
    let challenge = br#"{"type":"url_verification","challenge":"abc"}"#;
    let verified = post_signed(http, challenge).await;
    assert_eq!(
        (verified.status, &verified.body["challenge"]),
        (200, &"abc".into())
    );
    assert_eq!(post(http, &[], challenge).await.status, 401, "a stranger's");
    let counted = metric(&ready, "ingest_deliveries_total{outcome=\"handshake\"}").await;
    assert!((counted - 5.0).abs() < 0.1, "{counted}");
    assert_eq!(line.broker.depth(Queue::Raw).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_subscription_over_its_limit_leaves_the_others_theirs() {
    let line = Line::new().await;
    let second = "[subscription.limits]\nrequests_per_second = 1\nburst = 3\nrequests_at_once = 2\n[[subscription]]\nname = \"quiet\"\npath = \"/hooks/quiet\"\ntenant = \"acme\"\nformat = \"genesys-webhook\"\n[subscription.signature]\nsecrets = [\"s3cret\"]\n";
    settings(&line, "", second);
    let mut receive = line.start(&["receive"], &[]);
    let http = receive.wait_ready().await.http_address();
    // Strangers use up nothing.
    for _ in 0..5 {
        assert_eq!(
            post(http, &[("x-genesys-signature", "00")], b"{}")
                .await
                .status,
            401
        );
    }
    // Two with their bodies half there: no third is let in.
    let body = event("e");
    let text = request(
        &[("x-genesys-signature", &sign(SECRET, body.as_bytes()))],
        body.as_bytes(),
    );
    let mut halves = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(http).await.unwrap();
        stream.write_all(&text[..text.len() - 9]).await.unwrap();
        halves.push(stream);
    }
    let third = eventually(PATIENCE, "two are open", async || {
        let third = post(http, &[("x-genesys-signature", "00")], b"{}").await;
        (third.status == 429).then_some(third)
    })
    .await;
    assert_eq!(third.body["error"], "too_many_at_once");
    assert!(third.head.contains("retry-after: 1\r\n"), "{}", third.head);
    for mut stream in halves {
        stream.write_all(&text[text.len() - 9..]).await.unwrap();
        assert_eq!(answer(&mut stream).await.status, 202);
    }
    // The burst is three, and then it is one a second.
    let refused = eventually(PATIENCE, "the rate is used up", async || {
        let next = post_signed(http, body.as_bytes()).await;
        (next.status == 429).then_some(next)
    })
    .await;
    assert_eq!(refused.body["error"], "rate_limited");
    assert!(
        refused.head.contains("retry-after: 1\r\n"),
        "{}",
        refused.head
    );
    let path = format!("POST {PATH} ").len();
    let quiet = [b"POST /hooks/quiet ", &text[path..]].concat();
    for _ in 0..10 {
        assert!(exchange(http, &quiet).await.starts_with("http/1.1 202"));
    }
    eventually(PATIENCE, "accepted again", async || {
        post_signed(http, body.as_bytes()).await.status == 202
    })
    .await;
}

/// HTTP/2 by prior knowledge.
pub(crate) async fn http2<S>(stream: S) -> http2::SendRequest<Full<Bytes>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) fn signed_request(body: &str) -> Request<Full<Bytes>> {
    Request::post(format!("http://localhost{PATH}"))
        .header("content-type", "application/json")
        .header("x-genesys-signature", sign(SECRET, body.as_bytes()))
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_of_one_connection_are_each_answered() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[]);
    let ready = receive.wait_ready().await;
    let sender = http2(TcpStream::connect(ready.http_address()).await.unwrap()).await;
    let mut posts = Vec::new();
    for n in 0..400 {
        let mut sender = sender.clone();
        posts.push(tokio::spawn(async move {
            // Some larger than a stream's window, some than what is allowed, some forged.
            let id = match n % 50 {
                0 => "x".repeat(300_000),
                7 => "x".repeat(600_000), // the event has it twice
                _ => format!("e{n}"),
            };
            let mut request = signed_request(&event(&id));
            if n % 10 == 3 {
                request
                    .headers_mut()
                    .insert("x-genesys-signature", "00".parse().unwrap());
            }
            sender.ready().await.unwrap();
            let answer = sender.send_request(request).await.unwrap();
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
            (n, status)
        }));
    }
    for posted in posts {
        let (n, status) = posted.await.unwrap();
        let due = match n % 50 {
            7 => 413,
            _ if n % 10 == 3 => 401,
            _ => 202,
        };
        assert_eq!(status, due, "{n}");
    }
    let series = "ingest_bodies_total{protocol=\"http2\",encoding=\"identity\"}";
    assert!((metric(&ready, series).await - 352.0).abs() < 0.1);
    assert_eq!(bodies(&line, 352).await.len(), 352);
    assert!(metric(&ready, "receive_memory_bytes").await.abs() < 0.1);
}

/// A place is not held for ever by somebody who has proved nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_in_which_nothing_is_genuine_is_ended() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[]);
    let http = receive.wait_ready().await.http_address();
    let ask = |signature: &str, more: &str| {
        format!(
            "POST {PATH} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\nx-genesys-signature: {signature}\r\n{more}content-length: 2\r\n\r\n{{}}"
        )
    };
    // Of the right length: else the body would be left unread, and the connection end with it.
    let forged = ask(&sign("other", b"{}"), "");
    for unproven in [
        &forged,
        "GET /nowhere HTTP/1.1\r\nhost: t\r\n\r\n",
        &format!("OPTIONS {PATH} HTTP/1.1\r\nhost: t\r\n\r\n"),
    ] {
        let answers = exchange(http, unproven.repeat(30).as_bytes()).await;
        assert_eq!(answers.matches("http/1.1 ").count(), 8, "{answers}");
        assert_eq!(answers.matches("connection: close\r\n").count(), 1);
    }
    // Who is genuine now and then keeps it.
    let genuine = sign(SECRET, b"{}");
    let mixed = [forged.repeat(7), ask(&genuine, "")].concat().repeat(3);
    let all = [mixed, ask(&genuine, "connection: close\r\n")].concat();
    let answers = exchange(http, all.as_bytes()).await;
    assert_eq!(answers.matches("http/1.1 401").count(), 21, "{answers}");
    assert_eq!(answers.matches("http/1.1 202").count(), 4, "{answers}");

    let mut sender = http2(TcpStream::connect(http).await.unwrap()).await;
    let mut refused = 0;
    while sender.ready().await.is_ok() {
        let mut request = signed_request("{}");
        let headers = request.headers_mut();
        headers.insert("x-genesys-signature", "00".parse().unwrap());
        let answered = tokio::time::timeout(PATIENCE, sender.send_request(request)).await;
        match answered.expect("an answer or an end in time") {
            Ok(answer) => assert_eq!(answer.status(), 401),
            Err(_) => break, // told to go
        }
        refused += 1;
        assert!(refused < 1000, "never told to go");
    }
    assert!(refused >= 60, "{refused}");
    eventually(PATIENCE, "closed", async || sender.is_closed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_connection_without_requests_is_let_go() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[("KPILINE_HTTP_HEADER_TIMEOUT", "1s")]);
    let http = receive.wait_ready().await.http_address();
    let mut sender = http2(TcpStream::connect(http).await.unwrap()).await;
    let answered = sender
        .send_request(signed_request(&event("e")))
        .await
        .unwrap();
    assert_eq!(answered.status(), 202);
    drop(answered);
    eventually(PATIENCE, "closed", async || sender.is_closed()).await;
    // Nor does one that begins and says no more hold its place, nor one that never begins.
    for beginning in ["PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""] {
        exchange_bytes(http, beginning.as_bytes()).await;
    }
}

/// Reads to the end of the connection, whatever comes.
async fn exchange_bytes(http: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(http).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "held open after {bytes:?}");
}

/// Pitfall 65, over HTTP/2: open requests are finished, the sender is told to go, the process ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_the_open_streams() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[]);
    let ready = receive.wait_ready().await;
    let http = ready.http_address();
    let stream = TcpStream::connect(http).await.unwrap();
    let (mut sender, connection) =
        http2::handshake::<_, _, http_body_util::channel::Channel<Bytes>>(
            TokioExecutor::new(),
            TokioIo::new(stream),
        )
        .await
        .unwrap();
    tokio::spawn(connection);
    let body = Bytes::from(event("open"));
    let mut open = Vec::new();
    for _ in 0..20 {
        let (mut feed, channel) = http_body_util::channel::Channel::new(4);
        let request = Request::post(format!("http://localhost{PATH}"))
            .header("content-type", "application/json")
            .header("x-genesys-signature", sign(SECRET, &body))
            .body(channel)
            .unwrap();
        let answer = tokio::spawn(sender.send_request(request));
        feed.send_data(body.slice(..50)).await.unwrap();
        open.push((feed, answer));
    }
    let seen = "ingest_deliveries_total{outcome=\"accepted\"}";
    assert!(metric(&ready, seen).await.abs() < 0.1);
    eventually(PATIENCE, "the halves are there", async || {
        metric(&ready, "receive_memory_bytes").await >= 1000.0
    })
    .await;
    receive.signal("TERM");
    eventually(PATIENCE, "no new connections", async || {
        TcpStream::connect(http).await.is_err()
    })
    .await;
    for (mut feed, answer) in open {
        feed.send_data(body.slice(50..)).await.unwrap();
        drop(feed);
        assert_eq!(answer.await.unwrap().unwrap().status(), 202);
    }
    let status = receive.wait(PATIENCE).await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(bodies(&line, 20).await.len(), 20);
}

/// A sender that asks and asks and never reads an answer is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_reads_nothing_is_cut() {
    let line = Line::new().await;
    let mut receive = line.start(&["receive"], &[("KPILINE_HTTP_BODY_TIMEOUT", "1s")]);
    let http = receive.wait_ready().await.http_address();
    let mut stream = TcpStream::connect(http).await.unwrap();
    // Genuine ones: others end a connection sooner.
    let signature = sign(SECRET, b"{}");
    let asked = format!("POST {PATH} HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\nx-genesys-signature: {signature}\r\ncontent-length: 2\r\n\r\n{{}}").repeat(1000);
    let cut = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Err(error) = stream.write_all(asked.as_bytes()).await {
                return error;
            }
        }
    })
    .await
    .expect("cut in time");
    assert!(
        matches!(
            cut.kind(),
            std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe
        ),
        "{cut}"
    );
    let begun = std::time::Instant::now();
    assert_eq!(post_signed(http, event("e").as_bytes()).await.status, 202);
    assert!(begun.elapsed() < Duration::from_secs(5));
}
