//! What a storm leaves to be evaluated: which interactions, and by which definitions.
//!
//! [`put`] in the transaction that folds the facts; later [`take`], evaluate, [`done`] in one transaction. Whoever is killed leaves the rows as
//! they were. The order of locks is that of the fold: the interaction first, then the row here, which is only written and
//! deleted by whoever holds the interaction.

use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::interactions::{self, Locked};
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use std::collections::BTreeMap;
use std::time::Duration;

/// An interaction that was folded without everything being evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewDeferred<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The interaction.
    pub interaction_id: &'a str,
    /// The numbers of the definitions that it is still to be evaluated by.
    pub definitions: &'a [i32],
    /// The generation of the catalogue in which these and those evaluated at once are all that is switched on; none: there is more.
    pub generation: Option<i64>,
    /// Windows from here on change by it.
    pub from: UtcMicros,
}

/// An interaction that something is owed to, locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferred {
    /// The interaction as it is now.
    pub interaction: Locked,
    /// The numbers of the definitions that it is still to be evaluated by. Ascending, each once.
    pub definitions: Vec<i32>,
    /// Once it is evaluated by them, it is evaluated by everything that was switched on in this state of the catalogue. None: unknown, or
    /// it had other facts meanwhile.
    pub completes: Option<i64>,
}

/// What was evaluated of a deferred interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The interaction.
    pub interaction_id: &'a str,
    /// What names the activations of the definitions evaluated.
    pub activations: &'a [i64],
    /// [`Deferred::completes`], where nothing stays owed.
    pub completes: Option<i64>,
    /// The numbers of the definitions that stay owed: this release cannot read them, or the interaction.
    pub left: &'a [i32],
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Interactions.
    pub interactions: i64,
    /// When the first of them was deferred.
    pub since: Option<UtcMicros>,
}

// Whoever runs this holds the interactions, so the revision is theirs. What was owed before stays owed. With other facts nothing is refused
// yet.
static PUT: Sql = Sql {
    step: "defer evaluations",
    text: "INSERT INTO deferred_evaluations AS d (tenant, interaction_id, definitions, generation, revision, from_at) \
           SELECT u.tenant, u.interaction_id, u.definitions::integer[], u.generation, i.revision, u.from_at \
           FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[]) \
                AS u (tenant, interaction_id, definitions, generation, from_at) \
           JOIN interactions i ON i.tenant = u.tenant AND i.interaction_id = u.interaction_id \
           ORDER BY u.tenant, u.interaction_id \
           ON CONFLICT (tenant, interaction_id) DO UPDATE SET \
                  definitions = CASE WHEN d.definitions = EXCLUDED.definitions THEN d.definitions \
                                ELSE ARRAY(SELECT DISTINCT unnest(d.definitions || EXCLUDED.definitions) ORDER BY 1) END, \
                  generation = EXCLUDED.generation, revision = EXCLUDED.revision, \
                  from_at = least(d.from_at, EXCLUDED.from_at), due_at = EXCLUDED.due_at, refusals = 0, refused_for = NULL",
};

// Whoever waits longest first, past those that somebody holds: they are left to them or to the next time. Nobody waits, so the order of
// these locks does no harm; the lateral looks each up by its key, and the outer limit locks no more than are wanted.
static TAKE: Sql = Sql {
    step: "lock deferred interactions",
    text: "SELECT i.tenant, i.interaction_id, i.partition_at, i.started_at, i.ended_at, i.status, i.state, i.customer_key, \
                  i.facts, i.metric_versions, i.revision, i.swept_at IS NOT NULL, i.end_inferred, \
                  i.confirmation_asked_at IS NOT NULL, i.had_ended OR i.status = 'terminal' \
           FROM (SELECT tenant, interaction_id FROM deferred_evaluations WHERE due_at <= now() ORDER BY due_at LIMIT 2000) d \
           CROSS JOIN LATERAL (SELECT tenant, interaction_id, partition_at, started_at, ended_at, status, state, customer_key, \
                                      facts, metric_versions, revision, swept_at, end_inferred, confirmation_asked_at, \
                                      had_ended \
                               FROM interactions i \
                               WHERE i.tenant = d.tenant AND i.interaction_id = d.interaction_id FOR UPDATE SKIP LOCKED) i \
           LIMIT $1",
};

// A statement of its own, after the locks: what came to be owed meanwhile is seen as well.
static OWED: Sql = Sql {
    step: "read deferred evaluations",
    text: "SELECT d.tenant, d.interaction_id, d.definitions, d.generation, d.revision \
           FROM deferred_evaluations d JOIN unnest($1::text[], $2::text[]) AS k (tenant, interaction_id) \
             ON d.tenant = k.tenant AND d.interaction_id = k.interaction_id",
};

static DELETE: Sql = Sql {
    step: "delete deferred evaluations",
    text: "DELETE FROM deferred_evaluations d USING unnest($1::text[], $2::text[]) AS k (tenant, interaction_id) \
           WHERE d.tenant = k.tenant AND d.interaction_id = k.interaction_id",
};

static NOTE: Sql = Sql {
    step: "note what deferred interactions were evaluated by",
    text: "UPDATE interactions i \
           SET evaluated_generation = greatest(i.evaluated_generation, u.completes), \
               evaluated_also = CASE WHEN u.completes IS NULL \
                   THEN ARRAY(SELECT DISTINCT unnest(coalesce(i.evaluated_also, '{}') || u.also::bigint[]) ORDER BY 1) \
                   ELSE i.evaluated_also END \
           FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS u (tenant, interaction_id, completes, also) \
           WHERE i.tenant = u.tenant AND i.interaction_id = u.interaction_id",
};

static LEAVE: Sql = Sql {
    step: "leave deferred evaluations for later",
    text: "UPDATE deferred_evaluations d SET definitions = u.definitions::integer[], due_at = now() + make_interval(secs => $4), \
                  refusals = d.refusals + 1, refused_for = 'a release that cannot read all of it' \
           FROM unnest($1::text[], $2::text[], $3::text[]) AS u (tenant, interaction_id, definitions) \
           WHERE d.tenant = u.tenant AND d.interaction_id = u.interaction_id",
};

static POSTPONE: Sql = Sql {
    step: "postpone deferred evaluations",
    text: "UPDATE deferred_evaluations d SET due_at = now() + make_interval(secs => $3), refusals = d.refusals + 1, refused_for = $4 \
           WHERE d.tenant = $1 AND d.interaction_id = $2",
};

static BACKLOG: Sql = Sql {
    step: "count deferred evaluations",
    text: "SELECT count(*), min(deferred_at) FROM deferred_evaluations",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &PUT, &TAKE, &OWED, &DELETE, &NOTE, &LEAVE, &POSTPONE, &BACKLOG,
];

/// Notes what is owed to interactions that this transaction has inserted or locked and written. What was owed before stays owed. Of several
/// rows with one key the last holds. Returns how many rows were written.
pub async fn put(tx: &Transaction<'_>, rows: &[NewDeferred<'_>]) -> Result<u64, StoreError> {
    for row in rows {
        no_nul("tenant", row.tenant)?;
        no_nul("interaction_id", row.interaction_id)?;
    }
    let sorted = last_per_key(rows, |row| (row.tenant, row.interaction_id));
    if sorted.is_empty() {
        return Ok(0);
    }
    let tenant = column(&sorted, |row| row.tenant);
    let interaction_id = column(&sorted, |row| row.interaction_id);
    let definitions = column(&sorted, |row| interactions::array_text(row.definitions));
    let generation = column(&sorted, |row| row.generation);
    let from = column(&sorted, |row| Instant(row.from));
    let params: sql::Params<'_> = &[&tenant, &interaction_id, &definitions, &generation, &from];
    sql::execute(tx, &PUT, params).await
}

/// Locks up to `most` interactions that something is owed to until the transaction ends, in ascending order of their keys. Those that somebody
/// else holds, or that were postponed, are left out. They stay on the list until they are [`done`].
pub async fn take(tx: &Transaction<'_>, most: u32) -> Result<Vec<Deferred>, StoreError> {
    let rows = sql::query(tx, &TAKE, &[&i64::from(most)]).await?;
    let mut locked = Vec::with_capacity(rows.len());
    for row in &rows {
        locked.push(interactions::read(row, &TAKE)?);
    }
    if locked.is_empty() {
        return Ok(Vec::new());
    }
    locked.sort_by(|a, b| (&a.tenant, &a.interaction_id).cmp(&(&b.tenant, &b.interaction_id)));
    let mut owed = owed(tx, &locked).await?;
    // What is not owed any more was evaluated by another one between looking and locking.
    let taken = locked.into_iter().filter_map(|interaction| {
        let key = (
            interaction.tenant.clone(),
            interaction.interaction_id.clone(),
        );
        let owed = owed.remove(&key)?;
        Some(Deferred {
            completes: owed
                .generation
                .filter(|_| owed.revision == interaction.revision),
            definitions: owed.definitions,
            interaction,
        })
    });
    Ok(taken.collect())
}

/// What is owed to one interaction.
struct Owed {
    definitions: Vec<i32>,
    generation: Option<i64>,
    revision: i64,
}

/// What is owed to locked interactions.
async fn owed(
    tx: &Transaction<'_>,
    locked: &[Locked],
) -> Result<BTreeMap<(String, String), Owed>, StoreError> {
    let tenants: Vec<&str> = locked.iter().map(|it| it.tenant.as_str()).collect();
    let ids: Vec<&str> = locked.iter().map(|it| it.interaction_id.as_str()).collect();
    let sql = &OWED;
    sql::query(tx, sql, &[&tenants, &ids])
        .await?
        .iter()
        .map(|row| {
            let key = (sql::get(row, sql, 0)?, sql::get(row, sql, 1)?);
            let owed = Owed {
                definitions: sql::get(row, sql, 2)?,
                generation: sql::get(row, sql, 3)?,
                revision: sql::get(row, sql, 4)?,
            };
            Ok((key, owed))
        })
        .collect()
}

/// Notes what interactions that were [taken](take) are evaluated by now, and takes them off the list. What stays owed stays on it, not to be
/// tried before this much time has passed.
pub async fn done(
    tx: &Transaction<'_>,
    rows: &[Done<'_>],
    again_after: Duration,
) -> Result<(), StoreError> {
    let sorted = last_per_key(rows, |row| (row.tenant, row.interaction_id));
    if sorted.is_empty() {
        return Ok(());
    }
    let tenant = column(&sorted, |row| row.tenant);
    let interaction_id = column(&sorted, |row| row.interaction_id);
    let completes = column(&sorted, |row| row.completes);
    let also = column(&sorted, |row| interactions::array_text(row.activations));
    let params: sql::Params<'_> = &[&tenant, &interaction_id, &completes, &also];
    sql::execute(tx, &NOTE, params).await?;
    let (left, whole): (Vec<&Done<'_>>, Vec<&Done<'_>>) =
        sorted.into_iter().partition(|row| !row.left.is_empty());
    let tenant = column(&whole, |row| row.tenant);
    let interaction_id = column(&whole, |row| row.interaction_id);
    sql::execute(tx, &DELETE, &[&tenant, &interaction_id]).await?;
    if left.is_empty() {
        return Ok(());
    }
    let tenant = column(&left, |row| row.tenant);
    let interaction_id = column(&left, |row| row.interaction_id);
    let definitions = column(&left, |row| interactions::array_text(row.left));
    let seconds = again_after.as_secs_f64();
    let params: sql::Params<'_> = &[&tenant, &interaction_id, &definitions, &seconds];
    sql::execute(tx, &LEAVE, params).await.map(drop)
}

/// Leaves an interaction alone for so long: evaluating it was refused, for this reason. What is refused three times, here or in [`done`], is
/// written off: windows settle without it. It is tried again all the same.
pub async fn postpone(
    conn: &impl Connection,
    tenant: &str,
    interaction_id: &str,
    for_: Duration,
    reason: &str,
) -> Result<(), StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("interaction_id", interaction_id)?;
    no_nul("reason", reason)?;
    let params: sql::Params<'_> = &[&tenant, &interaction_id, &for_.as_secs_f64(), &reason];
    sql::execute(conn, &POSTPONE, params).await.map(drop)
}

/// How much waits. Reads all of it.
pub async fn backlog(conn: &impl Connection) -> Result<Backlog, StoreError> {
    let row = sql::query_one(conn, &BACKLOG, &[]).await?;
    Ok(Backlog {
        interactions: sql::get(&row, &BACKLOG, 0)?,
        since: sql::get::<Option<Instant>>(&row, &BACKLOG, 1)?.map(|at| at.0),
    })
}
