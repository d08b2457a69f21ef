//! Customers: which contacts are theirs, and what evaluating those together has to remember.
//!
//! A journey is the row of one customer key. A worker [`lock`]s it, reads the contacts (which it locks not), writes what came of them and
//! [`note`]s what is due next. Whoever takes a key away from an interaction says so with [`left`], which waits for that lock: so no
//! evaluation under way can write a verdict about a contact that has become another customer's.
//!
//! The order of locks is interactions, then journeys, each ascending by key. Only [`hold`] takes interactions when journeys are locked, and
//! it waits for nobody, so that no circle can come of it.

mod contacts;
mod subject;

pub use contacts::{
    Contact, Contacts, Held, Reach, StoredContact, Whose, after, before, hold, read,
};
pub use subject::{Subject, subject};

use crate::columns::{column, last_per_key, no_nul};
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::Instant;
use schema::{Millis, UtcMicros};

static INSERT_MISSING: Sql = Sql {
    step: "insert journeys",
    text: "INSERT INTO journeys (tenant, customer_key) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING",
};

// The lateral locks row by row in the order of the arrays, which are sorted. What another worker has is left to it.
static LOCK: Sql = Sql {
    step: "lock journeys",
    text: "SELECT j.tenant, j.customer_key, j.longest_ms, j.due_at, j.gone \
           FROM unnest($1::text[], $2::text[]) AS k (tenant, customer_key) \
           CROSS JOIN LATERAL (SELECT tenant, customer_key, longest_ms, due_at, gone FROM journeys j \
                               WHERE j.tenant = k.tenant AND j.customer_key = k.customer_key FOR UPDATE SKIP LOCKED) j",
};

static NOTE: Sql = Sql {
    step: "note what journeys wait for",
    text: "UPDATE journeys j SET contacts = u.contacts, longest_ms = u.longest_ms, due_at = u.due_at, gone = '{}', updated_at = now() \
           FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::timestamptz[]) \
                AS u (tenant, customer_key, contacts, longest_ms, due_at) \
           WHERE j.tenant = u.tenant AND j.customer_key = u.customer_key \
             AND (j.contacts, j.longest_ms, j.due_at, j.gone) IS DISTINCT FROM (u.contacts, u.longest_ms, u.due_at, '{}'::text[])",
};

static LEFT: Sql = Sql {
    step: "note that contacts left a journey",
    text: "INSERT INTO journeys AS j (tenant, customer_key, gone) \
           SELECT tenant, customer_key, array_agg(DISTINCT id) \
           FROM unnest($1::text[], $2::text[], $3::text[]) AS u (tenant, customer_key, id) \
           GROUP BY tenant, customer_key ORDER BY tenant COLLATE \"C\", customer_key COLLATE \"C\" \
           ON CONFLICT (tenant, customer_key) DO UPDATE \
           SET gone = ARRAY(SELECT DISTINCT unnest(j.gone || EXCLUDED.gone) ORDER BY 1), updated_at = now()",
};

// Tuples, not single columns: the page goes on behind the last one, also among those that are due at one instant.
static DUE: Sql = Sql {
    step: "look for journeys that are due",
    text: "SELECT tenant, customer_key, due_at FROM journeys \
           WHERE due_at <= $1 AND due_at >= $2 AND (due_at, tenant, customer_key) > ($2, $3, $4) \
           ORDER BY due_at, tenant, customer_key LIMIT $5",
};

pub(crate) static STATEMENTS: &[&Sql] = &[
    &INSERT_MISSING,
    &LOCK,
    &NOTE,
    &LEFT,
    &DUE,
    &contacts::BEFORE,
    &contacts::AFTER,
    &contacts::READ,
    &contacts::HOLD,
];

/// A journey as it is stored, locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// The organisation.
    pub tenant: String,
    /// The keyed hash of the customer.
    pub customer_key: String,
    /// No contact seen so far lasted longer.
    pub longest: Millis,
    /// When time alone makes the next verdict final.
    pub due_at: Option<UtcMicros>,
    /// Interactions that had this key and lost it.
    pub gone: Vec<String>,
}

/// What an evaluation leaves behind. The list of contacts that left is emptied by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The keyed hash of the customer.
    pub customer_key: &'a str,
    /// How many contacts were found to be one matter, at most.
    pub contacts: i32,
    /// No contact seen so far lasted longer.
    pub longest: Millis,
    /// When time alone makes the next verdict final; `None`: nothing waits.
    pub due_at: Option<UtcMicros>,
}

/// An interaction that is no contact of this customer any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The key it had.
    pub customer_key: &'a str,
    /// The platform's id.
    pub interaction_id: &'a str,
}

/// A journey whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The organisation.
    pub tenant: String,
    /// The keyed hash of the customer.
    pub customer_key: String,
    /// Since when.
    pub due_at: UtcMicros,
}

/// Locks these journeys until the transaction ends, those that are not there yet included, and reads them, sorted by key. What another
/// transaction has locked is left out: whoever has it does the work.
pub async fn lock<T: AsRef<str>, K: AsRef<str>>(
    tx: &Transaction<'_>,
    keys: &[(T, K)],
) -> Result<Vec<Locked>, StoreError> {
    let mut sorted: Vec<(&str, &str)> = keys
        .iter()
        .map(|(tenant, key)| (tenant.as_ref(), key.as_ref()))
        .collect();
    sorted.sort_unstable();
    sorted.dedup();
    for (tenant, key) in &sorted {
        no_nul("tenant", tenant)?;
        no_nul("customer_key", key)?;
    }
    if sorted.is_empty() {
        return Ok(Vec::new());
    }
    let tenants: Vec<&str> = sorted.iter().map(|key| key.0).collect();
    let keys: Vec<&str> = sorted.iter().map(|key| key.1).collect();
    sql::execute(tx, &INSERT_MISSING, &[&tenants, &keys]).await?;
    sql::query(tx, &LOCK, &[&tenants, &keys])
        .await?
        .iter()
        .map(|row| {
            Ok(Locked {
                tenant: sql::get(row, &LOCK, 0)?,
                customer_key: sql::get(row, &LOCK, 1)?,
                longest: Millis(sql::get(row, &LOCK, 2)?),
                due_at: sql::get::<Option<Instant>>(row, &LOCK, 3)?.map(|at| at.0),
                gone: sql::get(row, &LOCK, 4)?,
            })
        })
        .collect()
}

/// Writes what the evaluation of locked journeys leaves behind. Returns how many rows changed by it.
pub async fn note(tx: &Transaction<'_>, rows: &[Noted<'_>]) -> Result<u64, StoreError> {
    let sorted = last_per_key(rows, |row| (row.tenant, row.customer_key));
    if sorted.is_empty() {
        return Ok(0);
    }
    let tenant = column(&sorted, |row| row.tenant);
    let customer_key = column(&sorted, |row| row.customer_key);
    let contacts = column(&sorted, |row| row.contacts);
    let longest = column(&sorted, |row| row.longest.0);
    let due_at = column(&sorted, |row| row.due_at.map(Instant));
    let params: sql::Params<'_> = &[&tenant, &customer_key, &contacts, &longest, &due_at];
    sql::execute(tx, &NOTE, params).await
}

/// Notes of interactions that they have another key now, or none, in the transaction that takes the old one away. Waits for an evaluation
/// under way with the old key. Append marks for the old key as well.
pub async fn left(tx: &Transaction<'_>, rows: &[Left<'_>]) -> Result<(), StoreError> {
    for row in rows {
        no_nul("tenant", row.tenant)?;
        no_nul("customer_key", row.customer_key)?;
        no_nul("interaction_id", row.interaction_id)?;
    }
    let sorted = last_per_key(rows, |row| *row);
    if sorted.is_empty() {
        return Ok(());
    }
    let tenant = column(&sorted, |row| row.tenant);
    let customer_key = column(&sorted, |row| row.customer_key);
    let ids = column(&sorted, |row| row.interaction_id);
    sql::execute(tx, &LEFT, &[&tenant, &customer_key, &ids]).await?;
    Ok(())
}

/// Journeys in which time alone has made a verdict final, those due first in front, behind `last`: the last one of the page before. Locks
/// nothing.
pub async fn due(
    conn: &impl Connection,
    as_of: UtcMicros,
    last: Option<&Due>,
    limit: u32,
) -> Result<Vec<Due>, StoreError> {
    let (at, tenant, key) = last.map_or((FIRST, "", ""), |last| {
        (last.due_at, &*last.tenant, &*last.customer_key)
    });
    let params: sql::Params<'_> = &[
        &Instant(as_of),
        &Instant(at),
        &tenant,
        &key,
        &i64::from(limit),
    ];
    sql::query(conn, &DUE, params)
        .await?
        .iter()
        .map(|row| {
            Ok(Due {
                tenant: sql::get(row, &DUE, 0)?,
                customer_key: sql::get(row, &DUE, 1)?,
                due_at: sql::get::<Instant>(row, &DUE, 2)?.0,
            })
        })
        .collect()
}

/// 0001-01-01T00:00:00Z: no row is older.
const FIRST: UtcMicros = UtcMicros(-62_135_596_800_000_000);
