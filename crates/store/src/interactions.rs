//! Identity and folded state of interactions. The order is always: insert what is new, lock, fold, update.

mod page;
mod row;

pub use page::{Filter, Stored, page};
pub use row::{
    ChangedInteraction, Evaluated, EvaluatedInteraction, Extent, Locked, NewInteraction, Status,
};

use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::{Instant, Json, JsonText};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

static INSERT: Sql = Sql {
    step: "insert interactions",
    // smallint[][] does not unnest by row, so each set of versions travels as the text of an array.
    text: "INSERT INTO interactions (tenant, interaction_id, partition_at, started_at, ended_at, status, state, customer_key, \
                                     facts, metric_versions, end_inferred, had_ended, evaluated_generation, evaluated_also) \
           SELECT u.tenant, u.interaction_id, u.partition_at, u.started_at, u.ended_at, u.status, u.state, u.customer_key, \
                  u.facts, u.metric_versions::smallint[], u.end_inferred, u.status = 'terminal', $11, $12 \
           FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::jsonb[], \
                       $8::text[], $9::integer[], $10::text[], $13::boolean[]) \
                AS u (tenant, interaction_id, partition_at, started_at, ended_at, status, state, customer_key, facts, metric_versions, \
                      end_inferred) \
           ON CONFLICT DO NOTHING RETURNING tenant, interaction_id",
};

// The lateral locks row by row in the order of the arrays, which are sorted: two workers never wait for each other in a circle.
static LOCK: Sql = Sql {
    step: "lock interactions",
    text: "SELECT i.tenant, i.interaction_id, i.partition_at, i.started_at, i.ended_at, i.status, i.state, i.customer_key, \
                  i.facts, i.metric_versions, i.revision, i.swept_at IS NOT NULL, i.end_inferred, \
                  i.confirmation_asked_at IS NOT NULL, i.had_ended OR i.status = 'terminal' \
           FROM unnest($1::text[], $2::text[]) AS k (tenant, interaction_id) \
           CROSS JOIN LATERAL (SELECT tenant, interaction_id, partition_at, started_at, ended_at, status, state, customer_key, \
                                      facts, metric_versions, revision, swept_at, end_inferred, confirmation_asked_at, had_ended \
                               FROM interactions i \
                               WHERE i.tenant = k.tenant AND i.interaction_id = k.interaction_id FOR UPDATE) i",
};

// Other facts are news, which unsettle the interaction. A set of versions that a job adds is none; the count of facts mostly tells, so that
// the states are seldom compared. That it had ended stays known when it goes on: of an inferred end no fact tells.
static UPDATE: Sql = Sql {
    step: "update interactions",
    text: "UPDATE interactions i \
           SET started_at = u.started_at, ended_at = u.ended_at, status = u.status, state = u.state, \
               customer_key = u.customer_key, facts = u.facts, metric_versions = u.metric_versions::smallint[], \
               end_inferred = u.end_inferred, had_ended = i.had_ended OR 'terminal' IN (i.status, u.status), \
               confirmation_asked_at = CASE WHEN u.end_inferred THEN i.confirmation_asked_at END, \
               evaluated_generation = $10, evaluated_also = $11, revision = i.revision + 1, updated_at = now(), \
               settled_at = CASE WHEN i.facts = u.facts AND i.status = u.status AND i.state = u.state THEN i.settled_at END \
           FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::jsonb[], $7::text[], \
                       $8::integer[], $9::text[], $12::boolean[]) \
                AS u (tenant, interaction_id, started_at, ended_at, status, state, customer_key, facts, metric_versions, end_inferred) \
           WHERE i.tenant = u.tenant AND i.interaction_id = u.interaction_id",
};

// No news: neither the revision nor the time of the last change moves.
static NOTE_EVALUATED: Sql = Sql {
    step: "note what interactions were evaluated by",
    text: "UPDATE interactions i \
           SET evaluated_also = ARRAY(SELECT DISTINCT unnest(coalesce(i.evaluated_also, '{}') || u.also::bigint[]) ORDER BY 1), \
               metric_versions = ARRAY(SELECT DISTINCT unnest(i.metric_versions || u.versions::smallint[]) ORDER BY 1) \
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS u (tenant, interaction_id, versions, also) \
           WHERE i.tenant = u.tenant AND i.interaction_id = u.interaction_id \
             AND NOT (coalesce(i.evaluated_also, '{}') @> u.also::bigint[] AND i.metric_versions @> u.versions::smallint[])",
};

// An interaction that was given up and ended after all need not be asked for any more, nor one whose inferred end was confirmed, nor one
// that was erased.
static ANSWERED: Sql = Sql {
    step: "forget history requests",
    text: "DELETE FROM history_requests h USING unnest($1::text[], $2::text[]) AS k (tenant, interaction_id) \
           WHERE h.tenant = k.tenant AND h.interaction_id = k.interaction_id",
};

static GET: Sql = Sql {
    step: "read an interaction",
    text: "SELECT tenant, interaction_id, partition_at, started_at, ended_at, status, state, customer_key, facts, \
                  metric_versions, revision, swept_at IS NOT NULL, end_inferred, confirmation_asked_at IS NOT NULL, \
                  had_ended OR status = 'terminal' \
           FROM interactions WHERE tenant = $1 AND interaction_id = $2",
};

static STATES: Sql = Sql {
    step: "read interactions' states",
    text: "SELECT i.tenant, i.interaction_id, i.state \
           FROM unnest($1::text[], $2::text[]) AS k (tenant, interaction_id) \
           CROSS JOIN LATERAL (SELECT tenant, interaction_id, state FROM interactions i \
                               WHERE i.tenant = k.tenant AND i.interaction_id = k.interaction_id) i",
};

static EXTENTS: Sql = Sql {
    step: "look at interactions",
    text: "SELECT i.tenant, i.interaction_id, i.status, i.facts, i.metric_versions \
           FROM unnest($1::text[], $2::text[]) AS k (tenant, interaction_id) \
           CROSS JOIN LATERAL (SELECT tenant, interaction_id, status, facts, metric_versions FROM interactions i \
                               WHERE i.tenant = k.tenant AND i.interaction_id = k.interaction_id) i",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &INSERT,
    &LOCK,
    &UPDATE,
    &NOTE_EVALUATED,
    &ANSWERED,
    &GET,
    &STATES,
    &EXTENTS,
    &page::OF_ALL,
    &page::OF_TENANT,
];

/// Inserts the interactions that are not there yet and returns the keys of those it inserted, sorted.
///
/// The others are left as they are: lock them and fold. Of several rows with one key the first is used. A concurrent transaction that
/// inserts the same interaction is waited for, so that a following [`lock`] finds the row.
///
/// `evaluated` is what this transaction evaluates them by.
pub async fn insert_new(
    tx: &Transaction<'_>,
    rows: &[NewInteraction<'_>],
    evaluated: &Evaluated<'_>,
) -> Result<Vec<(String, String)>, StoreError> {
    for row in rows {
        no_nul("tenant", row.tenant)?;
        no_nul("interaction_id", row.interaction_id)?;
        no_nul("customer_key", row.customer_key.unwrap_or_default())?;
    }
    let mut sorted: Vec<&NewInteraction<'_>> = rows.iter().collect();
    sorted.sort_by_key(|row| (row.tenant, row.interaction_id));
    sorted.dedup_by_key(|row| (row.tenant, row.interaction_id));
    if sorted.is_empty() {
        return Ok(Vec::new());
    }
    let tenant = column(&sorted, |row| row.tenant);
    let interaction_id = column(&sorted, |row| row.interaction_id);
    let partition_at = column(&sorted, |row| Instant(row.partition_at));
    let started_at = column(&sorted, |row| row.started_at.map(Instant));
    let ended_at = column(&sorted, |row| row.ended_at.map(Instant));
    let status = column(&sorted, |row| row.status.as_str());
    let state = column(&sorted, |row| Json::new(row.state_json));
    let customer_key = column(&sorted, |row| row.customer_key);
    let facts = column(&sorted, |row| row.facts);
    let versions = column(&sorted, |row| array_text(row.metric_versions));
    let inferred = column(&sorted, |row| row.status == Status::Provisional);
    let returned = sql::query(
        tx,
        &INSERT,
        &[
            &tenant,
            &interaction_id,
            &partition_at,
            &started_at,
            &ended_at,
            &status,
            &state,
            &customer_key,
            &facts,
            &versions,
            &evaluated.generation,
            &evaluated.also(),
            &inferred,
        ],
    )
    .await?;
    returned
        .iter()
        .map(|row| Ok((sql::get(row, &INSERT, 0)?, sql::get(row, &INSERT, 1)?)))
        .collect()
}

/// Locks the interactions until the transaction ends and reads them, sorted by key. Absent ones are left out.
///
/// Lock before anything else is locked: that order is what keeps workers from waiting for each other in a circle.
pub async fn lock<T: AsRef<str>, I: AsRef<str>>(
    tx: &Transaction<'_>,
    keys: &[(T, I)],
) -> Result<Vec<Locked>, StoreError> {
    let mut sorted: Vec<(&str, &str)> = keys
        .iter()
        .map(|(tenant, id)| (tenant.as_ref(), id.as_ref()))
        .collect();
    sorted.sort_unstable();
    sorted.dedup();
    for (tenant, id) in &sorted {
        no_nul("tenant", tenant)?;
        no_nul("interaction_id", id)?;
    }
    if sorted.is_empty() {
        return Ok(Vec::new());
    }
    let tenants: Vec<&str> = sorted.iter().map(|key| key.0).collect();
    let ids: Vec<&str> = sorted.iter().map(|key| key.1).collect();
    let rows = sql::query(tx, &LOCK, &[&tenants, &ids]).await?;
    rows.iter().map(|row| read(row, &LOCK)).collect()
}

/// Writes the new state of locked interactions; other facts than before take the mark of having settled away. Returns how many rows were
/// written. `evaluated` is what this transaction evaluates them by, and takes the place of what they were evaluated by before.
pub async fn update(
    tx: &Transaction<'_>,
    rows: &[ChangedInteraction<'_>],
    evaluated: &Evaluated<'_>,
) -> Result<u64, StoreError> {
    for row in rows {
        no_nul("customer_key", row.customer_key.unwrap_or_default())?;
    }
    let sorted = last_per_key(rows, |row| (row.tenant, row.interaction_id));
    if sorted.is_empty() {
        return Ok(0);
    }
    let tenant = column(&sorted, |row| row.tenant);
    let interaction_id = column(&sorted, |row| row.interaction_id);
    let started_at = column(&sorted, |row| row.started_at.map(Instant));
    let ended_at = column(&sorted, |row| row.ended_at.map(Instant));
    let status = column(&sorted, |row| row.status.as_str());
    let state = column(&sorted, |row| Json::new(row.state_json));
    let customer_key = column(&sorted, |row| row.customer_key);
    let facts = column(&sorted, |row| row.facts);
    let versions = column(&sorted, |row| array_text(row.metric_versions));
    let inferred = column(&sorted, |row| row.status == Status::Provisional);
    sql::execute(
        tx,
        &UPDATE,
        &[
            &tenant,
            &interaction_id,
            &started_at,
            &ended_at,
            &status,
            &state,
            &customer_key,
            &facts,
            &versions,
            &evaluated.generation,
            &evaluated.also(),
            &inferred,
        ],
    )
    .await
}

/// Notes of locked interactions that they were evaluated, without news, for jobs that asked for versions: by these activations besides.
pub async fn note_evaluated(
    tx: &Transaction<'_>,
    rows: &[EvaluatedInteraction<'_>],
) -> Result<u64, StoreError> {
    let sorted = last_per_key(rows, |row| (row.tenant, row.interaction_id));
    if sorted.is_empty() {
        return Ok(0);
    }
    let tenant = column(&sorted, |row| row.tenant);
    let interaction_id = column(&sorted, |row| row.interaction_id);
    let versions = column(&sorted, |row| array_text(row.metric_versions));
    let also = column(&sorted, |row| array_text(row.also));
    sql::execute(
        tx,
        &NOTE_EVALUATED,
        &[&tenant, &interaction_id, &versions, &also],
    )
    .await
}

/// Takes back the requests to ask the platform for these interactions. Returns how many there were.
pub async fn answered<T: AsRef<str>, I: AsRef<str>>(
    tx: &Transaction<'_>,
    keys: &[(T, I)],
) -> Result<u64, StoreError> {
    if keys.is_empty() {
        return Ok(0);
    }
    let tenants: Vec<&str> = keys.iter().map(|key| key.0.as_ref()).collect();
    let ids: Vec<&str> = keys.iter().map(|key| key.1.as_ref()).collect();
    sql::execute(tx, &ANSWERED, &[&tenants, &ids]).await
}

/// Reads one interaction without locking it.
pub async fn get(
    conn: &impl Connection,
    tenant: &str,
    interaction_id: &str,
) -> Result<Option<Locked>, StoreError> {
    let rows = sql::query(conn, &GET, &[&tenant, &interaction_id]).await?;
    rows.first().map(|row| read(row, &GET)).transpose()
}

/// Organisation, id and session state of these interactions, without locking them and in no order. Absent ones are left out.
pub async fn states(
    conn: &impl Connection,
    keys: &[(&str, &str)],
) -> Result<Vec<(String, String, String)>, StoreError> {
    let (tenants, ids): (Vec<&str>, Vec<&str>) = keys.iter().copied().unzip();
    sql::query(conn, &STATES, &[&tenants, &ids])
        .await?
        .iter()
        .map(|row| {
            Ok((
                sql::get(row, &STATES, 0)?,
                sql::get(row, &STATES, 1)?,
                sql::get::<JsonText>(row, &STATES, 2)?.0,
            ))
        })
        .collect()
}

/// How far these interactions are computed, without locking them and in no order. Absent ones are left out.
pub async fn extents<T: AsRef<str> + Sync, I: AsRef<str> + Sync>(
    conn: &impl Connection,
    keys: &[(T, I)],
) -> Result<Vec<Extent>, StoreError> {
    let tenants: Vec<&str> = keys.iter().map(|key| key.0.as_ref()).collect();
    let ids: Vec<&str> = keys.iter().map(|key| key.1.as_ref()).collect();
    for (tenant, id) in tenants.iter().zip(&ids) {
        no_nul("tenant", tenant)?;
        no_nul("interaction_id", id)?;
    }
    let rows = sql::query(conn, &EXTENTS, &[&tenants, &ids]).await?;
    rows.iter()
        .map(|row| {
            let status: String = sql::get(row, &EXTENTS, 2)?;
            Ok(Extent {
                tenant: sql::get(row, &EXTENTS, 0)?,
                interaction_id: sql::get(row, &EXTENTS, 1)?,
                overfull: status == Status::Overfull.as_str(),
                facts: sql::get(row, &EXTENTS, 3)?,
                metric_versions: sql::get(row, &EXTENTS, 4)?,
            })
        })
        .collect()
}

/// A row of the columns that [`lock`] reads, in their order.
pub(crate) fn read(row: &Row, sql: &Sql) -> Result<Locked, StoreError> {
    debug_assert_eq!(
        row.columns().get(6).map(tokio_postgres::Column::type_),
        Some(&Type::JSONB)
    );
    let status: String = sql::get(row, sql, 5)?;
    Ok(Locked {
        tenant: sql::get(row, sql, 0)?,
        interaction_id: sql::get(row, sql, 1)?,
        partition_at: sql::get::<Instant>(row, sql, 2)?.0,
        started_at: sql::get::<Option<Instant>>(row, sql, 3)?.map(|at| at.0),
        ended_at: sql::get::<Option<Instant>>(row, sql, 4)?.map(|at| at.0),
        status: Status::parse(&status, sql::get(row, sql, 12)?).ok_or(StoreError::Unreadable {
            column: "interactions.status",
            value: status,
        })?,
        state_json: sql::get::<JsonText>(row, sql, 6)?.0,
        customer_key: sql::get(row, sql, 7)?,
        facts: sql::get(row, sql, 8)?,
        metric_versions: sql::get(row, sql, 9)?,
        revision: sql::get(row, sql, 10)?,
        swept: sql::get(row, sql, 11)?,
        confirmation_asked: sql::get(row, sql, 13)?,
        had_ended: sql::get(row, sql, 14)?,
    })
}

/// `{1,2}`: how PostgreSQL writes an array.
pub(crate) fn array_text<N: Copy + Ord + ToString>(numbers: &[N]) -> String {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let numbers: Vec<String> = sorted.iter().map(ToString::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}
