//! Agents' days in the queue: each row carries its value, so that what is claimed is always the newest, and a day that nothing is in any
//! more can still be taken back.
//!
//! Whose day an instant is in is resolved by who calls this, never here.

use super::DayFigures;
use crate::columns::no_nul;
use crate::error::StoreError;
use crate::metrics::version;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::{Date, Instant};
use schema::{LocalDay, MetricVersion, UtcMicros};
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

/// A day of an agent's that is to be pushed.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedDay {
    /// The agent.
    pub agent_id: String,
    /// The day, by the agent's clock.
    pub day: LocalDay,
    /// The metric's name.
    pub metric_type: String,
    /// The version of its definition.
    pub metric_version: MetricVersion,
    /// What is in it now; absent: nothing any more.
    pub figures: Option<DayFigures>,
    /// The KPI; absent where there is nothing to divide by, or nothing at all.
    pub value: Option<f64>,
}

/// A day of an agent's as `window_metrics` has it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDay {
    /// The agent.
    pub agent_id: String,
    /// The metric's name.
    pub metric_type: String,
    /// The version of its definition.
    pub metric_version: MetricVersion,
    /// What is in it.
    pub figures: DayFigures,
    /// The KPI.
    pub value: f64,
}

// As with values of interactions: locks the table of targets in share mode until commit, so that a target that is being registered waits
// for us, or is seen.
pub(super) static WANTED: Sql = Sql {
    step: "look for sync targets of agents' days",
    text: "SELECT DISTINCT unnest(metrics) FROM sync_targets WHERE enabled AND tenant = $1 AND 'agent_day' = ANY (grains)",
};

pub(super) static NOW: Sql = Sql {
    step: "read the instant",
    // Not the transaction's: of two that change a day the one that commits later has written the windows later, under their locks.
    text: "SELECT clock_timestamp()",
};

// The row keeps its lease and its pause, and takes the new value. A rejected one gets another chance. Of a target that waits for settled
// windows it is due when this one settles.
pub(super) static QUEUE: Sql = Sql {
    step: "queue agents' days",
    text: "INSERT INTO sync_queue AS q (target, tenant, agent_id, workday, metric_type, metric_version, revision, lane, state, due_at, zone, \
                                        from_at, to_at, settles_at, items, numerator, denominator, scale, unit, value, again) \
           SELECT t.target, t.tenant, c.agent_id, c.workday, c.metric_type, c.metric_version, $3, \
                  CASE WHEN $2::text IS NULL THEN 'live' ELSE 'history' END, \
                  CASE WHEN w.waits THEN 'held' ELSE 'pending' END, CASE WHEN w.waits THEN c.settles_at ELSE now() END, c.zone, \
                  c.from_at, c.to_at, c.settles_at, c.items, c.numerator, c.denominator, c.scale, c.unit, c.value, \
                  $2::text IS NOT NULL \
           FROM unnest($4::text[], $5::date[], $6::text[], $7::integer[], $8::text[], $9::timestamptz[], $10::timestamptz[], \
                       $11::timestamptz[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::text[], $17::float8[]) \
                AS c (agent_id, workday, metric_type, metric_version, zone, from_at, to_at, settles_at, items, numerator, denominator, \
                      scale, unit, value) \
           JOIN sync_targets t ON t.enabled AND t.tenant = $1 AND ($2::text IS NULL OR t.target = $2) AND 'agent_day' = ANY (t.grains) \
            AND c.metric_type = ANY (t.metrics) \
            AND CASE WHEN t.versions = '{}' \
                     THEN c.metric_version = (SELECT k.version FROM kpi_definitions k WHERE k.name = c.metric_type AND k.status = 'current') \
                     ELSE c.metric_version = ANY (t.versions) END \
           CROSS JOIN LATERAL (SELECT t.not_before = 'settled' AND coalesce(c.settles_at > now(), false) AS waits) w \
           ORDER BY t.target, c.agent_id, c.workday, c.metric_type, c.metric_version \
           ON CONFLICT (target, tenant, agent_id, workday, metric_type, metric_version) WHERE workday IS NOT NULL DO UPDATE SET \
               revision = greatest(q.revision + 1, EXCLUDED.revision), \
               lane = CASE q.lane WHEN 'history' THEN q.lane ELSE EXCLUDED.lane END, \
               queued_at = CASE WHEN q.state IN ('leased', 'rejected') THEN now() ELSE q.queued_at END, \
               together = NULL, \
               state = CASE WHEN q.state IN ('leased', 'unknown') THEN q.state ELSE EXCLUDED.state END, \
               due_at = CASE WHEN q.state IN ('held', 'rejected') OR q.state = 'pending' AND EXCLUDED.state = 'held' \
                             THEN EXCLUDED.due_at ELSE q.due_at END, \
               attempt = CASE q.state WHEN 'rejected' THEN 0 ELSE q.attempt END, \
               zone = EXCLUDED.zone, from_at = EXCLUDED.from_at, to_at = EXCLUDED.to_at, settles_at = EXCLUDED.settles_at, \
               items = EXCLUDED.items, numerator = EXCLUDED.numerator, denominator = EXCLUDED.denominator, scale = EXCLUDED.scale, \
               unit = EXCLUDED.unit, value = EXCLUDED.value, again = q.again OR EXCLUDED.again",
};

/// The windows that are days which a target wants, and that have a value.
macro_rules! wanted {
    ($columns:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM sync_targets t JOIN window_metrics w ON w.tenant = t.tenant AND w.metric_type = ANY (t.metrics) \
               AND CASE WHEN t.versions = '{}' \
                        THEN w.metric_version = (SELECT k.version FROM kpi_definitions k WHERE k.name = w.metric_type AND k.status = 'current') \
                        ELSE w.metric_version = ANY (t.versions) END \
              WHERE t.target = $1 AND t.enabled AND 'agent_day' = ANY (t.grains) AND w.metric_version > 0 \
                AND w.group_by = 'agent' AND w.size = 'day' AND w.window_start >= $2 AND w.window_start < $3 \
                AND w.agent_id IS NOT NULL AND w.value IS NOT NULL"
        )
    };
}

pub(super) static STORED: Sql = Sql {
    step: "read agents' days that a target wants",
    text: concat!(
        wanted!(
            "w.agent_id, w.metric_type, w.metric_version, w.value, w.zone, w.window_start, w.window_end, w.settles_at, w.items, \
             w.numerator, w.denominator, w.scale, w.unit"
        ),
        " ORDER BY w.agent_id, w.window_start, w.metric_type, w.metric_version"
    ),
};

pub(super) static EXTENT: Sql = Sql {
    step: "look for the first and the last of agents' days that a target wants",
    text: wanted!("min(w.window_start), max(w.window_start)"),
};

/// The metrics of which some enabled target of the organisation wants agents' days. Mostly none, and then there is nothing to queue.
pub async fn wants_days(
    tx: &Transaction<'_>,
    tenant: &str,
) -> Result<BTreeSet<String>, StoreError> {
    sql::query(tx, &WANTED, &[&tenant])
        .await?
        .iter()
        .map(|row| sql::get(row, &WANTED, 0))
        .collect()
}

/// Queues days for every enabled target of the organisation that wants them, in the transaction that changed their windows. Of several
/// with one key the last that has anything in it holds. Returns how many rows wait because of it.
pub async fn queue_days(
    tx: &Transaction<'_>,
    tenant: &str,
    days: &[ChangedDay],
) -> Result<u64, StoreError> {
    queue(tx, tenant, None, days).await
}

/// Queues days for one target, pushed before or not; they go also where the platform has just this by our log. Call [`crate::targets::hold_changes`] in the same transaction before reading them, or
/// what changes meanwhile may be overtaken by what it was. Returns how many rows wait because of it.
pub async fn requeue_days(
    tx: &Transaction<'_>,
    tenant: &str,
    target: &str,
    days: &[ChangedDay],
) -> Result<u64, StoreError> {
    queue(tx, tenant, Some(target), days).await
}

type DayKey<'a> = (&'a str, LocalDay, &'a str, MetricVersion);

fn newest_per_key(days: &[ChangedDay]) -> BTreeMap<DayKey<'_>, &ChangedDay> {
    let mut newest: BTreeMap<DayKey<'_>, &ChangedDay> = BTreeMap::new();
    for day in days {
        let key = (
            day.agent_id.as_str(),
            day.day,
            day.metric_type.as_str(),
            day.metric_version,
        );
        match newest.entry(key) {
            // An agent who moved: the window by the old clock is gone, the one by the new is the day.
            Entry::Occupied(known) if day.figures.is_none() && known.get().figures.is_some() => {}
            Entry::Occupied(mut known) => {
                known.insert(day);
            }
            Entry::Vacant(free) => {
                free.insert(day);
            }
        }
    }
    newest
}

async fn queue(
    tx: &Transaction<'_>,
    tenant: &str,
    target: Option<&str>,
    days: &[ChangedDay],
) -> Result<u64, StoreError> {
    for day in days {
        no_nul("agent_id", &day.agent_id)?;
    }
    let days: Vec<&ChangedDay> = newest_per_key(days).into_values().collect();
    if days.is_empty() {
        return Ok(0);
    }
    let row = sql::query_one(tx, &NOW, &[]).await?;
    let revision = sql::get::<Instant>(&row, &NOW, 0)?.0.0;
    let of = |day: &&ChangedDay| day.figures.clone();
    let figures: Vec<Option<DayFigures>> = days.iter().map(of).collect();
    let stated = || figures.iter().map(Option::as_ref);
    let number = |value: fn(&DayFigures) -> i64| -> Vec<Option<i64>> {
        stated().map(|figures| figures.map(value)).collect()
    };
    let instant = |value: fn(&DayFigures) -> UtcMicros| -> Vec<Option<Instant>> {
        let instants = stated().map(|figures| figures.map(|figures| Instant(value(figures))));
        instants.collect()
    };
    let agent_id: Vec<&str> = days.iter().map(|day| day.agent_id.as_str()).collect();
    let workday: Vec<Date> = days.iter().map(|day| Date(day.day.0)).collect();
    let metric_type: Vec<&str> = days.iter().map(|day| day.metric_type.as_str()).collect();
    let version = |day: &&ChangedDay| i32::from(day.metric_version.0);
    let metric_version: Vec<i32> = days.iter().map(version).collect();
    let zone: Vec<Option<&str>> = stated()
        .map(|figures| figures.map(|figures| figures.zone.as_str()))
        .collect();
    let unit: Vec<Option<&str>> = stated()
        .map(|figures| figures.map(|figures| figures.unit.as_str()))
        .collect();
    let value: Vec<Option<f64>> = days.iter().map(|day| day.value).collect();
    sql::execute(
        tx,
        &QUEUE,
        &[
            &tenant,
            &target,
            &revision,
            &agent_id,
            &workday,
            &metric_type,
            &metric_version,
            &zone,
            &instant(|figures| figures.from),
            &instant(|figures| figures.to),
            &instant(|figures| figures.settles_at),
            &number(|figures| figures.items),
            &number(|figures| figures.numerator),
            &number(|figures| figures.denominator),
            &number(|figures| figures.scale),
            &unit,
            &value,
        ],
    )
    .await
}

/// The days that the target wants whose windows begin within a stretch, and that have a value.
pub async fn stored_days(
    conn: &impl Connection,
    target: &str,
    (from, to): (UtcMicros, UtcMicros),
) -> Result<Vec<StoredDay>, StoreError> {
    sql::query(conn, &STORED, &[&target, &Instant(from), &Instant(to)])
        .await?
        .iter()
        .map(|row| {
            let at = |column| sql::get::<Instant>(row, &STORED, column).map(|at| at.0);
            Ok(StoredDay {
                agent_id: sql::get(row, &STORED, 0)?,
                metric_type: sql::get(row, &STORED, 1)?,
                metric_version: version(sql::get(row, &STORED, 2)?)?,
                value: sql::get(row, &STORED, 3)?,
                figures: DayFigures {
                    zone: sql::get(row, &STORED, 4)?,
                    from: at(5)?,
                    to: at(6)?,
                    settles_at: at(7)?,
                    items: sql::get(row, &STORED, 8)?,
                    numerator: sql::get(row, &STORED, 9)?,
                    denominator: sql::get(row, &STORED, 10)?,
                    scale: sql::get(row, &STORED, 11)?,
                    unit: sql::get(row, &STORED, 12)?,
                },
            })
        })
        .collect()
}

/// When the first and the last of these days begin; `None` where there are none.
pub async fn days_extent(
    conn: &impl Connection,
    target: &str,
    (from, to): (UtcMicros, UtcMicros),
) -> Result<Option<(UtcMicros, UtcMicros)>, StoreError> {
    let row = sql::query_one(conn, &EXTENT, &[&target, &Instant(from), &Instant(to)]).await?;
    let at = |column| sql::get::<Option<Instant>>(&row, &EXTENT, column);
    Ok(at(0)?.zip(at(1)?).map(|(first, last)| (first.0, last.0)))
}
