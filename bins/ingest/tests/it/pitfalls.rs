//! What goes wrong elsewhere between an HTTP body and a logged event, by the number under which it was collected.
//! `tests/PITFALLS.md` lists all of them.

mod broker;
mod server;
mod store;

use crate::line::{Line, PATIENCE, event, message};
use ::broker::{Broker, Outgoing, Queue};
use schema::{DeliveryId, MessageId};
use testkit::eventually;
use tokio_postgres::Client;

/// Puts messages of one delivery each into `raw`, with events of these ids.
async fn fill(line: &Line, ids: impl IntoIterator<Item = String>) {
    let connection = line.broker.connect("test fill").await;
    let publisher = connection.publisher().await.unwrap();
    let messages: Vec<Outgoing> = ids.into_iter().map(|id| raw(&event(&id))).collect();
    publisher.publish_all(messages).await.unwrap();
    connection.close().await.unwrap();
}

/// One message with this body.
fn raw(body: &str) -> Outgoing {
    let message = message(MessageId::generate(), DeliveryId::generate(), body);
    Outgoing {
        queue: Queue::Raw,
        body: message.encode().unwrap(),
        message_id: message.id.0,
        correlation: "test".to_owned(),
    }
}

/// Nobody writes to the log until the transaction of the client that is returned ends.
async fn hold_the_log(line: &Line) -> Client {
    let client = line.db.client().await;
    let sql = "BEGIN; LOCK TABLE event_log IN SHARE MODE";
    client.batch_execute(sql).await.unwrap();
    client
}

async fn let_go(holding: Client) {
    holding.batch_execute("ROLLBACK").await.unwrap();
}

/// Waits until a batch is in hand that cannot be written because the log is held.
async fn a_batch_waits(line: &Line) {
    let client = line.db.client().await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
               AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO event_log%'";
    eventually(PATIENCE, "a batch waits for the log", async || {
        let waiting: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
        waiting > 0
    })
    .await;
}

/// Waits until so many messages of `raw` are ready to be handed out.
async fn until_ready(connection: &Broker, count: u32) {
    let what = format!("{count} messages are ready in raw");
    eventually(PATIENCE, &what, async || {
        let depth = connection.depth(Queue::Raw).await.unwrap();
        if depth == count { Ok(()) } else { Err(depth) }
    })
    .await;
}
