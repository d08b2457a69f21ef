//! The delivery queue: rows with leases, and a log of every attempt.
//!
//! One queue for values of interactions, of legs and of agents' days ([`Subject`]). Values of the first two are read from
//! `computed_metrics` when they are claimed; a row of an agent's day carries its value, which [`queue_days`] renews.
//!
//! Claim (one statement, committed), push without any transaction open, then settle and log in one transaction. A push whose holder
//! died is due again when its lease ends; a push of an old value cannot settle a newer one.

mod again;
mod claim;
mod compare;
mod days;
mod figures;
mod health;
mod key;
mod lane;
mod last;
mod log;
mod operate;
mod requests;
mod settle;

pub use again::{Values, count_values, log_lost, requeue};
pub use claim::{Claimed, DayFigures, Due, Wanted, claim};
pub use compare::{Differing, LastPush, differing, waiting_days};
pub use days::{
    ChangedDay, StoredDay, days_extent, queue_days, requeue_days, stored_days, wants_days,
};
pub use figures::{Figures, Latency, add_figures, figures, prune_figures};
pub use health::{Finding, TargetHealth, health, note_health, was_failing};
pub use key::{MetricKey, Subject};
pub use lane::Lane;
pub use last::{Last, Versions, last_pushed};
pub use log::{LogEntry, LogFate, Pushed, log, prune_log};
pub use operate::{Rows, State, count, retry, skip};
pub use requests::{Request, note_request, prune_requests};
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
    /// Those of all but the rejected that are in the history lane.
    pub history: i64,
    /// Since when the oldest row that is neither held nor rejected has waited.
    pub oldest: Option<UtcMicros>,
}

static PENDING: Sql = Sql {
    step: "count the delivery queue",
    text: "SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'leased'), \
                  count(*) FILTER (WHERE state = 'unknown'), count(*) FILTER (WHERE state = 'rejected'), \
                  min(queued_at) FILTER (WHERE state NOT IN ('held', 'rejected')), count(*) FILTER (WHERE state = 'held'), \
                  count(*) FILTER (WHERE lane = 'history' AND state <> 'rejected') \
           FROM sync_queue WHERE target = $1",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &PENDING,
    &again::LOG_LOST,
    &again::COUNT,
    &again::REQUEUE,
    &claim::CLAIM,
    &claim::CLAIM_SETTLED,
    &claim::DROP_ORPHANS,
    &compare::DIFFERING,
    &compare::WAITING,
    &days::EXTENT,
    &days::NOW,
    &days::QUEUE,
    &days::STORED,
    &days::WANTED,
    &figures::ADD,
    &figures::PRUNE,
    &figures::SINCE,
    &health::LIST,
    &health::NOTE,
    &health::WAS,
    &last::LAST,
    &log::LOG,
    &log::PRUNE,
    &operate::COUNT,
    &operate::RETRY,
    &operate::SKIP,
    &requests::NOTE,
    &requests::PRUNE,
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
        history: sql::get(&row, &PENDING, 6)?,
    })
}
