//! Erasures on request: what was asked for, how far it is, and the proof that stays.
//!
//! The order is: [`begin`] notes whom it is about and which interactions are theirs, and marks these for ever; [`wait_for_folds`] lets those
//! end that have not seen the marks; [`unlink`] takes the customer's key away from the interactions; a walk through the log ([`crate::event_log::find_of_interactions`]) and one through the quarantine let the bytes go; [`drop_journey`]; [`finish`]
//! forgets whom it was about. Each step can be repeated, so whoever was killed goes on.

use crate::columns::no_nul;
use crate::definitions;
use crate::error::StoreError;
use crate::event_log::Place;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::UtcMicros;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use tokio_postgres::Row;
use uuid::Uuid;

/// Interactions looked through in one statement.
const LOOKED_THROUGH: i64 = 5_000;

/// Whom or what a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// Everything of a customer, by the keyed hash.
    Customer(&'a str),
    /// One interaction, by the platform's id.
    Interaction(&'a str),
}

impl Subject<'_> {
    /// As it is stored.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Customer(_) => "customer",
            Self::Interaction(_) => "interaction",
        }
    }

    /// What stands for it in the proof: SHA-256 of organisation, kind and text, each with its length before it.
    pub fn digest(&self, tenant: &str) -> [u8; 32] {
        let (Self::Customer(text) | Self::Interaction(text)) = self;
        let mut hash = Sha256::new();
        for part in [tenant, self.kind(), text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().into()
    }
}

/// A request that is being worked off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Its number.
    pub id: Uuid,
    /// The interactions it is about.
    pub interactions: Vec<String>,
    /// How far the walk through the log is.
    pub after: Place,
    /// Whether that walk is done.
    pub walked: bool,
    /// Interactions that lost their customer's key.
    pub unlinked: i64,
    /// Events whose bytes went.
    pub events: i64,
    /// Items of the quarantine whose bytes went.
    pub quarantined: i64,
}

macro_rules! erasure {
    () => {
        "erasure_id, interaction_ids, after_at, after_key, walked, interactions, events, quarantined"
    };
}

static OPEN: Sql = Sql {
    step: "look for an erasure under way",
    text: concat!(
        "SELECT ",
        erasure!(),
        " FROM erasures WHERE tenant = $1 AND subject = $2 AND subject_digest = $3 AND finished_at IS NULL FOR UPDATE"
    ),
};

static BEGIN: Sql = Sql {
    step: "note an erasure",
    text: concat!(
        "INSERT INTO erasures (erasure_id, tenant, subject, subject_digest, customer_key, interaction_ids, requested_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ",
        erasure!()
    ),
};

// One that was interrupted may have contacts by now that were not there when it began.
static MORE: Sql = Sql {
    step: "add interactions to an erasure",
    text: concat!(
        "UPDATE erasures SET interaction_ids = ARRAY(SELECT DISTINCT unnest(interaction_ids || $2::text[]) ORDER BY 1), \
                after_at = NULL, after_key = NULL, walked = false \
         WHERE erasure_id = $1 RETURNING ",
        erasure!()
    ),
};

static MARK: Sql = Sql {
    step: "mark interactions as erased",
    text: "INSERT INTO erased_interactions (tenant, interaction_id) SELECT $1::text, unnest($2::text[]) ON CONFLICT DO NOTHING",
};

static MARKED: Sql = Sql {
    step: "look for erased interactions",
    text: "SELECT e.tenant, e.interaction_id FROM erased_interactions e \
           JOIN unnest($1::text[], $2::text[]) AS k (tenant, interaction_id) \
             ON e.tenant = k.tenant AND e.interaction_id = k.interaction_id",
};

// The column is the first key stated; a platform that learns more states others, in facts (see UNLINK for the path). These are not
// indexed, so that an organisation's interactions are looked through, a page a statement. A page's last row comes along also where it is
// not looked for: it says where to go on.
static OF_CUSTOMER: Sql = Sql {
    step: "look for a customer's interactions",
    text: "WITH part AS MATERIALIZED ( \
               SELECT interaction_id, \
                      coalesce(customer_key = $2, false) \
                          OR jsonb_path_exists(state, '$.f[*].x ? (@.ck == $k)', jsonb_build_object('k', $2::text)) AS hit \
               FROM interactions WHERE tenant = $1 AND interaction_id > $3 ORDER BY interaction_id LIMIT $4), \
           last AS (SELECT interaction_id FROM part ORDER BY interaction_id DESC LIMIT 1) \
           SELECT p.interaction_id, p.hit FROM part p CROSS JOIN last WHERE p.hit OR p.interaction_id = last.interaction_id \
           ORDER BY p.interaction_id",
};

static LINKED: Sql = Sql {
    step: "lock interactions that name a customer",
    text: "SELECT interaction_id, customer_key, started_at, ended_at FROM interactions \
           WHERE tenant = $1 AND interaction_id = ANY ($2) \
             AND (customer_key IS NOT NULL OR jsonb_path_exists(state, '$.f[*].x.ck')) \
           ORDER BY interaction_id FOR UPDATE",
};

// `f` are the facts of a session, `x` a fact's rarer parts, `ck` the customer's key among these (crates/session, crates/schema). A fact
// without rarer parts has no `x`. Which facts there are does not change, and neither do their order and what they state otherwise.
static UNLINK: Sql = Sql {
    step: "take a customer's key from interactions",
    text: "UPDATE interactions i \
           SET customer_key = NULL, revision = i.revision + 1, updated_at = now(), \
               state = CASE jsonb_typeof(i.state -> 'f') WHEN 'array' THEN jsonb_set(i.state, '{f}', ( \
                   SELECT coalesce(jsonb_agg(CASE WHEN e.fact #> '{x,ck}' IS NULL THEN e.fact \
                                                  WHEN (e.fact -> 'x') - 'ck' = '{}' THEN e.fact - 'x' \
                                                  ELSE e.fact #- '{x,ck}' END ORDER BY e.place), '[]') \
                   FROM jsonb_array_elements(i.state -> 'f') WITH ORDINALITY AS e (fact, place))) ELSE i.state END \
           WHERE i.tenant = $1 AND i.interaction_id = ANY ($2)",
};

static NOTE: Sql = Sql {
    step: "note how far an erasure is",
    text: "UPDATE erasures SET after_at = $2, after_key = $3, walked = $4, interactions = $5, events = $6, quarantined = $7 \
           WHERE erasure_id = $1",
};

static FINISH: Sql = Sql {
    step: "finish an erasure",
    text: "UPDATE erasures SET finished_at = now(), customer_key = NULL, interaction_ids = '{}', after_at = NULL, after_key = NULL \
           WHERE erasure_id = $1 AND finished_at IS NULL RETURNING finished_at",
};

// What its evaluation has to remember is gone only once it has taken back what it said of contacts that left, and nobody has the key.
static DROP_JOURNEY: Sql = Sql {
    step: "drop a journey that is nobody's",
    text: "DELETE FROM journeys j WHERE j.tenant = $1 AND j.customer_key = $2 AND j.gone = '{}' \
             AND NOT EXISTS (SELECT FROM interactions i WHERE i.tenant = $1 AND i.customer_key = $2) \
             AND NOT EXISTS (SELECT FROM dirty_marks m WHERE m.kind = 'journey' AND m.tenant = $1 \
                             AND (m.subject = $2 OR starts_with(m.subject, $2 || '@')))",
};

// What a release that cannot read a definition left to be computed by a later one names the customer as well. There is nothing to compute
// any more where nobody has the key.
static FORGET_MISSED: Sql = Sql {
    step: "forget what is still to be computed of a journey that is nobody's",
    text: "DELETE FROM missed_marks m WHERE m.kind = 'journey' AND m.tenant = $1 \
             AND (m.subject = $2 OR starts_with(m.subject, $2 || '@')) \
             AND NOT EXISTS (SELECT FROM interactions i WHERE i.tenant = $1 AND i.customer_key = $2)",
};

// Contacts that were not erased keep their key and their journey: of that nothing waits once those that left were taken back.
static JOURNEY: Sql = Sql {
    step: "look for a journey",
    text: "SELECT EXISTS (SELECT FROM journeys j WHERE j.tenant = $1 AND j.customer_key = $2 AND (j.gone <> '{}' \
                          OR NOT EXISTS (SELECT FROM interactions i WHERE i.tenant = $1 AND i.customer_key = $2)))",
};

static ROLE: Sql = Sql {
    step: "ask for the role",
    text: "SELECT current_user::text",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &ROLE,
    &OPEN,
    &BEGIN,
    &MORE,
    &MARK,
    &MARKED,
    &OF_CUSTOMER,
    &LINKED,
    &UNLINK,
    &NOTE,
    &FINISH,
    &DROP_JOURNEY,
    &FORGET_MISSED,
    &JOURNEY,
];

/// The database's role that this connection acts as.
pub async fn role(conn: &impl Connection) -> Result<String, StoreError> {
    sql::get(&sql::query_one(conn, &ROLE, &[]).await?, &ROLE, 0)
}

/// The interactions that name this customer's key now, as their own or in any fact. Ascending. Looks through all interactions of the
/// organisation.
pub async fn interactions_of(
    conn: &impl Connection,
    tenant: &str,
    customer_key: &str,
) -> Result<Vec<String>, StoreError> {
    no_nul("customer_key", customer_key)?;
    let sql = &OF_CUSTOMER;
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let params: sql::Params<'_> = &[&tenant, &customer_key, &after, &LOOKED_THROUGH];
        let rows = sql::query(conn, sql, params).await?;
        let Some(last) = rows.last() else {
            return Ok(found);
        };
        after = sql::get(last, sql, 0)?;
        for row in &rows {
            if sql::get(row, sql, 1)? {
                found.push(sql::get(row, sql, 0)?);
            }
        }
    }
}

/// Notes a request, or goes on with one about the same that is not finished, and marks the interactions as erased. `by` is who worked it
/// off, for the proof.
pub async fn begin(
    tx: &Transaction<'_>,
    tenant: &str,
    subject: Subject<'_>,
    interactions: &[String],
    by: &str,
) -> Result<Erasure, StoreError> {
    no_nul("tenant", tenant)?;
    no_nul("requested_by", by)?;
    sql::execute(tx, &MARK, &[&tenant, &interactions]).await?;
    let digest = subject.digest(tenant);
    let digest = &digest[..];
    let open = sql::query(tx, &OPEN, &[&tenant, &subject.kind(), &digest]).await?;
    if let Some(row) = open.first() {
        let found = read(row, &OPEN)?;
        let more = interactions
            .iter()
            .any(|id| !found.interactions.contains(id));
        if !more {
            return Ok(found);
        }
        let row = sql::query_one(tx, &MORE, &[&found.id, &interactions]).await?;
        return read(&row, &MORE);
    }
    let key = match subject {
        Subject::Customer(key) => Some(key),
        Subject::Interaction(_) => None,
    };
    let params: sql::Params<'_> = &[
        &Uuid::now_v7(),
        &tenant,
        &subject.kind(),
        &digest,
        &key,
        &interactions,
        &by,
    ];
    read(&sql::query_one(tx, &BEGIN, params).await?, &BEGIN)
}

/// Waits for the folds under way: one that begins later sees what was marked and committed before. Lets go at the end of the transaction, so
/// end it at once.
pub async fn wait_for_folds(tx: &Transaction<'_>) -> Result<(), StoreError> {
    definitions::wait_for_evaluations(tx).await
}

/// Which of these interactions, by organisation and id, are marked as erased.
pub async fn marked(
    conn: &impl Connection,
    keys: &[(&str, &str)],
) -> Result<BTreeSet<(String, String)>, StoreError> {
    let tenants: Vec<&str> = keys.iter().map(|key| key.0).collect();
    let ids: Vec<&str> = keys.iter().map(|key| key.1).collect();
    for (tenant, id) in keys {
        no_nul("tenant", tenant)?;
        no_nul("interaction_id", id)?;
    }
    sql::query(conn, &MARKED, &[&tenants, &ids])
        .await?
        .iter()
        .map(|row| Ok((sql::get(row, &MARKED, 0)?, sql::get(row, &MARKED, 1)?)))
        .collect()
}

fn read(row: &Row, sql: &Sql) -> Result<Erasure, StoreError> {
    let at: Option<Instant> = sql::get(row, sql, 2)?;
    let key: Option<Uuid> = sql::get(row, sql, 3)?;
    Ok(Erasure {
        id: sql::get(row, sql, 0)?,
        interactions: sql::get(row, sql, 1)?,
        after: at
            .zip(key)
            .map_or(Place::START, |(at, key)| Place { at: at.0, key }),
        walked: sql::get(row, sql, 4)?,
        unlinked: sql::get(row, sql, 5)?,
        events: sql::get(row, sql, 6)?,
        quarantined: sql::get(row, sql, 7)?,
    })
}

/// An interaction that named a customer, locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The platform's id.
    pub interaction_id: String,
    /// The key it had, if one was its customer's: its facts may name others.
    pub customer_key: Option<String>,
    /// Its first instant, as far as known.
    pub started_at: Option<UtcMicros>,
    /// Its last instant, as far as known.
    pub ended_at: Option<UtcMicros>,
}

/// Locks those of the interactions that name a customer, ascending by id.
pub async fn linked(
    tx: &Transaction<'_>,
    tenant: &str,
    interactions: &[String],
) -> Result<Vec<Linked>, StoreError> {
    sql::query(tx, &LINKED, &[&tenant, &interactions])
        .await?
        .iter()
        .map(|row| {
            Ok(Linked {
                interaction_id: sql::get(row, &LINKED, 0)?,
                customer_key: sql::get(row, &LINKED, 1)?,
                started_at: sql::get::<Option<Instant>>(row, &LINKED, 2)?.map(|at| at.0),
                ended_at: sql::get::<Option<Instant>>(row, &LINKED, 3)?.map(|at| at.0),
            })
        })
        .collect()
}

/// Takes every customer's key from these interactions and from their facts. Lock them before ([`linked`]), and say of each that it left its
/// journey ([`crate::journeys::left`]). Returns how many rows were written.
pub async fn unlink(
    tx: &Transaction<'_>,
    tenant: &str,
    interactions: &[&str],
) -> Result<u64, StoreError> {
    if interactions.is_empty() {
        return Ok(0);
    }
    sql::execute(tx, &UNLINK, &[&tenant, &interactions]).await
}

/// Notes how far it is.
pub async fn note(tx: &Transaction<'_>, erasure: &Erasure) -> Result<(), StoreError> {
    let params: sql::Params<'_> = &[
        &erasure.id,
        &Instant(erasure.after.at),
        &erasure.after.key,
        &erasure.walked,
        &erasure.unlinked,
        &erasure.events,
        &erasure.quarantined,
    ];
    sql::execute(tx, &NOTE, params).await?;
    Ok(())
}

/// Drops what is remembered of a customer's journey, unless something of it has still to be taken back, or others of the customer's contacts
/// have the key. Returns whether nothing waits.
pub async fn drop_journey(
    tx: &Transaction<'_>,
    tenant: &str,
    customer_key: &str,
) -> Result<bool, StoreError> {
    sql::execute(tx, &FORGET_MISSED, &[&tenant, &customer_key]).await?;
    sql::execute(tx, &DROP_JOURNEY, &[&tenant, &customer_key]).await?;
    let left: bool = sql::get(
        &sql::query_one(tx, &JOURNEY, &[&tenant, &customer_key]).await?,
        &JOURNEY,
        0,
    )?;
    Ok(!left)
}

/// Says that it is done, and forgets whom it was about.
pub async fn finish(tx: &Transaction<'_>, erasure: &Erasure) -> Result<(), StoreError> {
    sql::execute(tx, &FINISH, &[&erasure.id]).await?;
    Ok(())
}
