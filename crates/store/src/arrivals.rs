//! What has become of what a backfill brought: logged, folded, evaluated, added up.
//!
//! An empty queue proves nothing, because a worker may hold messages. So what arrived is counted where it rests.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::metrics::version;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{MetricVersion, UtcMicros};

/// Whose interactions of which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch<'a> {
    /// The organisations.
    pub tenants: &'a [String],
    /// The first instant.
    pub from: UtcMicros,
    /// The first instant after it.
    pub to: UtcMicros,
}

/// How far interactions that began in a stretch are evaluated under a version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Computed {
    /// Interactions that have ended or were given up.
    pub interactions: i64,
    /// Of these, those that, as they are, the version was not evaluated for.
    pub missing: i64,
    /// Of these, those that a storm left something owed to.
    pub owed: i64,
}

/// Rows of another version that is switched on, written since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The KPI.
    pub name: String,
    /// The version.
    pub version: MetricVersion,
    /// Rows that are new.
    pub new: i64,
    /// Rows that were there and changed.
    pub revised: i64,
}

// One row of the log for each version of a record, so records are counted by their id. The formats are those of the index: a plan for any
// format could not use it.
static ARRIVED: Sql = Sql {
    step: "count the records that arrived",
    text: "SELECT count(DISTINCT e.event_id) FROM event_log e \
           WHERE e.occurred_at >= $3 AND e.occurred_at < $4 AND e.tenant = $1 AND e.subscription = $2 \
             AND e.format = $5 AND e.format IN ('\"genesys_details\"', '\"cxone_contacts\"') \
             AND EXISTS (SELECT FROM interactions i WHERE i.tenant = e.tenant AND i.interaction_id = e.interaction_id)",
};

// Evaluated as a promotion asks it, or by a job for this very version, which is all there is of one that is not switched on.
static COMPUTED: Sql = Sql {
    step: "look what is computed of a stretch",
    text: "WITH asked AS MATERIALIZED ( \
             SELECT activated_generation, activation_id, status FROM kpi_definitions \
             WHERE version = $4::integer AND activated_at IS NOT NULL AND (cardinality($5::text[]) = 0 OR name = ANY ($5)) \
         ), begun AS MATERIALIZED ( \
             SELECT i.tenant, i.interaction_id, \
                    $4 = ANY (i.metric_versions) OR NOT EXISTS ( \
                        SELECT FROM asked a WHERE a.status NOT IN ('candidate', 'current') \
                            OR NOT (coalesce(i.evaluated_generation, 0) >= a.activated_generation \
                                    OR coalesce(a.activation_id = ANY (i.evaluated_also), false))) AS covered \
             FROM interactions i \
             WHERE i.tenant = ANY ($1::text[]) AND i.started_at >= $2 AND i.started_at < $3 \
               AND (i.status <> 'open' OR i.swept_at IS NOT NULL) \
         ) \
         SELECT count(*), count(*) FILTER (WHERE NOT b.covered), \
                count(*) FILTER (WHERE EXISTS (SELECT FROM deferred_evaluations d WHERE d.tenant = b.tenant \
                                                 AND d.interaction_id = b.interaction_id AND NOT d.written_off)) \
         FROM begun b",
};

static MARKED: Sql = Sql {
    step: "count the marks about a stretch",
    text: "SELECT count(*) FROM dirty_marks \
           WHERE tenant = ANY ($1::text[]) AND from_at < $3 AND to_at > $2 AND queued_at < $4",
};

static TOUCHED: Sql = Sql {
    step: "count what was written of other versions",
    text: "SELECT m.metric_type, m.metric_version, count(*) FILTER (WHERE m.created_at >= $4), count(*) FILTER (WHERE m.created_at < $4) \
           FROM kpi_definitions k JOIN computed_metrics m ON m.metric_type = k.name AND m.metric_version = k.version \
           WHERE k.status IN ('candidate', 'current') AND k.version <> $5 AND m.timestamp_utc >= $2 AND m.timestamp_utc < $3 \
             AND m.tenant = ANY ($1::text[]) AND m.updated_at >= $4 \
           GROUP BY 1, 2 ORDER BY 1, 2",
};

// From tenant to tenant along the key.
static TENANTS: Sql = Sql {
    step: "list who has interactions",
    text: "WITH RECURSIVE found AS ( \
               (SELECT tenant FROM interactions ORDER BY tenant LIMIT 1) \
               UNION ALL \
               SELECT (SELECT i.tenant FROM interactions i WHERE i.tenant > f.tenant ORDER BY i.tenant LIMIT 1) \
               FROM found f WHERE f.tenant IS NOT NULL \
           ) SELECT tenant FROM found WHERE tenant IS NOT NULL",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&ARRIVED, &COMPUTED, &MARKED, &TOUCHED, &TENANTS];

/// Everybody who has interactions.
pub async fn tenants(conn: &impl Connection) -> Result<Vec<String>, StoreError> {
    let rows = sql::query(conn, &TENANTS, &[]).await?;
    rows.iter().map(|row| sql::get(row, &TENANTS, 0)).collect()
}

/// Formats of which records are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Genesys conversation details.
    GenesysDetails,
    /// CXone contact records.
    CxoneContacts,
}

impl Counted {
    /// As the log has it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::GenesysDetails => "\"genesys_details\"",
            Self::CxoneContacts => "\"cxone_contacts\"",
        }
    }
}

/// How many different records of a format, dated in this stretch, are in the log and folded. Reads no more of the log than these.
pub async fn records(
    conn: &impl Connection,
    tenant: &str,
    subscription: &str,
    format: Counted,
    from: UtcMicros,
    to: UtcMicros,
) -> Result<i64, StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("subscription", subscription)?;
    let params: sql::Params<'_> = &[
        &tenant,
        &subscription,
        &Instant(from),
        &Instant(to),
        &format.as_str(),
    ];
    let row = sql::query_one(conn, &ARRIVED, params).await?;
    sql::get(&row, &ARRIVED, 0)
}

/// How far a stretch is evaluated under a version: by the definitions of these names, or by all with that number where none is named.
pub async fn computed<N: AsRef<str> + Sync>(
    conn: &impl Connection,
    stretch: &Stretch<'_>,
    version: MetricVersion,
    names: &[N],
) -> Result<Computed, StoreError> {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let params: sql::Params<'_> = &[
        &stretch.tenants,
        &Instant(stretch.from),
        &Instant(stretch.to),
        &i32::from(version.0),
        &names,
    ];
    let row = sql::query_one(conn, &COMPUTED, params).await?;
    Ok(Computed {
        interactions: sql::get(&row, &COMPUTED, 0)?,
        missing: sql::get(&row, &COMPUTED, 1)?,
        owed: sql::get(&row, &COMPUTED, 2)?,
    })
}

/// How many marks about a stretch, written before an instant, still wait to be computed.
pub async fn marked(
    conn: &impl Connection,
    stretch: &Stretch<'_>,
    before: UtcMicros,
) -> Result<i64, StoreError> {
    let params: sql::Params<'_> = &[
        &stretch.tenants,
        &Instant(stretch.from),
        &Instant(stretch.to),
        &Instant(before),
    ];
    let row = sql::query_one(conn, &MARKED, params).await?;
    sql::get(&row, &MARKED, 0)
}

/// What was written since an instant of every other version that is switched on, dated in this stretch. News of live traffic count, too.
pub async fn touched(
    conn: &impl Connection,
    stretch: &Stretch<'_>,
    since: UtcMicros,
    but: MetricVersion,
) -> Result<Vec<Touched>, StoreError> {
    let params: sql::Params<'_> = &[
        &stretch.tenants,
        &Instant(stretch.from),
        &Instant(stretch.to),
        &Instant(since),
        &i32::from(but.0),
    ];
    sql::query(conn, &TOUCHED, params)
        .await?
        .iter()
        .map(|row| {
            Ok(Touched {
                name: sql::get(row, &TOUCHED, 0)?,
                version: version(sql::get(row, &TOUCHED, 1)?)?,
                new: sql::get(row, &TOUCHED, 2)?,
                revised: sql::get(row, &TOUCHED, 3)?,
            })
        })
        .collect()
}
