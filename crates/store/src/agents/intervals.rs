//! The intervals of agents' time.

use super::row::{IntervalRow, Run};
use crate::columns::{column, no_nul};
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

pub(super) static READ: Sql = Sql {
    step: "read intervals of agents' time",
    text: "SELECT k.number, i.from_at, i.to_at, i.presence, i.routing, i.reason, i.scheduled, i.team, i.interacting, i.wrapping, \
                  i.logged_in, i.on_queue, i.capped, i.open \
           FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[]) \
                WITH ORDINALITY AS k (tenant, agent_id, since, until, number) \
           CROSS JOIN LATERAL (SELECT * FROM interval_states i \
                               WHERE i.tenant = k.tenant AND i.agent_id = k.agent_id \
                                 AND i.from_at >= k.since AND i.from_at < k.until) i",
};

pub(super) static UPSERT: Sql = Sql {
    step: "write intervals of agents' time",
    text: "INSERT INTO interval_states (tenant, agent_id, from_at, to_at, presence, routing, reason, scheduled, team, interacting, \
                                        wrapping, logged_in, on_queue, capped, open) \
           SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], \
                                $8::text[], $9::text[], $10::boolean[], $11::boolean[], $12::boolean[], $13::boolean[], \
                                $14::boolean[], $15::boolean[]) \
           ON CONFLICT (tenant, agent_id, from_at) DO UPDATE SET to_at = EXCLUDED.to_at, presence = EXCLUDED.presence, \
               routing = EXCLUDED.routing, reason = EXCLUDED.reason, scheduled = EXCLUDED.scheduled, team = EXCLUDED.team, \
               interacting = EXCLUDED.interacting, wrapping = EXCLUDED.wrapping, logged_in = EXCLUDED.logged_in, \
               on_queue = EXCLUDED.on_queue, capped = EXCLUDED.capped, open = EXCLUDED.open",
};

pub(super) static REMOVE: Sql = Sql {
    step: "remove intervals of agents' time",
    text: "DELETE FROM interval_states i USING unnest($1::text[], $2::text[], $3::timestamptz[]) AS k (tenant, agent_id, from_at) \
           WHERE i.tenant = k.tenant AND i.agent_id = k.agent_id AND i.from_at = k.from_at",
};

/// What is stored of these stretches, by the order of `runs`, ascending. Runs begin and end at UTC midnight, as intervals do not
/// reach over it.
pub async fn intervals(
    conn: &impl Connection,
    runs: &[Run<'_>],
) -> Result<Vec<Vec<IntervalRow>>, StoreError> {
    let mut intervals = vec![Vec::new(); runs.len()];
    if runs.is_empty() {
        return Ok(intervals);
    }
    let tenant: Vec<&str> = runs.iter().map(|run| run.tenant).collect();
    let agent_id: Vec<&str> = runs.iter().map(|run| run.agent_id).collect();
    let since: Vec<Instant> = runs.iter().map(|run| Instant(run.from)).collect();
    let until: Vec<Instant> = runs.iter().map(|run| Instant(run.to)).collect();
    for row in sql::query(conn, &READ, &[&tenant, &agent_id, &since, &until]).await? {
        let interval = IntervalRow {
            from: sql::get::<Instant>(&row, &READ, 1)?.0,
            to: sql::get::<Instant>(&row, &READ, 2)?.0,
            presence: sql::get(&row, &READ, 3)?,
            routing: sql::get(&row, &READ, 4)?,
            reason: sql::get(&row, &READ, 5)?,
            scheduled: sql::get(&row, &READ, 6)?,
            team: sql::get(&row, &READ, 7)?,
            interacting: sql::get(&row, &READ, 8)?,
            wrapping: sql::get(&row, &READ, 9)?,
            logged_in: sql::get(&row, &READ, 10)?,
            on_queue: sql::get(&row, &READ, 11)?,
            capped: sql::get(&row, &READ, 12)?,
            open: sql::get(&row, &READ, 13)?,
        };
        if let Some(of_run) = super::number(&row, &READ, 0)?.and_then(|at| intervals.get_mut(at)) {
            of_run.push(interval);
        }
    }
    for of_run in &mut intervals {
        of_run.sort_unstable_by_key(|interval| interval.from);
    }
    Ok(intervals)
}

/// Writes intervals, and removes others by tenant, agent and beginning. The agents must be locked, the months must exist
/// ([`crate::partitions::Table::IntervalStates`]), and no interval may be given twice.
pub async fn put_intervals(
    tx: &Transaction<'_>,
    put: &[(&str, &str, &IntervalRow)],
    gone: &[(&str, &str, UtcMicros)],
) -> Result<(), StoreError> {
    for (tenant, agent_id, _) in put {
        no_nul("tenant", tenant)?;
        no_nul("agent_id", agent_id)?;
    }
    if !gone.is_empty() {
        let gone: Vec<_> = gone.iter().collect();
        let tenant = column(&gone, |key| key.0);
        let agent_id = column(&gone, |key| key.1);
        let from = column(&gone, |key| Instant(key.2));
        sql::execute(tx, &REMOVE, &[&tenant, &agent_id, &from]).await?;
    }
    if put.is_empty() {
        return Ok(());
    }
    let put: Vec<_> = put.iter().collect();
    sql::execute(
        tx,
        &UPSERT,
        &[
            &column(&put, |row| row.0),
            &column(&put, |row| row.1),
            &column(&put, |row| Instant(row.2.from)),
            &column(&put, |row| Instant(row.2.to)),
            &column(&put, |row| row.2.presence.as_deref()),
            &column(&put, |row| row.2.routing.as_deref()),
            &column(&put, |row| row.2.reason.as_deref()),
            &column(&put, |row| row.2.scheduled.as_deref()),
            &column(&put, |row| row.2.team.as_deref()),
            &column(&put, |row| row.2.interacting),
            &column(&put, |row| row.2.wrapping),
            &column(&put, |row| row.2.logged_in),
            &column(&put, |row| row.2.on_queue),
            &column(&put, |row| row.2.capped),
            &column(&put, |row| row.2.open),
        ],
    )
    .await?;
    Ok(())
}
