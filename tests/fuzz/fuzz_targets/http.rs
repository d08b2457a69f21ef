//! Requests as they come in from the network, any bytes, through the server and the handler that serve them, over a pipe instead of a
//! socket.
//!
//! What is accepted has a signature that fits, and reaches the inbox byte for byte; whatever else is sent, something is answered or the
//! connection ends, and no memory stays taken.
#![no_main]

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use ingest::receive::Limits;
use ingest::receive::handler::{Endpoint, Handler, Waiting};
use ingest::receive::route::{LiveRoutes, Routes};
use ingest::subscriptions::{Secrets, parse};
use libfuzzer_sys::fuzz_target;
use runtime::Metrics;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

/// The first needs a signature; the second a value that is in the seeds, so that bodies get through.
const SUBSCRIPTIONS: &str = r#"
version = 1
[[subscription]]
name = "signed"
path = "/s"
tenant = "t"
format = "genesys-webhook"
max_body_bytes = 4096
[subscription.signature]
secrets = ["secret"]
[[subscription]]
name = "fixed"
path = "/f"
tenant = "t"
format = "genesys-webhook"
max_body_bytes = 4096
[subscription.signature]
header = "x-key"
scheme = "static"
secrets = ["k"]
"#;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
});

fn limits() -> Limits {
    Limits {
        connections_max: 1,
        header_timeout: Duration::from_secs(10),
        body_timeout: Duration::from_secs(10),
        answer_timeout: Duration::from_secs(4),
        memory_max: 1 << 20,
        inbox_max: 64,
        batch_max: 64,
        batch_bytes_max: 1 << 20,
        in_flight_max: 1,
    }
}

static HANDLER: LazyLock<(Arc<Handler>, tokio::sync::Mutex<mpsc::Receiver<Waiting>>)> = LazyLock::new(|| {
    let found = parse("s", SUBSCRIPTIONS, Path::new("/nonexistent"), Secrets::Required, &|_| None);
    let routes = LiveRoutes::new(Routes::new(found.expect("the subscriptions")));
    let (inbox, waiting) = mpsc::channel(64);
    let handler = Handler::new(routes, inbox, limits(), &Metrics::new("fuzz", "0"));
    (Arc::new(handler), tokio::sync::Mutex::new(waiting))
});

fuzz_target!(|bytes: &[u8]| {
    RUNTIME.block_on(async {
        let (handler, waiting) = &*HANDLER;
        let (mut client, server) = duplex(bytes.len() + 64);
        let mut http = http1::Builder::new();
        http.max_buf_size(64 * 1024);
        let connection = http.serve_connection(TokioIo::new(server), Endpoint(Arc::clone(handler)));
        let sender = async {
            client.write_all(bytes).await.ok();
            client.shutdown().await.ok();
            let mut answers = Vec::new();
            client.read_to_end(&mut answers).await.ok();
            answers
        };
        let mut waiting = waiting.lock().await;
        let broker = async {
            let mut accepted = 0;
            while let Some(found) = waiting.recv().await {
                let body = &found.delivery.body;
                assert!(body.len() <= 4096);
                // Chunks are taken apart; every byte of a body stood in the request.
                assert!(body.len() <= bytes.len());
                accepted += 1;
                found.reply.send(Ok(())).ok();
            }
            accepted
        };
        let served = async { tokio::join!(connection, sender) };
        let answers = tokio::select! {
            (_, answers) = served => answers,
            _ = broker => unreachable!("the handler lives"),
        };
        assert!(answers.is_empty() || answers.starts_with(b"HTTP/1.1 "));
    });
});
