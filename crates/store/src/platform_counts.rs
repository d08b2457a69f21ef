//! What platforms count themselves, to compare with what arrived.

use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// Whose count of what, and of which stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The entry of the platforms file.
    pub platform: &'a str,
    /// What is counted: `conversations`, `talk_seconds` …
    pub measure: &'a str,
    /// From when.
    pub from: UtcMicros,
    /// Until when, exclusive.
    pub to: UtcMicros,
}

/// A count of one scope.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// A queue, a media type …; empty: all.
    pub scope: String,
    /// How many, or how much.
    pub value: f64,
}

/// A count of a stretch, and what was found beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// The entry of the platforms file.
    pub platform: String,
    /// What is counted.
    pub measure: String,
    /// From when.
    pub from: UtcMicros,
    /// Until when, exclusive.
    pub to: UtcMicros,
    /// The platform's count.
    pub value: f64,
    /// When it was fetched.
    pub fetched_at: UtcMicros,
    /// How many were here when they were last compared.
    pub ours: Option<i64>,
    /// When that was.
    pub compared_at: Option<UtcMicros>,
    /// Too few were, for long enough.
    pub short: bool,
}

static PUT: Sql = Sql {
    step: "write what a platform counts",
    text: "INSERT INTO platform_counts (tenant, platform, measure, from_at, to_at, scope, value) \
           SELECT $1, $2, $3, $4, $5, u.scope, u.value FROM unnest($6::text[], $7::float8[]) AS u (scope, value) \
           ON CONFLICT (tenant, platform, measure, from_at, to_at, scope) DO UPDATE SET value = EXCLUDED.value, fetched_at = now()",
};

static GET: Sql = Sql {
    step: "read what a platform counts",
    text: "SELECT scope, value FROM platform_counts \
           WHERE tenant = $1 AND platform = $2 AND measure = $3 AND from_at = $4 AND to_at = $5 AND fetched_at >= $6 ORDER BY scope",
};

// Whole hours at most: the counts of days are for jobs.
static NEWEST: Sql = Sql {
    step: "list what a platform counted lately",
    text: "SELECT platform, measure, from_at, to_at, value, fetched_at, ours, compared_at, short FROM platform_counts \
           WHERE tenant = $1 AND ($2::text IS NULL OR platform = $2) AND measure = ANY ($3) AND scope = '' AND to_at >= $4 AND to_at - from_at <= interval '1 hour' \
           ORDER BY from_at, platform, measure, to_at",
};

static SHORT: Sql = Sql {
    step: "list counts that were short",
    text: "SELECT platform, measure, from_at, to_at, value, fetched_at, ours, compared_at, short FROM platform_counts \
           WHERE tenant = $1 AND ($2::text IS NULL OR platform = $2) AND measure = ANY ($3) AND scope = '' AND short AND to_at < $4 \
             AND compared_at < now() - interval '1 minute' AND to_at - from_at <= interval '1 hour' ORDER BY compared_at LIMIT 100",
};

static COMPARED: Sql = Sql {
    step: "note what is here beside what a platform counts",
    text: "UPDATE platform_counts SET ours = $6, short = $7, compared_at = now() \
           WHERE tenant = $1 AND platform = $2 AND measure = $3 AND from_at = $4 AND to_at = $5 AND scope = ''",
};

static PRUNE: Sql = Sql {
    step: "delete old counts of platforms",
    text: "DELETE FROM platform_counts WHERE fetched_at < $1",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&PUT, &GET, &NEWEST, &SHORT, &COMPARED, &PRUNE];

/// Writes counts of one stretch, over what was counted there before. Of two of one scope the later one holds.
pub async fn put(
    conn: &impl Connection,
    of: &Stretch<'_>,
    counts: &[Count],
) -> Result<(), StoreError> {
    check(of)?;
    for count in counts {
        no_nul("scope", &count.scope)?;
    }
    let sorted = last_per_key(counts, |count| count.scope.as_str());
    if sorted.is_empty() {
        return Ok(());
    }
    let scopes = column(&sorted, |count| count.scope.as_str());
    let values = column(&sorted, |count| count.value);
    let (from, to) = (Instant(of.from), Instant(of.to));
    let params: sql::Params<'_> = &[
        &of.tenant,
        &of.platform,
        &of.measure,
        &from,
        &to,
        &scopes,
        &values,
    ];
    sql::execute(conn, &PUT, params).await.map(drop)
}

/// The counts of exactly this stretch, by scope, that were fetched at `since` or later: what was counted while the stretch still filled is too
/// little.
pub async fn get(
    conn: &impl Connection,
    of: &Stretch<'_>,
    since: UtcMicros,
) -> Result<Vec<Count>, StoreError> {
    check(of)?;
    let (from, to, since) = (Instant(of.from), Instant(of.to), Instant(since));
    let params: sql::Params<'_> = &[&of.tenant, &of.platform, &of.measure, &from, &to, &since];
    sql::query(conn, &GET, params)
        .await?
        .iter()
        .map(|row| {
            Ok(Count {
                scope: sql::get(row, &GET, 0)?,
                value: sql::get(row, &GET, 1)?,
            })
        })
        .collect()
}

/// Counts of all of a platform, or of every platform of an organisation, of stretches of an hour or less that ended at `since` or later, in the
/// order of time.
pub async fn newest(
    conn: &impl Connection,
    tenant: &str,
    platform: Option<&str>,
    measures: &[&str],
    since: UtcMicros,
) -> Result<Vec<Counted>, StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("platform", platform.unwrap_or_default())?;
    list(
        conn,
        &NEWEST,
        &[&tenant, &platform, &measures, &Instant(since)],
    )
    .await
}

/// The same of earlier stretches of which too few were here when they were last compared, a minute ago or longer: history may have come since.
/// At most a hundred, those looked at longest ago.
pub async fn short(
    conn: &impl Connection,
    tenant: &str,
    platform: Option<&str>,
    measures: &[&str],
    before: UtcMicros,
) -> Result<Vec<Counted>, StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("platform", platform.unwrap_or_default())?;
    list(
        conn,
        &SHORT,
        &[&tenant, &platform, &measures, &Instant(before)],
    )
    .await
}

async fn list(
    conn: &impl Connection,
    of: &'static Sql,
    params: sql::Params<'_>,
) -> Result<Vec<Counted>, StoreError> {
    sql::query(conn, of, params)
        .await?
        .iter()
        .map(|row| {
            Ok(Counted {
                platform: sql::get(row, of, 0)?,
                measure: sql::get(row, of, 1)?,
                from: sql::get::<Instant>(row, of, 2)?.0,
                to: sql::get::<Instant>(row, of, 3)?.0,
                value: sql::get(row, of, 4)?,
                fetched_at: sql::get::<Instant>(row, of, 5)?.0,
                ours: sql::get(row, of, 6)?,
                compared_at: sql::get::<Option<Instant>>(row, of, 7)?.map(|at| at.0),
                short: sql::get(row, of, 8)?,
            })
        })
        .collect()
}

/// Notes beside the count of all of a stretch how many are here, and whether they are too few. `false`: there is no such count.
pub async fn compared(
    conn: &impl Connection,
    of: &Stretch<'_>,
    ours: i64,
    short: bool,
) -> Result<bool, StoreError> {
    check(of)?;
    let params: sql::Params<'_> = &[
        &of.tenant,
        &of.platform,
        &of.measure,
        &Instant(of.from),
        &Instant(of.to),
        &ours,
        &short,
    ];
    Ok(sql::execute(conn, &COMPARED, params).await? == 1)
}

/// Deletes what was fetched before an instant. Returns how many went.
pub async fn prune(conn: &impl Connection, before: UtcMicros) -> Result<u64, StoreError> {
    sql::execute(conn, &PRUNE, &[&Instant(before)]).await
}

fn check(of: &Stretch<'_>) -> Result<(), StoreError> {
    no_nul("tenant", of.tenant)?;
    no_nul("platform", of.platform)?;
    no_nul("measure", of.measure)
}
