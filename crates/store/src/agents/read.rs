//! What the worker reads of an agent's time.

use super::row::{Activity, Run};
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{
    AgentFact, AgentStatement, FactKey, Millis, Presence, Routing, SourceRank, UtcMicros,
};
use tokio_postgres::Row;

/// The columns of a statement, in the order in which [`read_fact`] reads them.
macro_rules! fact_columns {
    () => {
        "s.fact_key, s.at, s.until, s.presence, s.routing, s.scheduled, s.reason, s.team, s.rank, s.revision"
    };
}
pub(super) use fact_columns;

macro_rules! last {
    ($track:literal) => {
        concat!(
            "(SELECT max(s.at) FROM agent_states s \
              WHERE s.tenant = k.tenant AND s.agent_id = k.agent_id AND s.",
            $track,
            " IS NOT NULL AND s.at < k.since)"
        )
    };
}

macro_rules! of_track {
    ($track:literal, $first:literal) => {
        concat!(
            "SELECT * FROM agent_states s \
             WHERE s.tenant = k.tenant AND s.agent_id = k.agent_id AND s.",
            $track,
            " IS NOT NULL AND s.at >= coalesce(",
            $first,
            ", k.since) AND s.at < k.until"
        )
    };
}

// Of each track what was stated since the last statement before. A sign-out ends what the router said before it, and what it said may hold,
// or be unknown, for as long as nobody ends it: so the first one since the last statement of routing counts too, however long ago. Those since
// the last presence are read anyway. There is one presence an instant, by its key.
pub(super) static FACTS: Sql = Sql {
    step: "read statements about agents",
    text: concat!(
        "SELECT k.number, ",
        fact_columns!(),
        " FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[]) \
               WITH ORDINALITY AS k (tenant, agent_id, since, until, number) \
          CROSS JOIN LATERAL (SELECT ",
        last!("presence"),
        " AS presence, ",
        last!("routing"),
        " AS routing, ",
        last!("scheduled"),
        " AS scheduled, ",
        last!("team"),
        " AS team) l \
          LEFT JOIN LATERAL (SELECT s.at FROM agent_states s \
                             WHERE s.tenant = k.tenant AND s.agent_id = k.agent_id AND s.presence IS NOT NULL \
                               AND s.presence = 'offline' AND s.at >= l.routing AND s.at < l.presence \
                             ORDER BY s.at LIMIT 1) o ON true \
          CROSS JOIN LATERAL (",
        of_track!("presence", "l.presence"),
        " UNION ALL \
          SELECT * FROM agent_states s \
          WHERE s.tenant = k.tenant AND s.agent_id = k.agent_id AND s.presence IS NOT NULL AND s.at = o.at \
          UNION ALL ",
        of_track!("routing", "l.routing"),
        " UNION ALL ",
        of_track!("scheduled", "l.scheduled"),
        " UNION ALL ",
        of_track!("team", "l.team"),
        ") s"
    ),
};

// What ends within a day of its beginning is found by the beginning; the rest is little, and looked through.
pub(super) static ACTIVITY: Sql = Sql {
    step: "read when agents were busy",
    text: "SELECT k.number, a.from_at, a.to_at, a.wrap_until \
           FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[]) \
                WITH ORDINALITY AS k (tenant, agent_id, since, until, short_since, open_since, number) \
           CROSS JOIN LATERAL ( \
               SELECT from_at, to_at, wrap_until FROM agent_activity a \
               WHERE a.tenant = k.tenant AND a.agent_id = k.agent_id AND NOT a.lasting \
                 AND a.from_at >= k.short_since AND a.from_at < k.until \
               UNION ALL \
               SELECT from_at, to_at, wrap_until FROM agent_activity a \
               WHERE a.tenant = k.tenant AND a.agent_id = k.agent_id AND a.lasting AND a.from_at < k.until \
                 AND CASE WHEN a.to_at IS NULL THEN a.from_at >= k.open_since ELSE greatest(a.to_at, a.wrap_until) > k.since END \
           ) a",
};

pub(super) static NEXT: Sql = Sql {
    step: "look for what agents are told ahead",
    text: "SELECT k.number, least( \
               (SELECT min(s.at) FROM agent_states s \
                WHERE s.tenant = k.tenant AND s.agent_id = k.agent_id AND s.presence IS NOT NULL AND s.at >= k.since), \
               (SELECT min(s.at) FROM agent_states s \
                WHERE s.tenant = k.tenant AND s.agent_id = k.agent_id AND s.routing IS NOT NULL AND s.at >= k.since), \
               (SELECT min(s.at) FROM agent_states s \
                WHERE s.tenant = k.tenant AND s.agent_id = k.agent_id AND s.scheduled IS NOT NULL AND s.at >= k.since), \
               (SELECT min(s.from_at) FROM agent_activity s \
                WHERE s.tenant = k.tenant AND s.agent_id = k.agent_id AND s.from_at >= k.since)) \
           FROM unnest($1::text[], $2::text[], $3::timestamptz[]) WITH ORDINALITY AS k (tenant, agent_id, since, number)",
};

/// An agent's leg that lasts longer, or is open, is kept apart.
pub(super) const SHORT: Millis = Millis(24 * 3_600_000);

/// The statements that hold into each of these stretches, by the order of `runs` and in no order otherwise; some twice.
///
/// They are all that the fold needs, see `agent::intervals`, for any cap up to `open_cap`: also the first sign-out since the last statement of
/// routing, which ends that one.
pub async fn facts(
    conn: &impl Connection,
    runs: &[Run<'_>],
    open_cap: Millis,
) -> Result<Vec<Vec<AgentFact>>, StoreError> {
    let columns = Columns::of(runs, |run| earlier(run.from, open_cap));
    let mut facts = vec![Vec::new(); runs.len()];
    if runs.is_empty() {
        return Ok(facts);
    }
    let rows = sql::query(
        conn,
        &FACTS,
        &[
            &columns.tenant,
            &columns.agent_id,
            &columns.since,
            &columns.until,
        ],
    )
    .await?;
    for row in &rows {
        let fact = read_fact(row, &FACTS, 1)?;
        if let Some(of_run) = super::number(row, &FACTS, 0)?.and_then(|at| facts.get_mut(at)) {
            of_run.push(fact);
        }
    }
    Ok(facts)
}

/// When the agents were busy in each of these stretches, by the order of `runs` and in no order otherwise. What is open counts for
/// `open_cap`.
pub async fn activity(
    conn: &impl Connection,
    runs: &[Run<'_>],
    open_cap: Millis,
) -> Result<Vec<Vec<Activity>>, StoreError> {
    let columns = Columns::of(runs, |run| run.from);
    let before = |span: Millis| -> Vec<Instant> {
        runs.iter()
            .map(|run| Instant(earlier(run.from, span)))
            .collect()
    };
    let mut activity = vec![Vec::new(); runs.len()];
    if runs.is_empty() {
        return Ok(activity);
    }
    let rows = sql::query(
        conn,
        &ACTIVITY,
        &[
            &columns.tenant,
            &columns.agent_id,
            &columns.since,
            &columns.until,
            &before(SHORT),
            &before(open_cap),
        ],
    )
    .await?;
    for row in &rows {
        let instant = |column| sql::get::<Option<Instant>>(row, &ACTIVITY, column);
        let one = Activity {
            from: sql::get::<Instant>(row, &ACTIVITY, 1)?.0,
            to: instant(2)?.map(|at| at.0),
            wrap_until: instant(3)?.map(|at| at.0),
        };
        if let Some(of_run) = super::number(row, &ACTIVITY, 0)?.and_then(|at| activity.get_mut(at))
        {
            of_run.push(one);
        }
    }
    Ok(activity)
}

/// When the first statement about each of these agents, or the first of its legs, begins at the instant given with it or later; in their order.
pub async fn next_statements(
    conn: &impl Connection,
    agents: &[(&str, &str, UtcMicros)],
) -> Result<Vec<Option<UtcMicros>>, StoreError> {
    let tenants: Vec<&str> = agents.iter().map(|agent| agent.0).collect();
    let ids: Vec<&str> = agents.iter().map(|agent| agent.1).collect();
    let since: Vec<Instant> = agents.iter().map(|agent| Instant(agent.2)).collect();
    let mut next = vec![None; agents.len()];
    for row in sql::query(conn, &NEXT, &[&tenants, &ids, &since]).await? {
        let at = sql::get::<Option<Instant>>(&row, &NEXT, 1)?.map(|at| at.0);
        if let Some(of_agent) = super::number(&row, &NEXT, 0)?.and_then(|place| next.get_mut(place))
        {
            *of_agent = at;
        }
    }
    Ok(next)
}

struct Columns<'a> {
    tenant: Vec<&'a str>,
    agent_id: Vec<&'a str>,
    since: Vec<Instant>,
    until: Vec<Instant>,
}

impl<'a> Columns<'a> {
    fn of(runs: &[Run<'a>], since: impl Fn(&Run<'a>) -> UtcMicros) -> Self {
        Self {
            tenant: runs.iter().map(|run| run.tenant).collect(),
            agent_id: runs.iter().map(|run| run.agent_id).collect(),
            since: runs.iter().map(|run| Instant(since(run))).collect(),
            until: runs.iter().map(|run| Instant(run.to)).collect(),
        }
    }
}

fn earlier(at: UtcMicros, by: Millis) -> UtcMicros {
    at.plus(Millis(by.0.saturating_neg()))
}

/// A statement whose columns begin at `first`.
pub(super) fn read_fact(row: &Row, sql: &Sql, first: usize) -> Result<AgentFact, StoreError> {
    let text = |column: usize| sql::get::<Option<String>>(row, sql, first + column);
    let instant = |column: usize| -> Result<Option<UtcMicros>, StoreError> {
        Ok(sql::get::<Option<Instant>>(row, sql, first + column)?.map(|at| at.0))
    };
    Ok(AgentFact {
        key: key(sql::get(row, sql, first)?)?,
        at: sql::get::<Instant>(row, sql, first + 1)?.0,
        until: instant(2)?,
        revision: instant(9)?,
        rank: rank_from(sql::get(row, sql, first + 8)?)?,
        statement: AgentStatement {
            presence: text(3)?.map(|name| Presence::from_name(&name)),
            routing: text(4)?.map(|name| Routing::from_name(&name)),
            scheduled: text(5)?.map(Into::into),
            reason: text(6)?.map(Into::into),
            team: text(7)?.map(Into::into),
        },
    })
}

fn key(text: String) -> Result<FactKey, StoreError> {
    serde_json::from_value(serde_json::Value::String(text.clone())).map_err(|_| {
        StoreError::Unreadable {
            column: "agent_states.fact_key",
            value: text,
        }
    })
}

/// A rank as it is stored.
pub(super) const fn rank_of(rank: SourceRank) -> i16 {
    match rank {
        SourceRank::Event => 0,
        SourceRank::MetricRecord => 1,
        SourceRank::SettledRecord => 2,
    }
}

/// The inverse of [`rank_of`].
pub(super) fn rank_from(rank: i16) -> Result<SourceRank, StoreError> {
    match rank {
        0 => Ok(SourceRank::Event),
        1 => Ok(SourceRank::MetricRecord),
        2 => Ok(SourceRank::SettledRecord),
        other => Err(StoreError::Unreadable {
            column: "agent_states.rank",
            value: other.to_string(),
        }),
    }
}
