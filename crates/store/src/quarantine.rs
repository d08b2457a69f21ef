//! Where an item that cannot be processed rests, whole, with the reason, until it is released or discarded.

mod gone;

pub use gone::{WithBytes, erase, expire, with_bytes};

use crate::columns::{column, no_nul};
use crate::error::StoreError;
use crate::json::printable;
use crate::pool::{Connection, Transaction};
use crate::raw::{Length, Raw};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{DeliveryId, JobId, JobRef, MetricVersion, UtcMicros};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use tokio_postgres::Row;
use uuid::Uuid;

mod filter;
mod groups;
mod settle;

pub use filter::{Filter, Status};
pub use groups::{Group, groups};
pub use settle::{Matching, discard_next, hold_again, matching, release_next};

/// An item to hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct QuarantineRow<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// Where it came in.
    pub subscription: &'a str,
    /// The delivery that brought it; with index and stage the key, so that a repeated attempt holds nothing twice.
    pub delivery_id: DeliveryId,
    /// Its position in the delivery from 0; -1 for the body as a whole.
    pub item_index: i32,
    /// The stage that could not process it: `normalise`, `compute` …
    pub stage: &'a str,
    /// How `raw` is to be read when it is released: the JSON text of the body format.
    pub format: &'a str,
    /// Why, for people.
    pub reason: &'a str,
    /// The field at fault.
    pub field: Option<&'a str>,
    /// What it held, shortened.
    pub value: Option<&'a str>,
    /// What it may hold.
    pub expected: Option<&'a str>,
    /// The exact bytes, or these sealed.
    pub raw: &'a [u8],
    /// The key they are sealed under, if they are.
    pub raw_key: Option<&'a str>,
    /// When the delivery was received.
    pub received_at: UtcMicros,
    /// Ties it to the log lines.
    pub correlation: &'a str,
    /// The backfill job that brought it; what is released goes back to the job's lane and version.
    pub job: Option<JobRef>,
}

/// Without the bytes and the value found, which may be personal.
impl fmt::Debug for QuarantineRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuarantineRow")
            .field("subscription", &self.subscription)
            .field("delivery_id", &self.delivery_id)
            .field("item_index", &self.item_index)
            .field("stage", &self.stage)
            .field("field", &self.field)
            .field("raw", &Length(self.raw.len()))
            .field("raw_key", &self.raw_key)
            .finish_non_exhaustive()
    }
}

/// An item as it is held.
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    /// Its number.
    pub id: i64,
    /// The organisation.
    pub tenant: String,
    /// Where it came in.
    pub subscription: String,
    /// The delivery that brought it.
    pub delivery_id: DeliveryId,
    /// Its position in the delivery from 0; -1 for the body as a whole.
    pub item_index: i32,
    /// The stage that could not process it.
    pub stage: String,
    /// How `raw` is to be read.
    pub format: String,
    /// Why, for people.
    pub reason: String,
    /// The field at fault.
    pub field: Option<String>,
    /// What it held, shortened.
    pub value: Option<String>,
    /// What it may hold.
    pub expected: Option<String>,
    /// The exact bytes, as far as they are there.
    pub raw: Raw,
    /// When the delivery was received.
    pub received_at: UtcMicros,
    /// Ties it to the log lines.
    pub correlation: String,
    /// The backfill job that brought it.
    pub job: Option<JobRef>,
    /// What became of it.
    pub status: Status,
    /// Since when it has been in quarantine.
    pub held_at: UtcMicros,
    /// When it was released or discarded.
    pub settled_at: Option<UtcMicros>,
}

/// Without the bytes and the value found, which may be personal.
impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("id", &self.id)
            .field("subscription", &self.subscription)
            .field("stage", &self.stage)
            .field("reason", &self.reason)
            .field("field", &self.field)
            .field("raw", &self.raw)
            .finish_non_exhaustive()
    }
}

// One key has one content, so that the bytes stay as they are; what an update repeats must be readable (migration 10), and they
// are not readable for everybody who holds items.
static INSERT: Sql = Sql {
    step: "quarantine items",
    text: "INSERT INTO quarantine (tenant, subscription, delivery_id, item_index, stage, format, reason, field, value, expected, raw, \
                                   received_at, correlation, job_id, job_version, raw_key) \
           SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[], \
                                $9::text[], $10::text[], $11::bytea[], $12::timestamptz[], $13::text[], $14::uuid[], \
                                $15::integer[], $16::text[]) \
           ON CONFLICT ON CONSTRAINT quarantine_item DO UPDATE \
           SET status = 'held', settled_at = NULL, reason = EXCLUDED.reason, field = EXCLUDED.field, value = EXCLUDED.value, \
               expected = EXCLUDED.expected, received_at = EXCLUDED.received_at, correlation = EXCLUDED.correlation, \
               job_id = EXCLUDED.job_id, job_version = EXCLUDED.job_version \
           WHERE quarantine.status <> 'held' AND quarantine.raw_gone IS DISTINCT FROM 'erased'",
};

// What was settled, lost its bytes to the retention and is refused once more has to have them again. It reads no bytes, as above.
static RESTORE: Sql = Sql {
    step: "give quarantined items their bytes again",
    text: "UPDATE quarantine q SET raw = u.raw, raw_key = u.raw_key, raw_gone = NULL \
           FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::bytea[], $5::text[]) \
                AS u (delivery_id, item_index, stage, raw, raw_key) \
           WHERE q.delivery_id = u.delivery_id AND q.item_index = u.item_index AND q.stage = u.stage \
             AND q.status = 'held' AND q.raw_gone = 'expired'",
};

/// The columns of an item, for [`read`].
macro_rules! item {
    () => {
        "quarantine_id, tenant, subscription, delivery_id, item_index, stage, format, reason, field, value, expected, raw, \
         received_at, correlation, job_id, job_version, raw_key, raw_gone, status, created_at, settled_at"
    };
}
pub(crate) use item;

static LIST: Sql = Sql {
    step: "list quarantined items",
    text: concat!(
        "SELECT ",
        item!(),
        " FROM quarantine WHERE ",
        filter::matches!(),
        " ORDER BY quarantine_id LIMIT $14"
    ),
};

static FIND: Sql = Sql {
    step: "look up a quarantined item",
    text: concat!(
        "SELECT ",
        item!(),
        " FROM quarantine WHERE quarantine_id = $1"
    ),
};

static REFUSED: Sql = Sql {
    step: "look up deliveries in quarantine",
    text: "SELECT DISTINCT delivery_id FROM quarantine WHERE delivery_id = ANY ($1) AND stage = $2",
};

static COUNT: Sql = Sql {
    step: "count quarantined items",
    text: "SELECT count(*) FROM quarantine WHERE status = 'held'",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &INSERT,
    &RESTORE,
    &LIST,
    &FIND,
    &REFUSED,
    &COUNT,
    &groups::GROUPS,
    &settle::MATCHING,
    &settle::RELEASE,
    &settle::DISCARD,
    &settle::HOLD_AGAIN,
    &gone::WITH_BYTES,
    &gone::ERASE,
    &gone::EXPIRE,
];

/// Holds the items, those included that were settled and are refused again, but for what was erased on request. Returns how many were not held before.
pub async fn insert(tx: &Transaction<'_>, rows: &[QuarantineRow<'_>]) -> Result<u64, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    for row in rows {
        no_nul("tenant", row.tenant)?;
        no_nul("subscription", row.subscription)?;
        no_nul("stage", row.stage)?;
    }
    let mut sorted: Vec<&QuarantineRow<'_>> = rows.iter().collect();
    sorted.sort_by_key(|row| key(row));
    // The first mention counts; the statement could not touch a row twice.
    sorted.dedup_by_key(|row| key(row));
    let note =
        |text: Option<&'_ str>| -> Option<String> { text.map(|text| printable(text).into_owned()) };
    let reasons = column(&sorted, |row| printable(row.reason));
    let reasons: Vec<&str> = reasons.iter().map(Cow::as_ref).collect();
    let formats = column(&sorted, |row| printable(row.format));
    let formats: Vec<&str> = formats.iter().map(Cow::as_ref).collect();
    let correlations = column(&sorted, |row| printable(row.correlation));
    let correlations: Vec<&str> = correlations.iter().map(Cow::as_ref).collect();
    let raw_keys = column(&sorted, |row| row.raw_key);
    let held = sql::execute(
        tx,
        &INSERT,
        &[
            &column(&sorted, |row| row.tenant),
            &column(&sorted, |row| row.subscription),
            &column(&sorted, |row| row.delivery_id.0),
            &column(&sorted, |row| row.item_index),
            &column(&sorted, |row| row.stage),
            &formats,
            &reasons,
            &column(&sorted, |row| note(row.field)),
            &column(&sorted, |row| note(row.value)),
            &column(&sorted, |row| note(row.expected)),
            &column(&sorted, |row| row.raw),
            &column(&sorted, |row| Instant(row.received_at)),
            &correlations,
            &column(&sorted, |row| row.job.map(|job| job.id.0)),
            &column(&sorted, |row| row.job.map(|job| i32::from(job.version.0))),
            &raw_keys,
        ],
    )
    .await?;
    sql::execute(
        tx,
        &RESTORE,
        &[
            &column(&sorted, |row| row.delivery_id.0),
            &column(&sorted, |row| row.item_index),
            &column(&sorted, |row| row.stage),
            &column(&sorted, |row| row.raw),
            &raw_keys,
        ],
    )
    .await?;
    Ok(held)
}

/// What tells one refusal from another.
fn key<'a>(row: &QuarantineRow<'a>) -> (DeliveryId, i32, &'a str) {
    (row.delivery_id, row.item_index, row.stage)
}

/// The items that match, in the order of their numbers, at most `limit`.
pub async fn list(
    conn: &impl Connection,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Held>, StoreError> {
    let limit = i64::from(limit);
    let rows = filter.query(conn, &LIST, &[&limit]).await?;
    rows.iter().map(|row| read(row, &LIST)).collect()
}

/// The item of this number, whatever became of it.
pub async fn find(conn: &impl Connection, number: i64) -> Result<Option<Held>, StoreError> {
    let rows = sql::query(conn, &FIND, &[&number]).await?;
    rows.first().map(|row| read(row, &FIND)).transpose()
}

/// Those of the deliveries that a stage ever refused, whatever became of it.
pub async fn refused(
    conn: &impl Connection,
    deliveries: &[DeliveryId],
    stage: &str,
) -> Result<BTreeSet<DeliveryId>, StoreError> {
    let ids: Vec<Uuid> = deliveries.iter().map(|delivery| delivery.0).collect();
    sql::query(conn, &REFUSED, &[&ids, &stage])
        .await?
        .iter()
        .map(|row| Ok(DeliveryId(sql::get(row, &REFUSED, 0)?)))
        .collect()
}

/// How many items are held.
pub async fn held(conn: &impl Connection) -> Result<i64, StoreError> {
    sql::get(&sql::query_one(conn, &COUNT, &[]).await?, &COUNT, 0)
}

fn read(row: &Row, sql: &Sql) -> Result<Held, StoreError> {
    let job_id: Option<Uuid> = sql::get(row, sql, 14)?;
    let job_version: Option<i32> = sql::get(row, sql, 15)?;
    Ok(Held {
        id: sql::get(row, sql, 0)?,
        tenant: sql::get(row, sql, 1)?,
        subscription: sql::get(row, sql, 2)?,
        delivery_id: DeliveryId(sql::get(row, sql, 3)?),
        item_index: sql::get(row, sql, 4)?,
        stage: sql::get(row, sql, 5)?,
        format: sql::get(row, sql, 6)?,
        reason: sql::get(row, sql, 7)?,
        field: sql::get(row, sql, 8)?,
        value: sql::get(row, sql, 9)?,
        expected: sql::get(row, sql, 10)?,
        raw: Raw::read(row, sql, [11, 16, 17])?,
        received_at: sql::get::<Instant>(row, sql, 12)?.0,
        correlation: sql::get(row, sql, 13)?,
        // What was no u16 was not written by us.
        job: job_id
            .zip(job_version.and_then(|version| u16::try_from(version).ok()))
            .map(|(id, version)| JobRef {
                id: JobId(id),
                version: MetricVersion(version),
            }),
        status: Status::read(sql::get(row, sql, 18)?),
        held_at: sql::get::<Instant>(row, sql, 19)?.0,
        settled_at: sql::get::<Option<Instant>>(row, sql, 20)?.map(|at| at.0),
    })
}
