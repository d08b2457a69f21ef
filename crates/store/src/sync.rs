//! The delivery queue: rows with leases, and a log of every attempt.
//!
//! One queue for values of interactions, of legs and of agents' days ([`Subject`]). Values of the first two are read from
//! `computed_metrics` when they are claimed; a row of an agent's day carries its value, which [`queue_days`] renews.
//!
//! Claim (one statement, committed), push without any transaction open, then settle and log in one transaction. A push whose holder
//! died is due again when its lease ends; a push of an old value cannot settle a newer one.

mod again;
mod claim;
mod days;
mod key;
mod last;
mod log;
mod settle;

pub use again::{log_lost, requeue};
pub use claim::{Claimed, DayFigures, Due, claim};
pub use days::{ChangedDay, StoredDay, queue_days, requeue_days, stored_days, wants_days};
pub use key::{MetricKey, Subject};
pub use last::{Last, last_pushed};
pub use log::{LogEntry, LogFate, Pushed, log, prune_log};
pub use settle::{Fate, Outcome, Settled, settle};

use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

/// How many rows of a target are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pending {
    /// Waiting until their interaction or window has settled.
    pub held: i64,
    /// Waiting for their turn.
    pub pending: i64,
    /// Being pushed.
    pub leased: i64,
    /// Pushed without a known answer; pushed again with the same key.
    pub unknown: i64,
    /// Refused by the platform; waiting for a new value or an operator.
    pub rejected: i64,
    /// Since when the oldest row that is neither held nor rejected has waited.
    pub oldest: Option<UtcMicros>,
}

static PENDING: Sql = Sql {
    step: "count the delivery queue",
    text: "SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'leased'), \
                  count(*) FILTER (WHERE state = 'unknown'), count(*) FILTER (WHERE state = 'rejected'), \
                  min(queued_at) FILTER (WHERE state NOT IN ('held', 'rejected')), count(*) FILTER (WHERE state = 'held') \
           FROM sync_queue WHERE target = $1",
};

static RELEASE: Sql = Sql {
    step: "release rejected rows",
    text: "UPDATE sync_queue SET state = 'pending', due_at = now(), attempt = 0 WHERE target = $1 AND state = 'rejected'",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &PENDING,
    &RELEASE,
    &again::LOG_LOST,
    &again::REQUEUE,
    &claim::CLAIM,
    &claim::CLAIM_SETTLED,
    &claim::DROP_ORPHANS,
    &days::NOW,
    &days::QUEUE,
    &days::STORED,
    &days::WANTED,
    &last::LAST,
    &log::LOG,
    &log::PRUNE,
    &settle::LOCK,
    &settle::DELETE,
    &settle::UPDATE,
];

/// How many rows of a target are in which state.
pub async fn pending_counts(conn: &impl Connection, target: &str) -> Result<Pending, StoreError> {
    let row = sql::query_one(conn, &PENDING, &[&target]).await?;
    Ok(Pending {
        pending: sql::get(&row, &PENDING, 0)?,
        leased: sql::get(&row, &PENDING, 1)?,
        unknown: sql::get(&row, &PENDING, 2)?,
        rejected: sql::get(&row, &PENDING, 3)?,
        oldest: sql::get::<Option<Instant>>(&row, &PENDING, 4)?.map(|at| at.0),
        held: sql::get(&row, &PENDING, 5)?,
    })
}

/// Gives a target's rejected rows another chance: an operator mended the cause. Returns how many.
pub async fn release_rejected(conn: &impl Connection, target: &str) -> Result<u64, StoreError> {
    sql::execute(conn, &RELEASE, &[&target]).await
}
