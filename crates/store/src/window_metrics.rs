//! KPIs over windows of local time, written only when something changed.

mod row;

pub use row::{Covered, WindowRow, Written};

use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::Transaction;
use crate::sql::{self, Sql};
use crate::types::{Instant, Json};
use row::Key;
use schema::Millis;

static UPSERT: Sql = Sql {
    step: "upsert window_metrics",
    text: "INSERT INTO window_metrics AS w (tenant, metric_type, metric_version, group_by, size, group_key, window_start, window_end, \
                  zone, zone_source, tzdb, queue_id, media, direction, agent_id, team, platform, attributes, items, numerator, \
                  denominator, scale, minimum, maximum, percentiles, value, unit, settles_at) \
           SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], \
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
};

// One range of the primary key a stretch. The bounds over all stretches let the months be cut down before it starts; the window that was just
// written, mostly the only one of its stretch, is not told.
static LEFT: Sql = Sql {
    step: "look for window_metrics that nothing is in",
    text: "SELECT c.n, w.window_start \
           FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[], \
                       $9::timestamptz[], $12::timestamptz[]) \
                WITH ORDINALITY AS c (metric_type, metric_version, group_by, size, group_key, from_at, to_at, kept, since, n) \
           CROSS JOIN LATERAL (SELECT window_start FROM window_metrics w \
                               WHERE w.tenant = $1 AND w.metric_type = c.metric_type AND w.metric_version = c.metric_version \
                                 AND w.group_by = c.group_by AND w.size = c.size AND w.group_key = c.group_key \
                                 AND w.window_start > c.since AND w.window_start < c.to_at AND w.window_end > c.from_at \
                                 AND w.window_start > $10 AND w.window_start < $11 \
                                 AND w.window_start IS DISTINCT FROM c.kept OFFSET 0) w",
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

pub(crate) static STATEMENTS: &[&Sql] = &[&UPSERT, &LEFT, &REMOVE];

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
    no_nul("tenant", tenant)?;
    for row in rows {
        row.check()?;
    }
    for stretch in covered {
        stretch.check()?;
    }
    let sorted = last_per_key(rows, WindowRow::key);
    let written = if sorted.is_empty() {
        0
    } else {
        upsert(tx, tenant, &sorted).await?
    };
    let removed = if covered.is_empty() {
        0
    } else {
        remove(tx, tenant, &sorted, covered).await?
    };
    Ok(Written { written, removed })
}

async fn upsert(
    tx: &Transaction<'_>,
    tenant: &str,
    rows: &[&WindowRow<'_>],
) -> Result<u64, StoreError> {
    let metric_type = column(rows, |row| row.metric_type);
    let metric_version = column(rows, |row| i32::from(row.metric_version.0));
    let group_by = column(rows, |row| row.group_by);
    let size = column(rows, |row| row.size);
    let group_key = column(rows, |row| row.group_key);
    let window_start = column(rows, |row| Instant(row.window_start));
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
    // Minus zero equals zero but prints otherwise: store one of them.
    let minimum = column(rows, |row| row.minimum.map(|value| value + 0.0));
    let maximum = column(rows, |row| row.maximum.map(|value| value + 0.0));
    let percentiles = column(rows, |row| row.percentiles_json.map(Json::new));
    let value = column(rows, |row| row.value.map(|value| value + 0.0));
    let unit = column(rows, |row| row.unit);
    let settles_at = column(rows, |row| Instant(row.settles_at));
    let params: sql::Params<'_> = &[
        &tenant,
        &metric_type,
        &metric_version,
        &group_by,
        &size,
        &group_key,
        &window_start,
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
    sql::execute(tx, &UPSERT, params).await
}

async fn remove(
    tx: &Transaction<'_>,
    tenant: &str,
    kept: &[&WindowRow<'_>],
    covered: &[Covered<'_>],
) -> Result<u64, StoreError> {
    let mut left = left(tx, tenant, kept, covered).await?;
    left.sort_unstable();
    left.dedup();
    let (Some(first), Some(last)) = (
        left.iter().map(|key| key.5).min(),
        left.iter().map(|key| key.5).max(),
    ) else {
        return Ok(0);
    };
    let metric_type: Vec<&str> = left.iter().map(|key| key.0).collect();
    let metric_version: Vec<i32> = left.iter().map(|key| i32::from(key.1.0)).collect();
    let group_by: Vec<&str> = left.iter().map(|key| key.2).collect();
    let size: Vec<&str> = left.iter().map(|key| key.3).collect();
    let group_key: Vec<&str> = left.iter().map(|key| key.4).collect();
    let window_start: Vec<Instant> = left.iter().map(|key| Instant(key.5)).collect();
    let params: sql::Params<'_> = &[
        &tenant,
        &metric_type,
        &metric_version,
        &group_by,
        &size,
        &group_key,
        &window_start,
        &Instant(first),
        &Instant(last),
    ];
    sql::execute(tx, &REMOVE, params).await
}

/// A window of this size begins less than this before any instant in it; that of a shift as well, which may be a chain of shifts.
fn reach(size: &str) -> Millis {
    const HOUR: i64 = 3_600_000;
    Millis(match size {
        "15m" | "30m" | "60m" => HOUR,
        "day" => 2 * 24 * HOUR,
        "week" | "shift" => 9 * 24 * HOUR,
        _ => 33 * 24 * HOUR,
    })
}

/// The keys of rows that reach into a covered stretch and were not kept.
async fn left<'c>(
    tx: &Transaction<'_>,
    tenant: &str,
    kept: &[&WindowRow<'_>],
    covered: &[Covered<'c>],
) -> Result<Vec<Key<'c>>, StoreError> {
    let since = |stretch: &Covered<'_>| stretch.from.plus(Millis(-reach(stretch.size).0));
    let (Some(first), Some(last)) = (
        covered.iter().map(since).min(),
        covered.iter().map(|stretch| stretch.to).max(),
    ) else {
        return Ok(Vec::new());
    };
    // Sorted by key: that of a stretch is the first of those it holds.
    let one_kept = |stretch: &Covered<'_>| {
        let start = stretch.key(stretch.from);
        let at = kept.partition_point(|row| row.key() < start);
        let row = kept.get(at)?;
        (row.key() < stretch.key(stretch.to)).then_some(Instant(row.window_start))
    };
    let covered: Vec<&Covered<'c>> = covered.iter().collect();
    let metric_type = column(&covered, |stretch| stretch.metric_type);
    let metric_version = column(&covered, |stretch| i32::from(stretch.metric_version.0));
    let group_by = column(&covered, |stretch| stretch.group_by);
    let size = column(&covered, |stretch| stretch.size);
    let group_key = column(&covered, |stretch| stretch.group_key);
    let from = column(&covered, |stretch| Instant(stretch.from));
    let to = column(&covered, |stretch| Instant(stretch.to));
    let first_kept = column(&covered, one_kept);
    let since = column(&covered, |stretch| Instant(since(stretch)));
    let params: sql::Params<'_> = &[
        &tenant,
        &metric_type,
        &metric_version,
        &group_by,
        &size,
        &group_key,
        &from,
        &to,
        &first_kept,
        &Instant(first),
        &Instant(last),
        &since,
    ];
    let mut left = Vec::new();
    for row in sql::query(tx, &LEFT, params).await? {
        let number: i64 = sql::get(&row, &LEFT, 0)?;
        let stretch = usize::try_from(number - 1)
            .ok()
            .and_then(|number| covered.get(number))
            .ok_or(StoreError::Vanished { step: LEFT.step })?;
        let key = stretch.key(sql::get::<Instant>(&row, &LEFT, 1)?.0);
        if kept.binary_search_by(|row| row.key().cmp(&key)).is_err() {
            left.push(key);
        }
    }
    Ok(left)
}
