//! Where metrics are pushed to.

use crate::error::StoreError;
use crate::pool::{Connection, Store};
use crate::sql::{self, Sql};
use schema::MetricVersion;

/// One place metrics are pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name: the key.
    pub name: String,
    /// The platform it is on, for people.
    pub platform: String,
    /// The metrics it wants, by name.
    pub metrics: Vec<String>,
    /// The versions it wants; empty: whichever is current when a row changes.
    pub versions: Vec<MetricVersion>,
    /// Whether changed rows are queued for it.
    pub enabled: bool,
}

// Exclusive: waits for the transactions that are upserting metrics, and makes later ones wait, so that every row changed after the
// registration is queued.
static EXCLUDE: Sql = Sql {
    step: "lock sync_targets",
    text: "LOCK TABLE sync_targets IN ACCESS EXCLUSIVE MODE",
};

static REGISTER: Sql = Sql {
    step: "register a sync target",
    text: "INSERT INTO sync_targets AS t (target, platform, metrics, versions, enabled) VALUES ($1, $2, $3, $4, $5) \
           ON CONFLICT (target) DO UPDATE SET platform = EXCLUDED.platform, metrics = EXCLUDED.metrics, \
               versions = EXCLUDED.versions, enabled = EXCLUDED.enabled, updated_at = now() \
           WHERE (t.platform, t.metrics, t.versions, t.enabled) \
                 IS DISTINCT FROM (EXCLUDED.platform, EXCLUDED.metrics, EXCLUDED.versions, EXCLUDED.enabled)",
};

static LIST: Sql = Sql {
    step: "list sync targets",
    text: "SELECT target, platform, metrics, versions, enabled FROM sync_targets ORDER BY target",
};

static SAME: Sql = Sql {
    step: "compare a sync target",
    text: "SELECT EXISTS (SELECT FROM sync_targets WHERE target = $1 AND platform = $2 AND metrics = $3 AND versions = $4 AND enabled = $5)",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&REGISTER, &LIST, &SAME];

/// Sets the target. Rows changed by transactions that commit later are queued for it; what was there before is not.
///
/// Registering what is registered already locks nothing.
pub async fn register(store: &Store, target: &Target) -> Result<(), StoreError> {
    let versions: Vec<i32> = target
        .versions
        .iter()
        .map(|version| i32::from(version.0))
        .collect();
    let params: sql::Params<'_> = &[
        &target.name,
        &target.platform,
        &target.metrics,
        &versions,
        &target.enabled,
    ];
    let mut client = store.client().await?;
    if sql::get(&sql::query_one(&client, &SAME, params).await?, &SAME, 0)? {
        return Ok(());
    }
    let tx = client.transaction().await?;
    sql::batch(&tx, &EXCLUDE).await?;
    sql::execute(&tx, &REGISTER, params).await?;
    tx.commit().await
}

/// All targets, by name.
pub async fn list(conn: &impl Connection) -> Result<Vec<Target>, StoreError> {
    sql::query(conn, &LIST, &[])
        .await?
        .iter()
        .map(|row| {
            let versions: Vec<i32> = sql::get(row, &LIST, 3)?;
            Ok(Target {
                name: sql::get(row, &LIST, 0)?,
                platform: sql::get(row, &LIST, 1)?,
                metrics: sql::get(row, &LIST, 2)?,
                versions: versions
                    .into_iter()
                    .map(crate::metrics::version)
                    .collect::<Result<_, _>>()?,
                enabled: sql::get(row, &LIST, 4)?,
            })
        })
        .collect()
}
