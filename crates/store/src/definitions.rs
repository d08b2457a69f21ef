//! Which version of each metric is current: one pointer, moved in one transaction.

use crate::error::StoreError;
use crate::metrics::version;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use schema::MetricVersion;

static CURRENT: Sql = Sql {
    step: "read current metric versions",
    text: "SELECT name, version FROM kpi_definitions WHERE status = 'current' ORDER BY name",
};

static ADD: Sql = Sql {
    step: "add a KPI definition",
    text: "INSERT INTO kpi_definitions (name, version, unit, text, status) VALUES ($1, $2, $3, $4, 'candidate') \
           ON CONFLICT (name, version) DO NOTHING",
};

static DEMOTE: Sql = Sql {
    step: "demote the current KPI version",
    text: "UPDATE kpi_definitions SET status = 'candidate' WHERE name = $1 AND status = 'current' AND version <> $2",
};

static PROMOTE: Sql = Sql {
    step: "promote a KPI version",
    text: "UPDATE kpi_definitions SET status = 'current', activated_at = now() WHERE name = $1 AND version = $2",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&CURRENT, &ADD, &DEMOTE, &PROMOTE];

/// The current version of every metric, by name.
pub async fn current(conn: &impl Connection) -> Result<Vec<(String, MetricVersion)>, StoreError> {
    sql::query(conn, &CURRENT, &[])
        .await?
        .iter()
        .map(|row| {
            Ok((
                sql::get(row, &CURRENT, 0)?,
                version(sql::get(row, &CURRENT, 1)?)?,
            ))
        })
        .collect()
}

/// Makes a version known as a candidate. A known one is left as it is.
pub async fn add(
    tx: &Transaction<'_>,
    name: &str,
    version: MetricVersion,
    unit: &str,
    text: &str,
) -> Result<(), StoreError> {
    sql::execute(tx, &ADD, &[&name, &i32::from(version.0), &unit, &text])
        .await
        .map(drop)
}

/// Moves the pointer. Returns whether the version is known; if it is not, nothing must be committed.
pub async fn promote(
    tx: &Transaction<'_>,
    name: &str,
    version: MetricVersion,
) -> Result<bool, StoreError> {
    let version = i32::from(version.0);
    sql::execute(tx, &DEMOTE, &[&name, &version]).await?;
    Ok(sql::execute(tx, &PROMOTE, &[&name, &version]).await? == 1)
}
