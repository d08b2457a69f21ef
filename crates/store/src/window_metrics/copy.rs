//! Rows that are known to be new: copied in, which costs a fraction of an insert that may meet another row.

use super::columns;
use super::row::WindowRow;
use crate::error::StoreError;
use crate::pool::Transaction;
use crate::sql::{self, Sql};
use crate::types::{Instant, Json};
use std::pin::pin;
use tokio_postgres::types::Type;

pub(super) static COPY: Sql = Sql {
    step: "copy window_metrics",
    text: concat!(
        "COPY window_metrics (",
        columns!(),
        ") FROM STDIN (FORMAT binary)"
    ),
};

const TYPES: [Type; 28] = [
    Type::TEXT,
    Type::TEXT,
    Type::INT4,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::JSONB,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::INT8,
    Type::FLOAT8,
    Type::FLOAT8,
    Type::JSONB,
    Type::FLOAT8,
    Type::TEXT,
    Type::TIMESTAMPTZ,
];

/// Writes rows whose keys are not in the table.
pub(super) async fn new(
    tx: &Transaction<'_>,
    tenant: &str,
    rows: &[&WindowRow<'_>],
) -> Result<u64, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    sql::copy(tx, &COPY, &TYPES, async |writer| {
        let mut writer = pin!(writer);
        for row in rows {
            writer
                .as_mut()
                .write(&[
                    &tenant,
                    &row.metric_type,
                    &i32::from(row.metric_version.0),
                    &row.group_by,
                    &row.size,
                    &row.group_key,
                    &Instant(row.window_start),
                    &Instant(row.window_end),
                    &row.zone,
                    &row.zone_source,
                    &row.tzdb,
                    &row.queue_id,
                    &row.media,
                    &row.direction,
                    &row.agent_id,
                    &row.team,
                    &row.platform,
                    &row.attributes_json.map(Json::new),
                    &row.items,
                    &row.numerator,
                    &row.denominator,
                    &row.scale,
                    &super::plain(row.minimum),
                    &super::plain(row.maximum),
                    &row.percentiles_json.map(Json::new),
                    &super::plain(row.value),
                    &row.unit,
                    &Instant(row.settles_at),
                ])
                .await?;
        }
        writer.finish().await
    })
    .await
}
