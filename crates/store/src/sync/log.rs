//! The log of attempts.

use super::MetricKey;
use super::key::KeyColumns;
use crate::error::StoreError;
use crate::json::printable;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::borrow::Cow;
use uuid::Uuid;

/// What one attempt did to one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogFate {
    /// On its way: written before the request where the answer may get lost.
    Sent,
    /// The platform has it.
    Accepted,
    /// The platform refuses it.
    Rejected,
    /// Nobody knows.
    Unknown,
    /// Not taken, to be tried again.
    Retry,
    /// Not looked at, asked to slow down.
    Snoozed,
    /// Older than the platform takes; given up.
    Expired,
    /// The platform took back what it had.
    Retracted,
}

impl LogFate {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::Retry => "retry",
            Self::Snoozed => "snoozed",
            Self::Expired => "expired",
            Self::Retracted => "retracted",
        }
    }
}

impl From<super::Fate> for LogFate {
    fn from(fate: super::Fate) -> Self {
        match fate {
            super::Fate::Accepted => Self::Accepted,
            super::Fate::Retracted => Self::Retracted,
            super::Fate::Expired => Self::Expired,
            super::Fate::Rejected => Self::Rejected,
            super::Fate::Unknown => Self::Unknown,
            super::Fate::Retry => Self::Retry,
            super::Fate::Snooze => Self::Snoozed,
        }
    }
}

/// What was pushed, as the target has it: rounded, in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pushed {
    /// The value.
    pub value: f64,
    /// How many values it is the sum of, where the target wants to know.
    pub points: Option<i64>,
}

/// One row of one attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogEntry<'a> {
    /// Which metric.
    pub key: &'a MetricKey,
    /// The revision that was pushed.
    pub revision: i64,
    /// Which attempt it was.
    pub attempt: i32,
    /// What was pushed; absent where a value was taken back.
    pub pushed: Option<Pushed>,
    /// What became of it.
    pub fate: LogFate,
    /// The request that carried it.
    pub request_id: Uuid,
    /// What the platform recognises a repetition by.
    pub idempotency_key: &'a str,
    /// The HTTP status, where there was an answer.
    pub status: Option<i32>,
    /// The platform's words, or ours.
    pub message: Option<&'a str>,
}

pub(super) static LOG: Sql = Sql {
    step: "append to metric_sync_log",
    text: "INSERT INTO metric_sync_log (target, tenant, interaction_id, leg_scope, agent_id, workday, metric_type, metric_version, \
                                        revision, attempt, fate, request_id, idempotency_key, status, message, value, points) \
           SELECT $1, u.* FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::date[], $7::text[], $8::integer[], \
                                      $9::bigint[], $10::integer[], $11::text[], $12::uuid[], $13::text[], $14::integer[], $15::text[], \
                                      $16::float8[], $17::bigint[]) AS u",
};

pub(super) static PRUNE: Sql = Sql {
    step: "prune metric_sync_log",
    text: "DELETE FROM metric_sync_log WHERE log_id = ANY (ARRAY(SELECT log_id FROM metric_sync_log WHERE logged_at < $1 LIMIT $2))",
};

/// Appends the entries.
pub async fn log(
    tx: &Transaction<'_>,
    target: &str,
    entries: &[LogEntry<'_>],
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let keys = KeyColumns::of(entries.iter().map(|entry| entry.key));
    let revisions: Vec<i64> = entries.iter().map(|entry| entry.revision).collect();
    let attempts: Vec<i32> = entries.iter().map(|entry| entry.attempt).collect();
    let fates: Vec<&str> = entries.iter().map(|entry| entry.fate.as_str()).collect();
    let requests: Vec<Uuid> = entries.iter().map(|entry| entry.request_id).collect();
    let idempotency: Vec<&str> = entries.iter().map(|entry| entry.idempotency_key).collect();
    let statuses: Vec<Option<i32>> = entries.iter().map(|entry| entry.status).collect();
    let messages: Vec<Option<Cow<'_, str>>> = entries
        .iter()
        .map(|entry| entry.message.map(printable))
        .collect();
    let messages: Vec<Option<&str>> = messages.iter().map(Option::as_deref).collect();
    let values: Vec<Option<f64>> = entries
        .iter()
        .map(|entry| entry.pushed.map(|pushed| pushed.value))
        .collect();
    let points: Vec<Option<i64>> = entries
        .iter()
        .map(|entry| entry.pushed.and_then(|pushed| pushed.points))
        .collect();
    sql::execute(
        tx,
        &LOG,
        &[
            &target,
            &keys.tenant,
            &keys.interaction_id,
            &keys.leg_scope,
            &keys.agent_id,
            &keys.workday,
            &keys.metric_type,
            &keys.metric_version,
            &revisions,
            &attempts,
            &fates,
            &requests,
            &idempotency,
            &statuses,
            &messages,
            &values,
            &points,
        ],
    )
    .await?;
    Ok(())
}

/// Deletes up to `limit` entries from before an instant. Returns how many: fewer than `limit` when no more are left.
pub async fn prune_log(
    conn: &impl Connection,
    before: UtcMicros,
    limit: u32,
) -> Result<u64, StoreError> {
    sql::execute(conn, &PRUNE, &[&Instant(before), &i64::from(limit)]).await
}
