//! How many items are there for one reason each.

use super::filter::{Filter, matches};
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// Items that are there for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The organisation.
    pub tenant: String,
    /// Where they came in.
    pub subscription: String,
    /// The stage that could not process them.
    pub stage: String,
    /// The field at fault, without the places in lists; absent where the reason is about none.
    pub field: Option<String>,
    /// What was expected of the field; where it is about none, the reason without the values in it.
    pub reason: String,
    /// How many.
    pub items: i64,
    /// The bytes of all of them.
    pub bytes: i64,
    /// When the first of them was received.
    pub first: UtcMicros,
    /// When the last one was.
    pub last: UtcMicros,
    /// The number of one of them, to look at.
    pub example: i64,
}

// The free text holds the value that was found, so that nearly every item would be a group of its own. Field and expectation are the
// program's words; where there are none, what is in quotes and brackets and every number goes.
pub(super) static GROUPS: Sql = Sql {
    step: "count quarantined items by reason",
    text: concat!(
        "SELECT tenant, subscription, stage, regexp_replace(field, '\\[[0-9]+\\]', '[]', 'g') AS at, \
         CASE WHEN field IS NULL THEN regexp_replace(regexp_replace(left(reason, 300), '\"[^\"]*\"?|\\([^)]*\\)?', '…', 'g'), \
         '[0-9]+', '#', 'g') ELSE coalesce(expected, '') END AS what, \
         count(*), coalesce(sum(octet_length(raw)), 0)::bigint, min(received_at), max(received_at), min(quarantine_id) \
         FROM quarantine WHERE ",
        matches!(),
        " GROUP BY tenant, subscription, stage, at, what \
         ORDER BY count(*) DESC, tenant, subscription, stage, at, what LIMIT $14"
    ),
};

/// The groups of the items that match, the largest first, at most `limit`.
pub async fn groups(
    conn: &impl Connection,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Group>, StoreError> {
    let limit = i64::from(limit);
    let rows = filter.query(conn, &GROUPS, &[&limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(Group {
                tenant: sql::get(row, &GROUPS, 0)?,
                subscription: sql::get(row, &GROUPS, 1)?,
                stage: sql::get(row, &GROUPS, 2)?,
                field: sql::get(row, &GROUPS, 3)?,
                reason: sql::get(row, &GROUPS, 4)?,
                items: sql::get(row, &GROUPS, 5)?,
                bytes: sql::get(row, &GROUPS, 6)?,
                first: sql::get::<Instant>(row, &GROUPS, 7)?.0,
                last: sql::get::<Instant>(row, &GROUPS, 8)?.0,
                example: sql::get(row, &GROUPS, 9)?,
            })
        })
        .collect()
}
