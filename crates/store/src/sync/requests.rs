//! A row a request, beside the log's row a value: what one answer says about all of them is written once.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::json::printable;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::time::Duration;
use uuid::Uuid;

/// One request that was sent, and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Its id, as in the log.
    pub id: Uuid,
    /// When it was sent.
    pub sent_at: UtcMicros,
    /// From then to the end of the answer, or to when it was given up.
    pub took: Duration,
    /// The highest attempt of its rows.
    pub attempt: i32,
    /// Rows in it.
    pub rows: usize,
    /// Bytes of its body.
    pub bytes: usize,
    /// The HTTP status, where there was an answer.
    pub status: Option<i32>,
    /// What became of it, in a word.
    pub outcome: &'a str,
    /// The platform's own id of it.
    pub correlation: Option<&'a str>,
    /// The answer's body, fit to be kept.
    pub answer: Option<&'a str>,
}

pub(super) static NOTE: Sql = Sql {
    step: "append to metric_sync_requests",
    text: "INSERT INTO metric_sync_requests (request_id, target, sent_at, duration_us, attempt, rows, bytes, status, outcome, correlation, answer) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (request_id) DO NOTHING",
};

pub(super) static PRUNE: Sql = Sql {
    step: "prune metric_sync_requests",
    text: "DELETE FROM metric_sync_requests WHERE request_id = ANY (ARRAY( \
               SELECT request_id FROM metric_sync_requests WHERE sent_at < $1 LIMIT $2))",
};

/// Appends a request. Do it in the transaction that writes down what became of its rows. Settling is tried again where it is not known
/// whether it was committed: the same request is one row.
pub async fn note_request(
    tx: &Transaction<'_>,
    target: &str,
    request: &Request<'_>,
) -> Result<(), StoreError> {
    no_nul("target", target)?;
    let whole = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let duration = i64::try_from(request.took.as_micros()).unwrap_or(i64::MAX);
    let correlation = request.correlation.map(printable);
    let answer = request.answer.map(printable);
    let params: sql::Params<'_> = &[
        &request.id,
        &target,
        &Instant(request.sent_at),
        &duration,
        &request.attempt,
        &whole(request.rows),
        &whole(request.bytes),
        &request.status,
        &request.outcome,
        &correlation.as_deref(),
        &answer.as_deref(),
    ];
    sql::execute(tx, &NOTE, params).await.map(drop)
}

/// Deletes up to `limit` requests from before an instant. Returns how many: fewer than `limit` when no more are left.
pub async fn prune_requests(
    conn: &impl Connection,
    before: UtcMicros,
    limit: u32,
) -> Result<u64, StoreError> {
    sql::execute(conn, &PRUNE, &[&Instant(before), &i64::from(limit)]).await
}
