//! What definitions refer to: schedules by name and version, and the places that say who is in which zone.
//!
//! A change of either is a change of the catalogue: call [`crate::definitions::change`] first.

use crate::columns::no_nul;
use crate::definitions::Inserted;
use crate::error::StoreError;
use crate::metrics::version;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{MetricVersion, UtcMicros};
use tokio_postgres::Row;

/// A schedule as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSchedule {
    /// Its name.
    pub name: String,
    /// The version.
    pub version: MetricVersion,
    /// The TOML.
    pub text: String,
    /// SHA-256 of its content.
    pub digest: Vec<u8>,
    /// When it was stored.
    pub created_at: UtcMicros,
}

/// A schedule to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewSchedule<'a> {
    /// Its name.
    pub name: &'a str,
    /// The version, 1 to 32767.
    pub version: MetricVersion,
    /// The TOML.
    pub text: &'a str,
    /// SHA-256 of its content.
    pub digest: &'a [u8],
}

/// A version of the places as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPlaces {
    /// The version.
    pub version: MetricVersion,
    /// The TOML.
    pub text: String,
    /// SHA-256 of its content.
    pub digest: Vec<u8>,
    /// When it was stored.
    pub created_at: UtcMicros,
}

/// A version of the places to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewPlaces<'a> {
    /// The version, 1 to 32767. The highest holds.
    pub version: MetricVersion,
    /// The TOML.
    pub text: &'a str,
    /// SHA-256 of its content.
    pub digest: &'a [u8],
}

static LIST_SCHEDULES: Sql = Sql {
    step: "list schedules",
    text: "SELECT name, version, text, digest, created_at FROM schedules ORDER BY name, version",
};

static INSERT_SCHEDULE: Sql = Sql {
    step: "insert a schedule",
    text: "INSERT INTO schedules (name, version, text, digest) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
};

static COMPARE_SCHEDULE: Sql = Sql {
    step: "compare a schedule",
    text: "SELECT digest FROM schedules WHERE name = $1 AND version = $2",
};

static LIST_PLACES: Sql = Sql {
    step: "list places",
    text: "SELECT version, text, digest, created_at FROM places ORDER BY version",
};

static LATEST_PLACES: Sql = Sql {
    step: "read the places",
    text: "SELECT version, text, digest, created_at FROM places ORDER BY version DESC LIMIT 1",
};

static INSERT_PLACES: Sql = Sql {
    step: "insert places",
    text: "INSERT INTO places (version, text, digest) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
};

static COMPARE_PLACES: Sql = Sql {
    step: "compare places",
    text: "SELECT digest FROM places WHERE version = $1",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &LIST_SCHEDULES,
    &INSERT_SCHEDULE,
    &COMPARE_SCHEDULE,
    &LIST_PLACES,
    &LATEST_PLACES,
    &INSERT_PLACES,
    &COMPARE_PLACES,
];

/// All schedules, by name and version.
pub async fn list_schedules(conn: &impl Connection) -> Result<Vec<StoredSchedule>, StoreError> {
    let sql = &LIST_SCHEDULES;
    sql::query(conn, sql, &[])
        .await?
        .iter()
        .map(|row| {
            Ok(StoredSchedule {
                name: sql::get(row, sql, 0)?,
                version: version(sql::get(row, sql, 1)?)?,
                text: sql::get(row, sql, 2)?,
                digest: sql::get(row, sql, 3)?,
                created_at: sql::get::<Instant>(row, sql, 4)?.0,
            })
        })
        .collect()
}

/// Stores a version of a schedule. One that is there is never changed, see [`Inserted`].
pub async fn insert_schedule(
    tx: &Transaction<'_>,
    schedule: &NewSchedule<'_>,
) -> Result<Inserted, StoreError> {
    no_nul("name", schedule.name)?;
    no_nul("text", schedule.text)?;
    let version = i32::from(schedule.version.0);
    let params: sql::Params<'_> = &[&schedule.name, &version, &schedule.text, &schedule.digest];
    if sql::execute(tx, &INSERT_SCHEDULE, params).await? == 1 {
        return Ok(Inserted::New);
    }
    let row = sql::query_one(tx, &COMPARE_SCHEDULE, &[&schedule.name, &version]).await?;
    let stored: &[u8] = sql::get(&row, &COMPARE_SCHEDULE, 0)?;
    Ok(Inserted::compared(Some(stored), schedule.digest))
}

/// All versions of the places, ascending.
pub async fn list_places(conn: &impl Connection) -> Result<Vec<StoredPlaces>, StoreError> {
    let rows = sql::query(conn, &LIST_PLACES, &[]).await?;
    rows.iter().map(|row| places(row, &LIST_PLACES)).collect()
}

/// The version of the places that holds; none where nobody stored one.
pub async fn latest_places(conn: &impl Connection) -> Result<Option<StoredPlaces>, StoreError> {
    let rows = sql::query(conn, &LATEST_PLACES, &[]).await?;
    rows.first()
        .map(|row| places(row, &LATEST_PLACES))
        .transpose()
}

/// Stores a version of the places. One that is there is never changed, see [`Inserted`].
pub async fn insert_places(
    tx: &Transaction<'_>,
    places: &NewPlaces<'_>,
) -> Result<Inserted, StoreError> {
    no_nul("text", places.text)?;
    let version = i32::from(places.version.0);
    let params: sql::Params<'_> = &[&version, &places.text, &places.digest];
    if sql::execute(tx, &INSERT_PLACES, params).await? == 1 {
        return Ok(Inserted::New);
    }
    let row = sql::query_one(tx, &COMPARE_PLACES, &[&version]).await?;
    let stored: &[u8] = sql::get(&row, &COMPARE_PLACES, 0)?;
    Ok(Inserted::compared(Some(stored), places.digest))
}

fn places(row: &Row, sql: &Sql) -> Result<StoredPlaces, StoreError> {
    Ok(StoredPlaces {
        version: version(sql::get(row, sql, 0)?)?,
        text: sql::get(row, sql, 1)?,
        digest: sql::get(row, sql, 2)?,
        created_at: sql::get::<Instant>(row, sql, 3)?.0,
    })
}
