//! What keeps going by itself, in sum: for people who look.

use crate::error::StoreError;
use crate::jobs::{Purpose, word};
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{JobId, UtcMicros};
use uuid::Uuid;

/// What keeps going by itself, in sum: a standing job, or all jobs of one purpose and source at a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Going {
    /// Which entry of the platforms file is asked.
    pub platform: Option<String>,
    /// What for.
    pub purpose: Purpose,
    /// The source.
    pub kind: String,
    /// The standing job; none: ordinary jobs, one after the other.
    pub job: Option<JobId>,
    /// How many of the jobs have not ended.
    pub open: i64,
    /// The end of the newest stretch that is done, as far as chunks are kept.
    pub covered_to: Option<UtcMicros>,
    /// Requests to the platform of the chunks that were written within the last 24 hours.
    pub calls_last_day: i64,
}

pub(super) static GOING: Sql = Sql {
    step: "sum what keeps going by itself",
    text: "SELECT j.platform, j.purpose, j.kind, CASE WHEN j.standing THEN j.job_id END, \
                  count(DISTINCT j.job_id) FILTER (WHERE j.state NOT IN ('done', 'failed', 'cancelled')), \
                  max(c.to_at) FILTER (WHERE c.state = 'done'), \
                  coalesce(sum(c.calls) FILTER (WHERE c.updated_at > now() - interval '1 day'), 0)::bigint \
           FROM backfill_jobs j LEFT JOIN backfill_chunks c ON c.job_id = j.job_id \
           WHERE j.purpose <> 'job' AND (NOT j.standing OR j.state IN ('pending', 'running', 'paused')) \
           GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
};

/// What keeps going by itself, by platform, purpose and source. Standing jobs that were cancelled are left out.
pub async fn going(conn: &impl Connection) -> Result<Vec<Going>, StoreError> {
    let rows = sql::query(conn, &GOING, &[]).await?;
    rows.iter()
        .map(|row| {
            let purpose = sql::get(row, &GOING, 1)?;
            Ok(Going {
                platform: sql::get(row, &GOING, 0)?,
                purpose: word("backfill_jobs.purpose", purpose, Purpose::parse)?,
                kind: sql::get(row, &GOING, 2)?,
                job: sql::get::<Option<Uuid>>(row, &GOING, 3)?.map(JobId),
                open: sql::get(row, &GOING, 4)?,
                covered_to: sql::get::<Option<Instant>>(row, &GOING, 5)?.map(|at| at.0),
                calls_last_day: sql::get(row, &GOING, 6)?,
            })
        })
        .collect()
}
