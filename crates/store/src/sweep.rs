//! Interactions that never ended, and interactions whose numbers have come to rest.
//!
//! Both read `interactions_unsettled`, an index of what has not settled only, oldest first.

use crate::columns;
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::{Instant, JsonText};
use schema::UtcMicros;

/// An open interaction without news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenInteraction {
    /// The organisation.
    pub tenant: String,
    /// The platform's id.
    pub interaction_id: String,
    /// The folded session as JSON, as it was when it was read: nothing is locked.
    pub state_json: String,
    /// When it was first heard of.
    pub created_at: UtcMicros,
    /// When it was last written.
    pub updated_at: UtcMicros,
    /// Rises by one with each update: under a lock it tells whether there has been news since.
    pub revision: i64,
}

macro_rules! silent {
    () => {
        "settled_at IS NULL AND (created_at, tenant, interaction_id) > ($2, $3, $4) AND created_at < $1 \
         AND status = 'open' AND swept_at IS NULL AND updated_at < $1"
    };
}

macro_rules! unsettled {
    () => {
        "settled_at IS NULL AND (created_at, tenant, interaction_id) > ($3, $4, $5) AND created_at < $1"
    };
}

/// Of so many that are looked at one is expected to settle: a step looks at its limit times this.
const LOOKED_AT_FOR_ONE: i64 = 20;

// First how far the page reaches, in the order of the index; then the page, of which only those that arrived together are sorted. And here
// as below the limit is hidden from the planner: while the statistics say that almost nothing is unsettled it would rather read and sort
// all of it for each page.
static DUE: Sql = Sql {
    step: "look for interactions that never ended",
    text: concat!(
        "WITH reach AS ( \
             SELECT max(created_at) AS last FROM ( \
                 SELECT created_at FROM interactions WHERE ",
        silent!(),
        "        ORDER BY created_at LIMIT (SELECT $5::bigint)) p \
         ) \
         SELECT tenant, interaction_id, state, created_at, updated_at, revision FROM interactions WHERE ",
        silent!(),
        "  AND created_at <= (SELECT last FROM reach) \
         ORDER BY created_at, tenant, interaction_id LIMIT $5"
    ),
};

static MARK_SWEPT: Sql = Sql {
    step: "mark interactions as given up",
    text: "WITH swept AS ( \
               UPDATE interactions i SET swept_at = now() \
               FROM unnest($1::text[], $2::text[]) AS k (tenant, interaction_id) \
               WHERE i.tenant = k.tenant AND i.interaction_id = k.interaction_id AND i.status = 'open' AND i.swept_at IS NULL \
               RETURNING i.tenant, i.interaction_id \
           ), asked AS ( \
               INSERT INTO history_requests (tenant, interaction_id, reason) \
               SELECT tenant, interaction_id, 'never ended' FROM swept ORDER BY tenant, interaction_id ON CONFLICT DO NOTHING \
           ) SELECT count(*) FROM swept",
};

// A locked row is being changed: it has news. So it is left out, and nobody waits for anybody. Nor does anything rest of which an
// evaluation is owed; asked for row by row, so that the plan stays that of the index. Of an end that is inferred the platform's
// record is asked for, once, and it rests when that came, or when it has not come for too long. Each row is written by one of the updates.
// A step looks at so many rows and no more, whatever they are: of what waits for a record there may be a day's worth before the first that
// can settle, and each round passes it once. What was held for a target until then is due. Rows that are not held are locked all the same:
// a claim may be about to put them back, by a snapshot in which the interaction has not settled.
static SETTLE: Sql = Sql {
    step: "settle interactions",
    text: concat!(
        "WITH reach AS ( \
             SELECT max(created_at) AS last, count(*) AS looked_at FROM ( \
                 SELECT created_at FROM interactions WHERE ",
        unsettled!(),
        "        ORDER BY created_at LIMIT (SELECT $7::bigint)) p \
         ), rested AS ( \
             SELECT tenant, interaction_id, created_at, end_inferred AND confirmation_asked_at IS NULL AS asks FROM interactions n WHERE ",
        unsettled!(),
        "      AND created_at <= (SELECT last FROM reach) \
               AND updated_at < $1 AND coalesce(ended_at, updated_at) < $1 \
               AND (status <> 'open' OR swept_at IS NOT NULL) \
               AND (NOT end_inferred OR confirmation_asked_at IS NULL OR confirmation_asked_at < $2) \
               AND (SELECT d.revision FROM deferred_evaluations d \
                    WHERE d.tenant = n.tenant AND d.interaction_id = n.interaction_id) IS NULL \
             ORDER BY created_at, tenant, interaction_id LIMIT (SELECT $6::bigint) FOR UPDATE SKIP LOCKED \
         ), settled AS ( \
             UPDATE interactions i SET settled_at = now() FROM rested r \
             WHERE NOT r.asks AND i.tenant = r.tenant AND i.interaction_id = r.interaction_id RETURNING i.tenant, i.interaction_id \
         ), waiting AS ( \
             SELECT q.row_id \
             FROM (SELECT t.target, s.tenant, s.interaction_id FROM settled s \
                   JOIN sync_targets t ON t.not_before = 'settled' AND t.tenant = s.tenant \
                   ORDER BY t.target, s.tenant, s.interaction_id) k \
             CROSS JOIN LATERAL (SELECT row_id FROM sync_queue q \
                                 WHERE q.target = k.target AND q.tenant = k.tenant AND q.interaction_id = k.interaction_id \
                                   AND q.state IN ('held', 'pending') \
                                 ORDER BY q.metric_type, q.metric_version, q.leg_scope FOR UPDATE) q \
         ), woken AS ( \
             UPDATE sync_queue q SET state = 'pending', due_at = CASE q.state WHEN 'held' THEN now() ELSE q.due_at END, \
                    queued_at = CASE q.state WHEN 'held' THEN now() ELSE q.queued_at END \
             FROM waiting w WHERE q.row_id = w.row_id \
         ), asked AS ( \
             UPDATE interactions i SET confirmation_asked_at = now() FROM rested r \
             WHERE r.asks AND i.tenant = r.tenant AND i.interaction_id = r.interaction_id RETURNING i.tenant, i.interaction_id \
         ), requested AS ( \
             INSERT INTO history_requests (tenant, interaction_id, reason) \
             SELECT tenant, interaction_id, 'inferred_end' FROM asked ORDER BY tenant, interaction_id ON CONFLICT DO NOTHING \
         ) \
         SELECT (SELECT count(*) FROM settled), (SELECT count(*) FROM asked), reach.last, reach.looked_at, \
                l.created_at, l.tenant, l.interaction_id \
         FROM reach LEFT JOIN (SELECT created_at, tenant, interaction_id FROM rested \
                               ORDER BY created_at DESC, tenant DESC, interaction_id DESC LIMIT 1) l ON true"
    ),
};

static NOW: Sql = Sql {
    step: "read the server's clock",
    text: "SELECT now()",
};

pub(crate) static STATEMENTS: &[&Sql] = &[&DUE, &MARK_SWEPT, &SETTLE, &NOW];

/// The server's clock, which `updated_at` goes by: a host's own may be wrong by hours.
pub async fn now(conn: &impl Connection) -> Result<UtcMicros, StoreError> {
    let row = sql::query_one(conn, &NOW, &[]).await?;
    Ok(sql::get::<Instant>(&row, &NOW, 0)?.0)
}

/// Open interactions that were last written before `older_than`, oldest first, those behind `after` only: hand in the last one of the
/// page before. Those given up already are left out.
///
/// Nothing is locked. To give one up: lock it, see that its revision is the one read here, then [`mark_swept`].
pub async fn due(
    conn: &impl Connection,
    older_than: UtcMicros,
    after: Option<&OpenInteraction>,
    limit: u32,
) -> Result<Vec<OpenInteraction>, StoreError> {
    // No row is older than the first instant that PostgreSQL can store.
    let (created_at, tenant, id) = after.map_or((FIRST, "", ""), |last| {
        (last.created_at, &*last.tenant, &*last.interaction_id)
    });
    let params: sql::Params<'_> = &[
        &Instant(older_than),
        &Instant(created_at),
        &tenant,
        &id,
        &i64::from(limit),
    ];
    sql::query(conn, &DUE, params)
        .await?
        .iter()
        .map(|row| {
            Ok(OpenInteraction {
                tenant: sql::get(row, &DUE, 0)?,
                interaction_id: sql::get(row, &DUE, 1)?,
                state_json: sql::get::<JsonText>(row, &DUE, 2)?.0,
                created_at: sql::get::<Instant>(row, &DUE, 3)?.0,
                updated_at: sql::get::<Instant>(row, &DUE, 4)?.0,
                revision: sql::get(row, &DUE, 5)?,
            })
        })
        .collect()
}

/// Gives open interactions up and asks for them at the history API. Those that have ended or were given up before are left alone.
/// Returns how many were given up. Lock them first, see [`crate::interactions::lock`].
pub async fn mark_swept<T: AsRef<str>, I: AsRef<str>>(
    tx: &Transaction<'_>,
    keys: &[(T, I)],
) -> Result<u64, StoreError> {
    let (tenants, ids) = columns::interactions(keys)?;
    if ids.is_empty() {
        return Ok(0);
    }
    let row = sql::query_one(tx, &MARK_SWEPT, &[&tenants, &ids]).await?;
    let swept: i64 = sql::get(&row, &MARK_SWEPT, 0)?;
    Ok(swept.unsigned_abs())
}

/// What came to rest in one step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rested {
    /// Settled.
    pub settled: u64,
    /// Those whose end is inferred, and of which the platform's record was asked for now.
    pub asked: u64,
    /// Where the next step begins. `None`: that is all for now.
    pub next: Option<Place>,
}

/// A place among unsettled interactions, which are in the order of their arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    created_at: UtcMicros,
    tenant: String,
    interaction_id: String,
}

/// Settles interactions that ended (or were given up) before `ended_before` and have not been written since; one without a stated end
/// counts as ended when it was last written. At most `limit` of them, oldest first, those behind `after` only; what is locked is left for the
/// next time. What is still to be evaluated ([`crate::deferred`]) has not come to rest either.
///
/// A step looks at a bounded number of interactions, so that it may settle fewer than `limit`, or none, while there are more: go on with
/// [`Rested::next`] until there is none.
///
/// One whose end is inferred ([`crate::interactions::Status::Provisional`]) does not settle then: its record is asked for at the platform's
/// history (`inferred_end` in `history_requests`), once while its end stays inferred. It settles when a record confirmed the end and that
/// was long ago, or when it was asked for before `asked_before` and none came.
///
/// An update with other facts takes the mark away again.
pub async fn settle(
    conn: &impl Connection,
    ended_before: UtcMicros,
    asked_before: UtcMicros,
    after: Option<&Place>,
    limit: u32,
) -> Result<Rested, StoreError> {
    let (created_at, tenant, id) = after.map_or((FIRST, "", ""), |place| {
        (place.created_at, &*place.tenant, &*place.interaction_id)
    });
    let limit = i64::from(limit);
    let looks_at = limit * LOOKED_AT_FOR_ONE;
    let params: sql::Params<'_> = &[
        &Instant(ended_before),
        &Instant(asked_before),
        &Instant(created_at),
        &tenant,
        &id,
        &limit,
        &looks_at,
    ];
    let row = sql::query_one(conn, &SETTLE, params).await?;
    let [settled, asked]: [i64; 2] = [sql::get(&row, &SETTLE, 0)?, sql::get(&row, &SETTLE, 1)?];
    let reach = sql::get::<Option<Instant>>(&row, &SETTLE, 2)?;
    let looked_at: i64 = sql::get(&row, &SETTLE, 3)?;
    let next = if settled + asked >= limit {
        // There may be more of those looked at.
        match sql::get::<Option<Instant>>(&row, &SETTLE, 4)? {
            Some(last) => Some(Place {
                created_at: last.0,
                tenant: sql::get(&row, &SETTLE, 5)?,
                interaction_id: sql::get(&row, &SETTLE, 6)?,
            }),
            None => None,
        }
    } else if looked_at >= looks_at {
        // All that arrived by then was looked at; what arrived an instant later was not.
        reach.map(|last| Place {
            created_at: UtcMicros(last.0.0.saturating_add(1)),
            tenant: String::new(),
            interaction_id: String::new(),
        })
    } else {
        None
    };
    Ok(Rested {
        settled: settled.unsigned_abs(),
        asked: asked.unsigned_abs(),
        next,
    })
}

/// 0001-01-01T00:00:00Z.
const FIRST: UtcMicros = UtcMicros(-62_135_596_800_000_000);
