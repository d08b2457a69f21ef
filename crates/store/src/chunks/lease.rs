//! Taking a chunk.

use super::chunk;
use super::row::{Chunk, State};
use crate::error::StoreError;
use crate::jobs::{self, Job, Lane, job};
use crate::pool::Connection;
use crate::sql::{self, Sql};
use std::time::Duration;

/// Which chunks a worker takes. The default: any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter<'a> {
    /// Of jobs that ask one of these platforms, or none at all; `None`: of all jobs.
    pub platforms: Option<&'a [String]>,
    /// Of jobs of these kinds; empty: of all kinds.
    pub kinds: &'a [&'a str],
    /// Of jobs of this lane; `None`: of both.
    pub lane: Option<Lane>,
    /// Of this state, open or fetched; `None`: of both.
    pub state: Option<State>,
}

// From the open jobs to their chunks, so that those of jobs that ended are never looked at. The first few that are due, more than take one
// at the same moment: whoever finds one locked takes the next. The conditions are repeated where the lock is taken, because they are
// looked at anew there when another had the lock and changed the row.
pub(super) static LEASE: Sql = Sql {
    step: "lease a chunk",
    text: concat!(
        "WITH jobs AS MATERIALIZED ( \
             SELECT job_id, lane = 'live' AS live FROM backfill_jobs \
             WHERE chunked AND state IN ('pending', 'running') \
               AND ($3::text[] IS NULL OR platform IS NULL OR platform = ANY ($3)) \
               AND ($4::text[] IS NULL OR kind = ANY ($4)) AND ($5::text IS NULL OR lane = $5) \
         ), candidates AS MATERIALIZED ( \
             SELECT jobs.job_id, jobs.live, leased.leased, due.chunk, due.begun, due.due_at FROM jobs \
             CROSS JOIN LATERAL (SELECT count(*) AS leased FROM backfill_chunks l \
                                 WHERE l.job_id = jobs.job_id AND l.lease_owner IS NOT NULL AND l.lease_until > statement_timestamp()) leased \
             CROSS JOIN LATERAL ( \
                 (SELECT b.chunk, true AS begun, b.due_at FROM backfill_chunks b \
                  WHERE b.job_id = jobs.job_id AND b.state IN ('open', 'fetched') AND b.started_at IS NOT NULL \
                    AND b.due_at <= statement_timestamp() AND (b.lease_until IS NULL OR b.lease_until <= statement_timestamp()) \
                    AND ($6::text IS NULL OR b.state = $6) \
                  ORDER BY b.due_at LIMIT 64) \
                 UNION ALL \
                 (SELECT f.chunk, false, f.due_at FROM backfill_chunks f \
                  WHERE f.job_id = jobs.job_id AND f.state IN ('open', 'fetched') AND f.started_at IS NULL \
                    AND f.due_at <= statement_timestamp() AND (f.lease_until IS NULL OR f.lease_until <= statement_timestamp()) \
                    AND ($6::text IS NULL OR f.state = $6) \
                  ORDER BY f.due_at LIMIT 64)) due \
             ORDER BY jobs.live DESC, due.begun DESC, leased.leased, due.due_at LIMIT 64 \
         ), free AS ( \
             SELECT c.job_id, c.chunk FROM candidates k JOIN backfill_chunks c ON c.job_id = k.job_id AND c.chunk = k.chunk \
             WHERE c.state IN ('open', 'fetched') AND c.due_at <= statement_timestamp() \
               AND (c.lease_until IS NULL OR c.lease_until <= statement_timestamp()) \
             ORDER BY k.live DESC, k.begun DESC, k.leased, k.due_at, k.job_id, k.chunk \
             LIMIT 1 FOR UPDATE OF c SKIP LOCKED \
         ), c AS ( \
             UPDATE backfill_chunks b SET lease_owner = $1, lease_until = clock_timestamp() + $2 * interval '1 second', updated_at = now() \
             FROM free WHERE b.job_id = free.job_id AND b.chunk = free.chunk \
             RETURNING b.* \
         ), begun AS ( \
             UPDATE backfill_jobs b SET state = 'running', started_at = coalesce(b.started_at, now()), updated_at = now() \
             FROM c WHERE b.job_id = c.job_id AND b.state = 'pending' \
         ) \
         SELECT ",
        job!(),
        ", ",
        chunk!(),
        " FROM c JOIN backfill_jobs j ON j.job_id = c.job_id"
    ),
};

/// Takes a chunk that is due and that nobody has, of a job that is neither paused nor over, and with it its job, which is running from then on.
///
/// The live lane goes first, then what was begun before, then jobs of which fewer chunks are taken, then what has been due for longest. `None`:
/// there is none now.
pub async fn lease(
    conn: &impl Connection,
    owner: &str,
    length: Duration,
    filter: &Filter<'_>,
) -> Result<Option<(Job, Chunk)>, StoreError> {
    let kinds = (!filter.kinds.is_empty()).then_some(filter.kinds);
    let lane = filter.lane.map(Lane::as_str);
    let state = filter.state.map(State::as_str);
    let params: sql::Params<'_> = &[
        &owner,
        &length.as_secs_f64(),
        &filter.platforms,
        &kinds,
        &lane,
        &state,
    ];
    let rows = sql::query(conn, &LEASE, params).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    // As it was before this statement.
    let job = Job {
        state: jobs::State::Running,
        ..Job::read(row, &LEASE)?
    };
    Ok(Some((job, Chunk::read(row, &LEASE, Job::COLUMNS)?)))
}
