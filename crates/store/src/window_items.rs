//! What each interaction, agent or journey adds to the windows, by quarter hour of UTC.
//!
//! An item belongs to its subject: whoever holds the subject's lock reads what is stored, compares and writes the difference. The window
//! worker reads them by cell.

mod item;
mod packed;
mod read;

pub use item::{Item, ItemRef, Source};
pub use read::{for_each_of_cells, of_agent_cells, of_subjects};

use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::Transaction;
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;

static PUT: Sql = Sql {
    step: "write window_items",
    text: "INSERT INTO window_items AS i (tenant, source, subject, cell, ordinal, agent_id, queue_id, media, direction, team, \
                                          attributes, measures) \
           SELECT u.tenant, $1, u.subject, u.cell, u.ordinal, u.agent_id, u.queue_id, u.media, u.direction, u.team, \
                  u.attributes, u.measures \
           FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::smallint[], $6::text[], $7::text[], $8::text[], $9::text[], \
                       $10::text[], $11::text[], $12::bytea[]) \
                AS u (tenant, subject, cell, ordinal, agent_id, queue_id, media, direction, team, attributes, measures) \
           ON CONFLICT (tenant, source, subject, cell, ordinal) DO UPDATE SET \
                  agent_id = EXCLUDED.agent_id, queue_id = EXCLUDED.queue_id, media = EXCLUDED.media, \
                  direction = EXCLUDED.direction, team = EXCLUDED.team, attributes = EXCLUDED.attributes, \
                  measures = EXCLUDED.measures \
           WHERE (i.measures, i.agent_id, i.queue_id, i.media, i.direction, i.team, i.attributes) IS DISTINCT FROM \
                 (EXCLUDED.measures, EXCLUDED.agent_id, EXCLUDED.queue_id, EXCLUDED.media, EXCLUDED.direction, EXCLUDED.team, \
                  EXCLUDED.attributes)",
};

static REMOVE: Sql = Sql {
    step: "delete window_items",
    text: "DELETE FROM window_items i \
           USING unnest($2::text[], $3::text[], $4::timestamptz[], $5::smallint[]) AS k (tenant, subject, cell, ordinal) \
           WHERE i.tenant = k.tenant AND i.source = $1 AND i.subject = k.subject AND i.cell = k.cell AND i.ordinal = k.ordinal",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &PUT,
    &REMOVE,
    &read::OF_SUBJECTS,
    &read::OF_AGENT_CELLS,
    &read::FOR_EACH_OF_CELLS,
];

/// Deletes what is gone and writes what is new or differs. The caller marks the cells concerned and holds the subjects' locks.
///
/// `put` has the tenant before each item, `gone` the tenant, subject, cell and ordinal. Of several items with one key the last holds;
/// one that is in both is written.
pub async fn write(
    tx: &Transaction<'_>,
    source: Source,
    put: &[(&str, &Item)],
    gone: &[(&str, &str, UtcMicros, i16)],
) -> Result<(), StoreError> {
    remove(tx, source, gone).await?;
    for (tenant, item) in put {
        no_nul("tenant", tenant)?;
        item.no_nul()?;
    }
    let sorted = last_per_key(put, |(tenant, item)| {
        (*tenant, item.subject.as_str(), item.cell, item.ordinal)
    });
    if sorted.is_empty() {
        return Ok(());
    }
    let tenant = column(&sorted, |row| row.0);
    let subject = column(&sorted, |row| row.1.subject.as_str());
    let cell = column(&sorted, |row| Instant(row.1.cell));
    let ordinal = column(&sorted, |row| row.1.ordinal);
    let agent_id = column(&sorted, |row| row.1.agent_id.as_deref());
    let queue_id = column(&sorted, |row| row.1.queue_id.as_deref());
    let media = column(&sorted, |row| row.1.media.as_deref());
    let direction = column(&sorted, |row| row.1.direction.as_deref());
    let team = column(&sorted, |row| row.1.team.as_deref());
    let attributes = column(&sorted, |row| row.1.attributes.as_deref());
    let measures = column(&sorted, |row| packed::pack(&row.1.measures));
    let params: sql::Params<'_> = &[
        &source.as_str(),
        &tenant,
        &subject,
        &cell,
        &ordinal,
        &agent_id,
        &queue_id,
        &media,
        &direction,
        &team,
        &attributes,
        &measures,
    ];
    sql::execute(tx, &PUT, params).await.map(drop)
}

async fn remove(
    tx: &Transaction<'_>,
    source: Source,
    gone: &[(&str, &str, UtcMicros, i16)],
) -> Result<(), StoreError> {
    let mut sorted = gone.to_vec();
    sorted.sort_unstable();
    for (tenant, subject, ..) in &sorted {
        no_nul("tenant", tenant)?;
        no_nul("subject", subject)?;
    }
    if sorted.is_empty() {
        return Ok(());
    }
    let tenant: Vec<&str> = sorted.iter().map(|key| key.0).collect();
    let subject: Vec<&str> = sorted.iter().map(|key| key.1).collect();
    let cell: Vec<Instant> = sorted.iter().map(|key| Instant(key.2)).collect();
    let ordinal: Vec<i16> = sorted.iter().map(|key| key.3).collect();
    let params: sql::Params<'_> = &[&source.as_str(), &tenant, &subject, &cell, &ordinal];
    sql::execute(tx, &REMOVE, params).await.map(drop)
}
