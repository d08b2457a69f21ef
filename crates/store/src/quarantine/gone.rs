//! Bytes of the quarantine that go: by retention once an item is settled, or because somebody asked.

use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::raw::Raw;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{DeliveryId, UtcMicros};

/// An item that still has its bytes, held or settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithBytes {
    /// Its number.
    pub id: i64,
    /// The organisation; of a message of facts none.
    pub tenant: String,
    /// Where it came in.
    pub subscription: String,
    /// The delivery that brought it.
    pub delivery_id: DeliveryId,
    /// Its position in the delivery from 0; -1 for a body or a message as a whole.
    pub item_index: i32,
    /// The stage that could not process it.
    pub stage: String,
    /// Whether somebody has still to decide about it.
    pub held: bool,
    /// The bytes.
    pub raw: Raw,
}

// What is no body of one organisation: a message that nobody could open, and messages of facts, which say themselves whose they are.
pub(super) static WITH_BYTES: Sql = Sql {
    step: "look through the bytes of the quarantine",
    text: "SELECT quarantine_id, tenant, subscription, delivery_id, item_index, stage, status = 'held', raw, raw_key, raw_gone \
           FROM quarantine WHERE quarantine_id > $1 AND (tenant = $2 OR stage IN ('envelope', 'publish')) AND raw_gone IS NULL \
           ORDER BY quarantine_id LIMIT $3",
};

// The value found may be what was asked to be erased. Bytes that expired after they were looked through were found all the same, and
// must not come back.
pub(super) static ERASE: Sql = Sql {
    step: "erase items of the quarantine",
    text: "UPDATE quarantine SET raw = NULL, raw_key = NULL, raw_gone = 'erased', value = NULL, \
               status = CASE status WHEN 'held' THEN 'discarded' ELSE status END, settled_at = coalesce(settled_at, now()) \
           WHERE quarantine_id = ANY ($1) AND raw_gone IS DISTINCT FROM 'erased'",
};

pub(super) static EXPIRE: Sql = Sql {
    step: "let raw bytes of the quarantine go",
    text: "UPDATE quarantine SET raw = NULL, raw_key = NULL, raw_gone = 'expired', value = NULL \
           WHERE quarantine_id IN (SELECT quarantine_id FROM quarantine \
                                   WHERE status <> 'held' AND raw_gone IS NULL AND settled_at < $1 \
                                   ORDER BY settled_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
};

/// The next items with bytes behind a number that are of this organisation or may hold something of it, ascending.
pub async fn with_bytes(
    conn: &impl Connection,
    tenant: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<WithBytes>, StoreError> {
    sql::query(conn, &WITH_BYTES, &[&after, &tenant, &i64::from(limit)])
        .await?
        .iter()
        .map(|row| {
            Ok(WithBytes {
                id: sql::get(row, &WITH_BYTES, 0)?,
                tenant: sql::get(row, &WITH_BYTES, 1)?,
                subscription: sql::get(row, &WITH_BYTES, 2)?,
                delivery_id: DeliveryId(sql::get(row, &WITH_BYTES, 3)?),
                item_index: sql::get(row, &WITH_BYTES, 4)?,
                stage: sql::get(row, &WITH_BYTES, 5)?,
                held: sql::get(row, &WITH_BYTES, 6)?,
                raw: Raw::read(row, &WITH_BYTES, [7, 8, 9])?,
            })
        })
        .collect()
}

/// Erases bytes and values of these items, those included that have expired meanwhile; what was held is discarded by it. Returns how many
/// were not erased before.
pub async fn erase(tx: &Transaction<'_>, ids: &[i64]) -> Result<u64, StoreError> {
    sql::execute(tx, &ERASE, &[&ids]).await
}

/// Lets the bytes of items go that were released or discarded before an instant, at most so many. Returns how many. What is held stays
/// whole: nobody has decided about it.
pub async fn expire(
    tx: &Transaction<'_>,
    before: UtcMicros,
    limit: u32,
) -> Result<u64, StoreError> {
    sql::execute(tx, &EXPIRE, &[&Instant(before), &i64::from(limit)]).await
}
