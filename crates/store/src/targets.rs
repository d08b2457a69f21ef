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
    /// The organisation whose metrics go there, and no other's. A registered target keeps it.
    pub tenant: String,
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
    text: "INSERT INTO sync_targets AS t (target, tenant, platform, metrics, versions, enabled) VALUES ($1, $2, $3, $4, $5, $6) \
           ON CONFLICT (target) DO UPDATE SET platform = EXCLUDED.platform, metrics = EXCLUDED.metrics, \
               versions = EXCLUDED.versions, enabled = EXCLUDED.enabled, updated_at = now() \
           WHERE (t.platform, t.metrics, t.versions, t.enabled) \
                 IS DISTINCT FROM (EXCLUDED.platform, EXCLUDED.metrics, EXCLUDED.versions, EXCLUDED.enabled)",
};

static LIST: Sql = Sql {
    step: "list sync targets",
    text: "SELECT target, tenant, platform, metrics, versions, enabled FROM sync_targets ORDER BY target",
};

static SAME: Sql = Sql {
    step: "compare a sync target",
    text: "SELECT EXISTS (SELECT FROM sync_targets WHERE target = $1 AND tenant = $2 AND platform = $3 AND metrics = $4 AND versions = $5 \
                          AND enabled = $6)",
};

static OWNER: Sql = Sql {
    step: "look up the tenant of a sync target",
    text: "SELECT tenant FROM sync_targets WHERE target = $1",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&REGISTER, &LIST, &SAME, &OWNER];

/// Sets the target. Rows changed by transactions that commit later are queued for it; what was there before is not.
///
/// Registering what is registered already locks nothing. A name that is another tenant's is refused with
/// [`StoreError::OtherTenant`]: rows queued for the one must not go to the other.
pub async fn register(store: &Store, target: &Target) -> Result<(), StoreError> {
    let versions: Vec<i32> = target
        .versions
        .iter()
        .map(|version| i32::from(version.0))
        .collect();
    let params: sql::Params<'_> = &[
        &target.name,
        &target.tenant,
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
    if let Some(row) = sql::query(&tx, &OWNER, &[&target.name]).await?.first() {
        let owner: String = sql::get(row, &OWNER, 0)?;
        if owner != target.tenant {
            return Err(StoreError::OtherTenant {
                target: target.name.clone(),
                owner,
                tenant: target.tenant.clone(),
            });
        }
    }
    sql::execute(&tx, &REGISTER, params).await?;
    tx.commit().await
}

/// All targets, by name.
pub async fn list(conn: &impl Connection) -> Result<Vec<Target>, StoreError> {
    sql::query(conn, &LIST, &[])
        .await?
        .iter()
        .map(|row| {
            let versions: Vec<i32> = sql::get(row, &LIST, 4)?;
            Ok(Target {
                name: sql::get(row, &LIST, 0)?,
                tenant: sql::get(row, &LIST, 1)?,
                platform: sql::get(row, &LIST, 2)?,
                metrics: sql::get(row, &LIST, 3)?,
                versions: versions
                    .into_iter()
                    .map(crate::metrics::version)
                    .collect::<Result<_, _>>()?,
                enabled: sql::get(row, &LIST, 5)?,
            })
        })
        .collect()
}
