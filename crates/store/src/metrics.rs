//! Values of metrics: one row per (tenant, interaction, metric, version, leg scope), written only when something changed.

mod read;

pub(crate) use read::version;
pub use read::{StoredMetric, of_interaction};

use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::Transaction;
use crate::sql::{self, Sql};
use crate::sync::Lane;
use crate::types::{Instant, Json};
use schema::{MetricVersion, UtcMicros};

/// A value to store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricRow<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The interaction.
    pub interaction_id: &'a str,
    /// The metric's name.
    pub metric_type: &'a str,
    /// The version of its definition.
    pub metric_version: MetricVersion,
    /// Empty for the interaction as a whole, else the leg.
    pub leg_scope: &'a str,
    /// The interaction's partition instant, from its row: never computed anew.
    pub partition_at: UtcMicros,
    /// What the value is dated by. May be corrected.
    pub timestamp_utc: UtcMicros,
    /// The agent it is attributed to.
    pub agent_id: Option<&'a str>,
    /// The queue it is attributed to.
    pub queue_id: Option<&'a str>,
    /// The value; absent with a reason in the metadata.
    pub metric_value: Option<f64>,
    /// A JSON object: reason, zone, flags. A change of it is a change.
    pub metadata_json: &'a str,
    /// A JSON object: how it was computed. A change of it alone is no change.
    pub provenance_json: &'a str,
}

/// What an upsert did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upserted {
    /// Rows inserted or changed.
    pub written: u64,
    /// Rows queued for delivery: a changed row once for each target of its tenant that wants it.
    pub queued: u64,
}

// Besides answering, it locks the table of targets in share mode until commit: a target that is being registered waits for us, and we
// see it if it came first. So no row falls between.
static ANY_TARGET: Sql = Sql {
    step: "look for sync targets",
    text: "SELECT EXISTS (SELECT FROM sync_targets WHERE enabled)",
};

// A new row's revision is the column's default, which a restore raises above every revision that was ever pushed (`after_restore`): a row
// that was there before the loss goes on from there, too.
macro_rules! upsert {
    ($suffix:literal) => {
        concat!(
            "INSERT INTO computed_metrics AS m (tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at, \
                    timestamp_utc, agent_id, queue_id, metric_value, metadata, provenance) \
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::timestamptz[], \
                    $7::timestamptz[], $8::text[], $9::text[], $10::float8[], $11::jsonb[], $12::jsonb[]) \
             ON CONFLICT (tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at) DO UPDATE SET \
                    timestamp_utc = EXCLUDED.timestamp_utc, agent_id = EXCLUDED.agent_id, queue_id = EXCLUDED.queue_id, \
                    metric_value = EXCLUDED.metric_value, metadata = EXCLUDED.metadata, provenance = EXCLUDED.provenance, \
                    revision = greatest(m.revision + 1, EXCLUDED.revision), updated_at = now() \
             WHERE m.metric_value IS DISTINCT FROM EXCLUDED.metric_value \
                OR m.timestamp_utc IS DISTINCT FROM EXCLUDED.timestamp_utc \
                OR m.agent_id IS DISTINCT FROM EXCLUDED.agent_id \
                OR m.queue_id IS DISTINCT FROM EXCLUDED.queue_id \
                OR m.metadata IS DISTINCT FROM EXCLUDED.metadata",
            $suffix
        )
    };
}

static UPSERT: Sql = Sql {
    step: "upsert computed_metrics",
    text: upsert!(""),
};

// The queue's row keeps its lease and its pause: only the revision it waits with is raised. A rejected one gets another chance,
// because the new value is another value. Where the target waits for settled interactions the row is held, unless this one has settled;
// what settles it makes the row due. It is looked at after some hours all the same: a journey is computed beside what settles. The value
// that is being pushed answers for the time until now, and so does a refused one: this one has waited since now. It spoils no request
// because the one before it did.
static UPSERT_AND_QUEUE: Sql = Sql {
    step: "upsert and queue computed_metrics",
    text: concat!(
        "WITH written AS (",
        upsert!(
            " RETURNING m.tenant, m.interaction_id, m.metric_type, m.metric_version, m.leg_scope, m.partition_at, m.revision"
        ),
        "), wanted AS ( \
            SELECT t.target, t.not_before = 'settled' AND i.settled_at IS NULL AS waits, w.* FROM written w \
            JOIN sync_targets t ON t.enabled AND t.tenant = w.tenant AND w.metric_type = ANY (t.metrics) \
             AND CASE WHEN w.leg_scope = '' THEN 'interaction' ELSE 'leg' END = ANY (t.grains) \
             AND CASE WHEN t.versions = '{}' \
                      THEN w.metric_version = (SELECT k.version FROM kpi_definitions k WHERE k.name = w.metric_type AND k.status = 'current') \
                      ELSE w.metric_version = ANY (t.versions) END \
            LEFT JOIN LATERAL (SELECT settled_at FROM interactions i \
                               WHERE t.not_before = 'settled' AND i.tenant = w.tenant AND i.interaction_id = w.interaction_id OFFSET 0) i ON true \
            ORDER BY t.target, w.tenant, w.interaction_id, w.metric_type, w.metric_version, w.leg_scope \
        ), queued AS ( \
            INSERT INTO sync_queue AS q (target, tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at, revision, \
                                         lane, state, due_at) \
            SELECT target, tenant, interaction_id, metric_type, metric_version, leg_scope, partition_at, revision, $13, \
                   CASE WHEN waits THEN 'held' ELSE 'pending' END, CASE WHEN waits THEN now() + interval '6 hours' ELSE now() END FROM wanted \
            ON CONFLICT (target, tenant, interaction_id, metric_type, metric_version, leg_scope) DO UPDATE SET \
                revision = EXCLUDED.revision, \
                lane = CASE q.lane WHEN 'history' THEN q.lane ELSE EXCLUDED.lane END, \
                queued_at = CASE WHEN q.state IN ('leased', 'rejected') THEN now() ELSE q.queued_at END, \
                together = NULL, \
                state = CASE WHEN q.state IN ('leased', 'unknown') THEN q.state ELSE EXCLUDED.state END, \
                due_at = CASE WHEN q.state IN ('held', 'rejected') OR q.state = 'pending' AND EXCLUDED.state = 'held' \
                              THEN EXCLUDED.due_at ELSE q.due_at END, \
                attempt = CASE q.state WHEN 'rejected' THEN 0 ELSE q.attempt END \
            RETURNING 1 \
        ) SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM queued)"
    ),
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &ANY_TARGET,
    &UPSERT,
    &UPSERT_AND_QUEUE,
    &read::OF_INTERACTION,
];

/// Writes what is new or changed, and queues it for every enabled target of its tenant that wants it, in this transaction, as what happens now.
///
/// Of several rows with one key the last holds: pass them in the order of their versions. Unchanged rows are not written, keep their
/// `updated_at` and are not queued. The months must exist, see [`crate::partitions`].
pub async fn upsert(tx: &Transaction<'_>, rows: &[MetricRow<'_>]) -> Result<Upserted, StoreError> {
    upsert_for(tx, rows, Lane::Live).await
}

/// The same, for this reason: what a backfill job caused is delivered before the rest, up to a share.
pub async fn upsert_for(
    tx: &Transaction<'_>,
    rows: &[MetricRow<'_>],
    lane: Lane,
) -> Result<Upserted, StoreError> {
    check(rows)?;
    let sorted = last_per_key(rows, |row| {
        (
            row.tenant,
            row.interaction_id,
            row.metric_type,
            row.metric_version,
            row.leg_scope,
            row.partition_at,
        )
    });
    if sorted.is_empty() {
        return Ok(Upserted::default());
    }
    let tenant = column(&sorted, |row| row.tenant);
    let interaction_id = column(&sorted, |row| row.interaction_id);
    let metric_type = column(&sorted, |row| row.metric_type);
    let metric_version = column(&sorted, |row| i32::from(row.metric_version.0));
    let leg_scope = column(&sorted, |row| row.leg_scope);
    let partition_at = column(&sorted, |row| Instant(row.partition_at));
    let timestamp_utc = column(&sorted, |row| Instant(row.timestamp_utc));
    let agent_id = column(&sorted, |row| row.agent_id);
    let queue_id = column(&sorted, |row| row.queue_id);
    // Minus zero equals zero but prints otherwise: store one of them.
    let metric_value = column(&sorted, |row| row.metric_value.map(|value| value + 0.0));
    let metadata = column(&sorted, |row| Json::new(row.metadata_json));
    let provenance = column(&sorted, |row| Json::new(row.provenance_json));
    let params: sql::Params<'_> = &[
        &tenant,
        &interaction_id,
        &metric_type,
        &metric_version,
        &leg_scope,
        &partition_at,
        &timestamp_utc,
        &agent_id,
        &queue_id,
        &metric_value,
        &metadata,
        &provenance,
    ];
    let targets: bool = sql::get(&sql::query_one(tx, &ANY_TARGET, &[]).await?, &ANY_TARGET, 0)?;
    if !targets {
        return Ok(Upserted {
            written: sql::execute(tx, &UPSERT, params).await?,
            queued: 0,
        });
    }
    let lane = lane.name();
    let params: sql::Params<'_> = &[
        &tenant,
        &interaction_id,
        &metric_type,
        &metric_version,
        &leg_scope,
        &partition_at,
        &timestamp_utc,
        &agent_id,
        &queue_id,
        &metric_value,
        &metadata,
        &provenance,
        &lane,
    ];
    let row = sql::query_one(tx, &UPSERT_AND_QUEUE, params).await?;
    let written: i64 = sql::get(&row, &UPSERT_AND_QUEUE, 0)?;
    let queued: i64 = sql::get(&row, &UPSERT_AND_QUEUE, 1)?;
    Ok(Upserted {
        written: written.unsigned_abs(),
        queued: queued.unsigned_abs(),
    })
}

fn check(rows: &[MetricRow<'_>]) -> Result<(), StoreError> {
    for row in rows {
        no_nul("tenant", row.tenant)?;
        no_nul("interaction_id", row.interaction_id)?;
        no_nul("metric_type", row.metric_type)?;
        no_nul("leg_scope", row.leg_scope)?;
        no_nul("agent_id", row.agent_id.unwrap_or_default())?;
        no_nul("queue_id", row.queue_id.unwrap_or_default())?;
        if row.metric_value.is_some_and(|value| !value.is_finite()) {
            return Err(StoreError::NotFinite {
                metric: row.metric_type.to_owned(),
                interaction: row.interaction_id.to_owned(),
            });
        }
    }
    Ok(())
}
