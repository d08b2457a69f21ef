//! Any bytes as what a sender writes to a connection, through the server's parser and the handler that answers, over a pipe instead of a
//! socket, with a broker that takes everything at once and a clock that jumps.

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use ingest::config::replay::Memory;
use ingest::receive::Limits;
use ingest::receive::handler::{Endpoint, Handler, Waiting};
use ingest::receive::route::{LiveRoutes, Routes};
use ingest::subscriptions::{Secrets, parse};
use runtime::{Metrics, Shutdown};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Mutex, mpsc};

/// The limit of both subscriptions for what is behind a coding; what is in none is smaller.
const INFLATED_BYTES_MAX: usize = 16_384;
/// The first needs a signature; the second a value that is in the seeds, so that bodies get through.
const SUBSCRIPTIONS: &str = r#"
version = 1
[[subscription]]
name = "signed"
path = "/s"
tenant = "t"
format = "genesys-webhook"
max_body_bytes = 4096
max_inflated_bytes = 16384
[subscription.signature]
secrets = ["secret"]
[[subscription]]
name = "fixed"
path = "/f"
tenant = "t"
format = "genesys-webhook"
max_body_bytes = 4096
max_inflated_bytes = 16384
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
        memory_max: 64 << 20,
        inbox_max: 64,
        batch_max: 64,
        batch_bytes_max: 1 << 20,
        in_flight_max: 1,
        seen: Memory {
            entries_max: 1_000,
            horizon: Duration::from_secs(3600),
        },
    }
}

/// The handler, and what it hands over.
type Served = (Arc<Handler>, Mutex<mpsc::Receiver<Waiting>>);

static HANDLER: LazyLock<Served> = LazyLock::new(|| {
    let found = parse(
        "s",
        SUBSCRIPTIONS,
        Path::new("/nonexistent"),
        Secrets::Required,
        &|_| None,
    );
    let routes = LiveRoutes::new(Routes::new(found.expect("the subscriptions"), &limits()));
    let (inbox, waiting) = mpsc::channel(64);
    let handler = Handler::new(routes, inbox, limits(), &Metrics::new("fuzz", "0"));
    (Arc::new(handler), Mutex::new(waiting))
});

/// Sends the bytes and reads to the end. What is accepted fits the subscription's limit; whatever else is sent, there is an answer or the connection ends.
pub fn exchange(bytes: &[u8]) {
    RUNTIME.block_on(async {
        let (handler, waiting) = &*HANDLER;
        let (mut client, server) = duplex(bytes.len() + 64);
        let mut http = http1::Builder::new();
        http.max_buf_size(64 * 1024);
        let endpoint = Endpoint {
            handler: Arc::clone(handler),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            streak: Arc::default(),
            stop: Shutdown::manual(Duration::ZERO).token(),
        };
        let connection = http.serve_connection(TokioIo::new(server), endpoint);
        let sender = async {
            client.write_all(bytes).await.ok();
            client.shutdown().await.ok();
            let mut answers = Vec::new();
            client.read_to_end(&mut answers).await.ok();
            answers
        };
        let mut waiting = waiting.lock().await;
        let broker = async {
            while let Some(found) = waiting.recv().await {
                assert!(found.delivery.body.len() <= INFLATED_BYTES_MAX);
                found.reply.send(Ok(())).ok();
            }
        };
        let served = async { tokio::join!(connection, sender) };
        let answers = tokio::select! {
            (_, answers) = served => answers,
            () = broker => panic!("the handler is gone"),
        };
        assert!(answers.is_empty() || answers.starts_with(b"HTTP/1.1 "));
    });
}
