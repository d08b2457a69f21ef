//! What a platform reports of agents' and queues' days.

use super::Of;
use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// One number of one subject's day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FigureRow {
    /// The word of the measure; its unit goes with it.
    pub measure: String,
    /// The agent; empty: of all.
    pub agent_id: String,
    /// The queue; empty: of all.
    pub queue_id: String,
    /// The day's first instant.
    pub from: UtcMicros,
    /// Its end, exclusive.
    pub to: UtcMicros,
    /// The IANA zone it was cut by.
    pub zone: String,
    /// A count, or milliseconds.
    pub value: i64,
    /// How many contacts a time is the sum of, where it is known.
    pub items: Option<i64>,
    /// What the platform rounds the time of one contact to, in milliseconds.
    pub grain_ms: i32,
}

pub(super) static PUT: Sql = Sql {
    step: "write native_figures",
    text: "INSERT INTO native_figures AS f (tenant, platform, measure, agent_id, queue_id, from_at, to_at, zone, value, items, grain_ms) \
           SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::text[], \
                                        $9::bigint[], $10::bigint[], $11::integer[]) \
           ON CONFLICT (tenant, platform, measure, agent_id, queue_id, from_at, to_at) DO UPDATE \
           SET zone = EXCLUDED.zone, value = EXCLUDED.value, items = EXCLUDED.items, grain_ms = EXCLUDED.grain_ms, fetched_at = now()",
};

pub(super) static READ: Sql = Sql {
    step: "read native_figures",
    text: "SELECT measure, agent_id, queue_id, from_at, to_at, zone, value, items, grain_ms FROM native_figures \
           WHERE tenant = $1 AND platform = $2 AND from_at >= $3 AND from_at < $4 \
           ORDER BY measure, agent_id, queue_id, from_at, to_at",
};

/// Writes figures over what was there of the same subject and stretch; of several with one key the last holds.
pub async fn put(
    conn: &impl Connection,
    of: Of<'_>,
    rows: &[FigureRow],
) -> Result<u64, StoreError> {
    of.check()?;
    for row in rows {
        no_nul("measure", &row.measure)?;
        no_nul("agent_id", &row.agent_id)?;
        no_nul("queue_id", &row.queue_id)?;
        no_nul("zone", &row.zone)?;
    }
    let sorted = last_per_key(rows, |row| {
        (&row.measure, &row.agent_id, &row.queue_id, row.from, row.to)
    });
    if sorted.is_empty() {
        return Ok(0);
    }
    let measure = column(&sorted, |row| row.measure.as_str());
    let agent_id = column(&sorted, |row| row.agent_id.as_str());
    let queue_id = column(&sorted, |row| row.queue_id.as_str());
    let from = column(&sorted, |row| Instant(row.from));
    let to = column(&sorted, |row| Instant(row.to));
    let zone = column(&sorted, |row| row.zone.as_str());
    let value = column(&sorted, |row| row.value);
    let items = column(&sorted, |row| row.items);
    let grain = column(&sorted, |row| row.grain_ms);
    let params: sql::Params<'_> = &[
        &of.tenant,
        &of.platform,
        &measure,
        &agent_id,
        &queue_id,
        &from,
        &to,
        &zone,
        &value,
        &items,
        &grain,
    ];
    sql::execute(conn, &PUT, params).await
}

/// The figures of days that begin in `[from, to)`, by measure, subject and day.
pub async fn read(
    conn: &impl Connection,
    of: Of<'_>,
    from: UtcMicros,
    to: UtcMicros,
) -> Result<Vec<FigureRow>, StoreError> {
    of.check()?;
    let sql = &READ;
    let params: sql::Params<'_> = &[&of.tenant, &of.platform, &Instant(from), &Instant(to)];
    sql::query(conn, sql, params)
        .await?
        .iter()
        .map(|row| {
            Ok(FigureRow {
                measure: sql::get(row, sql, 0)?,
                agent_id: sql::get(row, sql, 1)?,
                queue_id: sql::get(row, sql, 2)?,
                from: sql::get::<Instant>(row, sql, 3)?.0,
                to: sql::get::<Instant>(row, sql, 4)?.0,
                zone: sql::get(row, sql, 5)?,
                value: sql::get(row, sql, 6)?,
                items: sql::get(row, sql, 7)?,
                grain_ms: sql::get(row, sql, 8)?,
            })
        })
        .collect()
}
