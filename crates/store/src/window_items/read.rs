//! Reading items: by subject for whoever owns them, by cell for the windows.

use super::{Item, ItemRef, Source};
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

pub(super) static OF_SUBJECTS: Sql = Sql {
    step: "read window_items of subjects",
    text: "SELECT k.tenant, i.subject, i.cell, i.ordinal, i.agent_id, i.queue_id, i.media, i.direction, i.team, i.attributes, \
                  i.measures \
           FROM unnest($2::text[], $3::text[]) AS k (tenant, subject) \
           CROSS JOIN LATERAL (SELECT subject, cell, ordinal, agent_id, queue_id, media, direction, team, attributes, measures \
                               FROM window_items i \
                               WHERE i.tenant = k.tenant AND i.source = $1 AND i.subject = k.subject \
                               ORDER BY cell, ordinal) i",
};

pub(super) static OF_AGENT_CELLS: Sql = Sql {
    step: "read window_items of agents",
    text: "SELECT i.subject, i.cell, i.ordinal, i.agent_id, i.queue_id, i.media, i.direction, i.team, i.attributes, i.measures \
           FROM unnest($2::text[]) AS k (subject) \
           CROSS JOIN LATERAL (SELECT subject, cell, ordinal, agent_id, queue_id, media, direction, team, attributes, measures \
                               FROM window_items i \
                               WHERE i.tenant = $1 AND i.source = 'agent' AND i.subject = k.subject \
                                 AND i.cell >= $3 AND i.cell < $4 \
                               ORDER BY cell, ordinal) i",
};

// The condition on the ordinal is the index's, see the migration.
pub(super) static FOR_EACH_OF_CELLS: Sql = Sql {
    step: "read what window_items add to cells",
    text: "SELECT cell, agent_id, queue_id, media, direction, team, attributes, measures \
           FROM window_items WHERE tenant = $1 AND cell = ANY ($2::timestamptz[]) AND ordinal >= 0",
};

/// All items of these (tenant, subject), each with its tenant, sorted by tenant, subject, cell and ordinal.
pub async fn of_subjects<T: AsRef<str>, S: AsRef<str>>(
    conn: &impl Connection,
    source: Source,
    keys: &[(T, S)],
) -> Result<Vec<(String, Item)>, StoreError> {
    let mut sorted: Vec<(&str, &str)> = keys
        .iter()
        .map(|(tenant, subject)| (tenant.as_ref(), subject.as_ref()))
        .collect();
    sorted.sort_unstable();
    sorted.dedup();
    for (tenant, subject) in &sorted {
        no_nul("tenant", tenant)?;
        no_nul("subject", subject)?;
    }
    if sorted.is_empty() {
        return Ok(Vec::new());
    }
    let (tenants, subjects): (Vec<&str>, Vec<&str>) = sorted.into_iter().unzip();
    let sql = &OF_SUBJECTS;
    let rows = sql::query(conn, sql, &[&source.as_str(), &tenants, &subjects]).await?;
    rows.iter()
        .map(|row| Ok((sql::get(row, sql, 0)?, Item::read(row, sql, 1)?)))
        .collect()
}

/// What these agents' time adds to the cells that start in [from, to), sorted by agent, cell and ordinal.
pub async fn of_agent_cells(
    conn: &impl Connection,
    tenant: &str,
    agents: &[&str],
    from: UtcMicros,
    to: UtcMicros,
) -> Result<Vec<Item>, StoreError> {
    let mut sorted = agents.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    no_nul("tenant", tenant)?;
    for agent in &sorted {
        no_nul("subject", agent)?;
    }
    if sorted.is_empty() {
        return Ok(Vec::new());
    }
    let sql = &OF_AGENT_CELLS;
    let params: sql::Params<'_> = &[&tenant, &sorted, &Instant(from), &Instant(to)];
    let rows = sql::query(conn, sql, params).await?;
    rows.iter().map(|row| Item::read(row, sql, 0)).collect()
}

/// Everything that is added to these cells, in no order: one after the other as they come from the server, and of each only what sums need.
/// Nothing is gathered.
///
/// All rows must have come within the time that the store gives to one statement: ask for a day of a busy organisation, not for a year.
pub async fn for_each_of_cells(
    conn: &impl Connection,
    tenant: &str,
    cells: &[UtcMicros],
    mut each: impl FnMut(ItemRef<'_>) + Send,
) -> Result<(), StoreError> {
    no_nul("tenant", tenant)?;
    let cells = each_once(cells);
    let sql = &FOR_EACH_OF_CELLS;
    let mut measures = Vec::new();
    sql::for_each(conn, sql, &[&tenant, &cells], |row| {
        each(ItemRef::read(row, sql, &mut measures)?);
        Ok(())
    })
    .await
}

fn each_once(cells: &[UtcMicros]) -> Vec<Instant> {
    let mut cells: Vec<Instant> = cells.iter().copied().map(Instant).collect();
    cells.sort_unstable();
    cells.dedup();
    cells
}
