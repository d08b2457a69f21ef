//! Reading stored interactions one after another, without locking them.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::{Instant, JsonText};
use schema::UtcMicros;

/// Which interactions are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter<'a> {
    /// One organisation; none: all.
    pub tenant: Option<&'a str>,
    /// Started at this instant or later; one whose start nobody stated counts by the instant that it was first seen with.
    pub from: Option<UtcMicros>,
    /// Started before this instant.
    pub to: Option<UtcMicros>,
}

/// A stored interaction to evaluate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The organisation.
    pub tenant: String,
    /// The platform's id.
    pub interaction_id: String,
    /// The folded session as JSON.
    pub state_json: String,
    /// It was given up as incomplete.
    pub swept: bool,
}

// The instant is not coalesced: of an expression the planner knows no statistics, and would read the whole table for each page.
macro_rules! page {
    ($condition:literal) => {
        concat!(
            "SELECT tenant, interaction_id, state, swept_at IS NOT NULL FROM interactions WHERE ",
            $condition,
            " AND ($3::timestamptz IS NULL OR started_at >= $3 OR started_at IS NULL AND partition_at >= $3) \
              AND ($4::timestamptz IS NULL OR started_at < $4 OR started_at IS NULL AND partition_at < $4) \
             ORDER BY tenant, interaction_id LIMIT $5"
        )
    };
}

pub(super) static OF_ALL: Sql = Sql {
    step: "read a page of interactions",
    text: page!("(tenant, interaction_id) > ($1, $2)"),
};

pub(super) static OF_TENANT: Sql = Sql {
    step: "read a page of a tenant's interactions",
    text: page!("tenant = $1 AND interaction_id > $2"),
};

/// The next interactions by key: those behind `after`, the key of the last one of the page before. Fewer than `limit`: that was the last.
///
/// A page costs one stretch of the primary key. A narrow time range is sieved from it, so that all pages together read the
/// tenant's whole table once, however few they find.
pub async fn page(
    conn: &impl Connection,
    filter: &Filter<'_>,
    after: Option<(&str, &str)>,
    limit: u32,
) -> Result<Vec<Stored>, StoreError> {
    let (tenant, id) = after.unwrap_or_default();
    no_nul("tenant", tenant)?;
    no_nul("interaction_id", id)?;
    no_nul("tenant", filter.tenant.unwrap_or_default())?;
    let (sql, tenant) = match filter.tenant {
        Some(tenant) => (&OF_TENANT, tenant),
        None => (&OF_ALL, tenant),
    };
    let params: sql::Params<'_> = &[
        &tenant,
        &id,
        &filter.from.map(Instant),
        &filter.to.map(Instant),
        &i64::from(limit),
    ];
    sql::query(conn, sql, params)
        .await?
        .iter()
        .map(|row| {
            Ok(Stored {
                tenant: sql::get(row, sql, 0)?,
                interaction_id: sql::get(row, sql, 1)?,
                state_json: sql::get::<JsonText>(row, sql, 2)?.0,
                swept: sql::get(row, sql, 3)?,
            })
        })
        .collect()
}
