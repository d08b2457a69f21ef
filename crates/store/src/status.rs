//! What each component last said about itself.

use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::{Instant, Json, JsonText};
use schema::UtcMicros;

/// One component's last word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The component: `ingest`, `compute` …
    pub component: String,
    /// Which replica.
    pub instance: String,
    /// A JSON object.
    pub status_json: String,
    /// When it was said.
    pub updated_at: UtcMicros,
}

static PUT: Sql = Sql {
    step: "write pipeline_status",
    text: "INSERT INTO pipeline_status (component, instance, status) VALUES ($1, $2, $3) \
           ON CONFLICT (component, instance) DO UPDATE SET status = EXCLUDED.status, updated_at = now()",
};

static LIST: Sql = Sql {
    step: "read pipeline_status",
    text: "SELECT component, instance, status, updated_at FROM pipeline_status ORDER BY component, instance",
};

static REMOVE: Sql = Sql {
    step: "remove from pipeline_status",
    text: "DELETE FROM pipeline_status WHERE component = $1 AND instance = $2",
};

static FORGET: Sql = Sql {
    step: "remove the silent from pipeline_status",
    text: "DELETE FROM pipeline_status WHERE component = $1 AND updated_at < now() - make_interval(secs => $2)",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&PUT, &LIST, &REMOVE, &FORGET];

/// Says how an instance is doing.
pub async fn put(
    conn: &impl Connection,
    component: &str,
    instance: &str,
    status_json: &str,
) -> Result<(), StoreError> {
    sql::execute(
        conn,
        &PUT,
        &[&component, &instance, &Json::new(status_json)],
    )
    .await
    .map(drop)
}

/// Everyone's last word.
pub async fn list(conn: &impl Connection) -> Result<Vec<Status>, StoreError> {
    sql::query(conn, &LIST, &[])
        .await?
        .iter()
        .map(|row| {
            Ok(Status {
                component: sql::get(row, &LIST, 0)?,
                instance: sql::get(row, &LIST, 1)?,
                status_json: sql::get::<JsonText>(row, &LIST, 2)?.0,
                updated_at: sql::get::<Instant>(row, &LIST, 3)?.0,
            })
        })
        .collect()
}

/// Takes an instance off the list: it stopped in good order.
pub async fn remove(
    conn: &impl Connection,
    component: &str,
    instance: &str,
) -> Result<(), StoreError> {
    sql::execute(conn, &REMOVE, &[&component, &instance])
        .await
        .map(drop)
}

/// Takes the instances of a component off the list that have been silent for so long: they died, and others took their place. Returns how
/// many they were.
pub async fn forget(
    conn: &impl Connection,
    component: &str,
    silent_for: std::time::Duration,
) -> Result<u64, StoreError> {
    sql::execute(conn, &FORGET, &[&component, &silent_for.as_secs_f64()]).await
}
