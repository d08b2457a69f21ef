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
    /// Rows of the current version, those of legs included; without one, interactions that ended.
    pub current_rows: i64,
    /// Of these, those of interactions whose facts, as they are, the candidate was not evaluated with.
    pub missing: i64,
    /// One of these interactions: tenant and id.
    pub example: Option<(String, String)>,
    /// The first and the last instant that the missing rows are dated by: what has to be computed lies between.
    pub span: Option<(UtcMicros, UtcMicros)>,
}

// Covered: these facts were evaluated by everything that was switched on in a catalogue in which the candidate was already, or by this
// very activation of it. What was switched on since ever covers everything.
macro_rules! coverage {
    ($held:literal) => {
        concat!(
            "WITH candidate AS (SELECT activated_generation, activation_id FROM kpi_definitions WHERE name = $1 AND version = $3), \
             held AS MATERIALIZED (",
            $held,
            ") SELECT count(*), count(*) FILTER (WHERE NOT covered), \
                      (SELECT ARRAY[tenant, interaction_id] FROM held WHERE NOT covered LIMIT 1), \
                      min(at) FILTER (WHERE NOT covered), max(at) FILTER (WHERE NOT covered) \
               FROM held"
        )
    };
}

pub(super) static COVERAGE: Sql = Sql {
    step: "compare what two versions cover",
    text: coverage!(
        "SELECT m.tenant, m.interaction_id, m.timestamp_utc AS at, \
                coalesce(i.evaluated_generation, 0) >= c.activated_generation \
                    OR coalesce(c.activation_id = ANY (i.evaluated_also), false) AS covered \
         FROM candidate c, computed_metrics m \
         JOIN interactions i ON i.tenant = m.tenant AND i.interaction_id = m.interaction_id \
         WHERE m.metric_type = $1 AND m.metric_version = $2"
    ),
};

// Where nothing is current: what has ended and still has rows of any KPI, which retention has not dropped. $2 is not asked for.
pub(super) static OF_FIRST: Sql = Sql {
    step: "look what a first version covers",
    text: coverage!(
        "SELECT i.tenant, i.interaction_id, coalesce(i.started_at, i.partition_at) AS at, \
                coalesce(i.evaluated_generation, 0) >= c.activated_generation \
                    OR coalesce(c.activation_id = ANY (i.evaluated_also), false) AS covered \
         FROM candidate c, interactions i \
         WHERE $2::integer IS NULL AND (i.status <> 'open' OR i.swept_at IS NOT NULL) \
           AND EXISTS (SELECT FROM computed_metrics m WHERE m.tenant = i.tenant AND m.interaction_id = i.interaction_id \
                         AND m.partition_at = i.partition_at)"
    ),
};

pub(super) static ROWS: Sql = Sql {
    step: "count the rows of a version",
    text: "SELECT count(*) FROM computed_metrics WHERE metric_type = $1 AND metric_version = $2",
};

/// Whether a candidate was evaluated wherever the current version has rows; without a current version, wherever an interaction has ended.
///
/// That a row of the candidate exists proves nothing: it may be older than the facts, or than the candidate's last activation. So each
/// interaction says what its facts, as they are, were evaluated by. A candidate that has no row of an interaction, such as one by the
/// leg where there was no agent, covers it all the same.
pub async fn coverage(
    conn: &impl Connection,
    name: &str,
    current: Option<MetricVersion>,
    candidate: MetricVersion,
) -> Result<Coverage, StoreError> {
    no_nul("name", name)?;
    let sql = if current.is_some() {
        &COVERAGE
    } else {
        &OF_FIRST
    };
    let current = current.map(|current| i32::from(current.0));
    let params: sql::Params<'_> = &[&name, &current, &i32::from(candidate.0)];
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
