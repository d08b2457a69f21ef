//! Statements of the fold: union by key, the greater of two wins. And which stretch of time that may change.

use super::read::{fact_columns, rank_of, read_fact};
use super::row::{AgentFactRow, Changed};
use crate::columns::{column, no_nul};
use crate::error::StoreError;
use crate::pool::Transaction;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{AgentFact, Presence, Track, UtcMicros};
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Row;

pub(super) static INSERT: Sql = Sql {
    step: "insert statements about agents",
    text: "INSERT INTO agent_states (tenant, agent_id, fact_key, at, until, presence, routing, scheduled, reason, team, rank, revision) \
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], \
                                $8::text[], $9::text[], $10::text[], $11::smallint[], $12::timestamptz[]) \
           ON CONFLICT DO NOTHING RETURNING tenant, agent_id, fact_key",
};

// The lateral locks row by row in the order of the arrays, which are sorted. Rows that this transaction inserted come before: whoever waits
// for one of those holds no lock of this kind yet.
pub(super) static LOCK: Sql = Sql {
    step: "lock statements about agents",
    text: concat!(
        "SELECT k.number, ",
        fact_columns!(),
        " FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k (tenant, agent_id, fact_key, number) \
          CROSS JOIN LATERAL (SELECT * FROM agent_states s \
                              WHERE s.tenant = k.tenant AND s.agent_id = k.agent_id AND s.fact_key = k.fact_key FOR UPDATE) s"
    ),
};

pub(super) static UPDATE: Sql = Sql {
    step: "update statements about agents",
    text: "UPDATE agent_states s SET at = u.at, until = u.until, presence = u.presence, routing = u.routing, scheduled = u.scheduled, \
                  reason = u.reason, team = u.team, rank = u.rank, revision = u.revision \
           FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], \
                       $8::text[], $9::text[], $10::text[], $11::smallint[], $12::timestamptz[]) \
                AS u (tenant, agent_id, fact_key, at, until, presence, routing, scheduled, reason, team, rank, revision) \
           WHERE s.tenant = u.tenant AND s.agent_id = u.agent_id AND s.fact_key = u.fact_key",
};

macro_rules! next {
    ($track:literal) => {
        concat!(
            "(SELECT min(s.at) FROM agent_states s \
              WHERE s.tenant = k.tenant AND s.agent_id = k.agent_id AND s.",
            $track,
            " IS NOT NULL AND s.at > k.at)"
        )
    };
}

pub(super) static NEXT: Sql = Sql {
    step: "look for the next statements about agents",
    text: concat!(
        "SELECT now(), k.number, CASE WHEN k.presence THEN ",
        next!("presence"),
        " END, CASE WHEN k.routing THEN ",
        next!("routing"),
        " END, CASE WHEN k.scheduled THEN ",
        next!("scheduled"),
        " END, CASE WHEN k.team THEN ",
        next!("team"),
        " END FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::boolean[], $5::boolean[], $6::boolean[], $7::boolean[]) \
                   WITH ORDINALITY AS k (tenant, agent_id, at, presence, routing, scheduled, team, number)"
    ),
};

/// Writes the statements that are new, or greater than the ones known under their keys, and returns the stretches of time that this may
/// change, sorted, those of one agent apart from each other.
///
/// A statement changes its track up to the next one of it: where that one is capped or ends by itself, what is unknown then changes too. Up to
/// now where there is no next one: nothing later can have been computed.
pub async fn put_facts(
    tx: &Transaction<'_>,
    rows: &[AgentFactRow<'_>],
) -> Result<Vec<Changed>, StoreError> {
    let greatest = greatest(rows)?;
    if greatest.is_empty() {
        return Ok(Vec::new());
    }
    let all: Vec<_> = greatest.iter().collect();
    let mut inserted = BTreeSet::new();
    for row in execute(tx, &INSERT, &all).await? {
        inserted.insert((
            sql::get::<String>(&row, &INSERT, 0)?,
            sql::get::<String>(&row, &INSERT, 1)?,
            sql::get::<String>(&row, &INSERT, 2)?,
        ));
    }
    let is_new = |key: &Key<'_>| {
        let key = (key.0.to_owned(), key.1.to_owned(), key.2.to_owned());
        inserted.contains(&key)
    };
    let (new, known): (Vec<_>, Vec<_>) = all.into_iter().partition(|(key, _)| is_new(key));
    let mut touched = Touched::default();
    for (key, fact) in new {
        touched.add(key, fact);
    }
    let replaced = lock(tx, &known).await?;
    for (key, old, new) in &replaced {
        touched.add(key, old);
        touched.add(key, new);
    }
    let updates: Vec<_> = replaced.iter().map(|(key, _, new)| (*key, *new)).collect();
    execute(tx, &UPDATE, &updates).await?;
    touched.stretches(tx).await
}

/// Tenant, agent, key of the statement.
type Key<'a> = (&'a str, &'a str, &'a str);

fn greatest<'a>(rows: &[AgentFactRow<'a>]) -> Result<BTreeMap<Key<'a>, &'a AgentFact>, StoreError> {
    let mut greatest: BTreeMap<Key<'a>, &'a AgentFact> = BTreeMap::new();
    for row in rows {
        check(row)?;
        let key = (row.tenant, row.agent_id, row.fact.key.as_str());
        greatest
            .entry(key)
            .and_modify(|known| {
                if row.fact.supersedes(known) {
                    *known = row.fact;
                }
            })
            .or_insert(row.fact);
    }
    Ok(greatest)
}

fn check(row: &AgentFactRow<'_>) -> Result<(), StoreError> {
    let statement = &row.fact.statement;
    no_nul("tenant", row.tenant)?;
    no_nul("agent_id", row.agent_id)?;
    no_nul("fact_key", row.fact.key.as_str())?;
    no_nul(
        "presence",
        statement.presence.as_ref().map_or("", Presence::name),
    )?;
    no_nul(
        "routing",
        statement.routing.as_ref().map_or("", schema::Routing::name),
    )?;
    no_nul(
        "scheduled",
        statement.scheduled.as_deref().unwrap_or_default(),
    )?;
    no_nul("reason", statement.reason.as_deref().unwrap_or_default())?;
    no_nul("team", statement.team.as_deref().unwrap_or_default())
}

/// Runs a statement that takes whole rows.
async fn execute(
    tx: &Transaction<'_>,
    sql: &'static Sql,
    rows: &[(&Key<'_>, &&AgentFact)],
) -> Result<Vec<Row>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<_> = rows.iter().collect();
    let instant = |at: Option<UtcMicros>| at.map(Instant);
    sql::query(
        tx,
        sql,
        &[
            &column(&rows, |row| row.0.0),
            &column(&rows, |row| row.0.1),
            &column(&rows, |row| row.0.2),
            &column(&rows, |row| Instant(row.1.at)),
            &column(&rows, |row| instant(row.1.until)),
            &column(&rows, |row| {
                row.1.statement.presence.as_ref().map(Presence::name)
            }),
            &column(&rows, |row| {
                row.1.statement.routing.as_ref().map(schema::Routing::name)
            }),
            &column(&rows, |row| row.1.statement.scheduled.as_deref()),
            &column(&rows, |row| row.1.statement.reason.as_deref()),
            &column(&rows, |row| row.1.statement.team.as_deref()),
            &column(&rows, |row| rank_of(row.1.rank)),
            &column(&rows, |row| instant(row.1.revision)),
        ],
    )
    .await
}

/// Locks what is known under these keys. Returns where the new statement is greater, with the one that it takes the place of.
async fn lock<'k, 'a>(
    tx: &Transaction<'_>,
    known: &[(&'k Key<'a>, &'k &'a AgentFact)],
) -> Result<Vec<(&'k Key<'a>, AgentFact, &'k &'a AgentFact)>, StoreError> {
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<_> = known.iter().collect();
    let stored = sql::query(
        tx,
        &LOCK,
        &[
            &column(&rows, |row| row.0.0),
            &column(&rows, |row| row.0.1),
            &column(&rows, |row| row.0.2),
        ],
    )
    .await?;
    let mut replaced = Vec::new();
    for row in &stored {
        let Some((key, new)) = super::number(row, &LOCK, 0)?.and_then(|at| known.get(at)) else {
            continue;
        };
        let old = read_fact(row, &LOCK, 1)?;
        if new.supersedes(&old) {
            replaced.push((*key, old, *new));
        }
    }
    Ok(replaced)
}

/// What changed at which instants of whose time.
#[derive(Debug, Default)]
struct Touched<'a>(BTreeMap<(&'a str, &'a str, UtcMicros), Tracks>);

/// On which tracks.
#[derive(Debug, Default, Clone, Copy)]
struct Tracks {
    presence: bool,
    routing: bool,
    scheduled: bool,
    team: bool,
}

impl<'a> Touched<'a> {
    fn add(&mut self, key: &Key<'a>, fact: &AgentFact) {
        let statement = &fact.statement;
        let tracks = self.0.entry((key.0, key.1, fact.at)).or_default();
        tracks.presence |= statement.states(Track::Presence);
        // A sign-out ends what the router said.
        tracks.routing |=
            statement.states(Track::Routing) || statement.presence == Some(Presence::Offline);
        tracks.scheduled |= statement.states(Track::Schedule);
        tracks.team |= statement.team.is_some();
    }

    async fn stretches(&self, tx: &Transaction<'_>) -> Result<Vec<Changed>, StoreError> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<_> = self.0.iter().collect();
        let rows: Vec<_> = rows.iter().collect();
        let next = sql::query(
            tx,
            &NEXT,
            &[
                &column(&rows, |row| row.0.0),
                &column(&rows, |row| row.0.1),
                &column(&rows, |row| Instant(row.0.2)),
                &column(&rows, |row| row.1.presence),
                &column(&rows, |row| row.1.routing),
                &column(&rows, |row| row.1.scheduled),
                &column(&rows, |row| row.1.team),
            ],
        )
        .await?;
        let mut stretches = Vec::with_capacity(next.len());
        for row in &next {
            let Some((key, tracks)) =
                super::number(row, &NEXT, 1)?.and_then(|place| rows.get(place))
            else {
                continue;
            };
            let (tenant, agent_id, at) = **key;
            let now = sql::get::<Instant>(row, &NEXT, 0)?.0;
            let mut to = UtcMicros(at.0.saturating_add(1));
            for (column, touched) in [
                (2, tracks.presence),
                (3, tracks.routing),
                (4, tracks.scheduled),
                (5, tracks.team),
            ] {
                if touched {
                    let next = sql::get::<Option<Instant>>(row, &NEXT, column)?;
                    to = to.max(next.map_or(now, |next| next.0));
                }
            }
            stretches.push(Changed {
                tenant: tenant.to_owned(),
                agent_id: agent_id.to_owned(),
                from: at,
                to,
            });
        }
        Ok(Changed::united(stretches))
    }
}
