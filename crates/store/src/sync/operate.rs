//! What an operator does with rows that wait.

use crate::columns::no_nul;
use crate::error::StoreError;
use crate::json::printable;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use uuid::Uuid;

/// A state that an operator may choose. What is being pushed is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Waits until its interaction or window has settled.
    Held,
    /// Waits for its turn.
    Pending,
    /// Pushed, and nobody knows what became of it.
    Unknown,
    /// The platform refused it.
    Rejected,
}

impl State {
    /// As it is stored.
    const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
        }
    }
}

/// Which rows of a target's queue are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows<'a> {
    /// The target.
    pub target: &'a str,
    /// In one of these states.
    pub states: Vec<State>,
    /// Of these metrics; empty: of all.
    pub metrics: &'a [String],
    /// Of this interaction and its legs.
    pub interaction: Option<&'a str>,
    /// Days of this agent.
    pub agent: Option<&'a str>,
    /// Waiting since this instant or later.
    pub from: Option<UtcMicros>,
    /// Waiting since before this instant.
    pub to: Option<UtcMicros>,
}

macro_rules! meant {
    () => {
        "target = $1 AND state = ANY ($2) AND ($3::text[] = '{}' OR metric_type = ANY ($3)) AND ($4::text IS NULL OR interaction_id = $4) \
         AND ($5::text IS NULL OR agent_id = $5) AND ($6::timestamptz IS NULL OR queued_at >= $6) \
         AND ($7::timestamptz IS NULL OR queued_at < $7)"
    };
}

pub(super) static COUNT: Sql = Sql {
    step: "count delivery rows",
    text: concat!("SELECT count(*) FROM sync_queue WHERE ", meant!()),
};

// A push of unknown fate stays one until it is known, and goes again under the same key. From the second attempt on it is looked for pushes
// whose answer got lost, so one that was made stays counted.
pub(super) static RETRY: Sql = Sql {
    step: "retry delivery rows",
    text: concat!(
        "UPDATE sync_queue SET state = CASE state WHEN 'rejected' THEN 'pending' ELSE state END, due_at = now(), attempt = least(attempt, 1), \
                               together = NULL, queued_at = CASE state WHEN 'rejected' THEN now() ELSE queued_at END WHERE ",
        meant!()
    ),
};

pub(super) static SKIP: Sql = Sql {
    step: "skip delivery rows",
    text: concat!(
        "WITH gone AS (DELETE FROM sync_queue WHERE ",
        meant!(),
        " RETURNING target, tenant, interaction_id, leg_scope, agent_id, workday, metric_type, metric_version, revision, attempt) \
         INSERT INTO metric_sync_log (target, tenant, interaction_id, leg_scope, agent_id, workday, metric_type, metric_version, revision, \
                                      attempt, fate, request_id, idempotency_key, message) \
         SELECT target, tenant, interaction_id, leg_scope, agent_id, workday, metric_type, metric_version, revision, attempt, 'skipped', \
                $8, '', $9 FROM gone"
    ),
};

/// How many rows are meant.
pub async fn count(conn: &impl Connection, rows: &Rows<'_>) -> Result<u64, StoreError> {
    let meant = Meant::of(rows);
    let row = sql::query_one(conn, &COUNT, &meant.params()).await?;
    sql::get::<i64>(&row, &COUNT, 0).map(i64::unsigned_abs)
}

/// Has rows pushed at once, as if for the first time. Returns how many.
pub async fn retry(conn: &impl Connection, rows: &Rows<'_>) -> Result<u64, StoreError> {
    sql::execute(conn, &RETRY, &Meant::of(rows).params()).await
}

/// Gives rows up: they leave the queue, and the log says why. A new value of the same metric is queued again. Returns how many.
pub async fn skip(
    conn: &impl Connection,
    rows: &Rows<'_>,
    reason: &str,
) -> Result<u64, StoreError> {
    no_nul("target", rows.target)?;
    let meant = Meant::of(rows);
    // One for all of them: what was given up together.
    let (id, reason) = (Uuid::now_v7(), printable(reason));
    let mut params = meant.params().to_vec();
    params.push(&id);
    params.push(&reason);
    sql::execute(conn, &SKIP, &params).await
}

/// The parameters of what is meant, as the statements want them.
struct Meant<'a> {
    rows: &'a Rows<'a>,
    states: Vec<&'static str>,
    from: Option<Instant>,
    to: Option<Instant>,
}

impl<'a> Meant<'a> {
    fn of(rows: &'a Rows<'a>) -> Self {
        Self {
            rows,
            states: rows.states.iter().map(|state| state.name()).collect(),
            from: rows.from.map(Instant),
            to: rows.to.map(Instant),
        }
    }

    fn params(&self) -> [&(dyn tokio_postgres::types::ToSql + Sync); 7] {
        [
            &self.rows.target,
            &self.states,
            &self.rows.metrics,
            &self.rows.interaction,
            &self.rows.agent,
            &self.from,
            &self.to,
        ]
    }
}
