//! How far the numbers of each platform are to be trusted now, what it was before, and which stretches of time are doubtful.
//!
//! One process of deliver looks and writes ([`lock`], [`put`]); everybody reads ([`states`], [`changes`], [`stretches`]). What is read says
//! `stale` of a platform that nobody has looked at for two minutes, whatever was written of it last.

pub mod evidence;

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::json::printable;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::{Instant, Json, JsonText};
use schema::{PlatformState, UtcMicros};
use std::time::Duration;
use tokio_postgres::Row;

/// A platform as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Platform {
    /// The organisation.
    pub tenant: String,
    /// The platform, by the name that it is watched under.
    pub platform: String,
    /// How it is.
    pub state: PlatformState,
    /// Since when.
    pub since: UtcMicros,
    /// The worst cause in one word; empty: live.
    pub code: String,
    /// Why, for people; empty: live.
    pub reason: String,
    /// From when on numbers are doubtful; none: of no time but what [`stretches`] says besides.
    pub doubtful_from: Option<UtcMicros>,
    /// Alerts on business KPIs mean nothing now.
    pub alerts_inhibited: bool,
    /// How far behind now the numbers are, in seconds.
    pub lag_seconds: f64,
    /// Interactions that the platform counts and that are not here.
    pub count_gap: i64,
    /// All causes: a JSON list of objects with `code`, `state`, `text` and `calm` (it is over, and waits until that has lasted).
    pub causes_json: String,
    /// When it was last looked at.
    pub looked_at: UtcMicros,
}

/// A change of a platform's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number: later ones have larger ones.
    pub id: i64,
    /// The organisation.
    pub tenant: String,
    /// The platform.
    pub platform: String,
    /// What it was.
    pub before: PlatformState,
    /// What it became.
    pub state: PlatformState,
    /// When.
    pub at: UtcMicros,
    /// The worst cause in one word; empty: live.
    pub code: String,
    /// Why, for people; empty: live.
    pub reason: String,
    /// From when on numbers were doubtful.
    pub doubtful_from: Option<UtcMicros>,
}

/// A stretch of time whose numbers are doubtful, half-open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// The organisation.
    pub tenant: String,
    /// The platform; empty: not told apart.
    pub platform: String,
    /// From when.
    pub from: UtcMicros,
    /// Until when; none: it is not over yet.
    pub to: Option<UtcMicros>,
    /// What it is in.
    pub state: PlatformState,
    /// Why, in one word.
    pub code: String,
    /// Why, for people.
    pub reason: String,
}

/// What one look came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The platform.
    pub platform: &'a str,
    /// When it was looked, by the server's clock.
    pub at: UtcMicros,
    /// How it is.
    pub state: PlatformState,
    /// Since when.
    pub since: UtcMicros,
    /// What it was, where it has changed.
    pub before: Option<PlatformState>,
    /// The worst cause in one word.
    pub code: &'a str,
    /// Why, for people.
    pub reason: &'a str,
    /// From when on numbers are doubtful.
    pub doubtful_from: Option<UtcMicros>,
    /// How far behind now the numbers are, in seconds.
    pub lag_seconds: f64,
    /// Interactions that the platform counts and that are not here.
    pub count_gap: i64,
    /// All causes, a JSON list.
    pub causes_json: &'a str,
    /// What the next look goes on with.
    pub memory_json: &'a str,
}

static STATES: Sql = Sql {
    step: "read how platforms are",
    text: "SELECT tenant, platform, state, since, code, reason, doubtful_from, alerts_inhibited, lag_seconds, count_gap, causes, looked_at \
           FROM platform_freshness WHERE $1::text IS NULL OR tenant = $1 ORDER BY tenant, platform",
};

static CHANGES: Sql = Sql {
    step: "list changes of platforms' states",
    text: "SELECT change_id, tenant, platform, before, state, at, code, reason, doubtful_from FROM platform_state_changes \
           WHERE tenant = $1 AND ($2::text IS NULL OR platform = $2) AND at >= $3 AND at < $4 AND ($5::bigint IS NULL OR change_id < $5) \
           ORDER BY change_id DESC LIMIT $6",
};

static STRETCHES: Sql = Sql {
    step: "list stretches of doubtful numbers",
    text: "SELECT tenant, platform, from_at, to_at, state, code, reason FROM untrusted_stretches \
           WHERE tenant = $1 AND from_at < $3 AND (to_at IS NULL OR to_at > $2) ORDER BY from_at, platform, to_at",
};

static LOCK: Sql = Sql {
    step: "lock a platform's state",
    text: "SELECT memory FROM platform_states WHERE tenant = $1 AND platform = $2 FOR UPDATE",
};

// Never an older look over a newer one.
static PUT: Sql = Sql {
    step: "write how a platform is",
    text: "INSERT INTO platform_states AS s (tenant, platform, state, since, code, reason, doubtful_from, lag_seconds, count_gap, causes, \
                                             memory, looked_at) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
           ON CONFLICT (tenant, platform) DO UPDATE SET \
                  state = EXCLUDED.state, since = EXCLUDED.since, code = EXCLUDED.code, reason = EXCLUDED.reason, \
                  doubtful_from = EXCLUDED.doubtful_from, lag_seconds = EXCLUDED.lag_seconds, count_gap = EXCLUDED.count_gap, \
                  causes = EXCLUDED.causes, memory = EXCLUDED.memory, looked_at = EXCLUDED.looked_at \
           WHERE s.looked_at < EXCLUDED.looked_at",
};

static CHANGED: Sql = Sql {
    step: "note a change of a platform's state",
    text: "INSERT INTO platform_state_changes (tenant, platform, before, state, at, code, reason, doubtful_from) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
};

static FORGET: Sql = Sql {
    step: "forget platforms that nobody watches",
    text: "DELETE FROM platform_states s WHERE s.looked_at < now() - $3 * interval '1 second' \
             AND NOT EXISTS (SELECT FROM unnest($1::text[], $2::text[]) AS u (tenant, platform) \
                             WHERE u.tenant = s.tenant AND u.platform = s.platform)",
};

static PRUNE: Sql = Sql {
    step: "delete old changes of platforms' states",
    text: "DELETE FROM platform_state_changes WHERE at < $1",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &STATES, &CHANGES, &STRETCHES, &LOCK, &PUT, &CHANGED, &FORGET, &PRUNE,
];

fn state(row: &Row, sql: &Sql, column: usize) -> Result<PlatformState, StoreError> {
    let word: &str = sql::get(row, sql, column)?;
    PlatformState::parse(word).ok_or_else(|| StoreError::Unreadable {
        column: "platform_states.state",
        value: word.to_owned(),
    })
}

fn instant(row: &Row, sql: &Sql, column: usize) -> Result<Option<UtcMicros>, StoreError> {
    Ok(sql::get::<Option<Instant>>(row, sql, column)?.map(|at| at.0))
}

/// Every platform of an organisation, or of all, as it is now.
pub async fn states(
    conn: &impl Connection,
    tenant: Option<&str>,
) -> Result<Vec<Platform>, StoreError> {
    no_nul("tenant", tenant.unwrap_or_default())?;
    let sql = &STATES;
    sql::query(conn, sql, &[&tenant])
        .await?
        .iter()
        .map(|row| {
            Ok(Platform {
                tenant: sql::get(row, sql, 0)?,
                platform: sql::get(row, sql, 1)?,
                state: state(row, sql, 2)?,
                since: sql::get::<Instant>(row, sql, 3)?.0,
                code: sql::get(row, sql, 4)?,
                reason: sql::get(row, sql, 5)?,
                doubtful_from: instant(row, sql, 6)?,
                alerts_inhibited: sql::get(row, sql, 7)?,
                lag_seconds: sql::get(row, sql, 8)?,
                count_gap: sql::get(row, sql, 9)?,
                causes_json: sql::get::<JsonText>(row, sql, 10)?.0,
                looked_at: sql::get::<Instant>(row, sql, 11)?.0,
            })
        })
        .collect()
}

/// Which changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The platform; none: all of them.
    pub platform: Option<&'a str>,
    /// From when.
    pub from: UtcMicros,
    /// Until when, exclusive.
    pub to: UtcMicros,
    /// Only those before this one: the last of the page before.
    pub before: Option<i64>,
    /// How many at most.
    pub limit: u32,
}

/// Changes of platforms' states, the newest first.
pub async fn changes(
    conn: &impl Connection,
    wanted: &Wanted<'_>,
) -> Result<Vec<Change>, StoreError> {
    no_nul("tenant", wanted.tenant)?;
    no_nul("platform", wanted.platform.unwrap_or_default())?;
    let sql = &CHANGES;
    let params: sql::Params<'_> = &[
        &wanted.tenant,
        &wanted.platform,
        &Instant(wanted.from),
        &Instant(wanted.to),
        &wanted.before,
        &i64::from(wanted.limit),
    ];
    sql::query(conn, sql, params)
        .await?
        .iter()
        .map(|row| {
            Ok(Change {
                id: sql::get(row, sql, 0)?,
                tenant: sql::get(row, sql, 1)?,
                platform: sql::get(row, sql, 2)?,
                before: state(row, sql, 3)?,
                state: state(row, sql, 4)?,
                at: sql::get::<Instant>(row, sql, 5)?.0,
                code: sql::get(row, sql, 6)?,
                reason: sql::get(row, sql, 7)?,
                doubtful_from: instant(row, sql, 8)?,
            })
        })
        .collect()
}

/// The stretches of doubtful numbers of an organisation that overlap this one, in the order of time. A window that one of them overlaps is to
/// be marked.
pub async fn stretches(
    conn: &impl Connection,
    tenant: &str,
    from: UtcMicros,
    to: UtcMicros,
) -> Result<Vec<Untrusted>, StoreError> {
    no_nul("tenant", tenant)?;
    let sql = &STRETCHES;
    sql::query(conn, sql, &[&tenant, &Instant(from), &Instant(to)])
        .await?
        .iter()
        .map(|row| {
            Ok(Untrusted {
                tenant: sql::get(row, sql, 0)?,
                platform: sql::get(row, sql, 1)?,
                from: sql::get::<Instant>(row, sql, 2)?.0,
                to: instant(row, sql, 3)?,
                state: state(row, sql, 4)?,
                code: sql::get(row, sql, 5)?,
                reason: sql::get(row, sql, 6)?,
            })
        })
        .collect()
}

/// What the last look left for the next one; locks the platform until the transaction ends. `None`: nobody has looked yet.
pub async fn lock(
    tx: &Transaction<'_>,
    tenant: &str,
    platform: &str,
) -> Result<Option<String>, StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("platform", platform)?;
    let rows = sql::query(tx, &LOCK, &[&tenant, &platform]).await?;
    rows.first()
        .map(|row| Ok(sql::get::<JsonText>(row, &LOCK, 0)?.0))
        .transpose()
}

/// Writes what a look came to, and the change if there is one. `false`: somebody has looked later, and nothing was written.
pub async fn put(tx: &Transaction<'_>, look: &Look<'_>) -> Result<bool, StoreError> {
    no_nul("tenant", look.tenant)?;
    no_nul("platform", look.platform)?;
    let reason = printable(look.reason);
    let doubtful = look.doubtful_from.map(Instant);
    let params: sql::Params<'_> = &[
        &look.tenant,
        &look.platform,
        &look.state.as_str(),
        &Instant(look.since),
        &look.code,
        &reason,
        &doubtful,
        &look.lag_seconds,
        &look.count_gap,
        &Json::new(look.causes_json),
        &Json::new(look.memory_json),
        &Instant(look.at),
    ];
    if sql::execute(tx, &PUT, params).await? == 0 {
        return Ok(false);
    }
    if let Some(before) = look.before {
        let params: sql::Params<'_> = &[
            &look.tenant,
            &look.platform,
            &before.as_str(),
            &look.state.as_str(),
            &Instant(look.at),
            &look.code,
            &reason,
            &doubtful,
        ];
        sql::execute(tx, &CHANGED, params).await?;
    }
    Ok(true)
}

/// Forgets platforms that are not among these and that nobody has looked at for so long: they are watched no longer. Returns how many.
pub async fn forget_others(
    conn: &impl Connection,
    watched: &[(&str, &str)],
    silent_for: Duration,
) -> Result<u64, StoreError> {
    let (tenants, platforms): (Vec<&str>, Vec<&str>) = watched.iter().copied().unzip();
    let params: sql::Params<'_> = &[&tenants, &platforms, &silent_for.as_secs_f64()];
    sql::execute(conn, &FORGET, params).await
}

/// Deletes changes from before an instant. Returns how many went.
pub async fn prune(conn: &impl Connection, before: UtcMicros) -> Result<u64, StoreError> {
    sql::execute(conn, &PRUNE, &[&Instant(before)]).await
}
