//! KPIs over windows of local time, written only when something changed.

mod copy;
mod found;
mod row;

pub use row::{Change, Covered, WindowRow, Written};

use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::Transaction;
use crate::sql::{self, Sql};
use crate::types::{Instant, Json};
use found::{Found, News};
use row::{Key, KeyColumns};
use std::collections::BTreeSet;

/// The columns that a row states, in the order in which both statements write them.
macro_rules! columns {
    () => {
        "tenant, metric_type, metric_version, group_by, size, group_key, window_start, window_end, zone, zone_source, tzdb, queue_id, \
         media, direction, agent_id, team, platform, attributes, items, numerator, denominator, scale, minimum, maximum, percentiles, \
         value, unit, settles_at"
    };
}
use columns;

macro_rules! upsert {
    ($suffix:literal) => {
        concat!(
        "INSERT INTO window_metrics AS w (",
        columns!(),
        ") SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], \
                  $8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], \
                  $16::text[], $17::text[], $18::jsonb[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::float8[], \
                  $24::float8[], $25::jsonb[], $26::float8[], $27::text[], $28::timestamptz[]) \
           ON CONFLICT (tenant, metric_type, metric_version, group_by, size, group_key, window_start) DO UPDATE SET \
                  window_end = EXCLUDED.window_end, zone = EXCLUDED.zone, zone_source = EXCLUDED.zone_source, tzdb = EXCLUDED.tzdb, \
                  queue_id = EXCLUDED.queue_id, media = EXCLUDED.media, direction = EXCLUDED.direction, \
                  agent_id = EXCLUDED.agent_id, team = EXCLUDED.team, platform = EXCLUDED.platform, \
                  attributes = EXCLUDED.attributes, items = EXCLUDED.items, numerator = EXCLUDED.numerator, \
                  denominator = EXCLUDED.denominator, scale = EXCLUDED.scale, minimum = EXCLUDED.minimum, \
                  maximum = EXCLUDED.maximum, percentiles = EXCLUDED.percentiles, value = EXCLUDED.value, unit = EXCLUDED.unit, \
                  settles_at = EXCLUDED.settles_at, revision = w.revision + 1, computed_at = now() \
           WHERE (w.items, w.numerator, w.denominator, w.value, w.minimum, w.maximum, w.percentiles, w.window_end, w.settles_at, \
                  w.zone, w.zone_source, w.scale, w.unit, w.queue_id, w.media, w.direction, w.agent_id, w.team, w.platform, \
                  w.attributes) IS DISTINCT FROM \
                 (EXCLUDED.items, EXCLUDED.numerator, EXCLUDED.denominator, EXCLUDED.value, EXCLUDED.minimum, EXCLUDED.maximum, \
                  EXCLUDED.percentiles, EXCLUDED.window_end, EXCLUDED.settles_at, EXCLUDED.zone, EXCLUDED.zone_source, \
                  EXCLUDED.scale, EXCLUDED.unit, EXCLUDED.queue_id, EXCLUDED.media, EXCLUDED.direction, EXCLUDED.agent_id, \
                  EXCLUDED.team, EXCLUDED.platform, EXCLUDED.attributes)",
            $suffix
        )
    };
}

static UPSERT: Sql = Sql {
    step: "upsert window_metrics",
    text: upsert!(""),
};

static UPSERT_TELLING: Sql = Sql {
    step: "upsert window_metrics and tell which",
    text: upsert!(
        " RETURNING w.metric_type, w.metric_version, w.group_by, w.size, w.group_key, w.window_start"
    ),
};

static REMOVE: Sql = Sql {
    step: "delete window_metrics that nothing is in",
    text: "DELETE FROM window_metrics w \
           USING unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::timestamptz[]) \
                 AS k (metric_type, metric_version, group_by, size, group_key, window_start) \
           WHERE w.tenant = $1 AND w.metric_type = k.metric_type AND w.metric_version = k.metric_version \
             AND w.group_by = k.group_by AND w.size = k.size AND w.group_key = k.group_key AND w.window_start = k.window_start \
             AND w.window_start >= $8 AND w.window_start <= $9",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &UPSERT,
    &UPSERT_TELLING,
    &copy::COPY,
    &found::FOUND,
    &REMOVE,
];

/// Writes rows that are new or changed, and deletes rows that reach into a covered stretch and are not among these: also such as begin
/// before it, by another clock than that of today.
///
/// A change of the zone data's version alone is no change. Of several rows with one key the last holds. The months must exist, see
/// [`crate::partitions`].
pub async fn write(
    tx: &Transaction<'_>,
    tenant: &str,
    rows: &[WindowRow<'_>],
    covered: &[Covered<'_>],
) -> Result<Written, StoreError> {
    let (written, _) = write_telling(tx, tenant, rows, covered, &BTreeSet::new()).await?;
    Ok(written)
}

/// The same, and which agents' days of these metrics it changed: what targets want, see [`crate::sync::wants_days`].
pub async fn write_telling<'a>(
    tx: &Transaction<'_>,
    tenant: &str,
    rows: &[WindowRow<'a>],
    covered: &[Covered<'a>],
    followed: &BTreeSet<String>,
) -> Result<(Written, Vec<Change<'a>>), StoreError> {
    no_nul("tenant", tenant)?;
    for row in rows {
        row.check()?;
    }
    for stretch in covered {
        stretch.check()?;
    }
    let sorted = last_per_key(rows, WindowRow::key);
    let found = Found::of(tx, tenant, covered).await?;
    let (mut new, mut told, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let mut changes = Vec::new();
    for row in &sorted {
        let is_followed = follows(followed, &row.key());
        match found.news(row)? {
            News::New => {
                if is_followed {
                    changes.push(Change::Written(**row));
                }
                new.push(*row);
            }
            News::None => {}
            News::Unknown if is_followed => told.push(*row),
            News::Unknown => others.push(*row),
        }
    }
    let mut written = copy::new(tx, tenant, &new).await?;
    written += upsert(tx, tenant, &others, None).await?;
    written += upsert(tx, tenant, &told, Some(&mut changes)).await?;
    let gone: Vec<Key<'a>> = found.but(&sorted).copied().collect();
    for key in gone.iter().filter(|key| follows(followed, key)) {
        changes.push(found.gone(key)?);
    }
    let removed = remove(tx, tenant, &gone).await?;
    Ok((Written { written, removed }, changes))
}

/// Whether a row is an agent's day of one of these metrics.
fn follows(followed: &BTreeSet<String>, key: &Key<'_>) -> bool {
    !followed.is_empty() && key.2 == "agent" && key.3 == "day" && followed.contains(key.0)
}

/// Rows of which it is not known whether they are stored, and as what. Returns how many were new or changed, and adds these to `changes`.
async fn upsert<'a>(
    tx: &Transaction<'_>,
    tenant: &str,
    rows: &[&WindowRow<'a>],
    changes: Option<&mut Vec<Change<'a>>>,
) -> Result<u64, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let keys = KeyColumns::of(&column(rows, WindowRow::key));
    let window_end = column(rows, |row| Instant(row.window_end));
    let zone = column(rows, |row| row.zone);
    let zone_source = column(rows, |row| row.zone_source);
    let tzdb = column(rows, |row| row.tzdb);
    let queue_id = column(rows, |row| row.queue_id);
    let media = column(rows, |row| row.media);
    let direction = column(rows, |row| row.direction);
    let agent_id = column(rows, |row| row.agent_id);
    let team = column(rows, |row| row.team);
    let platform = column(rows, |row| row.platform);
    let attributes = column(rows, |row| row.attributes_json.map(Json::new));
    let items = column(rows, |row| row.items);
    let numerator = column(rows, |row| row.numerator);
    let denominator = column(rows, |row| row.denominator);
    let scale = column(rows, |row| row.scale);
    let minimum = column(rows, |row| plain(row.minimum));
    let maximum = column(rows, |row| plain(row.maximum));
    let percentiles = column(rows, |row| row.percentiles_json.map(Json::new));
    let value = column(rows, |row| plain(row.value));
    let unit = column(rows, |row| row.unit);
    let settles_at = column(rows, |row| Instant(row.settles_at));
    let params: sql::Params<'_> = &[
        &tenant,
        &keys.metric_type,
        &keys.metric_version,
        &keys.group_by,
        &keys.size,
        &keys.group_key,
        &keys.window_start,
        &window_end,
        &zone,
        &zone_source,
        &tzdb,
        &queue_id,
        &media,
        &direction,
        &agent_id,
        &team,
        &platform,
        &attributes,
        &items,
        &numerator,
        &denominator,
        &scale,
        &minimum,
        &maximum,
        &percentiles,
        &value,
        &unit,
        &settles_at,
    ];
    let Some(changes) = changes else {
        return sql::execute(tx, &UPSERT, params).await;
    };
    let told = sql::query(tx, &UPSERT_TELLING, params).await?;
    for row in &told {
        let text = |column| sql::get::<&str>(row, &UPSERT_TELLING, column);
        let key: Key<'_> = (
            text(0)?,
            crate::metrics::version(sql::get(row, &UPSERT_TELLING, 1)?)?,
            text(2)?,
            text(3)?,
            text(4)?,
            sql::get::<Instant>(row, &UPSERT_TELLING, 5)?.0,
        );
        // They are sorted by key.
        if let Ok(at) = rows.binary_search_by(|row| row.key().cmp(&key)) {
            changes.push(Change::Written(*rows[at]));
        }
    }
    Ok(told.len() as u64)
}

/// Minus zero equals zero but prints otherwise: one of them is stored.
fn plain(value: Option<f64>) -> Option<f64> {
    value.map(|value| value + 0.0)
}

async fn remove(tx: &Transaction<'_>, tenant: &str, gone: &[Key<'_>]) -> Result<u64, StoreError> {
    let starts = || gone.iter().map(|key| key.5);
    let (Some(first), Some(last)) = (starts().min(), starts().max()) else {
        return Ok(0);
    };
    let keys = KeyColumns::of(gone);
    let params: sql::Params<'_> = &[
        &tenant,
        &keys.metric_type,
        &keys.metric_version,
        &keys.group_by,
        &keys.size,
        &keys.group_key,
        &keys.window_start,
        &Instant(first),
        &Instant(last),
    ];
    sql::execute(tx, &REMOVE, params).await
}
