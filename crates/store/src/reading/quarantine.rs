//! How much rests in quarantine, and for what: the program's own words, nothing of what was found in an item.

use super::Tenants;
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// Items that are held at one stage because of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The organisation.
    pub tenant: String,
    /// The stage that could not process them.
    pub stage: String,
    /// Where they came in.
    pub subscription: String,
    /// The field at fault; absent where the reason is about none.
    pub field: Option<String>,
    /// How many.
    pub items: i64,
    /// When the first of them was received.
    pub first: UtcMicros,
    /// When the last one was.
    pub last: UtcMicros,
}

// Along quarantine_held, which has nothing else: what is held is little, or somebody is working on it.
pub(super) static COUNTS: Sql = Sql {
    step: "count what quarantine holds",
    text: "SELECT tenant, stage, subscription, field, count(*), min(received_at), max(received_at) \
           FROM quarantine WHERE status = 'held' AND ($1::text[] IS NULL OR tenant = ANY($1)) \
           GROUP BY tenant, stage, subscription, field \
           ORDER BY count(*) DESC, tenant, stage, subscription, field LIMIT $2",
};

/// The most frequent, at most `limit`.
pub async fn held(
    conn: &impl Connection,
    tenants: Tenants<'_>,
    limit: u32,
) -> Result<Vec<Held>, StoreError> {
    let tenants = tenants.param();
    for tenant in tenants.unwrap_or_default() {
        no_nul("tenant", tenant)?;
    }
    sql::query(conn, &COUNTS, &[&tenants, &i64::from(limit)])
        .await?
        .iter()
        .map(|row| {
            Ok(Held {
                tenant: sql::get(row, &COUNTS, 0)?,
                stage: sql::get(row, &COUNTS, 1)?,
                subscription: sql::get(row, &COUNTS, 2)?,
                field: sql::get(row, &COUNTS, 3)?,
                items: sql::get(row, &COUNTS, 4)?,
                first: sql::get::<Instant>(row, &COUNTS, 5)?.0,
                last: sql::get::<Instant>(row, &COUNTS, 6)?.0,
            })
        })
        .collect()
}
