//! Where metrics are pushed to.

use crate::error::StoreError;
use crate::pool::{Connection, Store, Transaction};
use crate::sql::{self, Sql};
use schema::{Grain, MetricVersion};

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
    /// What the values it wants are of; at least one, each once.
    pub grains: Vec<Grain>,
    /// From when on a value may be pushed.
    pub not_before: NotBefore,
    /// Whether changed rows are queued for it.
    pub enabled: bool,
}

/// From when on a value may be pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NotBefore {
    /// As soon as it was computed; what changes later is pushed again.
    #[default]
    AtOnce,
    /// When the interaction, or the window of the agent's day, has settled. Of what changes before, only the last value is pushed.
    Settled,
}

impl NotBefore {
    /// Both, for messages that list what is allowed.
    pub const ALL: [Self; 2] = [Self::AtOnce, Self::Settled];

    /// As it is stored and configured.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AtOnce => "at_once",
            Self::Settled => "settled",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

// Exclusive: waits for the transactions that are upserting metrics, and makes later ones wait, so that every row changed after the
// registration is queued.
static EXCLUDE: Sql = Sql {
    step: "lock sync_targets",
    text: "LOCK TABLE sync_targets IN ACCESS EXCLUSIVE MODE",
};

pub(crate) static COMMANDS: &[&Sql] = &[&EXCLUDE];

static REGISTER: Sql = Sql {
    step: "register a sync target",
    text: "INSERT INTO sync_targets AS t (target, tenant, platform, metrics, versions, enabled, grains, not_before) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
           ON CONFLICT (target) DO UPDATE SET platform = EXCLUDED.platform, metrics = EXCLUDED.metrics, \
               versions = EXCLUDED.versions, enabled = EXCLUDED.enabled, grains = EXCLUDED.grains, \
               not_before = EXCLUDED.not_before, updated_at = now() \
           WHERE (t.platform, t.metrics, t.versions, t.enabled, t.grains, t.not_before) IS DISTINCT FROM \
                 (EXCLUDED.platform, EXCLUDED.metrics, EXCLUDED.versions, EXCLUDED.enabled, EXCLUDED.grains, EXCLUDED.not_before)",
};

static LIST: Sql = Sql {
    step: "list sync targets",
    text: "SELECT target, tenant, platform, metrics, versions, enabled, grains, not_before FROM sync_targets ORDER BY target",
};

static SAME: Sql = Sql {
    step: "compare a sync target",
    text: "SELECT EXISTS (SELECT FROM sync_targets WHERE target = $1 AND tenant = $2 AND platform = $3 AND metrics = $4 AND versions = $5 \
                          AND enabled = $6 AND grains = $7 AND not_before = $8)",
};

// A target that waits no longer has what it held back due at once.
static LET_GO: Sql = Sql {
    step: "let held delivery rows go",
    text: "UPDATE sync_queue SET state = 'pending', due_at = now(), queued_at = now() WHERE target = $1 AND state = 'held'",
};

static OWNER: Sql = Sql {
    step: "look up the tenant of a sync target",
    text: "SELECT tenant FROM sync_targets WHERE target = $1",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&REGISTER, &LIST, &SAME, &LET_GO, &OWNER];

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
    let grains: Vec<&str> = target.grains.iter().map(|grain| grain.name()).collect();
    let not_before = target.not_before.name();
    let params: sql::Params<'_> = &[
        &target.name,
        &target.tenant,
        &target.platform,
        &target.metrics,
        &versions,
        &target.enabled,
        &grains,
        &not_before,
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
    if target.not_before == NotBefore::AtOnce {
        sql::execute(&tx, &LET_GO, &[&target.name]).await?;
    }
    tx.commit().await
}

/// Makes everybody wait until commit who changes what targets want, having waited for those who are at it: what is read from now on is not
/// changed, and what was changed is queued.
pub async fn hold_changes(tx: &Transaction<'_>) -> Result<(), StoreError> {
    sql::batch(tx, &EXCLUDE).await
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
                grains: sql::get::<Vec<String>>(row, &LIST, 6)?
                    .iter()
                    .map(|name| known("sync_targets.grains", name, Grain::parse))
                    .collect::<Result<_, _>>()?,
                not_before: known(
                    "sync_targets.not_before",
                    &sql::get::<String>(row, &LIST, 7)?,
                    NotBefore::parse,
                )?,
            })
        })
        .collect()
}

/// A stored word as what it means.
fn known<T>(
    column: &'static str,
    word: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    parse(word).ok_or_else(|| StoreError::Unreadable {
        column,
        value: word.to_owned(),
    })
}
