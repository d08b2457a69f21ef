//! Values that a platform refused, and that wait for a new value or an operator.

use super::{Filter, VALUE_COLUMNS, ValueSeen, value};
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// A refused value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its place in the queue: pages go by it.
    pub row_id: i64,
    /// Which value.
    pub value: ValueSeen,
    /// How often it was tried.
    pub attempt: i32,
    /// Since when it could have been sent.
    pub queued_at: UtcMicros,
    /// The HTTP status of the last answer.
    pub last_status: Option<i32>,
    /// The platform's words.
    pub last_message: Option<String>,
}

// Along sync_queue_refused, which has nothing else, from its end.
pub(in crate::reading) static REFUSED: Sql = Sql {
    step: "read a page of refused values",
    text: concat!(
        "SELECT ",
        value!("q"),
        ", q.row_id, q.attempt, q.queued_at, q.last_status, q.last_message FROM sync_queue q \
         WHERE q.state = 'rejected' AND ($1::text[] IS NULL OR q.tenant = ANY($1)) AND ($2::text IS NULL OR q.target = $2) \
           AND ($3::bigint IS NULL OR q.row_id < $3) \
         ORDER BY q.row_id DESC LIMIT $4"
    ),
};

/// At most `limit` of them behind the one of that place, those queued last first.
pub async fn page(
    conn: &impl Connection,
    filter: &Filter<'_>,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<Refused>, StoreError> {
    filter.check()?;
    let params: sql::Params<'_> = &[
        &filter.tenants.param(),
        &filter.target,
        &after,
        &i64::from(limit),
    ];
    let (sql, first) = (&REFUSED, VALUE_COLUMNS);
    sql::query(conn, sql, params)
        .await?
        .iter()
        .map(|row| {
            Ok(Refused {
                value: ValueSeen::read(row, sql)?,
                row_id: sql::get(row, sql, first)?,
                attempt: sql::get(row, sql, first + 1)?,
                queued_at: sql::get::<Instant>(row, sql, first + 2)?.0,
                last_status: sql::get(row, sql, first + 3)?,
                last_message: sql::get(row, sql, first + 4)?,
            })
        })
        .collect()
}
