//! Whether deliveries to a target fail too often, as all processes see it.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::json::printable;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::time::Duration;
use tokio_postgres::Row;

/// What one process finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding<'a> {
    /// The target.
    pub target: &'a str,
    /// What its breaker is known by.
    pub breaker: &'a str,
    /// Whether too many fail.
    pub failing: bool,
    /// Attempts at rows that were decided in the window.
    pub tried: i64,
    /// Those of them that failed.
    pub failed: i64,
    /// The share of them that may.
    pub threshold: f64,
    /// The stretch of time that was looked at.
    pub window: Duration,
    /// What failed last, where anything did.
    pub reason: Option<&'a str>,
}

/// How deliveries to a target stand.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetHealth {
    /// The target.
    pub target: String,
    /// What its breaker is known by.
    pub breaker: String,
    /// Whether too many fail.
    pub failing: bool,
    /// Since when.
    pub since: UtcMicros,
    /// Attempts at rows that were decided in the window.
    pub tried: i64,
    /// Those of them that failed.
    pub failed: i64,
    /// The share of them that may.
    pub threshold: f64,
    /// The stretch of time that was looked at.
    pub window: Duration,
    /// What failed last; empty where nothing did yet.
    pub reason: String,
    /// When it was last looked at.
    pub updated_at: UtcMicros,
}

pub(super) static WAS: Sql = Sql {
    step: "look up how deliveries stand",
    text: "SELECT failing FROM sync_health WHERE target = $1",
};

pub(super) static NOTE: Sql = Sql {
    step: "note how deliveries stand",
    text: "WITH was AS (SELECT failing FROM sync_health WHERE target = $1) \
           INSERT INTO sync_health AS h (target, breaker, failing, tried, failed, threshold, window_seconds, reason) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8, '')) \
           ON CONFLICT (target) DO UPDATE SET \
               breaker = EXCLUDED.breaker, failing = EXCLUDED.failing, tried = EXCLUDED.tried, failed = EXCLUDED.failed, \
               threshold = EXCLUDED.threshold, window_seconds = EXCLUDED.window_seconds, reason = coalesce($8, h.reason), updated_at = now(), \
               since = CASE WHEN h.failing = EXCLUDED.failing THEN h.since ELSE now() END \
           RETURNING h.failing IS DISTINCT FROM coalesce((SELECT failing FROM was), false)",
};

pub(super) static LIST: Sql = Sql {
    step: "list how deliveries stand",
    text: "SELECT target, breaker, failing, since, tried, failed, threshold, window_seconds, reason, updated_at FROM sync_health ORDER BY target",
};

/// Whether deliveries to a target were failing too often when one last looked.
pub async fn was_failing(conn: &impl Connection, target: &str) -> Result<bool, StoreError> {
    let rows = sql::query(conn, &WAS, &[&target]).await?;
    rows.first().map_or(Ok(false), |row| sql::get(row, &WAS, 0))
}

/// Notes how deliveries to a target stand. Returns whether that is news.
pub async fn note_health(
    conn: &impl Connection,
    finding: &Finding<'_>,
) -> Result<bool, StoreError> {
    no_nul("target", finding.target)?;
    no_nul("breaker", finding.breaker)?;
    let reason = finding.reason.map(printable);
    let params: sql::Params<'_> = &[
        &finding.target,
        &finding.breaker,
        &finding.failing,
        &finding.tried,
        &finding.failed,
        &finding.threshold,
        &finding.window.as_secs_f64(),
        &reason.as_deref(),
    ];
    let row = sql::query_one(conn, &NOTE, params).await?;
    sql::get(&row, &NOTE, 0)
}

/// How deliveries to each target stand, by name.
pub async fn health(conn: &impl Connection) -> Result<Vec<TargetHealth>, StoreError> {
    let rows = sql::query(conn, &LIST, &[]).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<TargetHealth, StoreError> {
    let at = |column| sql::get::<Instant>(row, &LIST, column).map(|at| at.0);
    let window: f64 = sql::get(row, &LIST, 7)?;
    Ok(TargetHealth {
        target: sql::get(row, &LIST, 0)?,
        breaker: sql::get(row, &LIST, 1)?,
        failing: sql::get(row, &LIST, 2)?,
        since: at(3)?,
        tried: sql::get(row, &LIST, 4)?,
        failed: sql::get(row, &LIST, 5)?,
        threshold: sql::get(row, &LIST, 6)?,
        window: Duration::try_from_secs_f64(window).unwrap_or_default(),
        reason: sql::get(row, &LIST, 8)?,
        updated_at: at(9)?,
    })
}
