//! Stretches in which a subscription did not deliver: the watchdog records them ([`subscriptions`](crate::subscriptions)), backfill fetches
//! them.

pub use crate::subscriptions::Gap;

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

static OPEN: Sql = Sql {
    step: "list gaps to fetch",
    text: "SELECT gap_id, subscription, tenant, from_at, to_at, reason FROM subscription_gaps \
           WHERE settled_at IS NULL AND tenant = $1 AND ($2::text[] IS NULL OR subscription = ANY ($2)) AND (from_at, gap_id) > ($3, $4) \
           ORDER BY from_at, gap_id LIMIT $5",
};

static SETTLE: Sql = Sql {
    step: "settle gaps of deliveries",
    text: "UPDATE subscription_gaps SET settled_at = now() WHERE gap_id = ANY ($1) AND settled_at IS NULL",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&OPEN, &SETTLE];

/// Gaps of an organisation that nobody has fetched, of these subscriptions or of all, oldest first: at most so many behind one.
pub async fn open(
    conn: &impl Connection,
    tenant: &str,
    subscriptions: Option<&[&str]>,
    behind: Option<&Gap>,
    limit: i64,
) -> Result<Vec<Gap>, StoreError> {
    no_nul("tenant", tenant)?;
    for name in subscriptions.unwrap_or_default() {
        no_nul("subscription", name)?;
    }
    // Before all that there can be.
    let behind = behind.map_or((UtcMicros(0), 0), |gap| (gap.from, gap.id));
    let params: sql::Params<'_> = &[
        &tenant,
        &subscriptions,
        &Instant(behind.0),
        &behind.1,
        &limit,
    ];
    sql::query(conn, &OPEN, params)
        .await?
        .iter()
        .map(|row| {
            Ok(Gap {
                id: sql::get(row, &OPEN, 0)?,
                subscription: sql::get(row, &OPEN, 1)?,
                tenant: sql::get(row, &OPEN, 2)?,
                from: sql::get::<Instant>(row, &OPEN, 3)?.0,
                to: sql::get::<Instant>(row, &OPEN, 4)?.0,
                reason: sql::get(row, &OPEN, 5)?,
            })
        })
        .collect()
}

/// Notes that these gaps were fetched. Returns how many of them were open.
pub async fn settle(conn: &impl Connection, gaps: &[i64]) -> Result<u64, StoreError> {
    sql::execute(conn, &SETTLE, &[&gaps]).await
}
