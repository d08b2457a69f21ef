//! Two versions of a KPI over the same stretch, row by row.

use crate::arrivals::Stretch;
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::MetricVersion;

/// What one version has.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Side {
    /// Rows.
    pub rows: i64,
    /// Rows with a value.
    pub values: i64,
    /// The sum of the values.
    pub sum: f64,
}

impl Side {
    /// The mean of the values; none: there are none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        #[allow(clippy::cast_precision_loss)] // counts of rows
        (self.values > 0).then(|| self.sum / self.values as f64)
    }
}

/// An old version against a new one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Comparison {
    /// The version that is current.
    pub old: Side,
    /// The version that the job was for.
    pub new: Side,
    /// Rows that both have, with another value or another reason for none.
    pub changed: i64,
    /// Rows that only the old version has.
    pub only_old: i64,
    /// Rows that only the new one has.
    pub only_new: i64,
}

macro_rules! side {
    ($version:literal) => {
        concat!(
            "SELECT tenant, interaction_id, leg_scope, metric_value, metadata ->> 'reason' AS reason FROM computed_metrics \
             WHERE metric_type = $1 AND metric_version = ",
            $version,
            " AND timestamp_utc >= $4 AND timestamp_utc < $5 AND tenant = ANY ($6::text[])"
        )
    };
}

static COMPARE: Sql = Sql {
    step: "compare two versions of a KPI",
    text: concat!(
        "WITH o AS MATERIALIZED (",
        side!("$2"),
        "), n AS MATERIALIZED (",
        side!("$3"),
        ") SELECT count(o.tenant), count(o.metric_value), coalesce(sum(o.metric_value), 0), \
                  count(n.tenant), count(n.metric_value), coalesce(sum(n.metric_value), 0), \
                  count(*) FILTER (WHERE o.tenant IS NOT NULL AND n.tenant IS NOT NULL \
                                     AND (o.metric_value, o.reason) IS DISTINCT FROM (n.metric_value, n.reason)), \
                  count(*) FILTER (WHERE n.tenant IS NULL), count(*) FILTER (WHERE o.tenant IS NULL) \
           FROM o FULL JOIN n USING (tenant, interaction_id, leg_scope)"
    ),
};

pub(crate) static STATEMENTS: &[&Sql] = &[&COMPARE];

/// Compares what two versions of a KPI have of a stretch. Reads all of its rows: give it a connection with patience.
pub async fn compare(
    conn: &impl Connection,
    name: &str,
    old: MetricVersion,
    new: MetricVersion,
    stretch: &Stretch<'_>,
) -> Result<Comparison, StoreError> {
    no_nul("name", name)?;
    let sql = &COMPARE;
    let params: sql::Params<'_> = &[
        &name,
        &i32::from(old.0),
        &i32::from(new.0),
        &Instant(stretch.from),
        &Instant(stretch.to),
        &stretch.tenants,
    ];
    let row = sql::query_one(conn, sql, params).await?;
    Ok(Comparison {
        old: Side {
            rows: sql::get(&row, sql, 0)?,
            values: sql::get(&row, sql, 1)?,
            sum: sql::get(&row, sql, 2)?,
        },
        new: Side {
            rows: sql::get(&row, sql, 3)?,
            values: sql::get(&row, sql, 4)?,
            sum: sql::get(&row, sql, 5)?,
        },
        changed: sql::get(&row, sql, 6)?,
        only_old: sql::get(&row, sql, 7)?,
        only_new: sql::get(&row, sql, 8)?,
    })
}
