//! Versioned KPI definitions, which of their versions are computed and shown, and the generation of the whole catalogue.
//!
//! The order is always: [`change`] first in a transaction that changes definitions, schedules or places, [`generation_shared`] first in
//! one that evaluates. So an evaluation under way delays a change, and one that begins later sees the change whole.
//!
//! # Which status follows which
//!
//! ```text
//! draft ──▶ candidate ◀──▶ current          candidate, draft ──▶ retired ──▶ candidate
//!           (set_status)   (promote, withdraw)            (set_status)
//! ```
//!
//! Candidate and current versions are computed. Only [`promote`] makes a version current, and the one it replaces becomes a candidate: it
//! goes on being computed, so that the way back is a promotion too.

mod coverage;
mod row;

pub use coverage::{Coverage, coverage, rows};
pub use row::{Inserted, NewDefinition, Promoted, Promotion, Status, StoredDefinition};

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::metrics::version;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::MetricVersion;

static LOCK_SHARED: Sql = Sql {
    step: "wait for a change of the catalogue",
    text: "SELECT pg_advisory_xact_lock_shared(hashtextextended('kpiline.catalogue', 0))",
};

static LOCK: Sql = Sql {
    step: "wait for the evaluations under way",
    text: "SELECT pg_advisory_xact_lock(hashtextextended('kpiline.catalogue', 0))",
};

static GENERATION: Sql = Sql {
    step: "read the catalogue's generation",
    text: "SELECT generation FROM catalogue_generation",
};

// What was erased on request comes along, so that nobody has to ask for it as long as there is none.
static TO_EVALUATE: Sql = Sql {
    step: "read what to evaluate with",
    text: "SELECT generation, EXISTS (SELECT FROM erased_interactions) FROM catalogue_generation",
};

static RAISE: Sql = Sql {
    step: "raise the catalogue's generation",
    text: "UPDATE catalogue_generation SET generation = generation + 1, changed_at = clock_timestamp() RETURNING generation",
};

static LIST: Sql = Sql {
    step: "list KPI definitions",
    text: "SELECT name, version, unit, text, digest, status, created_at, activated_at, \
                  activated_generation, activation_id, definition_id FROM kpi_definitions ORDER BY name, version",
};

// Looks first: a row that is refused for its key would use up a definition_id each time.
static INSERT: Sql = Sql {
    step: "insert a KPI definition",
    text: "INSERT INTO kpi_definitions (name, version, unit, text, digest) \
           SELECT $1::text, $2::integer, $3::text, $4::text, $5::bytea \
           WHERE NOT EXISTS (SELECT FROM kpi_definitions WHERE name = $1 AND version = $2) ON CONFLICT DO NOTHING",
};

static COMPARE: Sql = Sql {
    step: "compare a KPI definition",
    text: "SELECT text = '' AND digest IS NULL, digest FROM kpi_definitions WHERE name = $1 AND version = $2 FOR UPDATE",
};

static FILL: Sql = Sql {
    step: "fill a seeded KPI definition",
    text: "UPDATE kpi_definitions SET unit = $3, text = $4, digest = $5 WHERE name = $1 AND version = $2",
};

static STATUSES: Sql = Sql {
    step: "lock the versions of a KPI definition",
    text: "SELECT version, status FROM kpi_definitions WHERE name = $1 ORDER BY version FOR UPDATE",
};

static SET_STATUS: Sql = Sql {
    step: "set the status of a KPI definition",
    text: "UPDATE kpi_definitions SET status = $3, \
                  activated_at = CASE WHEN status IN ('draft', 'retired') AND $3 = 'candidate' THEN clock_timestamp() \
                                      ELSE activated_at END, \
                  activated_generation = CASE WHEN status IN ('draft', 'retired') AND $3 = 'candidate' \
                                              THEN (SELECT generation FROM catalogue_generation) ELSE activated_generation END, \
                  activation_id = CASE WHEN status IN ('draft', 'retired') AND $3 = 'candidate' \
                                       THEN nextval('kpi_activations') ELSE activation_id END \
           WHERE name = $1 AND version = $2",
};

static NOTE_PROMOTION: Sql = Sql {
    step: "note a promotion",
    text: "INSERT INTO kpi_promotions (name, version, previous, generation) \
           SELECT $1, $2, $3, generation FROM catalogue_generation",
};

static LAST_PROMOTION: Sql = Sql {
    step: "read the last promotion",
    text: "SELECT version, previous, at, generation FROM kpi_promotions WHERE name = $1 ORDER BY promotion_id DESC LIMIT 1",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &LOCK_SHARED,
    &LOCK,
    &GENERATION,
    &TO_EVALUATE,
    &RAISE,
    &LIST,
    &INSERT,
    &COMPARE,
    &FILL,
    &STATUSES,
    &SET_STATUS,
    &NOTE_PROMOTION,
    &LAST_PROMOTION,
    &coverage::COVERAGE,
    &coverage::OF_FIRST,
    &coverage::ROWS,
];

/// The catalogue's generation, without holding it: good for noticing a change, not for evaluating.
pub async fn generation(conn: &impl Connection) -> Result<i64, StoreError> {
    let row = sql::query_one(conn, &GENERATION, &[]).await?;
    sql::get(&row, &GENERATION, 0)
}

/// What stays as it is until the transaction ends that asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    /// The generation to evaluate with.
    pub generation: i64,
    /// Whether any interaction was ever erased ([`crate::erasures::marked`] says which).
    pub erasures: bool,
}

/// The generation to evaluate with: it stays the newest until this transaction ends, because a change waits for that. As does an erasure,
/// before it goes on from its marks.
///
/// Call it before anything else in the transaction. It waits while a change is under way.
pub async fn generation_shared(tx: &Transaction<'_>) -> Result<Shared, StoreError> {
    sql::query_one(tx, &LOCK_SHARED, &[]).await?;
    // A statement of its own: the snapshot of the one that waited is older than what it waited for.
    let row = sql::query_one(tx, &TO_EVALUATE, &[]).await?;
    Ok(Shared {
        generation: sql::get(&row, &TO_EVALUATE, 0)?,
        erasures: sql::get(&row, &TO_EVALUATE, 1)?,
    })
}

/// Waits for the evaluations under way and keeps new ones out until this transaction ends.
pub(crate) async fn wait_for_evaluations(tx: &Transaction<'_>) -> Result<(), StoreError> {
    sql::query_one(tx, &LOCK, &[]).await.map(drop)
}

/// Waits for the evaluations under way, keeps new ones out until this transaction ends, and returns the generation it makes.
///
/// Call it before anything else in a transaction that changes definitions, schedules or places, and commit soon.
pub async fn change(tx: &Transaction<'_>) -> Result<i64, StoreError> {
    wait_for_evaluations(tx).await?;
    let row = sql::query_one(tx, &RAISE, &[]).await?;
    sql::get(&row, &RAISE, 0)
}

/// All definitions, by name and version.
pub async fn list(conn: &impl Connection) -> Result<Vec<StoredDefinition>, StoreError> {
    let rows = sql::query(conn, &LIST, &[]).await?;
    rows.iter()
        .map(|row| StoredDefinition::read(row, &LIST))
        .collect()
}

/// Stores a definition as a draft. A version that is there keeps its text: equal content is [`Inserted::Same`] (also when comments or
/// layout differ), other content is [`Inserted::Differs`], and nothing was written.
///
/// A row without a text, as an early release seeded it, takes this one and keeps its status.
pub async fn insert(
    tx: &Transaction<'_>,
    definition: &NewDefinition<'_>,
) -> Result<Inserted, StoreError> {
    no_nul("name", definition.name)?;
    no_nul("unit", definition.unit)?;
    no_nul("text", definition.text)?;
    let version = i32::from(definition.version.0);
    let params: sql::Params<'_> = &[
        &definition.name,
        &version,
        &definition.unit,
        &definition.text,
        &definition.digest,
    ];
    if sql::execute(tx, &INSERT, params).await? == 1 {
        return Ok(Inserted::New);
    }
    let row = sql::query_one(tx, &COMPARE, &[&definition.name, &version]).await?;
    if sql::get(&row, &COMPARE, 0)? {
        sql::execute(tx, &FILL, params).await?;
        return Ok(Inserted::New);
    }
    let stored: Option<&[u8]> = sql::get(&row, &COMPARE, 1)?;
    Ok(Inserted::compared(stored, definition.digest))
}

/// Sets the status of one version; `false`: there is no such version, and nothing was written.
///
/// The current version keeps its status ([`StoreError::CurrentVersion`]): another must be promoted first. [`Status::Current`] is
/// [`promote`].
pub async fn set_status(
    tx: &Transaction<'_>,
    name: &str,
    version: MetricVersion,
    status: Status,
) -> Result<bool, StoreError> {
    let versions = lock_versions(tx, name).await?;
    match versions.iter().find(|(number, _)| *number == version) {
        None => Ok(false),
        Some((_, held)) if *held == status => Ok(true),
        Some((_, Status::Current)) => Err(StoreError::CurrentVersion {
            name: name.to_owned(),
            version,
        }),
        Some(_) if status == Status::Current => promote(tx, name, version).await.map(|_| true),
        Some(_) => write_status(tx, name, version, status).await.map(|()| true),
    }
}

/// Makes a candidate the version that dashboards see. Readers see the old one until the commit and the new one after it, never none or
/// both. The old one becomes a candidate; the change is noted in `kpi_promotions`.
///
/// Whether the candidate covers what the current version has is the caller's question, see [`coverage()`]. A version that is no candidate
/// is refused with [`StoreError::NotCandidate`]: it is not computed, so its rows are incomplete or stale.
pub async fn promote(
    tx: &Transaction<'_>,
    name: &str,
    version: MetricVersion,
) -> Result<Promoted, StoreError> {
    let versions = lock_versions(tx, name).await?;
    let status = versions
        .iter()
        .find(|(number, _)| *number == version)
        .map(|(_, status)| *status);
    if status != Some(Status::Candidate) {
        return Err(StoreError::NotCandidate {
            name: name.to_owned(),
            version,
            status,
        });
    }
    let previous = versions
        .iter()
        .find(|(_, status)| *status == Status::Current)
        .map(|(number, _)| *number);
    // The old one first: at no moment, not even within the transaction, may two be current.
    if let Some(previous) = previous {
        write_status(tx, name, previous, Status::Candidate).await?;
    }
    write_status(tx, name, version, Status::Current).await?;
    let stored = previous.map(|previous| i32::from(previous.0));
    let number = Some(i32::from(version.0));
    sql::execute(tx, &NOTE_PROMOTION, &[&name, &number, &stored]).await?;
    Ok(Promoted { previous })
}

/// Takes the current version from dashboards, which see no version of the KPI then: the way back from a first promotion. It goes on being
/// computed as a candidate. Returns which it was; none where there is no current version.
pub async fn withdraw(
    tx: &Transaction<'_>,
    name: &str,
) -> Result<Option<MetricVersion>, StoreError> {
    let versions = lock_versions(tx, name).await?;
    let current = versions
        .iter()
        .find(|(_, status)| *status == Status::Current)
        .map(|(number, _)| *number);
    if let Some(current) = current {
        write_status(tx, name, current, Status::Candidate).await?;
        let params: sql::Params<'_> = &[&name, &None::<i32>, &Some(i32::from(current.0))];
        sql::execute(tx, &NOTE_PROMOTION, params).await?;
    }
    Ok(current)
}

/// The newest promotion of a KPI: what a way back goes by.
pub async fn last_promotion(
    conn: &impl Connection,
    name: &str,
) -> Result<Option<Promotion>, StoreError> {
    no_nul("name", name)?;
    let sql = &LAST_PROMOTION;
    let rows = sql::query(conn, sql, &[&name]).await?;
    rows.first()
        .map(|row| {
            Ok(Promotion {
                version: sql::get::<Option<i32>>(row, sql, 0)?
                    .map(version)
                    .transpose()?,
                previous: sql::get::<Option<i32>>(row, sql, 1)?
                    .map(version)
                    .transpose()?,
                at: sql::get::<Instant>(row, sql, 2)?.0,
                generation: sql::get(row, sql, 3)?,
            })
        })
        .transpose()
}

async fn lock_versions(
    tx: &Transaction<'_>,
    name: &str,
) -> Result<Vec<(MetricVersion, Status)>, StoreError> {
    no_nul("name", name)?;
    let rows = sql::query(tx, &STATUSES, &[&name]).await?;
    rows.iter()
        .map(|row| {
            let number = version(sql::get(row, &STATUSES, 0)?)?;
            Ok((number, Status::read(sql::get(row, &STATUSES, 1)?)?))
        })
        .collect()
}

async fn write_status(
    tx: &Transaction<'_>,
    name: &str,
    version: MetricVersion,
    status: Status,
) -> Result<(), StoreError> {
    let params: sql::Params<'_> = &[&name, &i32::from(version.0), &status.as_str()];
    sql::execute(tx, &SET_STATUS, params).await.map(drop)
}
