//! The contacts of a customer: interactions with the customer's key, in the order of their starts.

use crate::columns::{self, no_nul};
use crate::error::StoreError;
use crate::pool::{Connection, Transaction};
use crate::sql::{self, Sql};
use crate::types::{Instant, JsonText};
use schema::UtcMicros;

macro_rules! contacts {
    ($condition:literal, $order:literal) => {
        concat!(
            "SELECT k.n, c.interaction_id, c.started_at, c.ended_at \
             FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) WITH ORDINALITY AS k (tenant, customer_key, at, id, n) \
             CROSS JOIN LATERAL (SELECT i.interaction_id, i.started_at, i.ended_at FROM interactions i \
                                 WHERE i.tenant = k.tenant AND i.customer_key = k.customer_key AND ",
            $condition,
            " ORDER BY ",
            $order,
            " LIMIT $5) c ORDER BY k.n"
        )
    };
}

// Both in the order of the index, so that only as many are read as are wanted.
pub(super) static BEFORE: Sql = Sql {
    step: "look for a customer's earlier contacts",
    text: contacts!(
        "(i.started_at, i.interaction_id) < (k.at, k.id)",
        "i.started_at DESC, i.interaction_id DESC"
    ),
};

pub(super) static AFTER: Sql = Sql {
    step: "look for a customer's later contacts",
    text: contacts!(
        "(i.started_at, i.interaction_id) > (k.at, k.id)",
        "i.started_at, i.interaction_id"
    ),
};

pub(super) static READ: Sql = Sql {
    step: "read contacts",
    text: "SELECT i.tenant, i.interaction_id, i.partition_at, i.customer_key, i.state, i.swept_at IS NOT NULL, \
                  i.had_ended OR i.status = 'terminal' \
           FROM unnest($1::text[], $2::text[]) AS k (tenant, interaction_id) \
           CROSS JOIN LATERAL (SELECT tenant, interaction_id, partition_at, customer_key, state, swept_at, had_ended, status \
                               FROM interactions i \
                               WHERE i.tenant = k.tenant AND i.interaction_id = k.interaction_id) i",
};

// Whoever calls has journeys locked, and whoever has an interaction may wait for those: so what is locked is passed over. It is read without
// a lock besides, which tells it from what is gone.
pub(super) static HOLD: Sql = Sql {
    step: "hold contacts that left",
    text: "SELECT i.tenant, i.interaction_id, h.interaction_id IS NOT NULL, h.customer_key IS NULL \
           FROM unnest($1::text[], $2::text[]) AS k (tenant, interaction_id) \
           JOIN interactions i ON i.tenant = k.tenant AND i.interaction_id = k.interaction_id \
           LEFT JOIN LATERAL (SELECT interaction_id, customer_key FROM interactions h \
                              WHERE h.tenant = k.tenant AND h.interaction_id = k.interaction_id FOR SHARE SKIP LOCKED) h ON true",
};

/// A contact, as far as its columns tell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contact {
    /// Its first instant.
    pub started_at: UtcMicros,
    /// The platform's id.
    pub interaction_id: String,
    /// Its last instant, as far as known.
    pub ended_at: Option<UtcMicros>,
}

/// From where on a customer's contacts are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach<'a> {
    /// The organisation.
    pub tenant: &'a str,
    /// The keyed hash of the customer.
    pub customer_key: &'a str,
    /// The start to go from.
    pub at: UtcMicros,
    /// Among those that start then, the id to go from, which is left out itself; empty: in front of all.
    pub interaction_id: &'a str,
}

/// The contacts of each reach, in the order of the reaches.
pub type Contacts = Vec<Vec<Contact>>;

/// A contact with its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredContact {
    /// The organisation.
    pub tenant: String,
    /// The platform's id.
    pub interaction_id: String,
    /// The month its metrics live in.
    pub partition_at: UtcMicros,
    /// Whose contact it is now.
    pub customer_key: Option<String>,
    /// The folded session as JSON.
    pub state_json: String,
    /// It was given up as incomplete.
    pub swept: bool,
    /// It has ended, or had ended once.
    pub had_ended: bool,
}

/// Whose an interaction is that left a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The organisation.
    pub tenant: String,
    /// The platform's id.
    pub interaction_id: String,
    /// Whose it is.
    pub whose: Whose,
}

/// Whose contact an interaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Nobody's, and that stays so until the transaction ends.
    Nobodys,
    /// Another customer's, or the same one's again; that stays so as well.
    Somebodys,
    /// Another transaction has it locked, and may be giving it a customer.
    Unsettled,
}

/// Contacts that start before each reach, from late to early, at most `limit` each. Locks nothing.
pub async fn before(
    conn: &impl Connection,
    reaches: &[Reach<'_>],
    limit: u32,
) -> Result<Contacts, StoreError> {
    found(conn, &BEFORE, reaches, limit).await
}

/// Contacts that start at each reach or later, from early to late, at most `limit` each. Locks nothing.
pub async fn after(
    conn: &impl Connection,
    reaches: &[Reach<'_>],
    limit: u32,
) -> Result<Contacts, StoreError> {
    found(conn, &AFTER, reaches, limit).await
}

async fn found(
    conn: &impl Connection,
    sql: &Sql,
    reaches: &[Reach<'_>],
    limit: u32,
) -> Result<Contacts, StoreError> {
    let mut found = vec![Vec::new(); reaches.len()];
    if reaches.is_empty() {
        return Ok(found);
    }
    for reach in reaches {
        no_nul("interaction_id", reach.interaction_id)?;
    }
    let tenants: Vec<&str> = reaches.iter().map(|reach| reach.tenant).collect();
    let keys: Vec<&str> = reaches.iter().map(|reach| reach.customer_key).collect();
    let starts: Vec<Instant> = reaches.iter().map(|reach| Instant(reach.at)).collect();
    let ids: Vec<&str> = reaches.iter().map(|reach| reach.interaction_id).collect();
    let params: sql::Params<'_> = &[&tenants, &keys, &starts, &ids, &i64::from(limit)];
    for row in sql::query(conn, sql, params).await? {
        let place: i64 = sql::get(&row, sql, 0)?;
        let place = usize::try_from(place - 1).ok();
        if let Some(contacts) = place.and_then(|place| found.get_mut(place)) {
            contacts.push(Contact {
                interaction_id: sql::get(&row, sql, 1)?,
                started_at: sql::get::<Instant>(&row, sql, 2)?.0,
                ended_at: sql::get::<Option<Instant>>(&row, sql, 3)?.map(|at| at.0),
            });
        }
    }
    Ok(found)
}

/// Tells whose interactions are, in no order, and keeps that from changing until the transaction ends. Waits for nobody: what another
/// transaction has locked is unsettled. Absent ones are left out.
pub async fn hold<T: AsRef<str>, I: AsRef<str>>(
    tx: &Transaction<'_>,
    keys: &[(T, I)],
) -> Result<Vec<Held>, StoreError> {
    let (tenants, ids) = columns::interactions(keys)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    sql::query(tx, &HOLD, &[&tenants, &ids])
        .await?
        .iter()
        .map(|row| {
            let held: bool = sql::get(row, &HOLD, 2)?;
            let nobodys: bool = sql::get(row, &HOLD, 3)?;
            Ok(Held {
                tenant: sql::get(row, &HOLD, 0)?,
                interaction_id: sql::get(row, &HOLD, 1)?,
                whose: match (held, nobodys) {
                    (false, _) => Whose::Unsettled,
                    (true, true) => Whose::Nobodys,
                    (true, false) => Whose::Somebodys,
                },
            })
        })
        .collect()
}

/// Reads interactions with their facts, without locking them and in no order. Absent ones are left out.
pub async fn read<T: AsRef<str>, I: AsRef<str>>(
    conn: &impl Connection,
    keys: &[(T, I)],
) -> Result<Vec<StoredContact>, StoreError> {
    let (tenants, ids) = columns::interactions(keys)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    sql::query(conn, &READ, &[&tenants, &ids])
        .await?
        .iter()
        .map(|row| {
            Ok(StoredContact {
                tenant: sql::get(row, &READ, 0)?,
                interaction_id: sql::get(row, &READ, 1)?,
                partition_at: sql::get::<Instant>(row, &READ, 2)?.0,
                customer_key: sql::get(row, &READ, 3)?,
                state_json: sql::get::<JsonText>(row, &READ, 4)?.0,
                swept: sql::get(row, &READ, 5)?,
                had_ended: sql::get(row, &READ, 6)?,
            })
        })
        .collect()
}
