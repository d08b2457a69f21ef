//! A database, queues, a subscriptions file and ingest processes of one test.

use broker::{Consumer, Queue};
use bytes::Bytes;
use double::emit::{Options, Summary};
use double::sign::{Encoding, Signer};
use schema::{
    BodyFormat, DeliveryId, ENVELOPE_VERSION, Event, EventsMessage, MessageId, RawDelivery,
    RawMessage, UtcMicros,
};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use testkit::{Proc, TestBroker, TestDb, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Long enough for a slow machine, short enough for a person.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const SECRET: &str = "s3cret";
pub(crate) const PATH: &str = "/hooks/genesys";

/// What one test works with.
pub(crate) struct Line {
    pub(crate) db: TestDb,
    pub(crate) broker: TestBroker,
    folder: TempDir,
}

/// An answer to a delivery.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: serde_json::Value,
}

/// The counters of the store, summed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) received: i64,
    pub(crate) logged: i64,
    pub(crate) duplicates: i64,
    pub(crate) quarantined: i64,
    pub(crate) ignored: i64,
}

impl Line {
    pub(crate) async fn new() -> Self {
        let line = Self {
            db: TestDb::new().await,
            broker: TestBroker::declared().await,
            folder: tempfile::tempdir().unwrap(),
        };
        line.write_secrets(&[SECRET]);
        line
    }

    /// One subscription, with these secrets, and bodies of at most 1 MiB.
    pub(crate) fn write_secrets(&self, secrets: &[&str]) {
        let text = format!(
            "version = 1\n[[subscription]]\nname = \"genesys\"\npath = \"{PATH}\"\ntenant = \"acme\"\nformat = \"genesys-webhook\"\n[subscription.signature]\nsecrets = {secrets:?}\n"
        );
        std::fs::write(self.file(), text).unwrap();
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("subscriptions.toml")
    }

    /// The environment of a process on this line.
    pub(crate) fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("KPILINE_DATABASE_URL", self.db.url().to_owned()),
            ("KPILINE_AMQP_URL", self.broker.url().to_owned()),
            ("KPILINE_QUEUE_PREFIX", self.broker.prefix().to_owned()),
            ("KPILINE_RAW_QUEUE_MAX_BYTES", "0".to_owned()),
            ("KPILINE_SUBSCRIPTIONS", self.file().display().to_string()),
            ("KPILINE_HTTP_LISTEN", "127.0.0.1:0".to_owned()),
        ]
    }

    /// Starts a role, with settings that override those of [`Self::env`].
    pub(crate) fn start(&self, arguments: &[&str], settings: &[(&'static str, &str)]) -> Proc {
        let mut env = self.env();
        for (name, value) in settings {
            env.retain(|(known, _)| known != name);
            env.push((name, (*value).to_owned()));
        }
        let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (*n, v.as_str())).collect();
        Proc::spawn("ingest", arguments, &env)
    }

    /// Publishes deliveries to a queue as *receive* and backfill do.
    pub(crate) async fn publish(&self, queue: Queue, message: &RawMessage) {
        let outgoing = broker::Outgoing {
            queue,
            body: message.encode().unwrap(),
            message_id: message.id.0,
            correlation: "test".to_owned(),
        };
        self.broker.publish(outgoing).await;
    }

    /// The counters, once they say that so many were received.
    pub(crate) async fn counts_of(&self, received: i64) -> Counts {
        let client = self.db.client().await;
        let what = format!("{received} events counted");
        eventually(PATIENCE, &what, async || {
            let counts = counts(&client).await;
            if counts.received == received {
                Ok(counts)
            } else {
                Err(counts)
            }
        })
        .await
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let client = self.db.client().await;
        client.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// A consumer of the live facts, and the connection that it needs.
    pub(crate) async fn facts(&self) -> (broker::Broker, Consumer) {
        let connection = self.broker.connect("test consume").await;
        let queues = [
            Queue::EventsTerminal,
            Queue::EventsProgress,
            Queue::EventsHistory,
        ];
        let consumer = connection.consumer(&queues, 100).await.unwrap();
        (connection, consumer)
    }

    /// Acts as a sender of these events.
    pub(crate) async fn emit(
        &self,
        http: SocketAddr,
        tune: impl Fn(&mut Options),
        events: Vec<Bytes>,
    ) -> Summary {
        let mut options = Options::to(format!("http://{http}{PATH}"), SECRET);
        tune(&mut options);
        double::emit::run(&options, events).await.unwrap()
    }
}

async fn counts(client: &tokio_postgres::Client) -> Counts {
    let sum = |name: &str| format!("coalesce(sum({name}), 0)::bigint");
    let sql = format!(
        "SELECT {}, {}, {}, {}, {} FROM ingest_counts",
        sum("received"),
        sum("logged"),
        sum("duplicates"),
        sum("quarantined"),
        sum("ignored")
    );
    let row = client.query_one(&sql, &[]).await.unwrap();
    let counts = Counts {
        received: row.get(0),
        logged: row.get(1),
        duplicates: row.get(2),
        quarantined: row.get(3),
        ignored: row.get(4),
    };
    let sum = counts.logged + counts.duplicates + counts.quarantined + counts.ignored;
    assert_eq!(counts.received, sum, "the counters add up");
    counts
}

/// The next facts from a consumer, at least so many; all messages seen are acknowledged.
pub(crate) async fn take_facts(consumer: &mut Consumer, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count {
        let next = tokio::time::timeout(PATIENCE, consumer.next()).await;
        let delivery = next
            .unwrap_or_else(|_| panic!("{} of {count} facts came", events.len()))
            .unwrap();
        events.extend(EventsMessage::decode(&delivery.body).unwrap().events);
        consumer.ack_through(delivery.tag).await.unwrap();
    }
    events
}

/// One delivery in one message.
pub(crate) fn message(id: MessageId, delivery: DeliveryId, body: &str) -> RawMessage {
    RawMessage {
        v: ENVELOPE_VERSION,
        id,
        deliveries: vec![RawDelivery {
            id: delivery,
            subscription: "genesys".into(),
            tenant: "acme".into(),
            format: BodyFormat::GenesysWebhook,
            correlation: "test".into(),
            received_at: UtcMicros::from_millis(1_730_550_000_000),
            job: None,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }],
    }
}

/// An event of the guide's shape, of its own interaction.
pub(crate) fn event(id: &str) -> String {
    format!(
        r#"{{"subscription_id":"s","event_type":"analytics:events:publish","timestamp":"2024-11-02T10:00:00.125Z","data":{{"event_id":"{id}","interaction_id":"int_{id}","type":"telephony:call:ended","state":"completed","metrics":{{"talk_time_ms":1200}},"participants":[]}}}}"#
    )
}

pub(crate) fn sign(secret: &str, body: &[u8]) -> String {
    Signer::new(secret.as_bytes(), Encoding::Hex, "").sign(body)
}

/// Posts a body with headers, as an HTTP client that closes after one request.
pub(crate) async fn post(http: SocketAddr, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    post_to(http, PATH, headers, body).await
}

/// The same to another path than that of [`Line::write_secrets`].
pub(crate) async fn post_to(
    http: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut stream = TcpStream::connect(http).await.unwrap();
    let request = request_to(path, headers, body);
    stream.write_all(&request).await.unwrap();
    answer(&mut stream).await
}

/// Posts a signed body.
pub(crate) async fn post_signed(http: SocketAddr, body: &[u8]) -> Answer {
    let signature = sign(SECRET, body);
    post(http, &[("x-genesys-signature", &signature)], body).await
}

pub(crate) fn request(headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    request_to(PATH, headers, body)
}

fn request_to(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        head.push_str("content-type: application/json\r\n");
    }
    for (name, value) in headers {
        head = format!("{head}{name}: {value}\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// Reads the answer to the end of the connection.
pub(crate) async fn answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    read.expect("an answer in time").unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no HTTP: {text:?}"));
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_lowercase(),
        body: serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {text}")),
    }
}
