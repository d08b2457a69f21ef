//! The immutable event log.

mod formats;
mod gone;
mod scan;
mod step;

pub use formats::formats;
pub use gone::{Found, Place, clear, find_of_interactions, find_old};
pub use scan::{StoredEvent, count, scan};
pub use step::{Step, step};

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::raw::{Gone, Length};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{DeliveryId, UtcMicros};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use uuid::Uuid;

/// An event to append.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LogRow<'a> {
    /// Digest over subscription, event id, instant and content.
    pub log_key: Uuid,
    /// The event's own instant. Its month must exist, see [`crate::partitions`].
    pub occurred_at: UtcMicros,
    /// The organisation.
    pub tenant: &'a str,
    /// Where it came in.
    pub subscription: &'a str,
    /// The platform's id of the event.
    pub event_id: &'a str,
    /// The interaction it is about.
    pub interaction_id: &'a str,
    /// How `raw` is to be read: the JSON text of the body format.
    pub format: &'a str,
    /// The delivery that brings it.
    pub delivery_id: DeliveryId,
    /// When that delivery was received.
    pub received_at: UtcMicros,
    /// Digest of the canonical content.
    pub digest: [u8; 16],
    /// The exact bytes, or these sealed.
    pub raw: &'a [u8],
    /// The key they are sealed under, if they are.
    pub raw_key: Option<&'a str>,
}

/// Without the bytes, which are personal data.
impl fmt::Debug for LogRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogRow")
            .field("log_key", &self.log_key)
            .field("occurred_at", &self.occurred_at)
            .field("subscription", &self.subscription)
            .field("event_id", &self.event_id)
            .field("raw", &Length(self.raw.len()))
            .field("raw_key", &self.raw_key)
            .finish_non_exhaustive()
    }
}

/// What became of one input row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log now, first brought by this row.
    New,
    /// The same, but without its bytes: its interaction was erased on request before.
    NewErased,
    /// It was there before, or an earlier row of the slice brought it.
    Duplicate {
        /// The delivery that brought the stored row.
        delivery_id: DeliveryId,
        /// Whether its bytes were erased on request.
        erased: bool,
    },
}

// The first EXISTS is asked once a statement, and the second only where anything was ever erased.
static APPEND: Sql = Sql {
    step: "append to event_log",
    text: "INSERT INTO event_log (occurred_at, log_key, tenant, subscription, event_id, interaction_id, format, \
                                  delivery_id, received_at, digest, raw, raw_key, raw_gone) \
           SELECT occurred_at, log_key, tenant, subscription, event_id, interaction_id, format, delivery_id, received_at, digest, \
                  CASE WHEN NOT erased THEN raw END, CASE WHEN NOT erased THEN raw_key END, CASE WHEN erased THEN 'erased' END \
           FROM (SELECT u.*, CASE WHEN EXISTS (SELECT FROM erased_interactions) \
                                  THEN EXISTS (SELECT FROM erased_interactions e \
                                               WHERE e.tenant = u.tenant AND e.interaction_id = u.interaction_id) \
                                  ELSE false END AS erased \
                 FROM unnest($1::timestamptz[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
                             $8::uuid[], $9::timestamptz[], $10::bytea[], $11::bytea[], $12::text[]) \
                      AS u (occurred_at, log_key, tenant, subscription, event_id, interaction_id, format, delivery_id, \
                            received_at, digest, raw, raw_key) OFFSET 0) AS n \
           ON CONFLICT DO NOTHING RETURNING log_key, occurred_at, raw_gone IS NOT NULL",
};

// A second statement, because it must see what a concurrent transaction committed while the first one waited for it. The lateral
// makes it one index look-up a key, in the key's own month, whatever the planner believes about the sizes.
static FIRST_DELIVERY: Sql = Sql {
    step: "look up duplicates in event_log",
    text: "SELECT k.log_key, k.occurred_at, e.delivery_id, e.raw_gone \
           FROM unnest($1::timestamptz[], $2::uuid[]) AS k (occurred_at, log_key) \
           CROSS JOIN LATERAL (SELECT delivery_id, raw_gone FROM event_log e \
                               WHERE e.occurred_at = k.occurred_at AND e.log_key = k.log_key \
                                 AND e.occurred_at BETWEEN $3 AND $4 OFFSET 0) e",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &APPEND,
    &FIRST_DELIVERY,
    &scan::SCAN,
    &scan::COUNT,
    &formats::FORMATS,
    &step::STEP,
    &gone::OLD,
    &gone::OF_INTERACTIONS,
    &gone::CLEAR,
];

type Key = (UtcMicros, Uuid);

/// Appends what is new and says for each input row, in order, what became of it.
///
/// A concurrent transaction that brings the same event waits here until this one ends: exactly one of them is told `New`.
pub async fn append(
    tx: &Transaction<'_>,
    rows: &[LogRow<'_>],
) -> Result<Vec<Appended>, StoreError> {
    check(rows)?;
    // The first mention of a key brings it; sorted, so that two batches wait for each other in one direction only.
    let mut first: BTreeMap<Key, usize> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        first.entry((row.occurred_at, row.log_key)).or_insert(index);
    }
    if first.is_empty() {
        return Ok(Vec::new());
    }
    let unique: Vec<&LogRow<'_>> = first
        .values()
        .filter_map(|index| rows.get(*index))
        .collect();
    let new = insert(tx, &unique).await?;
    let known = if new.len() < unique.len() {
        let missing: Vec<Key> = first
            .keys()
            .copied()
            .filter(|key| !new.contains_key(key))
            .collect();
        first_deliveries(tx, &missing).await?
    } else {
        BTreeMap::new()
    };
    rows.iter()
        .enumerate()
        .map(|(index, row)| {
            let key = (row.occurred_at, row.log_key);
            if let Some(first) = known.get(&key) {
                return Ok(Appended::Duplicate {
                    delivery_id: first.delivery_id,
                    erased: first.erased,
                });
            }
            let brought = first.get(&key).and_then(|bringer| {
                let erased = *new.get(&key)?;
                Some((*bringer, rows.get(*bringer)?, erased))
            });
            match brought {
                Some((bringer, _, false)) if bringer == index => Ok(Appended::New),
                Some((bringer, _, true)) if bringer == index => Ok(Appended::NewErased),
                Some((_, brought, erased)) => Ok(Appended::Duplicate {
                    delivery_id: brought.delivery_id,
                    erased,
                }),
                None => Err(StoreError::Vanished {
                    step: FIRST_DELIVERY.step,
                }),
            }
        })
        .collect()
}

fn check(rows: &[LogRow<'_>]) -> Result<(), StoreError> {
    for row in rows {
        no_nul("tenant", row.tenant)?;
        no_nul("subscription", row.subscription)?;
        no_nul("event_id", row.event_id)?;
        no_nul("interaction_id", row.interaction_id)?;
        no_nul("format", row.format)?;
        no_nul("raw_key", row.raw_key.unwrap_or_default())?;
    }
    Ok(())
}

/// What is new, and of each whether it is without its bytes.
async fn insert(
    tx: &Transaction<'_>,
    rows: &[&LogRow<'_>],
) -> Result<BTreeMap<Key, bool>, StoreError> {
    use crate::columns::column;
    let occurred_at = column(rows, |row| Instant(row.occurred_at));
    let log_key = column(rows, |row| row.log_key);
    let tenant = column(rows, |row| row.tenant);
    let subscription = column(rows, |row| row.subscription);
    let event_id = column(rows, |row| row.event_id);
    let interaction_id = column(rows, |row| row.interaction_id);
    let format = column(rows, |row| row.format);
    let delivery_id = column(rows, |row| row.delivery_id.0);
    let received_at = column(rows, |row| Instant(row.received_at));
    let digest = column(rows, |row| &row.digest[..]);
    let raw = column(rows, |row| row.raw);
    let raw_key = column(rows, |row| row.raw_key);
    let returned = sql::query(
        tx,
        &APPEND,
        &[
            &occurred_at,
            &log_key,
            &tenant,
            &subscription,
            &event_id,
            &interaction_id,
            &format,
            &delivery_id,
            &received_at,
            &digest,
            &raw,
            &raw_key,
        ],
    )
    .await?;
    returned
        .iter()
        .map(|row| {
            let key: Uuid = sql::get(row, &APPEND, 0)?;
            let at: Instant = sql::get(row, &APPEND, 1)?;
            Ok(((at.0, key), sql::get(row, &APPEND, 2)?))
        })
        .collect()
}

/// Which of these rows, given as (instant, log key), are in the log.
pub async fn logged(
    conn: &impl Connection,
    keys: &[(UtcMicros, Uuid)],
) -> Result<BTreeSet<(UtcMicros, Uuid)>, StoreError> {
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    Ok(first_deliveries(conn, &sorted).await?.into_keys().collect())
}

/// How a row that is in the log came there.
struct First {
    delivery_id: DeliveryId,
    erased: bool,
}

async fn first_deliveries(
    tx: &impl Connection,
    keys: &[Key],
) -> Result<BTreeMap<Key, First>, StoreError> {
    let (Some(earliest), Some(latest)) = (keys.first(), keys.last()) else {
        return Ok(BTreeMap::new());
    };
    let instants: Vec<Instant> = keys.iter().map(|key| Instant(key.0)).collect();
    let uuids: Vec<Uuid> = keys.iter().map(|key| key.1).collect();
    let rows = sql::query(
        tx,
        &FIRST_DELIVERY,
        &[&instants, &uuids, &Instant(earliest.0), &Instant(latest.0)],
    )
    .await?;
    rows.iter()
        .map(|row| {
            let key: Uuid = sql::get(row, &FIRST_DELIVERY, 0)?;
            let at: Instant = sql::get(row, &FIRST_DELIVERY, 1)?;
            let delivery: Uuid = sql::get(row, &FIRST_DELIVERY, 2)?;
            let gone: Option<&str> = sql::get(row, &FIRST_DELIVERY, 3)?;
            let first = First {
                delivery_id: DeliveryId(delivery),
                erased: gone == Some(Gone::Erased.as_str()),
            };
            Ok(((at.0, key), first))
        })
        .collect()
}
