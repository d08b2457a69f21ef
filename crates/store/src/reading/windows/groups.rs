//! Which groups have windows in a stretch.

use super::Filter;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;

/// A group and how much is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The values of its dimensions as a JSON array.
    pub group_key: String,
    /// The zone that its last window goes by.
    pub zone: String,
    /// How many values its windows are made of.
    pub items: i64,
}

// Along window_metrics_time, of the table itself: nobody wants to know here what is settled.
pub(in crate::reading) static GROUPS: Sql = Sql {
    step: "list the groups of windows",
    text: "SELECT w.group_key, max(w.zone), sum(w.items)::bigint \
           FROM window_metrics w \
           WHERE w.tenant = $1 AND w.metric_type = $2 AND w.metric_version = $3 AND w.group_by = $4 AND w.size = $5 \
             AND w.window_start >= $6 AND w.window_start < $7 AND w.metric_version > 0 AND ($8::text IS NULL OR w.zone = $8) \
           GROUP BY w.group_key ORDER BY sum(w.items) DESC, w.group_key LIMIT $9",
};

/// At most `limit` groups, those with the most in them first. Of the filter, only the zone is looked at.
pub async fn groups(
    conn: &impl Connection,
    filter: &Filter<'_>,
    limit: u32,
) -> Result<Vec<Group>, StoreError> {
    filter.check()?;
    let params: sql::Params<'_> = &[
        &filter.tenant,
        &filter.metric_type,
        &i32::from(filter.metric_version.0),
        &filter.group_by,
        &filter.size,
        &Instant(filter.from),
        &Instant(filter.to),
        &filter.having.zone,
        &i64::from(limit),
    ];
    sql::query(conn, &GROUPS, params)
        .await?
        .iter()
        .map(|row| {
            Ok(Group {
                group_key: sql::get(row, &GROUPS, 0)?,
                zone: sql::get(row, &GROUPS, 1)?,
                items: sql::get(row, &GROUPS, 2)?,
            })
        })
        .collect()
}
