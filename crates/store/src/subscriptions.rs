//! Whether each subscription still delivers, and the stretches in which it did not.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::collections::BTreeMap;

/// What a subscription is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nothing was heard of it yet.
    Unknown,
    /// It delivers.
    Ok,
    /// It has not delivered for longer than it should.
    Quiet,
    /// The platform says that it is switched off.
    Disabled,
    /// The platform does not have it.
    Missing,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Unknown,
        Self::Ok,
        Self::Quiet,
        Self::Disabled,
        Self::Missing,
    ];

    /// The word in the table, in metrics and in logs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Quiet => "quiet",
            Self::Disabled => "disabled",
            Self::Missing => "missing",
        }
    }

    pub(crate) fn read(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|state| state.word() == word)
            .unwrap_or(Self::Unknown)
    }
}

/// One subscription's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The subscription.
    pub subscription: String,
    /// Whose it is.
    pub tenant: String,
    /// Since when it is watched.
    pub watched_since: UtcMicros,
    /// When its newest delivery was received.
    pub last_received_at: Option<UtcMicros>,
    /// What it is doing.
    pub state: State,
    /// Since when.
    pub since: UtcMicros,
    /// Why.
    pub reason: String,
    /// The last delivery before the silence under way.
    pub silent_from: Option<UtcMicros>,
    /// The first one after it.
    pub resumed_at: Option<UtcMicros>,
    /// When the platform last said how it is.
    pub checked_at: Option<UtcMicros>,
    /// What should be otherwise there.
    pub findings: String,
}

/// Deliveries of one subscription that came since the last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard<'a> {
    /// The subscription.
    pub subscription: &'a str,
    /// Whose it is.
    pub tenant: &'a str,
    /// When the first of them was received.
    pub first: UtcMicros,
    /// And the last.
    pub last: UtcMicros,
}

/// The newest that came of one subscription since the last report. Copies are no news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News<'a> {
    /// The subscription.
    pub subscription: &'a str,
    /// Whose it is.
    pub tenant: &'a str,
    /// The newest event's own instant, no later than its reception.
    pub event: UtcMicros,
    /// When the newest delivery with anything new in it was received.
    pub received: UtcMicros,
}

/// What a subscription turns into. Only if it is still as it was when this was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// The row that it was decided from.
    pub seen: &'a Standing,
    /// The new state.
    pub state: State,
    /// Since when.
    pub since: UtcMicros,
    /// Why.
    pub reason: &'a str,
    /// The last delivery before the silence under way, if there is one.
    pub silent_from: Option<UtcMicros>,
    /// The first one after it.
    pub resumed_at: Option<UtcMicros>,
    /// A silence that is over: from the last delivery before it to the first one after it.
    pub gap: Option<(UtcMicros, UtcMicros)>,
}

/// A stretch without deliveries that nobody has fetched yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Its number.
    pub id: i64,
    /// The subscription.
    pub subscription: String,
    /// Whose it is.
    pub tenant: String,
    /// The last delivery before it.
    pub from: UtcMicros,
    /// The first one after it.
    pub to: UtcMicros,
    /// What was known of the cause.
    pub reason: String,
}

static WATCH: Sql = Sql {
    step: "begin to watch subscriptions",
    text: "INSERT INTO subscription_status (subscription, tenant, watched_since, since) \
           SELECT u.subscription, u.tenant, $3, $3 FROM unnest($1::text[], $2::text[]) AS u (subscription, tenant) \
           ORDER BY u.subscription, u.tenant ON CONFLICT (subscription, tenant) DO NOTHING",
};

// Locked in one order, so that replicas that report at the same time wait for each other and never in a circle.
static HEARD: Sql = Sql {
    step: "note when deliveries were received",
    text: "WITH u AS (SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[]) \
                      AS u (subscription, tenant, first_at, last_at)), \
                locked AS (SELECT s.subscription, s.tenant FROM subscription_status s JOIN u USING (subscription, tenant) \
                           ORDER BY 1, 2 FOR NO KEY UPDATE OF s) \
           UPDATE subscription_status s SET last_received_at = greatest(s.last_received_at, u.last_at), \
                  resumed_at = CASE WHEN u.first_at > s.silent_from OR (s.silent_from IS NULL AND s.state <> 'ok') \
                                    THEN least(s.resumed_at, u.first_at) ELSE s.resumed_at END \
           FROM u JOIN locked USING (subscription, tenant) \
           WHERE s.subscription = u.subscription AND s.tenant = u.tenant",
};

// As above.
static NEWS: Sql = Sql {
    step: "note how new what was received is",
    text: "WITH u AS (SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[]) \
                      AS u (subscription, tenant, event_at, received_at)), \
                locked AS (SELECT s.subscription, s.tenant FROM subscription_status s JOIN u USING (subscription, tenant) \
                           ORDER BY 1, 2 FOR NO KEY UPDATE OF s) \
           UPDATE subscription_status s SET newest_event_at = greatest(s.newest_event_at, u.event_at), \
                  news_at = greatest(s.news_at, u.received_at) \
           FROM u JOIN locked USING (subscription, tenant) \
           WHERE s.subscription = u.subscription AND s.tenant = u.tenant",
};

static LIST: Sql = Sql {
    step: "read how subscriptions are",
    text: "SELECT subscription, tenant, watched_since, last_received_at, state, since, reason, silent_from, resumed_at, checked_at, findings \
           FROM subscription_status ORDER BY subscription, tenant",
};

static CHANGE: Sql = Sql {
    step: "note how a subscription is",
    text: "UPDATE subscription_status SET state = $3, since = $4, reason = $5, silent_from = $6, resumed_at = $7 \
           WHERE subscription = $1 AND tenant = $2 AND state = $8 \
             AND (silent_from, resumed_at, last_received_at) IS NOT DISTINCT FROM ($9::timestamptz, $10::timestamptz, $11::timestamptz)",
};

static GAP: Sql = Sql {
    step: "record a gap of deliveries",
    text: "INSERT INTO subscription_gaps (subscription, tenant, from_at, to_at, reason) VALUES ($1, $2, $3, $4, $5) \
           ON CONFLICT (subscription, tenant, from_at) DO NOTHING",
};

static CHECKED: Sql = Sql {
    step: "note what the platform said of a subscription",
    text: "UPDATE subscription_status SET checked_at = coalesce($3, checked_at), findings = $4 \
           WHERE subscription = $1 AND tenant = $2",
};

static OPEN_GAPS: Sql = Sql {
    step: "list gaps of deliveries",
    text: "SELECT gap_id, subscription, tenant, from_at, to_at, reason FROM subscription_gaps WHERE settled_at IS NULL \
           ORDER BY from_at, gap_id LIMIT $1",
};

static HOURS: Sql = Sql {
    step: "read what a subscription usually delivers",
    text: "SELECT hour, sum(received - duplicates)::bigint FROM ingest_counts \
           WHERE subscription = $1 AND tenant = $2 AND hour >= $3 AND hour < $4 GROUP BY hour ORDER BY hour",
};

// Never past the server's clock: one clock that is fast must not speak for all.
static NOTE_WORKED_OFF: Sql = Sql {
    step: "note how far deliveries are worked off",
    text: "UPDATE subscription_watch SET worked_off = least($1::timestamptz, now()) \
           WHERE worked_off IS NULL OR worked_off < least($1::timestamptz, now())",
};

static WORKED_OFF: Sql = Sql {
    step: "read how far deliveries are worked off",
    text: "SELECT max(worked_off) FROM subscription_watch",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &WATCH,
    &HEARD,
    &NEWS,
    &LIST,
    &CHANGE,
    &GAP,
    &CHECKED,
    &OPEN_GAPS,
    &HOURS,
    &NOTE_WORKED_OFF,
    &WORKED_OFF,
];

/// Makes a row for each (subscription, tenant) that has none, watched since `now`.
pub async fn watch(
    conn: &impl Connection,
    subscriptions: &[(&str, &str)],
    now: UtcMicros,
) -> Result<(), StoreError> {
    for (subscription, tenant) in subscriptions {
        no_nul("subscription", subscription)?;
        no_nul("tenant", tenant)?;
    }
    let names: Vec<&str> = subscriptions.iter().map(|found| found.0).collect();
    let tenants: Vec<&str> = subscriptions.iter().map(|found| found.1).collect();
    sql::execute(conn, &WATCH, &[&names, &tenants, &Instant(now)])
        .await
        .map(drop)
}

/// Notes deliveries. Those of subscriptions that nobody watches are passed over.
pub async fn heard(conn: &impl Connection, rows: &[Heard<'_>]) -> Result<(), StoreError> {
    let mut sums: BTreeMap<(&str, &str), (UtcMicros, UtcMicros)> = BTreeMap::new();
    for row in rows {
        no_nul("subscription", row.subscription)?;
        no_nul("tenant", row.tenant)?;
        let sum = sums
            .entry((row.subscription, row.tenant))
            .or_insert((row.first, row.last));
        *sum = (sum.0.min(row.first), sum.1.max(row.last));
    }
    if sums.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = sums.keys().map(|key| key.0).collect();
    let tenants: Vec<&str> = sums.keys().map(|key| key.1).collect();
    let first: Vec<Instant> = sums.values().map(|sum| Instant(sum.0)).collect();
    let last: Vec<Instant> = sums.values().map(|sum| Instant(sum.1)).collect();
    sql::execute(conn, &HEARD, &[&names, &tenants, &first, &last])
        .await
        .map(drop)
}

/// Notes how new what came is: of two rows of one subscription the newer. Those of subscriptions that nobody watches are passed over.
pub async fn note_news(conn: &impl Connection, rows: &[News<'_>]) -> Result<(), StoreError> {
    let mut newest: BTreeMap<(&str, &str), (UtcMicros, UtcMicros)> = BTreeMap::new();
    for row in rows {
        no_nul("subscription", row.subscription)?;
        no_nul("tenant", row.tenant)?;
        let known = newest
            .entry((row.subscription, row.tenant))
            .or_insert((row.event, row.received));
        *known = (known.0.max(row.event), known.1.max(row.received));
    }
    if newest.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = newest.keys().map(|key| key.0).collect();
    let tenants: Vec<&str> = newest.keys().map(|key| key.1).collect();
    let events: Vec<Instant> = newest.values().map(|it| Instant(it.0)).collect();
    let received: Vec<Instant> = newest.values().map(|it| Instant(it.1)).collect();
    sql::execute(conn, &NEWS, &[&names, &tenants, &events, &received])
        .await
        .map(drop)
}

/// Notes up to when everything received is worked off, as one process sees it. What others have seen before is not taken back.
pub async fn note_worked_off(conn: &impl Connection, at: UtcMicros) -> Result<(), StoreError> {
    sql::execute(conn, &NOTE_WORKED_OFF, &[&Instant(at)])
        .await
        .map(drop)
}

/// Up to when everything received is worked off, as far as any process has seen; `None`: nobody has said yet.
pub async fn worked_off(conn: &impl Connection) -> Result<Option<UtcMicros>, StoreError> {
    let row = sql::query_one(conn, &WORKED_OFF, &[]).await?;
    Ok(sql::get::<Option<Instant>>(&row, &WORKED_OFF, 0)?.map(|at| at.0))
}

/// All rows, by name.
pub async fn list(conn: &impl Connection) -> Result<Vec<Standing>, StoreError> {
    let at = |row, column| -> Result<Option<UtcMicros>, StoreError> {
        Ok(sql::get::<Option<Instant>>(row, &LIST, column)?.map(|at| at.0))
    };
    sql::query(conn, &LIST, &[])
        .await?
        .iter()
        .map(|row| {
            Ok(Standing {
                subscription: sql::get(row, &LIST, 0)?,
                tenant: sql::get(row, &LIST, 1)?,
                watched_since: sql::get::<Instant>(row, &LIST, 2)?.0,
                last_received_at: at(row, 3)?,
                state: State::read(sql::get(row, &LIST, 4)?),
                since: sql::get::<Instant>(row, &LIST, 5)?.0,
                reason: sql::get(row, &LIST, 6)?,
                silent_from: at(row, 7)?,
                resumed_at: at(row, 8)?,
                checked_at: at(row, 9)?,
                findings: sql::get(row, &LIST, 10)?,
            })
        })
        .collect()
}

/// Makes the change and records its gap, once however many say so. False: it is not as it was seen any more, decide anew.
pub async fn change(tx: &Transaction<'_>, change: &Change<'_>) -> Result<bool, StoreError> {
    let instant = |at: Option<UtcMicros>| at.map(Instant);
    let seen = change.seen;
    let reason = change.reason.replace('\0', "\u{fffd}");
    let made = sql::execute(
        tx,
        &CHANGE,
        &[
            &seen.subscription,
            &seen.tenant,
            &change.state.word(),
            &Instant(change.since),
            &reason,
            &instant(change.silent_from),
            &instant(change.resumed_at),
            &seen.state.word(),
            &instant(seen.silent_from),
            &instant(seen.resumed_at),
            &instant(seen.last_received_at),
        ],
    )
    .await?;
    if made == 0 {
        return Ok(false);
    }
    if let Some((from, to)) = change.gap {
        let cause = seen.reason.replace('\0', "\u{fffd}");
        sql::execute(
            tx,
            &GAP,
            &[
                &seen.subscription,
                &seen.tenant,
                &Instant(from),
                &Instant(to),
                &cause,
            ],
        )
        .await?;
    }
    Ok(true)
}

/// Notes what the platform said; without `at` it could not be asked, and `findings` says why.
pub async fn checked(
    conn: &impl Connection,
    subscription: &str,
    tenant: &str,
    at: Option<UtcMicros>,
    findings: &str,
) -> Result<(), StoreError> {
    let findings = findings.replace('\0', "\u{fffd}");
    sql::execute(
        conn,
        &CHECKED,
        &[&subscription, &tenant, &at.map(Instant), &findings],
    )
    .await
    .map(drop)
}

/// Gaps that nobody has fetched, oldest first, at most so many.
pub async fn open_gaps(conn: &impl Connection, limit: i64) -> Result<Vec<Gap>, StoreError> {
    sql::query(conn, &OPEN_GAPS, &[&limit])
        .await?
        .iter()
        .map(|row| {
            Ok(Gap {
                id: sql::get(row, &OPEN_GAPS, 0)?,
                subscription: sql::get(row, &OPEN_GAPS, 1)?,
                tenant: sql::get(row, &OPEN_GAPS, 2)?,
                from: sql::get::<Instant>(row, &OPEN_GAPS, 3)?.0,
                to: sql::get::<Instant>(row, &OPEN_GAPS, 4)?.0,
                reason: sql::get(row, &OPEN_GAPS, 5)?,
            })
        })
        .collect()
}

/// How many events came in each hour of a stretch, redeliveries not counted; hours without any are absent.
pub async fn hours(
    conn: &impl Connection,
    subscription: &str,
    tenant: &str,
    from: UtcMicros,
    to: UtcMicros,
) -> Result<Vec<(UtcMicros, i64)>, StoreError> {
    sql::query(
        conn,
        &HOURS,
        &[&subscription, &tenant, &Instant(from), &Instant(to)],
    )
    .await?
    .iter()
    .map(|row| {
        Ok((
            sql::get::<Instant>(row, &HOURS, 0)?.0,
            sql::get(row, &HOURS, 1)?,
        ))
    })
    .collect()
}
