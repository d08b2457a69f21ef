//! The time of agents: statements, activity, the intervals that both make, and how each agent stands.
//!
//! The fold writes statements ([`put_facts`]) and activity ([`put_activity`]) and learns which stretches of whose time that may have changed;
//! those become marks. A worker [`lock`]s the agents of such marks, reads what there is ([`facts()`], [`activity()`]), and writes what comes of
//! it ([`put_intervals`], [`note`]). A locked row of `agents` is the lease on that agent's time: who finds it locked leaves it to the other.
//!
//! The fold locks no row of `agents` (but in [`ask`], for jobs), so that it never waits for the worker.

mod activity;
mod facts;
mod intervals;
mod read;
mod row;

pub use activity::put_activity;
pub use facts::put_facts;
pub use intervals::{intervals, put_intervals};
pub use read::{activity, facts, next_statements};
pub use row::{
    Activity, ActivityRow, AgentFactRow, AgentMark, AgentRow, Changed, IntervalRow, Run,
};

use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::marks::{Kind, Mark};
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::collections::BTreeSet;
use tokio_postgres::Row;

static INSERT_MISSING: Sql = Sql {
    step: "insert agents",
    text: "INSERT INTO agents (tenant, agent_id) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING",
};

// The lateral locks row by row in the order of the arrays, up to the limit. What another worker has is left to it.
static LOCK: Sql = Sql {
    step: "lock agents",
    text: "SELECT a.tenant, a.agent_id, a.team, a.presence, a.routing, a.reason, a.scheduled, a.interacting, \
                  a.wrapping, a.capped, a.since, a.open_until, a.computed_to, a.due_at, a.asked \
           FROM unnest($1::text[], $2::text[]) AS k (tenant, agent_id) \
           CROSS JOIN LATERAL (SELECT * FROM agents a \
                               WHERE a.tenant = k.tenant AND a.agent_id = k.agent_id FOR UPDATE SKIP LOCKED) a LIMIT $3",
};

static NOTE: Sql = Sql {
    step: "note how agents stand",
    text: "UPDATE agents a SET team = u.team, presence = u.presence, routing = u.routing, \
                  reason = u.reason, scheduled = u.scheduled, interacting = u.interacting, wrapping = u.wrapping, capped = u.capped, \
                  since = u.since, open_until = u.open_until, computed_to = u.computed_to, due_at = u.due_at, asked = '{}', \
                  updated_at = now() \
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[], \
                       $9::boolean[], $10::boolean[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[]) \
                AS u (tenant, agent_id, team, presence, routing, reason, scheduled, interacting, wrapping, capped, \
                      since, open_until, computed_to, due_at) \
           WHERE a.tenant = u.tenant AND a.agent_id = u.agent_id",
};

static DUE: Sql = Sql {
    step: "look for agents that are due",
    text: "SELECT tenant, agent_id FROM agents WHERE due_at <= $1 ORDER BY due_at LIMIT $2",
};

// In the order of the keys, as every other that locks agents.
static ASK: Sql = Sql {
    step: "ask for definitions that are switched off",
    text: "INSERT INTO agents AS a (tenant, agent_id, asked) \
           SELECT u.tenant, u.agent_id, $3::integer[] FROM unnest($1::text[], $2::text[]) AS u (tenant, agent_id) \
           ON CONFLICT (tenant, agent_id) DO UPDATE \
           SET asked = ARRAY(SELECT DISTINCT unnest(a.asked || EXCLUDED.asked) ORDER BY 1)",
};

static MARKS: Sql = Sql {
    step: "read the marks of agents",
    text: "SELECT m.mark_id, k.number, m.from_at, m.to_at \
           FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k (tenant, agent_id, number) \
           CROSS JOIN LATERAL (SELECT mark_id, from_at, to_at FROM dirty_marks m \
                               WHERE m.kind = 'agent' AND m.tenant = k.tenant AND m.subject = k.agent_id AND m.subject <> '') m",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &INSERT_MISSING,
    &LOCK,
    &NOTE,
    &DUE,
    &ASK,
    &MARKS,
    &facts::INSERT,
    &facts::LOCK,
    &facts::UPDATE,
    &facts::NEXT,
    &activity::KNOWN,
    &activity::UPSERT,
    &activity::REMOVE,
    &read::FACTS,
    &read::ACTIVITY,
    &read::NEXT,
    &intervals::READ,
    &intervals::UPSERT,
    &intervals::REMOVE,
];

impl Changed {
    /// The mark that has this stretch computed again.
    pub fn mark(&self) -> Mark<'_> {
        Mark {
            kind: Kind::Agent,
            tenant: &self.tenant,
            subject: &self.agent_id,
            from: self.from,
            to: self.to,
        }
    }
}

/// Sorted, each once, without U+0000.
fn keys<T: AsRef<str>, A: AsRef<str>>(
    keys: &[(T, A)],
) -> Result<(Vec<&str>, Vec<&str>), StoreError> {
    let mut sorted: Vec<(&str, &str)> = keys
        .iter()
        .map(|(tenant, agent)| (tenant.as_ref(), agent.as_ref()))
        .collect();
    sorted.sort_unstable();
    sorted.dedup();
    for (tenant, agent) in &sorted {
        no_nul("tenant", tenant)?;
        no_nul("agent_id", agent)?;
    }
    Ok(sorted.into_iter().unzip())
}

/// Locks agents until the transaction ends and reads them: of `agents`, the most urgent first, the first `limit` that no other transaction
/// has locked. Makes the rows that are missing. Nobody is waited for, so the order of locks does not matter.
pub async fn lock<T: AsRef<str>, A: AsRef<str>>(
    tx: &Transaction<'_>,
    agents: &[(T, A)],
    limit: u32,
) -> Result<Vec<AgentRow>, StoreError> {
    let (sorted_tenants, sorted_ids) = keys(agents)?;
    if sorted_ids.is_empty() {
        return Ok(Vec::new());
    }
    sql::execute(tx, &INSERT_MISSING, &[&sorted_tenants, &sorted_ids]).await?;
    let mut seen = BTreeSet::new();
    let (tenants, ids): (Vec<&str>, Vec<&str>) = agents
        .iter()
        .map(|(tenant, agent)| (tenant.as_ref(), agent.as_ref()))
        .filter(|key| seen.insert(*key))
        .unzip();
    let rows = sql::query(tx, &LOCK, &[&tenants, &ids, &i64::from(limit)]).await?;
    rows.iter().map(read_agent).collect()
}

/// The marks of each of these agents, in their order.
///
/// Read them under [`lock`]: a definition that was asked for is then seen together with the marks it was asked for with.
pub async fn marks(
    tx: &Transaction<'_>,
    agents: &[(&str, &str)],
) -> Result<Vec<Vec<AgentMark>>, StoreError> {
    let (tenants, ids): (Vec<&str>, Vec<&str>) = agents.iter().copied().unzip();
    let mut marks = vec![Vec::new(); agents.len()];
    if agents.is_empty() {
        return Ok(marks);
    }
    for row in sql::query(tx, &MARKS, &[&tenants, &ids]).await? {
        let mark = AgentMark {
            mark_id: sql::get(&row, &MARKS, 0)?,
            from: sql::get::<Instant>(&row, &MARKS, 2)?.0,
            to: sql::get::<Instant>(&row, &MARKS, 3)?.0,
        };
        if let Some(of_agent) = number(&row, &MARKS, 1)?.and_then(|at| marks.get_mut(at)) {
            of_agent.push(mark);
        }
    }
    Ok(marks)
}

/// Where in the arrays that were sent a row belongs: `WITH ORDINALITY` counts from one.
fn number(row: &Row, sql: &Sql, column: usize) -> Result<Option<usize>, StoreError> {
    let number: i64 = sql::get(row, sql, column)?;
    Ok(usize::try_from(number - 1).ok())
}

/// Writes how locked agents stand. What was asked for is done with.
pub async fn note(tx: &Transaction<'_>, rows: &[AgentRow]) -> Result<u64, StoreError> {
    let sorted = last_per_key(rows, |row| (row.tenant.as_str(), row.agent_id.as_str()));
    if sorted.is_empty() {
        return Ok(0);
    }
    let instant = |at: Option<UtcMicros>| at.map(Instant);
    sql::execute(
        tx,
        &NOTE,
        &[
            &column(&sorted, |row| row.tenant.as_str()),
            &column(&sorted, |row| row.agent_id.as_str()),
            &column(&sorted, |row| row.team.as_deref()),
            &column(&sorted, |row| row.presence.as_deref()),
            &column(&sorted, |row| row.routing.as_deref()),
            &column(&sorted, |row| row.reason.as_deref()),
            &column(&sorted, |row| row.scheduled.as_deref()),
            &column(&sorted, |row| row.interacting),
            &column(&sorted, |row| row.wrapping),
            &column(&sorted, |row| row.capped),
            &column(&sorted, |row| instant(row.since)),
            &column(&sorted, |row| instant(row.open_until)),
            &column(&sorted, |row| instant(row.computed_to)),
            &column(&sorted, |row| instant(row.due_at)),
        ],
    )
    .await
}

/// Agents whose time is to be computed further by now, the longest overdue first.
pub async fn due(
    conn: &impl Connection,
    now: UtcMicros,
    limit: u32,
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sql::query(conn, &DUE, &[&Instant(now), &i64::from(limit)]).await?;
    rows.iter()
        .map(|row| Ok((sql::get(row, &DUE, 0)?, sql::get(row, &DUE, 1)?)))
        .collect()
}

/// Has definitions that are switched off evaluated, once, when the time of these agents is computed next. Append the marks of the
/// stretches in the same transaction.
pub async fn ask<T: AsRef<str>, A: AsRef<str>>(
    tx: &Transaction<'_>,
    agents: &[(T, A)],
    definitions: &[i32],
) -> Result<(), StoreError> {
    let (tenants, ids) = keys(agents)?;
    if ids.is_empty() || definitions.is_empty() {
        return Ok(());
    }
    sql::execute(tx, &ASK, &[&tenants, &ids, &definitions]).await?;
    Ok(())
}

fn read_agent(row: &Row) -> Result<AgentRow, StoreError> {
    let instant = |column| -> Result<Option<UtcMicros>, StoreError> {
        Ok(sql::get::<Option<Instant>>(row, &LOCK, column)?.map(|at| at.0))
    };
    Ok(AgentRow {
        tenant: sql::get(row, &LOCK, 0)?,
        agent_id: sql::get(row, &LOCK, 1)?,
        team: sql::get(row, &LOCK, 2)?,
        presence: sql::get(row, &LOCK, 3)?,
        routing: sql::get(row, &LOCK, 4)?,
        reason: sql::get(row, &LOCK, 5)?,
        scheduled: sql::get(row, &LOCK, 6)?,
        interacting: sql::get(row, &LOCK, 7)?,
        wrapping: sql::get(row, &LOCK, 8)?,
        capped: sql::get(row, &LOCK, 9)?,
        since: instant(10)?,
        open_until: instant(11)?,
        computed_to: instant(12)?,
        due_at: instant(13)?,
        asked: sql::get(row, &LOCK, 14)?,
    })
}
