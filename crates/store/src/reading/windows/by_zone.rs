//! Windows of groups put together by the zone that they go by.

use super::{Filter, WindowState};
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// The windows of all groups of one zone that begin and end together.
#[derive(Debug, Clone, PartialEq)]
pub struct ZoneWindow {
    /// Whose clock they go by.
    pub zone: String,
    /// Their first instant.
    pub window_start: UtcMicros,
    /// The first instant after them.
    pub window_end: UtcMicros,
    /// How many values they are made of.
    pub items: i64,
    /// The sum of their numerators over the scale: of the values, in the unit.
    pub sum: f64,
    /// The sum of their denominators.
    pub weight: f64,
    /// The least value.
    pub minimum: Option<f64>,
    /// The greatest value.
    pub maximum: Option<f64>,
    /// The unit.
    pub unit: String,
    /// That of the one that is the least settled.
    pub state: WindowState,
}

// Along window_metrics_time. Sums of whole numbers add up exactly; a mean is theirs, never one of means.
pub(in crate::reading) static BY_ZONE: Sql = Sql {
    step: "add up windows by zone",
    text: "SELECT w.zone, w.window_start, w.window_end, sum(w.items)::bigint, (sum(w.numerator) / max(w.scale))::float8, \
                  sum(w.denominator)::float8, min(w.minimum), max(w.maximum), min(w.unit), \
                  CASE WHEN bool_or(w.state = 'open') THEN 'open' WHEN bool_or(w.state = 'settling') THEN 'settling' ELSE 'settled' END \
           FROM window_metrics_all w \
           WHERE w.tenant = $1 AND w.metric_type = $2 AND w.metric_version = $3 AND w.group_by = $4 AND w.size = $5 \
             AND w.window_start >= $6 AND w.window_start < $7 AND ($8::text IS NULL OR w.zone = $8) \
           GROUP BY w.zone, w.window_start, w.window_end ORDER BY w.window_start, w.zone, w.window_end LIMIT $9",
};

/// At most `limit` of them, by beginning and zone. Of the filter, no group counts.
pub async fn by_zone(
    conn: &impl Connection,
    filter: &Filter<'_>,
    limit: u32,
) -> Result<Vec<ZoneWindow>, StoreError> {
    filter.check()?;
    let params: sql::Params<'_> = &[
        &filter.tenant,
        &filter.metric_type,
        &i32::from(filter.metric_version.0),
        &filter.group_by,
        &filter.size,
        &Instant(filter.from),
        &Instant(filter.to),
        &filter.having.zone,
        &i64::from(limit),
    ];
    sql::query(conn, &BY_ZONE, params)
        .await?
        .iter()
        .map(|row| {
            Ok(ZoneWindow {
                zone: sql::get(row, &BY_ZONE, 0)?,
                window_start: sql::get::<Instant>(row, &BY_ZONE, 1)?.0,
                window_end: sql::get::<Instant>(row, &BY_ZONE, 2)?.0,
                items: sql::get(row, &BY_ZONE, 3)?,
                sum: sql::get(row, &BY_ZONE, 4)?,
                weight: sql::get(row, &BY_ZONE, 5)?,
                minimum: sql::get(row, &BY_ZONE, 6)?,
                maximum: sql::get(row, &BY_ZONE, 7)?,
                unit: sql::get(row, &BY_ZONE, 8)?,
                state: WindowState::read(sql::get(row, &BY_ZONE, 9)?)?,
            })
        })
        .collect()
}
