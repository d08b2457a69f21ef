//! Releasing and discarding, in batches that two people at a time do not wait for.

use super::filter::{Filter, matches};
use super::{Held, item, read};
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};

/// How much there is to settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matching {
    /// Items.
    pub items: i64,
    /// Their bytes.
    pub bytes: i64,
    /// The greatest number among them, 0 where there is none: what is refused again after a release has a greater one.
    pub last: i64,
}

pub(super) static MATCHING: Sql = Sql {
    step: "count the quarantined items to settle",
    text: concat!(
        "SELECT count(*), coalesce(sum(octet_length(raw)), 0)::bigint, coalesce(max(quarantine_id), 0) \
         FROM quarantine WHERE status = 'held' AND ",
        matches!()
    ),
};

/// The next held items that match, by number: what another transaction has in hand is left to it. The first is taken however large it is,
/// others only up to a total of bytes.
macro_rules! next {
    () => {
        concat!(
            "WITH picked AS MATERIALIZED (SELECT quarantine_id, coalesce(octet_length(raw), 0) AS bytes FROM quarantine WHERE status = 'held' AND ",
            matches!(),
            " ORDER BY quarantine_id LIMIT $14 FOR UPDATE SKIP LOCKED), \
             next AS (SELECT quarantine_id FROM (SELECT quarantine_id, row_number() OVER sorted AS place, sum(bytes) OVER sorted AS total \
             FROM picked WINDOW sorted AS (ORDER BY quarantine_id)) AS summed WHERE place = 1 OR total <= $15) "
        )
    };
}

pub(super) static RELEASE: Sql = Sql {
    step: "release quarantined items",
    text: concat!(
        next!(),
        "UPDATE quarantine SET status = 'released', settled_at = now() \
         WHERE quarantine_id IN (SELECT quarantine_id FROM next) RETURNING ",
        item!()
    ),
};

pub(super) static DISCARD: Sql = Sql {
    step: "discard quarantined items",
    text: concat!(
        next!(),
        "UPDATE quarantine SET status = 'discarded', settled_at = now() \
         WHERE quarantine_id IN (SELECT quarantine_id FROM next) RETURNING quarantine_id"
    ),
};

pub(super) static HOLD_AGAIN: Sql = Sql {
    step: "hold quarantined items again",
    text: "UPDATE quarantine SET status = 'held', settled_at = NULL WHERE quarantine_id = ANY ($1)",
};

/// How many held items match.
pub async fn matching(conn: &impl Connection, filter: &Filter) -> Result<Matching, StoreError> {
    let rows = filter.query(conn, &MATCHING, &[]).await?;
    let row = rows.first().ok_or(StoreError::Vanished {
        step: MATCHING.step,
    })?;
    Ok(Matching {
        items: sql::get(row, &MATCHING, 0)?,
        bytes: sql::get(row, &MATCHING, 1)?,
        last: sql::get(row, &MATCHING, 2)?,
    })
}

/// Marks the next held items that match as released and returns them, by number: at most so many, and of so many bytes but for the first.
/// Publish them again, confirmed, and tell [`hold_again`] which of them could not be, before the transaction commits.
pub async fn release_next(
    tx: &Transaction<'_>,
    filter: &Filter,
    items_max: u32,
    bytes_max: u64,
) -> Result<Vec<Held>, StoreError> {
    let rows = next(tx, &RELEASE, filter, items_max, bytes_max).await?;
    let mut items: Vec<Held> = rows
        .iter()
        .map(|row| read(row, &RELEASE))
        .collect::<Result<_, _>>()?;
    items.sort_unstable_by_key(|item| item.id);
    Ok(items)
}

/// Marks the next held items that match as discarded. Returns their numbers, ascending.
pub async fn discard_next(
    tx: &Transaction<'_>,
    filter: &Filter,
    items_max: u32,
) -> Result<Vec<i64>, StoreError> {
    let rows = next(tx, &DISCARD, filter, items_max, u64::MAX).await?;
    let mut numbers: Vec<i64> = rows
        .iter()
        .map(|row| sql::get(row, &DISCARD, 0))
        .collect::<Result<_, _>>()?;
    numbers.sort_unstable();
    Ok(numbers)
}

/// Takes the release of these items back, in the transaction that released them.
pub async fn hold_again(tx: &Transaction<'_>, numbers: &[i64]) -> Result<(), StoreError> {
    if !numbers.is_empty() {
        sql::execute(tx, &HOLD_AGAIN, &[&numbers]).await?;
    }
    Ok(())
}

async fn next(
    tx: &Transaction<'_>,
    sql: &Sql,
    filter: &Filter,
    items_max: u32,
    bytes_max: u64,
) -> Result<Vec<tokio_postgres::Row>, StoreError> {
    let items = i64::from(items_max);
    let bytes = i64::try_from(bytes_max).unwrap_or(i64::MAX);
    filter.query(tx, sql, &[&items, &bytes]).await
}
