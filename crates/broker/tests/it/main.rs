//! What the broker crate promises, on a real RabbitMQ.

// Helpers of tests may fail loudly; the linter allows it in the test functions themselves only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod connect;
mod consume;
mod faults;
mod publish;
mod refused;
mod server;
mod tls;

use broker::{Broker, Outgoing, Queue};
use bytes::Bytes;
use std::time::Duration;
use uuid::Uuid;

/// Long enough for a slow machine, short enough to notice a hang.
const SOON: Duration = Duration::from_secs(10);

fn message(queue: Queue, body: impl Into<Bytes>) -> Outgoing {
    Outgoing {
        queue,
        body: body.into(),
        message_id: Uuid::now_v7(),
        correlation: "c-1".to_owned(),
    }
}

fn numbered(queue: Queue, count: usize) -> Vec<Outgoing> {
    (0..count)
        .map(|number| message(queue, number.to_string()))
        .collect()
}

/// Puts `count` messages into a queue, with the bodies `0`, `1`, …
async fn fill(broker: &Broker, queue: Queue, count: usize) {
    let publisher = broker.publisher().await.unwrap();
    publisher.publish_all(numbered(queue, count)).await.unwrap();
}

async fn has_depth(broker: &Broker, queue: Queue, wanted: u32) {
    let what = format!("{wanted} messages in {queue}");
    testkit::eventually(SOON, &what, async || {
        let depth = broker.depth(queue).await.unwrap();
        if depth == wanted { Ok(()) } else { Err(depth) }
    })
    .await;
}
