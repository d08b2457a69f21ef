//! How many interactions began in a stretch, to compare with what a platform counts.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

pub(super) static BEGUN: Sql = Sql {
    step: "count the interactions that began in a stretch",
    text: "SELECT count(*) FROM interactions WHERE tenant = $1 AND started_at >= $2 AND started_at < $3",
};

/// How many of an organisation's interactions began from `from` on and before `to`. Those of which nobody stated the beginning count nowhere.
///
/// Reads one stretch of an index: about a second for a million that began there.
pub async fn begun_between(
    conn: &impl Connection,
    tenant: &str,
    from: UtcMicros,
    to: UtcMicros,
) -> Result<i64, StoreError> {
    no_nul("tenant", tenant)?;
    let params: sql::Params<'_> = &[&tenant, &Instant(from), &Instant(to)];
    let row = sql::query_one(conn, &BEGUN, params).await?;
    sql::get(&row, &BEGUN, 0)
}
