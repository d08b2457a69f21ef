//! What a look at a platform goes by, besides what other modules read: how events come, what windows wait for, how many interactions began.

use crate::columns::{column, no_nul};
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::subscriptions::State;
use crate::types::Instant;
use schema::UtcMicros;
use std::time::Duration;

/// The component of `pipeline_status` under which backfill says how far what it follows is.
pub const FOLLOW: &str = "backfill follow";

/// A subscription, as far as it matters for how new the numbers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Its name.
    pub subscription: String,
    /// Since when it is watched.
    pub watched_since: UtcMicros,
    /// When its newest delivery was received.
    pub last_received_at: Option<UtcMicros>,
    /// When the newest delivery with anything new in it was received. None: nothing ever had, or by a release that did not say.
    pub news_at: Option<UtcMicros>,
    /// The newest event's own instant.
    pub newest_event_at: Option<UtcMicros>,
    /// What the watchdog of ingest thinks of it.
    pub state: State,
    /// Why.
    pub reason: String,
}

/// Quarter hours of the newest time that wait to be added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// How many marks; of very many a bounded number.
    pub marks: i64,
    /// Since when the oldest waits.
    pub since: UtcMicros,
    /// The earliest instant that they are about.
    pub from: UtcMicros,
}

/// How far a source is fetched that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The source.
    pub source: String,
    /// Up to when everything is fetched. It stands still while nobody fetches.
    pub until: UtcMicros,
    /// How far behind now that is as a rule.
    pub usual: Duration,
}

/// What a storm left to be evaluated of one organisation. What is refused again and again is none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owed {
    /// Interactions; of very many a bounded number.
    pub interactions: i64,
    /// When the first of them began.
    pub from: UtcMicros,
}

static FEEDS: Sql = Sql {
    step: "read how events of an organisation come",
    text: "SELECT subscription, watched_since, last_received_at, news_at, newest_event_at, state, reason \
           FROM subscription_status WHERE tenant = $1 ORDER BY subscription",
};

static WAITING: Sql = Sql {
    step: "look what windows of the newest time wait for",
    text: "SELECT count(*), min(queued_at), min(from_at) \
           FROM (SELECT queued_at, from_at FROM dirty_marks WHERE kind = 'cell' AND tenant = $1 AND from_at >= $2 \
                 ORDER BY from_at DESC LIMIT 20000) m",
};

static OWED: Sql = Sql {
    step: "look what is owed to an organisation",
    text: "SELECT count(*), min(from_at) FROM (SELECT from_at FROM deferred_evaluations WHERE tenant = $1 AND NOT written_off \
                                               ORDER BY from_at LIMIT 100000) d",
};

static BEGUN: Sql = Sql {
    step: "count the interactions that began in stretches",
    text: "SELECT (SELECT count(*) FROM interactions i WHERE i.tenant = $1 AND i.started_at >= u.from_at AND i.started_at < u.to_at) \
           FROM unnest($2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY AS u (from_at, to_at, nth) ORDER BY u.nth",
};

static NOTE_FOLLOWED: Sql = Sql {
    step: "note how far a followed source is fetched",
    text: "INSERT INTO pipeline_status (component, instance, status) \
           VALUES ($1, $3::text || '/' || $4::text, jsonb_build_object('tenant', $2::text, 'platform', $3::text, 'source', $4::text, \
                                                                       'until_us', $5::bigint, 'usual_seconds', $6::bigint)) \
           ON CONFLICT (component, instance) DO UPDATE SET status = EXCLUDED.status, updated_at = now()",
};

static FOLLOWED: Sql = Sql {
    step: "read how far followed sources are fetched",
    text: "SELECT status ->> 'source', (status ->> 'until_us')::bigint, (status ->> 'usual_seconds')::bigint FROM pipeline_status \
           WHERE component = $1 AND status ->> 'tenant' = $2 AND ($3::text IS NULL OR status ->> 'platform' = $3) ORDER BY instance",
};

static FORGET_FOLLOWED: Sql = Sql {
    step: "forget sources that are followed no longer",
    text: "DELETE FROM pipeline_status WHERE component = $1 AND status ->> 'platform' = $2 AND NOT (status ->> 'source' = ANY ($3))",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &FEEDS,
    &WAITING,
    &OWED,
    &BEGUN,
    &NOTE_FOLLOWED,
    &FOLLOWED,
    &FORGET_FOLLOWED,
];

/// Notes how far a source of a platform is fetched.
pub async fn note_followed(
    conn: &impl Connection,
    tenant: &str,
    platform: &str,
    followed: &Followed,
) -> Result<(), StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("platform", platform)?;
    let usual = i64::try_from(followed.usual.as_secs()).unwrap_or(i64::MAX);
    let params: sql::Params<'_> = &[
        &FOLLOW,
        &tenant,
        &platform,
        &followed.source,
        &followed.until.0,
        &usual,
    ];
    sql::execute(conn, &NOTE_FOLLOWED, params).await.map(drop)
}

/// The followed sources of a platform, or of every platform of an organisation, by name.
pub async fn followed(
    conn: &impl Connection,
    tenant: &str,
    platform: Option<&str>,
) -> Result<Vec<Followed>, StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("platform", platform.unwrap_or_default())?;
    let sql = &FOLLOWED;
    let rows = sql::query(conn, sql, &[&FOLLOW, &tenant, &platform]).await?;
    rows.iter()
        .map(|row| {
            let usual: i64 = sql::get(row, sql, 2)?;
            Ok(Followed {
                source: sql::get(row, sql, 0)?,
                until: UtcMicros(sql::get(row, sql, 1)?),
                usual: Duration::from_secs(u64::try_from(usual).unwrap_or_default()),
            })
        })
        .collect()
}

/// Forgets the sources of a platform but these: nobody follows them any more.
pub async fn forget_followed(
    conn: &impl Connection,
    platform: &str,
    but: &[&str],
) -> Result<u64, StoreError> {
    no_nul("platform", platform)?;
    sql::execute(conn, &FORGET_FOLLOWED, &[&FOLLOW, &platform, &but]).await
}

/// The subscriptions of an organisation, by name.
pub async fn feeds(conn: &impl Connection, tenant: &str) -> Result<Vec<Feed>, StoreError> {
    no_nul("tenant", tenant)?;
    let sql = &FEEDS;
    let rows = sql::query(conn, sql, &[&tenant]).await?;
    rows.iter()
        .map(|row| {
            let instant = |column| -> Result<Option<UtcMicros>, StoreError> {
                Ok(sql::get::<Option<Instant>>(row, sql, column)?.map(|at| at.0))
            };
            Ok(Feed {
                subscription: sql::get(row, sql, 0)?,
                watched_since: sql::get::<Instant>(row, sql, 1)?.0,
                last_received_at: instant(2)?,
                news_at: instant(3)?,
                newest_event_at: instant(4)?,
                state: State::read(sql::get(row, sql, 5)?),
                reason: sql::get(row, sql, 6)?,
            })
        })
        .collect()
}

/// What windows of the time since an instant wait for; `None`: nothing.
pub async fn waiting(
    conn: &impl Connection,
    tenant: &str,
    since: UtcMicros,
) -> Result<Option<Waiting>, StoreError> {
    no_nul("tenant", tenant)?;
    let sql = &WAITING;
    let row = sql::query_one(conn, sql, &[&tenant, &Instant(since)]).await?;
    let oldest = sql::get::<Option<Instant>>(&row, sql, 1)?;
    let from = sql::get::<Option<Instant>>(&row, sql, 2)?;
    let (Some(oldest), Some(from)) = (oldest, from) else {
        return Ok(None);
    };
    Ok(Some(Waiting {
        marks: sql::get(&row, sql, 0)?,
        since: oldest.0,
        from: from.0,
    }))
}

/// What a storm left to be evaluated; `None`: nothing.
pub async fn owed(conn: &impl Connection, tenant: &str) -> Result<Option<Owed>, StoreError> {
    no_nul("tenant", tenant)?;
    let sql = &OWED;
    let row = sql::query_one(conn, sql, &[&tenant]).await?;
    let from = sql::get::<Option<Instant>>(&row, sql, 1)?;
    Ok(match from {
        None => None,
        Some(from) => Some(Owed {
            interactions: sql::get(&row, sql, 0)?,
            from: from.0,
        }),
    })
}

/// How many interactions began in each of these half-open stretches, in their order. An interaction began with the earliest fact that is known
/// of it, whether it has ended or not: what a platform means by a conversation of an interval.
pub async fn begun(
    conn: &impl Connection,
    tenant: &str,
    stretches: &[(UtcMicros, UtcMicros)],
) -> Result<Vec<i64>, StoreError> {
    no_nul("tenant", tenant)?;
    if stretches.is_empty() {
        return Ok(Vec::new());
    }
    let all: Vec<&(UtcMicros, UtcMicros)> = stretches.iter().collect();
    let from = column(&all, |stretch| Instant(stretch.0));
    let to = column(&all, |stretch| Instant(stretch.1));
    let rows = sql::query(conn, &BEGUN, &[&tenant, &from, &to]).await?;
    rows.iter().map(|row| sql::get(row, &BEGUN, 0)).collect()
}
