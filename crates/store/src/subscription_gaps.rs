//! Stretches in which a subscription did not deliver: the watchdog records them ([`subscriptions`](crate::subscriptions)), backfill fetches
//! them.

pub use crate::subscriptions::{Gap, open_gaps as open};

use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};

static SETTLE: Sql = Sql {
    step: "settle gaps of deliveries",
    text: "UPDATE subscription_gaps SET settled_at = now() WHERE gap_id = ANY ($1) AND settled_at IS NULL",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&SETTLE];

/// Notes that these gaps were fetched. Returns how many of them were open.
pub async fn settle(conn: &impl Connection, gaps: &[i64]) -> Result<u64, StoreError> {
    sql::execute(conn, &SETTLE, &[&gaps]).await
}
