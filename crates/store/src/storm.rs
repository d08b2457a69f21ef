//! Whether compute is in a storm, for all replicas: one row, written by whoever holds its lease.
//!
//! The lease is a time in the row and no session: it works behind a pooler, and a holder that died is followed by another one when it
//! has run out. All instants are the server's.

use crate::columns::no_nul;
use crate::deferred::Backlog;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::time::Duration;

/// Calm, or a storm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Everything is evaluated at once.
    #[default]
    Calm,
    /// Only what is critical is; the rest is owed.
    Storm,
}

impl Mode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Calm, Self::Storm];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Storm => "storm",
        }
    }

    fn parse(text: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| StoreError::Unreadable {
                column: "storm_state.mode",
                value: text.to_owned(),
            })
    }
}

/// What a person ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// What it is to be.
    pub mode: Mode,
    /// Since when.
    pub at: UtcMicros,
    /// Until when; none: until another order.
    pub until: Option<UtcMicros>,
}

/// The row.
#[derive(Debug, Clone, PartialEq)]
pub struct StormState {
    /// The server's clock as this was read.
    pub now: UtcMicros,
    /// As it was measured.
    pub mode: Mode,
    /// Since when.
    pub since: UtcMicros,
    /// Since when what is measured speaks for the other mode.
    pub turning_since: Option<UtcMicros>,
    /// When it was last measured; none: never.
    pub observed_at: Option<UtcMicros>,
    /// Messages in the events queues of the live lane.
    pub waiting_messages: i64,
    /// Facts in them, about.
    pub waiting_facts: i64,
    /// How long messages taken lately had waited.
    pub oldest_seconds: Option<f64>,
    /// Why it is in this mode, for people.
    pub reason: String,
    /// What is owed, as counted lately.
    pub deferred: Backlog,
    /// What a person ordered; it goes before what is measured.
    pub order: Option<Order>,
}

/// What the holder of the lease measured and decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed<'a> {
    /// The mode.
    pub mode: Mode,
    /// Since when.
    pub since: UtcMicros,
    /// Since when what is measured speaks for the other mode.
    pub turning_since: Option<UtcMicros>,
    /// When it was measured.
    pub at: UtcMicros,
    /// Messages in the events queues of the live lane.
    pub waiting_messages: i64,
    /// Facts in them, about.
    pub waiting_facts: i64,
    /// How long messages taken lately had waited.
    pub oldest_seconds: Option<f64>,
    /// Why it is in this mode, for people.
    pub reason: &'a str,
}

static LEAD: Sql = Sql {
    step: "take or keep the lease on storm_state",
    text: "UPDATE storm_state SET holder = $1, lease_until = now() + make_interval(secs => $2) \
           WHERE holder = $1 OR lease_until IS NULL OR lease_until < now()",
};

static RELEASE: Sql = Sql {
    step: "give up the lease on storm_state",
    text: "UPDATE storm_state SET lease_until = NULL, holder = NULL WHERE holder = $1",
};

static READ: Sql = Sql {
    step: "read storm_state",
    text: "SELECT now(), mode, since, turning_since, observed_at, waiting_messages, waiting_facts, oldest_seconds, reason, deferred, \
                  deferred_since, ordered_mode, ordered_at, ordered_until \
           FROM storm_state",
};

static OBSERVE: Sql = Sql {
    step: "write storm_state",
    text: "UPDATE storm_state SET mode = $2, since = $3, turning_since = $4, observed_at = $5, waiting_messages = $6, \
                  waiting_facts = $7, oldest_seconds = $8, reason = $9 \
           WHERE holder = $1",
};

static COUNTED: Sql = Sql {
    step: "write what is deferred into storm_state",
    text: "UPDATE storm_state SET deferred = $2, deferred_since = $3 WHERE holder = $1",
};

static ORDER: Sql = Sql {
    step: "order a storm or calm",
    text: "UPDATE storm_state SET ordered_mode = $1::text, ordered_at = CASE WHEN $1::text IS NULL THEN NULL ELSE now() END, \
                  ordered_until = now() + make_interval(secs => $2)",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&LEAD, &RELEASE, &READ, &OBSERVE, &COUNTED, &ORDER];

/// Takes the lease, or keeps it for so long from now on. `false`: another holder has it.
pub async fn lead(
    conn: &impl Connection,
    holder: &str,
    for_: Duration,
) -> Result<bool, StoreError> {
    no_nul("holder", holder)?;
    let led = sql::execute(conn, &LEAD, &[&holder, &for_.as_secs_f64()]).await?;
    Ok(led > 0)
}

/// Gives the lease up, so that another replica may try at once.
pub async fn release(conn: &impl Connection, holder: &str) -> Result<(), StoreError> {
    no_nul("holder", holder)?;
    sql::execute(conn, &RELEASE, &[&holder]).await.map(drop)
}

/// The row as it is.
pub async fn read(conn: &impl Connection) -> Result<StormState, StoreError> {
    let sql = &READ;
    let row = sql::query_one(conn, sql, &[]).await?;
    let instant = |column: usize| -> Result<Option<UtcMicros>, StoreError> {
        Ok(sql::get::<Option<Instant>>(&row, sql, column)?.map(|at| at.0))
    };
    let ordered: Option<&str> = sql::get(&row, sql, 11)?;
    let order = match (ordered, instant(12)?) {
        (Some(mode), Some(at)) => Some(Order {
            mode: Mode::parse(mode)?,
            at,
            until: instant(13)?,
        }),
        _ => None,
    };
    Ok(StormState {
        now: sql::get::<Instant>(&row, sql, 0)?.0,
        mode: Mode::parse(sql::get(&row, sql, 1)?)?,
        since: sql::get::<Instant>(&row, sql, 2)?.0,
        turning_since: instant(3)?,
        observed_at: instant(4)?,
        waiting_messages: sql::get(&row, sql, 5)?,
        waiting_facts: sql::get(&row, sql, 6)?,
        oldest_seconds: sql::get(&row, sql, 7)?,
        reason: sql::get(&row, sql, 8)?,
        deferred: Backlog {
            interactions: sql::get(&row, sql, 9)?,
            since: instant(10)?,
        },
        order,
    })
}

/// Writes what was measured. `false`: the lease is another's meanwhile, and nothing was written.
pub async fn observe(
    conn: &impl Connection,
    holder: &str,
    observed: &Observed<'_>,
) -> Result<bool, StoreError> {
    no_nul("holder", holder)?;
    no_nul("reason", observed.reason)?;
    let params: sql::Params<'_> = &[
        &holder,
        &observed.mode.as_str(),
        &Instant(observed.since),
        &observed.turning_since.map(Instant),
        &Instant(observed.at),
        &observed.waiting_messages,
        &observed.waiting_facts,
        &observed.oldest_seconds,
        &observed.reason,
    ];
    Ok(sql::execute(conn, &OBSERVE, params).await? > 0)
}

/// Writes how much is owed, for all to see.
pub async fn counted(
    conn: &impl Connection,
    holder: &str,
    deferred: Backlog,
) -> Result<(), StoreError> {
    no_nul("holder", holder)?;
    let params: sql::Params<'_> = &[
        &holder,
        &deferred.interactions,
        &deferred.since.map(Instant),
    ];
    sql::execute(conn, &COUNTED, params).await.map(drop)
}

/// Orders a mode, for so long or until another order; none: what is measured holds again.
pub async fn order(
    conn: &impl Connection,
    mode: Option<Mode>,
    for_: Option<Duration>,
) -> Result<(), StoreError> {
    let mode = mode.map(Mode::as_str);
    let seconds = for_.filter(|_| mode.is_some()).map(|it| it.as_secs_f64());
    sql::execute(conn, &ORDER, &[&mode, &seconds])
        .await
        .map(drop)
}
