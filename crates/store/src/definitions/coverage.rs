//! Whether a candidate has been computed wherever the current version has.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{MetricVersion, UtcMicros};

/// How far a candidate covers the current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Rows of the current version, those of legs included.
    pub current_rows: i64,
    /// Of these, rows of interactions that have no row of the candidate at all.
    pub missing: i64,
    /// One of these interactions: tenant and id.
    pub example: Option<(String, String)>,
    /// The first and the last instant that the missing rows are dated by: what has to be computed lies between.
    pub span: Option<(UtcMicros, UtcMicros)>,
}

// The candidate's row lies in the same month, so each question is one look into one partition's primary key.
pub(super) static COVERAGE: Sql = Sql {
    step: "compare what two versions cover",
    text: "WITH held AS MATERIALIZED ( \
               SELECT m.tenant, m.interaction_id, m.timestamp_utc, \
                      EXISTS (SELECT FROM computed_metrics c \
                              WHERE c.tenant = m.tenant AND c.interaction_id = m.interaction_id AND c.metric_type = $1 \
                                AND c.metric_version = $3 AND c.partition_at = m.partition_at) AS covered \
               FROM computed_metrics m WHERE m.metric_type = $1 AND m.metric_version = $2 \
           ) \
           SELECT count(*), count(*) FILTER (WHERE NOT covered), \
                  (SELECT ARRAY[tenant, interaction_id] FROM held WHERE NOT covered LIMIT 1), \
                  min(timestamp_utc) FILTER (WHERE NOT covered), max(timestamp_utc) FILTER (WHERE NOT covered) \
           FROM held",
};

pub(super) static ROWS: Sql = Sql {
    step: "count the rows of a version",
    text: "SELECT count(*) FROM computed_metrics WHERE metric_type = $1 AND metric_version = $2",
};

/// Compares the interactions that two versions of a KPI have rows of.
///
/// An interaction is covered when it has at least one row of the candidate: the candidate was evaluated there, and one evaluation writes
/// all rows of an interaction in one transaction. Comparing leg by leg would call a candidate incomplete that leaves out a leg on purpose.
/// A candidate by the leg has no row of an interaction without agents, so against a current version by the interaction it stays behind.
pub async fn coverage(
    conn: &impl Connection,
    name: &str,
    current: MetricVersion,
    candidate: MetricVersion,
) -> Result<Coverage, StoreError> {
    no_nul("name", name)?;
    let sql = &COVERAGE;
    let params: sql::Params<'_> = &[&name, &i32::from(current.0), &i32::from(candidate.0)];
    let row = sql::query_one(conn, sql, params).await?;
    let example: Option<Vec<String>> = sql::get(&row, sql, 2)?;
    let first: Option<Instant> = sql::get(&row, sql, 3)?;
    let last: Option<Instant> = sql::get(&row, sql, 4)?;
    Ok(Coverage {
        current_rows: sql::get(&row, sql, 0)?,
        missing: sql::get(&row, sql, 1)?,
        example: example.and_then(|key| {
            let [tenant, interaction] = <[String; 2]>::try_from(key).ok()?;
            Some((tenant, interaction))
        }),
        span: first.zip(last).map(|(first, last)| (first.0, last.0)),
    })
}

/// How many rows a version has, those of legs included.
pub async fn rows(
    conn: &impl Connection,
    name: &str,
    version: MetricVersion,
) -> Result<i64, StoreError> {
    no_nul("name", name)?;
    let row = sql::query_one(conn, &ROWS, &[&name, &i32::from(version.0)]).await?;
    sql::get(&row, &ROWS, 0)
}
