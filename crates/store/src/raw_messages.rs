//! Which broker messages have been counted: a redelivered one publishes again, but counts nothing twice.

use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{MessageId, UtcMicros};
use std::collections::BTreeSet;
use uuid::Uuid;

static CLAIM: Sql = Sql {
    step: "claim raw messages",
    text: "INSERT INTO raw_messages (message_id) SELECT unnest($1::uuid[]) \
           ON CONFLICT DO NOTHING RETURNING message_id",
};

static CLAIMED: Sql = Sql {
    step: "look up raw messages",
    text: "SELECT message_id FROM raw_messages WHERE message_id = ANY ($1)",
};

static PRUNE: Sql = Sql {
    step: "prune raw messages",
    text: "DELETE FROM raw_messages WHERE committed_at < $1",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&CLAIM, &CLAIMED, &PRUNE];

/// For each message, whether this transaction is the first to bring it. A second mention in the slice is not.
///
/// A concurrent transaction with the same message waits here until this one ends.
pub async fn claim(tx: &Transaction<'_>, messages: &[MessageId]) -> Result<Vec<bool>, StoreError> {
    let unique: BTreeSet<Uuid> = messages.iter().map(|message| message.0).collect();
    let unique: Vec<Uuid> = unique.into_iter().collect();
    let rows = sql::query(tx, &CLAIM, &[&unique]).await?;
    let mut first = BTreeSet::new();
    for row in &rows {
        first.insert(sql::get::<Uuid>(row, &CLAIM, 0)?);
    }
    Ok(messages
        .iter()
        .map(|message| first.remove(&message.0))
        .collect())
}

/// Those of the messages that a committed transaction claimed: their events are in the log, or in quarantine.
pub async fn claimed(
    conn: &impl Connection,
    messages: &[MessageId],
) -> Result<BTreeSet<MessageId>, StoreError> {
    let ids: Vec<Uuid> = messages.iter().map(|message| message.0).collect();
    sql::query(conn, &CLAIMED, &[&ids])
        .await?
        .iter()
        .map(|row| Ok(MessageId(sql::get(row, &CLAIMED, 0)?)))
        .collect()
}

/// Forgets messages committed before an instant, once the broker cannot redeliver them. Returns how many.
pub async fn prune(conn: &impl Connection, before: UtcMicros) -> Result<u64, StoreError> {
    sql::execute(conn, &PRUNE, &[&Instant(before)]).await
}
