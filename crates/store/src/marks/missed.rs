//! Marks that were done without a definition: it is switched on, and the release that did them cannot read it, as in a rolling upgrade or
//! after one was undone. What they ask for is kept until a release that can read it, or nobody wants it any more.

use super::{Columns, Mark};
use crate::error::StoreError;
use crate::pool::Transaction;
use crate::sql::{self, Sql};

pub(super) static MISS_REMOVED: Sql = Sql {
    step: "keep dirty_marks for definitions that were not read",
    text: "WITH done AS (DELETE FROM dirty_marks WHERE mark_id = ANY ($1::bigint[]) RETURNING kind, tenant, subject, from_at, to_at), \
                kept AS (INSERT INTO missed_marks (definition_id, kind, tenant, subject, from_at, to_at) \
                         SELECT d.id, m.* FROM (SELECT DISTINCT * FROM done) m CROSS JOIN unnest($2::integer[]) AS d (id)) \
           SELECT count(*) FROM done",
};

pub(super) static MISS: Sql = Sql {
    step: "note what was computed without definitions",
    text: "INSERT INTO missed_marks (definition_id, kind, tenant, subject, from_at, to_at) \
           SELECT d.id, m.* FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[]) AS m \
           CROSS JOIN unnest($6::integer[]) AS d (id)",
};

pub(super) static RECOVER: Sql = Sql {
    step: "mark again what was computed without definitions",
    text: "WITH found AS (DELETE FROM missed_marks m \
                          WHERE m.definition_id = ANY ($1::integer[]) \
                             OR NOT EXISTS (SELECT FROM kpi_definitions k WHERE k.definition_id = m.definition_id \
                                            AND k.status IN ('current', 'candidate')) \
                          RETURNING definition_id, kind, tenant, subject, from_at, to_at) \
           INSERT INTO dirty_marks (kind, tenant, subject, from_at, to_at) \
           SELECT DISTINCT kind, tenant, subject, from_at, to_at FROM found WHERE definition_id = ANY ($1::integer[])",
};

/// Deletes marks that are done; those already gone are no error. Keeps what they ask for these definitions, which are switched on and were not
/// read. Returns how many marks there were.
pub async fn finish(
    tx: &Transaction<'_>,
    ids: &[i64],
    not_read: &[i32],
) -> Result<u64, StoreError> {
    if not_read.is_empty() || ids.is_empty() {
        return super::remove(tx, ids).await;
    }
    let row = sql::query_one(tx, &MISS_REMOVED, &[&ids, &not_read]).await?;
    let count: i64 = sql::get(&row, &MISS_REMOVED, 0)?;
    Ok(count.unsigned_abs())
}

/// Keeps what these marks, which nobody has appended, would ask for these definitions: it was computed without them.
pub async fn miss(
    tx: &Transaction<'_>,
    marks: &[Mark<'_>],
    not_read: &[i32],
) -> Result<(), StoreError> {
    if not_read.is_empty() || marks.is_empty() {
        return Ok(());
    }
    let Columns(kind, tenant, subject, from, to) = Columns::of(marks);
    let params: sql::Params<'_> = &[&kind, &tenant, &subject, &from, &to, &not_read];
    sql::execute(tx, &MISS, params).await.map(drop)
}

/// Marks again what was computed without these definitions, which can be read here, and forgets what nobody wants any more. Returns how
/// many marks there are of it.
pub async fn recover(tx: &Transaction<'_>, readable: &[i32]) -> Result<u64, StoreError> {
    sql::execute(tx, &RECOVER, &[&readable]).await
}
