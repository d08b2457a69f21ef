//! Whether a platform is asked at all, for all processes: after failures in a row nobody asks it for a while, then one tries.

use crate::budgets::pauses::seconds;
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::jobs::word;
use crate::json::printable;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::time::Duration;
use tokio_postgres::Row;

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The platform is asked.
    Closed,
    /// Nobody asks it.
    Open,
    /// One tries.
    HalfOpen,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A breaker as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    /// The credential.
    pub credential: String,
    /// How it stands.
    pub state: State,
    /// Failures in a row, by all processes.
    pub failures: i32,
    /// How often it opened since it was last closed.
    pub opened: i32,
    /// Since when it stands so.
    pub since: UtcMicros,
    /// Open: when one may try. Half open: when another may, because the one that tries said nothing.
    pub until: Option<UtcMicros>,
    /// How long that is from now.
    pub left: Duration,
    /// What failed last.
    pub reason: String,
}

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// After so many failures in a row, at least one.
    pub failures: i32,
    /// For so long the first time, and twice as long each time it opens again at once.
    pub pause: Duration,
    /// But never longer than this.
    pub longest: Duration,
}

/// Whether to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Yes.
    Closed,
    /// Yes, and nobody else does before it is known how it went: one request, then [`succeeded`], [`failed`] or [`released`], each with
    /// this number.
    Probe(i64),
    /// No.
    Open {
        /// How long from now to ask again; more than nothing.
        retry_in: Duration,
        /// What failed last.
        reason: String,
    },
}

macro_rules! breaker {
    () => {
        "b.credential, b.state, b.failures, b.opened, b.since, b.until, \
         coalesce(extract(epoch FROM b.until - clock_timestamp()), 0)::float8, b.reason"
    };
}

// Nothing is written while it is closed, which is nearly always. Of two that find the time come, one waits for the other's row and then no
// longer finds it so.
static ENTER: Sql = Sql {
    step: "look at a platform's breaker",
    text: "WITH tries AS ( \
               UPDATE platform_breakers \
               SET state = 'half_open', until = clock_timestamp() + $2 * interval '1 second', updated_at = now(), tries = tries + 1, \
                   since = CASE WHEN state = 'half_open' THEN since ELSE now() END \
               WHERE credential = $1 AND state IN ('open', 'half_open') AND until <= clock_timestamp() RETURNING tries \
           ) \
           SELECT b.state <> 'closed', (SELECT tries FROM tries), \
                  coalesce(extract(epoch FROM b.until - clock_timestamp()), 0)::float8, b.reason \
           FROM platform_breakers b WHERE b.credential = $1",
};

static LEFT: Sql = Sql {
    step: "look how long a platform's breaker is open",
    text: "SELECT extract(epoch FROM until - clock_timestamp())::float8, reason FROM platform_breakers \
           WHERE credential = $1 AND state <> 'closed' AND until > clock_timestamp()",
};

// Whoever was under way when it turned fails late: only one that tries has a say in it then, and only the last one that does.
static FAILED: Sql = Sql {
    step: "note a failure in a platform's breaker",
    text: concat!(
        "INSERT INTO platform_breakers AS b (credential, state, failures, opened, until, reason) \
         SELECT $1, CASE WHEN $3 <= 1 THEN 'open' ELSE 'closed' END, 1, CASE WHEN $3 <= 1 THEN 1 ELSE 0 END, \
                CASE WHEN $3 <= 1 THEN clock_timestamp() + $4 * interval '1 second' END, $2 \
         ON CONFLICT (credential) DO UPDATE \
         SET (state, failures, opened, since, until, reason, updated_at) = ( \
             SELECT CASE WHEN opens THEN 'open' ELSE b.state END, b.failures + 1, b.opened + opens::integer, \
                    CASE WHEN opens THEN now() ELSE b.since END, \
                    CASE WHEN opens THEN clock_timestamp() + least($4 * 2 ^ least(b.opened, 30), $5) * interval '1 second' ELSE b.until END, \
                    $2, now() \
             FROM (SELECT b.state = 'half_open' AND coalesce(b.tries = $6, false) \
                       OR b.state = 'closed' AND b.failures + 1 >= $3 AS opens) o) \
         RETURNING ",
        breaker!()
    ),
};

// One that was under way when it opened may succeed late: what the platform took before says nothing of now. The one that tries does.
static SUCCEEDED: Sql = Sql {
    step: "note a success in a platform's breaker",
    text: "WITH was AS (SELECT state FROM platform_breakers WHERE credential = $1), \
                closed AS ( \
               UPDATE platform_breakers \
               SET since = CASE WHEN state = 'closed' THEN since ELSE now() END, state = 'closed', failures = 0, opened = 0, until = NULL, \
                   updated_at = now() \
               WHERE credential = $1 \
                 AND (state = 'closed' AND failures > 0 OR state = 'half_open' AND coalesce(tries = $2, false)) RETURNING state) \
           SELECT coalesce((SELECT state FROM closed), (SELECT state FROM was), 'closed'), EXISTS (SELECT FROM closed)",
};

static RELEASED: Sql = Sql {
    step: "give the try of a platform's breaker back",
    text: "UPDATE platform_breakers SET until = clock_timestamp(), updated_at = now() WHERE credential = $1 AND state = 'half_open' AND tries = $2",
};

static LIST: Sql = Sql {
    step: "list the breakers of platforms",
    text: concat!(
        "SELECT ",
        breaker!(),
        " FROM platform_breakers b ORDER BY b.credential"
    ),
};

// What was under way is no try of this one: its number is past.
static OPEN: Sql = Sql {
    step: "open a platform's breaker",
    text: concat!(
        "INSERT INTO platform_breakers AS b (credential, state, opened, until, reason) \
         VALUES ($1, 'open', 1, clock_timestamp() + $2 * interval '1 second', $3) \
         ON CONFLICT (credential) DO UPDATE \
         SET state = 'open', opened = b.opened + 1, tries = b.tries + 1, until = EXCLUDED.until, reason = EXCLUDED.reason, updated_at = now(), \
             since = CASE WHEN b.state = 'open' THEN b.since ELSE now() END \
         RETURNING ",
        breaker!()
    ),
};

static CLOSE: Sql = Sql {
    step: "close a platform's breaker",
    text: concat!(
        "UPDATE platform_breakers b \
         SET state = 'closed', failures = 0, opened = CASE WHEN $2 THEN 0 ELSE b.opened END, tries = b.tries + 1, until = NULL, \
             reason = CASE WHEN $2 THEN '' ELSE b.reason END, updated_at = now(), \
             since = CASE WHEN b.state = 'closed' THEN b.since ELSE now() END \
         WHERE b.credential = $1 RETURNING ",
        breaker!()
    ),
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &ENTER, &LEFT, &FAILED, &SUCCEEDED, &RELEASED, &LIST, &OPEN, &CLOSE,
];

/// Whether to ask the platform now. Once its time is over, one that asks may try, for as long as `probe`; after that another one may.
pub async fn enter(
    conn: &impl Connection,
    credential: &str,
    probe: Duration,
) -> Result<Entry, StoreError> {
    no_nul("credential", credential)?;
    let rows = sql::query(conn, &ENTER, &[&credential, &probe.as_secs_f64()]).await?;
    let Some(row) = rows.first() else {
        return Ok(Entry::Closed);
    };
    if !sql::get::<bool>(row, &ENTER, 0)? {
        return Ok(Entry::Closed);
    }
    if let Some(number) = sql::get(row, &ENTER, 1)? {
        return Ok(Entry::Probe(number));
    }
    Ok(Entry::Open {
        // Another took the try a moment ago: it will not be long.
        retry_in: seconds(sql::get(row, &ENTER, 2)?).max(Duration::from_millis(100)),
        reason: sql::get(row, &ENTER, 3)?,
    })
}

/// For how long nobody is to ask the platform, and what failed last; without trying. `None`: one may ask, or try.
pub async fn left(
    conn: &impl Connection,
    credential: &str,
) -> Result<Option<(Duration, String)>, StoreError> {
    let rows = sql::query(conn, &LEFT, &[&credential]).await?;
    let read = |row: &Row| Ok((seconds(sql::get(row, &LEFT, 0)?), sql::get(row, &LEFT, 1)?));
    rows.first().map(read).transpose()
}

/// Notes that a request failed in a way that speaks against the platform as a whole: no answer, or 5xx. `tried`: the number of its
/// [`Entry::Probe`], if it was one.
pub async fn failed(
    conn: &impl Connection,
    credential: &str,
    tried: Option<i64>,
    reason: &str,
    policy: &Policy,
) -> Result<Breaker, StoreError> {
    no_nul("credential", credential)?;
    let params: sql::Params<'_> = &[
        &credential,
        &printable(reason),
        &policy.failures,
        &policy.pause.as_secs_f64(),
        &policy.longest.as_secs_f64(),
        &tried,
    ];
    let row = sql::query_one(conn, &FAILED, params).await?;
    read(&row, &FAILED)
}

/// What a success came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Success {
    /// How the breaker stands.
    pub state: State,
    /// Whether it closed the breaker, or ended a row of failures.
    pub turned: bool,
}

/// Notes that the platform did what it was asked. Writes nothing where that changes nothing. Where the breaker is not closed only the
/// one that tries closes it.
pub async fn succeeded(
    conn: &impl Connection,
    credential: &str,
    tried: Option<i64>,
) -> Result<Success, StoreError> {
    no_nul("credential", credential)?;
    let row = sql::query_one(conn, &SUCCEEDED, &[&credential, &tried]).await?;
    Ok(Success {
        state: word(
            "platform_breakers.state",
            sql::get(&row, &SUCCEEDED, 0)?,
            State::parse,
        )?,
        turned: sql::get(&row, &SUCCEEDED, 1)?,
    })
}

/// Gives a try back that said nothing about the platform's health, such as 429: another one may try at once.
pub async fn released(
    conn: &impl Connection,
    credential: &str,
    tried: i64,
) -> Result<(), StoreError> {
    no_nul("credential", credential)?;
    sql::execute(conn, &RELEASED, &[&credential, &tried])
        .await
        .map(drop)
}

/// All breakers that ever had a failure, by credential.
pub async fn list(conn: &impl Connection) -> Result<Vec<Breaker>, StoreError> {
    let rows = sql::query(conn, &LIST, &[]).await?;
    rows.iter().map(|row| read(row, &LIST)).collect()
}

/// Opens a breaker for so long, whatever it stands at: an operator knows that the platform is not to be asked. Then one tries, as after
/// failures.
pub async fn open(
    conn: &impl Connection,
    credential: &str,
    length: Duration,
    reason: &str,
) -> Result<Breaker, StoreError> {
    no_nul("credential", credential)?;
    let params: sql::Params<'_> = &[&credential, &length.as_secs_f64(), &printable(reason)];
    read(&sql::query_one(conn, &OPEN, params).await?, &OPEN)
}

/// What closing a breaker by hand leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// How often it opened: should it open again at once, it does for longer.
    Kept,
    /// Nothing, as if it had never opened.
    Cleared,
}

/// Closes a breaker, whatever it stands at: an operator knows that the platform is back. `None`: there is none of this name.
pub async fn close(
    conn: &impl Connection,
    credential: &str,
    memory: Memory,
) -> Result<Option<Breaker>, StoreError> {
    no_nul("credential", credential)?;
    let params: sql::Params<'_> = &[&credential, &(memory == Memory::Cleared)];
    let rows = sql::query(conn, &CLOSE, params).await?;
    rows.first().map(|row| read(row, &CLOSE)).transpose()
}

fn read(row: &Row, sql: &Sql) -> Result<Breaker, StoreError> {
    Ok(Breaker {
        credential: sql::get(row, sql, 0)?,
        state: word(
            "platform_breakers.state",
            sql::get(row, sql, 1)?,
            State::parse,
        )?,
        failures: sql::get(row, sql, 2)?,
        opened: sql::get(row, sql, 3)?,
        since: sql::get::<Instant>(row, sql, 4)?.0,
        until: sql::get::<Option<Instant>>(row, sql, 5)?.map(|at| at.0),
        left: seconds(sql::get(row, sql, 6)?),
        reason: sql::get(row, sql, 7)?,
    })
}
