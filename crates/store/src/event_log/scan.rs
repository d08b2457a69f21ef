//! Reading the log back, for replay.

use crate::error::StoreError;
use crate::pool::Connection;
use crate::raw::Raw;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{DeliveryId, UtcMicros};
use uuid::Uuid;

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Digest over subscription, event id, instant and content.
    pub log_key: Uuid,
    /// The event's own instant.
    pub occurred_at: UtcMicros,
    /// The organisation.
    pub tenant: String,
    /// Where it came in.
    pub subscription: String,
    /// The platform's id of the event.
    pub event_id: String,
    /// The interaction it is about.
    pub interaction_id: String,
    /// How `raw` is to be read: the JSON text of the body format.
    pub format: String,
    /// The delivery that brought it first.
    pub delivery_id: DeliveryId,
    /// When that delivery was received.
    pub received_at: UtcMicros,
    /// The exact bytes, as far as they are there.
    pub raw: Raw,
}

pub(super) static SCAN: Sql = Sql {
    step: "read event_log",
    text: "SELECT log_key, occurred_at, tenant, subscription, event_id, interaction_id, format, delivery_id, received_at, raw, raw_key, \
                  raw_gone \
           FROM event_log \
           WHERE occurred_at >= $1 AND occurred_at < $2 AND (occurred_at, log_key) > ($3, $4) \
             AND ($5::text IS NULL OR tenant = $5) \
           ORDER BY occurred_at, log_key LIMIT $6",
};

pub(super) static COUNT: Sql = Sql {
    step: "count event_log",
    text: "SELECT count(*) FROM event_log \
           WHERE occurred_at >= $1 AND occurred_at < $2 AND ($3::text IS NULL OR tenant = $3)",
};

/// The next events of `[from, to)` in the order of (instant, log key), at most `limit`, after the last one read.
pub async fn scan(
    conn: &impl Connection,
    from: UtcMicros,
    to: UtcMicros,
    after: Option<(UtcMicros, Uuid)>,
    tenant: Option<&str>,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    let (at, key) = after.unwrap_or(before(from));
    let from = from.max(at);
    let rows = sql::query(
        conn,
        &SCAN,
        &[
            &Instant(from),
            &Instant(to),
            &Instant(at),
            &key,
            &tenant,
            &i64::from(limit),
        ],
    )
    .await?;
    rows.iter()
        .map(|row| {
            Ok(StoredEvent {
                log_key: sql::get(row, &SCAN, 0)?,
                occurred_at: sql::get::<Instant>(row, &SCAN, 1)?.0,
                tenant: sql::get(row, &SCAN, 2)?,
                subscription: sql::get(row, &SCAN, 3)?,
                event_id: sql::get(row, &SCAN, 4)?,
                interaction_id: sql::get(row, &SCAN, 5)?,
                format: sql::get(row, &SCAN, 6)?,
                delivery_id: DeliveryId(sql::get(row, &SCAN, 7)?),
                received_at: sql::get::<Instant>(row, &SCAN, 8)?.0,
                raw: Raw::read(row, &SCAN, [9, 10, 11])?,
            })
        })
        .collect()
}

/// A place before everything at `from`: whatever is there is greater than anything a microsecond earlier.
pub(super) const fn before(from: UtcMicros) -> (UtcMicros, Uuid) {
    (UtcMicros(from.0.saturating_sub(1)), Uuid::max())
}

/// How many events `[from, to)` holds.
pub async fn count(
    conn: &impl Connection,
    from: UtcMicros,
    to: UtcMicros,
    tenant: Option<&str>,
) -> Result<i64, StoreError> {
    let row = sql::query_one(conn, &COUNT, &[&Instant(from), &Instant(to), &tenant]).await?;
    sql::get(&row, &COUNT, 0)
}
