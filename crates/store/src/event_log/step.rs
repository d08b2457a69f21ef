//! Cutting a stretch of the log into parts of about equal size.

use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// The beginning of a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Where it ends, exclusive; none: at the end of the stretch.
    pub to: Option<UtcMicros>,
    /// How many events it holds.
    pub events: i64,
}

// The first instant behind the first events. Those of one instant stay together, so a part may have more events than it is to.
pub(super) static STEP: Sql = Sql {
    step: "cut event_log",
    text: "WITH nth AS MATERIALIZED ( \
               SELECT occurred_at FROM event_log \
               WHERE occurred_at >= $1 AND occurred_at < $2 AND ($3::text IS NULL OR tenant = $3) \
               ORDER BY occurred_at OFFSET $4 LIMIT 1), \
           cut AS MATERIALIZED ( \
               SELECT CASE WHEN nth.occurred_at > $1 THEN nth.occurred_at ELSE $1 + interval '1 microsecond' END AS at FROM nth) \
           SELECT (SELECT at FROM cut WHERE at < $2), \
                  (SELECT count(*) FROM event_log e \
                   WHERE e.occurred_at >= $1 AND e.occurred_at < coalesce((SELECT at FROM cut), $2) AND e.occurred_at < $2 \
                     AND ($3::text IS NULL OR e.tenant = $3))",
};

/// Where the part of `[from, to)` with its first `events` events ends.
pub async fn step(
    conn: &impl Connection,
    from: UtcMicros,
    to: UtcMicros,
    tenant: Option<&str>,
    events: u32,
) -> Result<Step, StoreError> {
    let offset = i64::from(events.max(1));
    let row = sql::query_one(
        conn,
        &STEP,
        &[&Instant(from), &Instant(to), &tenant, &offset],
    )
    .await?;
    Ok(Step {
        to: sql::get::<Option<Instant>>(&row, &STEP, 0)?.map(|at| at.0),
        events: sql::get(&row, &STEP, 1)?,
    })
}
