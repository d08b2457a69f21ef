//! Backfill jobs.

use super::Tenants;
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::jobs::{Job, State, job};
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{JobId, UtcMicros};

// Along backfill_jobs_created, from its end.
pub(super) static PAGE: Sql = Sql {
    step: "read a page of backfill jobs",
    text: concat!(
        "SELECT ",
        job!(),
        " FROM backfill_jobs j \
         WHERE ($1::text[] IS NULL OR j.tenant = ANY($1) OR $6 AND j.tenant IS NULL) AND ($2::text IS NULL OR j.state = $2) \
           AND ($3::timestamptz IS NULL OR (j.created_at, j.job_id) < ($3, $4::uuid)) \
         ORDER BY j.created_at DESC, j.job_id DESC LIMIT $5"
    ),
};

/// At most `limit` jobs behind the one that was created then, newest first.
pub async fn page(
    conn: &impl Connection,
    tenants: Tenants<'_>,
    state: Option<State>,
    after: Option<(UtcMicros, JobId)>,
    limit: u32,
) -> Result<Vec<Job>, StoreError> {
    let common = tenants.common();
    let tenants = tenants.param();
    for tenant in tenants.unwrap_or_default() {
        no_nul("tenant", tenant)?;
    }
    let params: sql::Params<'_> = &[
        &tenants,
        &state.map(State::as_str),
        &after.map(|(at, _)| Instant(at)),
        &after.map(|(_, id)| id.0),
        &i64::from(limit),
        &common,
    ];
    let rows = sql::query(conn, &PAGE, params).await?;
    rows.iter().map(|row| Job::read(row, &PAGE)).collect()
}
